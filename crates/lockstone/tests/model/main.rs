//! Models of the two ideas that the engine stands on, small enough to be searched: the index trie that is threaded
//! through the log, and the commit that no old image can undo. They share no code with the engine.
//!
//! `cargo test -p lockstone --test model -- --nocapture` prints what they measure.

mod counter;
mod trie;
