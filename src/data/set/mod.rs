//! The set type: members without order, none twice.
//!
//! Three forms, named as OBJECT ENCODING names them, with the thresholds of [`Limits`]:
//!
//! | form | while |
//! |---|---|
//! | `intset` | all members are integers, at most `set-max-intset-entries` |
//! | `listpack` | at most `set-max-listpack-entries`, none longer than `set-max-listpack-value` |
//! | `hashtable` | otherwise |
//!
//! A set begins as the form that its first member asks for, turns into a later form of this list when it has to, and never
//! back. Only results of whole operations are made anew ([`algebra`]).
//!
//! In the table integers are kept as text like all members. That takes no more than a word each would (a tag, two bytes of
//! offset, a length and seven digits for a million of them), and a look-up needs no conversion.

pub mod algebra;
mod random;
#[cfg(test)]
mod tests;

use crate::data::dict::KeyDict;
use crate::data::intset::{INTSET_LEN_MAX, Intset};
use crate::data::listpack::Listpack;
use crate::data::string::{IntText, canonical_int, int_text_len};
use crate::data::{Collection, Encoding, Limits, TypeName, Value, ValueMut, ValueRef};

pub use crate::data::listpack::Item as Member;

/// A set.
#[derive(Clone, Debug)]
pub struct Set(Form);

#[derive(Clone, Debug)]
enum Form {
    Ints(Intset),
    Packed(Listpack),
    Table(Box<KeyDict>),
}

impl Default for Set {
    fn default() -> Set {
        Set(Form::Ints(Intset::new()))
    }
}

/// Most members that room is made for on hearsay: some hundred kilobytes.
const RESERVED_MAX: u64 = 1 << 17;

/// Most values of an intset.
fn ints_max(limits: &Limits) -> u64 {
    limits.set_max_intset_entries.min(INTSET_LEN_MAX as u64)
}

impl Set {
    // ---- making -----------------------------------------------------------------------------------------------------

    /// An empty set that is going to get `first`, and about `expected` members in all.
    pub fn beginning_with(first: &[u8], expected: usize, limits: &Limits) -> Set {
        let is_few = |most: u64| expected as u64 <= most;
        if canonical_int(first).is_some() && is_few(limits.set_max_intset_entries) {
            Set::default()
        } else if is_few(limits.set_max_listpack_entries) {
            Set::packed()
        } else {
            Set::table(expected)
        }
    }

    /// An empty set for members that are not known yet, `expected` in all, if that number can be believed.
    pub fn expecting(expected: u64, limits: &Limits) -> Set {
        if expected > ints_max(limits) { Set::table(expected.min(RESERVED_MAX) as usize) } else { Set::default() }
    }

    /// An empty set in the form for a few members of any kind.
    pub fn packed() -> Set {
        Set(Form::Packed(Listpack::new()))
    }

    fn table(expected: usize) -> Set {
        let mut table = KeyDict::new();
        table.reserve(expected);
        Set(Form::Table(Box::new(table)))
    }

    /// The members of an array that was read from a file.
    pub fn from_ints(ints: Intset, limits: &Limits) -> Set {
        let mut set = Set(Form::Ints(ints));
        set.leave_ints_if_many(limits);
        set
    }

    /// The members of a listpack that was read from a file; `None` if one of them is there twice.
    pub fn from_packed(packed: Listpack, limits: &Limits) -> Option<Set> {
        let count = packed.len();
        let mut table = KeyDict::new();
        table.reserve(count);
        let is_set = packed.iter().all(|member| table.insert(member.as_bytes(&mut IntText::new())));
        let is_small = count as u64 <= limits.set_max_listpack_entries;
        is_set.then(|| Set(if is_small { Form::Packed(packed) } else { Form::Table(Box::new(table)) }))
    }

    // ---- looking ----------------------------------------------------------------------------------------------------

