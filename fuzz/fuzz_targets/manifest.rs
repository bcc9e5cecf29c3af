//! AOF manifests: whatever the bytes, reading ends with a list or an error, and a list is written as a text that reads back as
//! the same list.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::persist::aof::manifest::Manifest;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    for entry in manifest.data_files() {
        assert!(!entry.name.contains(&b'/'), "a name stays inside the folder");
    }
    let text = manifest.text();
    if text.split(|&byte| byte == b'\n').any(|line| line.len() >= 1024) || text.is_empty() {
        return;
    }
    let again = Manifest::parse(&text).expect("what was written can be read");
    assert_eq!(again.text(), text);
    let (base, incr) = (again.next_base(b"a", true), again.next_incr(b"a"));
    let seq = incr.seq;
    let rewritten = again.with_incr(incr).rewritten(base, Some(seq));
    assert_eq!(rewritten.incr.len(), 1);
});
