//! W1, W2 and W3: 64 blocks of 4,096 bytes, program unit 4.

use super::Scale;
use crate::chip::Chip;
use crate::load::{Choice, Load};
use crate::measure::{Sheet, Tally};
use crate::stores::{Contender, Failure};
use crate::world::World;

/// W1 is played with so many sets of names: which of 100 names share a bucket is luck, and a get of one set differs from
/// that of another by a twentieth.
const SETS: u64 = 4;

/// 100 keys of mixed lengths: filled, 10,000 updates, 10,000 gets, misses, a mount, and gets after it; for each set of names.
pub(super) fn first(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    let tasks = ["W1 update", "W1 get", "W1 miss", "W1 mount", "W1 first gets"];
    let mut tallies = [Tally::default(); 5];
    let mut last = None;
    for set in 1..=SETS {
        let mut world = World::new(contender, Chip::new(4, 64), Load::mixed(100, set), scale.patience())?;
        world.fill()?;
        let updates = world.updates(10_000, Choice::Uniform)?;
        let gets = world.gets(scale.reads(contender, 10_000, 2_500))?;
        let misses = world.misses(scale.reads(contender, 1_000, 100))?;
        let mut mount = Tally::default();
        world.remount(false, &mut mount)?;
        let cold = world.gets(10)?;
        for (sum, one) in tallies.iter_mut().zip([updates, gets, misses, mount, cold]) {
            sum.merge(&one);
        }
        last = Some(world);
    }
    // RAM with all keys in it is known after the mount.
    if let Some(world) = last {
        for (task, tally) in tasks.into_iter().zip(tallies) {
            sheet.push(task, contender, Ok(world.figures(tally)));
        }
    }
    Ok(())
}

/// 1,000 keys of 32 bytes: updates and gets.
pub(super) fn second(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    let mut world = World::new(contender, Chip::new(4, 64), Load::even(1_000, 32, 2), scale.patience())?;
    world.fill()?;
    let updates = world.updates(scale.rounds(10_000, 5_000), Choice::Uniform)?;
    let gets = world.gets(scale.reads(contender, 10_000, 2_000))?;
    world.remount(false, &mut Tally::default())?;
    sheet.push("W2 update", contender, Ok(world.figures(updates)));
    sheet.push("W2 get", contender, Ok(world.figures(gets)));
    Ok(())
}

/// One hot key 100,000 times among 50 cold ones, then gets of the cold ones and misses.
pub(super) fn third(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    let mut world = World::new(contender, Chip::new(4, 64), Load::even(51, 32, 3), scale.patience() * 3)?;
    world.fill()?;
    let mut puts = Tally::default();
    for _ in 0..100_000 {
        world.put(0, &mut puts)?;
    }
    let mut cold = Tally::default();
    for key in 1..51 {
        world.get(key, &mut cold)?;
    }
    let misses = world.misses(scale.reads(contender, 1_000, 200))?;
    world.remount(false, &mut Tally::default())?;
    sheet.push("W3 put", contender, Ok(world.figures(puts)));
    sheet.push("W3 cold get", contender, Ok(world.figures(cold)));
    sheet.push("W3 miss", contender, Ok(world.figures(misses)));
    Ok(())
}
