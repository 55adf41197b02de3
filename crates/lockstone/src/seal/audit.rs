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
use std::vec::Vec;

use super::{Domain, Keys, StoreId, Suite, Tag};
#[cfg(feature = "async")]
use super::{Sponge, paced::Work};
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
    /// The text of what each store is sealing in steps.
    static BEGUN: RefCell<HashMap<usize, Vec<u8>>> = RefCell::default();
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
    suite: core::marker::PhantomData<S>,
}

impl<S: Suite> Audited<S> {
    fn note(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &[u8], tag: Tag) {
        let mut message = DefaultHasher::new();
        (domain as u8, at.sequence, at.offset, associated, text).hash(&mut message);
        let message = message.finish();
        let key = S::hash(keys, u64::MAX, b"which key is it?");
        SEEN.with_borrow_mut(|(ledger, seen)| {
            ledger.seals += 1;
            match seen.insert((key, tag), message) {
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

    fn unlock<K: RootKey>(keys: &mut Keys, root: &K, id: &StoreId) -> Result<(), RootKeyError> {
        S::unlock(keys, root, id)
    }

    fn seal(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &mut [u8]) -> Tag {
        let plain = text.to_vec();
        let tag = S::seal(keys, domain, at, associated, text);
        Self::note(keys, domain, at, associated, &plain, tag);
        tag
    }

    fn unseal(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &mut [u8], tag: &[u8]) -> bool {
        S::unseal(keys, domain, at, associated, text, tag)
    }

    fn hash(keys: &Keys, space: u64, name: &[u8]) -> u64 {
        S::hash(keys, space, name)
    }

    fn digest(keys: &Keys, words: impl Iterator<Item = u64>) -> u64 {
        S::digest(keys, words)
    }

    #[cfg(feature = "async")]
    fn step(work: &mut Work<'_>) -> bool {
        let sealing = work.given.is_none();
        let store = core::ptr::from_ref(&*work.progress).addr();
        if sealing && (work.progress.second, work.progress.part, work.progress.done) == (false, 0, 0) {
            BEGUN.with_borrow_mut(|begun| begun.insert(store, work.text.to_vec()));
        }
        let more = S::step(work);
        if sealing && !more {
            let text = BEGUN.with_borrow_mut(|begun| begun.remove(&store)).unwrap_or_default();
            Self::note(work.keys, work.domain, work.at, work.associated, &text, work.progress.tag);
        }
        more
    }

    #[cfg(feature = "async")]
    const DIGEST_IN_STEPS: bool = S::DIGEST_IN_STEPS;

    #[cfg(feature = "async")]
    fn digest_begin(sponge: &mut Sponge, keys: &Keys) {
        S::digest_begin(sponge, keys);
    }

    #[cfg(feature = "async")]
    fn digest_word(sponge: &mut Sponge, word: u64) {
        S::digest_word(sponge, word);
    }

    #[cfg(feature = "async")]
    fn digest_end(sponge: &mut Sponge) -> u64 {
        S::digest_end(sponge)
    }
}
