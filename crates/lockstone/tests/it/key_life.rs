//! The life of keys and of what was stored under them: text in the clear, scrubbing, another key, the end.

use lockstone::trust::{Anchor, Protection};
use lockstone::{
    Aes, Ascon, Attributes, AttributesError, Error, OpenError, Part, Put, ResealError, SoftRootKey, Store,
};
use lockstone_sim::{SimCounter, SimFlash, Tear};
use lockstone_torture::{Fixed, Ram, Trusted, root};

type Flash = SimFlash<1, 4, 4096>;

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn text_in_the_clear_is_there_to_read_and_authentic() {
    let mut flash = Flash::new(32 * 4096, 0xff);
    let (mut memory, key) = (Ram::new(), root());
    let long: Vec<u8> = (0..1500_u16).map(|index| (index % 251) as u8).collect();
    let clear = Put::with(Attributes::NO_CONFIDENTIALITY);
    let mut store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &key, &mut Fixed(7), &mut memory).unwrap();
    store.put_with("public/name", b"anybody may read this", clear).unwrap();
    store.put_with("public/long", &long, clear).unwrap();
    store.put("private/name", b"nobody may read this").unwrap();
    assert_eq!(
        store.set_attributes("public/name", Attributes::NONE),
        Err(Error::Attributes(AttributesError::WithoutValue))
    );
    drop(store);
    let image = flash.data().to_vec();
    assert!(contains(&image, b"public/name") && contains(&image, b"anybody may read this"));
    assert!(contains(&image, &long[300..450]), "chunks too");
    assert!(!contains(&image, b"private/name") && !contains(&image, b"nobody may read"));
    let at = image.windows(7).position(|window| window == b"anybody").unwrap();
    let mut forged = image;
    forged[at] ^= 0x20;
    let mut flash = Flash::with_content(0xff, forged);
    if let Ok(mut store) = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &key, &mut memory) {
        let mut buffer = [0; 40];
        assert!(store.get("public/name", &mut buffer).is_err(), "a changed bit is noticed");
    }
}

#[test]
fn a_scrub_leaves_nothing_old() {
    let mut flash = Flash::new(16 * 4096, 0xff);
    let (mut memory, key) = (Ram::new(), root());
    let mut store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &key, &mut Fixed(7), &mut memory).unwrap();
    // In the clear, so that it can be found.
    let clear = Put::with(Attributes::NO_CONFIDENTIALITY);
    store.put_with("deleted", b"the first secret", clear).unwrap();
    store.put_with("changed", b"the second secret", clear).unwrap();
    store.put_with("stays", b"what is still there", clear).unwrap();
    store.delete("deleted").unwrap();
    store.put("changed", b"something else").unwrap();
    let before = store.stats().unwrap();
    let mut heard = Vec::new();
    store.scrub(|done, of| heard.push((done, of))).unwrap();
    let after = store.stats().unwrap();
    assert_eq!(heard.last(), Some(&(16, 16)));
    assert_eq!(after.keys, before.keys);
    assert!(after.erases_max > before.erases_max && after.erases_max - after.erases_min <= 2);
    let mut buffer = [0; 40];
    assert_eq!(store.get("changed", &mut buffer), Ok(Some(14)));
    drop(store);
    let image = flash.data();
    for gone in [&b"the first secret"[..], b"the second secret", b"deleted"] {
        assert!(!contains(image, gone), "{}", gone.escape_ascii());
    }
    assert!(contains(image, b"what is still there"));
}

#[test]
fn a_scrub_can_be_cut_anywhere() {
    let mut start = Flash::new(16 * 4096, 0xff);
    let (mut memory, key) = (Ram::new(), root());
    let mut store = Store::<_, Ascon>::format(&mut start, Part::NOR, &key, &mut Fixed(7), &mut memory).unwrap();
    for index in 0..60_u8 {
        store.put(&[index], &[index; 60]).unwrap();
    }
    drop(store);
    let mut cuts = 0;
    for operation in 0.. {
        let mut flash = start.clone();
        flash.set_reprogram_heals(true);
        flash.cut_at(operation, Tear::ALL[operation as usize % Tear::ALL.len()]);
        let mut store = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &key, &mut memory).unwrap();
        let done = store.scrub(|_, _| {}).is_ok();
        drop(store);
        flash.cancel_cut();
        flash.power_on();
        let mut store = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &key, &mut memory).unwrap();
        assert!(store.report().is_sound());
        for index in 0..60_u8 {
            let mut value = [0; 60];
            assert_eq!(store.get(&[index], &mut value), Ok(Some(60)));
            assert_eq!(value, [index; 60]);
        }
        cuts += 1;
        if done {
            break;
        }
    }
    println!("scrub: {cuts} cuts");
}

