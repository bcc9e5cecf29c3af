//! Members chosen by chance.
//!
//! For several different members there are two ways. *Drawing* takes one after the other and forgets those that came
//! before: right when few of many are wanted. *Dealing* walks over all members once and decides for each, with the chance
//! "still wanted / still to come", so that each choice of so many members is equally likely, and nothing is remembered.

use std::collections::HashSet;

use super::{Form, Member, Set};
use crate::base::rng::Rng;
use crate::data::dict::Spot;

/// Members are drawn when fewer than one in this many are wanted, else dealt.
const DRAW_ONE_IN: usize = 3;

/// A place in a set.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    /// In an array or a listpack: which in the row.
    Index(usize),
    Spot(Spot),
}

impl Set {
    /// A member; all have the same chance. `None` of an empty set.
    pub fn random(&self, rng: &mut Rng) -> Option<Member<'_>> {
        self.random_place(rng).map(|place| self.at(place))
    }

    /// Takes a member out, after showing it to `see`. `None` of an empty set.
    pub fn pop_random<R>(&mut self, rng: &mut Rng, see: impl FnOnce(Member<'_>) -> R) -> Option<R> {
        let place = self.random_place(rng)?;
        let seen = see(self.at(place));
        match (&mut self.0, place) {
            (Form::Ints(ints), Place::Index(index)) => {
                ints.remove_at(index);
            }
            (Form::Packed(packed), Place::Index(index)) => {
                let pos = packed.seek(index as isize).expect("chosen among its entries");
                packed.remove(pos, 1);
            }
            (Form::Table(table), Place::Spot(spot)) => table.remove_at(spot),
            _ => unreachable!("the place is one of this set"),
        }
        Some(seen)
    }

    /// Shows `count` different members to `see`, or all if there are not more. Every choice has the same chance; the order
    /// is no matter of chance.
    pub fn sample(&self, count: usize, rng: &mut Rng, see: &mut dyn FnMut(Member<'_>)) {
        let is_row = !matches!(self.0, Form::Table(_));
        if is_row || count.saturating_mul(DRAW_ONE_IN) > self.len() {
            return self.deal(count, rng, &mut |member, is_chosen| {
                if is_chosen {
                    see(member);
                }
            });
        }
        let mut drawn = HashSet::with_capacity(count);
        while drawn.len() < count {
            let Some(place) = self.random_place(rng) else { return };
            if drawn.insert(place) {
                see(self.at(place));
            }
        }
    }

    /// Walks over all members and says of `count` of them, or all if there are not more, that they are chosen.
    pub fn deal(&self, count: usize, rng: &mut Rng, see: &mut dyn FnMut(Member<'_>, bool)) {
        let (mut wanted, mut left) = (count as u64, self.len() as u64);
        for member in self.iter() {
            let is_chosen = rng.below(left) < wanted;
            wanted -= u64::from(is_chosen);
            left -= 1;
            see(member, is_chosen);
        }
    }

    fn random_place(&self, rng: &mut Rng) -> Option<Place> {
        match &self.0 {
            Form::Table(table) => table.random(rng).map(Place::Spot),
            _ if self.is_empty() => None,
            _ => Some(Place::Index(rng.below(self.len() as u64) as usize)),
        }
    }

    fn at(&self, place: Place) -> Member<'_> {
        match (&self.0, place) {
            (Form::Ints(ints), Place::Index(index)) => Member::Int(ints.get(index)),
            (Form::Packed(packed), Place::Index(index)) => {
                packed.get(packed.seek(index as isize).expect("chosen among its entries"))
            }
            (Form::Table(table), Place::Spot(spot)) => Member::Bytes(table.entry(spot).key),
            _ => unreachable!("the place is one of this set"),
        }
    }
}
