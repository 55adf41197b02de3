//! What power cuts leave.
#![allow(clippy::unwrap_used)]

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use lockstone_sim::{SimError, SimFlash, Tear};

type Flash = SimFlash<1, 4, 256>;

const SEEDS: u64 = 300;
/// Range of the programs that are cut: over the edge between blocks 1 and 2.
const RANGE: std::ops::Range<usize> = 488..536;

fn wanted() -> Vec<u8> {
    (0..48u8).map(|index| index.wrapping_mul(29) ^ 3).collect()
}

/// A chip whose program of `wanted()` at `RANGE` was cut.
fn torn(erased: u8, seed: u64, tear: Tear) -> Flash {
    let mut flash = Flash::new(1024, erased);
    flash.set_seed(seed);
    flash.cut_at(0, tear);
    assert_eq!(flash.write(488, &wanted()), Err(SimError::PowerCut));
    flash.power_on();
    flash
}

/// A chip, full of `0x5a`, whose erase of block 1 was cut.
fn half_erased(erased: u8, seed: u64, tear: Tear) -> Flash {
    let mut flash = Flash::with_content(erased, vec![0x5a; 1024]);
    flash.set_seed(seed);
    flash.cut_at(1, tear);
    assert_eq!(flash.erase(0, 1024), Err(SimError::PowerCut));
    flash.power_on();
    flash
}

fn read(flash: &mut Flash, range: std::ops::Range<usize>) -> Result<Vec<u8>, SimError> {
    let mut bytes = vec![0; range.len()];
    flash.read(u32::try_from(range.start).unwrap(), &mut bytes).map(|()| bytes)
}

/// How many of the seeds give a chip for which `holds`.
fn share(make: impl Fn(u64) -> Flash, holds: impl Fn(&mut Flash) -> bool) -> u64 {
    (0..SEEDS).filter(|&seed| holds(&mut make(seed))).map(|_| 1).sum()
}

#[test]
fn a_torn_program_stays_in_its_range_and_between_blank_and_wanted() {
    for erased in [0xff, 0x00] {
        for tear in Tear::ALL {
            for seed in 0..SEEDS {
                let mut flash = torn(erased, seed, tear);
                let beside = [read(&mut flash, 0..RANGE.start).unwrap(), read(&mut flash, RANGE.end..1024).unwrap()];
                assert!(beside.concat().iter().all(|&byte| byte == erased), "{tear} {seed}");
                let cells = flash.data()[RANGE].iter().zip(wanted());
                let fits = cells.map(|(&cell, wanted)| (cell ^ erased) & !(wanted ^ erased)).all(|extra| extra == 0);
                assert!(fits, "{tear} {seed}");
            }
        }
    }
}

#[test]
fn a_torn_erase_stays_in_its_block_and_between_old_and_blank() {
    for erased in [0xff, 0x00] {
        for tear in Tear::ALL {
            for seed in 0..SEEDS {
                let mut flash = half_erased(erased, seed, tear);
                assert!(read(&mut flash, 0..256).unwrap().iter().all(|&byte| byte == erased));
                assert!(read(&mut flash, 512..1024).unwrap().iter().all(|&byte| byte == 0x5a));
                let extra = flash.data()[256..512].iter().map(|&cell| (cell ^ erased) & !(0x5a ^ erased));
                assert!(extra.into_iter().all(|extra| extra == 0), "{tear} {seed}");
            }
        }
    }
}

#[test]
fn absent_and_whole_are_the_two_ends() {
    let mut flash = torn(0xff, 1, Tear::Absent);
    assert_eq!(read(&mut flash, RANGE).unwrap(), [0xff; 48]);
    flash.write(488, &[0; 48]).unwrap();
    assert_eq!(read(&mut torn(0xff, 1, Tear::Whole), RANGE).unwrap(), wanted());
    let mut flash = half_erased(0xff, 1, Tear::Absent);
    assert_eq!(read(&mut flash, 256..512).unwrap(), [0x5a; 256]);
    assert_eq!(flash.write(256, &[0; 4]), Err(SimError::ProgrammedTwice));
    let mut flash = half_erased(0xff, 1, Tear::Whole);
    assert_eq!(read(&mut flash, 256..512).unwrap(), [0xff; 256]);
    flash.write(256, &[0; 256]).unwrap();
}

/// Whether the bytes are `done` up to some point and `blank` from there on.
fn splits<'a>(bytes: impl Iterator<Item = (&'a u8, u8)>, blank: u8) -> bool {
    let (mut open, mut fits) = (true, true);
    for (&byte, done) in bytes {
        open &= byte == done;
        fits &= open || byte == blank;
    }
    fits
}

