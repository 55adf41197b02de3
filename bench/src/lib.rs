//! Lockstone and its peers, measured side by side on one simulated flash.
//!
//! ```text
//! workloads ──> World ──> Store (of a Contender) ──> Port ──> Chip ──> SimFlash of lockstone-sim
//!     │           └────── Tally: what each operation asked of the chip ─┘
//!     v
//!   Sheet of Rows ──> bars ──> one object a line
//!                └──> tables, charts, costs on real parts ──> docs/performance.md
//! ```
//!
//! What holds:
//! - every store gets the same operations: [`load`] draws them from a seed;
//! - only the chip is asked what happened ([`chip`]), never the store;
//! - answers are checked ([`world`]): a key that was put is found, one that was not isn't;
//! - a store that can't do something, fails, panics or takes too long gets a row that says so, and the run goes on;
//! - counts are the same on every machine; times are not, and are shown as ratios only.
//!
//! This is a package of its own, outside of the workspace: the peers and what they depend on are no part of Lockstone.

pub mod bars;
pub mod chip;
pub mod cost;
pub mod executor;
pub mod heap;
pub mod load;
pub mod measure;
pub mod model;
pub mod random;
pub mod report;
pub mod stores;
pub mod workloads;
pub mod world;
