//! Requests, read from what a client sent.
//!
//! Two forms exist. A program sends an array of bulk strings; a person at a terminal types words on a line:
//!
//! ```text
//!  *2\r\n$3\r\nGET\r\n$5\r\nuser1\r\n         get "user\x31"\r\n
//! ```
//!
//! Parsing is a pass of its own: all complete requests of all clients that sent something in this turn of the loop go to
//! one [`Batch`], and only then the first is executed. Between the two the keys of the whole batch can be prefetched.
//! Nothing is copied and, in the steady state, nothing allocated: an argument is a position in the client's [`InBuf`]. Only words in
//! quotes are written anew.
//!
//! A request may stop at any byte. What is incomplete stays in the buffer; how far it was understood stays in the
//! [`Parser`], as positions relative to the request's first byte, so that a request of a million arguments arriving in
//! small pieces is still read only once.
//!
//! Large arguments come in apart (see `inbuf.rs`) and cannot be put back into the stream. Therefore a request with a large
//! argument is always alone in what one call of [`Parser::parse`] finds: all others can be rewound, which a client needs
//! that blocks in the middle of a pipeline, and the one that is held back as a whole is kept whole.
//!
//! Deliberately as lenient as Redis: the line end behind a bulk string is skipped, not checked; `*0`, `*-5` and empty lines
//! are skipped; and a zero byte hides what follows it from the search for a line end, so that binary garbage is refused
//! once it exceeds 64 KiB.

use std::{fmt, mem};

use bytes::Bytes;
use memchr::memchr2;

use crate::base::limits::{
    BIG_ARG, BULK_MAX_UNAUTHENTICATED, INLINE_MAX, MULTIBULK_MAX, MULTIBULK_MAX_UNAUTHENTICATED,
};
use crate::base::number::parse_i64;
use crate::resp::args::{ArgRef, Args};
use crate::resp::inbuf::InBuf;
use crate::resp::reply::Reply;

/// Positions are 32 bits wide; the buffer may not grow beyond them.
const BUFFER_MAX: usize = (u32::MAX - 1) as usize;

/// What the sender may send.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Before authentication only short requests are read, one at a time: the first may be the AUTH that lifts the limit.
    pub authenticated: bool,
    /// The largest argument: `proto-max-bulk-len`.
    pub bulk_max: u64,
    /// The stream of our master: arguments of any size, all left in the buffer (the stream is passed on as it came), and no
    /// inline requests.
    pub from_master: bool,
}

/// Whether another call could find more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// All complete requests were found.
    All,
    /// There may be more: the batch is full, or a request must be executed before the next can be read.
    More,
}

/// A request that breaks the protocol. `Display` is its text without `ERR `; see [`ProtocolError::answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A line without end.
    InlineTooLong,
    /// Quotes that do not close, or close in the middle of a word.
    UnbalancedQuotes,
    /// Words on a line, from our master.
    InlineFromMaster,
    /// `*` and a line without end.
    CountTooLong,
    /// Not a number of arguments.
    InvalidCount,
    /// More arguments than a client may send before it is authenticated.
    UnauthenticatedCount,
    /// `$` and a line without end.
    LengthTooLong,
    /// Something else than `$` where an argument should begin.
    ExpectedBulk(u8),
    /// Not the length of an argument.
    InvalidLength,
    /// A longer argument than a client may send before it is authenticated.
    UnauthenticatedLength,
    /// A request that does not fit positions of 32 bits.
    TooLong,
}

