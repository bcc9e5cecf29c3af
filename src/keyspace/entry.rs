//! One key with its value, expiry and recency.

use bytes::Bytes;

use crate::base::limits::INLINE_VALUE_MAX;
use crate::base::time::UnixMillis;
use crate::data::string::{NewStr, StrView, canonical_int};

pub(super) enum Value {
    Int(i64),
    Inline(Vec<u8>),
    Shared(Bytes),
}

pub(super) struct Entry {
    pub key: Box<[u8]>,
    pub value: Value,
    pub edited: bool,
    pub expiry: Option<UnixMillis>,
    pub recency: u32,
}

pub(super) fn value_of(new: NewStr<'_>) -> (Value, bool) {
    match new {
        NewStr::Int(value) => (Value::Int(value), false),
        NewStr::Text(text) => match canonical_int(text) {
            Some(value) => (Value::Int(value), false),
            None if text.len() > INLINE_VALUE_MAX => (Value::Shared(Bytes::copy_from_slice(text)), false),
            None => (Value::Inline(text.to_vec()), false),
        },
        NewStr::Raw(text) => (Value::Inline(text.to_vec()), true),
        NewStr::Shared(bytes) => match bytes.len() > INLINE_VALUE_MAX {
            true => (Value::Shared(bytes), false),
            false => value_of(NewStr::Text(&bytes)),
        },
    }
}

/// A stored key, borrowed.
#[derive(Clone, Copy)]
pub struct EntryRef<'a>(pub(super) &'a Entry);

impl<'a> EntryRef<'a> {
    /// The key.
    pub fn key(self) -> &'a [u8] {
        &self.0.key
    }

    /// The value.
    pub fn value(self) -> StrView<'a> {
        match &self.0.value {
            Value::Int(value) => StrView::Int(*value),
            Value::Inline(bytes) => StrView::Bytes(bytes),
            Value::Shared(bytes) => StrView::Shared(bytes),
        }
    }

    /// Whether the value was edited in place since it was set.
    pub fn is_edited(self) -> bool {
        self.0.edited
    }

    /// When the key's time is over.
    pub fn expiry(self) -> Option<UnixMillis> {
        self.0.expiry
    }

    /// The recency bits, see `access.rs`.
    pub fn recency(self) -> u32 {
        self.0.recency
    }

    /// Bytes of memory the key and its value occupy.
    pub fn memory(self) -> usize {
        self.0.key.len() + self.value().len() + size_of::<Entry>()
    }
}
