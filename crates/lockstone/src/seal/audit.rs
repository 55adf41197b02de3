//! Audit: no two different messages are ever encrypted from the same point of the key stream.
//!
//! [`Audited`] is a suite that notes, for each message it seals, under which key, from which IV (with SIV that's the tag),
//! and what. Two different messages, or one message at two places, under one key and IV are a finding. What is noted
//! outlives the store: all lives of a device can be held against each other, with cuts, roll-backs and formats between
//! them. For tests; a thread has a ledger of its own.

use core::cell::RefCell;
use core::hash::{Hash, Hasher};
use std::collections::HashMap;
use std::hash::DefaultHasher;
use std::thread_local;

use super::{Domain, StoreId, Suite, Tag};
use crate::layout::Position;
use crate::trust::{RootKey, RootKeyError};

/// What was sealed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Messages sealed.
    pub seals: u64,
    /// Of these, the ones that were sealed before, the very same at the same place: nothing new is said by them.
    pub repeats: u64,
    /// Two different messages under one key and IV.
    pub findings: u64,
}

/// For each key and IV, what was sealed from there.
type Seen = HashMap<(u64, Tag), u64>;

thread_local! {
    static SEEN: RefCell<(Ledger, Seen)> = RefCell::default();
}

/// What this thread has sealed so far.
#[must_use]
pub fn ledger() -> Ledger {
    SEEN.with_borrow(|(ledger, _)| *ledger)
}

/// The same; the ledger is empty then.
pub fn take_ledger() -> Ledger {
    SEEN.with_borrow_mut(core::mem::take).0
}

/// A suite that is audited.
#[derive(Debug)]
pub struct Audited<S> {
    suite: S,
    /// Stands for the key.
    key: u64,
}

impl<S: Suite> Audited<S> {
    fn note(&self, domain: Domain, at: Position, associated: &[u8], text: &[u8], tag: Tag) {
        let mut message = DefaultHasher::new();
        (domain as u8, at.sequence, at.offset, associated, text).hash(&mut message);
        let message = message.finish();
        SEEN.with_borrow_mut(|(ledger, seen)| {
            ledger.seals += 1;
            match seen.insert((self.key, tag), message) {
                Some(before) if before == message => ledger.repeats += 1,
                Some(_) => ledger.findings += 1,
                None => {}
            }
        });
    }
}

impl<S: Suite> Suite for Audited<S> {
    const ID: u8 = S::ID;
    const NAME: &'static str = S::NAME;
    const TAG: usize = S::TAG;
    const LINK: usize = S::LINK;
    const OPAQUE: bool = S::OPAQUE;
    const CHECK: usize = S::CHECK;

    fn locked() -> Self {
        Self { suite: S::locked(), key: 0 }
    }

    fn unlock<K: RootKey>(&mut self, root: &K, id: &StoreId) -> Result<(), RootKeyError> {
        self.suite.unlock(root, id)?;
        self.key = self.suite.hash(u64::MAX, b"which key is it?");
        Ok(())
    }

    fn seal(&self, domain: Domain, at: Position, associated: &[u8], text: &mut [u8]) -> Tag {
        let plain = text.to_vec();
        let tag = self.suite.seal(domain, at, associated, text);
        self.note(domain, at, associated, &plain, tag);
        tag
    }

    fn unseal(&self, domain: Domain, at: Position, associated: &[u8], text: &mut [u8], tag: &[u8]) -> bool {
        self.suite.unseal(domain, at, associated, text, tag)
    }

    fn hash(&self, space: u64, name: &[u8]) -> u64 {
        self.suite.hash(space, name)
    }

    fn digest(&self, words: impl Iterator<Item = u64>) -> u64 {
        self.suite.digest(words)
    }
}
