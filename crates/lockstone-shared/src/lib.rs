//! One store, shared: each thread or task holds a handle with a client's number, and calls it without a thought of the others.
//!
//! ```text
//! boundary of the system ── Handle::of(&shared, NUMBER) ──> thread or task ── put, get ──> lock ──> Client of that number
//! ```
//!
//! Two modules with the same calls: `threads` (feature `std`) waits for the lock, `embassy` (feature of that name) gives the
//! processor away meanwhile. Nothing else is in here: what is promised of a call is what [`Client`](lockstone::Client) promises. What
//! a handle lacks (a factory reset, transactions, statistics), whoever has the `Shared` does under its `lock`.
//!
//! A store that one task owns, as in RTIC, needs no wrapper at all. docs/systems.md has a guide for each system.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "std")]
extern crate std;

#[cfg(any(feature = "std", feature = "embassy"))]
#[macro_use]
mod handle;

#[cfg(feature = "embassy")]
pub mod embassy;
#[cfg(feature = "std")]
pub mod threads;
#[cfg(feature = "embassy")]
mod turns;
