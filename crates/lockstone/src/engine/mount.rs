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

use super::list::Start;
use super::load::length_u32;
use super::scan::Step;
use super::{NorFlash, Store, one_source, sealing};
use crate::error::{OpenError, Stop};
use crate::format::FORMAT_VERSION;
use crate::format::header::{
    Class, Counts, DIGEST, EVERY, ID, IN_RUN, KIND, MAGIC, MAGIC_MASK, NO_DIGEST, OLDEST, PREVIOUS, PREVIOUS_END,
    RESERVE, SEQUENCE, SMALL, SORT, STANDARD, kind,
};
use crate::format::pointer::Pointer;
use crate::format::record::{CLEAR, FIRST, MARK_CLOSE, MARK_LIST, MARK_OPEN, MARK_RESERVE, MORE, Shape};
use crate::layout::{LayoutError, Part, Position, buffer_size};
use crate::memory::{Memory, Ram};
use crate::report::Report;
use crate::seal::{StoreId, Suite};
use crate::state::{Handed, Log, NOWHERE, Record, Replay, Scan, State, Undo, Unlocked};
use crate::trust::epoch::Epoch;
use crate::trust::{Anchor, MonotonicCounter, NoCounter, Protection, RootKey, Small};

/// How often a record may read well and badly in turn.
const TRIES: u32 = 4;

/// Why a store can't be mounted, once it is known to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmountable {
    HalfFormatted,
    Damaged,
    RolledBack,
    NoCounter,
    Counter,
}

impl Unmountable {
    /// As a call on a mounted store says it.
    pub(super) const fn stop<E>(self) -> Stop<E> {
        match self {
            Self::HalfFormatted | Self::Damaged => Stop::Damaged,
            Self::RolledBack => Stop::RolledBack,
            Self::NoCounter => Stop::NoCounter,
            Self::Counter => Stop::Counter,
        }
    }
}

#[one_source]
impl<'m, F: NorFlash, S: Suite> Store<'m, F, S> {
    /// Formats the part: **everything on it is erased**. The first thing that exists afterwards is an empty store.
    ///
    /// `random` gives the store's identity: 8 bytes, never secret. Nothing protects such a store from an older image of
    /// the whole flash: see [`format_protected`](Self::format_protected).
    ///
    /// # Errors
    /// [`OpenError`]; the part is then in whatever state the erases left it, and can be formatted again.
    pub async fn format<K, R, const H: usize, const B: usize>(
        flash: F,
        part: Part,
        root: &K,
        random: &mut R,
        memory: &'m mut Memory<H, B>,
    ) -> Result<Self, OpenError<F::Error>>
    where
        K: RootKey,
        R: rand_core::TryRng,
    {
        const { Self::check_sizes(H, B) };
        Self::format_in(flash, part, root, random, memory.as_ram()).await
    }

    /// The same in RAM whose sizes are known only at run time: for tools on a host.
    ///
    /// # Errors
    /// As [`format`](Self::format); [`OpenError::Layout`] when there is too little RAM, before anything is erased.
    pub async fn format_in<K, R>(
        flash: F,
        part: Part,
        root: &K,
        random: &mut R,
        ram: Ram<'m>,
    ) -> Result<Self, OpenError<F::Error>>
    where
        K: RootKey,
        R: rand_core::TryRng,
    {
        Self::format_protected(flash, part, Anchor { root, counter: NoCounter }, Protection::Chosen, random, ram).await
    }

    /// Mounts the store on the part. Nothing is written; what was found is in [`report`](Self::report).
    ///
    /// # Errors
    /// [`OpenError`] says what is on the part instead; nothing was changed.
    pub async fn mount<K: RootKey, const H: usize, const B: usize>(
        flash: F,
        part: Part,
        root: &K,
        memory: &'m mut Memory<H, B>,
    ) -> Result<Self, OpenError<F::Error>> {
        const { Self::check_sizes(H, B) };
        Self::mount_in(flash, part, root, memory.as_ram()).await
    }

    /// The same in RAM whose sizes are known only at run time: for tools on a host.
    ///
    /// # Errors
    /// As [`mount`](Self::mount); [`OpenError::Layout`] when there is too little RAM, [`OpenError::Heads`] when it's
    /// for another number of heads.
    pub async fn mount_in<K: RootKey>(
        flash: F,
        part: Part,
        root: &K,
        ram: Ram<'m>,
    ) -> Result<Self, OpenError<F::Error>> {
        Self::mount_protected(flash, part, Anchor { root, counter: NoCounter }, ram).await
    }

    /// The same, but nothing will ever be written: every change is refused with
    /// [`Error::ReadOnly`](crate::Error::ReadOnly), and the record that the last power cut may have left marginal is
    /// served as it reads.
    ///
    /// # Errors
    /// As [`mount`](Self::mount).
    pub async fn mount_read_only<K: RootKey, const H: usize, const B: usize>(
        flash: F,
        part: Part,
        root: &K,
        memory: &'m mut Memory<H, B>,
    ) -> Result<Self, OpenError<F::Error>> {
        let store = Self::mount(flash, part, root, memory).await?;
        store.state.read_only = true;
        Ok(store)
    }
}

