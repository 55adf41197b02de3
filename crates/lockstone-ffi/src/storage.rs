//! Storage: what is asked of a driver of CMSIS-Driver Storage before a store lies on it, and how much of what it says it did is
//! believed.
//!
//! Everything that a driver says is an allegation: sizes are held against what was asked for, its blocks must go on one behind
//! the other without a gap, and of a count that is no whole number of units nothing is believed.
#![forbid(unsafe_code)]

use core::ops::Range;

use crate::failure::{Failure, Result};

/// `ARM_STORAGE_PROGRAMMABILITY_RAM`, `_ERASABLE`: what can be written again.
const RAM: u32 = 0;
const ERASABLE: u32 = 3;
/// Bits of a block's attributes.
pub(crate) const CAN_ERASE: u32 = 1 << 0;
pub(crate) const CAN_PROGRAM: u32 = 1 << 1;
/// Blocks that a driver may list: more makes no sense, and would take for ever.
const BLOCKS_MAX: u32 = 1 << 16;

/// `ARM_STORAGE_BLOCK_ATTRIBUTES`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Erasable, programmable, executable, protectable, from the lowest bit on.
    pub bits: u32,
    /// Bytes that are erased at once.
    pub erase_unit: u32,
    /// Bytes that are protected at once.
    pub protection_unit: u32,
}

/// `ARM_STORAGE_BLOCK`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Its first byte.
    pub addr: u64,
    /// Its bytes.
    pub size: u64,
    /// What can be done with it.
    pub attributes: Attributes,
}

impl Block {
    /// What stands behind the last one.
    pub(crate) const NONE: Self =
        Self { addr: u64::MAX, size: 0, attributes: Attributes { bits: 0, erase_unit: 0, protection_unit: 0 } };

    /// Its bytes; `None`: that's no block.
    fn range(&self) -> Option<Range<u64>> {
        Some(self.addr..self.addr.checked_add(self.size)?).filter(|range| !range.is_empty())
    }
}

/// `ARM_STORAGE_INFO`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Information {
    /// Bytes in all.
    pub total_storage: u64,
    /// Bytes that are programmed at once; 0 as 1.
    pub program_unit: u32,
    /// Bytes that are programmed at once best.
    pub optimal_program_unit: u32,
    /// How often a place can be programmed.
    pub program_cycles: u32,
    /// From the lowest bit on: what an erased bit reads, memory-mapped, four bits of programmability, four of retention.
    pub bits: u32,
    /// What the storage is hardened against.
    pub security: u32,
}

/// How the range of a store is cut, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) program_unit: u32,
    pub(crate) erase_unit: u32,
    pub(crate) erased_value: u32,
}

/// How an operation ended, the driver says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this status: an error, or a count.
    Saying(i32),
    /// It is over, and nobody said of how many bytes.
    Silently,
}

impl Information {
    /// Whether a store can lie in `size` bytes from `start` on, all of it in blocks of one kind; `next` says the block behind a block.
    ///
    /// # Errors
    /// [`Failure::Layout`].
    pub(crate) fn geometry(
        &self,
        start: u64,
        size: u32,
        mut next: impl FnMut(Option<&Block>) -> Option<Block>,
    ) -> Result<Geometry> {
        let end = start.checked_add(size.into()).filter(|end| *end > start).ok_or(Failure::Layout)?;
        let written_again = matches!(self.bits >> 2 & 0xf, RAM | ERASABLE);
        let program_unit = self.program_unit.max(1);
        if !written_again || self.total_storage < size.into() || !program_unit.is_power_of_two() {
            return Err(Failure::Layout);
        }
        let (mut block, mut reached, mut erase_unit) = (None, start, 0);
        for _ in 0..BLOCKS_MAX {
            let found = next(block.as_ref()).ok_or(Failure::Layout)?;
            let range = found.range().ok_or(Failure::Layout)?;
            // In order, so that each is looked at once.
            if block.as_ref().and_then(Block::range).is_some_and(|before| range.start < before.end) {
                return Err(Failure::Layout);
            }
            block = Some(found);
            if range.end <= start {
                continue;
            }
            // The first one that reaches behind the start must begin at it or before, the others where the last one ended.
            let can = found.attributes.bits & (CAN_ERASE | CAN_PROGRAM) == CAN_ERASE | CAN_PROGRAM;
            let unit = found.attributes.erase_unit;
            if range.start > reached || !can || unit == 0 || erase_unit != 0 && erase_unit != unit {
                return Err(Failure::Layout);
            }
            // Units are counted from where a block begins, whatever its address is.
            let whole = |address: u64| (address - range.start).is_multiple_of(unit.into());
            erase_unit = unit;
            let from = reached;
            reached = range.end.min(end);
            if !whole(from) || !whole(reached) || !unit.is_multiple_of(program_unit) {
                return Err(Failure::Layout);
            }
            if reached == end {
                let erased_value = if self.bits & 1 == 1 { 0xff } else { 0 };
                return Ok(Geometry { program_unit, erase_unit, erased_value });
            }
        }
        Err(Failure::Layout)
    }
}

