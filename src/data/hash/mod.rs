//! Hashes: fields with values, each field with an expiry of its own if need be.
//!
//! | encoding | when | layout |
//! |---|---|---|
//! | `listpack` | few and short fields | field, value, field, value, … in one block |
//! | `listpackex` | the same, once a field was given an expiry | field, value, expiry (0: none), …, the earliest first |
//! | `hashtable` | more than `hash-max-listpack-entries` fields, or one longer than `hash-max-listpack-value` | [`MapDict`] |
//!
//! A hash never goes back to a smaller encoding. Fields of a packed hash are found by walking, which the limits keep short.
//!
//! A field is over when the present moment lies behind its expiry. The hash only keeps the expiry, and can find what is
//! over ([`Hash::expire`]); who asks decides what a field that is over means. [`Hash::len`] counts all fields.

mod packed;
#[cfg(test)]
mod tests;

use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
pub use crate::data::dict::Fresh;
use crate::data::dict::{self, Entry, MapDict};
use crate::data::limits::Limits;
use crate::data::listpack::{Item, Listpack};
use crate::data::string::{IntText, StrView};
use crate::data::{Collection, Encoding, TypeName, Value, ValueMut, ValueRef};
use packed::{Pairs, Triplets};

/// A hash.
#[derive(Clone, Debug)]
pub struct Hash(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Packed(Pairs),
    Timed(Triplets),
    Table(Box<MapDict>),
}

impl Default for Hash {
    fn default() -> Hash {
        Hash(Repr::Packed(Pairs(Listpack::new())))
    }
}

/// One field, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Its name.
    pub name: StrView<'a>,
    /// Its value.
    pub value: StrView<'a>,
    /// When it is over.
    pub expiry: Option<UnixMillis>,
}

impl Field<'_> {
    /// Whether the field is over at `now`: after its moment, not at it.
    pub fn is_over(&self, now: UnixMillis) -> bool {
        self.expiry.is_some_and(|when| now > when)
    }
}

impl<'a> From<Entry<'a>> for Field<'a> {
    fn from(entry: Entry<'a>) -> Field<'a> {
        let value = entry.shared.map_or(StrView::Bytes(entry.value), StrView::Shared);
        Field { name: StrView::Bytes(entry.key), value, expiry: entry.expiry }
    }
}

fn view(item: Item<'_>) -> StrView<'_> {
    match item {
        Item::Int(value) => StrView::Int(value),
        Item::Bytes(bytes) => StrView::Bytes(bytes),
    }
}

/// What setting a value does to the field's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// It stays; a new field has none.
    Keep,
    /// The field has none afterwards.
    Clear,
    /// The field has this one.
    At(UnixMillis),
}

impl Hash {
    /// A packed hash out of a file: `pairs` holds field, value, …, no field twice. Becomes a table if `limits` say so.
    pub fn of_pairs(pairs: Listpack, limits: &Limits) -> Hash {
        let mut hash = Hash(Repr::Packed(Pairs(pairs)));
        hash.apply_limits(limits);
        hash
    }

    /// The same for field, value, expiry, …, in the order of their expiries, those without one at the end.
    pub fn of_triplets(triplets: Listpack, limits: &Limits) -> Hash {
        let mut hash = Hash(Repr::Timed(Triplets(triplets)));
        hash.apply_limits(limits);
        hash
    }

