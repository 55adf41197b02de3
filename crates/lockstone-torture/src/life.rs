//! Random lives: puts, deletes, transactions, restarts and power cuts in any order, all from one seed.

use std::fmt;

use lockstone_sim::geometry::{Geometry, Scenario, run_on};
use lockstone_sim::{SimFlash, Tear};

use crate::caught;
use crate::cuts::geometry_name;
use crate::flicker::flicker;
use crate::random::Random;
use crate::replay::Image;
use crate::tale::Tale;
use crate::tried::{Sort, Tried, for_sort};
use crate::world::{Op, Stop, World};

/// Stretches of operations in a life; on large geometries a twelfth.
const STEPS: usize = 60;

/// What a life is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of everything, and now and then a cut.
    Mixed,
    /// Cut after cut, each early in its session, and only then a look.
    Flicker,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Mixed, Self::Flicker];

    /// As ids have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mixed => "life",
            Self::Flicker => "flicker",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One life. `Display` writes its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    kind: Kind,
    geometry: &'static str,
    sort: Sort,
    seed: u64,
}

/// `life/geometry/suite/seed`, or `flicker/...`
impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.kind.name(), self.geometry, self.sort.name(), self.seed)
    }
}

impl Life {
    /// The life of this seed on a geometry.
    #[must_use]
    pub const fn new(kind: Kind, geometry: &Geometry, sort: Sort, seed: u64) -> Self {
        Self { kind, geometry: geometry.name, sort, seed }
    }

    /// The life of this id; `None` if there is none.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let [kind, geometry, suite, seed] = id.split('/').collect::<Vec<_>>()[..] else { return None };
        let (kind, geometry) = (Kind::parse(kind)?, geometry_name(geometry)?);
        Some(Self { kind, geometry, sort: Sort::parse(suite)?, seed: seed.parse().ok()? })
    }

    /// Lives it and tells it; how often the power was cut.
    pub fn play(&self, tale: &Tale) -> (Result<u64, String>, Option<Image>) {
        run_on(self.geometry, &mut Told { life: self, tale }).unwrap_or_else(|| (Err("no such geometry".into()), None))
    }
}

struct Told<'a> {
    life: &'a Life,
    tale: &'a Tale,
}

impl Scenario for Told<'_> {
    type Output = (Result<u64, String>, Option<Image>);

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) -> Self::Output {
        let Self { life: Life { kind, sort, seed, .. }, tale } = *self;
        let mut world = World::<R, W, E>::new(geometry.flash());
        world.tell(tale);
        let mut cuts = 0;
        let outcome = caught(|| {
            for_sort!(*sort, W, E, S => match kind {
                Kind::Mixed => live::<R, W, E, S>(&mut world, geometry, *seed, &mut cuts),
                Kind::Flicker => flicker::<R, W, E, S>(&mut world, *seed, &mut cuts),
            }, Ok(()))
            .map_err(Stop::sentence)
        });
        (outcome.map(|()| cuts), Some(Image::of(geometry, sort.is_plain(), &world.flash)))
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

fn live<const R: usize, const W: usize, const E: usize, S: Tried>(
    world: &mut World<R, W, E>,
    geometry: &Geometry,
    seed: u64,
    cuts: &mut u64,
) -> Result<(), Stop> {
    let mut random = Random(seed);
    world.flash.set_seed(seed);
    world.format::<S>().map_err(|error| Stop::Wrong(format!("format: {error}")))?;
    for _ in 0..if geometry.is_small() { STEPS } else { STEPS / 12 } {
        let script: Vec<Op> = (0..1 + random.below(30)).map(|_| random_op(&mut random, geometry)).collect();
        if random.below(3) > 0 {
            let tear = Tear::ALL[random.below(Tear::ALL.len())];
            world.flash.cut_at(random.below(60) as u64, tear);
        }
        match world.run::<S>(&script) {
            Ok(()) => {}
            Err(Stop::PowerCut) => *cuts += world.recover::<S>(|flash| recut(flash, &mut random))?,
            Err(wrong) => return Err(wrong),
        }
        world.flash.cancel_cut();
        world.verify::<S>()?;
        world.rules()?;
    }
    Ok(())
}

/// One in three recoveries is cut again.
fn recut<const R: usize, const W: usize, const E: usize>(flash: &mut SimFlash<R, W, E>, random: &mut Random) {
    if random.below(3) == 0 {
        let tear = Tear::ALL[random.below(Tear::ALL.len())];
        flash.cut_at(random.below(3) as u64, tear);
    }
}
