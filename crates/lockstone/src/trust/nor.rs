//! A monotonic counter in two erase blocks of on-chip NOR flash that only trusted code can write.
//!
//! ```text
//! block   | record | record | record | (never written)      16 bytes each, in whole program units
//! record  | value (4) | generation (4) | value, inverted (4) | generation, inverted (4) |
//! ```
//!
//! The last good record of the block with the higher generation says the value. A step appends a record; a full block
//! goes on in the other one, erased, with the next generation. With 4 KiB blocks that last 10,000 erases, that is five
//! million steps.
//!
//! Whatever a cut leaves, the value is the old or the new one, and stays what it was first read as: what the last power
//! session wrote last may be marginal, so [`NorCounter::open`] writes it again before it says anything, one place behind
//! all that is visible. A place that a cut may have touched is never programmed with other bytes. The flash must obey
//! what the store asks of it (crate documentation, "What the flash must do").
//!
//! Tested by `tests/it/counter.rs`: a cut at every operation, every tear, again during recovery.

use embedded_storage::nor_flash::NorFlash;

use super::MonotonicCounter;

/// Bytes of a record, before padding.
const RECORD: usize = 16;
/// Room for the longest record.
const LARGEST: usize = 64;

/// A counter in the first two erase blocks of the flash that it's given. Takes one record a boot, and one a step.
#[derive(Debug)]
pub struct NorCounter<F> {
    flash: F,
    erased: u8,
    last: Record,
    /// Block in use: 0 or 1.
    block: u32,
    /// Where its next record goes.
    next: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    generation: u32,
    value: u32,
}

/// What is found in a block.
#[derive(Clone, Copy, Debug)]
struct Found {
    last: Option<Record>,
    /// Records up to the last one that is not blank.
    visible: usize,
}

/// Why a counter could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NorCounterError<E> {
    /// The flash driver failed. The value is the old or the new one: open it again.
    Flash(E),
    /// Both blocks are blank: the counter was never made. Make it once, in the factory, with [`NorCounter::format`].
    Blank,
    /// Neither block holds a counter, or a record does not stick: worn out, or somebody wrote here.
    Damaged,
    /// Two erase blocks of at least eight records, or a program unit of at most 64 bytes, are not there.
    Geometry,
    /// It can't go up any more.
    Exhausted,
}

impl<E: core::fmt::Debug> core::fmt::Display for NorCounterError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash of the counter failed: {error:?}"),
            Self::Blank => f.write_str("the counter was never made"),
            Self::Damaged => f.write_str("the counter is damaged, or its flash worn out"),
            Self::Geometry => f.write_str("a counter needs two erase blocks of at least eight records"),
            Self::Exhausted => f.write_str("the counter can't go up any more"),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for NorCounterError<E> {}

impl<E> From<E> for NorCounterError<E> {
    fn from(error: E) -> Self {
        Self::Flash(error)
    }
}

type Result<T, F> = core::result::Result<T, NorCounterError<<F as embedded_storage::nor_flash::ErrorType>::Error>>;

impl<F: NorFlash> NorCounter<F> {
    const UNIT: usize = if F::WRITE_SIZE < 4 { 4 } else { F::WRITE_SIZE };
    /// Bytes of a record on flash.
    const STEP: usize = RECORD.next_multiple_of(Self::UNIT);
    /// Records in a block.
    const RECORDS: usize = F::ERASE_SIZE / Self::STEP;

    /// Makes a counter with the value 0. **Once**, in the factory: whoever can call it again can turn the counter back.
    ///
    /// # Errors
    /// [`NorCounterError`]; format again.
    pub fn format(flash: F, erased: u8) -> Result<Self, F> {
        let start = Record { generation: 0, value: 0 };
        let mut counter = Self { flash, erased, last: start, block: 0, next: 0 };
        counter.check_geometry()?;
        counter.erase(0)?;
        counter.erase(1)?;
        counter.append(start)?;
        Ok(counter)
    }

