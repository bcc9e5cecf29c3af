use super::*;
use crate::base::limits::READ_CHUNK;
use crate::base::rng::Rng;
use crate::resp::out::Out;
use crate::resp::reply::Proto;

const OPEN: RequestLimits = RequestLimits { authenticated: true, bulk_max: 512 * 1024 * 1024, from_master: false };
const CLOSED: RequestLimits = RequestLimits { authenticated: false, ..OPEN };
const MASTER: RequestLimits = RequestLimits { from_master: true, ..OPEN };

type Words = Vec<Vec<u8>>;

/// Parses what arrives in the given pieces, as the server would: parse, execute, parse again while there is more.
fn parse_pieces<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &RequestLimits,
) -> (Vec<Words>, Option<ProtocolError>) {
    let (mut parser, mut input, mut found) = (Parser::new(), InBuf::new(), Vec::new());
    for piece in pieces {
        input.extend(piece);
        loop {
            let mut batch = Batch::new();
            let result = parser.parse(&mut input, limits, 3, 7, &mut batch);
            for request in batch.requests() {
                let args = batch.args(request, input.storage());
                assert_eq!(request.owner, 7);
                found.push(args.iter().map(<[u8]>::to_vec).collect());
            }
            match result {
                Ok(Parsed::All) => break,
                Ok(Parsed::More) => {}
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

fn parse_whole(stream: &[u8], limits: &RequestLimits) -> (Vec<Words>, Option<ProtocolError>) {
    parse_pieces([stream], limits)
}

fn answer(error: &ProtocolError) -> Vec<u8> {
    let mut out = Out::new();
    error.answer(&mut Reply::new(&mut out, Proto::Resp2));
    out.to_vec()
}

fn words(texts: &[&str]) -> Words {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn encode(request: &Words, stream: &mut Vec<u8>) {
    stream.extend_from_slice(format!("*{}\r\n", request.len()).as_bytes());
    for word in request {
        stream.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        stream.extend_from_slice(word);
        stream.extend_from_slice(b"\r\n");
    }
}

#[test]
fn both_forms_of_requests() {
    let stream = b"*2\r\n$3\r\nGET\r\n$5\r\nuser1\r\nset k 'a b'\r\n*1\r\n$0\r\n\r\nping\n";
    let (found, error) = parse_whole(stream, &OPEN);
    assert_eq!(error, None);
    assert_eq!(found, [words(&["GET", "user1"]), words(&["set", "k", "a b"]), words(&[""]), words(&["ping"])]);
}

#[test]
fn a_stream_may_be_cut_at_any_byte() {
    let mut stream = b"ping\r\n\r\n*0\r\n*-1\r\n  get  \"a\\x41\\n\"  \r\n".to_vec();
    encode(&words(&["SET", "key", &"v".repeat(120)]), &mut stream);
    encode(&words(&["MSET", "a", "", "b", "12345678901234567890"]), &mut stream);
    stream.extend_from_slice(b"*-10\r\n");
    encode(&words(&["DEL", "a\r\nb"]), &mut stream);
    let whole = parse_whole(&stream, &OPEN);
    assert_eq!((whole.0.len(), whole.1), (5, None));
    for cut in 0..=stream.len() {
        let (head, tail) = stream.split_at(cut);
        assert_eq!(parse_pieces([head, tail], &OPEN), whole, "cut at {cut}");
    }
    for size in 1..20 {
        assert_eq!(parse_pieces(stream.chunks(size), &OPEN), whole, "pieces of {size}");
    }
}

#[test]
fn large_arguments_come_through_however_they_are_cut() {
    let big = |byte: u8, extra: usize| vec![byte; BIG_ARG + extra];
    let mut stream = Vec::new();
    encode(&words(&["PING"]), &mut stream);
    encode(&vec![b"SET".to_vec(), b"k".to_vec(), big(b'x', 0)], &mut stream);
    encode(&vec![b"MSET".to_vec(), big(b'k', 5), big(b'v', 70_000), b"small".to_vec(), big(b'w', 1)], &mut stream);
    encode(&words(&["PING"]), &mut stream);
    let whole = parse_whole(&stream, &OPEN);
    assert_eq!((whole.0.len(), whole.1), (4, None));
    assert_eq!(whole.0[2][2], big(b'v', 70_000));
    for size in [1, 7, 100, READ_CHUNK - 1, READ_CHUNK, BIG_ARG, BIG_ARG + 2, BIG_ARG + 33, 1 << 20] {
        assert!(parse_pieces(stream.chunks(size), &OPEN) == whole, "pieces of {size}");
        assert!(parse_pieces(stream.chunks(size), &MASTER) == whole, "pieces of {size} from a master");
    }
    let mut rng = Rng::seeded(11);
    for _ in 0..300 {
        let mut rest = &stream[..];
        let pieces = std::iter::from_fn(|| {
            let (head, tail) = rest.split_at(rest.len().min(1 + rng.below(50_000) as usize));
            rest = tail;
            (!head.is_empty()).then_some(head)
        });
        assert!(parse_pieces(pieces, &OPEN) == whole);
    }
}

#[test]
fn a_large_argument_is_shared_and_its_request_alone() {
    let mut stream = Vec::new();
    encode(&words(&["PING"]), &mut stream);
    encode(&vec![b"SET".to_vec(), b"k".to_vec(), vec![b'x'; BIG_ARG]], &mut stream);
    encode(&words(&["PING"]), &mut stream);
    let (mut parser, mut input) = (Parser::new(), InBuf::new());
    input.extend(&stream);
    let sizes: Vec<(usize, Parsed)> = (0..3)
        .map(|_| {
            let mut batch = Batch::new();
            let parsed = parser.parse(&mut input, &OPEN, 64, 0, &mut batch).unwrap();
            let request = batch.requests()[0];
            let args = batch.args(&request, input.storage());
            assert_eq!(args.len() == 3, args.len() == 3 && args.shared(2).is_some());
            (batch.len(), parsed)
        })
        .collect();
    assert_eq!(sizes, [(1, Parsed::More), (1, Parsed::More), (1, Parsed::All)]);
}

#[test]
fn a_masters_stream_stays_whole_and_its_requests_cover_it() {
    let mut stream = b"\n".to_vec();
    encode(&vec![b"SET".to_vec(), b"k".to_vec(), vec![b'x'; 3 * BIG_ARG]], &mut stream);
    stream.extend_from_slice(b"*0\r\n");
    encode(&words(&["PING"]), &mut stream);
    let (mut parser, mut input, mut batch) = (Parser::new(), InBuf::new(), Batch::new());
    input.extend(&stream);
    parser.parse(&mut input, &MASTER, 64, 0, &mut batch).unwrap();
    let covered: Vec<u8> = batch
        .requests()
        .iter()
        .flat_map(|request| input.storage()[request.begin as usize..request.end as usize].to_vec())
        .collect();
    assert_eq!((covered == stream, batch.len(), parser.take_empty_line()), (true, 2, true));
    assert!(!parser.take_empty_line());
}

#[test]
fn requests_can_be_taken_back() {
    let (mut parser, mut input, mut batch) = (Parser::new(), InBuf::new(), Batch::new());
    let mut stream = Vec::new();
    for name in ["ONE", "TWO", "THREE"] {
        encode(&words(&[name]), &mut stream);
    }
    input.extend(&stream);
    input.extend(b"*2\r\n$3\r\nget\r\n$1");
    parser.parse(&mut input, &OPEN, 64, 0, &mut batch).unwrap();
    assert_eq!((batch.len(), parser.is_inside_request()), (3, true));
    parser.rewind(&mut input, batch.requests()[0].end);
    batch.clear();
    input.extend(b"\r\nk\r\n");
    parser.parse(&mut input, &OPEN, 64, 0, &mut batch).unwrap();
    let names: Vec<&[u8]> = batch.requests().iter().map(|r| batch.args(r, input.storage()).get(0)).collect();
    assert_eq!(names, [&b"TWO"[..], b"THREE", b"get"]);
}

/// A client that blocks takes back what it sent behind the blocking command.
#[test]
fn a_line_with_quotes_reads_the_same_again() {
    let (mut parser, mut input, mut batch) = (Parser::new(), InBuf::new(), Batch::new());
    input.extend(b"blpop list 0\r\nset \"k\\x31\" pre'fix \\' and' \"\"\r\n");
    for _ in 0..2 {
        batch.clear();
        parser.parse(&mut input, &OPEN, 64, 0, &mut batch).unwrap();
        let last = batch.requests().last().unwrap();
        let args: Vec<&[u8]> = batch.args(last, input.storage()).iter().collect();
        assert_eq!(args, [&b"set"[..], b"k1", b"prefix ' and", b""]);
        let end = last.begin;
        parser.rewind(&mut input, end);
    }
    batch.clear();
    parser.parse(&mut input, &OPEN, 64, 0, &mut batch).unwrap();
    parser.put_back(&mut input, &batch, &batch.requests()[0]);
    batch.clear();
    parser.parse(&mut input, &OPEN, 64, 0, &mut batch).unwrap();
    let args = batch.args(&batch.requests()[0], input.storage());
    assert!(args.iter().eq([&b"set"[..], b"k1", b"prefix ' and", b""]) && args.shared(1).is_none());
}

#[test]
fn a_request_that_is_held_back_is_found_again_with_its_large_arguments() {
    let request = vec![b"MSET".to_vec(), vec![b'k'; BIG_ARG], vec![b'v'; 50_000], b"k2".to_vec(), b"v2".to_vec()];
    let mut stream = b"*0\r\n\r\n".to_vec();
    encode(&request, &mut stream);
    encode(&words(&["PING"]), &mut stream);
    for cut in [20, 10_000, BIG_ARG + 60, stream.len()] {
        let (mut parser, mut input, mut batch) = (Parser::new(), InBuf::new(), Batch::new());
        let mut held = 0;
        let (head, tail) = stream.split_at(cut);
        let mut found = Vec::new();
        for piece in [head, tail, b"*1\r\n$4\r\nPONG\r\n"] {
            input.extend(piece);
            loop {
                batch.clear();
                let parsed = parser.parse(&mut input, &OPEN, 64, 0, &mut batch).unwrap();
                if let Some(first) = batch.requests().first().copied()
                    && held < 2
                {
                    held += 1;
                    parser.put_back(&mut input, &batch, &first);
                    break;
                }
                for request in batch.requests() {
                    let args = batch.args(request, input.storage());
                    found.push(args.iter().map(<[u8]>::to_vec).collect::<Words>());
                }
                if parsed == Parsed::All {
                    break;
                }
            }
        }
        while found.len() < 3 {
            batch.clear();
            parser.parse(&mut input, &OPEN, 64, 0, &mut batch).unwrap();
            let requests = batch.requests().iter();
            found
                .extend(requests.map(|r| batch.args(r, input.storage()).iter().map(<[u8]>::to_vec).collect::<Words>()));
        }
        assert!(found == [request.clone(), words(&["PING"]), words(&["PONG"])], "cut at {cut}");
    }
}

#[test]
fn broken_requests_get_redis_own_words() {
    let cases: &[(&[u8], &str, &str)] = &[
        (b"*3000000000\r\n", "invalid multibulk length", "invalid mbulk count"),
        (b"*12a\r\n", "invalid multibulk length", "invalid mbulk count"),
        (b"*\r\n", "invalid multibulk length", "invalid mbulk count"),
        (b"*01\r\n", "invalid multibulk length", "invalid mbulk count"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", "expected '$', got 'f'", "expected $ but got something else"),
        (b"*1\r\nfoo\r\n", "expected '$', got 'f'", "expected $ but got something else"),
        (b"*1\r\n\r\n", "expected '$', got '\r'", "expected $ but got something else"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-10\r\n", "invalid bulk length", "invalid bulk length"),
        (b"*1\r\n$2000000000\r\n", "invalid bulk length", "invalid bulk length"),
        (b"*1\r\n$99999999999999999999\r\n", "invalid bulk length", "invalid bulk length"),
        (b"*1\r\n$blabla\r\n", "invalid bulk length", "invalid bulk length"),
        (b"*1\r\n$\r\n", "invalid bulk length", "invalid bulk length"),
        (
            b"set \"\"\"test-key\"\"\" test-value\r\n",
            "unbalanced quotes in request",
            "unbalanced quotes in inline request",
        ),
        (b"set 'a\r\n", "unbalanced quotes in request", "unbalanced quotes in inline request"),
    ];
    for (stream, text, reason) in cases {
        for size in [1, 1000] {
            let (found, error) = parse_pieces(stream.chunks(size), &OPEN);
            let error = error.unwrap_or_else(|| panic!("{} was accepted: {found:?}", stream.escape_ascii()));
            assert_eq!((error.to_string(), error.reason()), (format!("Protocol error: {text}"), *reason));
            assert_eq!(answer(&error), format!("-ERR {}\r\n", error.to_string().replace('\r', " ")).into_bytes());
        }
    }
    assert_eq!(answer(&ProtocolError::ExpectedBulk(0xff)), b"-ERR Protocol error: expected '$', got '\xff'\r\n");
}

#[test]
fn lines_without_end_are_refused_after_64_kib() {
    for (head, text) in [
        (&b""[..], "too big inline request"),
        (b"\0", "too big inline request"),
        (b"\0\n", "too big inline request"),
        (b"*", "too big mbulk count string"),
        (b"*\0\r\n", "too big mbulk count string"),
        (b"*1\r\n$", "too big bulk count string"),
        (b"*1\r\n$\0\r\n", "too big bulk count string"),
    ] {
        let filler = vec![b'A'; INLINE_MAX - 5];
        assert_eq!(parse_pieces([head, &filler], &OPEN), (vec![], None));
        let (_, error) = parse_pieces([head, &filler, b"AAAAAA"], &OPEN);
        assert_eq!(error.map(|error| error.to_string()), Some(format!("Protocol error: {text}")));
    }
}

#[test]
fn before_authentication_requests_are_short_and_read_one_by_one() {
    let mut stream = Vec::new();
    encode(&words(&["AUTH", "secret"]), &mut stream);
    encode(&words(&["a"; 11]), &mut stream);
    let (mut parser, mut input, mut batch) = (Parser::new(), InBuf::new(), Batch::new());
    input.extend(&stream);
    assert_eq!(parser.parse(&mut input, &CLOSED, 64, 0, &mut batch), Ok(Parsed::More));
    assert_eq!(batch.len(), 1);
    let error = parser.parse(&mut input, &CLOSED, 64, 0, &mut batch).unwrap_err();
    assert_eq!(error.to_string(), "Protocol error: unauthenticated multibulk length");
    assert_eq!(parser.parse(&mut input, &OPEN, 64, 0, &mut batch), Ok(Parsed::All));

    let (_, error) = parse_whole(b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", &CLOSED);
    assert_eq!(error.map(|e| e.to_string()).as_deref(), Some("Protocol error: unauthenticated bulk length"));
    let (_, error) = parse_whole(b"*2\r\n$4\r\nAUTH\r\n$16384\r\n", &CLOSED);
    assert_eq!(error, None);
}

#[test]
fn a_master_may_send_empty_lines_but_no_words() {
    assert_eq!(parse_whole(b"\n\r\n", &MASTER), (vec![], None));
    assert_eq!(parse_whole(b"ping\r\n", &MASTER).1, Some(ProtocolError::InlineFromMaster));
}

#[test]
fn words_are_split_by_redis_rules() {
    let cases: &[(&str, &[&str])] = &[
        ("a  b\tc", &["a", "b", "c"]),
        ("\u{b}a \u{c}b", &["a", "b"]),
        ("a\u{b}b", &["a\u{b}b"]),
        (r#""a\"b" x"#, &["a\"b", "x"]),
        (r#""\x41\n\q\x4""#, &["A\nqx4"]),
        (r"'a\'b' 'c\n'", &["a'b", "c\\n"]),
        (r#"a"b c" d"#, &["ab c", "d"]),
        (r#"'' """#, &["", ""]),
        (r#""it's" 'a"b'"#, &["it's", "a\"b"]),
    ];
    for (line, expected) in cases {
        let (found, error) = parse_whole(format!("{line}\r\n").as_bytes(), &OPEN);
        assert_eq!((found, error), (vec![words(expected)], None), "{line}");
    }
    for line in [r#""a"#, r#""a\"#, "'a", r#""a"b"#, "'a'b", r#"x "a"'b'"#] {
        let (_, error) = parse_whole(format!("{line}\r\n").as_bytes(), &OPEN);
        assert_eq!(error, Some(ProtocolError::UnbalancedQuotes), "{line}");
    }
}

#[test]
fn a_request_of_many_arguments_in_small_pieces() {
    let request = words(&["k"; 100_000]);
    let mut stream = Vec::new();
    encode(&request, &mut stream);
    let (found, error) = parse_pieces(stream.chunks(1000), &OPEN);
    assert!(found == [request] && error.is_none());
}

#[test]
fn a_huge_count_allocates_nothing() {
    let (mut parser, mut input, mut batch) = (Parser::new(), InBuf::new(), Batch::new());
    input.extend(b"*2147483647\r\n$3\r\nGET\r\n");
    assert_eq!(parser.parse(&mut input, &OPEN, 64, 0, &mut batch), Ok(Parsed::All));
    assert!(parser.memory() < 1000 && batch.is_empty());
}

#[test]
fn garbage_never_panics_and_pieces_do_not_matter() {
    let alphabet = b"*$\r\n0123456789-+ab \"'\\x\0\xff";
    for seed in 0..3000 {
        let mut rng = Rng::seeded(seed);
        let mut stream: Vec<u8> = Vec::new();
        for _ in 0..rng.below(60) {
            match rng.below(6) {
                0 => encode(&words(&["GET", "k"]), &mut stream),
                1 => stream.extend_from_slice(format!("*{}\r\n", rng.below(5) as i64 - 1).as_bytes()),
                2 => stream.extend_from_slice(format!("${}\r\n", rng.below(12) as i64 - 1).as_bytes()),
                _ => stream.push(alphabet[rng.below(alphabet.len() as u64) as usize]),
            }
        }
        let whole = parse_whole(&stream, &OPEN);
        let size = 1 + rng.below(8) as usize;
        assert_eq!(parse_pieces(stream.chunks(size), &OPEN), whole, "seed {seed}");
        parse_whole(&stream, &CLOSED);
        parse_whole(&stream, &MASTER);
    }
}
