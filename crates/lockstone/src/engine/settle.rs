//! Settle: before the first write after a mount, closes whatever the last power session may have left half-done.
//!
//! The last record found may be marginal (read right once, wrong later), and something invisible may have been begun
//! behind it. So the first write of each power session is a resume record, one cell past all that is visible: it says
//! where what counts ends, and is the last record written again, or an opening mark. Its bytes follow from flash
//! alone; if a cut takes it, the next session writes the very same bytes to the same place, or goes on behind it.
//!
//! A mount alone writes nothing; settling waits for a write, or for a read of the record in question.

use super::mount::Unmountable;
use super::{NorFlash, Store, one_source};
use crate::error::Stop;
use crate::format::header::CHECKPOINT;
use crate::format::record::{Kind, MARK_OPEN, RESUME, Shape};
use crate::layout::Position;
use crate::report::Cursor;
use crate::seal::Suite;
use crate::state::{Log, NOWHERE, Record, Run};
use crate::trust::MonotonicCounter;

/// How often a record may turn out unreadable after it was read, before we give up.
const TRIES: u32 = 4;

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Looks at flash again if the last call did not end.
    pub(super) async fn ready(&mut self) -> Result<(), Stop<F::Error>> {
        if self.is_inside_transaction() {
            return Ok(());
        }
        self.look_again().await?;
        self.go_on_resetting().await
    }

    pub(super) async fn look_again(&mut self) -> Result<(), Stop<F::Error>> {
        if self.state.log.settled { Ok(()) } else { self.mount_log().await.map_err(Unmountable::stop) }
    }

    /// A reset that was cut is brought to its end before anything is served.
    async fn go_on_resetting(&mut self) -> Result<(), Stop<F::Error>> {
        if !C::PRESENT || !self.state.log.resetting {
            return Ok(());
        }
        if self.state.read_only {
            return Err(Stop::ReadOnly);
        }
        self.settle().await?;
        if self.state.log.resetting { self.finish_reset().await } else { Ok(()) }
    }

    /// Ready, and allowed to write.
    pub(super) async fn writable(&mut self) -> Result<(), Stop<F::Error>> {
        if self.is_inside_transaction() {
            return Ok(());
        }
        self.look_again().await?;
        if C::READER || self.state.read_only {
            return Err(Stop::ReadOnly);
        }
        self.prepare_to_write().await
    }

    /// Everything that comes before a write, on a store that may be written to.
    pub(super) async fn prepare_to_write(&mut self) -> Result<(), Stop<F::Error>> {
        if self.state.report.doubt.is_some() {
            return Err(Stop::Damaged);
        }
        if !C::SMALL && self.state.log.taken_over {
            self.count_standing().await;
        }
        self.settle().await?;
        self.retire_failed().await?;
        self.go_on_resetting().await
    }

    /// A small store does not count what its records take up as they stand.
    #[inline(never)]
    async fn count_standing(&mut self) {
        self.state.counts.stand_anew();
        let mut cursor = Cursor::new();
        // What can't be read is not written again either; what comes behind it is.
        while !cursor.done {
            if let Ok(true) = self.next_record(&mut cursor).await {
                let Record { shape, class, .. } = self.state.record;
                self.count_stand(shape, class, 1);
            }
        }
        // What was counted before the last record stays: a replay counts that one once more.
        self.state.before.stand_as(&self.state.counts);
        self.state.log.taken_over = false;
    }

    /// Writes the resume record, if one is due.
    pub(super) async fn settle(&mut self) -> Result<(), Stop<F::Error>> {
        let mut tries = 0;
        while self.has_hole() {
            let copy = self.state.log.copy;
            let written = if copy == NOWHERE { self.write_opening().await } else { self.write_again(copy).await };
            match written {
                Ok(()) => self.state.log.settled = true,
                Err(Stop::Damaged) if copy != NOWHERE && tries < TRIES => {
                    self.state.log.void = copy;
                    self.state.log.settled = false;
                    self.look_again().await?;
                    if self.state.report.doubt.is_some() {
                        return Err(Stop::Damaged);
                    }
                }
                Err(error) => return Err(error),
            }
            tries += 1;
        }
        while !C::SMALL && self.state.log.reserved {
            if self.state.log.tail > self.state.log.base {
                self.state.log.settled = false;
                self.write_opening().await?;
                self.state.log.settled = true;
                continue;
            }
            match self.compact_step().await {
                Ok(true) => {}
                // What can't be read is reported where it is asked for.
                Ok(false) | Err(Stop::Damaged) => return Err(Stop::Full),
                Err(error) => return Err(error),
            }
        }
        self.count_uncounted()
    }

    async fn write_again(&mut self, at: Position) -> Result<(), Stop<F::Error>> {
        if !self.load(at, 0).await {
            return Err(Stop::Damaged);
        }
        self.append_copy(self.state.record.shape).await
    }

    /// Writes an opening mark: it also declares which segment is the oldest needed. A segment of the reserve counts for what
    /// such a mark says once another stands behind it.
    pub(super) async fn write_opening(&mut self) -> Result<(), Stop<F::Error>> {
        let Log { reserved, reclaimed, declared, tail, end, .. } = self.state.log;
        let mut left = 1;
        if !C::SMALL && reclaimed && (reserved || declared < tail) {
            left = 2;
            let shape = Shape::single(Kind::Mark, 1, CHECKPOINT).with(RESUME, self.has_hole());
            let mark = self.padded_length(shape);
            self.state.log.closed |= end.offset.saturating_add(2 * mark) > self.sizes().segment;
        }
        let mut sequence = end.sequence;
        while left > 0 {
            self.draft(Shape::single(Kind::Mark, 1, CHECKPOINT), 0);
            self.append(&[MARK_OPEN], &[]).await?;
            left -= 1;
            if !C::SMALL && self.state.log.end.sequence != sequence {
                sequence = self.state.log.end.sequence;
                left = u32::from(self.state.log.reclaimed && tail > self.state.log.base);
            }
        }
        let log = &mut self.state.log;
        log.reserved &= log.tail <= log.base;
        if C::SMALL || !log.reserved {
            (log.declaring, log.declared) = (log.tail, log.tail);
        }
        Ok(())
    }

    /// Makes the retirement of a failed segment durable.
    async fn retire_failed(&mut self) -> Result<(), Stop<F::Error>> {
        let Some(physical) = self.state.log.failed.take().filter(|_| !C::SMALL) else { return Ok(()) };
        let hash = self.retirement(physical);
        self.walk(hash).await?;
        if self.state.path.found {
            return Ok(());
        }
        let name = super::segment::retired_name(physical);
        self.make_room(self.record_usual(), self.kept_free() - 1).await?;
        self.append_own(hash, &name, &[]).await?;
        self.state.log.settled = true;
        Ok(())
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Whether a live transaction makes this call. A run that anything else left open (an error, a dropped future, a
    /// transaction that was forgotten) does not count; flash is looked at again.
    fn is_inside_transaction(&mut self) -> bool {
        if C::SMALL {
            return false;
        }
        let entered = core::mem::take(&mut self.state.log.entered);
        let inside = entered && self.in_transaction();
        if !inside && core::mem::replace(&mut self.state.log.run, Run::No) != Run::No {
            self.state.log.settled = false;
        }
        inside
    }
}
