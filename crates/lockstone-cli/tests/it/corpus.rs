//! The corpus of every fuzz target, once: what a fuzzer found interesting stays right.

use std::path::Path;

use lockstone_cli::fuzzing::targets;
use lockstone_torture::{Tale, caught, replay};

/// A corpus in the repository is small.
const FILES_MAX: usize = 60;
const BYTES_MAX: usize = 1024;

#[test]
fn every_input_of_the_corpus_is_right() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut failures = Vec::new();
    for target in targets() {
        let files: Vec<_> = std::fs::read_dir(corpus.join(target.name)).unwrap().flatten().collect();
        assert!((1..=FILES_MAX).contains(&files.len()), "{}: {} files", target.name, files.len());
        for file in files {
            let input = std::fs::read(file.path()).unwrap();
            assert!(input.len() <= BYTES_MAX, "{}", file.path().display());
            if let Err(what) = caught(|| (target.body)(&input, &Tale::default(), &mut None)) {
                failures.push(format!("{what}: lockstone replay fuzz/{}/{}", target.name, replay::to_hex(&input)));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