impl ProtocolError {
    /// The words of Redis's log line `Protocol error (…) from client`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InlineTooLong => "too big inline request",
            Self::UnbalancedQuotes => "unbalanced quotes in inline request",
            Self::InlineFromMaster => "Master using the inline protocol. Desync?",
            Self::CountTooLong => "too big mbulk count string",
            Self::InvalidCount => "invalid mbulk count",
            Self::UnauthenticatedCount => "unauth mbulk count",
            Self::LengthTooLong => "too big bulk count string",
            Self::ExpectedBulk(_) => "expected $ but got something else",
            Self::InvalidLength => "invalid bulk length",
            Self::UnauthenticatedLength => "unauth bulk length",
            Self::TooLong => "too big request",
        }
    }

    /// Tells the client, as its last reply. A byte of the request that is quoted is quoted as it is, UTF-8 or not.
    pub fn answer(&self, reply: &mut Reply<'_>) {
        match *self {
            Self::ExpectedBulk(byte) => {
                reply.error_bytes(&[b"ERR Protocol error: expected '$', got '", &[byte][..], b"'"].concat());
            }
            _ => reply.error(&format!("ERR {self}")),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::InlineTooLong => "too big inline request",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
            Self::InlineFromMaster => "inline request from master",
            Self::CountTooLong => "too big mbulk count string",
            Self::InvalidCount => "invalid multibulk length",
            Self::UnauthenticatedCount => "unauthenticated multibulk length",
            Self::LengthTooLong => "too big bulk count string",
            Self::ExpectedBulk(byte) => return write!(f, "Protocol error: expected '$', got '{}'", char::from(*byte)),
            Self::InvalidLength => "invalid bulk length",
            Self::UnauthenticatedLength => "unauthenticated bulk length",
            Self::TooLong => "too big request",
        };
        write!(f, "Protocol error: {text}")
    }
}

/// Requests found in one turn, of several clients.
#[derive(Debug, Default)]
pub struct Batch {
    requests: Vec<Request>,
    items: Vec<ArgRef>,
    big: Vec<Bytes>,
}

/// One request of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Whose it is: what the caller passed to [`Parser::parse`].
    pub owner: u32,
    /// Position of its first byte in the owner's buffer, or of skipped bytes before it: where the previous one ended.
    pub begin: u32,
    /// Position behind its last byte; [`InBuf::rewind`] to it leaves this request executed and the later ones unread.
    pub end: u32,
    first: u32,
    count: u32,
}

impl Batch {
    /// No requests.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// How many requests.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// The requests in the order they were found.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The arguments of `request`; `storage` is [`InBuf::storage`] of its owner.
    #[inline]
    pub fn args<'a>(&'a self, request: &Request, storage: &'a [u8]) -> Args<'a> {
        let items = &self.items[request.first as usize..][..request.count as usize];
        Args::new(storage, items, &self.big)
    }

    /// Moves the requests of another batch, all of one client, to the end of this one, as `owner`'s.
    pub(super) fn append(&mut self, other: &mut Batch, owner: u32) {
        let (first, big) = (self.items.len() as u32, self.big.len() as u32);
        let moved = |request: Request| Request { owner, first: first + request.first, ..request };
        self.requests.extend(other.requests.drain(..).map(moved));
        if other.big.is_empty() {
            self.items.append(&mut other.items);
        } else {
            self.items.extend(other.items.drain(..).map(|item| item.moved(0, big)));
            self.big.append(&mut other.big);
        }
    }

    /// Takes over a request whose arguments are counted from `start`.
    fn adopt(&mut self, partial: Partial, owner: u32, begin: usize, start: usize, end: usize) {
        let (first, big) = (self.items.len() as u32, self.big.len() as u32);
        self.items.extend(partial.items.iter().map(|item| item.moved(start as u32, big)));
        self.big.extend(partial.big);
        let count = partial.items.len() as u32;
        self.requests.push(Request { owner, begin: begin as u32, end: end as u32, first, count });
    }

    /// Forgets all requests, keeps the memory unless a monstrous request made it grow.
    pub fn clear(&mut self) {
        const ITEMS_KEPT: usize = 4 * 1024;
        self.requests.clear();
        self.items.clear();
        self.items.shrink_to(ITEMS_KEPT);
        self.big.clear();
    }
}

/// How far the request at the front of one client's buffer was understood.
#[derive(Debug, Default)]
pub struct Parser {
    partial: Option<Box<Partial>>,
    saw_empty_line: bool,
}

