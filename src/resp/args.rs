//! A command's arguments as a view on bytes that somebody else owns.
//!
//! The parser leaves a request where it was received and notes where each argument lies; a command sees [`Args`]. Only
//! arguments of at least [`crate::base::limits::BIG_ARG`] bytes have a shared buffer of their own, which a value may keep
//! ([`Args::shared`]): a large SET is never copied. What must outlive the request (a MULTI queue, a blocked command, a
//! rewritten command for the replicas) is [`OwnedArgs`].

use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::base::limits::{BIG_ARG, READ_CHUNK};

/// So many bytes of an argument are shown in a log or an error.
const SHOWN_MAX: usize = 128;

/// Where one argument lies: a range of the request's buffer, or a number in the list of large arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgRef {
    offset: u32,
    len: u32,
}

impl ArgRef {
    const BIG: u32 = u32::MAX;

    /// An argument inside the request's buffer.
    pub const fn inline(offset: u32, len: u32) -> ArgRef {
        ArgRef { offset, len }
    }

    /// The `index`-th large argument.
    pub const fn big(index: u32) -> ArgRef {
        ArgRef { offset: ArgRef::BIG, len: index }
    }

    /// Whether it is a large argument.
    pub(super) const fn is_big(&self) -> bool {
        self.offset == ArgRef::BIG
    }

    /// The same argument after the request's buffer moved `by` bytes up in a larger one, and its large arguments `big`
    /// places down in a longer list.
    pub(super) const fn moved(self, by: u32, big: u32) -> ArgRef {
        match self.offset {
            ArgRef::BIG => ArgRef { len: self.len + big, ..self },
            offset => ArgRef { offset: offset + by, ..self },
        }
    }

    /// The same argument seen from `base`, a position at or before it.
    pub(super) const fn seen_from(self, base: u32) -> ArgRef {
        match self.offset {
            ArgRef::BIG => self,
            offset => ArgRef { offset: offset - base, ..self },
        }
    }
}

/// The arguments of one command; number 0 is the command's name.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    buffer: &'a [u8],
    items: &'a [ArgRef],
    big: &'a [Bytes],
}

impl<'a> Args<'a> {
    /// A view; every item must lie inside `buffer` or `big`.
    pub fn new(buffer: &'a [u8], items: &'a [ArgRef], big: &'a [Bytes]) -> Args<'a> {
        Args { buffer, items, big }
    }

    /// How many arguments, the name included.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is not even a name. The parser never produces this.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The `index`-th argument. Panics when there is none: arity was checked before.
    pub fn get(&self, index: usize) -> &'a [u8] {
        let item = self.items[index];
        match item.offset {
            ArgRef::BIG => &self.big[item.len as usize],
            offset => &self.buffer[offset as usize..offset as usize + item.len as usize],
        }
    }

    /// The beginning of the `index`-th argument, as text for a log or an error.
    pub fn shown(&self, index: usize) -> String {
        let word = self.get(index);
        String::from_utf8_lossy(&word[..word.len().min(SHOWN_MAX)]).into_owned()
    }

    /// The `index`-th argument's shared buffer, when it is large enough to be worth sharing.
    pub fn shared(&self, index: usize) -> Option<&'a Bytes> {
        self.apart(index).filter(|bytes| bytes.len() >= BIG_ARG)
    }

    /// The `index`-th argument's own buffer, when it does not lie in the client's: it is large, or was written otherwise than it reads.
    pub(super) fn apart(&self, index: usize) -> Option<&'a Bytes> {
        let item = self.items[index];
        (item.offset == ArgRef::BIG).then(|| &self.big[item.len as usize])
    }

    /// The arguments from `start` on, which then counts as number 0. For containers: `CONFIG GET x` from 1 is `GET x`.
    pub fn skip(&self, start: usize) -> Args<'a> {
        Args { items: &self.items[start..], ..*self }
    }

    /// The arguments from `start` on, as bytes.
    pub fn from(&self, start: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + use<'a> {
        let args = *self;
        (start.min(self.len())..self.len()).map(move |index| args.get(index))
    }

    /// All arguments.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + use<'a> {
        self.from(0)
    }

    /// Whether argument `index` is `word`, in any case.
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.get(index).eq_ignore_ascii_case(word.as_bytes())
    }

    /// The whole command in RESP, when that is how it lies in the buffer: every byte between the arguments is looked at. So it is
    /// with what a client sent, as long as no argument is large; passing it on is then one copy.
    pub fn as_sent(&self) -> Option<&'a [u8]> {
        let (first, rest) = self.items.split_first()?;
        if first.is_big() {
            return None;
        }
        let before = self.buffer.get(..first.offset as usize)?;
        let header = header_before(before, b'$', first.len as usize)?;
        let begin = header_before(&before[..header], b'*', self.items.len())?;
        let mut end = (first.offset + first.len) as usize;
        for item in rest {
            let (offset, len) = (item.offset as usize, item.len as usize);
            if item.is_big() || !is_between(self.buffer, end..offset, len) {
                return None;
            }
            end = offset + len;
        }
        (self.buffer.get(end..)?.first_chunk()? == b"\r\n").then(|| &self.buffer[begin..end + 2])
    }

    /// Sum of the arguments' lengths.
    pub fn bytes(&self) -> usize {
        self.iter().map(<[u8]>::len).sum()
    }
}

