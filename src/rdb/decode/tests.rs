use super::*;
use crate::base::rng::Rng;
use crate::data::string::StrView;
use crate::rdb::encode::Chunk;
use crate::rdb::pack::Packer;

/// A file with every form a string can have.
fn sample(large: usize) -> Vec<u8> {
    let mut chunk = Chunk::new(0, true);
    chunk.magic();
    chunk.aux("redis-ver", b"7.2.6");
    chunk.aux("ctime", b"1700000000");
    chunk.select_db(0);
    chunk.resize_db(7, 1);
    let plain = KeyFacts::default();
    chunk.key(b"int8", StrView::Int(1), plain);
    chunk.key(b"int32", StrView::Int(70_000), KeyFacts { expiry: Some(UnixMillis(1_800_000_000_123)), ..plain });
    chunk.key(b"12345", StrView::Bytes(b"hello"), KeyFacts { idle: Some(99), ..plain });
    chunk.key(b"int64", StrView::Int(123_456_789_012), KeyFacts { freq: Some(200), ..plain });
    chunk.key(&[b'k'; 50], StrView::Bytes(&[b'v'; 100]), plain);
    chunk.key(b"", StrView::Bytes(b""), plain);
    chunk.select_db(3);
    let noise: Vec<u8> = (0..large).map(|i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[6]).collect();
    chunk.key(b"large", StrView::Bytes(&noise), plain);
    chunk.key(b"last", StrView::Bytes(&b"abc".repeat(3000)), plain);
    chunk.eof();
    let mut bytes = Vec::new();
    Packer::new(true).pack(chunk, |piece| bytes.extend_from_slice(&piece));
    bytes.extend_from_slice(&7u64.to_le_bytes());
    bytes
}

fn text_of(value: &NewStr<'_>) -> Vec<u8> {
    match value {
        NewStr::Int(number) => number.to_string().into_bytes(),
        NewStr::Text(bytes) | NewStr::Raw(bytes) => bytes.to_vec(),
        NewStr::Shared(bytes) => bytes.to_vec(),
    }
}

/// Everything in `bytes`, one line per event, given to the decoder in pieces of `piece` bytes.
fn read(bytes: &[u8], piece: usize) -> Result<Vec<String>, DecodeError> {
    let mut decoder = Decoder::default();
    let mut lines = Vec::new();
    let (mut start, mut end) = (0, 0);
    while end < bytes.len() {
        end = (end + piece).min(bytes.len());
        let mut input = &bytes[start..end];
        while let Some(event) = decoder.next(&mut input)? {
            lines.push(match event {
                Event::Key { key, value, facts } => {
                    let value = match value {
                        NewValue::Str(value) => text_of(&value),
                        // A flipped bit can make a collection of a string.
                        NewValue::Other(value) => {
                            let mut parts = Vec::new();
                            value.as_ref().visit(&mut |element| parts.push(element.concat()));
                            parts.concat()
                        }
                    };
                    let shown = value[..value.len().min(20)].escape_ascii();
                    let sum = crate::base::hash::crc64(&value);
                    format!("{}={shown} {} {sum:x} {facts:?}", key.escape_ascii(), value.len())
                }
                other => format!("{other:?}"),
            });
        }
        start = end - input.len();
        assert_eq!(decoder.offset(), start as u64);
    }
    if decoder.is_done() { Ok(lines) } else { Err(decoder.truncated()) }
}

#[test]
fn every_form_of_a_string_reads_back() {
    let bytes = sample(10);
    let lines = read(&bytes, usize::MAX / 2).unwrap();
    assert_eq!(lines.len(), 14);
    assert!(lines[4].starts_with("int8=1 1 "), "{}", lines[4]);
    assert!(lines[5].contains("int32=70000 5") && lines[5].contains("UnixMillis(1800000000123)"));
    assert!(lines[6].starts_with("12345=hello 5") && lines[6].contains("idle: Some(99)"));
    assert!(lines[7].contains("int64=123456789012") && lines[7].contains("freq: Some(200)"));
    assert_eq!(lines[10], "SelectDb(3)");
    assert_eq!(lines[13], format!("End {{ checksum: Some(7), covered: {} }}", bytes.len() - 8));
}

#[test]
fn the_pieces_do_not_matter() {
    let bytes = sample(300_000);
    let whole = read(&bytes, bytes.len()).unwrap();
    for piece in [70_000, 4096, 1000, 64, 7, 3] {
        assert_eq!(read(&bytes, piece).unwrap(), whole, "pieces of {piece}");
    }
    let small = sample(50);
    assert_eq!(read(&small, 1).unwrap(), read(&small, small.len()).unwrap());
}

#[test]
fn every_truncation_is_an_error_with_its_offset() {
    let bytes = sample(200);
    for cut in 0..bytes.len() {
        let error = read(&bytes[..cut], 1000).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::Truncated, "cut at {cut}");
        assert!(error.offset <= cut as u64);
    }
}

#[test]
fn flipped_bits_never_panic_and_never_allocate_what_is_not_there() {
    let bytes = sample(200);
    let mut refused = 0;
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        refused += usize::from(read(&damaged, 50).is_err());
    }
    assert!(refused > 500, "only {refused} damages were noticed without the checksum");
}

