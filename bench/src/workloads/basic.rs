//! W1, W2 and W3: 64 blocks of 4,096 bytes, program unit 4.

use super::Scale;
use crate::chip::Chip;
use crate::load::{Choice, Load};
use crate::measure::{Sheet, Tally};
use crate::stores::{Contender, Failure};
use crate::world::World;

/// 100 keys of mixed lengths: filled, 10,000 updates, 10,000 gets, misses, a mount, and gets after it.
pub(super) fn first(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    let mut world = World::new(contender, Chip::new(4, 64), Load::mixed(100, 1), scale.patience())?;
    world.fill()?;
    let updates = world.updates(10_000, Choice::Uniform)?;
    let gets = world.gets(10_000)?;
    let misses = world.misses(scale.reads(contender, 1_000, 300))?;
    let mut mount = Tally::default();
    world.remount(false, &mut mount)?;
    let cold = world.gets(10)?;
    // RAM with all keys in it is known after the mount.
    for (task, tally) in
        [("W1 update", updates), ("W1 get", gets), ("W1 miss", misses), ("W1 mount", mount), ("W1 first gets", cold)]
    {
        sheet.push(task, contender, Ok(world.figures(tally)));
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
