//! The manifest of a factory image: which flash, which keys, which devices.
//!
//! ```toml
//! suite = "ascon"
//! flash = { size = "1M", block = "4K", write = 4 }
//! heads = 64                     # as many as the firmware has; 1024 if it is not said
//!
//! [devices]                      # leave it out for one image with a key of its own
//! secret = "batch.key"           # 32 bytes; the root key of a device follows from it and the device's name
//! prefix = "dev-"
//! first = 1
//! count = 1000
//! digits = 6                     # so that a larger count later renames nobody
//!
//! [[key]]
//! name = "serial"
//! text = "{device}"              # the name of the device
//!
//! [[key]]
//! name = "tls/key"
//! file = "keys/{device}.pem"     # beside the manifest
//! client = 7
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::args::size;
use crate::device::{Geometry, Suite, read_key_bytes};
use crate::exit::Failure;
use crate::files::read_named;

/// As long as a batch of so many devices can need, each with a long name.
const LONGEST: u64 = 128 << 20;
/// Letters and digits of the name of a device, at most.
const NAME_MAX: usize = 100;
/// More devices than this are several batches.
const DEVICES_MAX: u32 = 1_000_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "ascon")]
    suite: Suite,
    flash: Flash,
    #[serde(default = "heads")]
    heads: u16,
    devices: Option<Batch>,
    #[serde(default)]
    key: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flash {
    size: Size,
    block: Size,
    write: Size,
}

/// What is wrong and where; never the line itself, which may hold a secret.
fn said(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let place = before.map_or(String::new(), |before| format!(", line {}", before.matches('\n').count() + 1));
    format!("{}{place}", error.message())
}

/// `4096` or `"4K"`.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a size is a whole number of bytes below 4 GiB, or a text such as \"4K\"")]
enum Size {
    Number(u32),
    Text(String),
}

/// Devices that are made together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// File of the batch secret.
    secret: PathBuf,
    #[serde(default)]
    prefix: String,
    #[serde(default = "one")]
    first: u32,
    /// Digits of each number; as many as the last one needs if it is not said.
    digits: Option<usize>,
    count: Option<u32>,
    #[serde(default)]
    names: Vec<String>,
}

/// A key and where its value comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) client: u32,
    text: Option<String>,
    file: Option<PathBuf>,
}

/// A manifest that made sense.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) suite: Suite,
    pub(crate) geometry: Geometry,
    pub(crate) heads: usize,
    pub(crate) batch: Option<Batch>,
    pub(crate) entries: Vec<Entry>,
    /// What files are relative to.
    folder: PathBuf,
}

const fn ascon() -> Suite {
    Suite::Ascon
}

const fn heads() -> u16 {
    1024
}

const fn one() -> u32 {
    1
}

impl Size {
    fn bytes(&self) -> Result<u32, String> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => size(text),
        }
    }
}

