//! What the asynchronous store calls: long ones give the processor away in between.
//!
//! A caller goes on until it gets what it asked for, and pauses in between. `whole.rs` has the same for the blocking store, which gets
//! it at once.

use core::marker::PhantomData;
use core::mem::replace;
use core::pin::Pin;
use core::task::{Context, Poll};

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::{Domain, Keys, Message, Sponge, Suite, Tag};
use crate::layout::Position;

/// Steps between two pauses: each some 5,000 instructions of a small processor.
const STEPS: usize = 3;
/// Words of a digest between two pauses: each a permutation, some 2,500 instructions.
const WORDS: u32 = 5;

/// Bytes that a digest takes between two pauses: of SHA-256 some 4,000 instructions a block of 64.
#[cfg(feature = "objects")]
pub(crate) const PIECE: usize = 256;

/// Gives the processor away once: what is ready runs, then we go on.
pub(crate) const fn pause() -> Pause {
    Pause(true)
}

/// A pause that is still to come.
pub(crate) struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !replace(&mut self.0, false) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// How far a message is sealed or unsealed. Lies in the store and not in the future of a call: a future with something to wipe
/// when it's dropped costs code in all that wait for it.
pub struct Progress {
    pub(super) sponge: Sponge,
    /// The tag that the message has.
    pub(super) tag: Tag,
    /// Which pass, which part of it, and how many bytes of the part are done.
    pub(super) second: bool,
    pub(super) part: usize,
    pub(super) done: usize,
}

impl Progress {
    /// Before a message.
    fn begin(&mut self) {
        self.tag = Tag::default();
        (self.second, self.part, self.done) = (false, 0, 0);
    }
}

/// A message that is being sealed or unsealed.
pub struct Work<'a> {
    pub(super) progress: &'a mut Progress,
    pub(super) keys: &'a Keys,
    pub(super) domain: Domain,
    pub(super) at: Position,
    pub(super) associated: &'a [u8],
    pub(super) text: &'a mut [u8],
    /// The tag that is on flash, when it's unsealed.
    pub(super) given: Option<&'a [u8]>,
}

impl Work<'_> {
    /// All in one go.
    pub(super) fn at_once<S: Suite>(&mut self) -> bool {
        let Self { progress, keys, domain, at, associated, given, .. } = self;
        match given {
            None => progress.tag = S::seal(keys, *domain, *at, associated, self.text),
            Some(given) => {
                let good = S::unseal(keys, *domain, *at, associated, self.text, given);
                for (byte, given) in progress.tag.iter_mut().zip(*given) {
                    *byte = if good { *given } else { !*given };
                }
            }
        }
        false
    }
}

/// Where a caller is with a message. It begins anew with each: of one whose call was dropped nothing goes on.
pub(crate) enum Turn {
    First,
    Next,
    Last,
}

/// What a suite works with between two pauses.
pub(crate) struct Scratch<S> {
    progress: Progress,
    suite: PhantomData<fn() -> S>,
}

impl<S: Suite> Scratch<S> {
    pub(crate) const IDLE: Self = Self {
        progress: Progress { sponge: Sponge::IDLE, tag: [0; 16], second: false, part: 0, done: 0 },
        suite: PhantomData,
    };

    /// Goes on sealing; `None`: not done yet, it's time for a pause. The message must be the same each time.
    pub(crate) fn seal(&mut self, turn: &mut Turn, keys: &Keys, message: Message<'_>) -> Option<Tag> {
        let progress = &mut self.progress;
        let Message { domain, at, associated, text } = message;
        let done = go_on::<S>(turn, Work { progress, keys, domain, at, associated, text, given: None });
        done.then_some(self.progress.tag)
    }

    /// Goes on unsealing, the same way.
    pub(crate) fn unseal(&mut self, turn: &mut Turn, keys: &Keys, message: Message<'_>, tag: &[u8]) -> Option<bool> {
        let progress = &mut self.progress;
        let Message { domain, at, associated, text } = message;
        let work = Work { progress, keys, domain, at, associated, text: &mut *text, given: Some(tag) };
        if !go_on::<S>(turn, work) {
            return None;
        }
        let good = bool::from(self.progress.tag.get(..S::TAG).unwrap_or_default().ct_eq(tag));
        self.progress.tag.zeroize();
        if !good {
            text.zeroize();
        }
        Some(good)
    }

    pub(crate) async fn digest(&mut self, keys: &Keys, words: impl Iterator<Item = u64>) -> u64 {
        pause().await;
        if !S::DIGEST_IN_STEPS {
            return S::digest(keys, words);
        }
        S::digest_begin(&mut self.progress.sponge, keys);
        let mut steps = 0;
        for word in words {
            S::digest_word(&mut self.progress.sponge, word);
            steps += 1;
            if steps % WORDS == 0 {
                pause().await;
            }
        }
        let digest = S::digest_end(&mut self.progress.sponge);
        self.progress.sponge.state.zeroize();
        digest
    }
}

