//! `docs/performance.md` and its charts.
//!
//! The page is made from one run: each table holds ours and every peer, the lost comparisons are listed first, and what a
//! store could not do is said where its figure would stand.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::bars::Line;
use crate::cost::DEVICES;
use crate::measure::{Figures, Sheet};
use crate::report::grid::{Grid, number};
use crate::report::{charts, table, why};
use crate::stores::{Contender, Failure, GENEROUS, MEDIUM, Suite};
use crate::workloads::{KEYS, KEYS_LONG, LARGE, LENGTHS, LEVELS, SIZES, Scale, UNITS};

/// Writes the page and its charts below `docs`.
///
/// # Errors
/// Whatever the file system returns.
pub fn write(docs: &Path, sheet: &Sheet, lines: &[Line], scale: Scale) -> io::Result<()> {
    let folder = docs.join("performance");
    std::fs::create_dir_all(&folder)?;
    for chart in charts::all(sheet) {
        std::fs::write(folder.join(format!("{}.svg", chart.name)), chart.svg)?;
    }
    std::fs::write(docs.join("performance.md"), page(sheet, lines, scale))
}

/// The page.
#[must_use]
pub fn page(sheet: &Sheet, lines: &[Line], scale: Scale) -> String {
    let mut page = Page { text: String::new(), sheet, charts: charts::all(sheet) };
    page.opening(scale);
    page.bars(lines);
    page.first();
    page.others();
    page.keys(scale);
    page.fills();
    page.shapes();
    page.starts();
    page.cost();
    page.ending();
    page.text
}

struct Page<'s> {
    text: String,
    sheet: &'s Sheet,
    charts: Vec<charts::Chart>,
}

type Figure = fn(&Figures) -> f64;
/// A column: its title, the task and the figure in it.
type Column = (String, String, Figure);

const READ: Figure = |figures| figures.tally.bytes_read();
const CALLS: Figure = |figures| figures.tally.reads();
const WORST_CALLS: Figure = |figures| figures.tally.worst.reads as f64;
const WORST_READ: Figure = |figures| figures.tally.worst.bytes_read as f64;
const WRITTEN: Figure = |figures| figures.tally.amplification();
const ERASES: Figure = |figures| figures.tally.per(figures.tally.total.erases);
const ALL_ERASES: Figure = |figures| figures.tally.total.erases as f64;
const WORST_WRITTEN: Figure = |figures| figures.tally.worst.bytes_programmed as f64;
const WORST_ERASES: Figure = |figures| figures.tally.worst.erases as f64;
const RAM: Figure = |figures| figures.ram as f64;
const DERIVED: Figure = |figures| figures.derived;
const SPREAD: Figure = |figures| f64::from(figures.wear.1 - figures.wear.0);

fn column(title: &str, task: &str, figure: Figure) -> Column {
    (title.to_owned(), task.to_owned(), figure)
}

