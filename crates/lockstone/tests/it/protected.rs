//! Commits bound to the counter: what they cost, what is refused, and what an older image meets.

use embedded_storage::nor_flash::ReadNorFlash;
use lockstone::trust::{Anchor, MonotonicCounter, Protection, Reader};
use lockstone::{Ascon, Attributes, AttributesError, Error, OpenError, Part, Put, SoftRootKey, Store};
use lockstone_sim::{BlockFault, CounterFault, Power, SimCounter, SimError, SimFlash, Tear};
use lockstone_torture::{Fixed, Ram, Trusted, root};

type Flash = SimFlash<1, 4, 2048>;
type Kept<'d> = Store<'d, &'d mut Flash, Ascon, &'d mut Trusted<SimCounter>>;

/// A flash, a counter, and the key of the device.
struct Device {
    flash: Flash,
    counter: Trusted<SimCounter>,
    root: SoftRootKey,
    memory: Ram,
}

impl Device {
    fn blank(limit: u64) -> Self {
        let counter = Trusted(SimCounter::new(limit));
        Self { flash: Flash::new(32 * 2048, 0xff), counter, root: root(), memory: Ram::new() }
    }

    /// Formatted, its two steps taken.
    fn new(limit: u64, protection: Protection) -> Self {
        let mut device = Self::blank(limit);
        device.format(protection).unwrap();
        device
    }

    fn format(&mut self, protection: Protection) -> Result<(), OpenError<SimError>> {
        let anchor = Anchor { root: &self.root, counter: &mut self.counter };
        Kept::format_protected(&mut self.flash, Part::NOR, anchor, protection, &mut Fixed(7), &mut self.memory)
            .map(drop)
    }

    /// As a factory does it, without a counter.
    fn format_unbound(&mut self) -> Store<'_, &mut Flash, Ascon> {
        Store::format(&mut self.flash, Part::NOR, &self.root, &mut Fixed(7), &mut self.memory).unwrap()
    }

    fn mount(&mut self) -> Result<Kept<'_>, OpenError<SimError>> {
        let anchor = Anchor { root: &self.root, counter: &mut self.counter };
        Store::mount_protected(&mut self.flash, Part::NOR, anchor, &mut self.memory)
    }

    fn mount_rolled_back(&mut self) -> Result<Kept<'_>, OpenError<SimError>> {
        let anchor = Anchor { root: &self.root, counter: &mut self.counter };
        Store::danger_mount_rolled_back(&mut self.flash, Part::NOR, anchor, &mut self.memory)
    }

    fn steps(&self) -> u64 {
        self.counter.0.value()
    }

    /// Mounts, and puts one protected value.
    fn protect(&mut self, value: &[u8]) {
        self.mount().unwrap().put_with("lock", value, Put::PROTECTED).unwrap();
    }
}

fn read(store: &mut Kept<'_>, name: &str) -> Result<Option<Vec<u8>>, Error<SimError>> {
    let mut buffer = [0; 64];
    Ok(store.get(name, &mut buffer)?.map(|length| buffer[..length].to_vec()))
}

#[test]
fn ordinary_writes_cost_no_step() {
    let mut device = Device::new(1000, Protection::Chosen);
    assert_eq!(device.steps(), 2, "formatting is a protected commit of its own");
    let mut store = device.mount().unwrap();
    for round in 0..1000_u32 {
        store.put(&[round as u8 % 50], &round.to_le_bytes()).unwrap();
    }
    drop(store);
    assert_eq!(device.steps(), 2);
}

