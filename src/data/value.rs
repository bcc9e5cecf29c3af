//! A value of any type: stored and borrowed ([`ValueRef`], [`ValueMut`]), on its way in ([`NewValue`]), or taken out ([`Value`]).

use crate::base::time::UnixMillis;
use crate::data::hash::Hash;
use crate::data::list::List;
use crate::data::set::Set;
use crate::data::stream::Stream;
use crate::data::string::{NewStr, StrView};
use crate::data::zset::Zset;
use crate::data::{Encoding, TypeName};

/// The most that the handle of a collection may take: it lies in the entry of its key.
pub const HANDLE: usize = 16;

/// A type of values other than strings.
pub trait Collection: Sized + Default + Clone + Send + 'static {
    /// Its name.
    const TYPE: TypeName;

    /// Whether a key keeps existing when its value has become empty. True for streams alone.
    const STAYS_WHEN_EMPTY: bool = false;

    /// Whether the order of its elements is part of the value.
    const IS_ORDERED: bool;

    /// Whether elements may be over before the key is. True for hashes alone.
    const HAS_EXPIRIES: bool = false;

    /// Whether it has no element.
    fn is_empty(&self) -> bool;

    /// A moment before which no element is over; `None` if none ever is.
    fn due(&self) -> Option<UnixMillis> {
        None
    }

    /// Gives `visit` every element, as the parts it is made of: a list's element or a set's member alone; a field and its value
    /// (and its expiry in milliseconds, if it has one); a member and its score; an entry's id, then its fields and values.
    fn visit(&self, visit: &mut dyn FnMut(&[&[u8]]));

    /// A copy to be saved, which stays as it is while this value is altered. It costs next to nothing, however large the value:
    /// both share their parts until this one alters them. All of it can be visited in order; nothing else is promised. `None`
    /// when the value is laid out as fast as it is frozen.
    fn freeze(&mut self) -> Option<Self>;

    /// What OBJECT ENCODING says.
    fn encoding(&self) -> Encoding;

    /// Where what it owns on the heap begins: an address to ask for ahead, and not to be read from.
    fn heap(&self) -> *const u8;

    /// Bytes on the heap that it owns; may be an estimate from a sample when it is large.
    fn memory(&self) -> usize;

    /// About how many allocations dropping it gives back: what takes long is dropped in the background.
    fn free_effort(&self) -> usize;

    /// Itself as a value.
    fn into_value(self) -> Value;

    /// The value, if it is of this type.
    fn of(value: ValueRef<'_>) -> Option<&Self>;

    /// The value to alter, if it is of this type.
    fn of_mut(value: ValueMut<'_>) -> Option<&mut Self>;
}

macro_rules! values {
    ($($name:ident),*) => {
        /// A value that is not a string.
        #[derive(Clone)]
        pub enum Value {
            $(
                #[doc = concat!("A value of type ", stringify!($name), ".")]
                $name($name),
            )*
        }

        /// A stored value, borrowed.
        #[derive(Clone, Copy)]
        pub enum ValueRef<'a> {
            /// A string.
            Str(StrView<'a>),
            $(
                #[doc = concat!("A value of type ", stringify!($name), ".")]
                $name(&'a $name),
            )*
        }

        /// A stored value that is not a string, to be altered.
        pub enum ValueMut<'a> {
            $(
                #[doc = concat!("A value of type ", stringify!($name), ".")]
                $name(&'a mut $name),
            )*
        }

        impl Value {
            /// The value, borrowed.
            pub fn as_ref(&self) -> ValueRef<'_> {
                match self { $(Value::$name(value) => ValueRef::$name(value),)* }
            }

            /// Its type.
            pub fn type_name(&self) -> TypeName {
                match self { $(Value::$name(_) => TypeName::$name,)* }
            }

            /// A moment before which no element is over; `None` if none ever is.
            pub fn due(&self) -> Option<UnixMillis> {
                match self { $(Value::$name(value) => Collection::due(value),)* }
            }

            /// Whether it has no element.
            pub fn is_empty(&self) -> bool {
                match self { $(Value::$name(value) => value.is_empty(),)* }
            }

            /// About how many allocations dropping it gives back.
            pub fn free_effort(&self) -> usize {
                match self { $(Value::$name(value) => value.free_effort(),)* }
            }
        }

        impl ValueRef<'_> {
            /// Its type.
            pub fn type_name(self) -> TypeName {
                match self {
                    ValueRef::Str(_) => TypeName::String,
                    $(ValueRef::$name(_) => TypeName::$name,)*
                }
            }

            /// A moment before which no element is over; `None` if none ever is.
            pub fn due(self) -> Option<UnixMillis> {
                match self {
                    ValueRef::Str(_) => None,
                    $(ValueRef::$name(value) => Collection::due(value),)*
                }
            }

            /// Where what it has outside of its entry begins; `None` for a string.
            #[inline]
            pub fn heap(self) -> Option<*const u8> {
                match self {
                    ValueRef::Str(_) => None,
                    $(ValueRef::$name(value) => Some(value.heap()),)*
                }
            }

            /// Bytes outside its entry.
            pub fn memory(self) -> usize {
                match self {
                    ValueRef::Str(StrView::Shared(bytes)) => bytes.len(),
                    ValueRef::Str(_) => 0,
                    $(ValueRef::$name(value) => value.memory(),)*
                }
            }

            /// Gives `visit` every element of a collection, see [`Collection::visit`]; gives whether their order matters.
            /// `None` for a string.
            pub fn visit(self, visit: &mut dyn FnMut(&[&[u8]])) -> Option<bool> {
                match self {
                    ValueRef::Str(_) => None,
                    $(
                        ValueRef::$name(value) => {
                            value.visit(visit);
                            Some($name::IS_ORDERED)
                        }
                    )*
                }
            }

            /// The encoding of a collection; `None` for a string, which does not know whether it was edited.
            pub fn collection_encoding(self) -> Option<Encoding> {
                match self {
                    ValueRef::Str(_) => None,
                    $(ValueRef::$name(value) => Some(value.encoding()),)*
                }
            }
        }

        impl ValueMut<'_> {
            /// See [`Collection::freeze`].
            pub fn freeze(self) -> Option<Value> {
                match self { $(ValueMut::$name(value) => Collection::freeze(value).map(Value::$name),)* }
            }
        }

        $(
            const _: () = assert!(size_of::<$name>() <= HANDLE && align_of::<$name>() <= 8);

            impl From<$name> for Value {
                fn from(value: $name) -> Value {
                    Value::$name(value)
                }
            }

            impl From<$name> for NewValue<'_> {
                fn from(value: $name) -> Self {
                    NewValue::Other(Value::$name(value))
                }
            }
        )*
    };
}

values!(List, Set, Zset, Hash, Stream);

/// A value to be stored.
#[derive(Clone)]
pub enum NewValue<'a> {
    /// A string.
    Str(NewStr<'a>),
    /// Anything else.
    Other(Value),
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.type_name().as_str(), self.as_ref().collection_encoding().map_or("", Encoding::as_str))
    }
}

impl std::fmt::Debug for NewValue<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NewValue::Str(value) => value.fmt(f),
            NewValue::Other(value) => value.fmt(f),
        }
    }
}

impl<'a> From<NewStr<'a>> for NewValue<'a> {
    fn from(value: NewStr<'a>) -> NewValue<'a> {
        NewValue::Str(value)
    }
}

impl From<Value> for NewValue<'_> {
    fn from(value: Value) -> Self {
        NewValue::Other(value)
    }
}

impl<'a> From<StrView<'a>> for ValueRef<'a> {
    fn from(value: StrView<'a>) -> ValueRef<'a> {
        ValueRef::Str(value)
    }
}
