//! `ports/soft-key` derives in C what `SoftRootKey` derives: both are held against the same table. The C side is tried by
//! `cargo xtask ports`. `UPDATE_EXPECT=1` writes the table anew.

use std::fmt::Write as _;
use std::path::Path;

use lockstone::SoftRootKey;
use lockstone::trust::RootKey;

/// Lengths of labels around the ends of a block of 8 bytes.
const LENGTHS: [u8; 10] = [0, 1, 7, 8, 9, 15, 16, 17, 40, 255];

#[test]
fn the_table_of_derived_keys_is_that_of_the_soft_root_key() {
    let root = SoftRootKey::new(core::array::from_fn(|index| u8::try_from(index).unwrap()));
    let label: Vec<u8> = (0..=255).collect();
    let mut seen = String::from(
        "# length of the label (bytes 0, 1, 2, ...), and the key that follows from the root key 00 01 ... 1f\n",
    );
    for length in LENGTHS {
        let mut key = [0; 32];
        root.derive(&label[..length.into()], &mut key).unwrap();
        let hex = key.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        writeln!(seen, "{length} {hex}").unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ports/tests/soft_key.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &seen).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), seen);
}