impl Manifest {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_named(path, LONGEST, "no manifest is larger than 128 MiB")?;
        let text = std::str::from_utf8(&text).map_err(|_| Failure::usage(format!("{} is no text", path.display())))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self::parse(text, folder).map_err(|reason| Failure::usage(format!("{}: {reason}", path.display())))
    }

    fn parse(text: &str, folder: PathBuf) -> Result<Self, String> {
        let written: Written = toml::from_str(text).map_err(|error| said(text, &error))?;
        let Flash { size, block, write } = &written.flash;
        let geometry = Geometry { flash: size.bytes()?, block: block.bytes()?, write: write.bytes()?, objects: 0 };
        geometry.check().map_err(|reason| format!("no store fits such a flash: {reason}"))?;
        for entry in &written.key {
            if entry.name.is_empty() || entry.name.len() > 255 {
                return Err("a key has a name of 1 to 255 bytes".to_owned());
            }
            if entry.client == u32::MAX {
                return Err(format!("key {}: clients are numbered from 0 to {}", entry.name, u32::MAX - 1));
            }
            let source = entry.text.clone().or(entry.file.as_ref().map(|file| file.to_string_lossy().into_owned()));
            if written.devices.is_none() && source.is_some_and(|source| source.contains("{device}")) {
                return Err(format!("key {} names {{device}}, but there are no [devices]", entry.name));
            }
            if entry.text.is_some() == entry.file.is_some() {
                return Err(format!("key {} needs a text or a file, one of them", entry.name));
            }
        }
        let mut names: Vec<_> = written.key.iter().map(|entry| (entry.client, &entry.name)).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
            return Err(format!("key {} is there twice", twice.1));
        }
        if let Some(batch) = &written.devices {
            batch.check()?;
        }
        if written.heads == 0 {
            return Err("a store has from 1 to 65535 bucket heads".to_owned());
        }
        let heads = written.heads.into();
        Ok(Self { suite: written.suite, geometry, heads, batch: written.devices, entries: written.key, folder })
    }

    /// The value of an entry on one device.
    pub(crate) fn value(&self, entry: &Entry, device: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if let Some(text) = &entry.text {
            return Ok(Zeroizing::new(text.replace("{device}", device).into_bytes()));
        }
        let file = entry.file.as_deref().unwrap_or(Path::new(""));
        let flash = self.geometry.flash;
        read_named(&self.file_of(file, device), flash.into(), &format!("the whole flash has {flash} bytes"))
    }

    fn file_of(&self, file: &Path, device: &str) -> PathBuf {
        self.folder.join(file.to_string_lossy().replace("{device}", device))
    }

    /// Whether the files of all these devices are there and may be read, before any device is made.
    pub(crate) fn check_files(&self, devices: &[String]) -> Result<(), Failure> {
        for file in self.entries.iter().filter_map(|entry| entry.file.as_deref()) {
            let differs = file.to_string_lossy().contains("{device}");
            let each = if differs { devices } else { devices.get(..1).unwrap_or_default() };
            for device in each {
                let path = self.file_of(file, device);
                let opened = fs::metadata(&path).and_then(|metadata| {
                    // Whoever opens a pipe waits for its other end.
                    if metadata.is_file() { File::open(&path).map(drop) } else { Ok(()) }
                });
                opened.map_err(|error| Failure::input(&path, &error))?;
            }
        }
        Ok(())
    }

    /// The secret from which the root keys of a batch follow.
    pub(crate) fn secret(&self, batch: &Batch) -> Result<Zeroizing<[u8; 32]>, Failure> {
        let path = self.folder.join(&batch.secret);
        let secret = read_key_bytes(&path).map_err(|error| Failure::input(&path, &error))?;
        secret.ok_or_else(|| {
            Failure::usage(format!("{} is not a secret of 32 bytes", path.display()))
                .hint(format!("make one with: head -c 32 /dev/urandom > {}", path.display()))
        })
    }
}

