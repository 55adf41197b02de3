//! Power cuts, enumerated: every flash operation of every scenario, torn in every way, on every small geometry.
//!
//! One *case* is a scenario, a geometry, a suite, the number of a flash operation (counted from the end of the
//! scenario's setup) and a [`Tear`]; a case cut twice has a second operation, counted from the moment when power comes
//! back, and a second tear. After the cut every key must be what was acknowledged, and the operation in flight old or new
//! as a whole; then again after another mount, and after a few more writes and a clean close.
//!
//! `cargo test -p lockstone --test it cuts -- --nocapture` shows how many cases each scenario enumerated, and the sum.
//! `LOCKSTONE_CASE=<id> cargo test -p lockstone --test it replay_case -- --nocapture` replays the one case that a failure
//! names, and tells every operation. Where a case is slow, because its log is long, not all tears are played at each
//! operation, but the next ones in turn; with `LOCKSTONE_THOROUGH=1` all are, at every operation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use lockstone::seal::Suite;
use lockstone::{Ascon, Layout, Plain};
use lockstone_sim::geometry::{Geometry, Scenario, for_each_geometry, run_on};
use lockstone_sim::{Tear, TraceKind};

use crate::world::{Op, Stop, World, announce, tracing};

/// Cases enumerated so far by all tests of this process.
static CASES: AtomicU64 = AtomicU64::new(0);

/// Failures that are told one by one.
const TOLD: usize = 5;

/// What is written before the cuts begin, and what is cut.
struct Script {
    setup: Vec<Op>,
    cut: Vec<Op>,
}

/// One row of the table.
struct Scene {
    name: &'static str,
    script: fn(&Geometry, &Layout) -> Script,
    /// Of the operations on small geometries one in so many is cut.
    small: u64,
    /// The same on large geometries; 0: none.
    large: u64,
    /// So many tears at each operation, taken in turn.
    tears: u64,
    /// One in so many cases is cut twice as well.
    twice: u64,
}

const fn every(name: &'static str, script: fn(&Geometry, &Layout) -> Script) -> Scene {
    Scene { name, script, small: 1, large: 7, tears: 10, twice: 7 }
}

const SCENES: [Scene; 13] = [
    every("fill", fill),
    every("overwrite", overwrite),
    every("delete", delete),
    every("transaction", transaction),
    every("chunked", chunked),
    every("restart", restart),
    every("mixed", mixed),
    every("revive", revive),
    every("batches", batches),
    Scene { large: 0, tears: 3, ..every("compaction", compaction) },
    Scene { small: 13, large: 0, tears: 1, ..every("turn", turn) },
    Scene { small: 3, large: 0, tears: 1, ..every("full", full) },
    Scene { small: 7, large: 31, tears: 1, twice: 10, ..every("names", names) },
];

fn simple(cut: Vec<Op>) -> Script {
    Script { setup: Vec::new(), cut }
}

fn fill(_: &Geometry, layout: &Layout) -> Script {
    let body = layout.body_max as usize;
    let lengths = [0, 1, 31, 32, 33, 64, 100, 127, 128, 129, 200, body - 20, 3, 60];
    simple(lengths.iter().enumerate().map(|(index, length)| Op::Put(index, *length)).collect())
}

fn overwrite(_: &Geometry, _: &Layout) -> Script {
    simple((0..24).map(|turn| Op::Put(turn % 4, turn * 29 % 140)).collect())
}

fn delete(_: &Geometry, _: &Layout) -> Script {
    let puts = (0..8).map(|index| Op::Put(index, 12 * index));
    let deletes = [0, 3, 3, 7, 1, 9].map(Op::Delete);
    let again =
        [Op::Put(3, 40), Op::Put(7, 5), Op::Delete(3), Op::Delete(2), Op::Put(9, 0), Op::Delete(9), Op::Put(3, 1)];
    simple(puts.chain(deletes).chain(again).collect())
}

fn transaction(_: &Geometry, _: &Layout) -> Script {
    simple(vec![
        Op::Put(1, 30),
        Op::Put(2, 50),
        Op::Transaction(vec![(1, Some(70)), (2, None), (3, Some(0))]),
        Op::Abandon(vec![(1, Some(9)), (3, None), (4, Some(90))]),
        Op::Transaction(vec![]),
        Op::Transaction(vec![(3, None), (3, Some(20)), (3, Some(30))]),
        Op::Put(4, 10),
        Op::Abandon(vec![(5, Some(10))]),
        Op::Abandon(vec![(4, None)]),
        Op::Transaction(vec![(1, None), (3, None), (4, None)]),
        Op::Transaction(vec![(6, Some(1)), (7, Some(2)), (8, Some(3)), (9, Some(4))]),
        Op::Abandon(vec![(6, None), (6, Some(60))]),
    ])
}

