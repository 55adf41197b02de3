//! The C library for processors without an operating system, and the compiler that links with it.
//!
//! ```text
//! crates/lockstone-ffi ── cargo, one processor ──> liblockstone_ffi.a ─┐
//! a program in C ──────── arm-none-eabi-gcc ───────────────────────────┴──> linked
//! ```
//!
//! One place for `capi`, `dist` and the C programs of `firmware`, so that what is tested is what is handed out.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Failure, firmware, root, tools};

/// The compiler for C, and the Debian package that brings it.
pub(crate) const GCC: &str = "arm-none-eabi-gcc";
pub(crate) const PACKAGE: &str = "gcc-arm-none-eabi";
/// What the library has, and that it stops on a panic.
pub(crate) const FEATURES: &str = "cfstore-mux,journal,panic-handler,psa,volume-manager";
/// How C is compiled: as strict as the tests on the host.
const C: &[&str] = &["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Os", "-g", "-ffreestanding"];
const LINK: &[&str] =
    &["-nostdlib", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-Wl,-z,noexecstack"];

/// A processor, and how each compiler calls it.
#[derive(Debug)]
pub(crate) struct Core {
    /// How it is called here.
    pub(crate) name: &'static str,
    /// What Rust compiles for.
    pub(crate) target: &'static str,
    /// And for which processor of that kind; empty: any.
    rust_cpu: &'static str,
    /// What gcc is told.
    pub(crate) gcc: &'static [&'static str],
    /// The architecture, as an object file says it.
    pub(crate) architecture: &'static str,
}

/// All that there is a library for. An `f` at the end: floats are passed in registers of the FPU, so the program is too.
#[rustfmt::skip] // a table
pub(crate) const CORES: [Core; 8] = [
    core(["cortex-m0plus", "thumbv6m-none-eabi", "", "v6S-M"], &["-mcpu=cortex-m0plus", SOFT]),
    core(["cortex-m3", "thumbv7m-none-eabi", "", "v7"], &["-mcpu=cortex-m3", SOFT]),
    core(["cortex-m4", "thumbv7em-none-eabi", "", "v7E-M"], &["-mcpu=cortex-m4", SOFT]),
    core(["cortex-m4f", "thumbv7em-none-eabihf", "", "v7E-M"], &["-mcpu=cortex-m4", HARD, "-mfpu=auto"]),
    core(["cortex-m33", "thumbv8m.main-none-eabi", "", "v8-M.mainline"], &["-mcpu=cortex-m33", SOFT]),
    core(["cortex-m33f", "thumbv8m.main-none-eabihf", "", "v8-M.mainline"], &["-mcpu=cortex-m33", HARD, "-mfpu=auto"]),
    core(["cortex-m55", "thumbv8m.main-none-eabi", "cortex-m55", "v8.1-M.mainline"], &["-mcpu=cortex-m55", SOFT]),
    core(["cortex-m55f", "thumbv8m.main-none-eabihf", "cortex-m55", "v8.1-M.mainline"], &["-mcpu=cortex-m55", HARD, "-mfpu=auto"]),
];
const SOFT: &str = "-mfloat-abi=soft";
const HARD: &str = "-mfloat-abi=hard";

