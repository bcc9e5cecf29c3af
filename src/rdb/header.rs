//! The facts at the start of a file: who wrote it, when, and where the replication stream stood.
//!
//! Unknown names are skipped, as Redis does; names that start with `%` are for people and are handed to the log.

use bytes::Bytes;

use super::encode::Chunk;
use crate::base::id::HexId;
use crate::base::time::UnixMillis;

/// Where the replication stream stood at the moment of the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplFacts {
    /// The database the stream had selected last.
    pub stream_db: i64,
    /// The replication id.
    pub id: HexId,
    /// The offset.
    pub offset: i64,
}

/// What we write at the start of a file.
#[derive(Clone, Debug)]
pub struct Header {
    /// Version of the server, as INFO shows it.
    pub redis_version: String,
    /// The moment of the snapshot.
    pub created: UnixMillis,
    /// Memory in use at that moment.
    pub used_memory: u64,
    /// Present when there is a replication history to continue.
    pub repl: Option<ReplFacts>,
    /// The file becomes the base of an AOF.
    pub is_aof_base: bool,
    /// The texts of the libraries of functions.
    pub libraries: Vec<Bytes>,
}

impl Header {
    /// Writes magic, version and facts, in Redis's order.
    pub fn write(&self, chunk: &mut Chunk) {
        chunk.magic();
        chunk.aux("redis-ver", self.redis_version.as_bytes());
        chunk.aux("redis-bits", b"64");
        chunk.aux("ctime", self.created.as_secs().to_string().as_bytes());
        chunk.aux("used-mem", self.used_memory.to_string().as_bytes());
        if let Some(repl) = &self.repl {
            chunk.aux("repl-stream-db", repl.stream_db.to_string().as_bytes());
            chunk.aux("repl-id", repl.id.as_bytes());
            chunk.aux("repl-offset", repl.offset.to_string().as_bytes());
        }
        chunk.aux("aof-base", if self.is_aof_base { b"1" } else { b"0" });
        self.libraries.iter().for_each(|text| chunk.library(text));
    }
}

/// What a file said about itself. Everything is optional; nothing is trusted beyond its form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Version of the server that wrote it.
    pub redis_version: Option<String>,
    /// Seconds since 1970.
    pub created: Option<i64>,
    /// Bytes.
    pub used_memory: Option<u64>,
    /// Database the replication stream had selected.
    pub repl_stream_db: Option<i64>,
    /// Replication id.
    pub repl_id: Option<HexId>,
    /// Replication offset.
    pub repl_offset: Option<i64>,
    /// Base of an AOF.
    pub is_aof_base: bool,
    /// The texts of the libraries of functions.
    pub libraries: Vec<Bytes>,
}

impl Facts {
    /// Takes note of one fact and says whether it was one we know.
    pub fn note(&mut self, name: &[u8], value: &[u8]) -> bool {
        let text = std::str::from_utf8(value).ok();
        match name {
            b"redis-ver" => self.redis_version = text.map(|text| text.chars().take(64).collect()),
            b"ctime" => self.created = text.and_then(|text| text.parse().ok()),
            b"used-mem" => self.used_memory = text.and_then(|text| text.parse().ok()),
            b"repl-stream-db" => self.repl_stream_db = text.and_then(|text| text.parse().ok()),
            b"repl-id" => self.repl_id = HexId::parse(value),
            b"repl-offset" => self.repl_offset = text.and_then(|text| text.parse().ok()),
            b"aof-base" => self.is_aof_base = value == b"1",
            b"redis-bits" | b"aof-preamble" | b"lua" => {}
            _ => return false,
        }
        true
    }

    /// The replication history, when all of it is there.
    pub fn repl(&self) -> Option<ReplFacts> {
        Some(ReplFacts { stream_db: self.repl_stream_db?, id: self.repl_id?, offset: self.repl_offset? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::{Decoder, Event};
    use super::super::pack::Packer;
    use super::*;

    #[test]
    fn a_header_reads_back() {
        let repl = ReplFacts { stream_db: 2, id: HexId::parse(&[b'a'; 40]).unwrap(), offset: 1234 };
        let header = Header {
            redis_version: "7.2.6".into(),
            created: UnixMillis(1_700_000_000_999),
            used_memory: 12_345_678_901,
            repl: Some(repl),
            is_aof_base: true,
            libraries: Vec::new(),
        };
        let mut chunk = Chunk::new(0, true);
        header.write(&mut chunk);
        let mut bytes = Vec::new();
        Packer::new(true).pack(chunk, |piece| bytes.extend_from_slice(&piece));
        let (mut decoder, mut input, mut facts) = (Decoder::default(), &bytes[..], Facts::default());
        while let Some(event) = decoder.next(&mut input).unwrap() {
            let Event::Aux { name, value } = event else { panic!("only facts were written") };
            assert!(facts.note(name, value));
        }
        assert_eq!(facts.repl(), Some(repl));
        assert_eq!(facts.redis_version.as_deref(), Some("7.2.6"));
        assert_eq!((facts.created, facts.used_memory), (Some(1_700_000_000), Some(12_345_678_901)));
        assert!(facts.is_aof_base);
    }

    #[test]
    fn unknown_and_malformed_facts_do_no_harm() {
        let mut facts = Facts::default();
        assert!(!facts.note(b"%note", b"x"));
        assert!(facts.note(b"ctime", b"soon"));
        assert!(facts.note(b"redis-ver", b"\xff"));
        assert!(facts.note(b"repl-id", b"short"));
        assert_eq!(facts, Facts::default());
        assert_eq!(facts.repl(), None);
    }
}
