//! Attackers' images: whatever was written over the flash, the store answers right, or says that it can't.
//!
//! A device is used, closed in order, and then its flash is changed behind its back. Each answer of the store afterwards
//! must be the newest value, or an error; a mount may refuse with a reason. An older state is accepted where the attacker
//! brought back old content, and only as one whole state: mixtures of states are failures.
//! `cargo test -p lockstone --test it hostile -- --nocapture` shows how often which answer was given.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lockstone::seal::Suite;
use lockstone::{Ascon, Layout, OpenError, Part, Plain, SoftRootKey, Store};
use lockstone_sim::geometry::{Geometry, Scenario, for_each_geometry, run_on};
use lockstone_sim::{SimError, SimFlash, Tear};

use lockstone_torture::{Fixed, Model, Op, Ram, Random, World, name, root};

type Sim<'w, const R: usize, const W: usize, const E: usize, S> = Store<'w, &'w mut SimFlash<R, W, E>, S>;

/// What a store says of every name; `Err`: it says that it can't.
type Answers = BTreeMap<Vec<u8>, Result<Option<Vec<u8>>, ()>>;

/// A used device and all states that it had, the last one last.
struct Device<const R: usize, const W: usize, const E: usize> {
    world: World<R, W, E>,
    states: Vec<Model>,
}

/// The index of a name that no script stores.
const NEVER: usize = 9999;

fn first_life(layout: &Layout) -> Vec<Op> {
    let body = layout.body_max as usize;
    vec![
        Op::Put(0, 20),
        Op::Put(1, 60),
        Op::Put(3, body + 50),
        Op::Put(4, 0),
        Op::Transaction(vec![(0, Some(30)), (5, Some(40)), (4, None)]),
        Op::Put(6, 100),
        Op::Delete(1),
        Op::Put(3, body * 2),
        Op::Restart,
        Op::Put(7, 33),
        Op::Abandon(vec![(6, None), (7, Some(1))]),
        Op::Put(6, 90),
        Op::Put(3, 12),
        Op::Put(8, body + 9),
    ]
}

/// More writes, different for each `variant`.
fn more(layout: &Layout, variant: usize) -> Vec<Op> {
    let body = layout.body_max as usize;
    vec![
        Op::Put(0, 25 + variant),
        Op::Delete(7 - variant),
        Op::Put(9 + variant, 50),
        Op::Transaction(vec![(5, Some(variant)), (6, None), (4, Some(44))]),
        Op::Put(8, body + 30 * variant),
        Op::Put(2, 77),
        Op::Delete(9 + variant),
    ]
}

impl<const R: usize, const W: usize, const E: usize> Device<R, W, E> {
    fn new<S: Suite>(geometry: &Geometry) -> Self {
        let mut world = World::new(geometry.flash());
        world.format::<S>().unwrap();
        world.oracle.history = Some(vec![Model::new()]);
        Self { world, states: Vec::new() }
    }

    fn live<S: Suite>(&mut self, script: &[Op]) -> &mut Self {
        self.world.run::<S>(script).unwrap();
        self.world.run::<S>(&[Op::Reopen]).unwrap();
        self.states = self.world.oracle.history.clone().unwrap_or_default();
        self
    }

    /// Turns the ring of segments, so that every segment was written and some were freed.
    fn turn<S: Suite>(&mut self, geometry: &Geometry, layout: &Layout) -> &mut Self {
        let length = layout.body_max as usize - 20;
        let puts = geometry.capacity / (length + 40);
        let script: Vec<Op> = (0..puts).map(|turn| Op::Put(10 + turn % 5, length)).collect();
        self.live::<S>(&script)
    }

    fn copy(&self) -> Self {
        Self { world: self.world.copy(), states: self.states.clone() }
    }

    fn ask<S: Suite>(&mut self) -> Result<Answers, OpenError<SimError>> {
        ask::<R, W, E, S>(&mut self.world.flash, self.world.part, &self.states)
    }
}

