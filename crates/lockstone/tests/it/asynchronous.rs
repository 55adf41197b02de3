//! Dropped futures: a call that is dropped at any await leaves the old or the new state, and the store goes on.
//!
//! Every operation of the simulator is pending twice, before it acts and after it has acted, so polling a call `n` times
//! and dropping it then stops the engine at every place where it can be stopped. Runs with the feature `async`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lockstone::asynchronous::Store;
use lockstone::seal::Suite;
use lockstone::trust::{Anchor, MonotonicCounter, Protection};
use lockstone::{Ascon, Attributes, Error, Layout, OpenError, Part, Plain, Put};
use lockstone_sim::geometry::{Geometry, Scenario, for_each_geometry};
use lockstone_sim::{SimCounter, SimError, SimFlash};

use lockstone_torture::{Fixed, Model, Op, Ram, Trusted, World, finish, name, poll, root, value};

type Sim<'w, const R: usize, const W: usize, const E: usize, S> = Store<'w, &'w mut SimFlash<R, W, E>, S>;
type Changes = Vec<(usize, Option<Vec<u8>>)>;

/// Puts and deletes in one transaction, or one of them alone.
async fn change<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut Sim<'_, R, W, E, S>,
    changes: &Changes,
) -> Result<(), Error<SimError>> {
    if let [(index, value)] = &changes[..] {
        return match value {
            Some(value) => store.put(&name(*index)[..], value).await,
            None => store.delete(&name(*index)[..]).await.map(drop),
        };
    }
    let mut transaction = store.transaction(4096).await?;
    for (index, value) in changes {
        match value {
            Some(value) => transaction.put(&name(*index)[..], value).await?,
            None => drop(transaction.delete(&name(*index)[..]).await?),
        }
    }
    transaction.commit().await
}

fn applied(model: &Model, changes: &Changes) -> Model {
    let mut model = model.clone();
    for (index, value) in changes {
        match value {
            Some(value) => model.insert(name(*index), value.clone()),
            None => model.remove(&name(*index)),
        };
    }
    model
}

fn read<const R: usize, const W: usize, const E: usize, S: Suite>(store: &mut Sim<'_, R, W, E, S>) -> Model {
    let mut buffer = vec![0; 8192];
    let mut found = Model::new();
    for name in (0..20).map(name) {
        if let Some(length) = finish(store.get(&name[..], &mut buffer)).unwrap() {
            found.insert(name, buffer[..length].to_vec());
        }
    }
    found
}

/// Drops the change after `times` polls; false when it ended before.
fn drop_after<const R: usize, const W: usize, const E: usize, S: Suite>(
    world: &mut World<R, W, E>,
    changes: &Changes,
    times: usize,
) -> bool {
    let old = world.oracle.model.clone();
    let new = applied(&old, changes);
    let mut memory = Ram::new();
    let part = world.part;
    let mut store: Sim<'_, R, W, E, S> = finish(Store::mount(&mut world.flash, part, &root(), &mut memory)).unwrap();
    let ended = poll(change(&mut store, changes), times);
    assert!(matches!(ended, None | Some(Ok(()))), "{ended:?}");
    let found = read(&mut store);
    assert!(found == new || (ended.is_none() && found == old), "neither old nor new after {times} polls");
    // The store goes on, and the next mount finds the same.
    let next = vec![(17, Some(value(17, 1, 70)))];
    finish(change(&mut store, &next)).unwrap();
    world.oracle.model = applied(&found, &next);
    assert_eq!(read(&mut store), world.oracle.model);
    finish(store.close()).unwrap();
    world.verify::<S>().unwrap();
    world.check_rules();
    ended.is_none()
}

#[derive(Default)]
struct Dropped {
    drops: u64,
    failures: Vec<String>,
}

