//! How each type but the string is laid out in RDB: one file per type.
//!
//! Each gives the number that stands before the key (`type_id`), writes a value (`encode`), and makes a reader for the numbers
//! it knows (`builder`).

mod hash;
mod list;
mod set;
mod stream;
mod zset;

use std::ops::ControlFlow;

use super::build::Build;
use super::encode::Out;
use super::format;
use crate::data::{Limits, ValueRef};

/// The number that says how `value` is going to be laid out.
pub fn type_id(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Str(_) => format::TYPE_STRING,
        ValueRef::List(value) => list::type_id(value),
        ValueRef::Set(value) => set::type_id(value),
        ValueRef::Zset(value) => zset::type_id(value),
        ValueRef::Hash(value) => hash::type_id(value),
        ValueRef::Stream(value) => stream::type_id(value),
    }
}

/// Lays out `value`, without its number. `Break` when `out` did not want all of it.
#[inline]
pub fn encode(value: ValueRef<'_>, out: &mut impl Out) -> ControlFlow<()> {
    match value {
        ValueRef::Str(value) => {
            out.chunk().value(value);
            ControlFlow::Continue(())
        }
        ValueRef::List(value) => list::encode(value, out),
        ValueRef::Set(value) => set::encode(value, out),
        ValueRef::Zset(value) => zset::encode(value, out),
        ValueRef::Hash(value) => hash::encode(value, out),
        ValueRef::Stream(value) => stream::encode(value, out),
    }
}

/// A reader for values with this number, if it is that of a collection we know.
pub fn builder(id: u8, limits: &Limits) -> Option<Box<dyn Build>> {
    list::builder(id, limits)
        .or_else(|| set::builder(id, limits))
        .or_else(|| zset::builder(id, limits))
        .or_else(|| hash::builder(id, limits))
        .or_else(|| stream::builder(id, limits))
}
