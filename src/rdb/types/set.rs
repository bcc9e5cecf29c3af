//! The layout of a set. None exists yet: it comes with the commands.

use crate::data::Limits;
use crate::data::set::Set;
use crate::rdb::build::Build;
use crate::rdb::encode::Chunk;
use crate::rdb::format;

/// The number before the key.
pub fn type_id(_value: &Set) -> u8 {
    format::TYPE_SET
}

/// Lays out a value.
pub fn encode(_value: &Set, chunk: &mut Chunk) {
    chunk.length(0);
}

/// A reader, if the number is one of this type.
pub fn builder(_id: u8, _limits: &Limits) -> Option<Box<dyn Build>> {
    None
}