/// A request of which not everything has arrived. Positions are relative to its first byte.
#[derive(Debug)]
struct Partial {
    /// Arguments that are not complete.
    missing: u32,
    /// Where to go on.
    cursor: usize,
    /// The length of the argument at `cursor`, once its header was read.
    length: Option<usize>,
    /// Whether that argument is being received in a buffer of its own.
    is_apart: bool,
    items: Vec<ArgRef>,
    big: Vec<Bytes>,
}

impl Parser {
    /// At the beginning of a stream.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Whether the beginning of a request was seen, but not its end.
    pub fn is_inside_request(&self) -> bool {
        self.partial.is_some()
    }

    /// Whether an empty line was skipped since this was last asked. A peer sends one to show that it lives.
    pub fn take_empty_line(&mut self) -> bool {
        mem::take(&mut self.saw_empty_line)
    }

    /// Takes requests back: `input` was parsed, but of what was found nothing behind position `end` (the `end` of a
    /// request) is going to be executed.
    pub fn rewind(&mut self, input: &mut InBuf, end: u32) {
        let end = end as usize;
        if end < input.position() {
            let partial = self.partial.take();
            assert!(
                partial.is_none_or(|partial| partial.big.is_empty() && !partial.is_apart),
                "a large argument is lost"
            );
            input.rewind(end);
        }
    }

    /// Takes back a request of `batch` that was not executed, and all behind it: the next call finds it again. Its large
    /// arguments are kept here until then, as they are no longer in the stream.
    pub fn put_back(&mut self, input: &mut InBuf, batch: &Batch, request: &Request) {
        self.rewind(input, request.begin);
        let items = &batch.items[request.first as usize..][..request.count as usize];
        if !items.iter().any(ArgRef::is_big) {
            return;
        }
        let mut partial = Partial::new(0, (request.end - request.begin) as usize);
        for (item, word) in items.iter().zip(0..) {
            match batch.args(request, input.storage()).apart(word) {
                Some(bytes) => partial.push_big(bytes.clone()),
                None => partial.items.push(item.seen_from(request.begin)),
            }
        }
        self.partial = Some(Box::new(partial));
    }

