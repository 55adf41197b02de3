//! Installs: an object over a slot, cut at every operation, attacked, and given up.

use lockstone::seal::Suite;
use lockstone::{Ascon, InstallError, Installed, Objects, Part, Plain, Put, Reader, Slot, Store, trust::NoCounter};
use lockstone_sim::geometry::{Geometry, Scenario, for_each_geometry};
use lockstone_sim::{Power, SimError, SimFlash, Tear, TraceKind};
use lockstone_torture::{Fixed, Random, Trusted, root};
use sha2::Sha256;

use super::{Bench, Keys, content, sha};

type Failure = InstallError<SimError, SimError, SimError>;

/// A bench and a part for code.
#[derive(Clone)]
struct Board<const R: usize, const W: usize, const E: usize> {
    bench: Bench<R, W, E>,
    code: SimFlash<R, W, E>,
}

impl<const R: usize, const W: usize, const E: usize> Board<R, W, E> {
    const BLOCK: usize = E * 4096_usize.div_ceil(E);

    fn new<S: Suite>(geometry: &Geometry) -> Self {
        let capacity = geometry.capacity.max(E * 6);
        let bench = Bench::new::<S>(geometry.capacity, capacity.max(12 * 4096), geometry.erased);
        // Two blocks of code, and the trailer.
        let block = Self::BLOCK;
        Self { bench, code: SimFlash::new(block * (2 + (64 * W.max(4)).div_ceil(block)), geometry.erased) }
    }

    fn plug_in(&mut self) -> Power {
        let power = self.bench.plug_in();
        self.code.plug_in(&power);
        power
    }

    /// Puts an object under a key.
    fn put<S: Suite>(&mut self, key: &str, bytes: &[u8], seed: u64) {
        self.bench.with::<S, _>(|store, objects| {
            let mut ram = vec![0; objects.layout().upload_size(bytes.len() as u32)];
            let length = Some(bytes.len() as u32);
            let mut upload = objects.create(store, key, length, &mut Fixed(seed), &mut ram).unwrap();
            objects.write(store, &mut upload, 0, bytes).unwrap();
            objects.finish::<Sha256, _, _>(store, &mut upload, key, None, Put::USUAL).unwrap();
        });
    }

    /// What the application does with slot 3.
    fn application<S: Suite, T>(
        &mut self,
        act: impl FnOnce(
            &mut Objects<'_, &mut SimFlash<R, W, E>, S>,
            &mut Store<'_, &mut SimFlash<R, W, E>, S>,
            &mut Slot<&mut SimFlash<R, W, E>>,
        ) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (mut memory, mut buffer) = (Keys::new(), [0; 2048]);
        let Self { bench: Bench { keys, flash, part }, code } = self;
        let off = |_| InstallError::Slot(SimError::PowerCut);
        let mut store = Store::<_, S>::mount(keys, *part, &root(), &mut memory).map_err(off)?;
        let mut objects = Objects::<_, S>::open(flash, *part, &mut store, &mut buffer).map_err(off)?;
        let mut slot = Slot::new(code, *part, 3).unwrap();
        act(&mut objects, &mut store, &mut slot)
    }

    fn request<S: Suite>(&mut self, key: &str) -> Result<(), Failure> {
        self.application::<S, _>(|objects, store, slot| {
            objects.request_install::<Sha256, _, _, _>(store, key, slot, false)
        })
    }

    fn confirm<S: Suite>(&mut self) -> Result<Installed, Failure> {
        self.application::<S, _>(|objects, store, slot| objects.confirm_install::<Sha256, _, _, _>(store, slot, false))
    }

    /// What the boot loader does: nothing of the store is written.
    fn boot<S: Suite>(&mut self) -> Result<Installed, Failure> {
        let (mut memory, mut buffer) = (Keys::new(), [0; 2048]);
        let Self { bench: Bench { keys, flash, part }, code } = self;
        let off = |_| InstallError::Slot(SimError::PowerCut);
        let anchor = lockstone::trust::Anchor { root: &root(), counter: Reader(NoCounter) };
        let mut store = Store::<_, S, _>::mount_protected(keys, *part, anchor, &mut memory).map_err(off)?;
        let mut objects = Objects::<_, S>::open(flash, *part, &mut store, &mut buffer).map_err(off)?;
        objects.install::<Sha256, _, _, _>(&mut store, &mut Slot::new(code, *part, 3).unwrap(), |_, _| {})
    }

