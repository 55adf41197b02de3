//! One device: a card, what was acknowledged on it, and scripts of the store's own tests.

use std::collections::BTreeMap;

use lockstone::{Ascon, Cursor, Error, Layout, Memory, Part, Store, buffer_size};
use lockstone_block::{BlockError, BlockFlash};
use lockstone_torture::{Fixed, Op, name, root, value};

use crate::card::{Card, PowerIsOff};

/// An erase block is a segment, the smallest that a store has on sectors.
pub(crate) const ERASE: usize = 16_384;
pub(crate) const BLOCKS: usize = 8;

type Flash<'c> = BlockFlash<&'c mut Card, ERASE>;
type Ram = Memory<16, { buffer_size(1, 512, ERASE) + BLOCKS }>;
type Model = BTreeMap<Vec<u8>, Vec<u8>>;
type Failed = Error<BlockError<PowerIsOff>>;

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    PowerCut,
    Wrong(String),
}

/// A card and its oracle.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) card: Card,
    model: Model,
    /// The model after the operation in flight.
    pending: Option<Model>,
    version: u64,
}

enum End {
    Done,
    Again(usize),
    Failed(String),
}

pub(crate) fn layout() -> Layout {
    Layout::of(1, 512, ERASE, BLOCKS * ERASE).unwrap()
}

fn flash(card: &mut Card) -> Flash<'_> {
    BlockFlash::new(card, 0, (BLOCKS * ERASE / 512) as u32, 0x00).unwrap()
}

impl Device {
    /// A store on a card that was never written.
    pub(crate) fn new(mut card: Card) -> Self {
        Store::<_, Ascon>::format(flash(&mut card), Part::ZERO_ERASED, &root(), &mut Fixed(7), &mut Ram::new())
            .unwrap();
        Self { card, model: Model::new(), pending: None, version: 0 }
    }

    /// Runs a script from a mount on.
    pub(crate) fn run(&mut self, script: &[Op]) -> Result<(), Stop> {
        let mut rest = script;
        loop {
            match self.session(|store, oracle| oracle.play(store, rest))? {
                None => return Ok(()),
                Some(at) => rest = &rest[at + 1..],
            }
        }
    }

    /// Power comes back: what was acknowledged is there, what was in flight too or not at all, and so it stays.
    pub(crate) fn verify(&mut self) -> Result<(), Stop> {
        self.session(|store, oracle| match oracle.compare(store) {
            Ok(()) => End::Done,
            Err(what) => End::Failed(what),
        })
        .map(drop)
    }

    fn session(
        &mut self,
        act: impl FnOnce(&mut Store<'_, Flash<'_>, Ascon>, &mut Oracle<'_>) -> End,
    ) -> Result<Option<usize>, Stop> {
        let Self { card, model, pending, version } = self;
        let mut memory = Ram::new();
        let end = match Store::<_, Ascon>::mount(flash(card), Part::ZERO_ERASED, &root(), &mut memory) {
            Ok(mut store) => act(&mut store, &mut Oracle { model, pending, version }),
            Err(error) => End::Failed(format!("mount: {error}")),
        };
        match end {
            End::Done => Ok(None),
            End::Again(at) => Ok(Some(at)),
            End::Failed(_) if self.card.is_off() => Err(Stop::PowerCut),
            End::Failed(what) => Err(Stop::Wrong(what)),
        }
    }
}

/// What must be there.
struct Oracle<'d> {
    model: &'d mut Model,
    pending: &'d mut Option<Model>,
    version: &'d mut u64,
}

impl Oracle<'_> {
    fn play(&mut self, store: &mut Store<'_, Flash<'_>, Ascon>, script: &[Op]) -> End {
        for (at, op) in script.iter().enumerate() {
            let done = match op {
                Op::Reopen | Op::Restart => return End::Again(at),
                Op::Fill(length) => (100..)
                    .map(|index| self.change(store, &[(index, Some(*length))], true))
                    .find(|done| done != &Ok(true))
                    .unwrap_or(Ok(true)),
                Op::Put(index, length) => self.change(store, &[(*index, Some(*length))], true),
                Op::Delete(index) => self.change(store, &[(*index, None)], true),
                Op::Transaction(changes) => self.change(store, changes, true),
                Op::Abandon(changes) => self.change(store, changes, false),
                Op::Look => self.compare(store).map(|()| true),
            };
            if let Err(what) = done {
                return End::Failed(what);
            }
        }
        End::Done
    }

    /// A put, a delete, or a transaction, which may be dropped; false when there is no room.
    fn change(
        &mut self,
        store: &mut Store<'_, Flash<'_>, Ascon>,
        changes: &[(usize, Option<usize>)],
        commit: bool,
    ) -> Result<bool, String> {
        let mut after = self.model.clone();
        let mut plan = Vec::new();
        for (index, length) in changes {
            *self.version += 1;
            let value = length.map(|length| value(*index, *self.version, length));
            match &value {
                Some(value) => after.insert(name(*index), value.clone()),
                None => after.remove(&name(*index)),
            };
            plan.push((name(*index), value));
        }
        *self.pending = commit.then_some(after);
        match apply(store, &plan, commit) {
            Ok(()) => {}
            Err(Error::Full | Error::TooLarge) => {
                *self.pending = None;
                return Ok(false);
            }
            Err(error) => return Err(format!("{changes:?}: {error}")),
        }
        if let Some(after) = self.pending.take() {
            *self.model = after;
        }
        Ok(true)
    }

    fn compare(&mut self, store: &mut Store<'_, Flash<'_>, Ascon>) -> Result<(), String> {
        let mut found = Model::new();
        let mut cursor = Cursor::new();
        let mut key = [0; 255];
        while let Some(length) =
            store.next_key(&mut cursor, 0, b"", &mut key).map_err(|error| format!("list: {error}"))?
        {
            let mut buffer = vec![0; 8192];
            let value = store.get(&key[..length], &mut buffer).map_err(|error| format!("get: {error}"))?;
            found.insert(key[..length].to_vec(), buffer[..value.ok_or("listed, and not there")?].to_vec());
        }
        if found != *self.model && self.pending.as_ref() != Some(&found) {
            return Err(format!("{} keys are there, and not as acknowledged", found.len()));
        }
        if !store.report().is_sound() {
            return Err(format!("false alarm: {:?}", store.report()));
        }
        (*self.model, *self.pending) = (found, None);
        Ok(())
    }
}

fn apply(
    store: &mut Store<'_, Flash<'_>, Ascon>,
    plan: &[(Vec<u8>, Option<Vec<u8>>)],
    commit: bool,
) -> Result<(), Failed> {
    if let ([(name, value)], true) = (plan, commit) {
        return match value {
            Some(value) => store.put(&name[..], value),
            None => store.delete(&name[..]).map(drop),
        };
    }
    let bytes = plan.iter().map(|(_, value)| 1_600 + value.as_ref().map_or(0, Vec::len) as u32 * 2).sum();
    let mut transaction = store.transaction(bytes)?;
    for (name, value) in plan {
        match value {
            Some(value) => transaction.put(&name[..], value)?,
            None => transaction.delete(&name[..]).map(drop)?,
        }
    }
    if commit { transaction.commit() } else { Ok(()) }
}