#[one_source]
impl<'m, F: NorFlash, S: Suite> Store<'m, F, S, Small> {
    /// Formats the part for a [small store](Small): **everything on it is erased**.
    ///
    /// # Errors
    /// As [`format`](Store::format).
    pub async fn format_small<K, R, const H: usize, const B: usize>(
        flash: F,
        part: Part,
        root: &K,
        random: &mut R,
        memory: &'m mut Memory<H, B>,
    ) -> Result<Self, OpenError<F::Error>>
    where
        K: RootKey,
        R: rand_core::TryRng,
    {
        const { Self::check_sizes(H, B) };
        Self::format_protected(flash, part, Anchor { root, counter: Small }, Protection::Chosen, random, memory).await
    }

    /// Mounts a [small store](Small). Nothing is written.
    ///
    /// # Errors
    /// As [`mount`](Store::mount), and [`OpenError::NotSmall`].
    pub async fn mount_small<K: RootKey, const H: usize, const B: usize>(
        flash: F,
        part: Part,
        root: &K,
        memory: &'m mut Memory<H, B>,
    ) -> Result<Self, OpenError<F::Error>> {
        const { Self::check_sizes(H, B) };
        Self::mount_protected(flash, part, Anchor { root, counter: Small }, memory).await
    }
}

#[one_source]
impl<'m, F: NorFlash, S: Suite, C: MonotonicCounter> Store<'m, F, S, C> {
    /// Formats the part, and binds the store to a counter: **everything on it is erased**. Takes two steps of the counter,
    /// so that no image from before is ever accepted again.
    ///
    /// # Errors
    /// As [`Store::format_in`]; [`OpenError::Counter`] when the counter fails or has fewer than two steps left, before
    /// anything is erased.
    pub async fn format_protected<K, R>(
        flash: F,
        part: Part,
        anchor: Anchor<'_, K, C>,
        protection: Protection,
        random: &mut R,
        ram: impl Into<Ram<'m>>,
    ) -> Result<Self, OpenError<F::Error>>
    where
        K: RootKey,
        R: rand_core::TryRng,
    {
        const { assert!(!C::READER, "a reader formats nothing") };
        let mut id = StoreId::default();
        random.try_fill_bytes(&mut id).map_err(|_| OpenError::Random)?;
        let Anchor { root, counter } = anchor;
        let mut store = Self::assemble(flash, counter, ram.into());
        store.lay_out(part)?;
        store.unlock(root, id).await?;
        store.heads.fill(Pointer::EMPTY);
        store.forget_used();
        let epoch = store.open_first_epoch()?;
        store.state.every = protection == Protection::EveryCommit;
        for sequence in 0..store.sizes().segments {
            // A block that fails now fails again when it's opened, and is retired then.
            let _ = store.erase_segment(sequence).await;
        }
        store.begin_log(epoch).await?;
        store.write_closing().await?;
        if store.counter.is_present() {
            store.count_step()?;
        }
        store.state.log.settled = true;
        store.state.report.clean = true;
        Ok(store)
    }

    /// Mounts a store that is bound to a counter. Nothing is written.
    ///
    /// A store that was formatted without a counter is bound to it by its first protected commit, if the counter still
    /// stands at 0.
    ///
    /// # Errors
    /// As [`Store::mount_in`]; [`OpenError::RolledBack`] when the flash is older than the counter says, [`OpenError::Counter`].
    pub async fn mount_protected<K: RootKey>(
        flash: F,
        part: Part,
        anchor: Anchor<'_, K, C>,
        ram: impl Into<Ram<'m>>,
    ) -> Result<Self, OpenError<F::Error>> {
        Self::open_log(flash, part, anchor, ram.into(), false).await
    }

    /// Mounts a store that was rolled back, read-only: to see what it holds, and to save it. What is served may be older
    /// than what was acknowledged. [`danger_accept_rollback`](Self::danger_accept_rollback) makes it the present state.
    ///
    /// # Errors
    /// As [`mount_protected`](Self::mount_protected), but for [`OpenError::RolledBack`].
    pub async fn danger_mount_rolled_back<K: RootKey>(
        flash: F,
        part: Part,
        anchor: Anchor<'_, K, C>,
        ram: impl Into<Ram<'m>>,
    ) -> Result<Self, OpenError<F::Error>> {
        Self::open_log(flash, part, anchor, ram.into(), true).await
    }

    /// Mounts what is on the part; `forgiving`: also when it was rolled back.
    async fn open_log<K: RootKey>(
        flash: F,
        part: Part,
        anchor: Anchor<'_, K, C>,
        ram: Ram<'m>,
        forgiving: bool,
    ) -> Result<Self, OpenError<F::Error>> {
        let Anchor { root, counter } = anchor;
        let mut store = Self::assemble(flash, counter, ram);
        store.lay_out(part)?;
        store.state.forgiving = forgiving;
        store.survey(root).await?;
        match store.mount_log().await {
            Ok(()) => Ok(store),
            Err(Unmountable::HalfFormatted) => Err(OpenError::HalfFormatted),
            Err(Unmountable::Damaged) => Err(OpenError::Damaged),
            Err(Unmountable::RolledBack) => Err(OpenError::RolledBack),
            Err(Unmountable::NoCounter) => Err(OpenError::NoCounter),
            Err(Unmountable::Counter) => Err(OpenError::Counter),
        }
    }

