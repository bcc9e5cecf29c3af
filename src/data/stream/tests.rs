//! The stream against a plain model, and the layout against bytes of Redis.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn add(stream: &mut Stream, id: Id, fields: &Fields, limits: NodeLimits) {
    let pairs = fields.iter().map(|(field, value)| (field.as_slice(), value.as_slice()));
    stream.log_mut().add(id, pairs, limits);
}

fn shown(entry: Entry<'_>) -> (Id, Fields) {
    (entry.id, entry.pairs().map(|(field, value)| (field.to_vec(), value.to_vec())).collect())
}

fn fields(words: &[&str]) -> Fields {
    words.chunks(2).map(|pair| (pair[0].into(), pair[1].into())).collect()
}

#[test]
fn nodes_are_those_of_redis() {
    let mut stream = Stream::default();
    add(&mut stream, Id::new(5, 1), &fields(&["f", "v", "g", "w"]), NodeLimits::default());
    add(&mut stream, Id::new(6, 0), &fields(&["f", "1"]), NodeLimits::default());
    let node = stream.log().nodes().next().unwrap();
    let expected =
        b"\x33\0\0\0\x13\0\x02\x01\0\x01\x02\x01\x81f\x02\x81g\x02\0\x01\x02\x01\0\x01\0\x01\x81v\x02\x81w\x02\
        \x05\x01\0\x01\x01\x01\xdf\xff\x02\x01\x01\x81f\x02\x01\x01\x06\x01\xff";
    assert_eq!(node.as_bytes(), expected);
    assert_eq!(stream.radix_tree_nodes(), 2);
}

#[test]
fn nodes_are_full_by_entries_or_by_bytes() {
    let one = fields(&["f", "0123456789"]);
    let nodes = |limits, count| {
        let mut stream = Stream::default();
        (1..=count).for_each(|ms| add(&mut stream, Id::new(ms, 0), &one, limits));
        stream.log().nodes().map(|node| node.counts().0).collect::<Vec<_>>()
    };
    assert_eq!(nodes(NodeLimits { bytes: 4096, entries: 10 }, 25), [10, 10, 5]);
    assert_eq!(nodes(NodeLimits { bytes: 0, entries: 0 }, 300), [300]);
    assert_eq!(nodes(NodeLimits { bytes: 100, entries: 0 }, 8), [4, 4]);
}

#[test]
fn an_element_of_a_long_stream_takes_less_than_31_bytes() {
    let mut stream = Stream::default();
    for number in 0..100_000u64 {
        let value = format!("v{number:015}");
        let id = Id::new(1_700_000_000_000 + number / 400, number % 400);
        add(&mut stream, id, &fields(&["f", &value]), NodeLimits::default());
    }
    let each = stream.memory() as f64 / 100_000.0;
    assert!(each < 31.0, "{each}");
}

#[test]
fn the_next_id_follows_time_but_never_goes_back() {
    let mut stream = Stream::default();
    let next = |stream: &Stream, wanted| stream.log().next_id(wanted);
    assert_eq!(next(&stream, WantedId::Auto { now: 0 }), Ok(Id::new(0, 1)));
    assert_eq!(next(&stream, WantedId::Given(GivenId::Millis(0))), Ok(Id::new(0, 1)));
    add(&mut stream, Id::new(7, u64::MAX), &fields(&["f", "v"]), NodeLimits::default());
    assert_eq!(next(&stream, WantedId::Auto { now: 5 }), Ok(Id::new(8, 0)));
    assert_eq!(next(&stream, WantedId::Auto { now: 9 }), Ok(Id::new(9, 0)));
    assert_eq!(next(&stream, WantedId::Given(GivenId::Millis(7))), Err(AddError::NotLarger));
    assert_eq!(next(&stream, WantedId::Given(GivenId::Millis(8))), Ok(Id::new(8, 0)));
    assert_eq!(next(&stream, WantedId::Given(GivenId::Whole(Id::new(7, 3)))), Err(AddError::NotLarger));
    add(&mut stream, Id::MAX, &fields(&["f", "v"]), NodeLimits::default());
    assert_eq!(next(&stream, WantedId::Auto { now: 9 }), Err(AddError::Exhausted));
}

fn turn_back(stream: &mut Stream) {
    let history = History { last_id: Id::new(2, 0), ..stream.log().history() };
    stream.log_mut().set_history(history);
}

