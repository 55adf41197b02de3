//! The format on flash: every bit is declared in this folder, once. docs/spec/format.md draws it.
//!
//! Pure functions from bytes to values and back; they read no flash and know no key. Whatever the bytes, nothing here
//! panics or believes a length that was not checked: a number behind the end reads as 0, and a field that does not fit
//! is not written.

pub(crate) mod header;
pub(crate) mod pointer;
pub(crate) mod record;

/// Version of the format that this crate writes and reads.
pub const FORMAT_VERSION: u8 = 1;

/// The number at a place; 0 behind the end.
pub(crate) fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Writes a number, if it fits.
pub(crate) fn put_word(bytes: &mut [u8], at: usize, word: u32) {
    put(bytes, at, &word.to_le_bytes());
}

/// Writes bytes, if they fit.
pub(crate) fn put(bytes: &mut [u8], at: usize, from: &[u8]) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..from.len())) {
        place.copy_from_slice(from);
    }
}

/// The low half.
#[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
pub(crate) const fn low_word(long: u64) -> u32 {
    long as u32
}
