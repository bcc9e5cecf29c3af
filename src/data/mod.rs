//! Values and how they are encoded. Pure materials: nothing here knows keys, expiry, clients or the wire.
//!
//! A string is looked at and given in forms of its own ([`string`]). Every other type is a [`Collection`]: a small handle (at most
//! [`HANDLE`] bytes) that lies in its key's entry and owns its memory elsewhere.

pub mod bits;
pub mod dict;
pub mod geohash;
pub mod hash;
pub mod hll;
pub mod intset;
pub mod limits;
pub mod list;
pub mod listpack;
pub mod quicklist;
pub mod rows;
pub mod set;
pub mod stream;
pub mod string;
pub mod value;
pub mod zset;

pub use limits::Limits;
pub use value::{Collection, HANDLE, NewValue, Value, ValueMut, ValueRef};

/// The type of a value, as TYPE and SCAN ... TYPE name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TypeName {
    /// A string, whatever its encoding.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    Zset,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
}

impl TypeName {
    /// The public spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            TypeName::String => "string",
            TypeName::List => "list",
            TypeName::Set => "set",
            TypeName::Zset => "zset",
            TypeName::Hash => "hash",
            TypeName::Stream => "stream",
        }
    }
}

/// How a value is represented, as OBJECT ENCODING names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A string that is the canonical text of a 64-bit integer, kept as the integer.
    Int,
    /// A short string that has not been edited in place.
    Embstr,
    /// Any other string.
    Raw,
    /// A small collection in one packed piece of memory.
    Listpack,
    /// A small hash whose fields may have expiry times, in one piece.
    ListpackEx,
    /// A list of several pieces.
    Quicklist,
    /// A set of integers in one sorted array.
    Intset,
    /// A large set or hash.
    Hashtable,
    /// A large sorted set.
    Skiplist,
    /// A stream.
    Stream,
}

impl Encoding {
    /// The public spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::Embstr => "embstr",
            Encoding::Raw => "raw",
            Encoding::Listpack => "listpack",
            Encoding::ListpackEx => "listpackex",
            Encoding::Quicklist => "quicklist",
            Encoding::Intset => "intset",
            Encoding::Hashtable => "hashtable",
            Encoding::Skiplist => "skiplist",
            Encoding::Stream => "stream",
        }
    }
}
