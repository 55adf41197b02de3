//! A store and its objects under another key: everything is there, the counter has taken no step, and no byte is shared.

use lockstone::seal::Suite;
use lockstone::trust::{Anchor, Protection};
use lockstone::{
    Ascon, Attributes, Error, Objects, OpenError, Part, Plain, Put, Reseal, ResealObjectsError, SoftRootKey, Store,
};
use lockstone_sim::geometry::{Geometry, Scenario, for_each_geometry};
use lockstone_sim::{SimCounter, SimFlash};
use lockstone_torture::{Fixed, Trusted, root};
use sha2::Sha256;

use super::{Bench, Keys, content};

/// The new key.
fn other() -> SoftRootKey {
    SoftRootKey::new([0x77; 32])
}

struct Everywhere;

impl Everywhere {
    fn play<const R: usize, const W: usize, const E: usize, S: Suite, T: Suite>(&self, geometry: &Geometry) {
        let id = format!("{} {} to {}", geometry.name, S::NAME, T::NAME);
        let size = geometry.capacity.max(E * 12).max(12 * 4096);
        let mut bench = Bench::<R, W, E>::new::<S>(geometry.capacity, size, geometry.erased);
        let (part, short, long) = (bench.part, content(1, 300), content(2, 9001));
        bench.with::<S, _>(|store, objects| {
            store.put("k", b"v").unwrap();
            let mut ram = vec![0; objects.layout().upload_size(9001)];
            for (key, bytes, backwards) in
                [("short", &short, false), ("long", &long, true), ("none", &Vec::new(), false)]
            {
                let length = bytes.len() as u32;
                let mut upload = objects.create(store, key, Some(length), &mut Fixed(2), &mut ram).unwrap();
                let chunk = objects.layout().chunk as usize;
                let mut order: Vec<_> = bytes.chunks(chunk).enumerate().collect();
                order.sort_by_key(|(index, _)| if backwards { usize::MAX - index } else { *index });
                for (index, piece) in order {
                    objects.write(store, &mut upload, (index * chunk) as u32, piece).unwrap();
                }
                let how = Put::with(Attributes::RETAINED);
                objects.finish::<Sha256, _, _>(store, &mut upload, key, None, how).unwrap();
            }
        });
        let (mut keys, mut flash) = (
            SimFlash::<R, W, E>::new(geometry.capacity, geometry.erased),
            SimFlash::<R, W, E>::new(size, geometry.erased),
        );
        let (mut memory, mut slot, mut ram, mut buffer) = (Keys::new(), [0; 2048], vec![0; 4096], [0; 500]);
        let mut there = Store::<_, T>::format(&mut keys, part, &other(), &mut Fixed(5), &mut memory).unwrap();
        let mut objects = Objects::<_, T>::format(&mut flash, part, &mut slot).unwrap();
        let mut heard = Vec::new();
        bench.with::<S, _>(|store, from| {
            let to = Reseal {
                store: &mut there,
                objects: &mut objects,
                random: &mut Fixed(6),
                buffer: &mut buffer,
                ram: &mut ram,
            };
            from.reseal_into::<Sha256, _, _, _, _, _, _, _>(store, to, |done, all| heard.push((done, all))).expect(&id);
        });
        assert_eq!(heard, [(1, 4), (2, 4), (3, 4), (4, 4)], "{id}");
        drop((there, objects));
        let mut memory = Keys::new();
        let mut slot = [0; 2048];
        let mut there = Store::<_, T>::mount(&mut keys, part, &other(), &mut memory).expect(&id);
        let mut objects = Objects::<_, T>::open(&mut flash, part, &mut there, &mut slot).expect(&id);
        for (key, wanted) in [("short", short), ("long", long), ("none", Vec::new())] {
            assert_eq!(super::read_all(&mut objects, &mut there, key).expect(&id), Some(wanted), "{id} {key}");
            let attributes = there.attributes_of(key).unwrap().unwrap();
            assert!(attributes.any(Attributes::RETAINED) && attributes.is_object());
        }
        assert_eq!(there.get("k", &mut [0; 4]), Ok(Some(1)));
        assert_eq!(objects.next_upload(&mut there, &mut lockstone::Cursor::new(), &mut [0; 255]), Ok(None));
        assert_eq!(objects.reclaim(&mut there), Ok(0), "{id}: no block is left over");
    }
}

