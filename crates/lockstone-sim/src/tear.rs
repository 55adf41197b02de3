//! How far an operation gets when the power goes.
//!
//! A program and an erase are both a set of bits that are to change. [`Tear`] names the ways in which only some of them
//! do; an `Outcome` is one draw of such a way, and holds masks over the range of the operation, so that by construction
//! nothing outside of it can change and no bit changes that was not to change.
//!
//! Tested below (every mask lies within the change) and by the suite `tears`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::TraceEntry;
use crate::random::Random;

/// What a power cut leaves of the operation that it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tear {
    /// The operation did not begin: nothing was touched.
    Absent,
    /// The operation finished; only its caller did not hear of it.
    Whole,
    /// A random number of leading bytes is done, fewer than all.
    Prefix,
    /// A random number of trailing bytes is done, fewer than all.
    Suffix,
    /// A random subset of the bits that were to change is done.
    Bits,
    /// A random subset of the program units is done.
    Units,
    /// The units were done from the last to the first; the one in progress is done partly.
    Reversed,
    /// A random subset of the bits that were to change is done, and some of the others read differently each time.
    Metastable,
    /// Program: all bits are done, and some of the changed ones read differently each time. Erase: the weak erase, the
    /// block reads blank, and whatever is programmed into it gets random extra bits until it is erased again.
    MetastableWhole,
    /// Program: the leading units are done, the unit in progress has an uncorrectable error. Erase: some units have
    /// uncorrectable errors, of the others some are erased. Reads of these units fail until they are erased.
    Ecc,
}

impl Tear {
    /// Every tear.
    pub const ALL: [Self; 10] = [
        Self::Absent,
        Self::Whole,
        Self::Prefix,
        Self::Suffix,
        Self::Bits,
        Self::Units,
        Self::Reversed,
        Self::Metastable,
        Self::MetastableWhole,
        Self::Ecc,
    ];

    /// The name that `Display` writes and `FromStr` reads; it never changes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Whole => "whole",
            Self::Prefix => "prefix",
            Self::Suffix => "suffix",
            Self::Bits => "bits",
            Self::Units => "units",
            Self::Reversed => "reversed",
            Self::Metastable => "metastable",
            Self::MetastableWhole => "metastable-whole",
            Self::Ecc => "ecc",
        }
    }
}

impl fmt::Display for Tear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Tear {
    type Err = UnknownTear;

    fn from_str(name: &str) -> Result<Self, UnknownTear> {
        Self::ALL.into_iter().find(|tear| tear.name() == name).ok_or_else(|| UnknownTear(name.to_owned()))
    }
}

/// What a power cut left of the operation that it hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The operation: an access with the number that it has.
    pub operation: TraceEntry,
    /// How it was torn.
    pub tear: Tear,
    /// Bits that were to change.
    pub bits_wanted: u32,
    /// Those of them that did.
    pub bits_done: u32,
    /// Bits of its range that read differently each time.
    pub bits_unstable: u32,
    /// Units of its range that can't be read.
    pub units_unreadable: usize,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tear {}: {} of {} bits done", self.tear, self.bits_done, self.bits_wanted)?;
        if self.bits_unstable > 0 {
            write!(f, ", {} bits unstable", self.bits_unstable)?;
        }
        if self.units_unreadable > 0 {
            write!(f, ", {} units unreadable", self.units_unreadable)?;
        }
        Ok(())
    }
}

/// No [`Tear`] has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTear(pub String);

impl fmt::Display for UnknownTear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Tear::ALL.map(Tear::name).join(", ");
        write!(f, "no tear is called `{}`; there are {names}", self.0)
    }
}

impl std::error::Error for UnknownTear {}

/// How far a unit got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Untouched,
    Partial,
    Done,
}

/// One draw of a tear: what happens to the bits that were to change.
#[derive(Debug)]
pub(crate) struct Outcome {
    change: Vec<u8>,
    unit: usize,
    /// Bits that do change.
    pub(crate) done: Vec<u8>,
    /// Bits that read differently each time; empty if there are none.
    pub(crate) unstable: Vec<u8>,
    /// How far each unit got.
    pub(crate) units: Vec<Progress>,
    /// Units with uncorrectable errors, by index, ascending.
    pub(crate) ecc: Vec<usize>,
}

impl Outcome {
    /// Draws what a cut program leaves of `change`, the mask of the bits that were to change.
    pub(crate) fn of_program(tear: Tear, change: Vec<u8>, unit: usize, random: &mut Random) -> Self {
        let mut outcome = Self::untouched(change, unit);
        let all = 0..outcome.change.len();
        match tear {
            Tear::Absent => {}
            Tear::Whole => outcome.finish(all),
            Tear::Prefix => outcome.finish(0..random.below(all.end)),
            Tear::Suffix => outcome.finish(all.end - random.below(all.end)..all.end),
            Tear::Bits => outcome.scatter(all, random),
            Tear::Units => outcome.finish_some(random),
            Tear::Reversed => outcome.reverse(random),
            Tear::Metastable => {
                outcome.scatter(all, random);
                outcome.waver(random);
            }
            Tear::MetastableWhole => {
                outcome.waver(random);
                outcome.finish(all);
            }
            Tear::Ecc => outcome.break_one(random),
        }
        outcome
    }