/// Mounts read-only and asks for every name that was ever there, and one that never was.
fn ask<const R: usize, const W: usize, const E: usize, S: Suite>(
    flash: &mut SimFlash<R, W, E>,
    part: Part,
    states: &[Model],
) -> Result<Answers, OpenError<SimError>> {
    let mut memory = Ram::new();
    let before = flash.operations();
    let mut answers = Answers::new();
    let mut store = Sim::<R, W, E, S>::mount_read_only(&mut *flash, part, &root(), &mut memory)?;
    let names = states.iter().flat_map(Model::keys).cloned().chain([name(NEVER)]);
    let mut buffer = vec![0; 1 << 12];
    for name in names {
        answers.entry(name).or_insert_with_key(|name| match store.get(&name[..], &mut buffer) {
            Ok(length) => Ok(length.map(|length| buffer[..length].to_vec())),
            Err(_) => Err(()),
        });
    }
    drop(store);
    assert_eq!(flash.operations(), before, "a read-only mount wrote something");
    Ok(answers)
}

/// How a store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// The mount says what is wrong.
    Refused,
    /// Every answer is right.
    Right,
    /// Some answers are errors, the others right.
    Reported,
    /// One whole older state.
    Older,
    /// Some answers are errors, the others those of one older state.
    OlderReported,
    /// Answers of several states, or of none.
    Mixture,
}

fn judge(seen: &Result<Answers, OpenError<SimError>>, states: &[Model]) -> Class {
    let Ok(answers) = seen else { return Class::Refused };
    let errors = answers.values().any(Result::is_err);
    let fits = |state: &Model| {
        answers.iter().all(|(name, answer)| answer.as_ref().map_or(true, |value| value.as_ref() == state.get(name)))
    };
    let (newest, older) = states.split_last().unwrap();
    match (fits(newest), older.iter().any(fits), errors) {
        (true, _, false) => Class::Right,
        (true, _, true) => Class::Reported,
        (false, true, false) => Class::Older,
        (false, true, true) => Class::OlderReported,
        (false, false, _) => Class::Mixture,
    }
}

/// Counts answers and remembers those that must not be.
#[derive(Default)]
struct Tally {
    classes: BTreeMap<Class, u64>,
    failures: Vec<String>,
}

impl Tally {
    fn note(&mut self, class: Class, allowed: &[Class], what: impl FnOnce() -> String) {
        *self.classes.entry(class).or_default() += 1;
        if !allowed.contains(&class) {
            self.failures.push(format!("{class:?}: {}", what()));
        }
    }

    fn tell(&self, name: &str) {
        println!("hostile, {name}: {:?}", self.classes);
        let told = &self.failures[..self.failures.len().min(12)];
        assert!(told.is_empty(), "{name}: {} wrong answers: {told:#?}", self.failures.len());
    }
}

const HONEST: [Class; 3] = [Class::Refused, Class::Right, Class::Reported];
const ROLLED_BACK: [Class; 5] = [Class::Refused, Class::Right, Class::Reported, Class::Older, Class::OlderReported];

/// An attack, on one geometry and with one suite.
trait Attack {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry, layout: &Layout);
}

struct BothSuites<'a, A>(&'a mut A);

impl<A: Attack> Scenario for BothSuites<'_, A> {
    type Output = ();

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) {
        let layout = Layout::of(R, W, E, geometry.capacity).unwrap();
        self.0.run::<R, W, E, Ascon>(geometry, &layout);
        self.0.run::<R, W, E, Plain>(geometry, &layout);
    }
}

/// Asks a changed device; a panic is a failure too.
fn look<const R: usize, const W: usize, const E: usize, S: Suite>(
    device: &mut Device<R, W, E>,
    tally: &mut Tally,
    allowed: &[Class],
    what: impl Fn() -> String,
) {
    match catch_unwind(AssertUnwindSafe(|| device.ask::<S>())) {
        Ok(seen) => tally
            .note(judge(&seen, &device.states), allowed, || format!("{}: {}", what(), wrong(&seen, &device.states))),
        Err(_) => tally.failures.push(format!("panic: {}", what())),
    }
}

