//! What is counted, and where it is kept.
//!
//! A [`Tally`] counts one kind of operation: in all, and the worst single one. A [`Row`] is a tally with a name; a
//! [`Sheet`] collects the rows of one store, and what it could not do.

use std::time::{Duration, Instant};

use lockstone_sim::Counts;

use crate::chip::Chip;
use crate::stores::{Contender, Failure};

/// One kind of operation, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub operations: u64,
    /// What all of them asked of the part.
    pub total: Counts,
    /// The most that any one of them asked, field by field.
    pub worst: Counts,
    /// Bytes of names and values that were stored.
    pub payload: u64,
    /// Time on this host.
    pub time: Duration,
}

impl Tally {
    /// Does one operation and counts what it asks of the part.
    ///
    /// # Errors
    /// What the operation returns; it is not counted then.
    pub fn step<T>(&mut self, chip: &Chip, act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let (before, start) = (chip.counts(), Instant::now());
        let output = act()?;
        self.time += start.elapsed();
        self.add(chip.counts() - before);
        Ok(output)
    }

    fn add(&mut self, counts: Counts) {
        self.merge(&Self { operations: 1, total: counts, worst: counts, ..Self::default() });
    }

    /// Adds what another tally of the same kind of operation counted.
    pub fn merge(&mut self, other: &Self) {
        self.operations += other.operations;
        self.payload += other.payload;
        self.time += other.time;
        let (Self { total, worst, .. }, sum, most) = (self, other.total, other.worst);
        for (all, largest, sum, most) in [
            (&mut total.reads, &mut worst.reads, sum.reads, most.reads),
            (&mut total.bytes_read, &mut worst.bytes_read, sum.bytes_read, most.bytes_read),
            (&mut total.programs, &mut worst.programs, sum.programs, most.programs),
            (&mut total.bytes_programmed, &mut worst.bytes_programmed, sum.bytes_programmed, most.bytes_programmed),
            (&mut total.erases, &mut worst.erases, sum.erases, most.erases),
        ] {
            *all += sum;
            *largest = most.max(*largest);
        }
    }

    /// A count for each operation.
    #[must_use]
    pub fn per(&self, count: u64) -> f64 {
        if self.operations == 0 { 0.0 } else { count as f64 / self.operations as f64 }
    }

    /// Bytes read by one operation.
    #[must_use]
    pub fn bytes_read(&self) -> f64 {
        self.per(self.total.bytes_read)
    }

    /// Read calls of one operation.
    #[must_use]
    pub fn reads(&self) -> f64 {
        self.per(self.total.reads)
    }

    /// Mean bytes programmed.
    #[must_use]
    pub fn programmed(&self) -> f64 {
        self.per(self.total.bytes_programmed)
    }

    /// Bytes programmed over bytes of names and values.
    #[must_use]
    pub fn amplification(&self) -> f64 {
        if self.payload == 0 { f64::NAN } else { self.total.bytes_programmed as f64 / self.payload as f64 }
    }
}

/// Figures of one kind of operation of one store.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// What was counted.
    pub tally: Tally,
    /// Fewest and most erases of any block since the part was new.
    pub wear: (u32, u32),
    /// Bytes of RAM in all.
    pub ram: usize,
    /// A figure that is derived, where the row has one: what it is follows from the row's name.
    pub derived: f64,
}

/// One line of the results.
#[derive(Clone, Debug)]
pub struct Row {
    /// Workload and operation: `W1 get`.
    pub task: String,
    /// Which store.
    pub contender: Contender,
    /// Its figures, or why there are none.
    pub outcome: Result<Figures, Failure>,
}

/// The rows of a run, in the order in which they were measured.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// All rows.
    pub rows: Vec<Row>,
}

impl Sheet {
    /// Adds a row.
    pub fn push(&mut self, task: impl Into<String>, contender: Contender, outcome: Result<Figures, Failure>) {
        self.rows.push(Row { task: task.into(), contender, outcome });
    }

    /// The figures of one store for one task.
    #[must_use]
    pub fn find(&self, task: &str, contender: Contender) -> Option<&Figures> {
        let row = self.rows.iter().find(|row| row.task == task && row.contender == contender)?;
        row.outcome.as_ref().ok()
    }

    /// All figures for one task.
    pub fn of<'s>(&'s self, task: &'s str) -> impl Iterator<Item = (Contender, &'s Figures)> {
        self.rows
            .iter()
            .filter(move |row| row.task == task)
            .filter_map(|row| row.outcome.as_ref().ok().map(|figures| (row.contender, figures)))
    }

    /// The tasks, each once, in order.
    #[must_use]
    pub fn tasks(&self) -> Vec<&str> {
        let mut tasks: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !tasks.contains(&row.task.as_str()) {
                tasks.push(&row.task);
            }
        }
        tasks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_up_and_the_worst_is_kept() {
        let chip = Chip::new(4, 1);
        let mut tally = Tally::default();
        for length in [4, 12, 8] {
            tally.step(&chip, || chip.read(0, &mut vec![0; length]).map_err(Failure::failed)).unwrap();
        }
        assert_eq!((tally.operations, tally.total.bytes_read, tally.worst.bytes_read), (3, 24, 12));
        assert!((tally.bytes_read() - 8.0).abs() < 1e-9 && (tally.reads() - 1.0).abs() < 1e-9);
        assert!(tally.amplification().is_nan());
    }

    #[test]
    fn what_fails_is_not_counted() {
        let mut tally = Tally::default();
        let result: Result<(), _> = tally.step(&Chip::new(4, 1), || Err(Failure::Full));
        assert_eq!((result, tally), (Err(Failure::Full), Tally::default()));
    }
}
