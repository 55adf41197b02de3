//! Tests of the command line, through the binary and nothing else.
//!
//! One test crate, one module a subject; `bench` (here) makes a place to work in and runs commands there.

#![allow(clippy::unwrap_used, reason = "a test that can't go on is to say so")]
#![allow(clippy::cast_possible_truncation, reason = "values are made up of the low bytes of numbers")]
#![allow(clippy::too_many_lines, reason = "snapshots are long")]

mod attacked;
mod commands;
mod corpus;
mod custody;
mod demo;
mod documents;
mod image;
mod input_output;
mod inspect;
mod killed;
mod lock;
mod objects;
mod replay;
mod rolled_back;
mod transfer;
mod volumes;

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A user and a group that own nothing.
const SOMEBODY: u32 = 65534;

/// Whether these tests run as root: what a process makes is its user's.
fn is_root() -> bool {
    tempfile::tempdir().unwrap().path().metadata().unwrap().uid() == 0
}

/// A directory of its own to run commands in; it goes away with it.
struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// With a device `dev` of this geometry and suite.
    fn with_device(arguments: &str) -> Self {
        let bench = Self::new();
        assert_eq!(bench.run(&format!("new dev {arguments}")).code(), 0);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn command(&self) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_lockstone"))
    }

    fn command_of(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory.path()).env("LOCKSTONE_NO_SYNC", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command without input; words are separated by blanks.
    fn run(&self, words: &str) -> Ran {
        Ran(self.command().args(words.split_whitespace()).output().unwrap())
    }

    /// Runs a command as somebody whom the system can deny something: root is never denied.
    fn run_as_somebody(&self, words: &str) -> Ran {
        let program = self.path("program");
        if !program.exists() {
            std::fs::copy(env!("CARGO_BIN_EXE_lockstone"), &program).unwrap();
        }
        let mut command = self.command_of(program);
        if is_root() {
            self.give_away(self.directory.path());
            command.uid(SOMEBODY).gid(SOMEBODY);
        }
        Ran(command.args(words.split_whitespace()).output().unwrap())
    }

    /// Makes it and what is in it somebody's.
    fn give_away(&self, path: &Path) {
        std::os::unix::fs::lchown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        if path.symlink_metadata().unwrap().is_dir() {
            path.read_dir().unwrap().for_each(|entry| self.give_away(&entry.unwrap().path()));
        }
    }

    /// Gives it these rights.
    fn allow(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    fn mode(&self, name: &str) -> u32 {
        self.path(name).metadata().unwrap().permissions().mode() & 0o777
    }

    /// Runs a command with this input.
    fn feed(&self, words: &str, input: &[u8]) -> Ran {
        let mut child = self.command().args(words.split_whitespace()).stdin(Stdio::piped()).spawn().unwrap();
        // A command that fails early does not read its input.
        let _ = child.stdin.take().unwrap().write_all(input);
        Ran(child.wait_with_output().unwrap())
    }

    /// Runs commands one after the other, `command < input` each, and writes down what was seen.
    fn session(&self, script: &str) -> String {
        let mut seen = String::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (words, input) = line.split_once(" < ").unwrap_or((line, ""));
            let ran = self.feed(words, input.as_bytes());
            write!(seen, "$ {line}\n{}", ran.shown()).unwrap();
        }
        seen
    }
}

/// What a command did.
struct Ran(Output);

impl Ran {
    fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    fn out(&self) -> &[u8] {
        &self.0.stdout
    }

    fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// Output, errors behind `!`, and the exit code if it isn't 0.
    fn shown(&self) -> String {
        let mut shown = String::from_utf8_lossy(self.out()).into_owned();
        if !shown.is_empty() && !shown.ends_with('\n') {
            shown.push('\n');
        }
        self.err().lines().for_each(|line| writeln!(shown, "! {line}").unwrap());
        if self.code() != 0 {
            writeln!(shown, "= {}", self.code()).unwrap();
        }
        shown
    }
}
