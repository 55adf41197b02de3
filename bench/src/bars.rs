//! The bars: what is to be reached, what was reached in this run, and the best peer of this run beside it.
//!
//! A bar is a figure of one or several tasks of one of our stores. Peers are held to the same figure; where a bar limits
//! RAM, peers count that take no more than twice as much.

use crate::measure::{Figures, Sheet};
use crate::stores::{Contender, GENEROUS, MEDIUM, Suite};
use crate::workloads::{ASCON, PLAIN};

/// Our figure, the best peer's and the bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// Unit, if it has one.
    pub unit: &'static str,
    /// Our figure in this run.
    pub value: Option<f64>,
    /// The best peer's, and who that is.
    pub peer: Option<(String, f64)>,
    /// What is to be reached; none: it is shown only.
    pub bar: Option<f64>,
    /// More is better.
    pub more_is_better: bool,
}

impl Line {
    /// Our figure over the best peer's.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let ratio = self.value? / self.peer.as_ref()?.1;
        ratio.is_finite().then_some(ratio)
    }

    /// Whether the bar is reached; none: there is no bar.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        let bar = self.bar?;
        Some(self.value.is_some_and(|value| if self.more_is_better { value >= bar } else { value <= bar }))
    }
}

/// How figures become one number.
type Figure = fn(&Figures) -> f64;

/// A bar before it is looked up.
struct Bar {
    name: &'static str,
    unit: &'static str,
    /// The figure is the largest over these tasks.
    tasks: &'static [&'static str],
    ours: Contender,
    figure: Figure,
    bar: Option<f64>,
    /// Peers count up to this much RAM; 0 where a figure compares ours with ours.
    ram: usize,
    more_is_better: bool,
}

const LARGE: Contender = Contender::Lockstone(Suite::Ascon, GENEROUS);

const fn at_most(
    name: &'static str,
    unit: &'static str,
    tasks: &'static [&'static str],
    figure: Figure,
    bar: f64,
) -> Bar {
    Bar { name, unit, tasks, ours: ASCON, figure, bar: Some(bar), ram: usize::MAX, more_is_better: false }
}

impl Bar {
    const fn of(self, ours: Contender) -> Self {
        Self { ours, ..self }
    }

    const fn within(self, ram: usize) -> Self {
        Self { ram: ram * 2, ..self }
    }

    const fn alone(self) -> Self {
        Self { ram: 0, ..self }
    }

    const fn shown_only(self) -> Self {
        Self { bar: None, ..self }
    }

    const fn at_least(self) -> Self {
        Self { more_is_better: true, ..self }
    }

    fn value(&self, sheet: &Sheet, contender: Contender) -> Option<f64> {
        let figures: Option<Vec<f64>> =
            self.tasks.iter().map(|task| sheet.find(task, contender).map(self.figure)).collect();
        figures?.into_iter().filter(|figure| figure.is_finite()).reduce(f64::max)
    }

    fn fits(&self, sheet: &Sheet, contender: Contender) -> bool {
        self.tasks.iter().all(|task| sheet.find(task, contender).is_none_or(|figures| figures.ram <= self.ram))
            && self.ram > 0
    }

    fn line(&self, sheet: &Sheet) -> Line {
        let peers = Contender::PEERS.into_iter().filter(|peer| self.fits(sheet, *peer));
        let figures = peers.filter_map(|peer| Some((peer.name(), self.value(sheet, peer)?)));
        let better = |a: &(String, f64), b: &(String, f64)| a.1.total_cmp(&b.1);
        let peer = if self.more_is_better { figures.max_by(better) } else { figures.min_by(better) };
        Line {
            name: self.name.to_owned(),
            unit: self.unit,
            value: self.value(sheet, self.ours),
            peer,
            bar: self.bar,
            more_is_better: self.more_is_better,
        }
    }
}

fn bytes_read(figures: &Figures) -> f64 {
    figures.tally.bytes_read()
}

