//! Report: what came of it, for people and for programs.

use std::io::{self, IsTerminal};

use lockstone_sim::Tear;

use super::attack::Outcomes;
use super::input::FIRMWARE_BYTES;
use super::life::{Flash, Tally};
use super::update::{Firmware, Update};

const BARS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const BLOCKS_A_LINE: usize = 64;

/// All figures of a demo.
pub(crate) struct Figures<'a> {
    pub(crate) seed: u64,
    pub(crate) source: &'a str,
    pub(crate) certificates: usize,
    pub(crate) keys: usize,
    pub(crate) tally: Tally,
    pub(crate) flips: Outcomes,
    pub(crate) swaps: Outcomes,
    /// What a device was updated with, and how that went.
    pub(crate) update: Option<(&'a Firmware, Update)>,
    /// The devices that lived.
    pub(crate) flashes: Vec<&'a Flash>,
    pub(crate) seconds: f64,
    /// The command that does the same again.
    pub(crate) replay: String,
}

/// Writes in colour if someone may look at it.
struct Paint(bool);

impl Paint {
    fn new() -> Self {
        Self(io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    fn with(&self, code: u8, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn good(&self, text: &str) -> String {
        self.with(32, text)
    }

    fn bad(&self, text: &str) -> String {
        self.with(31, text)
    }

    /// Green if it is zero.
    fn zero(&self, number: u32, of: &str) -> String {
        let text = format!("{number} {of}");
        if number == 0 { self.good(&text) } else { self.bad(&text) }
    }
}

impl Figures<'_> {
    /// What was lost, wrong or undetected first.
    pub(crate) fn trouble(&self) -> Option<&str> {
        let update = self.update.as_ref().and_then(|(_, update)| update.trouble.as_deref());
        let lived = [&self.tally.trouble, &self.flips.trouble, &self.swaps.trouble];
        lived.into_iter().find_map(Option::as_deref).or(update)
    }

    fn bytes_programmed(&self) -> u64 {
        self.flashes.iter().map(|flash| flash.counts().bytes_programmed).sum()
    }

    /// Fewest and most erases of any block.
    fn erases(&self) -> (u32, u32) {
        let counts = || self.flashes.iter().flat_map(|flash| flash.erase_counts()).copied();
        (counts().min().unwrap_or(0), counts().max().unwrap_or(0))
    }

    pub(crate) fn as_json(&self) -> serde_json::Value {
        let (erase_min, erase_max) = self.erases();
        let tears: serde_json::Map<_, _> = Tear::ALL
            .iter()
            .zip(self.tally.tears)
            .map(|(tear, times)| (tear.name().to_owned(), times.into()))
            .collect();
        serde_json::json!({
            "seed": self.seed,
            "cuts": self.tally.cuts,
            "cuts_in_recovery": self.tally.cuts_in_recovery,
            "tears": tears,
            "keys": self.keys,
            "certificates": self.certificates,
            "changes": self.tally.changes,
            "lost": self.tally.lost,
            "wrong": self.tally.wrong,
            "unmountable": self.tally.unmountable,
            "flips": self.flips.tried,
            "flips_caught": self.flips.caught,
            "flips_harmless": self.flips.harmless,
            "flips_undetected": self.flips.undetected,
            "swaps": self.swaps.tried,
            "swaps_caught": self.swaps.caught,
            "swaps_harmless": self.swaps.harmless,
            "swaps_undetected": self.swaps.undetected,
            "firmware_bytes": self.update.as_ref().map(|(firmware, _)| firmware.length()),
            "firmware_cuts": self.update.as_ref().map(|(_, update)| update.cuts_receiving + update.cuts_installing),
            "firmware_pieces_again": self.update.as_ref().map(|(_, update)| update.again),
            "firmware_runs": self.update.as_ref().map(|(_, update)| update.runs),
            "devices": self.flashes.len(),
            "flash_bytes": self.flashes.first().map(|flash| flash.capacity()),
            "violations": self.flashes.iter().map(|flash| flash.violations()).sum::<u32>(),
            "bytes_programmed": self.bytes_programmed(),
            "bytes_payload": self.tally.payload,
            "erase_min": erase_min,
            "erase_max": erase_max,
            "trouble": self.trouble(),
            "seconds": (self.seconds * 1000.0).round() / 1000.0,
        })
    }

    pub(crate) fn as_text(&self) -> String {
        let paint = Paint::new();
        let lines = [
            self.picture(&paint),
            self.story(&paint),
            self.attacks(&paint),
            self.updated(&paint),
            self.verdict(&paint),
        ];
        lines.concat()
    }

    /// The flash of the first device, a bar a block: how often it was erased, and in colour whether anything is in it.
    fn picture(&self, paint: &Paint) -> String {
        let Some(flash) = self.flashes.first() else { return String::new() };
        let most = flash.erase_spread().1;
        let block_bytes = flash.capacity() / flash.blocks().max(1);
        let bars: Vec<_> = flash
            .erase_counts()
            .iter()
            .zip(flash.data().chunks(block_bytes))
            .map(|(erases, content)| {
                let is_blank = content.iter().all(|byte| *byte == flash.erased());
                paint.with(if is_blank { 90 } else { 36 }, bar_of(*erases, most))
            })
            .collect();
        let title = paint.with(1, "LOCKSTONE");
        let (size, blocks) = (flash.capacity() / 1024, flash.blocks());
        let devices = self.flashes.len();
        let what = format!("1 of {devices} devices, {size} KiB: how often each of {blocks} blocks was erased");
        let mut text = format!("\n  {title}  {what}\n\n");
        for line in bars.chunks(BLOCKS_A_LINE) {
            text.push_str(&format!("  ▕{}▏\n", line.concat()));
        }
        text.push('\n');
        text
    }

    fn story(&self, paint: &Paint) -> String {
        let tally = &self.tally;
        let (erase_min, erase_max) = self.erases();
        let programmed = self.bytes_programmed();
        let amplification = programmed as f64 / tally.payload.max(1) as f64;
        let torn: Vec<_> = Tear::ALL.iter().zip(tally.tears).map(|(tear, times)| format!("{tear} {times}")).collect();
        let in_recovery = grouped(tally.cuts_in_recovery);
        let (lost, wrong) = (paint.zero(tally.lost, "lost"), paint.zero(tally.wrong, "wrong"));
        let unmountable = paint.zero(tally.unmountable, "unmountable");
        let payload = megabytes(tally.payload);
        let rows = [
            ("stored", format!("{} certificates of {}", self.certificates, self.source)),
            ("", format!("a private key, a configuration, a boot counter, firmware of {} KiB", FIRMWARE_BYTES / 1024)),
            ("changed", format!("{} times, also several keys at once", grouped(tally.changes))),
            (
                "power cut",
                format!("{} times, {in_recovery} of them while waking up from the last one", grouped(tally.cuts)),
            ),
            ("torn", torn[..4].join(" · ")),
            ("", torn[4..7].join(" · ")),
            ("", torn[7..].join(" · ")),
            ("verified", format!("every key after every cut: {lost} · {wrong} · {unmountable}")),
            ("wear", format!("{erase_min} to {erase_max} erases a block")),
            (
                "written",
                format!("{} for {payload} of names and values: {amplification:.2} times", megabytes(programmed)),
            ),
        ];
        table(paint, &rows)
    }

    fn attacks(&self, paint: &Paint) -> String {
        let row = |outcomes: &Outcomes, what: &str| {
            let undetected = paint.zero(outcomes.undetected, "undetected");
            format!(
                "{} {what}: {} caught · {} hit dead data · {undetected}",
                outcomes.tried, outcomes.caught, outcomes.harmless
            )
        };
        table(paint, &[("attacked", row(&self.flips, "bits flipped")), ("", row(&self.swaps, "blocks swapped"))])
    }

    fn updated(&self, paint: &Paint) -> String {
        let Some((firmware, update)) = &self.update else { return String::new() };
        let again = paint.zero(update.again, "had to come again");
        let runs = if update.runs { paint.good("it runs, to the byte") } else { paint.bad("it does not run") };
        let rows = [
            ("updated", format!("with {} of {}, in random pieces", kib(firmware.length()), firmware.source)),
            ("", format!("power cut {} times while they came: {again}", update.cuts_receiving)),
            ("installed", format!("over the running code, power cut {} times: {runs}", update.cuts_installing)),
        ];
        table(paint, &rows)
    }

    fn verdict(&self, paint: &Paint) -> String {
        let seconds = format!("{:.1} s, seed {}", self.seconds, self.seed);
        match self.trouble() {
            None => {
                let verdict = paint.good("Everything that was acknowledged is still there, to the byte.");
                format!("\n  {verdict}\n  ({seconds})\n\n")
            }
            Some(trouble) => format!("\n  {}  ({seconds})\n  replay: {}\n\n", paint.bad(trouble), self.replay),
        }
    }
}

fn table(paint: &Paint, rows: &[(&str, String)]) -> String {
    let row = |(name, text): &(&str, String)| format!("  {}  {text}\n", paint.with(2, &format!("{name:<9}")));
    rows.iter().map(row).collect::<String>()
}

fn bar_of(erases: u32, most: u32) -> &'static str {
    let eighths = erases.saturating_mul(8).div_ceil(most.max(1));
    usize::try_from(eighths).ok().and_then(|eighths| BARS.get(eighths)).copied().unwrap_or("█")
}

/// `1,234,567`
fn grouped(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

fn kib(bytes: usize) -> String {
    format!("{} KiB", bytes.div_ceil(1024))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::{bar_of, grouped};

    #[test]
    fn numbers_and_bars_are_drawn() {
        assert_eq!([0, 999, 1000, 1_234_567].map(|number: u64| grouped(number)), ["0", "999", "1,000", "1,234,567"]);
        let bars = [0, 1, 10, 79, 80].map(|erases| bar_of(erases, 80));
        assert_eq!((bars, bar_of(0, 0)), ([" ", "▁", "▁", "█", "█"], " "));
    }
}