#[test]
fn random_bytes_behind_a_good_start_never_panic() {
    let mut rng = Rng::seeded(99);
    for _ in 0..20_000 {
        let mut bytes = b"REDIS0011".to_vec();
        for _ in 0..rng.below(60) {
            let likely = [0, 0, 1, 2, 0xc0, 0xc3, 0x80, 0x81, 250, 252, 253, 254, 251, 255, 0x40];
            let byte = if rng.percent(60) { likely[rng.below(15) as usize] } else { rng.next_u64() as u8 };
            bytes.push(byte);
        }
        let _ = read(&bytes, 1 + rng.below(20) as usize);
    }
}

fn error_of(body: &[u8]) -> String {
    read(&[b"REDIS0011", body].concat(), 5).unwrap_err().to_string()
}

#[test]
fn what_is_not_supported_is_named_with_its_key() {
    assert_eq!(
        error_of(b"\xfe\x00\x07\x04tree\x01\x02"),
        "key 'tree' at offset 11 holds a module value (type 7), which is not supported yet"
    );
    assert_eq!(
        error_of(b"\x06\x03a\x00b\x01"),
        "key 'a\\x00b' at offset 9 holds a module value (type 6), which is not supported yet"
    );
    assert_eq!(error_of(b"\xf7\x01\x02\x01"), "there is data of a module at offset 9, which is not supported yet");
    assert_eq!(error_of(b"\x1a\x01k\x01v"), "unknown type or opcode 26 at offset 9");
}

#[test]
fn bad_lengths_and_forms_say_where() {
    assert_eq!(error_of(b"\x00\x82"), "no length starts with byte 0x82, found at offset 9");
    assert_eq!(error_of(b"\xfe\xc0"), "no length starts with byte 0xc0, found at offset 9");
    assert_eq!(error_of(b"\x00\xc4"), "unknown string encoding 4 at offset 9");
    assert_eq!(
        error_of(b"\x00\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
        "a string of 18446744073709551615 bytes at offset 9 is longer than any can be"
    );
    assert_eq!(error_of(b"\x00\x01k\xc3\x02\x80\x7f\xff\xff\xff\x00a"), "corrupt compressed string at offset 9");
}

#[test]
fn a_promised_gigabyte_that_does_not_come_is_not_allocated() {
    let mut decoder = Decoder::default();
    let bytes = b"REDIS0011\x00\x01k\x80\x40\x00\x00\x00abc";
    let mut input = &bytes[..];
    assert!(decoder.next(&mut input).unwrap().is_none());
    let State::LargeValue(growing) = &decoder.state else { panic!("the value is large") };
    assert!(growing.bytes.capacity() <= LARGE as usize);
    assert!(input.is_empty());
    assert_eq!(
        decoder.truncated().to_string(),
        format!("unexpected end: what begins at offset {} is not complete", bytes.len())
    );
}

#[test]
fn signatures_and_versions_are_checked() {
    let error = |bytes: &[u8]| read(bytes, 100).unwrap_err().to_string();
    assert_eq!(error(b"RUBY"), "Wrong signature trying to load DB from file");
    assert_eq!(error(b"REDIS00x1"), "Wrong signature trying to load DB from file");
    assert_eq!(error(b"REDIS0013"), "Can't handle RDB format version 13");
    assert_eq!(error(b"REDIS0000"), "Can't handle RDB format version 0");
    assert_eq!(error(b"VALKEY012"), "Can't handle RDB format version 12");
    assert_eq!(error(b"REDI"), "unexpected end: what begins at offset 0 is not complete");
    assert_eq!(read(b"VALKEY080\xff\0\0\0\0\0\0\0\0", 3).unwrap().len(), 1);
}

#[test]
fn old_versions_have_no_checksum_and_seconds_of_expiry() {
    let lines = read(b"REDIS0003\xfe\x00\xfd\x01\x00\x00\x00\x00\x01k\x01v\xff", 4).unwrap();
    assert!(lines[1].contains("UnixMillis(1000)"), "{}", lines[1]);
    assert_eq!(lines[2], "End { checksum: None, covered: 22 }");
}

#[test]
fn slot_information_is_skipped() {
    assert_eq!(read(b"REDIS0012\xf4\x05\x01\x00\xff\0\0\0\0\0\0\0\0", 2).unwrap().len(), 1);
}

/// SAVE of Redis 7.0.15 after: SET a 1, SET b hello EX 10000, SET c (100 times "a"), SET big 12345678901.
const OF_REDIS_7_0_15: &str = "\
         524544495330303130fa0972656469732d76657206372e302e3135fa0a72656469732d62697473c040fa056374696d65\
         c2a692006bfa08757365642d6d656dc2b0b60e00fa08616f662d62617365c000fe00fb040100036269670b3132333435\
         363738393031000163c3094064016161e05700016161fce26ed5faa10100000001620568656c6c6f000161c001ff2ad8\
         a3c86e25d2b4";

#[test]
fn a_file_of_redis_7_0_15_is_read_and_its_checksum_is_right() {
    let hex = OF_REDIS_7_0_15.as_bytes();
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    let bytes: Vec<u8> = hex.chunks_exact(2).map(|two| digit(two[0]) << 4 | digit(two[1])).collect();
    let lines = read(&bytes, 11).unwrap();
    let keys: Vec<&str> = lines[7..11].iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(keys, ["big=12345678901", "c=aaaaaaaaaaaaaaaaaaaa", "b=hello", "a=1"]);
    let sum = crate::base::hash::crc64(&bytes[..bytes.len() - 8]);
    assert_eq!(lines[11], format!("End {{ checksum: Some({sum}), covered: {} }}", bytes.len() - 8));
}
