//! A world: one flash part, the store on it, and a model of what must be there.
//!
//! The world runs a script of operations on a store. When power goes in the middle of one it says so; `verify` then
//! mounts what is left and compares every key with the model: acknowledged, or, for the operation that was cut, old or
//! new as a whole.

use std::collections::BTreeMap;
use std::fmt;

use lockstone::trust::{Anchor, MonotonicCounter, Protection};
use lockstone::{Cursor, Error, Layout, Memory, OpenError, Part, Report, SoftRootKey, Store};
use lockstone_sim::{SimError, SimFlash};

use crate::random::{Fixed, Random};
use crate::tale::Tale;
use crate::tried::Tried;

/// Bucket heads of every store here: few, so that the index is deep.
pub const HEADS: usize = 16;
/// The root key of every device here: a toy.
pub const ROOT: [u8; 32] = [0x5a; 32];

/// RAM of the store under test.
pub type Ram = Memory<HEADS, { 2048 + 8 }>;
/// Names and values.
pub type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// One operation of a script. Keys are numbers, see [`name`]; values are lengths, see [`value`].
#[derive(Clone, Debug)]
pub enum Op {
    /// Put a value of so many bytes.
    Put(usize, usize),
    /// Delete.
    Delete(usize),
    /// Several changes at once: a length, or `None` to delete.
    Transaction(Vec<(usize, Option<usize>)>),
    /// A transaction that is dropped.
    Abandon(Vec<(usize, Option<usize>)>),
    /// Close and mount again.
    Reopen,
    /// Mount again without closing.
    Restart,
    /// Put values of so many bytes until the store is full.
    Fill(usize),
    /// Read every key, list all names, count.
    Look,
}

/// Why a script ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// As it was to: the power went.
    PowerCut,
    /// Something is not as it must be.
    Wrong(String),
}

impl Stop {
    /// What is wrong; a power cut is, where there was none to come.
    #[must_use]
    pub fn sentence(self) -> String {
        match self {
            Self::PowerCut => "the power is off, and nobody cut it".to_owned(),
            Self::Wrong(what) => what,
        }
    }
}

/// The root key of every device here.
#[must_use]
pub fn root() -> SoftRootKey {
    SoftRootKey::new(ROOT)
}

/// Names of every kind: one byte, usual, with odd bytes, as long as can be.
#[must_use]
pub fn name(index: usize) -> Vec<u8> {
    match index {
        0 => b"a".to_vec(),
        1 => vec![0xff; 255],
        2 => b"wifi/psk\0\x01".to_vec(),
        _ => format!("key/{index}").into_bytes(),
    }
}

/// A name in print.
pub(crate) fn label(name: &[u8]) -> String {
    match name {
        [0xff, .., 0xff] => format!("ff x {}", name.len()),
        _ => name.escape_ascii().to_string(),
    }
}

/// The value that version `version` of a key has: never the same twice.
#[must_use]
pub fn value(index: usize, version: u64, length: usize) -> Vec<u8> {
    let mut random = Random(version << 20 ^ index as u64);
    let mut value: Vec<u8> = (0..length).map(|_| random.word() as u8).collect();
    if version % 5 == 4 {
        // Values of erased bytes look like blank flash where nothing is encrypted.
        let half = length / 2;
        value[half..].fill(0xff);
    }
    value
}

/// What an operation does, in print.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(index, length) => write!(f, "{}", shown(*index, Some(*length))),
            Self::Delete(index) => write!(f, "{}", shown(*index, None)),
            Self::Transaction(changes) => write!(f, "transaction ({})", shown_all(changes)),
            Self::Abandon(changes) => write!(f, "dropped transaction ({})", shown_all(changes)),
            Self::Reopen => f.write_str("close"),
            Self::Restart => f.write_str("restart"),
            Self::Fill(length) => write!(f, "put values of {length} bytes until the store is full"),
            Self::Look => f.write_str("read all"),
        }
    }
}

fn shown(index: usize, length: Option<usize>) -> String {
    let name = label(&name(index));
    length.map_or_else(|| format!("delete {name}"), |length| format!("put {name} = {length} bytes"))
}

fn shown_all(changes: &[(usize, Option<usize>)]) -> String {
    changes.iter().map(|(index, length)| shown(*index, *length)).collect::<Vec<_>>().join(", ")
}

