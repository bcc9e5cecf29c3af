//! A value on its way from one key to another: RENAME, COPY and MOVE.
//!
//! A collection or a shared string that is taken out of its table moves as it is; short strings lie inside their entry and are copied.

use bytes::Bytes;

use super::EntryRef;
use super::entry::Outside;
use super::table::{Loc, Table};
use crate::base::time::UnixMillis;
use crate::data::string::{NewStr, StrView};
use crate::data::{NewValue, Value, ValueRef};

/// What stays the same when a value moves to another key.
pub(super) struct Carried {
    pub(super) value: CarriedValue,
    pub(super) expiry: Option<UnixMillis>,
    pub(super) recency: u32,
}

/// Its value, in memory of its own or shared.
pub(super) enum CarriedValue {
    Text(Vec<u8>),
    Raw(Vec<u8>),
    Int(i64),
    Shared(Bytes),
    Other(Value),
}

impl CarriedValue {
    /// A copy of a value.
    fn copy_of(entry: EntryRef<'_>) -> CarriedValue {
        match entry.value() {
            ValueRef::Str(StrView::Int(value)) => CarriedValue::Int(value),
            ValueRef::Str(StrView::Shared(bytes)) => CarriedValue::Shared(bytes.clone()),
            ValueRef::Str(StrView::Bytes(bytes)) if entry.is_edited() => CarriedValue::Raw(bytes.to_vec()),
            ValueRef::Str(StrView::Bytes(bytes)) => CarriedValue::Text(bytes.to_vec()),
            ValueRef::List(value) => CarriedValue::Other(value.clone().into()),
            ValueRef::Set(value) => CarriedValue::Other(value.clone().into()),
            ValueRef::Zset(value) => CarriedValue::Other(value.clone().into()),
            ValueRef::Hash(value) => CarriedValue::Other(value.clone().into()),
            ValueRef::Stream(value) => CarriedValue::Other(value.clone().into()),
        }
    }

    /// Lends it as what a table takes.
    pub(super) fn into_new<R>(self, f: impl FnOnce(NewValue<'_>) -> R) -> R {
        match self {
            CarriedValue::Text(bytes) => f(NewStr::Text(&bytes).into()),
            CarriedValue::Raw(bytes) => f(NewStr::Raw(&bytes).into()),
            CarriedValue::Int(value) => f(NewStr::Int(value).into()),
            CarriedValue::Shared(bytes) => f(NewStr::Shared(bytes).into()),
            CarriedValue::Other(value) => f(value.into()),
        }
    }
}

impl Carried {
    /// A copy.
    pub(super) fn copy_of(entry: EntryRef<'_>) -> Carried {
        Carried { value: CarriedValue::copy_of(entry), expiry: entry.expiry(), recency: entry.recency() }
    }

    /// Takes the entry at `loc` out of its table. What it owns outside moves along.
    pub(super) fn take(table: &mut Table, loc: Loc) -> Carried {
        let entry = table.entry(loc);
        let (expiry, recency) = (entry.expiry(), entry.recency());
        let text = match entry.string() {
            Some(StrView::Shared(_)) | None => None,
            Some(_) => Some(CarriedValue::copy_of(entry)),
        };
        let value = match (table.remove(loc), text) {
            (_, Some(text)) => text,
            (Some(Outside::Bytes(bytes)), None) => CarriedValue::Shared(bytes),
            (Some(Outside::Value(value)), None) => CarriedValue::Other(value),
            (None, None) => unreachable!("an entry with a part outside gives it back"),
        };
        Carried { value, expiry, recency }
    }
}
