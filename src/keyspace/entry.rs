//! One key with its value, expiry and recency: a single packed block of memory.
//!
//! ```text
//! | form 1 | recency 3 | [expiry 8] | key length 1 or 4 | [value length 1 or 4, or type 1] | key | value |
//!
//! form   bits 0-2  kind: inline string, edited inline string, integer of 1/2/4/8 bytes, shared string, collection
//!        bit  3    there is an expiry
//!        bit  4    the key's length takes 4 bytes (longer than 255)
//!        bit  5    the value's length takes 4 bytes
//! value  inline: its bytes, preceded by their number as shown
//!        integer: little-endian in as few bytes as hold it
//!        shared: a `Bytes`, at the next multiple of 8
//!        collection: its handle of 16 bytes, at the next multiple of 8; the byte before the key says which type it is
//! ```
//!
//! `SET user:000000000001 hello` takes 4 + 1 + 1 + 17 + 5 = 28 bytes, hence a block of 32; with an expiry 40. Lengths of
//! 4 bytes are enough for keys: a request's arguments are bounded, by default at 512 MB. Inline values are short anyway.
//!
//! Blocks are aligned to 8, fields within are not, so everything but `Bytes` and handles is read and written bytewise. The
//! functions here know the layout and nothing else: who owns the block, and where it hangs, is the table's affair.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use bytes::Bytes;

use crate::base::limits::INLINE_VALUE_MAX;
use crate::base::time::UnixMillis;
use crate::data::hash::Hash;
use crate::data::list::List;
use crate::data::set::Set;
use crate::data::stream::Stream;
use crate::data::string::{NewStr, StrView, canonical_int};
use crate::data::zset::Zset;
use crate::data::{self, HANDLE, NewValue, TypeName, ValueMut, ValueRef};

const KIND: u8 = 0b111;
const INLINE: u8 = 0;
const EDITED: u8 = 1;
const INT8: u8 = 2;
const INT16: u8 = 3;
const INT32: u8 = 4;
const INT64: u8 = 5;
const SHARED: u8 = 6;
const COLLECTION: u8 = 7;

const LIST: u8 = TypeName::List as u8;
const SET: u8 = TypeName::Set as u8;
const ZSET: u8 = TypeName::Zset as u8;
const HASH: u8 = TypeName::Hash as u8;

const HAS_EXPIRY: u8 = 1 << 3;
const LONG_KEY: u8 = 1 << 4;
const LONG_VALUE: u8 = 1 << 5;

/// Before the lengths: form and recency.
const FIXED: usize = 4;
/// What most entries have before their key, roughly.
pub(super) const USUAL_HEADER: usize = 8;

/// A value on its way into an entry.
pub(super) enum Value<'v> {
    Int(i64),
    Inline { text: &'v [u8], edited: bool },
    Shared(Bytes),
    Collection(data::Value),
}

/// What an entry owned outside its block, taken out of it.
pub(super) enum Outside {
    /// A large string.
    Bytes(Bytes),
    /// A collection.
    Value(data::Value),
}