#[test]
fn protected_writes_cost_one_step_each_and_one_a_session() {
    let mut device = Device::new(1000, Protection::Chosen);
    let mut store = device.mount().unwrap();
    for round in 0..100_u32 {
        store.put_with("lock", &round.to_le_bytes(), Put::PROTECTED).unwrap();
    }
    assert_eq!(store.counter_state().unwrap().value, 2 + 101);
    drop(store);
    assert_eq!(device.steps(), 2 + 101);
    let mut store = device.mount().unwrap();
    let mut transaction = store.protected_transaction(2000).unwrap();
    for index in 0..20_u8 {
        transaction.put_with(&[b'k', index], &[index; 30], Put::PROTECTED).unwrap();
    }
    transaction.commit().unwrap();
    drop(store);
    assert_eq!(device.steps(), 2 + 101 + 2);
    let mut store = device.mount().unwrap();
    assert_eq!(read(&mut store, "lock"), Ok(Some(99_u32.to_le_bytes().to_vec())));
    assert_eq!(read(&mut store, "k\x13"), Ok(Some(vec![19; 30])));
}

#[test]
fn a_store_can_protect_every_commit() {
    let mut device = Device::new(1000, Protection::EveryCommit);
    let mut store = device.mount().unwrap();
    store.put("a", b"1").unwrap();
    store.put("b", &[2; 3000]).unwrap();
    store.delete("a").unwrap();
    let mut transaction = store.transaction(100).unwrap();
    transaction.put("c", b"3").unwrap();
    transaction.put("d", b"4").unwrap();
    transaction.commit().unwrap();
    drop(store);
    assert_eq!(device.steps(), 2 + 1 + 4);
    let kept = device.flash.clone();
    device.mount().unwrap().put("a", b"5").unwrap();
    device.flash = kept;
    assert_eq!(device.mount().unwrap_err(), OpenError::RolledBack);
}

/// The retirement of a block that fails under a counted commit is a run of its own, which every later mount finds.
#[test]
fn a_block_that_fails_under_a_counted_commit_is_retired_for_good() {
    for fault in [BlockFault::EraseFails, BlockFault::ProgramFails, BlockFault::EraseLeavesBits] {
        let mut device = Device::new(100_000, Protection::EveryCommit);
        device.flash.fail_block(5, fault);
        for session in 0..3_u8 {
            let mut store = device.mount().unwrap();
            for round in 0..1500_u32 {
                store.put(&[b'k', session, round as u8 % 16], &round.to_le_bytes()).unwrap();
            }
        }
        let mut store = device.mount().unwrap();
        assert!(store.report().is_sound(), "{fault:?}: {:?}", store.report());
        assert_eq!(store.stats().unwrap().bad_segments, 1);
        assert_eq!(store.stats().unwrap().keys, 48);
    }
}

#[test]
fn an_older_image_is_refused_and_shown_only_to_who_insists() {
    let mut device = Device::new(1000, Protection::Chosen);
    device.protect(b"old");
    let old = device.flash.clone();
    device.protect(b"new");
    let new = device.flash.clone();
    device.flash = old;
    let before = device.flash.data().to_vec();
    assert_eq!(device.mount().unwrap_err(), OpenError::RolledBack);
    let mut store = device.mount_rolled_back().unwrap();
    assert!(store.report().rolled_back);
    assert_eq!(read(&mut store, "lock"), Ok(Some(b"old".to_vec())));
    assert_eq!(store.put("x", b""), Err(Error::ReadOnly));
    drop(store);
    assert_eq!(device.flash.data(), before, "looking changes nothing");

    let mut store = device.mount_rolled_back().unwrap();
    store.danger_accept_rollback().unwrap();
    store.put("x", b"goes on").unwrap();
    drop(store);
    let mut store = device.mount().unwrap();
    assert_eq!(read(&mut store, "lock"), Ok(Some(b"old".to_vec())));
    assert_eq!(read(&mut store, "x"), Ok(Some(b"goes on".to_vec())));
    assert_eq!(store.rollbacks_accepted(), Ok(1));
    assert_eq!(store.stats().unwrap().bad_segments, 0);
    drop(store);
    device.flash = new;
    assert_eq!(device.mount().unwrap_err(), OpenError::RolledBack, "the other branch is gone for good");
}

