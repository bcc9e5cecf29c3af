//! An image as commands: what an AOF begins with when `aof-use-rdb-preamble` is off. Larger and slower than RDB, but readable.
//!
//! A string is a SET, with its expiry. Other values are RESTOREd from their serialised form, which any server of these
//! versions understands and which loads as fast as an image.

use crate::base::time::UnixMillis;
use crate::data::string::StrView;
use crate::data::{Value, ValueRef};
use crate::rdb::dump;
use crate::rdb::encode::Chunk;

/// Lays out commands in a chunk.
pub struct Writer<'a>(pub &'a mut Chunk);

impl Writer<'_> {
    /// A time stamp.
    pub fn stamp(&mut self, now: UnixMillis) {
        self.0.raw(format!("#TS:{}\r\n", now.as_secs()).as_bytes());
    }

    /// A library of functions.
    pub fn library(&mut self, text: &[u8]) {
        self.words(&[b"FUNCTION", b"LOAD", text]);
    }

    /// What follows is in this database.
    pub fn select(&mut self, db: u32) {
        let mut digits = itoa::Buffer::new();
        self.words(&[b"SELECT", digits.format(db).as_bytes()]);
    }

    /// A key with its expiry and its value, which is serialised when the chunk is packed.
    pub fn key_with_frozen(&mut self, key: &[u8], value: Value, expiry: Option<UnixMillis>) {
        self.header(b'*', 4);
        [b"RESTORE", key, b"0"].into_iter().for_each(|word| self.word(word));
        self.0.dump_of_frozen(value);
        self.expiry(key, expiry);
    }

    /// A key with its value and expiry.
    pub fn key(&mut self, key: &[u8], value: ValueRef<'_>, expiry: Option<UnixMillis>) {
        match value {
            ValueRef::Str(view) => {
                let mut number = itoa::Buffer::new();
                let text = match view {
                    StrView::Int(value) => number.format(value).as_bytes(),
                    StrView::Bytes(bytes) => bytes,
                    StrView::Shared(bytes) => bytes,
                };
                self.words(&[b"SET", key, text]);
            }
            value => self.words(&[b"RESTORE", key, b"0", &dump::dump(value)]),
        }
        self.expiry(key, expiry);
    }

    fn expiry(&mut self, key: &[u8], expiry: Option<UnixMillis>) {
        if let Some(at) = expiry {
            let mut digits = itoa::Buffer::new();
            self.words(&[b"PEXPIREAT", key, digits.format(at.0).as_bytes()]);
        }
    }

    fn words(&mut self, words: &[&[u8]]) {
        self.header(b'*', words.len());
        words.iter().for_each(|word| self.word(word));
    }

    fn word(&mut self, word: &[u8]) {
        self.header(b'$', word.len());
        self.0.raw(word);
        self.0.raw(b"\r\n");
    }

    fn header(&mut self, mark: u8, len: usize) {
        let mut digits = itoa::Buffer::new();
        self.0.raw(&[mark]);
        self.0.raw(digits.format(len).as_bytes());
        self.0.raw(b"\r\n");
    }
}
