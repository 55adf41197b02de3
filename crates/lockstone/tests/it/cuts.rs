//! Power cuts, enumerated: all cases of every scene.
//!
//! The cases are those of `lockstone-torture`; here they are played, one test a scene. A failure names the case, and
//! `lockstone replay` tells it step by step. With `LOCKSTONE_THOROUGH=1` every tear is played at every operation of the small
//! geometries.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use lockstone_torture::{SCENES, Tour};

/// Cases enumerated so far by all tests of this process.
static CASES: AtomicU64 = AtomicU64::new(0);

pub(crate) fn is_thorough() -> bool {
    std::env::var_os("LOCKSTONE_THOROUGH").is_some()
}

/// Says a figure on the terminal, past the test runner's capture: how much was tried belongs to the result.
fn announce(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

fn enumerate(name: &str) {
    let scene = SCENES.iter().find(|scene| scene.name == name).unwrap();
    let start = Instant::now();
    let Tour { once, twice, played, failures, .. } = Tour::play(scene, is_thorough());
    let sum = CASES.fetch_add(played, Relaxed) + played;
    announce(&format!(
        "cuts, {name}: {once} cut once, {twice} cut twice; {played} played in {:.1?}; {sum} in all so far",
        start.elapsed()
    ));
    assert!(failures.is_empty(), "power cuts in `{name}`: {failures:#?}");
}

#[test]
fn cuts_fill() {
    enumerate("fill");
}

#[test]
fn cuts_overwrite() {
    enumerate("overwrite");
}

#[test]
fn cuts_delete() {
    enumerate("delete");
}

#[test]
fn cuts_transaction() {
    enumerate("transaction");
}

#[test]
fn cuts_chunked() {
    enumerate("chunked");
}

#[test]
fn cuts_restart() {
    enumerate("restart");
}

#[test]
fn cuts_mixed() {
    enumerate("mixed");
}

#[test]
fn cuts_revive() {
    enumerate("revive");
}

#[test]
fn cuts_batches() {
    enumerate("batches");
}

#[test]
fn cuts_compaction() {
    enumerate("compaction");
}

#[test]
fn cuts_turn() {
    enumerate("turn");
}

#[test]
fn cuts_full() {
    enumerate("full");
}

#[test]
fn cuts_names() {
    enumerate("names");
}

/// The plan, without playing it: the sum that all tests of this file enumerate.
#[test]
fn cuts_planned() {
    let (mut once, mut twice) = (0, 0);
    for scene in &SCENES {
        let tour = Tour::plan(scene, is_thorough());
        println!("cuts planned, {}: {} cut once, {} cut twice", scene.name, tour.once, tour.twice);
        assert!(tour.failures.is_empty(), "{:#?}", tour.failures);
        once += tour.once;
        twice += tour.twice;
    }
    announce(&format!(
        "cuts planned: {once} distinct cases of scenario, geometry, suite, operation and tear, {twice} cut twice as well"
    ));
    assert!(once >= 100_000, "only {once} power cuts are enumerated");
}
