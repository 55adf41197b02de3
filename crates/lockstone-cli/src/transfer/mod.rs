//! `import` and `export`: keys come from and go to plain archives and images.
//!
//! ```text
//! folder, tar, ESP-IDF NVS partition, sealed export ─> import ─> put, put, ...
//! export ─> --plain: folder or tar, readable by anybody who has it
//!           --sealed KEY: a fresh flash image under another root key, for `import --key`, `inspect` or a device
//! ```
//!
//! Names, values and attributes stay what they are; a client's keys are moved at a time. Nothing is exported in the clear but
//! by explicit wish. Tested by the suite `transfer`.

mod archive;
mod names;
mod nvs;
mod sealed;
mod table;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use lockstone::{Attributes, Key, Put};
use zeroize::Zeroizing;

use crate::args::{Export, Import};
use crate::attributes::given;
use crate::commands::{names as list_names, read_value, store, warn_if_low};
use crate::device::{AnyRam, Device, Purpose, Session, read_key};
use crate::exit::{Exit, Failure};
use crate::files::{make_file, read_named};
use crate::terminal::{bar, counted, escaped, on_one_line, print, say};

/// No flash that a store could be on is longer, nor are all its values together.
const LONGEST: u64 = 1 << 30;
/// More than any chip with such a partition has.
const NVS_LONGEST: u64 = 128 << 20;

/// One key and its value.
pub(crate) struct Item {
    pub(crate) name: Vec<u8>,
    pub(crate) value: Zeroizing<Vec<u8>>,
    pub(crate) attributes: Attributes,
}

impl Item {
    pub(crate) const fn new(name: Vec<u8>, value: Zeroizing<Vec<u8>>) -> Self {
        Self { name, value, attributes: Attributes::NONE }
    }
}

