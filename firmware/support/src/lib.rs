//! What the boards share: all that is `unsafe`, and all that a product must not have.
//!
//! ```text
//! program ──> board (which flash, which part) ──> support ─┬─ semihosting   console, exit code, a file as flash
//!                                                          ├─ nvmc          flash controller of the nRF51
//!                                                          ├─ sd            SD card of the LM3S6965 board
//!                                                          ├─ toys          root key and randomness that anybody can guess
//!                                                          ├─ executor, time    async tasks, SysTick
//!                                                          ├─ timed, ram_flash  flash that takes its time, or none
//!                                                          └─ stack         how deep it became
//! ```
//!
//! Lines that begin with `#` are measurements: `cargo xtask firmware` shows them, and compares the other lines.
#![no_std]

pub mod executor;
pub mod nvmc;
pub mod ram_flash;
#[cfg(feature = "sd")]
pub mod sd;
pub mod semihosting;
pub mod stack;
pub mod time;
pub mod timed;
pub mod toys;

mod failure;
mod once;
mod open;
mod program;

pub use failure::Failure;
pub use once::Once;
pub use open::open;
pub use program::{end, run, run_again};
