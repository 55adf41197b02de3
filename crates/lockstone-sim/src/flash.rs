//! The chip itself: cells, programs, erases and cuts.
//!
//! Reads and writes are a `memcpy` (or an AND over it) and a few comparisons, unless the block has a scar. All content
//! is in one vector, program-once bookkeeping is one bit per unit, everything else is small: a clone is little more than
//! a copy of the content.
//!
//! Tested by the suites `cells` and `tears`.

use std::fmt;
use std::ops::Range;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash, check_erase, check_read, check_write};

use crate::bits::BitSet;
use crate::random::Random;
use crate::scar::Scar;
use crate::tear::{Outcome, Progress};
use crate::{BlockFault, Counts, Cut, Power, SimError, Tear, TraceEntry, TraceKind, Violation};

/// A NOR flash chip in memory. `READ`, `WRITE` and `ERASE` are the read, program and erase sizes in bytes.
///
/// Cells hold the erased value (0xff or 0x00) until they are programmed: programs only clear bits if the erased value is
/// 0xff, and only set bits if it is 0x00. Units of `WRITE` bytes are programmed once between erases, also if they are
/// programmed with the erased value; a second program returns [`SimError::ProgrammedTwice`], changes nothing, and is
/// recorded as a violation, as are calls out of bounds or out of alignment.
///
/// There is one exception. A unit that was touched by a cut program may be programmed again with what the cut program was
/// asked to write there, bit by bit the same: the same word again changes no cell's target. A program that was cut with
/// [`Tear::Absent`] has not touched anything, and no tear touches the units that it leaves as they were. The exception
/// ends when an erase of the block begins.
///
/// A block whose erase was cut is not erased: of its units only those may be programmed that the tear has erased
/// completely, and those that had not been programmed before.
///
/// Operations are counted from 0: each `write` call is one, and each block of an `erase` call. Calls that are refused are
/// none, and neither is a `write` without bytes. The chip is alone on its power supply unless it is plugged in with other
/// devices; then the operations of all count, and `cut_at` may hit any of them. A clone is a snapshot of its own.
pub struct SimFlash<const READ: usize, const WRITE: usize, const ERASE: usize> {
    pub(crate) data: Vec<u8>,
    pub(crate) programmed: BitSet,
    pub(crate) scars: Vec<Option<Box<Scar>>>,
    pub(crate) wear: Vec<u32>,
    pub(crate) faults: Vec<(usize, BlockFault)>,
    pub(crate) trace: Option<Vec<TraceEntry>>,
    pub(crate) state: State,
    power: Power,
}

/// Everything about a chip that has a small fixed size.
#[derive(Clone, Copy)]
pub(crate) struct State {
    pub(crate) erased: u8,
    pub(crate) heals: bool,
    pub(crate) endurance: u32,
    pub(crate) random: Random,
    pub(crate) counts: Counts,
    violations: u32,
    first: Option<Violation>,
    weak_programs: u32,
    last_cut: Option<Cut>,
}

