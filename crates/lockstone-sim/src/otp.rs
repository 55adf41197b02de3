//! One-time-programmable bits: fuses.
//!
//! ```text
//! cell    0        never reads 1: not programmed
//!         1..=254  marginal: reads 1 as often as that, of 255; a cut program leaves it, another one ends it
//!         255      always reads 1: firm
//! ```
//!
//! Nothing brings a cell down. A program that is cut leaves it as it was, marginal or firm; one that is not makes it firm,
//! unless the bit is broken. Like the counter it has no traits of its own.
//!
//! Tested by the suite `otp`.

use crate::random::Random;
use crate::{Power, SimError, Tear};

const FIRM: u8 = 0xff;

/// How a bit is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BitFault {
    /// Programs return `Ok` and change nothing.
    Stuck,
    /// Programs return `Ok` and leave the bit marginal, as often 1 as 0, unless it was firm.
    Flaky,
}

/// An array of bits that go from 0 to 1 and not back. Programs are operations of its [`Power`]; a clone is a snapshot with
/// a supply of its own.
#[derive(Debug)]
pub struct SimOtp {
    cells: Vec<u8>,
    faults: Vec<Option<BitFault>>,
    programs: Vec<u32>,
    reads: u64,
    random: Random,
    power: Power,
}

impl SimOtp {
    /// Bits that are all 0.
    #[must_use]
    pub fn new(bits: u32) -> Self {
        Self::from_bytes(&vec![0; bits as usize])
    }

    /// Bits as [`SimOtp::to_bytes`] saved them: a byte a cell, any byte is good.
    #[must_use]
    pub fn from_bytes(cells: &[u8]) -> Self {
        let (faults, programs) = (vec![None; cells.len()], vec![0; cells.len()]);
        Self { cells: cells.to_vec(), faults, programs, reads: 0, random: Random::new(0), power: Power::new() }
    }

    /// The cells, a byte each. Faults, counts and the state of the dice are not saved.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.cells.clone()
    }

    /// Moves the array to this supply: from now on it counts operations and is cut together with what else is plugged in.
    pub fn plug_in(&mut self, power: &Power) {
        self.power = power.clone();
    }

    /// The supply it is plugged into.
    #[must_use]
    pub fn power(&self) -> &Power {
        &self.power
    }

    /// Starts the dice again with this seed. They decide what a cut leaves and what a marginal bit reads as.
    pub fn set_seed(&mut self, seed: u64) {
        self.random = Random::new(seed);
    }

    /// Breaks a bit, or mends it.
    ///
    /// # Panics
    /// If there is no such bit.
    pub fn set_fault(&mut self, index: u32, fault: Option<BitFault>) {
        self.faults[index as usize] = fault;
    }

    /// The cells, to be changed at will: what age or a laser does.
    #[must_use]
    pub fn cells_mut(&mut self) -> &mut [u8] {
        &mut self.cells
    }

    /// Whether any bit reads differently each time.
    #[must_use]
    pub fn is_marginal(&self) -> bool {
        self.cells.iter().any(|cell| (1..FIRM).contains(cell))
    }

    /// How often each bit was programmed; cut programs and those that did not take included.
    #[must_use]
    pub fn programs(&self) -> &[u32] {
        &self.programs
    }

    /// Number of bits read with the power on.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads
    }

    /// Number of bits.
    #[must_use]
    pub fn bits(&self) -> u32 {
        u32::try_from(self.cells.len()).unwrap_or(u32::MAX)
    }

    /// What the bit reads as, this time.
    ///
    /// # Errors
    /// `OutOfBounds`, `PowerCut`.
    pub fn read(&mut self, index: u32) -> Result<bool, SimError> {
        self.power.check()?;
        let cell = *self.cells.get(index as usize).ok_or(SimError::OutOfBounds)?;
        self.reads += 1;
        Ok(match cell {
            0 | FIRM => cell == FIRM,
            odds => self.random.below(FIRM.into()) < odds.into(),
        })
    }

    /// Makes the bit 1, firmly, whatever it was. Cut, it leaves the bit as it was ([`Tear::Absent`]), firm
    /// ([`Tear::Whole`]), marginal ([`Tear::Metastable`], [`Tear::MetastableWhole`]), or, with any other tear, one of these.
    /// What was firm stays so.
    ///
    /// # Errors
    /// `OutOfBounds`, which is no operation; `PowerCut`.
    pub fn program(&mut self, index: u32) -> Result<(), SimError> {
        self.power.check()?;
        let at = index as usize;
        let before = *self.cells.get(at).ok_or(SimError::OutOfBounds)?;
        let tear = self.power.begin()?;
        self.programs[at] += 1;
        let after = match tear {
            None => FIRM,
            Some(tear) => self.torn(before, tear),
        };
        self.cells[at] = match self.faults[at] {
            Some(BitFault::Stuck) => before,
            Some(BitFault::Flaky) => before.max(after.min(FIRM / 2)),
            None => after,
        };
        if tear.is_some() { Err(SimError::PowerCut) } else { Ok(()) }
    }

    /// The cell after a cut program.
    fn torn(&mut self, before: u8, tear: Tear) -> u8 {
        let choice = match tear {
            Tear::Absent => 0,
            Tear::Metastable | Tear::MetastableWhole => 1,
            Tear::Whole => 2,
            _ => self.random.below(3),
        };
        match choice {
            0 => before,
            // Most likely 0, as likely as not, most likely 1.
            1 => before.max([16, 128, 240][self.random.below(3)]),
            _ => FIRM,
        }
    }
}

impl Clone for SimOtp {
    fn clone(&self) -> Self {
        Self {
            cells: self.cells.clone(),
            faults: self.faults.clone(),
            programs: self.programs.clone(),
            power: self.power.fork(),
            ..*self
        }
    }
}
