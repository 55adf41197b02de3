//! Broken blocks, worn blocks, broken units.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use lockstone_sim::{BlockFault, SimError, SimFlash};

type Flash = SimFlash<1, 4, 256>;

fn broken(seed: u64, fault: BlockFault) -> Flash {
    let mut flash = Flash::new(1024, 0xff);
    flash.set_seed(seed);
    flash.fail_block(1, fault);
    flash
}

#[test]
fn an_erase_that_fails_changes_nothing() {
    let mut flash = broken(0, BlockFault::EraseFails);
    flash.write(0, &[7; 1024]).unwrap();
    assert_eq!(flash.erase(0, 1024), Err(SimError::EraseFailed));
    assert_eq!(flash.data()[..256], [0xff; 256]);
    assert_eq!(flash.data()[256..], [7; 768]);
    assert_eq!((flash.operations(), flash.erase_counts()), (3, &[1, 1, 0, 0][..]));
    flash.clear_faults();
    flash.erase(0, 1024).unwrap();
}

#[test]
fn a_program_that_fails_leaves_some_of_its_bits() {
    let mut partial = 0;
    for seed in 0..100 {
        let mut flash = broken(seed, BlockFault::ProgramFails);
        assert_eq!(flash.write(256, &[0x0f; 16]), Err(SimError::ProgramFailed));
        assert!(flash.data()[256..272].iter().all(|byte| byte & 0x0f == 0x0f));
        partial += u32::from(flash.data()[256..272] != [0x0f; 16]);
        assert_eq!(flash.write(256, &[0; 16]), Err(SimError::ProgrammedTwice));
        assert_eq!(flash.write(256, &[0x0f; 16]), Err(SimError::ProgramFailed));
        flash.write(0, &[0; 4]).unwrap();
        flash.erase(256, 512).unwrap();
    }
    assert!(partial > 90);
}

#[test]
fn a_silent_program_always_misses_a_bit() {
    for seed in 0..100 {
        let mut flash = broken(seed, BlockFault::SilentProgram);
        flash.write(256, &[0xfe, 0xff, 0xff, 0xff]).unwrap();
        assert_eq!(flash.data()[256], 0xff);
        flash.write(260, &[0; 32]).unwrap();
        assert_ne!(flash.data()[260..292], [0; 32]);
        assert_eq!(flash.write(260, &[0; 32]), Err(SimError::ProgrammedTwice));
    }
}

#[test]
fn an_erase_may_leave_bits() {
    for seed in 0..100 {
        let mut flash = broken(seed, BlockFault::EraseLeavesBits);
        flash.erase(256, 512).unwrap();
        flash.write(256, &[0x3c; 256]).unwrap();
        flash.erase(256, 512).unwrap();
        assert_ne!(flash.data()[256..512], [0xff; 256]);
        assert!(flash.data()[256..512].iter().all(|byte| byte & 0x3c == 0x3c));
        flash.write(256, &[0; 256]).unwrap();
    }
}

#[test]
fn a_block_has_one_fault() {
    let mut flash = broken(0, BlockFault::EraseFails);
    flash.fail_block(1, BlockFault::ProgramFails);
    flash.erase(256, 512).unwrap();
    assert_eq!(flash.write(252, &[0; 8]), Err(SimError::ProgramFailed));
}

#[test]
fn endurance_ends() {
    let mut flash = Flash::new(1024, 0xff);
    flash.endurance(3);
    (0..3).for_each(|_| flash.erase(0, 256).unwrap());
    flash.write(0, &[0; 4]).unwrap();
    assert_eq!(flash.erase(0, 256), Err(SimError::EraseFailed));
    assert_eq!(flash.data()[..4], [0; 4]);
    flash.erase(256, 1024).unwrap();
    assert_eq!(flash.erase_spread(), (1, 4));
    flash.clear_faults();
    flash.erase(0, 256).unwrap();
}

#[test]
fn an_injected_error_hits_its_unit_until_the_erase() {
    let mut flash = Flash::new(1024, 0xff);
    flash.inject_ecc(302);
    flash.clear_faults();
    for at in 296..310 {
        let expected = if (300..304).contains(&at) { Err(SimError::Ecc) } else { Ok(()) };
        assert_eq!(flash.read(at, &mut [0]), expected);
    }
    flash.write(300, &[0; 4]).unwrap();
    assert_eq!(flash.read(0, &mut [0; 1024]), Err(SimError::Ecc));
    flash.erase(256, 512).unwrap();
    flash.read(0, &mut [0; 1024]).unwrap();
}