impl Page<'_> {
    fn say(&mut self, text: &str) {
        let raw = ["```", "|", "#"].iter().any(|begin| text.starts_with(begin));
        let text = if raw { text.to_owned() } else { wrapped(text) };
        let _ = writeln!(self.text, "{}\n", text.trim_end());
    }

    fn grid(&mut self, grid: &Grid) {
        let _ = writeln!(self.text, "{}", grid.markdown());
    }

    fn chart(&mut self, name: &str) {
        if let Some(chart) = self.charts.iter().find(|chart| chart.name == name) {
            let _ = writeln!(self.text, "![{}](performance/{}.svg)\n", chart.alt, chart.name);
        }
    }

    /// Rows of stores. The best figure of a column is bold; what a store could not do is said in its cell.
    fn table(&mut self, stores: &[Contender], columns: &[Column], more_is_better: bool) {
        let find = |store: Contender, column: &Column| self.sheet.find(&column.1, store).map(column.2);
        let best: Vec<f64> = columns
            .iter()
            .map(|column| {
                let figures =
                    stores.iter().filter_map(|store| find(*store, column)).filter(|figure| figure.is_finite());
                if more_is_better { figures.fold(f64::MIN, f64::max) } else { figures.fold(f64::MAX, f64::min) }
            })
            .collect();
        let mut grid = Grid::new(std::iter::once(String::new()).chain(columns.iter().map(|column| column.0.clone())));
        for store in stores {
            let mut cells = vec![store.name()];
            for (column, best) in columns.iter().zip(&best) {
                cells.push(match find(*store, column) {
                    Some(figure) if number(figure) == number(*best) => format!("**{}**", number(figure)),
                    Some(figure) => number(figure),
                    None => self.reason(*store, &column.1),
                });
            }
            grid.push(cells);
        }
        self.grid(&grid);
    }

    /// Why there is no figure, in a word or two.
    fn reason(&self, store: Contender, task: &str) -> String {
        // A workload that ended early has a row named after it: `keys` for `keys 10 get`.
        let fails = |row: &&crate::measure::Row| row.contender == store && task.starts_with(row.task.as_str());
        let rows = self.sheet.rows.iter().filter(fails);
        // Its puts may have failed where a column is about gets.
        let puts = task.rsplit_once(' ').map(|(begin, _)| begin);
        let siblings = self.sheet.rows.iter().filter(|row| {
            row.contender == store
                && puts.is_some_and(|begin| row.task.rsplit_once(' ').is_some_and(|(of, _)| of == begin))
        });
        match rows.chain(siblings).find_map(|row| row.outcome.as_ref().err()) {
            Some(Failure::Full) => "full".to_owned(),
            Some(Failure::Unsupported(what)) if what.starts_with("not built") => "not built".to_owned(),
            Some(Failure::Unsupported(what)) if what.starts_with("not run") => "not run".to_owned(),
            Some(Failure::Unsupported(_)) => "can't".to_owned(),
            Some(Failure::Failed(what)) if what.starts_with("stopped") => "too slow".to_owned(),
            Some(Failure::Failed(what)) if what.starts_with("not tried") => "not tried".to_owned(),
            Some(Failure::Failed(_)) => "failed".to_owned(),
            None => String::new(),
        }
    }

    fn opening(&mut self, scale: Scale) {
        self.say("# Performance");
        self.say(
            "Lockstone and its peers of the Rust registry, side by side on one simulated NOR flash. This page and its charts \
             are written by one command and not by hand:",
        );
        let quick = if scale.quick { " --quick" } else { "" };
        self.say(&format!(
            "```text\ncargo run --release --manifest-path bench/Cargo.toml --features littlefs --{quick} --write-docs\n```"
        ));
        self.say(
            "`--quick --json` prints the same as one object a line in less than three minutes. Without `--features littlefs`, \
             which needs a C compiler and libclang, that peer is left out.",
        );
        self.say(
            "All figures are counted by the simulator, for one operation, and are the same on every machine; times are \
             ratios. The part has 64 blocks of 4,096 bytes and a program unit of 4 bytes unless said otherwise, reads any \
             bytes, and lets peers program a unit twice that ask for it. WA is write amplification, bytes programmed over bytes of \
             names and values. Bold is the best of a column. *Lockstone ascon* \
             encrypts and authenticates what it stores with a tag of 16 bytes, *plain* and all peers do not: that tag alone \
             is 0.3 of write amplification in W1. 2k, 4k and 8k are RAM in all as on a 64-bit host: heads, buffers, state and \
             the store itself; of peers too, with their heap. *not run* is explained at the end.",
        );
        let mut grid = Grid::new(["", "version, and what it needs"]);
        for store in charts::stores(MEDIUM) {
            grid.push(vec![store.name(), store.note().to_owned()]);
        }
        // Text reads better from the left.
        self.say(grid.markdown().replace("---:", "---").trim_end());
    }

    fn bars(&mut self, lines: &[Line]) {
        self.say("## What was to be reached");
        self.say(
            "Ours are sealed unless a row says otherwise. The best peer is the best of this run for that row alone, sealed or \
             not; where a row limits RAM, of those with at most twice as much.",
        );
        self.grid(&table::bars(lines));
        let lost = |line: &&Line| {
            let worse = |value: f64, peer: f64| if line.more_is_better { value < peer } else { value > peer };
            line.value.zip(line.peer.as_ref()).is_some_and(|(value, (_, peer))| worse(value, *peer))
        };
        self.say("### Where a peer is ahead of us");
        let rows: Vec<String> = lines
            .iter()
            .filter(lost)
            .map(|line| {
                let (name, peer) = line.peer.clone().unwrap_or_default();
                let unit = if line.unit.is_empty() { String::new() } else { format!(" {}", line.unit) };
                format!(
                    "- {}: {}{unit}, {name} {}{unit}",
                    line.name,
                    number(line.value.unwrap_or(f64::NAN)),
                    number(peer)
                )
            })
            .collect();
        self.say(&rows.join("\n"));
        self.say("### What is missed, and why");
        self.say(
            "What a model says of each bar that is missed in this run (`bench/src/model.rs`), and what reaching it would take.",
        );
        self.say(&why::missed(self.sheet, lines).join("\n"));
    }

    fn first(&mut self) {
        self.say("## W1: 100 keys");
        self.say(
            "Names of 4 to 15 characters, values of 16 to 64 bytes; filled, 10,000 random updates, 10,000 random gets, gets of \
             missing keys, a mount.",
        );
        ["w1-get", "w1-update", "w1-written"].into_iter().for_each(|name| self.chart(name));
        let stores = sizes();
        let columns = [
            column("RAM, B", "W1 mount", RAM),
            column("get, B", "W1 get", READ),
            column("calls", "W1 get", CALLS),
            column("worst", "W1 get", WORST_CALLS),
            column("miss, B", "W1 miss", READ),
            column("update reads, B", "W1 update", READ),
            column("calls", "W1 update", CALLS),
            column("WA", "W1 update", WRITTEN),
            column("erases", "W1 update", ERASES),
            column("mount, B", "W1 mount", READ),
            column("first gets, B", "W1 first gets", READ),
        ];
        self.table(&stores, &columns, false);
        self.say("Time on the host over that of `lockstone plain 8k`, in the same run; differs by machine and load:");
        let mut grid = Grid::new(["", "update", "get", "miss"]);
        for store in stores {
            let ratio = |task: &str| {
                let row = self.sheet.rows.iter().find(|row| row.task == task && row.contender == store)?;
                table::time_ratio(self.sheet, row).map(number)
            };
            let cells = ["W1 update", "W1 get", "W1 miss"].map(|task| ratio(task).unwrap_or_default());
            grid.push(std::iter::once(store.name()).chain(cells).collect());
        }
        self.grid(&grid);
    }

    fn others(&mut self) {
        self.say("## W2: 1,000 keys of 32 bytes");
        let columns = [
            column("RAM, B", "W2 get", RAM),
            column("get, B", "W2 get", READ),
            column("calls", "W2 get", CALLS),
            column("update reads, B", "W2 update", READ),
            column("calls", "W2 update", CALLS),
            column("WA", "W2 update", WRITTEN),
            column("erases", "W2 update", ERASES),
            column("worst read, B", "W2 update", WORST_READ),
        ];
        self.table(&sizes(), &columns, false);
        self.say("## W3: one hot key 100,000 times among 50 cold ones");
        self.chart("w3-wear");
        let columns = [
            column("erases", "W3 put", ALL_ERASES),
            column("most less fewest", "W3 put", SPREAD),
            column("WA", "W3 put", WRITTEN),
            column("worst put reads, B", "W3 put", WORST_READ),
            column("cold get, B", "W3 cold get", READ),
            column("worst calls", "W3 cold get", WORST_CALLS),
            column("miss, B", "W3 miss", READ),
            column("worst calls", "W3 miss", WORST_CALLS),
        ];
        self.table(&charts::stores(MEDIUM), &columns, false);
    }

    fn keys(&mut self, scale: Scale) {
        self.say("## More keys");
        self.say("Values of 32 bytes. 10,000 keys are on 1,024 blocks, 4 MiB.");
        self.chart("keys-get");
        self.chart("keys-miss");
        let title = |keys: usize| number(keys as f64);
        self.say("Up to 1,000 keys on 64 blocks; bytes read by a get and by a miss, and the worst calls of a get:");
        let few = KEYS.iter().filter(|keys| **keys < 10_000);
        let columns: Vec<Column> = few
            .flat_map(|keys| {
                [
                    column(&format!("get at {}", title(*keys)), &format!("keys {keys} get"), READ),
                    column("miss", &format!("keys {keys} miss"), READ),
                    column("worst calls", &format!("keys {keys} get"), WORST_CALLS),
                ]
            })
            .collect();
        self.table(&sizes(), &columns, false);
        self.many("10,000 keys on 1,024 blocks:", 10_000, GENEROUS);
        if !scale.quick {
            self.many("100,000 keys on 4,096 blocks, 16 MiB:", KEYS_LONG, LARGE);
        }
    }

    fn many(&mut self, text: &str, keys: usize, ram: usize) {
        self.say(text);
        let get = format!("keys {keys} get");
        let columns = [
            column("RAM, B", &get, RAM),
            column("get, B", &get, READ),
            column("calls", &get, CALLS),
            column("worst calls", &get, WORST_CALLS),
            column("miss, B", &format!("keys {keys} miss"), READ),
            column("put reads, B", &format!("keys {keys} put"), READ),
            column("WA of puts", &format!("keys {keys} put"), WRITTEN),
        ];
        self.table(&charts::stores(ram), &columns, false);
    }

    fn fills(&mut self) {
        self.say("## Full stores");
        self.say(
            "*Fill* is the share of the raw part that live records take, each with its header, tag and index pointers. *Copy \
             factor* is 1 + what an update programs beyond what it programs in a roomy store, over one record; 1 is no \
             copying. A ring copies whatever is live in the block that it frees, so it copies more when hot and cold keys \
             lie together.",
        );
        self.say(
            "Ours and cached sequential-storage are measured after 16,000 updates, the slow peers after 4,000 (6,000 and 2,000 in \
             a quick run). That flatters those peers where few keys are hot, for the free blocks of the first filling are not \
             used up: in a longer run esp-nvs had 3.0 at 80 %.",
        );
        self.chart("fill-uniform");
        self.chart("fill-skewed");
        for (choice, text) in [("uniform", "Uniform updates:"), ("95/5", "95 % of updates to 5 % of the keys:")] {
            self.say(text);
            let columns: Vec<Column> =
                LEVELS
                    .iter()
                    .map(|level| column(&format!("{level} %"), &format!("fill {choice} {level}"), DERIVED))
                    .chain([65, 80].map(|level| {
                        column(&format!("spread at {level} %"), &format!("fill {choice} {level}"), SPREAD)
                    }))
                    .collect();
            self.table(&charts::stores(MEDIUM), &columns, false);
        }
        self.say("The worst single put, in a store that holds 90 % of the keys that fit:");
        let columns = [
            column("programmed, B", "worst put", WORST_WRITTEN),
            column("erases", "worst put", WORST_ERASES),
            column("read, B", "worst put", WORST_READ),
            column("read calls", "worst put", WORST_CALLS),
        ];
        self.table(&charts::stores(MEDIUM), &columns, false);
        self.say(
            "How much fits, values of 32 bytes under names of 9, in percent of the raw part: names and values alone; and \
             records as they are written, with index pointers and without, where a put is one append. wasefire-store takes \
             no more than 4,095 keys.",
        );
        let columns = [
            column("keys", "usable keys", DERIVED),
            column("payload, %", "usable payload", DERIVED),
            column("records, %", "usable records", DERIVED),
            column("records without index, %", "usable records, no index", DERIVED),
        ];
        self.table(&charts::stores(MEDIUM), &columns, true);
    }

    fn shapes(&mut self) {
        self.say("## Transactions");
        self.say("The keys of W1, so many changed at once; bytes programmed over names and values, and what gets read later.");
        let columns: Vec<Column> = SIZES
            .iter()
            .flat_map(|size| {
                [
                    column(&format!("WA of {size}"), &format!("transaction {size} put"), WRITTEN),
                    column("get, B", &format!("transaction {size} get"), READ),
                ]
            })
            .collect();
        self.table(&charts::stores(MEDIUM), &columns, false);
        self.say("## Long and short values");
        self.chart("values");
        let of = |what: &str, figure: Figure| -> Vec<Column> {
            let task = |length: &usize| format!("value {length} {what}");
            LENGTHS.iter().map(|length| column(&number(*length as f64), &task(length), figure)).collect()
        };
        self.say(
            "Write amplification of puts, by bytes of the value. esp-nvs writes nothing when the value is there already, as an \
             empty one is:",
        );
        self.table(&charts::stores(MEDIUM), &of("put", WRITTEN), false);
        self.say("Bytes read by a get:");
        self.table(&charts::stores(MEDIUM), &of("get", READ), false);
        self.say("## Program units");
        self.chart("units");
        for (text, what, figure) in
            [("Write amplification of updates:", "update", WRITTEN), ("Bytes read by a get:", "get", READ)]
        {
            self.say(text);
            let task = |unit: &usize| format!("unit {unit} {what}");
            let columns: Vec<Column> =
                UNITS.iter().map(|unit| column(&unit.to_string(), &task(unit), figure)).collect();
            self.table(&charts::stores(MEDIUM), &columns, false);
        }
    }

    fn starts(&mut self) {
        self.say("## Starts");
        self.say(
            "Mounts after the power went and after an orderly end, with 200 to 1,800 keys of 32 bytes on 64 blocks and sixteen \
             times as many on 1,024, where the log happens to stand; and one get after each. Stores that read nothing at a mount \
             pay with the first gets. A store that is full before that is looked at with fewer keys.",
        );
        self.chart("mount");
        for (blocks, ram) in [(64, MEDIUM), (1024, GENEROUS)] {
            self.say(&format!("{} blocks; bytes read:", number(f64::from(blocks))));
            let task = |what: &str| format!("mount {blocks} {what}");
            let columns = [
                column("unclean, mean", &task("unclean"), READ),
                column("worst", &task("unclean"), WORST_READ),
                column("clean, mean", &task("clean"), READ),
                column("worst", &task("clean"), WORST_READ),
                column("the first get", &task("first get"), READ),
                column("worst", &task("first get"), WORST_READ),
                column("mount and get", &task("first get"), DERIVED),
            ];
            self.table(&charts::stores(ram), &columns, false);
        }
    }

    fn cost(&mut self) {
        self.say("## On parts that are sold");
        self.say(
            "Counts turned into time and energy with typical figures of data sheets: the part alone, without the processor \
             that seals, hashes and waits. They show orders of magnitude, and which count matters where: calls on a slow bus, \
             bytes programmed inside a microcontroller, any call at all on a card.",
        );
        self.chart("cost-update");
        self.chart("cost-get");
        for (task, text) in [("W1 update", "An update of W1"), ("W1 get", "A get of W1"), ("W1 mount", "A mount of W1")]
        {
            self.say(&format!("{text}, microseconds and microjoules:"));
            self.estimates(task);
        }
        let mut sources: Vec<String> = Vec::new();
        for (index, device) in DEVICES.iter().enumerate() {
            // Parts of one data sheet are named together.
            let same: Vec<&str> =
                DEVICES.iter().filter(|other| other.source == device.source).map(|other| other.name).collect();
            if DEVICES.iter().position(|other| other.source == device.source) == Some(index) {
                sources.push(format!("- {}: {}", same.join("; "), device.source));
            }
        }
        self.say(&sources.join("\n"));
    }

    fn estimates(&mut self, task: &str) {
        let header = DEVICES.iter().flat_map(|device| [format!("{}, µs", device.name), "µJ".to_owned()]);
        let mut grid = Grid::new(std::iter::once(String::new()).chain(header));
        for store in charts::stores(MEDIUM) {
            let Some(figures) = self.sheet.find(task, store) else { continue };
            let estimates = DEVICES.map(|device| device.estimate(&figures.tally.total, figures.tally.operations));
            let cells = estimates.iter().flat_map(|one| [number(one.microseconds), number(one.microjoules)]);
            grid.push(std::iter::once(store.name()).chain(cells).collect());
        }
        self.grid(&grid);
    }

    fn ending(&mut self) {
        self.say("## What a store could not do");
        let mut rows: Vec<String> = Vec::new();
        for row in &self.sheet.rows {
            if let Err(failure) = &row.outcome {
                rows.push(format!("- {}, {}: {failure}", row.task, row.contender.name()));
            }
        }
        if rows.is_empty() {
            rows.push("Nothing.".to_owned());
        }
        self.say(&rows.join("\n"));
        self.say("## What is not here");
        self.say(
            "- Stores in C (Zephyr NVS, TDBStore, SecureStore, littlefs by itself, TF-M): other figures of them in the README \
             come from other harnesses.\n- Behaviour under power cuts and damage: see [reliability.md](reliability.md).\n- \
             Code size and stack: `cargo xtask size`.\n- ekv depends on what it is built for. Built for 64 pages \
             (`--no-default-features --features ekv-64`) its mount reads half, and it can't be had on the large part.",
        );
        while self.text.ends_with("\n\n") {
            self.text.pop();
        }
    }
}

