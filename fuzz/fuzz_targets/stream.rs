//! Streams of foreign origin: what passes the check can be walked both ways, trimmed and deleted from, its groups can be
//! altered, and it is written and read again without a change.
//!
//! The first byte chooses the number (15, 19 or 21) and what is done, the rest is the value as it stands in RDB.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::base::hash::crc64;
use rredis::data::stream::{Entry, Id, Keep, NodeLimits, Stream, Trim, WantedId};
use rredis::data::{Limits, NewValue, Value, ValueRef};
use rredis::rdb::dump;

type Shown = (Id, Vec<(Vec<u8>, Vec<u8>)>);

fn shown(entry: Entry<'_>) -> Shown {
    (entry.id, entry.pairs().map(|(field, value)| (field.to_vec(), value.to_vec())).collect())
}

fn entries(stream: &Stream) -> Vec<Shown> {
    stream.log().range(Id::MIN, Id::MAX).map(shown).collect()
}

fn restore(payload: &[u8]) -> Option<Stream> {
    match dump::restore(payload, &Limits::DEFAULT) {
        Ok(NewValue::Other(Value::Stream(stream))) => Some(stream),
        _ => None,
    }
}

fn check(stream: &Stream) {
    let forwards = entries(stream);
    let mut backwards: Vec<Shown> = stream.log().range_rev(Id::MIN, Id::MAX).map(shown).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    assert_eq!(forwards.len() as u64, stream.log().len());
    assert!(forwards.is_sorted_by(|a, b| a.0 < b.0));
    assert_eq!(stream.log().first_id(), forwards.first().map_or(Id::MIN, |first| first.0));
    for group in stream.groups().values() {
        let pending: usize = group.consumers().map(|consumer| consumer.pending().len()).sum();
        assert_eq!(pending, group.pending_len());
        stream.lag(group);
    }
    let payload = dump::dump(ValueRef::Stream(stream));
    let again = restore(&payload).expect("our own payload");
    assert_eq!(dump::dump(ValueRef::Stream(&again)), payload);
}

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let mut payload = vec![[15, 19, 21][usize::from(choice % 3)]];
    payload.extend_from_slice(rest);
    payload.extend_from_slice(&10u16.to_le_bytes());
    payload.extend_from_slice(&crc64(&payload).to_le_bytes());
    let Some(mut stream) = restore(&payload) else { return };
    check(&stream);

    let all = entries(&stream);
    let middle = all.get(all.len() / 2).map_or(Id::MIN, |entry| entry.0);
    match choice / 3 % 4 {
        0 => assert_eq!(stream.log_mut().delete(&[middle]), u64::from(!all.is_empty())),
        1 => {
            let max = all.len() as u64 / 2;
            stream.log_mut().trim(Trim { keep: Keep::MaxLen(max), is_approximate: false, limit: 0 });
            assert_eq!(stream.log().len(), max);
        }
        2 => {
            stream.log_mut().trim(Trim { keep: Keep::MinId(middle), is_approximate: choice & 1 == 0, limit: 0 });
        }
        _ => {
            if let Ok(id) = stream.log().next_id(WantedId::Auto { now: 1 }) {
                stream.log_mut().add(id, [(&b"field"[..], rest)].into_iter(), NodeLimits::default());
            }
        }
    }
    for group in stream.groups_mut().values_mut() {
        let names: Vec<Vec<u8>> = group.consumers().map(|consumer| consumer.name().to_vec()).collect();
        let taker = group.find_consumer(b"taker").unwrap_or_else(|| group.add_consumer(b"taker", 1));
        let ids: Vec<Id> = group.pending_in(..).map(|(id, _)| id).collect();
        for (index, id) in ids.into_iter().enumerate() {
            if index % 2 == 0 { group.assign(id, taker, 1, 1) } else { assert!(group.acknowledge(id)) }
        }
        names.iter().take(1).for_each(|name| assert!(group.remove_consumer(name).is_some()));
    }
    check(&stream);
});
