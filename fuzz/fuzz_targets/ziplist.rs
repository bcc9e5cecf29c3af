//! Ziplists of foreign origin: a refusal, or entries that become a listpack of the same texts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::rdb::ziplist::Ziplist;

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    if bytes.len() >= 11 {
        // Totals that are wrong are soon found; let the rest be looked at.
        let len = bytes.len();
        bytes[..4].copy_from_slice(&(len as u32).to_le_bytes());
        bytes[len - 1] = 0xff;
    }
    for bytes in [data, &bytes] {
        let Ok(ziplist) = Ziplist::parse(bytes) else { continue };
        assert_eq!(ziplist.iter().count(), ziplist.len());
        let listpack = ziplist.to_listpack().expect("small enough");
        assert!(ziplist.iter().map(|item| item.to_vec()).eq(listpack.iter().map(|item| item.to_vec())));
    }
});
