//! Blocks that fail, and chips that wear out.
//!
//! Tested by the suite `faults`.

use crate::flash::SimFlash;
use crate::random::Random;

/// How a block is broken. A block has one fault at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockFault {
    /// Erases change nothing and return `EraseFailed`.
    EraseFails,
    /// Programs set some of their bits and return `ProgramFailed`. What was asked for may be programmed again.
    ProgramFails,
    /// Programs return `Ok`, but some of their bits do not stick: at least one, if any was to change.
    SilentProgram,
    /// Erases return `Ok`, but some bits stay: at least one, if the block was not blank.
    EraseLeavesBits,
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> SimFlash<READ, WRITE, ERASE> {
    /// Breaks the block with this index; an earlier fault of the block is replaced. A program over several blocks
    /// suffers as a whole from the first fault that it meets.
    pub fn fail_block(&mut self, block: usize, kind: BlockFault) {
        self.faults.retain(|&(other, _)| other != block);
        self.faults.push((block, kind));
    }

    /// Limits the life of every block: once a block was erased `erases` times, further erases change nothing and return
    /// `EraseFailed`. All erases since the chip was made count.
    pub fn endurance(&mut self, erases: u32) {
        self.state.endurance = erases;
    }

    /// Makes reads of the unit that holds `address` (in bytes) return `Ecc` until its block is erased.
    ///
    /// # Panics
    ///
    /// If the address is outside of the chip.
    pub fn inject_ecc(&mut self, address: u32) {
        let start = address as usize / WRITE * WRITE;
        assert!(start < self.capacity(), "address {address:#x} is outside of the chip");
        self.scar(start / ERASE).ecc.cover(start..start + WRITE).fill(0xff);
    }

    /// Mends all blocks and lifts the limit of endurance. What is wrong with the content stays: unstable bits and units
    /// with uncorrectable errors stay until they are erased.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.state.endurance = u32::MAX;
    }

    /// Starts the dice again with this seed. They decide how an operation is torn, which bits a fault leaves and what an
    /// unstable bit reads as.
    pub fn set_seed(&mut self, seed: u64) {
        self.state.random = Random::new(seed);
    }

    /// Whether a second program of a torn unit steadies it, as it does on chips that can drive a half-programmed cell to
    /// its target: the bits that it programs read stable from then on, and its uncorrectable error is gone. Off at
    /// first: only an erase steadies a cell.
    pub fn set_reprogram_heals(&mut self, heals: bool) {
        self.state.heals = heals;
    }

    pub(crate) fn fault_of(&self, block: usize) -> Option<BlockFault> {
        self.faults.iter().find(|&&(other, _)| other == block).map(|&(_, kind)| kind)
    }
}