impl Dropped {
    fn visit<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry) {
        let body = Layout::of(R, W, E, geometry.capacity).unwrap().body_max as usize;
        let mut start = World::<R, W, E>::new(geometry.flash());
        start.format::<S>().unwrap();
        let mut setup: Vec<Op> =
            (0..geometry.capacity / (body + 10)).map(|turn| Op::Put(turn % 4, body - 20)).collect();
        setup.extend([Op::Put(5, body * 2), Op::Put(6, 10), Op::Delete(1)]);
        start.run::<S>(&setup).unwrap();
        let all: [Changes; 4] = [
            vec![(2, Some(value(2, 900, body * 2)))],
            vec![(5, None)],
            vec![(5, Some(value(5, 901, 9)))],
            vec![(1, Some(value(1, 902, 40))), (5, None), (6, Some(value(6, 903, body + 9)))],
        ];
        let mut world = start.copy();
        for changes in &all {
            // A record takes a few polls: small steps at the beginning, then every seventh.
            let mut times = 0;
            loop {
                world.become_like(&start);
                let what = catch_unwind(AssertUnwindSafe(|| drop_after::<R, W, E, S>(&mut world, changes, times)));
                if !what.as_ref().is_ok_and(|dropped| *dropped) {
                    let id = format!(
                        "{}/{}, {} changes, dropped after {times} polls",
                        geometry.name,
                        S::NAME,
                        changes.len()
                    );
                    self.failures.extend(what.is_err().then_some(id));
                    break;
                }
                self.drops += 1;
                times += if times < 20 { 1 } else { 7 };
            }
        }
    }
}

impl Scenario for Dropped {
    type Output = ();

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) {
        if geometry.is_small() {
            self.visit::<R, W, E, Ascon>(geometry);
            self.visit::<R, W, E, Plain>(geometry);
        }
    }
}

#[test]
fn dropped_futures_lose_nothing() {
    let mut dropped = Dropped::default();
    for_each_geometry(&mut dropped);
    println!("dropped futures: {} calls were dropped, {} went wrong", dropped.drops, dropped.failures.len());
    assert!(dropped.failures.is_empty(), "{:#?}", dropped.failures);
    assert!(dropped.drops > 1000);
}

/// A protected write that is dropped anywhere is there or not, and costs no more than a write that ended.
#[test]
fn dropped_protected_writes_are_whole_and_counted_once() {
    type Flash = SimFlash<4, 4, 2048>;
    let key = root();
    let mut dropped = 0;
    for times in 0.. {
        let mut flash = Flash::new(16 * 2048, 0xff);
        let mut counter = Trusted(SimCounter::new(1000));
        let mut memory = Ram::new();
        let anchor = Anchor { root: &key, counter: &mut counter };
        let store: Store<'_, _, Ascon, _> = finish(Store::format_protected(
            &mut flash,
            Part::NOR,
            anchor,
            Protection::Chosen,
            &mut Fixed(7),
            &mut memory,
        ))
        .unwrap();
        drop(store);
        let start = counter.0.value();
        let anchor = Anchor { root: &key, counter: &mut counter };
        let mut store: Store<'_, _, Ascon, _> =
            finish(Store::mount_protected(&mut flash, Part::NOR, anchor, &mut memory)).unwrap();
        finish(store.put("lock", b"old")).unwrap();
        let ended = poll(store.put_with("lock", b"new", Put::PROTECTED), times);
        let mut buffer = [0; 8];
        let length = finish(store.get("lock", &mut buffer)).unwrap().unwrap();
        let found = buffer[..length].to_vec();
        assert!(found == b"new" || ended.is_none() && found == b"old", "{times} polls: {found:?}");
        finish(store.put_with("after", b"", Put::PROTECTED)).unwrap();
        drop(store);
        assert!(counter.0.value() <= start + 4, "two writes, and one opening each");
        let anchor = Anchor { root: &key, counter: &mut counter };
        let mut store: Store<'_, _, Ascon, _> =
            finish(Store::mount_protected(&mut flash, Part::NOR, anchor, &mut memory)).unwrap();
        assert_eq!(finish(store.get("lock", &mut buffer)), Ok(Some(length)), "what was seen stays");
        if ended.is_some() {
            break;
        }
        dropped += 1;
    }
    println!("protected writes dropped at each of {dropped} places");
    assert!(dropped > 20);
}

/// How a dropped call would have put its value is nothing to the next one.
#[test]
fn a_dropped_put_leaves_no_attributes_behind() {
    let key = root();
    let mut memory = Ram::new();
    let attributes = Attributes::READ_ONLY.and(Attributes::DANGER_REPLAYABLE);
    for times in 0.. {
        let mut flash = SimFlash::<4, 4, 2048>::new(16 * 2048, 0xff);
        let mut store: Store<'_, _, Ascon> =
            finish(Store::format(&mut flash, Part::NOR, &key, &mut Fixed(7), &mut memory)).unwrap();
        let ended = poll(store.put_with("fixed", b"for ever", Put::with(attributes)), times);
        finish(store.put("free", b"1")).unwrap();
        finish(store.put("free", b"2")).unwrap();
        assert_eq!(finish(store.attributes_of("free")), Ok(Some(Attributes::NONE)), "after {times} polls");
        if ended.is_some() {
            break;
        }
    }
}

