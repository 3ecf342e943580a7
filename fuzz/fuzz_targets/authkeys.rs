//! Any bytes as `authkeys`.
#![no_main]

use heartbeat_rs_fuzz::check_with;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| check_with("authkeys", text));
