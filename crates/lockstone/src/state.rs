//! State: all that a mounted store knows, beside the heads and the buffer. It lies in the RAM that the caller hands in,
//! so that a store itself is a few references and is cheap to move.
//!
//! One type for both builds of the engine; what its parts mean, and who changes them, is the engine's matter.

use crate::attributes::Attributes;
use crate::format::header::{Class, Counts, Image};
use crate::format::pointer::Pointer;
use crate::format::record::Shape;
use crate::key::ClientId;
use crate::layout::{Layout, POINTERS_MAX, Position};
use crate::report::Report;
use crate::seal::{Keys, StoreId};

/// The part of a store's RAM that has the same size for all: opaque, [`Memory`](crate::Memory) and [`Ram`](crate::Ram) have
/// one.
#[derive(Debug, Default)]
pub struct Handed {
    pub(crate) state: State,
    pub(crate) keys: Keys,
}

impl Handed {
    /// Fresh: nothing is mounted.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::new(), keys: Keys::none() }
    }
}

/// The keys while a store is mounted: they are wiped with it.
pub(crate) struct Unlocked<'m>(pub(crate) &'m mut Keys);

impl Drop for Unlocked<'_> {
    fn drop(&mut self) {
        self.0.wipe();
    }
}

/// What a store knows of its log.
///
/// What is used most comes first, bytes before words: short instructions of small processors reach the first 32 bytes,
/// and the first 32 words. Fresh state is zeros only, so that a `static` takes no room in the program.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct State {
    pub(crate) erased: u8,
    pub(crate) read_only: bool,
    /// Every commit of the store is counted.
    pub(crate) every: bool,
    /// An older image is shown to whoever insisted.
    pub(crate) forgiving: bool,
    pub(crate) log: Log,
    /// How many; also in `layout`, which is out of reach of short instructions.
    pub(crate) segments: u32,
    pub(crate) record: Record,
    pub(crate) counts: Counts,
    /// The counts before the run, or before the record behind [`Log::counted`].
    pub(crate) before: Counts,
    pub(crate) scan: Scan,
    pub(crate) path: Path,
    pub(crate) report: Report,
    pub(crate) replay: Replay,
    pub(crate) header: Image,
    pub(crate) draft: Draft,
    pub(crate) layout: Layout,
    pub(crate) id: StoreId,
    /// Lists of heads that stand before this segment are of no use; with `list_whole`, none of heads before it is of use.
    pub(crate) list_since: u32,
    /// The last segment whose lists name all heads.
    pub(crate) list_full: u32,
    /// The bucket behind those that the last list speaks of.
    pub(crate) list_from: u16,
    /// The last list speaks of all buckets, and of heads before the segment `list_since`.
    pub(crate) list_whole: bool,
    /// A mount reads the whole log.
    pub(crate) thorough: bool,
}

impl State {
    const fn new() -> Self {
        Self {
            erased: 0,
            read_only: false,
            every: false,
            forgiving: false,
            log: Log::START,
            segments: 0,
            record: Record::NONE,
            counts: Counts::ZERO,
            before: Counts::ZERO,
            scan: Scan::NOWHERE,
            replay: Replay::START,
            header: Image::EMPTY,
            draft: Draft::EMPTY,
            path: Path::EMPTY,
            layout: Layout::NONE,
            report: Report::NONE,
            id: [0; 8],
            list_since: 0,
            list_full: 0,
            list_from: 0,
            list_whole: false,
            thorough: false,
        }
    }

    /// Forgets what another store may have left; [`restart`](Self::restart) does the rest.
    pub(crate) fn reset(&mut self) {
        self.log.void = NOWHERE;
        self.log.failed = None;
        self.log.stuck = false;
        self.report.signposts_broken = false;
        self.log.stale = 0;
        self.list_since = 0;
        self.list_full = 0;
        self.list_from = 0;
        self.list_whole = false;
        self.scan.leave();
        self.read_only = false;
        self.every = false;
        self.forgiving = false;
        self.log.owns_epoch = false;
    }

    /// Before a mount looks at flash: forgets what the mount may not set.
    pub(crate) fn restart(&mut self) {
        self.log.settled = false;
        self.log.closed = false;
        self.log.for_all = false;
        self.log.reserved = false;
        self.log.reclaimed = false;
        self.log.incomplete = false;
        self.log.run = Run::No;
        self.log.debt = 0;
        self.log.uncounted = false;
        self.log.resetting = false;
        self.report = self.report.again();
        self.path.is_true = false;
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

/// The record in the buffer.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Record {
    pub(crate) at: Position,
    pub(crate) shape: Shape,
    pub(crate) class: Class,
    /// How its tag begins.
    pub(crate) link: u32,
    /// Its place in the index.
    pub(crate) hash: u64,
}

impl Record {
    /// Becomes the other, field by field: a copy of the whole is a library call.
    #[inline(never)]
    pub(crate) fn set(&mut self, other: &Self) {
        self.at = other.at;
        self.shape = other.shape;
        self.class = other.class;
        self.link = other.link;
        self.hash = other.hash;
    }