#[test]
fn a_prefix_leads_and_a_suffix_trails() {
    for seed in 0..SEEDS {
        assert!(splits(torn(0xff, seed, Tear::Prefix).data()[RANGE].iter().zip(wanted()), 0xff));
        assert!(splits(torn(0xff, seed, Tear::Suffix).data()[RANGE].iter().zip(wanted()).rev(), 0xff));
        assert!(splits(half_erased(0xff, seed, Tear::Prefix).data()[256..512].iter().zip([0xff; 256]), 0x5a));
        assert!(splits(half_erased(0xff, seed, Tear::Suffix).data()[256..512].iter().zip([0xff; 256]).rev(), 0x5a));
    }
}

#[test]
fn units_are_whole_or_untouched() {
    for seed in 0..SEEDS {
        let flash = torn(0xff, seed, Tear::Units);
        let wanted = wanted();
        let mut units = flash.data()[RANGE].chunks(4).zip(wanted.chunks(4));
        assert!(units.all(|(unit, wanted)| unit == wanted || unit == [0xff; 4]));
        let flash = half_erased(0xff, seed, Tear::Units);
        assert!(flash.data()[256..512].chunks(4).all(|unit| unit == [0xff; 4] || unit == [0x5a; 4]));
    }
}

#[test]
fn reversed_units_come_from_the_end() {
    for seed in 0..SEEDS {
        let flash = torn(0xff, seed, Tear::Reversed);
        let wanted = wanted();
        let units: Vec<_> = flash.data()[RANGE].chunks(4).zip(wanted.chunks(4)).collect();
        let current = units.iter().rposition(|(unit, wanted)| unit != wanted).unwrap_or(0);
        assert!(units[..current].iter().all(|(unit, _)| *unit == [0xff; 4]));
    }
}

#[test]
fn tears_of_the_same_name_differ_by_seed() {
    for tear in [Tear::Prefix, Tear::Suffix, Tear::Bits, Tear::Units, Tear::Reversed, Tear::Metastable, Tear::Ecc] {
        let first = torn(0xff, 0, tear);
        assert!(share(|seed| torn(0xff, seed, tear), |flash| flash.data() != first.data()) > SEEDS / 2, "{tear}");
        let first = half_erased(0xff, 0, tear);
        let other = |flash: &mut Flash| flash.data() != first.data();
        assert!(share(|seed| half_erased(0xff, seed, tear), other) > SEEDS / 2, "{tear}");
    }
}

fn wavers(flash: &mut Flash, range: std::ops::Range<usize>) -> bool {
    let first = read(flash, range.clone()).unwrap();
    (0..20).any(|_| read(flash, range.clone()).unwrap() != first)
}

#[test]
fn metastable_reads_differ_until_the_erase() {
    for tear in [Tear::Metastable, Tear::MetastableWhole] {
        assert!(share(|seed| torn(0xff, seed, tear), |flash| wavers(flash, RANGE)) > SEEDS * 9 / 10, "{tear}");
    }
    for seed in 0..SEEDS {
        let mut flash = torn(0xff, seed, Tear::Metastable);
        flash.power_off();
        flash.power_on();
        flash.erase(256, 768).unwrap();
        assert!(!wavers(&mut flash, 0..1024));
    }
    let make = |seed| half_erased(0xff, seed, Tear::Metastable);
    assert!(share(make, |flash| wavers(flash, 256..512)) > SEEDS * 9 / 10);
}

#[test]
fn unstable_bits_are_among_the_changed_ones() {
    for tear in [Tear::Metastable, Tear::MetastableWhole] {
        for seed in 0..SEEDS {
            let mut flash = torn(0xff, seed, tear);
            let steady = flash.data().to_vec();
            let seen = read(&mut flash, 0..1024).unwrap();
            let mut mask = vec![0; 1024];
            mask[RANGE].copy_from_slice(&wanted().iter().map(|byte| !byte).collect::<Vec<_>>());
            assert!((0..1024).all(|at| (seen[at] ^ steady[at]) & !mask[at] == 0));
            assert!(tear == Tear::Metastable || steady[RANGE] == wanted());
        }
    }
}

#[test]
fn a_partial_erase_does_not_steady_bits() {
    let mut flash = torn(0xff, 3, Tear::MetastableWhole);
    assert!(wavers(&mut flash, 488..512));
    flash.cut_at(0, Tear::Prefix);
    assert_eq!(flash.erase(256, 512), Err(SimError::PowerCut));
    flash.power_on();
    assert!(wavers(&mut flash, 488..512));
}

