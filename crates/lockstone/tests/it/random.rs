//! Long random runs from a seed, power cuts and restarts in between.

use lockstone::seal::Suite;
use lockstone::{Ascon, Plain};
use lockstone_sim::Tear;
use lockstone_sim::geometry::{Geometry, Scenario, for_each_geometry};

use crate::world::{Op, Random, World, trace};

struct Life<'a> {
    seed: u64,
    steps: usize,
    only: Option<&'a str>,
    plain: bool,
}

impl Scenario for Life<'_> {
    type Output = u64;

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) -> u64 {
        if self.only.is_some_and(|only| only != geometry.name) {
            return 0;
        }
        let id = format!("{}/{}/{}", geometry.name, if self.plain { "plain" } else { "ascon" }, self.seed);
        let seed = self.seed;
        let steps = if geometry.is_small() { self.steps } else { self.steps / 12 };
        let plain = self.plain;
        let start = std::time::Instant::now();
        let outcome = std::panic::catch_unwind(move || {
            let world = World::<R, W, E>::new(geometry.flash());
            if plain {
                live::<R, W, E, Plain>(world, geometry, seed, steps)
            } else {
                live::<R, W, E, Ascon>(world, geometry, seed, steps)
            }
        });
        trace(|| format!("{id}: {:?}", start.elapsed()));
        outcome.unwrap_or_else(|_| panic!("random life {id} failed (LOCKSTONE_LIFE={id} runs it alone)"))
    }
}

fn random_op(random: &mut Random, geometry: &Geometry) -> Op {
    let index = if random.below(10) < 6 { random.below(4) } else { random.below(40) };
    let most = (geometry.capacity / 64).clamp(200, 3000);
    let length = match random.below(12) {
        0 => 0,
        1 => random.below(most),
        _ => random.below(70),
    };
    match random.below(20) {
        0..12 => Op::Put(index, length),
        12..16 => Op::Delete(index),
        16 => Op::Transaction((0..random.below(5)).map(|i| (index + i, (i != 2).then_some(length))).collect()),
        17 => Op::Abandon((0..random.below(5)).map(|i| (index + i, (i != 2).then_some(length))).collect()),
        18 => Op::Reopen,
        _ => Op::Restart,
    }
}

fn live<const R: usize, const W: usize, const E: usize, S: Suite>(
    mut world: World<R, W, E>,
    geometry: &Geometry,
    seed: u64,
    steps: usize,
) -> u64 {
    let mut random = Random(seed);
    let mut cuts = 0;
    world.flash.set_seed(seed);
    world.format::<S>().unwrap();
    for _ in 0..steps {
        let script: Vec<Op> = (0..1 + random.below(30)).map(|_| random_op(&mut random, geometry)).collect();
        if random.below(3) > 0 {
            let tear = Tear::ALL[random.below(Tear::ALL.len())];
            world.flash.cut_at(random.below(60) as u64, tear);
        }
        let mut result = world.run::<S>(&script);
        while result.is_err() {
            cuts += 1;
            trace(|| format!("cut, {:?}", world.flash));
            world.flash.power_on();
            if random.below(3) == 0 {
                let tear = Tear::ALL[random.below(Tear::ALL.len())];
                world.flash.cut_at(random.below(3) as u64, tear);
            }
            result = world.verify::<S>();
        }
        world.flash.cancel_cut();
        world.verify::<S>().unwrap();
        world.check_rules();
    }
    cuts
}

fn lives(seeds: std::ops::Range<u64>, plain: bool) {
    let mut cuts = 0;
    for seed in seeds.clone() {
        cuts += for_each_geometry(&mut Life { seed, steps: 60, only: None, plain }).iter().sum::<u64>();
    }
    println!("random lives {seeds:?}: {cuts} power cuts, none lost a key");
}

#[test]
fn random_lives_sealed() {
    lives(0..6, false);
}

#[test]
fn random_lives_plain() {
    lives(100..110, true);
}

/// `LOCKSTONE_LIFE=geometry/suite/seed` runs one life again, `LOCKSTONE_TRACE=1` tells it.
#[test]
fn random_life_again() {
    let id = std::env::var("LOCKSTONE_LIFE").unwrap_or("word4/ascon/1".into());
    let [geometry, suite, seed] = id.split('/').collect::<Vec<_>>()[..] else { panic!("geometry/suite/seed") };
    let life = Life { seed: seed.parse().unwrap(), steps: 60, only: Some(geometry), plain: suite == "plain" };
    for_each_geometry(&mut { life });
}