    pub(crate) const NONE: Self = Self { at: NOWHERE, shape: Shape::of_head(0), link: 0, hash: 0, class: Class::Key };
}

/// Everything about the log that a mount rebuilds, the heads aside.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Log {
    /// The RAM state is what flash says. False inside a change.
    pub(crate) settled: bool,
    /// Nothing more fits or may go into the newest segment.
    pub(crate) closed: bool,
    /// The newest segment is a small store's, and what stands was not counted yet.
    pub(crate) taken_over: bool,
    /// A segment that a mark had freed could not be read whole: the digest in the newest header says nothing then.
    pub(crate) incomplete: bool,
    /// Settling failed in this session; reads do without.
    pub(crate) stuck: bool,
    /// The call that comes is made by the transaction that is open.
    pub(crate) entered: bool,
    /// After a mount: any answer may hang on the last record. It commits a transaction, or something unreadable lies
    /// behind it that could read well another time. Then it's settled before anything is served.
    pub(crate) for_all: bool,
    /// The newest segment is one of the reserve, and does not count yet.
    pub(crate) reserved: bool,
    /// The newest segment is one of the reserve, and counts for what its last marks say.
    pub(crate) reclaimed: bool,
    /// A walk says that a glance at the record which is loaded next is enough, if it has a signpost. (Here, where it takes no room.)
    pub(crate) glance: bool,
    /// Of the record in the buffer no more was read than its signpost vouches for.
    pub(crate) glanced: bool,
    /// The oldest segment that was needed when the log came into the reserve.
    pub(crate) base: u32,
    /// The newest segment that was passed over, to be erased before one that is older.
    pub(crate) stale: u32,
    pub(crate) run: Run,
    /// The run is a transaction: a commit mark will end it.
    pub(crate) open_ended: bool,
    /// The compaction that the present change owes was done.
    pub(crate) paid: bool,
    /// The newest commit was cut before it was counted.
    pub(crate) uncounted: bool,
    /// This session has opened an epoch, and nothing was appended in it that was not counted.
    pub(crate) owns_epoch: bool,
    /// The run ends with a counted commit.
    pub(crate) protected: bool,
    /// A change was refused because it's to be counted and no epoch is open.
    pub(crate) wants_epoch: bool,
    /// A factory reset was begun and is not done: nothing is served before it is.
    pub(crate) resetting: bool,
    /// A segment that failed and is to be retired.
    pub(crate) failed: Option<u16>,
    /// Where the next record goes.
    pub(crate) end: Position,
    /// Where what counts in the newest segment ends: at `end`, or before a hole, which the next record closes.
    pub(crate) counted: u32,
    /// How the tag before `counted` begins.
    pub(crate) link: u32,
    /// Where that tag lies, once this session has written something.
    pub(crate) tag_at: u32,
    /// What the counter says.
    pub(crate) counter: u32,
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
    /// Compaction owed by past writes, in bytes of log; below zero: done in advance.
    pub(crate) debt: i32,
    /// Bytes that a change was refused for, though the store would hold it: something must be compacted first.
    pub(crate) wanted: u32,
    /// Bytes that changes would take, which were only measured.
    pub(crate) measured: u32,
    /// Bytes that the last step of compaction passed.
    pub(crate) passed: u32,
    /// What the list of the newest segment is shorter than one can be, if this session opened it.
    pub(crate) unlisted: u32,
}

impl Log {
    /// Before a mount.
    pub(crate) const START: Self = Self {
        settled: false,
        closed: false,
        taken_over: false,
        incomplete: false,
        stuck: false,
        entered: false,
        for_all: false,
        reserved: false,
        reclaimed: false,
        glance: false,
        glanced: false,
        base: 0,
        stale: 0,
        run: Run::No,
        open_ended: false,
        paid: false,
        uncounted: false,
        owns_epoch: false,
        protected: false,
        wants_epoch: false,
        resetting: false,
        failed: None,
        end: NOWHERE,
        counted: 0,
        link: 0,
        tag_at: 0,
        counter: 0,
        copy: NOWHERE,
        void: NOWHERE,
        declared: 0,
        declaring: 0,
        tail: 0,
        debt: 0,
        wanted: 0,
        measured: 0,
        passed: 0,
        unlisted: 0,
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
    pub(crate) omitted: u8,
    /// Where the path leads.
    pub(crate) target: u64,
    /// It still does.
    pub(crate) is_true: bool,
    /// There is a record there, at `old`.
    pub(crate) found: bool,
    pub(crate) old: Position,
    pub(crate) old_shape: Shape,
    pub(crate) old_class: Class,
    pub(crate) pointers: [Pointer; POINTERS_MAX],
}

impl Path {
    const EMPTY: Self = Self {
        length: 0,
        omitted: 0,
        target: 0,
        is_true: false,
        found: false,
        old: NOWHERE,
        old_shape: Shape::of_head(0),
        old_class: Class::Key,
        pointers: [Pointer::EMPTY; POINTERS_MAX],
    };

