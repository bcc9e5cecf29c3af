//! Listpacks against a plain model, against bytes written by Redis, and against bytes that lie.

use proptest::prelude::*;

use super::*;
use crate::base::rng::steps;

fn texts(listpack: &Listpack) -> Vec<Vec<u8>> {
    listpack.iter().map(|item| item.to_vec()).collect()
}

/// Checks everything that can be asked against the model.
fn check(listpack: &Listpack, model: &[Vec<u8>]) {
    assert_eq!(texts(listpack), model);
    assert_eq!(listpack.len(), model.len());
    assert_eq!(listpack.is_empty(), model.is_empty());
    let backwards: Vec<_> = listpack.iter().rev().map(|item| item.to_vec()).collect();
    assert!(backwards.iter().eq(model.iter().rev()));
    assert_eq!(Listpack::parse(listpack.as_bytes()).as_ref(), Ok(listpack));
    for index in 0..model.len() {
        let (front, back) = (index as isize, index as isize - model.len() as isize);
        let pos = listpack.seek(front).unwrap();
        assert_eq!(listpack.seek(back), Some(pos));
        assert_eq!(listpack.get(pos).to_vec(), model[index]);
        assert!(listpack.get(pos).eq_bytes(&model[index]));
        assert!(listpack.iter_from(pos).map(|item| item.to_vec()).eq(model[index..].iter().cloned()));
        assert!(listpack.iter_to(pos).map(|item| item.to_vec()).eq(model[..=index].iter().cloned()));
    }
    assert_eq!(listpack.seek(model.len() as isize), None);
    assert_eq!(listpack.seek(-1 - model.len() as isize), None);
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        (-5000i64..5000).prop_map(|value| value.to_string().into_bytes()),
        (0..64u32, any::<bool>()).prop_map(|(shift, minus)| {
            let value = (i64::MAX >> shift).wrapping_add(1);
            if minus { value.wrapping_neg() } else { value }.to_string().into_bytes()
        }),
        proptest::collection::vec(any::<u8>(), 0..80),
        (prop_oneof![60..70usize, 120..130usize, 4090..4100usize, 16370..16390usize], any::<u8>())
            .prop_map(|(len, byte)| vec![byte; len]),
        Just(b"01".to_vec()),
        Just(b"-0".to_vec()),
    ]
}

