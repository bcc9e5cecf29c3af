//! RDB streams: whatever the bytes and however they are cut, loading ends with an error or with the same
//! keys, allocates no more than the bytes can back, and does not panic. What was loaded is saved and loaded again.
//!
//! The first byte chooses the size of the pieces and whether the rest gets a proper beginning (most random bytes do not
//! have one), the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::base::hash::crc64;
use rredis::base::rng::Rng;
use rredis::base::time::UnixMillis;
use rredis::data::Limits;
use rredis::keyspace::Keyspace;
use rredis::persist::rdb_load::{Fed, LoadError, Loader, Rules};
use rredis::persist::snapshot::{Progress, Settings, Snapshot};
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
});