/// What a mount found, in print.
fn found(report: &Report) -> String {
    let mut text = format!("sound: {}, {} records", if report.is_sound() { "yes" } else { "NO" }, report.records);
    for (number, what) in [
        (report.torn_bytes, "torn bytes"),
        (report.unfinished_runs, "unfinished runs"),
        (report.damaged_records, "damaged records"),
        (report.damaged_headers, "damaged headers"),
    ] {
        if number > 0 {
            text += &format!(", {number} {what}");
        }
    }
    text + if report.clean { ", closed in order" } else { "" }
}

/// The flash and its oracle.
#[derive(Debug)]
pub struct World<const R: usize, const W: usize, const E: usize> {
    /// The chip.
    pub flash: SimFlash<R, W, E>,
    /// What its type does not say.
    pub part: Part,
    /// What must be there.
    pub oracle: Oracle,
    /// What happens, if somebody wants to know.
    pub tale: Tale,
}

/// What must be there.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// What was acknowledged.
    pub model: Model,
    /// The model after the operation in flight, if there is one.
    pub pending: Option<Model>,
    /// Number of the newest value.
    pub version: u64,
    /// Every state so far, if somebody wants to know.
    pub history: Option<Vec<Model>>,
}

/// How a session ended.
#[derive(Debug)]
pub enum End {
    /// The script is done.
    Done,
    /// After operation `at`: close if asked, and mount again.
    Again {
        /// Number of the operation.
        at: usize,
        /// Whether to close.
        close: bool,
    },
    /// An operation failed; if power was cut meanwhile, that's why.
    Failed(String),
}

/// A name, and the value it gets.
pub type Change = (Vec<u8>, Option<Vec<u8>>);
/// A store on a simulated flash.
pub type SimStore<'w, const R: usize, const W: usize, const E: usize, S> =
    Store<'w, &'w mut SimFlash<R, W, E>, <S as Tried>::Suite, <S as Tried>::Counter>;

impl Oracle {
    fn plan(&mut self, changes: &[(usize, Option<usize>)]) -> Vec<Change> {
        let mut plan = Vec::new();
        for (index, length) in changes {
            self.version += 1;
            plan.push((name(*index), length.map(|length| value(*index, self.version, length))));
        }
        let mut after = self.model.clone();
        for (name, value) in &plan {
            match value {
                Some(value) => after.insert(name.clone(), value.clone()),
                None => after.remove(name),
            };
        }
        self.pending = Some(after);
        plan
    }

    fn acknowledge(&mut self) {
        if let Some(after) = self.pending.take() {
            self.model = after;
            if let Some(history) = &mut self.history {
                history.push(self.model.clone());
            }
        }
    }

    fn refuse(&mut self) {
        self.pending = None;
    }
}

impl<const R: usize, const W: usize, const E: usize> World<R, W, E> {
    /// A world around a chip.
    #[must_use]
    pub fn new(mut flash: SimFlash<R, W, E>) -> Self {
        let part = if flash.erased() == 0 { Part::ZERO_ERASED } else { Part::NOR };
        flash.set_reprogram_heals(true);
        Self { flash, part, oracle: Oracle::default(), tale: Tale::default() }
    }