    /// Finds the counter, and makes firm what the last power session may have left half-done.
    ///
    /// # Errors
    /// [`NorCounterError`]; the value has not changed.
    pub fn open(flash: F, erased: u8) -> Result<Self, F> {
        let start = Record { generation: 0, value: 0 };
        let mut counter = Self { flash, erased, last: start, block: 0, next: 0 };
        counter.check_geometry()?;
        let found = [counter.look(0), counter.look(1)];
        let [one, two] = found;
        counter.block = u32::from(two.last > one.last);
        let newest = if counter.block == 1 { two } else { one };
        match newest.last {
            Some(last) => counter.last = last,
            None if found.iter().all(|found| found.visible == 0) => return Err(NorCounterError::Blank),
            None => return Err(NorCounterError::Damaged),
        }
        counter.next = newest.visible + 1;
        counter.write(counter.last.value)?;
        Ok(counter)
    }

    /// The present value.
    pub const fn value(&self) -> u32 {
        self.last.value
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.flash
    }

    fn check_geometry(&self) -> Result<(), F> {
        let fits = Self::RECORDS >= 8 && Self::STEP <= LARGEST && self.flash.capacity() >= 2 * F::ERASE_SIZE;
        if fits && Self::STEP.is_multiple_of(F::READ_SIZE) { Ok(()) } else { Err(NorCounterError::Geometry) }
    }

    /// Address of a record; sizes are checked against the capacity of the flash before.
    fn address(block: u32, record: usize) -> u32 {
        let narrow = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        block.saturating_mul(narrow(F::ERASE_SIZE)).saturating_add(narrow(record.saturating_mul(Self::STEP)))
    }

    fn erase(&mut self, block: u32) -> Result<(), F> {
        Ok(self.flash.erase(Self::address(block, 0), Self::address(block + 1, 0))?)
    }

    fn look(&mut self, block: u32) -> Found {
        let mut found = Found { last: None, visible: 0 };
        for index in 0..Self::RECORDS {
            match self.record(block, index) {
                Ok(None) => {}
                Ok(Some(record)) => found = Found { last: Some(record), visible: index + 1 },
                Err(()) => found.visible = index + 1,
            }
        }
        found
    }

    /// The record at a place; `None`: blank. `Err`: neither a record nor blank, or unreadable (torn, on parts with ECC).
    fn record(&mut self, block: u32, index: usize) -> core::result::Result<Option<Record>, ()> {
        let mut bytes = [0; LARGEST];
        let place = bytes.get_mut(..Self::STEP).ok_or(())?;
        self.flash.read(Self::address(block, index), place).map_err(|_| ())?;
        let erased = self.erased;
        if place.iter().all(|byte| *byte == erased) {
            return Ok(None);
        }
        let word =
            |at: usize| place.get(at..at + 4).and_then(|word| word.first_chunk()).copied().map(u32::from_le_bytes);
        let words = (word(0).ok_or(())?, word(4).ok_or(())?, word(8).ok_or(())?, word(12).ok_or(())?);
        match words {
            (value, generation, no_value, no_generation) if value == !no_value && generation == !no_generation => {
                Ok(Some(Record { generation, value }))
            }
            _ => Err(()),
        }
    }

    /// Appends a record with this value, in the other block when this one is full.
    fn write(&mut self, value: u32) -> Result<(), F> {
        let mut record = Record { value, ..self.last };
        if self.next >= Self::RECORDS {
            let other = 1 - self.block;
            self.erase(other)?;
            record.generation = self.last.generation.checked_add(1).ok_or(NorCounterError::Exhausted)?;
            (self.block, self.next) = (other, 0);
        }
        self.append(record)
    }

    fn append(&mut self, record: Record) -> Result<(), F> {
        let mut bytes = [self.erased; LARGEST];
        let words = [record.value, record.generation, !record.value, !record.generation];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let index = self.next;
        // Also after an error the place was touched.
        self.next += 1;
        self.flash.write(Self::address(self.block, index), bytes.get(..Self::STEP).unwrap_or_default())?;
        if self.record(self.block, index) != Ok(Some(record)) {
            return Err(NorCounterError::Damaged);
        }
        self.last = record;
        Ok(())
    }
}

impl<F: NorFlash> MonotonicCounter for NorCounter<F> {
    type Error = NorCounterError<F::Error>;

    fn read(&mut self) -> core::result::Result<u64, Self::Error> {
        Ok(self.value().into())
    }

    /// After an error the counter must be opened again.
    fn increment(&mut self) -> core::result::Result<u64, Self::Error> {
        let value = self.last.value.checked_add(1).ok_or(NorCounterError::Exhausted)?;
        self.write(value)?;
        Ok(value.into())
    }

    fn limit(&self) -> u64 {
        u32::MAX.into()
    }
}
