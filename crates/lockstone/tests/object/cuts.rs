//! Power cuts: at every operation of every step, with every tear, and again in the recovery.

use lockstone::seal::Suite;
use lockstone::{Ascon, ObjectError, Plain, Put};
use lockstone_sim::geometry::{Geometry, Scenario, for_each_geometry};
use lockstone_sim::{SimError, Tear};
use lockstone_torture::{Fixed, Random};
use sha2::Sha256;

use super::{Bench, Failure, content, missing, read_all};

const KEY: &str = "fw";

/// Replaces one object by another, in an order that is not that of the chunks. What was acknowledged stays in `kept`.
fn replace<const R: usize, const W: usize, const E: usize, S: Suite>(
    bench: &mut Bench<R, W, E>,
    wanted: &[u8],
    kept: &mut Vec<u32>,
    seed: u64,
) -> Result<(), Failure> {
    // A mount may be cut as well.
    let mut memory = super::Keys::new();
    let mut buffer = [0; 2048];
    let off = |_| ObjectError::Flash(SimError::PowerCut);
    let mut store =
        lockstone::Store::<_, S>::mount(&mut bench.keys, bench.part, &lockstone_torture::root(), &mut memory)
            .map_err(off)?;
    let mut objects =
        lockstone::Objects::<_, S>::open(&mut bench.flash, bench.part, &mut store, &mut buffer).map_err(off)?;
    let mut ram = vec![0; objects.layout().upload_size(wanted.len() as u32)];
    if objects.manifest(&mut store, KEY)?.is_some_and(|manifest| manifest.digest == super::sha(wanted)) {
        return Ok(());
    }
    let mut upload = match objects.resume(&mut store, KEY, &mut ram)? {
        Some(upload) => upload,
        None => {
            assert_eq!(*kept, [], "what was acknowledged is there");
            objects.create(&mut store, KEY, Some(wanted.len() as u32), &mut Fixed(seed), &mut ram)?
        }
    };
    go_on(&mut store, &mut objects, &mut upload, wanted, kept, seed)
}

fn go_on<const R: usize, const W: usize, const E: usize, S: Suite>(
    store: &mut super::SimStore<'_, R, W, E, S>,
    objects: &mut super::SimObjects<'_, R, W, E, S>,
    upload: &mut lockstone::Upload<'_>,
    wanted: &[u8],
    kept: &mut Vec<u32>,
    seed: u64,
) -> Result<(), Failure> {
    let gaps = missing(upload);
    for offset in &*kept {
        assert!(gaps.iter().all(|gap| !gap.contains(offset)), "{offset} was acknowledged, missing are {gaps:?}");
    }
    let chunk = objects.layout().chunk;
    let mut offsets: Vec<u32> =
        (0..wanted.len() as u32).step_by(chunk as usize).filter(|at| gaps.iter().any(|gap| gap.contains(at))).collect();
    // An order of its own in each session.
    let mut random = Random(seed ^ gaps.len() as u64);
    for index in (1..offsets.len()).rev() {
        offsets.swap(index, random.below(index + 1));
    }
    for offset in offsets {
        let end = (offset + chunk).min(wanted.len() as u32);
        objects.write(store, upload, offset, &wanted[offset as usize..end as usize])?;
        kept.push(offset);
    }
    assert_eq!(missing(upload), []);
    objects.finish::<Sha256, _, _>(store, upload, KEY, Some(&super::sha(wanted)), Put::USUAL)?;
    Ok(())
}

struct Everywhere {
    step: u64,
    played: u32,
}

