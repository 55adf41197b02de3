//! Mount and format: all RAM state from flash alone.
//!
//! ```text
//! 1 read every header            the newest good one with a record behind it ends the log; a header with nothing
//!                                behind it was being opened, and is opened again
//! 2 look behind the newest       a record where the next header should be: that header was destroyed ─> damage
//! 3 replay oldest to newest      each record becomes the head of its bucket; runs that never ended don't count
//! 4 at the newest header         the digest of all heads must be what it was ─> clears damage in dead records
//! 5 at the end                   torn, marginal or clean: where the first write of this session will go
//! ```
//!
//! A mount writes nothing. What it can't answer for is *doubt*: a place in the log; buckets whose newest record is
//! older may have lost one there, and are refused.

use super::index::{bucket_of, discount};
use super::load::Loaded;
use super::scan::{Scan, Step};
use super::{Class, Facts, Log, NorFlash, Path, Resume, Store, Tail, one_source};
use crate::error::OpenError;
use crate::format::header::{Counts, Header, NO_DIGEST, Preamble, header_length};
use crate::format::pointer::Head;
use crate::format::record::{FIRST, Kind, MARK_CLOSE, MARK_OPEN, MORE, RESUME};
use crate::format::{FORMAT_VERSION, Reader};
use crate::layout::{Layout, LayoutError, Part, Position, buffer_size};
use crate::memory::{Memory, UNKNOWN};
use crate::report::{Cursor, Report};
use crate::seal::{StoreId, Suite};
use crate::trust::RootKey;

const START: Log = Log {
    settled: false,
    end: Position::new(0, 0),
    closed: false,
    link: 0,
    resume: None,
    declared: 0,
    declaring: 0,
    tail: Tail { sequence: 0, scan: None },
    counts: Counts { live: 0, entries: 0, keys: 0, tombstones: 0, bad: 0 },
    run: None,
    failed: None,
    doubt: None,
    debt: 0,
    incomplete: false,
    stuck: false,
    entered: false,
};

/// How often a record may read well and badly in turn.
const TRIES: u32 = 4;

/// What changes while the log is replayed.
struct Replay {
    void: Option<Position>,
    newest: u32,
    /// Counts of the newest header, if they are those before a run that it stands in.
    before_run: Option<Counts>,
    counting: bool,
    run_counts: bool,
    /// The beginning of the present run was seen; not so at the very start.
    in_step: bool,
    /// How to take back the last two records.
    undo: [Option<Undo>; 2],
    last: Option<Last>,
}

#[derive(Clone, Copy)]
struct Undo {
    bucket: usize,
    head: Head,
    counts: Counts,
}

#[derive(Clone, Copy)]
struct Last {
    at: Position,
    /// Must not be lost: in the index, or the commit of a run that is.
    counts: bool,
    commit: bool,
    closing: bool,
    more: bool,
}

/// What the headers say, before anything was verified.
#[derive(Default)]
struct Survey {
    /// The first store found: version, suite.
    found: Option<Preamble>,
    blank: bool,
}

#[one_source]
impl<'m, F: NorFlash, S: Suite> Store<'m, F, S> {
    /// Formats the part: **everything on it is erased**. The first thing that exists afterwards is an empty store.
    ///
    /// `random` gives the store's identity: 8 bytes, never secret.
    ///
    /// # Errors
    /// [`OpenError`]; the part is then in whatever state the erases left it, and can be formatted again.
    pub async fn format<K, R, const H: usize, const B: usize, const G: usize>(
        flash: F,
        part: Part,
        root: &K,
        random: &mut R,
        memory: &'m mut Memory<H, B, G>,
    ) -> Result<Self, OpenError<F::Error>>
    where
        K: RootKey,
        R: rand_core::TryRng,
    {
        let mut id = StoreId::default();
        random.try_fill_bytes(&mut id).map_err(|_| OpenError::Random)?;
        let mut store = Self::assemble(flash, part, root, id, memory)?;
        store.heads.fill(Head::EMPTY);
        for sequence in 0..store.layout.segments {
            // A block that fails now fails again when it's opened, and is retired then.
            let _ = store.erase_segment(sequence).await;
        }
        store.begin_log().await?;
        store.write_closing().await?;
        store.log.settled = true;
        store.report.clean = true;
        Ok(store)
    }

