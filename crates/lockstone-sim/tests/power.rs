//! Devices on one power supply: one count, one cut.
#![allow(clippy::unwrap_used)]

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use lockstone_sim::{CounterFault, Power, SimCounter, SimError, SimFlash, Tear};

type Flash = SimFlash<1, 4, 256>;

fn board() -> (Power, Flash, SimCounter) {
    let (power, mut flash, mut counter) = (Power::new(), Flash::new(1024, 0xff), SimCounter::new(10));
    flash.plug_in(&power);
    counter.plug_in(&power);
    (power, flash, counter)
}

/// Two rounds of program, count, erase: eight operations, as the second erase is of three blocks.
fn work(flash: &mut Flash, counter: &mut SimCounter) -> Result<(), SimError> {
    flash.write(0, &[1; 8])?;
    counter.increment()?;
    flash.erase(0, 256)?;
    flash.write(256, &[2; 4])?;
    counter.increment()?;
    flash.erase(0, 768)
}

#[test]
fn operations_of_all_devices_are_counted_in_the_order_they_come() {
    let (power, mut flash, mut counter) = board();
    work(&mut flash, &mut counter).unwrap();
    assert_eq!((power.operations(), flash.operations(), counter.power().operations()), (8, 8, 8));
    assert_eq!((counter.read(), counter.reads(), counter.increments()), (Ok(2), 1, 2));
    assert_eq!((flash.counts().programs, flash.counts().erases), (2, 4));
}

#[test]
fn a_cut_in_one_device_is_the_end_of_all() {
    for tear in Tear::ALL {
        for operation in 0..8 {
            let (power, mut flash, mut counter) = board();
            power.cut_at(operation, tear);
            assert_eq!(work(&mut flash, &mut counter), Err(SimError::PowerCut), "{tear} at {operation}");
            assert_eq!(power.operations(), operation + 1);
            assert!(power.is_off() && flash.is_cut());
            assert_eq!(flash.read(0, &mut [0]), Err(SimError::PowerCut));
            assert_eq!((counter.read(), counter.increment()), (Err(SimError::PowerCut), Err(SimError::PowerCut)));
            assert_eq!((power.operations(), counter.reads()), (operation + 1, 0));

            let before = u64::from(operation > 1) + u64::from(operation > 4);
            let hit = operation == 1 || operation == 4;
            flash.power_on();
            let after = counter.read().unwrap();
            match tear {
                _ if !hit => assert_eq!(after, before),
                Tear::Absent => assert_eq!(after, before),
                Tear::Whole | Tear::MetastableWhole => assert_eq!(after, before + 1),
                _ => assert!(after == before || after == before + 1),
            }
            assert_eq!(flash.last_cut().is_some(), !hit);
        }
    }
}

#[test]
fn what_a_tear_leaves_open_depends_on_seed_and_operation_alone() {
    let cut = |seed: u64, operation: u64| {
        let mut counter = SimCounter::new(100);
        counter.set_seed(seed);
        counter.power().cut_at(operation, Tear::Bits);
        while counter.increment().is_ok() {}
        counter.value() - operation
    };
    let all: Vec<u64> = (0..64).map(|case| cut(case % 8, case / 8)).collect();
    assert_eq!(all, (0..64).map(|case| cut(case % 8, case / 8)).collect::<Vec<_>>());
    let happened: u64 = all.iter().sum();
    assert!((16..48).contains(&happened), "{happened} of 64");
}

#[test]
fn a_clone_has_a_supply_of_its_own_in_the_same_state() {
    let (power, mut flash, mut counter) = board();
    flash.write(0, &[1; 8]).unwrap();
    power.cut_at(1, Tear::Whole);
    let (mut chip, mut other) = (flash.clone(), counter.clone());
    assert_eq!((chip.operations(), other.power().operations()), (1, 1));
    chip.write(256, &[2; 8]).unwrap();
    assert_eq!(chip.write(264, &[2; 8]), Err(SimError::PowerCut));
    assert_eq!((other.increment(), other.increment()), (Ok(1), Err(SimError::PowerCut)));
    assert!(!power.is_off() && power.operations() == 1);

    flash.write(256, &[2; 8]).unwrap();
    assert_eq!((counter.increment(), counter.value()), (Err(SimError::PowerCut), 1));
    chip.clone_from(&flash);
    power.on();
    assert!(chip.is_cut() && !flash.is_cut());
    chip.plug_in(&power);
    assert!(!chip.is_cut());
}

#[test]
fn a_cut_can_be_taken_back_and_the_power_switched_by_hand() {
    let (power, mut flash, mut counter) = board();
    power.cut_at(0, Tear::Absent);
    power.cancel_cut();
    assert_eq!(counter.increment(), Ok(1));
    power.off();
    assert_eq!((counter.read(), flash.write(0, &[0; 4])), (Err(SimError::PowerCut), Err(SimError::PowerCut)));
    power.on();
    assert_eq!((counter.read(), flash.write(0, &[0; 4]), power.operations()), (Ok(1), Ok(()), 2));
}

#[test]
fn at_its_limit_a_counter_refuses_and_that_is_no_operation() {
    for limit in [0, 3, u64::MAX] {
        let mut counter = SimCounter::with_value(limit.saturating_sub(1), limit);
        assert_eq!(counter.increment().is_ok(), limit > 0);
        let operations = counter.power().operations();
        assert_eq!((counter.increment(), counter.read()), (Err(SimError::Exhausted), Ok(limit)));
        assert_eq!((counter.power().operations(), counter.limit()), (operations, limit));
    }
}

#[test]
fn a_broken_counter_says_so() {
    let mut counter = SimCounter::new(10);
    counter.set_fault(Some(CounterFault::Increment));
    assert_eq!((counter.increment(), counter.read()), (Err(SimError::CounterFailed), Ok(0)));
    counter.set_fault(Some(CounterFault::Answer));
    assert_eq!((counter.increment(), counter.read()), (Err(SimError::CounterFailed), Ok(1)));
    counter.set_fault(Some(CounterFault::Read));
    assert_eq!((counter.read(), counter.increment()), (Err(SimError::CounterFailed), Ok(2)));
    counter.set_fault(None);
    assert_eq!((counter.read(), counter.power().operations()), (Ok(2), 3));
}
