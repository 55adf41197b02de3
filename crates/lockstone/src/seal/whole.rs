//! What the blocking store calls: each in one go.

use core::marker::PhantomData;

use super::{Keys, Message, Suite, Tag};

/// Bytes that a digest takes between two pauses.
#[cfg(feature = "objects")]
pub(crate) const PIECE: usize = usize::MAX;

/// Nobody else waits.
#[inline(always)]
pub(crate) const fn pause() {}

/// Where a caller is with a message: at its end.
pub(crate) enum Turn {
    First,
}

/// What a suite works with: nothing that would outlast a call.
pub(crate) struct Scratch<S>(PhantomData<S>);

impl<S: Suite> Scratch<S> {
    pub(crate) const IDLE: Self = Self(PhantomData);

    #[inline(always)]
    pub(crate) fn seal(&mut self, _turn: &mut Turn, keys: &Keys, message: Message<'_>) -> Option<Tag> {
        let Message { domain, at, associated, text } = message;
        Some(S::seal(keys, domain, at, associated, text))
    }

    #[inline(always)]
    pub(crate) fn unseal(&mut self, _turn: &mut Turn, keys: &Keys, message: Message<'_>, tag: &[u8]) -> Option<bool> {
        let Message { domain, at, associated, text } = message;
        Some(S::unseal(keys, domain, at, associated, text, tag))
    }

    #[inline(always)]
    pub(crate) fn digest(&mut self, keys: &Keys, words: impl Iterator<Item = u64>) -> u64 {
        S::digest(keys, words)
    }
}
