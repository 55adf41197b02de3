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
//! 1. RAM state is a function of flash: after any error or dropped future inside a change, `Log::settled` is false and the next call
//!    mounts again.
//! 2. A record enters the heads only after it was programmed and read back.
//! 3. Compaction runs only between runs, never inside one.
//! 4. A segment is erased only when a durable header or mark says that it is not needed.
//! 5. No program unit that an earlier power session may have touched is programmed, but with the very same bytes.
//!
//! The source is compiled twice, blocking and async (see `lockstone-macros`).

mod alter;
mod clients;
mod compact;
mod index;
mod iterate;
mod life;
mod list;
mod load;
mod look;
mod mount;
#[cfg(feature = "objects")]
mod object;
mod ops;
mod protect;
mod reset;
mod scan;
mod segment;
mod settle;
mod stats;
mod transaction;
#[cfg(feature = "typed")]
mod typed;
mod write;

pub use clients::{Client, Clients};
#[cfg(feature = "objects")]
pub use object::{Objects, Reseal, Slot};
pub use transaction::Transaction;

use super::{NorFlash, one_source, sealing};
use crate::format::header::header_length;
use crate::format::pointer::Pointer;
use crate::key::{COPIES, ClientId};
use crate::layout::{Layout, Position};
use crate::memory::UNKNOWN;
use crate::seal::Suite;
use crate::state::{State, Unlocked};
use crate::trust::{MonotonicCounter, NoCounter};

/// A mounted store on the flash `F`, sealed with the suite `S`, in RAM that lives for `'m`. `C` is its counter, if it has
/// one: without it, nothing protects from an older image.
pub struct Store<'m, F, S, C = NoCounter> {
    state: &'m mut State,
    keys: Unlocked<'m>,
    /// Room for the longest record, and behind it for each segment how many records of it the index has, as far as that fits.
    buffer: &'m mut [u8],
    heads: &'m mut [Pointer],
    flash: F,
    /// What a suite works with in steps; nothing in the blocking store.
    scratch: sealing::Scratch<S>,
    counter: C,
}

/// Space of hashes for chunks; clients have the numbers below.
const CHUNK_SPACE: u64 = 1 << 32;
/// Hash space of the factory copies of a client's entries.
fn copy_space_of(client: ClientId) -> u64 {
    u64::from(COPIES) << 32 | u64::from(client)
}

/// Hash space of a client's names.
fn space_of(client: ClientId) -> u64 {
    u64::from(client)
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    const FIXED: Option<Layout> = Layout::fixed(F::READ_SIZE, F::WRITE_SIZE, F::ERASE_SIZE);

    /// The layout; all but the number of segments are constants where the driver's type says them. Inlined, so that
    /// they reach what is computed from them.
    #[inline(always)]
    fn sizes(&self) -> Layout {
        Self::sizes_in(self.state)
    }

    #[inline(always)]
    fn sizes_in(state: &State) -> Layout {
        match Self::FIXED {
            Some(Layout { unit, erase, segment, cell, body_max, record_max, .. }) => {
                let segments = state.segments;
                Layout { unit, erase, segment, segments, cell, body_max, record_max, ..state.layout }
            }
            None => state.layout,
        }
    }

    fn header_length(&self) -> u32 {
        header_length::<S>(&self.sizes())
    }

    fn physical(&self, sequence: u32) -> u32 {
        self.sizes().physical(sequence)
    }

    /// Where a position is on the part. Not inlined: a division with its check is not short.
    #[inline(never)]
    fn address(&self, at: Position) -> u32 {
        self.sizes().address(at)
    }

    /// There are at most 65,535 segments.
    #[expect(clippy::cast_possible_truncation, reason = "at most 65,535")]
    fn physical_u16(&self, sequence: u32) -> u16 {
        self.physical(sequence) as u16
    }

    fn position(&self, pointer: Pointer) -> Position {
        Self::position_in(self.state, pointer)
    }

    /// The same by the state alone: what pauses must not hold on to the flash, which others may not share.
    fn position_in(state: &State, pointer: Pointer) -> Position {
        pointer.position(&Self::sizes_in(state), state.log.end.sequence)
    }

    /// Segments that no run may take: compaction copies into one, and the next mount may need one. Parts of few
    /// segments make do with two.
    fn kept_free(&self) -> u32 {
        if self.sizes().segments < 8 { 2 } else { 3 }
    }

    /// Segments that hold no log from `oldest` on, by sequence numbers; a retired one still has a number.
    fn free_segments(&self, oldest: u32) -> u32 {
        (oldest + self.sizes().segments - 1)
            .saturating_sub(self.state.log.end.sequence.saturating_add(self.state.counts.bad()))
    }

    /// The next record is the first of this power session, and closes a hole.
    fn has_hole(&self) -> bool {
        self.state.log.counted != self.state.log.end.offset
    }

    fn used_of(&mut self, sequence: u32) -> Option<&mut u8> {
        let behind = self.sizes().record_max + self.physical(sequence);
        self.buffer.get_mut(behind as usize)
    }

    /// Nobody has counted what the index has of each segment.
    fn forget_used(&mut self) {
        let behind = self.sizes().record_max;
        if !C::SMALL {
            self.buffer.get_mut(behind as usize..).unwrap_or_default().fill(UNKNOWN);
        }
    }
}

impl<F, S, C> core::fmt::Debug for Store<'_, F, S, C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Store")
            .field("layout", &self.state.layout)
            .field("report", &self.state.report)
            .finish_non_exhaustive()
    }
}