    /// Mounts the store on the part. Nothing is written; what was found is in [`report`](Self::report).
    ///
    /// # Errors
    /// [`OpenError`] says what is on the part instead; nothing was changed.
    pub async fn mount<K: RootKey, const H: usize, const B: usize, const G: usize>(
        mut flash: F,
        part: Part,
        root: &K,
        memory: &'m mut Memory<H, B, G>,
    ) -> Result<Self, OpenError<F::Error>> {
        const { assert!(B >= buffer_size(F::READ_SIZE, F::WRITE_SIZE, F::ERASE_SIZE), "BUFFER is below buffer_size") };
        let layout = Self::lay_out(part, &flash, B)?;
        let (survey, newest) = survey::<F, S, K>(&mut flash, part.erased, root, &layout, &mut memory.buffer).await?;
        let Some((header, suite)) = newest else { return Err(survey.verdict::<S, F::Error>()) };
        if usize::from(header.heads) != H {
            return Err(OpenError::Heads { formatted: header.heads });
        }
        let mut store = Self::put_together(flash, part.erased, suite, header.id, layout, memory);
        store.mount_log(None).await?;
        Ok(store)
    }

    /// The same, but nothing will ever be written: every change is refused with
    /// [`Error::ReadOnly`](crate::Error::ReadOnly), and the record that the last power cut may have left marginal is
    /// served as it reads.
    ///
    /// # Errors
    /// As [`mount`](Self::mount).
    pub async fn mount_read_only<K: RootKey, const H: usize, const B: usize, const G: usize>(
        flash: F,
        part: Part,
        root: &K,
        memory: &'m mut Memory<H, B, G>,
    ) -> Result<Self, OpenError<F::Error>> {
        let mut store = Self::mount(flash, part, root, memory).await?;
        store.read_only = true;
        Ok(store)
    }

    fn lay_out(part: Part, flash: &F, buffer: usize) -> Result<Layout, LayoutError> {
        let layout = part.layout(F::READ_SIZE, F::WRITE_SIZE, F::ERASE_SIZE, flash.capacity())?;
        if layout.record_max as usize > buffer { Err(LayoutError::Buffer) } else { Ok(layout) }
    }

    fn assemble<K: RootKey, const H: usize, const B: usize, const G: usize>(
        flash: F,
        part: Part,
        root: &K,
        id: StoreId,
        memory: &'m mut Memory<H, B, G>,
    ) -> Result<Self, OpenError<F::Error>> {
        const { assert!(B >= buffer_size(F::READ_SIZE, F::WRITE_SIZE, F::ERASE_SIZE), "BUFFER is below buffer_size") };
        const { assert!(H > 0 && H <= 0xffff, "from 1 to 65,535 bucket heads") };
        let layout = Self::lay_out(part, &flash, B)?;
        let suite = S::open(root, &id).map_err(|_| OpenError::RootKey)?;
        Ok(Self::put_together(flash, part.erased, suite, id, layout, memory))
    }

    fn put_together<const H: usize, const B: usize, const G: usize>(
        flash: F,
        erased: u8,
        suite: S,
        id: StoreId,
        layout: Layout,
        memory: &'m mut Memory<H, B, G>,
    ) -> Self {
        let Memory { heads, buffer, used } = memory;
        used.fill(UNKNOWN);
        Self {
            flash,
            suite,
            id,
            layout,
            erased,
            read_only: false,
            heads,
            buffer,
            used,
            path: Path::EMPTY,
            log: START,
            report: Report::default(),
        }
    }

