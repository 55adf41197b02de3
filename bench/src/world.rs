//! One store on one part with one load: what workloads are written in.
//!
//! Every answer is checked: a key that was put must be found, a key that was not must not. A store that takes too long is
//! stopped, with a failure that says so.

use std::time::Duration;

use cpu_time::ProcessTime;

use crate::chip::Chip;
use crate::heap;
use crate::load::{Choice, Load};
use crate::measure::{Figures, Tally};
use crate::stores::{Change, Contender, Failure, Setup, Store};

/// How often the clock is looked at, in operations.
const WATCHED: u32 = 32;

/// A store at work.
pub struct World {
    /// The part.
    pub chip: Chip,
    /// Keys, values and dice.
    pub load: Load,
    contender: Contender,
    setup: Setup,
    store: Option<Box<dyn Store>>,
    ram: usize,
    buffer: Vec<u8>,
    begun: ProcessTime,
    patience: Duration,
    /// Operations until the clock is looked at again.
    unwatched: u32,
}

impl World {
    /// A new store on a blank part. After so much time of the processor it is stopped: a busy machine changes
    /// nothing.
    ///
    /// # Errors
    /// [`Failure`], where the store can't be had.
    pub fn new(contender: Contender, chip: Chip, load: Load, patience: Duration) -> Result<Self, Failure> {
        let setup = Setup { format: true, keys: load.keys(), value_max: load.value_max() };
        let buffer = vec![0; load.value_max().max(64)];
        let begun = ProcessTime::now();
        let mut world =
            Self { chip, load, contender, setup, store: None, ram: 0, buffer, begun, patience, unwatched: WATCHED };
        world.open(true)?;
        Ok(world)
    }

    fn open(&mut self, format: bool) -> Result<(), Failure> {
        let before = heap::in_use();
        let store = self.contender.open(&self.chip, Setup { format, ..self.setup })?;
        let heap = heap::in_use().saturating_sub(before);
        self.ram = if self.contender.uses_heap() { heap } else { store.ram() };
        self.store = Some(store);
        Ok(())
    }

    fn check_time(&mut self) -> Result<(), Failure> {
        self.unwatched -= 1;
        if self.unwatched > 0 {
            return Ok(());
        }
        self.unwatched = WATCHED;
        if self.begun.elapsed() < self.patience {
            return Ok(());
        }
        Err(Failure::Failed(format!("stopped after {} s of processor time", self.patience.as_secs())))
    }

    /// Figures of a tally, with wear and RAM as they are now.
    #[must_use]
    pub fn figures(&self, tally: Tally) -> Figures {
        let wear = self.chip.wear();
        let wear = (wear.iter().min().copied().unwrap_or(0), wear.iter().max().copied().unwrap_or(0));
        Figures { tally, wear, ram: self.ram, derived: f64::NAN }
    }

    /// Puts a fresh value under a key.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn put(&mut self, key: usize, tally: &mut Tally) -> Result<(), Failure> {
        self.check_time()?;
        let store = mounted(&mut self.store)?;
        let (name, value) = self.load.record(key);
        tally.step(&self.chip, || store.put(name, value))?;
        tally.payload += (name.len() + value.len()) as u64;
        Ok(())
    }

    /// Puts all keys, in a drawn order.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn fill(&mut self) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        for key in self.load.order() {
            self.put(key, &mut tally)?;
        }
        Ok(tally)
    }

    /// Puts drawn keys.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn updates(&mut self, count: u64, choice: Choice) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        for _ in 0..count {
            let key = self.load.draw(choice);
            self.put(key, &mut tally)?;
        }
        Ok(tally)
    }

    /// Puts `size` drawn keys at once; all different.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn transact(&mut self, size: usize, tally: &mut Tally) -> Result<(), Failure> {
        self.check_time()?;
        let mut changes: Vec<Change> = Vec::with_capacity(size);
        while changes.len() < size {
            let key = self.load.draw(Choice::Uniform);
            if changes.iter().all(|(name, _)| name != self.load.name(key)) {
                let (name, value) = self.load.record(key);
                changes.push((name.to_owned(), value.to_vec()));
            }
        }
        let store = mounted(&mut self.store)?;
        tally.step(&self.chip, || store.transact(&changes))?;
        tally.payload += changes.iter().map(|(name, value)| (name.len() + value.len()) as u64).sum::<u64>();
        Ok(())
    }

    /// Gets one key, which is there.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn get(&mut self, key: usize, tally: &mut Tally) -> Result<(), Failure> {
        self.check_time()?;
        let store = mounted(&mut self.store)?;
        let (name, buffer) = (self.load.name(key), &mut self.buffer);
        match tally.step(&self.chip, || store.get(name, buffer))? {
            Some(_) => Ok(()),
            None => Err(Failure::Failed(format!("{name} is lost"))),
        }
    }

    /// Gets drawn keys, which are there.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn gets(&mut self, count: u64) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        for _ in 0..count {
            let key = self.load.draw(Choice::Uniform);
            self.get(key, &mut tally)?;
        }
        Ok(tally)
    }

    /// Gets keys that are not there.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn misses(&mut self, count: u64) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        for _ in 0..count {
            self.check_time()?;
            let (name, buffer) = (self.load.absent(), &mut self.buffer);
            let store = mounted(&mut self.store)?;
            if tally.step(&self.chip, || store.get(&name, buffer))?.is_some() {
                return Err(Failure::Failed(format!("{name} was never put")));
            }
        }
        Ok(tally)
    }

    /// Ends, in order or by pulling the plug between two operations, and mounts; the mount is counted.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn remount(&mut self, clean: bool, tally: &mut Tally) -> Result<(), Failure> {
        let store = self.store.take().ok_or_else(|| Failure::Failed("not mounted".to_owned()))?;
        let before = heap::in_use();
        if clean {
            store.close()?;
        } else {
            drop(store);
        }
        // What it had come to hold may be more than it holds after a mount.
        let held = if self.contender.uses_heap() { before.saturating_sub(heap::in_use()) } else { 0 };
        let chip = self.chip.clone();
        tally.step(&chip, || self.open(false))?;
        self.ram = self.ram.max(held);
        Ok(())
    }
}

fn mounted(store: &mut Option<Box<dyn Store>>) -> Result<&mut dyn Store, Failure> {
    match store {
        Some(store) => Ok(store.as_mut()),
        None => Err(Failure::Failed("not mounted".to_owned())),
    }
}