    /// Refuses every change from now on with [`Error::ReadOnly`](crate::Error::ReadOnly).
    pub fn make_read_only(&mut self) {
        self.state.read_only = true;
    }

    /// A store with nothing mounted yet.
    fn assemble(flash: F, counter: C, ram: Ram<'m>) -> Self {
        let Ram { heads, bytes: buffer, handed: Handed { state, keys } } = ram;
        Self { state, keys: Unlocked(keys), buffer, heads, flash, scratch: sealing::Scratch::IDLE, counter }
    }

    /// Checks all sizes.
    fn lay_out(&mut self, part: Part) -> Result<(), LayoutError> {
        let layout = part.layout(F::READ_SIZE, F::WRITE_SIZE, F::ERASE_SIZE, self.flash.capacity())?;
        self.state.reset();
        self.state.erased = part.erased;
        self.state.read_only = C::READER;
        if !C::SMALL {
            self.state.thorough = part.thorough;
            self.state.replay.glanced = false;
        }
        self.state.segments = layout.segments;
        self.state.layout = layout;
        if layout.record_max as usize > self.buffer.len() {
            return Err(LayoutError::Buffer);
        }
        if self.heads.is_empty() || self.heads.len() > 0xffff {
            return Err(LayoutError::Heads);
        }
        Ok(())
    }

    /// Becomes the store with this identity.
    async fn unlock<K: RootKey>(&mut self, root: &K, id: StoreId) -> Result<(), OpenError<F::Error>> {
        sealing::pause().await;
        self.state.id = id;
        let unlocked = S::unlock(self.keys.0, root, &id).map_err(|_| OpenError::RootKey);
        sealing::pause().await;
        unlocked
    }