impl Value<'_> {
    /// A moment before which no element of a collection is over.
    #[inline]
    pub fn due(&self) -> Option<UnixMillis> {
        match self {
            Value::Collection(value) => value.due(),
            _ => None,
        }
    }

    /// Chooses the form for `new` and gives it to `f`.
    #[inline]
    pub fn choose<R>(new: NewValue<'_>, f: impl FnOnce(Value<'_>) -> R) -> R {
        match new {
            NewValue::Str(new) => Value::choose_str(new, f),
            NewValue::Other(value) => f(Value::Collection(value)),
        }
    }

    #[inline]
    fn choose_str<R>(new: NewStr<'_>, f: impl FnOnce(Value<'_>) -> R) -> R {
        match new {
            NewStr::Int(value) => f(Value::Int(value)),
            NewStr::Text(text) => f(Value::of_text(text)),
            NewStr::Raw(text) if text.len() <= INLINE_VALUE_MAX => f(Value::Inline { text, edited: true }),
            NewStr::Raw(text) => f(Value::Shared(Bytes::copy_from_slice(text))),
            NewStr::Shared(bytes) if bytes.len() <= INLINE_VALUE_MAX => f(Value::of_text(&bytes)),
            NewStr::Shared(bytes) => f(Value::Shared(bytes)),
        }
    }

    #[inline]
    fn of_text(text: &[u8]) -> Value<'_> {
        if let Some(value) = canonical_int(text) {
            Value::Int(value)
        } else if text.len() <= INLINE_VALUE_MAX {
            Value::Inline { text, edited: false }
        } else {
            Value::Shared(Bytes::copy_from_slice(text))
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Value::Inline { edited: false, .. } => INLINE,
            Value::Inline { edited: true, .. } => EDITED,
            Value::Int(value) if i8::try_from(*value).is_ok() => INT8,
            Value::Int(value) if i16::try_from(*value).is_ok() => INT16,
            Value::Int(value) if i32::try_from(*value).is_ok() => INT32,
            Value::Int(_) => INT64,
            Value::Shared(_) => SHARED,
            Value::Collection(_) => COLLECTION,
        }
    }

    fn inline_len(&self) -> usize {
        match self {
            Value::Inline { text, .. } => text.len(),
            _ => 0,
        }
    }
}

/// Where everything lies in an entry of a certain form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    form: u8,
    key_start: usize,
    key_len: usize,
    value_start: usize,
    value_len: usize,
}

impl Shape {
    /// The shape of an entry to be made.
    pub fn plan(key_len: usize, value: &Value<'_>, has_expiry: bool) -> Shape {
        // Requests are bounded far below; a length cut short here would break every promise of this file.
        assert!(u32::try_from(key_len).is_ok(), "a key of {key_len} bytes");
        let (kind, inline_len) = (value.kind(), value.inline_len());
        let mut form = kind;
        if has_expiry {
            form |= HAS_EXPIRY;
        }
        if key_len > 255 {
            form |= LONG_KEY;
        }
        if inline_len > 255 {
            form |= LONG_VALUE;
        }
        Shape::of(form, key_len, inline_len)
    }

    #[inline]
    fn of(form: u8, key_len: usize, inline_len: usize) -> Shape {
        let key_start = key_start(form);
        let key_end = key_start + key_len;
        let (value_start, value_len) = match form & KIND {
            INLINE | EDITED => (key_end, inline_len),
            SHARED => (key_end.next_multiple_of(8), size_of::<Bytes>()),
            COLLECTION => (key_end.next_multiple_of(8), HANDLE),
            kind => (key_end, 1 << (kind - INT8)),
        };
        Shape { form, key_start, key_len, value_start, value_len }
    }

    /// The same entry with or without an expiry; not for values with a part outside, whose place depends on alignment.
    pub fn with_expiry(self, has_expiry: bool) -> Shape {
        let form = if has_expiry { self.form | HAS_EXPIRY } else { self.form & !HAS_EXPIRY };
        Shape::of(form, self.key_len, self.value_len)
    }

    /// Bytes that such an entry needs.
    #[inline]
    pub fn size(self) -> usize {
        self.value_start + self.value_len
    }

    /// Whether part of the value lies outside the entry.
    #[inline]
    pub fn has_outside(self) -> bool {
        self.form & KIND >= SHARED
    }
}

#[inline]
fn lengths_start(form: u8) -> usize {
    // The bit's value is 8, the very length of an expiry.
    FIXED + usize::from(form & HAS_EXPIRY)
}

#[inline]
fn key_start(form: u8) -> usize {
    let key = if form & LONG_KEY == 0 { 1 } else { 4 };
    let value = match form & (KIND | LONG_VALUE) {
        INLINE | EDITED => 1,
        kind if kind & KIND <= EDITED => 4,
        kind if kind & KIND == COLLECTION => 1,
        _ => 0,
    };
    lengths_start(form) + key + value
}

/// A stored entry, borrowed.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    block: NonNull<u8>,
    borrowed: PhantomData<&'a u8>,
}

