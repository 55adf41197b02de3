//! Alter: attributes of entries that are there, and factory copies beside them.
//!
//! An entry's attributes are sealed with it, so changing them writes its record again; the chunks of a long value stay.
//! A factory copy is an entry in a hash space of its own (`Key::of_copy`), written and removed in one run with its entry.

use super::ops::{Cost, checked};
use super::{NorFlash, Store, one_source};
use crate::attributes::{Attributes, AttributesError, Put};
use crate::error::{Error, Stop};
use crate::format::record::{ATTRIBUTES, FIRST, MARK_COMMIT, MORE, RESUME};
use crate::key::Key;
use crate::seal::Suite;
use crate::state::{Record, Run};
use crate::trust::MonotonicCounter;

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Changes the attributes of an entry; its value stays. False: there is no such key.
    ///
    /// # Errors
    /// As [`put_with`](Self::put_with); [`Error::NotPermitted`] for a write-once entry.
    pub async fn set_attributes<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        attributes: Attributes,
    ) -> Result<bool, Error<F::Error>> {
        let key = checked(key.into())?;
        attributes.check().map_err(Error::Attributes)?;
        self.writable().await?;
        if !self.find(key, self.hash_of(key), true).await? {
            return Ok(false);
        }
        let had = self.attributes();
        if had.any(Attributes::WRITE_ONCE) {
            return Err(Error::NotPermitted);
        }
        let after = had.replaced_by(attributes);
        let clear = Attributes::NO_CONFIDENTIALITY;
        let makes_copy = after.any(Attributes::FACTORY) && !had.any(Attributes::FACTORY);
        if makes_copy || had.any(clear) != after.any(clear) {
            return Err(Error::Attributes(AttributesError::WithoutValue));
        }
        let unmakes_copy = had.any(Attributes::FACTORY) && !after.any(Attributes::FACTORY);
        self.alter(key, had, after, unmakes_copy).await?;
        Ok(true)
    }

    /// Notes in an entry whether it is shared. Nothing else about it changes, so a write-once entry can be shared too.
    pub(super) async fn set_shared(&mut self, key: Key<'_>, shared: bool) -> Result<(), Stop<F::Error>> {
        self.writable().await?;
        if !self.find(key, self.hash_of(key), true).await? {
            return Ok(());
        }
        let had = self.attributes();
        let without = had.without(Attributes::SHARED);
        let after = if shared { without.and(Attributes::SHARED) } else { without };
        self.alter(key, had, after, false).await
    }

    /// One run: the copy goes, if it has to, and the entry is written again.
    async fn alter(
        &mut self,
        key: Key<'_>,
        had: Attributes,
        after: Attributes,
        unmakes_copy: bool,
    ) -> Result<(), Stop<F::Error>> {
        let mut bytes = self.record_usual();
        if unmakes_copy {
            let (copy, _) = self.cost_of_old(key.of_copy()).await?;
            bytes += self.run_length(Cost::NONE, copy);
        }
        self.start_run(bytes, self.kept_free(), had.and(after).any(Attributes::PROTECTED)).await?;
        let whole = self.in_transaction();
        if unmakes_copy {
            // Its tombstones go before, in this run.
            self.state.log.open_ended = true;
            self.try_change(key.of_copy(), None).await?;
            self.state.log.open_ended = whole;
        }
        self.walk(self.hash_of(key)).await?;
        let Record { at, shape, hash, .. } = self.state.record;
        let shape = shape.with(ATTRIBUTES, after != Attributes::NONE);
        let shape = shape.with(FIRST, true).with(MORE, self.goes_on()).with(RESUME, false);
        let draft = self.draft(shape, hash);
        draft.copy = at;
        draft.attributes = after;
        self.append(&[], &[]).await?;
        self.finish_run().await
    }

    /// Puts a value and its factory copy, in one run.
    pub(super) async fn put_with_copy(&mut self, key: Key<'_>, value: &[u8], how: Put) -> Result<(), Stop<F::Error>> {
        let (old, had) = self.cost_of_old(key).await?;
        let wanted = had.replaced_by(how.attributes.unwrap_or(had));
        let how = Put { attributes: Some(wanted), ..how };
        let copy = Put { attributes: Some(wanted.and(Attributes::COPY)), ..how };
        if self.in_transaction() {
            self.put_as(key.of_copy(), value, copy).await?;
            return self.put_as(key, value, how).await;
        }
        let new = self.cost_of(key, self.cut(key, value.len(), wanted)?);
        let (old_copy, _) = self.cost_of_old(key.of_copy()).await?;
        let bytes = self.run_length(new, old).saturating_add(self.run_length(new, old_copy));
        let protect = how.protect || had.and(wanted).any(Attributes::PROTECTED);
        self.start_run(bytes, self.kept_free(), protect).await?;
        self.state.log.open_ended = true;
        let copied = self.put_as(key.of_copy(), value, copy).await;
        let both = match copied {
            Ok(()) => self.put_as(key, value, how).await,
            refused => refused,
        };
        self.end_pair(both).await
    }

    /// What an entry costs that is there, and its attributes.
    async fn cost_of_old(&mut self, key: Key<'_>) -> Result<(Cost, Attributes), Stop<F::Error>> {
        let found = self.find(key, self.hash_of(key), true).await?;
        Ok(if found {
            (self.cost_of(key, self.cut_found()), self.attributes())
        } else {
            (Cost::NONE, Attributes::NONE)
        })
    }

    /// Ends the run of an entry and its copy; when one was refused, nothing of both counts.
    async fn end_pair(&mut self, both: Result<(), Stop<F::Error>>) -> Result<(), Stop<F::Error>> {
        self.state.log.open_ended = false;
        if both.is_err() {
            // What was written has no end. The next call finds that out from flash.
            self.state.log.settled &= self.state.log.run != Run::Begun;
            self.state.log.run = Run::No;
            return both;
        }
        if !self.state.log.protected {
            self.append_mark(MARK_COMMIT, &[]).await?;
        }
        self.finish_run().await
    }
}