impl State {
    const fn new(erased: u8) -> Self {
        Self {
            erased,
            heals: false,
            endurance: u32::MAX,
            random: Random::new(0),
            counts: Counts { reads: 0, bytes_read: 0, programs: 0, bytes_programmed: 0, erases: 0 },
            violations: 0,
            first: None,
            weak_programs: 0,
            last_cut: None,
        }
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> SimFlash<READ, WRITE, ERASE> {
    const GEOMETRY_IS_SOUND: () = assert!(
        READ > 0 && WRITE > 0 && ERASE > 0 && WRITE.is_multiple_of(READ) && ERASE.is_multiple_of(WRITE),
        "the read size divides the program size, which divides the erase size"
    );

    /// A blank chip of `capacity` bytes. The erased value is 0xff or 0x00.
    ///
    /// # Panics
    ///
    /// If the erased value is another, or the capacity is no multiple of the erase size or above 4 GiB.
    #[must_use]
    pub fn new(capacity: usize, erased: u8) -> Self {
        Self::build(erased, vec![erased; capacity])
    }

    /// A chip with this content. Units that differ from blank count as programmed.
    ///
    /// # Panics
    ///
    /// As [`SimFlash::new`], for the length of the content.
    #[must_use]
    pub fn with_content(erased: u8, content: Vec<u8>) -> Self {
        let mut flash = Self::build(erased, content);
        (0..flash.blocks()).for_each(|block| flash.settle(block));
        flash
    }

    fn build(erased: u8, data: Vec<u8>) -> Self {
        let () = Self::GEOMETRY_IS_SOUND;
        assert!(erased == 0xff || erased == 0x00, "the erased value is 0xff or 0x00");
        assert!(data.len().is_multiple_of(ERASE), "the capacity is a multiple of the erase size");
        assert!(u32::try_from(data.len()).is_ok(), "the capacity is below 4 GiB");
        let blocks = data.len() / ERASE;
        Self {
            programmed: BitSet::new(data.len() / WRITE),
            scars: vec![None; blocks],
            wear: vec![0; blocks],
            faults: Vec::new(),
            trace: None,
            state: State::new(erased),
            power: Power::new(),
            data,
        }
    }

    /// Size of the chip in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.data.len()
    }

    /// Number of erase blocks.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.wear.len()
    }

    /// Value of an erased byte: 0xff or 0x00.
    #[must_use]
    pub fn erased(&self) -> u8 {
        self.state.erased
    }

    /// Arms a power cut in the modifying operation that `op` others precede: 0 is the next program or block erase. The
    /// operation is torn as `tear` says and returns `PowerCut`, as does every later one until [`SimFlash::power_on`].
    /// Replaces a cut armed before.
    pub fn cut_at(&mut self, op: u64, tear: Tear) {
        self.power.cut_at(op, tear);
    }

    /// Moves the chip to this supply: from now on it counts operations and is cut together with what else is plugged in
    /// there. A cut that was armed stays with the old supply.
    pub fn plug_in(&mut self, power: &Power) {
        self.power = power.clone();
    }

    /// The supply it is plugged into.
    #[must_use]
    pub fn power(&self) -> &Power {
        &self.power
    }

    /// Disarms a cut that has not happened yet.
    pub fn cancel_cut(&mut self) {
        self.power.cancel_cut();
    }

    /// Switches the power off between two operations.
    pub fn power_off(&mut self) {
        self.power.off();
    }

    /// Switches the power on again. Content, unstable bits and an armed cut that has not happened stay.
    pub fn power_on(&mut self) {
        self.power.on();
    }

