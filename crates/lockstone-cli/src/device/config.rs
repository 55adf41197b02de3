//! `device.toml`: what a device is made of.

use clap::ValueEnum;
use lockstone::seal::Suite as _;
use lockstone::{Aes, Ascon, Layout, LayoutError, OpenError, Part, Plain, VolumeEntry, VolumeKind, VolumeTable};
use serde::{Deserialize, Serialize};

use super::{COUNTER_MAX, HEADS};
use crate::exit::{Exit, Failure};
use crate::file_flash::FlashError;

const VERSION: u32 = 1;
const PREFACE: &str = "# A Lockstone device, made by `lockstone new`. Sizes are in bytes. Don't edit.\n";

/// How records are sealed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Suite {
    /// Private and authentic (Ascon-XOF128).
    Ascon,
    /// Private and authentic (AES-SIV, RFC 5297).
    Aes,
    /// A checksum against accidents; nothing is secret.
    Plain,
}

impl Suite {
    /// Its number in the format.
    pub(crate) const fn id(self) -> u8 {
        match self {
            Self::Ascon => Ascon::ID,
            Self::Aes => Aes::ID,
            Self::Plain => Plain::ID,
        }
    }

    /// The one of this number.
    fn of_id(id: u8) -> Option<Self> {
        [Self::Ascon, Self::Aes, Self::Plain].into_iter().find(|suite| suite.id() == id)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ascon => "ascon",
            Self::Aes => "aes",
            Self::Plain => "plain",
        }
    }
}

/// Sizes of the flash in bytes.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Geometry {
    pub(crate) flash: u32,
    pub(crate) block: u32,
    pub(crate) write: u32,
    /// The last so many bytes are not for keys: a volume for objects, unless the store keeps a table that says otherwise.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) objects: u32,
}

/// Whether a device has no bytes of something.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_none(bytes: &u32) -> bool {
    *bytes == 0
}

/// A block of objects has at least so many bytes.
const OBJECT_BLOCK: u32 = 4096;
/// From this size on a flash has room for objects, if nobody says otherwise.
const WITH_OBJECTS: u32 = 4 << 20;

impl Geometry {
    /// The same with the usual room for objects: three quarters of a flash that is large enough for some.
    pub(crate) const fn with_usual_objects(self) -> Self {
        let objects = if self.flash < WITH_OBJECTS || self.block == 0 {
            0
        } else {
            let three_quarters = self.flash - self.flash / 4;
            three_quarters - three_quarters % self.object_block()
        };
        Self { objects, ..self }
    }

    /// Bytes of the volume for keys.
    pub(crate) const fn store(&self) -> u32 {
        self.flash.saturating_sub(self.objects)
    }

    /// The volume table of a device whose store keeps none.
    pub(crate) fn table(&self) -> VolumeTable {
        let keys = VolumeEntry::new(VolumeKind::Keys, 0, 0, self.store());
        let behind = VolumeEntry::new(VolumeKind::Objects, 0, self.store(), self.objects);
        if self.objects == 0 { VolumeTable::constant(&[keys]) } else { VolumeTable::constant(&[keys, behind]) }
    }

    /// Bytes of a block of objects: whole erase blocks.
    const fn object_block(&self) -> u32 {
        self.block.saturating_mul(OBJECT_BLOCK.div_ceil(self.block))
    }

    /// The part as the engine sees it: the file's driver has finer units than the flash it stands for.
    pub(crate) const fn part(&self) -> Part {
        // Time is cheap on a host: what is damaged is worth knowing before it matters.
        Part::NOR.with_units(self.write as usize, self.block as usize).thoroughly()
    }

    /// Why no store fits, if so.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let (write, block, flash) = (self.write as usize, self.block as usize, self.flash as usize);
        Layout::of(1, write, block, self.store() as usize).map_err(|error| match error {
            LayoutError::TooSmall if self.objects > 0 => {
                "the volume for objects leaves too little for the keys, which need at least four segments"
            }
            error => error.reason(),
        })?;
        if !block.is_multiple_of(128) {
            return Err("the erase block of a device directory must be a multiple of 128 bytes");
        }
        if !flash.is_multiple_of(block) {
            return Err("the flash must be a whole number of erase blocks");
        }
        if !self.objects.is_multiple_of(self.block) {
            return Err("the volume for objects must be a whole number of erase blocks");
        }
        if self.objects > 0 && self.objects / self.object_block() < 2 {
            return Err("the volume for objects must have at least two blocks of at least 4 KiB");
        }
        Ok(())
    }
}

/// The content of `device.toml`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    format: u32,
    pub(crate) suite: Suite,
    pub(super) heads: usize,
    /// Steps of the counter, if fewer than a store can ever count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counter_limit: Option<u32>,
    pub(crate) geometry: Geometry,
}

impl Config {
    pub(crate) const fn new(suite: Suite, geometry: Geometry) -> Self {
        Self::with_heads(suite, geometry, HEADS)
    }

    /// The same for a store that was formatted elsewhere.
    pub(crate) const fn with_heads(suite: Suite, geometry: Geometry, heads: usize) -> Self {
        Self { format: VERSION, suite, heads, counter_limit: None, geometry }
    }

    /// The same with a counter that has only so many steps.
    pub(crate) const fn with_counter_limit(self, counter_limit: Option<u32>) -> Self {
        Self { counter_limit, ..self }
    }

    /// The same, sealed in another way.
    pub(crate) const fn with_suite(self, suite: Suite) -> Self {
        Self { suite, ..self }
    }

    pub(crate) fn counter_limit(&self) -> u32 {
        self.counter_limit.unwrap_or(COUNTER_MAX)
    }

