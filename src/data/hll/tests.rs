use super::*;
use crate::base::hash::sha1_hex;
use proptest::prelude::*;

const SPARSE_MAX: usize = 3000;

/// SHA-1 of what a stock server stores for these many elements.
const AFTER_300: &str = "ad8c36fdafc83245923387156b2b241476c8c106";
const AFTER_20000: &str = "134864eeb4d20009ec9365ccf2222de6b2b5309e";

fn registers_of(value: &[u8]) -> Registers {
    let mut registers = [0; REGISTERS];
    unite(&mut registers, value).expect("sound");
    registers
}

fn add(value: &mut Vec<u8>, element: &[u8]) -> bool {
    raise(value, Sighting::of(element), SPARSE_MAX).expect("sound")
}

/// As PFDEBUG DECODE of a stock server shows them.
#[test]
fn elements_are_seen_where_stock_servers_see_them() {
    let seen = |element: &[u8]| {
        let Sighting { register, rank } = Sighting::of(element);
        (register, rank)
    };
    assert_eq!(seen(b""), (5938, 2));
    assert_eq!(seen(b"a somewhat longer element, to see all of the words"), (12414, 3));
    let mut abc = [seen(b"a"), seen(b"b"), seen(b"c")];
    abc.sort();
    assert_eq!(abc, [(8436, 1), (12711, 2), (15780, 1)]);
}

/// Checksums of the values that a stock server makes of these elements.
#[test]
fn values_are_the_bytes_of_stock_servers() {
    let mut value = empty();
    assert_eq!((value.len(), count(&value)), (18, Ok(0)));
    for number in 1..=20_000 {
        add(&mut value, format!("el:{number}").as_bytes());
        if number == 300 {
            assert_eq!((form_of(&value), value.len(), sha1_hex(&value)), (Ok(Form::Sparse), 693, AFTER_300.to_owned()));
            assert_eq!(count(&value), Ok(303));
        }
    }
    keep_count(&mut value, 20_027);
    assert_eq!((form_of(&value), value.len(), sha1_hex(&value)), (Ok(Form::Dense), DENSE_LEN, AFTER_20000.to_owned()));
    assert_eq!((count(&value), kept_count(&value)), (Ok(20_027), Some(20_027)));
}

#[test]
fn the_example_of_the_essay() {
    let mut value = empty();
    for (register, rank) in [(1000, 2), (1020, 3), (1021, 3)] {
        assert_eq!(raise(&mut value, Sighting { register, rank }, SPARSE_MAX), Ok(true));
    }
    assert_eq!(value[HEADER..], [0x43, 0xe7, 0x84, 0x12, 0x89, 0x7c, 0x01]);
    assert_eq!(kept_count(&value), None);
}

#[test]
fn what_cannot_be_sparse_becomes_dense() {
    let mut value = empty();
    let high = Sighting { register: 7, rank: 33 };
    assert_eq!(raise(&mut value, high, SPARSE_MAX), Ok(true));
    assert_eq!((form_of(&value), registers_of(&value)[7]), (Ok(Form::Dense), 33));

    let mut value = empty();
    assert_eq!(raise(&mut value, Sighting { register: 7, rank: 1 }, 20), Ok(true));
    assert_eq!(form_of(&value), Ok(Form::Sparse));
    assert_eq!(raise(&mut value, Sighting { register: 9, rank: 1 }, 20), Ok(true));
    assert_eq!(form_of(&value), Ok(Form::Dense));
    // Already as high: nothing to do, whatever the limit.
    let mut value = empty();
    assert_eq!(raise(&mut value, Sighting { register: 7, rank: 1 }, 20), Ok(true));
    assert_eq!(raise(&mut value, Sighting { register: 7, rank: 1 }, 0), Ok(false));
}

#[test]
fn damaged_values_are_told_from_sound_ones() {
    let sound = empty();
    assert_eq!(form_of(&sound[..15]), Err(NotHll));
    assert_eq!(form_of(b""), Err(NotHll));
    for (at, byte) in [(0, b'h'), (4, 2), (4, 0)] {
        let mut value = sound.clone();
        value[at] = byte;
        assert_eq!(form_of(&value), Err(NotHll));
    }
    let high = Sighting { register: REGISTERS - 1, rank: 40 };
    for body in [&b""[..], b"\x7f", b"\x7f\xfe", b"\x7f\xff\x00", b"\x7f\xff\x80", b"\x7f\xff\x7f"] {
        let mut value = sound.clone();
        value.truncate(HEADER);
        value.extend_from_slice(body);
        let before = value.clone();
        assert_eq!(count(&value), Err(Corrupt), "{body:x?}");
        assert_eq!(unite(&mut [0; REGISTERS], &value), Err(Corrupt));
        assert_eq!(raise(&mut value, high, SPARSE_MAX), Err(Corrupt));
        assert_eq!(value, before);
    }
}

#[test]
fn registers_that_no_hash_can_fill_do_not_disturb() {
    let mut value = header(Form::Dense, &[0; 8]);
    value.resize(DENSE_LEN, 0xff);
    assert_eq!(registers_of(&value), [63; REGISTERS]);
    assert_eq!(count(&value), Ok(i64::MAX as u64));
}

proptest! {
    #[test]
    fn both_forms_are_the_registers_they_were_raised_to(
        seen in prop::collection::vec((0..REGISTERS, 1..=51u8), 0..300),
        narrow in prop::collection::vec((500..560usize, 1..=3u8), 0..300),
        max in 0..800usize,
    ) {
        let mut model = [0; REGISTERS];
        let (mut sparse, mut dense) = (empty(), to_dense(&empty()).unwrap());
        for (register, rank) in seen.into_iter().map(|(at, rank)| (at, rank % 34 + 1)).chain(narrow) {
            let seen = Sighting { register, rank };
            let expected = model[register] < rank;
            model[register] = rank.max(model[register]);
            prop_assert_eq!(would_raise(&sparse, seen), Ok(expected));
            prop_assert_eq!(raise(&mut sparse, seen, max), Ok(expected));
            prop_assert_eq!(raise(&mut dense, seen, max), Ok(expected));
        }
        prop_assert!(registers_of(&sparse) == model && registers_of(&dense) == model);
        prop_assert_eq!(count(&sparse), Ok(count_registers(&model)));
        prop_assert_eq!(count(&dense), count(&sparse));
        if form_of(&sparse) == Ok(Form::Sparse) {
            prop_assert!(sparse.len() <= max.max(18));
            prop_assert_eq!(&to_dense(&sparse).unwrap()[HEADER..], &dense[HEADER..]);
        }
    }

    #[test]
    fn hostile_bytes_end_in_an_error_or_in_a_sound_value(
        body in prop::collection::vec(any::<u8>(), 0..200),
        register in 0..REGISTERS,
        rank in 1..=51u8,
    ) {
        let mut value = header(Form::Sparse, &[0; 8]);
        value.extend_from_slice(&body);
        let is_sound = count(&value).is_ok();
        if raise(&mut value, Sighting { register, rank }, SPARSE_MAX).is_ok() {
            prop_assert_eq!(count(&value).is_ok(), is_sound);
        }
    }
}
