//! Suite `plain`: a CRC-32C against accidents, and nothing else. Nothing is secret, nothing is authentic.
//!
//! For configuration that may be public on parts that nobody attacks, and for comparing the cost of sealing.

#[cfg(feature = "async")]
use super::Sponge;
#[cfg(feature = "async")]
use super::paced::Work;
use super::{Domain, Keys, StoreId, Suite, Tag};
use crate::layout::Position;
use crate::trust::{RootKey, RootKeyError};

/// Detects accidents. Keeps no secret and stops no attacker.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Plain {
    #[inline(never)]
    fn checksum(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &[u8]) -> u32 {
        !crc32c(crc32c(Self::start(keys, domain, at), associated), text)
    }

    /// The checksum of the place. Offsets are below 2^30. The identity between them spreads the offset over all bits before the
    /// sequence comes.
    #[inline(always)]
    fn start(keys: &Keys, domain: Domain, at: Position) -> u32 {
        let start = !(at.offset | (domain as u32) << 30);
        let [id, ..] = keys.0;
        crc32c(crc32c(start, &id.to_le_bytes()), &at.sequence.to_le_bytes())
    }
}

/// Bytes of a step, each of some 70 instructions of a small processor.
#[cfg(feature = "async")]
const STEP: usize = 64;

/// CRC-32C (Castagnoli, reflected), as in iSCSI (RFC 3720), bit by bit: a table would be larger than all the rest.
fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    let mut state = start;
    for byte in bytes {
        state ^= u32::from(*byte);
        for _ in 0..8 {
            state = state >> 1 ^ if state & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    state
}

impl Suite for Plain {
    const ID: u8 = 0;
    const NAME: &'static str = "plain";
    const TAG: usize = 4;
    const LINK: usize = 0;
    const OPAQUE: bool = false;
    const CHECK: usize = 2;

    fn unlock<K: RootKey>(keys: &mut Keys, _root: &K, id: &StoreId) -> Result<(), RootKeyError> {
        let [place, ..] = &mut keys.0;
        *place = u64::from_le_bytes(*id);
        Ok(())
    }

    fn seal(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &mut [u8]) -> Tag {
        tag(Self::checksum(keys, domain, at, associated, text))
    }

    fn unseal(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &mut [u8], tag: &[u8]) -> bool {
        Self::checksum(keys, domain, at, associated, text) == crate::format::word(tag, 0)
    }

    /// FNV-1a, 64 bits, with half of the finisher of MurmurHash3: spreads names well, resists nobody.
    fn hash(_keys: &Keys, space: u64, name: &[u8]) -> u64 {
        let start = fnv(BASIS, &space.to_le_bytes());
        finish(fnv(start, name))
    }

    fn digest(_keys: &Keys, words: impl Iterator<Item = u64>) -> u64 {
        finish(words.fold(BASIS, |state, word| fnv(state, &word.to_le_bytes())))
    }

    #[cfg(feature = "async")]
    fn step(work: &mut Work<'_>) -> bool {
        let (from, end) = (work.progress.done, work.progress.done + STEP);
        let input = if work.progress.part == 0 { work.associated } else { &*work.text };
        if work.progress.part == 0 && from == 0 {
            work.progress.sponge.filled = Self::start(work.keys, work.domain, work.at);
        }
        work.progress.sponge.filled =
            crc32c(work.progress.sponge.filled, input.get(from..end.min(input.len())).unwrap_or_default());
        work.progress.done = end;
        if end >= input.len() {
            work.progress.part += 1;
            work.progress.done = 0;
        }
        work.progress.tag = tag(!work.progress.sponge.filled);
        work.progress.part < 2
    }

    #[cfg(feature = "async")]
    const DIGEST_IN_STEPS: bool = true;

    #[cfg(feature = "async")]
    fn digest_begin(sponge: &mut Sponge, _keys: &Keys) {
        sponge.state = [BASIS; 5];
    }

    #[cfg(feature = "async")]
    fn digest_word(sponge: &mut Sponge, word: u64) {
        let [state, ..] = &mut sponge.state;
        *state = fnv(*state, &word.to_le_bytes());
    }

    #[cfg(feature = "async")]
    fn digest_end(sponge: &mut Sponge) -> u64 {
        let [state, ..] = sponge.state;
        finish(state)
    }
}

/// A checksum as a tag.
#[inline(always)]
fn tag(checksum: u32) -> Tag {
    let mut tag = Tag::default();
    if let Some(place) = tag.first_chunk_mut() {
        *place = checksum.to_le_bytes();
    }
    tag
}

/// What FNV-1a begins with.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[inline(never)]
fn finish(state: u64) -> u64 {
    let state = (state ^ state >> 32).wrapping_mul(0xff51_afd7_ed55_8ccd);
    state ^ state >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::NoKey;

    #[test]
    fn checksum_is_crc_32c() {
        assert_eq!(!crc32c(u32::MAX, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn place_and_bytes_are_covered() {
        let mut keys = Keys::none();
        Plain::unlock(&mut keys, &NoKey, b"store-01").unwrap();
        let at = Position { sequence: 1, offset: 64 };
        let mut text = *b"hello";
        let tag = Plain::seal(&keys, Domain::Record, at, b"head", &mut text);
        assert!(Plain::unseal(&keys, Domain::Record, at, b"head", &mut text, &tag[..4]));
        let other = Position { sequence: 5, offset: 64 };
        assert!(!Plain::unseal(&keys, Domain::Record, other, b"head", &mut text, &tag[..4]));
        assert!(!Plain::unseal(&keys, Domain::Record, at, b"heat", &mut text, &tag[..4]));
    }
}
