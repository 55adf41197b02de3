//! Suite `aes`: AES-SIV (RFC 5297, AEAD_AES_SIV_CMAC_256), for chips that have AES in hardware.
//!
//! ```text
//! K_siv (32)            = root.derive("lockstone" | version | store id)
//! K_index | K_heads     = root.derive("lockindex" | version | store id)       16 bytes each
//! tag, text'            = AES-SIV( K_siv; domain | sequence | offset, associated; text )
//! hash                  = AES-CMAC( K_index; space | name )[8]                 RFC 4493
//! digest                = AES-CMAC( K_heads; words )[8]
//! ```
//!
//! A standard mode and a standard primitive. In software it is about five times the code of `ascon`; a hardware engine
//! takes the place of the block cipher: implement `BlockCipherEncrypt` and `KeyInit` of the crate `cipher` for it, and
//! use [`AesSiv`] with it (`tests/it/engine.rs` shows one). The asynchronous store seals each message in one go.

use aes_siv::siv::CmacSiv;
use cipher::array::typenum::U16;
use cipher::{BlockCipherEncrypt, BlockSizeUser, KeyInit, KeySizeUser};
use cmac::{Cmac, Mac};
use zeroize::{Zeroize, Zeroizing};

use super::{Domain, Keys, StoreId, Suite, Tag};
use crate::layout::Position;
use crate::trust::{RootKey, RootKeyError};

/// AES-SIV over a block cipher `C` with blocks and keys of 16 bytes: AES-128 in software or hardware. The first half of the
/// keys is the mode's, the second serves index and heads.
pub struct AesSiv<C> {
    cipher: core::marker::PhantomData<fn() -> C>,
}

/// The suite with AES in software.
pub type Aes = AesSiv<aes::Aes128>;

impl<C> core::fmt::Debug for AesSiv<C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("AesSiv")
    }
}

/// What can take the place of AES-128: a block cipher with blocks and keys of 16 bytes. Implemented for all that fit.
pub trait Block16: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeySizeUser<KeySize = U16> + KeyInit {}

impl<C> Block16 for C where C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeySizeUser<KeySize = U16> + KeyInit
{}

impl<C: Block16> AesSiv<C> {
    /// The first 16 bytes serve the index, the others the heads.
    fn mac(keys: &Keys, half: usize) -> Cmac<C> {
        let bytes = half_of(keys, 1);
        let [index, heads] = bytes.as_chunks().0 else { return <Cmac<C> as KeyInit>::new(&[0; 16].into()) };
        <Cmac<C> as KeyInit>::new(if half == 0 { index } else { heads }.into())
    }

    fn place(domain: Domain, at: Position) -> [u8; 9] {
        let [s0, s1, s2, s3] = at.sequence.to_le_bytes();
        let [o0, o1, o2, o3] = at.offset.to_le_bytes();
        [domain as u8, s0, s1, s2, s3, o0, o1, o2, o3]
    }
}

/// One half of the keys as bytes.
fn half_of(keys: &Keys, half: usize) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    let words = keys.0.iter().skip(4 * half);
    for (place, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    bytes
}