fn reads(figures: &Figures) -> f64 {
    figures.tally.reads()
}

fn worst_reads(figures: &Figures) -> f64 {
    figures.tally.worst.reads as f64
}

fn worst_bytes_read(figures: &Figures) -> f64 {
    figures.tally.worst.bytes_read as f64
}

fn amplification(figures: &Figures) -> f64 {
    figures.tally.amplification()
}

fn spread(figures: &Figures) -> f64 {
    f64::from(figures.wear.1 - figures.wear.0)
}

fn erases(figures: &Figures) -> f64 {
    figures.tally.total.erases as f64
}

fn derived(figures: &Figures) -> f64 {
    figures.derived
}

fn worst_erases(figures: &Figures) -> f64 {
    figures.tally.worst.erases as f64
}

/// Bytes of the worst program, in blocks.
fn blocks_programmed(figures: &Figures) -> f64 {
    figures.tally.worst.bytes_programmed as f64 / 4096.0
}

const MOUNTS_SMALL: &[&str] = &["mount 64 unclean", "mount 64 clean"];
const MOUNTS_LARGE: &[&str] = &["mount 1024 unclean", "mount 1024 clean"];
const SKEWED: &[&str] = &["fill 95/5 65", "fill 95/5 80"];
const FULLISH: &[&str] = &["worst put", "fill uniform 65", "fill uniform 80", "fill 95/5 65", "fill 95/5 80"];

fn bars() -> Vec<Bar> {
    let reading = [
        at_most("W1 get, RAM at most 4 kB", "B", &["W1 get"], bytes_read, 90.0).within(MEDIUM),
        at_most("W1 get, RAM at most 4 kB, calls", "", &["W1 get"], reads, 1.3).within(MEDIUM),
        at_most("W1 miss", "B", &["W1 miss"], bytes_read, 20.0),
        at_most("10,000 keys, RAM at most 8 kB, get", "B", &["keys 10000 get"], bytes_read, 220.0)
            .of(LARGE)
            .within(GENEROUS),
        at_most("10,000 keys, RAM at most 8 kB, get, calls", "", &["keys 10000 get"], reads, 3.5)
            .of(LARGE)
            .within(GENEROUS),
        at_most("10,000 keys, RAM at most 8 kB, miss", "B", &["keys 10000 miss"], bytes_read, 160.0)
            .of(LARGE)
            .within(GENEROUS),
        at_most(
            "10,000 keys, RAM at most 8 kB, worst calls",
            "",
            &["keys 10000 get", "keys 10000 miss"],
            worst_reads,
            10.0,
        )
        .of(LARGE)
        .within(GENEROUS),
        at_most("W3 cold get and miss, worst calls", "", &["W3 cold get", "W3 miss"], worst_reads, 4.0),
    ];
    let writing = [
        at_most("W1 update read", "B", &["W1 update"], bytes_read, 120.0),
        at_most("W2 update read", "B", &["W2 update"], bytes_read, 120.0),
        at_most("W1 write amplification, plain", "", &["W1 update"], amplification, 1.28).of(PLAIN),
        at_most("W1 write amplification, sealed", "", &["W1 update"], amplification, 1.65),
        at_most("transaction of 8, sealed, write amplification", "", &["transaction 8 put"], amplification, 1.55),
        at_most("transaction of 8, sealed, gets over those without", "", &["transaction 8 get"], derived, 1.05).alone(),
        at_most("W3 erases, most less fewest", "", &["W3 put"], spread, 2.0),
        at_most("W3 erases, sealed", "", &["W3 put"], erases, 1_900.0),
    ];
    let full = [
        at_most("copy factor, 95/5, 65 % full", "", &["fill 95/5 65"], derived, 1.25),
        at_most("copy factor, 95/5, 80 % full", "", &["fill 95/5 80"], derived, 1.9),
        at_most("copy factor, 95/5, spread of erases", "", SKEWED, spread, 8.0),
        at_most("copy factor, uniform, 65 % full", "", &["fill uniform 65"], derived, 2.1),
        at_most("copy factor, uniform, 80 % full", "", &["fill uniform 80"], derived, 3.6),
        at_most("mount, 64 blocks, mean", "B", MOUNTS_SMALL, bytes_read, 18_000.0),
        at_most("mount, 64 blocks, worst", "B", MOUNTS_SMALL, worst_bytes_read, 27_000.0),
        at_most("mount and one get, 64 blocks, mean", "B", &["mount 64 first get"], derived, 0.0).shown_only(),
        at_most("mount, 1,024 blocks, mean", "B", MOUNTS_LARGE, bytes_read, 36_000.0).of(LARGE),
        at_most("mount, 1,024 blocks, worst", "B", MOUNTS_LARGE, worst_bytes_read, 54_000.0).of(LARGE),
        at_most("mount and one get, 1,024 blocks, mean", "B", &["mount 1024 first get"], derived, 0.0)
            .of(LARGE)
            .shown_only(),
        at_most("worst single put, full-ish, programmed", "blocks", FULLISH, blocks_programmed, 2.0),
        at_most("worst single put, full-ish, erases", "", FULLISH, worst_erases, 0.0).shown_only(),
        at_most("worst single put, full-ish, read", "B", FULLISH, worst_bytes_read, 0.0).shown_only(),
        at_most("usable fill, 32-byte values, sealed, records", "%", &["usable records"], derived, 80.0).at_least(),
        at_most("usable fill, 32-byte values, sealed, payload", "%", &["usable payload"], derived, 0.0)
            .at_least()
            .shown_only(),
    ];
    reading.into_iter().chain(writing).chain(full).collect()
}

