//! The compiler for the boards' cores: that of rustup when it has the target, else Debian's, which builds `core` from its own source.

use std::path::PathBuf;
use std::process::Command;

use crate::{Failure, root, size, tools};

/// Builds the programs of a board; returns the folder where they are.
pub(crate) fn build(package: &str, target: &str) -> Result<PathBuf, Failure> {
    build_as(package, target, &["--bins"])
}

/// Builds the library for a core of another kind, to see that nothing in it is for Arm only.
pub(crate) fn build_library(target: &str) -> Result<(), Failure> {
    build_as("lockstone", target, &["--lib"]).map(drop)
}

fn build_as(package: &str, target: &str, what: &[&str]) -> Result<PathBuf, Failure> {
    let folder = target_folder();
    let mut command = cargo_for(target, "build")?;
    command.args(["--quiet", "--locked", "--release", "--package", package, "--target", target]).args(what);
    command.arg("--target-dir").arg(&folder).current_dir(root().join("firmware"));
    command.env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTFLAGS");
    match command.status() {
        Ok(status) if status.success() => Ok(folder.join(target).join("release")),
        Ok(status) => Err(format!("{package} does not build for {target}: {status}")),
        Err(error) => Err(format!("can't run cargo: {error}")),
    }
}

/// `cargo build`, or another command that builds, with a compiler that has `core` for the target, or can make it.
pub(crate) fn cargo_for(target: &str, build: &str) -> Result<Command, Failure> {
    if tools::has_target(target) {
        let mut command = tools::cargo();
        command.arg(build);
        return Ok(command);
    }
    size::name_missing().map_err(|missing| format!("{missing}\n  or with rustup: rustup target add {target}"))?;
    let mut command = Command::new(size::CARGO);
    command.args([build, "-Zbuild-std=core"]);
    command.env("RUSTC", size::RUSTC).env("RUSTDOC", "/usr/bin/rustdoc").env("RUSTC_BOOTSTRAP", "1");
    command.env(format!("CARGO_TARGET_{}_LINKER", target.replace(['-', '.'], "_").to_uppercase()), linker(target));
    Ok(command)
}

/// The linker for Debian's compiler.
fn linker(target: &str) -> &'static str {
    if target.starts_with("riscv") { "riscv64-unknown-elf-ld" } else { size::TOOLS[0] }
}

/// A linker that is not installed and that programs for a core of another kind need: rustup's compiler brings its own.
pub(crate) fn linker_that_lacks(target: &str) -> Option<&'static str> {
    let linker = linker(target);
    let is_needed = linker != size::TOOLS[0] && !tools::has_target(target);
    (is_needed && !tools::answers(linker)).then_some(linker)
}

/// Name and version of the compiler for a target.
pub(crate) fn compiler(target: &str) -> Result<String, Failure> {
    let program = if tools::has_target(target) { "rustc" } else { size::RUSTC };
    let output =
        Command::new(program).arg("--version").output().map_err(|error| format!("can't run {program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// Beside everything else that is built.
pub(crate) fn target_folder() -> PathBuf {
    tools::target_folder().join("firmware")
}

/// Where the flash of a program lies.
pub(crate) fn run_folder(board: &str, program: &str) -> PathBuf {
    target_folder().join("run").join(board).join(program)
}