    /// Whether the power is off.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.power.is_off()
    }

    /// Number of modifying operations so far: programs and block erases, the cut and the failed ones included. With other
    /// devices on its supply, theirs too.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.power.operations()
    }

    /// Number of calls that no chip must be asked for.
    #[must_use]
    pub fn violations(&self) -> u32 {
        self.state.violations
    }

    /// The first of them.
    #[must_use]
    pub fn first_violation(&self) -> Option<Violation> {
        self.state.first
    }

    /// Number of programs into blocks whose last erase was a weak one.
    #[must_use]
    pub fn weak_programs(&self) -> u32 {
        self.state.weak_programs
    }

    /// What was asked of the chip since the last reset.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.counts
    }

    /// Starts the counts at 0 again. Erase counts of blocks, operations and violations go on.
    pub fn reset_counts(&mut self) {
        self.state.counts = Counts::default();
    }

    /// How often each block was erased since the chip was made; cut and failed erases included.
    #[must_use]
    pub fn erase_counts(&self) -> &[u32] {
        &self.wear
    }

    /// The lowest and the highest of the erase counts.
    #[must_use]
    pub fn erase_spread(&self) -> (u32, u32) {
        let (lowest, highest) = (self.wear.iter().min(), self.wear.iter().max());
        (lowest.copied().unwrap_or(0), highest.copied().unwrap_or(0))
    }

    /// Begins to record every access. What was recorded before is dropped.
    pub fn trace_on(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// What was recorded so far, while recording goes on. Empty if nothing was.
    #[must_use]
    pub fn trace(&self) -> &[TraceEntry] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// What the last power cut left of the operation that it hit; `None` if no operation was hit yet.
    #[must_use]
    pub fn last_cut(&self) -> Option<Cut> {
        self.state.last_cut
    }

    /// What was recorded so far; recording stops. Empty if nothing was.
    pub fn take_trace(&mut self) -> Vec<TraceEntry> {
        self.trace.take().unwrap_or_default()
    }

    pub(crate) fn scar(&mut self, block: usize) -> &mut Scar {
        self.scars[block].get_or_insert_default()
    }

    pub(crate) fn block_range(block: usize) -> Range<usize> {
        block * ERASE..(block + 1) * ERASE
    }

    pub(crate) fn unit_range(range: &Range<usize>) -> Range<usize> {
        range.start / WRITE..range.end / WRITE
    }

    pub(crate) fn read_now(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.power.check()?;
        check_read(self, offset, bytes.len()).map_err(|kind| self.violated(kind.into(), offset))?;
        self.state.counts.reads += 1;
        self.state.counts.bytes_read += bytes.len() as u64;
        self.note(TraceKind::Read, offset, bytes.len());
        let start = offset as usize;
        let range = start..start + bytes.len();
        bytes.copy_from_slice(&self.data[range.clone()]);
        self.blemish(range, bytes)
    }

    pub(crate) fn write_now(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.power.check()?;
        check_write(self, offset, bytes.len()).map_err(|kind| self.violated(kind.into(), offset))?;
        let start = offset as usize;
        let range = start..start + bytes.len();
        self.once(range.clone(), bytes)?;
        if bytes.is_empty() { Ok(()) } else { self.program(offset, range, bytes) }
    }

    pub(crate) fn erase_now(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.power.check()?;
        check_erase(self, from, to).map_err(|kind| self.violated(kind.into(), from))?;
        (from as usize / ERASE..to as usize / ERASE).try_for_each(|block| self.erase_block(block))
    }

    fn violated(&mut self, error: SimError, address: u32) -> SimError {
        self.state.violations = self.state.violations.saturating_add(1);
        self.state.first.get_or_insert(Violation { op: self.power.operations(), address, error });
        error
    }

    fn note(&mut self, kind: TraceKind, address: u32, len: usize) {
        if let Some(trace) = &mut self.trace {
            trace.push(TraceEntry { op: self.power.operations(), kind, address, len });
        }
    }

    /// Remembers what a cut left of the operation on `range`, which was to flip the bits of `change`.
    fn note_cut(&mut self, kind: TraceKind, tear: Tear, range: Range<usize>, before: &[u8], change: &[u8]) {
        let (mut bits_unstable, mut unreadable) = (0, 0);
        for part in parts::<ERASE>(range.clone()) {
            if let Some(scar) = &self.scars[part.start / ERASE] {
                bits_unstable += ones(scar.unstable.masks(scar.unstable.overlap(&part)));
                unreadable += scar.ecc.masks(scar.ecc.overlap(&part)).iter().filter(|mask| **mask != 0).count();
            }
        }
        let flipped = before.iter().zip(&self.data[range.clone()]).map(|(before, after)| before ^ after);
        let done: Vec<u8> = flipped.zip(change).map(|(flipped, change)| flipped & change).collect();
        self.state.last_cut = Some(Cut {
            operation: TraceEntry {
                op: self.power.operations() - 1,
                kind,
                address: short(range.start),
                len: range.len(),
            },
            tear,
            bits_wanted: ones(change),
            bits_done: ones(&done),
            bits_unstable,
            units_unreadable: unreadable / WRITE,
        });
    }

    /// Spoils what was read, where the blocks have scars.
    fn blemish(&mut self, range: Range<usize>, bytes: &mut [u8]) -> Result<(), SimError> {
        for part in parts::<ERASE>(range.clone()) {
            if let Some(scar) = &self.scars[part.start / ERASE] {
                if scar.has_ecc(&part) {
                    return Err(SimError::Ecc);
                }
                scar.toss(&part, &mut bytes[part.start - range.start..part.end - range.start], &mut self.state.random);
            }
        }
        Ok(())
    }

    /// Refuses to program a unit twice, unless a cut program wanted the same of it.
    fn once(&mut self, range: Range<usize>, bytes: &[u8]) -> Result<(), SimError> {
        let units = Self::unit_range(&range);
        if !self.programmed.any(units.clone()) {
            return Ok(());
        }
        for (unit, bytes) in units.zip(bytes.chunks(WRITE)) {
            if self.programmed.get(unit) && self.wanted(unit) != Some(bytes) {
                return Err(self.violated(SimError::ProgrammedTwice, short(unit * WRITE)));
            }
        }
        Ok(())
    }

    fn wanted(&self, unit: usize) -> Option<&[u8]> {
        let start = unit * WRITE;
        self.scars[start / ERASE].as_ref()?.wanted(&(start..start + WRITE))
    }

    fn program(&mut self, offset: u32, range: Range<usize>, bytes: &[u8]) -> Result<(), SimError> {
        self.note(TraceKind::Program, offset, bytes.len());
        self.state.counts.programs += 1;
        self.state.counts.bytes_programmed += bytes.len() as u64;
        if let Some(tear) = self.power.begin()? {
            let (before, change) = (self.data[range.clone()].to_vec(), self.program_change(&range, bytes));
            self.tear_program(range.clone(), bytes, tear);
            self.note_cut(TraceKind::Program, tear, range, &before, &change);
            return Err(SimError::PowerCut);
        }
        match self.program_fault(&range) {
            Some(BlockFault::ProgramFails) => {
                self.tear_program(range, bytes, Tear::Bits);
                Err(SimError::ProgramFailed)
            }
            Some(_) => {
                self.program_badly(range, bytes);
                Ok(())
            }
            None => {
                self.program_well(range, bytes);
                Ok(())
            }
        }
    }

    /// The first fault among the blocks of `range` that matters to a program.
    fn program_fault(&self, range: &Range<usize>) -> Option<BlockFault> {
        if self.faults.is_empty() {
            return None;
        }
        parts::<ERASE>(range.clone())
            .filter_map(|part| self.fault_of(part.start / ERASE))
            .find(|fault| matches!(fault, BlockFault::ProgramFails | BlockFault::SilentProgram))
    }

    fn program_well(&mut self, range: Range<usize>, bytes: &[u8]) {
        let cells = self.data[range.clone()].iter_mut().zip(bytes);
        if self.state.erased == 0xff {
            cells.for_each(|(cell, byte)| *cell &= byte);
        } else {
            cells.for_each(|(cell, byte)| *cell |= byte);
        }
        self.programmed.insert_all(Self::unit_range(&range));
        if self.state.heals {
            self.heal(&range, bytes);
        }
        self.disturb(range);
    }

    fn program_badly(&mut self, range: Range<usize>, bytes: &[u8]) {
        let change = self.program_change(&range, bytes);
        let outcome = Outcome::of_fault(change, WRITE, &mut self.state.random);
        self.inflict(range.start, &outcome);
        self.programmed.insert_all(Self::unit_range(&range));
        self.disturb(range);
    }

    fn tear_program(&mut self, range: Range<usize>, bytes: &[u8], tear: Tear) {
        let change = self.program_change(&range, bytes);
        let outcome = Outcome::of_program(tear, change, WRITE, &mut self.state.random);
        self.inflict(range.start, &outcome);
        for (index, bytes) in bytes.chunks(WRITE).enumerate() {
            if outcome.units[index] != Progress::Untouched {
                let address = range.start + index * WRITE;
                self.programmed.insert(address / WRITE);
                self.scar(address / ERASE).want(address, bytes);
            }
        }
        if outcome.touched() {
            self.disturb(range);
        }
    }

    /// The bits that programming `bytes` would change.
    fn program_change(&self, range: &Range<usize>, bytes: &[u8]) -> Vec<u8> {
        let erased = self.state.erased;
        let cells = self.data[range.clone()].iter().zip(bytes);
        cells.map(|(cell, byte)| (byte ^ erased) & !(cell ^ erased)).collect()
    }

    fn heal(&mut self, range: &Range<usize>, bytes: &[u8]) {
        let erased = self.state.erased;
        for part in parts::<ERASE>(range.clone()) {
            if let Some(scar) = &mut self.scars[part.start / ERASE] {
                let bytes = &bytes[part.start - range.start..part.end - range.start];
                let driven: Vec<u8> = bytes.iter().map(|byte| byte ^ erased).collect();
                scar.heal(&part, &driven);
            }
        }
    }

    /// Gives what was programmed after a weak erase its extra bits.
    fn disturb(&mut self, range: Range<usize>) {
        for part in parts::<ERASE>(range) {
            if self.scars[part.start / ERASE].as_ref().is_some_and(|scar| scar.weak) {
                self.state.weak_programs = self.state.weak_programs.saturating_add(1);
                self.spread(&part);
            }
        }
    }

    /// Programs some of the blank bits of `range`, or makes them unstable.
    fn spread(&mut self, range: &Range<usize>) {
        for _ in 0..=self.state.random.below(8) {
            let address = range.start + self.state.random.below(range.len());
            let bit = 1 << self.state.random.below(8);
            if (self.data[address] ^ self.state.erased) & bit != 0 {
                continue;
            }
            if self.state.random.coin() {
                self.data[address] ^= bit;
            } else {
                self.scar(address / ERASE).unstable.cover(address..address + 1)[0] |= bit;
            }
        }
    }

    fn erase_block(&mut self, block: usize) -> Result<(), SimError> {
        self.note(TraceKind::Erase, short(block * ERASE), ERASE);
        self.state.counts.erases += 1;
        self.wear[block] = self.wear[block].saturating_add(1);
        if let Some(tear) = self.power.begin()? {
            let range = Self::block_range(block);
            let (before, change) = (self.data[range.clone()].to_vec(), self.erase_change(&range));
            self.tear_erase(block, tear);
            self.note_cut(TraceKind::Erase, tear, range, &before, &change);
            return Err(SimError::PowerCut);
        }
        if self.wear[block] > self.state.endurance {
            return Err(SimError::EraseFailed);
        }
        match self.fault_of(block) {
            Some(BlockFault::EraseFails) => return Err(SimError::EraseFailed),
            Some(BlockFault::EraseLeavesBits) => self.erase_badly(block),
            _ => self.erase_well(block),
        }
        Ok(())
    }

    fn erase_well(&mut self, block: usize) {
        let range = Self::block_range(block);
        self.programmed.remove_all(Self::unit_range(&range));
        self.data[range].fill(self.state.erased);
        self.scars[block] = None;
    }

    fn erase_badly(&mut self, block: usize) {
        let range = Self::block_range(block);
        let change = self.erase_change(&range);
        let outcome = Outcome::of_fault(change, WRITE, &mut self.state.random);
        self.programmed.remove_all(Self::unit_range(&range));
        self.scars[block] = None;
        self.inflict(range.start, &outcome);
    }

    fn tear_erase(&mut self, block: usize, tear: Tear) {
        match tear {
            Tear::Absent => {}
            Tear::Whole => self.erase_well(block),
            Tear::MetastableWhole => {
                self.erase_well(block);
                self.scar(block).weak = true;
            }
            other => self.erase_partly(block, other),
        }
    }

    fn erase_partly(&mut self, block: usize, tear: Tear) {
        let range = Self::block_range(block);
        let change = self.erase_change(&range);
        let outcome = Outcome::of_erase(tear, change, WRITE, &mut self.state.random);
        if let Some(scar) = &mut self.scars[block] {
            scar.forget_wanted();
        }
        self.inflict(range.start, &outcome);
        for (index, progress) in outcome.units.iter().enumerate() {
            if *progress == Progress::Done {
                self.programmed.remove(range.start / WRITE + index);
            }
        }
    }

    fn erase_change(&self, range: &Range<usize>) -> Vec<u8> {
        self.data[range.clone()].iter().map(|cell| cell ^ self.state.erased).collect()
    }

    /// Brings what was drawn into the cells from `start` on.
    fn inflict(&mut self, start: usize, outcome: &Outcome) {
        let cells = self.data[start..start + outcome.done.len()].iter_mut();
        cells.zip(&outcome.done).for_each(|(cell, done)| *cell ^= done);
        self.unsettle(start, &outcome.unstable);
        for &unit in &outcome.ecc {
            let address = start + unit * WRITE;
            self.scar(address / ERASE).ecc.cover(address..address + WRITE).fill(0xff);
        }
    }

    fn unsettle(&mut self, start: usize, masks: &[u8]) {
        let (first, last) = (masks.iter().position(|&mask| mask != 0), masks.iter().rposition(|&mask| mask != 0));
        let (Some(first), Some(last)) = (first, last) else { return };
        for part in parts::<ERASE>(start + first..start + last + 1) {
            let masks = &masks[part.start - start..part.end - start];
            let cover = self.scar(part.start / ERASE).unstable.cover(part);
            cover.iter_mut().zip(masks).for_each(|(cover, mask)| *cover |= mask);
        }
    }
}

