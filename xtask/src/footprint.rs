//! `size --write-docs`: docs/footprint.md and its chart, from the probes and from the boards.
//!
//! ```text
//! size.rs ─ text, ram, stack of each probe ─┐
//!                                           ├─> docs/footprint.md, docs/footprint.svg
//! firmware/ ─ what the programs measure ────┘
//! ```

use std::fmt::Write as _;
use std::fs;

use crate::size::{Figure, TARGETS};
use crate::{Failure, firmware, root};

const HEAD: &str = "# Footprint

What Lockstone costs on a microcontroller: code, RAM, stack, instructions, and how long it keeps others waiting. This page
and its chart are written by one command and not by hand; it needs what `cargo xtask size` and `cargo xtask firmware` need:

```text
cargo xtask size --write-docs
```

";
const CODE: &str = "## Code, RAM and stack

Text is code and constants above an empty program, optimised for size (`opt-level = \"z\"`, fat LTO, Ascon's compact backend).
Bars are in [firmware/budgets.txt](../firmware/budgets.txt), where the rows are explained too; the chart shows which are not
met. RAM is what is handed in for 100 keys on 64 blocks of 4 KiB, in every row of ours the same: RAM_BYTES bytes. Stack is the worst
chain of calls on thumbv7em, read from the disassembly, the frame of the program that holds the store included. *peer* is
sequential-storage 8.0.2 without caches, which neither encrypts nor authenticates.

| | thumbv6m | thumbv7em | thumbv8m.main | bar, thumbv7em | stack |
|---|---:|---:|---:|---:|---:|
";
const CHART: &str =
    "\n![Bytes of code on thumbv7em, one bar a row of the table, and a line where the bar is](footprint.svg)\n";
const BOARDS: &str = "
## Instructions and stack of a call

Counted by the emulator, with a flash in RAM, so that nothing but the store (and copies) is counted: blocks of 4 KiB, words of
4 bytes, 16 values of 32 bytes or 4 of 1 KiB, written 200 times in turn, compaction included. Built by COMPILER for small
code (`opt-level = \"s\"`). *Worst* is the call that compacts most. Stack is painted: what the call takes below its
caller, the frame that counts the instructions included.

| Cortex-M55 (mps3-an547) | average | worst | stack, B |
|---|---:|---:|---:|
";
const BOARDS_M3: &str = "\n| Cortex-M3 (lm3s6965evb) | average | worst | stack, B |\n|---|---:|---:|---:|\n";
const OTHERS: &str = "
A peer with caches keeps 16 key pointers and the state of all pages in RAM. Sealing with Ascon is most of what `ascon` costs;
its compact backend is the small one, not the fast one. Every call is to take at most 1,024 bytes of stack, sealed; another compiler may
lay a frame out a few bytes longer, so what fails a check lies a little higher ([firmware/budgets.txt](../firmware/budgets.txt)).

## Who waits for the store

| | mps3-an547 | lm3s6965evb |
|---|---:|---:|
";
const END: &str = "
An interrupt waits as long as the processor takes to enter its handler: no probe has an instruction that masks interrupts
(`cargo xtask size`, row `all/masking`). *Between two yields* is how long the asynchronous store keeps the processor at most,
with 128 heads, short names, values of 200 and 1,000 bytes, and compaction; the bar is 25,000 instructions. A format and a mount
derive the key in one go, here in software, within the bar. A name is hashed in one go too, some 2,500 instructions for each 8
bytes of it, and loops over all heads have no pause: many thousand heads, or names of some hundred bytes, take longer. What can't
wait belongs into an executor of higher priority.

## RAM of whole programs

Static data and the peak of the painted stack, everything included: store, buffers, console.

| program | mps3-an547 | microbit | lm3s6965evb |
|---|---:|---:|---:|
";

/// Programs whose RAM is shown: those that do something of use.
const PROGRAMS: [&str; 9] = [
    "boot_counter",
    "config",
    "certs",
    "factory_reset",
    "fota_assemble",
    "multi_client",
    "blinky",
    "from_c",
    "everything",
];

type Measured = Vec<firmware::Figure>;

/// Measures the boards and writes page and chart.
pub(crate) fn write(sizes: &[Figure]) -> Result<(), Failure> {
    let folder = root().join("docs");
    let failed = |error: std::io::Error| format!("can't write docs/footprint: {error}");
    fs::write(folder.join("footprint.md"), page(sizes)?).map_err(failed)?;
    fs::write(folder.join("footprint.svg"), chart(sizes)).map_err(failed)
}

fn page(sizes: &[Figure]) -> Result<String, Failure> {
    let ram = find(sizes, TARGETS[1], "ascon/kv/ram").map(|figure| figure.value);
    let code = CODE.replace("RAM_BYTES", &shown(ram));
    let mut page = format!("{HEAD}{code}{}{CHART}", code_rows(sizes));
    let boards = BOARDS.replace("COMPILER", &firmware::compiler()?);
    for (board, head) in [("mps3-an547", boards.as_str()), ("lm3s6965evb", BOARDS_M3)] {
        page += head;
        page += &call_rows(&firmware::measure(board, "figures")?);
    }
    let waits = [firmware::measure("mps3-an547", "latency")?, firmware::measure("lm3s6965evb", "latency")?];
    page += OTHERS;
    page += &wait_rows(&waits);
    page += END;
    for program in PROGRAMS {
        let ram = ["mps3-an547", "microbit", "lm3s6965evb"].map(|board| ram_of(board, program));
        let _ = writeln!(page, "| {program} | {} |", ram.into_iter().collect::<Result<Vec<_>, _>>()?.join(" | "));
    }
    Ok(page)
}

/// Names of the probes, in their order.
fn names(sizes: &[Figure]) -> Vec<&str> {
    let of_first = sizes.iter().filter(|figure| figure.target == TARGETS[0]);
    of_first.filter_map(|figure| figure.row.strip_suffix("/text")).collect()
}

fn find<'f>(sizes: &'f [Figure], target: &str, row: &str) -> Option<&'f Figure> {
    sizes.iter().find(|figure| figure.target == target && figure.row == row)
}

