//! NOR flash that loses power whenever a test wants it to.
//!
//! [`SimFlash`] is a flash chip in memory with the traits of `embedded-storage` (and, with the feature `async`, those of
//! `embedded-storage-async`). It is what a storage engine is tested on: it refuses what a real chip must not be asked to
//! do, it can be cut in the middle of every program and every erase in ten ways ([`Tear`]), its blocks can fail or wear
//! out ([`BlockFault`]), and an attacker can rewrite its content between two boots.
//!
//! Beside it there is what an attacker can't write: a counter ([`SimCounter`]) and fuses ([`SimOtp`]). Plugged into one
//! [`Power`] supply, they and the flash have one count of operations, and one cut ends all.
//!
//! Invariants:
//! - the same seed and the same calls give the same bytes, the same errors and the same counts;
//! - a program changes nothing outside its own range, an erase nothing outside its own block, torn or not;
//! - bits move away from the erased value only by programs and back only by erases;
//! - a unit is programmed once between erases, with the one exception that [`SimFlash`] documents;
//! - a snapshot is a `clone`, and `clone_from` reuses the memory of the older snapshot.
//!
//! Tested by the suites under `tests/`, one for each of: cells, tears, faults, the attacker's hand, futures, geometries,
//! power, fuses.
//!
//! # Example
//!
//! Cut the power in the middle of a program and read what is left:
//!
//! ```
//! use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
//! use lockstone_sim::{SimError, SimFlash, Tear};
//!
//! let mut flash = SimFlash::<1, 4, 4096>::new(8 * 4096, 0xff);
//! flash.set_seed(7);
//! flash.cut_at(1, Tear::Prefix); // the next operation but one
//!
//! assert_eq!(flash.write(0, b"good"), Ok(()));
//! assert_eq!(flash.write(4, b"torn"), Err(SimError::PowerCut));
//! assert!(flash.is_cut());
//!
//! flash.power_on();
//! let mut left = [0; 8];
//! flash.read(0, &mut left)?;
//! assert_eq!(&left[..4], b"good");
//! assert!((0..4).any(|done| left[4..4 + done] == b"torn"[..done] && left[4 + done..].iter().all(|&byte| byte == 0xff)));
//! # Ok::<(), SimError>(())
//! ```

#[cfg(feature = "async")]
mod asynchronous;
mod bits;
mod counter;
mod counts;
mod error;
mod fault;
mod flash;
pub mod geometry;
mod hand;
mod otp;
mod power;
mod random;
mod scar;
mod tear;
mod trace;

pub use counter::{CounterFault, SimCounter};
pub use counts::Counts;
pub use error::{SimError, Violation};
pub use fault::BlockFault;
pub use flash::SimFlash;
pub use otp::{BitFault, SimOtp};
pub use power::Power;
pub use tear::{Cut, Tear, UnknownTear};
pub use trace::{TraceEntry, TraceKind};
