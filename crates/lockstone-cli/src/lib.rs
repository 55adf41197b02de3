//! `lockstone`: the command line of Lockstone, and its demo.
//!
//! A library only so that fuzz targets reach it; the binary calls [`main`] and nothing else.
//!
//! ```text
//! args ─> commands ─> device (directory, lock, session) ─┬> lockstone::Store ───> file_flash ─> flash.bin, front
//!             │                                        ├> lockstone::Objects ─> file_flash ─> flash.bin, behind
//!             │                                        └──────────────────────> trusted/counter
//!             ├─────> image (manifest, build, verify) ─> lockstone::Store ─> lockstone_sim::SimFlash ─> flash.bin
//!             ├─────> inspect (examine, picture, text, svg) ─> lockstone::inspect, or lockstone::Store
//!             ├─────> transfer (archives, NVS, sealed images) ─> device
//!             ├─────> replay ─> lockstone_torture
//!             │
//!             └─────> demo (input, life, attack, report) ─> lockstone::Store ─> lockstone_sim::SimFlash
//! ```
//!
//! Whatever fails becomes an `exit::Failure`: one number, one sentence, maybe a hint.
#![forbid(unsafe_code)]

mod args;
mod attributes;
mod commands;
mod demo;
mod device;
mod exit;
mod file_flash;
mod files;
mod findings;
#[doc(hidden)]
pub mod fuzzing;
mod image;
mod inspect;
#[cfg(test)]
mod mutated;
mod standing;
mod terminal;
mod transfer;
mod volumes;

use std::process::ExitCode;

use clap::Parser;

/// Does what the arguments of the process ask for.
#[must_use]
pub fn main() -> ExitCode {
    match commands::run(&args::Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::say(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}
