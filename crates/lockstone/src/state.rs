//! State: all that a mounted store knows, beside the heads and the buffer. It lies in the RAM that the caller hands in, so
//! that a store itself is a few references and moves for nothing.
//!
//! One type for both builds of the engine; what its parts mean, and who changes them, is the engine's matter.

use crate::format::header::{Class, Counts};
use crate::format::pointer::Pointer;
use crate::format::record::Shape;
use crate::layout::{Layout, POINTERS_MAX, Position};
use crate::report::Report;
use crate::seal::StoreId;

/// What a store knows of its log: opaque, [`Memory`](crate::Memory) and [`Ram`](crate::Ram) have one.
///
/// What is used most comes first: the first 128 bytes are reached by the short instructions of small processors. Fresh
/// state is zeros only, so that a `static` takes no room in the program.
#[derive(Debug)]
#[repr(C)]
pub struct State {
    pub(crate) record: Record,
    pub(crate) log: Log,
    pub(crate) scan: Scan,
    pub(crate) path: Path,
    pub(crate) layout: Layout,
    pub(crate) report: Report,
    pub(crate) id: StoreId,
    pub(crate) erased: u8,
    pub(crate) read_only: bool,
}

impl State {
    /// Fresh: nothing is mounted.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            record: Record::NONE,
            log: Log::START,
            scan: Scan::NOWHERE,
            path: Path::EMPTY,
            layout: Layout::NONE,
            report: Report::NONE,
            id: [0; 8],
            erased: 0,
            read_only: false,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

/// The record in the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) at: Position,
    pub(crate) shape: Shape,
    /// How its tag begins.
    pub(crate) link: u32,
    /// Its place in the index.
    pub(crate) hash: u64,
    pub(crate) class: Class,
}

impl Record {
    pub(crate) const NONE: Self = Self { at: NOWHERE, shape: Shape::of_head(0), link: 0, hash: 0, class: Class::Key };
}

/// Everything about the log that a mount rebuilds, the heads aside.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Log {
    /// Where the next record goes.
    pub(crate) end: Position,
    /// Where what counts in the newest segment ends: at `end`, or before a hole, which the next record closes.
    pub(crate) counted: u32,
    /// How the tag before `counted` begins.
    pub(crate) link: u32,
    /// After a mount: the record behind `counted` must be written again, as it may be marginal ([`NOWHERE`]: none is,
    /// an opening mark is written).
    pub(crate) copy: Position,
    /// A record that does not count even if it reads well now, or [`NOWHERE`].
    pub(crate) void: Position,
    /// Oldest segment that is needed, as the newest durable header or mark says.
    pub(crate) declared: u32,
    /// The same in the newest header; durable once a record stands behind it.
    pub(crate) declaring: u32,
    /// The segment being compacted.
    pub(crate) tail: u32,
    pub(crate) counts: Counts,
    /// The counts before the run, or before the record behind `counted`.
    pub(crate) before: Counts,
    /// Compaction owed by past writes, in bytes of log; below zero: done in advance.
    pub(crate) debt: i32,
    /// The RAM state is what flash says. False inside a change.
    pub(crate) settled: bool,
    /// Nothing more fits or may go into the newest segment.
    pub(crate) closed: bool,
    /// A segment that a mark had freed could not be read whole: the counts need counting.
    pub(crate) incomplete: bool,
    /// Settling failed in this session; reads do without.
    pub(crate) stuck: bool,
    /// The call that comes is made by the transaction that is open.
    pub(crate) entered: bool,
    /// After a mount: any answer may hang on the last record. It commits a transaction, or something unreadable lies
    /// behind it that could read well another time. Then it's settled before anything is served.
    pub(crate) for_all: bool,
    pub(crate) run: Run,
    /// The run is a transaction: a commit mark will end it.
    pub(crate) open_ended: bool,
    /// A segment that failed and is to be retired.
    pub(crate) failed: Option<u16>,
}

