//! Iterate: keys one by one, in the order of the index.
//!
//! A cursor is a bucket and a position in it. The next record at or behind a position is found by one walk to it and a
//! descent to the least record of the subtree that branches off last. Nothing is remembered of the log, so whatever is
//! written or compacted between two steps, a key that exists all the while is found exactly once.

use super::index::{bit, trie_bits};
use super::{NorFlash, Store, one_source};
use crate::error::{Error, Stop};
use crate::format::header::Class;
use crate::format::pointer::Pointer;
use crate::format::record::CLIENT;
use crate::key::ClientId;
use crate::report::Cursor;
use crate::seal::Suite;
use crate::trust::MonotonicCounter;

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// The next key of `client` whose name begins with `prefix`: its name is copied to `name`, and its length
    /// returned; `None` at the end.
    ///
    /// ```
    /// # fn list<F: embedded_storage::nor_flash::NorFlash>(store: &mut lockstone::Store<'_, F, lockstone::Ascon>)
    /// # -> Result<(), lockstone::Error<F::Error>> {
    /// let (mut cursor, mut name) = (lockstone::Cursor::new(), [0; 255]);
    /// while let Some(length) = store.next_key(&mut cursor, 0, b"wifi/", &mut name)? {
    ///     let _name = &name[..length];
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// What [`Error`] says of damage: the cursor then stands behind the damaged bucket, and the iteration can go on.
    pub async fn next_key(
        &mut self,
        cursor: &mut Cursor,
        client: ClientId,
        prefix: &[u8],
        name: &mut [u8; 255],
    ) -> Result<Option<usize>, Error<F::Error>> {
        self.ready().await?;
        self.confirm_last().await?;
        while self.next_record(cursor).await? {
            let wanted = self.state.record.class == Class::Key && self.field(CLIENT) == client;
            let found = self.name();
            if wanted
                && found.starts_with(prefix)
                && let Some(place) = name.get_mut(..found.len())
            {
                place.copy_from_slice(found);
                return Ok(Some(found.len()));
            }
        }
        Ok(None)
    }

    /// Loads the next record of the index, dead keys included, and moves the cursor behind it; false at the end. After an
    /// error the cursor stands behind the bucket.
    pub(super) async fn next_record(&mut self, cursor: &mut Cursor) -> Result<bool, Stop<F::Error>> {
        while !cursor.done {
            let found = self.at_or_after(cursor).await;
            if let Ok(true) = found {
                self.pass(cursor);
                return found;
            }
            self.next_bucket(cursor);
            found?;
        }
        Ok(false)
    }

    /// Loads the first record of the bucket at or behind the cursor, dead keys included; false: there is none.
    async fn at_or_after(&mut self, cursor: &Cursor) -> Result<bool, Stop<F::Error>> {
        self.walk_in(cursor.bucket as usize, trie_bits(cursor.next), true).await?;
        // That leads to no key, though a key of another bucket may have this hash.
        self.state.path.is_true = false;
        if self.state.path.found {
            return Ok(true);
        }
        let mut branch = self.branch_after(cursor.next);
        let found = branch.is_some();
        while let Some(pointer) = branch {
            self.hop(pointer).await?;
            branch = self.lesser_branch(pointer.level());
        }
        if found && trie_bits(self.state.record.hash) < cursor.next {
            // A forged pointer could lead back, and the iteration would never end.
            return Err(Stop::Damaged);
        }
        Ok(found)
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// The pointer of the path to what comes next after `position` (in trie order): the deepest one at which `position`
    /// has a zero.
    fn branch_after(&self, position: u64) -> Option<Pointer> {
        self.state.path.pointers().iter().rfind(|pointer| !bit(position, pointer.level())).copied()
    }

    /// The first branch deeper than `level` whose hashes are less than that of the record in the buffer.
    fn lesser_branch(&self, level: u32) -> Option<Pointer> {
        let position = trie_bits(self.state.record.hash);
        let mut pointers = (0..self.state.record.shape.pointers::<C>()).map(|index| self.pointer(index));
        pointers.find(|pointer| pointer.level() > level && bit(position, pointer.level()))
    }

    /// Moves the cursor behind the record in the buffer.
    fn pass(&self, cursor: &mut Cursor) {
        match trie_bits(self.state.record.hash).checked_add(1) {
            Some(next) => cursor.next = next,
            None => self.next_bucket(cursor),
        }
    }

    #[inline(never)]
    fn next_bucket(&self, cursor: &mut Cursor) {
        cursor.bucket += 1;
        cursor.next = 0;
        cursor.done = cursor.bucket as usize >= self.heads.len();
    }
}
