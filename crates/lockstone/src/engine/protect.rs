//! Protect: commits that no older image can undo.
//!
//! ```text
//! first protected commit of a power session      each one
//! INTENT C ─> counter C+1                        run of the change, COUNTED C+2 ─> counter C+2 ─> acknowledged
//! ```
//!
//! What the newest counter-bearing record says is the *epoch* of the log ([`Epoch`], where the rules are); it's one of the
//! counts, so headers carry it, and a record that is taken back takes it back. A mount compares it with the counter. A
//! commit that was cut before it was counted is first made firm (`settle.rs`) and then counted, before anything is
//! served: the other way round, a marginal mark could be counted and gone.
//!
//! Invariant: between the moment at which a COUNTED mark may stand on flash and the moment at which it was counted, the
//! session owns no epoch. So whatever goes wrong between, the next commit opens a new one, and the old mark can never
//! again be what the counter says.

use super::mount::Unmountable;
use super::{NorFlash, Store, one_source};
use crate::attributes::{Attributes, How};
use crate::error::{Error, OpenError, Stop};
use crate::format::record::{Kind, MARK_COUNTED, MARK_INTENT, Shape};
use crate::key::{Key, SYSTEM};
use crate::report::CounterState;
use crate::seal::Suite;
use crate::state::Run;
use crate::trust::MonotonicCounter;
use crate::trust::epoch::{COUNTER_MAX, Epoch, Verdict};

/// Bytes of a counter mark behind its one byte of name.
const VALUE: usize = 4;
/// The store's own entry that counts accepted roll-backs.
const ROLLBACK: Key<'_> = Key::new(b"rollback").of_client(SYSTEM);

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Makes sure that a protected commit can be counted: room on the counter, and an epoch of this session.
    pub(super) async fn open_epoch(&mut self, kept: u32) -> Result<(), Stop<F::Error>> {
        if !C::PRESENT {
            return Err(Stop::NoCounter);
        }
        self.state.log.wants_epoch = false;
        self.check_steps(1 + u32::from(!self.state.log.owns_epoch))?;
        if self.state.log.owns_epoch {
            return Ok(());
        }
        self.make_room(self.ending_length(true), kept).await?;
        self.append_bound(MARK_INTENT, self.state.log.counter).await?;
        self.state.log.settled = true;
        Ok(())
    }

    /// Takes the rolled back state that was [mounted all the same](Self::danger_mount_rolled_back) as the present one. It is
    /// recorded for ever that this happened ([`rollbacks_accepted`](Self::rollbacks_accepted)). Takes two steps of the
    /// counter, so that no image from before is accepted again, also none that was cut before it was counted.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] when the store was not rolled back, [`Error::CounterExhausted`], or as
    /// [`put`](Self::put); the store is then as it was.
    pub async fn danger_accept_rollback(&mut self) -> Result<(), Error<F::Error>> {
        self.look_again().await?;
        if !self.state.report.rolled_back {
            return Err(Error::NotPermitted);
        }
        self.check_steps(2)?;
        // A factory reset that had begun then goes on when the store may be written to.
        let resetting = core::mem::take(&mut self.state.log.resetting);
        let accepted = self.accept().await;
        self.state.log.resetting |= resetting;
        accepted?;
        self.state.read_only = false;
        self.state.forgiving = false;
        self.state.report.rolled_back = false;
        Ok(self.ready().await?)
    }

    /// The record that it happened comes first, and is not counted, whatever the store does with its commits: an intent
    /// alone makes the state the present one. A commit of nothing is last: what was given up may have stated the value that
    /// the counter has after the intent.
    async fn accept(&mut self) -> Result<(), Stop<F::Error>> {
        self.prepare_to_write().await?;
        let times = self.rollbacks().await?.saturating_add(1);
        self.change(ROLLBACK, &times.to_le_bytes(), How::EXACT.and(How::ADMITTED).and(How::UNCOUNTED)).await?;
        self.start_run(0, self.kept_free() - 1, true).await?;
        self.finish_run().await
    }

    /// How often a rolled back state of this store was accepted.
    ///
    /// # Errors
    /// What [`Error`] says of damage.
    pub async fn rollbacks_accepted(&mut self) -> Result<u32, Error<F::Error>> {
        Ok(self.rollbacks().await?)
    }

    async fn rollbacks(&mut self) -> Result<u32, Stop<F::Error>> {
        Ok(if self.seek(ROLLBACK).await? { self.word(self.inline_at()) } else { 0 })
    }

    /// Ends the run: all of it counts from the moment at which this mark stands on flash, and no older image undoes it
    /// from the moment at which the counter has moved.
    pub(super) async fn append_counted(&mut self) -> Result<(), Stop<F::Error>> {
        self.append_bound(MARK_COUNTED, self.state.log.counter + 1).await
    }

    /// Appends a mark that binds the log to the counter, and takes the step that makes it true.
    async fn append_bound(&mut self, mark: u8, value: u32) -> Result<(), Stop<F::Error>> {
        self.state.log.owns_epoch = false;
        self.append_mark(mark, &value.to_le_bytes()).await?;
        self.state.counts.bind(epoch_of(mark, value));
        self.count_step()?;
        self.state.log.owns_epoch = true;
        Ok(())
    }
}