    /// The number of fields, those that are over included.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed(pairs) => pairs.len(),
            Repr::Timed(triplets) => triplets.len(),
            Repr::Table(dict) => dict.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Packed(Pairs(listpack)) | Repr::Timed(Triplets(listpack)) => listpack.is_empty(),
            Repr::Table(dict) => dict.is_empty(),
        }
    }

    /// The field called `name`.
    pub fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        match &self.0 {
            Repr::Packed(pairs) => pairs.find(name).map(|pos| pairs.field(pos)),
            Repr::Timed(triplets) => triplets.find(name).map(|pos| triplets.field(pos)),
            Repr::Table(dict) => dict.get(name).map(Field::from),
        }
    }

    /// The fields. Packed ones in the order in which they were added, those with an expiry first; others in no order.
    pub fn iter(&self) -> Iter<'_> {
        Iter(match &self.0 {
            Repr::Packed(pairs) => IterRepr::Packed(pairs.0.iter()),
            Repr::Timed(triplets) => IterRepr::Timed(triplets.0.iter()),
            Repr::Table(dict) => IterRepr::Table(dict.iter()),
        })
    }

    /// Visits about `count` fields from `cursor` on; gives the next cursor, 0 at the end. Small hashes come in one go. A
    /// field that is there all the time is visited, whatever else changes.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Field<'_>)) -> u64 {
        match &self.0 {
            Repr::Table(dict) => dict.scan(cursor, count, &mut |entry| visit(entry.into())),
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// A field chosen at random, all with the same chance.
    pub fn random(&self, rng: &mut Rng) -> Option<Field<'_>> {
        match &self.0 {
            Repr::Table(dict) => dict.random(rng).map(|spot| dict.entry(spot).into()),
            _ => self.iter().nth(rng.below(self.len() as u64) as usize),
        }
    }

    /// Whether any field has an expiry.
    pub fn has_expiries(&self) -> bool {
        self.due().is_some()
    }

    /// How many fields are over at `now`. Looks at all of them if any may be.
    pub fn count_over(&self, now: UnixMillis) -> usize {
        match self.due() {
            Some(due) if now > due => self.iter().filter(|field| field.is_over(now)).count(),
            _ => 0,
        }
    }

    /// The bytes of a hash of encoding `listpack`.
    pub fn pairs(&self) -> Option<&Listpack> {
        match &self.0 {
            Repr::Packed(pairs) => Some(&pairs.0),
            _ => None,
        }
    }

    /// The bytes of a hash of encoding `listpackex`.
    pub fn triplets(&self) -> Option<&Listpack> {
        match &self.0 {
            Repr::Timed(triplets) => Some(&triplets.0),
            _ => None,
        }
    }

    // ---- altering ---------------------------------------------------------------------------------------------------

    /// Says that these fields and values are going to be set, so that a hash that is going to be large becomes so at once.
    pub fn expect<'a>(&mut self, words: impl ExactSizeIterator<Item = &'a [u8]>, limits: &Limits) {
        if matches!(self.0, Repr::Table(_)) {
            return;
        }
        let (count, mut bytes, mut longest) = (words.len() / 2, 0, 0);
        if count as u64 > limits.hash_max_listpack_entries {
            return self.become_table(count);
        }
        for word in words {
            bytes += word.len();
            longest = longest.max(word.len());
        }
        if longest as u64 > limits.hash_max_listpack_value || !self.has_room(count, bytes) {
            self.become_table(0);
        }
    }

    /// Gives the field `name` a value; says whether it is new.
    pub fn set(&mut self, name: &[u8], value: Fresh<'_>, ttl: Ttl, limits: &Limits) -> bool {
        let bytes = value.bytes();
        let longest = name.len().max(bytes.len()) as u64;
        let is_table = matches!(self.0, Repr::Table(_));
        if !is_table && (longest > limits.hash_max_listpack_value || !self.has_room(1, name.len() + bytes.len())) {
            self.become_table(0);
        }
        if let Ttl::At(_) = ttl {
            self.allow_expiries();
        }
        let is_new = match &mut self.0 {
            Repr::Packed(pairs) => pairs.set(name, bytes),
            Repr::Timed(triplets) => triplets.set(name, bytes, ttl),
            Repr::Table(dict) => {
                if ttl == Ttl::Keep
                    && let Some(spot) = dict.find(name)
                {
                    dict.set_value(spot, value);
                    return false;
                }
                let expiry = if let Ttl::At(when) = ttl { Some(when) } else { None };
                return dict.set(name, value, expiry);
            }
        };
        if self.len() as u64 > limits.hash_max_listpack_entries {
            self.become_table(0);
        }
        is_new
    }

    /// Removes the field `name`; says whether it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Packed(pairs) => pairs.remove(name),
            Repr::Timed(triplets) => triplets.remove(name),
            Repr::Table(dict) => dict.remove(name),
        }
    }

    /// A packed hash becomes one whose fields may have expiries.
    pub fn allow_expiries(&mut self) {
        if let Repr::Packed(pairs) = &self.0 {
            self.0 = Repr::Timed(pairs.to_triplets());
        }
    }

    /// Gives the field `name` an expiry, or takes it away; says whether there is such a field.
    pub fn set_expiry(&mut self, name: &[u8], expiry: Option<UnixMillis>) -> bool {
        if expiry.is_some() {
            self.allow_expiries();
        }
        match &mut self.0 {
            Repr::Packed(pairs) => pairs.find(name).is_some(),
            Repr::Timed(triplets) => triplets.set_expiry(name, expiry),
            Repr::Table(dict) => match dict.find(name) {
                Some(spot) => {
                    dict.set_expiry(spot, expiry);
                    true
                }
                None => false,
            },
        }
    }

    /// Removes fields that are over at `now` and gives their names to `gone`. Stops after about `max` of them (or as much
    /// work); true when none is left.
    pub fn expire(&mut self, now: UnixMillis, max: usize, gone: &mut dyn FnMut(&[u8])) -> bool {
        match &mut self.0 {
            Repr::Packed(_) => true,
            Repr::Timed(triplets) => triplets.expire(now, max, gone),
            Repr::Table(dict) => dict.expire(now, max, gone),
        }
    }

    fn has_room(&self, fields: usize, bytes: usize) -> bool {
        match &self.0 {
            Repr::Packed(Pairs(listpack)) => listpack.has_room(2 * fields, bytes),
            Repr::Timed(Triplets(listpack)) => listpack.has_room(3 * fields, bytes),
            Repr::Table(_) => true,
        }
    }

    fn apply_limits(&mut self, limits: &Limits) {
        let is_long =
            |field: Field<'_>| field.name.len().max(field.value.len()) as u64 > limits.hash_max_listpack_value;
        if self.len() as u64 > limits.hash_max_listpack_entries || self.iter().any(is_long) {
            self.become_table(0);
        }
    }

    /// Becomes a table with room for `fields` fields or for those it has.
    fn become_table(&mut self, fields: usize) {
        if matches!(self.0, Repr::Table(_)) {
            return;
        }
        let mut dict = MapDict::new();
        dict.reserve(fields.max(self.len()));
        for field in self.iter() {
            let (mut name, mut value) = (IntText::new(), IntText::new());
            let value = Fresh::Copied(field.value.as_bytes(&mut value));
            dict.set(field.name.as_bytes(&mut name), value, field.expiry);
        }
        self.0 = Repr::Table(Box::new(dict));
    }

    /// An empty hash that will be large: for building one of `fields` fields.
    pub fn large(fields: usize) -> Hash {
        let mut dict = MapDict::new();
        dict.reserve(fields);
        Hash(Repr::Table(Box::new(dict)))
    }
}

