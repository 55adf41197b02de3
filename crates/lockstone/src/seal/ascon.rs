//! Suite `ascon`: SIV composed from Ascon-XOF128 (NIST SP 800-232), one permutation for everything.
//!
//! ```text
//! K_store = root.derive("lockstone" | version | store id)
//! tag     = XOF(K_store | "record.." | sequence | offset | associated | text)   16 bytes
//! text'   = text xor XOF(K_store | "stream.." | tag)
//! hash    = XOF(K_store | "index..." | space | name)                            8 bytes
//! digest  = XOF(K_store | "heads..." | words)                                   8 bytes
//! ```
//!
//! Said plainly: the primitive is a standard, the composition is the generic one of the SIV paper, it is not a NIST
//! mode. Every label is 8 bytes and every input says its own lengths at the front, so no two inputs of different
//! meaning are equal. The 32-byte store key is absorbed once and the state kept.

use ascon_xof128::digest::{ExtendableOutput, Update, XofReader};
use ascon_xof128::{AsconXof128, AsconXof128Reader};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::{Domain, StoreId, Suite, Tag};
use crate::layout::Position;
use crate::trust::{RootKey, RootKeyError};

/// The default suite: private and authentic.
pub struct Ascon {
    keyed: AsconXof128,
}

impl core::fmt::Debug for Ascon {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Ascon")
    }
}

impl Ascon {
    fn labelled(&self, label: [u8; 8]) -> AsconXof128 {
        let mut state = self.keyed.clone();
        state.update(&label);
        state
    }

    #[inline(never)]
    fn tag(&self, domain: Domain, at: Position, associated: &[u8], text: &[u8]) -> Tag {
        let mut state = self.labelled(match domain {
            Domain::Record => *b"record..",
            Domain::Header => *b"header..",
        });
        state.update(&at.sequence.to_le_bytes());
        state.update(&at.offset.to_le_bytes());
        state.update(associated);
        state.update(text);
        let mut tag = Tag::default();
        state.finalize_xof().read(&mut tag);
        tag
    }

    #[inline(never)]
    fn apply_stream(&self, tag: &[u8], text: &mut [u8]) {
        let mut state = self.labelled(*b"stream..");
        state.update(tag);
        let mut stream = state.finalize_xof();
        let mut block = [0; 8];
        for part in text.chunks_mut(8) {
            stream.read(&mut block);
            for (byte, mask) in part.iter_mut().zip(block) {
                *byte ^= mask;
            }
        }
        block.zeroize();
    }
}

fn word(mut reader: AsconXof128Reader) -> u64 {
    let mut bytes = [0; 8];
    reader.read(&mut bytes);
    u64::from_le_bytes(bytes)
}

impl Suite for Ascon {
    const ID: u8 = 1;
    const NAME: &'static str = "ascon";
    const TAG: usize = 16;
    const LINK: usize = 4;
    const OPAQUE: bool = true;
    const CHECK: usize = 4;

    fn open<K: RootKey>(root: &K, id: &StoreId) -> Result<Self, RootKeyError> {
        let mut label = *b"lockstone\x01........";
        if let Some(place) = label.last_chunk_mut() {
            *place = *id;
        }
        let mut key = [0; 32];
        let derived = root.derive(&label, &mut key);
        let mut keyed = AsconXof128::default();
        keyed.update(&key);
        key.zeroize();
        derived.map(|()| Self { keyed })
    }

    fn seal(&self, domain: Domain, at: Position, associated: &[u8], text: &mut [u8]) -> Tag {
        let tag = self.tag(domain, at, associated, text);
        self.apply_stream(&tag, text);
        tag
    }

    fn unseal(&self, domain: Domain, at: Position, associated: &[u8], text: &mut [u8], tag: &[u8]) -> bool {
        self.apply_stream(tag, text);
        let good = bool::from(self.tag(domain, at, associated, text).ct_eq(tag));
        if !good {
            text.zeroize();
        }
        good
    }

    fn hash(&self, space: u64, name: &[u8]) -> u64 {
        let mut state = self.labelled(*b"index...");
        state.update(&space.to_le_bytes());
        state.update(name);
        word(state.finalize_xof())
    }

    fn digest(&self, words: impl Iterator<Item = u64>) -> u64 {
        let mut state = self.labelled(*b"heads...");
        for item in words {
            state.update(&item.to_le_bytes());
        }
        word(state.finalize_xof())
    }
}

/// A root key held in memory: for hosts that read it from a protected file and for chips without key hardware.
///
/// Wiped when dropped; never printed.
pub struct SoftRootKey {
    key: [u8; 32],
}

impl SoftRootKey {
    /// Takes 32 secret, uniformly random bytes.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }
}

impl core::fmt::Debug for SoftRootKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SoftRootKey")
    }
}

impl Drop for SoftRootKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl RootKey for SoftRootKey {
    fn derive(&self, label: &[u8], key: &mut [u8; 32]) -> Result<(), RootKeyError> {
        let mut state = AsconXof128::default();
        state.update(b"lockstone root key derivation 01");
        state.update(&self.key);
        state.update(label);
        state.finalize_xof().read(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Position = Position { sequence: 7, offset: 84 };

    fn suite() -> Ascon {
        Ascon::open(&SoftRootKey::new([0x42; 32]), b"store-01").unwrap()
    }

    #[test]
    fn what_was_sealed_unseals_at_its_place_only() {
        let suite = suite();
        let mut text = *b"attack at dawn, and bring the ladder";
        let tag = suite.seal(Domain::Record, AT, b"head", &mut text);
        assert_ne!(&text, b"attack at dawn, and bring the ladder");
        for (domain, at, associated) in [
            (Domain::Header, AT, b"head"),
            (Domain::Record, Position { sequence: 8, ..AT }, b"head"),
            (Domain::Record, Position { offset: 88, ..AT }, b"head"),
            (Domain::Record, AT, b"tail"),
        ] {
            let mut copy = text;
            assert!(!suite.unseal(domain, at, associated, &mut copy, &tag));
            assert_eq!(copy, [0; 36], "what failed is wiped");
        }
        assert!(suite.unseal(Domain::Record, AT, b"head", &mut text, &tag));
        assert_eq!(&text, b"attack at dawn, and bring the ladder");
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let suite = suite();
        let mut text = *b"0123456789abcdef0";
        let tag = suite.seal(Domain::Record, AT, b"", &mut text);
        for bit in 0..(text.len() + tag.len()) * 8 {
            let (mut bad, mut bad_tag) = (text, tag);
            match bad.get_mut(bit / 8) {
                Some(byte) => *byte ^= 1 << (bit % 8),
                None => bad_tag[bit / 8 - text.len()] ^= 1 << (bit % 8),
            }
            assert!(!suite.unseal(Domain::Record, AT, b"", &mut bad, &bad_tag), "bit {bit}");
        }
    }

    #[test]
    fn the_primitive_is_the_standard_one() {
        // NIST SP 800-232, Ascon-XOF128 of the empty message, first 32 bytes (LWC_XOF_KAT_128_512.txt, Count = 1).
        let mut output = [0; 32];
        AsconXof128::default().finalize_xof().read(&mut output);
        let expected = "473d5e6164f58b39dfd84aacdb8ae42ec2d91fed33388ee0d960d9b3993295c6";
        let hex: std::string::String = output.iter().map(|byte| std::format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }
}
