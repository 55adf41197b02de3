//! Pins: what a finished object consists of, named so that nothing else passes for it. A tree, of pieces of nine pins.
//!
//! ```text
//! manifest --pin--> | piece: 9 pins | --> | piece: 9 pins | --> ... --> | piece: 9 pins | --> chunk
//! table   = slot    | head 4 | piece | piece | ... |           6 in a slot with a chunk of 512 bytes, 11 with one of 1,024
//! piece             | tag | pin | pin | ...        |           sealed by itself: a reader reads those on the way
//! pin               | slot 2 | session 2 | check 4 |
//! ```
//!
//! Chunks are rank 0. The pieces of a rank pin all that is in the rank below, nine each and in order, until one is left: the root.
//! Pieces are counted from 0 on over all ranks, so that their numbers follow from that of the chunks alone, and the root is the
//! last. Chunks and pieces behind them are counted as one, too: as *items*. Items in order have pieces in order.

use core::ops::Range;

use super::object::SLOTS_MAX;
use super::{long, low_word};

/// Where a chunk or a piece of a finished object is, and which of all that were ever sealed for its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pin(u64);

/// Bytes of a pin.
pub(crate) const PIN: usize = 8;
/// Pins of a piece, so that six with tags of 16 bytes fill the slot of a chunk of 512 bytes, and four are on the way to one of 3 MB.
pub(crate) const PINS: usize = PINS_COUNT as usize;
pub(crate) const PINS_COUNT: u32 = 9;
/// Bytes of the pins of a piece, which follow its tag.
pub(crate) const PINS_SIZE: usize = PIN * PINS;
pub(crate) const PINS_LENGTH: u32 = 8 * PINS_COUNT;
/// The slot of a piece whose pin is in the same table: which one that becomes is known when it took the table.
const HERE: u32 = SLOTS_MAX;

impl Pin {
    /// Slots and sessions are at most [`SLOTS_MAX`].
    pub(crate) fn of(slot: u32, session: u32, check: u32) -> Self {
        Self(u64::from(check) << 32 | u64::from(session << 16 | slot))
    }

    /// Of a piece of the same table.
    pub(crate) fn here(session: u32, check: u32) -> Self {
        Self::of(HERE, session, check)
    }

    /// The same, read from a table in this slot.
    pub(crate) fn seen_in(self, slot: u32) -> Self {
        if self.slot() == HERE { Self::of(slot, self.session(), self.check()) } else { self }
    }

    pub(crate) const fn slot(self) -> u32 {
        low_word(self.0) & SLOTS_MAX
    }

    pub(crate) const fn session(self) -> u32 {
        low_word(self.0) >> 16
    }

    pub(crate) const fn check(self) -> u32 {
        low_word(self.0 >> 32)
    }

    pub(crate) const fn to_bytes(self) -> [u8; PIN] {
        self.0.to_le_bytes()
    }

    pub(crate) fn of_bytes(bytes: &[u8], at: usize) -> Self {
        Self(long(bytes, at))
    }
}

/// How many pieces an object of so many chunks has.
pub(crate) const fn pieces_for(chunks: u32) -> u32 {
    let (mut rank, mut pieces) = (chunks, 0);
    while rank > 0 {
        rank = rank.div_ceil(PINS_COUNT);
        pieces += rank;
        if rank == 1 {
            break;
        }
    }
    pieces
}

/// The piece that pins an item, and as which of its pins; of the root, one that is not there.
pub(crate) const fn pinned_by(chunks: u32, item: u32) -> (u32, u32) {
    let (mut start, mut rank) = (0, if chunks == 0 { 1 } else { chunks });
    while item >= start + rank {
        start += rank;
        rank = rank.div_ceil(PINS_COUNT);
    }
    let at = item - start;
    (start + rank - chunks + at / PINS_COUNT, at % PINS_COUNT)
}

/// The items that some pieces pin.
pub(crate) const fn pinned(chunks: u32, pieces: Range<u32>) -> Range<u32> {
    first_pinned(chunks, pieces.start)..first_pinned(chunks, pieces.end)
}

const fn first_pinned(chunks: u32, piece: u32) -> u32 {
    let (mut start, mut rank) = (0, if chunks == 0 { 1 } else { chunks });
    while chunks + piece >= start + rank + rank.div_ceil(PINS_COUNT) {
        start += rank;
        rank = rank.div_ceil(PINS_COUNT);
    }
    start + (chunks + piece - start - rank) * PINS_COUNT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_was_written() {
        let pin = Pin::of(300, 40_000, 0x89ab_cdef);
        assert_eq!((pin.slot(), pin.session(), pin.check()), (300, 40_000, 0x89ab_cdef));
        assert_eq!((Pin::of_bytes(&pin.to_bytes(), 0), pin.seen_in(7)), (pin, pin));
        assert_eq!(Pin::here(40_000, 5).seen_in(7), Pin::of(7, 40_000, 5));
    }

    #[test]
    fn each_item_is_pinned_once_and_the_root_is_last() {
        for chunks in (1..1000).chain([4032, 4096, 6560, 6561, 6562, 0xffff, 8 << 20]) {
            let pieces = pieces_for(chunks);
            let root = chunks + pieces - 1;
            assert_eq!(pinned_by(chunks, root).0, pieces, "{chunks}: nothing pins the root");
            let step = (root as usize / 2000).max(1);
            for item in (0..root).step_by(step).chain(root.saturating_sub(20)..root) {
                let (piece, at) = pinned_by(chunks, item);
                let items = pinned(chunks, piece..piece + 1);
                assert!(piece < pieces && chunks + piece > item, "{chunks}: {item} by {piece}");
                assert!(items.contains(&item) && item - items.start == at && items.len() <= PINS, "{chunks}: {item}");
            }
            assert_eq!(pinned(chunks, 0..pieces), 0..root, "{chunks}");
        }
        assert_eq!([0, 1, 9, 10, 5860, 0xffff].map(pieces_for), [0, 1, 1, 3, 735, 8195]);
    }

    #[test]
    fn four_pieces_are_on_the_way_to_6561_chunks() {
        for (chunks, most) in [(1, 1), (9, 1), (10, 2), (81, 2), (82, 3), (729, 3), (730, 4), (6561, 4), (0xffff, 6)] {
            for chunk in [0, chunks / 2, chunks - 1] {
                let (mut item, mut ranks) = (chunk, 0);
                while item != chunks + pieces_for(chunks) - 1 {
                    item = chunks + pinned_by(chunks, item).0;
                    ranks += 1;
                }
                assert_eq!(ranks, most, "{chunks}: {chunk}");
            }
        }
    }
}
