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

#[cfg(feature = "async")]
use super::paced::Work;
use super::{Domain, Keys, Sponge, StoreId, Suite, Tag};
use crate::format::{low_word, put_word};
use crate::layout::Position;
use crate::trust::{RootKey, RootKeyError};

/// A sponge that has begun and absorbed `lockstone root key derivation 01`.
const BEHIND_LABEL: [u64; 5] =
    [0x7fff_c920_eb63_b1a1, 0x832f_5e7e_6639_129b, 0x2280_01a0_0daa_7141, 0x4cf8_5111_83f0_ca66, 0x99b1_acbb_f6a7_ba6a];

/// Ascon-XOF128: absorbs any bytes, then gives as many as are wanted, eight at a time.
impl Sponge {
    /// Begins with the parameters of Ascon-XOF128 (SP 800-232, 5.2). In place: a move of the state is a library call.
    fn begin(&mut self) {
        self.state = [0x0000_0800_00cc_0003, 0, 0, 0, 0];
        self.permute();
    }

    /// The sponge behind the key of a store.
    fn behind(keys: &Keys) -> Self {
        let mut xof = Self::IDLE;
        xof.start_behind(keys);
        xof
    }

    /// The same in place.
    #[inline(always)]
    fn start_behind(&mut self, keys: &Keys) {
        let [a, b, c, d, e, ..] = keys.0;
        self.state = [a, b, c, d, e];
        self.filled = 0;
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

    /// Turns the next byte of the block to where it's worked at: a shift of 64 bits by a number is a call on small
    /// processors. After eight of them each is where it was.
    fn next_byte(&mut self) {
        self.state[0] = self.state[0].rotate_right(8);
        self.filled = (self.filled + 1) % 8;
        if self.filled == 0 {
            self.permute();
        }
    }

    /// Half of the code of the suite. What is as small as can be has it once: the crate's, which a digest of the same family calls too.
    #[inline(always)]
    fn permute(&mut self) {
        permute12(&mut self.state);
    }

    /// Ends the input: pads the block. What is in it is stirred when output is wanted.
    #[inline(never)]
    fn finish(&mut self) {
        self.state[0] ^= 1;
        for _ in self.filled..8 {
            self.state[0] = self.state[0].rotate_right(8);
        }
        self.filled = 0;
    }

    /// Combines the next output, after [`finish`](Self::finish), with what is in `text`. More can follow whole blocks only.
    // Not inlined: where the permutation is, its caller would keep room for it while it absorbs, which has its own.
    #[inline(never)]
    fn squeeze(&mut self, text: &mut [u8]) {
        for block in text.chunks_mut(8) {
            self.permute();
            for byte in block {
                *byte ^= low_word(self.state[0]).to_le_bytes()[0];
                self.state[0] = self.state[0].rotate_right(8);
            }
        }
    }

    /// The first word of the output.
    fn word(&mut self) -> u64 {
        self.finish();
        self.permute();
        self.state[0]
    }
}

/// The default suite: private and authentic. Of the keys it uses the first 40 bytes: the state of the sponge behind the key.
#[derive(Clone, Copy, Debug)]
pub struct Ascon;

impl Ascon {
    /// Absorbs `parts`, the first of which is a label, and combines the output with what is in `output`.
    #[inline(never)]
    fn run(keys: &Keys, parts: &[&[u8]], output: &mut [u8]) {
        let mut xof = Sponge::behind(keys);
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
        let mut tag = Tag::default();
        Self::run(keys, &[label(domain), &place(at), associated, text], &mut tag);
        tag
    }
}

/// Bytes of a step: two permutations.
#[cfg(feature = "async")]
const STEP: usize = 16;

/// What a message begins with, by kind.
#[inline(always)]
const fn label(domain: Domain) -> &'static [u8; 8] {
    match domain {
        Domain::Record => b"record..",
        Domain::Header => b"header..",
        Domain::ClearRecord => b"clear...",
        Domain::Chunk => b"chunk...",
        Domain::Block => b"block...",
        Domain::Table => b"table...",
    }
}

