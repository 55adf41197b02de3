//! A monotonic counter in hardware that is better than most: an increment happens or it doesn't.
//!
//! It has no traits of its own; whoever tests a store implements the store's for a type around it. For a counter that a
//! cut can leave half-way, see [`SimOtp`](crate::SimOtp).
//!
//! Tested by the suite `power`.

use crate::random::Random;
use crate::{Power, SimError, Tear};

/// How a counter is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterFault {
    /// Reads return `CounterFailed`.
    Read,
    /// Increments change nothing and return `CounterFailed`.
    Increment,
    /// Increments count and return `CounterFailed` all the same: the answer was lost.
    Answer,
}

/// A counter that only goes up. Increments are operations of its [`Power`]; a clone is a snapshot with a supply of its
/// own.
#[derive(Debug)]
pub struct SimCounter {
    value: u64,
    limit: u64,
    seed: u64,
    reads: u64,
    increments: u64,
    fault: Option<CounterFault>,
    power: Power,
}

impl SimCounter {
    /// A counter at 0 that can count up to `limit`.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self::with_value(0, limit)
    }

    /// A counter that stands at `value`.
    #[must_use]
    pub fn with_value(value: u64, limit: u64) -> Self {
        Self { value, limit, seed: 0, reads: 0, increments: 0, fault: None, power: Power::new() }
    }

    /// Moves the counter to this supply: from now on it counts and is cut together with what else is plugged in there.
    pub fn plug_in(&mut self, power: &Power) {
        self.power = power.clone();
    }

    /// The supply it is plugged into.
    #[must_use]
    pub fn power(&self) -> &Power {
        &self.power
    }

    /// Decides, with the number of the operation, whether a cut increment that a tear leaves open happens.
    pub fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Breaks the counter, or mends it.
    pub fn set_fault(&mut self, fault: Option<CounterFault>) {
        self.fault = fault;
    }

    /// The value, looked at from outside: needs no power and counts as no read.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.value
    }

    /// The largest value.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Number of calls of `read` with the power on.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads
    }

    /// Number of increments that began; the cut and the failed ones included.
    #[must_use]
    pub fn increments(&self) -> u64 {
        self.increments
    }

    /// The present value.
    ///
    /// # Errors
    /// `PowerCut`, or `CounterFailed` when it is broken.
    pub fn read(&mut self) -> Result<u64, SimError> {
        self.power.check()?;
        self.reads += 1;
        if self.fault == Some(CounterFault::Read) { Err(SimError::CounterFailed) } else { Ok(self.value) }
    }

    /// Adds one; the new value. Cut, it leaves the old value ([`Tear::Absent`]), the new one ([`Tear::Whole`],
    /// [`Tear::MetastableWhole`]), or, with any other tear, one of the two.
    ///
    /// # Errors
    /// `Exhausted` at the limit, which is no operation; `PowerCut`; `CounterFailed` when it is broken.
    pub fn increment(&mut self) -> Result<u64, SimError> {
        self.power.check()?;
        let next = self.value.checked_add(1).filter(|next| *next <= self.limit).ok_or(SimError::Exhausted)?;
        self.increments += 1;
        let operation = self.power.operations();
        if let Some(tear) = self.power.begin()? {
            if self.survives(tear, operation) {
                self.value = next;
            }
            return Err(SimError::PowerCut);
        }
        if self.fault != Some(CounterFault::Increment) {
            self.value = next;
        }
        match self.fault {
            Some(CounterFault::Increment | CounterFault::Answer) => Err(SimError::CounterFailed),
            _ => Ok(next),
        }
    }

    fn survives(&self, tear: Tear, operation: u64) -> bool {
        match tear {
            Tear::Absent => false,
            Tear::Whole | Tear::MetastableWhole => true,
            _ => Random::new(self.seed.wrapping_add(operation)).coin(),
        }
    }
}

impl Clone for SimCounter {
    fn clone(&self) -> Self {
        Self { power: self.power.fork(), ..*self }
    }
}
