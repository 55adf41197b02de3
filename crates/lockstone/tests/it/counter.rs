//! The counter in on-chip NOR flash: cut at every operation, with every tear, and again while it recovers.
//!
//! The value never goes down, goes up by at most one a step, and once it was read it stays. Fault free it counts on.

use lockstone::trust::{MonotonicCounter, NorCounter, NorCounterError};
use lockstone_sim::{SimFlash, Tear};

/// Small blocks, so that the counter changes blocks often.
type Page = SimFlash<1, 4, 128>;
type Wide = SimFlash<1, 16, 256>;

fn page<const R: usize, const W: usize, const E: usize>(erased: u8, seed: u64) -> SimFlash<R, W, E> {
    let mut flash = SimFlash::new(2 * E, erased);
    flash.set_seed(seed);
    flash.set_reprogram_heals(true);
    NorCounter::format(&mut flash, erased).unwrap();
    flash
}

/// Counts to `target` from whatever is there; the last value that was acknowledged.
fn count<const R: usize, const W: usize, const E: usize>(
    flash: &mut SimFlash<R, W, E>,
    erased: u8,
    target: u64,
) -> u64 {
    let Ok(mut counter) = NorCounter::open(flash, erased) else { return 0 };
    let mut acknowledged = u64::from(counter.value());
    while acknowledged < target {
        match counter.increment() {
            Ok(value) => {
                assert_eq!(value, acknowledged + 1);
                acknowledged = value;
            }
            Err(_) => break,
        }
    }
    acknowledged
}

/// Cuts at `operation`, then at `again` while it is opened; returns whether the first cut happened.
fn check_cut<const R: usize, const W: usize, const E: usize>(
    erased: u8,
    operation: u64,
    tear: Tear,
    again: u64,
) -> bool {
    let mut flash = page::<R, W, E>(erased, operation * 31 + again);
    flash.cut_at(operation, tear);
    let acknowledged = count(&mut flash, erased, 60);
    if !flash.is_cut() {
        return false;
    }
    flash.power_on();
    flash.cut_at(again, tear);
    let opened = NorCounter::open(&mut flash, erased).map(|counter| u64::from(counter.value()));
    flash.cancel_cut();
    flash.power_on();
    let value = u64::from(NorCounter::open(&mut flash, erased).unwrap().value());
    let case =
        format!("{tear} at {operation}, again at {again}: acknowledged {acknowledged}, then {opened:?}, {value}");
    assert!(value == acknowledged || value == acknowledged + 1, "{case}");
    if let Ok(opened) = opened {
        assert_eq!(opened, value, "{case}");
    }
    for _ in 0..3 {
        assert_eq!(u64::from(NorCounter::open(&mut flash, erased).unwrap().value()), value, "{case}");
    }
    assert_eq!(count(&mut flash, erased, value + 40), value + 40, "{case}");
    assert_eq!(flash.violations(), 0, "{case}: {:?}", flash.first_violation());
    true
}

#[test]
fn a_cut_anywhere_leaves_the_old_or_the_new_value() {
    let mut cases = 0_u32;
    for tear in Tear::ALL {
        for again in [0, 1, 2, 1000] {
            cases += (0..200).map(|at| u32::from(check_cut::<1, 4, 128>(0xff, at, tear, again))).sum::<u32>();
            cases += (0..200).map(|at| u32::from(check_cut::<1, 16, 256>(0, at, tear, again))).sum::<u32>();
        }
    }
    println!("{cases} cuts of a counter");
    assert!(cases > 4_000);
}

#[test]
fn it_counts_and_wears_both_blocks_alike() {
    let mut flash = page::<1, 4, 128>(0xff, 1);
    assert_eq!(count(&mut flash, 0xff, 160), 160);
    let (least, most) = flash.erase_spread();
    assert!(most - least <= 1 && most <= 12, "{least} to {most} erases");
}

#[test]
fn what_is_no_counter_is_told() {
    let blank = |erased: u8| NorCounter::open(Page::new(256, erased), erased).unwrap_err();
    assert_eq!(blank(0xff), NorCounterError::Blank);
    assert_eq!(blank(0), NorCounterError::Blank);
    let foreign = SimFlash::<1, 4, 128>::with_content(0xff, vec![0x42; 256]);
    assert_eq!(NorCounter::open(foreign, 0xff).unwrap_err(), NorCounterError::Damaged);
    assert_eq!(NorCounter::open(Wide::new(256, 0xff), 0xff).unwrap_err(), NorCounterError::Geometry);
}
