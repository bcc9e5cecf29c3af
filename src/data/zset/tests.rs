//! Sorted sets beside a plain model, in both encodings.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::base::alloc;

/// Members with their scores, kept sorted by brute force.
#[derive(Default)]
struct Model(HashMap<Vec<u8>, f64>);

impl Model {
    fn sorted(&self) -> Vec<(Vec<u8>, f64)> {
        let mut all: Vec<_> = self.0.iter().map(|(member, score)| (member.clone(), *score)).collect();
        all.sort_by(|a, b| (a.1, &a.0).partial_cmp(&(b.1, &b.0)).unwrap());
        all
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>, f64),
    Remove(Vec<u8>),
    RemoveRange(usize, usize),
    Rank(Vec<u8>),
    ByScore(ScoreRange),
    Walk(usize, usize),
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        5 => (0..400u32).prop_map(|n| n.to_string().into_bytes()),
        2 => (0..100u32).prop_map(|n| format!("member:{n:03}").into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-20..20i32).prop_map(f64::from),
        2 => (-20..20i32).prop_map(|n| f64::from(n) / 7.0),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e300), Just(-0.0), Just(5e-324)],
    ]
}

fn end() -> impl Strategy<Value = End<f64>> {
    (score(), any::<bool>()).prop_map(|(score, with)| if with { End::With(score) } else { End::Without(score) })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (member(), score()).prop_map(|(member, score)| Step::Put(member, score)),
        3 => member().prop_map(Step::Remove),
        1 => (0..300usize, 0..20usize).prop_map(|(start, count)| Step::RemoveRange(start, start + count)),
        2 => member().prop_map(Step::Rank),
        2 => (end(), end()).prop_map(|(min, max)| Step::ByScore(ScoreRange { min, max })),
        1 => (0..300usize, 0..300usize).prop_map(|(start, end)| Step::Walk(start, end)),
    ]
}

fn owned(elements: Elements<'_>) -> Vec<(Vec<u8>, f64)> {
    elements.map(|(member, score)| (member.to_vec(), score)).collect()
}

fn drive(limits: &Limits, steps: Vec<Step>) {
    let (mut zset, mut model) = (Zset::new(), Model::default());
    for step in steps {
        match step {
            Step::Put(member, score) => {
                assert_eq!(zset.put(&member, score, limits), model.0.insert(member, score));
            }
            Step::Remove(member) => assert_eq!(zset.remove(&member), model.0.remove(&member)),
            Step::RemoveRange(start, end) => {
                let mut shown = Vec::new();
                zset.remove_range(start..end, |member, score| shown.push((member.to_vec(), score)));
                let all = model.sorted();
                assert_eq!(shown, all.get(start.min(all.len())..end.min(all.len())).unwrap_or(&[]));
                model.0.retain(|member, _| !shown.iter().any(|(other, _)| other == member));
            }
            Step::Rank(member) => {
                let rank = model.sorted().iter().position(|(other, _)| *other == member);
                assert_eq!(zset.rank(&member), rank.map(|rank| (rank, model.0[&member])));
                assert_eq!(zset.score(&member), model.0.get(&member).copied());
            }
            Step::ByScore(range) => {
                let expected: Vec<_> = model
                    .sorted()
                    .into_iter()
                    .filter(|(_, score)| !range.is_below(*score) && !range.is_above(*score))
                    .collect();
                assert_eq!(owned(zset.elements(zset.range_by_score(&range))), expected);
            }
            Step::Walk(start, end) => {
                let all = model.sorted();
                let mut expected = all.get(start.min(all.len())..end.min(all.len())).unwrap_or(&[]).to_vec();
                assert_eq!(owned(zset.elements(start..end)), expected);
                expected.reverse();
                assert_eq!(owned(zset.elements_backwards(start..end)), expected);
            }
        }
        assert_eq!(zset.len(), model.0.len());
    }
    assert_eq!(owned(zset.iter()), model.sorted());
    if let Repr::Sorted(sorted) = &zset.0 {
        sorted.check();
    }
    let copy = zset.clone();
    let mut draft = Draft::new();
    let (mut cursor, mut room) = (0, IntText::new());
    loop {
        cursor = zset.scan(cursor, 3, |member, score| {
            draft.add(member.as_bytes(&mut room), f64::INFINITY, |_| unreachable!("each member once"));
            draft.add(member.as_bytes(&mut room), 0.0, |_| score);
        });
        if cursor == 0 {
            break;
        }
    }
    drop(zset);
    assert_eq!(owned(copy.iter()), model.sorted());
    assert_eq!(owned(draft.into_zset(limits).iter()), model.sorted());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn small_and_large_sets_behave_like_the_model(steps in proptest::collection::vec(step(), 0..400)) {
        drive(&Limits::default(), steps);
    }

    #[test]
    fn large_sets_behave_like_the_model(steps in proptest::collection::vec(step(), 0..600)) {
        drive(&Limits { zset_max_listpack_entries: 0, ..Limits::default() }, steps);
    }

    #[test]
    fn ranges_by_name_are_those_of_the_model(
        names in proptest::collection::btree_set(member(), 0..200),
        min in member(), max in member(), with_min: bool, with_max: bool, is_large: bool,
    ) {
        let limits = Limits {
            zset_max_listpack_entries: if is_large { 0 } else { 1000 },
            zset_max_listpack_value: 1000,
            ..Limits::default()
        };
        let mut zset = Zset::new();
        for name in &names {
            zset.put(name, 1.0, &limits);
        }
        let end = |name, with| LexEnd::At(if with { End::With(name) } else { End::Without(name) });
        let range = LexRange { min: end(&min[..], with_min), max: end(&max[..], with_max) };
        let expected: Vec<_> =
            names.iter().filter(|name| !range.is_below(name) && !range.is_above(name)).cloned().collect();
        let found: Vec<_> = zset.elements(zset.range_by_name(&range)).map(|(name, _)| name.to_vec()).collect();
        prop_assert_eq!(found, expected);
        let all = LexRange { min: LexEnd::Lowest, max: LexEnd::Highest };
        prop_assert_eq!(zset.range_by_name(&all), 0..names.len());
        let none = LexRange { min: LexEnd::Highest, max: LexEnd::Lowest };
        prop_assert!(zset.range_by_name(&none).is_empty());
    }
}