    pub(super) fn damaged(what: &str) -> Failure {
        Failure::new(Exit::Damaged, format!("device.toml {what}")).hint("was it edited? Nothing was changed")
    }

    /// The store can't be opened: which lines of this may be wrong.
    pub(super) fn misfit(&self, error: OpenError<FlashError>) -> Failure {
        let named = |sentence: String, lines: &str| {
            let hint = format!("{lines}? Nothing was changed by looking");
            Failure::new(Exit::Damaged, sentence).hint(hint)
        };
        match error {
            OpenError::Heads { .. } => named(
                format!("{error}, but device.toml says {}", self.heads),
                "was `heads` in device.toml edited, or flash.bin replaced",
            ),
            OpenError::Incompatible { suite, .. } if suite != self.suite.id() => named(
                match Suite::of_id(suite) {
                    Some(found) => {
                        format!(
                            "the store is of the suite {}, but device.toml says {}",
                            found.name(),
                            self.suite.name()
                        )
                    }
                    None => error.to_string(),
                },
                "was `suite` in device.toml edited, or flash.bin replaced",
            ),
            OpenError::Incompatible { .. } | OpenError::NotAuthentic | OpenError::Unknown => named(
                error.to_string(),
                "was flash.bin or trusted/root.key replaced, or `block`, `write` or `objects` in device.toml edited",
            ),
            error => error.into(),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let damaged = Self::damaged;
        let config: Self =
            toml::from_str(text).map_err(|error| damaged(&format!("can't be read: {}", error.message())))?;
        if config.format != VERSION {
            return Err(damaged(&format!("is of format {}, this program knows {VERSION}", config.format)));
        }
        if !(1..=0xffff).contains(&config.heads) {
            return Err(damaged(&format!("says {} bucket heads, a store has from 1 to 65535", config.heads)));
        }
        if !(2..=COUNTER_MAX).contains(&config.counter_limit()) {
            return Err(damaged(&format!(
                "says a counter limit of {}, it is from 2 to {COUNTER_MAX}",
                config.counter_limit()
            )));
        }
        config.geometry.check().map_err(|reason| damaged(&format!("describes no possible flash: {reason}")))?;
        Ok(config)
    }

    pub(crate) fn to_text(self) -> Result<String, Failure> {
        let text = toml::to_string(&self);
        text.map(|text| format!("{PREFACE}{text}")).map_err(|error| Failure::new(Exit::Io, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let config = Config::new(Suite::Plain, Geometry { flash: 1 << 20, block: 4096, write: 4, objects: 0 });
        let text = config.to_text().unwrap();
        expect_test::expect![[r#"
            # A Lockstone device, made by `lockstone new`. Sizes are in bytes. Don't edit.
            format = 1
            suite = "plain"
            heads = 1024

            [geometry]
            flash = 1048576
            block = 4096
            write = 4
        "#]]
        .assert_eq(&text);
        assert_eq!(Config::parse(&text).unwrap(), config);
        let large = Config::new(Suite::Ascon, Geometry { flash: 16 << 20, ..config.geometry }.with_usual_objects());
        let text = large.to_text().unwrap();
        assert!(text.ends_with("write = 4\nobjects = 12582912\n"), "{text}");
        assert_eq!(Config::parse(&text).unwrap(), large);
        let fuses = config.with_counter_limit(Some(32));
        let text = fuses.to_text().unwrap();
        assert!(text.contains("counter_limit = 32\n"), "{text}");
        assert_eq!(Config::parse(&text).unwrap(), fuses);
    }

    #[test]
    fn nonsense_is_refused_with_the_reason() {
        let good = Config::new(Suite::Ascon, Geometry { flash: 1 << 20, block: 4096, write: 4, objects: 0 })
            .to_text()
            .unwrap();
        let refused = |from: &str, to: &str| Config::parse(&good.replace(from, to)).unwrap_err().sentence().to_owned();
        let sentences = [
            refused("format = 1", "format = 2"),
            refused("ascon", "rot13"),
            refused("1024", "0"),
            refused("heads", "counter_limit = 1\nheads"),
            refused("write = 4", "write = 3"),
            refused("flash = 1048576", "flash = 1048577"),
            refused("flash = 1048576", "volume = 3"),
            refused("write = 4", "write = 4\nobjects = 5000"),
            refused("write = 4", "write = 4\nobjects = 4096"),
            refused("write = 4", "write = 4\nobjects = 1044480"),
            refused("write = 4", "write = 4\nobjects = 2097152"),
            Config::parse("{").unwrap_err().sentence().to_owned(),
        ];
        expect_test::expect![[r#"
            device.toml is of format 2, this program knows 1
            device.toml can't be read: unknown variant `rot13`, expected one of `ascon`, `aes`, `plain`
            device.toml says 0 bucket heads, a store has from 1 to 65535
            device.toml says a counter limit of 1, it is from 2 to 2147483647
            device.toml describes no possible flash: the program unit must be a power of two from 1 to 512 bytes
            device.toml describes no possible flash: the flash must be a whole number of erase blocks
            device.toml can't be read: unknown field `volume`, expected one of `flash`, `block`, `write`, `objects`
            device.toml describes no possible flash: the volume for objects must be a whole number of erase blocks
            device.toml describes no possible flash: the volume for objects must have at least two blocks of at least 4 KiB
            device.toml describes no possible flash: the volume for objects leaves too little for the keys, which need at least four segments
            device.toml describes no possible flash: the volume for objects leaves too little for the keys, which need at least four segments
            device.toml can't be read: invalid key-value pair, expected key"#]]
        .assert_eq(&sentences.join("\n"));
    }
}