#[test]
fn a_store_that_was_not_rolled_back_accepts_nothing() {
    let mut device = Device::new(1000, Protection::Chosen);
    assert_eq!(device.mount_rolled_back().unwrap().danger_accept_rollback(), Err(Error::NotPermitted));
}

/// Rolled back by one protected write, with so many steps left.
fn rolled_back(protection: Protection, left: u64) -> Device {
    let mut device = Device::new(6 + left, protection);
    device.protect(b"old");
    let old = device.flash.clone();
    device.protect(b"new");
    assert_eq!(device.steps(), 6);
    device.flash = old;
    device
}

#[test]
fn acceptance_takes_two_steps_or_changes_nothing() {
    for protection in [Protection::Chosen, Protection::EveryCommit] {
        for left in [0, 1, 2, 5] {
            let mut device = rolled_back(protection, left);
            let before = device.flash.data().to_vec();
            let accepted = device.mount_rolled_back().unwrap().danger_accept_rollback();
            if left < 2 {
                assert_eq!((accepted, device.steps()), (Err(Error::CounterExhausted), 6));
                assert_eq!(device.flash.data(), before, "nothing was changed");
            } else {
                assert_eq!((accepted, device.steps()), (Ok(()), 8));
                assert_eq!(device.mount().unwrap().rollbacks_accepted(), Ok(1));
            }
        }
    }
}

#[test]
fn no_cut_hides_an_acceptance() {
    for protection in [Protection::Chosen, Protection::EveryCommit] {
        let mut accepted = 0;
        for operation in 0.. {
            let mut device = rolled_back(protection, 9);
            device.counter.0.plug_in(device.flash.power());
            device.flash.power().cut_at(operation, Tear::Whole);
            let done = device.mount_rolled_back().unwrap().danger_accept_rollback().is_ok();
            device.flash.power().cancel_cut();
            device.flash.power_on();
            match device.mount() {
                Ok(mut store) => {
                    accepted += 1;
                    assert_eq!(store.rollbacks_accepted(), Ok(1), "cut at {operation}");
                }
                Err(error) => assert_eq!((error, done), (OpenError::RolledBack, false), "cut at {operation}"),
            }
            if done {
                break;
            }
        }
        assert!(accepted > 1, "a cut after the last step too");
    }
}

/// What is given up may be anything that a cut leaves, also a commit that nobody counted.
#[test]
fn nothing_that_was_given_up_comes_back() {
    let mut uncounted = 0;
    for operation in 0.. {
        for tear in [Tear::Absent, Tear::Whole] {
            let mut device = Device::new(1000, Protection::Chosen);
            device.protect(b"old");
            let old = device.flash.clone();
            device.protect(b"new");
            device.counter.0.plug_in(device.flash.power());
            device.flash.power().cut_at(operation, tear);
            let mut store = device.mount().unwrap();
            let done = store.put_with("lock", b"newer", Put::PROTECTED).is_ok();
            drop(store);
            device.flash.power().cancel_cut();
            device.flash.power_on();
            let given_up = device.flash.clone();
            let bound = device.mount().unwrap().binding().unwrap();
            let steps = device.steps();
            uncounted += u32::from(!bound.is_intent && u64::from(bound.value) > steps);
            let mut device = Device { flash: old, counter: device.counter, root: root(), memory: Ram::new() };
            device.mount_rolled_back().unwrap().danger_accept_rollback().unwrap();
            device.flash = given_up;
            assert_eq!(device.mount().unwrap_err(), OpenError::RolledBack, "cut at {operation}, {tear:?}");
            if done {
                assert!(uncounted > 0, "no cut left a commit that was not counted");
                return;
            }
        }
    }
}

#[test]
fn no_image_from_before_a_format_is_accepted() {
    let mut device = Device::new(1000, Protection::Chosen);
    let empty = device.flash.clone();
    device.protect(b"first life");
    let full = device.flash.clone();
    device.format(Protection::Chosen).unwrap();
    for image in [empty, full] {
        device.flash = image;
        assert_eq!(device.mount().unwrap_err(), OpenError::RolledBack);
    }
}

