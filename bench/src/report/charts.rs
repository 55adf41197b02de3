//! The charts of the page: which figures of which stores, and what is written on them.

use crate::cost::DEVICES;
use crate::measure::{Figures, Sheet};
use crate::report::svg::{self, Series, Titles};
use crate::stores::{Contender, GENEROUS, MEDIUM, SMALL, Suite};
use crate::workloads::{ASCON, KEYS, LENGTHS, LEVELS, PLAIN, UNITS};

/// A file beside the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// Its name, without an ending.
    pub name: &'static str,
    /// What it shows, for those who can't see it.
    pub alt: &'static str,
    /// The picture.
    pub svg: String,
}

type Figure = fn(&Figures) -> f64;

const fn colour(contender: Contender) -> &'static str {
    match contender {
        Contender::Lockstone(Suite::Ascon, SMALL) => "#6fa8d0",
        Contender::Lockstone(Suite::Ascon, _) => "#00508f",
        Contender::Lockstone(Suite::Plain, SMALL) => "#a9d8f2",
        Contender::Lockstone(Suite::Plain, _) => "#35a7e0",
        Contender::Sequential { cached: false } => "#e69f00",
        Contender::Sequential { cached: true } => "#c65a00",
        Contender::Ekv => "#009e73",
        Contender::Littlefs => "#c77aa6",
        Contender::Wasefire => "#8a8a8a",
        Contender::EspNvs => "#7a4fa0",
    }
}

/// Ours, as most workloads run it, and all peers.
#[must_use]
pub fn stores(ram: usize) -> Vec<Contender> {
    let ours = [Suite::Ascon, Suite::Plain].map(|suite| Contender::Lockstone(suite, ram));
    ours.into_iter().chain(Contender::PEERS).collect()
}

fn all_sizes() -> Vec<Contender> {
    let ours = [Suite::Ascon, Suite::Plain]
        .into_iter()
        .flat_map(|suite| [SMALL, MEDIUM, GENEROUS].map(|ram| Contender::Lockstone(suite, ram)));
    ours.chain(Contender::PEERS).collect()
}

fn one(name: String, contender: Contender, values: Vec<Option<f64>>) -> Series {
    Series { name, colour: colour(contender), strong: contender.is_ours(), values }
}

fn series(sheet: &Sheet, stores: &[Contender], tasks: &[String], figure: Figure) -> Vec<Series> {
    let values = |contender| tasks.iter().map(|task| sheet.find(task, contender).map(figure)).collect();
    stores
        .iter()
        .map(|contender| one(contender.name(), *contender, values(*contender)))
        .filter(|series| series.values.iter().any(Option::is_some))
        .collect()
}

fn tasks(prefix: &str, of: &[usize], suffix: &str) -> Vec<String> {
    of.iter().map(|number| format!("{prefix} {number} {suffix}").trim_end().to_owned()).collect()
}

fn labels(of: &[usize]) -> Vec<String> {
    of.iter().map(|number| super::grid::number(*number as f64)).collect()
}

/// All charts.
#[must_use]
pub fn all(sheet: &Sheet) -> Vec<Chart> {
    let mut charts = small(sheet);
    charts.extend(grown(sheet));
    charts.extend(filled(sheet));
    charts.extend(shaped(sheet));
    charts.extend(spent(sheet));
    charts
}