fn chunked(_: &Geometry, layout: &Layout) -> Script {
    let body = layout.body_max as usize;
    simple(vec![
        Op::Put(3, body + 1),
        Op::Put(4, 20),
        Op::Put(3, body * 2 + 30),
        Op::Put(3, body * 3 / 2),
        Op::Put(1, body + 40),
        Op::Put(3, 5),
        Op::Delete(1),
        Op::Put(3, body * 2),
        Op::Delete(3),
    ])
}

fn restart(_: &Geometry, _: &Layout) -> Script {
    let mut cut = Vec::new();
    for turn in 0..9 {
        cut.push(Op::Put(turn % 3, 17 * turn));
        cut.extend((turn % 4 == 2).then_some(Op::Delete(turn % 3)));
        cut.extend((turn % 3 == 1).then(|| Op::Transaction(vec![(5, Some(turn)), (6, (turn % 2 == 0).then_some(40))])));
        cut.push(if turn % 2 == 0 { Op::Restart } else { Op::Reopen });
        cut.extend((turn == 4).then_some(Op::Restart));
    }
    simple(cut)
}

fn mixed(_: &Geometry, layout: &Layout) -> Script {
    let body = layout.body_max as usize;
    simple(vec![
        Op::Put(0, 200),
        Op::Put(3, body + 100),
        Op::Abandon(vec![(3, Some(body + 60)), (0, None)]),
        Op::Restart,
        Op::Transaction(vec![(3, Some(7)), (4, Some(body + 90))]),
        Op::Reopen,
        Op::Delete(4),
        Op::Put(1, 66),
        Op::Restart,
        Op::Abandon(vec![(1, None)]),
        Op::Put(2, 15),
    ])
}

/// The same few keys come and go over restarts and dropped transactions.
fn revive(_: &Geometry, _: &Layout) -> Script {
    let mut cut = Vec::new();
    for turn in 0..6 {
        cut.extend([Op::Put(turn % 2, 20 + turn), Op::Put(3, 90), Op::Delete(turn % 2), Op::Delete(3)]);
        cut.extend((turn % 2 == 0).then(|| Op::Abandon(vec![(3, Some(turn)), (turn % 2, Some(50))])));
        cut.extend((turn % 3 == 2).then_some(Op::Restart));
        cut.push(Op::Put(turn % 2, 0));
    }
    simple(cut)
}

/// Transactions that fill, empty and replace several keys, long values among them.
fn batches(_: &Geometry, layout: &Layout) -> Script {
    let body = layout.body_max as usize;
    simple(vec![
        Op::Transaction((0..6).map(|index| (index, Some(index * 13))).collect()),
        Op::Transaction(vec![(3, Some(body + 30)), (4, Some(2)), (0, None)]),
        Op::Transaction((0..6).map(|index| (index, (index % 2 == 0).then_some(25))).collect()),
        Op::Abandon(vec![(0, None), (2, None), (7, Some(body + 30))]),
        Op::Transaction(vec![(7, Some(60)), (3, None), (2, Some(1))]),
        Op::Transaction((0..8).map(|index| (index, None)).collect()),
    ])
}

/// Cold keys that stay, and hot ones over them until so many bytes were written.
fn churn(layout: &Layout, bytes: usize) -> impl Iterator<Item = Op> + use<> {
    let length = layout.body_max as usize - 30;
    let cold = (10..22).map(|index| Op::Put(index, 9 * (index - 10)));
    let hot = (0..bytes / (length + 40)).map(move |turn| Op::Put(turn % 3, if turn % 5 == 4 { 70 } else { length }));
    cold.chain(hot)
}

fn compaction(geometry: &Geometry, layout: &Layout) -> Script {
    let length = layout.body_max as usize;
    let cut = (0..13).map(|turn| match turn {
        5 => Op::Delete(2),
        7 => Op::Put(3, length * 2),
        9 => Op::Restart,
        _ => Op::Put(turn % 3, length - 30),
    });
    Script { setup: churn(layout, geometry.capacity * 5 / 4).collect(), cut: cut.collect() }
}

fn turn(geometry: &Geometry, layout: &Layout) -> Script {
    simple(churn(layout, geometry.capacity * 5 / 4).collect())
}

fn full(_: &Geometry, _: &Layout) -> Script {
    Script {
        setup: vec![Op::Put(1, 40), Op::Put(2, 300), Op::Fill(240)],
        cut: vec![
            Op::Put(100, 240),
            Op::Put(103, 200),
            Op::Put(104, 600),
            Op::Delete(2),
            Op::Put(3, 200),
            Op::Delete(101),
            Op::Delete(102),
            Op::Transaction(vec![(101, Some(100)), (1, None)]),
            Op::Put(102, 240),
            Op::Put(4, 240),
            Op::Put(5, 240),
        ],
    }
}