/// Looks at the blocks of a driver, as long as they come in order, make sense and are not absurdly many, until `look` has seen enough.
#[cfg(feature = "volume-manager")]
pub(crate) fn in_a_row(mut next: impl FnMut(Option<&Block>) -> Option<Block>, mut look: impl FnMut(&Block) -> bool) {
    let mut block: Option<Block> = None;
    for _ in 0..BLOCKS_MAX {
        let Some(found) = next(block.as_ref()) else { break };
        let behind = block.as_ref().and_then(Block::range).is_none_or(|before| found.addr >= before.end);
        if found.range().is_none() || !behind || !look(&found) {
            break;
        }
        block = Some(found);
    }
}

/// Does an operation on `length` bytes, step by step where the driver does less at once; each step is told what is done and what
/// is left. `None`: it failed, and what was to be changed is in an unknown state.
pub(crate) fn in_steps(length: u32, unit: u32, mut step: impl FnMut(u32, u32) -> Ended) -> Option<()> {
    let mut done = 0;
    while done < length {
        let left = length - done;
        let count = match step(done, left) {
            Ended::Silently => left,
            Ended::Saying(status) => u32::try_from(status).ok()?,
        };
        // Nothing done, or more than was asked for, or a part of a unit: then there is no telling what was done.
        if count == 0 || count > left || !count.is_multiple_of(unit) && count != left {
            return None;
        }
        done += count;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Information = Information {
        total_storage: 1 << 20,
        program_unit: 8,
        optimal_program_unit: 1024,
        program_cycles: 0,
        bits: 1 | ERASABLE << 2,
        security: 0,
    };

    fn block(addr: u64, size: u64) -> Block {
        let attributes = Attributes { bits: CAN_ERASE | CAN_PROGRAM, erase_unit: 4096, protection_unit: 0 };
        Block { addr, size, attributes }
    }

    fn ask(info: &Information, blocks: &[Block], start: u64, size: u32) -> Result<Geometry> {
        let mut calls = 0;
        info.geometry(start, size, |_| {
            calls += 1;
            blocks.get(calls - 1).copied()
        })
    }

    #[test]
    fn a_range_in_one_block_or_across_several_of_one_kind_is_taken() {
        let good = Ok(Geometry { program_unit: 8, erase_unit: 4096, erased_value: 0xff });
        let two = [block(0x8_0000, 0x4_0000), block(0xc_0000, 0x4_0000)];
        assert_eq!(ask(&GOOD, &two, 0x8_0000, 0x8_0000), good);
        assert_eq!(ask(&GOOD, &two, 0xb_f000, 0x2000), good);
        assert_eq!(ask(&GOOD, &two, 0xf_f000, 0x1000), good);
        let far = [block(u64::MAX - 0xfff - 0x2000, 0x2000)];
        assert_eq!(ask(&GOOD, &far, u64::MAX - 0xfff - 0x1000, 0x1000), good, "addresses have 64 bits");
        let odd = [block(0x100, 0x4000), block(0x4100, 0x4000)];
        assert_eq!(ask(&GOOD, &odd, 0x1100, 0x6000), good, "units are counted from where a block begins");
        assert_eq!(ask(&GOOD, &odd, 0x1000, 0x6000), Err(Failure::Layout));
        assert_eq!(ask(&Information { program_unit: 0, ..GOOD }, &two, 0x8_0000, 4096).unwrap().program_unit, 1);
        assert_eq!(ask(&Information { bits: ERASABLE << 2, ..GOOD }, &two, 0x8_0000, 4096).unwrap().erased_value, 0);
    }

    #[test]
    fn a_part_that_makes_no_sense_is_refused() {
        let one = [block(0, 1 << 20)];
        for info in [
            Information { total_storage: 4095, ..GOOD },
            Information { program_unit: 3, ..GOOD },
            Information { program_unit: 8192, ..GOOD },
            Information { bits: 1 | 1 << 2, ..GOOD },
            Information { bits: 1 | 2 << 2, ..GOOD },
            Information { bits: 1 | 4 << 2, ..GOOD },
            Information { bits: u32::MAX, ..GOOD },
        ] {
            assert_eq!(ask(&info, &one, 0, 4096), Err(Failure::Layout), "{info:?}");
        }
        for (start, size) in [(0, 0), (1, 4096), (0, 4097), (1 << 20, 4096), (u64::MAX, 4096), (0, u32::MAX)] {
            assert_eq!(ask(&GOOD, &one, start, size), Err(Failure::Layout), "{size} at {start}");
        }
    }

    #[test]
    fn blocks_that_make_no_sense_are_refused() {
        let with = |bits, erase_unit| Block {
            attributes: Attributes { bits, erase_unit, protection_unit: 0 },
            ..block(8192, 8192)
        };
        let first = block(0, 8192);
        for blocks in [
            &[][..],
            &[first],
            &[first, block(12288, 8192)],
            &[first, block(4096, 8192)],
            &[first, block(0, 16384)],
            &[first, block(8192, 0)],
            &[first, block(8192, u64::MAX)],
            &[first, Block::NONE],
            &[first, with(CAN_ERASE, 4096)],
            &[first, with(CAN_PROGRAM, 4096)],
            &[first, with(3, 2048)],
            &[first, with(3, 0)],
            &[first, block(8192, 100), block(8292, 4096)],
        ] {
            assert_eq!(ask(&GOOD, blocks, 0, 16384), Err(Failure::Layout), "{blocks:?}");
        }
        let endless = GOOD.geometry(1 << 40, 4096, |before| Some(block(before.map_or(0, |block| block.addr + 1), 1)));
        assert_eq!(endless, Err(Failure::Layout), "a driver that never comes to an end");
    }

    #[test]
    fn counts_are_believed_only_where_they_make_sense() {
        use Ended::{Saying, Silently};
        let run = |answers: &[Ended]| {
            let (mut at, mut calls) = (0, 0);
            let done = in_steps(100, 8, |done, left| {
                assert_eq!((done, left), (at, 100 - at));
                calls += 1;
                let answer = answers.get(calls - 1).copied().unwrap_or(Saying(-1));
                at += if let Saying(count) = answer { u32::try_from(count).unwrap_or(0) } else { 0 };
                answer
            });
            (done.is_some(), calls)
        };
        assert_eq!(run(&[Saying(100)]), (true, 1));
        assert_eq!(run(&[Saying(8), Saying(16), Silently]), (true, 3));
        assert_eq!(run(&[Saying(96), Saying(4)]), (true, 2), "the rest is no whole unit, and all of it");
        for bad in [0, 4, 101, -1, i32::MAX, i32::MIN] {
            assert_eq!(run(&[Saying(bad)]), (false, 1), "{bad}");
            assert_eq!(run(&[Saying(8), Saying(bad)]), (false, 2), "{bad}");
        }
    }
}
