//! Intsets: what is parsed keeps its bytes, is sorted, and can be altered like any set of numbers. The input is the bytes of
//! one and then, after a `|` byte, values to insert and remove.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use rredis::data::intset::Intset;

fuzz_target!(|input: &[u8]| {
    let split = input.iter().rposition(|byte| *byte == b'|').unwrap_or(input.len());
    let (bytes, steps) = (&input[..split], input.get(split + 1..).unwrap_or(&[]));
    let mut set = Intset::parse(bytes).unwrap_or_default();
    if !set.is_empty() {
        assert_eq!(set.as_bytes(), bytes);
    }
    let mut model: BTreeSet<i64> = set.iter().collect();
    assert!(set.iter().eq(model.iter().copied()), "parsed in order");
    for step in steps.chunks_exact(9) {
        // The number of significant bytes varies, so that all widths occur.
        let kept = usize::from(step[0] >> 1) % 8 + 1;
        let mut value = [if step[kept] & 0x80 == 0 { 0 } else { 0xff }; 8];
        value[..kept].copy_from_slice(&step[1..=kept]);
        let value = i64::from_le_bytes(value);
        if step[0] & 1 == 0 {
            assert_eq!(set.insert(value), model.insert(value));
        } else {
            assert_eq!(set.remove(value), model.remove(&value));
        }
    }
    assert!(set.iter().eq(model.iter().copied()));
    if !set.is_empty() {
        assert_eq!(Intset::parse(set.as_bytes()).map(|set| set.len()), Ok(model.len()));
    }
});
