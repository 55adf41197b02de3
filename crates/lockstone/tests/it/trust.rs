//! Counters in fuses and in a trusted slot: cut at every operation, with every tear, again while they recover.
//!
//! A model follows what was said. After a cut the value is the old or the new one, once said it is never less, and it
//! grows by nothing but steps that were asked for.

use std::collections::BTreeSet;

use lockstone::trust::{
    MonotonicCounter, OtpBits, OtpCounter, OtpCounterError, Redundant, SlotCounter, SlotCounterError, TrustedSlot,
};
use lockstone_sim::{BitFault, Power, SimCounter, SimError, SimOtp, Tear};
use lockstone_torture::Trusted;

type Fuses = Trusted<SimOtp>;

const BITS: u32 = 10;
/// An operation that no life comes to.
const NEVER: u64 = 1000;

fn fuses(bits: u32, broken: &[u32], fault: BitFault, seed: u64) -> Fuses {
    let mut otp = SimOtp::new(bits);
    otp.set_seed(seed);
    broken.iter().for_each(|bit| otp.set_fault(*bit, Some(fault)));
    Trusted(otp)
}

/// What was said of a counter so far, and what may be said next.
struct Model<'a> {
    said: u64,
    /// A step was asked for and not answered: the value may be the next one.
    open: bool,
    broken: &'a [u32],
}

impl Model<'_> {
    /// The value after a step from here; `None`: there is none.
    fn next(&self) -> Option<u64> {
        (self.said + 1..=BITS.into()).find(|value| !self.broken.iter().any(|bit| u64::from(*bit) + 1 == *value))
    }

    fn opened(&mut self, value: u64, case: &str) {
        let new = self.open && Some(value) == self.next();
        assert!(value == self.said || new, "{case}: {} was said, now {value}", self.said);
        self.said = value;
        self.open &= !new;
    }

    /// Counts to the end of the bits or of the power; false: the power.
    fn count<B: OtpBits<Error = SimError>>(&mut self, bits: B, case: &str) -> bool {
        let Ok(mut counter) = OtpCounter::open(bits) else { return false };
        self.opened(counter.value().into(), case);
        loop {
            let next = self.next();
            self.open = next.is_some();
            match counter.increment() {
                Ok(value) => {
                    assert_eq!(Some(value), next, "{case}");
                    assert_eq!(counter.read(), Ok(value), "{case}");
                    (self.said, self.open) = (value, false);
                }
                Err(error) => {
                    assert_eq!(counter.read(), Ok(self.said), "{case}: in the same session");
                    assert!(error == OtpCounterError::Bits(SimError::PowerCut) || next.is_none(), "{case}: {error:?}");
                    return error == OtpCounterError::Exhausted;
                }
            }
        }
    }
}

/// A life with three cuts, then whole; returns how many of them happened.
fn live(broken: &[u32], fault: BitFault, cuts: [(u64, Tear); 3], seed: u64) -> u32 {
    let case = format!("{fault:?} {broken:?}, cuts {cuts:?}, seed {seed}");
    let (mut fuses, mut model) = (fuses(BITS, broken, fault, seed), Model { said: 0, open: false, broken });
    let mut happened = 0;
    for (operation, tear) in cuts {
        fuses.0.power().cut_at(operation, tear);
        model.count(&mut fuses, &case);
        happened += u32::from(fuses.0.power().is_off());
        fuses.0.power().cancel_cut();
        fuses.0.power().on();
        // Sessions that say the value and do nothing else.
        for _ in 0..3 {
            model.opened(OtpCounter::open(&mut fuses).unwrap().value().into(), &case);
        }
    }
    assert!(model.count(&mut fuses, &case), "{case}");
    assert_eq!(model.next(), None, "{case}");
    happened
}

#[test]
fn fuses_cut_anywhere_say_the_old_or_the_new_value() {
    let (mut cases, mut happened) = (0_u32, 0);
    for broken in [&[][..], &[0], &[1], &[3, 4], &[BITS - 1], &[0, 2, 4, 6, 8]] {
        for tear in Tear::ALL {
            for then in Tear::ALL {
                for operation in 0..16 {
                    for (again, third) in [(0, 0), (0, 1), (1, 0), (1, 2), (2, 0), (0, NEVER), (NEVER, NEVER)] {
                        let cuts = [(operation, tear), (again, then), (third, tear)];
                        happened += live(broken, BitFault::Stuck, cuts, operation * 7 + again);
                        cases += 1;
                    }
                }
            }
        }
    }
    println!("{cases} lives of a counter in fuses, {happened} cuts");
    assert!(cases > 60_000 && happened > 2 * cases);
}