    /// The same again; the copy is not told.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { flash: self.flash.clone(), part: self.part, oracle: self.oracle.clone(), tale: Tale::default() }
    }

    /// The same as `other`, in the memory of this one.
    pub fn become_like(&mut self, other: &Self) {
        self.flash.clone_from(&other.flash);
        self.oracle.clone_from(&other.oracle);
    }

    /// From now on everything is told.
    pub fn tell(&mut self, tale: &Tale) {
        self.tale = tale.clone();
        if tale.is_told() {
            self.flash.trace_on();
            tale.restart();
        }
    }

    /// Mounts the store.
    ///
    /// # Errors
    /// What the store says.
    pub fn mount<'w, S: Tried>(
        flash: &'w mut SimFlash<R, W, E>,
        part: Part,
        memory: &'w mut Ram,
    ) -> Result<SimStore<'w, R, W, E, S>, OpenError<SimError>> {
        Store::mount_protected(flash, part, Anchor { root: &root(), counter: S::counter() }, memory)
    }

    /// Formats the part.
    ///
    /// # Errors
    /// What the store says.
    pub fn format<S: Tried>(&mut self) -> Result<(), OpenError<SimError>> {
        let mut memory = Ram::new();
        self.tale.begin(|| "format".to_owned());
        let key = root();
        let anchor = Anchor { root: &key, counter: S::counter() };
        let formatted = SimStore::<R, W, E, S>::format_protected(
            &mut self.flash,
            self.part,
            anchor,
            Protection::Chosen,
            &mut Fixed(7),
            &mut memory,
        );
        let result = formatted.map(|_| ());
        self.tale.end(self.flash.trace(), || result.map_or_else(|error| error.to_string(), |()| "done".to_owned()));
        result
    }

    /// Runs a script from a mount on.
    ///
    /// # Errors
    /// Power was cut, or something is wrong.
    pub fn run<S: Tried>(&mut self, script: &[Op]) -> Result<(), Stop> {
        let mut rest = script;
        loop {
            match self.session::<S>(|store, oracle, tale| session::<R, W, E, S>(store, oracle, tale, rest))? {
                None => return Ok(()),
                Some(at) => rest = &rest[at + 1..],
            }
        }
    }

    /// Power comes back; everything must be there. The operation in flight is old or new, and from then on what was
    /// found.
    ///
    /// # Errors
    /// Power was cut, or something is wrong.
    pub fn verify<S: Tried>(&mut self) -> Result<(), Stop> {
        let looked = self.session::<S>(|store, oracle, tale| match compare::<R, W, E, S>(store, oracle, tale) {
            Ok(()) => End::Done,
            Err(what) => End::Failed(what),
        });
        looked.map(drop)
    }

    /// Power comes back; it is cut again in so many ways as `recuts` gives, while recovering. How often it was cut.
    ///
    /// # Errors
    /// What is wrong.
    pub fn recover<S: Tried>(&mut self, mut recut: impl FnMut(&mut SimFlash<R, W, E>)) -> Result<u64, Stop> {
        for cuts in 1.. {
            self.flash.power_on();
            recut(&mut self.flash);
            match self.verify::<S>() {
                Err(Stop::PowerCut) => {}
                Err(wrong) => return Err(wrong),
                Ok(()) => return Ok(cuts),
            }
        }
        Ok(0)
    }

    /// One mount, and what `act` does with the store. `Some`: the script goes on behind that operation after another
    /// mount.
    fn session<S: Tried>(
        &mut self,
        act: impl FnOnce(&mut SimStore<'_, R, W, E, S>, &mut Oracle, &Tale) -> End,
    ) -> Result<Option<usize>, Stop> {
        let mut memory = Ram::new();
        let Self { flash, part, oracle, tale } = self;
        tale.begin(|| "mount".to_owned());
        let end = match Self::mount::<S>(flash, *part, &mut memory) {
            Ok(mut store) => {
                tale.end(store.flash().trace(), || found(store.report()));
                match act(&mut store, oracle, tale) {
                    End::Again { at, close: true } => {
                        tale.begin(|| "close".to_owned());
                        match store.close() {
                            Ok(flash) => {
                                tale.end(flash.trace(), || "done".to_owned());
                                End::Again { at, close: false }
                            }
                            Err(error) => End::Failed(format!("close: {error}")),
                        }
                    }
                    end => end,
                }
            }
            Err(error) => End::Failed(format!("mount: {error}")),
        };
        match end {
            End::Done => Ok(None),
            End::Again { at, .. } => Ok(Some(at)),
            End::Failed(what) => {
                let cut = self.flash.is_cut();
                self.tale.end(self.flash.trace(), || if cut { "the power went".to_owned() } else { what.clone() });
                if !cut {
                    return Err(Stop::Wrong(what));
                }
                self.tale.cut(self.flash.last_cut(), self.flash.data());
                Err(Stop::PowerCut)
            }
        }
    }

    /// Whether the rules of the flash were kept.
    ///
    /// # Errors
    /// The first that was not.
    pub fn rules(&self) -> Result<(), Stop> {
        let broken = self.flash.first_violation().map(|violation| format!("flash rule broken: {violation}"));
        let weak = (self.flash.weak_programs() > 0).then(|| "programmed on a weak erase".to_owned());
        broken.or(weak).map_or(Ok(()), |what| Err(Stop::Wrong(what)))
    }

    /// The same for tests.
    ///
    /// # Panics
    /// If a rule was broken.
    pub fn check_rules(&self) {
        assert_eq!(self.rules(), Ok(()));
    }
}