    /// How many members.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Ints(ints) => ints.len(),
            Form::Packed(packed) => packed.len(),
            Form::Table(table) => table.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `text` is a member.
    pub fn contains(&self, text: &[u8]) -> bool {
        match &self.0 {
            Form::Ints(ints) => canonical_int(text).is_some_and(|value| ints.contains(value)),
            Form::Packed(packed) => packed.first().is_some_and(|first| packed.find(first, text, 0).is_some()),
            Form::Table(table) => table.contains(text),
        }
    }

    /// The same for a member of another set.
    pub fn contains_member(&self, member: Member<'_>) -> bool {
        match (&self.0, member) {
            (Form::Ints(ints), Member::Int(value)) => ints.contains(value),
            _ => self.contains(member.as_bytes(&mut IntText::new())),
        }
    }

    /// The members, in no order (of integers in an array: ascending).
    pub fn iter(&self) -> impl Iterator<Item = Member<'_>> {
        let (ints, packed, table) = match &self.0 {
            Form::Ints(ints) => (Some(ints), None, None),
            Form::Packed(packed) => (None, Some(packed), None),
            Form::Table(table) => (None, None, Some(table)),
        };
        let ints = ints.into_iter().flat_map(|ints| ints.iter().map(Member::Int));
        let packed = packed.into_iter().flat_map(|packed| packed.iter());
        let table = table.into_iter().flat_map(|table| table.iter().map(|entry| Member::Bytes(entry.key)));
        ints.chain(packed).chain(table)
    }

    /// Visits about `count` members from `cursor` on; gives the next cursor, 0 at the end. Small forms are visited whole.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Member<'_>)) -> u64 {
        match &self.0 {
            Form::Table(table) => table.scan(cursor, count, &mut |entry| visit(Member::Bytes(entry.key))),
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// The array, if that is its form: what goes into a file as it stands.
    pub fn as_ints(&self) -> Option<&Intset> {
        match &self.0 {
            Form::Ints(ints) => Some(ints),
            _ => None,
        }
    }

    // ---- altering ---------------------------------------------------------------------------------------------------

    /// Gets ready for about `expected` members in all: if these are too many for a small form, it is left at once.
    pub fn prepare(&mut self, expected: usize, limits: &Limits) {
        let most = match &self.0 {
            Form::Ints(_) => limits.set_max_intset_entries,
            Form::Packed(_) => limits.set_max_listpack_entries,
            Form::Table(_) => return,
        };
        if expected as u64 > most {
            self.become_table(expected);
        }
    }

    /// Adds `text`; gives whether it is new.
    pub fn insert(&mut self, text: &[u8], limits: &Limits) -> bool {
        match &mut self.0 {
            Form::Table(table) => table.insert(text),
            Form::Ints(ints) => match canonical_int(text) {
                Some(value) => {
                    let is_new = ints.insert(value);
                    if is_new {
                        self.leave_ints_if_many(limits);
                    }
                    is_new
                }
                None => {
                    self.leave_ints(text, limits);
                    self.insert_new(text, limits);
                    true
                }
            },
            Form::Packed(_) => {
                let is_new = !self.contains(text);
                if is_new {
                    self.insert_new(text, limits);
                }
                is_new
            }
        }
    }

    /// The same for a member of another set.
    pub fn insert_member(&mut self, member: Member<'_>, limits: &Limits) -> bool {
        self.insert(member.as_bytes(&mut IntText::new()), limits)
    }

    /// Takes `text` out; gives whether it was there.
    pub fn remove(&mut self, text: &[u8]) -> bool {
        match &mut self.0 {
            Form::Ints(ints) => canonical_int(text).is_some_and(|value| ints.remove(value)),
            Form::Packed(packed) => {
                let found = packed.first().and_then(|first| packed.find(first, text, 0));
                if let Some(pos) = found {
                    packed.remove(pos, 1);
                }
                found.is_some()
            }
            Form::Table(table) => table.remove(text),
        }
    }

    /// The same for a member of another set.
    pub fn remove_member(&mut self, member: Member<'_>) -> bool {
        self.remove(member.as_bytes(&mut IntText::new()))
    }

    // ---- changing the form ------------------------------------------------------------------------------------------

    /// Adds a text that is not there, to a set that is no array.
    fn insert_new(&mut self, text: &[u8], limits: &Limits) {
        if let Form::Packed(packed) = &mut self.0 {
            let fits = (packed.len() as u64) < limits.set_max_listpack_entries
                && text.len() as u64 <= limits.set_max_listpack_value
                && packed.has_room(1, text.len());
            if fits {
                return packed.push_back(text);
            }
        }
        let count = self.len() + 1;
        let is_new = self.become_table(count).insert(text);
        debug_assert!(is_new, "the caller has looked");
    }

    /// Turns an array into a form that can take `text`, which is no integer.
    fn leave_ints(&mut self, text: &[u8], limits: &Limits) {
        let Form::Ints(ints) = &self.0 else { return };
        let count = ints.len();
        let longest = if count == 0 { 0 } else { int_text_len(ints.get(0)).max(int_text_len(ints.get(count - 1))) };
        let mut packed = Listpack::new();
        let fits = (count as u64) < limits.set_max_listpack_entries
            && longest.max(text.len()) as u64 <= limits.set_max_listpack_value
            && packed.has_room(count + 1, count * longest + text.len());
        if fits {
            ints.iter().for_each(|value| packed.push_back_item(Member::Int(value)));
            self.0 = Form::Packed(packed);
        } else {
            self.become_table(count + 1);
        }
    }

    fn leave_ints_if_many(&mut self, limits: &Limits) {
        let count = self.len();
        if matches!(self.0, Form::Ints(_)) && count as u64 > ints_max(limits) {
            self.become_table(count);
        }
    }

    /// Turns into a table, if it is none; gives it.
    fn become_table(&mut self, expected: usize) -> &mut KeyDict {
        if !matches!(self.0, Form::Table(_)) {
            let mut table = Box::new(KeyDict::new());
            table.reserve(expected.max(self.len()));
            for member in self.iter() {
                table.insert(member.as_bytes(&mut IntText::new()));
            }
            self.0 = Form::Table(table);
        }
        match &mut self.0 {
            Form::Table(table) => table,
            _ => unreachable!("it has just become one"),
        }
    }
}