impl Log {
    /// Before a mount.
    pub(crate) const START: Self = Self {
        settled: false,
        closed: false,
        incomplete: false,
        stuck: false,
        entered: false,
        for_all: false,
        run: Run::No,
        open_ended: false,
        failed: None,
        end: NOWHERE,
        counted: 0,
        link: 0,
        copy: NOWHERE,
        void: NOWHERE,
        declared: 0,
        declaring: 0,
        tail: 0,
        counts: Counts::ZERO,
        before: Counts::ZERO,
        debt: 0,
    };
}

/// No record lies here: at offset 0 stands a header.
pub(crate) const NOWHERE: Position = Position::new(0, 0);

/// Whether the log is in a run, an atomic group of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    No,
    /// The next record is its first.
    Ready,
    Begun,
}

/// The pointers that a record with the hash last walked to must carry.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) length: usize,
    /// Tombstones met that stand for nothing: they leave the index with the next record of this path.
    pub(crate) omitted: u32,
    /// Where the path leads, as long as it's true.
    pub(crate) target: Option<u64>,
    /// There is a record there, this one.
    pub(crate) found: bool,
    pub(crate) old: Record,
    pub(crate) pointers: [Pointer; POINTERS_MAX],
}

impl Path {
    const EMPTY: Self = Self {
        length: 0,
        omitted: 0,
        target: None,
        found: false,
        old: Record::NONE,
        pointers: [Pointer::EMPTY; POINTERS_MAX],
    };

    pub(crate) fn clear(&mut self) {
        self.length = 0;
        self.omitted = 0;
        self.target = None;
        self.found = false;
    }

    /// Adds a pointer; false when the path is too long for a record.
    pub(crate) fn push(&mut self, pointer: Pointer) -> bool {
        let place = self.pointers.get_mut(self.length);
        self.length += 1;
        place.map(|place| *place = pointer).is_some()
    }

    pub(crate) fn pointers(&self) -> &[Pointer] {
        self.pointers.get(..self.length).unwrap_or_default()
    }
}

/// Where a scan stands in its segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    /// Sequence number of the segment.
    pub(crate) sequence: u32,
    /// Where the segment's records end, as the next header says.
    pub(crate) end: u32,
    /// How the tag of the last record begins, as the next header says; 0: it does not.
    pub(crate) end_link: u32,
    /// Here, and the starts of the last two records, the last one first.
    pub(crate) trail: [Boundary; 3],
    /// So many records before the present one don't count any more.
    pub(crate) undone: usize,
}

/// Between two records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boundary {
    /// 0: there is none.
    pub(crate) offset: u32,
    /// How the tag before it begins; 0: it could not be read.
    pub(crate) link: u32,
}

impl Boundary {
    pub(crate) const NONE: Self = Self { offset: 0, link: 0 };
}

impl Scan {
    /// In no segment.
    pub(crate) const NOWHERE: Self = Self { sequence: 0, end: 0, end_link: 0, trail: [Boundary::NONE; 3], undone: 0 };

    pub(crate) fn is_nowhere(&self) -> bool {
        self.end == 0
    }

    pub(crate) fn at(&self) -> Position {
        Position::new(self.sequence, self.trail[0].offset)
    }

    /// Goes on at `offset`; nothing before it can be taken back.
    pub(crate) fn begin(&mut self, offset: u32, link: u32) {
        self.trail = [Boundary { offset, link }, Boundary::NONE, Boundary::NONE];
    }

    /// Takes the last `undone` records back, and passes one that ends at `offset`.
    pub(crate) fn pass(&mut self, undone: usize, offset: u32, link: u32) {
        self.undone = undone;
        for _ in 0..undone {
            let [_, last, older] = self.trail;
            self.trail = [last, older, Boundary::NONE];
        }
        let [here, last, _] = self.trail;
        self.trail = [Boundary { offset, link }, here, last];
    }
}
