//! Native: the store's own calls, for the client that is calling.
#![forbid(unsafe_code)]

use lockstone::{Attributes, Cursor, Put};

use crate::allegation::{Out, Source, Target};
use crate::failure::{Failure, Result};
use crate::library::Open;

/// `LOCKSTONE_PROTECT`: this write is bound to the counter.
pub(crate) const PROTECT: u32 = 1 << 0;
/// `LOCKSTONE_WRITE_ONCE`: the value is never changed, nor the key deleted.
pub(crate) const WRITE_ONCE: u32 = 1 << 1;
/// `LOCKSTONE_READ_ONLY` is not among the flags of a put: what can be lifted again needs a call that lifts it.
const FLAGS: u32 = PROTECT | WRITE_ONCE;

/// `lockstone_stats`: see `lockstone.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Keys of all clients and faces.
    pub keys: u32,
    /// Bytes that they take.
    pub used_bytes: u32,
    /// Bytes that they may take.
    pub capacity_bytes: u32,
    /// Segments of the flash.
    pub segments: u32,
    /// Segments out of use.
    pub bad_segments: u32,
    /// Fewest erases of a segment.
    pub erases_min: u32,
    /// Most erases of a segment.
    pub erases_max: u32,
    /// Steps that the counter has left.
    pub counter_left: u32,
}

impl Open {
    pub(crate) fn put(&mut self, name: &[u8], value: &Source, flags: u32) -> Result<()> {
        if flags & !FLAGS != 0 {
            return Err(Failure::Argument);
        }
        let protect = flags & PROTECT != 0;
        if protect && !self.counts {
            return Err(Failure::NoCounter);
        }
        let once = flags & WRITE_ONCE != 0;
        if once && !self.counts && !self.flash_is_trusted() {
            return Err(Failure::NoCounter);
        }
        let lasting = if self.counts { Attributes::NONE } else { Attributes::DANGER_REPLAYABLE };
        let attributes = once.then(|| Attributes::WRITE_ONCE.and(lasting));
        let value = value.at_most(self.most())?;
        self.before_writing()?;
        let key = self.key(name)?;
        Ok(self.store.put_with(key, value, Put { attributes, protect })?)
    }

    /// More bytes than a value can have.
    pub(crate) fn most(&self) -> usize {
        embedded_storage::nor_flash::ReadNorFlash::capacity(self.store.flash())
    }

    pub(crate) fn get(&mut self, name: &[u8], target: &mut Target, length: &mut Out<usize>) -> Result<()> {
        if target.is_missing() {
            return Err(Failure::Argument);
        }
        let key = self.key(name)?;
        let attributes = self.store.attributes_of(key)?.ok_or(Failure::NotFound)?;
        if attributes.is_object() {
            return Err(Failure::NotPermitted);
        }
        let whole = self.store.length(key)?.ok_or(Failure::NotFound)? as usize;
        length.set(whole);
        if whole > target.length() {
            return Err(Failure::BufferTooSmall);
        }
        self.store.get(key, target.first(whole)?)?;
        Ok(())
    }

    pub(crate) fn delete(&mut self, name: &[u8]) -> Result<()> {
        let key = self.key(name)?;
        if self.store.delete(key)? { Ok(()) } else { Err(Failure::NotFound) }
    }

    /// The next of the client's names that begin with `prefix`, and how long it is.
    pub(crate) fn find(&mut self, cursor: &mut Cursor, prefix: &[u8], name: &mut [u8; 255]) -> Result<usize> {
        let client = u32::from_le_bytes(self.caller().to_le_bytes());
        self.key(b"any")?;
        self.store.next_key(cursor, client, prefix, name)?.ok_or(Failure::NotFound)
    }

    pub(crate) fn stats(&mut self) -> Result<Stats> {
        let found = self.store.stats()?;
        Ok(Stats {
            keys: found.keys,
            used_bytes: found.used_bytes,
            capacity_bytes: found.capacity_bytes,
            segments: found.segments,
            bad_segments: found.bad_segments,
            erases_min: found.erases_min,
            erases_max: found.erases_max,
            counter_left: if self.counts { self.store.counter_state().unwrap_or_default().left } else { 0 },
        })
    }
}
