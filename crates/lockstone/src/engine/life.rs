//! Life: what happens to a store as a whole. Scrubbing what was deleted, sealing everything anew under another key or
//! suite, and the end.
//!
//! # What remains on flash after a delete
//! Records are never updated in place, so the sealed bytes of an old or deleted value stay where they are until their
//! segment's turn to be erased comes. Nobody reads them without the key: they are as private as a value that is there.
//! Who gets the key later reads them too. [`Store::scrub`] erases every segment once, in turn; afterwards only what is
//! there now is on flash, and tombstones without names.

use super::reset::NAME_MAX;
use super::{NorFlash, Store, one_source};
use crate::attributes::{Attributes, How};
use crate::error::{Error, ResealError};
use crate::format::header::Class;
use crate::key::Key;
use crate::layout::Position;
use crate::report::Cursor;
use crate::seal::Suite;
use crate::trust::MonotonicCounter;

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Removes from flash all that was deleted or replaced: every segment is erased once, in turn, and what is there is
    /// written again. It may be cut at any moment and called again; it goes on where the log stands, at the cost of
    /// another round. `progress` hears how many segments of how many are done.
    ///
    /// # Errors
    /// [`Error`]; what is stored is still there, and something old may be.
    pub async fn scrub(&mut self, mut progress: impl FnMut(u32, u32)) -> Result<(), Error<F::Error>> {
        self.writable().await?;
        let segments = self.sizes().segments;
        let first = self.state.log.end.sequence;
        // All that is live goes on first, as in any compaction: a segment that is opened early costs the rest of the one before,
        // and where all is full there is none to spare.
        while self.state.log.tail <= first && self.compact_segment().await? {
            progress(0, segments);
        }
        // The segment that the log stands in now is erased too, when the round comes back to it.
        while self.state.log.end.sequence <= first + segments {
            let done = self.state.log.end.sequence - first;
            progress(done.min(segments), segments);
            // What comes first here is what all that is live can grow by when it's written again, before the rest of a segment.
            self.make_ample_room(0, self.kept_free()).await?;
            if self.state.log.end.sequence - first > done {
                continue;
            }
            self.state.log.settled = false;
            self.state.log.reclaimed = false;
            self.open_segment().await?;
            self.write_opening().await?;
            self.state.log.settled = true;
        }
        progress(segments, segments);
        Ok(())
    }

    /// Erases everything and gives the flash back. With a counter two of its steps come first, so that no image from
    /// before is ever accepted again. Whoever kept an image *and* has the root key reads it all the same: where a key can
    /// be destroyed, destroy it too.
    ///
    /// # Errors
    /// [`Error::CounterExhausted`] when the counter has no two steps left: nothing was erased then, and images from before
    /// would be accepted. [`Error::ReadOnly`]: nothing was erased either. [`Error::WornOut`] when a block can't be erased: what
    /// is in it stays, sealed.
    pub async fn erase(mut self) -> Result<F, Error<F::Error>> {
        const { assert!(!C::READER, "a reader erases nothing") };
        // One that was rolled back may go.
        if self.state.read_only && !self.state.forgiving {
            return Err(Error::ReadOnly);
        }
        if self.counter.is_present() {
            self.ready().await?;
            self.check_steps(2)?;
            self.count_step()?;
            self.count_step()?;
        }
        let mut stuck = false;
        for sequence in 0..self.sizes().segments {
            stuck |=
                self.erase_segment(sequence).await.is_err() || self.written_end(Position::new(sequence, 0)).await > 0;
        }
        if stuck { Err(Error::WornOut) } else { Ok(self.flash) }
    }

    /// Opens an epoch without a commit, so that a store made by [`reseal_into`](Self::reseal_into) can take the place of
    /// this one in one step. Returns the value that the counter has now.
    ///
    /// # Errors
    /// [`Error::NoCounter`], [`Error::CounterExhausted`], or as [`put`](Self::put).
    pub async fn open_succession(&mut self) -> Result<u32, Error<F::Error>> {
        self.writable().await?;
        self.state.log.owns_epoch = false;
        if !self.counter.is_present() {
            return Err(Error::NoCounter);
        }
        self.open_epoch(self.kept_free()).await?;
        Ok(self.state.log.counter)
    }

    /// Copies every entry of every client, with its attributes and its factory copy, what slots hold, and the volume table if the
    /// other flash is as large, into another store, which may have another root key, suite and size: the way to change a key. `buffer` holds one value at a time. What is
    /// shared must be shared again.
    ///
    /// # Errors
    /// [`ResealError`]; this store is unchanged, and the other holds a part. A [small store](crate::Small) takes no entry with
    /// attributes: [`Error::NotPermitted`], or [`Error::NoCounter`] when it's protected. An object is not sealed anew with its
    /// entry: [`Error::NotPermitted`] from the source; `Objects::reseal_into` copies both. The same when an install is not
    /// confirmed.
    pub async fn reseal_into<G, T, D>(
        &mut self,
        target: &mut Store<'_, G, T, D>,
        buffer: &mut [u8],
        progress: impl FnMut(u32, u32),
    ) -> Result<(), ResealError<F::Error, G::Error>>
    where
        G: NorFlash,
        T: Suite,
        D: MonotonicCounter,
    {
        self.reseal_entries(target, buffer, progress, false).await.map(drop)
    }

    /// The same; with `objects`, these are left to the caller. Returns how many keys were copied, of how many.
    pub(super) async fn reseal_entries<G, T, D>(
        &mut self,
        target: &mut Store<'_, G, T, D>,
        buffer: &mut [u8],
        mut progress: impl FnMut(u32, u32),
        objects: bool,
    ) -> Result<(u32, u32), ResealError<F::Error, G::Error>>
    where
        G: NorFlash,
        T: Suite,
        D: MonotonicCounter,
    {
        self.ready().await.map_err(|stop| ResealError::Source(stop.into()))?;
        self.confirm_last().await.map_err(|stop| ResealError::Source(stop.into()))?;
        #[cfg(feature = "objects")]
        let alike = self.flash.capacity() == target.flash.capacity();
        let keys = self.state.counts.keys();
        let mut done = 0;
        let mut cursor = Cursor::new();
        while self.next_record(&mut cursor).await.map_err(|stop| ResealError::Source(stop.into()))? {
            let cut = self.cut_found();
            #[cfg(feature = "objects")]
            let (slot, own) = (self.is_slot(), self.is_slot() || alike && self.is_table());
            #[cfg(not(feature = "objects"))]
            let own = false;
            if self.state.record.class != Class::Key && !cut.attributes.any(Attributes::COPY) && !own {
                continue;
            }
            if cut.attributes.is_object() && objects {
                continue;
            }
            if cut.attributes.is_object() {
                return Err(ResealError::Source(Error::NotPermitted));
            }
            let mut name = [0; NAME_MAX];
            let key = self.copy_key(&mut name);
            let Some(value) = buffer.get_mut(..cut.whole as usize) else {
                return Err(ResealError::Source(Error::BufferTooSmall { needed: cut.whole }));
            };
            self.copy_value(cut, 0, value).await.map_err(|stop| ResealError::Source(stop.into()))?;
            #[cfg(feature = "objects")]
            if slot && crate::format::slot::is_pending(value) {
                return Err(ResealError::Source(Error::NotPermitted));
            }
            target.adopt(key, value, cut.attributes).await.map_err(ResealError::Target)?;
            done += u32::from(!own && !cut.attributes.any(Attributes::COPY));
            progress(done, keys);
        }
        Ok((done, keys))
    }

    /// Takes an entry as it was elsewhere: no rule is asked, and no step of the counter taken.
    pub(super) async fn adopt(
        &mut self,
        key: Key<'_>,
        value: &[u8],
        attributes: Attributes,
    ) -> Result<(), Error<F::Error>> {
        if attributes.any(Attributes::PROTECTED) && !self.counter.is_present() {
            return Err(Error::NoCounter);
        }
        let attributes = attributes.without(Attributes::SHARED);
        if C::SMALL && attributes != Attributes::NONE {
            return Err(Error::NotPermitted);
        }
        self.writable().await?;
        let key = if attributes.any(Attributes::COPY) { key.of_copy() } else { key };
        let how = How::with(attributes).and(How::EXACT).and(How::UNCOUNTED);
        self.change(key, value, how).await?;
        Ok(())
    }
}