#[test]
fn an_erased_store_is_blank_and_its_images_are_refused() {
    let mut flash = Flash::new(16 * 4096, 0xff);
    let (mut memory, key) = (Ram::new(), root());
    let mut counter = Trusted(SimCounter::new(100));
    let anchor = Anchor { root: &key, counter: &mut counter };
    let protection = Protection::Chosen;
    let mut store =
        Store::<_, Ascon, _>::format_protected(&mut flash, Part::NOR, anchor, protection, &mut Fixed(7), &mut memory)
            .unwrap();
    store.put_with("lock", b"value", Put::PROTECTED).unwrap();
    let flash = store.erase().unwrap();
    assert!(flash.data().iter().all(|byte| *byte == 0xff));
    let blank = Store::<_, Ascon>::mount(flash, Part::NOR, &key, &mut memory).unwrap_err();
    assert_eq!(blank, OpenError::Blank);
    assert_eq!(counter.0.value(), 2 + 1 + 2, "formatting, a commit in the same session, erasing");
}

/// Everything of a store with clients, attributes, long values and factory copies, under another key and suite; the new
/// store takes the place of the old one in one step.
#[test]
fn a_store_is_sealed_anew_under_another_key_and_suite() {
    let (mut memory, mut other_memory, key) = (Ram::new(), Ram::new(), root());
    let mut counter = Trusted(SimCounter::new(100));
    let mut flash = Flash::new(32 * 4096, 0xff);
    let anchor = Anchor { root: &key, counter: &mut counter };
    let protection = Protection::Chosen;
    let mut store =
        Store::<_, Ascon, _>::format_protected(&mut flash, Part::NOR, anchor, protection, &mut Fixed(7), &mut memory)
            .unwrap();
    store.put_with("factory", &[1; 600], Put::with(Attributes::FACTORY)).unwrap();
    store.put("factory", &[2; 10]).unwrap();
    store.put_with("once", &[3; 700], Put::with(Attributes::WRITE_ONCE)).unwrap();
    store.put(lockstone::Key::new(b"usual").of_client(9), &[4; 30]).unwrap();

    // The image is bound to the value that comes next; the old store stays the right one until they are exchanged.
    let now = store.open_succession().unwrap();
    let ahead = Trusted(SimCounter::with_value(u64::from(now) - 1, 100));
    let new_key = SoftRootKey::new([0x77; 32]);
    let mut new_flash = Flash::new(24 * 4096, 0xff);
    let anchor = Anchor { root: &new_key, counter: ahead };
    let mut target = Store::<_, Aes, _>::format_protected(
        &mut new_flash,
        Part::NOR,
        anchor,
        protection,
        &mut Fixed(9),
        &mut other_memory,
    )
    .unwrap();
    let short = store.reseal_into(&mut target, &mut [0; 100], |_, _| {});
    assert!(matches!(short, Err(ResealError::Source(Error::BufferTooSmall { .. }))));
    let mut heard = (0, 0);
    store.reseal_into(&mut target, &mut [0; 4000], |done, of| heard = (done, of)).unwrap();
    assert_eq!(heard, (3, 3));
    target.close().unwrap();
    drop(store);

    let mut old = Store::<_, Ascon, _>::mount_protected(
        &mut flash,
        Part::NOR,
        Anchor { root: &key, counter: &mut counter },
        &mut memory,
    )
    .unwrap();
    assert_eq!(old.get("factory", &mut [0; 10]), Ok(Some(10)), "not exchanged yet: the old one is the right one");
    drop(old);
    let mut new = Store::<_, Aes, _>::mount_protected(
        &mut new_flash,
        Part::NOR,
        Anchor { root: &new_key, counter: &mut counter },
        &mut memory,
    )
    .unwrap();
    let mut buffer = [0; 700];
    assert_eq!(new.get("once", &mut buffer), Ok(Some(700)));
    assert_eq!(buffer, [3; 700]);
    assert_eq!(new.put("once", b""), Err(Error::NotPermitted));
    assert_eq!(new.get(lockstone::Key::new(b"usual").of_client(9), &mut buffer), Ok(Some(30)));
    new.factory_reset().unwrap();
    assert_eq!(new.get("factory", &mut buffer), Ok(Some(600)));
    assert_eq!(buffer[..600], [1; 600]);
    drop(new);
    let anchor = Anchor { root: &key, counter: &mut counter };
    let gone = Store::<_, Ascon, _>::mount_protected(&mut flash, Part::NOR, anchor, &mut memory).unwrap_err();
    assert_eq!(gone, OpenError::RolledBack, "the old store is not the right one any more");
}