impl<'a> EntryRef<'a> {
    /// # Safety
    /// `block` holds an entry written by [`write`], which nobody alters or frees during `'a`.
    #[inline]
    pub(super) unsafe fn new(block: NonNull<u8>) -> EntryRef<'a> {
        EntryRef { block, borrowed: PhantomData }
    }

    #[inline]
    fn byte(self, at: usize) -> u8 {
        // SAFETY: callers ask for offsets within the layout that the form announces.
        unsafe { self.block.as_ptr().add(at).read() }
    }

    #[inline]
    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        // SAFETY: as for `byte`; arrays of bytes need no alignment.
        unsafe { self.block.as_ptr().add(at).cast::<[u8; N]>().read() }
    }

    #[inline]
    fn slice(self, at: usize, len: usize) -> &'a [u8] {
        // SAFETY: as for `byte`, and nobody alters the entry during 'a.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().add(at), len) }
    }

    #[inline]
    fn form(self) -> u8 {
        self.byte(0)
    }

    #[inline]
    fn key_len(self, form: u8) -> usize {
        let at = lengths_start(form);
        if form & LONG_KEY == 0 { usize::from(self.byte(at)) } else { u32::from_le_bytes(self.array(at)) as usize }
    }

    /// Where everything lies.
    #[inline]
    pub(super) fn shape(self) -> Shape {
        let form = self.form();
        let key_len = self.key_len(form);
        let inline_len = match form & (KIND | LONG_VALUE) {
            INLINE | EDITED => usize::from(self.byte(key_start(form) - 1)),
            kind if kind & KIND <= EDITED => u32::from_le_bytes(self.array(key_start(form) - 4)) as usize,
            _ => 0,
        };
        Shape::of(form, key_len, inline_len)
    }

    /// The key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        let form = self.form();
        self.slice(key_start(form), self.key_len(form))
    }

    /// The value, if it is a string.
    #[inline]
    pub fn string(self) -> Option<StrView<'a>> {
        let shape = self.shape();
        let at = shape.value_start;
        Some(match shape.form & KIND {
            INLINE | EDITED => StrView::Bytes(self.slice(at, shape.value_len)),
            INT8 => StrView::Int(i8::from_le_bytes(self.array(at)).into()),
            INT16 => StrView::Int(i16::from_le_bytes(self.array(at)).into()),
            INT32 => StrView::Int(i32::from_le_bytes(self.array(at)).into()),
            INT64 => StrView::Int(i64::from_le_bytes(self.array(at))),
            // SAFETY: of this kind, `write` put a `Bytes` there; blocks are aligned to 8 and so is the offset.
            SHARED => StrView::Shared(unsafe { &*self.block.as_ptr().add(at).cast::<Bytes>() }),
            _ => return None,
        })
    }

    /// The value.
    #[inline]
    pub fn value(self) -> ValueRef<'a> {
        match self.string() {
            Some(value) => ValueRef::Str(value),
            None => self.collection(),
        }
    }

    fn collection(self) -> ValueRef<'a> {
        let shape = self.shape();
        debug_assert_eq!(shape.form & KIND, COLLECTION);
        // SAFETY: of this kind, `write` put the handle of the type that the byte before the key names there, aligned.
        unsafe {
            let at = self.block.as_ptr().add(shape.value_start);
            match self.byte(shape.key_start - 1) {
                LIST => ValueRef::List(&*at.cast()),
                SET => ValueRef::Set(&*at.cast()),
                ZSET => ValueRef::Zset(&*at.cast()),
                HASH => ValueRef::Hash(&*at.cast()),
                _ => ValueRef::Stream(&*at.cast()),
            }
        }
    }

    /// Its type; does not look at a collection itself.
    #[inline]
    pub fn type_name(self) -> TypeName {
        if self.form() & KIND != COLLECTION { TypeName::String } else { self.collection().type_name() }
    }

    /// Whether the value was edited in place since it was set.
    pub fn is_edited(self) -> bool {
        self.form() & KIND == EDITED
    }

    /// The moment after which the key's time is over.
    #[inline]
    pub fn expiry(self) -> Option<UnixMillis> {
        (self.form() & HAS_EXPIRY != 0).then(|| UnixMillis(i64::from_le_bytes(self.array(FIXED))))
    }

    /// The recency bits, see `access.rs`.
    #[inline]
    pub fn recency(self) -> u32 {
        u32::from_le_bytes(self.array(0)) >> 8
    }

    /// Bytes of memory that key and value occupy, with their slot in the table.
    pub fn memory(self) -> usize {
        super::table::block_size(self.shape().size()) + self.value().memory() + size_of::<u64>()
    }
}

