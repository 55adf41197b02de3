//! Blocks that fail, chips that wear out, stores that are full: no acknowledged key is lost, and every end is an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lockstone::seal::Suite;
use lockstone::{Ascon, Error, Layout, Plain, Store};
use lockstone_sim::geometry::{Geometry, Scenario, for_each_geometry};
use lockstone_sim::{BlockFault, SimError, SimFlash, Tear};

use lockstone_torture::{Model, Ram, Random, World, name, root, value};

type Sim<'w, const R: usize, const W: usize, const E: usize, S> = Store<'w, &'w mut SimFlash<R, W, E>, S>;

/// A test on one geometry with one suite. Failures of all geometries are collected.
trait Trial {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&self, geometry: &Geometry, layout: &Layout);
}

struct Everywhere<T> {
    trial: T,
    large: bool,
    failures: Vec<String>,
}

impl<T: Trial> Scenario for Everywhere<T> {
    type Output = ();

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) {
        if !geometry.is_small() && !self.large {
            return;
        }
        let layout = Layout::of(R, W, E, geometry.capacity).unwrap();
        let sealed = catch_unwind(AssertUnwindSafe(|| self.trial.run::<R, W, E, Ascon>(geometry, &layout)));
        let plain = catch_unwind(AssertUnwindSafe(|| self.trial.run::<R, W, E, Plain>(geometry, &layout)));
        self.failures.extend(sealed.is_err().then(|| format!("{}/ascon", geometry.name)));
        self.failures.extend(plain.is_err().then(|| format!("{}/plain", geometry.name)));
    }
}

fn everywhere(trial: impl Trial, large: bool) {
    let mut everywhere = Everywhere { trial, large, failures: Vec::new() };
    for_each_geometry(&mut everywhere);
    assert!(everywhere.failures.is_empty(), "failed on {:?}", everywhere.failures);
}

/// How a stretch of writing ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// All was written.
    Not,
    Full,
    WornOut,
    /// The driver's error came through.
    Flash,
    /// Neither written nor readable: the key and the value that it may have got.
    Unread(Vec<u8>, Option<Vec<u8>>),
}

/// The same of a store that can't be written any more.
fn check_read_only<const R: usize, const W: usize, const E: usize, S: Suite>(
    world: &mut World<R, W, E>,
    model: &mut Model,
    ended: &Ended,
) {
    let mut memory = Ram::new();
    let mut store = Sim::<R, W, E, S>::mount_read_only(&mut world.flash, world.part, &root(), &mut memory).unwrap();
    let mut buffer = vec![0; 4096];
    let mut ask = |name: &Vec<u8>| store.get(&name[..], &mut buffer).unwrap().map(|length| buffer[..length].to_vec());
    if let Ended::Unread(name, fresh) = ended {
        let found = ask(name);
        assert!(found == *fresh || found.as_ref() == model.get(name), "neither old nor new");
        match found {
            Some(found) => model.insert(name.clone(), found),
            None => model.remove(name),
        };
    }
    assert!(model.iter().all(|(name, value)| ask(name).as_ref() == Some(value)), "a key is lost");
}

/// Every key of the model is there; returns the number of bad segments.
fn check<const R: usize, const W: usize, const E: usize, S: Suite>(world: &mut World<R, W, E>, model: &Model) -> u32 {
    let mut memory = Ram::new();
    let mut store = World::<R, W, E>::mount::<S>(&mut world.flash, world.part, &mut memory).unwrap();
    let mut buffer = vec![0; 4096];
    let mut writes = Vec::new();
    for _ in 0..2 {
        for (name, value) in model {
            let length = store.get(&name[..], &mut buffer).unwrap();
            assert_eq!(length.map(|length| &buffer[..length]), Some(&value[..]), "key of {} bytes", name.len());
        }
        writes.push(store.flash().operations());
    }
    assert_eq!(writes[0], writes[1], "reads write again what they have written in this session");
    let stats = store.stats().unwrap();
    assert_eq!(stats.keys as usize, model.len());
    stats.bad_segments
}

/// Writes and deletes at random until `steps` are done or the store ends. An operation that fails leaves the old or the
/// new value; which one is asked at once.
fn churn<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut Sim<'_, R, W, E, S>,
    model: &mut Model,
    random: &mut Random,
    steps: u64,
) -> Ended {
    let mut buffer = vec![0; 4096];
    for _ in 0..steps {
        let index = 3 + random.below(12);
        let version = random.word() >> 24;
        let fresh = (random.below(6) > 0).then(|| value(index, version, random.below(120)));
        let key = name(index);
        let result = match &fresh {
            Some(value) => store.put(&key[..], value),
            None => store.delete(&key[..]).map(drop),
        };
        if result.is_ok() {
            match fresh {
                Some(value) => model.insert(key, value),
                None => model.remove(&key),
            };
            continue;
        }
        // Not acknowledged: old or new. What is there now stays.
        let Ok(length) = store.get(&key[..], &mut buffer) else { return Ended::Unread(key, fresh) };
        let found = length.map(|length| buffer[..length].to_vec());
        assert!(found == fresh || found.as_ref() == model.get(&key), "neither old nor new after {result:?}");
        match found {
            Some(found) => model.insert(key, found),
            None => model.remove(&key),
        };
        match result {
            Err(Error::Full) => return Ended::Full,
            // Of four segments one is retired: nothing fits any more.
            Err(Error::TooLarge) if store.layout().segments == 4 => return Ended::Full,
            Err(Error::WornOut) => return Ended::WornOut,
            Err(Error::Flash(_)) => return Ended::Flash,
            other => panic!("{other:?}"),
        }
    }
    Ended::Not
}

