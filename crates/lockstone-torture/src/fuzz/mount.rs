//! `mount`: a flash that somebody else wrote, or changed, is mounted, read and written.
//!
//! ```text
//! geometry | suite and base | change | change | ...        a change: what it is, then its numbers and bytes
//! ```
//!
//! The base is a blank flash or a genuine image. Bytes, blocks and whole stretches of it are changed; pieces of it are changed
//! and sealed again with the right key (see [`forge`](super::forge)). Whatever comes of it: no panic, no call without an
//! end, a read-only mount writes nothing. Where the key was not used, every answer is that of one state that the device had,
//! or an error; and what was put afterwards is there. (Where the end of the
//! log was destroyed, so that it reads as an older state, what is left of the newer one may be met later.)

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use lockstone::seal::Suite;
use lockstone::{Ascon, Cursor, Error, Layout, Part, Plain, Store};
use lockstone_sim::geometry::{Geometry, Scenario, run_on};
use lockstone_sim::{SimError, SimFlash};

use super::bytes::Bytes;
use super::forge::{Changes, Forge};
use super::meter::{Meter, Metered};
use super::operations::small_geometry;
use crate::replay::Image;
use crate::tale::Tale;
use crate::world::{Model, Op, Ram, Stop, World, label, name, root, value};

/// Changes of one input; what comes behind them is ignored.
const CHANGES_MAX: usize = 40;
/// The index of a name that no script stores.
const NEVER: usize = 9999;

type Sim<'w, const R: usize, const W: usize, const E: usize, S> = Store<'w, Metered<'w, R, W, E>, S>;
/// What was written: names, and values or `None` where they were deleted.
type Written = BTreeMap<Vec<u8>, Option<Vec<u8>>>;
type Answer<T> = Result<T, Error<SimError>>;

pub(super) fn run(input: &[u8], tale: &Tale, image: &mut Option<Image>) -> Result<(), String> {
    let mut bytes = Bytes(input);
    let geometry = small_geometry(&mut bytes);
    let base = bytes.byte();
    let mut attack = Attack { bytes, plain: base & 1 == 1, base: base >> 1 & 3, tale, image };
    run_on(geometry.name, &mut attack).unwrap_or(Ok(()))
}

/// A genuine image and all states that the device had.
struct Base<S> {
    bytes: Vec<u8>,
    states: Vec<Model>,
    /// Nothing to take apart in a blank image.
    forge: Option<Forge<S>>,
}

/// By geometry, suite and kind of base.
type Bases = BTreeMap<(&'static str, bool, u8), Rc<dyn Any>>;

thread_local! {
    /// Genuine images, made once.
    static BASES: RefCell<Bases> = RefCell::default();
}

struct Attack<'a> {
    bytes: Bytes<'a>,
    plain: bool,
    base: u8,
    tale: &'a Tale,
    image: &'a mut Option<Image>,
}

impl Scenario for Attack<'_> {
    type Output = Result<(), String>;

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) -> Self::Output {
        if self.plain { self.attack::<R, W, E, Plain>(geometry) } else { self.attack::<R, W, E, Ascon>(geometry) }
    }
}

