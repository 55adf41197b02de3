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
use super::{NorFlash, Store, one_source, space_of};
use crate::error::{Error, OpenError, Stop};
use crate::format::record::{Kind, MARK_COUNTED, MARK_INTENT, Shape};
use crate::key::SYSTEM;
use crate::report::CounterState;
use crate::seal::Suite;
use crate::state::Run;
use crate::trust::MonotonicCounter;
use crate::trust::epoch::{COUNTER_MAX, Epoch, Verdict};

/// Bytes of a counter mark behind its one byte of name.
const VALUE: usize = 4;
/// Name of the store's own entry that counts accepted roll-backs.
const ROLLBACK: &[u8] = b"rollback";

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
        let value = self.state.log.counter;
        self.make_room(self.ending_length(true), kept).await?;
        self.append_mark(MARK_INTENT, &value.to_le_bytes()).await?;
        self.state.counts.epoch = Epoch::intent(value);
        self.count_step()?;
        self.state.log.owns_epoch = true;
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
        self.ready().await?;
        if !self.state.report.rolled_back {
            return Err(Error::NotPermitted);
        }
        if self.counter_left() < 2 {
            return Err(Error::CounterExhausted);
        }
        self.state.read_only = false;
        let accepted = self.accept().await;
        self.state.read_only = accepted.is_err();
        self.state.forgiving = accepted.is_err();
        self.state.report.rolled_back = accepted.is_err();
        Ok(accepted?)
    }

    /// The record that it happened comes first, and is not counted, whatever the store does with its commits: an intent
    /// alone makes the state the present one. A commit of nothing is last: what was given up may have stated the value that
    /// the counter has after the intent.
    async fn accept(&mut self) -> Result<(), Stop<F::Error>> {
        self.writable().await?;
        let times = self.rollbacks().await?.saturating_add(1);
        let length = self.record_usual() + self.ending_length(true);
        self.owe(length);
        self.pay().await?;
        self.make_room(length, self.kept_free()).await?;
        self.begin_run(false);
        let hash = self.suite.hash(space_of(SYSTEM), ROLLBACK);
        self.append_own(hash, ROLLBACK, &times.to_le_bytes()).await?;
        self.finish_run().await?;
        self.open_epoch(1).await?;
        self.make_room(self.ending_length(true), 1).await?;
        self.append_counted().await?;
        self.state.log.settled = true;
        Ok(())
    }

    /// How often a rolled back state of this store was accepted.
    ///
    /// # Errors
    /// What [`Error`] says of damage.
    pub async fn rollbacks_accepted(&mut self) -> Result<u32, Error<F::Error>> {
        self.ready().await?;
        self.confirm_last().await?;
        Ok(self.rollbacks().await?)
    }

    async fn rollbacks(&mut self) -> Result<u32, Stop<F::Error>> {
        let hash = self.suite.hash(space_of(SYSTEM), ROLLBACK);
        self.walk(hash).await?;
        Ok(if self.state.path.found { self.word(self.inline_at()) } else { 0 })
    }

    /// Ends the run: all of it counts from the moment at which this mark stands on flash, and no older image undoes it
    /// from the moment at which the counter has moved.
    pub(super) async fn append_counted(&mut self) -> Result<(), Stop<F::Error>> {
        let value = self.state.log.counter + 1;
        self.state.log.owns_epoch = false;
        self.append_mark(MARK_COUNTED, &value.to_le_bytes()).await?;
        self.state.counts.epoch = Epoch::counted(value);
        self.count_step()?;
        self.state.log.owns_epoch = true;
        Ok(())
    }
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
        let epoch = self.state.counts.epoch;
        if !C::PRESENT {
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
        let value = self.word(self.inline_at());
        match self.mark() {
            MARK_INTENT => Some(Epoch::intent(value)),
            MARK_COUNTED => Some(Epoch::counted(value)),
            _ => None,
        }
    }

    /// Before a format: the epoch of its first header, which no image from before can belong to.
    pub(super) fn open_first_epoch(&mut self) -> Result<Epoch, OpenError<F::Error>> {
        if !C::PRESENT {
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

    /// Whether a change is counted.
    pub(super) fn is_counted(&self, asked: bool) -> bool {
        !self.state.log.resetting && (asked || C::PRESENT && self.state.every)
    }

    /// Before a change begins its run: can it be counted, if it has to be? `Full`: an epoch is wanted first.
    pub(super) fn check_epoch(&mut self, protect: bool) -> Result<(), Stop<F::Error>> {
        if !protect {
            return Ok(());
        }
        if !C::PRESENT || self.in_transaction() && !self.state.log.protected {
            return Err(Stop::NoCounter);
        }
        self.state.log.wants_epoch = self.state.log.run == Run::No && !self.state.log.owns_epoch;
        if self.state.log.wants_epoch { Err(Stop::Full) } else { self.check_steps(1) }
    }

    fn check_steps(&self, steps: u32) -> Result<(), Stop<F::Error>> {
        if self.counter_left() < steps { Err(Stop::CounterExhausted) } else { Ok(()) }
    }
}