impl Scenario for Everywhere {
    type Output = ();

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) {
        self.play::<R, W, E, Ascon, Plain>(geometry);
        self.play::<R, W, E, Plain, Ascon>(geometry);
    }
}

#[test]
fn everything_is_there_under_another_key() {
    for_each_geometry(&mut Everywhere);
}

type Flash = SimFlash<4, 4, 4096>;

type Protected<'s> = Store<'s, &'s mut Flash, Ascon, &'s mut Trusted<SimCounter>>;
type OnFlash<'s> = Objects<'s, &'s mut Flash, Ascon>;

/// Seals a store with one protected object anew, with so many bytes of RAM for it; then `judge` gets the other store, its
/// objects, what its counter said before, and whether it worked.
fn reseal<const RAM: usize>(
    protection: Protection,
    bytes: &[u8],
    judge: impl FnOnce(&mut Protected<'_>, &mut OnFlash<'_>, u32, bool),
) {
    let [mut keys, mut blocks, mut next_keys, mut next_blocks] =
        [8, 20, 8, 20].map(|blocks| Flash::new(blocks * 4096, 0xff));
    let (mut counter, mut ahead) = (Trusted(SimCounter::new(1000)), Trusted(SimCounter::new(1000)));
    let (mut memory, mut slot, mut ram) = (Keys::new(), [0; 2048], [0; 700]);
    let (own, next_own) = (root(), other());
    let anchor = Anchor { root: &own, counter: &mut counter };
    let random = &mut Fixed(1);
    let mut store = Protected::format_protected(&mut keys, Part::NOR, anchor, protection, random, &mut memory).unwrap();
    let mut objects = OnFlash::format(&mut blocks, Part::NOR, &mut slot).unwrap();
    let length = u32::try_from(bytes.len()).unwrap();
    let mut upload = objects.create(&mut store, "fw", Some(length), &mut Fixed(2), &mut ram).unwrap();
    objects.write(&mut store, &mut upload, 0, bytes).unwrap();
    let how = Put::with(Attributes::PROTECTED);
    objects.finish::<Sha256, _, _>(&mut store, &mut upload, "fw", None, how).unwrap();

    let (mut next_memory, mut next_slot) = (Keys::new(), [0; 2048]);
    let anchor = Anchor { root: &next_own, counter: &mut ahead };
    let random = &mut Fixed(5);
    let mut next =
        Protected::format_protected(&mut next_keys, Part::NOR, anchor, protection, random, &mut next_memory).unwrap();
    let mut next_objects = OnFlash::format(&mut next_blocks, Part::NOR, &mut next_slot).unwrap();
    let before = next.counter_state().unwrap().value;
    let (mut ram, mut buffer) = ([0; RAM], [0; 500]);
    let to = Reseal {
        store: &mut next,
        objects: &mut next_objects,
        random: &mut Fixed(6),
        buffer: &mut buffer,
        ram: &mut ram,
    };
    let done = objects.reseal_into::<Sha256, _, _, _, _, _, _, _>(&mut store, to, |_, _| {}).is_ok();
    judge(&mut next, &mut next_objects, before, done);
}

/// Protected objects, also on a store that counts everything: the other store is bound to the value it was formatted at.
#[test]
fn no_step_of_the_counter_is_taken() {
    for protection in [Protection::Chosen, Protection::EveryCommit] {
        let bytes = content(3, 5000);
        reseal::<700>(protection, &bytes, |next, objects, before, done| {
            assert!(done);
            let value = |next: &Protected<'_>| next.counter_state().unwrap().value;
            assert_eq!(value(next), before, "{protection:?}");
            let mut read = vec![0; 5000];
            assert_eq!(objects.read(next, "fw", 0, &mut read), Ok(Some(5000)));
            assert_eq!(read, bytes);
            // From now on it counts again.
            next.delete("fw").unwrap();
            assert!(value(next) > before, "{protection:?}");
        });
    }
}

