//! Quicklists against a plain model, with the promises about their structure checked after each edit.

use proptest::prelude::*;

use super::*;

fn texts(list: &Quicklist) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    list.scan(0, End::Left, |item| {
        all.push(item.to_vec());
        ControlFlow::Continue(())
    });
    all
}

fn check(list: &Quicklist, model: &[Vec<u8>]) {
    list.check();
    assert_eq!(list.len(), model.len());
    assert_eq!(texts(list), model);
    let mut backwards = Vec::new();
    list.scan(model.len().wrapping_sub(1), End::Right, |item| {
        backwards.push(item.to_vec());
        ControlFlow::Continue(())
    });
    assert!(backwards.iter().eq(model.iter().rev()));
    for (index, text) in model.iter().enumerate() {
        assert_eq!(list.at(index, |item| item.to_vec()).as_ref(), Some(text));
    }
    assert_eq!(list.at(model.len(), |_| ()), None);
    assert_eq!(list.peek(End::Left).map(|item| item.to_vec()).as_ref(), model.first());
    assert_eq!(list.peek(End::Right).map(|item| item.to_vec()).as_ref(), model.last());
}

/// Node by node, how many elements; plain nodes as 0.
fn shape(list: &Quicklist) -> Vec<usize> {
    list.nodes()
        .map(|node| match node {
            NodeView::Packed(entries) => entries.len(),
            NodeView::Squeezed { .. } => 1000,
            NodeView::Plain(_) => 0,
        })
        .collect()
}

fn quicklist(fill: i64, depth: i64, texts: &[&str]) -> Quicklist {
    let packing = Packing::new(fill, depth, 0);
    let mut list = Quicklist::new(packing);
    for text in texts {
        list.push(End::Right, text.as_bytes(), packing.plain_from);
    }
    list
}

#[test]
fn nodes_fill_to_the_limit() {
    let list = quicklist(3, 0, &["a", "b", "c", "d", "e", "f", "g"]);
    assert_eq!(shape(&list), [3, 3, 1]);
    let long = "x".repeat(4000);
    let list = quicklist(-1, 0, &[&long, "b", "c", &long, "d"]);
    assert_eq!(shape(&list), [3, 2]);
    let list = quicklist(100, 0, &[&long, &long, &long]);
    assert_eq!(shape(&list), [2, 1], "a limit of elements has one of bytes as well");
}

#[test]
fn an_element_without_room_goes_to_a_neighbour_or_splits_the_node() {
    let all = ["a", "b", "c", "d", "e", "f"];
    let large = Packing::PLAIN_FROM;
    let mut list = quicklist(3, 0, &all[..5]);
    list.insert(2, true, b"x", large);
    assert_eq!(shape(&list), [3, 3], "after the last one: into the next node");
    let mut list = quicklist(3, 0, &all);
    list.insert(2, true, b"x", large);
    assert_eq!(shape(&list), [3, 1, 3], "no neighbour has room: a new node");
    let mut list = quicklist(3, 0, &all);
    list.insert(1, true, b"x", large);
    assert_eq!((shape(&list), texts(&list)[2].clone()), (vec![2, 2, 3], b"x".to_vec()), "in the middle: split");
    let mut list = quicklist(3, 0, &all);
    list.insert(1, false, b"x", large);
    assert_eq!((shape(&list), texts(&list)[1].clone()), (vec![2, 2, 3], b"x".to_vec()));
    let mut list = quicklist(3, 0, &all);
    list.insert(1, true, b"large", 5);
    assert_eq!((shape(&list), texts(&list)[2].clone()), (vec![2, 0, 1, 3], b"large".to_vec()));
}

#[test]
fn halves_of_a_split_node_merge_with_small_neighbours() {
    let mut list = quicklist(3, 0, &["a", "b", "c", "d", "e", "f"]);
    list.remove_range(3, 2);
    assert_eq!(shape(&list), [3, 1]);
    list.insert(1, false, b"x", Packing::PLAIN_FROM);
    assert_eq!(shape(&list), [2, 3], "[a x] and [b c] + [f]");
}

