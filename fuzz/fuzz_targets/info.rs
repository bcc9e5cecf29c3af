//! INFO texts of watched servers: nothing in them makes the reader panic or keep more than its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::base::limits::SENTINEL_INSTANCES_MAX;
use rredis::sentinel::core::observed::read_info;

fuzz_target!(|text: &[u8]| {
    let facts = read_info(text);
    assert!(facts.replicas.len() <= SENTINEL_INSTANCES_MAX);
    assert!(facts.run_id.is_none_or(|id| id.len() == 40));
});