/// A roll-back is accepted for ever, on record, or not at all.
#[test]
fn a_dropped_acceptance_opens_nothing() {
    type Flash = SimFlash<4, 4, 2048>;
    type Kept<'k> = Store<'k, &'k mut Flash, Ascon, &'k mut Trusted<SimCounter>>;
    let key = root();
    let mut memory = Ram::new();
    let mut flash = Flash::new(16 * 2048, 0xff);
    let mut counter = Trusted(SimCounter::new(1000));
    let mut old = None;
    let anchor = Anchor { root: &key, counter: &mut counter };
    let random = &mut Fixed(7);
    drop(
        finish(Kept::format_protected(&mut flash, Part::NOR, anchor, Protection::Chosen, random, &mut memory)).unwrap(),
    );
    for value in [b"old", b"new"] {
        old = old.or((value == b"new").then(|| flash.clone()));
        let anchor = Anchor { root: &key, counter: &mut counter };
        let mut store: Kept<'_> = finish(Store::mount_protected(&mut flash, Part::NOR, anchor, &mut memory)).unwrap();
        finish(store.put_with("lock", value, Put::PROTECTED)).unwrap();
    }
    let (old, steps) = (old.unwrap(), counter.0.value());
    for times in 0.. {
        let (mut flash, mut counter) = (old.clone(), Trusted(SimCounter::new(1000)));
        while counter.increment().unwrap() < steps {}
        let anchor = Anchor { root: &key, counter: &mut counter };
        let mut store: Kept<'_> =
            finish(Store::danger_mount_rolled_back(&mut flash, Part::NOR, anchor, &mut memory)).unwrap();
        let ended = poll(store.danger_accept_rollback(), times);
        assert_eq!(finish(store.put("x", b"")).is_ok(), ended.is_some(), "after {times} polls");
        drop(store);
        let anchor = Anchor { root: &key, counter: &mut counter };
        match finish(Kept::mount_protected(&mut flash, Part::NOR, anchor, &mut memory)) {
            Ok(mut store) => assert_eq!(finish(store.rollbacks_accepted()), Ok(1)),
            Err(refused) => assert!(ended.is_none() && refused == OpenError::RolledBack, "{refused:?}"),
        }
        if ended.is_some() {
            break;
        }
    }
}

/// A flash that may go to another thread, and be used by one at a time only.
struct OneAtATime(SimFlash<1, 4, 4096>, std::cell::Cell<u8>);

impl embedded_storage_async::nor_flash::ErrorType for OneAtATime {
    type Error = SimError;
}

impl embedded_storage_async::nor_flash::ReadNorFlash for OneAtATime {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        embedded_storage_async::nor_flash::ReadNorFlash::read(&mut self.0, offset, bytes).await
    }

    fn capacity(&self) -> usize {
        embedded_storage_async::nor_flash::ReadNorFlash::capacity(&self.0)
    }
}

impl embedded_storage_async::nor_flash::NorFlash for OneAtATime {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        embedded_storage_async::nor_flash::NorFlash::erase(&mut self.0, from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        embedded_storage_async::nor_flash::NorFlash::write(&mut self.0, offset, bytes).await
    }
}

#[test]
fn calls_may_go_to_another_thread() {
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    let flash = OneAtATime(SimFlash::new(16 * 4096, 0xff), std::cell::Cell::new(0));
    assert_eq!(flash.1.get(), 0);
    let mut memory = Ram::new();
    let mut id = Fixed(9);
    let root = root();
    let format = Store::<_, Ascon>::format(flash, Part::NOR, &root, &mut id, &mut memory);
    let mut store = finish(is_send(format)).unwrap();
    finish(is_send(store.put("there", b"and back"))).unwrap();
    assert_eq!(finish(is_send(store.get("there", &mut [0; 8]))).unwrap(), Some(8));
    finish(is_send(store.delete("there"))).unwrap();
}

