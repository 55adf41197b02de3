//! `image`: factory images, one or thousands, the same bytes each time.
//!
//! ```text
//! manifest ─> for each device: key, identity ─> format, put each key, close ─> OUT/NAME/{flash.bin, device.toml}
//!                                                                              OUT/NAME/trusted/root.key  --with-keys
//! ```
//!
//! Devices are made in parallel, on as many threads as there are cores; each appears whole or not at all. A device that
//! is there already is never overwritten. Tested by the suite `image`.

mod build;
mod manifest;
mod verify;

use std::fs;
use std::io::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::ProgressBar;
use zeroize::Zeroizing;

use self::build::Order;
use self::manifest::{Batch, Manifest};
use self::verify::{Verdict, verify};
use crate::args::{BuildImage, ImageKey, VerifyImage};
use crate::device::{AnyRam, Config, create_image, read_key};
use crate::exit::{Exit, Failure};
use crate::files::make_file;
use crate::terminal::{bar, counted, escaped, print, print_json};

/// Devices of which at most so many are named when they are wrong.
const NAMED_MAX: usize = 20;

pub(crate) fn build(args: &BuildImage) -> Result<(), Failure> {
    let manifest = Manifest::read(&args.manifest)?;
    match &manifest.batch {
        Some(batch) => build_batch(args, &manifest, batch),
        None => build_one(args, &manifest),
    }
}

/// One image with a key of its own.
fn build_one(args: &BuildImage, manifest: &Manifest) -> Result<(), Failure> {
    let Some(key) = &args.key else {
        return Err(Failure::usage("which root key? The manifest names no devices, so there is one image and one key")
            .hint("give a file of 32 bytes with --key FILE"));
    };
    let key = read_key(key)?;
    let image = build::build(Order { manifest, device: "", key: &key }, &mut AnyRam::new())?;
    make_file(&args.output, |file| file.write_all(&image))
}

fn build_batch(args: &BuildImage, manifest: &Manifest, batch: &Batch) -> Result<(), Failure> {
    let devices = chosen(batch, args.device.as_deref())?;
    let secret = manifest.secret(batch)?;
    let config = Config::with_heads(manifest.suite, manifest.geometry, manifest.heads);
    fs::create_dir_all(&args.output).map_err(|error| Failure::file("make", &args.output, &error))?;
    if let Some(there) = devices.iter().map(|device| args.output.join(device)).find(|path| path.exists()) {
        let failure = Failure::usage(format!("{} is there already", there.display()));
        return Err(failure.hint("a device is never overwritten; choose another folder with -o, or remove it yourself"));
    }
    for_each(&devices, "making devices", |device, memory| {
        let key = build::device_key(&secret, device)?;
        let image = build::build(Order { manifest, device, key: &key }, memory)?;
        create_image(&args.output.join(device), &config, args.with_keys.then_some(&*key), &image)
    })?;
    let keys = if args.with_keys {
        "their root keys in trusted/ of each"
    } else {
        "their root keys follow from the batch secret"
    };
    print(format!("{} in {}, {keys}.\n", counted(devices.len() as u64, "device"), args.output.display()).as_bytes())
}

pub(crate) fn verify_images(args: &VerifyImage) -> Result<(), Failure> {
    let manifest = Manifest::read(&args.manifest)?;
    let mut found = Counts::default();
    match &manifest.batch {
        None => {
            let Some(key) = &args.key else {
                return Err(Failure::usage("which root key?").hint("give a file of 32 bytes with --key FILE"));
            };
            let key = read_key(key)?;
            let order = Order { manifest: &manifest, device: "", key: &key };
            let verdict = verify(order, &read_image(&args.images)?, &mut AnyRam::new())?;
            found.add(&args.images.display().to_string(), verdict);
        }
        Some(batch) => {
            let devices = chosen(batch, args.device.as_deref())?;
            let (secret, config) =
                (manifest.secret(batch)?, Config::with_heads(manifest.suite, manifest.geometry, manifest.heads));
            let counts = Mutex::new(&mut found);
            for_each(&devices, "verifying devices", |device, memory| {
                let key = build::device_key(&secret, device)?;
                let path = args.images.join(device).join("flash.bin");
                let verdict = match trusted_parts(&args.images.join(device), &config, &key).and(read_image(&path)) {
                    Ok(image) => verify(Order { manifest: &manifest, device, key: &key }, &image, memory)?,
                    Err(failure) => Verdict::Wrong(failure.sentence().to_owned()),
                };
                counts.lock().map_err(|_| Failure::new(Exit::Io, "a thread failed"))?.add(device, verdict);
                Ok(())
            })?;
        }
    }
    found.say(args.json)
}

