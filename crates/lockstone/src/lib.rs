//! Secure key-value storage on raw flash: power-fail safe, sealed, wear-levelled, in RAM that the caller hands in.
//!
//! ```
//! use lockstone::{Ascon, Memory, Part, SoftRootKey, Store, buffer_size};
//! # use lockstone_sim::SimFlash;
//! # struct Dice;
//! # impl rand_core::TryRng for Dice {
//! #     type Error = core::convert::Infallible;
//! #     fn try_next_u32(&mut self) -> Result<u32, Self::Error> { Ok(4) }
//! #     fn try_next_u64(&mut self) -> Result<u64, Self::Error> { Ok(4) }
//! #     fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> { Ok(to.fill(4)) }
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (mut flash, mut random) = (SimFlash::<1, 4, 4096>::new(64 * 4096, 0xff), Dice);
//! let root = SoftRootKey::new([0x42; 32]); // from a fuse bank, a TPM, a protected file
//! let mut memory = Memory::<64, { buffer_size(1, 4, 4096) + 64 }>::new();
//! let mut store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &root, &mut random, &mut memory)?;
//! # assert_eq!(store.stats()?.capacity_bytes, 211_680, "the example of the section Capacity");
//! store.put("wifi/psk", b"correct horse battery staple")?;
//! drop(store); // or the power goes
//!
//! let mut store = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &root, &mut memory)?;
//! let mut value = [0; 64];
//! assert_eq!(store.get("wifi/psk", &mut value)?, Some(28));
//! # Ok(()) }
//! ```
//!
//! # What is promised
//! - **Durable and atomic.** When a call that changes something returns success, its effect survives any power cut. When
//!   it does not return, the old state or the new state is there, whole: also for a value of many records, for a
//!   [`Transaction`] over any number of keys, while compacting, on a full store, and for cuts during recovery.
//! - **Private and authentic** (suite [`Ascon`]). Names and values are encrypted and authenticated; nothing is released
//!   before its tag was verified; absence is as authentic as presence. No flash content makes the store panic or loop.
//! - **Never silent.** A mount writes nothing. Blank, foreign, half-formatted, torn and damaged content are told apart
//!   ([`OpenError`], [`Report`]); what can't be answered for is refused ([`Error::Damaged`]), the rest is served.
//! - **Even wear.** Segments are used in turn: no segment is erased more than once more often than another.
//!
//! - **Fresh** (a sealed suite, and a counter that the attacker can't write). Once a *protected* commit has returned, no
//!   older image of the flash undoes it: such an image is refused ([`OpenError::RolledBack`]), whole or in part, also one
//!   that a power cut left. Which commits are protected is said write by write ([`Put`]), entry by entry
//!   ([`Attributes`]) or once for all ([`Protection`](trust::Protection)). See [`Store::mount_protected`] and [`trust`].
//!
//! Without a counter, and for writes that are not protected, an attacker who puts a whole older image back is not
//! noticed. See SECURITY.md for what exactly holds.
//!
//! # Words
//! - A **unit** is the program unit, at least 4 bytes. A **segment** is an erase block, or as many as make 2 KiB and 32 units.
//! - A **record** is one sealed message of the log; a value of more than `body_max` bytes with its name ([`Layout`]) is
//!   cut into **chunks**, a record each.
//! - A **run** is a group of records that count together or not at all: the chunks of a value and its entry, all records
//!   of a transaction, or, mostly, one record.
//! - A **cut** is power going away at any moment, in the middle of a program or erase too. A **power session** lasts
//!   from a mount to a cut or a close.
//! - **Damage** is content that was written and counted and can't be read any more; it's never taken for a cut write.
//!
//! # What atomic means
//! Let *S* be the content of the store before a call that changes something (put, delete, the commit of a transaction),
//! and *S'* what the call makes of it.
//! 1. When the call returns success, every later mount finds *S'*, or what later calls made of it.
//! 2. When power is cut during the call, the next mount finds *S* or *S'*, never anything else; and whatever was read
//!    from it once is what every later mount finds. Cuts during that mount and its first write change nothing of this.
//! 3. When the call returns an error, the store is *S*; after [`Error::Flash`] it is *S* or *S'*, and the next call finds
//!    out from flash which.
//! 4. An `async` call that is dropped half-way is a cut without power going: *S* or *S'*.
//!
//! Compaction moves records and changes no content; it obeys the same rules.
//!
//! # What the flash must do
//! Programming changes erased bits only. A program or erase that returned success is stable; one that was cut may leave
//! anything in the bytes it covered, also bits that read differently each time, until they are erased. Whatever is not
//! covered stays. Programming the very same bytes again over a cut attempt makes them stable. No program unit is
//! programmed twice between erases otherwise. A driver must not report success before the part does, and must not
//! cache or reorder programs across each other.
//!
//! # Capacity
//! With `n` segments of `s` bytes, `b` of them retired, and `r` = 4 (3 on parts of fewer than 8 segments), a store takes
//! records of `(n - b - r) * (s - header - list - body_max - 64)` bytes ([`Stats::capacity_bytes`]); `list` is a record of
//! `s / 32` bytes, at least 64 and at most 512, and nothing in a [small store](Small). A record takes 4 bytes, a
//! link (4) and a tag (16) with `ascon` or a tag of 4 with `plain`, its name and value, rounded up to units, and an
//! allowance for pointers of about `log2(keys / heads) + 2` times 8 (6) bytes, at least one. What fits does not depend
//! on history: fill, empty and fill again holds the same number of keys, and a delete always succeeds. (ARCHITECTURE.md (i) says
//! when that fails: power cut early in dozens of sessions in a row, or, on a nearly full store, far
//! more keys than heads, or values of kilobytes that are replaced again and again.)
//!
//! For example: 64 segments of 4 KiB, sealed, header 92, list 156, `body_max` 256: 60 * 3,528 = 211,680 bytes. A value of
//! 32 bytes under a name of 10 takes 24 + 42, padded 68, and 8 to 16 for pointers: about 2,600 keys.
//!
//! # Lifetime
//! All segments of the log are erased in turn, so a part of `n` segments that last `e` erases each takes
//! `n * e * s` bytes of log. A write of a record of `w` bytes costs `w / (1 - fill)` bytes of log when all keys are
//! written equally often, less when some are hotter; a power session that writes costs a resume record and on average one
//! cell (128 bytes or a unit), and an orderly close one mark, more.
//!
//! For example: the part above with 10,000 erases, half full, 68-byte records: 64 * 10,000 * 4,096 / 136 is 19 million
//! writes, or ten a minute for three and a half years; ten a day last longer than the part.
//!
//! # RAM and time
//! [`Memory`] is all that is used beside the stack: 8 bytes a head, a record buffer, a byte a segment. A get reads
//! about 1.2 records when there are twice as many heads as keys and about 3 when there are 20 keys a head; a put the same,
//! and its own read-back. A mount reads how each header begins and the last few segments; when something does not fit, and
//! in a [small store](Small), the whole log once. A call that changes something compacts its share: at most what two
//! segments hold or twice what it writes, in a small store as much as it must.
//!
//! # Why it holds, in outline
//! The tag of a record is bound to its place, and its place to one life of its segment, so a record can't be moved or
//! replayed elsewhere. Each record carries the beginning of the tag before it, and each header how the segment before
//! it ends, so the log can't be spliced. The newest record of each bucket is known in RAM, and each record says which
//! others stand behind it, by place and tag, so everything that is read is pinned from RAM. A digest of those heads in
//! each header and closing mark tells damage that matters from damage that does not. `docs/spec/format.md` has the
//! bytes, ARCHITECTURE.md the way of the data, `tests/it` the attacks.
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core, clippy::indexing_slicing)]