/// However it ends, here for want of RAM: what the other store commits from then on is counted as ever.
#[test]
fn a_reseal_that_failed_leaves_the_target_counted() {
    reseal::<533>(Protection::EveryCommit, &content(3, 5000), |next, objects, _, done| {
        assert!(!done);
        let before = next.counter_state().unwrap().value;
        objects.create(next, "other", Some(5000), &mut Fixed(9), &mut [0; 700]).unwrap();
        assert!(next.counter_state().unwrap().value > before, "each commit of this store is counted");
    });
}

#[test]
fn what_is_not_whole_is_not_sealed_anew() {
    let mut bench = Bench::<4, 4, 4096>::new::<Ascon>(8 * 4096, 20 * 4096, 0xff);
    let [mut keys, mut blocks] = [8, 20].map(|blocks| Flash::new(blocks * 4096, 0xff));
    let (mut memory, mut slot) = (Keys::new(), [0; 2048]);
    let mut there = Store::<_, Plain>::format(&mut keys, Part::NOR, &other(), &mut Fixed(5), &mut memory).unwrap();
    let mut objects = Objects::<_, Plain>::format(&mut blocks, Part::NOR, &mut slot).unwrap();
    bench.with::<Ascon, _>(|store, from| {
        let (mut ram, mut other_ram, mut buffer) = ([0; 700], [0; 700], [0; 500]);
        from.create(store, "fw", Some(9), &mut Fixed(2), &mut ram).unwrap();
        let to = Reseal {
            store: &mut there,
            objects: &mut objects,
            random: &mut Fixed(6),
            buffer: &mut buffer,
            ram: &mut other_ram,
        };
        let refused = from.reseal_into::<Sha256, _, _, _, _, _, _, _>(store, to, |_, _| {});
        let not_whole = lockstone::ObjectError::Store(Error::NotPermitted);
        assert_eq!(refused, Err(ResealObjectsError::Source(not_whole)));
    });
}

/// On a store that counts everything, the sessions of an upload count too: an image from before one is refused, so no two sessions
/// have one number. On others they may, and only what is finished is pinned ("An unfinished object from two histories" in SECURITY.md).
#[test]
fn no_session_of_an_upload_is_undone_where_everything_counts() {
    let [mut keys, mut blocks] = [8, 20].map(|blocks| Flash::new(blocks * 4096, 0xff));
    let (own, mut counter, mut memory) = (root(), Trusted(SimCounter::new(1000)), Keys::new());
    let anchor = Anchor { root: &own, counter: &mut counter };
    let every = Protection::EveryCommit;
    let mut store =
        Protected::format_protected(&mut keys, Part::NOR, anchor, every, &mut Fixed(1), &mut memory).unwrap();
    let mut slot = [0; 2048];
    let mut objects = OnFlash::format(&mut blocks, Part::NOR, &mut slot).unwrap();
    let mut ram = [0; 700];
    objects.create(&mut store, "fw", Some(2048), &mut Fixed(2), &mut ram).unwrap();
    drop((store, objects));
    let old = keys.clone();

    let anchor = Anchor { root: &own, counter: &mut counter };
    let mut store = Protected::mount_protected(&mut keys, Part::NOR, anchor, &mut memory).unwrap();
    let mut objects = OnFlash::open(&mut blocks, Part::NOR, &mut store, &mut slot).unwrap();
    let mut upload = objects.resume(&mut store, "fw", &mut ram).unwrap().unwrap();
    objects.write(&mut store, &mut upload, 0, &[1; 512]).unwrap();
    drop((store, objects));

    keys = old;
    let anchor = Anchor { root: &own, counter: &mut counter };
    let mounted = Protected::mount_protected(&mut keys, Part::NOR, anchor, &mut memory);
    assert_eq!(mounted.map(drop), Err(OpenError::RolledBack));
}