/// A bit that never gets firm is passed over like one that is stuck, also when it reads 1 at an open.
#[test]
fn fuses_that_waver_are_passed_over() {
    let mut cases = 0_u32;
    for broken in [&[0][..], &[1], &[3, 4], &[0, 2, 4, 6, 8]] {
        for tear in [Tear::Absent, Tear::Whole, Tear::Metastable, Tear::Bits] {
            for operation in 0..24 {
                for seed in 0..8 {
                    live(broken, BitFault::Flaky, [(operation, tear), (0, tear), (1, tear)], seed);
                    cases += 1;
                }
            }
        }
    }
    println!("{cases} lives of a counter in fuses that waver");
}

/// The same cut, looked at again and again: marginal bits must have come out both ways, and never go back.
#[test]
fn a_marginal_fuse_counts_late_or_at_once_and_stays() {
    let mut ways = BTreeSet::new();
    for seed in 0..200 {
        let mut fuses = fuses(BITS, &[], BitFault::Stuck, seed);
        fuses.0.power().cut_at(3, Tear::Metastable);
        let mut model = Model { said: 0, open: false, broken: &[] };
        assert!(!model.count(&mut fuses, "cut"));
        fuses.0.power().on();
        let said: Vec<u64> = (0..12).map(|_| OtpCounter::open(&mut fuses).unwrap().value().into()).collect();
        said.iter().for_each(|value| model.opened(*value, "looked at"));
        ways.insert((said[0], said[11]));
        assert!(said[11] == 3 || !fuses.0.is_marginal(), "{said:?}");
    }
    assert!(ways.iter().eq(&[(3, 3), (3, 4), (4, 4)]), "{ways:?}");
}

/// With two of each, a broken fuse changes nothing: every step is one.
#[test]
fn redundant_fuses_count_one_by_one() {
    let mut cases = 0_u32;
    for broken in 0..2 * BITS {
        for tear in Tear::ALL {
            for operation in 0..24 {
                let mut fuses = Redundant::<_, 2>(fuses(2 * BITS, &[broken], BitFault::Stuck, operation));
                let (mut model, case) =
                    (Model { said: 0, open: false, broken: &[] }, format!("{broken}, {tear} at {operation}"));
                fuses.0.0.power().cut_at(operation, tear);
                model.count(&mut fuses, &case);
                fuses.0.0.power().cancel_cut();
                fuses.0.0.power().on();
                assert!(model.count(&mut fuses, &case), "{case}");
                assert_eq!(model.said, BITS.into(), "{case}");
                // And one of the highest pair may be lost with age.
                let age = if broken < BITS { 2 * BITS - 1 } else { BITS - 1 };
                let both = [broken % BITS, age % BITS].contains(&(BITS - 1)) && broken % BITS == age % BITS;
                fuses.0.0.cells_mut()[age as usize] = 0;
                let value = OtpCounter::open(&mut fuses).unwrap().value();
                assert_eq!(value, if both { BITS - 1 } else { BITS }, "{case}");
                cases += 1;
            }
        }
    }
    println!("{cases} cuts of a counter in redundant fuses");
}

#[test]
fn fuses_below_the_highest_do_not_matter() {
    for lost in 0_u32..1 << 7 {
        let cells: Vec<u8> = (0..8).map(|bit| if bit == 7 || lost >> bit & 1 == 0 { 255 } else { 0 }).collect();
        let mut fuses = Trusted(SimOtp::from_bytes(&[&cells[..], &[0, 0]].concat()));
        let mut counter = OtpCounter::open(&mut fuses).unwrap();
        assert_eq!((counter.value(), counter.increment(), counter.limit()), (8, Ok(9), 10));
        assert_eq!(fuses.0.programs(), [0, 0, 0, 0, 0, 0, 0, 1, 1, 0]);
    }
}

