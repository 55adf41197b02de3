//! Random lives: several objects begun, written, given up, finished, deleted, in sessions that are cut at any operation.
//!
//! A failure names its seed; `SEED=n LIVES=1` plays it again.

use lockstone::seal::Suite;
use lockstone::{Ascon, ObjectError, Objects, Plain, Put, Store, Upload};
use lockstone_sim::Tear;
use lockstone_torture::{Random, root};
use sha2::Sha256;

use super::{Bench, Keys, SimObjects, SimStore, content, missing, read_all, sha};

const KEYS: [&str; 3] = ["a", "b", "c"];
const SESSIONS: u32 = 150;

/// Contents have numbers from 1 on, and each another length; 0 is none.
type Version = u64;

/// What there may be under one key; several while a call is under way that may be cut.
#[derive(Clone, Debug)]
struct Model {
    committed: Vec<Version>,
    unfinished: Vec<Version>,
    /// Offsets that were acknowledged of an unfinished one.
    known: Vec<(Version, u32)>,
}

/// A session ends: `Err` when power went, a panic when something is wrong.
type Step = Result<(), String>;

struct Life<const R: usize, const W: usize, const E: usize> {
    bench: Bench<R, W, E>,
    models: Vec<Model>,
    random: Random,
    newest: Version,
}

struct Hands<'l, 's, 'o, const R: usize, const W: usize, const E: usize, S> {
    store: &'l mut SimStore<'s, R, W, E, S>,
    objects: &'l mut SimObjects<'o, R, W, E, S>,
    random: &'l mut Random,
    model: &'l mut Model,
    key: &'static str,
}

const fn length_of(version: Version) -> usize {
    600 + (version * 977 % 9001) as usize
}

fn text_of(version: Version) -> Vec<u8> {
    content(version, length_of(version))
}

impl<const R: usize, const W: usize, const E: usize> Life<R, W, E> {
    fn new<S: Suite>(capacity: usize, erased: u8, seed: u64) -> Self {
        let mut bench = Bench::new::<S>((16 * 4096).max(E * 6), capacity, erased);
        bench.flash.set_seed(seed);
        let model = Model { committed: vec![0], unfinished: vec![0], known: vec![] };
        Self { bench, models: vec![model; KEYS.len()], random: Random(seed), newest: 0 }
    }

    fn session<S: Suite>(&mut self) {
        let power = self.bench.plug_in();
        if self.random.below(8) > 0 {
            let most = [3, 8, 40][self.random.below(3)];
            power.cut_at(self.random.below(most) as u64, Tear::ALL[self.random.below(Tear::ALL.len())]);
        }
        let ended = self.work::<S>();
        assert!(ended.is_ok() || power.is_off(), "{ended:?}, and power is on");
        let flash = &self.bench.flash;
        assert_eq!(flash.violations(), 0, "{:?}", flash.first_violation());
        power.cancel_cut();
        power.on();
    }

    fn work<S: Suite>(&mut self) -> Step {
        let (mut memory, mut buffer) = (Keys::new(), [0; 2048]);
        let Bench { keys, flash, part } = &mut self.bench;
        let mut store = Store::<_, S>::mount(keys, *part, &root(), &mut memory).map_err(said)?;
        let mut objects = Objects::<_, S>::open(flash, *part, &mut store, &mut buffer).map_err(said)?;
        for _ in 0..1 + self.random.below(6) {
            let which = self.random.below(KEYS.len());
            let (store, objects, random) = (&mut store, &mut objects, &mut self.random);
            let mut hands = Hands { store, objects, random, model: &mut self.models[which], key: KEYS[which] };
            hands.compare()?;
            hands.act(&mut self.newest)?;
            hands.compare()?;
        }
        Ok(())
    }
}