/// An address for the world outside; constructors keep every chip below 4 GiB.
fn short(address: usize) -> u32 {
    u32::try_from(address).unwrap_or(u32::MAX)
}

fn ones(masks: &[u8]) -> u32 {
    masks.iter().map(|mask| mask.count_ones()).sum()
}

/// The parts of a range that lie in one block each.
fn parts<const ERASE: usize>(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let blocks = range.start / ERASE..range.end.div_ceil(ERASE);
    let parts = blocks.map(move |block| range.start.max(block * ERASE)..range.end.min((block + 1) * ERASE));
    parts.filter(|part| !part.is_empty())
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> Clone for SimFlash<READ, WRITE, ERASE> {
    fn clone(&self) -> Self {
        Self {
            data: self.data.clone(),
            programmed: self.programmed.clone(),
            scars: self.scars.clone(),
            wear: self.wear.clone(),
            faults: self.faults.clone(),
            trace: self.trace.clone(),
            state: self.state,
            power: self.power.fork(),
        }
    }

    fn clone_from(&mut self, source: &Self) {
        self.data.clone_from(&source.data);
        self.programmed.clone_from(&source.programmed);
        self.scars.clone_from(&source.scars);
        self.wear.clone_from(&source.wear);
        self.faults.clone_from(&source.faults);
        self.trace.clone_from(&source.trace);
        self.state = source.state;
        self.power = source.power.fork();
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> fmt::Debug for SimFlash<READ, WRITE, ERASE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(&format!("SimFlash<{READ}, {WRITE}, {ERASE}>"))
            .field("capacity", &self.capacity())
            .field("erased", &self.state.erased)
            .field("operations", &self.power.operations())
            .field("cut", &self.power.is_off())
            .field("violations", &self.state.violations)
            .finish_non_exhaustive()
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ErrorType for SimFlash<READ, WRITE, ERASE> {
    type Error = SimError;
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ReadNorFlash for SimFlash<READ, WRITE, ERASE> {
    const READ_SIZE: usize = READ;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.read_now(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.data.len()
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> NorFlash for SimFlash<READ, WRITE, ERASE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.erase_now(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.write_now(offset, bytes)
    }
}