    /// The code, and nothing but erased bytes behind it up to the trailer.
    fn runs(&self, code: &[u8]) -> bool {
        let (there, rest) = self.code.data().split_at(code.len());
        let rest = &rest[..Self::BLOCK * 2 - code.len()];
        there == code && rest.iter().all(|byte| *byte == self.bench.part_erased())
    }
}

impl<const R: usize, const W: usize, const E: usize> Bench<R, W, E> {
    fn part_erased(&self) -> u8 {
        if self.part == Part::ZERO_ERASED { 0 } else { 0xff }
    }
}

fn board() -> Board<4, 4, 4096> {
    let bench = Bench::new::<Ascon>(8 * 4096, 40 * 4096, 0xff);
    Board { bench, code: SimFlash::new(5 * 4096, 0xff) }
}

struct Everywhere {
    step: u64,
    played: u32,
}

impl Everywhere {
    fn play<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry) {
        let mut board = Board::<R, W, E>::new::<S>(geometry);
        let block = Board::<R, W, E>::BLOCK;
        let (old, new) = (content(1, 2 * block - 3), content(2, block.min(9000) + 77));
        board.put::<S>("old", &old, 1);
        board.request::<S>("old").unwrap();
        assert!(board.boot::<S>().unwrap().pending && board.runs(&old));
        assert!(!board.confirm::<S>().unwrap().pending);
        board.bench.with::<S, _>(|store, objects| {
            assert_eq!(store.delete("old"), Ok(true));
            objects.reclaim(store).unwrap();
        });
        board.put::<S>("new", &new, 2);
        let mut clean = board.clone();
        let power = clean.plug_in();
        let all = |board: &mut Board<R, W, E>| -> Result<(), Failure> {
            board.request::<S>("new")?;
            board.boot::<S>()?;
            board.confirm::<S>().map(drop)
        };
        all(&mut clean).unwrap();
        let operations = power.operations();
        assert!(operations > 20 && clean.runs(&new));
        for (number, tear) in Tear::ALL.iter().enumerate() {
            let mut at = number as u64 % self.step;
            while at < operations {
                for again in [None, Some(at * 7 % 41)] {
                    let id = format!("{}/{}/{at}/{tear}/{again:?}", geometry.name, S::NAME);
                    let mut torn = board.clone();
                    let power = torn.plug_in();
                    torn.code.set_seed(at * 16 + number as u64);
                    power.cut_at(at, *tear);
                    assert!(all(&mut torn).is_err(), "{id}");
                    power.on();
                    if let Some(again) = again {
                        power.cut_at(again, *tear);
                        let _ = torn.boot::<S>();
                        power.cancel_cut();
                        power.on();
                    }
                    torn.check::<S>(&old, &new, &id);
                    self.played += 1;
                }
                at += self.step;
            }
        }
    }
}

impl<const R: usize, const W: usize, const E: usize> Board<R, W, E> {
    /// A boot finds the old code or the new one, whole; and the install comes to its end.
    fn check<S: Suite>(&mut self, old: &[u8], new: &[u8], id: &str) {
        let booted = self.boot::<S>().unwrap_or_else(|error| panic!("{id}: {error}"));
        let runs = if booted.digest == sha(old) { old } else { new };
        assert!(booted.digest == sha(runs) && self.runs(runs), "{id}: old or new, never neither");
        if runs == old {
            assert!(!booted.pending, "{id}");
            self.request::<S>("new").unwrap_or_else(|error| panic!("{id}: {error}"));
            self.boot::<S>().unwrap_or_else(|error| panic!("{id}: {error}"));
        }
        let confirmed = self.confirm::<S>().unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(confirmed, Installed { length: new.len() as u32, digest: sha(new), pending: false }, "{id}");
        assert_eq!(self.boot::<S>(), Ok(confirmed), "{id}");
        self.bench.with::<S, _>(|store, objects| {
            assert_eq!(store.delete("new"), Ok(true), "{id}");
            objects.reclaim(store).unwrap();
        });
        assert!(self.boot::<S>() == Ok(confirmed) && self.runs(new), "{id}");
        let violations = [self.code.violations(), self.bench.keys.violations(), self.bench.flash.violations()];
        assert_eq!(violations, [0; 3], "{id}: {:?}", self.code.first_violation());
    }
}