pub(crate) fn import(args: &Import) -> Result<(), Failure> {
    let items = read_source(args)?;
    if items.is_empty() {
        let failure = Failure::new(Exit::NoSuchKey, format!("{} holds no key", args.source.display()));
        if args.key.is_none() || args.source.is_dir() {
            return Err(failure);
        }
        return Err(failure.hint("a sealed export holds the keys of one client: name it with --client N"));
    }
    let mut names: Vec<&[u8]> = items.iter().map(|item| item.name.as_slice()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Failure::usage(format!("{} is there twice", escaped(twice[0]))));
    }
    let device = Device::find(&args.place.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let bar = bar(true, items.len() as u64, "importing");
    let mut stored = 0_u64;
    let mut failed = None;
    for item in &items {
        // What a key has stays, when nothing is said about it.
        let attributes = (item.attributes != Attributes::NONE).then_some(item.attributes);
        let how = Put { attributes, ..Put::default() };
        if let Err(failure) = store(&mut session, Key::new(&item.name).of_client(args.place.client), &item.value, how) {
            let name = escaped(&item.name);
            let all = items.len();
            let reason = failure.sentence().trim_end_matches("; nothing was changed");
            let sentence = format!("key {name}: {reason}; {stored} of {all} keys were stored before it");
            failed = Some(Failure::new(failure.exit, sentence));
            break;
        }
        stored += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    warn_if_low(&session);
    let closed = session.close();
    if let Some(failure) = failed {
        return Err(failure);
    }
    closed?;
    let marked = count_marked(&items);
    let with = if marked > 0 { format!(", {marked} of them with attributes") } else { String::new() };
    print(format!("{} imported{with}.\n", counted(stored, "key")).as_bytes())
}

fn read_source(args: &Import) -> Result<Vec<Item>, Failure> {
    let source = &args.source;
    if source.is_dir() {
        return archive::read_folder(source);
    }
    if let Some(key) = &args.key {
        return read_sealed(source, key, args.place.client);
    }
    if args.nvs {
        let mut bytes = read_named(source, NVS_LONGEST, "no NVS partition is larger than 128 MiB")?;
        return nvs::read(source, std::mem::take(&mut *bytes));
    }
    archive::read_tar(source).map_err(|failure| {
        if failure.exit == Exit::Usage && source.is_file() {
            return failure.hint(
                "a folder and a tar file are known as such; --nvs reads an ESP-IDF partition, --key F a sealed export",
            );
        }
        failure
    })
}

/// A sealed export is a flash image with a key of its own.
fn read_sealed(source: &Path, key: &Path, client: u32) -> Result<Vec<Item>, Failure> {
    let key = read_key(key)?;
    let image = read_named(source, LONGEST, "no image is larger than 1 GiB")?;
    sealed::open(&image, client, &key)
}

pub(crate) fn export(args: &Export) -> Result<(), Failure> {
    let device = Device::find(&args.place.device)?;
    let geometry = device.config.geometry;
    let held = device.hold(Purpose::Look)?;
    let mut memory = AnyRam::new();
    let mut session = held.mount(&mut memory)?;
    let items = read_all(&mut session, args.place.client)?;
    let count = counted(items.len() as u64, "key");
    let all = u64::from(session.stats()?.keys);
    let others = all.saturating_sub(items.len() as u64);
    if items.is_empty() {
        let client = args.place.client;
        let failure = Failure::new(Exit::NoSuchKey, format!("client {client} has no key; other clients have {others}"));
        return Err(failure.hint("name another client with --client N"));
    }
    if all > items.len() as u64 {
        say(format!("left out, as they are of other clients: {}; --client N names one", counted(others, "key")));
    }
    let copies = items.iter().filter(|item| item.attributes.any(Attributes::FACTORY)).count();
    if copies > 0 {
        say(format!(
            "left out: the factory copies of {}; an import takes the present values for them",
            counted(copies as u64, "key")
        ));
    }
    let names: BTreeSet<Vec<u8>> = items.iter().map(|item| item.name.clone()).collect();
    let paths = names::paths(&names);
    let table = table::write(&paths, &items)?;
    if let Some(key) = &args.sealed {
        let image = sealed::seal(geometry, args.place.client, &items, table.as_deref(), &*read_key(key)?)?;
        make_file(&args.output, |file| file.write_all(&image))?;
        return print(format!("{count} exported, sealed.\n").as_bytes());
    }
    let table = table.map(|text| (table::TABLE.to_owned(), Zeroizing::new(text.into_bytes())));
    let files = paths.into_iter().zip(items.into_iter().map(|item| item.value));
    let files: Vec<_> = table.into_iter().chain(files).collect();
    if args.output.extension().is_some_and(|extension| extension == "tar") {
        archive::write_tar(&args.output, &files)?;
    } else {
        archive::write_folder(&args.output, &files)?;
    }
    print(format!("{count} exported IN THE CLEAR to {}.\n", on_one_line(&args.output.display().to_string())).as_bytes())
}

fn count_marked(items: &[Item]) -> usize {
    items.iter().filter(|item| item.attributes != Attributes::NONE).count()
}

/// All keys of a client, sorted. One that can't be read ends it: half an export is none.
fn read_all(session: &mut Session<'_>, client: u32) -> Result<Vec<Item>, Failure> {
    let (names, gaps) = list_names(session, client, b"")?;
    if gaps > 0 {
        return Err(Failure::new(Exit::Damaged, "stored content is damaged: the list of keys is not complete"));
    }
    let bar = bar(true, names.len() as u64, "exporting");
    let mut items = Vec::new();
    for name in names {
        let key = Key::new(&name).of_client(client);
        let value = read_value(session, key, |_, _| {})?;
        let value = value.ok_or_else(|| Failure::new(Exit::Damaged, format!("key {} is gone", escaped(&name))))?;
        // In an archive an object is a value as any other.
        let attributes = given(session.attributes_of(key)?.unwrap_or(Attributes::NONE));
        items.push(Item { name, value, attributes });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(items)
}
