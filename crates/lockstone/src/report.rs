//! What a mount found, and what a store says of itself.

use crate::layout::Position;

/// What the last mount saw: in the whole log when it was [read thoroughly](crate::Part::thoroughly) or had to be, else in the
/// end of it that was read. Nothing in here was repaired silently: a mount writes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The store was closed in order: its last record is a closing mark.
    pub clean: bool,
    /// Sequence number of the newest segment and of the oldest that is needed.
    pub newest: u32,
    /// See `newest`.
    pub oldest: u32,
    /// Records read and found good, dead ones included.
    pub records: u32,
    /// Places where a record can't be read although something was written after it.
    pub damaged_records: u32,
    /// Segment headers that can't be read although their segment is needed.
    pub damaged_headers: u32,
    /// Bytes behind the end of the log that a cut write left.
    pub torn_bytes: u32,
    /// Groups of records that never became whole: they were being written when power went.
    pub unfinished_runs: u32,
    /// The flash is older than the counter says, and was mounted all the same.
    pub rolled_back: bool,
    /// A record was met whose signpost, which vouches for its pointers alone, does not fit. From then on records are read whole, so
    /// nothing hangs on it; a bit of the flash has changed, or somebody tried something.
    pub signposts_broken: bool,
    /// The newest damage that may hide the newest state of a key. Keys whose newest record is older than this place
    /// can't be answered for (`Error::Damaged`), nor can absence there; the others are served as usual. Writes are
    /// refused. `None`: every key is answered for.
    pub doubt: Option<Position>,
}

impl Report {
    /// Before a mount.
    pub(crate) const NONE: Self = Self {
        clean: false,
        newest: 0,
        oldest: 0,
        records: 0,
        damaged_records: 0,
        damaged_headers: 0,
        torn_bytes: 0,
        unfinished_runs: 0,
        rolled_back: false,
        signposts_broken: false,
        doubt: None,
    };

    /// Before another look at the flash in the same session: what was met is remembered, so that who provokes one has no second
    /// try with a signpost.
    pub(crate) const fn again(&self) -> Self {
        Self { signposts_broken: self.signposts_broken, ..Self::NONE }
    }

    /// Nothing unexpected was found. A torn tail is expected after a power cut.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.is_log_sound() && !self.signposts_broken
    }

    /// The same of the mount alone.
    pub(crate) const fn is_log_sound(&self) -> bool {
        self.damaged_records == 0 && self.damaged_headers == 0 && self.doubt.is_none()
    }
}

/// Where the counter of a store stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CounterState {
    /// Its value.
    pub value: u32,
    /// Steps that it has left: one for each protected commit, and one for each power session that makes any.
    pub left: u32,
    /// Less than an eighth of all its steps, or only two, are left.
    pub low: bool,
}

/// Fill, wear and health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Keys stored.
    pub keys: u32,
    /// Bytes that the stored records take, an allowance for their pointers included.
    pub used_bytes: u32,
    /// Bytes that `used_bytes` may reach.
    pub capacity_bytes: u32,
    /// Segments of the part, of `segment_bytes` each.
    pub segments: u32,
    /// Bytes of a segment.
    pub segment_bytes: u32,
    /// Segments that hold log.
    pub log_segments: u32,
    /// Segments retired as bad.
    pub bad_segments: u32,
    /// Fewest erases of any segment whose header can be read.
    pub erases_min: u32,
    /// Most erases of any segment.
    pub erases_max: u32,
}

/// Where an iteration stands. A fresh one starts at the beginning.
///
/// The order is that of the keyed hash, so it says nothing of the names. Whatever is written between two steps: a key
/// that exists all the while is found exactly once, and no key is found twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) bucket: u32,
    /// The next position to look at in the bucket, in the order of the index; `None`: the bucket is done.
    pub(crate) next: u64,
    pub(crate) done: bool,
}

impl Cursor {
    /// The beginning.
    #[must_use]
    pub const fn new() -> Self {
        Self { bucket: 0, next: 0, done: false }
    }

    /// Where it stands, as two words: for those who keep it where nothing but numbers can be kept.
    #[must_use]
    pub const fn as_words(self) -> (u32, u64) {
        (if self.done { u32::MAX } else { self.bucket }, self.next)
    }

    /// A cursor from two words. Whatever they are, an iteration from there ends; only those of
    /// [`as_words`](Self::as_words) find what comes next.
    #[must_use]
    pub const fn of_words(bucket: u32, next: u64) -> Self {
        Self { bucket, next, done: bucket > BUCKETS_MAX }
    }
}

/// A store has at most so many bucket heads.
const BUCKETS_MAX: u32 = 0xffff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_as_words_and_nonsense_is_the_end() {
        for cursor in [Cursor::new(), Cursor { bucket: 7, next: u64::MAX, done: false }] {
            let (bucket, next) = cursor.as_words();
            assert_eq!(Cursor::of_words(bucket, next), cursor);
        }
        let (bucket, next) = Cursor { bucket: 3, next: 4, done: true }.as_words();
        assert!(Cursor::of_words(bucket, next).done);
        for bucket in [BUCKETS_MAX + 1, u32::MAX - 1, u32::MAX] {
            assert!(Cursor::of_words(bucket, 0).done);
        }
        assert!(!Cursor::of_words(BUCKETS_MAX, 0).done);
    }
}
