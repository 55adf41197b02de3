//! The store against its model, on every geometry, under power cuts, faults and attack.
#![allow(clippy::cast_possible_truncation, missing_docs, unreachable_pub)]

mod cuts;
mod random;
mod world;
