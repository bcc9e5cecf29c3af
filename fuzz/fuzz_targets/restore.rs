//! DUMP payloads: whatever the bytes, RESTORE refuses them or makes a value that is whole. It is dumped and restored again, and
//! comes out the same; small limits turn it into its larger encoding, with the same content.
//!
//! The bytes are taken as they are, and once more with a footer that is right, which random bytes do not have.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::base::hash::crc64;
use rredis::data::string::{NewStr, StrView};
use rredis::data::{Limits, NewValue, ValueRef};
use rredis::rdb::dump;

fn view<'a>(value: &'a NewValue<'_>) -> ValueRef<'a> {
    ValueRef::Str(match value {
        NewValue::Other(value) => return value.as_ref(),
        NewValue::Str(NewStr::Int(number)) => StrView::Int(*number),
        NewValue::Str(NewStr::Text(text) | NewStr::Raw(text)) => StrView::Bytes(text),
        NewValue::Str(NewStr::Shared(bytes)) => StrView::Shared(bytes),
    })
}

/// What a value consists of, in an order that does not depend on how it is kept.
fn elements(value: &NewValue<'_>) -> Vec<Vec<Vec<u8>>> {
    let (value, mut elements) = (view(value), Vec::new());
    if let ValueRef::Str(text) = value {
        return vec![vec![text.to_vec()]];
    }
    if value.visit(&mut |parts| elements.push(parts.iter().map(|part| part.to_vec()).collect())) == Some(false) {
        elements.sort();
    }
    elements
}

fuzz_target!(|data: &[u8]| {
    let mut payload = data.to_vec();
    payload.extend_from_slice(&10u16.to_le_bytes());
    payload.extend_from_slice(&crc64(&payload).to_le_bytes());
    for payload in [data, &payload] {
        let Ok(value) = dump::restore(payload, &Limits::DEFAULT) else { continue };
        let again = dump::dump(view(&value));
        let value_again = dump::restore(&again, &Limits::DEFAULT).expect("our own payload");
        assert_eq!(elements(&value), elements(&value_again));

        let small = Limits {
            hash_max_listpack_entries: 2,
            list_max_listpack_size: 2,
            set_max_intset_entries: 2,
            set_max_listpack_entries: 2,
            zset_max_listpack_entries: 2,
            ..Limits::DEFAULT
        };
        let large = dump::restore(payload, &small).expect("limits decide on encodings, not on what is right");
        // A table has an order of its own.
        let (mut packed, mut spread) = (elements(&value), elements(&large));
        packed.sort();
        spread.sort();
        assert_eq!(packed, spread);
    }
});
