//! Fuzz targets: what is done with an input of any bytes. `fuzz/` wires them to libFuzzer, tests run the corpus through
//! them, `lockstone replay fuzz/TARGET/HEX` tells one input.
//!
//! Every body ends well, or says what is wrong, or panics, which is a finding too. Any input means something: bytes that
//! are missing are 0, numbers that are too large are taken modulo.

mod bytes;
mod forge;
mod meter;
mod mount;
mod operations;
mod parsers;

use crate::replay::Image;
use crate::tale::Tale;

/// A fuzz target.
#[derive(Debug)]
pub struct Target {
    /// Unique name; also of its corpus.
    pub name: &'static str,
    /// What it tries, in one line.
    pub about: &'static str,
    /// Tries one input, and keeps the flash at the end if there is one.
    pub body: Body,
}

/// What a target does with an input; `Err` says what is wrong.
pub type Body = fn(&[u8], &Tale, &mut Option<Image>) -> Result<(), String>;

/// A script of operations and power cuts.
pub const OPERATIONS: Target = Target {
    name: "operations",
    about: "a script of operations and power cuts, against the model",
    body: operations::run,
};
/// A flash that somebody else wrote, or changed.
pub const MOUNT: Target =
    Target { name: "mount", about: "an image that somebody else wrote, or changed", body: mount::run };
/// The parsers of the format.
pub const PARSERS: Target =
    Target { name: "parsers", about: "the parsers of record heads, headers and pointers", body: parsers::run };

/// The targets of this crate.
pub const TARGETS: &[&Target] = &[&OPERATIONS, &MOUNT, &PARSERS];

/// Tries one input.
///
/// # Panics
/// If anything is wrong: that is how a fuzzer hears of it.
pub fn check(target: &Target, input: &[u8]) {
    if let Err(what) = (target.body)(input, &Tale::default(), &mut None) {
        panic!("{what}");
    }
}