#[test]
fn a_weak_erase_reads_blank_and_spoils_what_follows() {
    let make = |seed| half_erased(0xff, seed, Tear::MetastableWhole);
    let spoiled = |flash: &mut Flash| {
        assert_eq!(read(flash, 256..512).unwrap(), [0xff; 256]);
        assert_eq!(flash.weak_programs(), 0);
        flash.write(300, &[0xa5; 16]).unwrap();
        assert_eq!(flash.weak_programs(), 1);
        assert!(!wavers(flash, 256..300) && !wavers(flash, 316..512));
        assert_eq!(flash.data()[256..300], [0xff; 44]);
        flash.data()[300..316] != [0xa5; 16] || wavers(flash, 300..316)
    };
    assert!(share(make, spoiled) > SEEDS * 3 / 4);
}

#[test]
fn a_second_erase_cures_a_weak_one() {
    let mut flash = half_erased(0xff, 1, Tear::MetastableWhole);
    flash.erase(256, 512).unwrap();
    flash.write(256, &[0xa5; 256]).unwrap();
    assert_eq!((read(&mut flash, 256..512).unwrap(), flash.weak_programs()), (vec![0xa5; 256], 0));
}

#[test]
fn units_with_errors_are_not_read_until_the_erase() {
    for seed in 0..SEEDS {
        let mut flash = torn(0xff, seed, Tear::Ecc);
        let broken: Vec<usize> = RANGE.filter(|&at| read(&mut flash, at..at + 1) == Err(SimError::Ecc)).collect();
        assert_eq!(broken.len(), 4);
        assert!(broken[0].is_multiple_of(4) && broken[3] == broken[0] + 3);
        assert_eq!(read(&mut flash, RANGE.start..broken[0]).unwrap(), wanted()[..broken[0] - RANGE.start]);
        assert_eq!(read(&mut flash, 0..1024), Err(SimError::Ecc));
        flash.erase(256, 768).unwrap();
        read(&mut flash, 0..1024).unwrap();
        let mut flash = half_erased(0xff, seed, Tear::Ecc);
        assert_eq!(read(&mut flash, 256..512), Err(SimError::Ecc));
    }
}

#[test]
fn what_a_cut_program_wanted_may_be_programmed_again() {
    for tear in Tear::ALL {
        for seed in 0..SEEDS {
            let mut flash = torn(0xff, seed, tear);
            flash.write(488, &wanted()).unwrap();
            assert_eq!(flash.data()[RANGE], wanted(), "{tear}");
        }
    }
}

#[test]
fn what_was_wanted_is_remembered_only_of_cut_programs() {
    let mut flash = torn(0xff, 1, Tear::Absent);
    flash.write(488, &wanted()).unwrap();
    assert_eq!(flash.write(488, &wanted()), Err(SimError::ProgrammedTwice));
    let mut flash = torn(0xff, 1, Tear::Bits);
    for _ in 0..3 {
        flash.cut_at(0, Tear::Bits);
        assert_eq!(flash.write(488, &wanted()), Err(SimError::PowerCut));
        flash.power_on();
        flash.write(488, &wanted()).unwrap();
    }
}

#[test]
fn nothing_else_may_be_programmed_into_a_torn_unit() {
    for tear in [Tear::Whole, Tear::Bits, Tear::Metastable, Tear::MetastableWhole] {
        let mut other = wanted();
        other[30] ^= 1;
        let mut flash = torn(0xff, 5, tear);
        assert_eq!(flash.write(488, &other), Err(SimError::ProgrammedTwice));
        assert_eq!(flash.first_violation().unwrap().address, 516);
        flash.write(496, &wanted()[8..24]).unwrap();
        flash.write(520, &wanted()[32..]).unwrap();
    }
}