#[test]
fn a_last_id_that_was_turned_back_leaves_deleted_entries_behind_it() {
    let limits = NodeLimits { entries: 3, bytes: 0 };
    let one = fields(&["f", "v"]);
    let mut stream = Stream::default();
    (1..=5).for_each(|ms| add(&mut stream, Id::new(ms, 0), &one, limits));
    stream.log_mut().delete(&[Id::new(5, 0)]);
    // Of the second node only deleted entries are left.
    stream.log_mut().trim(Trim { keep: Keep::MinId(Id::new(5, 0)), is_approximate: false, limit: 0 });
    assert_eq!((stream.log().len(), stream.log().nodes_len()), (0, 1));
    turn_back(&mut stream);
    add(&mut stream, Id::new(3, 0), &one, limits);
    assert_eq!(stream.log().range(Id::MIN, Id::MAX).map(|entry| entry.id).collect::<Vec<_>>(), [Id::new(3, 0)]);

    let mut stream = Stream::default();
    [1, 9].into_iter().for_each(|ms| add(&mut stream, Id::new(ms, 0), &one, limits));
    stream.log_mut().delete(&[Id::new(9, 0)]);
    turn_back(&mut stream);
    add(&mut stream, Id::new(3, 0), &one, limits);
    for (start, end) in [(0, 4), (3, 3), (2, 20)] {
        let range = stream.log().range(Id::new(start, 0), Id::new(end, 0));
        assert_eq!(range.last().map(|entry| entry.id), Some(Id::new(3, 0)));
    }
    let node = stream.log().nodes().next().unwrap();
    assert!(Node::parse(node.first_id(), node.as_bytes()).is_ok());
    assert_eq!(stream.log_mut().delete(&[Id::new(9, 0), Id::new(3, 0)]), 1);
}

/// What a stream is, said plainly.
#[derive(Clone, Debug, Default)]
struct Model {
    entries: BTreeMap<Id, Fields>,
    last_id: Id,
    max_deleted: Id,
    added: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Add { ahead: u64, fields: Fields },
    Delete { nth: usize },
    DeleteMissing(Id),
    Trim(Trim),
    Reload,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let text = prop_oneof![
        3 => "[a-c]{0,2}".prop_map(String::into_bytes),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        1 => (0u8..200).prop_map(|number| number.to_string().into_bytes()),
        1 => (40usize..90).prop_map(|len| vec![b'x'; len]),
    ];
    let fields = prop::collection::vec((text.clone(), text), 1..4);
    let id = (0u64..200, 0u64..3).prop_map(|(ms, seq)| Id::new(ms, seq));
    let keep = prop_oneof![(0u64..40).prop_map(Keep::MaxLen), id.clone().prop_map(Keep::MinId)];
    let trim = (keep, any::<bool>(), prop_oneof![Just(0), 1u64..30]);
    let step = prop_oneof![
        12 => (prop_oneof![Just(1u64), 1u64..6], fields).prop_map(|(ahead, fields)| Step::Add { ahead, fields }),
        4 => (0usize..60).prop_map(|nth| Step::Delete { nth }),
        1 => id.prop_map(Step::DeleteMissing),
        1 => trim.prop_map(|(keep, is_approximate, limit)| Step::Trim(Trim { keep, is_approximate, limit })),
        1 => Just(Step::Reload),
    ];
    prop::collection::vec(step, 1..120)
}

fn run(stream: &mut Stream, model: &mut Model, step: Step, limits: NodeLimits) {
    match step {
        Step::Add { ahead, fields } => {
            let last = model.last_id;
            let id = if ahead == 1 { last.next().unwrap() } else { Id::new(last.ms + ahead - 1, 0) };
            add(stream, id, &fields, limits);
            model.entries.insert(id, fields);
            model.last_id = id;
            model.added += 1;
        }
        Step::Delete { nth } => {
            let Some(id) = model.entries.keys().nth(nth).copied() else { return };
            model.entries.remove(&id);
            model.max_deleted = model.max_deleted.max(id);
            assert_eq!(stream.log_mut().delete(&[id, id]), 1);
        }
        Step::DeleteMissing(id) => {
            if !model.entries.contains_key(&id) {
                assert_eq!(stream.log_mut().delete(&[id]), 0);
            }
        }
        Step::Trim(trim) => {
            let trimmed = stream.log_mut().trim(trim);
            for _ in 0..trimmed {
                model.entries.pop_first();
            }
            match trim.keep {
                Keep::MaxLen(max) if trim.limit == 0 && !trim.is_approximate => {
                    assert!(model.entries.len() as u64 <= max);
                    assert!(trimmed == 0 || model.entries.len() as u64 == max);
                }
                Keep::MinId(min) if trim.limit == 0 && !trim.is_approximate => {
                    assert!(model.entries.keys().next().is_none_or(|first| *first >= min));
                }
                Keep::MaxLen(max) => assert!(trimmed == 0 || model.entries.len() as u64 >= max),
                Keep::MinId(_) => {}
            }
            assert!(trim.limit == 0 || trimmed <= trim.limit + u64::from(!trim.is_approximate) * limits.entries);
        }
        Step::Reload => {
            let mut log = Log::default();
            for node in stream.log().nodes() {
                assert!(log.add_node(Node::parse(node.first_id(), node.as_bytes()).unwrap()));
            }
            assert!(log.complete(stream.log().len(), stream.log().history()));
            *stream = Stream::new(log, Groups::new());
        }
    }
}