impl Everywhere {
    fn play<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry) {
        let sizes = |chunk: usize| (chunk * 5 + 100, chunk * 9 + 7);
        let mut bench = Bench::<R, W, E>::new::<S>(geometry.capacity, geometry.capacity.max(E * 6), geometry.erased);
        let chunk = bench.with::<S, _>(|_, objects| objects.layout().chunk as usize);
        let (old, new) = (content(1, sizes(chunk).0), content(2, sizes(chunk).1));
        replace::<R, W, E, S>(&mut bench, &old, &mut Vec::new(), 1).unwrap();
        let power = bench.plug_in();
        let before = power.operations();
        let mut clean = bench.clone();
        let clean_power = clean.plug_in();
        replace::<R, W, E, S>(&mut clean, &new, &mut Vec::new(), 2).unwrap();
        let operations = clean_power.operations();
        assert!(operations > 10 && before == 0);
        for (number, tear) in Tear::ALL.iter().enumerate() {
            let mut at = number as u64 % self.step;
            while at < operations {
                for again in [None, Some(at % 7)] {
                    let mut torn = bench.clone();
                    let power = torn.plug_in();
                    torn.flash.set_seed(at * 16 + number as u64);
                    power.cut_at(at, *tear);
                    let id = format!("{}/{}/{at}/{tear}/{again:?}", geometry.name, S::NAME);
                    self.check::<R, W, E, S>(torn, &power, (&old, &new), (again, *tear), &id);
                    self.played += 1;
                }
                at += self.step;
            }
        }
    }

    fn check<const R: usize, const W: usize, const E: usize, S: Suite>(
        &self,
        mut torn: Bench<R, W, E>,
        power: &lockstone_sim::Power,
        (old, new): (&[u8], &[u8]),
        (again, tear): (Option<u64>, Tear),
        id: &str,
    ) {
        let mut kept = Vec::new();
        let first = replace::<R, W, E, S>(&mut torn, new, &mut kept, 2);
        assert!(first.is_err() || !power.is_off(), "{id}: {first:?}");
        power.on();
        if let Some(again) = again {
            power.cut_at(again, tear);
            let _ = replace::<R, W, E, S>(&mut torn, new, &mut kept, 3);
            power.cancel_cut();
            power.on();
        }
        let seen = torn.with::<S, _>(|store, objects| read_all(objects, store, KEY)).unwrap().unwrap();
        assert!(seen == old || seen == new, "{id}: old or new, never neither");
        if kept.len() * 2 > new.len() && seen == old {
            panic!("{id}");
        }
        replace::<R, W, E, S>(&mut torn, new, &mut kept, 4).unwrap_or_else(|error| panic!("{id}: {error}"));
        let seen = torn.with::<S, _>(|store, objects| read_all(objects, store, KEY)).unwrap().unwrap();
        assert_eq!(seen, new, "{id}");
        torn.with::<S, _>(|store, objects| {
            assert!(objects.resume(store, KEY, &mut [0; 4096]).unwrap().is_none(), "{id}");
            assert_eq!(store.delete(KEY), Ok(true));
            objects.reclaim(store).unwrap();
        });
        assert_eq!(
            (torn.flash.violations(), torn.keys.violations()),
            (0, 0),
            "{id}: {:?}",
            torn.flash.first_violation()
        );
    }
}

impl Scenario for Everywhere {
    type Output = ();

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) {
        let large = !geometry.is_small();
        self.step = if large { 11 } else { 2 };
        self.play::<R, W, E, Ascon>(geometry);
        self.play::<R, W, E, Plain>(geometry);
    }
}

#[test]
fn a_replacement_is_old_or_new_whatever_is_cut() {
    let mut everywhere = Everywhere { step: 1, played: 0 };
    for_each_geometry(&mut everywhere);
    println!("objects: {} cuts", everywhere.played);
    assert!(everywhere.played > 5000, "{}", everywhere.played);
}

/// A long download over a bad line and a bad supply.
#[test]
fn many_cuts_cost_no_more_than_they_must() {
    let wanted = content(5, 400 * 1024);
    let mut bench = Bench::<4, 4, 4096>::new::<Ascon>(16 * 4096, 250 * 4096, 0xff);
    bench.flash.reset_counts();
    let mut random = Random(9);
    let mut kept = Vec::new();
    let mut cuts = 0;
    loop {
        let power = bench.plug_in();
        let tear = Tear::ALL[random.below(Tear::ALL.len())];
        // All tables are written in one session.
        let most = if kept.len() * 600 < wanted.len() { 22 } else { 300 };
        power.cut_at(random.below(most) as u64, tear);
        let done = replace::<4, 4, 4096, Ascon>(&mut bench, &wanted, &mut kept, cuts);
        power.cancel_cut();
        power.on();
        if done.is_ok() {
            break;
        }
        assert!(matches!(done, Err(ObjectError::Flash(_) | ObjectError::Store(_))), "{done:?}");
        cuts += 1;
        assert!(cuts < 1000, "no progress");
    }
    let programmed = bench.flash.counts().bytes_programmed as f64;
    let bar = 1.06 * wanted.len() as f64 + 1.1 * 1024.0 * cuts as f64;
    println!("{cuts} cuts, {programmed} bytes programmed, bar {bar}");
    assert!(cuts >= 60 && programmed <= bar, "{cuts} cuts: {programmed} bytes, bar {bar}");
    kept.sort_unstable();
    assert!(kept.windows(2).all(|pair| pair[0] != pair[1]), "nothing acknowledged is written again");
    assert_eq!(bench.with::<Ascon, _>(|store, objects| read_all(objects, store, KEY)), Ok(Some(wanted)));
}
