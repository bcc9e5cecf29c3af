//! The sorted set type. No command makes one yet; the encodings come with the commands.

use crate::data::{Collection, Encoding, TypeName, Value, ValueMut, ValueRef};

/// A sorted set.
#[derive(Clone, Debug, Default)]
pub struct Zset {}

impl Collection for Zset {
    const TYPE: TypeName = TypeName::Zset;
    const IS_ORDERED: bool = false;

    fn visit(&self, _visit: &mut dyn FnMut(&[&[u8]])) {}

    fn is_empty(&self) -> bool {
        true
    }

    fn encoding(&self) -> Encoding {
        Encoding::Listpack
    }

    fn memory(&self) -> usize {
        0
    }

    fn free_effort(&self) -> usize {
        1
    }

    fn into_value(self) -> Value {
        Value::Zset(self)
    }

    fn of(value: ValueRef<'_>) -> Option<&Zset> {
        match value {
            ValueRef::Zset(value) => Some(value),
            _ => None,
        }
    }

    fn of_mut(value: ValueMut<'_>) -> Option<&mut Zset> {
        match value {
            ValueMut::Zset(value) => Some(value),
            _ => None,
        }
    }
}
