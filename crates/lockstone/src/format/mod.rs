//! The format on flash: every bit is declared in this folder, once. docs/spec/format.md draws it.
//!
//! Pure functions from bytes to values and back; they read no flash and know no key. Whatever the bytes, nothing here
//! panics or believes a length that was not checked: a number behind the end reads as 0, and a field that does not fit
//! is not written.

pub(crate) mod header;
#[cfg(feature = "objects")]
pub(crate) mod object;
#[cfg(feature = "objects")]
pub(crate) mod pins;
pub(crate) mod pointer;
pub(crate) mod record;
#[cfg(feature = "objects")]
pub(crate) mod slot;

/// Version of the format that this crate writes and reads.
pub const FORMAT_VERSION: u8 = 1;

/// The number at a place; 0 behind the end. Not inlined: the check of the end is code too.
pub(crate) fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The same of eight bytes.
#[cfg(feature = "objects")]
#[inline(always)]
pub(crate) fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at + 4)) << 32 | u64::from(word(bytes, at))
}

/// Writes a number, if it fits.
pub(crate) fn put_word(bytes: &mut [u8], at: usize, word: u32) {
    put(bytes, at, &word.to_le_bytes());
}

/// Writes bytes, those that fit. Byte by byte, each with its check: a fifteenth of the code of a general copy.
#[inline(never)]
pub(crate) fn put(bytes: &mut [u8], at: usize, from: &[u8]) {
    for (index, byte) in from.iter().enumerate() {
        if let Some(place) = bytes.get_mut(at + index) {
            *place = *byte;
        }
    }
}

/// Whether bytes are the same: what is compared here is no secret.
#[inline(never)]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b)
}

/// The low half.
#[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
pub(crate) const fn low_word(long: u64) -> u32 {
    long as u32
}