fn word<C: Block16>(mac: Cmac<C>) -> u64 {
    let code: [u8; 16] = mac.finalize().into_bytes().into();
    code.first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

impl<C: Block16> Suite for AesSiv<C> {
    const ID: u8 = 2;
    const NAME: &'static str = "aes";
    const TAG: usize = 16;
    const LINK: usize = 4;
    const OPAQUE: bool = true;
    const CHECK: usize = 4;

    fn unlock<K: RootKey>(keys: &mut Keys, root: &K, id: &StoreId) -> Result<(), RootKeyError> {
        let mut label = *b"lockstone\x01........";
        if let Some(place) = label.last_chunk_mut() {
            *place = *id;
        }
        for (half, name) in keys.0.chunks_mut(4).zip([b"lockstone", b"lockindex"]) {
            if let Some(place) = label.first_chunk_mut() {
                *place = *name;
            }
            let mut key = Zeroizing::new([0; 32]);
            root.derive(&label, &mut key)?;
            for (word, bytes) in half.iter_mut().zip(key.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        }
        Ok(())
    }

    fn seal(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &mut [u8]) -> Tag {
        let mut siv = CmacSiv::<C>::new((&*half_of(keys, 0)).into());
        let place = Self::place(domain, at);
        // A few headers are far below the 126 that can fail.
        let tag = if domain == Domain::ClearRecord {
            siv.encrypt_inout_detached([&place[..], associated, text], (&mut [][..]).into())
        } else {
            siv.encrypt_inout_detached([&place[..], associated], text.into())
        };
        tag.map_or(Tag::default(), Into::into)
    }

    fn unseal(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &mut [u8], tag: &[u8]) -> bool {
        let mut siv = CmacSiv::<C>::new((&*half_of(keys, 0)).into());
        let Some(tag) = tag.first_chunk::<16>() else { return false };
        let place = Self::place(domain, at);
        let tag = &(*tag).into();
        let good = if domain == Domain::ClearRecord {
            siv.decrypt_inout_detached([&place[..], associated, text], (&mut [][..]).into(), tag).is_ok()
        } else {
            siv.decrypt_inout_detached([&place[..], associated], (&mut *text).into(), tag).is_ok()
        };
        if !good {
            text.zeroize();
        }
        good
    }

    fn hash(keys: &Keys, space: u64, name: &[u8]) -> u64 {
        let mut mac = Self::mac(keys, 0);
        mac.update(&space.to_le_bytes());
        mac.update(name);
        word(mac)
    }

    fn digest(keys: &Keys, words: impl Iterator<Item = u64>) -> u64 {
        let mut mac = Self::mac(keys, 1);
        words.for_each(|item| mac.update(&item.to_le_bytes()));
        word(mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::RootKeyError;

    struct Root;

    impl RootKey for Root {
        fn derive(&self, label: &[u8], key: &mut [u8; 32]) -> Result<(), RootKeyError> {
            let sum = label.iter().fold(7, |sum: u8, byte| sum.rotate_left(1) ^ byte);
            key.iter_mut().zip(0..32).for_each(|(byte, index)| *byte = sum.wrapping_add(index));
            Ok(())
        }
    }

    #[test]
    fn the_mode_is_the_standard_one() {
        // RFC 5297, appendix A.1 (deterministic authenticated encryption).
        let key = hex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        let mut siv = CmacSiv::<aes::Aes128>::new(&<[u8; 32]>::try_from(&key[..]).unwrap().into());
        let header = hex("101112131415161718191a1b1c1d1e1f2021222324252627");
        let mut text = hex("112233445566778899aabbccddee");
        let tag = siv.encrypt_inout_detached([&header[..]], text.as_mut_slice().into()).unwrap();
        assert_eq!(tag[..], hex("85632d07c6e8f37f950acd320a2ecc93")[..]);
        assert_eq!(text, hex("40c02b9690c4dc04daef7f6afe5c"));
    }

    #[test]
    fn the_code_is_the_standard_one() {
        // RFC 4493, section 4, examples 1 and 2.
        let key = <[u8; 16]>::try_from(&hex("2b7e151628aed2a6abf7158809cf4f3c")[..]).unwrap();
        let code = |text: &str| {
            let mut mac = <Cmac<aes::Aes128> as KeyInit>::new(&key.into());
            mac.update(&hex(text));
            <[u8; 16]>::from(mac.finalize().into_bytes()).to_vec()
        };
        assert_eq!(code(""), hex("bb1d6929e95937287fa37d129b756746"));
        assert_eq!(code("6bc1bee22e409f96e93d7e117393172a"), hex("070a16b46b4d4144f79bdd9dd04a287c"));
    }

    #[test]
    fn what_was_sealed_unseals_at_its_place_only() {
        let mut keys = Keys::none();
        Aes::unlock(&mut keys, &Root, b"store-01").unwrap();
        let at = Position { sequence: 7, offset: 84 };
        let mut text = *b"attack at dawn, and bring the ladder";
        let tag = Aes::seal(&keys, Domain::Record, at, b"head", &mut text);
        assert_ne!(&text, b"attack at dawn, and bring the ladder");
        for (domain, at, associated) in [
            (Domain::Header, at, b"head"),
            (Domain::Record, Position { sequence: 8, ..at }, b"head"),
            (Domain::Record, Position { offset: 88, ..at }, b"head"),
            (Domain::Record, at, b"tail"),
        ] {
            let mut copy = text;
            assert!(!Aes::unseal(&keys, domain, at, associated, &mut copy, &tag));
            assert_eq!(copy, [0; 36], "what failed is wiped");
        }
        for bit in 0..128 {
            let (mut copy, mut bad) = (text, tag);
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!Aes::unseal(&keys, Domain::Record, at, b"head", &mut copy, &bad), "bit {bit}");
        }
        assert!(Aes::unseal(&keys, Domain::Record, at, b"head", &mut text, &tag));
        assert_eq!(&text, b"attack at dawn, and bring the ladder");
    }

    #[test]
    fn a_header_without_text_is_sealed_too() {
        let mut keys = Keys::none();
        Aes::unlock(&mut keys, &Root, b"store-01").unwrap();
        let at = Position { sequence: 0, offset: 0 };
        let tag = Aes::seal(&keys, Domain::Header, at, b"fields", &mut []);
        assert!(Aes::unseal(&keys, Domain::Header, at, b"fields", &mut [], &tag));
        assert!(!Aes::unseal(&keys, Domain::Header, at, b"fieldz", &mut [], &tag));
        assert_ne!(Aes::hash(&keys, 0, b"a"), Aes::hash(&keys, 1, b"a"));
        assert_ne!(
            Aes::digest(&keys, [1].into_iter()),
            Aes::hash(&keys, 1, b""),
            "index and heads have keys of their own"
        );
    }

    fn hex(digits: &str) -> std::vec::Vec<u8> {
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }
}
