//! Writing replies, one method per shape, in the protocol version that the client chose with HELLO.
//!
//! ```text
//!                 RESP2                RESP3
//!  null           $-1                  _
//!  null_array     *-1                  _
//!  map(n)         *2n                  %n
//!  set(n)         *n                   ~n
//!  push(n)        *n                   >n
//!  double         $ bulk string        ,1.5
//!  boolean        :1  :0               #t  #f
//!  verbatim       $ bulk string        =15 txt:…
//!  big_number     $ bulk string        (123…
//!  attribute(n)   nothing              |n
//! ```
//!
//! The rest is the same in both. A reply is written while it is being computed; when the number of elements is known only
//! at the end, `array_deferred` leaves the length open and `finish` fills it in.

use std::fmt::{self, Write as _};

use bytes::Bytes;

use crate::base::limits::REPEATED_REPLY_MAX;
use crate::base::number::format_f64;
use crate::resp::out::{self, Out};

/// The version of the protocol that a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proto {
    /// What every client starts with.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

impl Proto {
    /// The number HELLO and CLIENT LIST show.
    pub const fn version(self) -> u8 {
        match self {
            Proto::Resp2 => 2,
            Proto::Resp3 => 3,
        }
    }
}

/// A writer of replies into one output.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut Out,
    proto: Proto,
}

/// An aggregate whose length is still open.
#[must_use = "a deferred length must be finished"]
#[derive(Debug)]
pub struct Deferred {
    inner: out::Deferred,
    /// Elements per counted item: two for a map written as an array.
    per_item: u64,
}

impl<'a> Reply<'a> {
    /// Replies go to the end of `out`.
    pub fn new(out: &'a mut Out, proto: Proto) -> Reply<'a> {
        Reply { out, proto }
    }

    /// The version in which this reply is written.
    pub fn proto(&self) -> Proto {
        self.proto
    }

    /// Whether the client speaks RESP3.
    pub fn is_resp3(&self) -> bool {
        self.proto == Proto::Resp3
    }

    /// Whether a reply of so many bytes, that has nothing to do with how much data there are, may be written: not without bound.
    pub fn may_repeat(&self, bytes: usize) -> bool {
        bytes as u64 <= REPEATED_REPLY_MAX || self.out.is_bounded()
    }

    /// Whether the rest of the reply will reach nobody.
    pub fn is_cut(&self) -> bool {
        self.out.is_cut()
    }

    /// The output behind this writer.
    pub fn out(&mut self) -> &mut Out {
        self.out
    }

    /// The same writer for a shorter time, to hand to a function that takes a `Reply`.
    pub fn reborrow(&mut self) -> Reply<'_> {
        Reply { out: self.out, proto: self.proto }
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.out.write(5, |own| own.extend_from_slice(b"+OK\r\n"));
    }

    /// A status line. `text` must be free of line ends.
    pub fn simple(&mut self, text: &str) {
        debug_assert!(!text.contains(['\r', '\n']), "a status is one line: {text:?}");
        self.line(b'+', text.as_bytes());
    }

    /// An error, its code included (`ERR …`), without the dash. Line ends inside become spaces, since the text may quote
    /// what a client sent.
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// An error whose text is not necessarily UTF-8. Line ends at its end are left out.
    pub fn error_bytes(&mut self, text: &[u8]) {
        let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        let text = &text[..end];
        self.out.write(text.len() + 3, |own| {
            own.push(b'-');
            own.extend(text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
            own.extend_from_slice(b"\r\n");
        });
    }

    /// An error from anything that can be displayed.
    pub fn error_display(&mut self, text: impl fmt::Display) {
        self.error(&text.to_string());
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, value: i64) {
        self.out.write(24, |own| {
            if (0..10).contains(&value) {
                own.extend_from_slice(&[b':', b'0' + value as u8, b'\r', b'\n']);
            } else {
                own.push(b':');
                push_decimal(own, value);
            }
        });
    }

    /// A bulk string, copied.
    #[inline]
    pub fn bulk(&mut self, value: &[u8]) {
        self.out.write(value.len() + 26, |own| {
            push_header(own, b'$', value.len() as u64);
            own.extend_from_slice(value);
            own.extend_from_slice(b"\r\n");
        });
    }

    /// A bulk string, not copied when it is large.
    pub fn shared(&mut self, value: Bytes) {
        self.out.write(24, |own| push_header(own, b'$', value.len() as u64));
        self.out.append_shared(value);
        self.out.append(b"\r\n");
    }

    /// A bulk string holding an integer.
    pub fn bulk_int(&mut self, value: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(value).as_bytes());
    }

    /// A bulk string holding whatever `value` displays.
    pub fn bulk_display(&mut self, value: impl fmt::Display) {
        let mut text = String::new();
        write!(text, "{value}").expect("writing to memory cannot fail");
        self.bulk(text.as_bytes());
    }