    /// Draws what a cut erase leaves of `change`. The weak erase changes what a whole one does.
    pub(crate) fn of_erase(tear: Tear, change: Vec<u8>, unit: usize, random: &mut Random) -> Self {
        match tear {
            Tear::Ecc => {
                let mut outcome = Self::untouched(change, unit);
                outcome.break_some(random);
                outcome
            }
            Tear::MetastableWhole => Self::of_program(Tear::Whole, change, unit, random),
            other => Self::of_program(other, change, unit, random),
        }
    }

    /// All bits but some are done. At least one is missing, if any was to change.
    pub(crate) fn of_fault(change: Vec<u8>, unit: usize, random: &mut Random) -> Self {
        let mut outcome = Self::of_program(Tear::Bits, change, unit, random);
        if outcome.done == outcome.change
            && let Some(byte) = outcome.done.iter_mut().find(|byte| **byte != 0)
        {
            *byte &= *byte - 1;
        }
        outcome
    }

    fn untouched(change: Vec<u8>, unit: usize) -> Self {
        let (done, units) = (vec![0; change.len()], vec![Progress::Untouched; change.len() / unit]);
        Self { change, unit, done, unstable: Vec::new(), units, ecc: Vec::new() }
    }

    pub(crate) fn touched(&self) -> bool {
        self.units.iter().any(|&progress| progress != Progress::Untouched)
    }

    fn unit_range(&self, index: usize) -> Range<usize> {
        index * self.unit..(index + 1) * self.unit
    }

    /// Does all of `range`.
    fn finish(&mut self, range: Range<usize>) {
        self.done[range.clone()].copy_from_slice(&self.change[range.clone()]);
        if !range.is_empty() {
            self.units[range.start / self.unit..range.end.div_ceil(self.unit)].fill(Progress::Partial);
            let (first, end) = (range.start.div_ceil(self.unit), range.end / self.unit);
            self.units[first..end.max(first)].fill(Progress::Done);
        }
    }

    /// Does a random subset of the bits of `range`, which consists of whole units.
    fn scatter(&mut self, range: Range<usize>, random: &mut Random) {
        let chosen = random.subset(&self.change[range.clone()]);
        self.done[range.clone()].copy_from_slice(&chosen);
        self.units[range.start / self.unit..range.end / self.unit].fill(Progress::Partial);
    }

    fn finish_some(&mut self, random: &mut Random) {
        for index in 0..self.units.len() {
            if random.coin() {
                self.finish(self.unit_range(index));
            }
        }
    }

    fn reverse(&mut self, random: &mut Random) {
        let current = random.below(self.units.len());
        let range = self.unit_range(current);
        self.finish(range.end..self.change.len());
        self.scatter(range, random);
    }

    /// Makes some of the bits unstable that were to change and are not done; at least one if there is one.
    fn waver(&mut self, random: &mut Random) {
        let open: Vec<u8> = self.change.iter().zip(&self.done).map(|(change, done)| change & !done).collect();
        self.unstable = random.subset(&open);
        if self.unstable.iter().all(|&mask| mask == 0)
            && let Some(index) = open.iter().position(|&mask| mask != 0)
        {
            self.unstable[index] = open[index];
        }
    }

    fn break_one(&mut self, random: &mut Random) {
        let current = random.below(self.units.len());
        let range = self.unit_range(current);
        self.finish(0..range.start);
        self.scatter(range, random);
        self.ecc.push(current);
    }

    fn break_some(&mut self, random: &mut Random) {
        let certain = random.below(self.units.len());
        for index in 0..self.units.len() {
            let range = self.unit_range(index);
            match random.below(4) {
                choice if choice == 0 || index == certain => {
                    self.scatter(range, random);
                    self.ecc.push(index);
                }
                1 => self.finish(range),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Progress, Random, Tear};

    fn draws() -> impl Iterator<Item = (Tear, Outcome)> {
        let change: Vec<u8> = (0..64u8).map(|index| index.wrapping_mul(37)).collect();
        Tear::ALL.into_iter().flat_map(move |tear| {
            let change = change.clone();
            (0..200).flat_map(move |seed| {
                let mut random = Random::new(seed);
                let program = Outcome::of_program(tear, change.clone(), 8, &mut random);
                [(tear, program), (tear, Outcome::of_erase(tear, change.clone(), 8, &mut random))]
            })
        })
    }

    #[test]
    fn no_bit_changes_that_was_not_to_change() {
        for (tear, outcome) in draws() {
            assert!(outcome.done.iter().zip(&outcome.change).all(|(done, change)| done & !change == 0), "{tear}");
            assert!(outcome.unstable.iter().zip(&outcome.change).all(|(mask, change)| mask & !change == 0), "{tear}");
        }
    }

    #[test]
    fn the_progress_of_units_fits_their_bits() {
        for (tear, outcome) in draws() {
            for (index, progress) in outcome.units.iter().enumerate() {
                let range = outcome.unit_range(index);
                match progress {
                    Progress::Untouched => assert!(outcome.done[range].iter().all(|&byte| byte == 0), "{tear}"),
                    Progress::Done => assert_eq!(outcome.done[range.clone()], outcome.change[range], "{tear}"),
                    Progress::Partial => {}
                }
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for tear in Tear::ALL {
            assert_eq!(tear.to_string().parse(), Ok(tear));
        }
        let error = "torn".parse::<Tear>().unwrap_err().to_string();
        assert!(error.contains("`torn`") && error.contains("metastable-whole"));
    }
}