/// The state that most answers fit, those of a fork counted first, and the answers that don't fit it.
fn wrong(seen: &Result<Answers, OpenError<SimError>>, states: &[Model]) -> String {
    let Ok(answers) = seen else { return String::new() };
    let misfits = |state: &Model| -> Vec<String> {
        let stray = |(name, answer): &(&Vec<u8>, &Result<Option<Vec<u8>>, ()>)| {
            answer.as_ref().is_ok_and(|value| value.as_ref() != state.get(*name))
        };
        let say = |(name, answer): (&Vec<u8>, &Result<Option<Vec<u8>>, ()>)| {
            let lengths =
                (answer.as_ref().ok().and_then(|value| value.as_ref().map(Vec::len)), state.get(name).map(Vec::len));
            format!("{} (length found, in that state) {lengths:?}", String::from_utf8_lossy(&name[..name.len().min(8)]))
        };
        answers.iter().filter(stray).map(say).collect()
    };
    let nearest = states.iter().enumerate().min_by_key(|(_, state)| misfits(state).len()).unwrap();
    let errors = answers.values().filter(|answer| answer.is_err()).count();
    format!("{errors} errors; nearest is state {} of {}, without {:?}", nearest.0, states.len(), misfits(nearest.1))
}

#[derive(Default)]
struct Flips {
    tally: Tally,
}

impl Attack for Flips {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry, layout: &Layout) {
        let mut device = Device::<R, W, E>::new::<S>(geometry);
        device.live::<S>(&first_life(layout)).live::<S>(&more(layout, 1));
        let erased = device.world.flash.erased();
        for byte in 0..geometry.capacity {
            let written = device.world.flash.data()[byte] != erased;
            if !written && byte % 97 != 0 {
                continue;
            }
            let bit = byte * 8 + byte * 5 % 8;
            device.world.flash.flip_bit(bit);
            look::<R, W, E, S>(&mut device, &mut self.tally, &HONEST, || {
                format!("{}/{} bit {bit}", geometry.name, S::NAME)
            });
            device.world.flash.flip_bit(bit);
        }
    }
}

#[test]
fn hostile_single_bits() {
    let mut flips = Flips::default();
    for name in ["nrf51", "stm32l0", "page64", "sector512"] {
        run_on(name, &mut BothSuites(&mut flips)).unwrap();
    }
    flips.tally.tell("single bits");
}

#[derive(Default)]
struct Garbage {
    verdicts: BTreeMap<String, u64>,
}

impl Attack for Garbage {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry, _: &Layout) {
        if !geometry.is_small() {
            return;
        }
        let mut flash = geometry.flash::<R, W, E>();
        let part = World::new(flash.clone()).part;
        let blank = ask::<R, W, E, S>(&mut flash, part, &[]);
        assert_eq!(blank, Err(OpenError::Blank), "{}", geometry.name);
        for seed in 0..50 {
            let mut random = Random(seed);
            flash.data_mut().iter_mut().for_each(|byte| *byte = random.word() as u8);
            let seen = ask::<R, W, E, S>(&mut flash, part, &[]);
            assert_eq!(seen, Err(OpenError::Unknown), "{} {seed}", geometry.name);
            // The same behind something that looks like a header.
            let header = [b'L', b'K', b'S', 1, S::ID];
            flash.data_mut()[..5].copy_from_slice(&header);
            let seen = ask::<R, W, E, S>(&mut flash, part, &[]).unwrap_err();
            *self.verdicts.entry(format!("{seen:?}")).or_default() += 1;
        }
    }
}

#[test]
fn hostile_garbage() {
    let mut garbage = Garbage::default();
    for_each_geometry(&mut BothSuites(&mut garbage));
    println!("hostile, garbage behind a magic: {:?}", garbage.verdicts);
}

/// The tail of the device becomes blank.
#[derive(Default)]
struct Truncated {
    tally: Tally,
}

impl Attack for Truncated {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry, layout: &Layout) {
        if !geometry.is_small() {
            return;
        }
        let mut device = Device::<R, W, E>::new::<S>(geometry);
        device.live::<S>(&first_life(layout)).live::<S>(&more(layout, 0));
        let erased = device.world.flash.erased();
        let written = device.world.flash.data().iter().rposition(|byte| *byte != erased).unwrap();
        let pristine = device.copy();
        let step = geometry.write.max(4);
        for keep in (0..written).step_by(step).step_by((written / step / 80).max(1)) {
            device.world.become_like(&pristine.world);
            device.world.flash.data_mut()[keep..].fill(erased);
            // A log that ends earlier is an older state.
            look::<R, W, E, S>(&mut device, &mut self.tally, &ROLLED_BACK, || {
                format!("{}/{} keeps {keep}", geometry.name, S::NAME)
            });
        }
    }
}