/// W1 and W3: bars.
fn small(sheet: &Sheet) -> Vec<Chart> {
    let bars = |task: &str, figure: Figure, titles: Titles<'_>| {
        svg::bars(titles, &series(sheet, &all_sizes(), &[task.to_owned()], figure), true)
    };
    let note = "100 keys, values of 16 to 64 bytes, 64 blocks of 4 KiB, program unit 4; 2k, 4k, 8k: RAM in all; shorter is better";
    let get = Titles { title: "W1: what a get reads", note, axis: "bytes read by a get, logarithmic" };
    let update = Titles { title: "W1: what an update reads", note, axis: "bytes read by an update, logarithmic" };
    let written = Titles {
        title: "W1: what an update programs",
        note: "bytes programmed over bytes of name and value; only lockstone ascon is sealed; shorter is better",
        axis: "write amplification, logarithmic",
    };
    let wear = Titles {
        title: "W3: how evenly blocks wear",
        note: "one hot key 100,000 times among 50 cold ones; fewest and most erases of a block; narrow and to the left is better",
        axis: "erases of a block, logarithmic",
    };
    let wear_of = |contender: Contender| {
        let figures = sheet.find("W3 put", contender)?;
        let values = vec![Some(f64::from(figures.wear.0)), Some(f64::from(figures.wear.1))];
        Some(one(contender.name(), contender, values))
    };
    let worn: Vec<Series> = stores(MEDIUM).into_iter().filter_map(wear_of).collect();
    vec![
        Chart { name: "w1-get", alt: "Bytes read by a get", svg: bars("W1 get", |f| f.tally.bytes_read(), get) },
        Chart {
            name: "w1-update",
            alt: "Bytes read by an update",
            svg: bars("W1 update", |f| f.tally.bytes_read(), update),
        },
        Chart {
            name: "w1-written",
            alt: "Write amplification of updates",
            svg: bars("W1 update", |f| f.tally.amplification(), written),
        },
        Chart { name: "w3-wear", alt: "Fewest and most erases of a block", svg: svg::ranges(wear, &worn) },
    ]
}

/// Reads over the number of keys.
fn grown(sheet: &Sheet) -> Vec<Chart> {
    let lines = |suffix: &str, title| {
        // On the large part ours has 8 kB, on the small one 4: the line is drawn through both.
        let tasks = tasks("keys", &KEYS, suffix);
        let values = |contender: Contender| -> Vec<Option<f64>> {
            let larger = match contender {
                Contender::Lockstone(suite, _) => Contender::Lockstone(suite, GENEROUS),
                peer => peer,
            };
            let find = |task: &String| sheet.find(task, contender).or_else(|| sheet.find(task, larger));
            tasks.iter().map(|task| find(task).map(|figures| figures.tally.bytes_read())).collect()
        };
        let name = |contender: Contender| match contender {
            Contender::Lockstone(Suite::Ascon, _) => "lockstone ascon".to_owned(),
            Contender::Lockstone(Suite::Plain, _) => "lockstone plain".to_owned(),
            peer => peer.name(),
        };
        let stores = stores(MEDIUM).into_iter().map(|contender| one(name(contender), contender, values(contender)));
        let stores: Vec<Series> = stores.filter(|series| series.values.iter().any(Option::is_some)).collect();
        let titles = Titles {
            title,
            note: "10,000 keys on 4 MiB, the others on 256 KiB; lockstone in 4 kB of RAM, then 8 kB; esp-nvs and caches hold every key in RAM, > 200 kB",
            axis: "bytes read, logarithmic",
        };
        svg::lines(titles, "keys", &labels(&KEYS), &stores, true)
    };
    vec![
        Chart {
            name: "keys-get",
            alt: "Bytes read by a get over the number of keys",
            svg: lines("get", "What a get reads as keys grow"),
        },
        Chart {
            name: "keys-miss",
            alt: "Bytes read for a missing key over the number of keys",
            svg: lines("miss", "What looking for a missing key reads as keys grow"),
        },
    ]
}

