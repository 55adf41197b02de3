//! A world: one flash part, the store on it, and a model of what must be there.
//!
//! The world runs a script of operations on a store. When power goes in the middle of one it says so; `verify` then
//! mounts what is left and compares every key with the model: acknowledged, or, for the operation that was cut, old or
//! new as a whole.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use lockstone::seal::Suite;
use lockstone::{Cursor, Error, Memory, OpenError, Part, SoftRootKey, Store};
use lockstone_sim::{SimError, SimFlash};

/// RAM of the store under test: few heads, so that the index is deep.
pub type Ram = Memory<16, 2048, 8>;
pub type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// One operation of a script.
#[derive(Clone, Debug)]
pub enum Op {
    Put(usize, usize),
    Delete(usize),
    /// Several changes at once: a length, or `None` to delete.
    Transaction(Vec<(usize, Option<usize>)>),
    /// A transaction that is dropped.
    Abandon(Vec<(usize, Option<usize>)>),
    /// Close and mount again.
    Reopen,
    /// Mount again without closing.
    Restart,
    /// Put until the store is full.
    Fill(usize),
}

/// Why a script ended early.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    PowerCut,
}

pub fn root() -> SoftRootKey {
    SoftRootKey::new([0x5a; 32])
}

/// A generator whose every draw is the same: identities only have to differ between devices.
pub struct Fixed(pub u64);

impl rand_core::TryRng for Fixed {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.0 as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Self::Error> {
        target.iter_mut().zip(self.0.to_le_bytes().into_iter().cycle()).for_each(|(to, from)| *to = from);
        Ok(())
    }
}

/// A small generator for tests: splitmix64.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Names of every kind: one byte, usual, with odd bytes, as long as can be.
pub fn name(index: usize) -> Vec<u8> {
    match index {
        0 => b"a".to_vec(),
        1 => vec![0xff; 255],
        2 => b"wifi/psk\0\x01".to_vec(),
        _ => format!("key/{index}").into_bytes(),
    }
}

/// The value that version `version` of a key has: never the same twice.
pub fn value(index: usize, version: u64, length: usize) -> Vec<u8> {
    let mut random = Random(version << 20 ^ index as u64);
    let mut value: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
    if version % 5 == 4 {
        // Values of erased bytes look like blank flash where nothing is encrypted.
        let half = length / 2;
        value[half..].fill(0xff);
    }
    value
}

/// The flash and its oracle.
pub struct World<const R: usize, const W: usize, const E: usize> {
    pub flash: SimFlash<R, W, E>,
    pub part: Part,
    pub oracle: Oracle,
}

/// What must be there.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    pub model: Model,
    /// The model after the operation in flight, if there is one.
    pub pending: Option<Model>,
    pub version: u64,
    /// Every state so far, if somebody wants to know.
    pub history: Option<Vec<Model>>,
}

/// How a session ended.
#[derive(Debug)]
pub enum End {
    Done,
    /// After operation `at`: close if asked, and mount again.
    Again {
        at: usize,
        close: bool,
    },
    /// An operation failed; if power was cut meanwhile, that's why.
    Failed(String),
}