impl Attack<'_> {
    fn attack<const R: usize, const W: usize, const E: usize, S: Suite + 'static>(
        &mut self,
        geometry: &Geometry,
    ) -> Result<(), String> {
        let base = self.base::<R, W, E, S>(geometry)?;
        let (mut flash, forged) = self.changed::<R, W, E, S>(geometry, &base);
        self.tale.note(|| {
            let base = ["a blank flash", "a short log, closed", "a log that went round, closed", "a log, not closed"];
            let (base, sealed) = (base[usize::from(self.base)], if forged { ", sealed again" } else { "" });
            format!("{}, {}, {base}{sealed}", geometry.name, S::NAME)
        });
        let is_told = self.tale.is_told();
        *self.image = is_told.then(|| Image::of(geometry, self.plain, &flash));
        if is_told {
            flash.trace_on();
        }
        let meter = Meter::new(geometry.capacity as u64 * 40 + 50_000);
        let part = World::new(geometry.flash::<R, W, E>()).part;
        let honest = (S::OPAQUE && !forged).then_some(&base.states[..]);
        let mut trial = Trial { flash, part, meter, honest, names: names(&base.states), tale: self.tale };
        let result = trial.look::<S>().and_then(|()| trial.write::<S>());
        self.tale.note(|| format!("at most {} accesses in one call", trial.meter.most.get()));
        result
    }

    fn base<const R: usize, const W: usize, const E: usize, S: Suite + 'static>(
        &self,
        geometry: &Geometry,
    ) -> Result<Rc<Base<S>>, String> {
        let key = (geometry.name, self.plain, self.base);
        let known = BASES.with_borrow(|bases| bases.get(&key).cloned());
        if let Some(base) = known.and_then(|base| base.downcast().ok()) {
            return Ok(base);
        }
        let base = Rc::new(made::<R, W, E, S>(geometry, self.base)?);
        BASES.with_borrow_mut(|bases| bases.insert(key, Rc::clone(&base) as Rc<dyn Any>));
        Ok(base)
    }

    /// The base with all changes, and whether pieces were sealed again.
    fn changed<const R: usize, const W: usize, const E: usize, S: Suite>(
        &mut self,
        geometry: &Geometry,
        base: &Base<S>,
    ) -> (SimFlash<R, W, E>, bool) {
        let bytes = &mut self.bytes;
        let (mut image, mut forged, mut failing) = (base.bytes.clone(), Changes::default(), Vec::new());
        let start = *bytes;
        // The forge first: it needs the pieces as they were.
        for sealed_again in [true, false] {
            *bytes = start;
            for _ in 0..CHANGES_MAX {
                if bytes.is_empty() {
                    break;
                }
                match (bytes.byte() % 8, sealed_again) {
                    (0..=2, true) => forged.draw_edit(bytes),
                    (3, true) => forged.draw_way(bytes),
                    (0..=2, false) => Changes::default().draw_edit(bytes),
                    (3, false) => Changes::default().draw_way(bytes),
                    (_, true) => drop(change(&mut [], geometry, bytes)),
                    (_, false) => failing.extend(change(&mut image, geometry, bytes)),
                }
            }
            if let (true, Some(forge)) = (sealed_again, &base.forge) {
                forge.apply(&forged, &mut image);
            }
        }
        let forged = base.forge.is_some() && !forged.is_empty();
        let mut flash = SimFlash::with_content(geometry.erased, image);
        flash.set_reprogram_heals(true);
        failing.into_iter().for_each(|address| flash.inject_ecc(address));
        (flash, forged)
    }
}

/// One change of the bytes, without any key; an address if it is to fail when it is read.
fn change(image: &mut [u8], geometry: &Geometry, bytes: &mut Bytes<'_>) -> Option<u32> {
    let (kind, at) = (bytes.byte(), bytes.below(geometry.capacity));
    let place = |length: usize| at..(at + length).min(image.len()).max(at.min(image.len()));
    match kind % 5 {
        0 | 1 => {
            let new = bytes.take(1 + usize::from(kind >> 4));
            let range = place(new.len());
            image.get_mut(range).unwrap_or_default().iter_mut().zip(new).for_each(|(to, from)| *to = *from);
        }
        2 => {
            let range = place(1 + bytes.word());
            image.get_mut(range).unwrap_or_default().fill(geometry.erased);
        }
        3 => {
            let (one, other) = (at / geometry.erase, bytes.below(geometry.blocks()));
            if !image.is_empty() && one != other {
                let (low, high) = (one.min(other) * geometry.erase, one.max(other) * geometry.erase);
                let (left, right) = image.split_at_mut(high);
                left[low..low + geometry.erase].swap_with_slice(&mut right[..geometry.erase]);
            }
        }
        _ => return u32::try_from(at).ok(),
    }
    None
}

/// Makes a base.
fn made<const R: usize, const W: usize, const E: usize, S: Suite>(
    geometry: &Geometry,
    base: u8,
) -> Result<Base<S>, String> {
    let mut world = World::<R, W, E>::new(geometry.flash());
    if base == 0 {
        return Ok(Base { bytes: world.flash.data().to_vec(), states: Vec::new(), forge: None });
    }
    let layout = Layout::of(R, W, E, geometry.capacity).map_err(|error| error.reason().to_owned())?;
    world.format::<S>().map_err(|error| error.to_string())?;
    world.oracle.history = Some(vec![Model::new()]);
    world.run::<S>(&script(geometry, &layout, base)).map_err(Stop::sentence)?;
    let forge = Forge::open(&layout, world.flash.data()).ok_or("the forge does not know this format")?;
    let states = world.oracle.history.take().unwrap_or_default();
    Ok(Base { bytes: world.flash.data().to_vec(), states, forge: Some(forge) })
}