#[test]
fn a_store_from_the_factory_is_bound_by_its_first_protected_commit() {
    let mut device = Device::blank(1000);
    device.format_unbound().put("serial", b"0001").unwrap();
    let factory = device.flash.clone();
    device.protect(b"bound");
    assert_eq!(device.steps(), 2);
    let unbound = Store::<_, Ascon>::mount(&mut device.flash, Part::NOR, &device.root, &mut device.memory);
    assert_eq!(unbound.unwrap_err(), OpenError::NoCounter);
    device.flash = factory;
    assert_eq!(device.mount().unwrap_err(), OpenError::RolledBack);
}

#[test]
fn without_a_counter_protection_is_refused() {
    let mut device = Device::blank(0);
    let mut store = device.format_unbound();
    assert_eq!(store.counter_state(), None);
    assert_eq!(store.put_with("a", b"", Put::PROTECTED), Err(Error::NoCounter));
    for attribute in [Attributes::PROTECTED, Attributes::WRITE_ONCE, Attributes::READ_ONLY, Attributes::NON_DELETABLE] {
        assert_eq!(store.put_with("a", b"", Put::with(attribute)), Err(Error::NoCounter));
    }
    assert_eq!(store.protected_transaction(100).map(drop), Err(Error::NoCounter));
    assert_eq!(store.contains("a"), Ok(false));
    let replayable = Attributes::WRITE_ONCE.and(Attributes::DANGER_REPLAYABLE);
    store.put_with("a", b"1", Put::with(replayable)).unwrap();
    assert_eq!(store.put("a", b"2"), Err(Error::NotPermitted));
    assert_eq!(store.delete("a"), Err(Error::NotPermitted));
}

