//! Lists: one listpack while they are small, a quicklist when they grow, and back when they have shrunk far enough.
//!
//! A list becomes a quicklist when an addition would take its listpack beyond the limit of one quicklist node, counting the
//! bytes of the new texts without what an entry adds. It becomes a listpack again after a removal that leaves one node
//! of at most half that limit. The gap between the two keeps a list at the border from changing with every command. All of
//! this is Redis 7.2's; OBJECT ENCODING shows it.

use std::ops::{ControlFlow, Range};

use crate::data::listpack::{Item, Listpack};
use crate::data::quicklist::{NodeView, Quicklist, remove_matching_in};
use crate::data::string::IntText;
use crate::data::{Collection, Encoding, TypeName, Value, ValueMut, ValueRef};

pub use crate::data::quicklist::{End, Packing};

/// A list of texts.
#[derive(Clone)]
pub struct List(Repr);

#[derive(Clone)]
enum Repr {
    Packed(Listpack),
    Quick(Box<Quicklist>),
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "List of {}", self.len())
    }
}

impl Collection for List {
    const TYPE: TypeName = TypeName::List;
    const IS_ORDERED: bool = true;

    fn is_empty(&self) -> bool {
        List::is_empty(self)
    }

    fn freeze(&mut self) -> Option<List> {
        (self.node_count() > 1).then(|| self.clone())
    }

    fn visit(&self, visit: &mut dyn FnMut(&[&[u8]])) {
        self.each_in(0..self.len(), End::Left, |item| visit(&[item.as_bytes(&mut IntText::new())]));
    }

    fn encoding(&self) -> Encoding {
        match &self.0 {
            Repr::Packed(_) => Encoding::Listpack,
            Repr::Quick(_) => Encoding::Quicklist,
        }
    }

    #[inline]
    fn heap(&self) -> *const u8 {
        match &self.0 {
            Repr::Packed(entries) => entries.address(),
            Repr::Quick(nodes) => (&raw const **nodes).cast(),
        }
    }

    fn memory(&self) -> usize {
        match &self.0 {
            Repr::Packed(entries) => entries.memory(),
            Repr::Quick(nodes) => nodes.memory(),
        }
    }

    fn free_effort(&self) -> usize {
        self.node_count()
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

impl Default for List {
    fn default() -> List {
        List(Repr::Packed(Listpack::new()))
    }
}

impl List {
    /// An empty list.
    pub fn new() -> List {
        List::default()
    }

    /// From nodes that were read somewhere; whatever is best for their number and size.
    pub fn from_nodes(nodes: Quicklist, packing: Packing) -> List {
        let mut list = List(Repr::Quick(Box::new(nodes)));
        list.shrink_to(packing, false);
        list
    }

    /// From a listpack that was read somewhere, likewise.
    pub fn from_listpack(entries: Listpack, packing: Packing) -> List {
        let mut list = List(Repr::Packed(entries));
        list.grow(0, 0, packing);
        list
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed(entries) => entries.len(),
            Repr::Quick(nodes) => nodes.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Packed(entries) => entries.is_empty(),
            Repr::Quick(nodes) => nodes.is_empty(),
        }
    }

    /// The single listpack, if it is one.
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match &self.0 {
            Repr::Packed(entries) => Some(entries),
            Repr::Quick(_) => None,
        }
    }

    /// The quicklist, if it is one.
    pub fn as_quicklist(&self) -> Option<&Quicklist> {
        match &self.0 {
            Repr::Packed(_) => None,
            Repr::Quick(nodes) => Some(nodes),
        }
    }

    /// How many nodes there are to save: a listpack counts as one.
    pub fn node_count(&self) -> usize {
        self.as_quicklist().map_or(1, Quicklist::node_count)
    }