impl Scenario for Everywhere {
    type Output = ();

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) {
        self.step = if geometry.is_small() { 3 } else { 29 };
        self.play::<R, W, E, Ascon>(geometry);
        self.play::<R, W, E, Plain>(geometry);
    }
}

#[test]
fn an_install_is_old_or_new_whatever_is_cut() {
    let mut everywhere = Everywhere { step: 1, played: 0 };
    for_each_geometry(&mut everywhere);
    println!("installs: {} cuts", everywhere.played);
    assert!(everywhere.played > 3000, "{}", everywhere.played);
}

#[test]
fn a_cut_costs_a_block() {
    let mut board = board();
    let new = content(3, 4 * 4096);
    board.put::<Ascon>("new", &new, 1);
    board.request::<Ascon>("new").unwrap();
    let mut dice = Random(4);
    let mut cuts = 0;
    loop {
        let power = board.plug_in();
        power.cut_at(4 + dice.below(9) as u64, Tear::ALL[dice.below(Tear::ALL.len())]);
        let booted = board.boot::<Ascon>();
        power.cancel_cut();
        power.on();
        if booted.is_ok() {
            break;
        }
        cuts += 1;
        assert!(cuts < 100, "no progress");
    }
    assert!(board.runs_in(&new, 4) && cuts >= 4, "{cuts} cuts");
}

impl<const R: usize, const W: usize, const E: usize> Board<R, W, E> {
    fn runs_in(&self, code: &[u8], blocks: usize) -> bool {
        &self.code.data()[..blocks * E][..code.len()] == code
    }
}

#[test]
fn an_object_that_is_being_installed_is_kept() {
    let mut board = board();
    let (first, second) = (content(5, 9000), content(6, 8000));
    board.put::<Ascon>("fw", &first, 1);
    board.request::<Ascon>("fw").unwrap();
    // Replaced, deleted, and everything tidied up.
    board.put::<Ascon>("fw", &second, 2);
    board.bench.with::<Ascon, _>(|store, objects| {
        assert_eq!(store.delete("fw"), Ok(true));
        objects.reclaim(store).unwrap();
    });
    board.put::<Ascon>("other", &content(7, 60_000), 3);
    assert_eq!(board.boot::<Ascon>().map(|installed| installed.digest), Ok(sha(&first)));
    assert!(board.runs_in(&first, 4));
    board.confirm::<Ascon>().unwrap();
    let reclaimed = board.bench.with::<Ascon, _>(|store, objects| objects.reclaim(store)).unwrap();
    assert!(reclaimed >= 3, "{reclaimed}");
}