    /// Opens the first segment that works.
    async fn begin_log(&mut self) -> Result<(), OpenError<F::Error>> {
        let mut failure = OpenError::WornOut;
        for sequence in 0..self.layout.segments / 2 {
            self.log = START;
            self.log.end = Position::new(sequence, 0);
            self.log.tail.sequence = sequence;
            match self.prepare_segment(sequence).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => failure = OpenError::Flash(error),
            }
        }
        Err(failure)
    }

    /// Rebuilds everything from flash. `void`: a record that does not count even if it reads well now.
    ///
    /// A marginal record can read well when we look ahead for the end of its run, and badly when we come to it: then it
    /// is void, and we start again.
    pub(super) async fn mount_log(&mut self, mut void: Option<Position>) -> Result<(), OpenError<F::Error>> {
        for _ in 0..TRIES {
            void = self.mount_once(void).await?;
            if void.is_none() {
                self.log.doubt = self.report.doubt;
                self.log.settled = true;
                return Ok(());
            }
        }
        Err(OpenError::Damaged)
    }

    /// One try; returns the record to be void in the next one.
    async fn mount_once(&mut self, void: Option<Position>) -> Result<Option<Position>, OpenError<F::Error>> {
        self.heads.fill(Head::EMPTY);
        self.used.fill(UNKNOWN);
        let Log { failed, stuck, .. } = self.log;
        self.log = Log { failed, stuck, ..START };
        self.report = Report::default();
        let header = self.find_end(void).await?;
        self.look_behind(&header).await;
        let oldest = self.declared_oldest(&header, void).await;
        Ok(self.replay(&header, oldest, void).await)
    }

    /// The newest header with a record behind it. Those with nothing behind them, or that read well only now and then,
    /// were being written.
    async fn find_end(&mut self, void: Option<Position>) -> Result<Header, OpenError<F::Error>> {
        let mut limit = u32::MAX;
        for _ in 0..self.layout.segments {
            let Some(sequence) = self.newest_below(limit).await else { break };
            limit = sequence;
            let Some((header, link)) = self.header(sequence).await else { continue };
            let start = Position::new(sequence, self.header_length());
            let mut scan = Scan::new(start, None, Some(link));
            if !matches!(self.step(&mut scan, void).await, Step::End) {
                return Ok(header);
            }
            if header.previous >= sequence {
                return Err(OpenError::HalfFormatted);
            }
        }
        Err(OpenError::Damaged)
    }

    /// The largest sequence number below `limit` of a good header at its place.
    async fn newest_below(&mut self, limit: u32) -> Option<u32> {
        let (mut newest, mut moved) = (None, None);
        for physical in 0..self.layout.segments {
            match self.sequence_at(physical).await.filter(|sequence| *sequence < limit) {
                Some(sequence) if self.layout.physical(sequence) == physical => newest = newest.max(Some(sequence)),
                elsewhere => moved = moved.max(elsewhere),
            }
        }
        if moved > newest {
            // No cut makes a good header at a wrong place: somebody moved the newest segment.
            self.report.damaged_headers += 1;
            self.report.doubt = self.report.doubt.max(moved.map(|moved| Position::new(moved, 0)));
        }
        newest
    }

    /// Sequence number of the good header in a physical segment, wherever it belongs.
    async fn sequence_at(&mut self, physical: u32) -> Option<u32> {
        let at = Position::new(physical, 0);
        let _ = self.written_in(at, header_length::<S>(&self.layout)).await?;
        self.header_in_buffer().map(|(header, _)| header.sequence)
    }

    /// A good record where the next segment would begin, without a header: the header was destroyed.
    async fn look_behind(&mut self, newest: &Header) {
        self.log.end.sequence = newest.sequence;
        for skipped in 1..=newest.counts.bad.saturating_add(1).min(self.layout.segments - 1) {
            let next = newest.sequence + skipped;
            let at = Position::new(next, self.header_length());
            if self.header(next).await.is_none() && self.load(at, None).await.is_some() {
                self.report.damaged_headers += 1;
                self.report.doubt = Some(Position::new(next, 0));
                self.log.end.sequence = next;
                return;
            }
        }
    }

    /// The oldest segment that is needed: the newest header says it, or a mark behind it. The last record may be
    /// marginal and does not count.
    async fn declared_oldest(&mut self, header: &Header, void: Option<Position>) -> u32 {
        let newest = self.log.end.sequence;
        let mut scan = self.enter(newest, newest).await;
        let (mut oldest, mut next) = (header.oldest, header.oldest);
        loop {
            match self.step(&mut scan, void).await {
                Step::Record { record, undone } => {
                    if undone == 0 {
                        oldest = next;
                    }
                    let name = self.name(record.shape);
                    let says = record.shape.kind() == Kind::Mark && (name == [MARK_OPEN] || name == [MARK_CLOSE]);
                    if let (true, Some(said)) = (says, Reader(self.inline(record.shape)).u32()) {
                        next = oldest.max(said.min(newest));
                    }
                }
                Step::Damaged(_) => {}
                Step::End => return oldest,
            }
        }
    }

    /// Reads the log from the oldest segment to the newest. Returns where a record was gone that had been seen before.
    async fn replay(&mut self, header: &Header, oldest: u32, void: Option<Position>) -> Option<Position> {
        let newest = self.log.end.sequence;
        let mut replay = Replay {
            void,
            newest,
            before_run: header.in_run.then_some(header.counts),
            counting: false,
            run_counts: true,
            in_step: false,
            undo: [None; 2],
            last: None,
        };
        self.report.newest = newest;
        self.report.oldest = oldest;
        self.log.tail.sequence = oldest;
        self.log.declared = oldest;
        self.log.declaring = oldest;
        // Segments that a mark has freed since the newest header are still read, for the digest in that header, though
        // one of them may have been half erased when power went.
        let mut sequence = header.oldest;
        if self.header(sequence).await.is_none() {
            self.lost_header(sequence);
        }
        loop {
            if sequence == header.sequence {
                self.check_newest(header, &mut replay);
            }
            replay.undo = [None; 2];
            let scan = self.replay_segment(sequence, &mut replay).await;
            if sequence >= newest {
                if replay.last.is_some_and(|last| last.more && last.counts) && self.report.doubt.is_none() {
                    return Some(scan.at);
                }
                self.find_resume_place(&scan, &replay).await;
                break;
            }
            sequence = self.follow(sequence, newest).await;
        }
        self.clear_heads_before(oldest);
        if self.log.incomplete {
            self.count_all().await;
        }
        None
    }

    /// Counts what the index holds, one by one.
    async fn count_all(&mut self) {
        let bad = self.log.counts.bad;
        self.log.counts = Counts { bad: 0, ..Counts::default() };
        self.path.clear();
        let mut cursor = Cursor::new();
        while !cursor.done {
            let Ok(Some(record)) = self.at_or_after(&cursor).await else {
                self.next_bucket(&mut cursor);
                continue;
            };
            let facts = self.facts(record.shape);
            self.pass(&mut cursor, facts.hash);
            self.path.clear();
            self.count(&facts, None);
        }
        self.log.counts.bad = self.log.counts.bad.max(bad);
    }

    /// The segment after this one; one whose header is lost is known from the header after it.
    async fn follow(&mut self, sequence: u32, newest: u32) -> u32 {
        let Some(next) = self.next_segment(sequence, newest).await else { return newest };
        let previous = self.header(next).await.map_or(sequence, |(header, _)| header.previous);
        if previous <= sequence || previous >= next {
            return next;
        }
        self.lost_header(previous);
        previous
    }

    async fn replay_segment(&mut self, sequence: u32, replay: &mut Replay) -> Scan {
        let mut scan = self.enter(sequence, replay.newest).await;
        loop {
            match self.step(&mut scan, replay.void).await {
                Step::Record { record, undone } => self.replay_record(&record, undone, &scan, replay).await,
                Step::Damaged(at) => {
                    if at.sequence < self.log.tail.sequence {
                        self.log.incomplete = true;
                    } else {
                        self.report.damaged_records += 1;
                        self.report.doubt = self.report.doubt.max(Some(at));
                    }
                    replay.undo = [None; 2];
                }
                Step::End => return scan,
            }
        }
    }

    async fn replay_record(&mut self, record: &Loaded, undone: usize, scan: &Scan, replay: &mut Replay) {
        self.report.records += 1;
        for _ in 0..undone {
            self.take_back(replay);
        }
        let facts = self.facts(record.shape);
        let closing = facts.class == Class::Mark && self.check_closing(record, replay);
        if record.shape.has(FIRST) || !replay.in_step {
            replay.in_step = true;
            replay.run_counts = !record.shape.has(MORE) || self.run_ends(*scan, replay).await;
            self.report.unfinished_runs += u32::from(!replay.run_counts);
            let may_reach_newest = record.shape.has(MORE) && replay.run_counts && record.at.sequence < replay.newest;
            if let (Some(before), true) = (replay.before_run, may_reach_newest) {
                self.log.counts = before;
                replay.counting = true;
            }
        }
        let in_index = replay.run_counts && facts.class != Class::Mark;
        let undo = Undo {
            bucket: bucket_of(facts.hash, self.heads.len()),
            head: self.head_of(facts.hash),
            counts: self.log.counts,
        };
        replay.undo = [Some(undo), replay.undo[0]];
        if in_index {
            if replay.counting {
                self.recount(&facts).await;
            }
            self.set_head(facts.hash, Head::new::<S>(&self.layout, record.at, record.length, record.link));
        }
        if !record.shape.has(MORE) && record.at.sequence != replay.newest {
            replay.counting = false;
        }
        let commit = facts.class == Class::Mark && replay.run_counts && !record.shape.has(FIRST);
        replay.last =
            Some(Last { at: record.at, counts: in_index || commit, commit, closing, more: record.shape.has(MORE) });
    }

    /// Counts a record as the write of it did.
    async fn recount(&mut self, facts: &Facts) {
        let previous = match self.walk(facts.hash).await {
            Ok(found) => found.map(|record| self.facts(record.shape)),
            Err(_) => None,
        };
        self.count(facts, previous);
    }

    /// Whether the run whose first record was just passed was written to its end.
    ///
    /// Where records are linked, looks at heads and links alone until a head says that it is the end, and verifies
    /// that record and what follows it. A chain of links that leads to a good record is the one that was written: what
    /// a cut left in a hole has no successor. What lies between is verified when the replay comes to it.
    async fn run_ends(&mut self, scan: Scan, replay: &Replay) -> bool {
        let mut ahead = scan.at;
        let mut before = scan.link;
        let end = scan.end.unwrap_or(self.layout.segment);
        while S::LINK > 0
            && ahead.offset < end
            && replay.void != Some(ahead)
            && let Some((shape, link)) = self.peek_linked(ahead, before).await
            && !shape.has(FIRST)
            && !shape.has(RESUME)
        {
            let next = Position::new(ahead.sequence, ahead.offset + self.padded_length(shape));
            if !shape.has(MORE) {
                let Some(record) = self.load(ahead, None).await else { break };
                let followed = self.load(next, None).await.is_some() && self.is_linked(Some(record.link));
                if followed || scan.end == Some(next.offset) {
                    return true;
                }
                break;
            }
            ahead = next;
            before = Some(link);
        }
        self.run_ends_by_scan(scan, replay).await
    }

    /// The same by reading everything, over holes and segments.
    async fn run_ends_by_scan(&mut self, mut scan: Scan, replay: &Replay) -> bool {
        let mut ended = false;
        loop {
            match self.step(&mut scan, replay.void).await {
                Step::Record { record, undone } => {
                    ended &= undone == 0;
                    if ended || record.shape.has(FIRST) {
                        return ended;
                    }
                    ended = !record.shape.has(MORE);
                }
                Step::Damaged(_) if ended => return true,
                Step::Damaged(_) => {}
                Step::End if ended || scan.at.sequence >= replay.newest => return ended,
                Step::End => {
                    let next = self.next_segment(scan.at.sequence, replay.newest).await;
                    scan = self.enter(next.unwrap_or(replay.newest), replay.newest).await;
                }
            }
        }
    }

    /// Where the first write of this session goes.
    async fn find_resume_place(&mut self, scan: &Scan, replay: &Replay) {
        let written = self.written_end(scan.at).await;
        let (start, link) = match scan.history[0] {
            Some(boundary) if replay.last.is_some_and(|last| last.at.sequence == scan.at.sequence) => boundary,
            _ => (scan.at.offset, scan.link),
        };
        let last = replay.last.filter(|last| last.at.sequence == scan.at.sequence);
        self.report.torn_bytes = written - scan.at.offset;
        self.report.clean = last.is_some_and(|last| last.closing) && written == scan.at.offset;
        self.log.end = scan.at;
        self.log.link = scan.link.unwrap_or_default();
        self.log.resume = Some(Resume {
            start,
            link: link.unwrap_or_default(),
            place: self.untouched_after(scan.at.offset, written),
            copy: last.filter(|last| last.counts).map(|last| last.at),
            for_all: last.is_some_and(|last| last.commit) || written > scan.at.offset,
            counts: match replay.undo[0] {
                Some(undo) if last.is_some() => undo.counts,
                _ => self.log.counts,
            },
        });
    }
}

