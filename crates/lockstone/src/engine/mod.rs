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
use crate::format::header::{Counts, header_length};
use crate::format::pointer::Head;
use crate::key::ClientId;
use crate::layout::{Layout, POINTERS_MAX, Position};
use crate::report::Report;
use crate::seal::{StoreId, Suite};

/// A mounted store on the flash `F`, sealed with the suite `S`, in RAM that lives for `'m`.
pub struct Store<'m, F, S> {
    flash: F,
    suite: S,
    id: StoreId,
    layout: Layout,
    erased: u8,
    read_only: bool,
    heads: &'m mut [Head],
    buffer: &'m mut [u8],
    used: &'m mut [u8],
    path: Path,
    log: Log,
    report: Report,
}

/// Everything about the log that a mount rebuilds, the heads aside.
#[derive(Clone, Copy, Debug)]
struct Log {
    /// The RAM state is what flash says. False inside a change.
    settled: bool,
    /// Where the next record goes.
    end: Position,
    /// Nothing more fits or may go into the newest segment.
    closed: bool,
    /// How the tag before `end` begins.
    link: u32,
    /// The next record goes elsewhere and closes a hole.
    resume: Option<Resume>,
    /// Oldest segment that is needed, as the newest durable header or mark says.
    declared: u32,
    /// The same in the newest header; durable once a record stands behind it.
    declaring: u32,
    /// The segment being compacted, and how far.
    tail: Tail,
    counts: Counts,
    /// In a run: an atomic group of records.
    run: Option<Run>,
    /// A segment that failed and is to be retired.
    failed: Option<u16>,
    /// See [`Report::doubt`].
    doubt: Option<Position>,
    /// Compaction owed by past writes, in bytes of log; below zero: done in advance.
    debt: i32,
    /// A segment that a mark had freed could not be read whole: the counts need counting.
    incomplete: bool,
    /// Settling failed in this session; reads do without.
    stuck: bool,
    /// The call that comes is made by the transaction that is open.
    entered: bool,
}

/// A hole: what lies between `start` and `place` of the newest segment does not count.
#[derive(Clone, Copy, Debug)]
struct Resume {
    start: u32,
    /// How the tag before `start` begins.
    link: u32,
    place: u32,
    /// The record at `start` must be written again, as it may be marginal; else an opening mark is.
    copy: Option<Position>,
    /// Any answer may hang on it: that record commits a transaction, or something unreadable lies behind it that could
    /// read well another time. Then it's settled before anything is served.
    for_all: bool,
    /// The counts before that record.
    counts: Counts,
}

/// The oldest segment, and the place that compaction has come to in it.
#[derive(Clone, Copy, Debug)]
struct Tail {
    sequence: u32,
    scan: Option<scan::Scan>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    before: Counts,
    begun: bool,
    /// A transaction: a commit mark will end it.
    open_ended: bool,
}

/// The pointers that a record with the hash last walked to must carry.
#[derive(Debug)]
struct Path {
    levels: [u8; POINTERS_MAX],
    heads: [Head; POINTERS_MAX],
    length: usize,
    /// Tombstones met that stand for nothing: they leave the index with the next record of this path.
    omitted: u32,
    /// Where the path leads, as long as it's true.
    target: Option<Target>,
}

/// A hash, and the record that the index has for it.
#[derive(Clone, Copy, Debug)]
struct Target {
    hash: u64,
    found: Option<(Position, Facts)>,
}

impl Path {
    const EMPTY: Self =
        Self { levels: [0; POINTERS_MAX], heads: [Head::EMPTY; POINTERS_MAX], length: 0, omitted: 0, target: None };

    fn clear(&mut self) {
        self.length = 0;
        self.omitted = 0;
        self.target = None;
    }

    /// Adds a pointer; false when the path is too long for a record.
    fn push(&mut self, level: u8, head: Head) -> bool {
        match (self.levels.get_mut(self.length), self.heads.get_mut(self.length)) {
            (Some(level_place), Some(head_place)) => {
                *level_place = level;
                *head_place = head;
                self.length += 1;
                true
            }
            _ => false,
        }
    }

    fn pointers(&self) -> impl DoubleEndedIterator<Item = (u8, Head)> + '_ {
        self.levels.iter().copied().zip(self.heads.iter().copied()).take(self.length)
    }
}

/// What a record is to the index, kept while the buffer serves others.
#[derive(Clone, Copy, Debug)]
struct Facts {
    hash: u64,
    /// Its share of [`Counts::live`].
    cost: u32,
    class: Class,
}

/// What a record counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Key,
    /// An entry of the store's own: a retired segment.
    System,
    Chunk,
    Tombstone,
    /// Not in the index.
    Mark,
}

impl Class {
    fn is_live(self) -> bool {
        matches!(self, Self::Key | Self::System | Self::Chunk)
    }
}

/// Space of hashes for chunks; clients have the numbers below.
const CHUNK_SPACE: u64 = 1 << 32;
/// Hash space of a client's names.
fn space_of(client: ClientId) -> u64 {
    u64::from(client)
}

/// Segments that no run may take: compaction copies into one, and the next mount may need one. Parts of few segments
/// make do with two.
const fn kept_free(layout: &Layout) -> u32 {
    if layout.segments < 8 { 2 } else { 3 }
}

impl<F, S: Suite> Store<'_, F, S> {
    fn header_length(&self) -> u32 {
        header_length::<S>(&self.layout)
    }

    /// Segments that hold no log from `oldest` on, by sequence numbers; a retired one still has a number.
    fn free_segments(&self, oldest: u32) -> u32 {
        (oldest + self.layout.segments - 1).saturating_sub(self.log.end.sequence + self.log.counts.bad)
    }

    fn used_of(&mut self, sequence: u32) -> Option<&mut u8> {
        let physical = self.layout.physical(sequence);
        usize::try_from(physical).ok().and_then(|physical| self.used.get_mut(physical))
    }
}

impl<F, S> core::fmt::Debug for Store<'_, F, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Store").field("layout", &self.layout).field("report", &self.report).finish_non_exhaustive()
    }
}
