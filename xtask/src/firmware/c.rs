//! Programs in C: `firmware/programs/*.c`, linked with the static library and what `firmware/support/c` has for every board.

use std::fs;
use std::path::PathBuf;

use super::board::Board;
use super::toolchain::target_folder;
use crate::{Failure, library, root};

/// They run on every board that has a processor here; their flash is a file of the debugger.
pub(crate) const PROGRAMS: [&str; 1] = ["from_c"];

/// Whether a program is one of them.
pub(crate) fn is_program(name: &str) -> bool {
    PROGRAMS.contains(&name)
}

/// Builds a program for a board; where it is.
pub(crate) fn build(board: &Board, program: &str) -> Result<PathBuf, Failure> {
    library::name_missing()?;
    let core = library::core_named(board.core)?;
    let library = library::build(core)?;
    let firmware = root().join("firmware");
    let (support, soft_key) = (firmware.join("support").join("c"), root().join("ports").join("soft-key"));
    let sources = [
        firmware.join("programs").join(format!("{program}.c")),
        support.join("start.c"),
        support.join("board.c"),
        soft_key.join("lockstone_soft_key.c"),
    ];
    let place = target_folder().join("c").join(board.name);
    fs::create_dir_all(&place).map_err(|error| format!("can't make {}: {error}", place.display()))?;
    let further = [
        format!("-I{}", support.display()),
        format!("-I{}", soft_key.display()),
        format!("-T{}", firmware.join(board.name).join("memory.x").display()),
        format!("-T{}", support.join("sections.ld").display()),
    ];
    let to = place.join(program);
    library::link(core, &library::headers(), &sources, &library, &further, &to)?;
    Ok(to)
}
