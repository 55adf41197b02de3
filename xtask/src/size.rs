//! `size`: what the store costs on Arm cores, optimised for size.
//!
//! ```text
//! firmware/size ─ Debian's cargo, core built for size ─> probes ─┬─ arm-none-eabi-size ──> text, ram
//!  (for each target)                                             └─ arm-none-eabi-objdump ─> stack (stack.rs)
//! firmware/budgets.txt ─> bars                                                    ─> table, or one object a line
//! ```
//!
//! Text is code and constants above the empty program; RAM what the probe hands in for 100 keys on 64 blocks; stack the
//! worst chain of calls, the frame that holds the store included. Debian's compiler is used because it brings its own source of
//! `core` and may build it; the toolchain of rustup stays as it is.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Failure, firmware, footprint, root, stack, tools};

pub(crate) const CARGO: &str = "/usr/bin/cargo";
pub(crate) const RUSTC: &str = "/usr/bin/rustc";
const CORE: &str = "lib/rustlib/src/rust/library/core/Cargo.toml";
pub(crate) const TOOLS: [&str; 3] = ["arm-none-eabi-ld", "arm-none-eabi-size", "arm-none-eabi-objdump"];
const FLAGS: &str = r#"-Clinker=arm-none-eabi-ld --cfg ascon_backend="soft-compact" --cfg sha2_backend_soft="compact""#;
const INSTALL: &str = "apt-get install --no-install-recommends rustc-web cargo-web rust-web-src gcc-arm-none-eabi";
pub(crate) const TARGETS: [&str; 3] = ["thumbv6m-none-eabi", "thumbv7em-none-eabi", "thumbv8m.main-none-eabi"];
/// Programs, and what their rows are called. The first one does nothing.
const PROBES: [(&str, &str); 19] = [
    ("empty", ""),
    ("plain_small", "plain/kv"),
    ("ascon_small", "ascon/kv"),
    ("plain", "plain/kv-standard"),
    ("ascon", "ascon/kv-standard"),
    ("plain_full", "plain/full"),
    ("ascon_full", "ascon/full"),
    ("plain_async", "plain/kv-async"),
    ("ascon_async", "ascon/kv-async"),
    ("plain_protected", "plain/protected"),
    ("ascon_protected", "ascon/protected"),
    ("ascon_clients", "ascon/clients"),
    ("ascon_objects", "ascon/objects"),
    ("ascon_boot", "ascon/boot"),
    ("ascon_install", "ascon/install"),
    ("sequential", "peer/sequential-storage"),
    ("c_native", "c/native"),
    ("c_psa", "c/psa"),
    ("c_cfstore", "c/cfstore"),
];

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    json: bool,
    check: bool,
    write_docs: bool,
}

/// One figure, and the most it may be.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) target: &'static str,
    pub(crate) row: String,
    pub(crate) value: u64,
    unit: &'static str,
    pub(crate) bars: Bars,
}

/// What `arm-none-eabi-size` says of one program, in bytes.
struct Sections {
    text: u64,
    bss: u64,
}

/// A line of the budgets: target, row, the most it may be, and the word `goal` when it is known that it is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget<'b> {
    pub(crate) target: &'b str,
    pub(crate) row: &'b str,
    most: u64,
    is_goal: bool,
}

/// What the budgets say of one figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bars {
    /// The lowest of all: what is shown.
    pub(crate) shown: Option<u64>,
    /// The lowest that is no goal: above it, a check fails.
    limit: Option<u64>,
}

impl Bars {
    /// The bars of the rows that are meant.
    pub(crate) fn of(budgets: &[Budget<'_>], is_meant: impl Fn(&Budget<'_>) -> bool) -> Self {
        let meant = || budgets.iter().filter(|budget| is_meant(budget));
        let limit = meant().filter(|budget| !budget.is_goal).map(|budget| budget.most).min();
        Self { shown: meant().map(|budget| budget.most).min(), limit }
    }

    /// A bar without a row.
    pub(crate) const fn at(most: u64) -> Self {
        Self { shown: Some(most), limit: Some(most) }
    }

    pub(crate) fn is_met(self, value: u64) -> bool {
        self.shown.is_none_or(|bar| value <= bar)
    }

    /// The limit, if a value is above it.
    pub(crate) fn broken(self, value: u64) -> Option<u64> {
        self.limit.filter(|limit| value > *limit)
    }

