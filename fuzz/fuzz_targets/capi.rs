//! libFuzzer on the target `capi` of lockstone-ffi.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lockstone_ffi::fuzzing::check(input));
