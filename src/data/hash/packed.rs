//! The two packed forms of a hash: pairs, and triplets with an expiry.

use super::{Field, Ttl, view};
use crate::base::time::UnixMillis;
use crate::data::listpack::{Item, Listpack, Pos};

/// Field, value, field, value, …, in the order in which they were added.
#[derive(Clone, Debug)]
pub(super) struct Pairs(pub Listpack);

/// Field, value, expiry, …. The earliest expiry comes first, and fields without one (which have 0 in its place) last, in
/// the order in which they came to be so. Then what is over is at the front.
#[derive(Clone, Debug)]
pub(super) struct Triplets(pub Listpack);

/// Stands for no expiry.
const NONE: i64 = 0;

/// What the third of a triplet says.
pub(super) fn expiry(item: Item<'_>) -> Option<UnixMillis> {
    item.as_int().filter(|&when| when != NONE).map(UnixMillis)
}

fn after(listpack: &Listpack, pos: Pos) -> Pos {
    listpack.next(pos).expect("fields are complete")
}

impl Pairs {
    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// Where the field `name` begins.
    pub fn find(&self, name: &[u8]) -> Option<Pos> {
        self.0.find(self.0.first()?, name, 1)
    }

    /// The field that begins at `pos`.
    pub fn field(&self, pos: Pos) -> Field<'_> {
        let value = after(&self.0, pos);
        Field { name: view(self.0.get(pos)), value: view(self.0.get(value)), expiry: None }
    }

    /// Says whether the field is new.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> bool {
        match self.find(name) {
            Some(pos) => {
                self.0.replace(after(&self.0, pos), value);
                false
            }
            None => {
                self.0.push_back(name);
                self.0.push_back(value);
                true
            }
        }
    }

    /// Says whether there was such a field.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let found = self.find(name);
        if let Some(pos) = found {
            self.0.remove(pos, 2);
        }
        found.is_some()
    }

    /// The same fields, without an expiry.
    pub fn to_triplets(&self) -> Triplets {
        let mut triplets = Listpack::new();
        for (at, item) in self.0.iter().enumerate() {
            triplets.push_back_item(item);
            if at % 2 == 1 {
                triplets.push_back_item(Item::Int(NONE));
            }
        }
        Triplets(triplets)
    }
}

impl Triplets {
    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len() / 3
    }

    /// Where the field `name` begins.
    pub fn find(&self, name: &[u8]) -> Option<Pos> {
        self.0.find(self.0.first()?, name, 2)
    }

    /// The field that begins at `pos`.
    pub fn field(&self, pos: Pos) -> Field<'_> {
        let value = after(&self.0, pos);
        let third = after(&self.0, value);
        let expiry = expiry(self.0.get(third));
        Field { name: view(self.0.get(pos)), value: view(self.0.get(value)), expiry }
    }

    /// The earliest expiry.
    pub fn due(&self) -> Option<UnixMillis> {
        self.field(self.0.first()?).expiry
    }

    /// Says whether the field is new.
    pub fn set(&mut self, name: &[u8], value: &[u8], ttl: Ttl) -> bool {
        let Some(pos) = self.find(name) else {
            self.add(name, value, if let Ttl::At(when) = ttl { Some(when) } else { None });
            return true;
        };
        let wanted = match ttl {
            Ttl::Keep => self.field(pos).expiry,
            Ttl::Clear => None,
            Ttl::At(when) => Some(when),
        };
        if wanted == self.field(pos).expiry {
            self.0.replace(after(&self.0, pos), value);
        } else {
            self.0.remove(pos, 3);
            self.add(name, value, wanted);
        }
        false
    }

    /// Says whether there is such a field.
    pub fn set_expiry(&mut self, name: &[u8], expiry: Option<UnixMillis>) -> bool {
        let Some(pos) = self.find(name) else { return false };
        let field = self.field(pos);
        if field.expiry != expiry {
            let value = field.value.to_vec();
            self.0.remove(pos, 3);
            self.add(name, &value, expiry);
        }
        true
    }

    /// Adds a field that is not there, where its expiry belongs.
    fn add(&mut self, name: &[u8], value: &[u8], expiry: Option<UnixMillis>) {
        let behind = expiry.and_then(|when| self.first_behind(when));
        // Kept as an integer: nothing else is written as the third.
        let third = expiry.map_or(NONE, |when| when.0).to_string();
        match behind {
            None => [name, value, third.as_bytes()].into_iter().for_each(|text| self.0.push_back(text)),
            Some(pos) => {
                for text in [third.as_bytes(), value, name] {
                    self.0.insert_before(pos, text);
                }
            }
        }
    }

    /// The first field that is over later than `when`, or never.
    fn first_behind(&self, when: UnixMillis) -> Option<Pos> {
        let mut at = self.0.first();
        while let Some(pos) = at {
            let third = after(&self.0, after(&self.0, pos));
            if expiry(self.0.get(third)).is_none_or(|other| other > when) {
                return Some(pos);
            }
            at = self.0.next(third);
        }
        None
    }

    /// Says whether there was such a field.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let found = self.find(name);
        if let Some(pos) = found {
            self.0.remove(pos, 3);
        }
        found.is_some()
    }

    /// See [`Hash::expire`](super::Hash::expire).
    pub fn expire(&mut self, now: UnixMillis, max: usize, gone: &mut dyn FnMut(&[u8])) -> bool {
        let (mut count, mut rest) = (0, self.0.first());
        let mut is_done = true;
        while let Some(pos) = rest {
            let field = self.field(pos);
            if !field.is_over(now) {
                break;
            }
            if count == max.max(1) {
                is_done = false;
                break;
            }
            gone(&field.name.to_vec());
            count += 1;
            rest = self.0.next(after(&self.0, after(&self.0, pos)));
        }
        if count > 0 {
            self.0.remove_before(rest);
        }
        is_done
    }
}
