//! What the store is tried with, and each case again by its name.
//!
//! ```text
//! scenes ─> cuts ──┐                                                 ┌─> tests of crates/lockstone
//!                  ├─> world (flash, model, oracle) ─> lockstone ─>  ├─> fuzz/ (libFuzzer)
//! life, flicker ───┤         │                                       └─> lockstone replay ID
//! fuzz ────────────┘         └─> tale (every step, every access)
//! ```
//!
//! A *case* is anything that can be played again from its [id](replay::GRAMMAR): one power cut of the enumeration, one random
//! life or one under power that flickers, one input of a fuzz target. Playing it is the same code everywhere; only a replay also writes down what happened,
//! in a [`Tale`].
//!
//! Invariants: a case depends on its id alone, on every machine; telling it changes nothing of it; what is wrong is an
//! `Err` that says what was expected and what was seen, or a panic of the store.
#![forbid(unsafe_code)]
#![allow(clippy::cast_possible_truncation, reason = "lengths and dice of tests; the store's own code is checked")]

mod cuts;
mod flicker;
pub mod fuzz;
mod life;
mod polls;
mod random;
pub mod replay;
mod scenes;
mod tale;
mod tried;
mod trusted;
mod world;

pub use cuts::{Case, Tour};
pub use life::{Kind, Life};
pub use polls::{finish, poll};
pub use random::{Fixed, Random};
pub use scenes::{SCENES, Scene, Script};
pub use tale::{Step, Tale};
pub use tried::{SmallOf, Sort, Tried};
pub use trusted::Trusted;
pub use world::{Change, End, HEADS, Model, Op, Oracle, ROOT, Ram, SimStore, Stop, World, name, read_all, root, value};

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Plays something; a panic becomes an error with its message.
///
/// # Errors
/// What `play` says, or what it panicked with.
pub fn caught(play: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|panic| Err(format!("panic: {}", message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}