fn script(geometry: &Geometry, layout: &Layout, base: u8) -> Vec<Op> {
    let body = layout.body_max as usize;
    let mut script = vec![
        Op::Put(0, 20),
        Op::Put(1, 60),
        Op::Put(3, body + 50),
        Op::Transaction(vec![(0, Some(30)), (5, Some(40)), (4, Some(0))]),
        Op::Delete(1),
        Op::Put(6, 90),
        Op::Restart,
        Op::Put(3, body * 2),
        Op::Abandon(vec![(6, None), (7, Some(1))]),
        Op::Put(7, 33),
        Op::Delete(4),
    ];
    if base == 2 {
        let length = body - 20;
        script.extend((0..geometry.capacity / (length + 40)).map(|turn| Op::Put(10 + turn % 5, length)));
        script.extend([Op::Put(3, body + 9), Op::Delete(5)]);
    }
    script.push(if base == 3 { Op::Put(8, 12) } else { Op::Reopen });
    script
}

/// All names that ever were, and one that never was.
fn names(states: &[Model]) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = states.iter().flat_map(Model::keys).cloned().chain([name(NEVER)]).collect();
    names.sort();
    names.dedup();
    names
}

/// A changed flash, and what is done with it.
struct Trial<'a, const R: usize, const W: usize, const E: usize> {
    flash: SimFlash<R, W, E>,
    part: Part,
    meter: Meter,
    /// Nobody had the key: these are the states that there were.
    honest: Option<&'a [Model]>,
    names: Vec<Vec<u8>>,
    tale: &'a Tale,
}

impl<const R: usize, const W: usize, const E: usize> Trial<'_, R, W, E> {
    /// Mounts and lets `act` have the store. A mount may refuse, then `None`.
    fn mounted<S: Suite, T>(
        &mut self,
        writable: bool,
        act: impl FnOnce(&mut Sim<'_, R, W, E, S>, &Meter, &Tale) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let Self { flash, part, meter, tale, .. } = self;
        let mut memory = Ram::new();
        meter.refill();
        tale.begin(|| if writable { "mount" } else { "mount, read-only" }.to_owned());
        let metered = Metered { flash: &mut *flash, meter };
        let mounted = if writable {
            Sim::<R, W, E, S>::mount(metered, *part, &root(), &mut memory)
        } else {
            Sim::<R, W, E, S>::mount_read_only(metered, *part, &root(), &mut memory)
        };
        let done = mounted.map(|mut store| {
            tale.end(store.flash().flash.trace(), || format!("{:?}", store.report()));
            act(&mut store, meter, tale)
        });
        match done {
            Ok(done) => done.map(Some),
            Err(refused) => {
                tale.end(flash.trace(), || format!("refused: {refused}"));
                Ok(None)
            }
        }
    }

    /// Reads everything; nothing is written.
    fn look<S: Suite>(&mut self) -> Result<(), String> {
        let (before, names, honest) = (self.flash.operations(), self.names.clone(), self.honest);
        let _ = self.mounted::<S, _>(false, |store, meter, tale| read_all(store, meter, tale, &names, honest))?;
        if self.flash.operations() == before { Ok(()) } else { Err("a read-only mount wrote something".to_owned()) }
    }

    /// Reads everything, writes, reads again; then once more after another mount.
    fn write<S: Suite>(&mut self) -> Result<(), String> {
        let (names, honest) = (self.names.clone(), self.honest);
        let done = self.mounted::<S, _>(true, |store, meter, tale| {
            let newest = read_all(store, meter, tale, &names, honest)?;
            Ok((newest, write_some(store, meter, tale, newest)?))
        })?;
        let (newest, done) = done.unwrap_or_default();
        let again = self.mounted::<S, _>(true, |store, meter, tale| {
            for (name, value) in &done {
                let answer = get(store, meter, tale, name);
                let is_older = |found: &Option<Vec<u8>>| {
                    honest.is_some_and(|states| states.iter().any(|state| state.get(name) == found.as_ref()))
                };
                let right = match &answer {
                    Ok(found) => found == value || (!newest && is_older(found)),
                    Err(_) => !newest,
                };
                if !right && honest.is_some() {
                    let name = label(name);
                    return Err(format!("{name} was written and is not there after another mount: {answer:?}"));
                }
            }
            Ok(())
        })?;
        if again.is_none() && newest && !done.is_empty() {
            return Err("a store that was written does not mount again".to_owned());
        }
        // Rules of the flash may be broken: bytes of others where the log will go are met when they are programmed.
        Ok(())
    }
}

