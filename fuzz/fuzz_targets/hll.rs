//! HyperLogLogs that clients wrote by hand: every operation ends with an error or with a value that the next one accepts, and
//! an error leaves the value as it was.
//!
//! Two bytes for each register to raise (how many: the first byte), then the value's body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::data::hll::{self, Form, REGISTERS, Sighting};

fuzz_target!(|data: &[u8]| {
    let Some((&count, rest)) = data.split_first() else { return };
    let (wishes, body) = rest.split_at(usize::from(count).min(rest.len() / 2) & !1);
    let mut value = hll::empty();
    value.truncate(hll::HEADER);
    value.extend_from_slice(body);
    let is_sound = hll::count(&value).is_ok();
    assert_eq!(hll::unite(&mut [0; REGISTERS], &value).is_ok(), is_sound);
    assert_eq!(hll::to_dense(&value).is_ok(), is_sound);
    for wish in wishes.chunks_exact(2) {
        let seen = Sighting { register: usize::from(wish[0]) << 6 | usize::from(wish[1] & 63), rank: wish[1] % 51 + 1 };
        let (before, expected) = (value.clone(), hll::would_raise(&value, seen));
        match hll::raise(&mut value, seen, 3000) {
            Ok(changed) => {
                assert_eq!(expected, Ok(changed));
                assert_eq!(hll::would_raise(&value, seen), Ok(false));
            }
            Err(_) => assert_eq!(value, before),
        }
        assert_eq!(hll::count(&value).is_ok(), is_sound);
    }
    if hll::form_of(data) == Ok(Form::Dense) {
        hll::count(data).expect("a dense value has no wrong bytes");
    }
});
