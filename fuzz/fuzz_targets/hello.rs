//! Hello messages: what is read is within its bounds and, written again, reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::sentinel::core::hello::read_hello;

fuzz_target!(|payload: &[u8]| {
    if let Some(hello) = read_hello(payload) {
        let text = format!(
            "{},{},{},{},{},{},{},{}",
            hello.host, hello.port, hello.id, hello.epoch, hello.master, hello.master_host, hello.master_port, hello.config_epoch
        );
        assert_eq!(read_hello(text.as_bytes()), Some(hello));
    }
});