    /// Bytes of memory held for an incomplete request.
    pub fn memory(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            let big: usize = partial.big.iter().map(Bytes::len).sum();
            size_of::<Partial>() + partial.items.capacity() * size_of::<ArgRef>() + big
        })
    }

    /// Appends requests from `input` to `batch`, marked as `owner`'s, and consumes them; at most `max`. They refer to the
    /// storage of `input`, which must stay as it is until they are executed. After an error the stream is of no more use;
    /// the requests before it are in the batch.
    pub fn parse(
        &mut self,
        input: &mut InBuf,
        limits: &RequestLimits,
        max: usize,
        owner: u32,
        batch: &mut Batch,
    ) -> Result<Parsed, ProtocolError> {
        if input.storage().len() > BUFFER_MAX {
            return Err(ProtocolError::TooLong);
        }
        let before = batch.len();
        let full = before + if limits.is_trusted() { max } else { max.min(1) };
        let mut begin = input.position();
        while batch.len() < full {
            let start = input.position();
            if let Some(partial) = &mut self.partial {
                let Some(end) = partial.resume(input, start, limits)? else { return Ok(Parsed::All) };
                let partial = *self.partial.take().expect("just resumed");
                let is_alone = !partial.big.is_empty();
                batch.adopt(partial, owner, begin, start, end);
                input.consume(end - start);
                begin = end;
                if is_alone {
                    break;
                }
                continue;
            }
            let first = batch.items.len();
            let end = match input.bytes().first() {
                None => return Ok(Parsed::All),
                Some(b'*') => {
                    let Some((missing, at)) = read_count(input.storage(), start, limits)? else {
                        return Ok(Parsed::All);
                    };
                    let (stop, missing) = read_arguments(input.storage(), at, missing, limits, &mut batch.items, 0)?;
                    match stop {
                        Stop::End(end) => end,
                        Stop::Argument { length, .. } if limits.is_apart(length) && batch.len() > before => {
                            batch.items.truncate(first);
                            return Ok(Parsed::More);
                        }
                        stop => {
                            let mut partial = Partial::new(missing, 0);
                            partial.items.extend(batch.items.drain(first..).map(|item| item.seen_from(start as u32)));
                            partial.stopped(stop, start);
                            self.partial = Some(Box::new(partial));
                            continue;
                        }
                    }
                }
                Some(_) => match self.read_words(input, start, limits, batch)? {
                    None => return Ok(Parsed::All),
                    Some(end) => end,
                },
            };
            input.consume(end - start);
            let count = batch.items.len() - first;
            if count > 0 {
                let request =
                    Request { owner, begin: begin as u32, end: end as u32, first: first as u32, count: count as u32 };
                batch.requests.push(request);
                begin = end;
            }
        }
        Ok(if input.is_empty() { Parsed::All } else { Parsed::More })
    }

    /// An inline request: words on a line, split by Redis's rules for quotes. Returns the position behind the line. The line stays as
    /// it is, for it may be parsed again: what a word in quotes stands for is kept apart.
    fn read_words(
        &mut self,
        input: &InBuf,
        start: usize,
        limits: &RequestLimits,
        batch: &mut Batch,
    ) -> Result<Option<usize>, ProtocolError> {
        let bytes = input.bytes();
        let Some(line_end) = memchr2(b'\n', 0, bytes).filter(|&at| bytes[at] == b'\n') else {
            return if bytes.len() > INLINE_MAX { Err(ProtocolError::InlineTooLong) } else { Ok(None) };
        };
        let line_len = line_end - usize::from(bytes[..line_end].ends_with(b"\r"));
        if line_len == 0 {
            self.saw_empty_line = true;
        } else if limits.from_master {
            return Err(ProtocolError::InlineFromMaster);
        }
        let (items, big) = (&mut batch.items, &mut batch.big);
        split_words(&bytes[..line_len], |word| match word {
            Word::Plain { at, len } => items.push(ArgRef::inline((start + at) as u32, len as u32)),
            Word::Quoted(word) => {
                items.push(ArgRef::big(big.len() as u32));
                big.push(Bytes::from(word));
            }
        })?;
        Ok(Some(start + line_end + 1))
    }
}

impl RequestLimits {
    fn is_trusted(&self) -> bool {
        self.authenticated || self.from_master
    }

    /// Whether an argument of this length is received in a buffer of its own.
    fn is_apart(&self, length: usize) -> bool {
        length >= BIG_ARG && !self.from_master
    }
}

impl Partial {
    fn new(missing: u32, cursor: usize) -> Partial {
        Partial { missing, cursor, length: None, is_apart: false, items: Vec::new(), big: Vec::new() }
    }

    /// Goes on from where the last attempt stopped; the position behind the request when it is complete.
    fn resume(
        &mut self,
        input: &mut InBuf,
        start: usize,
        limits: &RequestLimits,
    ) -> Result<Option<usize>, ProtocolError> {
        loop {
            if let Some(length) = self.length {
                if !self.take_argument(input, start, length, limits) {
                    return Ok(None);
                }
                self.length = None;
                self.missing -= 1;
            }
            let at = start + self.cursor;
            let (stop, missing) =
                read_arguments(input.storage(), at, self.missing, limits, &mut self.items, start as u32)?;
            self.missing = missing;
            match stop {
                Stop::End(end) => return Ok(Some(end)),
                Stop::Header { .. } => {
                    self.stopped(stop, start);
                    return Ok(None);
                }
                Stop::Argument { .. } => self.stopped(stop, start),
            }
        }
    }

    fn stopped(&mut self, stop: Stop, start: usize) {
        match stop {
            Stop::End(at) | Stop::Header { at } => self.cursor = at - start,
            Stop::Argument { at, length } => {
                self.cursor = at - start;
                self.length = Some(length);
            }
        }
    }

