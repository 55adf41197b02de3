//! libFuzzer on the target `parsers` of lockstone-torture.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lockstone_torture::fuzz::check(&lockstone_torture::fuzz::PARSERS, input));