/// A few steps; nothing but a pause at first, and another at last, when all is done.
#[inline(never)]
fn go_on<S: Suite>(turn: &mut Turn, mut work: Work<'_>) -> bool {
    match turn {
        Turn::First => {
            work.progress.begin();
            *turn = Turn::Next;
        }
        Turn::Next => {
            if (0..STEPS).any(|_| !S::step(&mut work)) {
                *turn = Turn::Last;
            }
        }
        Turn::Last => return true,
    }
    false
}

#[cfg(all(test, feature = "ascon", feature = "plain"))]
mod tests {
    use core::pin::pin;
    use core::task::Waker;
    use std::vec::Vec;

    use super::*;
    use crate::seal::{Ascon, Plain, SoftRootKey};

    const AT: Position = Position { sequence: 9, offset: 128 };
    const DOMAINS: [Domain; 3] = [Domain::Record, Domain::ClearRecord, Domain::Chunk];

    /// What a future gives, and how often it gave way.
    fn finish<T>(future: impl Future<Output = T>) -> (T, usize) {
        let mut future = pin!(future);
        let mut pauses = 0;
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return (output, pauses);
            }
            pauses += 1;
        }
    }

    fn bytes(length: usize) -> Vec<u8> {
        (0..=u8::MAX).cycle().map(|byte| byte.wrapping_mul(37)).take(length).collect()
    }

    async fn seal<S: Suite>(
        scratch: &mut Scratch<S>,
        keys: &Keys,
        domain: Domain,
        associated: &[u8],
        text: &mut [u8],
    ) -> Tag {
        let mut turn = Turn::First;
        loop {
            match scratch.seal(&mut turn, keys, Message { domain, at: AT, associated, text: &mut *text }) {
                Some(tag) => return tag,
                None => pause().await,
            }
        }
    }

    async fn unseal<S: Suite>(
        scratch: &mut Scratch<S>,
        keys: &Keys,
        domain: Domain,
        associated: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> bool {
        let mut turn = Turn::First;
        loop {
            match scratch.unseal(&mut turn, keys, Message { domain, at: AT, associated, text: &mut *text }, tag) {
                Some(good) => return good,
                None => pause().await,
            }
        }
    }

    fn tag_of<S: Suite>(tag: &Tag) -> &[u8] {
        tag.get(..S::TAG).unwrap_or_default()
    }

    /// For each length, what is sealed in steps is what is sealed in one go, and comes back in steps.
    fn compare<S: Suite>(bytes_of_a_pause: usize) {
        let mut keys = Keys::none();
        assert!(S::unlock(&mut keys, &SoftRootKey::new([7; 32]), b"store-01").is_ok());
        let mut scratch = Scratch::<S>::IDLE;
        for length in (0..70).chain([255, 256, 257, 1024]) {
            for (domain, associated) in DOMAINS.into_iter().zip([0, 13, 60]) {
                let (associated, plain) = (bytes(associated), bytes(length));
                let (mut whole, mut text) = (plain.clone(), plain.clone());
                let tag = S::seal(&keys, domain, AT, &associated, &mut whole);
                let (paced, pauses) = finish(seal(&mut scratch, &keys, domain, &associated, &mut text));
                assert_eq!((paced, &text), (tag, &whole), "{} {domain:?} {length}", S::NAME);
                assert!(pauses >= length / bytes_of_a_pause, "{} {domain:?} {length}: {pauses} pauses", S::NAME);
                let (good, _) = finish(unseal(&mut scratch, &keys, domain, &associated, &mut text, tag_of::<S>(&tag)));
                assert!(good && text == plain);
                whole.push(1);
                let (good, _) = finish(unseal(&mut scratch, &keys, domain, &associated, &mut whole, tag_of::<S>(&tag)));
                assert!(!good);
            }
        }
        for heads in [0, 1, 2, 3, 47, 48, 100] {
            let words = || (0..heads).map(|word: u64| word.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let (paced, pauses) = finish(scratch.digest(&keys, words()));
            assert_eq!(paced, S::digest(&keys, words()), "{} {heads}", S::NAME);
            assert!(pauses > words().count() / 5, "{} {heads} heads: {pauses} pauses", S::NAME);
        }
    }

    #[test]
    fn in_steps_or_in_one_go_is_the_same() {
        compare::<Ascon>(48);
        compare::<Plain>(192);
    }

    #[test]
    fn what_fails_is_wiped_and_a_sponge_that_has_served() {
        let mut keys = Keys::none();
        Ascon::unlock(&mut keys, &SoftRootKey::new([7; 32]), b"store-01").unwrap();
        let mut scratch = Scratch::<Ascon>::IDLE;
        let mut text = bytes(100);
        let mut tag = Ascon::seal(&keys, Domain::Record, AT, b"", &mut text);
        tag[15] ^= 1;
        assert!(!finish(unseal(&mut scratch, &keys, Domain::Record, b"", &mut text, &tag)).0);
        assert!(text.iter().all(|byte| *byte == 0) && scratch.progress.sponge.state == [0; 5]);
        let _ = finish(scratch.digest(&keys, 0..5));
        assert_eq!(scratch.progress.sponge.state, [0; 5]);
    }
}
