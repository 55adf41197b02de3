//! The sessions that README.md and docs/start.md show are run, and every line is compared.
//!
//! In a block marked `console`, a line that begins with `$ ` is a command (lines with `> ` go on with it), the others are
//! what it says. `UPDATE_EXPECT=1 cargo test -p lockstone-cli documents` writes what is said now.

use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::expect_file;

use super::Bench;

/// Runs the sessions of a page, one after the other in one place, and returns the page with what they said.
fn played(page: &str) -> String {
    let bench = Bench::new();
    let (mut played, mut lines) = (String::new(), page.lines().peekable());
    let mut in_session = false;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            in_session = !in_session && line == "```console";
        }
        let Some(command) = line.strip_prefix("$ ").filter(|_| in_session) else {
            // What was said before is said anew.
            if !in_session || line == "```console" {
                played.push_str(line);
                played.push('\n');
            }
            continue;
        };
        played.push_str(line);
        played.push('\n');
        let mut script = command.to_owned();
        while let Some(more) = lines.next_if(|next| next.starts_with('>')) {
            played.push_str(more);
            played.push('\n');
            script.push('\n');
            script.push_str(more.strip_prefix("> ").unwrap_or_default());
        }
        played.push_str(&said(&bench, &script));
    }
    played
}

fn said(bench: &Bench, script: &str) -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_lockstone")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let script = script.replace("cargo run --release --bin lockstone -- ", "lockstone ");
    let output = Command::new("sh")
        .args(["-c", &format!("{{ {script}\n}} 2>&1")])
        .current_dir(bench.directory.path())
        .env("PATH", path)
        .env("LOCKSTONE_NO_SYNC", "1")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !said.is_empty() && !said.ends_with('\n') {
        said.push('\n');
    }
    said
}

#[test]
fn the_first_steps_are_as_they_are_shown() {
    let page = include_str!("../../../../docs/start.md");
    expect_file!["../../../../docs/start.md"].assert_eq(&played(page));
}

#[test]
fn the_readme_shows_what_is_said() {
    let page = include_str!("../../../../README.md");
    expect_file!["../../../../README.md"].assert_eq(&played(page));
}

/// Commands that no session can run: they build or test the repository. CI runs them (`.ci/run`), but for `cargo install`,
/// which builds the binary that the sessions run.
const BUILDS: [&str; 7] = [
    "cargo test",
    "cargo xtask",
    "cargo build --release -p lockstone-ffi",
    "cargo install",
    "cargo run -p lockstone --example boot_counter",
    "cargo run --release -p lockstone --example workloads",
    "cargo run --release --bin lockstone",
];

#[test]
fn no_command_is_shown_that_nobody_runs() {
    for (name, page) in
        [("README.md", include_str!("../../../../README.md")), ("start.md", include_str!("../../../../docs/start.md"))]
    {
        let mut fence = "";
        for line in page.lines() {
            if let Some(kind) = line.strip_prefix("```") {
                fence = kind;
            }
            if fence != "console" && fence != "toml" && (line.starts_with("cargo ") || line.starts_with("lockstone ")) {
                let known = BUILDS.iter().any(|known| line.starts_with(known));
                assert!(known, "{name} shows a command that no test runs: {line}");
            }
        }
    }
}

#[test]
fn the_picture_is_what_inspect_draws() {
    let bench = Bench::new();
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-ca.pem");
    let demo = bench.run(&format!("demo --seed 3 --cuts 60 --pem {} --keep device", bundle.display()));
    assert_eq!(demo.code(), 0, "{}", demo.shown());
    assert_eq!(bench.run("inspect device --svg device.svg").code(), 0);
    expect_file!["../../../../docs/device.svg"].assert_eq(&String::from_utf8(bench.read("device.svg")).unwrap());
}
