//! RDB streams and DUMP payloads: whatever the bytes and however they are cut, loading ends with an error or with the same
//! keys, allocates no more than the bytes can back, and does not panic. What was loaded is saved and loaded again.
//!
//! The first byte chooses the size of the pieces and whether the rest gets a proper beginning (most random bytes do not
//! have one), the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::base::hash::crc64;
use rredis::base::lzf;
use rredis::base::rng::Rng;
use rredis::base::time::UnixMillis;
use rredis::data::string::{NewStr, StrView};
use rredis::data::{Limits, NewValue, ValueRef};
use rredis::keyspace::Keyspace;
use rredis::persist::rdb_load::{Fed, LoadError, Loader, Rules};
use rredis::persist::snapshot::{Progress, Settings, Snapshot};
use rredis::rdb::dump;
use rredis::rdb::header::Header;
use rredis::rdb::pack::Packer;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn load(stream: &[u8], piece: usize) -> (Keyspace, Result<bool, LoadError>) {
    let rules = Rules {
        verify_checksum: true,
        drop_expired: true,
        replace: false,
        bytes_there: stream.len() as u64,
        now: NOW,
        limits: Limits::DEFAULT,
    };
    let (mut keyspace, mut loader) = (Keyspace::new(16, Rng::seeded(1)), Loader::new(rules));
    for bytes in stream.chunks(piece.max(1)) {
        let mut input = bytes;
        match loader.feed(&mut keyspace, &mut input, &mut || true) {
            Ok(Fed::Done) => return (keyspace, Ok(true)),
            Ok(_) => assert!(input.is_empty(), "what is not enough is kept by the loader"),
            Err(error) => return (keyspace, Err(error)),
        }
    }
    (keyspace, Ok(false))
}

fn save(keyspace: &mut Keyspace) -> Vec<u8> {
    let header =
        Header { redis_version: "0".into(), created: NOW, used_memory: 0, repl: None, is_aof_base: false, libraries: Vec::new() };
    let settings = Settings { compress: true, ..Settings::default() };
    let mut snapshot = Snapshot::begin(keyspace, &header, settings, 0);
    while snapshot.step(keyspace, false, &mut || 0) != Progress::Done {}
    let (mut packer, mut bytes) = (Packer::new(true), Vec::new());
    while let Some(chunk) = snapshot.take(keyspace) {
        packer.pack(chunk, |piece| bytes.extend_from_slice(&piece));
    }
    snapshot.end(keyspace);
    bytes.extend_from_slice(&crc64(&bytes).to_le_bytes());
    bytes
}

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
    let Some((&choice, rest)) = data.split_first() else { return };
    let mut stream = rest.to_vec();
    if choice & 1 == 1 {
        stream.splice(0..0, *b"REDIS0011");
    }
    let (whole, result) = load(&stream, stream.len());
    let (mut keyspace, pieces) = load(&stream, usize::from(choice >> 1));
    assert_eq!(result.is_ok(), pieces.is_ok());
    assert_eq!(whole.len(), keyspace.len());

    let saved = save(&mut keyspace);
    let (again, result) = load(&saved, saved.len());
    assert_eq!((result, again.len()), (Ok(true), keyspace.len()));

    let mut payload = rest.to_vec();
    payload.extend_from_slice(&10u16.to_le_bytes());
    payload.extend_from_slice(&crc64(&payload).to_le_bytes());
    let _ = dump::restore(rest, &Limits::DEFAULT);
    if let Ok(value) = dump::restore(&payload, &Limits::DEFAULT) {
        let again = dump::dump(view(&value));
        let value_again = dump::restore(&again, &Limits::DEFAULT).expect("our own payload");
        assert_eq!(elements(&value), elements(&value_again));
    }

    let mut out = Vec::new();
    let _ = lzf::decompress(rest, usize::from(choice) * 16, &mut out);
    assert!(out.len() <= usize::from(choice) * 16);
});
