//! Suite `ascon`: SIV composed from Ascon-XOF128 (NIST SP 800-232), one permutation for everything.
//!
//! ```text
//! K_store = root.derive("lockstone" | version | store id)
//! tag     = XOF(K_store | "record.." | sequence | offset | associated | text)   16 bytes
//! text'   = text xor XOF(K_store | "stream.." | tag)
//!           (a record in the clear: label "clear...", text' = text)
//! hash    = XOF(K_store | "index..." | space | name)                            8 bytes
//! digest  = XOF(K_store | "heads..." | words)                                   8 bytes
//! ```
//!
//! Said plainly: the primitive is a standard, the composition is the generic one of the SIV paper, it is not a NIST
//! mode. Every label is 8 bytes and every input says its own lengths at the front, so no two inputs of different
//! meaning are equal. The 32-byte store key is absorbed once and the state kept.
//!
//! The permutation comes from the crate `ascon`; the sponge around it is here, because it is a fraction of the size of a
//! general one. It is compared with the crate `ascon-xof128` on many lengths, and with a vector of the standard.

use ascon::permute12;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::{Domain, Keys, StoreId, Suite, Tag};
use crate::format::{low_word, put_word};
use crate::layout::Position;
use crate::trust::{RootKey, RootKeyError};

/// Ascon-XOF128: absorbs any bytes, then gives as many as are wanted, eight at a time. Wiped when dropped.
struct Xof {
    state: [u64; 5],
    /// Bytes absorbed into the present block.
    filled: u32,
}

impl Xof {
    /// Before it begins.
    const IDLE: Self = Self { state: [0; 5], filled: 0 };

    /// Begins with the parameters of Ascon-XOF128 (SP 800-232, 5.2). In place: a move of the state is a library call.
    fn begin(&mut self) {
        self.state = [0x0000_0800_00cc_0003, 0, 0, 0, 0];
        self.permute();
    }

    /// The sponge behind the key of a store.
    fn behind(keys: &Keys) -> Self {
        let [a, b, c, d, e, ..] = keys.0;
        Self { state: [a, b, c, d, e], filled: 0 }
    }

    #[inline(never)]
    fn absorb(&mut self, bytes: &[u8]) {
        let bytes = if cfg!(target_pointer_width = "64") { self.absorb_words(bytes) } else { bytes };
        for byte in bytes {
            self.state[0] ^= u64::from(*byte);
            self.next_byte();
        }
    }

    /// Absorbs whole words where speed matters more than size; returns the rest.
    fn absorb_words<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if self.filled > 0 {
            return bytes;
        }
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.state[0] ^= u64::from_le_bytes(*word);
            self.permute();
        }
        rest
    }

    /// Gives whole words where speed matters more than size; returns the rest.
    fn squeeze_words<'t>(&mut self, text: &'t mut [u8]) -> &'t mut [u8] {
        let (words, rest) = text.as_chunks_mut();
        for word in words {
            *word = (u64::from_le_bytes(*word) ^ self.state[0]).to_le_bytes();
            self.permute();
        }
        rest
    }

    /// Turns the next byte of the block to where it's worked at: a shift of 64 bits by a number is a call on small
    /// processors. After eight of them each is where it was.
    fn next_byte(&mut self) {
        self.state[0] = self.state[0].rotate_right(8);
        self.filled = (self.filled + 1) % 8;
        if self.filled == 0 {
            self.permute();
        }
    }

    /// Here once only: it's half of the code of the suite.
    #[inline(never)]
    fn permute(&mut self) {
        permute12(&mut self.state);
    }

    /// Ends the input: pads the block.
    #[inline(always)]
    fn finish(&mut self) {
        const PADDING: [u8; 8] = [1, 0, 0, 0, 0, 0, 0, 0];
        self.absorb(PADDING.get(..8 - self.filled as usize).unwrap_or_default());
    }

    /// Gives the next output, after [`finish`](Self::finish), combined with what is in `text`.
    fn squeeze(&mut self, text: &mut [u8]) {
        let text = if cfg!(target_pointer_width = "64") { self.squeeze_words(text) } else { text };
        for byte in text {
            *byte ^= low_word(self.state[0]).to_le_bytes()[0];
            self.next_byte();
        }
    }
}