/// One block is broken in one way from some time on.
struct BrokenBlock(BlockFault);

impl Trial for BrokenBlock {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&self, geometry: &Geometry, layout: &Layout) {
        let per_segment = layout.segment as usize / E;
        for block in [1, 2, 3, layout.segments as usize - 1].map(|segment| segment * per_segment) {
            let mut world = World::<R, W, E>::new(geometry.flash());
            world.format::<S>().unwrap();
            let (mut model, mut random) = (Model::new(), Random(block as u64));
            let steps = (geometry.capacity / 40) as u64;
            world.flash.fail_block(block, self.0);
            let mut ended = Ended::Not;
            for _ in 0..3 {
                let mut memory = Ram::new();
                let mut store = Sim::<R, W, E, S>::mount(&mut world.flash, world.part, &root(), &mut memory).unwrap();
                ended = churn(&mut store, &mut model, &mut random, steps / 2);
                drop(store);
                let bad = check::<R, W, E, S>(&mut world, &model);
                assert!(bad <= 1 && world.flash.violations() == 0, "{bad} segments are bad");
            }
            let bad = check::<R, W, E, S>(&mut world, &model);
            // A part of few segments can't spare one.
            if layout.segments > 6 {
                assert_eq!((ended, bad), (Ended::Not, 1), "{} block {block}", geometry.name);
            }
        }
    }
}

#[test]
fn faults_erase_fails() {
    everywhere(BrokenBlock(BlockFault::EraseFails), false);
}

#[test]
fn faults_erase_leaves_bits() {
    everywhere(BrokenBlock(BlockFault::EraseLeavesBits), false);
}

#[test]
fn faults_program_fails() {
    everywhere(BrokenBlock(BlockFault::ProgramFails), false);
}

#[test]
fn faults_program_does_not_stick() {
    everywhere(BrokenBlock(BlockFault::SilentProgram), false);
}

/// Every block takes 20 erases. `mounted`: what a mount for writing reads at the end is looked at, too.
struct EndOfLife {
    mounted: bool,
}

impl Trial for EndOfLife {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&self, geometry: &Geometry, _: &Layout) {
        let mut world = World::<R, W, E>::new(geometry.flash());
        world.format::<S>().unwrap();
        world.flash.endurance(20);
        let (mut model, mut random) = (Model::new(), Random(3));
        let mut ended = Ended::Not;
        for _ in 0..2000 {
            let mut memory = Ram::new();
            let mut store = Sim::<R, W, E, S>::mount(&mut world.flash, world.part, &root(), &mut memory).unwrap();
            ended = churn(&mut store, &mut model, &mut random, 100);
            drop(store);
            check_read_only::<R, W, E, S>(&mut world, &mut model, &ended);
            if ended != Ended::Not {
                break;
            }
        }
        assert_ne!(ended, Ended::Not, "{} never wears out", geometry.name);
        // The end is for ever, and everything can still be read.
        for _ in 0..3 {
            let mut memory = Ram::new();
            let mut store = Sim::<R, W, E, S>::mount(&mut world.flash, world.part, &root(), &mut memory).unwrap();
            let ended = churn(&mut store, &mut model, &mut random, 30);
            drop(store);
            check_read_only::<R, W, E, S>(&mut world, &mut model, &ended);
            if self.mounted {
                check::<R, W, E, S>(&mut world, &model);
            }
        }
        println!("end of life, {}/{}: erases {:?}", geometry.name, S::NAME, world.flash.erase_spread());
    }
}

#[test]
fn faults_end_of_life() {
    everywhere(EndOfLife { mounted: false }, false);
}

#[test]
fn faults_end_of_life_mounted_for_writing() {
    everywhere(EndOfLife { mounted: true }, false);
}

/// A unit that can't be read, anywhere in the log.
struct Unreadable;

