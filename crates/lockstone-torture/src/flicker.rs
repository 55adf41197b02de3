//! Flicker: power that is cut again and again, each time within the first operations of a session, on a store of any fill.
//! When it lasts at last, everything acknowledged is there, and the store can be written.

use std::collections::BTreeMap;

use lockstone::Error;
use lockstone::trust::MonotonicCounter;
use lockstone_sim::{SimError, Tear};

use crate::random::Random;
use crate::tried::Tried;
use crate::world::{Ram, SimStore, Stop, World, label, name, value};

/// Sessions in a row, each with a cut to come.
const SESSIONS: usize = 150;
/// Keys that are changed meanwhile.
const BUSY: usize = 5;
/// The first of them; a name before it is too long for small stores.
const BUSY_FROM: usize = 2;

/// What a key may hold: more than one thing after a change that was cut.
type States = BTreeMap<usize, Vec<Option<Vec<u8>>>>;

/// Plays the case of this seed.
pub(crate) fn flicker<const R: usize, const W: usize, const E: usize, S: Tried>(
    world: &mut World<R, W, E>,
    seed: u64,
    cuts: &mut u64,
) -> Result<(), Stop> {
    let mut random = Random(seed);
    world.flash.set_seed(seed);
    world.format::<S>().map_err(|error| Stop::Wrong(format!("format: {error}")))?;
    let mut states = States::new();
    furnish::<R, W, E, S>(world, &mut states, seed as usize % 5, &mut random)?;
    let within = [2, 3, 4, 6, 9, 14, 20][(seed / 5) as usize % 7];
    let mut hurried = Ok(());
    for _ in 0..SESSIONS {
        world.flash.cut_at(random.below(within) as u64, Tear::ALL[random.below(Tear::ALL.len())]);
        hurried = hurry::<R, W, E, S>(world, &mut states, &mut random);
        if world.flash.is_cut() {
            *cuts += 1;
            world.tale.cut(world.flash.last_cut(), world.flash.data());
            world.flash.power_on();
        }
        world.flash.cancel_cut();
        world.rules()?;
        if hurried.is_err() {
            break;
        }
    }
    // Also in a store that is full for good.
    look::<R, W, E, S>(world, &states)?;
    hurried?;
    empty::<R, W, E, S>(world, &states)?;
    world.rules()
}

/// Fills the store to so many quarters with keys that are never changed again.
fn furnish<const R: usize, const W: usize, const E: usize, S: Tried>(
    world: &mut World<R, W, E>,
    states: &mut States,
    quarters: usize,
    random: &mut Random,
) -> Result<(), Stop> {
    visit::<R, W, E, S>(world, "fill", |store| {
        let room = (store.layout().segment * store.layout().segments) as usize;
        let most = if S::Counter::SMALL { 120 } else { (room / 40).min(900) };
        let (mut taken, mut index) = (0, 10);
        while taken < room * quarters / 4 {
            let length = random.below(most);
            let bytes = value(index, 1, length);
            match store.put(&name(index)[..], &bytes) {
                Ok(()) => drop(states.insert(index, vec![Some(bytes)])),
                Err(Error::Full | Error::TooLarge) => break,
                Err(error) => return Err(error),
            }
            taken += length + 60;
            index += 1;
        }
        Ok(())
    })
}

/// One session: a few changes, until power goes.
fn hurry<const R: usize, const W: usize, const E: usize, S: Tried>(
    world: &mut World<R, W, E>,
    states: &mut States,
    random: &mut Random,
) -> Result<(), Stop> {
    visit::<R, W, E, S>(world, "changes", |store| {
        for _ in 0..1 + random.below(3) {
            let index = BUSY_FROM + random.below(BUSY);
            let new = (random.below(4) > 0).then(|| value(index, random.word() >> 24, random.below(60)));
            let may = states.entry(index).or_insert_with(|| vec![None]);
            may.push(new.clone());
            let done = match &new {
                Some(bytes) => store.put(&name(index)[..], bytes),
                None => store.delete(&name(index)[..]).map(drop),
            };
            match done {
                Ok(()) => *may = vec![new],
                Err(Error::Full) => {
                    may.pop();
                    if new.is_none() {
                        return Err(Error::Full);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })
}

/// Power lasts: all that was acknowledged is there.
fn look<const R: usize, const W: usize, const E: usize, S: Tried>(
    world: &mut World<R, W, E>,
    states: &States,
) -> Result<(), Stop> {
    let mut strange = None;
    visit::<R, W, E, S>(world, "everything at the end", |store| {
        let mut there = vec![0; 4096];
        for (index, may) in states {
            let seen = store.get(&name(*index)[..], &mut there)?.map(|length| there[..length].to_vec());
            if !may.contains(&seen) {
                strange = Some(format!("{} is none of the {} things it may be", label(&name(*index)), may.len()));
                return Ok(());
            }
        }
        if !store.report().is_sound() {
            strange = Some(format!("false alarm: {:?}", store.report()));
        }
        Ok(())
    })?;
    strange.map_or(Ok(()), |what| Err(Stop::Wrong(what)))
}

/// What is there can be deleted, and something be put in its place.
fn empty<const R: usize, const W: usize, const E: usize, S: Tried>(
    world: &mut World<R, W, E>,
    states: &States,
) -> Result<(), Stop> {
    visit::<R, W, E, S>(world, "changes at the end", |store| {
        for index in states.keys() {
            store.delete(&name(*index)[..])?;
        }
        for index in states.keys().take(BUSY) {
            store.put(&name(*index)[..], b"again")?;
        }
        Ok(())
    })
}

/// One mount, and what is done with the store. That power goes meanwhile is no error.
fn visit<const R: usize, const W: usize, const E: usize, S: Tried>(
    world: &mut World<R, W, E>,
    what: &str,
    act: impl FnOnce(&mut SimStore<'_, R, W, E, S>) -> Result<(), Error<SimError>>,
) -> Result<(), Stop> {
    let mut memory = Ram::new();
    let World { flash, part, tale, .. } = world;
    tale.begin(|| what.to_owned());
    let done = match World::<R, W, E>::mount::<S>(flash, *part, &mut memory) {
        Ok(mut store) => act(&mut store).map_err(|error| error.to_string()),
        Err(error) => Err(format!("mount: {error}")),
    };
    let cut = flash.is_cut();
    tale.end(flash.trace(), || if cut { "the power went".to_owned() } else { format!("{done:?}") });
    done.or_else(|error| if cut { Ok(()) } else { Err(Stop::Wrong(format!("{what}: {error}"))) })
}
