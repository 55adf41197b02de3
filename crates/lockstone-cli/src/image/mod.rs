//! `image`: factory images, one or thousands, the same bytes each time.
//!
//! ```text
//! manifest ─> for each device: key, identity ─> format, put each key, close ─> OUT/NAME/{flash.bin, device.toml}
//!                                                                              OUT/NAME/trusted/root.key  --with-keys
//! ```
//!
//! Devices are made in parallel, on as many threads as there are cores; each appears whole or not at all. If one can't be
//! made, those that were made are removed. A device that is there already is never overwritten. Tested by the suite `image`.

mod build;
mod manifest;
mod verify;

use std::fs;
use std::io::{self, Write as _};
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
use crate::files::{make_file, no_place, read_named};
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
    refuse(args.device.is_some(), FOR_A_BATCH)?;
    refuse(
        args.with_keys,
        "the manifest names no devices: --with-keys is for those, one image has the key that was given",
    )?;
    let key = read_key(key)?;
    let image = build::build(Order { manifest, device: "", key: &key }, &mut AnyRam::new())?;
    make_file(&args.output, |file| file.write_all(&image))
}

const FOR_A_BATCH: &str = "the manifest names no devices: --device is for one that does";
const FOR_ONE_IMAGE: &str =
    "the manifest names devices, whose root keys follow from the batch secret: --key is for one image";

/// An option that would be ignored is refused: who gives it expects something else.
fn refuse(is_given: bool, why: &str) -> Result<(), Failure> {
    if is_given { Err(Failure::usage(why)) } else { Ok(()) }
}

fn build_batch(args: &BuildImage, manifest: &Manifest, batch: &Batch) -> Result<(), Failure> {
    refuse(args.key.is_some(), FOR_ONE_IMAGE)?;
    let devices = chosen(batch, args.device.as_deref())?;
    let secret = manifest.secret(batch)?;
    manifest.check_files(&devices)?;
    let config = Config::with_heads(manifest.suite, manifest.geometry, manifest.heads);
    let is_new = !args.output.exists();
    fs::create_dir_all(&args.output).map_err(|error| no_folder(&args.output, &error))?;
    if let Some(there) = devices.iter().map(|device| args.output.join(device)).find(|path| path.exists()) {
        let failure = Failure::usage(format!("{} is there already", there.display()));
        return Err(failure.hint("a device is never overwritten; choose another folder with -o, or remove it yourself"));
    }
    let made = Mutex::new(Vec::new());
    let done = for_each(&devices, "making devices", |device, memory| {
        let key = build::device_key(&secret, device)?;
        let image = build::build(Order { manifest, device, key: &key }, memory)?;
        let place = args.output.join(device);
        create_image(&place, &config, args.with_keys.then_some(&*key), &image)?;
        made.lock().map_err(|_| Failure::new(Exit::Io, "a thread failed"))?.push(place);
        Ok(())
    });
    if let Err(failure) = done {
        // Half a batch would be in the way of the next try.
        made.into_inner().unwrap_or_default().iter().for_each(|place| drop(fs::remove_dir_all(place)));
        if is_new {
            let _ = fs::remove_dir(&args.output);
        }
        return Err(failure);
    }
    let keys = if args.with_keys {
        "their root keys in trusted/ of each"
    } else {
        "their root keys follow from the batch secret"
    };
    print(format!("{} in {}, {keys}.\n", counted(devices.len() as u64, "device"), args.output.display()).as_bytes())
}

/// The folder for a batch could not be made.
fn no_folder(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format!("{} is there already, and no folder", path.display())),
        _ => no_place("make", path, error),
    }
}

pub(crate) fn verify_images(args: &VerifyImage) -> Result<(), Failure> {
    let manifest = Manifest::read(&args.manifest)?;
    match &manifest.batch {
        None => verify_one(args, &manifest)?,
        Some(batch) => verify_batch(args, &manifest, batch)?,
    }
    .say(args.json)
}

fn verify_one(args: &VerifyImage, manifest: &Manifest) -> Result<Counts, Failure> {
    let Some(key) = &args.key else {
        return Err(Failure::usage("which root key?").hint("give a file of 32 bytes with --key FILE"));
    };
    refuse(args.device.is_some(), FOR_A_BATCH)?;
    let key = read_key(key)?;
    let order = Order { manifest, device: "", key: &key };
    let mut found = Counts::default();
    let verdict = match read_image(&args.images, manifest) {
        Ok(image) => verify(order, &image, &mut AnyRam::new())?,
        Err(failure) if failure.exit == Exit::Damaged => Verdict::Wrong(failure.sentence().to_owned()),
        Err(failure) => return Err(failure),
    };
    found.add(&args.images.display().to_string(), verdict);
    Ok(found)
}

fn verify_batch(args: &VerifyImage, manifest: &Manifest, batch: &Batch) -> Result<Counts, Failure> {
    refuse(args.key.is_some(), FOR_ONE_IMAGE)?;
    let devices = chosen(batch, args.device.as_deref())?;
    let folder = fs::metadata(&args.images).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::usage(format!("there is no folder {}", args.images.display())),
        _ => Failure::input(&args.images, &error),
    })?;
    refuse(!folder.is_dir(), &format!("{} is no folder, and the manifest names devices", args.images.display()))?;
    let secret = manifest.secret(batch)?;
    let config = Config::with_heads(manifest.suite, manifest.geometry, manifest.heads);
    let found = Mutex::new(Counts::default());
    for_each(&devices, "verifying devices", |device, memory| {
        let key = build::device_key(&secret, device)?;
        let place = args.images.join(device);
        let image = trusted_parts(&place, &config, &key).and_then(|()| read_image(&place.join("flash.bin"), manifest));
        let verdict = match image {
            Ok(image) => verify(Order { manifest, device, key: &key }, &image, memory)?,
            Err(failure) => Verdict::Wrong(failure.sentence().to_owned()),
        };
        found.lock().map_err(|_| Failure::new(Exit::Io, "a thread failed"))?.add(device, verdict);
        Ok(())
    })?;
    found.into_inner().map_err(|_| Failure::new(Exit::Io, "a thread failed"))
}

/// Whether the rest of a device directory is as it was made. The key may be elsewhere, but not another one.
fn trusted_parts(device: &Path, config: &Config, key: &[u8; 32]) -> Result<(), Failure> {
    let wrong = |what: &str| Err(Failure::new(Exit::Damaged, what));
    let is_gone = |path: &Path| fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let path = device.join("device.toml");
    if is_gone(device) {
        return wrong("it is not there");
    }
    if is_gone(&path) {
        return wrong("device.toml is not there");
    }
    let text = config.to_text()?;
    if !read_named(&path, text.len() as u64, "").is_ok_and(|found| found.as_slice() == text.as_bytes()) {
        return wrong("device.toml is not as it was made");
    }
    let path = device.join("trusted/root.key");
    if path.exists() && *read_key(&path)? != *key {
        return wrong("trusted/root.key is the key of another device");
    }
    Ok(())
}

fn read_image(path: &Path, manifest: &Manifest) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let flash = manifest.geometry.flash;
    let length = fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len());
    if let Some(length) = length.filter(|length| *length > flash.into()) {
        return Err(Failure::new(Exit::Damaged, format!("has {length} bytes instead of {flash}")));
    }
    read_named(path, flash.into(), &format!("the flash has {flash} bytes"))
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

/// Does something for each device, on all cores. The first failure ends it.
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
