//! `size`: what the store costs on a Cortex-M4 (thumbv7em, blocking, optimised for size).
//!
//! ```text
//! firmware/size ─ Debian's cargo, core built for size ─> empty, plain, ascon ─ arm-none-eabi-size ─> table or JSON
//! ```
//!
//! Code is text (constants included) above the empty program. RAM is what the plain probe hands in for 100 keys on 64
//! blocks; the stack comes on top and is not measured here. Debian's compiler is used because it brings its own source
//! of `core` and may build it; the toolchain of rustup stays as it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Failure, root};

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const CORE: &str = "lib/rustlib/src/rust/library/core/Cargo.toml";
const LINKER: &str = "arm-none-eabi-ld";
const READER: &str = "arm-none-eabi-size";
const TARGET: &str = "thumbv7em-none-eabi";
const FLAGS: &str = r#"-Clinker=arm-none-eabi-ld --cfg ascon_backend="soft-compact""#;
const INSTALL: &str = "apt-get install --no-install-recommends rustc-web cargo-web rust-web-src gcc-arm-none-eabi";
/// The probes, in the order in which they are read.
const PROBES: [&str; 3] = ["empty", "plain", "ascon"];

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    json: bool,
    check: bool,
}

/// One figure and the most it may be.
struct Figure {
    name: &'static str,
    value: u64,
    bar: u64,
}

/// What `arm-none-eabi-size` says of one program, in bytes.
struct Sections {
    text: u64,
    bss: u64,
}

impl Options {
    /// Reads the options; `None` when there is one that we don't know.
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let mut options = Self::default();
        for argument in arguments {
            match argument.as_str() {
                "--json" => options.json = true,
                "--check" => options.check = true,
                _ => return None,
            }
        }
        Some(options)
    }
}

impl Figure {
    fn is_met(&self) -> bool {
        self.value <= self.bar
    }

    fn line(&self, json: bool) -> String {
        let Self { name, value, bar } = self;
        let met = self.is_met();
        if json {
            return format!(r#"{{"name":"{name}","value":{value},"unit":"B","bar":{bar},"met":{met}}}"#);
        }
        let verdict = if met { "met" } else { "NOT met" };
        format!("{name:<22} {value:>7} B   bar {bar:>6} B   {verdict}")
    }
}

/// Builds the probes and prints a line for each figure.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    name_missing()?;
    let programs = build()?;
    let figures = figures(&measure(&programs)?)?;
    for figure in &figures {
        println!("{}", figure.line(options.json));
    }
    let missed = figures.iter().filter(|figure| !figure.is_met()).count();
    if options.check && missed > 0 { Err(format!("{missed} bars are not met")) } else { Ok(()) }
}

/// Says what is not installed.
fn name_missing() -> Result<(), Failure> {
    let mut missing: Vec<&str> = [CARGO, RUSTC].into_iter().filter(|path| !Path::new(path).exists()).collect();
    if missing.is_empty() && !sysroot().is_some_and(|sysroot| sysroot.join(CORE).exists()) {
        missing.push("the source of core for /usr/bin/rustc");
    }
    missing.extend([LINKER, READER].into_iter().filter(|tool| !answers(tool)));
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("missing: {}\n  on Debian: {INSTALL}", missing.join(", ")))
}

/// Where the compiler keeps its libraries.
fn sysroot() -> Option<PathBuf> {
    let output = Command::new(RUSTC).args(["--print", "sysroot"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim_end()))
}

fn answers(tool: &str) -> bool {
    let status = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Builds all probes; returns the folder with the programs.
fn build() -> Result<PathBuf, Failure> {
    let target = target_folder();
    let status = Command::new(CARGO)
        .args(["build", "--quiet", "--locked", "--release", "--target", TARGET])
        .args(["-Zbuild-std=core", "-Zbuild-std-features=optimize_for_size"])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(root().join("firmware").join("size"))
        .env("RUSTC", RUSTC)
        .env("RUSTDOC", "/usr/bin/rustdoc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .map_err(|error| format!("can't run {CARGO}: {error}"))?;
    if status.success() {
        Ok(target.join(TARGET).join("release"))
    } else {
        Err(format!("firmware/size does not build: {status}"))
    }
}

/// Beside everything else that is built.
fn target_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    root().join(target).join("size")
}

fn measure(programs: &Path) -> Result<Vec<Sections>, Failure> {
    let output = Command::new(READER)
        .args(PROBES)
        .current_dir(programs)
        .output()
        .map_err(|error| format!("can't run {READER}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let sections: Vec<_> = text.lines().skip(1).filter_map(sections_of).collect();
    if sections.len() == PROBES.len() { Ok(sections) } else { Err(format!("{READER} said: {text}")) }
}

/// Reads a line `text data bss dec hex filename`.
fn sections_of(line: &str) -> Option<Sections> {
    let mut columns = line.split_whitespace().map(str::parse::<u64>);
    let text = columns.next()?.ok()?;
    let _data = columns.next()?.ok()?;
    let bss = columns.next()?.ok()?;
    Some(Sections { text, bss })
}

fn figures(sections: &[Sections]) -> Result<[Figure; 3], Failure> {
    let [empty, plain, ascon] = sections else { return Err("a probe is missing".to_owned()) };
    let above = |probe: &Sections| probe.text.saturating_sub(empty.text);
    Ok([
        Figure { name: "code_plain", value: above(plain), bar: 10_000 },
        Figure { name: "code_ascon", value: above(ascon), bar: 14_000 },
        Figure { name: "ram_100_keys", value: plain.bss.saturating_sub(empty.bss), bar: 2_500 },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_size_is_read() {
        let sections = sections_of("  19008\t      0\t   2112\t  21120\t   5280\tplain").unwrap();
        assert_eq!((sections.text, sections.bss), (19_008, 2_112));
        assert!(sections_of("   text\t   data\t    bss").is_none());
    }

    #[test]
    fn a_figure_is_one_object_on_one_line() {
        let figure = Figure { name: "code_plain", value: 10_000, bar: 10_000 };
        assert_eq!(figure.line(true), r#"{"name":"code_plain","value":10000,"unit":"B","bar":10000,"met":true}"#);
    }
}