impl Drop for Xof {
    fn drop(&mut self) {
        self.state.zeroize();
    }
}

/// The default suite: private and authentic. Of the keys it uses the first 40 bytes: the state of the sponge behind the key.
#[derive(Clone, Copy, Debug)]
pub struct Ascon;

impl Ascon {
    /// Absorbs `parts`, the first of which is a label, and combines the output with what is in `output`.
    #[inline(never)]
    fn run(keys: &Keys, parts: &[&[u8]], output: &mut [u8]) {
        let mut xof = Xof::behind(keys);
        for part in parts {
            xof.absorb(part);
        }
        xof.finish();
        xof.squeeze(output);
    }

    #[inline(always)]
    fn apply_stream(keys: &Keys, domain: Domain, tag: &[u8], text: &mut [u8]) {
        if domain == Domain::ClearRecord {
            return;
        }
        Self::run(keys, &[b"stream..", tag], text);
    }

    #[inline(always)]
    fn tag(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &[u8]) -> Tag {
        let label = match domain {
            Domain::Record => b"record..",
            Domain::Header => b"header..",
            Domain::ClearRecord => b"clear...",
            Domain::Chunk => b"chunk...",
            Domain::Block => b"block...",
            Domain::Table => b"table...",
        };
        let mut tag = Tag::default();
        let mut place = [0; 8];
        put_word(&mut place, 0, at.sequence);
        put_word(&mut place, 4, at.offset);
        Self::run(keys, &[label, &place, associated, text], &mut tag);
        tag
    }
}

impl Suite for Ascon {
    const ID: u8 = 1;
    const NAME: &'static str = "ascon";
    const TAG: usize = 16;
    const LINK: usize = 4;
    const OPAQUE: bool = true;
    const CHECK: usize = 4;

    #[inline(never)]
    fn unlock<K: RootKey>(keys: &mut Keys, root: &K, id: &StoreId) -> Result<(), RootKeyError> {
        let mut label = *b"lockstone\x01........";
        if let Some(place) = label.last_chunk_mut() {
            *place = *id;
        }
        let mut key = [0; 32];
        let derived = root.derive(&label, &mut key);
        let mut xof = Xof::IDLE;
        xof.begin();
        xof.absorb(&key);
        key.zeroize();
        // Four whole blocks: nothing is half filled.
        let [a, b, c, d, e, ..] = &mut keys.0;
        [*a, *b, *c, *d, *e] = xof.state;
        derived
    }

    fn seal(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &mut [u8]) -> Tag {
        let tag = Self::tag(keys, domain, at, associated, text);
        Self::apply_stream(keys, domain, &tag, text);
        tag
    }

    fn unseal(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &mut [u8], tag: &[u8]) -> bool {
        Self::apply_stream(keys, domain, tag, text);
        let good = bool::from(Self::tag(keys, domain, at, associated, text).ct_eq(tag));
        if !good {
            text.zeroize();
        }
        good
    }

    fn hash(keys: &Keys, space: u64, name: &[u8]) -> u64 {
        let mut hash = [0; 8];
        Self::run(keys, &[b"index...", &space.to_le_bytes(), name], &mut hash);
        u64::from_le_bytes(hash)
    }

