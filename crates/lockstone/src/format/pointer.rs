//! Pointers of the index: which record stands for a subtree.
//!
//! ```text
//! bits 31..26  level: the bit of the hash at which the subtree's keys differ from the record's (0-63)
//! bits 25..0   reference: place in units, in as many bits as the part has places; above it, as far as bits remain,
//!              the record's length in steps, so that one read fetches it
//! then         check: the first bytes of the tag of the record pointed to (4 sealed, 2 plain)
//! ```
//!
//! Heads in RAM hold the same without a level. A reference names a physical place; the life of the segment that it
//! means follows from the newest sequence number, and the tag of the record is bound to both.

use super::{Reader, Writer};
use crate::layout::{Layout, Position};
use crate::seal::Suite;

/// Bits of a reference.
const REFERENCE_BITS: u32 = 26;
const REFERENCE_MASK: u32 = (1 << REFERENCE_BITS) - 1;
/// In RAM: this is a reference, not nothing.
const PRESENT: u32 = 1 << 31;

/// Bytes of one pointer on flash.
pub(crate) const fn pointer_length<S: Suite>() -> usize {
    4 + S::CHECK
}

/// A record as others see it: where it is, about how long, and how its tag begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    word: u32,
    check: u32,
}

impl Head {
    /// Points nowhere.
    pub(crate) const EMPTY: Self = Self { word: 0, check: 0 };

    /// Points to a record of `length` bytes (padded) at `at`.
    pub(crate) fn new<S: Suite>(layout: &Layout, at: Position, length: u32, link: u32) -> Self {
        let place = layout.address(at) / layout.unit;
        let hint = match hint_step(layout) {
            Some(step) => (length / layout.unit).div_ceil(step) << place_bits(layout),
            None => 0,
        };
        Self { word: (place | hint) & REFERENCE_MASK | PRESENT, check: check_of::<S>(link) }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.word == 0
    }

    /// Whether a record whose tag begins so is the one meant.
    pub(crate) fn fits<S: Suite>(self, link: u32) -> bool {
        self.check == check_of::<S>(link)
    }

    /// Where the record is, given the newest sequence number; `None` for a place that was never written.
    pub(crate) fn position(self, layout: &Layout, newest: u32) -> Option<Position> {
        let place = self.word & ((1 << place_bits(layout)) - 1);
        let per_segment = layout.segment / layout.unit;
        let (physical, offset) = (place / per_segment, place % per_segment * layout.unit);
        let back = (layout.physical(newest) + layout.segments).checked_sub(physical)? % layout.segments;
        Some(Position::new(newest.checked_sub(back)?, offset))
    }

    /// Bytes to read for the whole record: enough, if there is a hint at all.
    pub(crate) fn length_hint(self, layout: &Layout) -> Option<u32> {
        let step = hint_step(layout)?;
        Some(((self.word & REFERENCE_MASK) >> place_bits(layout)) * step * layout.unit)
    }

    pub(crate) fn write<S: Suite>(self, level: u8, writer: &mut Writer<'_>) {
        writer.put(&(self.word & REFERENCE_MASK | u32::from(level) << REFERENCE_BITS).to_le_bytes());
        writer.put(self.check.to_le_bytes().get(..S::CHECK).unwrap_or_default());
    }

    pub(crate) fn read<S: Suite>(reader: &mut Reader<'_>) -> Option<(u8, Self)> {
        let word = reader.u32()?;
        let mut check = [0; 4];
        check.iter_mut().zip(reader.take(S::CHECK)?).for_each(|(to, from)| *to = *from);
        let level = u8::try_from(word >> REFERENCE_BITS).ok()?;
        Some((level, Self { word: word & REFERENCE_MASK | PRESENT, check: u32::from_le_bytes(check) }))
    }

    /// For the digest of all heads.
    pub(crate) fn as_u64(self) -> u64 {
        u64::from(self.word) << 32 | u64::from(self.check)
    }
}

/// The part of a link that pointers keep.
const fn check_of<S: Suite>(link: u32) -> u32 {
    if S::CHECK == 2 { link & 0xffff } else { link }
}

fn place_bits(layout: &Layout) -> u32 {
    (layout.places() - 1).checked_ilog2().map_or(0, |bits| bits + 1)
}

/// Units per step of the length hint; `None` when no bit remains for one.
fn hint_step(layout: &Layout) -> Option<u32> {
    let steps = (1 << (REFERENCE_BITS - place_bits(layout))) - 1;
    if steps == 0 { None } else { Some((layout.record_max / layout.unit).div_ceil(steps)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_finds_its_record_again() {
        for (program, erase, capacity) in [(4, 4096, 64 * 4096), (1, 1024, 16 * 1024), (8, 262_144, 1 << 26)] {
            let layout = Layout::of(1, program, erase, capacity).unwrap();
            let newest = 3 * layout.segments + 5;
            for sequence in newest + 1 - layout.segments..=newest {
                let at = Position::new(sequence, layout.segment - 2 * layout.unit);
                let head = Head::new::<crate::seal::Plain>(&layout, at, layout.record_max, 0x0707_0707);
                assert_eq!(head.position(&layout, newest), Some(at));
                assert!(head.length_hint(&layout).is_none_or(|hint| hint >= layout.record_max));
                let mut bytes = [0; 6];
                head.write::<crate::seal::Plain>(63, &mut Writer::new(&mut bytes));
                assert_eq!(Head::read::<crate::seal::Plain>(&mut Reader(&bytes)), Some((63, head)));
            }
        }
    }
}