#[derive(Clone, Debug)]
enum Edit {
    Back(Vec<u8>),
    Front(Vec<u8>),
    Before(prop::sample::Index, Vec<u8>),
    After(prop::sample::Index, Vec<u8>),
    Replace(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    CutFront(prop::sample::Index),
    Split(prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => text().prop_map(Edit::Back),
        2 => text().prop_map(Edit::Front),
        2 => (index(), text()).prop_map(|(at, text)| Edit::Before(at, text)),
        2 => (index(), text()).prop_map(|(at, text)| Edit::After(at, text)),
        2 => (index(), text()).prop_map(|(at, text)| Edit::Replace(at, text)),
        3 => (index(), 0..4usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        1 => index().prop_map(Edit::CutFront),
        1 => index().prop_map(Edit::Split),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(steps(200, 4)))]

    #[test]
    fn edits_agree_with_a_vec(edits in proptest::collection::vec(edit(), 1..40)) {
        let (mut listpack, mut model) = (Listpack::new(), Vec::<Vec<u8>>::new());
        for edit in edits {
            let place = |at: prop::sample::Index, model: &[Vec<u8>]| (!model.is_empty()).then(|| at.index(model.len()));
            match edit {
                Edit::Back(text) => {
                    let size = listpack.byte_len() + entry_len(&text);
                    listpack.push_back(&text);
                    prop_assert_eq!(listpack.byte_len(), size);
                    model.push(text);
                }
                Edit::Front(text) => {
                    listpack.push_front(&text);
                    model.insert(0, text);
                }
                Edit::Before(at, text) => if let Some(at) = place(at, &model) {
                    let pos = listpack.insert_before(listpack.seek(at as isize).unwrap(), &text);
                    prop_assert_eq!(listpack.get(pos).to_vec(), &text[..]);
                    model.insert(at, text);
                },
                Edit::After(at, text) => if let Some(at) = place(at, &model) {
                    let pos = listpack.insert_after(listpack.seek(at as isize).unwrap(), &text);
                    prop_assert_eq!(listpack.get(pos).to_vec(), &text[..]);
                    model.insert(at + 1, text);
                },
                Edit::Replace(at, text) => if let Some(at) = place(at, &model) {
                    let pos = listpack.replace(listpack.seek(at as isize).unwrap(), &text);
                    prop_assert_eq!(listpack.get(pos).to_vec(), &text[..]);
                    model[at] = text;
                },
                Edit::Remove(at, count) => if let Some(at) = place(at, &model) {
                    let next = listpack.remove(listpack.seek(at as isize).unwrap(), count);
                    model.drain(at..(at + count).min(model.len()));
                    prop_assert_eq!(next, listpack.seek(at as isize));
                },
                Edit::CutFront(at) => {
                    let at = at.index(model.len() + 1);
                    prop_assert_eq!(listpack.remove_before(listpack.seek(at as isize)), at);
                    model.drain(..at);
                }
                Edit::Split(at) => if let Some(at) = place(at, &model) {
                    let tail = listpack.split_off(listpack.seek(at as isize).unwrap());
                    check(&tail, &model[at..]);
                    check(&listpack, &model[..at]);
                    listpack.append(&tail);
                },
            }
            check(&listpack, &model);
        }
    }

    #[test]
    fn finding_agrees_with_a_vec(model in proptest::collection::vec(text(), 1..30), needle in text(), skip in 0..3usize) {
        let listpack = Listpack::with(&model);
        for needle in model.iter().chain([&needle]) {
            for from in 0..model.len() {
                let expected = (from..model.len()).step_by(skip + 1).find(|at| model[*at] == *needle);
                let found = listpack.find(listpack.seek(from as isize).unwrap(), needle, skip);
                prop_assert_eq!(found, expected.and_then(|at| listpack.seek(at as isize)));
            }
        }
    }

    #[test]
    fn whatever_is_parsed_can_be_walked(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), honest in any::<bool>()) {
        if honest && bytes.len() >= 7 {
            let len = bytes.len() as u32;
            bytes[..4].copy_from_slice(&len.to_le_bytes());
            bytes[4..6].fill(0xff);
            bytes[len as usize - 1] = 0xff;
        }
        if let Ok(listpack) = Listpack::parse(&bytes) {
            prop_assert_eq!(listpack.iter().count(), listpack.iter().rev().count());
            prop_assert_eq!(listpack.as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn damage_is_noticed_or_harmless(model in proptest::collection::vec(text(), 0..8), at in any::<prop::sample::Index>(), flip in 1..=255u8) {
        let mut bytes = Listpack::with(&model).as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(mut listpack) = Listpack::parse(&bytes) {
            let before = texts(&listpack);
            prop_assert_eq!(before.len(), listpack.len());
            listpack.push_back(b"x");
            prop_assert_eq!(&texts(&listpack)[..before.len()], &before[..]);
        }
    }
}

#[test]
fn the_bytes_are_those_of_redis() {
    assert_eq!(Listpack::new().as_bytes(), [7, 0, 0, 0, 0, 0, 0xff]);
    // RPUSH k a 1000 hello -5 123456 12345678901 -40000 17, as DUMP of Redis 7.0.15 shows it.
    let listpack = Listpack::with(&["a", "1000", "hello", "-5", "123456", "12345678901", "-40000", "17"]);
    let redis = b"\x2d\0\0\0\x08\0\x81a\x02\xc3\xe8\x02\x85hello\x06\xdf\xfb\x02\xf2\x40\xe2\x01\x04\
        \xf4\x35\x1c\xdc\xdf\x02\0\0\0\x09\xf2\xc0\x63\xff\x04\x11\x01\xff";
    assert_eq!(listpack.as_bytes(), &redis[..]);
}

#[test]
fn a_listpack_is_one_word_and_knows_its_memory() {
    assert_eq!(size_of::<Listpack>(), 8);
    assert_eq!(Listpack::new().memory(), 8);
    assert_eq!(Listpack::with(&[[b'x'; 100]]).memory(), 112);
}

#[test]
#[cfg_attr(miri, ignore = "65,537 entries of the same kind")]
fn more_entries_than_the_header_can_say_are_counted() {
    let mut listpack = Listpack::new();
    for number in 0..65534 {
        listpack.push_back_item(Item::Int(number % 100));
    }
    assert_eq!((listpack.stated_len(), listpack.len()), (Some(65534), 65534));
    for _ in 0..3 {
        listpack.push_front(b"x");
    }
    assert_eq!((listpack.stated_len(), listpack.len()), (None, 65537));
    assert_eq!(listpack.get(listpack.seek(-1).unwrap()), Item::Int(33));
    assert_eq!(listpack.seek(65537), None);
    assert_eq!(Listpack::parse(listpack.as_bytes()).unwrap().len(), 65537);
    // Short entries: the count is known again as soon as it can be said.
    listpack.remove(listpack.first().unwrap(), 10);
    assert_eq!((listpack.stated_len(), listpack.len()), (Some(65527), 65527));
}

#[test]
fn redis_skips_by_the_rule_for_back_lengths_and_so_do_we() {
    let lens = [127, 128, 16376, 16377, 16378, 16379, 16380, 2_097_140, 2_097_145, 2_097_146, 2_097_150];
    for len in lens.into_iter().take(steps(11, 3) as usize) {
        let mut listpack = Listpack::with(&[&vec![b'x'; len][..], b"after"]);
        assert_eq!(texts(&listpack)[1], b"after", "{len}");
        assert_eq!(listpack.prev(listpack.last().unwrap()), listpack.first());
        assert!(Listpack::parse(listpack.as_bytes()).is_ok());
        listpack.remove(listpack.first().unwrap(), 1);
        check(&listpack, &[b"after".to_vec()]);
    }
}

#[test]
fn lies_are_refused() {
    let good = Listpack::with(&["a", "1000"]).as_bytes().to_vec();
    assert!(Listpack::parse(&good).is_ok());
    let change = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Listpack::parse(&bytes)
    };
    for (at, byte, what) in [
        (0, 12, "the total is too small"),
        (0, 14, "the total is too large"),
        (4, 1, "fewer entries are stated than there are"),
        (4, 3, "more entries are stated than there are"),
        (6, 0x82, "an entry and its back length disagree"),
        (6, 0xbf, "an entry is longer than the listpack"),
        (6, 0xf5, "no entry begins so"),
        (6, 0xff, "the end comes early"),
        (8, 3, "a back length leads astray"),
        (8, 0x82, "a back length goes on"),
        (11, 0xff, "the last back length leads astray"),
        (12, 0, "there is no end"),
    ] {
        assert_eq!(change(at, byte), Err(Corrupt), "{what}");
    }
    // The back length would go on into the header, whose bytes there happen to be zero.
    assert_eq!(Listpack::parse(b"\x09\0\0\0\x01\0\x80\x81\xff"), Err(Corrupt));
    for cut in 0..good.len() {
        assert_eq!(Listpack::parse(&good[..cut]), Err(Corrupt), "cut at {cut}");
    }
    assert_eq!(Listpack::parse(b"\x0c\0\0\0\x01\0\xf0\xff\xff\xff\xff\xff"), Err(Corrupt));
}

#[test]
fn room_is_told_before_it_is_needed() {
    let listpack = Listpack::new();
    assert!(listpack.has_room(1, LISTPACK_MAX - 17));
    assert!(!listpack.has_room(1, LISTPACK_MAX - 16));
    assert!(!listpack.has_room(usize::MAX, usize::MAX));
}