    /// No value.
    #[inline]
    pub fn null(&mut self) {
        match self.proto {
            Proto::Resp2 => self.out.append(b"$-1\r\n"),
            Proto::Resp3 => self.out.append(b"_\r\n"),
        }
    }

    /// No value where an array was asked for.
    pub fn null_array(&mut self) {
        match self.proto {
            Proto::Resp2 => self.out.append(b"*-1\r\n"),
            Proto::Resp3 => self.out.append(b"_\r\n"),
        }
    }

    /// The head of an array; `n` replies follow.
    #[inline]
    pub fn array(&mut self, n: usize) {
        self.header(b'*', n);
    }

    /// The head of a map; `n` pairs of replies follow.
    pub fn map(&mut self, n: usize) {
        match self.proto {
            Proto::Resp2 => self.header(b'*', 2 * n),
            Proto::Resp3 => self.header(b'%', n),
        }
    }

    /// The head of a set; `n` replies follow.
    pub fn set(&mut self, n: usize) {
        self.header(if self.is_resp3() { b'~' } else { b'*' }, n);
    }

    /// The head of a message that answers no request; `n` replies follow.
    pub fn push(&mut self, n: usize) {
        self.header(if self.is_resp3() { b'>' } else { b'*' }, n);
    }

    /// The head of attributes of the reply that follows them; `n` pairs of replies follow. RESP3 only: the caller writes
    /// neither head nor pairs to a RESP2 client.
    pub fn attribute(&mut self, n: usize) {
        debug_assert!(self.is_resp3());
        self.header(b'|', n);
    }

    /// A floating point number, in Redis's digits.
    pub fn double(&mut self, value: f64) {
        self.double_text(format_f64(value).as_str());
    }

    /// A floating point number that is text already.
    pub fn double_text(&mut self, text: &str) {
        match self.proto {
            Proto::Resp2 => self.bulk(text.as_bytes()),
            Proto::Resp3 => self.line(b',', text.as_bytes()),
        }
    }

    /// Yes or no.
    pub fn boolean(&mut self, value: bool) {
        match (self.proto, value) {
            (Proto::Resp2, value) => self.int(i64::from(value)),
            (Proto::Resp3, true) => self.out.append(b"#t\r\n"),
            (Proto::Resp3, false) => self.out.append(b"#f\r\n"),
        }
    }

