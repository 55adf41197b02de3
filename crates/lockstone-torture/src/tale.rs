//! A tale: what happened in a case, step by step, with every access to the flash.
//!
//! A world that is not told keeps an empty tale, which costs one comparison a step. Clones write into the same tale, so
//! that it survives a panic of what it tells.

use std::cell::RefCell;
use std::rc::Rc;

use lockstone_sim::{Cut, TraceEntry};

/// One step of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was asked of the store.
    Did {
        /// What.
        what: String,
        /// What came of it; empty if it never ended.
        outcome: String,
        /// The accesses to the flash meanwhile.
        flash: Vec<TraceEntry>,
    },
    /// The power was cut.
    Cut {
        /// In which operation, and what the tear left of it.
        cut: Cut,
        /// What the range of the operation holds now, its beginning if it is long; unstable bits have one value here.
        left: Vec<u8>,
    },
    /// Something else that is worth a line.
    Note(String),
}

/// Steps of a case, or nothing if nobody wants to know.
#[derive(Clone, Debug, Default)]
pub struct Tale(Option<Rc<RefCell<Told>>>);

#[derive(Debug, Default)]
struct Told {
    steps: Vec<Step>,
    /// Accesses told so far.
    seen: usize,
}

impl Tale {
    /// A tale that is told.
    #[must_use]
    pub fn told() -> Self {
        Self(Some(Rc::default()))
    }

    /// Whether anybody wants to know.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.0.is_some()
    }

    /// A step begins.
    pub fn begin(&self, what: impl FnOnce() -> String) {
        if let Some(told) = &self.0 {
            let step = Step::Did { what: what(), outcome: String::new(), flash: Vec::new() };
            told.borrow_mut().steps.push(step);
        }
    }

    /// The step ends; `trace` is all that the flash recorded.
    pub fn end(&self, trace: &[TraceEntry], outcome: impl FnOnce() -> String) {
        let Some(told) = &self.0 else { return };
        let told = &mut *told.borrow_mut();
        if let Some(Step::Did { outcome: place, flash, .. }) = told.steps.last_mut() {
            *place = outcome();
            flash.extend_from_slice(trace.get(told.seen..).unwrap_or_default());
        }
        told.seen = trace.len();
    }

    /// A line between the steps.
    pub fn note(&self, what: impl FnOnce() -> String) {
        if let Some(told) = &self.0 {
            told.borrow_mut().steps.push(Step::Note(what()));
        }
    }

    /// The power was cut; `data` is the content of the flash.
    pub fn cut(&self, cut: Option<Cut>, data: &[u8]) {
        const SHOWN: usize = 64;
        if let (Some(told), Some(cut)) = (&self.0, cut) {
            let from = data.get(cut.operation.address as usize..).unwrap_or_default();
            let left = from[..from.len().min(cut.operation.len).min(SHOWN)].to_vec();
            told.borrow_mut().steps.push(Step::Cut { cut, left });
        }
    }

    /// The flash begins to record anew.
    pub(crate) fn restart(&self) {
        if let Some(told) = &self.0 {
            told.borrow_mut().seen = 0;
        }
    }

    /// Takes the steps out.
    #[must_use]
    pub fn take(&self) -> Vec<Step> {
        self.0.as_ref().map_or_else(Vec::new, |told| std::mem::take(&mut told.borrow_mut().steps))
    }
}
