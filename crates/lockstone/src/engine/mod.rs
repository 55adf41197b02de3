//! The engine: a log of sealed records, an index threaded through it, and a mount that trusts nothing.
//!
//! ```text
//! ops ── put, get, delete        transaction        iterate        stats       what callers see
//!   │
//! write ── one record: place, compose, seal, program, verify                   the only writer of records
//!   │            │
//! index ── walk   segment ── open the next segment, headers                    compact ── free the oldest segment
//!   │            │
//! scan ── read the log forward: records, holes, damage                         mount ── rebuild all RAM state
//!   │
//! load ── one record: read, verify, unseal into the buffer                     the only reader of records
//! ```
//!
//! Invariants:
//! 1. RAM state is a function of flash: after any error or dropped future inside a change, [`Log::settled`] is false
//!    and the next call mounts again.
//! 2. A record enters the heads only after it was programmed and read back.
//! 3. Compaction runs only between runs, never inside one.
//! 4. A segment is erased only when a durable header or mark says that it is not needed.
//! 5. No program unit that an earlier power session may have touched is programmed, but with the very same bytes.
//!
//! The source is compiled twice, blocking and async (see `lockstone-macros`).

mod compact;
mod index;
mod iterate;
mod load;
mod look;
mod mount;
mod ops;
mod scan;
mod segment;
mod settle;
mod stats;
mod transaction;
#[cfg(feature = "typed")]
mod typed;
mod write;

pub use transaction::Transaction;

use super::{NorFlash, one_source};
use crate::format::header::{Class, Counts, header_length};
use crate::format::pointer::Pointer;
use crate::format::record::Shape;
use crate::key::ClientId;
use crate::layout::{Layout, Position};
use crate::report::Report;
use crate::seal::{StoreId, Suite};

/// A mounted store on the flash `F`, sealed with the suite `S`, in RAM that lives for `'m`.
///
/// What is used most comes first: the first 128 bytes are reached by the short instructions of small processors.
#[repr(C)]
pub struct Store<'m, F, S> {
    record: Record,
    buffer: &'m mut [u8],
    log: Log,
    scan: scan::Scan,
    path: Path<'m>,
    heads: &'m mut [Pointer],
    layout: Layout,
    report: Report,
    used: &'m mut [u8],
    erased: u8,
    read_only: bool,
    id: StoreId,
    suite: S,
    flash: F,
}

/// The record in the buffer.
#[derive(Clone, Copy, Debug)]
struct Record {
    at: Position,
    shape: Shape,
    /// How its tag begins.
    link: u32,
    /// Its place in the index.
    hash: u64,
    class: Class,
}

/// Everything about the log that a mount rebuilds, the heads aside.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Log {
    /// Where the next record goes.
    end: Position,
    /// Where what counts in the newest segment ends: at `end`, or before a hole, which the next record closes.
    counted: u32,
    /// How the tag before `counted` begins.
    link: u32,
    /// After a mount: the record behind `counted` must be written again, as it may be marginal ([`NOWHERE`]: none is,
    /// an opening mark is written).
    copy: Position,
    /// A record that does not count even if it reads well now, or [`NOWHERE`].
    void: Position,
    /// Oldest segment that is needed, as the newest durable header or mark says.
    declared: u32,
    /// The same in the newest header; durable once a record stands behind it.
    declaring: u32,
    /// The segment being compacted.
    tail: u32,
    counts: Counts,
    /// The counts before the run, or before the record behind `counted`.
    before: Counts,
    /// Compaction owed by past writes, in bytes of log; below zero: done in advance.
    debt: i32,
    /// The RAM state is what flash says. False inside a change.
    settled: bool,
    /// Nothing more fits or may go into the newest segment.
    closed: bool,
    /// A segment that a mark had freed could not be read whole: the counts need counting.
    incomplete: bool,
    /// Settling failed in this session; reads do without.
    stuck: bool,
    /// The call that comes is made by the transaction that is open.
    entered: bool,
    /// After a mount: any answer may hang on the last record. It commits a transaction, or something unreadable lies
    /// behind it that could read well another time. Then it's settled before anything is served.
    for_all: bool,
    run: Run,
    /// The run is a transaction: a commit mark will end it.
    open_ended: bool,
    /// A segment that failed and is to be retired.
    failed: Option<u16>,
}

/// No record lies here: at offset 0 stands a header.
const NOWHERE: Position = Position::new(0, 0);

/// Whether the log is in a run, an atomic group of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    No,
    /// The next record is its first.
    Ready,
    Begun,
}

/// The pointers that a record with the hash last walked to must carry.
#[derive(Debug)]
struct Path<'m> {
    pointers: &'m mut [Pointer],
    length: usize,
    /// Tombstones met that stand for nothing: they leave the index with the next record of this path.
    omitted: u32,
    /// Where the path leads, as long as it's true.
    target: Option<u64>,
    /// There is a record there, this one.
    found: bool,
    old: Record,
}

impl Path<'_> {
    fn clear(&mut self) {
        self.length = 0;
        self.omitted = 0;
        self.target = None;
        self.found = false;
    }

    /// Adds a pointer; false when the path is too long for a record.
    fn push(&mut self, pointer: Pointer) -> bool {
        let place = self.pointers.get_mut(self.length);
        self.length += 1;
        place.map(|place| *place = pointer).is_some()
    }

    fn pointers(&self) -> &[Pointer] {
        self.pointers.get(..self.length).unwrap_or_default()
    }
}

/// Space of hashes for chunks; clients have the numbers below.
const CHUNK_SPACE: u64 = 1 << 32;
/// Hash space of a client's names.
fn space_of(client: ClientId) -> u64 {
    u64::from(client)
}

impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    const FIXED: Option<Layout> = Layout::fixed(F::READ_SIZE, F::WRITE_SIZE, F::ERASE_SIZE);

    /// The layout; all but the number of segments are constants where the driver's type says them. Inlined, so that
    /// they reach what is computed from them.
    #[inline(always)]
    fn sizes(&self) -> Layout {
        match Self::FIXED {
            Some(Layout { unit, erase, segment, cell, body_max, record_max, .. }) => {
                Layout { unit, erase, segment, cell, body_max, record_max, ..self.layout }
            }
            None => self.layout,
        }
    }

    fn header_length(&self) -> u32 {
        header_length::<S>(&self.sizes())
    }

    fn physical(&self, sequence: u32) -> u32 {
        self.sizes().physical(sequence)
    }

    fn position(&self, pointer: Pointer) -> Position {
        pointer.position(&self.sizes(), self.log.end.sequence)
    }

    /// Segments that no run may take: compaction copies into one, and the next mount may need one. Parts of few
    /// segments make do with two.
    fn kept_free(&self) -> u32 {
        if self.sizes().segments < 8 { 2 } else { 3 }
    }

    /// Segments that hold no log from `oldest` on, by sequence numbers; a retired one still has a number.
    fn free_segments(&self, oldest: u32) -> u32 {
        (oldest + self.sizes().segments - 1).saturating_sub(self.log.end.sequence + self.log.counts.bad())
    }

    /// The next record is the first of this power session, and closes a hole.
    fn has_hole(&self) -> bool {
        self.log.counted != self.log.end.offset
    }

    fn used_of(&mut self, sequence: u32) -> Option<&mut u8> {
        let physical = self.physical(sequence);
        self.used.get_mut(physical as usize)
    }
}

impl<F, S> core::fmt::Debug for Store<'_, F, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Store").field("layout", &self.layout).field("report", &self.report).finish_non_exhaustive()
    }
}
