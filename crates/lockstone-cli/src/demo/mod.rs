//! `demo`: the main job on real input, in front of your eyes.
//!
//! ```text
//! input ─> script ─> life ─> attack ─> report
//!                    model      update ─┘
//! ```
//!
//! Devices on simulated flash are given a bundle of certificates, a key, a configuration and a firmware; while they
//! change, power is cut at random flash operations, torn in every way that the simulator knows; everything is compared
//! with a model after every cut. Then their images are attacked. Another one is updated: firmware comes in random order, and is
//! installed over what runs there, with cuts all the way. All of it follows from one seed.

mod attack;
mod dice;
mod input;
mod life;
mod model;
mod report;
mod script;
mod update;

use std::path::Path;
use std::thread;
use std::time::Instant;

use lockstone::SoftRootKey;

use self::attack::{Outcomes, attack};
pub(crate) use self::dice::Dice;
use self::input::{Bundle, FIRMWARE_BYTES};
use self::life::{Flash, Life, Tally};
use self::report::Figures;
use self::script::Script;
use self::update::{Firmware, update};
use crate::args;
use crate::device::{self, Config, Geometry, Suite};
use crate::exit::{Exit, Failure};
use crate::terminal::{bar, print, print_json, spinner};

/// Devices that live side by side: as many processors are put to use. The same number everywhere, so that a seed means
/// the same everywhere.
const DEVICES: u32 = 2;
/// Attacks on each device.
const FLIPS: usize = 150;
const SWAPS: usize = 25;
/// The dice of the update are others.
const UPDATE: u64 = 0x7570_6461_7465;
/// Flash comes in multiples of this.
const STEP: usize = 32 * 1024;

/// Runs the demo.
pub(crate) fn demo(args: &args::Demo) -> Result<(), Failure> {
    let start = Instant::now();
    if let Some(path) = args.keep.as_deref().filter(|path| std::fs::symlink_metadata(path).is_ok()) {
        return Err(Failure::usage(format!("{} is there already", path.display())));
    }
    let seed = args.seed.map_or_else(draw_seed, Ok)?;
    let bundle = Bundle::load(args.pem.as_deref())?;
    let capacity = capacity_for(&bundle)?;
    let firmware = Firmware::load(args.firmware.as_deref())?;
    let progress = bar(true, u64::from(args.cuts) + u64::from(DEVICES) * (FLIPS + SWAPS) as u64, "cutting, attacking");
    let fates = live_all(&bundle, capacity, seed, args.cuts, &|| progress.inc(1))?;
    progress.finish_and_clear();
    let spinner = spinner(true, "updating");
    let update = update(&firmware, (args.cuts / 20).clamp(6, 60), Dice::new(seed ^ UPDATE));
    spinner.finish_and_clear();
    let mut figures = figures(args, seed, &bundle, &fates, start.elapsed().as_secs_f64());
    figures.update = Some((&firmware, update));
    if let (Some(path), Some(fate)) = (&args.keep, fates.first()) {
        keep(path, &fate.key, &fate.life.flash)?;
    }
    if args.json {
        print_json(&figures.as_json())?
    } else {
        print(figures.as_text().as_bytes())?
    }
    match figures.trouble() {
        None => Ok(()),
        Some(trouble) => Err(Failure::new(Exit::Damaged, trouble).hint(format!("replay: {}", figures.replay))),
    }
}

/// What became of one device.
struct Fate {
    life: Life,
    key: [u8; 32],
    flips: Outcomes,
    swaps: Outcomes,
}

fn draw_seed() -> Result<u64, Failure> {
    let seed = getrandom::u32().map_err(|error| Failure::new(Exit::Io, format!("no randomness: {error}")))?;
    Ok(seed.into())
}

/// Flash so large that it is half full.
fn capacity_for(bundle: &Bundle) -> Result<usize, Failure> {
    let bytes: usize = bundle.certificates.iter().map(|(name, value)| 100 + name.len() + value.len() * 5 / 4).sum();
    let capacity = ((bytes + 3 * FIRMWARE_BYTES / 2) * 15 / 8).next_multiple_of(STEP);
    let fits = capacity <= 2048 * STEP;
    fits.then_some(capacity).ok_or_else(|| Failure::usage("the bundle is too large for a demo: 20 MB at most"))
}

fn live_all(
    bundle: &Bundle,
    capacity: usize,
    seed: u64,
    cuts: u32,
    progress: &(dyn Fn() + Sync),
) -> Result<Vec<Fate>, Failure> {
    let mut dice = Dice::new(seed);
    thread::scope(|scope| {
        let devices: Vec<_> = (0..DEVICES)
            .map(|number| {
                let (dice, cuts) = (Dice::new(dice.word()), (cuts + number) / DEVICES);
                scope.spawn(move || live(bundle, capacity, dice, cuts, progress))
            })
            .collect();
        let fates = devices.into_iter().map(|device| device.join());
        fates.collect::<Result<_, _>>().map_err(|_| Failure::new(Exit::Damaged, "the engine panicked"))
    })
}

/// From the first byte to the last attack.
fn live(bundle: &Bundle, capacity: usize, mut dice: Dice, cuts: u32, progress: &dyn Fn()) -> Fate {
    let mut key = [0; 32];
    dice.fill(&mut key);
    let mut flash = Flash::new(capacity, 0xff);
    flash.set_seed(dice.word());
    flash.set_reprogram_heals(true);
    let script = Script::new(bundle.certificates.clone(), Dice::new(dice.word()));
    let mut life = Life::begin(flash, SoftRootKey::new(key), script, Dice::new(dice.word()));
    life.live(cuts, progress);
    life.end();
    let (mut flips, mut swaps) = Default::default();
    if life.tally.trouble.is_none() {
        let image = life.flash.data();
        flips = attack(image, &attack::flips(image, FLIPS, &mut dice), &life.root, &life.model, progress);
        swaps = attack(image, &attack::swaps(image, SWAPS, &mut dice), &life.root, &life.model, progress);
    }
    Fate { life, key, flips, swaps }
}

fn figures<'a>(args: &args::Demo, seed: u64, bundle: &'a Bundle, fates: &'a [Fate], seconds: f64) -> Figures<'a> {
    let given = |name, path: &Option<std::path::PathBuf>| {
        path.as_ref().map_or_else(String::new, |path| format!(" --{name} {}", path.display()))
    };
    let (pem, firmware) = (given("pem", &args.pem), given("firmware", &args.firmware));
    Figures {
        seed,
        source: &bundle.source,
        certificates: bundle.certificates.len(),
        keys: fates.iter().map(|fate| fate.life.model.len()).min().unwrap_or(0),
        tally: fates.iter().fold(Tally::default(), |sum, fate| sum.plus(&fate.life.tally)),
        flips: fates.iter().fold(Outcomes::default(), |sum, fate| sum.plus(fate.flips.clone())),
        swaps: fates.iter().fold(Outcomes::default(), |sum, fate| sum.plus(fate.swaps.clone())),
        flashes: fates.iter().map(|fate| &fate.life.flash).collect(),
        seconds,
        update: None,
        replay: format!("lockstone demo --seed {seed} --cuts {}{pem}{firmware}", args.cuts),
    }
}

/// Writes the final state as a device directory. Its root key follows from the seed: a toy.
fn keep(path: &Path, key: &[u8; 32], flash: &Flash) -> Result<(), Failure> {
    let size = u32::try_from(flash.capacity()).unwrap_or(u32::MAX);
    let geometry = Geometry { flash: size, block: 4096, write: 4, objects: 0 };
    device::create_from(path, &Config::new(Suite::Ascon, geometry), key, flash.data())
}