#[test]
fn units_that_a_tear_left_alone_are_free() {
    let mut seen = [0; 2];
    for seed in 0..SEEDS {
        let mut flash = torn(0xff, seed, Tear::Units);
        for (index, wanted) in wanted().chunks(4).enumerate() {
            let address = u32::try_from(488 + index * 4).unwrap();
            let touched = flash.data()[address as usize..][..4] == *wanted;
            seen[usize::from(touched)] += 1;
            let expected = if touched { Err(SimError::ProgrammedTwice) } else { Ok(()) };
            assert_eq!(flash.write(address, &[0; 4]), expected);
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0);
}

#[test]
fn the_exception_ends_when_an_erase_begins() {
    let mut flash = torn(0xff, 1, Tear::Whole);
    flash.cut_at(0, Tear::Bits);
    assert_eq!(flash.erase(256, 512), Err(SimError::PowerCut));
    flash.power_on();
    assert_eq!(flash.write(488, &wanted()[..24]), Err(SimError::ProgrammedTwice));
    flash.write(512, &wanted()[24..]).unwrap();
}

#[test]
fn a_second_program_heals_only_if_told_to() {
    for tear in [Tear::Metastable, Tear::MetastableWhole, Tear::Ecc] {
        for seed in 0..SEEDS {
            let mut flash = torn(0xff, seed, tear);
            flash.set_reprogram_heals(true);
            flash.write(488, &wanted()).unwrap();
            assert_eq!(read(&mut flash, RANGE), Ok(wanted()), "{tear}");
            assert!(!wavers(&mut flash, RANGE));
        }
    }
    let mut flash = torn(0xff, 1, Tear::Ecc);
    flash.write(488, &wanted()).unwrap();
    assert_eq!(read(&mut flash, RANGE), Err(SimError::Ecc));
}

#[test]
fn a_half_erased_block_is_programmed_only_where_it_was_erased() {
    let mut flash = half_erased(0xff, 2, Tear::Units);
    let units: Vec<bool> = flash.data()[256..512].chunks(4).map(|unit| unit == [0xff; 4]).collect();
    assert!(units.contains(&true) && units.contains(&false));
    for (index, blank) in units.into_iter().enumerate() {
        let address = u32::try_from(256 + index * 4).unwrap();
        assert_eq!(flash.write(address, &[0; 4]).is_ok(), blank);
    }
    let mut flash = half_erased(0xff, 2, Tear::Bits);
    assert_eq!(flash.write(256, &[0; 4]), Err(SimError::ProgrammedTwice));
}

#[test]
fn after_a_cut_nothing_works_until_power_on() {
    let mut flash = Flash::new(1024, 0xff);
    flash.cut_at(0, Tear::Whole);
    assert_eq!(flash.write(0, &[0; 4]), Err(SimError::PowerCut));
    assert!(flash.is_cut());
    let (operations, counts) = (flash.operations(), flash.counts());
    assert_eq!(read(&mut flash, 0..4), Err(SimError::PowerCut));
    assert_eq!(flash.write(4, &[0; 4]), Err(SimError::PowerCut));
    assert_eq!(flash.erase(0, 256), Err(SimError::PowerCut));
    assert_eq!((flash.operations(), flash.counts(), flash.violations()), (operations, counts, 0));
    flash.power_on();
    assert!(!flash.is_cut());
    assert_eq!(read(&mut flash, 0..4), Ok(vec![0; 4]));
}

#[test]
fn cuts_hit_the_operation_they_are_armed_for() {
    for op in 0..4 {
        let mut flash = Flash::with_content(0xff, vec![0; 1024]);
        flash.erase(768, 1024).unwrap();
        flash.cut_at(op, Tear::Absent);
        assert_eq!(flash.write(768, &[0; 4]), if op == 0 { Err(SimError::PowerCut) } else { Ok(()) });
        let result = flash.erase(0, 768);
        assert_eq!(result, Err(SimError::PowerCut));
        let blank = flash.data()[..768].chunks(256).filter(|block| block[0] == 0xff).count();
        assert_eq!(blank as u64, op.saturating_sub(1));
        assert_eq!(flash.operations(), op + 2);
    }
    let mut flash = Flash::new(1024, 0xff);
    flash.cut_at(0, Tear::Absent);
    flash.cancel_cut();
    flash.write(0, &[0; 4]).unwrap();
}

#[test]
fn the_same_seed_gives_the_same_life() {
    let life = |seed, tear| {
        let mut flash = torn(0xff, seed, tear);
        let mut seen = vec![read(&mut flash, 0..1024), read(&mut flash, 0..1024)];
        flash.cut_at(0, tear);
        assert_eq!(flash.erase(256, 512), Err(SimError::PowerCut));
        flash.power_on();
        seen.push(read(&mut flash, 0..1024));
        (seen, flash.data().to_vec())
    };
    for tear in Tear::ALL {
        for seed in 0..50 {
            assert_eq!(life(seed, tear), life(seed, tear), "{tear}");
        }
    }
    assert_ne!(life(1, Tear::Bits), life(2, Tear::Bits));
}

#[test]
fn a_cut_says_what_it_left() {
    for tear in Tear::ALL {
        let mut flash = SimFlash::<1, 4, 256>::new(1024, 0xff);
        assert_eq!(flash.last_cut(), None);
        flash.set_seed(3);
        flash.cut_at(1, tear);
        flash.write(0, &[0; 8]).unwrap();
        assert_eq!(flash.write(8, &[0xf0; 16]), Err(SimError::PowerCut));
        let cut = flash.last_cut().unwrap();
        assert_eq!((cut.operation.op, cut.operation.address, cut.operation.len), (1, 8, 16));
        assert_eq!((cut.tear, cut.bits_wanted), (tear, 64));
        let done: u32 = flash.data()[8..24].iter().map(|byte| byte.count_zeros()).sum();
        assert_eq!(cut.bits_done, done, "{tear}");
        assert_eq!(cut.bits_unstable > 0, matches!(tear, Tear::Metastable | Tear::MetastableWhole), "{tear}");
        assert_eq!(cut.units_unreadable, usize::from(tear == Tear::Ecc), "{tear}");
    }
}
