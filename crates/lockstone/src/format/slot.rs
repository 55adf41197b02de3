//! Slots in the store and on flash: what belongs into one, and how far its copy has come.

use super::object::{MANIFEST, Manifest};
use super::{put, put_word, word};
use crate::slot::Installed;

/// Begins a trailer: `LKSL`.
const MAGIC: u32 = u32::from_le_bytes(*b"LKSL");
/// Bytes of a trailer before its marks: magic and token.
pub(crate) const TRAILER: usize = TRAILER_LENGTH as usize;
pub(crate) const TRAILER_LENGTH: u32 = 12;
/// Bytes of a mark.
pub(crate) const MARK: usize = 4;
/// Bytes of a record.
pub(crate) const RECORD: usize = 56 + MANIFEST;

/// What the store says of a slot.
#[derive(Clone, Copy)]
pub(crate) struct SlotRecord {
    /// Another one for each request: it ties a trailer to it.
    pub(crate) token: u64,
    /// Of the object's key.
    pub(crate) hash: u64,
    pub(crate) pending: bool,
    /// Length and digest of what was confirmed last; length 0: nothing was.
    pub(crate) before: (u32, [u8; 32]),
    pub(crate) manifest: Manifest,
}

impl SlotRecord {
    pub(crate) fn to_bytes(self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        put(&mut bytes, 0, &self.token.to_le_bytes());
        put(&mut bytes, 8, &self.hash.to_le_bytes());
        put_word(&mut bytes, 16, self.pending.into());
        put_word(&mut bytes, 20, self.before.0);
        put(&mut bytes, 24, &self.before.1);
        put(&mut bytes, 56, &self.manifest.to_bytes());
        bytes
    }

    /// For those who ask.
    pub(crate) const fn state(self) -> Installed {
        let Self { manifest: Manifest { length, digest, .. }, pending, .. } = self;
        Installed { length, digest, pending }
    }

    /// What was confirmed last, if anything was.
    pub(crate) const fn confirmed(self) -> Option<Installed> {
        let (length, digest) = if self.pending { self.before } else { (self.manifest.length, self.manifest.digest) };
        if length == 0 { None } else { Some(Installed { length, digest, pending: false }) }
    }

    pub(crate) fn of_bytes(bytes: &[u8; RECORD]) -> Self {
        let long = |at| u64::from(word(bytes, at + 4)) << 32 | u64::from(word(bytes, at));
        let (mut before, mut manifest) = ([0; 32], [0; MANIFEST]);
        put(&mut before, 0, bytes.get(24..56).unwrap_or_default());
        put(&mut manifest, 0, bytes.get(56..).unwrap_or_default());
        Self {
            token: long(0),
            hash: long(8),
            pending: word(bytes, 16) != 0,
            before: (word(bytes, 20), before),
            manifest: Manifest::of_bytes(&manifest),
        }
    }
}

/// How the trailer of a request begins.
pub(crate) fn trailer(token: u64) -> [u8; TRAILER] {
    let mut bytes = [0; TRAILER];
    put_word(&mut bytes, 0, MAGIC);
    put(&mut bytes, 4, &token.to_le_bytes());
    bytes
}

/// Says that so many steps are done, and says it again inverted: what is torn says nothing.
pub(crate) fn mark(done: u16) -> [u8; MARK] {
    (u32::from(done) | u32::from(!done) << 16).to_le_bytes()
}

/// `None`: it's no mark, or a torn one.
pub(crate) fn of_mark(bytes: [u8; MARK]) -> Option<u32> {
    let [a, b, c, d] = bytes;
    let done = u16::from_le_bytes([a, b]);
    (done == !u16::from_le_bytes([c, d])).then_some(done.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut bytes: [u8; RECORD] = core::array::from_fn(|index| 7 + index.to_le_bytes()[0]);
        for pending in [0, 1] {
            put_word(&mut bytes, 16, pending);
            assert_eq!(SlotRecord::of_bytes(&bytes).to_bytes(), bytes);
        }
    }

    #[test]
    fn no_part_of_a_mark_is_one() {
        for done in [0, 1, 2, 0x1234, 0xfffe, u16::MAX] {
            let whole = mark(done);
            assert_eq!(of_mark(whole), Some(done.into()));
            for bit in 0..32 {
                for erased in [0, u32::MAX] {
                    let torn = u32::from_le_bytes(whole) & !(1 << bit) | erased & 1 << bit;
                    let read = of_mark(torn.to_le_bytes());
                    assert!(read.is_none() || torn == u32::from_le_bytes(whole), "{done} bit {bit}");
                }
            }
        }
        assert_eq!((of_mark([0xff; MARK]), of_mark([0; MARK])), (None, None));
    }
}