#[test]
fn a_set_becomes_large_at_its_limits_and_stays_so() {
    let limits = Limits { zset_max_listpack_entries: 3, zset_max_listpack_value: 5, ..Limits::default() };
    let mut zset = Zset::new();
    for member in ["a", "b", "c"] {
        zset.put(member.as_bytes(), 1.0, &limits);
    }
    zset.put(b"a", 2.0, &limits);
    assert_eq!(zset.encoding(), Encoding::Listpack);
    zset.put(b"d", 1.0, &limits);
    assert_eq!(zset.encoding(), Encoding::Skiplist);
    zset.remove_range(0..4, |_, _| {});
    assert_eq!((zset.encoding(), zset.len()), (Encoding::Skiplist, 0));
    let mut zset = Zset::new();
    zset.put(b"12345", 1.0, &limits);
    assert_eq!(zset.encoding(), Encoding::Listpack);
    zset.put(b"123456", 1.0, &limits);
    assert_eq!(zset.encoding(), Encoding::Skiplist);
    assert_eq!(Zset::for_members(4, 1, &limits).encoding(), Encoding::Skiplist);
}

#[test]
fn listpacks_that_are_no_sorted_sets_are_refused() {
    for (entries, is_sound) in [
        (&["a", "1", "b", "1", "c", "2.5"][..], true),
        (&["a", "inf"], true),
        (&["5", "1", "a", "1"], true),
        (&["a"], false),
        (&["a", "1", "b"], false),
        (&["a", "x"], false),
        (&["a", "nan"], false),
        (&["a", "2", "b", "1"], false),
        (&["b", "1", "a", "1"], false),
        (&["a", "1", "a", "1"], false),
    ] {
        assert_eq!(Zset::from_listpack(Listpack::with(entries)).is_some(), is_sound, "{entries:?}");
    }
}

#[test]
fn a_set_that_shrinks_gives_memory_back() {
    let (mut zset, limits) = (Zset::new(), Limits { zset_max_listpack_entries: 0, ..Limits::default() });
    let name = |n: u64| format!("member:{n}").into_bytes();
    for n in 0..40_000 {
        zset.put(&name(n), (n * 7919 % 1_003) as f64, &limits);
    }
    let full = zset.memory();
    zset.remove_range(1_000..21_000, |_, _| {});
    for n in (0..40_000).filter(|n| n % 20 != 0) {
        zset.remove(&name(n));
    }
    assert!(zset.memory() < full / 8, "{} of {full} for {}", zset.memory(), zset.len());
    let Repr::Sorted(sorted) = &zset.0 else { panic!("it was large from the beginning") };
    sorted.check();
}

/// The figure that the docs give. 40,000 members rather than a million, as bytes per member hardly depend on it.
#[test]
fn a_member_of_sixteen_bytes_takes_less_than_seventy() {
    let mut zset = Zset::new();
    let limits = Limits::default();
    for n in 0..40_000u64 {
        zset.put(format!("member:{n:09}").as_bytes(), (n * 7919 % 1_000_003) as f64, &limits);
        if n >= 5_000 && n % 5_000 == 0 {
            let each = zset.memory() / zset.len();
            assert!((50..=70).contains(&each), "{each} bytes at {n}");
        }
    }
    assert!(alloc::used_memory() > zset.memory());
}