/// See [`Hash::iter`].
#[derive(Clone)]
pub struct Iter<'a>(IterRepr<'a>);

#[derive(Clone)]
enum IterRepr<'a> {
    Packed(crate::data::listpack::Iter<'a>),
    Timed(crate::data::listpack::Iter<'a>),
    Table(dict::Iter<'a, true>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        match &mut self.0 {
            IterRepr::Packed(items) => {
                Some(Field { name: view(items.next()?), value: view(items.next()?), expiry: None })
            }
            IterRepr::Timed(items) => {
                let (name, value, expiry) = (items.next()?, items.next()?, items.next()?);
                Some(Field { name: view(name), value: view(value), expiry: packed::expiry(expiry) })
            }
            IterRepr::Table(entries) => entries.next().map(Field::from),
        }
    }
}

impl Collection for Hash {
    const TYPE: TypeName = TypeName::Hash;
    const IS_ORDERED: bool = false;
    const HAS_EXPIRIES: bool = true;

    /// The earliest expiry of a packed hash; a table may give an earlier moment.
    fn due(&self) -> Option<UnixMillis> {
        match &self.0 {
            Repr::Packed(_) => None,
            Repr::Timed(triplets) => triplets.due(),
            Repr::Table(dict) => dict.due(),
        }
    }

    fn visit(&self, visit: &mut dyn FnMut(&[&[u8]])) {
        for field in self.iter() {
            let (mut name, mut value, mut expiry) = (IntText::new(), IntText::new(), IntText::new());
            let (name, value) = (field.name.as_bytes(&mut name), field.value.as_bytes(&mut value));
            match field.expiry {
                Some(when) => visit(&[name, value, expiry.format(when.0).as_bytes()]),
                None => visit(&[name, value]),
            }
        }
    }

    fn is_empty(&self) -> bool {
        Hash::is_empty(self)
    }

    fn freeze(&mut self) -> Option<Hash> {
        match &mut self.0 {
            Repr::Table(dict) => dict.freeze().map(|dict| Hash(Repr::Table(Box::new(dict)))),
            _ => None,
        }
    }

    fn encoding(&self) -> Encoding {
        match &self.0 {
            Repr::Packed(_) => Encoding::Listpack,
            Repr::Timed(_) => Encoding::ListpackEx,
            Repr::Table(_) => Encoding::Hashtable,
        }
    }

    #[inline]
    fn heap(&self) -> *const u8 {
        match &self.0 {
            Repr::Packed(Pairs(listpack)) | Repr::Timed(Triplets(listpack)) => listpack.address(),
            Repr::Table(dict) => (&raw const **dict).cast(),
        }
    }

    fn memory(&self) -> usize {
        match &self.0 {
            Repr::Packed(Pairs(listpack)) | Repr::Timed(Triplets(listpack)) => listpack.memory(),
            Repr::Table(dict) => size_of::<MapDict>() + dict.memory(),
        }
    }

    fn free_effort(&self) -> usize {
        match &self.0 {
            Repr::Packed(_) | Repr::Timed(_) => 1,
            Repr::Table(dict) => dict.allocations(),
        }
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
