//! Fuses: programmed once, cut half-way, broken.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use lockstone_sim::{BitFault, Power, SimCounter, SimError, SimOtp, Tear};

fn reads(otp: &mut SimOtp, index: u32) -> BTreeSet<bool> {
    (0..200).map(|_| otp.read(index).unwrap()).collect()
}

/// The cell after a cut program of a bit whose cell held `before`.
fn torn(before: u8, tear: Tear, seed: u64) -> u8 {
    let mut otp = SimOtp::from_bytes(&[0, before, 0]);
    otp.set_seed(seed);
    otp.power().cut_at(0, tear);
    assert_eq!(otp.program(1), Err(SimError::PowerCut));
    assert_eq!((otp.read(1), otp.program(1)), (Err(SimError::PowerCut), Err(SimError::PowerCut)));
    otp.power().on();
    let cells = otp.to_bytes();
    assert_eq!((cells[0], cells[2]), (0, 0));
    cells[1]
}

#[test]
fn a_bit_goes_up_and_stays() {
    let mut otp = SimOtp::new(8);
    otp.program(3).unwrap();
    otp.program(3).unwrap();
    let bits: Vec<bool> = (0..8).map(|index| otp.read(index).unwrap()).collect();
    assert_eq!(bits, [false, false, false, true, false, false, false, false]);
    assert_eq!((otp.programs(), otp.reads(), otp.power().operations()), (&[0, 0, 0, 2, 0, 0, 0, 0][..], 8, 2));
}

#[test]
fn a_cut_leaves_a_bit_as_it_was_or_marginal_or_firm_and_never_less() {
    for tear in Tear::ALL {
        for before in [0, 16, 240, 255] {
            let left: BTreeSet<u8> = (0..100).map(|seed| torn(before, tear, seed)).collect();
            assert!(left.iter().all(|cell| *cell >= before), "{tear} over {before}: {left:?}");
            let marginal = left.iter().any(|cell| (1..255).contains(cell));
            match tear {
                Tear::Absent => assert!(left.iter().eq([&before])),
                Tear::Whole => assert!(left.iter().eq([&255])),
                Tear::Metastable | Tear::MetastableWhole => assert_eq!(left.contains(&255), before == 255),
                _ => assert!(before == 255 || left.contains(&before) && marginal && left.contains(&255)),
            }
        }
    }
}

#[test]
fn a_marginal_bit_reads_differently_until_it_is_programmed_again() {
    for cell in [16, 128, 240] {
        let mut otp = SimOtp::from_bytes(&[cell]);
        assert!(otp.is_marginal());
        assert_eq!(reads(&mut otp, 0).len(), 2, "{cell}");
        otp.program(0).unwrap();
        assert!(!otp.is_marginal());
        assert!(reads(&mut otp, 0).into_iter().eq([true]));
    }
}

#[test]
fn broken_bits_do_not_take() {
    let mut otp = SimOtp::new(3);
    otp.set_fault(0, Some(BitFault::Stuck));
    otp.set_fault(1, Some(BitFault::Flaky));
    (0..3).for_each(|index| otp.program(index).unwrap());
    let seen = [0, 1, 2].map(|index| reads(&mut otp, index).into_iter().collect::<Vec<_>>());
    assert_eq!(seen, [vec![false], vec![false, true], vec![true]]);
    otp.set_fault(2, Some(BitFault::Flaky));
    otp.set_fault(0, None);
    (0..3).for_each(|index| otp.program(index).unwrap());
    assert!(otp.to_bytes()[0] == 255 && otp.to_bytes()[1] == 127 && otp.to_bytes()[2] == 255);
}

#[test]
fn what_is_saved_is_loaded_and_a_clone_lives_its_own_life() {
    let mut otp = SimOtp::from_bytes(&[255, 128, 0]);
    let mut clone = otp.clone();
    let both = |otp: &mut SimOtp| (0..50).map(|_| otp.read(1).unwrap()).collect::<Vec<_>>();
    assert_eq!(both(&mut otp), both(&mut clone));
    clone.program(2).unwrap();
    assert_eq!((otp.to_bytes(), clone.to_bytes()), (vec![255, 128, 0], vec![255, 128, 255]));
    assert_eq!((otp.power().operations(), clone.power().operations()), (0, 1));
    otp.cells_mut()[0] = 0;
    assert_eq!(otp.read(0), Ok(false));
}

#[test]
fn out_of_bounds_is_no_operation_and_one_cut_ends_all() {
    let (power, mut otp, mut counter) = (Power::new(), SimOtp::new(2), SimCounter::new(9));
    otp.plug_in(&power);
    counter.plug_in(&power);
    assert_eq!((otp.program(2), otp.read(2)), (Err(SimError::OutOfBounds), Err(SimError::OutOfBounds)));
    assert_eq!((power.operations(), otp.bits()), (0, 2));
    power.cut_at(1, Tear::Whole);
    assert_eq!((counter.increment(), otp.program(0)), (Ok(1), Err(SimError::PowerCut)));
    assert_eq!((counter.read(), power.operations()), (Err(SimError::PowerCut), 2));
    power.on();
    assert_eq!((counter.read(), otp.read(0)), (Ok(1), Ok(true)));
}
