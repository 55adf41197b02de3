//! Calls: those of the store that the faces share, with a [`Failure`] in place of the store's error.
//!
//! A failure fits into a register and the store's error doesn't, so each is translated here, once, and not wherever a face
//! asks.
#![forbid(unsafe_code)]

use lockstone::{Attributes, Key, Put};

use crate::failure::Result;
use crate::library::Store;
use crate::platform::{Counter, Flash};

#[inline(never)]
pub(crate) fn put(store: &mut Store, key: &Key<'_>, value: &[u8], attributes: Attributes) -> Result<()> {
    Ok(store.put_with(*key, value, Put::with(attributes))?)
}

/// Whether it was there.
#[inline(never)]
pub(crate) fn delete(store: &mut Store, key: &Key<'_>) -> Result<bool> {
    Ok(store.delete(*key)?)
}

#[inline(never)]
pub(crate) fn length(store: &mut Store, key: &Key<'_>) -> Result<Option<usize>> {
    Ok(store.length(*key)?.map(|length| length as usize))
}

/// Fills as much of the buffer as there is from `offset` on, and says how much that is; 0 where there is no such key.
#[inline(never)]
pub(crate) fn read(store: &mut Store, key: &Key<'_>, offset: u32, buffer: &mut [u8]) -> Result<usize> {
    Ok(store.get_range(*key, offset, buffer)?.unwrap_or(0))
}

/// Changes of several keys that are to take effect together.
pub(crate) struct Change<'s>(lockstone::Transaction<'s, 'static, Flash, lockstone::Ascon, Counter>);

impl<'s> Change<'s> {
    /// `protected`: they are bound to the counter.
    #[inline(never)]
    pub(crate) fn begin(store: &'s mut Store, bytes: usize, protected: bool) -> Result<Self> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Ok(Self(if protected { store.protected_transaction(bytes)? } else { store.transaction(bytes)? }))
    }

    #[inline(never)]
    pub(crate) fn put(&mut self, key: &Key<'_>, value: &[u8], attributes: Attributes) -> Result<()> {
        Ok(self.0.put_with(*key, value, Put::with(attributes))?)
    }

    #[inline(never)]
    pub(crate) fn delete(&mut self, key: &Key<'_>) -> Result<()> {
        self.0.delete(*key)?;
        Ok(())
    }

    #[cfg(feature = "psa")]
    pub(crate) fn set_attributes(&mut self, key: &Key<'_>, attributes: Attributes) -> Result<()> {
        self.0.set_attributes(*key, attributes)?;
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn commit(self) -> Result<()> {
        Ok(self.0.commit()?)
    }
}
