//! Lockstone for C: one library, the interface of the store itself, objects and slots, PSA Secure Storage 1.0, CFSTORE, Flash
//! Journal, and drivers of CMSIS-Driver Storage below and beside it.
//!
//! ```text
//! headers        lockstone*.h              psa/*.h   configuration_store.h   flash_journal.h    compared with this crate by its tests
//!                    │                        │              │                  │
//! edge           native_c objects_c         psa_c        cfstore_c          journal_c          pointers become slices (allegation.rs)
//!                    └────────────────────────┼──────────────┴──────────────────┘
//! boundary                                 shared                           one caller at a time; no panic beyond
//!                                          library                          the one open store
//! logic          native   objects           psa          cfstore/           journal            safe Rust
//!                                            └── calls ──┘                                     the store, for those two
//! platform       platform.rs: hooks in C    host/: a directory              flash, key, counter, randomness
//!                storage_c.rs: a driver in C (storage.rs: what is believed)  flash alone
//! beside         volume_manager_c.rs: such a driver, divided into several; never goes through the boundary
//! tests          sim_c.rs, sim_storage_c.rs: the simulator as platform and driver; fuzzing.rs; headers.rs, signatures.rs
//! ```
//!
//! There is no isolation in a linked library: whatever runs in the same address space can call and read everything. Where
//! clients are kept apart, it's the system's boundary that does so, and says by the `client` hook who is calling.
//!
//! `docs/c.md` is the guide for users.
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![cfg_attr(not(all(feature = "psa", feature = "cfstore")), allow(dead_code, reason = "some parts serve one face"))]
#![warn(clippy::std_instead_of_core)]

mod allegation;
#[cfg(any(feature = "psa", feature = "cfstore"))]
mod calls;
#[cfg(feature = "cfstore")]
mod cfstore;
#[cfg(feature = "cfstore")]
pub mod cfstore_c;
#[cfg(any(feature = "cfstore", feature = "storage"))]
pub mod common_c;
mod failure;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(all(test, feature = "psa", feature = "cfstore-mux", feature = "journal", feature = "volume-manager"))]
mod headers;
#[cfg(feature = "std")]
mod host;
#[cfg(feature = "journal")]
mod journal;
#[cfg(feature = "journal")]
pub mod journal_c;
mod library;
mod native;
pub mod native_c;
#[cfg(feature = "objects")]
mod objects;
#[cfg(feature = "objects")]
pub mod objects_c;
pub mod platform;
#[cfg(feature = "psa")]
mod psa;
#[cfg(feature = "psa")]
pub mod psa_c;
mod ram;
mod shared;
#[cfg(all(test, feature = "psa", feature = "cfstore-mux", feature = "journal", feature = "volume-manager"))]
mod signatures;
#[cfg(feature = "sim")]
pub mod sim_c;
#[cfg(all(feature = "sim", feature = "storage"))]
pub mod sim_storage_c;
#[cfg(feature = "storage")]
mod storage;
#[cfg(feature = "storage")]
pub mod storage_c;
#[cfg(feature = "volume-manager")]
pub mod volume_manager_c;

pub use native::Stats;
pub use platform::Platform;
#[cfg(feature = "psa")]
pub use psa::Info;
pub use ram::Memory;
#[cfg(feature = "storage")]
pub use storage::{Attributes, Block, Information};

/// Stops: there is nothing to unwind to.
#[cfg(all(feature = "panic-handler", not(any(feature = "std", test))))]
#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// For tests: the library is one, so they take turns.
#[cfg(all(test, feature = "std"))]
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
