//! The power supply: what counts operations and cuts them.
//!
//! ```text
//! flash.plug_in(&power)    ──┐
//! counter.plug_in(&power)  ──┼──> Power: operations so far, the one to cut and how, on or off
//! ```
//!
//! Every device has a supply of its own until it is plugged in with others. Then they have one count of operations over
//! all of them, and a cut in an operation of one is the end of all. A clone of a device is a snapshot: it has a supply of
//! its own again, in the state that the original's had.
//!
//! Tested by the suite `power`.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{SimError, Tear};

/// A power supply for any number of devices. A clone is the same supply, held once more.
#[derive(Clone, Default)]
pub struct Power(Arc<Supply>);

/// Shared, but used by one thread at a time: the devices are one test's.
#[derive(Default)]
struct Supply {
    off: AtomicBool,
    operations: AtomicU64,
    /// The number of the operation to cut.
    armed: Mutex<Option<(u64, Tear)>>,
}

impl Power {
    /// A supply that is on, with nothing plugged in.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Arms a cut in the modifying operation that `op` others precede, on whichever device: 0 is the next one. It is torn
    /// as `tear` says and returns `PowerCut`, as does everything later until [`Power::on`]. Replaces a cut armed before.
    pub fn cut_at(&self, op: u64, tear: Tear) {
        self.arm(Some((self.operations().saturating_add(op), tear)));
    }

    /// Disarms a cut that has not happened yet.
    pub fn cancel_cut(&self) {
        self.arm(None);
    }

    /// Switches off between two operations.
    pub fn off(&self) {
        self.0.off.store(true, Relaxed);
    }

    /// Switches on again. An armed cut that has not happened stays.
    pub fn on(&self) {
        self.0.off.store(false, Relaxed);
    }

    /// Whether it is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.0.off.load(Relaxed)
    }

    /// Number of modifying operations so far, over all devices; the cut and the failed ones included.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.0.operations.load(Relaxed)
    }

    /// Counts one modifying operation of a device. If it is the one to cut, the power is off from now on, and the device
    /// leaves what this tear of the operation leaves. For devices that this crate does not have, too.
    ///
    /// # Errors
    /// `PowerCut` when the power was off before: nothing happens, and nothing is counted.
    pub fn begin(&self) -> Result<Option<Tear>, SimError> {
        self.check()?;
        let op = self.0.operations.fetch_add(1, Relaxed);
        let mut armed = self.0.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let tear = armed.take_if(|armed| armed.0 == op).map(|(_, tear)| tear);
        self.0.off.store(tear.is_some(), Relaxed);
        Ok(tear)
    }

    /// For what a device does without modifying anything.
    ///
    /// # Errors
    /// `PowerCut` when the power is off.
    pub fn check(&self) -> Result<(), SimError> {
        if self.is_off() { Err(SimError::PowerCut) } else { Ok(()) }
    }

    /// Another supply in the same state.
    pub(crate) fn fork(&self) -> Self {
        let fork = Self::new();
        fork.0.off.store(self.is_off(), Relaxed);
        fork.0.operations.store(self.operations(), Relaxed);
        fork.arm(self.armed());
        fork
    }

    fn arm(&self, cut: Option<(u64, Tear)>) {
        *self.0.armed.lock().unwrap_or_else(PoisonError::into_inner) = cut;
    }

    fn armed(&self) -> Option<(u64, Tear)> {
        *self.0.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Power")
            .field("operations", &self.operations())
            .field("off", &self.is_off())
            .field("armed", &self.armed())
            .finish()
    }
}