#[test]
fn fuses_that_can_not_be_used_are_told() {
    assert_eq!(OtpCounter::open(Trusted(SimOtp::new(0))).unwrap().increment(), Err(OtpCounterError::Exhausted));
    // The last bit does not get firm: when it happens to read 1, nobody knows what it said before.
    let mut seen = [0, 0];
    for seed in 0..100 {
        let mut otp = SimOtp::from_bytes(&[255, 255, 128]);
        otp.set_seed(seed);
        otp.set_fault(2, Some(BitFault::Stuck));
        let opened = OtpCounter::open(Trusted(otp)).map(|counter| counter.value());
        assert!(opened == Ok(2) || opened == Err(OtpCounterError::Damaged), "{opened:?}");
        seen[usize::from(opened.is_ok())] += 1;
    }
    assert!(seen.iter().all(|times| *times > 20), "{seen:?}");
    // All are stuck: nothing is lost, nothing is programmed without end.
    let mut stuck = fuses(4, &[0, 1, 2, 3], BitFault::Stuck, 0);
    let mut counter = OtpCounter::open(&mut stuck).unwrap();
    assert_eq!((counter.increment(), counter.read()), (Err(OtpCounterError::Exhausted), Ok(0)));
    assert!(stuck.0.power().operations() <= 12);
    // No power.
    stuck.0.power().off();
    assert_eq!(OtpCounter::open(&mut stuck).unwrap_err(), OtpCounterError::Bits(SimError::PowerCut));
}

/// An honest slot on the shared supply: a write that is cut happened or didn't.
#[derive(Clone, Default)]
struct Slot {
    content: [u8; 32],
    power: Power,
    writes: u32,
}

impl TrustedSlot for Slot {
    type Error = SimError;

    fn read(&mut self) -> Result<[u8; 32], SimError> {
        self.power.check().map(|()| self.content)
    }

    fn write(&mut self, content: &[u8; 32]) -> Result<(), SimError> {
        let tear = self.power.begin()?;
        self.writes += 1;
        if tear != Some(Tear::Absent) {
            self.content = *content;
        }
        if tear.is_some() { Err(SimError::PowerCut) } else { Ok(()) }
    }
}

#[test]
fn a_slot_cut_anywhere_holds_the_old_or_the_new_value() {
    for tear in [Tear::Absent, Tear::Whole] {
        for operation in 0..300 {
            let mut slot = Slot::default();
            slot.power.cut_at(operation, tear);
            let mut counter = SlotCounter::new(&mut slot);
            for value in 1..=operation {
                assert_eq!(counter.increment(), Ok(value));
            }
            assert_eq!(counter.increment(), Err(SlotCounterError::Slot(SimError::PowerCut)));
            assert_eq!(counter.read(), Err(SlotCounterError::Slot(SimError::PowerCut)));
            slot.power.on();
            let value = operation + u64::from(tear == Tear::Whole);
            let mut counter = SlotCounter::new(&mut slot);
            assert_eq!((counter.read(), counter.increment()), (Ok(value), Ok(value + 1)));
            assert_eq!(slot.content[..8], (value + 1).to_le_bytes());
        }
    }
    println!("600 cuts of a counter in a slot");
}

#[test]
fn a_slot_of_somebody_else_is_left_alone() {
    for byte in 8..32 {
        let mut slot = Slot::default();
        slot.content[byte] = 1;
        let mut counter = SlotCounter::new(&mut slot);
        assert_eq!(
            (counter.read(), counter.increment()),
            (Err(SlotCounterError::Foreign), Err(SlotCounterError::Foreign))
        );
        assert_eq!(slot.writes, 0);
    }
    let mut last = Slot::default();
    last.content[..8].fill(0xff);
    let mut counter = SlotCounter::new(&mut last);
    assert_eq!((counter.limit(), counter.read()), (u64::MAX, Ok(u64::MAX)));
    assert_eq!((counter.increment(), last.writes), (Err(SlotCounterError::Exhausted), 0));
}

/// Whatever the store is handed, it may be borrowed.
#[test]
fn borrowed_counters_are_counters() {
    fn twice<C: MonotonicCounter<Error: core::fmt::Debug>>(mut counter: C) -> (u64, u64, u64) {
        counter.increment().unwrap();
        (counter.increment().unwrap(), counter.read().unwrap(), counter.limit())
    }
    let mut counter = Trusted(SimCounter::new(7));
    assert_eq!(twice(&mut counter), (2, 2, 7));
    assert_eq!(twice(&mut &mut counter), (4, 4, 7));
    assert_eq!(twice(SlotCounter::new(&mut Slot::default())), (2, 2, u64::MAX));
    assert_eq!(twice(OtpCounter::open(&mut Trusted(SimOtp::new(5))).unwrap()), (2, 2, 5));
}
