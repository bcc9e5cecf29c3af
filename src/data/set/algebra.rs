//! Intersection, union and difference of sets.
//!
//! The members of a result are shown one by one, so that a reply can be written without the result being built. Nothing
//! is copied but where it saves more than it costs: a union of many sets keeps what it has shown, a difference with many
//! sets what is to be left out.
//!
//! Where the result is stored, its form is that which Redis gives it: that is clients' business, as OBJECT ENCODING shows it.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::ptr;

use super::{Form, Member, Set, ints_max};
use crate::base::limits::LISTPACK_MAX;
use crate::data::dict::KeyDict;
use crate::data::intset::Intset;
use crate::data::string::IntText;
use crate::data::{Collection, Limits};

/// A union of at most so many sets asks the sets before each for every member; of more, it keeps what it has shown.
const UNION_ASKED_MAX: usize = 4;

/// Shows what all of `sets` have in common, until `see` has enough. Cost: members of the smallest set, times sets.
pub fn intersection(sets: &[&Set], see: &mut dyn FnMut(Member<'_>) -> ControlFlow<()>) {
    let sets = by_size(sets);
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in smallest.iter() {
        let is_common = others.iter().all(|set| set.contains_member(member));
        if is_common && see(member).is_break() {
            return;
        }
    }
}

/// Shows what is in any of `sets`, each member once. Cost: members of all sets.
pub fn union(sets: &[&Set], see: &mut dyn FnMut(Member<'_>)) {
    let sets = by_size_reversed(sets);
    if let Some(ints) = sets.iter().map(|set| set.as_ints()).collect::<Option<Vec<&Intset>>>() {
        let mut values: Vec<i64> = ints.into_iter().flat_map(|ints| ints.iter()).collect();
        values.sort_unstable();
        values.dedup();
        return values.into_iter().for_each(|value| see(Member::Int(value)));
    }
    // The largest comes first: its members need not be looked for anywhere.
    let mut shown = (sets.len() > UNION_ASKED_MAX).then(KeyDict::new);
    for (index, set) in sets.iter().enumerate() {
        let (largest, before) = match &shown {
            Some(_) => (&sets[..index.min(1)], &sets[..0]),
            None => (&sets[..0], &sets[..index]),
        };
        for member in set.iter() {
            let is_new = !largest.iter().chain(before).any(|set| set.contains_member(member))
                && shown.as_mut().is_none_or(|shown| index == 0 || shown.insert(member.as_bytes(&mut IntText::new())));
            if is_new {
                see(member);
            }
        }
    }
}

/// Shows what is in `first` and in none of `others`. Cost: the smaller of members of `first` times sets, and members of all.
pub fn difference(first: &Set, others: &[&Set], see: &mut dyn FnMut(Member<'_>)) {
    if others.iter().any(|other| ptr::eq(*other, first)) {
        return;
    }
    // Large sets are likelier to have a member.
    let others = by_size_reversed(others);
    if asks_each(first, &others) {
        first.iter().filter(|member| !others.iter().any(|set| set.contains_member(*member))).for_each(see);
        return;
    }
    let mut left_out = KeyDict::new();
    for member in others.iter().flat_map(|set| set.iter()).filter(|member| first.contains_member(*member)) {
        left_out.insert(member.as_bytes(&mut IntText::new()));
    }
    first.iter().filter(|member| !left_out.contains(member.as_bytes(&mut IntText::new()))).for_each(see);
}

/// Whether it is less work to look for each member of `first` everywhere than to look at all members of all sets.
fn asks_each(first: &Set, others: &[&Set]) -> bool {
    let all: usize = others.iter().map(|set| set.len()).sum::<usize>() + first.len();
    first.len().saturating_mul(others.len() + 1) / 2 <= all
}

/// The sets, smallest first, each once.
fn by_size<'a>(sets: &[&'a Set]) -> Vec<&'a Set> {
    let mut known = HashSet::new();
    let mut sorted: Vec<&Set> = sets.iter().copied().filter(|set| known.insert(ptr::from_ref(*set))).collect();
    sorted.sort_by_key(|set| set.len());
    sorted
}

/// The sets, largest first, each once.
fn by_size_reversed<'a>(sets: &[&'a Set]) -> Vec<&'a Set> {
    let mut sorted = by_size(sets);
    sorted.sort_by_key(|set| Reverse(set.len()));
    sorted
}

/// The intersection as a set. Whatever form it takes on the way, integers alone end up in an array if there are not too many.
pub fn stored_intersection(sets: &[&Set], limits: &Limits) -> Set {
    let is_array = by_size(sets).first().is_some_and(|smallest| smallest.as_ints().is_some());
    let mut result = if is_array { Set::default() } else { Set::packed() };
    let mut has_only_ints = true;
    intersection(sets, &mut |member| {
        has_only_ints = has_only_ints && member.as_int().is_some();
        result.insert_member(member, limits);
        ControlFlow::Continue(())
    });
    if has_only_ints && result.len() as u64 <= ints_max(limits) {
        result = result.into_array();
    }
    result
}

/// The union as a set.
pub fn stored_union(sets: &[&Set], limits: &Limits) -> Set {
    let mut result = Set::default();
    union(sets, &mut |member| {
        result.insert_member(member, limits);
    });
    result
}

/// The difference as a set. Redis either adds what remains, or takes all of the first set and removes the rest; in the
/// second case the form is that of the whole first set.
pub fn stored_difference(first: &Set, others: &[&Set], limits: &Limits) -> Set {
    let mut result = if asks_each(first, others) { Set::default() } else { first.empty_rebuilt(limits) };
    difference(first, others, &mut |member| {
        result.insert_member(member, limits);
    });
    result
}

impl Set {
    /// As an array; all members are integers.
    fn into_array(self) -> Set {
        if self.as_ints().is_some() {
            return self;
        }
        let mut values: Vec<i64> = self.iter().filter_map(|member| member.as_int()).collect();
        debug_assert_eq!(values.len(), self.len());
        values.sort_unstable();
        Set(Form::Ints(Intset::from_ascending(&values)))
    }

    /// An empty set in the form that this one has once its members are added to a new set one by one.
    fn empty_rebuilt(&self, limits: &Limits) -> Set {
        let (count, mut longest, mut has_only_ints) = (self.len() as u64, 0, true);
        for member in self.iter() {
            longest = longest.max(member.len() as u64);
            has_only_ints = has_only_ints && member.as_int().is_some();
        }
        if has_only_ints && count <= ints_max(limits) {
            Set::default()
        } else if !has_only_ints
            && count <= limits.set_max_listpack_entries
            && longest <= limits.set_max_listpack_value
            && self.memory() < LISTPACK_MAX / 2
        {
            Set::packed()
        } else {
            Set::table(0)
        }
    }
}
