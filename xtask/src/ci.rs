//! `ci`: one list of steps, `.ci/run`, here and on the machine that guards the main branch.

use std::process::Command;

use crate::{Failure, root};

/// Runs all steps; the first that fails ends it.
pub(crate) fn run() -> Result<(), Failure> {
    let script = root().join(".ci").join("run");
    let status = Command::new("bash").arg(&script).current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} ended with {status}", script.display())),
        Err(error) => Err(format!("bash is needed: {error}")),
    }
}
