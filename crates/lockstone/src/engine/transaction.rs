//! Transactions: any number of keys change together or not at all.
//!
//! The records of a transaction are one run; they enter the heads as they are written, and the commit mark that ends
//! the run makes them count after a power cut too. A transaction that is dropped leaves its records in the log, without
//! an end; the next call finds that out from flash, as a mount would.

use super::{NorFlash, Store, one_source};
#[cfg(feature = "objects")]
use crate::attributes::How;
use crate::attributes::{Attributes, Put};
use crate::error::Error;
use crate::format::record::MARK_COMMIT;
use crate::key::Key;
use crate::layout::Position;
use crate::seal::Suite;
use crate::state::Run;
use crate::trust::{MonotonicCounter, NoCounter};

/// Several changes that become visible together. Dropping it takes all of them back.
#[must_use = "a transaction that is not committed is taken back"]
pub struct Transaction<'s, 'm, F, S, C = NoCounter> {
    store: &'s mut Store<'m, F, S, C>,
    broken: bool,
}

#[one_source]
impl<'m, F: NorFlash, S: Suite, C: MonotonicCounter> Store<'m, F, S, C> {
    /// Begins a transaction and makes room for `bytes` of records (names and values, and about 40 bytes each): while
    /// it is open nothing can be compacted.
    ///
    /// # Errors
    /// [`Error::Full`] when there is less room than that.
    pub async fn transaction(&mut self, bytes: u32) -> Result<Transaction<'_, 'm, F, S, C>, Error<F::Error>> {
        self.begin_transaction(bytes, false).await
    }

    /// The same, bound to the counter: once it is committed no older image undoes it. Entries that are protected can be
    /// changed in such a transaction only.
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction); [`Error::NoCounter`], [`Error::CounterExhausted`].
    pub async fn protected_transaction(&mut self, bytes: u32) -> Result<Transaction<'_, 'm, F, S, C>, Error<F::Error>> {
        self.begin_transaction(bytes, true).await
    }

    pub(super) async fn begin_transaction(
        &mut self,
        bytes: u32,
        protect: bool,
    ) -> Result<Transaction<'_, 'm, F, S, C>, Error<F::Error>> {
        const { assert!(!C::SMALL, "a small store has no transactions") };
        self.writable().await?;
        self.start_run(bytes, self.kept_free(), protect).await?;
        self.state.log.open_ended = true;
        Ok(Transaction { store: self, broken: false })
    }
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Transaction<'_, '_, F, S, C> {
    /// Stores a value; see [`Store::put`].
    ///
    /// # Errors
    /// [`Error`]. After [`Error::Full`], [`Error::TooLarge`], [`Error::InvalidName`] or [`Error::Collision`] the
    /// transaction can go on without this change; after others it can't be committed.
    pub async fn put<'k>(&mut self, key: impl Into<Key<'k>>, value: &[u8]) -> Result<(), Error<F::Error>> {
        let before = self.enter()?;
        let result = self.store.put(key, value).await;
        self.note(result, before)
    }

    /// Stores a value with attributes; see [`Store::put_with`].
    ///
    /// # Errors
    /// As [`put`](Self::put); [`Error::NoCounter`] when it needs a [protected
    /// transaction](Store::protected_transaction) and this is none.
    pub async fn put_with<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        value: &[u8],
        how: Put,
    ) -> Result<(), Error<F::Error>> {
        let before = self.enter()?;
        let result = self.store.put_with(key, value, how).await;
        self.note(result, before)
    }

    /// Changes the attributes of an entry; see [`Store::set_attributes`]. With it what may not be changed can be unlocked,
    /// changed and locked again in one step.
    ///
    /// # Errors
    /// As [`put_with`](Self::put_with).
    pub async fn set_attributes<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        attributes: Attributes,
    ) -> Result<bool, Error<F::Error>> {
        let before = self.enter()?;
        let result = self.store.set_attributes(key, attributes).await;
        self.note(result, before)
    }

    /// Stores a value as the store itself asks for it.
    #[cfg(feature = "objects")]
    pub(super) async fn put_as(&mut self, key: Key<'_>, value: &[u8], how: How) -> Result<(), Error<F::Error>> {
        let before = self.enter()?;
        let result = self.store.put_as(key, value, how).await.map_err(Error::from);
        self.note(result, before)
    }

    /// Changes an entry of the store's own.
    #[cfg(feature = "objects")]
    pub(super) async fn change_own(&mut self, key: Key<'_>, value: &[u8], how: How) -> Result<bool, Error<F::Error>> {
        let before = self.enter()?;
        let result = self.store.commit(key, value, how).await.map_err(Error::from);
        self.note(result, before)
    }

    /// Deletes a key; see [`Store::delete`].
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn delete<'k>(&mut self, key: impl Into<Key<'k>>) -> Result<bool, Error<F::Error>> {
        let before = self.enter()?;
        let result = self.store.delete(key).await;
        self.note(result, before)
    }

    /// Reads a value as it will be after the commit; see [`Store::get`].
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn get<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, Error<F::Error>> {
        if self.broken {
            return Err(Error::Aborted);
        }
        self.store.state.log.entered = true;
        let found = self.store.get(key, buffer).await;
        self.store.state.log.entered = false;
        found
    }

    /// Makes all changes durable, at once. An empty transaction writes nothing.
    ///
    /// # Errors
    /// [`Error::Aborted`] when an earlier call broke it; nothing of it is stored then. After [`Error::Flash`] all of
    /// it is stored or nothing.
    pub async fn commit(mut self) -> Result<(), Error<F::Error>> {
        if self.broken {
            return Err(Error::Aborted);
        }
        if self.store.state.log.run == Run::Begun {
            self.broken = true;
            if self.store.state.log.protected {
                self.store.append_counted().await?;
            } else {
                self.store.append_mark(MARK_COMMIT, &[]).await?;
            }
            self.broken = false;
            self.store.state.log.settled = true;
        }
        self.store.state.log.run = Run::No;
        Ok(())
    }

    /// Before a change: until it ends well the transaction is broken, also when the call is dropped half-way.
    fn enter(&mut self) -> Result<Before, Error<F::Error>> {
        if self.broken {
            return Err(Error::Aborted);
        }
        let before = Before { end: self.store.state.log.end };
        self.store.state.log.entered = true;
        self.broken = true;
        Ok(before)
    }

    /// After a change: an error after which records were written leaves the run in disorder.
    fn note<T>(&mut self, result: Result<T, Error<F::Error>>, before: Before) -> Result<T, Error<F::Error>> {
        let refused = matches!(
            result,
            Err(Error::Full
                | Error::TooLarge
                | Error::InvalidName
                | Error::Collision
                | Error::NotPermitted
                | Error::Attributes(_)
                | Error::NoCounter)
        );
        let harmless = result.is_ok() || (refused && before.end == self.store.state.log.end);
        self.broken = !harmless;
        self.store.state.log.entered = false;
        result
    }
}

/// What a change may leave as it was.
#[derive(Clone, Copy)]
struct Before {
    end: Position,
}

impl<F, S, C> Drop for Transaction<'_, '_, F, S, C> {
    /// What was written does not count; the RAM state is rebuilt from flash at the next call.
    fn drop(&mut self) {
        let run = core::mem::replace(&mut self.store.state.log.run, Run::No);
        if run == Run::Begun || (run == Run::Ready && self.broken) {
            self.store.state.log.settled = false;
        }
    }
}

impl<F, S, C> core::fmt::Debug for Transaction<'_, '_, F, S, C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Transaction").field("broken", &self.broken).finish_non_exhaustive()
    }
}
