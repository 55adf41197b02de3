//! Iterate: keys one by one, in the order of the index.
//!
//! A cursor is a bucket and a position in it. The next record at or behind a position is found by one walk to it and a
//! descent to the least record of the subtree that branches off last. Nothing is remembered of the log, so whatever is
//! written or compacted between two steps, a key that exists all the while is found exactly once.

use super::index::{bit, trie_bits};
use super::load::Loaded;
use super::{NorFlash, Store, one_source};
use crate::error::Error;
use crate::format::Reader;
use crate::format::pointer::Head;
use crate::format::record::Kind;
use crate::key::ClientId;
use crate::report::Cursor;
use crate::seal::Suite;

#[one_source]
impl<F: NorFlash, S: Suite> Store<'_, F, S> {
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
        while !cursor.done {
            let found = match self.at_or_after(cursor).await {
                Ok(found) => found,
                Err(error) => {
                    self.next_bucket(cursor);
                    return Err(error);
                }
            };
            let Some(record) = found else {
                self.next_bucket(cursor);
                continue;
            };
            self.pass(cursor, self.facts(record.shape).hash);
            let wanted = record.shape.kind() == Kind::Entry && self.fields(record.shape).client == client;
            let found = self.name(record.shape);
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

    /// The first record of the bucket at or behind the cursor, dead keys included.
    pub(super) async fn at_or_after(&mut self, cursor: &Cursor) -> Result<Option<Loaded>, Error<F::Error>> {
        let head = usize::try_from(cursor.bucket).ok().and_then(|bucket| self.heads.get(bucket)).copied();
        let head = head.unwrap_or(Head::EMPTY);
        if let Some(record) = self.walk_from(head, trie_bits(cursor.next)).await? {
            return Ok(Some(record));
        }
        let Some((mut level, mut head)) = self.path.branch_after(cursor.next) else { return Ok(None) };
        loop {
            let record = self.hop(head).await.ok_or(Error::Damaged)?;
            let position = trie_bits(self.facts(record.shape).hash);
            let mut reader = Reader(self.pointers(record.shape));
            let lesser = core::iter::from_fn(|| Head::read::<S>(&mut reader))
                .find(|(at, _)| *at > level && bit(position, *at) == 1);
            match lesser {
                Some((at, next)) => (level, head) = (at, next),
                // A forged pointer could lead back, and the iteration would never end.
                None if position < cursor.next => return Err(Error::Damaged),
                None => return Ok(Some(record)),
            }
        }
    }
}

impl<F, S> Store<'_, F, S> {
    /// Moves the cursor behind a record.
    pub(super) fn pass(&self, cursor: &mut Cursor, hash: u64) {
        match trie_bits(hash).checked_add(1) {
            Some(next) => cursor.next = next,
            None => self.next_bucket(cursor),
        }
    }

    pub(super) fn next_bucket(&self, cursor: &mut Cursor) {
        cursor.bucket += 1;
        cursor.next = 0;
        cursor.done = usize::try_from(cursor.bucket).is_ok_and(|bucket| bucket >= self.heads.len());
    }
}