/// Where the header of an argument (`$`) or a command (`*`) begins that ends `bytes` and says `len`, without needless zeros.
fn header_before(bytes: &[u8], kind: u8, len: usize) -> Option<usize> {
    if len < 10 {
        let (before, header) = bytes.split_last_chunk()?;
        return (*header == [kind, b'0' + len as u8, b'\r', b'\n']).then_some(before.len());
    }
    let mut digits = itoa::Buffer::new();
    let before = bytes.strip_suffix(b"\r\n")?.strip_suffix(digits.format(len).as_bytes())?;
    Some(before.strip_suffix(&[kind])?.len())
}

/// Whether `gap` is all that stands between two arguments, of which the second has `len` bytes. Every write with replicas comes here for
/// each of its arguments: a gap is compared as one number, unless the length is unusual.
#[inline]
fn is_between(buffer: &[u8], gap: Range<usize>, len: usize) -> bool {
    let Some(word) = buffer.get(..gap.end).and_then(<[u8]>::last_chunk) else { return false };
    // The last digit is the sixth of the eight bytes; those before the gap are shifted out.
    let digit = |number: usize, place: u32| (number as u64) << (8 * place);
    let (size, expected, digits) = match len {
        0..10 => (6, *b"\0\0\r\n$0\r\n", digit(len, 5)),
        10..100 => (7, *b"\0\r\n$00\r\n", digit(len / 10, 4) + digit(len % 10, 5)),
        100..1000 => (8, *b"\r\n$000\r\n", digit(len / 100, 3) + digit(len / 10 % 10, 4) + digit(len % 10, 5)),
        _ => {
            let header = header_before(&buffer[..gap.end], b'$', len);
            return header == Some(gap.start + 2) && buffer[gap.start..gap.start + 2] == *b"\r\n";
        }
    };
    let others = 8 * (8 - size);
    let expected = u64::from_le_bytes(expected) + digits;
    gap.len() == size && u64::from_le_bytes(*word) >> others == expected >> others
}

/// Arguments with their own memory. Large ones stay shared.
#[derive(Clone, Debug, Default)]
pub struct OwnedArgs {
    buffer: Vec<u8>,
    items: SmallVec<[ArgRef; 6]>,
    big: Vec<Bytes>,
}

impl OwnedArgs {
    /// No arguments yet.
    pub fn new() -> OwnedArgs {
        OwnedArgs::default()
    }

    /// Copies the small arguments, shares the large.
    pub fn copy_of(args: &Args<'_>) -> OwnedArgs {
        let mut owned = OwnedArgs::new();
        (0..args.len()).for_each(|index| owned.push_arg(args, index));
        owned
    }

    /// From words; `OwnedArgs::of(&[b"DEL", key])`.
    pub fn of(words: &[&[u8]]) -> OwnedArgs {
        let mut owned = OwnedArgs::new();
        owned.buffer.reserve_exact(words.iter().map(|word| word.len()).filter(|len| *len < BIG_ARG).sum());
        words.iter().for_each(|word| owned.push(word));
        owned
    }

