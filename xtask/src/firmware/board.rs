//! The boards: how each is emulated, and which programs it has.

use std::fs;

use crate::{Failure, root};

/// A board that QEMU knows.
pub(crate) struct Board {
    /// Its folder in `firmware/`, its package there, and QEMU's name of the machine.
    pub(crate) name: &'static str,
    /// What its programs are compiled for.
    pub(crate) target: &'static str,
    /// Its flash outlives the emulator, so each start is one of the emulator; the others start again by themselves.
    pub(crate) keeps_flash: bool,
    /// The flash is a file as the command line has it.
    pub(crate) has_file: bool,
    /// The SD card that it has, in bytes; 0: none.
    pub(crate) card: u64,
}

/// All of them.
pub(crate) const BOARDS: [Board; 3] = [
    Board { name: "mps3-an547", target: "thumbv8m.main-none-eabi", keeps_flash: true, has_file: true, card: 0 },
    Board { name: "microbit", target: "thumbv6m-none-eabi", keeps_flash: false, has_file: false, card: 0 },
    Board { name: "lm3s6965evb", target: "thumbv7m-none-eabi", keeps_flash: true, has_file: false, card: 4 << 30 },
];

impl Board {
    /// Its programs, in the order of its manifest.
    pub(crate) fn programs(&self) -> Result<Vec<String>, Failure> {
        let manifest = root().join("firmware").join(self.name).join("Cargo.toml");
        let text =
            fs::read_to_string(&manifest).map_err(|error| format!("can't read {}: {error}", manifest.display()))?;
        Ok(programs_of(&text))
    }

    /// How often a program is started by us.
    pub(crate) const fn starts(&self) -> u32 {
        if self.keeps_flash { 3 } else { 1 }
    }
}

/// Names of the tables `[[bin]]`.
fn programs_of(manifest: &str) -> Vec<String> {
    let name = |table: &str| {
        table.lines().find_map(|line| Some(line.strip_prefix("name = \"")?.trim_end_matches('"').to_owned()))
    };
    manifest.split("[[bin]]").skip(1).filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_the_binaries_of_a_manifest() {
        let manifest =
            "[package]\nname = \"board\"\n\n[[bin]]\nname = \"one\"\npath = \"x\"\n\n[[bin]]\nname = \"two\"\n";
        assert_eq!(programs_of(manifest), ["one", "two"]);
        assert!(programs_of("[package]\nname = \"board\"\n").is_empty());
    }
}