type Change = (Vec<u8>, Option<Vec<u8>>);
type SimStore<'w, const R: usize, const W: usize, const E: usize, S> = Store<'w, &'w mut SimFlash<R, W, E>, S>;

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
    pub fn new(mut flash: SimFlash<R, W, E>) -> Self {
        let part = if flash.erased() == 0 { Part::ZERO_ERASED } else { Part::NOR };
        flash.set_reprogram_heals(true);
        Self { flash, part, oracle: Oracle::default() }
    }

    pub fn copy(&self) -> Self {
        Self { flash: self.flash.clone(), part: self.part, oracle: self.oracle.clone() }
    }

    /// The same as `other`, in the memory of this one.
    pub fn become_like(&mut self, other: &Self) {
        self.flash.clone_from(&other.flash);
        self.oracle.clone_from(&other.oracle);
    }

    pub fn mount<'w, S: Suite>(
        flash: &'w mut SimFlash<R, W, E>,
        part: Part,
        memory: &'w mut Ram,
    ) -> Result<SimStore<'w, R, W, E, S>, OpenError<SimError>> {
        Store::mount(flash, part, &root(), memory)
    }

    pub fn format<S: Suite>(&mut self) -> Result<(), OpenError<SimError>> {
        let mut memory = Ram::new();
        SimStore::<R, W, E, S>::format(&mut self.flash, self.part, &root(), &mut Fixed(7), &mut memory).map(|_| ())
    }

    /// Runs a script from a mount on. `Err`: power was cut.
    pub fn run<S: Suite>(&mut self, script: &[Op]) -> Result<(), Stop> {
        let mut rest = script;
        loop {
            let mut memory = Ram::new();
            let end = match Self::mount::<S>(&mut self.flash, self.part, &mut memory) {
                Ok(mut store) => {
                    let end = session(&mut store, &mut self.oracle, rest);
                    match end {
                        End::Again { at, close: true } => match store.close() {
                            Ok(_) => End::Again { at, close: false },
                            Err(error) => End::Failed(format!("close: {error:?}")),
                        },
                        other => other,
                    }
                }
                Err(error) => End::Failed(format!("mount: {error:?}")),
            };
            match end {
                End::Done => return Ok(()),
                End::Again { at, .. } => rest = &rest[at + 1..],
                End::Failed(_) if self.flash.is_cut() => return Err(Stop::PowerCut),
                End::Failed(what) => panic!("{what}"),
            }
        }
    }

    /// Power comes back; everything must be there. The operation in flight is old or new, and from then on what was
    /// found.
    pub fn verify<S: Suite>(&mut self) -> Result<(), Stop> {
        let mut memory = Ram::new();
        let end = match Self::mount::<S>(&mut self.flash, self.part, &mut memory) {
            Ok(mut store) => compare(&mut store, &mut self.oracle),
            Err(error) => Err(format!("mount: {error:?}")),
        };
        match end {
            Ok(()) => Ok(()),
            Err(_) if self.flash.is_cut() => Err(Stop::PowerCut),
            Err(what) => panic!("{what}"),
        }
    }

    pub fn check_rules(&self) {
        assert_eq!(self.flash.violations(), 0, "flash rule broken: {:?}", self.flash.first_violation());
        assert_eq!(self.flash.weak_programs(), 0, "programmed on a weak erase");
    }
}

fn session<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut SimStore<'_, R, W, E, S>,
    oracle: &mut Oracle,
    script: &[Op],
) -> End {
    trace(|| format!("mounted {:?}", store.report()));
    for (at, op) in script.iter().enumerate() {
        trace(|| format!("  {op:?}"));
        match op {
            Op::Reopen => return End::Again { at, close: true },
            Op::Restart => return End::Again { at, close: false },
            Op::Fill(length) => {
                for index in 100.. {
                    match change(store, oracle, &[(index, Some(*length))]) {
                        Ok(true) => {}
                        Ok(false) => break,
                        Err(error) => return End::Failed(error),
                    }
                }
            }
            Op::Put(index, length) => {
                if let Err(error) = change(store, oracle, &[(*index, Some(*length))]) {
                    return End::Failed(error);
                }
            }
            Op::Delete(index) => {
                if let Err(error) = change(store, oracle, &[(*index, None)]) {
                    return End::Failed(error);
                }
            }
            Op::Transaction(changes) => {
                if let Err(error) = transaction(store, oracle, changes, true) {
                    return End::Failed(error);
                }
            }
            Op::Abandon(changes) => {
                if let Err(error) = transaction(store, oracle, changes, false) {
                    return End::Failed(error);
                }
            }
        }
    }
    End::Done
}

