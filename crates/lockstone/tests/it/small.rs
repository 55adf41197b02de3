//! Small stores: what they do and refuse, what damage they notice, and how a standard store takes one over.
//!
//! Their power cuts are among those of `cuts.rs`, their lives in `random.rs`; fuzzing plays both sorts.

use std::cell::RefCell;
use std::rc::Rc;

use lockstone::{Ascon, Attributes, Error, OpenError, Plain, Put, ResealError, Small, Store};
use lockstone_sim::{SimFlash, Tear};
use lockstone_torture::{Fixed, Model, Op, Ram, SmallOf, Stop, Tried, World, name, read_all, root};

use super::forgotten::Shared;

type Chip = SimFlash<1, 4, 4096>;
type Here = World<1, 4, 4096>;

fn chip() -> Chip {
    SimFlash::new(16 * 4096, 0xff)
}

/// A small store with some keys, closed in order.
fn used<S: Tried>() -> Here {
    let mut world = Here::new(chip());
    world.format::<S>().unwrap();
    let puts = (0..120).map(|turn| Op::Put(turn % 7, turn * 13 % 90));
    world
        .run::<S>(&puts.chain([Op::Delete(3), Op::Put(2, 40), Op::Reopen, Op::Look, Op::Reopen]).collect::<Vec<_>>())
        .unwrap();
    world
}

#[test]
fn values_of_one_record_and_no_longer() {
    let (mut flash, mut memory, key) = (chip(), Ram::new(), root());
    let part = Here::new(chip()).part;
    let mut store = Store::<_, Ascon, Small>::format_small(&mut flash, part, &key, &mut Fixed(1), &mut memory).unwrap();
    let most = store.layout().body_max as usize - "key".len();
    store.put("key", &vec![7; most]).unwrap();
    assert_eq!(store.put("key", &vec![8; most + 1]), Err(Error::TooLarge));
    let mut buffer = vec![0; most];
    assert_eq!(store.get("key", &mut buffer), Ok(Some(most)));
    assert_eq!(buffer, vec![7; most], "a refused value leaves the old one");
    store.close().unwrap();
    let mut store = Store::<_, Ascon, Small>::mount_small(&mut flash, part, &key, &mut memory).unwrap();
    assert_eq!(store.get("key", &mut buffer), Ok(Some(most)));
    assert_eq!(store.delete("key"), Ok(true));
    assert_eq!(store.get("key", &mut buffer), Ok(None));
}

#[test]
fn a_standard_store_is_refused_and_left_alone() {
    let mut world = Here::new(chip());
    world.format::<Ascon>().unwrap();
    world.run::<Ascon>(&[Op::Put(1, 20), Op::Reopen]).unwrap();
    let before = world.flash.operations();
    let refused = Here::mount::<SmallOf<Ascon>>(&mut world.flash, world.part, &mut Ram::new()).map(drop);
    assert_eq!(refused, Err(OpenError::NotSmall));
    assert_eq!(world.flash.operations(), before);
    world.verify::<Ascon>().unwrap();
}

/// What a standard store does to a small one: groups of records, among them.
fn takeover() -> Vec<Op> {
    vec![Op::Look, Op::Transaction(vec![(1, Some(30)), (5, None), (9, Some(700))]), Op::Put(8, 900), Op::Put(2, 33)]
}

#[test]
fn a_standard_store_takes_over() {
    let mut world = used::<SmallOf<Ascon>>();
    world.verify::<Ascon>().unwrap();
    world.verify::<SmallOf<Ascon>>().unwrap();
    world.run::<Ascon>(&takeover()).unwrap();
    world.verify::<Ascon>().unwrap();
    // There are older headers of the small store. What they know is not the present state.
    let refused = Here::mount::<SmallOf<Ascon>>(&mut world.flash, world.part, &mut Ram::new()).map(drop);
    assert_eq!(refused, Err(OpenError::NotSmall));
    world.check_rules();
}

#[test]
fn a_takeover_survives_a_cut_at_every_operation() {
    let start = used::<SmallOf<Plain>>();
    let mut whole = start.copy();
    whole.run::<Plain>(&takeover()).unwrap();
    let operations = whole.flash.operations() - start.flash.operations();
    assert!(operations > 10, "{operations}");
    for op in 0..operations {
        for tear in Tear::ALL {
            let mut world = start.copy();
            world.flash.set_seed(op);
            world.flash.cut_at(op, tear);
            assert_eq!(world.run::<Plain>(&takeover()), Err(Stop::PowerCut), "{op}/{tear}");
            world.flash.power_on();
            world.verify::<Plain>().unwrap_or_else(|wrong| panic!("{op}/{tear}: {wrong:?}"));
            world.run::<Plain>(&[Op::Put(4, 50), Op::Reopen, Op::Look]).unwrap();
            world.check_rules();
        }
    }
}

