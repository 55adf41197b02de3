//! What the chip does while nothing goes wrong, and what it refuses.
#![allow(clippy::unwrap_used)]

use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use lockstone_sim::{Counts, SimError, SimFlash, Tear, TraceKind, Violation};

type Flash = SimFlash<1, 4, 256>;

fn read<const R: usize, const W: usize, const E: usize>(flash: &mut SimFlash<R, W, E>, at: u32, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    flash.read(at, &mut bytes).unwrap();
    bytes
}

#[test]
fn programs_only_clear_bits_of_a_chip_that_erases_to_ones() {
    let mut flash = Flash::new(1024, 0xff);
    flash.data_mut()[0] = 0b1100_0011;
    flash.write(0, &[0b1010_1010, 0xff, 0, 0x55]).unwrap();
    assert_eq!(read(&mut flash, 0, 5), [0b1000_0010, 0xff, 0, 0x55, 0xff]);
}

#[test]
fn programs_only_set_bits_of_a_chip_that_erases_to_zeros() {
    let mut flash = Flash::new(1024, 0x00);
    flash.data_mut()[0] = 0b1100_0011;
    flash.write(0, &[0b1010_1010, 0xff, 0, 0x55]).unwrap();
    assert_eq!(read(&mut flash, 0, 5), [0b1110_1011, 0xff, 0, 0x55, 0]);
}

#[test]
fn an_erase_blanks_its_blocks_and_no_other() {
    for erased in [0xff, 0x00] {
        let mut flash = Flash::with_content(erased, vec![0x5a; 1024]);
        flash.erase(256, 768).unwrap();
        assert!(read(&mut flash, 256, 512).iter().all(|&byte| byte == erased));
        assert!(read(&mut flash, 0, 256).iter().chain(&read(&mut flash, 768, 256)).all(|&byte| byte == 0x5a));
        flash.write(256, &[1; 512]).unwrap();
    }
}

#[test]
fn a_unit_is_programmed_once() {
    let mut flash = Flash::new(1024, 0xff);
    flash.write(8, &[0xff; 4]).unwrap();
    let before = flash.data().to_vec();
    assert_eq!(flash.write(4, &[0; 12]), Err(SimError::ProgrammedTwice));
    assert_eq!(flash.write(8, &[0xff; 4]), Err(SimError::ProgrammedTwice));
    assert_eq!(flash.data(), before);
    assert_eq!(flash.violations(), 2);
    let first = Violation { op: 1, address: 8, error: SimError::ProgrammedTwice };
    assert_eq!(flash.first_violation(), Some(first));
    assert_eq!(flash.operations(), 1);
    flash.erase(0, 256).unwrap();
    flash.write(8, &[0; 4]).unwrap();
}

#[test]
fn content_that_differs_from_blank_is_programmed() {
    let mut content = vec![0xff; 1024];
    content[6] = 0xfe;
    let mut flash = Flash::with_content(0xff, content);
    assert_eq!(flash.write(4, &[0; 4]), Err(SimError::ProgrammedTwice));
    flash.write(0, &[0; 4]).unwrap();
    flash.write(8, &[0; 4]).unwrap();
}

#[test]
fn bounds_and_alignment_are_checked_and_recorded() {
    let mut flash = SimFlash::<2, 4, 256>::new(1024, 0xff);
    assert_eq!(flash.read(1, &mut [0; 2]), Err(SimError::NotAligned));
    assert_eq!(flash.read(0, &mut [0; 3]), Err(SimError::NotAligned));
    assert_eq!(flash.read(1024, &mut [0; 2]), Err(SimError::OutOfBounds));
    assert_eq!(flash.write(2, &[0; 4]), Err(SimError::NotAligned));
    assert_eq!(flash.write(1020, &[0; 8]), Err(SimError::OutOfBounds));
    assert_eq!(flash.erase(0, 128), Err(SimError::NotAligned));
    assert_eq!(flash.erase(256, 0), Err(SimError::OutOfBounds));
    assert_eq!(flash.erase(768, 1280), Err(SimError::OutOfBounds));
    assert_eq!(flash.violations(), 8);
    assert_eq!(flash.first_violation().unwrap().to_string(), "op 0 at 0x1: address or length is not aligned");
    assert_eq!((flash.operations(), flash.counts()), (0, Counts::default()));
}