    /// How an object says it.
    pub(crate) fn json(self) -> String {
        self.shown.map_or(String::new(), |bar| format!(r#""bar":{bar},"#))
    }
}

impl Options {
    /// Reads the options; `None` when there is one that we don't know.
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let mut options = Self::default();
        for argument in arguments {
            match argument.as_str() {
                "--json" => options.json = true,
                "--check" => options.check = true,
                "--write-docs" => options.write_docs = true,
                _ => return None,
            }
        }
        Some(options)
    }
}

impl Figure {
    fn line(&self, json: bool) -> String {
        let Self { target, row, value, unit, bars } = self;
        let met = bars.is_met(*value);
        let mut line = String::new();
        if json {
            let bar = bars.json();
            let _ = write!(line, r#"{{"name":"{target}/{row}","value":{value},"unit":"{unit}",{bar}"met":{met}}}"#);
        } else {
            let _ = write!(line, "{target:<24} {row:<22} {value:>7} {unit}");
            if let Some(bar) = bars.shown {
                let _ = write!(line, "   bar {bar:>6} {unit}   {}", if met { "met" } else { "NOT met" });
            }
        }
        line
    }
}

/// Builds the probes for every target and prints a line for each figure.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    name_missing()?;
    let path = root().join("firmware").join("budgets.txt");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    let mut budgets = budgets(&text)?;
    budgets.retain(|budget| !firmware::is_board(budget.target)); // those are for the chore `firmware`
    let mut all = Vec::new();
    for target in TARGETS {
        let programs = build(target)?;
        for figure in figures(target, &programs, &budgets)? {
            println!("{}", figure.line(options.json));
            all.push(figure);
        }
    }
    if options.write_docs {
        footprint::write(&all)?;
    }
    let is_of = |budget: &Budget<'_>, figure: &Figure| figure.target == budget.target && figure.row == budget.row;
    if let Some(budget) = budgets.iter().find(|budget| !all.iter().any(|figure| is_of(budget, figure))) {
        return Err(format!("nothing measures {} {}", budget.target, budget.row));
    }
    let broken = all.iter().filter_map(|figure| {
        let Figure { target, row, value, .. } = figure;
        figure.bars.broken(*value).map(|limit| format!("{target} {row} is {value}, at most {limit}"))
    });
    let broken: Vec<_> = broken.collect();
    if options.check && !broken.is_empty() { Err(broken.join("\n")) } else { Ok(()) }
}

/// Reads the budgets.
pub(crate) fn budgets(text: &str) -> Result<Vec<Budget<'_>>, Failure> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (target, row, most, is_goal) = match line.split_whitespace().collect::<Vec<_>>()[..] {
                [target, row, most] => (target, row, most, false),
                [target, row, most, "goal"] => (target, row, most, true),
                _ => return None,
            };
            Some(Budget { target, row, most: most.parse().ok()?, is_goal })
        })
        .collect::<Option<_>>()
        .ok_or_else(|| "firmware/budgets.txt: a line is target, row, number, and perhaps goal".to_owned())
}