#[test]
fn exhaustion_is_announced_and_then_refused() {
    let mut device = Device::new(32, Protection::Chosen);
    let mut store = device.mount().unwrap();
    let mut announced = None;
    let mut written = 0_u32;
    let refused = loop {
        let state = store.counter_state().unwrap();
        if state.low {
            announced.get_or_insert(state.left);
        }
        match store.put_with("lock", &written.to_le_bytes(), Put::PROTECTED) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((refused, written, announced), (Error::CounterExhausted, 29, Some(3)));
    assert_eq!(read(&mut store, "lock"), Ok(Some(28_u32.to_le_bytes().to_vec())));
    store.put("other", b"still works").unwrap();
    store.delete("other").unwrap();
    drop(store);
    assert_eq!(device.mount().unwrap().put_with("lock", b"", Put::PROTECTED), Err(Error::CounterExhausted));
    assert_eq!(device.format(Protection::Chosen), Err(OpenError::Counter));
    assert_eq!(read(&mut device.mount().unwrap(), "lock"), Ok(Some(28_u32.to_le_bytes().to_vec())));
}

#[test]
fn a_protected_entry_stays_protected() {
    let mut device = Device::new(1000, Protection::Chosen);
    let mut store = device.mount().unwrap();
    store.put_with("p", b"1", Put::with(Attributes::PROTECTED)).unwrap();
    store.put("p", b"2").unwrap();
    assert_eq!(store.attributes_of("p"), Ok(Some(Attributes::PROTECTED)));
    assert_eq!(store.counter_state().unwrap().value, 2 + 1 + 2);
    let mut transaction = store.transaction(200).unwrap();
    transaction.put("free", b"").unwrap();
    assert_eq!(transaction.put("p", b"3"), Err(Error::NoCounter), "not in a transaction that is not counted");
    assert_eq!(transaction.delete("p"), Err(Error::NoCounter));
    transaction.commit().unwrap();
    assert_eq!(read(&mut store, "p"), Ok(Some(b"2".to_vec())));
    assert_eq!(store.delete("p"), Ok(true));
    assert_eq!(store.counter_state().unwrap().value, 2 + 1 + 3);
    store.put("p", b"4").unwrap();
    assert_eq!(store.attributes_of("p"), Ok(Some(Attributes::NONE)));
}

#[test]
fn attributes_forbid_what_they_say() {
    let mut device = Device::new(1000, Protection::Chosen);
    let mut store = device.mount().unwrap();
    let long = vec![7; 2000];
    store.put_with("once", &long, Put::with(Attributes::WRITE_ONCE)).unwrap();
    assert_eq!(store.put("once", b""), Err(Error::NotPermitted));
    assert_eq!(store.delete("once"), Err(Error::NotPermitted));
    assert_eq!(store.set_attributes("once", Attributes::NONE), Err(Error::NotPermitted));
    let brought = Attributes::WRITE_ONCE.and(Attributes::PROTECTED);
    assert_eq!(store.attributes_of("once"), Ok(Some(brought)), "protection comes with it");
    store.put_with("still", &long, Put::with(Attributes::READ_ONLY)).unwrap();
    assert_eq!(store.put("still", b""), Err(Error::NotPermitted));
    assert_eq!(store.set_attributes("still", Attributes::NON_DELETABLE), Ok(true));
    assert_eq!(store.delete("still"), Err(Error::NotPermitted));
    store.put("still", b"changed").unwrap();
    assert_eq!(store.set_attributes("still", Attributes::NONE), Ok(true));
    assert_eq!(store.attributes_of("still"), Ok(Some(Attributes::NONE)));
    assert_eq!(read(&mut store, "still"), Ok(Some(b"changed".to_vec())));
    assert_eq!(store.delete("still"), Ok(true));
    assert_eq!(store.set_attributes("still", Attributes::NONE), Ok(false));
    let nonsense = Put::with(Attributes::RETAINED.and(Attributes::FACTORY));
    assert_eq!(store.put_with("x", b"", nonsense), Err(Error::Attributes(AttributesError::RetainedAndFactory)));
    let mut buffer = vec![0; 2000];
    assert_eq!(store.get("once", &mut buffer), Ok(Some(2000)));
    assert_eq!(buffer, long);
    drop(store);
    assert_eq!(device.mount().unwrap().put("once", b""), Err(Error::NotPermitted));
}

#[test]
fn a_counter_that_fails_stops_what_needs_it() {
    for fault in [CounterFault::Increment, CounterFault::Answer] {
        let mut device = Device::new(1000, Protection::Chosen);
        device.protect(b"1");
        device.counter.0.set_fault(Some(fault));
        let mut store = device.mount().unwrap();
        assert_eq!(store.put_with("lock", b"2", Put::PROTECTED), Err(Error::Counter));
        store.put("other", b"works").unwrap();
        assert_eq!(read(&mut store, "lock"), Ok(Some(b"1".to_vec())));
        drop(store);
        device.counter.0.set_fault(None);
        device.protect(b"3");
        device.counter.0.set_fault(Some(CounterFault::Read));
        assert_eq!(device.mount().unwrap_err(), OpenError::Counter);
    }
}

/// The content of all entries: name, first byte and length of the value.
fn listing(store: &mut Kept<'_>) -> Vec<(String, u8, usize)> {
    let (mut cursor, mut name, mut buffer) = (lockstone::Cursor::new(), [0; 255], vec![0; 4000]);
    let mut names = Vec::new();
    while let Some(length) = store.next_key(&mut cursor, 0, b"", &mut name).unwrap() {
        let length_of_value = store.get(&name[..length], &mut buffer).unwrap().unwrap();
        let value = &buffer[..length_of_value];
        assert!(value.iter().all(|byte| *byte == value[0]), "a value in pieces");
        names.push((String::from_utf8_lossy(&name[..length]).into_owned(), value[0], value.len()));
    }
    names.sort();
    names
}

/// A device with entries of every kind, changed since the factory.
fn device_to_reset() -> Device {
    let mut device = Device::new(1000, Protection::Chosen);
    let mut store = device.mount().unwrap();
    for (name, value, attributes) in [
        ("factory/short", vec![1; 20], Attributes::FACTORY),
        ("factory/long", vec![2; 1500], Attributes::FACTORY),
        ("factory/grows", vec![3; 10], Attributes::FACTORY),
        ("retained", vec![4; 30], Attributes::RETAINED),
        ("once", vec![5; 30], Attributes::WRITE_ONCE),
        ("locked", vec![6; 30], Attributes::NON_DELETABLE),
        ("protected", vec![7; 700], Attributes::PROTECTED),
        ("usual", vec![8; 30], Attributes::NONE),
        ("usual/long", vec![9; 1500], Attributes::NONE),
    ] {
        store.put_with(name, &value, Put::with(attributes)).unwrap();
    }
    store.put("factory/short", &[11; 3]).unwrap();
    store.put("factory/long", &[12; 40]).unwrap();
    store.put("factory/grows", &[13; 2000]).unwrap();
    store.put("retained", &[14; 60]).unwrap();
    drop(store);
    device
}

fn after_reset() -> Vec<(String, u8, usize)> {
    [
        ("factory/grows", 3, 10),
        ("factory/long", 2, 1500),
        ("factory/short", 1, 20),
        ("locked", 6, 30),
        ("once", 5, 30),
        ("protected", 7, 700),
        ("retained", 14, 60),
    ]
    .map(|(name, value, length)| (name.to_owned(), value, length))
    .to_vec()
}

#[test]
fn a_factory_reset_brings_back_keeps_and_removes() {
    let mut device = device_to_reset();
    let before = device.flash.clone();
    let steps = device.steps();
    let mut store = device.mount().unwrap();
    let full = store.stats().unwrap().used_bytes;
    store.factory_reset().unwrap();
    assert_eq!(listing(&mut store), after_reset());
    assert!(store.stats().unwrap().used_bytes < full);
    assert_eq!(store.delete("factory/short"), Err(Error::NotPermitted));
    store.put("factory/short", &[21; 5]).unwrap();
    store.factory_reset().unwrap();
    drop(store);
    assert_eq!(device.steps(), steps + 3, "an intent and two commits");
    assert_eq!(listing(&mut device.mount().unwrap()), after_reset());
    device.flash = before;
    assert_eq!(device.mount().unwrap_err(), OpenError::RolledBack, "what was reset does not come back");
}

#[test]
fn a_factory_copy_is_made_with_a_value_and_unmade_with_its_attribute() {
    let mut device = device_to_reset();
    let mut store = device.mount().unwrap();
    let without_value = Error::Attributes(AttributesError::WithoutValue);
    assert_eq!(store.set_attributes("usual", Attributes::FACTORY), Err(without_value));
    assert_eq!(store.put_with("factory/long", &[1], Put::with(Attributes::NONE)), Err(Error::NotPermitted));
    store.put_with("factory/long", &[31; 800], Put::with(Attributes::FACTORY)).unwrap();
    assert_eq!(store.set_attributes("factory/short", Attributes::NONE), Ok(true));
    let used = store.stats().unwrap().used_bytes;
    store.factory_reset().unwrap();
    let names: Vec<_> = listing(&mut store).into_iter().filter(|(name, ..)| name.starts_with("factory")).collect();
    assert_eq!(names, [("factory/grows".to_owned(), 3, 10), ("factory/long".to_owned(), 31, 800)]);
    assert!(store.stats().unwrap().used_bytes < used);
}

#[test]
fn a_reset_that_could_not_fit_changes_nothing() {
    let mut device = Device::new(1000, Protection::Chosen);
    let mut store = device.mount().unwrap();
    let mut kept = 0;
    store.put_with("factory", &[1; 2000], Put::with(Attributes::FACTORY)).unwrap();
    store.put("factory", &[1]).unwrap();
    while store.put_with(&[b'k', kept], &[2; 1000], Put::with(Attributes::RETAINED)).is_ok() {
        kept += 1;
    }
    while store.put_with(&[b's', kept], &[2; 50], Put::with(Attributes::RETAINED)).is_ok() {
        kept += 1;
    }
    let before = listing(&mut store);
    assert_eq!(store.factory_reset(), Err(Error::Full));
    assert_eq!(listing(&mut store), before);
}

#[test]
fn a_reset_is_whole_after_a_cut_at_every_operation() {
    let device = device_to_reset();
    let mut start = device;
    let before = listing(&mut start.mount().unwrap());
    let (mut cuts, mut done) = (0, 0);
    for operation in 0.. {
        let mut whole = false;
        for tear in Tear::ALL {
            let mut cut =
                Device { root: root(), memory: Ram::new(), flash: start.flash.clone(), counter: start.counter.clone() };
            let power = Power::new();
            cut.flash.plug_in(&power);
            cut.counter.0.plug_in(&power);
            cut.flash.set_reprogram_heals(true);
            power.cut_at(operation, tear);
            whole = cut.mount().unwrap().factory_reset().is_ok();
            power.cancel_cut();
            power.on();
            // The first look after it is cut too, now and then.
            power.cut_at(operation % 7, tear);
            if let Ok(mut store) = cut.mount() {
                let _ = store.get("retained", &mut [0; 100]);
            }
            power.cancel_cut();
            power.on();
            let found = listing(&mut cut.mount().unwrap());
            assert!(found == before || found == after_reset(), "operation {operation}, {tear:?}: {found:?}");
            done += usize::from(found == after_reset());
            cuts += 1;
        }
        if whole {
            break;
        }
    }
    println!("factory reset: {cuts} cuts, {done} of them behind the point of no return");
    assert!(cuts > 200 && done > 100 && done < cuts);
}

#[test]
fn a_reader_reads_and_moves_nothing() {
    let old = {
        let mut device = Device::new(100, Protection::Chosen);
        device.protect(b"old");
        device
    };
    for at in 0.. {
        let mut device = Device {
            root: root(),
            memory: Ram::new(),
            flash: old.flash.clone(),
            counter: Trusted(old.counter.0.clone()),
        };
        let power = Power::new();
        device.flash.plug_in(&power);
        device.counter.0.plug_in(&power);
        power.cut_at(at, Tear::Whole);
        let done = device
            .mount()
            .and_then(|mut store| store.put_with("lock", b"new", Put::PROTECTED).map_err(|_| OpenError::Damaged));
        power.cancel_cut();
        power.on();
        let (flash, steps) = (device.flash.data().to_vec(), device.steps());
        let anchor = Anchor { root: &device.root, counter: Reader(&mut device.counter) };
        let mut store =
            Store::<_, Ascon, _>::mount_protected(&mut device.flash, Part::NOR, anchor, &mut device.memory).unwrap();
        let mut value = [0; 3];
        assert_eq!(store.get("lock", &mut value), Ok(Some(3)), "cut {at}");
        assert!(value == *b"new" || done.is_err() && value == *b"old", "cut {at}: {value:?}");
        assert_eq!(store.put("k", b"v"), Err(Error::ReadOnly));
        assert_eq!(store.delete("lock"), Err(Error::ReadOnly));
        assert_eq!(store.transaction(100).map(drop), Err(Error::ReadOnly));
        assert_eq!(store.factory_reset(), Err(Error::ReadOnly));
        drop(store);
        assert_eq!((device.flash.data(), device.steps()), (&flash[..], steps), "cut {at}");
        if done.is_ok() {
            assert!(at > 3);
            break;
        }
    }
    // It is no way around the counter.
    let (mut device, image) = (Device::new(100, Protection::Chosen), old.flash.data().to_vec());
    device.protect(b"one");
    device.protect(b"two");
    device.protect(b"six");
    device.flash.restore(&image);
    let anchor = Anchor { root: &device.root, counter: Reader(&mut device.counter) };
    let mounted = Store::<_, Ascon, _>::mount_protected(&mut device.flash, Part::NOR, anchor, &mut device.memory);
    assert_eq!(mounted.map(drop), Err(OpenError::RolledBack));
}

/// What can't be changed is unlocked, changed and locked again in one step, or not at all.
#[test]
fn a_lock_is_lifted_only_within_one_transaction() {
    let locked = Attributes::READ_ONLY.and(Attributes::NON_DELETABLE);
    let change = |store: &mut Kept<'_>, end: bool| -> Result<(), Error<SimError>> {
        let mut transaction = store.protected_transaction(400)?;
        assert!(!transaction.set_attributes("none", locked)?);
        transaction.set_attributes("k", Attributes::NONE)?;
        transaction.put("k", b"new")?;
        transaction.set_attributes("k", locked)?;
        if end { transaction.commit() } else { Ok(()) }
    };
    let check = |device: &mut Device, new: bool| {
        let mut store = device.mount().unwrap();
        let mut value = [0; 8];
        assert_eq!(
            (store.get("k", &mut value), &value[..3]),
            (Ok(Some(3)), if new { b"new" } else { b"old" }.as_slice())
        );
        assert!(store.attributes_of("k").unwrap().unwrap().any(Attributes::READ_ONLY));
        assert_eq!(store.put("k", b"x"), Err(Error::NotPermitted));
        assert_eq!(store.delete("k"), Err(Error::NotPermitted));
    };
    let mut cut = 0;
    for at in 0..60 {
        let mut device = Device::new(1000, Protection::Chosen);
        device.mount().unwrap().put_with("k", b"old", Put::with(locked)).unwrap();
        change(&mut device.mount().unwrap(), false).unwrap();
        check(&mut device, false);
        let power = Power::new();
        device.flash.plug_in(&power);
        power.cut_at(at, Tear::Bits);
        let ended = change(&mut device.mount().unwrap(), true);
        power.cancel_cut();
        power.on();
        cut += u32::from(ended.is_err());
        let mut value = [0; 8];
        let new = device.mount().unwrap().get("k", &mut value).unwrap() == Some(3) && value[..3] == *b"new";
        assert!(new || ended.is_err(), "cut at {at}");
        check(&mut device, new);
    }
    assert!(cut > 5, "{cut}");
}