impl<F, S: Suite> Store<'_, F, S> {
    /// A header is lost. Its segment's records are pinned by the next header; only what it alone said is in doubt.
    fn lost_header(&mut self, sequence: u32) {
        if sequence < self.log.tail.sequence {
            self.log.incomplete = true;
            return;
        }
        self.report.damaged_headers += 1;
        self.report.doubt = self.report.doubt.max(Some(Position::new(sequence, 0)));
    }

    /// At the newest header: were all heads found? Then damage before it hit nothing that matters to them.
    fn check_newest(&mut self, header: &Header, replay: &mut Replay) {
        if !header.in_run {
            self.log.counts = header.counts;
            if header.digest != NO_DIGEST && !self.log.incomplete {
                self.settle_doubt(header.digest, header.oldest, Position::new(header.sequence, 0));
            }
        } else if !replay.run_counts {
            self.log.counts = header.counts;
        }
        replay.counting = true;
    }

    /// Compares the heads with a digest written at `at`: clears all doubt before it, or raises it. `oldest`: the oldest
    /// segment needed then; heads before it are tombstones that had left the index.
    fn settle_doubt(&mut self, digest: u64, oldest: u32, at: Position) {
        if digest == self.heads_digest(oldest) {
            self.report.doubt = self.report.doubt.filter(|doubt| *doubt > at);
        } else {
            self.report.doubt = self.report.doubt.max(Some(at));
        }
    }

    /// Whether the mark in the buffer is a closing one. Its digest pins the heads, if all that they meant then is still
    /// there: in the newest segment.
    fn check_closing(&mut self, record: &Loaded, replay: &Replay) -> bool {
        if self.name(record.shape) != [MARK_CLOSE] {
            return false;
        }
        let mut reader = Reader(self.inline(record.shape));
        if let (Some(oldest), Some(digest), true) = (reader.u32(), reader.u64(), record.at.sequence == replay.newest) {
            self.settle_doubt(digest, oldest, record.at);
        }
        true
    }

    /// The first cell that no cut operation can have touched, given where the log and what is visible behind it end.
    ///
    /// A call touches one cell only, so it's the cell behind the one in which the visible ends. Where sealed text can
    /// look blank, a record may go on invisibly for its whole length.
    fn untouched_after(&self, end: u32, written: u32) -> u32 {
        let hidden = if S::OPAQUE || written == end { 0 } else { self.layout.record_max };
        ((written + hidden) / self.layout.cell + 1) * self.layout.cell
    }

    /// What the heads still name in segments that are not needed are tombstones that stand for nothing.
    pub(super) fn clear_heads_before(&mut self, oldest: u32) {
        let newest = self.log.end.sequence;
        let cost = self.tombstone_cost();
        self.path.clear();
        for head in self.heads.iter_mut() {
            if !head.is_empty() && head.position(&self.layout, newest).is_none_or(|at| at.sequence < oldest) {
                *head = Head::EMPTY;
                discount(&mut self.log.counts, &Facts { hash: 0, cost, class: Class::Tombstone });
            }
        }
    }

    fn take_back(&mut self, replay: &mut Replay) {
        if let Some(undo) = replay.undo[0] {
            if let Some(head) = self.heads.get_mut(undo.bucket) {
                *head = undo.head;
            }
            self.log.counts = undo.counts;
        }
        replay.undo = [replay.undo[1], None];
    }

    /// What the last mount found.
    pub const fn report(&self) -> &Report {
        &self.report
    }
}

