//! Census: what each block of the volume is used for, for tools.

use super::{Failure, Found, NorFlash, Objects, Store, one_source};
use crate::format::object::Name;
use crate::object::BlockUse;
use crate::seal::Suite;
use crate::trust::MonotonicCounter;

#[one_source]
impl<F: NorFlash, S: Suite> Objects<'_, F, S> {
    /// Tells of each block in turn, by its number, what it is used for. Nothing is written.
    ///
    /// # Errors
    /// What the store says of damage.
    pub async fn census<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        mut seen: impl FnMut(u32, BlockUse),
    ) -> Result<(), Failure<F, D>> {
        // Blocks of an object mostly lie side by side.
        let mut last: Option<(Name, BlockUse)> = None;
        for block in 0..self.layout.blocks {
            let found = match self.header(store, block).await {
                Found::Good(header) => match last.filter(|(name, _)| *name == header.name) {
                    Some((_, found)) => found,
                    None => {
                        let found = self.use_of(store, header.name).await?;
                        last = Some((header.name, found));
                        found
                    }
                },
                Found::Unreadable => BlockUse::Unreadable,
                Found::Blank => BlockUse::Blank,
                Found::Other | Found::Strange => BlockUse::Stale,
            };
            seen(block, found);
        }
        Ok(())
    }

    /// What the blocks of an object are used for.
    async fn use_of<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
    ) -> Result<BlockUse, Failure<F, D>> {
        Ok(if store.object_of(name.hash).await? == Some(name.id) {
            BlockUse::Committed
        } else if self.is_live(store, name, None).await? {
            BlockUse::Unfinished
        } else {
            BlockUse::Stale
        })
    }
}
