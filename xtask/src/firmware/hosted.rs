//! `hosted`: the command line opens the flash that a program on a board has written, writes to it, and the board goes on.
//!
//! ```text
//! board: boots 1, 2, 3 ─> flash.bin ─> host: check, get boots, put note ─> board: boot 4 ─> host: get boots, get note
//! ```

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::board::Board;
use super::emulator::Emulation;
use super::toolchain::run_folder;
use crate::{Failure, root, tools};

/// The program in Rust whose flash is opened: it has run before. Those in C count their boots too.
pub(crate) const PROGRAM: &str = "boot_counter";
/// What the host has to know of the flash: see `firmware/mps3-an547/src/lib.rs` and `firmware/support/c/board.c`.
const DEVICE: &str =
    "format = 1\nsuite = \"ascon\"\nheads = 50\n\n[geometry]\nflash = 262144\nblock = 4096\nwrite = 4\n";
/// The key of `insecure_root_key`.
const KEY: [u8; 32] = [0x42; 32];

/// Goes through the steps; a line that says so.
pub(crate) fn run(board: &Board, program: &str, image: &Path) -> Result<String, Failure> {
    let device = run_folder(board.name, program);
    prepare(&device).map_err(|error| format!("can't make a device of {}: {error}", device.display()))?;
    let tool = build()?;
    let ask = |arguments: &[&str], input: &[u8]| ask(&tool, &device, arguments, input);

    let report = ask(&["check"], &[])?;
    if !report.ends_with(b"Nothing is damaged.\n") {
        return Err(format!("check says: {}", String::from_utf8_lossy(&report)));
    }
    let boots = number(&ask(&["get", "boots"], &[])?)?;
    ask(&["put", "note"], b"from the host")?;
    let (said, status) = Emulation::begin(board, image, &device)?.wait(Duration::from_secs(60))?;
    let expected = format!("boot {}\n", boots + 1);
    if !status.success() || !said.starts_with(&expected) {
        return Err(format!("the board was to say {expected:?}, it ended with {status} and said: {said}"));
    }
    let (again, note) = (number(&ask(&["get", "boots"], &[])?)?, ask(&["get", "note"], &[])?);
    if again != boots + 1 || note != b"from the host" {
        return Err(format!("the host reads {again} boots, and a note of {} bytes", note.len()));
    }
    Ok(format!(r#"{{"name":"firmware/{}/{program}/hosted","value":{again},"unit":"boots","met":true}}"#, board.name))
}

/// Puts what a device directory has beside its flash.
fn prepare(device: &Path) -> std::io::Result<()> {
    let trusted = device.join("trusted");
    fs::create_dir_all(&trusted)?;
    fs::write(device.join("device.toml"), DEVICE)?;
    fs::write(trusted.join("counter"), "0\n")?;
    let key = trusted.join("root.key");
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(key)?.write_all(&KEY)
}

fn number(bytes: &[u8]) -> Result<u32, Failure> {
    bytes.try_into().map(u32::from_le_bytes).map_err(|_| format!("a number of {} bytes", bytes.len()))
}

/// Builds the command line; where it is.
fn build() -> Result<PathBuf, Failure> {
    let mut cargo = tools::cargo();
    tools::succeed(cargo.args(["build", "--quiet", "--bin", "lockstone"]).current_dir(root()), "building lockstone")?;
    Ok(tools::target_folder().join("debug").join("lockstone"))
}

/// Runs `lockstone COMMAND DEVICE REST`; what it prints.
fn ask(tool: &Path, device: &Path, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Failure> {
    let [command, rest @ ..] = arguments else { return Err("no command".to_owned()) };
    let failed = |error: std::io::Error| format!("can't run {}: {error}", tool.display());
    let mut child = Command::new(tool)
        .arg(command)
        .arg(device)
        .args(rest)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // Whoever reads nothing closes it.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("lockstone {command} ended with {}", output.status))
    }
}