/// All bars, looked up in a run.
#[must_use]
pub fn lines(sheet: &Sheet) -> Vec<Line> {
    bars().iter().map(|bar| bar.line(sheet)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Tally;
    use crate::stores::Failure;
    use lockstone_sim::Counts;

    fn read(bytes: u64, ram: usize) -> Result<Figures, Failure> {
        let total = Counts { reads: 2, bytes_read: bytes, ..Counts::default() };
        Ok(Figures {
            tally: Tally { operations: 1, total, worst: total, ..Tally::default() },
            ram,
            ..Figures::default()
        })
    }

    fn line_of(sheet: &Sheet, name: &str) -> Line {
        lines(sheet).into_iter().find(|line| line.name == name).unwrap()
    }

    #[test]
    fn the_best_peer_within_the_ram_is_beside_it() {
        let mut sheet = Sheet::default();
        sheet.push("W1 get", ASCON, read(80, 4096));
        sheet.push("W1 get", Contender::Ekv, read(4_000, 1_000));
        sheet.push("W1 get", Contender::Wasefire, read(400, 400));
        sheet.push("W1 get", Contender::EspNvs, read(40, 40_000));
        let line = line_of(&sheet, "W1 get, RAM at most 4 kB");
        assert_eq!((line.value, line.met()), (Some(80.0), Some(true)));
        assert_eq!(line.peer, Some(("wasefire-store".to_owned(), 400.0)));
        assert_eq!(line.ratio(), Some(0.2));
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let line = line_of(&Sheet::default(), "W1 miss");
        assert_eq!((line.value, line.peer.clone(), line.met(), line.ratio()), (None, None, Some(false), None));
    }

    #[test]
    fn the_worst_of_several_tasks_counts() {
        let mut sheet = Sheet::default();
        sheet.push("W3 cold get", ASCON, read(80, 4096));
        sheet.push("W3 miss", ASCON, read(80, 4096));
        assert_eq!(line_of(&sheet, "W3 cold get and miss, worst calls").value, Some(2.0));
        sheet.push("usable records", ASCON, Ok(Figures { derived: 81.0, ..Figures::default() }));
        assert_eq!(line_of(&sheet, "usable fill, 32-byte values, sealed, records").met(), Some(true));
    }
}
