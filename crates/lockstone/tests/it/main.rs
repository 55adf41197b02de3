//! The store against its model, on every geometry, under power cuts, faults and attack.
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used, missing_docs, unreachable_pub)]

#[cfg(feature = "async")]
mod asynchronous;
mod audited;
mod clients;
mod counter;
mod cuts;
mod dense;
#[cfg(feature = "aes")]
mod engine;
mod example;
mod faults;
mod forgotten;
mod found;
mod hostile;
mod interface;
#[cfg(feature = "aes")]
mod key_life;
mod protected;
mod random;
mod replayed;
mod reviewed;
mod short;
mod signposts;
mod small;
mod trust;
