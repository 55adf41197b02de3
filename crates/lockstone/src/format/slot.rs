//! Slots in the store and on flash: what belongs into one, and how far its copy has come.

use super::object::{MANIFEST, Manifest};
use super::{long, put, put_word, word};
use crate::slot::Installed;

/// Begins a trailer: `LKSL`.
const MAGIC: u32 = u32::from_le_bytes(*b"LKSL");
/// Bytes of a trailer before its marks: magic and token.
pub(crate) const TRAILER: usize = TRAILER_LENGTH as usize;
pub(crate) const TRAILER_LENGTH: u32 = 12;
/// Bytes of a record.
pub(crate) const RECORD: usize = 56 + MANIFEST;

/// What the store says of a slot.
#[derive(Clone, Copy)]
pub(crate) struct SlotRecord {
    /// Another one for each request: it ties a trailer to it.
    pub(crate) token: u64,
    /// Of the object's key.
    pub(crate) hash: u64,
    pub(crate) phase: Phase,
    /// No older code may run in its place.
    pub(crate) protected: bool,
    /// Length and digest of what was confirmed last.
    pub(crate) before: Option<(u32, [u8; 32])>,
    pub(crate) manifest: Manifest,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The slot holds it.
    Confirmed,
    /// It's in the store with all that it needs.
    Prepared,
    /// The same, and the slot may be half-written for another request that it takes the place of.
    Succeeds,
    /// It's to be done.
    Armed,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Confirmed, Self::Prepared, Self::Succeeds, Self::Armed];
}

impl SlotRecord {
    pub(crate) fn to_bytes(self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        put(&mut bytes, 0, &self.token.to_le_bytes());
        put(&mut bytes, 8, &self.hash.to_le_bytes());
        let flags = u32::from(self.before.is_some()) << 8 | u32::from(self.protected) << 16;
        put_word(&mut bytes, 16, self.phase as u32 | flags);
        let (length, digest) = self.before.unwrap_or_default();
        put_word(&mut bytes, 20, length);
        put(&mut bytes, 24, &digest);
        put(&mut bytes, 56, &self.manifest.to_bytes());
        bytes
    }

    /// For those who ask.
    pub(crate) fn state(self) -> Installed {
        let Self { manifest: Manifest { length, digest, .. }, phase, .. } = self;
        Installed { length, digest, pending: phase != Phase::Confirmed }
    }

    /// What was confirmed last, if anything was.
    pub(crate) fn confirmed(self) -> Option<Installed> {
        let last = Some((self.manifest.length, self.manifest.digest));
        let (length, digest) = if self.phase == Phase::Confirmed { last } else { self.before }?;
        Some(Installed { length, digest, pending: false })
    }

    pub(crate) fn of_bytes(bytes: &[u8; RECORD]) -> Self {
        let (mut before, mut manifest) = ([0; 32], [0; MANIFEST]);
        put(&mut before, 0, bytes.get(24..56).unwrap_or_default());
        put(&mut manifest, 0, bytes.get(56..).unwrap_or_default());
        Self {
            token: long(bytes, 0),
            hash: long(bytes, 8),
            phase: *Phase::ALL.get((word(bytes, 16) & 0xff) as usize).unwrap_or(&Phase::Armed),
            protected: word(bytes, 16) & 1 << 16 != 0,
            before: (word(bytes, 16) & 1 << 8 != 0).then(|| (word(bytes, 20), before)),
            manifest: Manifest::of_bytes(&manifest),
        }
    }
}

/// Whether a record speaks of a request that was not confirmed.
pub(crate) fn is_pending(record: &[u8]) -> bool {
    word(record, 16) & 0xff != Phase::Confirmed as u32
}

/// How the trailer of a request begins.
pub(crate) fn trailer(token: u64) -> [u8; TRAILER] {
    let mut bytes = [0; TRAILER];
    put_word(&mut bytes, 0, MAGIC);
    put(&mut bytes, 4, &token.to_le_bytes());
    bytes
}

/// Says that so many strides are done, and says it again inverted: what is torn says nothing.
pub(crate) const fn mark(done: u32) -> [u8; 4] {
    (done & 0xffff | !done << 16).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut bytes: [u8; RECORD] = core::array::from_fn(|index| 7 + index.to_le_bytes()[0]);
        for phase in [0x100, 0x101, 0x102, 0x103, 0x1_0102] {
            put_word(&mut bytes, 16, phase);
            assert_eq!(SlotRecord::of_bytes(&bytes).to_bytes(), bytes);
        }
    }

    #[test]
    fn no_part_of_a_mark_is_one() {
        let all = [1, 2, 0x1234, 0xffff].map(|done| u32::from_le_bytes(mark(done)));
        for mark in all {
            assert_eq!(mark.count_ones(), 16, "as many bits one way as the other: a part of it is no other mark");
        }
        assert_eq!(all[0], 0xfffe_0001);
    }
}
