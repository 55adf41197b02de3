//! How gets and misses grow with the number of keys: 10 to 1,000 on 64 blocks, 10,000 on 1,024, 100,000 on 4,096.

use super::Scale;
use crate::chip::Chip;
use crate::load::Load;
use crate::measure::{Sheet, Tally};
use crate::stores::{Contender, Failure};
use crate::world::World;

/// Numbers of keys on 64 blocks, and the one on 1,024.
pub const KEYS: [usize; 4] = [10, 100, 1_000, 10_000];
/// The number of keys on 4,096 blocks: not when quick.
pub const KEYS_LONG: usize = 100_000;
/// RAM for it.
pub const LARGE: usize = 65_536;

pub(super) fn small(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    for keys in KEYS.into_iter().filter(|keys| *keys < 10_000) {
        scaled(contender, scale, keys, 64, sheet)?;
    }
    Ok(())
}

pub(super) fn large(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    scaled(contender, scale, 10_000, 1024, sheet)
}

pub(super) fn huge(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    if scale.quick { Ok(()) } else { scaled(contender, scale, KEYS_LONG, 4096, sheet) }
}

fn scaled(contender: Contender, scale: Scale, keys: usize, blocks: usize, sheet: &mut Sheet) -> Result<(), Failure> {
    let mut world = World::new(contender, Chip::new(4, blocks), Load::even(keys, 32, 4), scale.patience())?;
    let puts = world.fill()?;
    let gets = world.gets(scale.reads(contender, 500, 500))?;
    let misses = world.misses(scale.reads(contender, 100, 100))?;
    world.remount(false, &mut Tally::default())?;
    for (task, tally) in [("put", puts), ("get", gets), ("miss", misses)] {
        sheet.push(format!("keys {keys} {task}"), contender, Ok(world.figures(tally)));
    }
    Ok(())
}
