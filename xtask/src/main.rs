//! Chores of the repository: `cargo xtask`.
//!
//! ```text
//! cargo xtask ci               everything that must hold before a merge: the steps of .ci/run, in order
//! cargo xtask firmware [BOARD] [PROGRAM]
//!                              the programs of firmware/ under emulation; UPDATE_EXPECT=1 writes their .out files anew
//! cargo xtask capi             the C and C++ tests and examples: plain, under valgrind, under gcc's sanitizers
//! cargo xtask capi install --prefix P   library, headers, pkg-config and CMake files under P
//! cargo xtask dist [host | PROCESSOR]...    ready libraries and headers for C in target/dist, a folder each; all, if none is named
//! cargo xtask fuzz [TARGET]    fuzz targets, a minute each, from the corpus in fuzz/corpus
//!                  [--seconds N] [--json]
//!                  [--corpus]  ... only the corpus, once
//!                  [--merge]   ... chooses the corpus anew from what was found here
//! cargo xtask ports            FreeRTOS and Zephyr: what is in ports/, on stubs of both
//! cargo xtask size [--json]    code, RAM and stack on Arm cores, against firmware/budgets.txt
//!                  [--check]   ... and fails when a bar is not met
//!                  [--write-docs]  ... and writes docs/footprint.md, with what the boards measure
//! ```
//!
//! Needs only the standard library. What a chore needs beyond cargo it names when it is missing.

mod capi;
mod ci;
mod dist;
mod firmware;
mod footprint;
mod fuzz;
mod install;
mod library;
mod licences;
mod ports;
mod size;
mod stack;
mod tools;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask capi [install --prefix P] | ci | dist [host | PROCESSOR]... | firmware [BOARD] [PROGRAM] | fuzz [TARGET] [--seconds N] [--corpus] \
    [--merge] [--json] | ports | size [--json] [--check] [--write-docs]";

/// What a chore says when it did not succeed.
type Failure = String;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    match arguments.split_first() {
        Some((chore, [])) if chore == "ci" => ci::run(),
        Some((chore, options)) if chore == "firmware" => firmware::run(&firmware::Options::parse(options)?),
        Some((chore, [])) if chore == "capi" => capi::run(),
        Some((chore, [install, prefix, place])) if chore == "capi" && install == "install" && prefix == "--prefix" => {
            install::run(Path::new(place))
        }
        Some((chore, options)) if chore == "dist" => dist::run(&dist::Options::parse(options)?),
        Some((chore, options)) if chore == "fuzz" => fuzz::run(&fuzz::Options::parse(options).ok_or(USAGE)?),
        Some((chore, [])) if chore == "ports" => ports::run(),
        Some((chore, options)) if chore == "size" => size::run(&size::Options::parse(options).ok_or(USAGE)?),
        _ => Err(USAGE.to_owned()),
    }
}

/// The folder that the repository lies in.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
