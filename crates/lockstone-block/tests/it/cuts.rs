//! The scripts of the store's own tests, cut at operations of a card that caches: at up to 120 of each script, evenly spread.

use lockstone_block::SECTOR;
use lockstone_sim::geometry::Geometry;
use lockstone_torture::{SCENES, Scene};

use crate::card::Card;
use crate::life::{BLOCKS, Device, ERASE, Stop, layout};

/// As the store sees the card.
const GEOMETRY: Geometry =
    Geometry { name: "card", read: 1, write: SECTOR, erase: ERASE, capacity: BLOCKS * ERASE, erased: 0x00 };

/// Most operations of a scene that are cut; of more, one in so many is.
const CUTS_MAX: u64 = 120;

/// What cuts did to a scene.
#[derive(Default)]
struct Outcome {
    cuts: u64,
    wrong: Vec<String>,
}

/// Plays a scene again and again, each time with the power cut at another of its operations, and again while recovering.
fn play(scene: &Scene, card: Card) -> Outcome {
    let script = (scene.script)(&GEOMETRY, &layout());
    let mut start = Device::new(card);
    start.run(&script.setup).expect("no cut yet");
    let mut whole = start.clone();
    whole.run(&script.cut).expect("no cut yet");
    let operations = whole.card.operations() - start.card.operations();
    let mut outcome = Outcome::default();
    for cut in (0..operations).step_by(operations.div_ceil(CUTS_MAX) as usize) {
        let mut device = start.clone();
        device.card.cut_in(cut, cut * 31 + 7);
        match device.run(&script.cut).and_then(|()| Err(Stop::Wrong("was not cut".to_owned()))) {
            Err(Stop::PowerCut) => outcome.cuts += 1,
            Err(Stop::Wrong(what)) => outcome.wrong.push(what),
            Ok(()) => {}
        }
        if let Err(what) = recover(&mut device, cut, &mut outcome.cuts) {
            outcome.wrong.push(format!("{}, cut at {cut}: {what:?}", scene.name));
        }
    }
    outcome
}

/// Looks at what is there, cut once more on the way, and writes on.
fn recover(device: &mut Device, cut: u64, cuts: &mut u64) -> Result<(), Stop> {
    device.card.power_on();
    device.card.cut_in(cut % 5, cut);
    match device.verify() {
        Err(Stop::PowerCut) => *cuts += 1,
        ended => ended?,
    }
    device.card.power_on();
    device.verify()?;
    device.run(&[lockstone_torture::Op::Put(0, 10), lockstone_torture::Op::Restart, lockstone_torture::Op::Look])?;
    device.verify()
}

#[test]
fn every_scene_survives_a_card_that_caches_and_tears() {
    let mut cuts = 0;
    for room in [1, 16] {
        for scene in &SCENES {
            let outcome = play(scene, Card::new(BLOCKS * ERASE / SECTOR, room));
            assert_eq!(outcome.wrong.first(), None, "{} of {} cuts", outcome.wrong.len(), outcome.cuts);
            cuts += outcome.cuts;
        }
    }
    println!("{cuts} cuts of a card, nothing lost");
    assert!(cuts > 2_000, "{cuts}");
}

#[test]
fn a_card_that_says_too_early_that_it_is_done_is_found_out() {
    let wrong = |name: &str| {
        let scene = SCENES.iter().find(|scene| scene.name == name).expect("a scene");
        play(scene, Card::new(BLOCKS * ERASE / SECTOR, 16).that_lies()).wrong.len()
    };
    assert!(wrong("fill") > 20 && wrong("overwrite") > 20, "the model of a card shows nothing");
}

/// The limit of the adapter: a card that writes more than it was told, and tears that, is more than a store on it stands.
#[test]
fn a_card_that_tears_the_neighbours_is_found_out() {
    let card = || Card::new(BLOCKS * ERASE / SECTOR, 16);
    let wrong = |card: Card| SCENES.iter().map(|scene| play(scene, card.clone()).wrong.len()).sum::<usize>();
    assert_eq!(wrong(card().with_pages_of(1)), 0);
    assert!(wrong(card().with_pages_of(8)) > 20, "the model of a page shows nothing");
}
