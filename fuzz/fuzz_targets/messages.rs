#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| flott_cluster::fuzzing::messages(bytes));