#[test]
fn errors_have_the_kinds_of_the_trait() {
    assert_eq!(SimError::NotAligned.kind(), NorFlashErrorKind::NotAligned);
    assert_eq!(SimError::OutOfBounds.kind(), NorFlashErrorKind::OutOfBounds);
    for error in [SimError::PowerCut, SimError::ProgrammedTwice, SimError::Ecc, SimError::ProgramFailed] {
        assert_eq!(error.kind(), NorFlashErrorKind::Other);
    }
}

#[test]
fn empty_calls_are_no_operations() {
    let mut flash = Flash::new(1024, 0xff);
    flash.write(0, &[]).unwrap();
    flash.erase(256, 256).unwrap();
    flash.read(1024, &mut []).unwrap();
    assert_eq!((flash.operations(), flash.counts().programs), (0, 0));
}

#[test]
fn counts_and_their_differences() {
    let mut flash = Flash::new(1024, 0xff);
    flash.write(0, &[0; 8]).unwrap();
    let before = flash.counts();
    flash.erase(0, 768).unwrap();
    flash.write(252, &[0; 8]).unwrap();
    read(&mut flash, 3, 7);
    let expected = Counts { reads: 1, bytes_read: 7, programs: 1, bytes_programmed: 8, erases: 3 };
    assert_eq!(flash.counts() - before, expected);
    assert_eq!(flash.erase_counts(), [1, 1, 1, 0]);
    assert_eq!(flash.erase_spread(), (0, 1));
    assert_eq!(flash.operations(), 5);
    flash.reset_counts();
    assert_eq!((flash.counts(), flash.operations()), (Counts::default(), 5));
}

#[test]
fn the_trace_tells_every_access_until_it_is_taken() {
    let mut flash = Flash::new(1024, 0xff);
    flash.erase(0, 256).unwrap();
    flash.trace_on();
    flash.write(16, &[0; 8]).unwrap();
    flash.erase(256, 768).unwrap();
    read(&mut flash, 3, 7);
    let trace = flash.take_trace();
    let told: Vec<_> = trace.iter().map(|entry| (entry.op, entry.kind, entry.address, entry.len)).collect();
    let erases = [(2, TraceKind::Erase, 256, 256), (3, TraceKind::Erase, 512, 256)];
    assert_eq!(told, [(1, TraceKind::Program, 16, 8), erases[0], erases[1], (4, TraceKind::Read, 3, 7)]);
    assert_eq!(trace[0].to_string(), "     1 program 0x000010 +8");
    read(&mut flash, 0, 1);
    assert!(flash.take_trace().is_empty());
}

#[test]
fn debug_is_short() {
    let text = format!("{:?}", Flash::new(1024, 0xff));
    assert!(text.starts_with("SimFlash<1, 4, 256> {") && text.len() < 150, "{text}");
}

#[test]
fn a_clone_lives_its_own_life() {
    let mut flash = Flash::new(1024, 0xff);
    flash.cut_at(1, Tear::Metastable);
    flash.write(0, &[0; 4]).unwrap();
    let mut snapshot = flash.clone();
    assert_eq!(flash.write(4, &[0; 128]), Err(SimError::PowerCut));
    assert!(!snapshot.is_cut());
    let mut again = Flash::new(256, 0x00);
    again.clone_from(&snapshot);
    assert_eq!(snapshot.write(4, &[0; 128]), Err(SimError::PowerCut));
    assert_eq!(again.write(4, &[0; 128]), Err(SimError::PowerCut));
    assert_eq!(again.data(), flash.data());
    [&mut flash, &mut snapshot, &mut again].into_iter().for_each(SimFlash::power_on);
    let seen = read(&mut flash, 0, 1024);
    assert_eq!((read(&mut snapshot, 0, 1024), read(&mut again, 0, 1024)), (seen.clone(), seen));
}

#[test]
#[should_panic(expected = "multiple of the erase size")]
fn half_a_block_is_no_chip() {
    let _ = Flash::new(384, 0xff);
}
