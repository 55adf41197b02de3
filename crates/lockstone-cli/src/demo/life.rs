//! Life: changes, and power cuts at random flash operations; after every one everything is compared with the model.
//!
//! ```text
//! arm a cut ─> mount ─> verify every key ─> change ─> change ─> ... ─ power cut ─┐
//!     ^            └──────── power cut while recovering ──────────────────────────┤
//!     └───────────────────────────── power on <───────────────────────────────────┘
//! ```
//!
//! The first thing that is not right ends the run.

use lockstone::{Ascon, Cursor, Error, OpenError, Part, SoftRootKey, Store};
use lockstone_sim::{SimError, SimFlash, Tear};

use super::dice::Dice;
use super::model::{Change, Model, Verdict};
use super::script::Script;
use crate::device::Ram;
use crate::terminal::escaped;

/// The flash of the demo: any byte readable, words of 4, blocks of 4 KiB.
pub(crate) type Flash = SimFlash<1, 4, 4096>;

/// Every so many cuts all names are listed too.
const LISTING_EVERY: u32 = 16;

/// What happened.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cuts: u32,
    /// Cuts that hit before anything new was acknowledged since the cut before.
    pub(crate) cuts_in_recovery: u32,
    /// Cuts by kind of tear, in the order of [`Tear::ALL`].
    pub(crate) tears: [u32; Tear::ALL.len()],
    pub(crate) changes: u64,
    /// Bytes of names and values in acknowledged changes.
    pub(crate) payload: u64,
    pub(crate) lost: u32,
    pub(crate) wrong: u32,
    pub(crate) unmountable: u32,
    /// The first thing that was not right.
    pub(crate) trouble: Option<String>,
}

/// Why a power session ended.
enum Stop {
    /// A call returned an error: the power cut, if there was one.
    Failed(String),
    Unmountable(String),
    Judged(Verdict, String),
    /// Stored, but the store says otherwise when asked for the list.
    Listing(String),
}

/// A device, what it must hold, and what happens to it.
pub(crate) struct Life {
    pub(crate) flash: Flash,
    pub(crate) root: SoftRootKey,
    pub(crate) model: Model,
    pub(crate) tally: Tally,
    memory: Box<Ram>,
    script: Script,
    dice: Dice,
}

impl Life {
    /// A new device with everything in it that the script gives it first.
    pub(crate) fn begin(flash: Flash, root: SoftRootKey, script: Script, dice: Dice) -> Self {
        let (model, tally, memory) = (Model::default(), Tally::default(), Box::new(Ram::new()));
        let mut life = Self { flash, root, model, tally, memory, script, dice };
        if let Err(stop) = life.furnish() {
            life.note(stop);
        }
        life
    }

    fn furnish(&mut self) -> Result<(), Stop> {
        let Self { flash, root, memory, dice, .. } = self;
        let mut store = Store::<_, Ascon>::format(flash, Part::NOR, root, dice, memory).map_err(unmountable)?;
        for change in self.script.first() {
            apply(&mut store, &change).map_err(|error| failed("storing", &change, error))?;
            self.tally.acknowledged(&change);
            self.model.acknowledge(change);
        }
        Ok(())
    }

    /// Lives until power was cut so often, or something is not right.
    pub(crate) fn live(&mut self, cuts: u32, progress: &dyn Fn()) {
        while self.tally.cuts < cuts && self.tally.trouble.is_none() {
            let tear = self.arm();
            let changes = self.tally.changes;
            let stop = self.session();
            if self.flash.is_cut() && matches!(stop, Stop::Failed(_)) {
                self.flash.power_on();
                self.tally.cuts += 1;
                self.tally.tears[tear] += 1;
                self.tally.cuts_in_recovery += u32::from(changes == self.tally.changes);
            } else {
                self.note(stop);
            }
            progress();
        }
        self.flash.cancel_cut();
    }

    /// Verifies everything once more and closes the store in order.
    pub(crate) fn end(&mut self) {
        if self.tally.trouble.is_some() {
            return;
        }
        let Self { flash, root, memory, model, .. } = self;
        let closed =
            Store::<_, Ascon>::mount(flash, Part::NOR, root, memory).map_err(unmountable).and_then(|mut store| {
                verify(&mut store, model)?;
                list(&mut store, model)?;
                store.close().map_err(|error| Stop::Failed(format!("closing: {error}")))
            });
        if let Err(stop) = closed {
            self.note(stop);
        }
    }

    /// Arms a power cut at a random operation, soon or later, with a random tear.
    fn arm(&mut self) -> usize {
        let reach = match self.dice.below(10) {
            0..=1 => 4,
            2..=5 => 24,
            6..=8 => 200,
            _ => 1200,
        };
        let tear = self.dice.below(Tear::ALL.len());
        self.flash.cut_at(self.dice.below(reach) as u64, Tear::ALL[tear]);
        tear
    }