fn session<const R: usize, const W: usize, const E: usize, S: Tried>(
    store: &mut SimStore<'_, R, W, E, S>,
    oracle: &mut Oracle,
    tale: &Tale,
    script: &[Op],
) -> End {
    for (at, op) in script.iter().enumerate() {
        let done = match op {
            Op::Reopen => return End::Again { at, close: true },
            Op::Restart => return End::Again { at, close: false },
            Op::Fill(length) => (100..)
                .map(|index| told::<R, W, E, S>(store, oracle, tale, &Op::Put(index, *length)))
                .find(|full| full != &Ok(true))
                .unwrap_or(Ok(true)),
            Op::Look => compare::<R, W, E, S>(store, oracle, tale).map(|()| true),
            op => told::<R, W, E, S>(store, oracle, tale, op),
        };
        if let Err(what) = done {
            return End::Failed(what);
        }
    }
    End::Done
}

/// One operation that changes something; false when there was no room, in the store or in a record of a small one.
fn told<const R: usize, const W: usize, const E: usize, S: Tried>(
    store: &mut SimStore<'_, R, W, E, S>,
    oracle: &mut Oracle,
    tale: &Tale,
    op: &Op,
) -> Result<bool, String> {
    tale.begin(|| op.to_string());
    let done = match op {
        Op::Put(index, length) => change::<R, W, E, S>(store, oracle, &[(*index, Some(*length))]),
        Op::Delete(index) => change::<R, W, E, S>(store, oracle, &[(*index, None)]),
        Op::Transaction(changes) => transaction::<R, W, E, S>(store, oracle, changes, true),
        Op::Abandon(changes) => transaction::<R, W, E, S>(store, oracle, changes, false).map(|_| true),
        _ => Ok(true),
    }?;
    tale.end(store.flash().trace(), || if done { "done" } else { "refused" }.to_owned());
    Ok(done)
}

/// One put or delete; false when there was no room.
fn change<const R: usize, const W: usize, const E: usize, S: Tried>(
    store: &mut SimStore<'_, R, W, E, S>,
    oracle: &mut Oracle,
    change: &[(usize, Option<usize>)],
) -> Result<bool, String> {
    let plan = oracle.plan(change);
    let (name, value) = &plan[0];
    let result = match value {
        Some(value) => store.put(&name[..], value).map(|()| true),
        None => store.delete(&name[..]).map(|there| there == oracle.model.contains_key(name)),
    };
    match result {
        Ok(true) => oracle.acknowledge(),
        Ok(false) => return Err(format!("delete of {} says the contrary of what is there", label(name))),
        Err(error) if value.as_ref().is_some_and(|value| is_no_room(error, value, store.layout())) => {
            oracle.refuse();
            return Ok(false);
        }
        // A small store has no values that go on in other records.
        Err(Error::TooLarge) if S::Counter::SMALL => {
            oracle.refuse();
            return Ok(false);
        }
        Err(error) => return Err(format!("{}: {error}; {:?}", shown_all(change), store.report())),
    }
    Ok(true)
}

/// Whether a value may be refused so: only one of an eighth of the part is too large for an empty store.
pub(crate) const fn is_no_room(error: Error<SimError>, value: &[u8], layout: &Layout) -> bool {
    match error {
        Error::Full => true,
        Error::TooLarge => value.len() * 8 > (layout.segment * layout.segments) as usize,
        _ => false,
    }
}

/// A transaction; false when the store was full.
fn transaction<const R: usize, const W: usize, const E: usize, S: Tried>(
    store: &mut SimStore<'_, R, W, E, S>,
    oracle: &mut Oracle,
    changes: &[(usize, Option<usize>)],
    commit: bool,
) -> Result<bool, String> {
    let bytes = changes.iter().map(|(_, length)| 600 + length.unwrap_or(0) as u32 * 2).sum();
    let plan = oracle.plan(changes);
    let attempt = S::transaction(store, &plan, bytes, commit);
    let fits = attempt.map_err(|error| format!("transaction ({}): {error}", shown_all(changes)))?;
    if fits && commit {
        oracle.acknowledge();
    } else {
        oracle.refuse();
    }
    Ok(fits)
}