/// Whether a case is being replayed: `LOCKSTONE_TRACE` or `LOCKSTONE_CASE` is set.
pub fn tracing() -> bool {
    static TRACING: OnceLock<bool> = OnceLock::new();
    *TRACING.get_or_init(|| ["LOCKSTONE_TRACE", "LOCKSTONE_CASE"].iter().any(|name| std::env::var_os(name).is_some()))
}

/// Says a figure on the terminal, past the test runner's capture: how much was tried belongs to the result.
pub fn announce(what: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// Says what happens when one case is replayed.
pub fn trace(what: impl FnOnce() -> String) {
    if tracing() {
        eprintln!("{}", what());
    }
}

/// One put or delete; false when the store was full.
fn change<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut SimStore<'_, R, W, E, S>,
    oracle: &mut Oracle,
    change: &[(usize, Option<usize>)],
) -> Result<bool, String> {
    let plan = oracle.plan(change);
    let (name, value) = &plan[0];
    let result = match value {
        Some(value) => store.put(&name[..], value),
        None => store.delete(&name[..]).map(|there| assert_eq!(there, oracle.model.contains_key(name))),
    };
    match result {
        Ok(()) => oracle.acknowledge(),
        Err(Error::Full) if value.is_some() => {
            oracle.refuse();
            return Ok(false);
        }
        Err(error) => return Err(format!("{change:?}: {error:?} {:?}", store.report())),
    }
    Ok(true)
}

fn transaction<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut SimStore<'_, R, W, E, S>,
    oracle: &mut Oracle,
    changes: &[(usize, Option<usize>)],
    commit: bool,
) -> Result<(), String> {
    let bytes = changes.iter().map(|(_, length)| 600 + length.unwrap_or(0) as u32 * 2).sum();
    let plan = oracle.plan(changes);
    let result = (|| {
        let mut transaction = match store.transaction(bytes) {
            Err(Error::Full) => return Ok(false),
            other => other?,
        };
        for (name, value) in &plan {
            match value {
                Some(value) => match transaction.put(&name[..], value) {
                    Err(Error::Full) => return Ok(false),
                    other => other?,
                },
                None => drop(transaction.delete(&name[..])?),
            }
        }
        if commit {
            transaction.commit()?;
        }
        Ok(commit)
    })();
    match result {
        Ok(true) => oracle.acknowledge(),
        Ok(false) => oracle.refuse(),
        Err(error) => return Err(format!("transaction: {error:?}")) as Result<(), String>,
    }
    let _: Result<bool, Error<SimError>> = result;
    Ok(())
}

/// Every key of the model, and no other.
fn compare<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut SimStore<'_, R, W, E, S>,
    oracle: &mut Oracle,
) -> Result<(), String> {
    trace(|| format!("verify {:?}", store.report()));
    let found = read_all(store, oracle)?;
    let matches_old = found == oracle.model;
    let matches_new = oracle.pending.as_ref() == Some(&found);
    if !matches_old && !matches_new {
        return Err(difference(&found, &oracle.model, oracle.pending.as_ref()));
    }
    if !matches_old {
        oracle.model = found;
    }
    oracle.pending = None;
    let report = store.report();
    if !report.is_sound() {
        return Err(format!("false alarm: {report:?}"));
    }
    check_listing(store, &oracle.model)
}

pub fn read_all<const R: usize, const W: usize, const E: usize, S: Suite>(
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
        let length = store.get(&name[..], &mut buffer).map_err(|error| {
            format!("get {}: {error:?} {:?}", String::from_utf8_lossy(&name[..name.len().min(12)]), store.report())
        })?;
        if let Some(length) = length {
            found.insert(name.clone(), buffer[..length].to_vec());
        }
    }
    Ok(found)
}

fn check_listing<const R: usize, const W: usize, const E: usize, S: Suite>(
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
        text += &format!("{:?}: {kind}, bytes found, old, new: {lengths:?}\n", String::from_utf8_lossy(name));
    }
    text
}