    /// Text meant for people; `format` is three characters, `txt` or `mkd`.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        debug_assert_eq!(format.len(), 3);
        match self.proto {
            Proto::Resp2 => self.bulk(text),
            Proto::Resp3 => self.out.write(text.len() + 32, |own| {
                push_header(own, b'=', text.len() as u64 + 4);
                own.extend_from_slice(format.as_bytes());
                own.push(b':');
                own.extend_from_slice(text);
                own.extend_from_slice(b"\r\n");
            }),
        }
    }

    /// An integer of any size, as decimal digits.
    pub fn big_number(&mut self, digits: &str) {
        match self.proto {
            Proto::Resp2 => self.bulk(digits.as_bytes()),
            Proto::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// The head of an array whose length is told to [`Reply::finish`].
    pub fn array_deferred(&mut self) -> Deferred {
        Deferred { inner: self.out.defer(b'*'), per_item: 1 }
    }

    /// The head of a map whose number of pairs is told to [`Reply::finish`].
    pub fn map_deferred(&mut self) -> Deferred {
        match self.proto {
            Proto::Resp2 => Deferred { inner: self.out.defer(b'*'), per_item: 2 },
            Proto::Resp3 => Deferred { inner: self.out.defer(b'%'), per_item: 1 },
        }
    }

    /// The head of a set whose length is told to [`Reply::finish`].
    pub fn set_deferred(&mut self) -> Deferred {
        Deferred { inner: self.out.defer(if self.is_resp3() { b'~' } else { b'*' }), per_item: 1 }
    }

    /// Tells how many items the deferred aggregate got (pairs, for a map). The one opened last is finished first.
    pub fn finish(&mut self, deferred: Deferred, n: usize) {
        self.out.settle(deferred.inner, n as u64 * deferred.per_item);
    }

    /// A reply that is encoded already, whole.
    pub fn encoded(&mut self, bytes: &[u8]) {
        self.out.append(bytes);
    }

    #[inline]
    fn header(&mut self, prefix: u8, n: usize) {
        self.out.write(24, |own| push_header(own, prefix, n as u64));
    }

    fn line(&mut self, prefix: u8, text: &[u8]) {
        self.out.write(text.len() + 3, |own| {
            own.push(prefix);
            own.extend_from_slice(text);
            own.extend_from_slice(b"\r\n");
        });
    }
}

/// `prefix`, the number, line end. Most numbers have one or two digits.
#[inline]
pub(super) fn push_header(own: &mut Vec<u8>, prefix: u8, n: u64) {
    match n {
        0..10 => own.extend_from_slice(&[prefix, b'0' + n as u8, b'\r', b'\n']),
        10..100 => own.extend_from_slice(&[prefix, b'0' + (n / 10) as u8, b'0' + (n % 10) as u8, b'\r', b'\n']),
        _ => {
            own.push(prefix);
            push_decimal(own, n);
        }
    }
}

#[inline]
fn push_decimal(own: &mut Vec<u8>, n: impl itoa::Integer) {
    let mut digits = itoa::Buffer::new();
    own.extend_from_slice(digits.format(n).as_bytes());
    own.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(write: impl Fn(&mut Reply<'_>)) -> (String, String) {
        let text = |proto| {
            let mut out = Out::new();
            write(&mut Reply::new(&mut out, proto));
            String::from_utf8(out.to_vec()).unwrap()
        };
        (text(Proto::Resp2), text(Proto::Resp3))
    }

    #[test]
    fn each_shape_in_each_version() {
        type Case<'a> = (&'a dyn Fn(&mut Reply<'_>), &'a str, &'a str);
        let cases: &[Case<'_>] = &[
            (&|r| r.ok(), "+OK\r\n", "+OK\r\n"),
            (&|r| r.simple("PONG"), "+PONG\r\n", "+PONG\r\n"),
            (&|r| r.error("ERR no"), "-ERR no\r\n", "-ERR no\r\n"),
            (&|r| r.int(-12), ":-12\r\n", ":-12\r\n"),
            (&|r| r.bulk(b"hello"), "$5\r\nhello\r\n", "$5\r\nhello\r\n"),
            (&|r| r.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (&|r| r.shared(Bytes::from_static(b"hi")), "$2\r\nhi\r\n", "$2\r\nhi\r\n"),
            (&|r| r.bulk_int(i64::MIN), "$20\r\n-9223372036854775808\r\n", "$20\r\n-9223372036854775808\r\n"),
            (&|r| r.bulk_display(format_args!("{}:{}", 1, 2)), "$3\r\n1:2\r\n", "$3\r\n1:2\r\n"),
            (&|r| r.null(), "$-1\r\n", "_\r\n"),
            (&|r| r.null_array(), "*-1\r\n", "_\r\n"),
            (&|r| r.array(3), "*3\r\n", "*3\r\n"),
            (&|r| r.map(50), "*100\r\n", "%50\r\n"),
            (&|r| r.set(11), "*11\r\n", "~11\r\n"),
            (&|r| r.push(2), "*2\r\n", ">2\r\n"),
            (&|r| r.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (&|r| r.double(f64::INFINITY), "$3\r\ninf\r\n", ",inf\r\n"),
            (&|r| r.boolean(true), ":1\r\n", "#t\r\n"),
            (&|r| r.boolean(false), ":0\r\n", "#f\r\n"),
            (&|r| r.verbatim("txt", b"some text"), "$9\r\nsome text\r\n", "=13\r\ntxt:some text\r\n"),
            (&|r| r.big_number("123456789"), "$9\r\n123456789\r\n", "(123456789\r\n"),
        ];
        for (index, (write, resp2, resp3)) in cases.iter().enumerate() {
            assert_eq!(both(write), (resp2.to_string(), resp3.to_string()), "case {index}");
        }
    }

    #[test]
    fn lengths_of_all_sizes() {
        for n in [0usize, 9, 10, 99, 100, 101, 12345] {
            let (text, _) = both(|r| {
                r.bulk(&vec![b'x'; n]);
                r.int(n as i64);
            });
            assert_eq!(text, format!("${n}\r\n{}\r\n:{n}\r\n", "x".repeat(n)));
        }
    }

    #[test]
    fn line_ends_cannot_break_out_of_an_error() {
        let (text, _) = both(|r| r.error("ERR unknown command 'a\r\nb'\r\n"));
        assert_eq!(text, "-ERR unknown command 'a  b'\r\n");
    }

    #[test]
    fn deferred_lengths_count_pairs_for_maps() {
        let (resp2, resp3) = both(|r| {
            let outer = r.array_deferred();
            let inner = r.map_deferred();
            r.int(1);
            r.int(2);
            r.finish(inner, 1);
            let set = r.set_deferred();
            r.finish(set, 0);
            r.finish(outer, 10);
        });
        assert_eq!(resp2, "*10\r\n*2\r\n:1\r\n:2\r\n*0\r\n");
        assert_eq!(resp3, "*10\r\n%1\r\n:1\r\n:2\r\n~0\r\n");
    }
}