/// Says what is not installed.
pub(crate) fn name_missing() -> Result<(), Failure> {
    let mut missing: Vec<&str> = [CARGO, RUSTC].into_iter().filter(|path| !Path::new(path).exists()).collect();
    if missing.is_empty() && !sysroot().is_some_and(|sysroot| sysroot.join(CORE).exists()) {
        missing.push("the source of core for /usr/bin/rustc");
    }
    missing.extend(TOOLS.into_iter().filter(|tool| !tools::answers(tool)));
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

/// Builds all probes for a target; returns the folder with the programs.
fn build(target: &str) -> Result<PathBuf, Failure> {
    let folder = tools::target_folder().join("size");
    let status = Command::new(CARGO)
        .args(["build", "--quiet", "--locked", "--release", "--target", target])
        .args(["-Zbuild-std=core", "-Zbuild-std-features=optimize_for_size"])
        .arg("--target-dir")
        .arg(&folder)
        .current_dir(root().join("firmware").join("size"))
        .env("RUSTC", RUSTC)
        .env("RUSTDOC", "/usr/bin/rustdoc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .map_err(|error| format!("can't run {CARGO}: {error}"))?;
    if status.success() {
        Ok(folder.join(target).join("release"))
    } else {
        Err(format!("firmware/size does not build for {target}: {status}"))
    }
}

fn figures(target: &'static str, programs: &Path, budgets: &[Budget<'_>]) -> Result<Vec<Figure>, Failure> {
    let [empty, rest @ ..] = &measure(programs)?[..] else { return Err("a probe is missing".to_owned()) };
    let (mut figures, mut masked) = (Vec::new(), 0);
    for ((program, name), sections) in PROBES.iter().skip(1).zip(rest) {
        let mut add = |what: &str, value: u64| {
            let row = format!("{name}/{what}");
            let bars = Bars::of(budgets, |budget| budget.target == target && budget.row == row);
            figures.push(Figure { target, row, value, unit: "B", bars });
        };
        add("text", sections.text.saturating_sub(empty.text));
        add("ram", sections.bss.saturating_sub(empty.bss));
        let disassembly = disassemble(&programs.join(program))?;
        if let Some(bytes) = stack::deepest(&disassembly) {
            add("stack", bytes);
        }
        masked += disassembly.lines().filter(|line| masks_interrupts(line)).count() as u64;
    }
    let row = "all/masking".to_owned();
    figures.push(Figure { target, row, value: masked, unit: "instructions", bars: Bars::at(0) });
    Ok(figures)
}

/// Whether a line of a disassembly holds interrupts back.
fn masks_interrupts(line: &str) -> bool {
    let mut columns = line.split('\t').skip(2);
    let (mnemonic, operands) = (columns.next().unwrap_or("").trim(), columns.next().unwrap_or(""));
    let is_mask = ["PRIMASK", "BASEPRI", "FAULTMASK"].iter().any(|mask| operands.to_uppercase().starts_with(mask));
    mnemonic.starts_with("cpsid") || mnemonic.starts_with("msr") && is_mask
}

fn disassemble(program: &Path) -> Result<String, Failure> {
    let output = Command::new(TOOLS[2]).arg("-d").arg(program).output();
    let output = output.map_err(|error| format!("can't run {}: {error}", TOOLS[2]))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn measure(programs: &Path) -> Result<Vec<Sections>, Failure> {
    let output = Command::new(TOOLS[1])
        .args(PROBES.map(|(program, _)| program))
        .current_dir(programs)
        .output()
        .map_err(|error| format!("can't run {}: {error}", TOOLS[1]))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let sections: Vec<_> = text.lines().skip(1).filter_map(sections_of).collect();
    if sections.len() == PROBES.len() { Ok(sections) } else { Err(format!("{} said: {text}", TOOLS[1])) }
}

/// Reads a line `text data bss dec hex filename`.
fn sections_of(line: &str) -> Option<Sections> {
    let mut columns = line.split_whitespace().map(str::parse::<u64>);
    let text = columns.next()?.ok()?;
    let _data = columns.next()?.ok()?;
    let bss = columns.next()?.ok()?;
    Some(Sections { text, bss })
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
        let mut figure = Figure {
            target: "thumbv7em",
            row: "plain/kv/text".to_owned(),
            value: 10_001,
            unit: "B",
            bars: Bars::at(10_000),
        };
        assert_eq!(
            figure.line(true),
            r#"{"name":"thumbv7em/plain/kv/text","value":10001,"unit":"B","bar":10000,"met":false}"#
        );
        figure.bars = Bars::default();
        assert_eq!(figure.line(true), r#"{"name":"thumbv7em/plain/kv/text","value":10001,"unit":"B","met":true}"#);
    }

    #[test]
    fn what_masks_interrupts_is_seen() {
        for line in ["    8000:\tb672      \tcpsid\ti", "    8002:\tf380 8810 \tmsr\tPRIMASK, r0"] {
            assert!(masks_interrupts(line), "{line}");
        }
        for line in ["    8000:\tb662      \tcpsie\ti", "    8002:\tf380 8808 \tmsr\tMSP, r0", "00008000 <cpsid>:"] {
            assert!(!masks_interrupts(line), "{line}");
        }
    }

    #[test]
    fn budgets_are_three_words_a_line_and_perhaps_a_fourth() {
        let budget = Budget { target: "thumbv6m", row: "a/b", most: 12, is_goal: false };
        assert_eq!(budgets("# why\n\nthumbv6m a/b 12\n"), Ok(vec![budget]));
        for wrong in ["thumbv6m a/b", "thumbv6m a/b many", "thumbv6m a/b 12 perhaps", "thumbv6m a/b 12 goal 13"] {
            assert!(budgets(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_goal_is_shown_as_missed_and_only_the_guard_beside_it_breaks_a_check() {
        let rows = budgets("core a/b 10 goal\ncore a/b 20\ncore c/d 10 goal\n").unwrap();
        let bars = |row: &str| Bars::of(&rows, |budget| budget.row == row);
        assert!(bars("a/b").is_met(10) && !bars("a/b").is_met(11));
        assert_eq!((bars("a/b").broken(20), bars("a/b").broken(21)), (None, Some(20)));
        assert!(!bars("c/d").is_met(11) && bars("c/d").broken(99).is_none());
        assert!(Bars::at(0).broken(1).is_some());
    }
}
