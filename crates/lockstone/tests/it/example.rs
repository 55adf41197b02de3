//! What the documents show is what is: the bytes of docs/spec/format.md, and the boot counter of README.md.

use std::fmt::Write;

use lockstone::{Memory, Part, Plain, Store, trust::NoKey};
use lockstone_sim::SimFlash;

use lockstone_torture::Fixed;

#[path = "../../examples/boot_counter.rs"]
mod boot_counter;

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

#[test]
fn the_boot_counter_of_the_readme_runs() {
    let (readme, example) = (include_str!("../../../../README.md"), include_str!("../../examples/boot_counter.rs"));
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(example.contains(shown), "README.md shows another boot counter than the example");
    assert!(shown.lines().count() <= 30);
    boot_counter::main().unwrap();
}