#[cfg(any(test, feature = "fuzzing"))]
extern crate std;

/// What docs/porting.md shows compiles and runs.
#[cfg(all(doctest, feature = "ascon"))]
#[doc = include_str!("../../../docs/porting.md")]
struct Porting;

mod attributes;
mod error;
mod format;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod inspect;
mod key;
mod layout;
mod memory;
#[cfg(feature = "objects")]
mod object;
mod report;
mod rights;
pub mod seal;
#[cfg(feature = "objects")]
mod slot;
mod state;
#[cfg(feature = "objects")]
mod table;
pub mod trust;
#[cfg(feature = "typed")]
pub mod typed;
mod volume;

pub use attributes::{Attributes, AttributesError, Put};
pub use error::{Error, OpenError, ResealError};
pub use format::FORMAT_VERSION;
#[cfg(feature = "objects")]
pub use format::object::Manifest;
pub use format::pointer::Pointer as Head;
pub use key::{ClientId, Key};
pub use layout::{Layout, LayoutError, POINTERS_MAX, Part, Position, buffer_size};
pub use memory::{Memory, Ram};
#[cfg(feature = "objects")]
pub use object::{BlockUse, ObjectError, ObjectLayout, ResealObjectsError, Suspended, Unfinished, Upload};
pub use report::{CounterState, Cursor, Report, Stats};
#[cfg(feature = "plain")]
pub use seal::Plain;
#[cfg(feature = "aes")]
pub use seal::{Aes, AesSiv};
#[cfg(feature = "ascon")]
pub use seal::{Ascon, SoftRootKey};
#[cfg(feature = "objects")]
pub use slot::{InstallError, Installed};
pub use state::Handed as State;
#[cfg(feature = "objects")]
pub use table::{ChangeError, TableError, VOLUMES_MAX, VolumeEntry, VolumeKind, VolumeTable, Volumes};
pub use trust::{Reader, Small};
pub use volume::{Volume, VolumeError};

/// The blocking store, over `embedded_storage::nor_flash::NorFlash`.
#[path = "."]
pub mod blocking {
    use embedded_storage::nor_flash::NorFlash;
    use lockstone_macros::strip as one_source;

    use crate::seal::whole as sealing;

    #[path = "engine/mod.rs"]
    mod engine;
    pub use engine::{Client, Clients, Store, Transaction};
    #[cfg(feature = "objects")]
    pub use engine::{Objects, Reseal, Slot};
}

/// The asynchronous store, over `embedded_storage_async::nor_flash::NorFlash`. Others run at each flash operation, and while
/// it seals. Any call may be dropped at any await: the store then looks at its flash again, as after a power cut, before it
/// does anything else.
#[cfg(feature = "async")]
#[path = "."]
pub mod asynchronous {
    use embedded_storage_async::nor_flash::NorFlash;
    use lockstone_macros::keep as one_source;

    use crate::seal::paced as sealing;

    #[path = "engine/mod.rs"]
    #[expect(clippy::duplicate_mod, reason = "one source, two stores")]
    mod engine;
    pub use engine::{Client, Clients, Store, Transaction};
    #[cfg(feature = "objects")]
    pub use engine::{Objects, Reseal, Slot};
}

pub use blocking::{Client, Clients, Store, Transaction};
#[cfg(feature = "objects")]
pub use blocking::{Objects, Reseal, Slot};
pub use rights::{EVERYONE, Quota, Rights, SHARES_MAX};
