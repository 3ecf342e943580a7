//! See `fuzz/README.md`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| heartbeat_rs_fuzz::run("short", bytes));
