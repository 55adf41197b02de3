//! Transactions, lengths of values and program units.

use super::Scale;
use crate::chip::Chip;
use crate::load::{Choice, Load};
use crate::measure::{Sheet, Tally};
use crate::stores::{Contender, Failure};
use crate::world::World;

/// Keys in a transaction.
pub const SIZES: [usize; 3] = [1, 8, 32];
/// Lengths of values in bytes.
pub const LENGTHS: [usize; 9] = [0, 1, 16, 64, 256, 1_024, 4_096, 16_384, 65_536];
/// Program units in bytes.
pub const UNITS: [usize; 5] = [1, 4, 8, 32, 256];

/// The keys of W1, changed 1, 8 and 32 at a time; gets after that. The derived figure of the gets is how many bytes they
/// read over those after changes one by one.
pub(super) fn transactions(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    let mut alone = f64::NAN;
    for size in SIZES {
        match transacted(contender, scale, size) {
            Ok((changes, mut gets)) => {
                if size == 1 {
                    alone = gets.tally.bytes_read();
                }
                gets.derived = gets.tally.bytes_read() / alone;
                sheet.push(format!("transaction {size} put"), contender, Ok(changes));
                sheet.push(format!("transaction {size} get"), contender, Ok(gets));
            }
            Err(failure) => sheet.push(format!("transaction {size} put"), contender, Err(failure)),
        }
    }
    Ok(())
}

type Pair = (crate::measure::Figures, crate::measure::Figures);

fn transacted(contender: Contender, scale: Scale, size: usize) -> Result<Pair, Failure> {
    let mut world = World::new(contender, Chip::new(4, 64), Load::mixed(100, 7), scale.patience())?;
    world.fill()?;
    let mut changes = Tally::default();
    for _ in 0..(scale.rounds(10_000, 4_000) / size as u64) {
        world.transact(size, &mut changes)?;
    }
    let gets = world.gets(scale.rounds(5_000, 1_000))?;
    Ok((world.figures(changes), world.figures(gets)))
}

/// One to four keys with values of each length, on 64 blocks.
pub(super) fn lengths(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    for length in LENGTHS {
        match sized(contender, scale, length) {
            Ok((puts, gets)) => {
                sheet.push(format!("value {length} put"), contender, Ok(puts));
                sheet.push(format!("value {length} get"), contender, Ok(gets));
            }
            Err(failure) => sheet.push(format!("value {length} put"), contender, Err(failure)),
        }
    }
    Ok(())
}

fn sized(contender: Contender, scale: Scale, length: usize) -> Result<Pair, Failure> {
    let keys = if length > 16_384 { 1 } else { 4 };
    let rounds = if length > 1_024 { scale.rounds(200, 40) } else { scale.rounds(2_000, 500) };
    let mut world = World::new(contender, Chip::new(4, 64), Load::even(keys, length, 8), scale.patience())?;
    world.fill()?;
    let puts = world.updates(rounds, Choice::Uniform)?;
    let gets = world.gets(rounds)?;
    Ok((world.figures(puts), world.figures(gets)))
}

/// W1, shorter, on parts of each program unit.
pub(super) fn units(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    for unit in UNITS {
        match united(contender, scale, unit) {
            Ok((puts, gets)) => {
                sheet.push(format!("unit {unit} update"), contender, Ok(puts));
                sheet.push(format!("unit {unit} get"), contender, Ok(gets));
            }
            Err(failure) => sheet.push(format!("unit {unit} update"), contender, Err(failure)),
        }
    }
    Ok(())
}

fn united(contender: Contender, scale: Scale, unit: usize) -> Result<Pair, Failure> {
    let mut world = World::new(contender, Chip::new(unit, 64), Load::mixed(100, 9), scale.patience())?;
    world.fill()?;
    let puts = world.updates(scale.rounds(10_000, 2_000), Choice::Uniform)?;
    let gets = world.gets(scale.rounds(5_000, 1_000))?;
    Ok((world.figures(puts), world.figures(gets)))
}