/// Hardware that may lack a counter, and does.
struct Lacking;

impl MonotonicCounter for Lacking {
    type Error = core::convert::Infallible;

    fn is_present(&self) -> bool {
        false
    }

    fn read(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn increment(&mut self) -> Result<u64, Self::Error> {
        panic!("there is nothing to step")
    }

    fn limit(&self) -> u64 {
        0
    }
}

#[test]
fn a_counter_that_only_the_program_knows_to_be_lacking_leaves_the_same_bytes_as_none() {
    let content = |flash: &Flash| {
        let mut content = vec![0; flash.capacity()];
        flash.clone().read(0, &mut content).unwrap();
        content
    };
    let (mut by_type, mut by_word) = (Device::blank(0), Device::blank(0));
    drop(by_type.format_unbound());
    let Device { flash, root, memory, .. } = &mut by_word;
    let anchor = Anchor { root: &*root, counter: Lacking };
    let done =
        Store::<_, Ascon, _>::format_protected(flash, Part::NOR, anchor, Protection::Chosen, &mut Fixed(7), memory);
    drop(done.unwrap());
    assert_eq!(content(&by_word.flash), content(&by_type.flash));

    let Device { flash, root, memory, .. } = &mut by_word;
    let mut store =
        Store::<_, Ascon, _>::mount_protected(flash, Part::NOR, Anchor { root, counter: Lacking }, memory).unwrap();
    store.put("k", b"1").unwrap();
    assert_eq!(store.put_with("k", b"2", Put::PROTECTED), Err(Error::CounterExhausted), "it has no step");
    store.close().unwrap();
    let mut store =
        Store::<_, Ascon>::mount(&mut by_word.flash, Part::NOR, &by_type.root, &mut by_type.memory).unwrap();
    assert_eq!(store.length("k"), Ok(Some(1)), "and as no store was bound to it, any may go on");
}