    pub(crate) fn clear(&mut self) {
        self.length = 0;
        self.omitted = 0;
        self.is_true = false;
        self.found = false;
    }

    /// Adds a pointer. A path can become longer than there is room.
    pub(crate) fn push(&mut self, pointer: Pointer) {
        if let Some(place) = self.pointers.get_mut(self.length) {
            *place = pointer;
        }
        self.length += 1;
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
    pub(crate) undone: u8,
    /// Something was passed that could not be read.
    pub(crate) damaged: bool,
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
    pub(crate) const NOWHERE: Self =
        Self { sequence: 0, end: 0, end_link: 0, trail: [Boundary::NONE; 3], undone: 0, damaged: false };

    pub(crate) fn leave(&mut self) {
        self.end = 0;
    }

    pub(crate) fn is_nowhere(&self) -> bool {
        self.end == 0
    }

    pub(crate) fn at(&self) -> Position {
        Position::new(self.sequence, self.trail[0].offset)
    }

    /// Goes on at `offset`; nothing before it can be taken back.
    pub(crate) fn begin(&mut self, offset: u32, link: u32) {
        let [here, last, older] = &mut self.trail;
        *here = Boundary { offset, link };
        last.offset = 0;
        older.offset = 0;
    }

    /// Takes the last `undone` records back, and passes one that ends at `offset`.
    pub(crate) fn pass(&mut self, undone: usize, offset: u32, link: u32) {
        self.undone = u8::try_from(undone).unwrap_or_default();
        for _ in 0..undone {
            let [_, last, older] = self.trail;
            self.trail = [last, older, Boundary::NONE];
        }
        let [here, last, _] = self.trail;
        self.trail = [Boundary { offset, link }, here, last];
    }
}

/// What changes while the log is replayed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replay {
    /// The oldest segment that the log needed, as the newest header says.
    pub(crate) oldest: u32,
    /// The digest in the newest header.
    pub(crate) digest: u64,
    /// Lists were held against a digest, or there are none.
    pub(crate) held: bool,
    /// The newest header stands in a run; the counts in it, kept in [`State::before`], are those before the run.
    pub(crate) in_run: bool,
    /// What comes changes the counts; before the newest header they are not known.
    pub(crate) counting: bool,
    /// The present run was written to its end.
    pub(crate) run_counts: bool,
    /// The beginning of the present run was seen; not so at the very start.
    pub(crate) in_step: bool,
    /// Of the last record of the segment, which is [`Log::copy`] if it must not be lost, being in the index or the
    /// commit of a run that is: other records count only if it does.
    pub(crate) decides: bool,
    /// It's a closing mark.
    pub(crate) closing: bool,
    /// Its run goes on.
    pub(crate) more: bool,
    /// Its text stands in the clear.
    pub(crate) clear: bool,
    /// The newest segment is where the log ends, as far as it's known: the search for a store has just found it.
    pub(crate) glanced: bool,
    /// Which of `undo` is for the last record; the other is for the one before.
    pub(crate) newer: bool,
    undo: [Undo; 2],
    /// The record being replayed, while others pass through the buffer.
    pub(crate) record: Record,
}

/// How to take back a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undo {
    pub(crate) bucket: usize,
    pub(crate) head: Pointer,
    pub(crate) counts: Counts,
}

impl Replay {
    pub(crate) const START: Self = Self {
        oldest: 0,
        held: false,
        digest: 0,
        in_run: false,
        counting: false,
        run_counts: false,
        in_step: false,
        decides: false,
        closing: false,
        more: false,
        clear: false,
        glanced: false,
        newer: false,
        undo: [Undo { bucket: 0, head: Pointer::EMPTY, counts: Counts::ZERO }; 2],
        record: Record::NONE,
    };

    /// How to take back the last record.
    pub(crate) fn undo(&self) -> &Undo {
        let [one, other] = &self.undo;
        if self.newer { one } else { other }
    }

    pub(crate) fn undo_mut(&mut self) -> &mut Undo {
        let [one, other] = &mut self.undo;
        if self.newer { one } else { other }
    }
}

/// A record to be written; its name and the part of the value come beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft {
    pub(crate) shape: Shape,
    pub(crate) client: ClientId,
    /// Length of the whole value.
    pub(crate) whole: u32,
    pub(crate) attributes: Attributes,
    /// Its place in the index; a mark has none.
    pub(crate) hash: u64,
    /// The text comes from this record instead, or [`NOWHERE`].
    pub(crate) copy: Position,
}

impl Draft {
    const EMPTY: Self =
        Self { shape: Shape::of_head(0), client: 0, whole: 0, attributes: Attributes::NONE, hash: 0, copy: NOWHERE };
}
