//! LZF: whatever was compressed comes back, and foreign bytes give exactly the length that was announced or an error.
//!
//! The first byte chooses the announced length of foreign bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::base::lzf::{self, Compressor};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    let mut packed = Vec::new();
    if Compressor::new().compress(rest, &mut packed, rest.len()) {
        assert!(packed.len() <= rest.len());
        let mut back = Vec::new();
        assert!(lzf::decompress(&packed, rest.len(), &mut back).is_ok());
        assert_eq!(back, rest);
    }

    let (len, mut out) = (usize::from(choice) * 16, Vec::new());
    let result = lzf::decompress(rest, len, &mut out);
    assert!(out.len() <= len);
    assert!(result.is_err() || out.len() == len);
});
