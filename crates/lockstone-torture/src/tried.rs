//! Which store is tried: its suite, and whether it is a small one.

use lockstone::Error;
use lockstone::seal::Suite;
use lockstone::trust::{MonotonicCounter, NoCounter, Small};
use lockstone_sim::SimError;

use crate::world::{Change, SimStore};

/// A store to try. A suite stands for the standard store with it, [`SmallOf`] for the small one.
pub trait Tried: Sized {
    /// How it seals.
    type Suite: Suite;
    /// What it stands on.
    type Counter: MonotonicCounter;

    /// That.
    fn counter() -> Self::Counter;

    /// One transaction of these changes that has room for `bytes`; false when they don't fit. A small store has none, and
    /// does nothing.
    ///
    /// # Errors
    /// What the store says.
    fn transaction<const R: usize, const W: usize, const E: usize>(
        store: &mut SimStore<'_, R, W, E, Self>,
        plan: &[Change],
        bytes: u32,
        commit: bool,
    ) -> Result<bool, Error<SimError>>;
}

impl<S: Suite> Tried for S {
    type Suite = S;
    type Counter = NoCounter;

    fn counter() -> NoCounter {
        NoCounter
    }

    fn transaction<const R: usize, const W: usize, const E: usize>(
        store: &mut SimStore<'_, R, W, E, S>,
        plan: &[Change],
        bytes: u32,
        commit: bool,
    ) -> Result<bool, Error<SimError>> {
        let layout = *store.layout();
        let mut transaction = match store.transaction(bytes) {
            Err(Error::Full) => return Ok(false),
            other => other?,
        };
        for (name, value) in plan {
            match value {
                Some(value) => match transaction.put(&name[..], value) {
                    Err(error) if crate::world::is_no_room(error, value, &layout) => return Ok(false),
                    other => other?,
                },
                None => drop(transaction.delete(&name[..])?),
            }
        }
        if commit {
            transaction.commit()?;
        }
        Ok(true)
    }
}

/// The small store with the suite `S`.
#[derive(Debug)]
pub struct SmallOf<S>(S);

impl<S: Suite> Tried for SmallOf<S> {
    type Suite = S;
    type Counter = Small;

    fn counter() -> Small {
        Small
    }

    fn transaction<const R: usize, const W: usize, const E: usize>(
        _: &mut SimStore<'_, R, W, E, Self>,
        _: &[Change],
        _: u32,
        _: bool,
    ) -> Result<bool, Error<SimError>> {
        Ok(false)
    }
}

/// The stores that ids name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Standard, suite `ascon`.
    Ascon,
    /// Standard, suite `plain`.
    Plain,
    /// Small, suite `ascon`.
    SmallAscon,
    /// Small, suite `plain`.
    SmallPlain,
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ascon, Self::Plain, Self::SmallAscon, Self::SmallPlain];

    /// As ids have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascon => "ascon",
            Self::Plain => "plain",
            Self::SmallAscon => "small-ascon",
            Self::SmallPlain => "small-plain",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.name() == name)
    }

    /// Whether nothing is sealed.
    #[must_use]
    pub const fn is_plain(self) -> bool {
        matches!(self, Self::Plain | Self::SmallPlain)
    }

    /// Whether it is a small store.
    #[must_use]
    pub const fn is_small(self) -> bool {
        matches!(self, Self::SmallAscon | Self::SmallPlain)
    }
}

/// Whether small stores are tried on such a part too. Not on all: each kind of part is compiled for each sort, and what is
/// the small store's own does not depend on it.
pub(crate) const fn is_for_small(write: usize, erase: usize) -> bool {
    matches!((write, erase), (1, 4096) | (2 | 4, 1024) | (16, 4096) | (32, 8192))
}

/// Calls a function that is generic over what is tried; `$otherwise` for a small store on a part where it is not.
macro_rules! for_sort {
    ($sort:expr, $write:ident, $erase:ident, $stored:ident => $call:expr, $otherwise:expr) => {
        match $sort {
            $crate::Sort::Ascon => {
                type $stored = lockstone::Ascon;
                $call
            }
            $crate::Sort::Plain => {
                type $stored = lockstone::Plain;
                $call
            }
            small if const { $crate::tried::is_for_small($write, $erase) } => {
                if small.is_plain() {
                    type $stored = $crate::SmallOf<lockstone::Plain>;
                    $call
                } else {
                    type $stored = $crate::SmallOf<lockstone::Ascon>;
                    $call
                }
            }
            _ => $otherwise,
        }
    };
}
pub(crate) use for_sort;
