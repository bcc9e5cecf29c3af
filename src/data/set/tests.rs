//! Sets against a plain model, and the forms they take.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::algebra::{self, difference, intersection, union};
use super::*;
use crate::base::rng::Rng;

type Model = BTreeSet<Vec<u8>>;

const LIMITS: Limits =
    Limits { set_max_intset_entries: 6, set_max_listpack_entries: 4, set_max_listpack_value: 5, ..Limits::DEFAULT };

fn set(members: &[&str]) -> Set {
    let mut set = Set::default();
    members.iter().for_each(|member| assert!(set.insert(member.as_bytes(), &LIMITS)));
    set
}

fn model(set: &Set) -> Model {
    let members: Vec<Vec<u8>> = set.iter().map(|member| member.to_vec()).collect();
    let count = members.len();
    let model = Model::from_iter(members);
    assert_eq!((model.len(), set.len()), (count, count), "no member is shown twice");
    model
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-9..9i64).prop_map(|value| value.to_string().into_bytes()),
        2 => "[ab]{0,3}".prop_map(String::into_bytes),
        1 => "[ab]{6}|-0|01|[0-9]{19,20}".prop_map(String::into_bytes),
    ]
}

fn members() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop_oneof![
        prop::collection::vec(member(), 0..12),
        prop::collection::vec((-20..20i64).prop_map(|value| value.to_string().into_bytes()), 0..9),
    ]
}

fn built(members: &[Vec<u8>]) -> Set {
    let mut set = Set::default();
    for member in members {
        set.insert(member, &LIMITS);
    }
    set
}

#[test]
fn each_form_turns_into_the_next_when_it_must() {
    let ints = ["1", "2", "3", "4", "5", "6"];
    assert_eq!(set(&ints).encoding(), Encoding::Intset);
    assert_eq!(set(&["1", "2", "3", "4", "5", "6", "7"]).encoding(), Encoding::Hashtable);
    assert_eq!(set(&["1", "2", "3", "a"]).encoding(), Encoding::Listpack);
    assert_eq!(set(&["1", "2", "3", "4", "a"]).encoding(), Encoding::Hashtable);
    assert_eq!(set(&["a", "b", "1", "2"]).encoding(), Encoding::Listpack);
    assert_eq!(set(&["a", "b", "1", "2", "3"]).encoding(), Encoding::Hashtable);
    assert_eq!(set(&["a", "bbbbbb"]).encoding(), Encoding::Hashtable);
    assert_eq!(set(&["123456", "a"]).encoding(), Encoding::Hashtable, "an integer that is too long for a listpack");
    let mut shrunk = set(&["1", "2", "3", "4", "5", "6", "7"]);
    (2..8).for_each(|value| assert!(shrunk.remove(value.to_string().as_bytes())));
    assert_eq!(shrunk.encoding(), Encoding::Hashtable);
}

#[test]
fn the_first_form_follows_from_the_first_member_and_the_number_announced() {
    let encoding = |first: &str, expected| Set::beginning_with(first.as_bytes(), expected, &LIMITS).encoding();
    assert_eq!((encoding("1", 6), encoding("1", 7)), (Encoding::Intset, Encoding::Hashtable));
    assert_eq!((encoding("a", 4), encoding("a", 5)), (Encoding::Listpack, Encoding::Hashtable));
    let mut set = set(&["1"]);
    set.prepare(6, &LIMITS);
    assert_eq!(set.encoding(), Encoding::Intset);
    set.prepare(7, &LIMITS);
    assert_eq!((set.encoding(), model(&set).len()), (Encoding::Hashtable, 1));
}

#[test]
fn a_packed_set_from_a_file_has_no_member_twice() {
    let of = |texts: &[&str]| Set::from_packed(Listpack::with(texts), &LIMITS).map(|set| set.encoding());
    assert_eq!(of(&["a", "1"]), Some(Encoding::Listpack));
    assert_eq!(of(&["a", "b", "c", "d", "e"]), Some(Encoding::Hashtable));
    assert_eq!(of(&["a", "1", "a"]), None);
    assert_eq!(of(&["7", "7"]), None);
}

#[test]
fn a_handle_is_two_words_and_a_million_members_are_small() {
    assert_eq!(size_of::<Set>(), 16);
    let bytes_each = |member: &dyn Fn(u64) -> String| {
        let mut set = Set::default();
        for number in 0..200_000 {
            set.insert(member(number).as_bytes(), &Limits::DEFAULT);
        }
        set.memory() / set.len()
    };
    assert!(bytes_each(&|number| (1_000_000 + number).to_string()) <= 18);
    assert!(bytes_each(&|number| format!("member:{number:012}")) <= 32);
}

#[test]
fn every_member_has_the_same_chance() {
    let mut rng = Rng::seeded(5);
    for members in [&["1", "2", "3"][..], &["a", "b", "3"], &["a", "b", "cccccc"]] {
        let set = set(members);
        let (mut single, mut pairs) = ([0; 3], [0; 3]);
        let index = |member: &[u8]| members.iter().position(|known| known.as_bytes() == member).unwrap();
        for _ in 0..3000 {
            single[index(&set.random(&mut rng).unwrap().to_vec())] += 1;
            set.sample(2, &mut rng, &mut |member| pairs[index(&member.to_vec())] += 1);
        }
        assert!(single.iter().all(|count| (850..1150).contains(count)), "{single:?}");
        assert!(pairs.iter().all(|count| (1850..2150).contains(count)), "{pairs:?}");
    }
}

