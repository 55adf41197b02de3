//! What a full store costs: copying, at several fills, for updates of all keys and of few.
//!
//! - *Record*: what a put of a new key programs into a store with room: header, name, value, tag, index pointers.
//! - *Fill*: the share of the raw part that live records take.
//! - *Copy factor*: 1 + (programmed by an update - programmed by an update where nothing is copied) / record. 1 is no
//!   copying. Where nothing is copied is the same store with the same keys on a part of eight times the size.
//!
//! Lockstone's records grow with the number of keys, by pointers, and an update writes what a put writes; so its record is
//! measured at the number of keys in question. A peer's does not; it's measured with 50 keys. ekv rewrites all it has in
//! merges: its record is a 32nd of its first transaction of 32 keys, and all else that it programs is copying.

use super::{Scale, is_twin};
use crate::chip::{BLOCK, Chip};
use crate::load::{Choice, Load};
use crate::measure::{Figures, Sheet, Tally};
use crate::stores::{Contender, Failure};
use crate::world::World;

/// Fills, in percent of the raw part.
pub const LEVELS: [u32; 5] = [25, 50, 65, 80, 90];

const BLOCKS: usize = 64;
/// Length of the values.
const VALUE: usize = 32;

/// Bytes that are programmed where nothing is copied.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    record: f64,
    update: f64,
}

pub(super) fn fills(contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    is_twin(contender)?;
    for choice in [Choice::Uniform, Choice::Skewed] {
        let mut refused: Option<u32> = None;
        // A quick run asks peers for what the bars need.
        let levels = LEVELS.into_iter().filter(|level| !scale.quick || contender.is_ours() || [65, 80].contains(level));
        for level in levels {
            let outcome = match refused {
                Some(least) => Err(Failure::Failed(format!("not tried, as it did not do {least} %"))),
                None => filled(contender, scale, choice, level),
            };
            if outcome.is_err() {
                refused = refused.or(Some(level));
            }
            sheet.push(format!("fill {} {level}", choice.label()), contender, outcome);
        }
    }
    Ok(())
}

fn filled(contender: Contender, scale: Scale, choice: Choice, level: u32) -> Result<Figures, Failure> {
    let live = (BLOCKS * BLOCK) as f64 * f64::from(level) / 100.0;
    let mut keys = 1_000;
    let mut sizes = bare(contender, scale, choice, keys)?;
    if contender.is_ours() {
        // The size of a record depends on how many there are: two steps come near enough.
        for _ in 0..2 {
            keys = whole(live / sizes.record);
            sizes = bare(contender, scale, choice, keys)?;
        }
    } else {
        keys = whole(live / sizes.record);
    }
    let load = Load::even(keys, VALUE, 5);
    let mut world = World::new(contender, Chip::new(4, BLOCKS), load, scale.patience())?;
    world.fill()?;
    // Around the part and more, so that what the filling left behind is gone. The slow ones are not kept as long.
    let swift = contender.is_ours() || contender == (Contender::Sequential { cached: true });
    let (long, quick) = if swift { (16_000, 6_000) } else { (4_000, 2_000) };
    world.updates(scale.rounds(long, quick), choice)?;
    let before = world.chip.wear();
    let updates = world.updates(scale.rounds(long, quick), choice)?;
    let mut figures = world.figures(updates);
    figures.derived = 1.0 + (updates.per(updates.total.bytes_programmed) - sizes.update) / sizes.record;
    let worn: Vec<u32> = world.chip.wear().iter().zip(before).map(|(now, then)| now - then).collect();
    figures.wear = (worn.iter().min().copied().unwrap_or(0), worn.iter().max().copied().unwrap_or(0));
    Ok(figures)
}

fn bare(contender: Contender, scale: Scale, choice: Choice, keys: usize) -> Result<Sizes, Failure> {
    let roomy =
        |blocks, keys| World::new(contender, Chip::new(4, blocks), Load::even(keys, VALUE, 6), scale.patience());
    match contender {
        Contender::Lockstone(..) => {
            let mut world = roomy(BLOCKS * 8, keys)?;
            world.fill()?;
            let updates = world.updates(2_000, choice)?;
            let update = updates.per(updates.total.bytes_programmed);
            Ok(Sizes { record: update, update })
        }
        Contender::Ekv => {
            let mut first = Tally::default();
            roomy(BLOCKS, 50)?.transact(32, &mut first)?;
            let record = first.total.bytes_programmed as f64 / 32.0;
            Ok(Sizes { record, update: record })
        }
        _ => {
            let mut world = roomy(BLOCKS, 50)?;
            let puts = world.fill()?;
            let updates = world.updates(1_000, choice)?;
            let [record, update] = [puts, updates].map(|tally| tally.per(tally.total.bytes_programmed));
            Ok(Sizes { record, update })
        }
    }
}

/// At least one key.
fn whole(number: f64) -> usize {
    let text = format!("{:.0}", number.clamp(1.0, 1e6));
    text.parse().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_keys_are_whole() {
        assert_eq!((whole(0.2), whole(2.6), whole(f64::MAX)), (1, 3, 1_000_000));
    }
}
