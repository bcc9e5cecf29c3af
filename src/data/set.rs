//! The set type. No command makes one yet; the encodings come with the commands.

use crate::data::{Collection, Encoding, TypeName, Value, ValueMut, ValueRef};

/// A set.
#[derive(Clone, Debug, Default)]
pub struct Set {}

impl Collection for Set {
    const TYPE: TypeName = TypeName::Set;
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
        Value::Set(self)
    }

    fn of(value: ValueRef<'_>) -> Option<&Set> {
        match value {
            ValueRef::Set(value) => Some(value),
            _ => None,
        }
    }

    fn of_mut(value: ValueMut<'_>) -> Option<&mut Set> {
        match value {
            ValueMut::Set(value) => Some(value),
            _ => None,
        }
    }
}
