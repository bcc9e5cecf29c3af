//! The list type. No command makes one yet; the encodings come with the commands.

use crate::data::{Collection, Encoding, TypeName, Value, ValueMut, ValueRef};

/// A list.
#[derive(Clone, Debug, Default)]
pub struct List {}

impl Collection for List {
    const TYPE: TypeName = TypeName::List;
    const IS_ORDERED: bool = true;

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
        Value::List(self)
    }

    fn of(value: ValueRef<'_>) -> Option<&List> {
        match value {
            ValueRef::List(value) => Some(value),
            _ => None,
        }
    }

    fn of_mut(value: ValueMut<'_>) -> Option<&mut List> {
        match value {
            ValueMut::List(value) => Some(value),
            _ => None,
        }
    }
}