impl Trial for Unreadable {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&self, geometry: &Geometry, _: &Layout) {
        let mut world = World::<R, W, E>::new(geometry.flash());
        world.format::<S>().unwrap();
        let mut model = Model::new();
        let mut memory = Ram::new();
        let mut store = Sim::<R, W, E, S>::mount(&mut world.flash, world.part, &root(), &mut memory).unwrap();
        assert_eq!(churn(&mut store, &mut model, &mut Random(5), 60), Ended::Not);
        store.close().unwrap();
        let erased = world.flash.erased();
        let written: Vec<usize> = (0..geometry.capacity).filter(|at| world.flash.data()[*at] != erased).collect();
        let healthy = world.flash.clone();
        for at in written.iter().step_by(written.len() / 150 + 1) {
            world.flash.clone_from(&healthy);
            world.flash.inject_ecc(*at as u32);
            let mut memory = Ram::new();
            let mounted = Sim::<R, W, E, S>::mount_read_only(&mut world.flash, world.part, &root(), &mut memory);
            let Ok(mut store) = mounted else { continue };
            let mut buffer = vec![0; 4096];
            for index in 3..16 {
                let key = name(index);
                if let Ok(length) = store.get(&key[..], &mut buffer) {
                    let found = length.map(|length| &buffer[..length]);
                    assert_eq!(found, model.get(&key).map(Vec::as_slice), "{} ecc at {at:#x}", geometry.name);
                }
            }
        }
    }
}

#[test]
fn faults_unreadable_units() {
    everywhere(Unreadable, false);
}

/// A full store can always be emptied, and holds as much again.
struct FullAgain;

impl Trial for FullAgain {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&self, geometry: &Geometry, _: &Layout) {
        for length in [0, 32, 600] {
            if length == 0 && geometry.capacity > 400_000 {
                continue;
            }
            let mut world = World::<R, W, E>::new(geometry.flash());
            world.format::<S>().unwrap();
            let mut memory = Ram::new();
            let mut store = World::<R, W, E>::mount::<S>(&mut world.flash, world.part, &mut memory).unwrap();
            let mut held = Vec::new();
            for round in 0..3 {
                let count = (0..)
                    .position(|index| match store.put(&name(100 + index)[..], &value(index, round, length)) {
                        Ok(()) => false,
                        Err(Error::Full) => true,
                        Err(error) => panic!("{} {length}: {error:?}", geometry.name),
                    })
                    .unwrap();
                for index in 0..count {
                    let deleted = store.delete(&name(100 + index)[..]);
                    assert_eq!(
                        deleted,
                        Ok(true),
                        "{}/{} {length} bytes, round {round}, {index} of {count}",
                        geometry.name,
                        S::NAME
                    );
                }
                assert_eq!(store.stats().unwrap().keys, 0);
                held.push(count);
            }
            assert!(
                held[0] > 0 && held.iter().all(|count| *count == held[0]),
                "{}/{} {length}: {held:?}",
                geometry.name,
                S::NAME
            );
        }
    }
}

#[test]
fn faults_full_and_full_again() {
    everywhere(FullAgain, true);
}

/// A thousand power cuts in a row.
struct ThousandCuts;

impl Trial for ThousandCuts {
    fn run<const R: usize, const W: usize, const E: usize, S: Suite>(&self, geometry: &Geometry, _: &Layout) {
        let mut world = World::<R, W, E>::new(geometry.flash());
        world.format::<S>().unwrap();
        let mut random = Random(geometry.capacity as u64);
        let (mut counter, mut cuts, mut boots) = (0, 0, 0);
        while cuts < 1000 {
            boots += 1;
            let tear = Tear::ALL[random.below(Tear::ALL.len())];
            world.flash.cut_at(random.below(40) as u64, tear);
            let mut memory = Ram::new();
            let mut bytes = [0; 8];
            if let Ok(mut store) = World::<R, W, E>::mount::<S>(&mut world.flash, world.part, &mut memory) {
                counter = count_on::<R, W, E, S>(&mut store, &mut bytes, counter, geometry);
            }
            assert!(world.flash.is_cut() || boots < 3000, "{}", geometry.name);
            cuts += u64::from(world.flash.is_cut());
            world.flash.power_on();
        }
        world.flash.cancel_cut();
        world.check_rules();
        assert!(counter > 1000, "{}/{}: {cuts} cuts, counted to {counter}", geometry.name, S::NAME);
    }
}

/// Counts until an error; returns how far it was acknowledged or found.
fn count_on<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut Sim<'_, R, W, E, S>,
    bytes: &mut [u8; 8],
    acknowledged: u64,
    geometry: &Geometry,
) -> u64 {
    let mut counter = match store.get("counter", bytes) {
        Ok(Some(_)) => u64::from_le_bytes(*bytes),
        Ok(None) => 0,
        Err(Error::Flash(SimError::PowerCut)) => return acknowledged,
        // A cut while a record was written again may show as damage until the next boot.
        Err(error) => {
            assert!(store.get("other", bytes).is_err(), "{}: {error:?}", geometry.name);
            return acknowledged;
        }
    };
    assert!(counter == acknowledged || counter == acknowledged + 1, "{}: {counter}, not {acknowledged}", geometry.name);
    while store.put("counter", &(counter + 1).to_le_bytes()).is_ok() {
        counter += 1;
    }
    counter
}

#[test]
fn faults_thousand_cuts() {
    everywhere(ThousandCuts, false);
}