    /// Takes the argument at the cursor; false when it is not complete.
    fn take_argument(&mut self, input: &mut InBuf, start: usize, length: usize, limits: &RequestLimits) -> bool {
        if self.is_apart {
            let Some(bytes) = input.take_big() else { return false };
            self.is_apart = false;
            self.push_big(bytes);
            return true;
        }
        let at = start + self.cursor;
        let is_complete = input.storage().len() - at >= length + 2;
        match (is_complete, limits.is_apart(length)) {
            (true, false) => self.items.push(ArgRef::inline(self.cursor as u32, length as u32)),
            (true, true) => self.push_big(Bytes::copy_from_slice(&input.storage()[at..at + length])),
            (false, true) => {
                input.begin_big(at, length);
                self.is_apart = true;
                return false;
            }
            (false, false) => return false,
        }
        self.cursor += length + 2;
        true
    }

    fn push_big(&mut self, bytes: Bytes) {
        self.items.push(ArgRef::big(self.big.len() as u32));
        self.big.push(bytes);
    }
}

/// Why [`read_arguments`] stopped.
#[derive(Clone, Copy)]
enum Stop {
    /// All arguments are read; the position behind the last.
    End(usize),
    /// The header at this position is not complete.
    Header { at: usize },
    /// The argument that begins at this position is not complete, or is to be received apart.
    Argument { at: usize, length: usize },
}

/// Reads up to `missing` arguments from position `at`, as positions less `base`. Returns why it stopped and how many are
/// missing then.
#[inline]
fn read_arguments(
    data: &[u8],
    mut at: usize,
    mut missing: u32,
    limits: &RequestLimits,
    items: &mut Vec<ArgRef>,
    base: u32,
) -> Result<(Stop, u32), ProtocolError> {
    while missing > 0 {
        let (length, begin) = match short_header(data, at, b'$') {
            Some((length, begin)) => (length as usize, begin),
            None => match read_length(data, at, limits)? {
                Some(found) => found,
                None => return Ok((Stop::Header { at }, missing)),
            },
        };
        if data.len() - begin < length + 2 || length >= BIG_ARG && limits.is_apart(length) {
            return Ok((Stop::Argument { at: begin, length }, missing));
        }
        items.push(ArgRef::inline(begin as u32 - base, length as u32));
        at = begin + length + 2;
        missing -= 1;
    }
    Ok((Stop::End(at), 0))
}

/// A header of at most three digits that lies whole in `data`, as nearly all do: the number and the position behind it.
/// Whatever looks different is left to the careful reading.
#[inline]
fn short_header(data: &[u8], at: usize, prefix: u8) -> Option<(u32, usize)> {
    let head: &[u8; 6] = data.get(at..at + 6)?.try_into().expect("six bytes");
    let digit = |index: usize| u32::from(head[index].wrapping_sub(b'0'));
    let (a, b, c) = (digit(1), digit(2), digit(3));
    if head[0] != prefix || a > 9 {
        return None;
    }
    if head[2] == b'\r' {
        return Some((a, at + 4));
    }
    if a == 0 || b > 9 {
        return None;
    }
    if head[3] == b'\r' {
        return Some((10 * a + b, at + 5));
    }
    (c <= 9 && head[4] == b'\r').then(|| (100 * a + 10 * b + c, at + 6))
}

/// The number of arguments at `at`, zero when there is nothing to do, and the position behind the line.
#[inline]
fn read_count(data: &[u8], at: usize, limits: &RequestLimits) -> Result<Option<(u32, usize)>, ProtocolError> {
    if let Some((count, begin)) = short_header(data, at, b'*')
        && (limits.is_trusted() || i64::from(count) <= MULTIBULK_MAX_UNAUTHENTICATED)
    {
        return Ok(Some((count, begin)));
    }
    let Some((number, begin)) = read_line(data, at).map_err(|_| ProtocolError::CountTooLong)? else {
        return Ok(None);
    };
    let count = number.filter(|&count| count <= MULTIBULK_MAX).ok_or(ProtocolError::InvalidCount)?;
    if count > MULTIBULK_MAX_UNAUTHENTICATED && !limits.is_trusted() {
        return Err(ProtocolError::UnauthenticatedCount);
    }
    Ok(Some((count.max(0) as u32, begin)))
}