impl Batch {
    fn check(&self) -> Result<(), String> {
        if self.count.is_some() != self.names.is_empty() {
            return Err("devices need a count or names, one of them".to_owned());
        }
        if self.count.is_some_and(|count| count == 0 || count > DEVICES_MAX) {
            return Err(format!("a batch has from 1 to {DEVICES_MAX} devices"));
        }
        // Before the names are made: a million long ones would take all memory.
        if let Some(digits) = self.digits.filter(|digits| *digits > NAME_MAX) {
            return Err(format!("the name of a device has at most {NAME_MAX} letters and digits, not {digits}"));
        }
        if self.prefix.len() > NAME_MAX {
            return Err(format!("the name of a device has at most {NAME_MAX} letters and digits: the prefix has more"));
        }
        let mut names = self.devices();
        let is_plain = |name: &String| {
            let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            letters && !name.starts_with('.') && (1..=NAME_MAX).contains(&name.len())
        };
        if let Some(odd) = names.iter().find(|name| !is_plain(name)) {
            return Err(format!(
                "the name of a device is of letters, digits, - _ and ., 1 to {NAME_MAX} of them: not {odd:?}"
            ));
        }
        names.sort_unstable();
        match names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
            Some(twice) => Err(format!("device {twice} is there twice")),
            None => Ok(()),
        }
    }

    /// Names of all devices. Numbers have as many digits as the last one, or more if the manifest says so.
    pub(crate) fn devices(&self) -> Vec<String> {
        let Some(count) = self.count else { return self.names.clone() };
        let last = u64::from(self.first) + u64::from(count) - 1;
        let width = self.digits.unwrap_or(0).max(last.to_string().len());
        (u64::from(self.first)..=last).map(|number| format!("{}{number:0width$}", self.prefix)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "flash = { size = \"1M\", block = 4096, write = 4 }\n";

    #[test]
    fn a_batch_names_its_devices() {
        let text = format!("{GOOD}[devices]\nsecret = \"s\"\nprefix = \"dev-\"\nfirst = 9\ncount = 3\n");
        let manifest = Manifest::parse(&text, PathBuf::new()).unwrap();
        assert_eq!(manifest.batch.unwrap().devices(), ["dev-09", "dev-10", "dev-11"]);
        assert_eq!((manifest.suite, manifest.geometry.flash), (Suite::Ascon, 1 << 20));
    }

    #[test]
    fn nonsense_is_refused_with_the_reason() {
        let reasons: Vec<String> = [
            "",
            "flash = { size = \"1G\", block = 4096, write = 4 }",
            "flash = { size = 1.5, block = 4096, write = 4 }",
            "flash = { size = 4096, block = 4096, write = 4 }",
            &format!("{GOOD}[[key]]\nname = \"\"\ntext = \"x\""),
            &format!("{GOOD}[[key]]\nname = \"a\""),
            &format!("{GOOD}[[key]]\nname = \"a\"\ntext = \"x\"\n[[key]]\nname = \"a\"\ntext = \"y\""),
            &format!("{GOOD}[devices]\nsecret = \"s\""),
            &format!("{GOOD}[devices]\nsecret = \"s\"\ncount = 0"),
            &format!("{GOOD}[devices]\nsecret = \"s\"\ncount = 3\ndigits = 65536"),
            &format!("{GOOD}[devices]\nsecret = \"s\"\ncount = 3\ndigits = 101"),
            &format!("{GOOD}[devices]\nsecret = \"s\"\ncount = 3\nprefix = \"{}\"", "x".repeat(101)),
            &format!("{GOOD}[devices]\nsecret = \"s\"\nnames = [\"../up\"]"),
            &format!("{GOOD}[devices]\nsecret = \"s\"\nnames = [\"one\", \"one\"]"),
            &format!("{GOOD}volume = 3"),
        ]
        .iter()
        .map(|text| Manifest::parse(text, PathBuf::new()).unwrap_err())
        .collect();
        expect_test::expect![[r#"
            missing field `flash`, line 1
            a size is a number of bytes, with K or M for KiB and MiB
            a size is a whole number of bytes below 4 GiB, or a text such as "4K", line 1
            no store fits such a flash: at least four segments (of at least 2 KiB, 32 program units and one erase block each) must fit
            a key has a name of 1 to 255 bytes
            key a needs a text or a file, one of them
            key a is there twice
            devices need a count or names, one of them
            a batch has from 1 to 1000000 devices
            the name of a device has at most 100 letters and digits, not 65536
            the name of a device has at most 100 letters and digits, not 101
            the name of a device has at most 100 letters and digits: the prefix has more
            the name of a device is of letters, digits, - _ and ., 1 to 100 of them: not "../up"
            device one is there twice
            unknown field `volume`, expected one of `suite`, `flash`, `heads`, `devices`, `key`, line 2"#]]
        .assert_eq(&reasons.join("\n"));
    }
}
