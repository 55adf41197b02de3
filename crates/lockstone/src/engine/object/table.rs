//! Table: the volume table that the store keeps in an entry of its own, so that it's sealed, changed in one step, and, where that
//! is asked for, brought back by no older image.

use super::blocks::HELD_NAME;
use super::install::HOLDS;
use super::{NorFlash, Store, one_source};
use crate::attributes::How;
use crate::error::Error;
use crate::format::header::Class;
use crate::format::record::CLIENT;
use crate::key::{Key, SYSTEM};
use crate::report::Cursor;
use crate::seal::Suite;
use crate::table::{ChangeError, TABLE_MAX, TableError, VolumeKind, VolumeTable};
use crate::trust::MonotonicCounter;

/// The store's own entry that holds the table.
const TABLE: Key<'_> = Key::new(b"volumes").of_client(SYSTEM);

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// The volume table that this store keeps; `None`: it keeps none, and the program's own is in force.
    ///
    /// # Errors
    /// What [`Error`] says of damage: which table is in force can't be told then, and the program's own is no answer.
    pub async fn volume_table(&mut self) -> Result<Option<VolumeTable>, Error<F::Error>> {
        const { assert!(!C::SMALL, "a small store has no volume table") };
        let mut bytes = [0; TABLE_MAX];
        let Some(length) = self.get_system(TABLE, &mut bytes).await? else { return Ok(None) };
        let table = VolumeTable::of_bytes(bytes.get(..length).unwrap_or_default());
        table.filter(|table| self.is_for(table)).map(Some).ok_or(Error::Damaged)
    }

    /// Puts another volume table in force, or keeps the first one: atomic. `from` is what the caller believes to be in force: the
    /// table that the store keeps, or the program's own. `protect`: no older image of the store undoes this.
    ///
    /// A volume that holds something stays as it is: that of the keys always, a slot as long as the store knows what belongs there,
    /// that of the objects while there is such a slot, or an object, unfinished or not. Whether a new volume fits its part, the program sees
    /// when it opens it: do that before.
    ///
    /// # Errors
    /// [`ChangeError::Table`] with [`TableError::Stale`] (also when `from` lacks a volume that holds something) or
    /// [`TableError::InUse`]: nothing was changed. [`ChangeError::Store`] as
    /// [`put_with`](Store::put_with).
    pub async fn change_volume_table(
        &mut self,
        from: &VolumeTable,
        to: &VolumeTable,
        protect: bool,
    ) -> Result<(), ChangeError<F::Error>> {
        self.check_volume_table(from, to).await?;
        if !protect && self.volume_table().await? == Some(*to) {
            return Ok(());
        }
        let mut bytes = [0; TABLE_MAX];
        let length = to.put_to(&mut bytes);
        let how = if protect { How::EXACT.and(How::PROTECT) } else { How::EXACT };
        self.change(TABLE, bytes.get(..length).unwrap_or_default(), how).await.map_err(Error::from)?;
        Ok(())
    }

    /// Whether [`change_volume_table`](Self::change_volume_table) would be refused: to be asked before anything is done for the sake
    /// of the new table. Nothing is changed, but what a cut left in question is settled.
    ///
    /// # Errors
    /// As there.
    pub async fn check_volume_table(
        &mut self,
        from: &VolumeTable,
        to: &VolumeTable,
    ) -> Result<(), ChangeError<F::Error>> {
        const { assert!(!C::READER, "a reader changes nothing") };
        self.writable().await.map_err(Error::from)?;
        self.confirm_last().await.map_err(Error::from)?;
        if self.volume_table().await?.is_some_and(|kept| kept != *from) {
            return Err(TableError::Stale.into());
        }
        from.keeps(to, VolumeKind::Keys, 0)?;
        if !self.is_for(to) {
            return Err(TableError::InUse.into());
        }
        let mut cursor = Cursor::new();
        while self.next_record(&mut cursor).await.map_err(Error::from)? {
            let slot = match self.name() {
                &[_, number] if self.is_slot() => Some(number),
                _ => None,
            };
            let object = self.state.record.class == Class::Key && self.attributes().is_object();
            // Who asks for what belongs into a slot does so by way of objects.
            if object || slot.is_some() || self.is_note() || self.is_hold() {
                from.keeps(to, VolumeKind::Objects, 0)?;
            }
            slot.map_or(Ok(()), |number| from.keeps(to, VolumeKind::Slot, number))?;
        }
        Ok(())
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Whether the volume for keys can be the one that this store lies in.
    fn is_for(&self, table: &VolumeTable) -> bool {
        table.find(VolumeKind::Keys, 0).is_some_and(|keys| keys.length as usize == self.flash.capacity())
    }

    /// Whether the record in the buffer is the table.
    pub(in super::super) fn is_table(&self) -> bool {
        self.state.record.class == Class::Chunk && self.field(CLIENT) == SYSTEM && self.name() == TABLE.name
    }

    /// Whether the record in the buffer keeps an object for a slot.
    fn is_hold(&self) -> bool {
        self.state.record.class == Class::Chunk
            && self.field(CLIENT) == SYSTEM
            && self.name().len() == HELD_NAME
            && self.name().first() == Some(&HOLDS)
    }
}