const fn core([name, target, rust_cpu, architecture]: [&'static str; 4], gcc: &'static [&'static str]) -> Core {
    Core { name, target, rust_cpu, gcc, architecture }
}

/// The processor with a name.
pub(crate) fn core_named(name: &str) -> Result<&'static Core, Failure> {
    CORES.iter().find(|core| core.name == name).ok_or_else(|| format!("there is no library for {name}"))
}

/// Says what is not installed.
pub(crate) fn name_missing() -> Result<(), Failure> {
    if tools::answers(GCC) {
        Ok(())
    } else {
        Err(format!("missing: {GCC}\n  on Debian: apt-get install --no-install-recommends {PACKAGE}"))
    }
}

/// Where the headers are.
pub(crate) fn headers() -> PathBuf {
    root().join("crates").join("lockstone-ffi").join("include")
}

/// Builds the library for a processor, for small code; where it is.
pub(crate) fn build(core: &Core) -> Result<PathBuf, Failure> {
    let folder = tools::target_folder().join("library").join(core.name);
    let mut cargo = firmware::cargo_for(core.target, "rustc")?;
    cargo.args([
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "lockstone-ffi",
        "--lib",
        "--crate-type",
        "staticlib",
    ]);
    cargo.args(["--no-default-features", "--features", FEATURES, "--target", core.target, "--target-dir"]).arg(&folder);
    cargo.current_dir(root()).env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", rust_flags(core));
    // The workspace's own release profile is for hosts.
    for (key, value) in [("OPT_LEVEL", "s"), ("LTO", "fat"), ("DEBUG", "false")] {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    tools::succeed(&mut cargo, &format!("building the library for {}", core.name))?;
    Ok(folder.join(core.target).join("release").join("liblockstone_ffi.a"))
}

/// Name and version of the Rust compiler that [`build`] takes.
pub(crate) fn compiler(core: &Core) -> Result<String, Failure> {
    firmware::compiler_for(core.target)
}

/// Builds the library of this host, static and shared, as it is shipped; where they are.
pub(crate) fn build_host() -> Result<Vec<PathBuf>, Failure> {
    let folder = tools::target_folder().join("library").join("host");
    let mut cargo = tools::cargo();
    cargo
        .args(["build", "--quiet", "--locked", "--release", "--package", "lockstone-ffi", "--target-dir"])
        .arg(&folder);
    // No line numbers: with them stands where on this machine its sources were.
    cargo.current_dir(root()).env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    tools::succeed(&mut cargo, "building the library")?;
    Ok(["a", "so"].map(|kind| folder.join("release").join("liblockstone_ffi").with_extension(kind)).to_vec())
}

/// Builds the library of this host as if it had no operating system: with the hooks that a chip has.
pub(crate) fn build_host_without_std() -> Result<PathBuf, Failure> {
    let folder = tools::target_folder().join("library").join("host-without-std");
    let mut cargo = tools::cargo();
    cargo.args(["rustc", "--quiet", "--locked", "--release", "--package", "lockstone-ffi", "--lib"]);
    cargo
        .args(["--crate-type", "staticlib", "--no-default-features", "--features", FEATURES, "--target-dir"])
        .arg(&folder);
    for (key, value) in [("LTO", "fat"), ("DEBUG", "false"), ("PANIC", "abort")] {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    tools::succeed(cargo.current_dir(root()), "building the library without std")?;
    Ok(folder.join("release").join("liblockstone_ffi.a"))
}

fn rust_flags(core: &Core) -> String {
    let small = r#"--cfg ascon_backend="soft-compact""#;
    if core.rust_cpu.is_empty() { small.to_owned() } else { format!("{small} -Ctarget-cpu={}", core.rust_cpu) }
}

/// The C compiler for a processor, told where the headers are.
pub(crate) fn gcc(core: &Core, headers: &Path) -> Command {
    let mut command = Command::new(GCC);
    command.args(C).arg("-mthumb").args(core.gcc).arg("-I").arg(headers);
    command
}

/// Compiles sources for a processor and links them with a library; `further` are options, such as a linker script.
pub(crate) fn link(
    core: &Core,
    headers: &Path,
    sources: &[PathBuf],
    library: &Path,
    further: &[String],
    to: &Path,
) -> Result<(), Failure> {
    let mut command = gcc(core, headers);
    command.args(LINK).args(further).args(sources).arg(library).arg("-o").arg(to);
    tools::succeed(&mut command, &format!("linking {} for {}", to.display(), core.name))
}

/// Links the least program, `c/bare.c`, with a library: whatever that lacks is found here.
pub(crate) fn link_bare(core: &Core, headers: &Path, library: &Path, to: &Path) -> Result<(), Failure> {
    let source = root().join("crates").join("lockstone-ffi").join("c").join("bare.c");
    link(core, headers, &[source], library, &[], to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_found_by_its_name_and_is_there_once() {
        for core in &CORES {
            assert_eq!(core_named(core.name).unwrap().name, core.name);
            assert_eq!(CORES.iter().filter(|other| other.name == core.name).count(), 1);
            assert_eq!(core.name.ends_with('f'), core.target.ends_with("hf") && core.gcc.contains(&HARD));
        }
        assert!(core_named("z80").is_err());
    }

    #[test]
    fn a_processor_that_is_one_of_a_kind_is_told_to_rust() {
        assert!(rust_flags(core_named("cortex-m55").unwrap()).ends_with(" -Ctarget-cpu=cortex-m55"));
        assert!(!rust_flags(core_named("cortex-m33").unwrap()).contains("target-cpu"));
    }
}