impl Collection for Set {
    const TYPE: TypeName = TypeName::Set;
    const IS_ORDERED: bool = false;

    fn visit(&self, visit: &mut dyn FnMut(&[&[u8]])) {
        self.iter().for_each(|member| visit(&[member.as_bytes(&mut IntText::new())]));
    }

    fn is_empty(&self) -> bool {
        Set::is_empty(self)
    }

    fn freeze(&mut self) -> Option<Set> {
        match &mut self.0 {
            Form::Table(table) => table.freeze().map(|table| Set(Form::Table(Box::new(table)))),
            _ => None,
        }
    }

    fn encoding(&self) -> Encoding {
        match &self.0 {
            Form::Ints(_) => Encoding::Intset,
            Form::Packed(_) => Encoding::Listpack,
            Form::Table(_) => Encoding::Hashtable,
        }
    }

    #[inline]
    fn heap(&self) -> *const u8 {
        match &self.0 {
            Form::Ints(ints) => ints.address(),
            Form::Packed(packed) => packed.address(),
            Form::Table(table) => (&raw const **table).cast(),
        }
    }

    fn memory(&self) -> usize {
        match &self.0 {
            Form::Ints(ints) => ints.memory(),
            Form::Packed(packed) => packed.memory(),
            Form::Table(table) => size_of::<KeyDict>() + table.memory(),
        }
    }

    fn free_effort(&self) -> usize {
        match &self.0 {
            Form::Ints(_) | Form::Packed(_) => 1,
            Form::Table(table) => table.allocations(),
        }
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