/// Lines of at most 120 characters. What belongs to an item of a list is indented.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if line.len() + word.len() >= 120 {
                lines.push(std::mem::take(&mut line));
                line.push_str(if paragraph.starts_with("- ") { "  " } else { "" });
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// Ours in all sizes, and all peers.
fn sizes() -> Vec<Contender> {
    let ours = [Suite::Ascon, Suite::Plain]
        .into_iter()
        .flat_map(|suite| [crate::stores::SMALL, MEDIUM, GENEROUS].map(|ram| Contender::Lockstone(suite, ram)));
    ours.chain(Contender::PEERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Tally;
    use crate::workloads::ASCON;

    #[test]
    fn long_text_is_wrapped() {
        let text = wrapped(&format!("- {}", "word ".repeat(40).trim_end()));
        assert!(
            text.lines().all(|line| line.len() <= 120) && text.lines().skip(1).all(|line| line.starts_with("  word"))
        );
        assert_eq!(wrapped("a b\nc"), "a b\nc");
    }

    #[test]
    fn a_page_can_be_made_of_nothing_and_of_failures() {
        let mut sheet = Sheet::default();
        assert!(page(&sheet, &[], Scale { quick: true }).contains("Nothing."));
        sheet.push("W1", Contender::Ekv, Err(Failure::Full));
        sheet.push("value 4096 put", Contender::Wasefire, Err(Failure::unsupported("long values")));
        let tally = Tally { operations: 1, ..Tally::default() };
        sheet.push("W1 get", ASCON, Ok(Figures { tally, ..Figures::default() }));
        let page = page(&sheet, &crate::bars::lines(&sheet), Scale { quick: true });
        assert!(page.contains("- W1, ekv: full") && page.contains("| can't |"), "{page}");
        assert!(page.ends_with("large part.\n"));
    }
}