fn code_rows(sizes: &[Figure]) -> String {
    let mut rows = String::new();
    for name in names(sizes) {
        let text = TARGETS.map(|target| shown(find(sizes, target, &format!("{name}/text")).map(|figure| figure.value)));
        let bar = find(sizes, TARGETS[1], &format!("{name}/text")).and_then(|figure| figure.bars.shown);
        let stack = find(sizes, TARGETS[1], &format!("{name}/stack")).map(|figure| figure.value);
        let _ = writeln!(rows, "| {name} | {} | {} | {} |", text.join(" | "), shown(bar), shown(stack));
    }
    rows
}

/// Rows of averages, with the worst and the stack beside them.
fn call_rows(figures: &[firmware::Figure]) -> String {
    let value = |name: String| figures.iter().find(|figure| figure.name == name).map(|figure| figure.value);
    let mut rows = String::new();
    for figure in figures.iter().filter(|figure| figure.unit == "instructions" && !figure.name.ends_with("_worst")) {
        let [worst, stack] = ["worst", "stack"].map(|what| shown(value(format!("{}_{what}", figure.name))));
        let _ =
            writeln!(rows, "| {} | {} | {worst} | {stack} |", figure.name.replace('_', " "), thousands(figure.value));
    }
    for figure in figures.iter().filter(|figure| figure.name.starts_with("format") || figure.name.starts_with("mount"))
    {
        let name = figure.name.trim_end_matches("_stack").replace('_', " ");
        let _ = writeln!(rows, "| {name} | | | {} |", thousands(figure.value));
    }
    rows
}

fn wait_rows([first, second]: &[Measured; 2]) -> String {
    let mut rows = String::new();
    for figure in first.iter().filter(|figure| figure.unit != "B") {
        let other = second.iter().find(|other| other.name == figure.name).map(|other| other.value);
        let name = figure.name.replace('_', " ");
        let _ = writeln!(rows, "| {name}, {} | {} | {} |", figure.unit, thousands(figure.value), shown(other));
    }
    rows
}

/// Stack and static data of a program; nothing where the board does not have it.
fn ram_of(board: &str, program: &str) -> Result<String, Failure> {
    if !firmware::has_program(board, program)? {
        return Ok(String::new());
    }
    let figures = firmware::measure(board, program)?;
    Ok(shown(figures.iter().find(|figure| figure.name == "ram").map(|figure| figure.value)))
}

fn shown(value: Option<u64>) -> String {
    value.map_or(String::new(), thousands)
}

/// 1234567 as 1,234,567.
fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const LINE: u64 = 22;
const LEFT: u64 = 200;
const WIDTH: u64 = 480;

/// One bar a probe, and a line where its bar of the budgets is.
fn chart(sizes: &[Figure]) -> String {
    let names = names(sizes);
    let texts: Vec<_> = names.iter().filter_map(|name| find(sizes, TARGETS[1], &format!("{name}/text"))).collect();
    let most = texts.iter().map(|figure| figure.value).max().unwrap_or(1);
    let height = LINE * texts.len() as u64 + 30;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 780 {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"780\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"18\" font-weight=\"bold\">Bytes of code above an empty program, thumbv7em</text>\n"
    );
    for (line, (name, figure)) in (0..).zip(names.iter().zip(texts)) {
        let (top, length) = (30 + LINE * line, figure.value * WIDTH / most);
        let colour = if name.starts_with("peer") { "#999" } else { "#2a7" };
        let _ = write!(
            svg,
            "<text x=\"10\" y=\"{}\">{name}</text><rect x=\"{LEFT}\" y=\"{top}\" width=\"{length}\" height=\"16\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{}\">{}</text>",
            top + 13,
            LEFT + length + 6,
            top + 13,
            thousands(figure.value)
        );
        if let Some(bar) = figure.bars.shown {
            let at = LEFT + bar * WIDTH / most;
            let _ = write!(svg, "<path d=\"M{at} {}v20\" stroke=\"#c33\" stroke-width=\"2\"/>", top.saturating_sub(2));
        }
        svg.push('\n');
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0, 999, 1_000, 12_345, 1_234_567].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn a_call_is_one_row() {
        let lines = [
            "put 32 B ascon 900 instructions",
            "put 32 B ascon worst 1900 instructions",
            "put 32 B ascon stack 80 B",
            "mount ascon stack 70 B",
        ];
        let figures: Measured = lines.into_iter().filter_map(firmware::Figure::parse).collect();
        assert_eq!(call_rows(&figures), "| put 32 B ascon | 900 | 1,900 | 80 |\n| mount ascon | | | 70 |\n");
    }
}