    fn digest(keys: &Keys, words: impl Iterator<Item = u64>) -> u64 {
        let mut xof = Xof::behind(keys);
        xof.absorb(b"heads...");
        for item in words {
            xof.absorb(&item.to_le_bytes());
        }
        xof.finish();
        xof.state[0]
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
        let mut xof = Xof::IDLE;
        xof.begin();
        xof.absorb(b"lockstone root key derivation 01");
        xof.absorb(&self.key);
        xof.absorb(label);
        xof.finish();
        key.fill(0);
        xof.squeeze(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ascon_xof128::AsconXof128;
    use ascon_xof128::digest::{ExtendableOutput, Update, XofReader};

    use super::*;

    const AT: Position = Position { sequence: 7, offset: 84 };

    fn keys() -> Keys {
        let mut keys = Keys::none();
        Ascon::unlock(&mut keys, &SoftRootKey::new([0x42; 32]), b"store-01").unwrap();
        keys
    }

    #[test]
    fn what_was_sealed_unseals_at_its_place_only() {
        let keys = keys();
        let mut text = *b"attack at dawn, and bring the ladder";
        let tag = Ascon::seal(&keys, Domain::Record, AT, b"head", &mut text);
        assert_ne!(&text, b"attack at dawn, and bring the ladder");
        for (domain, at, associated) in [
            (Domain::Header, AT, b"head"),
            (Domain::Record, Position { sequence: 8, ..AT }, b"head"),
            (Domain::Record, Position { offset: 88, ..AT }, b"head"),
            (Domain::Record, AT, b"tail"),
        ] {
            let mut copy = text;
            assert!(!Ascon::unseal(&keys, domain, at, associated, &mut copy, &tag));
            assert_eq!(copy, [0; 36], "what failed is wiped");
        }
        assert!(Ascon::unseal(&keys, Domain::Record, AT, b"head", &mut text, &tag));
        assert_eq!(&text, b"attack at dawn, and bring the ladder");
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let keys = keys();
        let mut text = *b"0123456789abcdef0";
        let tag = Ascon::seal(&keys, Domain::Record, AT, b"", &mut text);
        for bit in 0..(text.len() + tag.len()) * 8 {
            let (mut bad, mut bad_tag) = (text, tag);
            match bad.get_mut(bit / 8) {
                Some(byte) => *byte ^= 1 << (bit % 8),
                None => bad_tag[bit / 8 - text.len()] ^= 1 << (bit % 8),
            }
            assert!(!Ascon::unseal(&keys, Domain::Record, AT, b"", &mut bad, &bad_tag), "bit {bit}");
        }
    }

    /// Ascon-XOF128 of these bytes, as the suite computes it.
    fn xof<const N: usize>(input: &[u8]) -> [u8; N] {
        let mut xof = Xof::IDLE;
        xof.begin();
        xof.absorb(input);
        xof.finish();
        let mut output = [0; N];
        xof.squeeze(&mut output);
        output
    }

    #[test]
    fn the_primitive_is_the_standard_one() {
        // NIST SP 800-232, Ascon-XOF128 of the empty message, first 32 bytes (LWC_XOF_KAT_128_512.txt, Count = 1).
        let expected = "473d5e6164f58b39dfd84aacdb8ae42ec2d91fed33388ee0d960d9b3993295c6";
        let hex: std::string::String = xof::<32>(b"").iter().map(|byte| std::format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn the_sponge_is_that_of_another_implementation() {
        let mut input = [0xa5; 100];
        (0..).zip(&mut input).for_each(|(index, byte): (u8, &mut u8)| *byte ^= index);
        for length in 0..input.len() {
            let mut theirs = AsconXof128::default();
            theirs.update(&input[..length]);
            let mut expected = [0; 45];
            theirs.finalize_xof().read(&mut expected);
            assert_eq!(xof::<45>(&input[..length]), expected, "{length} bytes");
            // In two parts, and more output than one block.
            let mut parts = Xof::IDLE;
            parts.begin();
            parts.absorb(&input[..length / 3]);
            parts.absorb(&input[length / 3..length]);
            parts.finish();
            let mut output = [0; 45];
            parts.squeeze(&mut output);
            assert_eq!(output, expected, "{length} bytes in two parts");
        }
    }
}