#[test]
fn hostile_truncated() {
    let mut truncated = Truncated::default();
    for_each_geometry(&mut BothSuites(&mut truncated));
    truncated.tally.tell("truncated");
}

/// Blocks change places, come back from the past, or come from another life of the same device.
#[derive(Default)]
struct Blocks {
    swapped: Tally,
    replayed: Tally,
    spliced: Tally,
}

impl Attack for Blocks {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry, layout: &Layout) {
        if !geometry.is_small() {
            return;
        }
        for turned in [false, true] {
            let mut device = Device::<R, W, E>::new::<S>(geometry);
            device.live::<S>(&first_life(layout));
            if turned {
                device.turn::<S>(geometry, layout);
            }
            self.attack::<R, W, E, S>(&device, layout, &format!("{}/{}/turned {turned}", geometry.name, S::NAME));
        }
    }
}

impl Blocks {
    fn attack<const R: usize, const W: usize, const E: usize, S: Suite>(
        &mut self,
        device: &Device<R, W, E>,
        layout: &Layout,
        id: &str,
    ) {
        // Only the sealed suite promises anything against an attacker who knows the format.
        let allowed: &[Class] = if S::OPAQUE {
            &ROLLED_BACK
        } else {
            &[Class::Refused, Class::Right, Class::Reported, Class::Older, Class::OlderReported, Class::Mixture]
        };
        let blocks = device.world.flash.blocks();
        let step = (blocks / 16).max(1);
        let mut victim = device.copy();
        for (a, b) in (0..blocks).step_by(step).flat_map(|a| (a + 1..blocks).step_by(step).map(move |b| (a, b))) {
            victim.world.become_like(&device.world);
            victim.world.flash.swap_blocks(a, b);
            // Where the end of the log changes places with blank flash, it was cut off: an older state.
            look::<R, W, E, S>(&mut victim, &mut self.swapped, &ROLLED_BACK, || format!("{id} swap {a} {b}"));
        }
        let mut left = device.copy();
        left.live::<S>(&more(layout, 0));
        let mut image = device.world.flash.data().to_vec();
        self.mix::<R, W, E, S>(&left, &image, allowed, id, false);
        let mut right = device.copy();
        right.world.oracle.version += 500;
        right.live::<S>(&more(layout, 2)).live::<S>(&more(layout, 3));
        image.copy_from_slice(right.world.flash.data());
        left.states = right.states.iter().cloned().chain(left.states).collect();
        self.mix::<R, W, E, S>(&left, &image, allowed, id, true);
    }

    /// Every block, every tail and random halves from `image`.
    fn mix<const R: usize, const W: usize, const E: usize, S: Suite>(
        &mut self,
        device: &Device<R, W, E>,
        image: &[u8],
        allowed: &[Class],
        id: &str,
        spliced: bool,
    ) {
        let tally = if spliced { &mut self.spliced } else { &mut self.replayed };
        let blocks = device.world.flash.blocks();
        let differ: Vec<usize> = (0..blocks)
            .filter(|block| image[block * E..][..E] != device.world.flash.data()[block * E..][..E])
            .collect();
        let single = differ.iter().map(|block| vec![*block]);
        let tails = (1..differ.len()).map(|from| differ[from..].to_vec());
        let random = (0..12).map(|seed| {
            differ.iter().copied().filter(|block| Random(seed << 8 | *block as u64).below(2) == 0).collect()
        });
        let sets: Vec<Vec<usize>> = single.chain(tails).chain(random).collect();
        let mut victim = device.copy();
        for set in sets {
            victim.world.become_like(&device.world);
            set.iter().for_each(|block| victim.world.flash.copy_block(image, *block));
            look::<R, W, E, S>(&mut victim, tally, allowed, || {
                format!("{id} blocks {set:?} from {}", if spliced { "the fork" } else { "the past" })
            });
        }
    }
}

#[test]
fn hostile_blocks() {
    let mut blocks = Blocks::default();
    for_each_geometry(&mut BothSuites(&mut blocks));
    println!(
        "hostile, swapped {:?}, replayed {:?}, spliced {:?}",
        blocks.swapped.classes, blocks.replayed.classes, blocks.spliced.classes
    );
    let all = [
        ("swapped blocks", &blocks.swapped),
        ("replayed blocks", &blocks.replayed),
        ("spliced forks", &blocks.spliced),
    ];
    let count = all.iter().map(|(_, tally)| tally.failures.len()).sum::<usize>();
    for (name, tally) in all {
        tally.failures.iter().take(8).for_each(|failure| println!("{name}: {failure}"));
    }
    assert_eq!(count, 0, "wrong answers");
}

