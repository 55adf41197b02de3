//! The fuzz target `capi` without libFuzzer: its corpus, inputs at random, and the one that `LOCKSTONE_FUZZ_INPUT` names.

use std::path::Path;

use lockstone_ffi::fuzzing::{REACHES, check, reached};

use crate::Bench;

#[test]
fn fuzz_inputs_find_nothing() {
    let _bench = Bench::new();
    if let Some(input) = std::env::var_os("LOCKSTONE_FUZZ_INPUT") {
        check(&std::fs::read(input).unwrap());
        return;
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/capi");
    let mut count = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        check(&std::fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 10, "{count} files in the corpus");
    for (kind, calls) in REACHES.iter().zip(reached()) {
        assert!(calls > 10, "of {kind} {calls} calls went well");
    }
    let mut dice = 1_u64;
    for _ in 0..300 {
        let mut next = || {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            dice.to_le_bytes()[7]
        };
        let length = usize::from(next()) * 2;
        let input: Vec<u8> = (0..length).map(|_| next()).collect();
        check(&input);
    }
}