fn names(_: &Geometry, _: &Layout) -> Script {
    let cut = (0..12).map(|turn| match turn % 4 {
        0 => Op::Put(100 + turn * 17, 3),
        1 => Op::Delete(100 + turn * 13),
        2 => Op::Put(50 + turn, 0),
        _ => Op::Transaction(vec![(100 + turn, None), (101 + turn, Some(8))]),
    });
    Script { setup: vec![Op::Fill(0), Op::Restart], cut: cut.collect() }
}

/// What is written after a recovery, before the clean close.
fn afterlife() -> [Op; 6] {
    [
        Op::Put(0, 10),
        Op::Put(50, 100),
        Op::Delete(0),
        Op::Transaction(vec![(1, Some(3)), (50, None)]),
        Op::Put(2, 1),
        Op::Reopen,
    ]
}

/// A place to cut.
type Cut = (u64, Tear);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Case {
    scene: &'static str,
    geometry: &'static str,
    plain: bool,
    first: Cut,
    second: Option<Cut>,
}

impl Case {
    fn id(&self) -> String {
        let suite = if self.plain { "plain" } else { "ascon" };
        let (op, tear) = self.first;
        let second = self.second.map_or(String::new(), |(op, tear)| format!("/{op}/{tear}"));
        format!("{}/{}/{suite}/{op}/{tear}{second}", self.scene, self.geometry)
    }

    fn seed(&self) -> u64 {
        let (op, tear) = self.first;
        let (second, second_tear) = self.second.unwrap_or((3, Tear::Absent));
        ((op * 16 + tear as u64) * 4 + second) * 16 + second_tear as u64
    }
}

/// The world after the setup, and the scratch copy on which cases run.
struct Stage<'a, const R: usize, const W: usize, const E: usize> {
    start: World<R, W, E>,
    scratch: World<R, W, E>,
    script: &'a [Op],
    operations: u64,
}

impl<'a, const R: usize, const W: usize, const E: usize> Stage<'a, R, W, E> {
    fn new<S: Suite>(geometry: &Geometry, script: &'a Script) -> Self {
        let mut start = World::new(geometry.flash());
        start.format::<S>().unwrap();
        start.run::<S>(&script.setup).unwrap();
        let mut stage = Self { scratch: start.copy(), start, script: &script.cut, operations: 0 };
        stage.scratch.run::<S>(stage.script).unwrap();
        stage.operations = stage.scratch.flash.operations() - stage.start.flash.operations();
        stage.scratch.verify::<S>().unwrap();
        stage.scratch.check_rules();
        stage
    }

    fn play<S: Suite>(&mut self, case: &Case) {
        let world = &mut self.scratch;
        world.become_like(&self.start);
        if tracing() {
            world.flash.trace_on();
        }
        world.flash.set_seed(case.seed());
        world.flash.cut_at(case.first.0, case.first.1);
        assert_eq!(world.run::<S>(self.script), Err(Stop::PowerCut), "the script ends before the cut");
        world.flash.power_on();
        if let Some((op, tear)) = case.second {
            world.flash.cut_at(op, tear);
        }
        while recover::<R, W, E, S>(world).is_err() {
            world.flash.power_on();
        }
        world.flash.cancel_cut();
        world.check_rules();
    }
}

fn recover<const R: usize, const W: usize, const E: usize, S: Suite>(world: &mut World<R, W, E>) -> Result<(), Stop> {
    world.verify::<S>()?;
    world.verify::<S>()?;
    world.run::<S>(&afterlife())?;
    world.verify::<S>()
}

/// The tears in turn.
fn tear(number: u64) -> Tear {
    Tear::ALL[(number % 10) as usize]
}

/// Which cases of a scene are played, and what came of it.
struct Tour<'a> {
    scene: &'a Scene,
    /// Only this one.
    only: Option<&'a Case>,
    /// Count the cases, don't play them.
    count_only: bool,
    once: u64,
    twice: u64,
    /// Cases that ran; after too many failures the rest don't.
    played: u64,
    failures: Vec<String>,
}

impl<'a> Tour<'a> {
    fn new(scene: &'a Scene) -> Self {
        Self { scene, only: None, count_only: false, once: 0, twice: 0, played: 0, failures: Vec::new() }
    }

