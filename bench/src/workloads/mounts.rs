//! What a start costs: mounts in several states of fill and of the log, after an orderly end and without one.
//!
//! Some stores do nothing at a mount and pay with the first gets; one get after each mount is counted too. The derived
//! figure of that row is both together, in bytes.

use super::Scale;
use crate::chip::Chip;
use crate::load::{Choice, Load};
use crate::measure::{Figures, Sheet, Tally};
use crate::stores::{Contender, Failure};
use crate::world::World;

/// Shares of the most keys that are stored, in percent.
pub const STATES: [usize; 5] = [10, 25, 50, 75, 90];

pub(super) fn small(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    mounted(contender, scale, sheet, 64, 2_000)
}

pub(super) fn large(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    mounted(contender, scale, sheet, 1024, 32_000)
}

/// The most keys, values of 32 bytes, are about what a sealed store takes in 4 kB of RAM on 64 blocks.
fn mounted(contender: Contender, scale: Scale, sheet: &mut Sheet, blocks: usize, most: usize) -> Result<(), Failure> {
    let (mut unclean, mut clean, mut gets) = (Tally::default(), Tally::default(), Tally::default());
    let mut last: Option<World> = None;
    // Filling the large part takes peers long: a quick run looks at two states of it.
    let states: &[usize] = if scale.quick && blocks > 64 { &[25, 75] } else { &STATES };
    for state in states {
        let keys = most * state / 100;
        let load = Load::even(keys, 32, 10 + *state as u64);
        let mut world = World::new(contender, Chip::new(4, blocks), load, scale.patience())?;
        match world.fill() {
            // The other states are what there is.
            Err(Failure::Full) if last.is_some() => break,
            other => other?,
        };
        // The log is looked at where it happens to stand, several times on its way round.
        for _ in 0..scale.rounds(6, if blocks == 64 { 4 } else { 2 }) {
            world.updates(blocks as u64 * 7, Choice::Uniform)?;
            world.remount(false, &mut unclean)?;
            let first = world.gets(1)?;
            gets.merge(&first);
            world.updates(1, Choice::Uniform)?;
            world.remount(true, &mut clean)?;
        }
        last = Some(world);
    }
    let figures = |tally: Tally| last.as_ref().map_or_else(Figures::default, |world| world.figures(tally));
    sheet.push(format!("mount {blocks} unclean"), contender, Ok(figures(unclean)));
    sheet.push(format!("mount {blocks} clean"), contender, Ok(figures(clean)));
    let mut first = figures(gets);
    first.derived = unclean.bytes_read() + gets.bytes_read();
    sheet.push(format!("mount {blocks} first get"), contender, Ok(first));
    Ok(())
}
