//! The simulator's trusted hardware, with the store's traits.
//!
//! The simulator knows nothing of Lockstone; here is the glue.

use lockstone::trust::{MonotonicCounter, OtpBits};
use lockstone_sim::{SimCounter, SimError, SimOtp};

/// A device of the simulator, as the store sees it.
#[derive(Clone, Debug)]
pub struct Trusted<T>(pub T);

impl MonotonicCounter for Trusted<SimCounter> {
    type Error = SimError;

    fn read(&mut self) -> Result<u64, SimError> {
        self.0.read()
    }

    fn increment(&mut self) -> Result<u64, SimError> {
        self.0.increment()
    }

    fn limit(&self) -> u64 {
        self.0.limit()
    }
}

impl OtpBits for Trusted<SimOtp> {
    type Error = SimError;

    fn bits(&self) -> u32 {
        self.0.bits()
    }

    fn read(&mut self, index: u32) -> Result<bool, SimError> {
        self.0.read(index)
    }

    fn program(&mut self, index: u32) -> Result<(), SimError> {
        self.0.program(index)
    }
}
