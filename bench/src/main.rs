//! `lockstone-bench`: Lockstone and its peers, measured side by side.
//!
//! ```text
//! cargo run --release --manifest-path bench/Cargo.toml -- --quick          a table, in less than three minutes
//! cargo run --release --manifest-path bench/Cargo.toml -- --quick --json   one object a line, the bars first
//! cargo run --release --manifest-path bench/Cargo.toml -- --write-docs     docs/performance.md and its charts
//! ```

use std::path::Path;
use std::process::ExitCode;

use lockstone_bench::bars;
use lockstone_bench::report::{docs, json, table};
use lockstone_bench::workloads::{Scale, Selection, run};

const USAGE: &str = "usage: lockstone-bench [--quick] [--json] [--write-docs] [--only WORKLOAD] [--store NAME]
  --quick            fewer rounds; no 100,000 keys; peers at fewer fills
  --json             one object a line: name, value, unit, peer, ratio, bar, met; bars first
  --write-docs       writes docs/performance.md and docs/performance/*.svg
  --only WORKLOAD    only workloads whose name begins so: W1, W2, W3, keys, fill, transaction, mount, value, unit, ...
  --store NAME       only stores whose name contains this";

/// What was asked for.
#[derive(Debug, Default)]
struct Options {
    quick: bool,
    json: bool,
    docs: bool,
    selection: Selection,
}

impl Options {
    /// Reads the options; `None` when there is one that isn't known.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--json" => options.json = true,
                "--write-docs" => options.docs = true,
                "--only" => options.selection.workload = Some(arguments.next()?),
                "--store" => options.selection.store = Some(arguments.next()?),
                _ => return None,
            }
        }
        Some(options)
    }
}

fn main() -> ExitCode {
    let Some(options) = Options::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    // A peer that panics gets a row that says so; the text of the panic is in it.
    std::panic::set_hook(Box::new(|_| {}));
    let scale = Scale { quick: options.quick };
    let sheet = run(scale, &options.selection, |workload, store| {
        eprintln!("{workload}: {store}");
    });
    let lines = bars::lines(&sheet);
    if options.json {
        lines.iter().chain(&table::lines(&sheet)).for_each(|line| println!("{}", json::line(line)));
    } else {
        println!("{}\n{}", table::rows(&sheet).text(), table::bars(&lines).text());
    }
    if options.docs {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        if let Err(error) = docs::write(&folder, &sheet, &lines, scale) {
            eprintln!("can't write below {}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