    /// Opens the first segment that works.
    async fn begin_log(&mut self, epoch: Epoch) -> Result<(), OpenError<F::Error>> {
        let mut failure = OpenError::WornOut;
        for sequence in 0..self.sizes().segments / 2 {
            self.state.restart();
            let Log { counter, owns_epoch, .. } = self.state.log;
            let end = Position::new(sequence, 0);
            self.state.log = Log { end, tail: sequence, counter, owns_epoch, ..Log::START };
            self.state.counts = Counts::ZERO;
            self.state.counts.bind(epoch);
            match self.prepare_segment(sequence).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => failure = OpenError::Flash(error),
            }
        }
        Err(failure)
    }

    /// Reads headers: the newest authentic one says which store this is. First only the one that says to be the newest; if it
    /// isn't good, all of them.
    async fn survey<K: RootKey>(&mut self, root: &K) -> Result<(), OpenError<F::Error>> {
        let all = 0..self.sizes().segments;
        let claimed = if C::SMALL { None } else { self.glance().await };
        let mut range = claimed.map_or(all.clone(), |sequence| self.physical(sequence)..self.physical(sequence) + 1);
        let mut blank = true;
        let mut found = None;
        let mut best = self.state.id;
        // One more than the newest good sequence number; 0: none.
        let mut newest = 0;
        let mut formatted = 0;
        loop {
            for physical in range.clone() {
                let length = self.header_length();
                self.state.record.at = Position::new(physical, 0);
                let read = self.fetch_header().await;
                blank &= read && self.written(length) == 0;
                let [magic, kind] = [self.state.header.get(0), self.state.header.get(KIND)];
                if !read || (magic ^ MAGIC) & MAGIC_MASK != 0 {
                    continue;
                }
                if C::SMALL && kind & SORT == STANDARD {
                    // Also when there are older headers of a small store: what came after them counts.
                    return Err(OpenError::NotSmall);
                }
                found = found.or(Some((magic.to_le_bytes()[3], kind.to_le_bytes()[0])));
                let sequence = self.state.header.get(SEQUENCE);
                if sequence < newest || self.physical(sequence) != physical {
                    continue;
                }
                let id = self.state.header.long(ID).to_le_bytes();
                self.unlock(root, id).await?;
                if self.is_header().await {
                    newest = sequence.saturating_add(1);
                    formatted = kind >> 16;
                    self.state.every = self.state.header.get(PREVIOUS_END) & EVERY != 0;
                    best = id;
                }
            }
            if C::SMALL || newest > 0 || range == all {
                break;
            }
            range = all.clone();
        }
        if newest == 0 {
            return Err(not_mountable::<S, F::Error>(found, blank));
        }
        if formatted as usize != self.heads.len() {
            return Err(OpenError::Heads { formatted: u16::try_from(formatted).unwrap_or_default() });
        }
        if !C::SMALL {
            self.state.replay.glanced = claimed == Some(newest - 1);
            self.state.log.end.sequence = newest - 1;
        }
        if best == self.state.id { Ok(()) } else { self.unlock(root, best).await }
    }

    /// Reads how all headers begin: the largest sequence number, if nothing that stands at a wrong place has a larger one.
    async fn glance(&mut self) -> Option<u32> {
        let own = kind::<S>(&self.sizes(), self.state.erased);
        let from = length_u32(SEQUENCE);
        let (from, end) = (from - from % self.sizes().unit, self.sizes().padded(from + 4));
        // Both one too large; 0: none.
        let (mut newest, mut moved) = (0, 0);
        // Down, as then few seem to be the newest so far: of those the rest is read too.
        for physical in (0..self.sizes().segments).rev() {
            self.state.record.at = Position::new(physical, 0);
            let read = self.fetch(from, end).await;
            let sequence = self.word(SEQUENCE);
            let seen = if self.physical(sequence) == physical { &mut newest } else { &mut moved };
            if read
                && (*seen..IN_RUN).contains(&sequence)
                && self.fetch(0, end).await
                && self.word(SEQUENCE) == sequence
                && self.word(0) == MAGIC
                && self.word(KIND) & 0xffff & !SORT == own
            {
                *seen = sequence + 1;
            }
        }
        if moved > newest { None } else { newest.checked_sub(1) }
    }

    /// Rebuilds everything from flash.
    ///
    /// A marginal record can read well when we look ahead for the end of its run, and badly when we come to it: then it
    /// is void, and we start again.
    pub(super) async fn mount_log(&mut self) -> Result<(), Unmountable> {
        for _ in 0..TRIES {
            if self.mount_once().await? {
                self.state.scan.leave();
                self.state.log.void = NOWHERE;
                self.check_counter()?;
                self.look_for_reset().await;
                return Ok(());
            }
        }
        Err(Unmountable::Damaged)
    }

    /// One try; false: another record is void.
    async fn mount_once(&mut self) -> Result<bool, Unmountable> {
        self.heads.fill(Pointer::EMPTY);
        self.forget_used();
        self.state.restart();
        if !C::SMALL {
            self.state.list_since = 0;
            self.state.list_full = 0;
            self.state.list_from = 0;
            self.state.list_whole = false;
        }
        let header = self.find_end().await?;
        if self.state.log.end.sequence == header {
            self.look_behind(header).await;
        }
        Ok(self.replay(header).await)
    }

    /// The newest header with a record behind it. Those with nothing behind them, or that read well only now and then,
    /// were being written.
    // Not inlined, for the sake of the stack of the replay that follows.
    #[inline(never)]
    async fn find_end(&mut self) -> Result<u32, Unmountable> {
        let mut sequence = u32::MAX;
        for _ in 0..self.sizes().segments {
            let glanced = !C::SMALL && core::mem::take(&mut self.state.replay.glanced);
            let newest = if glanced { Some(self.state.log.end.sequence) } else { self.newest_below(sequence).await };
            sequence = match newest {
                Some(newest) => newest,
                None => break,
            };
            self.state.log.end = Position::new(sequence, self.sizes().segment);
            if !self.enter(sequence).await {
                continue;
            }
            let first = self.state.header.get(PREVIOUS) >= sequence;
            self.state.log.reclaimed = false;
            let counts = self.find_oldest().await;
            // Of two that don't count the second may be the one that makes both count, and have lost its header.
            if counts || !C::SMALL && self.state.log.reclaimed && self.look_behind(sequence).await {
                return Ok(sequence);
            }
            if first {
                return Err(Unmountable::HalfFormatted);
            }
            self.pass_over(sequence, sequence);
        }
        Err(Unmountable::Damaged)
    }

    /// The largest sequence number below `limit` of a good header at its place.
    async fn newest_below(&mut self, limit: u32) -> Option<u32> {
        // Both one too large; 0: none.
        let (mut newest, mut moved) = (0, 0);
        for physical in 0..self.sizes().segments {
            let good = self.header_in(physical).await;
            let sequence = self.state.header.get(SEQUENCE);
            if !good || sequence >= limit {
                continue;
            }
            if self.physical(sequence) == physical {
                newest = newest.max(sequence + 1);
            } else {
                moved = moved.max(sequence + 1);
            }
        }
        if S::OPAQUE && moved > newest {
            // No cut makes a good header at a wrong place: somebody moved the newest segment.
            self.state.report.damaged_headers += 1;
            self.raise_doubt(Position::new(moved - 1, 0));
        }
        newest.checked_sub(1)
    }

    /// Keeps what the newest header says, which is in the buffer, and scans its segment for the oldest that is needed:
    /// the header says it, or a mark behind it. False: nothing behind the header counts.
    async fn find_oldest(&mut self) -> bool {
        // The segment of a small store takes nothing more: the next header says that the store is no small one any more.
        self.state.log.taken_over = !C::SMALL && self.state.header.get(KIND) & SORT == SMALL;
        self.state.log.closed |= self.state.log.taken_over;
        self.state.log.tail = self.state.header.get(OLDEST);
        self.state.header.counts_to(&mut self.state.before);
        self.state.replay.oldest = self.state.log.tail;
        self.state.replay.digest = self.state.header.long(DIGEST);
        self.state.replay.in_run = self.state.header.get(PREVIOUS_END) & IN_RUN != 0;
        let (newest, segments) = (self.state.log.end.sequence, self.sizes().segments);
        if !C::SMALL && newest.saturating_sub(self.state.log.tail) >= segments {
            // No log is longer than the part.
            self.raise_doubt(self.state.log.end);
            self.state.log.tail = newest + 1 - segments;
            self.state.replay.oldest = self.state.log.tail;
        }
        let base = self.state.log.tail;
        let reserve = !C::SMALL && self.state.header.get(PREVIOUS_END) & RESERVE != 0;
        self.follow_marks(if reserve { Some(base) } else { None }, false).await
    }

    /// Scans the newest segment for marks; false: nothing in it counts. The last record may be marginal and is not believed,
    /// unless more was done because of it. `base`: the segment is one of the reserve, and this the oldest one then. `hurt`:
    /// something in front of its records is lost.
    async fn follow_marks(&mut self, base: Option<u32>, mut hurt: bool) -> bool {
        let newest = self.state.log.end.sequence;
        // What marks say: believed, and the last one.
        let (mut oldest, mut next) = (0, 0);
        let (mut found, mut own) = (false, false);
        loop {
            match self.step().await {
                Step::End => break,
                Step::Damaged => hurt |= base.is_some_and(|base| next <= base),
                Step::Record => {
                    if self.state.scan.undone == 0 {
                        oldest = next;
                    }
                    own |= base.is_some_and(|base| next > base) && self.mark() != MARK_OPEN;
                    if self.read_checkpoint() {
                        next = oldest.max(self.state.header.get(OLDEST).min(newest));
                    }
                }
            }
            found = true;
        }
        // What follows is not written: nobody need look again.
        self.state.log.end.offset = self.state.scan.end;
        let mut tail = self.state.log.tail.max(oldest);
        let mut declared = tail;
        if let Some(base) = base {
            if self.state.scan.end > self.state.scan.at().offset {
                oldest = next;
            }
            let log = &mut self.state.log;
            log.base = base;
            log.reclaimed = true;
            log.for_all = true;
            // What is behind a mark says that it will be there. Nothing may be done upon one that might not be.
            tail = tail.max(next);
            declared = log.tail.max(oldest);
            // As long as nothing but copies stands here, all is still where it came from, and what can't be read was torn by an
            // erase.
            found &= next > base && (own || !hurt) || !self.header(base).await;
        }
        if next > declared && !self.header(declared).await {
            // An erase was begun that only the last mark allowed: it's firm.
            (tail, declared) = (next, next);
        }
        let log = &mut self.state.log;
        (log.tail, log.declared) = (tail, declared);
        found
    }

    /// A good record where the next segment would begin, without a header: the header was destroyed, unless nothing there
    /// counts.
    async fn look_behind(&mut self, newest: u32) -> bool {
        let bad = self.state.before.bad();
        for skipped in 0..bad.saturating_add(1).min(self.sizes().segments - 1) {
            let next = newest + 1 + skipped;
            let at = Position::new(next, self.header_length());
            if self.header(next).await || !self.load(at, 0).await {
                continue;
            }
            let Log { tail, declared, reclaimed, .. } = self.state.log;
            self.state.log.end = Position::new(next, self.sizes().segment);
            if !C::SMALL && self.mark() == MARK_RESERVE {
                let base = self.word(self.inline_at());
                self.enter(next).await;
                if !self.follow_marks(Some(base), true).await {
                    self.pass_over(next, newest);
                    let log = &mut self.state.log;
                    (log.tail, log.declared, log.reclaimed) = (tail, declared, reclaimed);
                    continue;
                }
            }
            self.state.report.damaged_headers += 1;
            self.state.report.doubt = Some(Position::new(next, 0));
            return true;
        }
        false
    }

    /// What stands behind a header that does not count may read well another time, and then it counts, and what was written
    /// elsewhere meanwhile does not: before anything is served or written, the segment is opened again.
    fn pass_over(&mut self, sequence: u32, newest: u32) {
        let (bad, segments, segment) = (self.state.before.bad(), self.sizes().segments, self.sizes().segment);
        let log = &mut self.state.log;
        if !C::SMALL {
            // The one behind it may have been erased, but not to the end, and be read another time.
            let behind = (sequence + 1 + bad).min(log.base + segments - 1);
            log.stale = log.stale.max(if log.reclaimed { behind } else { sequence });
        }
        log.end = Position::new(newest, segment);
        log.closed = true;
        log.for_all = true;
    }

    /// Reads as much of the log as it must, `header` being the newest segment with a header. False: a record was gone that
    /// had been seen before, and is void now.
    async fn replay(&mut self, header: u32) -> bool {
        // Lists did not fit what is there.
        let mut wrong = false;
        if !C::SMALL && !self.state.thorough && self.state.report.doubt.is_none() {
            let (before, end) = (self.state.before, self.state.log.end);
            if let Some(start) = self.read_lists(header).await {
                let good = self.replay_from(header, Some(start)).await;
                if self.state.report.is_log_sound() {
                    return good;
                }
                wrong = true;
            }
            // Something is missing or does not fit: the whole log says what.
            self.state.report = self.state.report.again();
            self.state.before.set(&before);
            self.state.log.end = end;
            self.state.log.incomplete = false;
            self.state.path.is_true = false;
            self.heads.fill(Pointer::EMPTY);
        }
        let good = self.replay_from(header, None).await;
        if wrong {
            // They are of no use: the next ones name all heads.
            self.state.list_since = header + 1;
            self.state.list_full = 0;
            self.state.list_whole = false;
        }
        good
    }

    /// Reads the log from `start` on, or else from the oldest segment, to the newest.
    async fn replay_from(&mut self, header: u32, start: Option<Start>) -> bool {
        let newest = self.state.log.end.sequence;
        self.state.replay.counting = false;
        self.state.replay.run_counts = true;
        self.state.replay.in_step = false;
        self.state.replay.held = start.is_none();
        self.state.report.newest = newest;
        self.state.report.oldest = self.state.log.tail;
        self.state.log.declaring = self.state.log.tail;
        // Segments that a mark has freed since the newest header are still read, for the digest in that header, though
        // one of them may have been half erased when power went.
        let mut sequence = start.map_or(self.state.replay.oldest, |start| start.base);
        if !self.header(sequence).await {
            self.lost_header(sequence);
        }
        loop {
            if let Some(Start { check, digest, oldest, .. }) = start
                && sequence == check
            {
                self.learn_tags().await;
                self.settle_doubt(digest, oldest, Position::new(check, 0)).await;
                self.state.replay.held = true;
            }
            if sequence == header {
                self.check_newest(header).await;
            }
            self.state.log.unlisted = self.list_room();
            self.replay_segment(sequence).await;
            if sequence >= newest {
                break;
            }
            sequence = self.follow(sequence).await;
        }
        let end = self.state.scan.at();
        let counts = self.state.log.copy != NOWHERE;
        let run_broke_off = !C::SMALL && self.state.replay.more && counts && self.state.report.doubt.is_none();
        // What made the newest header count is gone: then what stood at the end of the segment before does count.
        let nothing_is_behind = newest == header && end.offset == self.header_length();
        if run_broke_off || nothing_is_behind {
            self.state.log.void = end;
            return false;
        }
        // The end of a run that could not be read when we looked ahead for it, and was read now. What stood in its place before
        // it was written again may be the end that counts: not if this one is believed.
        if !C::SMALL && self.state.replay.decides && !self.state.replay.run_counts {
            let [_, last, _] = self.state.scan.trail;
            self.state.log.void = Position::new(newest, last.offset);
            return false;
        }
        self.find_resume_place().await;
        let _ = self.clear_heads_before(self.state.log.tail, false).await;
        true
    }

    /// The segment after this one; one whose header is lost is known from the header after it.
    async fn follow(&mut self, sequence: u32) -> u32 {
        let Some(next) = self.next_segment(sequence).await else { return self.state.log.end.sequence };
        let previous = self.state.header.get(PREVIOUS);
        if previous <= sequence || previous >= next {
            return next;
        }
        self.lost_header(previous);
        previous
    }

    async fn replay_segment(&mut self, sequence: u32) {
        self.forget_last();
        self.enter(sequence).await;
        loop {
            let at = self.state.scan.at();
            match self.step().await {
                Step::Record => self.replay_record().await,
                Step::Damaged => {
                    if sequence < self.state.log.tail {
                        self.state.log.incomplete = true;
                    } else {
                        self.state.report.damaged_records += 1;
                        self.raise_doubt(at);
                    }
                    self.forget_last();
                }
                Step::End => return,
            }
        }
    }

    /// Takes the record in the buffer into the index, unless its run never ended.
    async fn replay_record(&mut self) {
        let Record { at, shape, class, hash, .. } = self.state.record;
        let (first, more) = (C::SMALL || shape.has(FIRST), !C::SMALL && shape.has(MORE));
        let in_newest = at.sequence == self.state.log.end.sequence;
        self.state.report.records += 1;
        for _ in 0..self.state.scan.undone {
            self.take_back();
        }
        let mark = self.mark();
        if !C::SMALL && matches!(mark, MARK_LIST | MARK_RESERVE) {
            self.pass_first();
        }
        if !C::SMALL && mark == MARK_RESERVE {
            // It may stand inside of a run: what ends one may be written again behind it.
            self.remember(hash);
            return;
        }
        if !C::SMALL && mark == MARK_LIST {
            self.note_list();
        }
        let closing = mark == MARK_CLOSE;
        let binds = if C::SMALL { None } else { self.bound_epoch() };
        let checkpoint = self.read_checkpoint();
        if closing && in_newest && !self.state.log.incomplete {
            // Its digest pins the heads, as all that they meant then is still there.
            self.settle_doubt(self.state.header.long(DIGEST), self.state.header.get(OLDEST), at).await;
        }
        self.state.replay.record.set(&self.state.record);
        if !C::SMALL && (first || !self.state.replay.in_step) {
            self.begin_replayed_run(more, in_newest).await;
        }
        self.remember(hash);
        if checkpoint && self.state.header.get(OLDEST) <= self.state.log.tail {
            // What it freed is free, if it is believed. Records before it may have been counted against others that are gone
            // with a freed segment.
            self.state.header.counts_to(&mut self.state.counts);
            self.forget_before(self.state.header.get(OLDEST)).await;
        }
        let run_counts = C::SMALL || self.state.replay.run_counts;
        let in_index = run_counts && class != Class::Mark;
        if in_index {
            let counting = self.state.replay.counting;
            if counting {
                let _ = self.walk_exactly(hash).await;
            }
            self.state.record.set(&self.state.replay.record);
            if counting {
                // Counts the record as the write of it did.
                self.count_new();
            }
            self.set_head();
        }
        if let Some(epoch) = binds
            && run_counts
        {
            self.state.counts.bind(epoch);
        }
        let commit = run_counts && !in_index && !first;
        let replay = &mut self.state.replay;
        replay.counting &= more || in_newest;
        // The end of a run that could not be read when we looked ahead for it, and can now, may read well next time.
        replay.decides = commit || !(run_counts || more);
        replay.closing = closing;
        if !C::SMALL {
            replay.more = more;
            replay.clear = shape.has(CLEAR);
        }
        let needed = in_index || commit || binds.is_some() && run_counts;
        self.state.log.copy = if needed { at } else { NOWHERE };
    }

    /// The first record of a run was passed: does the run count?
    async fn begin_replayed_run(&mut self, more: bool, in_newest: bool) {
        let counts = !more || self.run_ends().await;
        let State { counts: counted, before, replay, report, .. } = &mut *self.state;
        replay.in_step = true;
        replay.run_counts = counts;
        report.unfinished_runs += u32::from(!counts);
        if replay.in_run && more && counts && !in_newest {
            counted.set(before);
            replay.counting = true;
            let oldest = replay.oldest;
            // Not what an older header's digest has yet to vouch for.
            if replay.held {
                self.forget_before(oldest).await;
            }
        }
    }

    /// These are the counts without the tombstones that stood for nothing in segments that were freed by then: what is counted from
    /// now on must not meet them, and count them out once more.
    #[inline(never)]
    async fn forget_before(&mut self, oldest: u32) {
        if !C::READER {
            let _ = self.clear_heads_before(oldest, false).await;
        }
    }

    /// Whether the run whose first record was just passed was written to its end: reads on over holes and segments, and
    /// comes back.
    async fn run_ends(&mut self) -> bool {
        // Field by field: a copy of the whole is a library call, of code that nothing else here needs.
        let Scan { sequence, end, end_link, trail: [here, last, older], undone, damaged } = self.state.scan;
        let ends = self.find_run_end().await;
        self.state.scan = Scan { sequence, end, end_link, trail: [here, last, older], undone, damaged };
        ends
    }

    async fn find_run_end(&mut self) -> bool {
        let mut ended = false;
        loop {
            match self.step().await {
                Step::Record => {
                    ended &= self.state.scan.undone == 0;
                    if !C::SMALL && self.mark() == MARK_RESERVE {
                        continue;
                    }
                    if ended || self.state.record.shape.has(FIRST) {
                        return ended;
                    }
                    ended = !self.state.record.shape.has(MORE);
                }
                Step::Damaged if ended => return true,
                Step::Damaged => {}
                Step::End if ended || self.is_open_ended() => return ended,
                Step::End => {
                    let next = self.next_segment(self.state.scan.at().sequence).await;
                    self.enter(next.unwrap_or(self.state.log.end.sequence)).await;
                }
            }
        }
    }

    /// Whether the record that was begun there has text in the clear, which can look blank. Its head was programmed before
    /// anything else of it was: one that can't be read is all that there is.
    async fn may_hide(&mut self, at: Position) -> bool {
        self.state.record.at = at;
        let read = self.fetch(0, self.sizes().unit).await;
        let head = Shape::of_head(self.word(0));
        read && head.is_clear() && self.padded_length(head) <= self.sizes().record_max
    }

    /// Where the first write of this session goes.
    async fn find_resume_place(&mut self) {
        let at = self.state.scan.at();
        let written = self.state.scan.end.max(at.offset);
        let [here, last, _] = self.state.scan.trail;
        let any = last.offset != 0;
        let end = if any { last } else { here };
        let State { log, counts, before, replay, report, .. } = &mut *self.state;
        report.torn_bytes = written - at.offset;
        report.clean = replay.closing && written == at.offset;
        log.for_all |= replay.decides || written > at.offset;
        before.set(if any { &replay.undo().counts } else { counts });
        log.counted = end.offset;
        log.link = end.link;
        let hides =
            written > at.offset && (!S::OPAQUE || !C::SMALL && (self.state.replay.clear || self.may_hide(at).await));
        // What is torn now may have read well in another session, which then began to write it again in the first free cell,
        // and left nothing to be seen. Other bytes go elsewhere.
        let other = if written > at.offset { self.sizes().cell } else { 0 };
        self.state.log.end.offset = self.untouched_after(written, hides) + other;
    }

    /// Compares the heads with a digest written at `at`: clears all doubt before it, or raises it. `oldest`: the oldest
    /// segment needed then; heads before it are tombstones that had left the index.
    async fn settle_doubt(&mut self, digest: u64, oldest: u32, at: Position) {
        if digest != self.heads_digest(oldest).await {
            self.raise_doubt(at);
        } else if self.state.report.doubt <= Some(at) {
            self.state.report.doubt = None;
        }
    }

    /// At the newest header: were all heads found? Then damage before it hit nothing that matters to them.
    async fn check_newest(&mut self, header: u32) {
        let Replay { in_run, run_counts, digest, oldest, .. } = self.state.replay;
        if C::SMALL || !in_run || !run_counts {
            self.state.counts.set(&self.state.before);
        }
        if digest != NO_DIGEST && !self.state.log.incomplete {
            self.settle_doubt(digest, oldest, Position::new(header, 0)).await;
        }
        self.forget_before(oldest).await;
        self.state.replay.counting = true;
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// The rules that make a program not compile.
    const fn check_sizes(heads: usize, bytes: usize) {
        assert!(bytes >= buffer_size(F::READ_SIZE, F::WRITE_SIZE, F::ERASE_SIZE), "BYTES is below buffer_size");
        assert!(heads > 0 && heads <= 0xffff, "from 1 to 65,535 bucket heads");
    }

    /// Which mark the record in the buffer is; 0: none.
    pub(super) fn mark(&self) -> u8 {
        match self.name() {
            [mark] if self.state.record.class == Class::Mark => *mark,
            _ => 0,
        }
    }

    /// Reads the checkpoint that the mark in the buffer carries; false: it's no such mark.
    fn read_checkpoint(&mut self) -> bool {
        let has = matches!(self.mark(), MARK_OPEN | MARK_CLOSE);
        let inline = self.inline_at();
        if has {
            self.state.header.read(OLDEST, self.buffer.get(inline..).unwrap_or_default());
        }
        has
    }

    /// There is no record to write again.
    fn forget_last(&mut self) {
        let State { log, replay, .. } = &mut *self.state;
        log.copy = NOWHERE;
        (replay.decides, replay.closing, replay.more, replay.clear) = (false, false, false, false);
    }

    fn raise_doubt(&mut self, at: Position) {
        if self.state.report.doubt.is_none_or(|doubt| doubt < at) {
            self.state.report.doubt = Some(at);
        }
    }

    /// A header is lost. Its segment's records are pinned by the next header; only what it alone said is in doubt.
    fn lost_header(&mut self, sequence: u32) {
        if sequence < self.state.log.tail {
            self.state.log.incomplete = true;
            return;
        }
        self.state.report.damaged_headers += 1;
        self.raise_doubt(Position::new(sequence, 0));
    }

    /// The first cell that no cut operation can have touched, given where what is visible ends.
    ///
    /// A call touches one cell only, so it's the cell behind the one in which the visible ends. Where text can look blank,
    /// a record may go on invisibly for its whole length.
    fn untouched_after(&self, written: u32, hides: bool) -> u32 {
        let layout = self.sizes();
        let hidden = if hides { layout.record_max } else { 0 };
        (written + hidden + 1).next_multiple_of(layout.cell)
    }

    /// How to take back the record that comes into the bucket of `hash`.
    fn remember(&mut self, hash: u64) {
        let bucket = self.bucket_of(hash);
        let head = self.head(bucket);
        let State { counts, replay, .. } = &mut *self.state;
        replay.newer = !replay.newer;
        let undo = replay.undo_mut();
        undo.bucket = bucket;
        undo.head = head;
        undo.counts.set(counts);
    }

    fn take_back(&mut self) {
        let State { counts, replay, .. } = &mut *self.state;
        let Undo { bucket, head, .. } = *replay.undo();
        counts.set(&replay.undo().counts);
        replay.newer = !replay.newer;
        self.put_head(bucket, head);
    }

    /// What the last mount found.
    pub const fn report(&self) -> &Report {
        &self.state.report
    }
}

/// What is there instead of a store; `found`: version and suite of the first header that looks like one.
fn not_mountable<S: Suite, E>(found: Option<(u8, u8)>, blank: bool) -> OpenError<E> {
    match found {
        Some((version, suite)) if version != FORMAT_VERSION || suite != S::ID => {
            OpenError::Incompatible { version, suite }
        }
        Some(_) => OpenError::NotAuthentic,
        None if blank => OpenError::Blank,
        None => OpenError::Unknown,
    }
}