/// Writes an entry of shape `shape` with this content.
///
/// # Safety
/// `block` is aligned to 8 and has `shape.size()` bytes; `shape` was planned for `key`, `value` and `expiry`; `key` and
/// an inline value may not overlap the block. What is in the block is overwritten without being dropped.
pub(super) unsafe fn write(
    block: NonNull<u8>,
    shape: Shape,
    key: &[u8],
    value: Value<'_>,
    expiry: Option<UnixMillis>,
    recency: u32,
) {
    debug_assert_eq!(shape.key_len, key.len());
    // SAFETY: the caller's promises; the key lies within the block by the shape's arithmetic.
    unsafe {
        ptr::copy_nonoverlapping(key.as_ptr(), block.as_ptr().add(shape.key_start), key.len());
        write_around_key(block, shape, value, expiry, recency);
    }
}

/// As [`write()`], for a block that holds an entry of shape `old` with the same key. What that owned outside was taken out.
///
/// # Safety
/// As for [`write()`], and `block` holds an entry of shape `old`, which is not read again.
pub(super) unsafe fn rewrite(
    block: NonNull<u8>,
    old: Shape,
    shape: Shape,
    value: Value<'_>,
    expiry: Option<UnixMillis>,
    recency: u32,
) {
    // SAFETY: as the caller promises. The key is moved (the places may overlap) before anything is written around it.
    unsafe {
        if old.key_start != shape.key_start {
            ptr::copy(block.as_ptr().add(old.key_start), block.as_ptr().add(shape.key_start), shape.key_len);
        }
        write_around_key(block, shape, value, expiry, recency);
    }
}

/// # Safety
/// As for [`write()`].
#[inline]
unsafe fn write_around_key(
    block: NonNull<u8>,
    shape: Shape,
    value: Value<'_>,
    expiry: Option<UnixMillis>,
    recency: u32,
) {
    let at = block.as_ptr();
    // SAFETY: all offsets are the shape's, within the block; only `Bytes` and handles need alignment and have it.
    unsafe {
        put(at, (recency << 8 | u32::from(shape.form)).to_le_bytes());
        if let Some(when) = expiry {
            debug_assert!(shape.form & HAS_EXPIRY != 0);
            put(at.add(FIXED), when.0.to_le_bytes());
        }
        let lengths = at.add(lengths_start(shape.form));
        if shape.form & LONG_KEY == 0 {
            put(lengths, [shape.key_len as u8]);
        } else {
            put(lengths, (shape.key_len as u32).to_le_bytes());
        }
        let to = at.add(shape.value_start);
        match value {
            Value::Inline { text, .. } => {
                debug_assert_eq!(text.len(), shape.value_len);
                put_value_len(block, shape);
                ptr::copy_nonoverlapping(text.as_ptr(), to, text.len());
            }
            Value::Int(value) => {
                ptr::copy_nonoverlapping(value.to_le_bytes().as_ptr(), to, shape.value_len);
            }
            Value::Shared(bytes) => to.cast::<Bytes>().write(bytes),
            Value::Collection(value) => {
                put(at.add(shape.key_start - 1), [value.type_name() as u8]);
                match value {
                    data::Value::List(value) => to.cast::<List>().write(value),
                    data::Value::Set(value) => to.cast::<Set>().write(value),
                    data::Value::Zset(value) => to.cast::<Zset>().write(value),
                    data::Value::Hash(value) => to.cast::<Hash>().write(value),
                    data::Value::Stream(value) => to.cast::<Stream>().write(value),
                }
            }
        }
    }
}