#[test]
fn replacing_between_small_and_large_keeps_order() {
    let mut list = quicklist(4, 0, &["aa", "bb", "cc", "dd"]);
    assert!(list.replace(1, b"large", 5));
    assert_eq!(shape(&list), [1, 0, 2]);
    assert!(list.replace(1, b"larger", 5));
    assert_eq!(shape(&list), [1, 0, 2]);
    assert!(list.replace(1, b"s", 5));
    assert_eq!((shape(&list), texts(&list).concat()), (vec![1, 3], b"aasccdd".to_vec()));
    assert!(list.replace(0, b"large", 5) && list.replace(3, b"large", 5));
    assert_eq!(shape(&list), [0, 2, 0]);
    assert!(!list.replace(4, b"x", 5));
}

#[test]
fn the_middle_is_compressed_and_the_ends_are_open() {
    let text = "x".repeat(500);
    let mut list = quicklist(1, 2, &[&text[..]; 6]);
    assert_eq!(shape(&list), [1, 1, 1000, 1000, 1, 1]);
    list.remove_range(0, 1);
    assert_eq!(shape(&list), [1, 1, 1000, 1, 1]);
    list.insert(2, false, text.as_bytes(), Packing::PLAIN_FROM);
    assert_eq!(shape(&list), [1, 1, 1000, 1000, 1, 1]);
    assert_eq!(list.figures().byte_len, 6 * (500 + 2 + 2 + 7));
    assert_eq!(list.clone().len(), 6);
}

#[derive(Clone, Debug)]
enum Edit {
    Push(End, Vec<u8>),
    Insert(prop::sample::Index, bool, Vec<u8>),
    Replace(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Matching(prop::sample::Index, usize, End),
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..20u8).prop_map(|n| n.to_string().into_bytes()),
        2 => (b'a'..b'd', 0..80usize).prop_map(|(letter, len)| vec![letter; len]),
        1 => (b'a'..b'd', 100..5000usize).prop_map(|(letter, len)| vec![letter; len]),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Left), Just(End::Right)]
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        5 => (end(), text()).prop_map(|(end, text)| Edit::Push(end, text)),
        4 => (index(), any::<bool>(), text()).prop_map(|(at, after, text)| Edit::Insert(at, after, text)),
        2 => (index(), text()).prop_map(|(at, text)| Edit::Replace(at, text)),
        2 => (index(), 0..6usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        1 => (index(), 1..4usize, end()).prop_map(|(at, max, from)| Edit::Matching(at, max, from)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn edits_agree_with_a_vec(
        fill in prop_oneof![-2..8i64, Just(-1)],
        depth in 0..4i64,
        plain_from in prop_oneof![Just(0usize), Just(60), Just(1000)],
        edits in proptest::collection::vec(edit(), 1..60),
    ) {
        let packing = Packing::new(fill, depth, plain_from);
        let (mut list, mut model) = (Quicklist::new(packing), Vec::<Vec<u8>>::new());
        for edit in edits {
            if model.is_empty() && !matches!(edit, Edit::Push(..)) {
                continue;
            }
            match edit {
                Edit::Push(end, text) => {
                    list.push(end, &text, packing.plain_from);
                    model.insert(if end == End::Left { 0 } else { model.len() }, text);
                }
                Edit::Insert(at, after, text) => {
                    let at = at.index(model.len());
                    list.insert(at, after, &text, packing.plain_from);
                    model.insert(at + usize::from(after), text);
                }
                Edit::Replace(at, text) => {
                    let at = at.index(model.len());
                    prop_assert!(list.replace(at, &text, packing.plain_from));
                    model[at] = text;
                }
                Edit::Remove(at, count) => {
                    let at = at.index(model.len());
                    list.remove_range(at, count);
                    model.drain(at..(at + count).min(model.len()));
                }
                Edit::Matching(at, max, from) => {
                    let text = model[at.index(model.len())].clone();
                    let mut places: Vec<_> = (0..model.len()).filter(|at| model[*at] == text).collect();
                    if from == End::Right {
                        places.reverse();
                    }
                    places.truncate(max);
                    prop_assert_eq!(list.remove_matching(&text, max, from), places.len());
                    let mut at = 0;
                    model.retain(|_| { at += 1; !places.contains(&(at - 1)) });
                }
            }
            check(&list, &model);
        }
    }
}