#[test]
fn samples_of_every_size_are_of_different_members() {
    let mut rng = Rng::seeded(6);
    let mut table = Set::table(0);
    (0..100).for_each(|number| assert!(table.insert(number.to_string().as_bytes(), &LIMITS)));
    for count in [0, 1, 10, 33, 50, 99, 100, 1000] {
        let mut seen = Model::new();
        table.sample(count, &mut rng, &mut |member| assert!(seen.insert(member.to_vec())));
        assert_eq!(seen.len(), count.min(100));
    }
}

#[test]
fn stored_results_take_the_form_that_redis_gives_them() {
    let (long, few) = (set(&["1", "2", "3", "4", "a", "b"]), set(&["1", "2", "9"]));
    let encoding = |set: Set| (set.encoding(), set.len());
    assert_eq!(encoding(algebra::stored_intersection(&[&long, &few], &LIMITS)), (Encoding::Intset, 2));
    assert_eq!(encoding(algebra::stored_intersection(&[&long, &long], &LIMITS)), (Encoding::Hashtable, 6));
    assert_eq!(encoding(algebra::stored_union(&[&few], &LIMITS)), (Encoding::Intset, 3));
    assert_eq!(encoding(algebra::stored_union(&[&few, &long], &LIMITS)), (Encoding::Hashtable, 7));
    let letters = set(&["a", "b"]);
    assert_eq!(encoding(algebra::stored_difference(&long, &[&letters], &LIMITS)), (Encoding::Intset, 4));
    // Many sets to take away: the first is copied as a whole, and stays a table.
    let (a, b, c) = (set(&["a"]), set(&["b"]), set(&["x"]));
    assert_eq!(encoding(algebra::stored_difference(&long, &[&a, &b, &c], &LIMITS)), (Encoding::Hashtable, 4));
    assert!(algebra::stored_difference(&long, &[&a, &long], &LIMITS).is_empty());
}

proptest! {
    #[test]
    fn it_is_a_set(steps in prop::collection::vec((0..4u8, member()), 0..60), seed: u64) {
        let (mut set, mut model_set, mut rng) = (Set::default(), Model::new(), Rng::seeded(seed));
        for (step, member) in steps {
            match step {
                0 | 1 => prop_assert_eq!(set.insert(&member, &LIMITS), model_set.insert(member.clone())),
                2 => prop_assert_eq!(set.remove(&member), model_set.remove(&member)),
                _ => {
                    let popped = set.pop_random(&mut rng, |member| member.to_vec());
                    prop_assert_eq!(popped.is_some(), !model_set.is_empty());
                    prop_assert!(popped.is_none_or(|popped| model_set.remove(&popped)));
                }
            }
            prop_assert_eq!(set.contains(&member), model_set.contains(&member));
            prop_assert_eq!(&model(&set), &model_set);
        }
        let mut scanned = Model::new();
        let mut cursor = 0;
        loop {
            cursor = set.scan(cursor, 3, &mut |member| { scanned.insert(member.to_vec()); });
            if cursor == 0 { break }
        }
        prop_assert_eq!(&scanned, &model_set);
        prop_assert_eq!(&model(&set.clone()), &model_set);
    }

    #[test]
    fn algebra_is_that_of_models(groups in prop::collection::vec(members(), 1..8)) {
        let sets: Vec<Set> = groups.iter().map(|members| built(members)).collect();
        let models: Vec<Model> = sets.iter().map(model).collect();
        let mut sets: Vec<&Set> = sets.iter().collect();

        let mut shown = Vec::new();
        union(&sets, &mut |member| shown.push(member.to_vec()));
        let expected: Model = models.iter().flatten().cloned().collect();
        prop_assert_eq!(shown.len(), expected.len());
        prop_assert_eq!(&Model::from_iter(shown), &expected);
        prop_assert_eq!(&model(&algebra::stored_union(&sets, &LIMITS)), &expected);

        let mut shown = Model::new();
        difference(sets[0], &sets[1..], &mut |member| assert!(shown.insert(member.to_vec())));
        let others: Model = models[1..].iter().flatten().cloned().collect();
        let expected: Model = models[0].difference(&others).cloned().collect();
        prop_assert_eq!(&shown, &expected);
        prop_assert_eq!(&model(&algebra::stored_difference(sets[0], &sets[1..], &LIMITS)), &expected);

        sets.truncate(3);
        sets.push(sets[0]);
        let mut shown = Model::new();
        intersection(&sets, &mut |member| { assert!(shown.insert(member.to_vec())); ControlFlow::Continue(()) });
        let expected: Model =
            models[0].iter().filter(|member| models.iter().take(3).all(|model| model.contains(*member))).cloned().collect();
        prop_assert_eq!(&shown, &expected);
        prop_assert_eq!(&model(&algebra::stored_intersection(&sets, &LIMITS)), &expected);
    }
}