fn get<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut Sim<'_, R, W, E, S>,
    meter: &Meter,
    tale: &Tale,
    name: &[u8],
) -> Answer<Option<Vec<u8>>> {
    let mut buffer = vec![0; 1 << 13];
    meter.refill();
    tale.begin(|| format!("get {}", label(name)));
    let answer = store.get(name, &mut buffer).map(|length| length.map(|length| buffer[..length].to_vec()));
    tale.end(store.flash().flash.trace(), || match &answer {
        Ok(Some(value)) => format!("{} bytes", value.len()),
        Ok(None) => "no such key".to_owned(),
        Err(error) => error.to_string(),
    });
    answer
}

/// Asks for every name, in every way. Whether everything is there, in its newest state, and nobody had the key.
fn read_all<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut Sim<'_, R, W, E, S>,
    meter: &Meter,
    tale: &Tale,
    names: &[Vec<u8>],
    honest: Option<&[Model]>,
) -> Result<bool, String> {
    let mut answers = Vec::new();
    for name in names {
        let answer = get(store, meter, tale, name);
        let mut part = [0; 40];
        meter.refill();
        let range = store.get_range(&name[..], 7, &mut part);
        if let (Ok(Some(whole)), Ok(range)) = (&answer, range) {
            let wanted = whole.get(7..).unwrap_or_default();
            let same = range.is_some_and(|length| part[..length] == wanted[..wanted.len().min(part.len())]);
            if !same {
                return Err(format!("a part of {} is not the same part of the whole", label(name)));
            }
        }
        answers.push((name, answer));
    }
    let listed = list(store, meter, tale)?;
    meter.refill();
    let _ = store.stats();
    let Some(states) = honest else { return Ok(false) };
    if let Some(name) = listed.iter().find(|name| !names.contains(name)) {
        return Err(format!("{} is listed and was never there", label(name)));
    }
    let fits = |state: &Model| {
        answers.iter().all(|(name, answer)| answer.as_ref().map_or(true, |value| value.as_ref() == state.get(*name)))
    };
    if !states.iter().any(fits) {
        return Err("the answers fit no state that there was".to_owned());
    }
    Ok(answers.iter().all(|(_, answer)| answer.is_ok()) && states.last().is_some_and(fits))
}

fn list<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut Sim<'_, R, W, E, S>,
    meter: &Meter,
    tale: &Tale,
) -> Result<Vec<Vec<u8>>, String> {
    const STEPS_MAX: usize = 20_000;
    let (mut cursor, mut name, mut listed) = (Cursor::new(), [0; 255], Vec::new());
    tale.begin(|| "list".to_owned());
    for _ in 0..STEPS_MAX {
        meter.refill();
        match store.next_key(&mut cursor, 0, b"", &mut name) {
            Ok(Some(length)) => listed.push(name[..length].to_vec()),
            Ok(None) => {
                tale.end(store.flash().flash.trace(), || format!("{} names", listed.len()));
                return Ok(listed);
            }
            Err(_) => {}
        }
    }
    Err("a list of names does not end".to_owned())
}

/// Puts, deletes and commits; what was acknowledged. `sound`: then nothing of it is refused.
fn write_some<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut Sim<'_, R, W, E, S>,
    meter: &Meter,
    tale: &Tale,
    sound: bool,
) -> Result<Written, String> {
    let mut done = Written::new();
    for (index, length) in [(NEVER, Some(40)), (3, Some(700)), (0, None), (6, None), (1, Some(0))] {
        let (key, value) = (name(index), length.map(|length| value(index, 1, length)));
        meter.refill();
        tale.begin(|| length.map_or_else(|| format!("delete {}", label(&key)), |_| format!("put {}", label(&key))));
        let result = match &value {
            Some(value) => store.put(&key[..], value),
            None => store.delete(&key[..]).map(drop),
        };
        tale.end(store.flash().flash.trace(), || result.map_or_else(|error| error.to_string(), |()| "done".to_owned()));
        if result.is_err() {
            continue;
        }
        match get(store, meter, tale, &key) {
            Ok(found) if found == value => drop(done.insert(key, value)),
            Err(Error::Damaged) if !sound => {}
            other => return Err(format!("{} was written and reads {other:?}", label(&key))),
        }
    }
    meter.refill();
    if let Ok(mut transaction) = store.transaction(200) {
        let changed = transaction.put(&name(7)[..], b"seven").and_then(|()| transaction.delete(&name(NEVER)[..]));
        if changed.is_ok() && transaction.commit().is_ok() {
            done.insert(name(7), Some(b"seven".to_vec()));
            done.insert(name(NEVER), None);
        }
    }
    Ok(done)
}
