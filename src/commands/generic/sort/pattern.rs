//! The patterns of BY and GET: how an element becomes the name of a key, or of a field in a hash.
//!
//! ```text
//! weight_*           the string at weight_<element>
//! object_*->weight   the field `weight` of the hash at object_<element>
//! object_*->         the string at object_<element>->        a field must have a name
//! #                  the element itself (GET only)
//! anything else      nothing
//! ```
//!
//! Only the first star counts, and the first arrow behind it.

use memchr::memchr;
use memchr::memmem;

use crate::data::ValueRef;
use crate::data::string::StrView;
use crate::keyspace::{AnyValue, DbHandle};

/// A pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern<'a> {
    /// The element.
    Element,
    /// Nothing, whatever the element.
    Nothing,
    /// A key.
    Key {
        /// Its name before the element.
        before: &'a [u8],
        /// Its name behind the element.
        after: &'a [u8],
        /// The field, when the key is a hash.
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    /// Reads a pattern.
    pub fn of(text: &'a [u8]) -> Pattern<'a> {
        if text == b"#" {
            return Pattern::Element;
        }
        let Some(star) = memchr(b'*', text) else { return Pattern::Nothing };
        let (before, after) = (&text[..star], &text[star + 1..]);
        match memmem::find(after, b"->").map(|arrow| (&after[..arrow], &after[arrow + 2..])) {
            Some((after, field)) if !field.is_empty() => Pattern::Key { before, after, field: Some(field) },
            _ => Pattern::Key { before, after, field: None },
        }
    }

    /// Gives `see` what the pattern stands for, given an element; `None` for a key or field that is not there, or of another
    /// type. `scratch` is for the name.
    pub fn look_up<R>(
        &self,
        db: &mut DbHandle<'_>,
        element: &[u8],
        scratch: &mut Vec<u8>,
        see: impl FnOnce(Option<StrView<'_>>) -> R,
    ) -> R {
        let (before, after, field) = match *self {
            Pattern::Element => return see(Some(StrView::Bytes(element))),
            Pattern::Nothing => return see(None),
            Pattern::Key { before, after, field } => (before, after, field),
        };
        scratch.clear();
        [before, element, after].into_iter().for_each(|part| scratch.extend_from_slice(part));
        let fields_at = db.fields_at();
        let value = db.read::<AnyValue>(scratch).ok().flatten();
        see(match (value, field) {
            (Some(ValueRef::Str(text)), None) => Some(text),
            (Some(ValueRef::Hash(hash)), Some(field)) => {
                hash.get(field).filter(|field| !field.is_over(fields_at)).map(|field| field.value)
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_star_and_the_first_arrow_behind_it_count() {
        let key = |before: &'static str, after: &'static str, field: Option<&'static str>| Pattern::Key {
            before: before.as_bytes(),
            after: after.as_bytes(),
            field: field.map(str::as_bytes),
        };
        for (text, pattern) in [
            ("#", Pattern::Element),
            ("", Pattern::Nothing),
            ("nosort", Pattern::Nothing),
            ("w_*", key("w_", "", None)),
            ("*", key("", "", None)),
            ("a*b*c", key("a", "b*c", None)),
            ("o_*->w", key("o_", "", Some("w"))),
            ("o_*x->w->v", key("o_", "x", Some("w->v"))),
            ("a->*", key("a->", "", None)),
            ("o_*->", key("o_", "->", None)),
        ] {
            assert_eq!(Pattern::of(text.as_bytes()), pattern, "{text}");
        }
    }
}