/// # Safety
/// `to` has `N` bytes to write to.
#[inline]
unsafe fn put<const N: usize>(to: *mut u8, bytes: [u8; N]) {
    // SAFETY: the caller's promise; arrays of bytes need no alignment.
    unsafe { to.cast::<[u8; N]>().write(bytes) }
}

/// # Safety
/// `block` is being given an entry of this shape, whose value is inline.
#[inline]
unsafe fn put_value_len(block: NonNull<u8>, shape: Shape) {
    // SAFETY: an inline value's length stands right before the key.
    unsafe {
        let before_key = block.as_ptr().add(shape.key_start);
        if shape.form & LONG_VALUE == 0 {
            put(before_key.sub(1), [shape.value_len as u8]);
        } else {
            put(before_key.sub(4), (shape.value_len as u32).to_le_bytes());
        }
    }
}

/// Moves what an entry owns outside its block out of it. The value of the entry is not read again.
///
/// # Safety
/// `block` holds an entry of this shape.
#[inline]
pub(super) unsafe fn take_outside(block: NonNull<u8>, shape: Shape) -> Option<Outside> {
    if !shape.has_outside() {
        return None;
    }
    // SAFETY: of these kinds there is a `Bytes`, or the handle that the byte before the key names, at that offset, aligned.
    Some(unsafe {
        let at = block.as_ptr().add(shape.value_start);
        if shape.form & KIND == SHARED {
            return Some(Outside::Bytes(at.cast::<Bytes>().read()));
        }
        Outside::Value(match block.as_ptr().add(shape.key_start - 1).read() {
            LIST => data::Value::List(at.cast::<List>().read()),
            SET => data::Value::Set(at.cast::<Set>().read()),
            ZSET => data::Value::Zset(at.cast::<Zset>().read()),
            HASH => data::Value::Hash(at.cast::<Hash>().read()),
            _ => data::Value::Stream(at.cast::<Stream>().read()),
        })
    })
}

/// The collection in an entry, to be altered.
///
/// # Safety
/// `block` holds an entry, and nobody else looks at it during `'b`.
pub(super) unsafe fn collection_mut<'b>(block: NonNull<u8>) -> Option<ValueMut<'b>> {
    // SAFETY: the caller's promise.
    let shape = unsafe { EntryRef::new(block) }.shape();
    if shape.form & KIND != COLLECTION {
        return None;
    }
    // SAFETY: of this kind there is the handle that the byte before the key names at that offset, aligned.
    Some(unsafe {
        let at = block.as_ptr().add(shape.value_start);
        match block.as_ptr().add(shape.key_start - 1).read() {
            LIST => ValueMut::List(&mut *at.cast()),
            SET => ValueMut::Set(&mut *at.cast()),
            ZSET => ValueMut::Zset(&mut *at.cast()),
            HASH => ValueMut::Hash(&mut *at.cast()),
            _ => ValueMut::Stream(&mut *at.cast()),
        }
    })
}

/// # Safety
/// `block` holds an entry, and nobody else looks at it.
#[inline]
pub(super) unsafe fn set_recency(block: NonNull<u8>, recency: u32) {
    // SAFETY: the first four bytes are form and recency.
    unsafe {
        let form = block.as_ptr().read();
        put(block.as_ptr(), (recency << 8 | u32::from(form)).to_le_bytes());
    }
}

/// Writes another expiry over the one that is there.
///
/// # Safety
/// `block` holds an entry with an expiry, and nobody else looks at it.
#[inline]
pub(super) unsafe fn overwrite_expiry(block: NonNull<u8>, when: UnixMillis) {
    // SAFETY: an entry with an expiry has it there.
    unsafe { put(block.as_ptr().add(FIXED), when.0.to_le_bytes()) }
}

