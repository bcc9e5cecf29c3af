//! The bytes of an AOF: however they are cut, the same commands are found up to the same place, nothing is allocated that the
//! bytes do not back, and the tool that examines files agrees with the reader.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use rredis::base::files::Files;
use rredis::base::files::memory::MemoryFiles;
use rredis::base::time::UnixMillis;
use rredis::persist::aof::check::{Console, Options, check_aof};
use rredis::persist::aof::read::{Item, Reader};

/// What is found, and where it ends or what is wrong there.
fn read(bytes: &[u8], piece: usize) -> (Vec<Vec<Vec<u8>>>, u64, Option<u64>) {
    let (mut reader, mut buffer, mut place, mut found) = (Reader::default(), Vec::new(), 0u64, Vec::new());
    for piece in bytes.chunks(piece.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match reader.next(&buffer) {
                Ok(None) => break,
                Err(defect) => return (found, place, Some(place + defect.at as u64)),
                Ok(Some((item, taken))) => {
                    found.push(match item {
                        Item::Command(args) => args.iter().map(<[u8]>::to_vec).collect(),
                        Item::Annotation(line) => vec![line.to_vec()],
                    });
                    buffer.drain(..taken);
                    place += taken as u64;
                }
            }
        }
    }
    (found, place, None)
}

struct Nobody;

impl Console for Nobody {
    fn line(&mut self, _: &str) {}
    fn confirm(&mut self, _: &str) -> bool {
        true
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&first, bytes)) = input.split_first() else { return };
    let whole = read(bytes, bytes.len());
    assert_eq!(read(bytes, first as usize), whole);
    let files = MemoryFiles::new();
    files.create(Path::new("a")).unwrap().write_all(bytes).unwrap();
    let options = Options { fix: true, truncate_to: None };
    if check_aof(&files, Path::new("a"), options, UnixMillis(0), &mut Nobody) {
        assert!(check_aof(&files, Path::new("a"), Options::default(), UnixMillis(0), &mut Nobody), "repaired is good");
    }
});
