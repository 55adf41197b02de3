//! Clients: several parties on one store, none of which sees, fills up or changes what is another's.
//!
//! ```text
//! the system's boundary ── which client is it? ──> Clients ──> Client (its number, its rights) ──> Store
//! ```
//!
//! A client's number comes from the boundary (a session, a partition, a process), never from the client's own word: it's
//! whoever holds [`Clients`] that makes a [`Client`] of it. A name is hashed together with its client's number under the
//! store's key, so what one client asks for says nothing of what another has: the reads that a look-up takes don't
//! depend on it, and the answers are the same.
//!
//! Sharing is explicit, entry by entry. What an owner lets others do stands in a *grant*, an entry of the store's own,
//! named by the hash of the shared one. Whoever asks for another's entry is answered from the grant first; without one
//! there is no such key, whether or not the owner has it.
//!
//! Quotas are counted once after a mount, by one pass over all entries, and then kept up to date. A write pays for the
//! compaction that it owes itself, so one client's writes don't make another's slower.

use super::ops::{Cost, Cut};
use super::{NorFlash, Store, one_source};
use crate::attributes::{Attributes, How, Put};
use crate::error::{Error, Stop};
use crate::format::header::Class;
use crate::format::record::CLIENT;
use crate::key::{ClientId, Key, SYSTEM};
use crate::report::Cursor;
use crate::rights::{GRANT, Quota, Rights, grant, granted};
use crate::seal::Suite;
use crate::trust::{MonotonicCounter, NoCounter};

/// First byte of the names of grants.
const GRANTS: u8 = b'g';
/// Bytes of such a name: the byte above, the owner's number, the hash of the entry.
const GRANT_NAME: usize = 13;

/// Bytes of pointers that a record counts for its client, however many it has.
const WEIGHT_OF_POINTERS: u32 = 16;

/// A store with several clients.
pub struct Clients<'m, F, S, C = NoCounter> {
    store: Store<'m, F, S, C>,
    quotas: &'m mut [Quota],
    /// The quotas' figures are true.
    counted: bool,
}

/// One client's view of the store.
pub struct Client<'c, 'm, F, S, C = NoCounter> {
    all: &'c mut Clients<'m, F, S, C>,
    id: ClientId,
    may_reset: bool,
}

impl<'m, F, S, C> Clients<'m, F, S, C> {
    /// Lets several clients share a store. Who has no quota may fill what there is.
    pub const fn new(store: Store<'m, F, S, C>, quotas: &'m mut [Quota]) -> Self {
        Self { store, quotas, counted: false }
    }

    /// The view of one client. **Only the boundary of the system may say which.**
    pub const fn client(&mut self, id: ClientId) -> Client<'_, 'm, F, S, C> {
        Client { all: self, id, may_reset: false }
    }

    /// The same for the one that may reset the store to its factory state.
    pub const fn client_with_reset(&mut self, id: ClientId) -> Client<'_, 'm, F, S, C> {
        Client { all: self, id, may_reset: true }
    }

