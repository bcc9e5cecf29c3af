//! Zipmaps of foreign origin: a refusal, or pairs that lie in the bytes one after the other.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::rdb::zipmap::Zipmap;

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    if let Some(count) = bytes.first_mut() {
        // A number of pairs that is wrong is soon found; let the rest be looked at.
        *count = 0xfe;
    }
    bytes.push(0xff);
    for bytes in [data, &bytes] {
        let Ok(zipmap) = Zipmap::parse(bytes) else { continue };
        assert_eq!(zipmap.iter().count(), zipmap.len());
        let held: usize = zipmap.iter().map(|(field, value)| field.len() + value.len()).sum();
        assert!(held + 2 + 3 * zipmap.len() <= bytes.len());
    }
});