/// The image of another device, and of another key.
#[derive(Default)]
struct Foreign;

impl Attack for Foreign {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry, layout: &Layout) {
        let mut device = Device::<R, W, E>::new::<S>(geometry);
        device.live::<S>(&first_life(layout));
        let (part, mut memory) = (device.world.part, Ram::new());
        let other = SoftRootKey::new([0x77; 32]);
        let result = Sim::<R, W, E, S>::mount(&mut device.world.flash, part, &other, &mut memory).map(drop);
        // The plain suite has no key.
        assert_eq!(result.err(), S::OPAQUE.then_some(OpenError::NotAuthentic), "{}", geometry.name);
        let wrong_suite = if S::OPAQUE {
            Sim::<R, W, E, Plain>::mount(&mut device.world.flash, part, &root(), &mut memory).map(drop)
        } else {
            Sim::<R, W, E, Ascon>::mount(&mut device.world.flash, part, &root(), &mut memory).map(drop)
        };
        assert!(matches!(wrong_suite, Err(OpenError::Incompatible { suite, .. }) if suite == S::ID), "{wrong_suite:?}");
        // Blocks of a device with the same key and another identity.
        let mut stranger = geometry.flash::<R, W, E>();
        let mut fixed = Fixed(8);
        drop(Sim::<R, W, E, S>::format(&mut stranger, part, &root(), &mut fixed, &mut memory).unwrap());
        let mut tally = Tally::default();
        let mut victim = device.copy();
        for block in 0..device.world.flash.blocks().min(8) {
            victim.world.become_like(&device.world);
            victim.world.flash.copy_block(stranger.data(), block);
            // The other store is one that this device could have been before it was formatted again.
            look::<R, W, E, S>(&mut victim, &mut tally, &ROLLED_BACK, || {
                format!("{}/{} foreign block {block}", geometry.name, S::NAME)
            });
        }
        assert!(tally.failures.is_empty(), "{:#?}", tally.failures);
    }
}

#[test]
fn hostile_foreign() {
    for_each_geometry(&mut BothSuites(&mut Foreign));
}

/// A format that was cut.
#[derive(Default)]
struct HalfFormatted {
    verdicts: BTreeMap<String, u64>,
}

impl Attack for HalfFormatted {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry, layout: &Layout) {
        if !geometry.is_small() {
            return;
        }
        for used in [false, true] {
            let mut device = Device::<R, W, E>::new::<S>(geometry);
            if used {
                device.live::<S>(&first_life(layout));
            } else {
                device.world = World::new(geometry.flash());
                device.states = vec![Model::new()];
            }
            let mut trial = device.copy();
            let before = trial.world.flash.operations();
            trial.world.format::<S>().unwrap();
            let operations = trial.world.flash.operations() - before;
            let step = (operations / 24).max(1);
            for op in (0..operations).filter(|op| op % step == 0 || op + 4 > operations) {
                for tear in Tear::ALL {
                    trial.world.become_like(&device.world);
                    trial.world.flash.set_seed(op);
                    trial.world.flash.cut_at(op, tear);
                    // A format passes over a block that can't be erased: it may not notice the cut at once.
                    assert!(trial.world.format::<S>().is_err());
                    trial.world.flash.power_on();
                    let seen = trial.ask::<S>();
                    let class = judge(&seen, &trial.states);
                    assert_ne!((class, used), (Class::Mixture, false), "{} {op} {tear}", geometry.name);
                    let verdict = seen.err().map_or(format!("{class:?}"), |error| format!("{error:?}"));
                    *self.verdicts.entry(verdict).or_default() += 1;
                    trial.world.format::<S>().unwrap();
                    trial.world.oracle = Default::default();
                    trial.world.verify::<S>().unwrap();
                    trial.world.check_rules();
                }
            }
        }
    }
}

#[test]
fn hostile_half_formatted() {
    let mut half = HalfFormatted::default();
    for_each_geometry(&mut BothSuites(&mut half));
    println!("hostile, half formatted: {:?}", half.verdicts);
}
