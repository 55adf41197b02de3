//! Stats: fill, wear and health in numbers.

use super::{NorFlash, Store, one_source};
use crate::error::Error;
use crate::format::header::ERASES;
use crate::report::Stats;
use crate::seal::Suite;
use crate::trust::MonotonicCounter;

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Counts fill, wear and bad segments. Reads one header a segment.
    ///
    /// # Errors
    /// As [`get`](Self::get), when a call before it did not end and the flash must be looked at again.
    pub async fn stats(&mut self) -> Result<Stats, Error<F::Error>> {
        self.ready().await?;
        let counts = self.state.counts;
        let (newest, oldest) = (self.state.log.end.sequence, self.state.log.tail);
        let mut stats = Stats {
            keys: counts.keys(),
            used_bytes: self.needed(),
            capacity_bytes: self.capacity(),
            segments: self.state.layout.segments,
            segment_bytes: self.state.layout.segment,
            log_segments: newest - oldest + 1,
            bad_segments: counts.bad(),
            erases_min: u32::MAX,
            erases_max: 0,
        };
        for back in 0..self.state.layout.segments {
            let Some(sequence) = newest.checked_sub(back) else { break };
            if self.header(sequence).await {
                stats.erases_min = stats.erases_min.min(self.state.header.get(ERASES));
                stats.erases_max = stats.erases_max.max(self.state.header.get(ERASES));
            }
        }
        stats.erases_min = stats.erases_min.min(stats.erases_max);
        Ok(stats)
    }

    /// The layout of the part.
    pub const fn layout(&self) -> &crate::layout::Layout {
        &self.state.layout
    }

    /// The flash driver, to look at.
    pub const fn flash(&self) -> &F {
        &self.flash
    }
}
