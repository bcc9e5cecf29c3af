//! Values and how they are encoded. Pure materials: nothing here knows keys, expiry, clients or the wire.

pub mod bits;
pub mod dict;
pub mod hll;
pub mod intset;
pub mod listpack;
pub mod stream;
pub mod string;

/// The type of a value, as TYPE and SCAN ... TYPE name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TypeName {
    /// A string, whatever its encoding.
    String,
}

impl TypeName {
    /// The public spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            TypeName::String => "string",
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
}

impl Encoding {
    /// The public spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::Embstr => "embstr",
            Encoding::Raw => "raw",
        }
    }
}