fn check(stream: &Stream, model: &Model) {
    let log = stream.log();
    let all: Vec<_> = model.entries.iter().map(|(id, fields)| (*id, fields.clone())).collect();
    assert_eq!(log.range(Id::MIN, Id::MAX).map(shown).collect::<Vec<_>>(), all);
    let mut reversed: Vec<_> = log.range_rev(Id::MIN, Id::MAX).map(shown).collect();
    reversed.reverse();
    assert_eq!(reversed, all);
    assert_eq!(log.len(), all.len() as u64);
    assert_eq!(log.first_id(), all.first().map_or(Id::MIN, |(id, _)| *id));
    assert_eq!(log.last_entry_id(), all.last().map(|(id, _)| *id));
    let history = History { last_id: model.last_id, max_deleted_id: model.max_deleted, entries_added: model.added };
    assert_eq!(log.history(), history);
    assert_eq!(log.node_bytes(), log.nodes().map(Node::memory).sum(), "the running total");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn a_stream_does_what_a_map_would(steps in steps(), entries in 2u64..12, bytes in 150u64..600) {
        let limits = NodeLimits { entries, bytes };
        let (mut stream, mut model) = (Stream::default(), Model::default());
        for step in steps {
            run(&mut stream, &mut model, step, limits);
            check(&stream, &model);
        }
    }

    #[test]
    fn ranges_are_cut_where_they_should_be(
        gaps in prop::collection::vec((1u64..4, any::<bool>()), 1..60),
        bounds in prop::collection::vec((0u64..130, 0u64..130), 1..10),
    ) {
        let limits = NodeLimits { entries: 7, bytes: 0 };
        let mut stream = Stream::default();
        let (mut ids, mut ms) = (Vec::new(), 0);
        for (gap, stays) in gaps {
            ms += gap;
            add(&mut stream, Id::new(ms, 0), &fields(&["f", "v"]), limits);
            if stays { ids.push(ms) } else { stream.log_mut().delete(&[Id::new(ms, 0)]); }
        }
        for (start, end) in bounds {
            let expected: Vec<u64> = ids.iter().copied().filter(|ms| (start..=end).contains(ms)).collect();
            let (start, end) = (Id::new(start, 0), Id::new(end, 0));
            let found: Vec<u64> = stream.log().range(start, end).map(|entry| entry.id.ms).collect();
            prop_assert_eq!(&found, &expected);
            let mut found: Vec<u64> = stream.log().range_rev(start, end).map(|entry| entry.id.ms).collect();
            found.reverse();
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(stream.log().get(start).is_some(), ids.contains(&start.ms));
        }
    }

    #[test]
    fn damaged_nodes_are_refused_or_read_without_a_panic(at in 0usize..200, byte in any::<u8>()) {
        let mut stream = Stream::default();
        for ms in 1..6 {
            add(&mut stream, Id::new(ms, 0), &fields(&["f", "v", "g", "12"]), NodeLimits::default());
        }
        add(&mut stream, Id::new(9, 0), &fields(&["h", "v"]), NodeLimits::default());
        stream.log_mut().delete(&[Id::new(2, 0)]);
        let node = stream.log().nodes().next().unwrap();
        let mut bytes = node.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(node) = Node::parse(Id::new(1, 0), &bytes) {
            let forwards = node.entries().map(|entry| entry.pairs().count()).collect::<Vec<_>>();
            let mut backwards = node.entries_rev().map(|entry| entry.pairs().count()).collect::<Vec<_>>();
            backwards.reverse();
            prop_assert_eq!(forwards, backwards);
        }
    }
}
