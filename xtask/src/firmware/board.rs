//! The boards: how each is emulated, and which programs it has.

use std::fs;

use super::{c, hosted, toolchain};
use crate::{Failure, root, tools};

/// A board that QEMU knows.
pub(crate) struct Board {
    /// Its folder in `firmware/`, and its package there.
    pub(crate) name: &'static str,
    /// The emulator, and what is said to it of the machine.
    pub(crate) emulator: &'static str,
    pub(crate) machine: &'static [&'static str],
    /// What its programs are compiled for.
    pub(crate) target: &'static str,
    /// Its processor, as [library](crate::library) calls it, for programs in C; empty: it has none.
    pub(crate) core: &'static str,
    /// Its flash outlives the emulator, so each start is one of the emulator; the others start again by themselves.
    pub(crate) keeps_flash: bool,
    /// The flash of its programs in Rust is a file as the command line has it.
    pub(crate) has_file: bool,
    /// The SD card that it has, in bytes; 0: none.
    pub(crate) card: u64,
}

/// All of them.
pub(crate) const BOARDS: [Board; 4] = [
    Board {
        name: "mps3-an547",
        emulator: ARM,
        machine: &["-M", "mps3-an547"],
        target: "thumbv8m.main-none-eabi",
        core: "cortex-m55",
        keeps_flash: true,
        has_file: true,
        card: 0,
    },
    Board {
        name: "microbit",
        emulator: ARM,
        machine: &["-M", "microbit"],
        target: "thumbv6m-none-eabi",
        core: "",
        keeps_flash: false,
        has_file: false,
        card: 0,
    },
    Board {
        name: "lm3s6965evb",
        emulator: ARM,
        machine: &["-M", "lm3s6965evb"],
        target: "thumbv7m-none-eabi",
        core: "cortex-m3",
        keeps_flash: true,
        has_file: false,
        card: 4 << 30,
    },
    Board {
        name: "riscv-virt",
        emulator: "qemu-system-riscv32",
        machine: &["-M", "virt", "-bios", "none"],
        target: "riscv32imac-unknown-none-elf",
        core: "",
        keeps_flash: true,
        has_file: true,
        card: 0,
    },
];
const ARM: &str = "qemu-system-arm";

impl Board {
    /// Its programs: those of its manifest, in their order, then those in C.
    pub(crate) fn programs(&self) -> Result<Vec<String>, Failure> {
        let manifest = root().join("firmware").join(self.name).join("Cargo.toml");
        let text =
            fs::read_to_string(&manifest).map_err(|error| format!("can't read {}: {error}", manifest.display()))?;
        let mut programs = programs_of(&text).map_err(|what| format!("{}: {what}", manifest.display()))?;
        if !self.core.is_empty() {
            programs.extend(c::PROGRAMS.map(str::to_owned));
        }
        Ok(programs)
    }

    /// Whether the command line opens what a program has written.
    pub(crate) fn is_hosted(&self, program: &str) -> bool {
        c::is_program(program) || self.has_file && program == hosted::PROGRAM
    }

    /// What is not installed that it needs; `None`: nothing. Boards of Arm's must run, one of another kind may be passed over.
    pub(crate) fn lacks(&self) -> Option<Failure> {
        if !tools::answers(self.emulator) {
            let package = if self.is_arm() { "qemu-system-arm" } else { "qemu-system-misc" };
            return Some(missing(self.emulator, package));
        }
        toolchain::linker_that_lacks(self.target).map(|linker| missing(linker, "binutils-riscv64-unknown-elf"))
    }

    /// Whether it must run.
    pub(crate) fn is_arm(&self) -> bool {
        self.emulator == ARM
    }

    /// How often a program is started by us.
    pub(crate) const fn starts(&self) -> u32 {
        if self.keeps_flash { 3 } else { 1 }
    }
}

fn missing(tool: &str, package: &str) -> Failure {
    format!("missing: {tool}\n  on Debian: apt-get install --no-install-recommends {package}")
}

/// Names of the tables `[[bin]]`.
fn programs_of(manifest: &str) -> Result<Vec<String>, Failure> {
    let name = |table: &str| {
        let lines = table.lines().take_while(|line| !line.starts_with('['));
        let name = lines.filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).next();
        name.map(str::to_owned).ok_or_else(|| format!("a [[bin]] without a line name = \"...\":{table}"))
    };
    // However they are spelt, so that none is left out.
    let squeezed: String = manifest.chars().filter(|sign| !sign.is_whitespace()).collect();
    let tables: Vec<_> = manifest.split("[[bin]]\n").skip(1).map(name).collect::<Result<_, _>>()?;
    if tables.len() == squeezed.matches("[[bin]]").count() && !squeezed.contains("bin=[") {
        Ok(tables)
    } else {
        Err("a [[bin]] that can't be read".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_the_binaries_of_a_manifest() {
        let manifest =
            "[package]\nname = \"board\"\n\n[[bin]]\nname = \"one\"\npath = \"x\"\n\n[[bin]]\nname = \"two\"\n";
        assert_eq!(programs_of(manifest), Ok(vec!["one".to_owned(), "two".to_owned()]));
        assert_eq!(programs_of("[package]\nname = \"board\"\n"), Ok(Vec::new()));
    }

    #[test]
    fn a_binary_that_cannot_be_read_is_an_error() {
        for table in [
            "[[bin]]\npath = \"x\"\n",
            "[[bin]]\nname = 'x'\n",
            "[[ bin ]]\nname = \"x\"\n",
            "[[bin]]\n[features]\nname = \"x\"\n",
            "bin = [{ name = \"x\" }]\n",
        ] {
            assert!(programs_of(table).is_err(), "{table}");
        }
    }
}