    /// The whole store, for the system itself. Quotas are counted again after it.
    pub const fn store(&mut self) -> &mut Store<'m, F, S, C> {
        self.counted = false;
        &mut self.store
    }

    /// What each client with a quota takes, as far as it was counted.
    pub const fn quotas(&self) -> &[Quota] {
        self.quotas
    }

    /// Gives the store back.
    pub fn into_store(self) -> Store<'m, F, S, C> {
        self.store
    }
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Client<'_, '_, F, S, C> {
    /// Stores a value; see [`Store::put`].
    ///
    /// # Errors
    /// As [`Store::put`]; [`Error::Full`] when it would go over the client's quota.
    pub async fn put(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error<F::Error>> {
        self.put_with(name, value, Put::USUAL).await
    }

    /// Stores a value with attributes, or bound to the counter; see [`Store::put_with`].
    ///
    /// # Errors
    /// As [`Store::put_with`]; [`Error::Full`] when it would go over the client's quota.
    pub async fn put_with(&mut self, name: &[u8], value: &[u8], how: Put) -> Result<(), Error<F::Error>> {
        let how = How::asked(how)?;
        Ok(self.all.put_for(self.id, name, value, how).await?)
    }

    /// Reads a value; see [`Store::get`].
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn get(&mut self, name: &[u8], buffer: &mut [u8]) -> Result<Option<usize>, Error<F::Error>> {
        self.all.store.get(Key::new(name).of_client(self.id), buffer).await
    }

    /// Reads part of a value; see [`Store::get_range`].
    ///
    /// # Errors
    /// As [`Store::get_range`].
    pub async fn get_range(
        &mut self,
        name: &[u8],
        offset: u32,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, Error<F::Error>> {
        self.all.store.get_range(Key::new(name).of_client(self.id), offset, buffer).await
    }

    /// Length of a value; see [`Store::length`].
    ///
    /// # Errors
    /// As [`Store::length`].
    pub async fn length(&mut self, name: &[u8]) -> Result<Option<u32>, Error<F::Error>> {
        self.all.store.length(Key::new(name).of_client(self.id)).await
    }

    /// Deletes a key, and what was shared of it; see [`Store::delete`].
    ///
    /// # Errors
    /// As [`Store::delete`].
    pub async fn delete(&mut self, name: &[u8]) -> Result<bool, Error<F::Error>> {
        Ok(self.all.delete_for(Key::new(name).of_client(self.id)).await?)
    }

    /// The attributes of an entry; see [`Store::attributes_of`].
    ///
    /// # Errors
    /// As [`Store::attributes_of`].
    pub async fn attributes_of(&mut self, name: &[u8]) -> Result<Option<Attributes>, Error<F::Error>> {
        self.all.store.attributes_of(Key::new(name).of_client(self.id)).await
    }

    /// Changes the attributes of an entry; see [`Store::set_attributes`].
    ///
    /// # Errors
    /// As [`Store::set_attributes`].
    pub async fn set_attributes(&mut self, name: &[u8], attributes: Attributes) -> Result<bool, Error<F::Error>> {
        self.all.counted = false;
        attributes.check()?;
        Ok(self.all.store.set_attributes_of(Key::new(name).of_client(self.id), attributes).await?)
    }

    /// The next of the client's names that begin with `prefix`; see [`Store::next_key`].
    ///
    /// # Errors
    /// As [`Store::next_key`].
    pub async fn next_key(
        &mut self,
        cursor: &mut Cursor,
        prefix: &[u8],
        name: &mut [u8; 255],
    ) -> Result<Option<usize>, Error<F::Error>> {
        self.all.store.next_key(cursor, self.id, prefix, name).await
    }

    /// Lets another client, or [`EVERYONE`](crate::EVERYONE), use an entry; [`Rights::NONE`] takes it back. False: there
    /// is no such key.
    ///
    /// # Errors
    /// As [`Store::put_with`]; [`Error::TooLarge`] when [`SHARES_MAX`](crate::SHARES_MAX) others share it.
    pub async fn share(&mut self, name: &[u8], with: ClientId, rights: Rights) -> Result<bool, Error<F::Error>> {
        Ok(self.all.share(Key::new(name).of_client(self.id), with, rights).await?)
    }

    /// Reads what another client shares; `None`: there is no such key, or it's none of this client's business.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn get_shared(
        &mut self,
        owner: ClientId,
        name: &[u8],
        buffer: &mut [u8],
    ) -> Result<Option<usize>, Error<F::Error>> {
        let key = Key::new(name).of_client(owner);
        if self.may(key, Rights::READ).await? { self.all.store.get(key, buffer).await } else { Ok(None) }
    }

    /// Replaces the value of what another client shares, on its owner's quota; false: there is no such key, or this
    /// client may not write it. An object is replaced like any other value.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn put_shared(&mut self, owner: ClientId, name: &[u8], value: &[u8]) -> Result<bool, Error<F::Error>> {
        if !self.may(Key::new(name).of_client(owner), Rights::WRITE).await? {
            return Ok(false);
        }
        self.all.put_for(owner, name, value, How::USUAL).await?;
        Ok(true)
    }

    /// Whether this client may boot from or execute what another one shares, or what is its own.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn may_execute(&mut self, owner: ClientId, name: &[u8]) -> Result<bool, Error<F::Error>> {
        let key = Key::new(name).of_client(owner);
        let may = owner == self.id || self.may(key, Rights::EXECUTE).await?;
        Ok(may && self.all.has(key, Attributes::EXECUTABLE).await?)
    }

    /// Resets the store to its factory state; see [`Store::factory_reset`].
    ///
    /// # Errors
    /// [`Error::NotPermitted`] when this client does not hold the right, or as [`Store::factory_reset`].
    pub async fn factory_reset(&mut self) -> Result<(), Error<F::Error>> {
        if !self.may_reset {
            return Err(Error::NotPermitted);
        }
        self.all.counted = false;
        Ok(self.all.store.reset().await?)
    }

    /// Whether there is such an entry, of another client, and this one has all these rights to it.
    async fn may(&mut self, key: Key<'_>, rights: Rights) -> Result<bool, Stop<F::Error>> {
        if !self.all.find_grant(key).await? || !granted(self.all.store.inline(), self.id).all(rights) {
            return Ok(false);
        }
        // An entry that was deleted and made again is not shared, though its old grant may still be there.
        self.all.has(key, Attributes::SHARED).await
    }
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Clients<'_, F, S, C> {
    async fn put_for(&mut self, id: ClientId, name: &[u8], value: &[u8], how: How) -> Result<(), Stop<F::Error>> {
        let key = Key::new(name).of_client(id);
        self.count().await?;
        let unlimited = self.quota(id).is_none();
        if !unlimited {
            self.admit(key, value, how).await?;
        }
        // Until it ends well nobody knows what the client takes.
        self.counted = unlimited;
        self.store.put_as(key, value, how).await?;
        self.counted = true;
        Ok(())
    }

    /// Whether a value may be stored for a client with a quota; counts it as if it were.
    async fn admit(&mut self, key: Key<'_>, value: &[u8], how: How) -> Result<(), Stop<F::Error>> {
        let (mut old, mut had, mut copied) = (0, Attributes::NONE, 0);
        if self.store.look_up(key).await? {
            had = self.store.attributes();
            old = weigh(self.store.cost_found());
        }
        if had.any(Attributes::FACTORY) && self.store.seek(key.of_copy()).await? {
            copied = weigh(self.store.cost_found());
            old = old.saturating_add(copied);
        }
        let cut = Cut { attributes: how.attributes(had), ..self.store.cut(key, value.len())? };
        let mut new = weigh(self.store.cost_of(self.store.entry_shape(key, cut), cut));
        // A copy is made of the value when that is asked for, and else stays as long as the entry has one.
        let copy = if how.given().any(Attributes::FACTORY) { new } else { copied };
        if cut.attributes.any(Attributes::FACTORY) {
            new = new.saturating_add(copy);
        }
        let Some(Quota { limit, used, .. }) = self.quota(key.client) else { return Ok(()) };
        let grown = used.saturating_sub(old).saturating_add(new);
        if new > old && grown > *limit {
            return Err(Stop::Full);
        }
        *used = grown;
        Ok(())
    }

    /// The quota of a client.
    fn quota(&mut self, id: ClientId) -> Option<&mut Quota> {
        self.quotas.iter_mut().find(|quota| quota.client == id)
    }

    async fn delete_for(&mut self, key: Key<'_>) -> Result<bool, Stop<F::Error>> {
        let shared = self.has(key, Attributes::SHARED).await?;
        self.counted = false;
        let deleted = self.store.commit(key, &[], How::DELETE).await?;
        if shared {
            // Cut before this, the grant stands for nothing: a new entry of that name is not shared.
            self.put_grant(key, &[]).await?;
        }
        Ok(deleted)
    }

    async fn share(&mut self, key: Key<'_>, with: ClientId, rights: Rights) -> Result<bool, Stop<F::Error>> {
        const { assert!(!C::SMALL, "in a small store nothing is shared") };
        if !self.store.look_up(key).await? {
            return Ok(false);
        }
        let attributes = self.store.attributes();
        let granted = attributes.any(Attributes::SHARED) && self.find_grant(key).await?;
        let old = if granted { self.store.inline() } else { &[] };
        let mut shares = [0; GRANT];
        let length = grant(old, with, rights, &mut shares).ok_or(Stop::TooLarge)?;
        self.counted = false;
        // In this order a cut leaves less shared than was asked for, never more.
        if length == 0 {
            self.note_shared(key, attributes.without(Attributes::SHARED)).await?;
        }
        self.put_grant(key, shares.get(..length).unwrap_or_default()).await?;
        if length > 0 {
            self.note_shared(key, attributes.and(Attributes::SHARED)).await?;
        }
        Ok(true)
    }

    /// Counts what each client with a quota takes.
    async fn count(&mut self) -> Result<(), Stop<F::Error>> {
        if self.counted || self.quotas.is_empty() {
            return Ok(());
        }
        self.quotas.iter_mut().for_each(|quota| quota.used = 0);
        let mut cursor = Cursor::new();
        self.store.ready().await?;
        while self.store.next_record(&mut cursor).await? {
            let copy = self.store.attributes().any(Attributes::COPY);
            if copy || self.store.state.record.class == Class::Key {
                let weight = weigh(self.store.cost_found());
                if let Some(quota) = self.quota(self.store.field(CLIENT)) {
                    quota.used = quota.used.saturating_add(weight);
                }
            }
        }
        self.counted = true;
        Ok(())
    }

    /// Whether there is such an entry and it has any of these attributes.
    async fn has(&mut self, key: Key<'_>, any: Attributes) -> Result<bool, Stop<F::Error>> {
        Ok(self.store.look_up(key).await? && self.store.attributes().any(any))
    }

    /// Finds the grant of an entry, whether or not there is an entry; its record is in the buffer.
    async fn find_grant(&mut self, key: Key<'_>) -> Result<bool, Stop<F::Error>> {
        let name = self.store.grant_of(key);
        self.store.seek(Key::new(&name).of_client(SYSTEM)).await
    }

    /// Writes the grant of an entry, or removes it when it says nothing.
    async fn put_grant(&mut self, key: Key<'_>, shares: &[u8]) -> Result<(), Stop<F::Error>> {
        let name = self.store.grant_of(key);
        let how = if shares.is_empty() { How::DELETE } else { How::USUAL };
        self.store.commit(Key::new(&name).of_client(SYSTEM), shares, how).await.map(drop)
    }

    /// Notes in an entry whether it is shared: with all its attributes. Nothing else about it changes, so a write-once entry
    /// can be shared too.
    async fn note_shared(&mut self, key: Key<'_>, attributes: Attributes) -> Result<(), Stop<F::Error>> {
        self.store.commit(key, &[], How::keep(attributes)).await.map(drop)
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Name of the grant of an entry.
    pub(super) fn grant_of(&self, key: Key<'_>) -> [u8; GRANT_NAME] {
        let mut name = [GRANTS; GRANT_NAME];
        let [_, a, b, c, d, hash @ ..] = &mut name;
        [*a, *b, *c, *d] = key.client.to_le_bytes();
        *hash = self.hash_of(key).to_le_bytes();
        name
    }
}

/// What a value, or a factory copy of one, counts for its client, in bytes.
#[inline(never)]
fn weigh(cost: Cost) -> u32 {
    cost.bytes.saturating_add(cost.records * WEIGHT_OF_POINTERS)
}

impl<F, S, C> core::fmt::Debug for Clients<'_, F, S, C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Clients").field("quotas", &self.quotas.len()).finish_non_exhaustive()
    }
}

impl<F, S, C> core::fmt::Debug for Client<'_, '_, F, S, C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}
