//! The hash type. No command makes one yet; the encodings come with the commands.

use crate::data::{Collection, Encoding, TypeName, Value, ValueMut, ValueRef};

/// A hash.
#[derive(Clone, Debug, Default)]
pub struct Hash {}

impl Collection for Hash {
    const TYPE: TypeName = TypeName::Hash;
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
        Value::Hash(self)
    }

    fn of(value: ValueRef<'_>) -> Option<&Hash> {
        match value {
            ValueRef::Hash(value) => Some(value),
            _ => None,
        }
    }

    fn of_mut(value: ValueMut<'_>) -> Option<&mut Hash> {
        match value {
            ValueMut::Hash(value) => Some(value),
            _ => None,
        }
    }
}