/// The length of the argument whose header is at `at`, and the position behind the header.
fn read_length(data: &[u8], at: usize, limits: &RequestLimits) -> Result<Option<(usize, usize)>, ProtocolError> {
    let Some((number, begin)) = read_line(data, at).map_err(|_| ProtocolError::LengthTooLong)? else {
        return Ok(None);
    };
    if data[at] != b'$' {
        return Err(ProtocolError::ExpectedBulk(data[at]));
    }
    let max = if limits.from_master { BUFFER_MAX as u64 / 2 } else { limits.bulk_max };
    let length = number.and_then(|number| u64::try_from(number).ok()).filter(|&length| length <= max);
    let length = length.ok_or(ProtocolError::InvalidLength)?;
    if length > BULK_MAX_UNAUTHENTICATED && !limits.is_trusted() {
        return Err(ProtocolError::UnauthenticatedLength);
    }
    Ok(Some((length as usize, begin)))
}

/// A line that has already grown longer than any may be.
struct NoLineEnd;

/// A line of one character and a number: the number, when it is one, and the position behind the line.
fn read_line(data: &[u8], at: usize) -> Result<Option<(Option<i64>, usize)>, NoLineEnd> {
    let bytes = &data[at..];
    match memchr2(b'\r', 0, bytes).filter(|&end| bytes[end] == b'\r') {
        Some(end) if end + 2 <= bytes.len() => Ok(Some((bytes.get(1..end).and_then(parse_i64), at + end + 2))),
        Some(_) => Ok(None),
        None if bytes.len() > INLINE_MAX => Err(NoLineEnd),
        None => Ok(None),
    }
}

/// A word of a line.
enum Word {
    /// It stands there as it reads.
    Plain { at: usize, len: usize },
    /// It has quotes; this is what it stands for.
    Quoted(Vec<u8>),
}

/// Splits a line into words.
fn split_words(line: &[u8], mut take: impl FnMut(Word)) -> Result<(), ProtocolError> {
    let mut read = 0;
    loop {
        while line.get(read).is_some_and(|&byte| is_space(byte)) {
            read += 1;
        }
        if read == line.len() {
            return Ok(());
        }
        let begin = read;
        while line.get(read).is_some_and(|&byte| !ends_plain(byte)) {
            read += 1;
        }
        if !matches!(line.get(read), Some(b'"' | b'\'')) {
            take(Word::Plain { at: begin, len: read - begin });
            read += usize::from(read < line.len());
            continue;
        }
        let mut word = line[begin..read].to_vec();
        let mut quote = None;
        loop {
            let Some(&byte) = line.get(read) else {
                if quote.is_some() {
                    return Err(ProtocolError::UnbalancedQuotes);
                }
                break;
            };
            read += 1;
            match (quote, byte) {
                (Some(b'"'), b'\\') if read < line.len() => {
                    let (byte, len) = unescape(&line[read..]);
                    word.push(byte);
                    read += len;
                }
                (Some(b'\''), b'\\') if line.get(read) == Some(&b'\'') => {
                    word.push(b'\'');
                    read += 1;
                }
                (Some(open), _) if open == byte => {
                    if line.get(read).is_some_and(|&next| !is_space(next)) {
                        return Err(ProtocolError::UnbalancedQuotes);
                    }
                    break;
                }
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b' ' | b'\n' | b'\r' | b'\t') => break,
                _ => word.push(byte),
            }
        }
        take(Word::Quoted(word));
    }
}

/// Whether a word ends at this byte, or begins to be quoted.
fn ends_plain(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\'')
}

/// What a backslash inside double quotes stands for, from the bytes behind it, and how many of them it took.
fn unescape(rest: &[u8]) -> (u8, usize) {
    let hex = |index: usize| rest.get(index).and_then(|&byte| char::from(byte).to_digit(16));
    match rest[0] {
        b'x' => match (hex(1), hex(2)) {
            (Some(high), Some(low)) => ((high * 16 + low) as u8, 3),
            _ => (b'x', 1),
        },
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'b' => (8, 1),
        b'a' => (7, 1),
        other => (other, 1),
    }
}

/// What C's `isspace` accepts.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests;
