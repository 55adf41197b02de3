//! libFuzzer on the target `mount` of lockstone-torture.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lockstone_torture::fuzz::check(&lockstone_torture::fuzz::MOUNT, input));