/// What the headers say, and the newest authentic one with the keys of its store.
type Surveyed<S> = (Survey, Option<(Header, S)>);

/// Reads all headers; the newest authentic one decides which store this is.
#[one_source]
async fn survey<F: NorFlash, S: Suite, K: RootKey>(
    flash: &mut F,
    erased: u8,
    root: &K,
    layout: &Layout,
    buffer: &mut [u8],
) -> Result<Surveyed<S>, OpenError<F::Error>> {
    let mut survey = Survey { found: None, blank: true };
    let mut newest: Option<(Header, S)> = None;
    let length = (header_length::<S>(layout) as usize).min(buffer.len());
    let Some(place) = buffer.get_mut(..length) else { return Err(OpenError::Layout(LayoutError::Buffer)) };
    for physical in 0..layout.segments {
        if flash.read(physical * layout.segment, place).await.is_err() {
            survey.blank = false;
            continue;
        }
        survey.blank &= place.iter().all(|byte| *byte == erased);
        survey.found = survey.found.or_else(|| Preamble::parse(place));
        let Some(header) = Header::parse::<S>(layout, erased, place) else { continue };
        if newest.as_ref().is_some_and(|(best, _)| best.sequence >= header.sequence) {
            continue;
        }
        let suite = S::open(root, &header.id).map_err(|_| OpenError::RootKey)?;
        if layout.physical(header.sequence) == physical && header.verify(&suite, place).is_some() {
            newest = Some((header, suite));
        }
    }
    Ok((survey, newest))
}

impl Survey {
    fn verdict<S: Suite, E>(&self) -> OpenError<E> {
        match self.found {
            Some(found) if found.version != FORMAT_VERSION || found.suite != S::ID => {
                OpenError::Incompatible { version: found.version, suite: found.suite }
            }
            Some(_) => OpenError::NotAuthentic,
            None if self.blank => OpenError::Blank,
            None => OpenError::Unknown,
        }
    }
}
