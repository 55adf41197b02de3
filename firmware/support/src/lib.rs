//! What the boards share: all that is `unsafe`, and all that a product must not have.
//!
//! ```text
//! program ──> board (which flash, which part) ──> support ─┬─ semihosting   console, exit code, a file as flash
//!                                                          ├─ nvmc          flash controller of the nRF51
//!                                                          ├─ sd            SD card of the LM3S6965 board
//!                                                          ├─ toys          root key and randomness that anybody can guess
//!                                                          ├─ executor, time    async tasks, SysTick
//!                                                          ├─ riscv         what `cortex-m-rt` does on Arm
//!                                                          ├─ timed, ram_flash  flash that takes its time, or none
//!                                                          └─ stack         how deep it became
//! ```
//!
//! Lines that begin with `#` are measurements: `cargo xtask firmware` shows them, and compares the other lines.
#![no_std]

#[cfg(target_arch = "arm")]
pub mod executor;
#[cfg(target_arch = "arm")]
pub mod nvmc;
#[cfg(target_arch = "arm")]
pub mod ram_flash;
#[cfg(feature = "sd")]
pub mod sd;
pub mod semihosting;
pub mod stack;
#[cfg(target_arch = "arm")]
pub mod time;
#[cfg(target_arch = "arm")]
pub mod timed;
pub mod toys;

mod failure;
#[cfg(target_arch = "arm")]
mod once;
mod open;
mod program;
#[cfg(target_arch = "riscv32")]
mod riscv;

pub use failure::Failure;
#[cfg(target_arch = "arm")]
pub use once::Once;
pub use open::open;
#[cfg(target_arch = "arm")]
pub use program::run_again;
pub use program::{end, run};