/// Whether the rest of a device directory is as it was made. The key may be elsewhere, but not another one.
fn trusted_parts(device: &Path, config: &Config, key: &[u8; 32]) -> Result<(), Failure> {
    let wrong = |what: &str| Err(Failure::new(Exit::Damaged, what));
    if fs::read_to_string(device.join("device.toml")).ok().as_deref() != Some(config.to_text()?.as_str()) {
        return wrong("device.toml is not as it was made");
    }
    let path = device.join("trusted/root.key");
    if path.exists() && *read_key(&path)? != *key {
        return wrong("trusted/root.key is the key of another device");
    }
    Ok(())
}

fn read_image(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::input(path, &error))
}

/// What a verification found.
#[derive(Debug, Default)]
struct Counts {
    as_built: u32,
    used: u32,
    wrong: Vec<(String, String)>,
}

impl Counts {
    fn add(&mut self, device: &str, verdict: Verdict) {
        match verdict {
            Verdict::AsBuilt => self.as_built += 1,
            Verdict::Used => self.used += 1,
            Verdict::Wrong(why) => self.wrong.push((device.to_owned(), why)),
        }
    }

    fn say(mut self, json: bool) -> Result<(), Failure> {
        self.wrong.sort();
        if json {
            let wrong: Vec<_> =
                self.wrong.iter().map(|(device, why)| serde_json::json!({ "device": device, "why": why })).collect();
            print_json(&serde_json::json!({ "as_built": self.as_built, "used": self.used, "wrong": wrong }))?;
        } else {
            let mut text = format!("{} as built", counted(self.as_built, "device"));
            if self.used > 0 {
                text.push_str(&format!(", {} used since and in order", self.used));
            }
            text.push_str(&format!(", {} wrong.\n", self.wrong.len()));
            for (device, why) in self.wrong.iter().take(NAMED_MAX) {
                text.push_str(&format!("WRONG: {}: {}\n", escaped(device.as_bytes()), escaped(why.as_bytes())));
            }
            if self.wrong.len() > NAMED_MAX {
                text.push_str(&format!("... and {} more: --json lists all.\n", self.wrong.len() - NAMED_MAX));
            }
            print(text.as_bytes())?;
        }
        if self.wrong.is_empty() {
            Ok(())
        } else {
            Err(Failure::new(Exit::Damaged, "not every device is as it should be"))
        }
    }
}

/// All devices of the batch, or the one that is asked for.
fn chosen(batch: &Batch, device: Option<&str>) -> Result<Vec<String>, Failure> {
    let devices = batch.devices();
    match device {
        None => Ok(devices),
        Some(device) if devices.iter().any(|known| known == device) => Ok(vec![device.to_owned()]),
        Some(device) => Err(Failure::usage(format!("there is no device {device} in the manifest"))),
    }
}

/// Does something for each device, on all cores. The first failure ends it; what was made stays.
fn for_each(
    devices: &[String],
    doing: &str,
    act: impl Fn(&str, &mut AnyRam) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(devices.len().max(1));
    let bar = bar(devices.len() > 8, devices.len() as u64, doing);
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(devices, &next, &failed, &bar, &act));
        }
    });
    bar.finish_and_clear();
    match failed.into_inner() {
        Ok(None) => Ok(()),
        Ok(Some(failure)) => Err(failure),
        Err(_) => Err(Failure::new(Exit::Io, "a thread failed")),
    }
}

fn work(
    devices: &[String],
    next: &AtomicUsize,
    failed: &Mutex<Option<Failure>>,
    bar: &ProgressBar,
    act: &(impl Fn(&str, &mut AnyRam) -> Result<(), Failure> + Sync),
) {
    let mut memory = AnyRam::new();
    while let Some(device) = devices.get(next.fetch_add(1, Ordering::Relaxed)) {
        if let Err(failure) = act(device, &mut memory) {
            next.store(devices.len(), Ordering::Relaxed);
            if let Ok(mut failed) = failed.lock() {
                failed.get_or_insert(Failure::new(failure.exit, format!("device {device}: {}", failure.sentence())));
            }
            return;
        }
        bar.inc(1);
    }
}

/// Writes the root key of one device of a batch to a file that only its owner can read.
pub(crate) fn write_key(args: &ImageKey) -> Result<(), Failure> {
    let manifest = Manifest::read(&args.manifest)?;
    let Some(batch) = &manifest.batch else {
        return Err(Failure::usage("the manifest names no devices: the key is the one that was given"));
    };
    chosen(batch, Some(&args.device))?;
    let key: Zeroizing<[u8; 32]> = build::device_key(&*manifest.secret(batch)?, &args.device)?;
    make_file(&args.output, |file| file.write_all(&*key))
}
