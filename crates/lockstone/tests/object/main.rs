//! Objects against their model, under power cuts, faults and attack.
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used, missing_docs, unreachable_pub)]

#[cfg(feature = "async")]
mod asynchronous;
mod audited;
mod census;
mod cuts;
mod hostile;
mod install;
mod interface;
mod life;
mod pinned;
mod resealed;
mod reviewed;
mod table;
mod volumes;

use embedded_storage::nor_flash::NorFlash;
use lockstone::seal::Suite;
use lockstone::{Memory, Objects, Part, Store, Upload};
use lockstone_sim::{Power, SimError, SimFlash};
use lockstone_torture::{Random, root};
use sha2::{Digest, Sha256};

/// Keys and objects, each on a part of its own, with one supply.
#[derive(Clone)]
struct Bench<const R: usize, const W: usize, const E: usize> {
    keys: SimFlash<R, W, E>,
    flash: SimFlash<R, W, E>,
    part: Part,
}

type Keys = Memory<16, 2048>;
type SimStore<'w, const R: usize, const W: usize, const E: usize, S> = Store<'w, &'w mut SimFlash<R, W, E>, S>;
type SimObjects<'w, const R: usize, const W: usize, const E: usize, S> = Objects<'w, &'w mut SimFlash<R, W, E>, S>;
type Failure = lockstone::ObjectError<SimError, SimError>;

impl<const R: usize, const W: usize, const E: usize> Bench<R, W, E> {
    fn new<S: Suite>(keys: usize, capacity: usize, erased: u8) -> Self {
        let mut bench = Self {
            keys: SimFlash::new(keys, erased),
            flash: SimFlash::new(capacity, erased),
            part: if erased == 0 { Part::ZERO_ERASED } else { Part::NOR },
        };
        let mut memory = Keys::new();
        let mut dice = lockstone_torture::Fixed(1);
        Store::<_, S>::format(&mut bench.keys, bench.part, &root(), &mut dice, &mut memory).unwrap();
        Objects::<_, S>::format(&mut bench.flash, bench.part, &mut [0; 2048]).unwrap();
        bench
    }

    /// The same under one supply.
    fn plug_in(&mut self) -> Power {
        let power = Power::new();
        self.keys.plug_in(&power);
        self.flash.plug_in(&power);
        power
    }

    fn with<S: Suite, T>(
        &mut self,
        f: impl FnOnce(&mut SimStore<'_, R, W, E, S>, &mut SimObjects<'_, R, W, E, S>) -> T,
    ) -> T {
        let mut memory = Keys::new();
        let mut buffer = [0; 2048];
        let mut store = Store::<_, S>::mount(&mut self.keys, self.part, &root(), &mut memory).unwrap();
        let mut objects = Objects::<_, S>::open(&mut self.flash, self.part, &mut store, &mut buffer).unwrap();
        f(&mut store, &mut objects)
    }
}

/// Content of a length, another for each seed.
fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..length).map(|_| random.word() as u8).collect()
}

fn sha(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The whole object.
fn read_all<F, D, S>(
    objects: &mut Objects<'_, F, S>,
    store: &mut Store<'_, D, S>,
    key: &str,
) -> Result<Option<Vec<u8>>, Failure>
where
    F: NorFlash<Error = SimError>,
    D: NorFlash<Error = SimError>,
    S: Suite,
{
    let Some(manifest) = objects.manifest(store, key)? else { return Ok(None) };
    let mut bytes = vec![0; manifest.length as usize + 10];
    let length = objects.read(store, key, 0, &mut bytes)?.unwrap();
    assert_eq!(length, manifest.length as usize);
    bytes.truncate(length);
    assert_eq!(manifest.digest, sha(&bytes));
    Ok(Some(bytes))
}

/// Everything that is missing.
fn missing(upload: &Upload<'_>) -> Vec<core::ops::Range<u32>> {
    let mut ranges = Vec::new();
    let mut from = 0;
    while let Some(range) = upload.next_missing(from) {
        from = range.end;
        ranges.push(range);
    }
    ranges
}