/// Moves an entry to where it has another expiry; the two blocks may be the same.
///
/// # Safety
/// `from` holds an entry of shape `old` that owns nothing outside; `to` has `new.size()` bytes, and `new` is
/// `old.with_expiry(expiry.is_some())`. What was at `from` is not read again unless it is `to`.
pub(super) unsafe fn relay(from: NonNull<u8>, old: Shape, to: NonNull<u8>, new: Shape, expiry: Option<UnixMillis>) {
    let (start, new_start) = (lengths_start(old.form), lengths_start(new.form));
    // SAFETY: everything behind the expiry moves as it is, and fits, for only the expiry's eight bytes come or go. The
    // places may overlap. The recency is read before it may be overwritten.
    unsafe {
        let recency = EntryRef::new(from).recency();
        ptr::copy(from.as_ptr().add(start), to.as_ptr().add(new_start), old.size() - start);
        put(to.as_ptr(), (recency << 8 | u32::from(new.form)).to_le_bytes());
        if let Some(when) = expiry {
            put(to.as_ptr().add(FIXED), when.0.to_le_bytes());
        }
    }
}

/// Lengthens an inline value in place, with zeros, if its entry has the same layout afterwards and a block of `room`
/// bytes holds it; marks it as edited and gives the text.
///
/// # Safety
/// `block` holds an entry of shape `shape`, has `room` bytes, and nobody else looks at it during `'b`.
pub(super) unsafe fn stretch<'b>(
    block: NonNull<u8>,
    shape: Shape,
    room: usize,
    min_len: usize,
) -> Option<&'b mut [u8]> {
    let len = min_len.max(shape.value_len);
    let is_inline = shape.form & KIND <= EDITED;
    if !is_inline || (len > 255) != (shape.form & LONG_VALUE != 0) || shape.value_start + len > room {
        return None;
    }
    let form = shape.form & !KIND | EDITED;
    // SAFETY: inline forms differ in nothing but the mark, so only the length changes; the text still fits the block.
    unsafe {
        put(block.as_ptr(), [form]);
        put_value_len(block, Shape { form, value_len: len, ..shape });
        let text = block.as_ptr().add(shape.value_start);
        text.add(shape.value_len).write_bytes(0, len - shape.value_len);
        Some(std::slice::from_raw_parts_mut(text, len))
    }
}