#[inline(always)]
fn place(at: Position) -> [u8; 8] {
    let mut place = [0; 8];
    put_word(&mut place, 0, at.sequence);
    put_word(&mut place, 4, at.offset);
    place
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
        let mut xof = Sponge::IDLE;
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
        let mut xof = Sponge::behind(keys);
        xof.absorb(b"heads...");
        for item in words {
            xof.absorb(&item.to_le_bytes());
        }
        xof.word()
    }

    /// Sealing absorbs what makes the tag, then applies the stream that the tag gives; unsealing does it the other way round.
    #[cfg(feature = "async")]
    fn step(work: &mut Work<'_>) -> bool {
        let stream = work.progress.second != work.given.is_some();
        let from = work.progress.done;
        let end = from + STEP;
        let place = place(work.at);
        let input = match (stream, work.progress.part) {
            (true, 0) => Some(&b"stream.."[..]),
            (true, 1) => Some(work.given.unwrap_or(&work.progress.tag)),
            (false, 0) => Some(&label(work.domain)[..]),
            (false, 1) => Some(&place[..]),
            (false, 2) => Some(work.associated),
            (false, 3) => Some(&*work.text),
            _ => None,
        };
        // A label is shorter than a step.
        if work.progress.part == 0 {
            work.progress.sponge.start_behind(work.keys);
        }
        work.progress.done = end;
        if let Some(input) = input {
            work.progress.sponge.absorb(input.get(from..end.min(input.len())).unwrap_or_default());
            if end >= input.len() {
                work.progress.part += 1;
                work.progress.done = 0;
                if work.progress.part == if stream { 2 } else { 4 } {
                    work.progress.sponge.finish();
                }
            }
            return true;
        }
        let output = if stream { &mut *work.text } else { &mut work.progress.tag };
        let length = if stream && work.domain == Domain::ClearRecord { 0 } else { output.len() };
        work.progress.sponge.squeeze(output.get_mut(from..end.min(length)).unwrap_or_default());
        if end < length {
            return true;
        }
        let more = !work.progress.second;
        (work.progress.second, work.progress.part, work.progress.done) = (true, 0, 0);
        if !more {
            work.progress.sponge.state.zeroize();
        }
        more
    }

    #[cfg(feature = "async")]
    const DIGEST_IN_STEPS: bool = true;

    #[cfg(feature = "async")]
    fn digest_begin(sponge: &mut Sponge, keys: &Keys) {
        sponge.start_behind(keys);
        sponge.absorb(b"heads...");
    }

    #[cfg(feature = "async")]
    fn digest_word(sponge: &mut Sponge, word: u64) {
        sponge.absorb(&word.to_le_bytes());
    }

    #[cfg(feature = "async")]
    fn digest_end(sponge: &mut Sponge) -> u64 {
        sponge.word()
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
    // Not inlined: a caller's frame would keep the sponge.
    #[inline(never)]
    fn derive(&self, label: &[u8], key: &mut [u8; 32]) -> Result<(), RootKeyError> {
        let mut xof = Sponge { state: BEHIND_LABEL, filled: 0 };
        // By words, which is longer and faster than by bytes: nothing else runs meanwhile.
        xof.absorb_words(&self.key);
        let rest = xof.absorb_words(label);
        xof.absorb(rest);
        xof.finish();
        for word in key.as_chunks_mut().0 {
            xof.permute();
            *word = xof.state[0].to_le_bytes();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ascon_xof128::AsconXof128;
    use ascon_xof128::digest::{ExtendableOutput, Update, XofReader};

    use super::*;

    const AT: Position = Position { sequence: 7, offset: 84 };

    /// What is a constant, computed.
    #[test]
    fn the_label_of_a_root_key_leads_where_derivation_begins() {
        let mut xof = Sponge::IDLE;
        xof.begin();
        xof.absorb(b"lockstone root key derivation 01");
        assert_eq!(xof.state, BEHIND_LABEL, "{:#018x?}", xof.state);
    }

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
        let mut xof = Sponge::IDLE;
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
            let mut parts = Sponge::IDLE;
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