    /// No arguments again. Keeps its memory, unless that is much.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(READ_CHUNK);
        self.items.clear();
        self.big.clear();
    }

    /// Appends a copy of `word`.
    pub fn push(&mut self, word: &[u8]) {
        if word.len() >= BIG_ARG {
            return self.push_shared(Bytes::copy_from_slice(word));
        }
        self.items.push(ArgRef::inline(self.buffer.len() as u32, word.len() as u32));
        self.buffer.extend_from_slice(word);
    }

    /// Appends a shared argument.
    pub fn push_shared(&mut self, word: Bytes) {
        self.items.push(ArgRef::big(self.big.len() as u32));
        self.big.push(word);
    }

    /// Appends argument `index` of `args`, shared if it can be.
    pub fn push_arg(&mut self, args: &Args<'_>, index: usize) {
        match args.shared(index) {
            Some(bytes) => self.push_shared(bytes.clone()),
            None => self.push(args.get(index)),
        }
    }

    /// The view that commands take.
    pub fn as_args(&self) -> Args<'_> {
        Args::new(&self.buffer, &self.items, &self.big)
    }

    /// Bytes of memory held, for the accounting of MULTI queues.
    pub fn memory(&self) -> usize {
        self.buffer.capacity() + self.items.len() * size_of::<ArgRef>() + self.big.iter().map(Bytes::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owned_arguments_read_back_and_large_ones_stay_shared() {
        let mut owned = OwnedArgs::of(&[b"SET", b"k"]);
        let big = Bytes::from(vec![7u8; 100_000]);
        owned.push_shared(big.clone());
        let copy = OwnedArgs::copy_of(&owned.as_args());
        let args = copy.as_args();
        assert_eq!((args.len(), args.get(1)), (3, &b"k"[..]));
        assert_eq!(args.shared(2).map(|b| b.as_ptr()), Some(big.as_ptr()));
        assert!(args.shared(0).is_none() && args.is(0, "set"));
        assert_eq!(args.skip(1).len(), 2);
        assert_eq!(args.from(1).next(), Some(&b"k"[..]));
    }

    /// Arguments that lie in `text` where `words` do, found in order.
    fn in_place(text: &[u8], words: &[&[u8]]) -> Vec<ArgRef> {
        let mut from = 0;
        let find = |word: &&[u8]| {
            let at = (from..).find(|at| text[*at..].starts_with(word)).unwrap();
            from = at + word.len();
            ArgRef::inline(at as u32, word.len() as u32)
        };
        words.iter().map(find).collect()
    }

    #[test]
    fn a_command_that_lies_in_the_buffer_as_resp_is_found_there() {
        let (long, huge) = ([b'v'; 64], [b'w'; 1234]);
        let text = [
            b"*1\r\n$4\r\nPING\r\n*4\r\n$3\r\nSET\r\n$0\r\n\r\n$64\r\n",
            &long[..],
            b"\r\n$1234\r\n",
            &huge,
            b"\r\n*1\r\n",
        ]
        .concat();
        let words: [&[u8]; 4] = [b"SET", b"", &long, &huge];
        let mut items = in_place(&text, &[b"SET", &long, &huge]);
        items.insert(1, ArgRef::inline(31, 0));
        let args = Args::new(&text, &items, &[]);
        assert!(args.iter().eq(words));
        assert_eq!(args.as_sent(), Some(&text[14..text.len() - 4]));
        assert_eq!(args.skip(1).as_sent(), None, "the count is not that of the command");
    }

    #[test]
    fn arguments_of_any_length_are_found_and_one_changed_byte_around_them_is_seen() {
        for len in [0, 1, 9, 10, 19, 99, 100, 109, 190, 999, 1000, 9999, 10_000] {
            let value = vec![b'v'; len];
            let before = b"*1\r\n$4\r\nPING\r\n";
            let text = [before, format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${len}\r\n").as_bytes(), &value, b"\r\n*1\r\n"]
                .concat();
            let begin = before.len();
            let end = text.len() - 4;
            let at = |offset: usize, len: usize| ArgRef::inline(offset as u32, len as u32);
            let items = [at(begin + 8, 3), at(begin + 17, 1), at(end - 2 - len, len)];
            assert_eq!(Args::new(&text, &items, &[]).as_sent(), Some(&text[begin..end]), "{len}");
            for changed in begin..end {
                let inside = items.iter().find_map(|item| {
                    changed.checked_sub(item.offset as usize).filter(|within| *within < item.len as usize)
                });
                if inside.is_some_and(|within| within > 0) {
                    continue;
                }
                let mut other = text.clone();
                other[changed] ^= 1;
                let args = Args::new(&other, &items, &[]);
                assert_eq!(args.as_sent().is_some(), inside.is_some(), "{len}: byte {changed}");
            }
            for cut in begin..end {
                if items.iter().all(|item| (item.offset + item.len) as usize <= cut) {
                    assert_eq!(Args::new(&text[..cut], &items, &[]).as_sent(), None, "{len}: cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_quite_resp_is_not_passed_on_as_it_is() {
        let words: [&[u8]; 2] = [b"GET", b"key"];
        let of = |text: &[u8]| Args::new(text, &in_place(text, &words), &[]).as_sent().map(<[u8]>::to_vec);
        assert_eq!(of(b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n").as_deref(), Some(&b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"[..]));
        for text in [
            &b"GET key\r\n"[..],
            b"*2\r\n$03\r\nGET\r\n$3\r\nkey\r\n",
            b"*2\r\n$3\r\nGET\r\n$+3\r\nkey\r\n",
            b"*02\r\n$3\r\nGET\r\n$3\r\nkey\r\n",
            b"*3\r\n$3\r\nGET\r\n$3\r\nkey\r\n",
            b"*2\r\n$3\r\nGETxy$3\r\nkey\r\n",
            b"*2\r\n$3\r\nGET\r\n$3\r\nkeyxy",
            b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r",
            b"*2\r\n$3\r\nGET\r\n $3\r\nkey\r\n",
            b"*2\r\n$3\r\nGET\r\n$4\r\nkey\r\n",
        ] {
            assert_eq!(of(text), None, "{}", text.escape_ascii());
        }
        assert_eq!(OwnedArgs::of(&words).as_args().as_sent(), None);
        let mut owned = OwnedArgs::new();
        owned.push_shared(Bytes::from_static(b"GET"));
        assert_eq!(owned.as_args().as_sent(), None);
    }
}