#[test]
fn a_newer_request_takes_the_place_of_one_that_is_pending() {
    let mut board = board();
    let (first, second) = (content(5, 9000), content(6, 8000));
    board.put::<Ascon>("a", &first, 1);
    board.put::<Ascon>("b", &second, 2);
    board.request::<Ascon>("a").unwrap();
    board.boot::<Ascon>().unwrap();
    board.request::<Ascon>("b").unwrap();
    assert_eq!(board.boot::<Ascon>().map(|installed| installed.digest), Ok(sha(&second)));
    board.confirm::<Ascon>().unwrap();
    board.bench.with::<Ascon, _>(|store, objects| {
        assert_eq!((store.delete("a"), store.delete("b")), (Ok(true), Ok(true)));
        assert_eq!(objects.reclaim(store), Ok(6));
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut board = board();
    assert_eq!(board.boot::<Ascon>(), Err(InstallError::NothingRequested));
    assert_eq!(board.confirm::<Ascon>(), Err(InstallError::NothingRequested));
    assert_eq!(board.request::<Ascon>("fw"), Err(InstallError::NoObject));
    board.put::<Ascon>("fw", &content(1, 4 * 4096 + 1), 1);
    assert_eq!(board.request::<Ascon>("fw"), Err(InstallError::TooLarge));
    board.put::<Ascon>("fw", &content(1, 4 * 4096), 2);
    let state = board.application::<Ascon, _>(|objects, store, slot| {
        let digest = objects.request_install::<sha2::Sha512_256, _, _, _>(store, "fw", slot, false);
        assert_eq!(digest, Err(InstallError::WrongDigest));
        objects.slot_state(store, slot)
    });
    assert_eq!(state, Ok(None));
    board.request::<Ascon>("fw").unwrap();
    assert_eq!(board.confirm::<Ascon>(), Err(InstallError::WrongDigest), "nothing was copied yet");
    // Into another slot as well: first things first.
    let (mut memory, mut buffer) = (Keys::new(), [0; 2048]);
    let mut store = Store::<_, Ascon>::mount(&mut board.bench.keys, Part::NOR, &root(), &mut memory).unwrap();
    let mut objects = Objects::<_, Ascon>::open(&mut board.bench.flash, Part::NOR, &mut store, &mut buffer).unwrap();
    let mut slot = Slot::new(SimFlash::<4, 4, 4096>::new(5 * 4096, 0xff), Part::NOR, 4).unwrap();
    let busy = objects.request_install::<Sha256, _, _, _>(&mut store, "fw", &mut slot, false);
    assert_eq!(busy, Err(InstallError::Busy));
    assert_eq!(objects.slot_state(&mut store, &slot), Ok(None));
}

#[test]
fn whoever_writes_the_slot_makes_it_no_good() {
    let mut board = board();
    let new = content(8, 10_000);
    board.put::<Ascon>("fw", &new, 1);
    board.request::<Ascon>("fw").unwrap();
    let blank = board.code.clone();
    board.boot::<Ascon>().unwrap();
    // All marks, and none of the code: it's copied again.
    let trailer = board.code.data()[4 * 4096..].to_vec();
    board.code = blank;
    board.code.data_mut()[4 * 4096..].copy_from_slice(&trailer);
    board.boot::<Ascon>().unwrap();
    assert!(board.runs_in(&new, 4));
    // A bit of the code.
    board.code.data_mut()[777] ^= 4;
    board.boot::<Ascon>().unwrap();
    assert!(board.runs_in(&new, 4));
    board.confirm::<Ascon>().unwrap();
    board.code.data_mut()[777] ^= 4;
    assert_eq!(board.boot::<Ascon>(), Err(InstallError::WrongDigest), "the object may be gone");
}

#[test]
fn a_damaged_object_leaves_the_slot_alone() {
    let mut board = board();
    let old = content(1, 5000);
    board.put::<Ascon>("old", &old, 1);
    board.request::<Ascon>("old").unwrap();
    board.boot::<Ascon>().unwrap();
    board.confirm::<Ascon>().unwrap();
    board.put::<Ascon>("new", &content(9, 9000), 2);
    let there = board.bench.flash.data().iter().rposition(|byte| *byte != 0xff).unwrap();
    board.bench.flash.data_mut()[there - 100] ^= 1;
    let request = board.request::<Ascon>("new");
    assert_eq!(request, Err(InstallError::Object(lockstone::ObjectError::Damaged)));
    assert_eq!(board.boot::<Ascon>().map(|installed| installed.digest), Ok(sha(&old)));
}

/// One that was confirmed, one that is pending, and then a third, which is cut.
#[test]
fn a_third_request_is_cut_while_the_second_is_pending() {
    let mut board = board();
    let all = [content(1, 9000), content(2, 8000), content(3, 10_000)];
    for (index, bytes) in all.iter().enumerate() {
        board.put::<Ascon>(["a", "b", "c"][index], bytes, index as u64);
    }
    board.request::<Ascon>("a").unwrap();
    board.boot::<Ascon>().unwrap();
    board.confirm::<Ascon>().unwrap();
    board.request::<Ascon>("b").unwrap();
    let half = {
        let mut half = board.clone();
        half.plug_in().cut_at(9, Tear::Bits);
        half.boot::<Ascon>().unwrap_err();
        half
    };
    board.boot::<Ascon>().unwrap();
    for (start, name) in [(board, "whole"), (half, "half")] {
        for at in 0..30 {
            for tear in Tear::ALL {
                let id = format!("b is {name}, {at}/{tear}");
                let mut torn = start.clone();
                let power = torn.plug_in();
                power.on();
                power.cut_at(at, tear);
                let requested = torn.request::<Ascon>("c");
                power.cancel_cut();
                power.on();
                for again in [3, 11, 90] {
                    power.cut_at(again, tear);
                    let _ = torn.boot::<Ascon>();
                    power.cancel_cut();
                    power.on();
                }
                let booted = torn.boot::<Ascon>().unwrap_or_else(|error| panic!("{id}: {error}"));
                let runs = all.iter().position(|bytes| sha(bytes) == booted.digest).unwrap();
                assert!(torn.runs_in(&all[runs], 4), "{id}");
                assert!(runs == 2 || runs == 1 && requested.is_err(), "{id}: {requested:?}");
                assert_eq!(torn.confirm::<Ascon>().map(|state| state.digest), Ok(booted.digest), "{id}");
                assert_eq!(torn.code.violations(), 0, "{id}: {:?}", torn.code.first_violation());
            }
        }
    }
}

/// Code that came with the device is not known to the store.
#[test]
fn the_first_request_is_cut() {
    let mut board = board();
    let (factory, new) = (content(1, 9000), content(2, 10_000));
    board.code.data_mut()[..9000].copy_from_slice(&factory);
    board.put::<Ascon>("new", &new, 1);
    for adopted in [false, true] {
        if adopted {
            let state = board.application::<Ascon, _>(|objects, store, slot| {
                assert_eq!(
                    objects.adopt_slot::<Sha256, _, _, _>(store, slot, 5 * 4096, false),
                    Err(InstallError::TooLarge)
                );
                objects.adopt_slot::<Sha256, _, _, _>(store, slot, 9000, false)
            });
            assert_eq!(state, Ok(Installed { length: 9000, digest: sha(&factory), pending: false }));
            assert_eq!(board.boot::<Ascon>(), state);
        }
        for at in 0..40 {
            for tear in Tear::ALL {
                let id = format!("{at}/{tear}");
                let mut torn = board.clone();
                let power = torn.plug_in();
                power.cut_at(at, tear);
                let requested = torn.request::<Ascon>("new");
                power.cancel_cut();
                power.on();
                for again in [2, 7, 50] {
                    power.cut_at(again, tear);
                    let _ = torn.boot::<Ascon>();
                    power.cancel_cut();
                    power.on();
                }
                match torn.boot::<Ascon>() {
                    Ok(booted) if booted.digest == sha(&new) => assert!(torn.runs_in(&new, 4), "{id}"),
                    Ok(booted) => assert!(adopted && booted.digest == sha(&factory), "{id}"),
                    Err(error) => {
                        assert!(!adopted && error == InstallError::NothingRequested, "{id}: {error}");
                        assert!(requested.is_err() && torn.runs_in(&factory, 4), "{id}: nothing is touched");
                    }
                }
            }
        }
    }
}

/// A byte behind the log looks like a write that was cut: nobody can keep the old code in place with it.
#[test]
fn garbage_behind_the_log_does_not_hold_an_update_up() {
    let mut board = board();
    let (old, new) = (content(1, 9000), content(2, 10_000));
    board.put::<Ascon>("old", &old, 1);
    board.request::<Ascon>("old").unwrap();
    board.boot::<Ascon>().unwrap();
    board.confirm::<Ascon>().unwrap();
    board.put::<Ascon>("new", &new, 2);
    board.request::<Ascon>("new").unwrap();
    let end = board.bench.keys.data().iter().rposition(|byte| *byte != 0xff).unwrap();
    board.bench.keys.data_mut()[end + 1] = 0x5a;
    assert_eq!(board.boot::<Ascon>().map(|installed| installed.digest), Ok(sha(&new)));
    assert!(board.runs_in(&new, 4));
}

#[test]
fn an_object_that_is_damaged_after_the_request_leaves_the_old_code() {
    let mut board = board();
    let old = content(1, 9000);
    board.put::<Ascon>("old", &old, 1);
    board.request::<Ascon>("old").unwrap();
    board.boot::<Ascon>().unwrap();
    board.confirm::<Ascon>().unwrap();
    board.bench.with::<Ascon, _>(|store, objects| {
        store.delete("old").unwrap();
        objects.reclaim(store).unwrap();
    });
    board.put::<Ascon>("new", &content(2, 10_000), 2);
    board.request::<Ascon>("new").unwrap();
    let there = board.bench.flash.data().iter().rposition(|byte| *byte != 0xff).unwrap();
    board.bench.flash.data_mut()[there - 100] ^= 1;
    assert_eq!(board.boot::<Ascon>(), Ok(Installed { length: 9000, digest: sha(&old), pending: true }));
    assert!(board.runs_in(&old, 4));
    assert_eq!(board.request::<Ascon>("new"), Err(InstallError::Object(lockstone::ObjectError::Damaged)));
}

/// A reader can't bring a reset to its end; it boots all the same.
#[test]
fn a_reset_that_was_cut_does_not_keep_a_boot_loader_from_booting() {
    use lockstone::trust::{Anchor, Protection};
    let code = content(4, 9000);
    let mut counter = Trusted(lockstone_sim::SimCounter::new(1000));
    let mut flash = SimFlash::<4, 4, 4096>::new(8 * 4096, 0xff);
    let (mut memory, mut buffer) = (Keys::new(), [0; 2048]);
    let mut blocks = SimFlash::<4, 4, 4096>::new(8 * 4096, 0xff);
    let mut place = SimFlash::<4, 4, 4096>::new(5 * 4096, 0xff);
    place.data_mut()[..9000].copy_from_slice(&code);
    let anchor = Anchor { root: &root(), counter: &mut counter };
    let mut store = Store::<_, Ascon, _>::format_protected(
        &mut flash,
        Part::NOR,
        anchor,
        Protection::Chosen,
        &mut Fixed(1),
        &mut memory,
    )
    .unwrap();
    let mut objects = Objects::<_, Ascon>::format(&mut blocks, Part::NOR, &mut buffer).unwrap();
    let mut slot = Slot::new(&mut place, Part::NOR, 3).unwrap();
    let adopted = objects.adopt_slot::<Sha256, _, _, _>(&mut store, &mut slot, 9000, true).unwrap();
    for index in 0..20 {
        store.put(&[index][..], b"value").unwrap();
    }
    drop(store);
    let mut cut = 0;
    for at in 2..60 {
        let (mut flash, mut counter) = (flash.clone(), Trusted(counter.0.clone()));
        let mut memory = Keys::new();
        let power = Power::new();
        flash.plug_in(&power);
        let anchor = Anchor { root: &root(), counter: &mut counter };
        let mut store = Store::<_, Ascon, _>::mount_protected(&mut flash, Part::NOR, anchor, &mut memory).unwrap();
        power.cut_at(at, Tear::Whole);
        let reset = store.factory_reset();
        cut += u32::from(reset.is_err());
        drop(store);
        power.cancel_cut();
        power.on();
        let anchor = Anchor { root: &root(), counter: Reader(&mut counter) };
        let mut store = Store::<_, Ascon, _>::mount_protected(&mut flash, Part::NOR, anchor, &mut memory).unwrap();
        assert_eq!(objects.install::<Sha256, _, _, _>(&mut store, &mut slot, |_, _| {}), Ok(adopted), "cut at {at}");
    }
    assert!(cut > 20, "{cut}");
}

#[test]
fn what_a_slot_holds_goes_with_the_store_to_another_key() {
    let mut board = board();
    let new = content(2, 10_000);
    board.put::<Ascon>("new", &new, 2);
    board.request::<Ascon>("new").unwrap();
    board.boot::<Ascon>().unwrap();
    let mut target_flash = SimFlash::<4, 4, 4096>::new(8 * 4096, 0xff);
    let other = lockstone::SoftRootKey::new([9; 32]);
    for confirmed in [false, true] {
        if confirmed {
            board.confirm::<Ascon>().unwrap();
        }
        let mut memory = Keys::new();
        let mut target =
            Store::<_, Ascon>::format(&mut target_flash, Part::NOR, &other, &mut Fixed(3), &mut memory).unwrap();
        let resealed = board.bench.with::<Ascon, _>(|store, objects| {
            store.delete("new").unwrap();
            objects.reclaim(store).unwrap();
            store.reseal_into(&mut target, &mut [0; 200], |_, _| {})
        });
        if !confirmed {
            assert_eq!(resealed, Err(lockstone::ResealError::Source(lockstone::Error::NotPermitted)));
            continue;
        }
        assert_eq!(resealed, Ok(()));
        let mut buffer = [0; 600];
        let mut objects = Objects::<_, Ascon>::format(&mut board.bench.flash, Part::NOR, &mut buffer).unwrap();
        let mut slot = Slot::new(&mut board.code, Part::NOR, 3).unwrap();
        let installed = objects.install::<Sha256, _, _, _>(&mut target, &mut slot, |_, _| {});
        assert_eq!(installed, Ok(Installed { length: 10_000, digest: sha(&new), pending: false }));
    }
}

/// Two requests in a row are cut, over code that nobody told the store of.
#[test]
fn the_second_request_is_cut_after_the_first_was() {
    let mut board = board();
    let (factory, one, two) = (content(1, 9000), content(2, 10_000), content(3, 8000));
    board.code.data_mut()[..9000].copy_from_slice(&factory);
    board.put::<Ascon>("one", &one, 1);
    board.put::<Ascon>("two", &two, 2);
    let mut dice = Random(5);
    for (at, then) in (0..16).flat_map(|at| (0..16).map(move |then| (at, then))) {
        let mut torn = board.clone();
        torn.code.set_seed(dice.word());
        torn.bench.keys.set_seed(dice.word());
        let power = torn.plug_in();
        let mut cut = |torn: &mut Board<4, 4, 4096>, at: u64, act: &dyn Fn(&mut Board<4, 4, 4096>) -> bool| {
            power.cut_at(at, Tear::ALL[dice.below(Tear::ALL.len())]);
            let done = act(torn);
            power.cancel_cut();
            power.on();
            done
        };
        let first = cut(&mut torn, at, &|torn| torn.request::<Ascon>("one").is_ok());
        let second = cut(&mut torn, then, &|torn| torn.request::<Ascon>("two").is_ok());
        for again in [1, 3, 5, 8, 60] {
            cut(&mut torn, again, &|torn| torn.boot::<Ascon>().is_ok());
        }
        match torn.boot::<Ascon>() {
            Ok(booted) if booted.digest == sha(&two) => assert!(torn.runs_in(&two, 4), "{at} {then}"),
            Ok(booted) => assert!(booted.digest == sha(&one) && !second && torn.runs_in(&one, 4), "{at} {then}"),
            Err(error) => {
                assert!(error == InstallError::NothingRequested && !first && !second, "{at} {then}: {error}");
                assert!(torn.runs_in(&factory, 4), "{at} {then}: nothing is touched");
            }
        }
        assert_eq!(torn.code.violations(), 0, "{at} {then}: {:?}", torn.code.first_violation());
    }
}

/// An attacker who makes the object unreadable and puts older code back does not get it run, if the request is protected.
#[test]
fn older_code_does_not_run_in_place_of_a_protected_request() {
    use lockstone::trust::{Anchor, Protection};
    let (old, new) = (content(4, 9000), content(5, 9000));
    let mut counter = Trusted(lockstone_sim::SimCounter::new(1000));
    let [mut keys, mut blocks, mut place] = [8, 20, 5].map(|blocks| SimFlash::<4, 4, 4096>::new(blocks * 4096, 0xff));
    place.data_mut()[..9000].copy_from_slice(&old);
    let (mut memory, mut buffer, mut ram) = (Keys::new(), [0; 2048], [0; 700]);
    let anchor = Anchor { root: &root(), counter: &mut counter };
    let (part, chosen) = (Part::NOR, Protection::Chosen);
    let mut store =
        Store::<_, Ascon, _>::format_protected(&mut keys, part, anchor, chosen, &mut Fixed(1), &mut memory).unwrap();
    let mut objects = Objects::<_, Ascon>::format(&mut blocks, part, &mut buffer).unwrap();
    let mut slot = Slot::new(&mut place, part, 3).unwrap();
    objects.adopt_slot::<Sha256, _, _, _>(&mut store, &mut slot, 9000, true).unwrap();
    let mut upload = objects.create(&mut store, "new", Some(9000), &mut Fixed(2), &mut ram).unwrap();
    objects.write(&mut store, &mut upload, 0, &new).unwrap();
    objects.finish::<Sha256, _, _>(&mut store, &mut upload, "new", None, Put::USUAL).unwrap();
    objects.request_install::<Sha256, _, _, _>(&mut store, "new", &mut slot, true).unwrap();
    let there = objects.flash().data().iter().rposition(|byte| *byte != 0xff).unwrap();
    objects.flash().data_mut()[there - 100] ^= 1;
    let booted = objects.install::<Sha256, _, _, _>(&mut store, &mut slot, |_, _| {});
    assert_eq!(booted, Err(InstallError::Object(lockstone::ObjectError::Damaged)));
    objects.flash().data_mut()[there - 100] ^= 1;
    let booted = objects.install::<Sha256, _, _, _>(&mut store, &mut slot, |_, _| {});
    assert_eq!(booted.map(|installed| installed.digest), Ok(sha(&new)));
}

/// One permutation for records and digests: what a boot loader without SHA-256 does.
#[test]
fn a_digest_is_any_algorithm_but_always_the_same() {
    use ascon_hash256::AsconHash256;
    use sha2::Digest;
    let mut board = board();
    let code = content(9, 9000);
    let digest: [u8; 32] = AsconHash256::digest(&code).into();
    board
        .application::<Ascon, _>(|objects, store, slot| {
            let mut ram = [0; 700];
            let mut upload = objects.create(store, "new", Some(9000), &mut Fixed(2), &mut ram).unwrap();
            objects.write(store, &mut upload, 0, &code).unwrap();
            let wrong = objects.finish::<AsconHash256, _, _>(store, &mut upload, "new", Some(&sha(&code)), Put::USUAL);
            assert_eq!(wrong, Err(lockstone::ObjectError::WrongDigest));
            let manifest =
                objects.finish::<AsconHash256, _, _>(store, &mut upload, "new", Some(&digest), Put::USUAL).unwrap();
            assert_eq!(manifest.digest, digest);
            let other = objects.request_install::<Sha256, _, _, _>(store, "new", slot, false);
            assert_eq!(other, Err(InstallError::WrongDigest), "that's another algorithm");
            objects.request_install::<AsconHash256, _, _, _>(store, "new", slot, false)?;
            objects.install::<AsconHash256, _, _, _>(store, slot, |_, _| {})?;
            assert_eq!(objects.confirm_install::<Sha256, _, _, _>(store, slot, false), Err(InstallError::WrongDigest));
            let installed = objects.confirm_install::<AsconHash256, _, _, _>(store, slot, false)?;
            assert_eq!(installed, Installed { length: 9000, digest, pending: false });
            Ok(())
        })
        .unwrap();
    assert_eq!(board.code.data()[..9000], code);
}

/// The code was changed, so all of it is copied once more, and power goes in the first moments of an erase, which then looks as if it
/// had not been begun. The next boot erases anew: nothing half-erased is confirmed.
#[test]
fn a_second_copy_that_is_cut_is_begun_anew() {
    let mut cuts = 0;
    for at in 0..24 {
        let mut board = board();
        let code = content(1, 14_000);
        board.put::<Ascon>("a", &code, 5);
        board.request::<Ascon>("a").unwrap();
        board.boot::<Ascon>().unwrap();
        // A bit of the first block, by an attacker or by itself.
        board.code.data_mut()[100] ^= 1;
        let power = board.plug_in();
        power.cut_at(at, Tear::Absent);
        let cut = board.boot::<Ascon>();
        power.cancel_cut();
        power.on();
        if cut.is_ok() {
            break;
        }
        if board.code.last_cut().is_none_or(|cut| cut.operation.kind != TraceKind::Erase) {
            continue;
        }
        cuts += 1;
        let begun = board.code.erase_counts().to_vec();
        let booted = board.boot::<Ascon>();
        let confirmed = booted.is_ok() && board.confirm::<Ascon>().is_ok();
        assert!(!confirmed || begun != board.code.erase_counts(), "{at}: confirmed without an erase");
    }
    assert!(cuts > 1, "{cuts}");
}
