//! The simulator's trusted hardware, with the store's traits.
//!
//! The simulator knows nothing of Lockstone; here is the glue.

use lockstone::trust::MonotonicCounter;
use lockstone_sim::{SimCounter, SimError};

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