/// The shared value, to be replaced in place.
///
/// # Safety
/// `block` holds an entry of shape `shape`, and nobody else looks at it during `'b`.
pub(super) unsafe fn shared_mut<'b>(block: NonNull<u8>, shape: Shape) -> Option<&'b mut Bytes> {
    // SAFETY: of this kind there is a `Bytes` at that offset, aligned.
    (shape.form & KIND == SHARED).then(|| unsafe { &mut *block.as_ptr().add(shape.value_start).cast::<Bytes>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(8))]
    struct Block([u8; 8192]);

    fn block() -> Box<Block> {
        Box::new(Block([0xaa; 8192]))
    }

    fn at(block: &mut Block) -> NonNull<u8> {
        NonNull::from(&mut block.0).cast()
    }

    /// Writes an entry, checks that every field reads back, and gives its size.
    fn round_trip(key: &[u8], new: NewStr<'_>, expiry: Option<i64>) -> usize {
        let expiry = expiry.map(UnixMillis);
        let text = match &new {
            NewStr::Int(value) => value.to_string().into_bytes(),
            NewStr::Text(text) | NewStr::Raw(text) => text.to_vec(),
            NewStr::Shared(bytes) => bytes.to_vec(),
        };
        let mut memory = block();
        let block = at(&mut memory);
        Value::choose(new.into(), |value| {
            let shape = Shape::plan(key.len(), &value, expiry.is_some());
            assert!(shape.size() <= 8192);
            // SAFETY: the block is large enough, aligned, and outlives the reference.
            let entry = unsafe {
                write(block, shape, key, value, expiry, 0x00c0_ffee);
                EntryRef::new(block)
            };
            assert_eq!(entry.shape(), shape);
            assert_eq!(entry.key(), key);
            assert_eq!(entry.string().unwrap().to_vec(), text);
            assert_eq!((entry.expiry(), entry.recency()), (expiry, 0x00c0_ffee));
            // SAFETY: as above; the entry is not read again.
            drop(unsafe { take_outside(block, shape) });
            shape.size()
        })
    }

    #[test]
    fn every_form_reads_back() {
        let long_key = vec![b'k'; 300];
        let long = vec![b'v'; 300];
        for key in [&b""[..], b"k", b"user:00000000001", &long_key] {
            for expiry in [None, Some(0), Some(-5), Some(i64::MAX)] {
                for value in [0, 127, -128, 128, -32768, 40000, i64::from(i32::MIN), i64::MAX, i64::MIN] {
                    round_trip(key, NewStr::Int(value), expiry);
                    round_trip(key, NewStr::Text(value.to_string().as_bytes()), expiry);
                }
                for text in [&b""[..], b"abc", &long[..255], &long[..256], &long] {
                    round_trip(key, NewStr::Text(text), expiry);
                    round_trip(key, NewStr::Raw(text), expiry);
                    round_trip(key, NewStr::Shared(Bytes::copy_from_slice(text)), expiry);
                }
                round_trip(key, NewStr::Text(&[b'x'; INLINE_VALUE_MAX + 1]), expiry);
                round_trip(key, NewStr::Shared(Bytes::from(vec![1; 100_000])), expiry);
            }
        }
    }

    #[test]
    fn common_entries_have_the_sizes_that_were_promised() {
        let key = b"user:00000000001";
        assert_eq!(round_trip(key, NewStr::Text(b"abc"), None), 25);
        assert_eq!(round_trip(key, NewStr::Text(b"sixteen bytes..."), None), 38);
        assert_eq!(round_trip(key, NewStr::Text(b"sixteen bytes..."), Some(1)), 46);
        assert_eq!(round_trip(key, NewStr::Text(b"123"), None), 22);
    }

    #[test]
    fn rewriting_keeps_the_key_wherever_it_moves() {
        let key = b"some key";
        let mut memory = block();
        let block = at(&mut memory);
        let texts: [&[u8]; 4] = [b"17", b"hello", &[b'y'; 400], &[b'z'; 5000]];
        let mut old: Option<Shape> = None;
        for (round, expiry) in [(0, None), (1, Some(9)), (2, None), (3, Some(3))] {
            for (i, text) in texts.iter().enumerate() {
                let expiry = expiry.map(UnixMillis);
                Value::choose(NewStr::Text(text).into(), |value| {
                    let shape = Shape::plan(key.len(), &value, expiry.is_some());
                    // SAFETY: the block is large enough for all of these, and holds an entry of the shape remembered.
                    let shared = unsafe {
                        match old {
                            None => {
                                write(block, shape, key, value, expiry, 0);
                                None
                            }
                            Some(old) => {
                                let taken = take_outside(block, old);
                                rewrite(block, old, shape, value, expiry, 0);
                                taken
                            }
                        }
                    };
                    assert_eq!(shared.is_some(), i == 0 && round > 0, "the shared value comes out once");
                    old = Some(shape);
                });
                // SAFETY: the entry was just written.
                let entry = unsafe { EntryRef::new(block) };
                assert_eq!(
                    (entry.key(), entry.string().unwrap().to_vec(), entry.expiry()),
                    (&key[..], text.to_vec(), expiry)
                );
            }
        }
        // SAFETY: the last entry holds a shared value, read for the last time.
        drop(unsafe { take_outside(block, old.unwrap()) });
    }

    #[test]
    fn a_value_stretches_within_its_block_and_length_width() {
        let mut memory = block();
        let block = at(&mut memory);
        Value::choose(NewStr::Text(b"abc").into(), |value| {
            let shape = Shape::plan(1, &value, false);
            // SAFETY: the block is large enough, and nobody else looks at it.
            unsafe {
                write(block, shape, b"k", value, None, 1);
                assert!(stretch(block, shape, 16, 300).is_none());
                assert!(stretch(block, shape, shape.size(), 4).is_none());
                assert_eq!(stretch(block, shape, 16, 5).unwrap(), b"abc\0\0");
                let entry = EntryRef::new(block);
                assert!(entry.is_edited() && entry.string().unwrap().len() == 5 && entry.recency() == 1);
            }
        });
    }
}
