//! Alter: attributes of entries that are there, and factory copies beside them.
//!
//! An entry's attributes are sealed with it, so changing them writes its record again; the chunks of a long value stay.
//! A factory copy is an entry in a hash space of its own (`Key::of_copy`), written and removed in one run with its entry.

use super::ops::check;
use super::{NorFlash, Store, one_source};
use crate::attributes::{Attributes, How};
use crate::error::{Error, Stop};
use crate::key::Key;
use crate::seal::Suite;
use crate::state::Run;
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
        attributes.check()?;
        Ok(self.set_attributes_of(key.into(), attributes).await?)
    }

    /// The same with attributes that make sense.
    pub(super) async fn set_attributes_of(
        &mut self,
        key: Key<'_>,
        attributes: Attributes,
    ) -> Result<bool, Stop<F::Error>> {
        const { assert!(!C::SMALL, "a small store has no attributes") };
        check(&key)?;
        self.writable().await?;
        if !self.find(key, self.hash_of(key), true).await? {
            return Ok(false);
        }
        let had = self.attributes();
        if had.any(Attributes::WRITE_ONCE) {
            return Err(Stop::NotPermitted);
        }
        let object = if had.is_object() { Attributes::OBJECT } else { Attributes::NONE };
        let after = had.replaced_by(attributes.without(Attributes::OBJECT)).and(object);
        let (gone, new) = (had.without(after), after.without(had));
        if new.any(Attributes::FACTORY) || gone.and(new).any(Attributes::NO_CONFIDENTIALITY) {
            return Err(Stop::WithoutValue);
        }
        if gone.any(Attributes::FACTORY) {
            self.change_pair(key, &[], How::keep(after)).await?;
        } else {
            self.change(key, &[], How::keep(after)).await?;
        }
        Ok(true)
    }

    /// Puts a value and its factory copy, or removes the copy of one that is kept, in one run.
    pub(super) async fn change_pair(&mut self, key: Key<'_>, value: &[u8], how: How) -> Result<(), Stop<F::Error>> {
        let found = self.find(key, self.hash_of(key), true).await?;
        let had = if found { self.attributes() } else { Attributes::NONE };
        let wanted = how.attributes(had);
        let copy = wanted.and(Attributes::COPY);
        let whole = self.in_transaction();
        if !whole {
            self.state.log.measured = 0;
            self.change_both(key, copy, value, how.and(How::MEASURE), whole).await?;
            let protect = how.any(How::PROTECT) || had.and(wanted).any(Attributes::PROTECTED);
            self.start_run(self.state.log.measured, self.kept_free(), protect).await?;
            self.state.log.open_ended = true;
        }
        let result = self.change_both(key, copy, value, how, whole).await;
        if !whole && result.is_err() {
            // What was written has no end: nothing of both counts. The next call finds that out from flash.
            self.state.log.settled &= self.state.log.run != Run::Begun;
            self.state.log.run = Run::No;
        }
        result
    }

    /// Changes the copy, and then the entry, which ends the run unless that is a `whole` transaction.
    async fn change_both(
        &mut self,
        key: Key<'_>,
        copy: Attributes,
        value: &[u8],
        how: How,
        whole: bool,
    ) -> Result<(), Stop<F::Error>> {
        self.change(key.of_copy(), value, how.of_copy(copy)).await?;
        self.state.log.open_ended = whole;
        self.change(key, value, how).await.map(drop)
    }
}
