//! The numbers of the format, in one page that a test pins: a change of the layout shows in review.

use core::fmt::Write as _;

use lockstone::inspect::HEADER_FIELDS;
use lockstone::seal::Suite;
use lockstone::{Aes, Ascon, FORMAT_VERSION, Layout, POINTERS_MAX, Plain, buffer_size};

/// Parts as they are sold: read unit, program unit, erase block, capacity.
const PARTS: [(&str, usize, usize, usize, usize); 5] = [
    ("SPI NOR", 1, 1, 4096, 1 << 20),
    ("word NOR", 1, 4, 4096, 64 * 4096),
    ("small pages", 1, 4, 1024, 64 * 1024),
    ("quad words", 1, 16, 8192, 256 * 1024),
    ("large pages", 1, 512, 262_144, 16 << 20),
];

pub(crate) fn page() -> String {
    let mut text = format!(
        "format version       {FORMAT_VERSION}\n\
         header fields        {HEADER_FIELDS} bytes, then a tag\n\
         pointers at most     {POINTERS_MAX} a record\n"
    );
    suite::<Plain>(&mut text);
    suite::<Ascon>(&mut text);
    suite::<Aes>(&mut text);
    text.push_str(
        "\npart          read  program   erase      flash  unit  segment  segments  cell  body  record  buffer\n",
    );
    for (name, read, program, erase, capacity) in PARTS {
        let line = match Layout::of(read, program, erase, capacity) {
            Ok(layout) => format!(
                "{:>4}  {:>7}  {:>8}  {:>4}  {:>4}  {:>6}  {:>6}",
                layout.unit,
                layout.segment,
                layout.segments,
                layout.cell,
                layout.body_max,
                layout.record_max,
                buffer_size(read, program, erase)
            ),
            Err(error) => error.reason().to_owned(),
        };
        let _ = writeln!(text, "{name:<12}  {read:>4}  {program:>7}  {erase:>6}  {capacity:>9}  {line}");
    }
    text
}

fn suite<S: Suite>(text: &mut String) {
    let _ = writeln!(
        text,
        "suite {:<6} ({})     tag {}, link {}, pointer {} bytes",
        S::NAME,
        S::ID,
        S::TAG,
        S::LINK,
        4 + S::CHECK
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_layout_is_pinned() {
        expect_test::expect![[r#"
            format version       1
            header fields        80 bytes, then a tag
            pointers at most     24 a record
            suite plain  (0)     tag 4, link 0, pointer 6 bytes
            suite ascon  (1)     tag 16, link 4, pointer 8 bytes
            suite aes    (2)     tag 16, link 4, pointer 8 bytes

            part          read  program   erase      flash  unit  segment  segments  cell  body  record  buffer
            SPI NOR          1        1    4096    1048576     4     4096       256   128   256     488     488
            word NOR         1        4    4096     262144     4     4096        64   128   256     488     488
            small pages      1        4    1024      65536     4     2048        32   128   256     488     488
            quad words       1       16    8192     262144    16     8192        32   128   512     752     752
            large pages      1      512  262144   16777216   512   262144        64   512  1024    1536    1536
        "#]]
        .assert_eq(&super::page());
    }
}