#[test]
fn a_reset_that_was_dropped_is_not_forgotten() {
    let (key, mut memory) = (root(), Ram::new());
    let mut flash = SimFlash::<1, 4, 2048>::new(16 * 2048, 0xff);
    let mut counter = Trusted(SimCounter::new(1000));
    let anchor = Anchor { root: &key, counter: &mut counter };
    let mut store = finish(Store::<_, Ascon, _>::format_protected(
        &mut flash,
        Part::NOR,
        anchor,
        Protection::Chosen,
        &mut Fixed(7),
        &mut memory,
    ))
    .unwrap();
    for index in 0..4_u8 {
        finish(store.put(&[index][..], b"old")).unwrap();
    }
    drop(store);
    let (formatted, steps) = (flash, counter.0.value());
    let (mut cases, mut first) = (0, 1);
    loop {
        let mut ended = false;
        for second in (0..).step_by(5) {
            let (mut flash, mut counter) = (formatted.clone(), Trusted(SimCounter::new(1000)));
            while counter.increment().unwrap() < steps {}
            let anchor = Anchor { root: &key, counter: &mut counter };
            let mut store =
                finish(Store::<_, Ascon, _>::mount_protected(&mut flash, Part::NOR, anchor, &mut memory)).unwrap();
            ended = poll(store.factory_reset(), first).is_some();
            if ended || poll(store.contains(&[3][..]), second).is_some() {
                break;
            }
            let there = [0, 1, 2, 3].map(|index: u8| finish(store.contains(&[index][..])).unwrap());
            assert!(there == [true; 4] || there == [false; 4], "dropped after {first} and {second} polls: {there:?}");
            finish(store.put("new", b"kept")).unwrap();
            drop(store);
            let anchor = Anchor { root: &key, counter: &mut counter };
            let mut store =
                finish(Store::<_, Ascon, _>::mount_protected(&mut flash, Part::NOR, anchor, &mut memory)).unwrap();
            assert!(finish(store.contains("new")).unwrap(), "dropped after {first} and {second} polls");
            cases += 1;
        }
        if ended {
            break;
        }
        first += 7;
    }
    assert!(cases > 500, "{cases}");
}

#[test]
fn a_get_that_is_refused_does_not_leave_a_transaction_open() {
    let (key, mut memory) = (root(), Ram::new());
    let mut flash = SimFlash::<1, 4, 2048>::new(16 * 2048, 0xff);
    let mut store = finish(Store::<_, Ascon>::format(&mut flash, Part::NOR, &key, &mut Fixed(7), &mut memory)).unwrap();
    let mut transaction = finish(store.transaction(500)).unwrap();
    finish(transaction.put("in", b"1")).unwrap();
    assert_eq!(finish(transaction.get("", &mut [0; 4])), Err(Error::InvalidName));
    std::mem::forget(transaction);
    finish(store.put("k", b"1")).unwrap();
    drop(store);
    let mut store = finish(Store::<_, Ascon>::mount(&mut flash, Part::NOR, &key, &mut memory)).unwrap();
    assert_eq!((finish(store.contains("in")), finish(store.contains("k"))), (Ok(false), Ok(true)));
}

/// Two stores with the same keys say the same, in turns: nothing is new about what the second says.
#[cfg(feature = "fuzzing")]
#[test]
fn the_audit_tells_stores_apart_that_take_turns() {
    use lockstone::seal::audit::{Audited, take_ledger};
    use std::future::Future as _;
    use std::task::{Context, Waker};

    let (key, mut memories) = (root(), [Ram::new(), Ram::new()]);
    let mut flashes = [0, 1].map(|_| SimFlash::<1, 4, 2048>::new(16 * 2048, 0xff));
    let [one, two] = &mut memories;
    let [here, there] = &mut flashes;
    take_ledger();
    let mut first = finish(Store::<_, Audited<Ascon>>::format(here, Part::NOR, &key, &mut Fixed(1), one)).unwrap();
    let mut second = finish(Store::<_, Audited<Ascon>>::format(there, Part::NOR, &key, &mut Fixed(1), two)).unwrap();
    for value in 0..20_u8 {
        let value = [value; 40];
        let (mut one, mut two) = (Box::pin(first.put("k", &value)), Box::pin(second.put("k", &value)));
        let mut context = Context::from_waker(Waker::noop());
        let mut done = one.as_mut().poll(&mut context).is_ready();
        while !done {
            done = one.as_mut().poll(&mut context).is_ready();
            assert!(two.as_mut().poll(&mut context).is_pending() || done);
        }
        finish(two).unwrap();
    }
    let ledger = take_ledger();
    assert!(ledger.findings == 0 && ledger.repeats * 2 == ledger.seals, "{ledger:?}");
}