/// Every key of the model, and no other.
fn compare<const R: usize, const W: usize, const E: usize, S: Tried>(
    store: &mut SimStore<'_, R, W, E, S>,
    oracle: &mut Oracle,
    tale: &Tale,
) -> Result<(), String> {
    tale.begin(|| "read all".to_owned());
    let found = read_all::<R, W, E, S>(store, oracle)?;
    let matches_old = found == oracle.model;
    let matches_new = oracle.pending.as_ref() == Some(&found);
    if !matches_old && !matches_new {
        return Err(difference(&found, &oracle.model, oracle.pending.as_ref()));
    }
    let flight = match (matches_old, oracle.pending.is_some()) {
        (_, false) => "",
        (true, true) => "; what was in flight did not happen",
        (false, true) => "; what was in flight happened, whole",
    };
    if !matches_old {
        oracle.model = found;
    }
    oracle.pending = None;
    let report = store.report();
    if !report.is_sound() {
        return Err(format!("false alarm: {report:?}"));
    }
    check_listing::<R, W, E, S>(store, &oracle.model)?;
    let keys = oracle.model.len();
    tale.end(store.flash().trace(), || format!("all {keys} keys as they must be{flight}"));
    Ok(())
}

/// What the store has of all names that the oracle knows.
///
/// # Errors
/// What the store says of the first that it can't answer for.
pub fn read_all<const R: usize, const W: usize, const E: usize, S: Tried>(
    store: &mut SimStore<'_, R, W, E, S>,
    oracle: &Oracle,
) -> Result<Model, String> {
    let mut names: Vec<&Vec<u8>> = oracle.model.keys().collect();
    names.extend(oracle.pending.iter().flat_map(|model| model.keys()));
    names.sort();
    names.dedup();
    let mut found = Model::new();
    let models = std::iter::once(&oracle.model).chain(&oracle.pending);
    let mut buffer = vec![0; models.flat_map(Model::values).map(Vec::len).max().unwrap_or(0)];
    for name in names {
        let length = store
            .get(&name[..], &mut buffer)
            .map_err(|error| format!("get {}: {error}; {:?}", label(name), store.report()))?;
        if let Some(length) = length {
            found.insert(name.clone(), buffer[..length].to_vec());
        }
    }
    Ok(found)
}

fn check_listing<const R: usize, const W: usize, const E: usize, S: Tried>(
    store: &mut SimStore<'_, R, W, E, S>,
    model: &Model,
) -> Result<(), String> {
    let (mut cursor, mut name) = (Cursor::new(), [0; 255]);
    let mut listed = Vec::new();
    while let Some(length) =
        store.next_key(&mut cursor, 0, b"", &mut name).map_err(|error| format!("list: {error:?}"))?
    {
        listed.push(name[..length].to_vec());
    }
    listed.sort();
    if !listed.iter().eq(model.keys()) {
        return Err(format!("listing: {} names instead of {}", listed.len(), model.len()));
    }
    let stats = store.stats().map_err(|error| format!("stats: {error:?}"))?;
    if stats.keys as usize != model.len() {
        return Err(format!("counted {} keys instead of {}", stats.keys, model.len()));
    }
    Ok(())
}

fn difference(found: &Model, old: &Model, new: Option<&Model>) -> String {
    let mut text = String::new();
    let is = |model: Option<&Model>, name: &Vec<u8>, value: Option<&Vec<u8>>| {
        model.and_then(|model| model.get(name)) == value
    };
    for name in found.keys().chain(old.keys()).chain(new.into_iter().flat_map(|new| new.keys())) {
        let value = found.get(name);
        let kind = match (is(Some(old), name, value), is(new, name, value)) {
            (true, true) => continue,
            (true, false) if new.is_none() => continue,
            (true, false) => "old",
            (false, true) => "new",
            _ => "NEITHER",
        };
        let lengths =
            (value.map(Vec::len), old.get(name).map(Vec::len), new.and_then(|new| new.get(name)).map(Vec::len));
        text += &format!("{}: {kind}, bytes found, old, new: {lengths:?}\n", label(name));
    }
    text
}
