//! A store on a block device: what the adapter does, and what a card may do to it.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test")]

mod adapter;
mod card;
mod cuts;
mod life;