/// What a mark binds the log to.
fn epoch_of(mark: u8, value: u32) -> Epoch {
    if mark == MARK_INTENT { Epoch::intent(value) } else { Epoch::counted(value) }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Where the counter stands; `None`: the store has none. Plan ahead while [`low`](CounterState::low) is set: when no
    /// step is left, protected writes are refused.
    pub fn counter_state(&self) -> Option<CounterState> {
        let left = self.counter_left();
        let value = self.state.log.counter;
        C::PRESENT.then(|| CounterState { value, left, low: left <= 2 || left < value.saturating_add(left) / 8 })
    }

    /// After a mount: is the log the one that the counter knows?
    pub(super) fn check_counter(&mut self) -> Result<(), Unmountable> {
        let epoch = self.state.counts.epoch();
        if C::SMALL {
            return Ok(());
        }
        if !self.counter.is_present() {
            return if epoch == Epoch::NONE { Ok(()) } else { Err(Unmountable::NoCounter) };
        }
        self.state.log.counter = self.read_counter().ok_or(Unmountable::Counter)?;
        match epoch.judge(self.state.log.counter) {
            Verdict::Current => Ok(()),
            Verdict::Uncounted => {
                self.state.log.uncounted = true;
                Ok(())
            }
            Verdict::RolledBack if self.state.forgiving => {
                self.state.report.rolled_back = true;
                self.state.read_only = true;
                Ok(())
            }
            Verdict::RolledBack => Err(Unmountable::RolledBack),
        }
    }

    /// What the record in the buffer binds the log to, if it does.
    pub(super) fn bound_epoch(&self) -> Option<Epoch> {
        let mark = self.mark();
        matches!(mark, MARK_INTENT | MARK_COUNTED).then(|| epoch_of(mark, self.word(self.inline_at())))
    }

    /// Before a format: the epoch of its first header, which no image from before can belong to.
    pub(super) fn open_first_epoch(&mut self) -> Result<Epoch, OpenError<F::Error>> {
        if !self.counter.is_present() {
            return Ok(Epoch::NONE);
        }
        self.state.log.counter = self.read_counter().ok_or(OpenError::Counter)?;
        if self.counter_left() < 2 {
            return Err(OpenError::Counter);
        }
        self.count_step()?;
        self.state.log.owns_epoch = true;
        Ok(Epoch::counted(self.state.log.counter + 1))
    }

    /// Counts a commit that was cut before it was counted. Its mark is firm by now.
    pub(super) fn count_uncounted(&mut self) -> Result<(), Stop<F::Error>> {
        if C::PRESENT && self.state.log.uncounted {
            self.count_step()?;
            self.state.log.uncounted = false;
        }
        Ok(())
    }

    fn read_counter(&mut self) -> Option<u32> {
        self.counter.read().ok().and_then(|value| u32::try_from(value).ok()).filter(|value| *value <= COUNTER_MAX)
    }

    /// One step; anything but the very next value is a failure, after which flash and counter are looked at again.
    pub(super) fn count_step(&mut self) -> Result<(), Stop<F::Error>> {
        let next = self.state.log.counter + 1;
        match self.counter.increment() {
            Ok(value) if value == u64::from(next) => {
                self.state.log.counter = next;
                Ok(())
            }
            _ => {
                self.state.log.settled = false;
                Err(Stop::Counter)
            }
        }
    }

    /// Steps that the counter has left.
    pub(super) fn counter_left(&self) -> u32 {
        let limit = u32::try_from(self.counter.limit()).map_or(COUNTER_MAX, |limit| limit.min(COUNTER_MAX));
        limit.saturating_sub(self.state.log.counter)
    }

    /// Bytes of the mark that ends a counted run.
    pub(super) fn ending_length(&self, protect: bool) -> u32 {
        if C::PRESENT && protect { self.padded_length(Shape::single(Kind::Mark, 1, VALUE)) } else { 0 }
    }

    /// Whether a change is counted, of an entry that has one of these attributes before or after it.
    pub(super) fn is_counted(&self, how: How, attributes: Attributes) -> bool {
        let asked = how.any(How::PROTECT) || attributes.any(Attributes::PROTECTED);
        !how.any(How::UNCOUNTED.and(How::MEASURE)) && (asked || C::PRESENT && self.state.every)
    }

    /// Before a change begins its run: can it be counted, if it has to be? `Full`: an epoch is wanted first.
    pub(super) fn check_epoch(&mut self, protect: bool) -> Result<(), Stop<F::Error>> {
        let begins = self.state.log.run == Run::No;
        if protect && (!C::PRESENT || !begins && !self.state.log.protected) {
            return Err(Stop::NoCounter);
        }
        // Also when no step is left: opening one says so.
        let ready = self.state.log.owns_epoch && self.counter_left() > 0;
        self.state.log.wants_epoch = protect && begins && !ready;
        if self.state.log.wants_epoch { Err(Stop::Full) } else { Ok(()) }
    }

    /// Whether the counter has so many steps left.
    #[inline(never)]
    pub(super) fn check_steps(&self, steps: u32) -> Result<(), Stop<F::Error>> {
        if self.counter_left() < steps { Err(Stop::CounterExhausted) } else { Ok(()) }
    }
}
