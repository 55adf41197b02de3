//! `device.toml`: what a device is made of, as the command line writes it.
//!
//! Only the lines that the command line writes are read, each once; anything else is refused.
#![forbid(unsafe_code)]

use lockstone::Layout;

/// As far as a store can count.
const COUNTER_MAX: u32 = (1 << 31) - 1;

/// The content, sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) heads: u32,
    pub(super) counter_limit: u32,
    pub(super) flash: u32,
    pub(super) block: u32,
    pub(super) write: u32,
    /// The last so many bytes are for objects.
    pub(super) objects: u32,
}

impl Config {
    /// What is made when nobody says otherwise: 1 MiB, as the command line makes it.
    pub(super) const USUAL: Self =
        Self { heads: 1024, counter_limit: COUNTER_MAX, flash: 1 << 20, block: 4096, write: 4, objects: 0 };

    /// Bytes for keys.
    pub(super) const fn store(&self) -> u32 {
        self.flash.saturating_sub(self.objects)
    }

    /// Reads it; `None`: it makes no sense, or is of another suite than this library has.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut next =
            || lines.next().map(|line| line.split_once('=').map_or((line, ""), |(a, b)| (a.trim(), b.trim())));
        let number = |wanted: &str, (name, value): (&str, &str)| {
            if name == wanted { value.parse::<u32>().ok() } else { None }
        };
        number("format", next()?).filter(|format| *format == 1)?;
        let sealed = next()? == ("suite", "\"ascon\"");
        let mut config = Self { heads: number("heads", next()?)?, ..Self::USUAL };
        let mut line = next()?;
        if let Some(limit) = number("counter_limit", line) {
            config.counter_limit = limit;
            line = next()?;
        }
        let section = line == ("[geometry]", "");
        config.flash = number("flash", next()?)?;
        config.block = number("block", next()?)?;
        config.write = number("write", next()?)?;
        if let Some(line) = next() {
            config.objects = number("objects", line)?;
        }
        (sealed && section && next().is_none() && config.makes_sense()).then_some(config)
    }

    fn makes_sense(&self) -> bool {
        let whole = self.block.is_multiple_of(128) && self.block > 0 && self.flash.is_multiple_of(self.block);
        let layout = Layout::of(1, self.write as usize, self.block as usize, self.store() as usize);
        let counter = (2..=COUNTER_MAX).contains(&self.counter_limit);
        whole && counter && (1..=0xffff).contains(&self.heads) && layout.is_ok()
    }

    pub(super) fn to_text(self) -> String {
        let Self { heads, flash, block, write, .. } = self;
        format!(
            "# A Lockstone device, made by `lockstone new`. Sizes are in bytes. Don't edit.\n\
             format = 1\nsuite = \"ascon\"\nheads = {heads}\n\n\
             [geometry]\nflash = {flash}\nblock = {block}\nwrite = {write}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_the_command_line_may_add_too() {
        let text = Config::USUAL.to_text();
        assert_eq!(Config::parse(&text), Some(Config::USUAL));
        let fuses = text.replace("heads = 1024\n", "heads = 1024\ncounter_limit = 32\n");
        assert_eq!(Config::parse(&fuses), Some(Config { counter_limit: 32, ..Config::USUAL }));
        let objects = text.replace("1048576", "16777216") + "objects = 12582912\n";
        let config = Config { flash: 16 << 20, objects: 12 << 20, ..Config::USUAL };
        assert_eq!((Config::parse(&objects), config.store()), (Some(config), 4 << 20));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = Config::USUAL.to_text();
        for (from, to) in [
            ("format = 1", "format = 2"),
            ("ascon", "plain"),
            ("heads = 1024", "heads = 0"),
            ("heads = 1024", "heads = 1024\ncounter_limit = 1"),
            ("[geometry]", "[volumes]"),
            ("write = 4", "write = 3"),
            ("write = 4", "write = 4\nobjects = 1048576"),
            ("write = 4", "write = 4\nobjects = 0\nmore = 1"),
            ("write = 4", ""),
            ("block = 4096", "block = 0"),
            ("flash = 1048576", "flash = 1048577"),
            ("flash = 1048576", "flash = 99999999999"),
        ] {
            assert_eq!(Config::parse(&good.replace(from, to)), None, "{to}");
        }
        assert_eq!(Config::parse(""), None);
    }
}