impl<const R: usize, const W: usize, const E: usize, S: Suite> Hands<'_, '_, '_, R, W, E, S> {
    /// What is there is what may be there, and stays what it is first seen as.
    fn compare(&mut self) -> Step {
        let seen = match read_all(self.objects, self.store, self.key) {
            Err(ObjectError::Damaged) if !self.objects.flash().is_cut() => panic!("{}: damaged", self.key),
            seen => seen.map_err(said)?,
        };
        let Model { committed, unfinished, known } = &mut *self.model;
        let is = |version: Version| if version == 0 { seen.is_none() } else { seen == Some(text_of(version)) };
        committed.retain(|version| is(*version));
        assert!(!committed.is_empty(), "{}: neither old nor new", self.key);
        committed.truncate(1);
        let mut ram = [0; 4096];
        let upload = self.objects.resume(self.store, self.key, &mut ram).map_err(said)?;
        let length = upload.as_ref().map_or(0, |upload| upload.length().unwrap() as usize);
        unfinished.retain(|version| if *version == 0 { length == 0 } else { length == length_of(*version) });
        assert!(!unfinished.is_empty(), "{}: {length} bytes are not what was begun", self.key);
        unfinished.truncate(1);
        known.retain(|(of, _)| *of == unfinished[0]);
        if let Some(upload) = upload {
            let gaps = missing(&upload);
            let lost = known.iter().find(|(_, at)| gaps.iter().any(|gap| gap.contains(at)));
            assert_eq!(lost, None, "{}: it was acknowledged, missing are {gaps:?}", self.key);
        }
        self.still_on()
    }

    fn act(&mut self, newest: &mut Version) -> Step {
        let goes_on = self.model.unfinished != [0];
        match self.random.below(12) {
            0 => self.give_up(),
            1 | 2 if !goes_on => self.delete(),
            3 => self.objects.reclaim(self.store).map(drop).map_err(said),
            4 => self.begin(newest),
            _ if goes_on => self.go_on(),
            _ => self.begin(newest),
        }
    }

    fn give_up(&mut self) -> Step {
        self.model.unfinished.push(0);
        self.objects.abort(self.store, self.key).map_err(said)?;
        self.model.unfinished = vec![0];
        Ok(())
    }

    fn delete(&mut self) -> Step {
        let before = self.model.committed[0];
        self.model.committed.push(0);
        let there = self.store.delete(self.key).map_err(said)?;
        assert_eq!(there, before != 0, "{}", self.key);
        self.model.committed = vec![0];
        Ok(())
    }

    fn begin(&mut self, newest: &mut Version) -> Step {
        *newest += 1;
        self.model.unfinished.push(*newest);
        let length = Some(length_of(*newest) as u32);
        match self.objects.create(self.store, self.key, length, self.random, &mut [0; 4096]) {
            Ok(_) => self.model.unfinished = vec![*newest],
            Err(ObjectError::Full) => drop(self.model.unfinished.pop()),
            Err(error) => return Err(said(error)),
        }
        Ok(())
    }

    /// Writes some chunks, looks at one, and finishes when all are there.
    fn go_on(&mut self) -> Step {
        let text = text_of(self.model.unfinished[0]);
        let mut ram = [0; 4096];
        let Some(mut upload) = self.objects.resume(self.store, self.key, &mut ram).map_err(said)? else {
            return Ok(());
        };
        for _ in 0..1 + self.random.below(12) {
            if !self.write_one(&mut upload, &text)? {
                break;
            }
        }
        if upload.next_missing(0).is_none_or(|gap| gap.start > 0) {
            let mut bytes = vec![0; 512.min(text.len())];
            self.objects.read_upload(self.store, &mut upload, 0, &mut bytes).map_err(said)?;
            assert_eq!(bytes, text[..bytes.len()], "{}", self.key);
        }
        if upload.next_missing(0).is_none() && self.random.below(2) == 0 {
            self.finish(&mut upload, &text)
        } else {
            Ok(())
        }
    }

    /// A chunk of some gap; false: nothing is missing, or there is no room.
    fn write_one(&mut self, upload: &mut Upload<'_>, text: &[u8]) -> Result<bool, String> {
        let gaps = missing(upload);
        let Some(gap) = gaps.get(self.random.below(2) * self.random.below(gaps.len())) else { return Ok(false) };
        let chunk = self.objects.layout().chunk;
        let inside = self.random.below((gap.end - gap.start).div_ceil(chunk) as usize) as u32;
        let at = gap.start + chunk * inside;
        let end = (at + chunk).min(text.len() as u32);
        match self.objects.write(self.store, upload, at, &text[at as usize..end as usize]) {
            Ok(()) => self.model.known.push((self.model.unfinished[0], at)),
            Err(ObjectError::Full) => return Ok(false),
            Err(error) => return Err(said(error)),
        }
        Ok(true)
    }

    fn finish(&mut self, upload: &mut Upload<'_>, text: &[u8]) -> Step {
        let version = self.model.unfinished[0];
        self.model.committed.push(version);
        self.model.unfinished.push(0);
        match self.objects.finish::<Sha256, _, _>(self.store, upload, self.key, Some(&sha(text)), Put::USUAL) {
            Ok(_) => (self.model.committed, self.model.unfinished) = (vec![version], vec![0]),
            Err(ObjectError::Full) => {
                self.model.committed.pop();
                self.model.unfinished.pop();
            }
            Err(error) => return Err(said(error)),
        }
        Ok(())
    }

    fn still_on(&mut self) -> Step {
        if self.objects.flash().is_cut() { Err("power went".to_owned()) } else { Ok(()) }
    }
}

fn said(error: impl core::fmt::Debug) -> String {
    format!("{error:?}")
}

fn live<const R: usize, const W: usize, const E: usize, S: Suite>(erased: u8) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("SEED").unwrap_or(1);
    for seed in first..first + number("LIVES").unwrap_or(20) {
        let mut life = Life::<R, W, E>::new::<S>(24 * 4096, erased, seed);
        for session in 0..SESSIONS {
            let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| life.session::<S>()));
            assert!(played.is_ok(), "SEED={seed} LIVES=1, session {session}: see above");
        }
    }
}

#[test]
fn lives_on_nor() {
    live::<4, 4, 4096, Ascon>(0xff);
}

#[test]
fn lives_on_a_part_that_erases_to_zeros() {
    live::<1, 16, 4096, Plain>(0);
}

#[test]
fn lives_on_small_blocks() {
    live::<4, 4, 128, Plain>(0xff);
}

#[test]
fn lives_on_wide_units() {
    live::<1, 256, 4096, Plain>(0xff);
}