    /// The nodes in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeView<'_>> {
        let packed = self.as_listpack().into_iter().map(NodeView::Packed);
        packed.chain(self.as_quicklist().into_iter().flat_map(Quicklist::nodes))
    }

    /// The index that `index` means, which counts from the end when negative; `None` when there is no such element.
    pub fn index(&self, index: i64) -> Option<usize> {
        let len = self.len() as i64;
        let index = if index < 0 { index.checked_add(len)? } else { index };
        (0..len).contains(&index).then_some(index as usize)
    }

    /// The indexes from `start` to `stop` inclusive as commands mean them: from the end when negative, cut to what there is.
    pub fn range(&self, start: i64, stop: i64) -> Range<usize> {
        let len = self.len() as i64;
        let from_end = |index: i64| if index < 0 { index.saturating_add(len) } else { index };
        let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
        if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
    }

    /// The element at one end.
    pub fn peek(&self, end: End) -> Option<Item<'_>> {
        match &self.0 {
            Repr::Packed(entries) => {
                let pos = if end == End::Left { entries.first() } else { entries.last() };
                pos.map(|pos| entries.get(pos))
            }
            Repr::Quick(nodes) => nodes.peek(end),
        }
    }

    /// What `f` makes of the element at `index`; `None` when there is none.
    pub fn at<R>(&self, index: usize, f: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        match &self.0 {
            Repr::Packed(entries) => entries.seek(isize::try_from(index).ok()?).map(|pos| f(entries.get(pos))),
            Repr::Quick(nodes) => nodes.at(index, f),
        }
    }

    /// Shows `f` the elements from `index` on, going away from the end `from`, until it breaks or they end. No copies are
    /// made.
    pub fn scan(&self, index: usize, from: End, mut f: impl FnMut(Item<'_>) -> ControlFlow<()>) {
        match &self.0 {
            Repr::Packed(entries) => {
                let Some(pos) = isize::try_from(index).ok().and_then(|index| entries.seek(index)) else { return };
                let _ = match from {
                    End::Left => entries.iter_from(pos).try_for_each(f),
                    End::Right => entries.iter_to(pos).rev().try_for_each(&mut f),
                };
            }
            Repr::Quick(nodes) => nodes.scan(index, from, f),
        }
    }

    /// Shows `f` the elements with these indexes, in order, or backwards when they are looked at from the right.
    pub fn each_in(&self, range: Range<usize>, from: End, mut f: impl FnMut(Item<'_>)) {
        let mut left = range.len();
        if left == 0 {
            return;
        }
        self.scan(if from == End::Left { range.start } else { range.end - 1 }, from, |item| {
            f(item);
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }

    /// Tells `f` the indexes of elements with this text, going away from the end `from` and looking at no more than `most`
    /// elements, until it breaks.
    pub fn find(&self, text: &[u8], from: End, most: usize, mut f: impl FnMut(usize) -> ControlFlow<()>) {
        let number = Item::of(text);
        let len = self.len();
        let mut looked_at = 0;
        if most == 0 || len == 0 {
            return;
        }
        self.scan(if from == End::Left { 0 } else { len - 1 }, from, |item| {
            let is_it = match item {
                Item::Bytes(bytes) => bytes == text,
                value => value == number,
            };
            looked_at += 1;
            let index = if from == End::Left { looked_at - 1 } else { len - looked_at };
            if is_it {
                f(index)?;
            }
            if looked_at == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }

    /// Adds texts at one end, one after the other: at the left the last one ends up first. `texts` is asked twice: their size
    /// decides about the encoding before the first one is added.
    pub fn push<'t, I: Iterator<Item = &'t [u8]>>(&mut self, end: End, texts: impl Fn() -> I, packing: Packing) {
        let (count, bytes) = texts().fold((0, 0usize), |(n, sum), text| (n + 1, sum.saturating_add(text.len())));
        self.grow(count, bytes, packing);
        match &mut self.0 {
            Repr::Packed(entries) if end == End::Left => texts().for_each(|text| entries.push_front(text)),
            Repr::Packed(entries) => texts().for_each(|text| entries.push_back(text)),
            Repr::Quick(nodes) => texts().for_each(|text| nodes.push(end, text, packing.plain_from)),
        }
    }

    /// Adds a text at one end.
    pub fn push_one(&mut self, end: End, text: &[u8], packing: Packing) {
        self.push(end, || std::iter::once(text), packing);
    }

    /// Puts a text before or after the element at `index`, which must exist.
    pub fn insert(&mut self, index: usize, after: bool, text: &[u8], packing: Packing) {
        self.grow(1, text.len(), packing);
        match &mut self.0 {
            Repr::Packed(entries) => {
                let pos = entries.seek(index as isize).expect("an element that was found");
                if after {
                    entries.insert_after(pos, text)
                } else {
                    entries.insert_before(pos, text)
                };
            }
            Repr::Quick(nodes) => nodes.insert(index, after, text, packing.plain_from),
        }
    }

    /// Puts a text in the place of the element at `index`, which must exist.
    pub fn set(&mut self, index: usize, text: &[u8], packing: Packing) {
        self.grow(1, text.len(), packing);
        match &mut self.0 {
            Repr::Packed(entries) => {
                let pos = entries.seek(index as isize).expect("an element that was found");
                entries.replace(pos, text);
            }
            Repr::Quick(nodes) => {
                assert!(nodes.replace(index, text, packing.plain_from), "an element that was found");
            }
        }
        self.shrink_to(packing, true);
    }

    /// Takes the element at the end `from` and adds it at the end `to`. It must be the one with this text.
    pub fn rotate(&mut self, from: End, to: End, text: &[u8], packing: Packing) {
        let last = self.len() - 1;
        let taken = if from == End::Left { 0 } else { last };
        // The encoding is looked at once the length is what it was.
        self.take_out(taken..taken + 1);
        self.push_one(to, text, packing);
        self.shrink_to(packing, true);
    }

    /// Removes the elements with these indexes.
    pub fn remove(&mut self, range: Range<usize>, packing: Packing) {
        if range.is_empty() {
            return;
        }
        self.take_out(range);
        self.shrink_to(packing, true);
    }

    fn take_out(&mut self, range: Range<usize>) {
        match &mut self.0 {
            Repr::Packed(entries) => {
                if let Some(pos) = entries.seek(range.start as isize) {
                    entries.remove(pos, range.len());
                }
            }
            Repr::Quick(nodes) => nodes.remove_range(range.start, range.len()),
        }
    }

    /// Removes up to `count` elements from one end.
    pub fn remove_end(&mut self, end: End, count: usize, packing: Packing) {
        let len = self.len();
        let count = count.min(len);
        self.remove(if end == End::Left { 0..count } else { len - count..len }, packing);
    }

    /// Removes up to `max` elements with this text, counted from an end; returns how many.
    pub fn remove_matching(&mut self, text: &[u8], max: usize, from: End, packing: Packing) -> usize {
        let removed = match &mut self.0 {
            Repr::Packed(entries) => remove_matching_in(entries, text, max, from),
            Repr::Quick(nodes) => nodes.remove_matching(text, max, from),
        };
        if removed > 0 {
            self.shrink_to(packing, true);
        }
        removed
    }

    /// Makes a quicklist of a listpack that would go beyond the limits with `count` more texts of `bytes` bytes.
    fn grow(&mut self, count: usize, bytes: usize, packing: Packing) {
        let Repr::Packed(entries) = &mut self.0 else { return };
        // An entry's overhead is not counted, as in Redis; but very many empty texts must not burst the listpack.
        let is_too_much = packing.is_too_much(entries.byte_len().saturating_add(bytes), entries.len() + count);
        if is_too_much || !entries.has_room(count, bytes) {
            let mut nodes = Quicklist::new(packing);
            nodes.push_listpack(std::mem::take(entries));
            self.0 = Repr::Quick(Box::new(nodes));
        }
    }

    /// Makes a listpack of a quicklist that has become, or is, small.
    fn shrink_to(&mut self, packing: Packing, shrinking: bool) {
        let Repr::Quick(nodes) = &mut self.0 else { return };
        if let Some((bytes, len)) = nodes.only_listpack()
            && packing.fits_in_one(bytes, len, shrinking)
            && let Some(entries) = nodes.take_listpack()
        {
            self.0 = Repr::Packed(entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(list: &List) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        list.each_in(0..list.len(), End::Left, |item| all.push(item.to_vec()));
        all
    }

    fn push(list: &mut List, texts: &[&[u8]], packing: Packing) {
        list.push(End::Right, || texts.iter().copied(), packing);
    }

    fn is_quick(list: &List) -> bool {
        list.as_quicklist().is_some()
    }

    #[test]
    fn a_list_is_two_words() {
        assert_eq!(size_of::<List>(), 16);
    }

    #[test]
    fn it_grows_at_the_limit_and_shrinks_at_half_of_it() {
        let packing = Packing::new(4, 0, 0);
        let mut list = List::new();
        push(&mut list, &[b"a", b"b", b"c", b"d"], packing);
        assert!(!is_quick(&list));
        push(&mut list, &[b"e"], packing);
        assert!(is_quick(&list));
        list.remove_end(End::Right, 2, packing);
        assert!(is_quick(&list), "three of four are more than half");
        list.remove_end(End::Left, 1, packing);
        assert!(!is_quick(&list));
        assert_eq!(texts(&list), [b"b", b"c"]);
    }

    #[test]
    fn bytes_are_counted_without_what_an_entry_adds() {
        let packing = Packing::new(-1, 0, 0);
        let fits = vec![b'x'; 4096 - 7];
        let mut list = List::new();
        push(&mut list, &[&fits], packing);
        assert!(!is_quick(&list));
        let mut list = List::new();
        push(&mut list, &[&fits, b"y"], packing);
        assert!(is_quick(&list));
        assert_eq!(list.node_count(), 2);
    }

    #[test]
    fn a_smaller_element_in_place_can_bring_the_listpack_back() {
        let packing = Packing::default();
        let mut list = List::new();
        push(&mut list, &[b"a", &[b'x'; 9000]], packing);
        assert!(is_quick(&list));
        list.set(1, b"small", packing);
        assert!(is_quick(&list), "two nodes do not become one");
        list.remove_end(End::Right, 1, packing);
        assert!(!is_quick(&list));
        let mut list = List::new();
        push(&mut list, &[&[b'x'; 9000]], packing);
        list.set(0, b"small", packing);
        assert!(!is_quick(&list));
    }

    #[test]
    fn indexes_and_ranges_are_those_of_commands() {
        let mut list = List::new();
        push(&mut list, &[b"a", b"b", b"c"], Packing::default());
        assert_eq!((list.index(-1), list.index(2), list.index(3), list.index(-4)), (Some(2), Some(2), None, None));
        assert_eq!((list.index(i64::MIN), list.index(i64::MAX)), (None, None));
        assert_eq!(list.range(0, -1), 0..3);
        assert_eq!(list.range(-100, 100), 0..3);
        assert_eq!(list.range(1, 1), 1..2);
        assert_eq!(list.range(i64::MIN, i64::MAX), 0..3);
        assert!(list.range(2, 1).is_empty() && list.range(3, 5).is_empty() && list.range(0, -4).is_empty());
    }

    #[test]
    fn a_million_short_elements_cost_less_than_eighteen_bytes_each() {
        let mut list = List::new();
        for number in 0..200_000 {
            let text = format!("element:{number:07}");
            list.push_one(End::Right, text.as_bytes(), Packing::default());
        }
        assert!(list.memory() < 200_000 * 18, "{} bytes", list.memory());
    }

    proptest! {
        #[test]
        fn any_row_of_edits_agrees_with_a_vec(
            fill in prop_oneof![Just(-1i64), Just(2), Just(5), Just(0)],
            edits in proptest::collection::vec((0..8u8, any::<u16>(), 0..12u8, prop_oneof![0..20usize, 0..3000usize]), 0..60),
        ) {
            let packing = Packing::new(fill, 1, 2000);
            let (mut list, mut model) = (List::new(), Vec::<Vec<u8>>::new());
            for (edit, place, letter, len) in edits {
                let text = vec![b'a' + letter; len];
                let at = if model.is_empty() { 0 } else { usize::from(place) % model.len() };
                match edit {
                    0 => { push(&mut list, &[&text, b"7"], packing); model.push(text); model.push(b"7".to_vec()); }
                    1 => { list.push_one(End::Left, &text, packing); model.insert(0, text); }
                    2 if !model.is_empty() => { list.insert(at, letter > 5, &text, packing); model.insert(at + usize::from(letter > 5), text); }
                    3 if !model.is_empty() => { list.set(at, &text, packing); model[at] = text; }
                    4 => { let end = (at + len % 4).min(model.len()); list.remove(at..end, packing); model.drain(at..end); }
                    5 => {
                        let removed = list.remove_matching(b"7", len, End::Left, packing);
                        let before = model.len();
                        let mut left = len;
                        model.retain(|text| { let goes = text == b"7" && left > 0; left -= usize::from(goes); !goes });
                        prop_assert_eq!(removed, before - model.len());
                    }
                    _ => { list.remove_end(End::Right, 1, packing); model.pop(); }
                }
                prop_assert_eq!(texts(&list), &model[..]);
                prop_assert_eq!(list.len(), model.len());
                prop_assert_eq!(list.peek(End::Right).map(|item| item.to_vec()), model.last().cloned());
                prop_assert_eq!(list.peek(End::Left).map(|item| item.to_vec()), model.first().cloned());
                let copy = list.clone();
                prop_assert_eq!(texts(&copy), &model[..]);
            }
        }
    }
}
