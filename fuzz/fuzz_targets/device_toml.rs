//! libFuzzer on the target `device_toml` of lockstone-cli.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lockstone_torture::fuzz::check(&lockstone_cli::fuzzing::DEVICE_TOML, input));
