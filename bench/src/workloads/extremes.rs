//! How much fits, and the worst that one put can cost in a store that is nearly full.

use super::{Scale, is_twin};
use crate::chip::{BLOCK, Chip};
use crate::load::{Choice, Load};
use crate::measure::{Sheet, Tally};
use crate::stores::{Contender, Failure};
use crate::world::World;

const BLOCKS: usize = 64;
/// More keys than fit in any store here.
const MANY: usize = 12_000;

/// Keys of 32 bytes that fit, and the figures of putting them.
fn most(contender: Contender, scale: Scale) -> Result<(usize, World, Tally), Failure> {
    // Stores that limit the number of keys are asked for no more.
    let keys = if contender == Contender::Wasefire { 4_090 } else { MANY };
    let mut world = World::new(contender, Chip::new(4, BLOCKS), Load::even(keys, 32, 11), scale.patience())?;
    let mut puts = Tally::default();
    for key in 0..keys {
        match world.put(key, &mut puts) {
            Ok(()) => {}
            Err(Failure::Full) => return Ok((key, world, puts)),
            Err(failure) => return Err(failure),
        }
    }
    Ok((keys, world, puts))
}

/// Bytes that a put programs where there is room, with so many keys: those of the last tenth of a first filling.
fn appended(contender: Contender, scale: Scale, blocks: usize, keys: usize) -> Result<f64, Failure> {
    let mut world = World::new(contender, Chip::new(4, blocks), Load::even(keys, 32, 12), scale.patience())?;
    let (mut puts, mut last) = (Tally::default(), Tally::default());
    for key in 0..keys {
        world.put(key, if key < keys - keys.div_ceil(10) { &mut puts } else { &mut last })?;
    }
    Ok(last.per(last.total.bytes_programmed))
}

/// Fills until there is no more room. Shares of the raw part: names and values; and, where a put is one append, records
/// as they are written into a store with room, index pointers for so many keys included.
pub(super) fn usable(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    is_twin(contender)?;
    let (keys, world, puts) = most(contender, scale)?;
    let share = |bytes: f64| keys as f64 * bytes / (BLOCKS * BLOCK) as f64 * 100.0;
    let mut add = |task: &str, share: f64| {
        let mut figures = world.figures(puts);
        figures.derived = share;
        sheet.push(task, contender, Ok(figures));
    };
    add("usable keys", keys as f64);
    add("usable payload", share(41.0));
    match contender {
        Contender::Lockstone(..) => {
            add("usable records", share(appended(contender, scale, 512, keys)?));
            add("usable records, no index", share(appended(contender, scale, BLOCKS, 10)?));
        }
        Contender::Sequential { .. } | Contender::Wasefire => {
            add("usable records", share(appended(contender, scale, BLOCKS, 50)?));
        }
        _ => {}
    }
    Ok(())
}

/// 90 % of the keys that fit, updated at random: what the worst of the puts programs and erases.
pub(super) fn worst_put(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    is_twin(contender)?;
    let (keys, ..) = most(contender, scale)?;
    let load = Load::even(keys * 9 / 10, 32, 13);
    let mut world = World::new(contender, Chip::new(4, BLOCKS), load, scale.patience())?;
    world.fill()?;
    let puts = world.updates(scale.rounds(20_000, 2_000), Choice::Uniform)?;
    let mut figures = world.figures(puts);
    figures.derived = puts.worst.bytes_programmed as f64 / BLOCK as f64;
    sheet.push("worst put", contender, Ok(figures));
    Ok(())
}
