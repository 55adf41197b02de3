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

use super::{NorFlash, Store, one_source, space_of};
use crate::attributes::{Attributes, Put};
use crate::error::{Error, Stop};
use crate::format::header::Class;
use crate::format::record::{CLIENT, Kind, Shape};
use crate::format::{put, put_word};
use crate::key::{ClientId, Key, SYSTEM};
use crate::report::Cursor;
use crate::rights::{GRANT, Grant, Quota, Rights};
use crate::seal::Suite;
use crate::trust::{MonotonicCounter, NoCounter};

/// First byte of the names of grants.
const GRANTS: u8 = b'g';
/// Bytes of such a name: the byte above, the owner's number, the hash of the entry.
const GRANT_NAME: usize = 13;

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
        self.all.put_for(self.id, name, value, how).await
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
        let key = Key::new(name).of_client(self.id);
        let shared = self.all.attributes(key).await?.any(Attributes::SHARED);
        self.all.counted = false;
        let deleted = self.all.store.delete(key).await?;
        if shared {
            // Cut before this, the grant stands for nothing: a new entry of that name is not shared.
            self.all.put_grant(key, Grant::default()).await?;
        }
        Ok(deleted)
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
        self.all.store.set_attributes(Key::new(name).of_client(self.id), attributes).await
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
        let key = Key::new(name).of_client(self.id);
        let Some(attributes) = self.all.store.attributes_of(key).await? else { return Ok(false) };
        let mut grant = if attributes.any(Attributes::SHARED) { self.all.grant(key).await? } else { Grant::default() };
        if !grant.set(with, rights) {
            return Err(Error::TooLarge);
        }
        self.all.counted = false;
        // In this order a cut leaves less shared than was asked for, never more.
        if grant.is_empty() {
            self.all.store.set_shared(key, false).await?;
            self.all.put_grant(key, grant).await?;
        } else {
            self.all.put_grant(key, grant).await?;
            self.all.store.set_shared(key, true).await?;
        }
        Ok(true)
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
        match self.shared(owner, name, Rights::READ).await? {
            Some(key) => self.all.store.get(key, buffer).await,
            None => Ok(None),
        }
    }

    /// Replaces the value of what another client shares, on its owner's quota; false: there is no such key, or this
    /// client may not write it.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn put_shared(&mut self, owner: ClientId, name: &[u8], value: &[u8]) -> Result<bool, Error<F::Error>> {
        if self.shared(owner, name, Rights::WRITE).await?.is_none() {
            return Ok(false);
        }
        self.all.put_for(owner, name, value, Put::USUAL).await?;
        Ok(true)
    }

    /// Whether this client may boot from or execute what another one shares, or what is its own.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn may_execute(&mut self, owner: ClientId, name: &[u8]) -> Result<bool, Error<F::Error>> {
        let key = if owner == self.id {
            Some(Key::new(name).of_client(owner))
        } else {
            self.shared(owner, name, Rights::EXECUTE).await?
        };
        match key {
            Some(key) => Ok(self.all.attributes(key).await?.any(Attributes::EXECUTABLE)),
            None => Ok(false),
        }
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
        self.all.store.factory_reset().await
    }

    /// The key of another client's entry, if this one has all these rights to it.
    async fn shared<'k>(
        &mut self,
        owner: ClientId,
        name: &'k [u8],
        rights: Rights,
    ) -> Result<Option<Key<'k>>, Error<F::Error>> {
        let key = Key::new(name).of_client(owner);
        let grant = self.all.grant(key).await?;
        if !grant.of(self.id).all(rights) {
            return Ok(None);
        }
        // An entry that was deleted and made again is not shared, though its old grant may still be there.
        let shared = self.all.attributes(key).await?.any(Attributes::SHARED);
        Ok(shared.then_some(key))
    }
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Clients<'_, F, S, C> {
    async fn put_for(&mut self, id: ClientId, name: &[u8], value: &[u8], how: Put) -> Result<(), Error<F::Error>> {
        let key = Key::new(name).of_client(id);
        self.count().await?;
        let Some(at) = self.quotas.iter().position(|quota| quota.client == id) else {
            return self.store.put_with(key, value, how).await;
        };
        let (mut old, mut attributes) = (0, Attributes::NONE);
        if self.store.look_up(key).await? {
            let cut = self.store.cut_found();
            (old, attributes) = (self.store.weigh(key, cut), cut.attributes);
        }
        let cut = self.store.cut(key, value.len(), how.attributes.unwrap_or(attributes))?;
        let new = self.store.weigh(key, cut);
        let Some(Quota { limit, used, .. }) = self.quotas.get(at).copied() else { return Err(Error::Full) };
        let used = used.saturating_sub(old).saturating_add(new);
        if new > old && used > limit {
            return Err(Error::Full);
        }
        // Until it ends well nobody knows.
        self.counted = false;
        self.store.put_with(key, value, how).await?;
        if let Some(quota) = self.quotas.get_mut(at) {
            quota.used = used;
        }
        self.counted = true;
        Ok(())
    }

    /// Counts what each client with a quota takes.
    async fn count(&mut self) -> Result<(), Stop<F::Error>> {
        if self.counted || self.quotas.is_empty() {
            return Ok(());
        }
        self.quotas.iter_mut().for_each(|quota| quota.used = 0);
        let mut cursor = Cursor::new();
        while let Some((client, weight)) = self.store.next_weight(&mut cursor).await? {
            for quota in self.quotas.iter_mut().filter(|quota| quota.client == client) {
                quota.used = quota.used.saturating_add(weight);
            }
        }
        self.counted = true;
        Ok(())
    }

    async fn attributes(&mut self, key: Key<'_>) -> Result<Attributes, Error<F::Error>> {
        Ok(self.store.attributes_of(key).await?.unwrap_or(Attributes::NONE))
    }

    /// The grant of an entry, whether or not there is one.
    async fn grant(&mut self, key: Key<'_>) -> Result<Grant, Stop<F::Error>> {
        let hash = self.store.grant_hash(key);
        self.store.ready().await?;
        self.store.confirm(hash).await?;
        self.store.walk(hash).await?;
        let found = self.store.state.path.found && self.store.state.record.class == Class::Chunk;
        Ok(if found { Grant::read(self.store.inline()) } else { Grant::default() })
    }

    /// Writes the grant of an entry, or removes it when it says nothing.
    async fn put_grant(&mut self, key: Key<'_>, grant: Grant) -> Result<(), Stop<F::Error>> {
        let store = &mut self.store;
        let hash = store.grant_hash(key);
        store.writable().await?;
        store.walk(hash).await?;
        if grant.is_empty() && !store.state.path.found {
            return Ok(());
        }
        let mut bytes = [0; GRANT];
        let length = grant.write(&mut bytes);
        let cost = store.cost(Shape::single(Kind::Entry, GRANT_NAME, length).with(CLIENT, true));
        if !grant.is_empty() && store.needed().saturating_add(cost + store.pointer_allowance()) > store.capacity() {
            return Err(Stop::Full);
        }
        let kept = store.kept_free() - u32::from(grant.is_empty());
        store.start_run(cost + store.pointer_allowance(), kept, false).await?;
        if grant.is_empty() {
            store.append_tombstone(hash).await?;
        } else {
            let name = grant_name(key.client, store.hash_of(key));
            store.append_own(hash, &name, bytes.get(..length).unwrap_or_default()).await?;
        }
        store.finish_run().await
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    fn grant_hash(&self, key: Key<'_>) -> u64 {
        self.suite.hash(space_of(SYSTEM), &grant_name(key.client, self.hash_of(key)))
    }
}

fn grant_name(owner: ClientId, hash: u64) -> [u8; GRANT_NAME] {
    let mut name = [GRANTS; GRANT_NAME];
    put_word(&mut name, 1, owner);
    put(&mut name, 5, &hash.to_le_bytes());
    name
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