    fn visit<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry, plain: bool) {
        let thorough = geometry.is_small() && std::env::var_os("LOCKSTONE_THOROUGH").is_some();
        let step = match (thorough, geometry.is_small()) {
            (true, _) => 1,
            (false, true) => self.scene.small,
            (false, false) => self.scene.large,
        };
        if step == 0 {
            return;
        }
        let layout = Layout::of(R, W, E, geometry.capacity).unwrap();
        let script = (self.scene.script)(geometry, &layout);
        let Ok(mut stage) = catch_unwind(|| Stage::<R, W, E>::new::<S>(geometry, &script)) else {
            let id = format!(
                "{}/{}/{}, without any cut",
                self.scene.name,
                geometry.name,
                if plain { "plain" } else { "ascon" }
            );
            self.failures.push(id);
            return;
        };
        if let Some(case) = self.only {
            self.play::<R, W, E, S>(&mut stage, case.clone());
            return;
        }
        for op in (0..stage.operations).filter(|op| op % step == 0) {
            let tears = if thorough { 10 } else { self.scene.tears };
            for index in 0..tears {
                let first = (op, tear(op / step * tears + index));
                let case = Case { scene: self.scene.name, geometry: geometry.name, plain, first, second: None };
                let number = self.once;
                self.play::<R, W, E, S>(&mut stage, case.clone());
                if number.is_multiple_of(self.scene.twice) {
                    let tear = tear(index + number / 10);
                    let second = Some((number / self.scene.twice % 3, tear));
                    self.play::<R, W, E, S>(&mut stage, Case { second, ..case });
                }
            }
        }
    }

    fn play<const R: usize, const W: usize, const E: usize, S: Suite>(
        &mut self,
        stage: &mut Stage<'_, R, W, E>,
        case: Case,
    ) {
        match case.second {
            None => self.once += 1,
            Some(_) => self.twice += 1,
        }
        if self.count_only || self.failures.len() >= TOLD {
            return;
        }
        self.played += 1;
        CASES.fetch_add(1, Relaxed);
        if catch_unwind(AssertUnwindSafe(|| stage.play::<S>(&case))).is_err() {
            let id = case.id();
            eprintln!(
                "case {id} failed: LOCKSTONE_CASE={id} cargo test -p lockstone --test it replay_case -- --nocapture"
            );
            self.failures.push(id);
        }
        let trace = stage.scratch.flash.take_trace();
        for entry in trace.iter().filter(|entry| entry.kind != TraceKind::Read) {
            eprintln!("{entry}");
        }
    }
}

impl Scenario for Tour<'_> {
    type Output = ();

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) {
        if self.only.is_none_or(|case| !case.plain) {
            self.visit::<R, W, E, Ascon>(geometry, false);
        }
        if self.only.is_none_or(|case| case.plain) {
            self.visit::<R, W, E, Plain>(geometry, true);
        }
    }
}

fn enumerate(name: &str) {
    let scene = SCENES.iter().find(|scene| scene.name == name).unwrap();
    let start = Instant::now();
    let mut tour = Tour::new(scene);
    for_each_geometry(&mut tour);
    let (sum, Tour { once, twice, played, .. }) = (CASES.load(Relaxed), &tour);
    announce(&format!(
        "cuts, {name}: {once} cut once, {twice} cut twice; {played} played in {:.1?}; {sum} in all so far",
        start.elapsed()
    ));
    assert!(tour.failures.is_empty(), "power cuts in `{name}`: {:#?}", tour.failures);
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
        let mut tour = Tour { count_only: true, ..Tour::new(scene) };
        for_each_geometry(&mut tour);
        println!("cuts planned, {}: {} cut once, {} cut twice", scene.name, tour.once, tour.twice);
        once += tour.once;
        twice += tour.twice;
    }
    announce(&format!(
        "cuts planned: {once} distinct cases of scenario, geometry, suite, operation and tear, {twice} cut twice as well"
    ));
    assert!(once >= 100_000, "only {once} power cuts are enumerated");
}

fn parse(id: &str) -> Option<(&'static Scene, Case)> {
    let mut parts = id.split('/');
    let name = parts.next()?;
    let scene = SCENES.iter().find(|scene| scene.name == name)?;
    let name = parts.next()?;
    let geometry = lockstone_sim::geometry::GEOMETRIES.iter().find(|geometry| geometry.name == name)?.name;
    let plain = parts.next()? == "plain";
    let mut cut = || Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?));
    let (first, second) = (cut()?, cut());
    Some((scene, Case { scene: scene.name, geometry, plain, first, second }))
}

/// `LOCKSTONE_CASE=scenario/geometry/suite/op/tear[/op2/tear2]` plays one case again and tells it.
#[test]
fn replay_case() {
    let id = std::env::var("LOCKSTONE_CASE").unwrap_or("mixed/word4/ascon/5/bits/1/ecc".into());
    let (scene, case) =
        parse(&id).unwrap_or_else(|| panic!("`{id}` is no case: scenario/geometry/suite/op/tear[/op2/tear2]"));
    assert_eq!(case.id(), id);
    let mut tour = Tour { only: Some(&case), ..Tour::new(scene) };
    run_on(case.geometry, &mut tour);
    assert!(tour.failures.is_empty(), "{id} failed again");
}