    /// From power on to power off.
    fn session(&mut self) -> Stop {
        let Self { flash, root, memory, model, tally, script, .. } = self;
        let mut store = match Store::<_, Ascon>::mount(flash, Part::NOR, root, memory) {
            Ok(store) => store,
            Err(error) => return unmountable(error),
        };
        if let Err(stop) = verify(&mut store, model) {
            return stop;
        }
        if tally.cuts.is_multiple_of(LISTING_EVERY)
            && let Err(stop) = list(&mut store, model)
        {
            return stop;
        }
        loop {
            let change = script.next(model);
            if let Err(error) = apply(&mut store, &change) {
                let stop = failed("changing", &change, error);
                model.cut_in(change);
                return stop;
            }
            tally.acknowledged(&change);
            model.acknowledge(change);
        }
    }

    fn note(&mut self, stop: Stop) {
        let tally = &mut self.tally;
        let trouble = match stop {
            Stop::Unmountable(why) => {
                tally.unmountable += 1;
                format!("can't be mounted: {why}")
            }
            Stop::Judged(Verdict::Wrong, name) => {
                tally.wrong += 1;
                format!("wrong content of {name}")
            }
            Stop::Judged(_, name) => {
                tally.lost += 1;
                format!("acknowledged content of {name} is lost")
            }
            Stop::Failed(what) | Stop::Listing(what) => {
                tally.lost += 1;
                what
            }
        };
        tally.trouble = Some(format!("after cut {}: {trouble}", tally.cuts));
    }
}

impl Tally {
    /// Both together; the first trouble is kept.
    pub(crate) fn plus(self, other: &Self) -> Self {
        let mut tears = self.tears;
        tears.iter_mut().zip(other.tears).for_each(|(sum, more)| *sum += more);
        Self {
            cuts: self.cuts + other.cuts,
            cuts_in_recovery: self.cuts_in_recovery + other.cuts_in_recovery,
            tears,
            changes: self.changes + other.changes,
            payload: self.payload + other.payload,
            lost: self.lost + other.lost,
            wrong: self.wrong + other.wrong,
            unmountable: self.unmountable + other.unmountable,
            trouble: self.trouble.or_else(|| other.trouble.clone()),
        }
    }

    fn acknowledged(&mut self, change: &Change) {
        self.changes += 1;
        let bytes = |(name, value): (&Vec<u8>, &Option<_>)| {
            value.as_ref().map_or(0, |value: &super::input::Value| (name.len() + value.len()) as u64)
        };
        self.payload += change.iter().map(bytes).sum::<u64>();
    }
}

type DemoStore<'m, 'f> = Store<'m, &'f mut Flash, Ascon>;

fn unmountable(error: OpenError<SimError>) -> Stop {
    Stop::Unmountable(error.to_string())
}

fn failed(doing: &str, change: &Change, error: Error<SimError>) -> Stop {
    let names: Vec<_> = change.keys().map(|name| escaped(name)).collect();
    Stop::Failed(format!("{doing} {} failed: {error}", names.join(", ")))
}

/// Makes a change: of one key simply, of several in a transaction.
fn apply(store: &mut DemoStore<'_, '_>, change: &Change) -> Result<(), Error<SimError>> {
    if let (1, Some((name, value))) = (change.len(), change.first_key_value()) {
        return match value {
            Some(value) => store.put(name.as_slice(), value),
            None => store.delete(name.as_slice()).map(drop),
        };
    }
    let bytes: usize = change.values().map(|value| 300 + value.as_ref().map_or(0, |value| value.len() * 5 / 4)).sum();
    let mut transaction = store.transaction(u32::try_from(bytes).unwrap_or(u32::MAX))?;
    for (name, value) in change {
        match value {
            Some(value) => transaction.put(name.as_slice(), value)?,
            None => drop(transaction.delete(name.as_slice())?),
        }
    }
    transaction.commit()
}

/// Reads every name ever used and compares with the model.
fn verify(store: &mut DemoStore<'_, '_>, model: &mut Model) -> Result<(), Stop> {
    let mut buffer = vec![0; 64 * 1024];
    for name in model.names() {
        let length = store.get(name.as_slice(), &mut buffer);
        let length = length.map_err(|error| Stop::Failed(format!("reading {} failed: {error}", escaped(&name))))?;
        let verdict = model.judge(&name, length.map(|length| &buffer[..length]));
        if verdict != Verdict::Right {
            return Err(Stop::Judged(verdict, escaped(&name)));
        }
    }
    model.settle();
    Ok(())
}

/// Lists all names; each key of the model must come up once and no other.
fn list(store: &mut DemoStore<'_, '_>, model: &Model) -> Result<(), Stop> {
    let (mut cursor, mut name, mut found) = (Cursor::new(), [0; 255], 0);
    loop {
        match store.next_key(&mut cursor, 0, b"", &mut name) {
            Ok(None) if found == model.len() => return Ok(()),
            Ok(None) => return Err(Stop::Listing(format!("{found} of {} names were listed", model.len()))),
            Ok(Some(length)) if model.contains(&name[..length]) => found += 1,
            Ok(Some(length)) => return Err(Stop::Listing(format!("{} was listed", escaped(&name[..length])))),
            Err(error) => return Err(Stop::Failed(format!("listing failed: {error}"))),
        }
    }
}
