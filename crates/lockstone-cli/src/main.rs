//! The binary `lockstone`: see the library of the same package.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    lockstone_cli::main()
}
