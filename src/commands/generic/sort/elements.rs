//! A copy of the elements to sort: looking up weights may remove keys whose time is over, so nothing can be borrowed.

use std::ops::Range;

use super::options::Options;
use crate::data::ValueRef;
use crate::data::list::End;
use crate::data::listpack::Item;
use crate::data::string::IntText;

/// Texts one behind the other.
#[derive(Debug, Default)]
pub struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    /// Adds one.
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    fn push_item(&mut self, item: Item<'_>) {
        self.push(item.as_bytes(&mut IntText::new()));
    }

    /// The one with this number.
    pub fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }
}

/// The elements of a value, and which of them, once in order, are asked for; `None` when the value is of another type.
///
/// Lists and sorted sets have an order. When no other is wanted, the copy has only what LIMIT asks for, in that order.
/// Sets have none, so an order by bytes is put into the options when the result is stored, or goes to a script.
pub fn copied(value: ValueRef<'_>, options: &mut Options<'_>, is_scripted: bool) -> Option<(Texts, Range<usize>)> {
    let mut texts = Texts::default();
    let len = match value {
        ValueRef::List(list) => list.len(),
        ValueRef::Set(set) => set.len(),
        ValueRef::Zset(zset) => zset.len(),
        ValueRef::Str(_) | ValueRef::Hash(_) | ValueRef::Stream(_) => return None,
    };
    let range = options.range(len);
    let (window, range) = match value {
        ValueRef::Set(_) => (0..len, range),
        _ if options.is_unsorted => {
            let window = if options.is_descending { len - range.end..len - range.start } else { range.clone() };
            (window, 0..range.len())
        }
        _ => (0..len, range),
    };
    let is_backwards = options.is_unsorted && options.is_descending;
    match value {
        ValueRef::List(list) => {
            let from = if is_backwards { End::Right } else { End::Left };
            list.each_in(window, from, |item| texts.push_item(item));
        }
        ValueRef::Zset(zset) if is_backwards => {
            zset.elements_backwards(window).for_each(|(member, _)| texts.push_item(member));
        }
        ValueRef::Zset(zset) => zset.elements(window).for_each(|(member, _)| texts.push_item(member)),
        ValueRef::Set(set) => {
            set.iter().for_each(|member| texts.push_item(member));
            if options.is_unsorted && (options.store.is_some() || is_scripted) {
                (options.is_unsorted, options.is_alpha, options.by) = (false, true, None);
            }
        }
        _ => unreachable!("other types have been refused"),
    }
    Some((texts, range))
}