/// Copying over fill.
fn filled(sheet: &Sheet) -> Vec<Chart> {
    let levels: Vec<String> = LEVELS.iter().map(|level| format!("{level} %")).collect();
    // ekv's merges are on another scale: it is in the table.
    let stores: Vec<Contender> = stores(MEDIUM).into_iter().filter(|store| *store != Contender::Ekv).collect();
    let lines = |choice: &str, title| {
        let tasks: Vec<String> = LEVELS.iter().map(|level| format!("fill {choice} {level}")).collect();
        let titles = Titles {
            title,
            note: "32-byte values; all that is programmed over what is new; a line ends where a store is full; lower is better",
            axis: "copy factor",
        };
        let stores = series(sheet, &stores, &tasks, |figures| figures.derived);
        svg::lines(titles, "share of the raw part that live records take", &levels, &stores, false)
    };
    vec![
        Chart {
            name: "fill-uniform",
            alt: "Copy factor over fill, uniform updates",
            svg: lines("uniform", "Copying as the store fills, uniform updates"),
        },
        Chart {
            name: "fill-skewed",
            alt: "Copy factor over fill, skewed updates",
            svg: lines("95/5", "Copying as the store fills, 95 % of updates to 5 % of keys"),
        },
    ]
}

/// Lengths of values, and program units.
fn shaped(sheet: &Sheet) -> Vec<Chart> {
    let lengths = Titles {
        title: "What a put programs, by length of the value",
        note: "bytes programmed over bytes of name (9) and value; a line ends where a store takes no longer value",
        axis: "write amplification, logarithmic",
    };
    let units = Titles {
        title: "What an update programs, by program unit",
        note: "the keys of W1; bytes programmed over bytes of name and value; wasefire-store takes words of 4 only",
        axis: "write amplification, logarithmic",
    };
    let stores = stores(MEDIUM);
    let written: Figure = |figures| figures.tally.amplification();
    let by_length = series(sheet, &stores, &tasks("value", &LENGTHS, "put"), written);
    let by_unit = series(sheet, &stores, &tasks("unit", &UNITS, "update"), written);
    vec![
        Chart {
            name: "values",
            alt: "Write amplification over the length of the value",
            svg: svg::lines(lengths, "bytes of the value", &labels(&LENGTHS), &by_length, true),
        },
        Chart {
            name: "units",
            alt: "Write amplification over the program unit",
            svg: svg::lines(units, "program unit in bytes", &labels(&UNITS), &by_unit, true),
        },
    ]
}

/// Starts, and time on parts that are sold.
fn spent(sheet: &Sheet) -> Vec<Chart> {
    let devices: Vec<String> = DEVICES.iter().map(|device| device.name.to_owned()).collect();
    let timed = |task: &str, title| {
        let values = |contender: Contender| -> Vec<Option<f64>> {
            let figures = sheet.find(task, contender);
            let time = |figures: &Figures, device: &crate::cost::Device| {
                device.estimate(&figures.tally.total, figures.tally.operations).microseconds
            };
            let shown = DEVICES.iter().map(|device| figures.map(|figures| time(figures, device)));
            shown.map(|value| value.filter(|value| *value > 0.0)).collect()
        };
        let stores: Vec<Series> = stores(MEDIUM)
            .into_iter()
            .map(|contender| one(contender.name(), contender, values(contender)))
            .filter(|series| series.values.iter().any(Option::is_some))
            .collect();
        let titles = Titles {
            title,
            note: "estimates from counts and typical figures of data sheets; the part alone, without the processor; left is better",
            axis: "microseconds, logarithmic",
        };
        svg::dots(titles, &devices, &stores)
    };
    let mounts = Titles {
        title: "What a start reads: a mount and one get",
        note: "64 blocks, mean over several fills and states of the log; shorter is better",
        axis: "bytes read, logarithmic",
    };
    let started = series(
        sheet,
        &[&[ASCON, PLAIN], &Contender::PEERS[..]].concat(),
        &["mount 64 first get".to_owned()],
        |figures| figures.derived,
    );
    vec![
        Chart { name: "mount", alt: "Bytes read by a mount and one get", svg: svg::bars(mounts, &started, true) },
        Chart {
            name: "cost-update",
            alt: "Estimated time of an update on four parts",
            svg: timed("W1 update", "W1: estimated time of an update on parts that are sold"),
        },
        Chart {
            name: "cost-get",
            alt: "Estimated time of a get on four parts",
            svg: timed("W1 get", "W1: estimated time of a get on parts that are sold"),
        },
    ]
}