/// Every answer about a changed image is right, or says that it can't be given.
fn check_answers<S: Tried>(world: &mut Here, what: &str) -> bool {
    let (oracle, mut memory) = (world.oracle.clone(), Ram::new());
    let Ok(mut store) = Here::mount::<S>(&mut world.flash, world.part, &mut memory) else { return true };
    store.make_read_only();
    let mut said = false;
    let names: Vec<Vec<u8>> = oracle.model.keys().cloned().chain([name(3)]).collect();
    for name in names {
        let mut buffer = [0; 256];
        match store.get(&name[..], &mut buffer) {
            Ok(length) => {
                let found = length.map(|length| buffer[..length].to_vec());
                assert_eq!(found.as_ref(), oracle.model.get(&name), "{what}: {}", name.escape_ascii());
            }
            Err(Error::Damaged) => said = true,
            Err(error) => panic!("{what}: {error}"),
        }
    }
    said
}

#[test]
fn a_flipped_bit_is_never_a_wrong_answer() {
    fn flip<S: Tried>() {
        let world = used::<S>();
        let mut said = 0;
        for bit in (0..world.flash.data().len() * 8).step_by(97) {
            let mut damaged = world.copy();
            damaged.flash.flip_bit(bit);
            said += u32::from(check_answers::<S>(&mut damaged, &format!("bit {bit}")));
        }
        assert!(said > 20, "{said} of the flips were noticed");
    }
    flip::<SmallOf<Ascon>>();
    flip::<SmallOf<Plain>>();
}

#[test]
fn a_record_damaged_under_the_store_never_turns_absent() {
    let (world, mut memory) = (used::<SmallOf<Ascon>>(), Ram::new());
    let model: Model = world.oracle.model.clone();
    let image = world.flash.data().to_vec();
    // Whichever byte it is: writing on ends at the damage, or the damage was in what is dead.
    for byte in (0..image.len()).step_by(331) {
        let part = Shared(Rc::new(RefCell::new(SimFlash::with_content(0xff, image.clone()))));
        let mut store = Store::<_, Ascon, Small>::mount_small(part.clone(), world.part, &root(), &mut memory).unwrap();
        part.0.borrow_mut().flip_bit(byte * 8);
        let _ = (0..3000_u32).find_map(|count| store.put("hot", &count.to_le_bytes()).err());
        for (name, value) in &model {
            let mut buffer = [0; 256];
            match store.get(&name[..], &mut buffer) {
                Ok(Some(length)) => assert_eq!(&buffer[..length], &value[..], "byte {byte}"),
                Ok(None) => panic!("byte {byte}: {} is gone", name.escape_ascii()),
                Err(_) => {}
            }
        }
    }
}

#[test]
fn a_full_small_store_deletes_and_fills_again() {
    let mut world = Here::new(chip());
    world.format::<SmallOf<Ascon>>().unwrap();
    world.run::<SmallOf<Ascon>>(&[Op::Fill(40)]).unwrap();
    let first = world.oracle.model.len();
    let deletes: Vec<Op> = (100..100 + first).map(Op::Delete).collect();
    world.run::<SmallOf<Ascon>>(&deletes).unwrap();
    assert!(world.oracle.model.is_empty());
    world.run::<SmallOf<Ascon>>(&[Op::Fill(40), Op::Reopen, Op::Look]).unwrap();
    assert_eq!(world.oracle.model.len(), first);
    let mut memory = Ram::new();
    let mut store = Here::mount::<SmallOf<Ascon>>(&mut world.flash, world.part, &mut memory).unwrap();
    assert_eq!(read_all::<1, 4, 4096, SmallOf<Ascon>>(&mut store, &world.oracle).unwrap().len(), first);
}

#[test]
fn no_attribute_is_lost_on_the_way_into_a_small_store() {
    let (mut flash, mut memory, key) = (chip(), Ram::new(), root());
    let (mut small, mut small_memory) = (chip(), Ram::new());
    let part = Here::new(chip()).part;
    let mut from = Store::<_, Ascon>::format(&mut flash, part, &key, &mut Fixed(1), &mut memory).unwrap();
    from.put("plain", b"one").unwrap();
    let mut into =
        Store::<_, Ascon, Small>::format_small(&mut small, part, &key, &mut Fixed(2), &mut small_memory).unwrap();
    let mut buffer = [0; 64];
    from.reseal_into(&mut into, &mut buffer, |_, _| {}).unwrap();
    assert_eq!(into.get("plain", &mut buffer), Ok(Some(3)));
    from.put_with("kept", b"two", Put::with(Attributes::RETAINED)).unwrap();
    let refused = from.reseal_into(&mut into, &mut buffer, |_, _| {});
    assert!(matches!(refused, Err(ResealError::Target(Error::NotPermitted))), "{refused:?}");
    assert_eq!(into.get("kept", &mut buffer), Ok(None));
}
