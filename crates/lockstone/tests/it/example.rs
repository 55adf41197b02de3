//! What the documents show is what is: the bytes of docs/spec/format.md, and the boot counter of README.md.

use std::fmt::Write;

use lockstone::{Memory, Part, Plain, Store, trust::NoKey};
use lockstone_sim::SimFlash;

use lockstone_torture::Fixed;

#[path = "../../examples/boot_counter.rs"]
mod boot_counter;

#[path = "../../examples/first.rs"]
mod first;

/// The first segment of a store that was formatted and then given one key.
fn dump() -> String {
    let mut flash = SimFlash::<1, 4, 4096>::new(8 * 4096, 0xff);
    let mut memory = Memory::<16, 520>::new();
    let identity = &mut Fixed(u64::from_le_bytes(*b"EXAMPLE1"));
    let mut store = Store::<_, Plain>::format(&mut flash, Part::NOR, &NoKey, identity, &mut memory).unwrap();
    store.put("boot/count", b"\x2a\0\0\0").unwrap();
    let used = flash.data().iter().take(4096).rposition(|byte| *byte != 0xff).unwrap() + 1;
    let mut text = String::new();
    for (line, bytes) in flash.data()[..used.next_multiple_of(4)].chunks(16).enumerate() {
        write!(text, "{:04x} ", line * 16).unwrap();
        for byte in bytes {
            write!(text, " {byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_worked_example_is_what_is_written() {
    let page = include_str!("../../../../docs/spec/format.md");
    let dump = dump();
    assert!(page.contains(&dump), "docs/spec/format.md shows other bytes than these:\n{dump}");
}

/// The first block of a language on a page.
fn shown<'a>(page: &'a str, language: &str) -> &'a str {
    page.split(&format!("```{language}\n")).nth(1).and_then(|rest| rest.split("```").next()).unwrap()
}

#[test]
fn the_program_of_the_readme_is_whole_and_runs() {
    let (readme, example) = (include_str!("../../../../README.md"), include_str!("../../examples/first.rs"));
    let program = shown(readme, "rust");
    // Its `main` is called here.
    let whole = example.split_once("\n\n").unwrap().1.replace("\npub(crate) fn main()", "\nfn main()");
    assert_eq!(whole, program, "README.md shows another program than the example");
    assert!(program.lines().count() <= 30);
    let longer = include_str!("../../examples/boot_counter.rs");
    let boot = program.split_once("/// What the device does").unwrap().1.split("\n}\n").next().unwrap();
    assert!(longer.contains(boot), "the longer example has another boot counter than README.md");
    first::main().unwrap();
    boot_counter::main().unwrap();
}

/// What the program of README.md is said to depend on is what it uses, in the versions of this repository.
#[test]
fn the_dependencies_of_the_readme_are_those_of_the_repository() {
    let (readme, workspace) = (include_str!("../../../../README.md"), include_str!("../../../../Cargo.toml"));
    let (program, root) = (shown(readme, "rust"), concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let lines: Vec<_> = shown(readme, "toml").lines().collect();
    assert_eq!(lines.first(), Some(&"[dependencies]"));
    for line in &lines[1..] {
        let (name, source) = line.split_once(" = ").unwrap();
        assert!(program.contains(&format!("{}::", name.replace('-', "_"))), "the program does not use {name}");
        match source.strip_prefix("{ path = \"../lockstone/").and_then(|rest| rest.strip_suffix("\" }")) {
            Some(folder) => {
                let manifest = std::fs::read_to_string(format!("{root}/{folder}/Cargo.toml")).unwrap();
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{line}");
            }
            None => assert!(workspace.contains(&format!("\n{line}\n")), "{line}"),
        }
    }
}
