//! BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY type offset increment ...]:
//! reads and writes integers of any width at any bit of a string.
//!
//! Reply:   array, one integer for each GET (the value), SET (the old value) and INCRBY (the new value); null where
//!          OVERFLOW FAIL forbade it.
//! Errors:  syntax error; Invalid bitfield type; bit offset is not an integer or out of range; not an integer;
//!          Invalid OVERFLOW type specified; WRONGTYPE. All are found before anything is done.
//!
//! OVERFLOW holds for the operations behind it. The string grows to the end of the furthest field that is written to.
//!
//! The operations work on the string as it is and on a list of bytes that differ. So it is known at the end whether
//! anything changed, and if not, nothing is touched: no event, nothing for replicas, and no key is made.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::args::field_offset;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::bits::{FIELD_SPAN, FieldType, Overflow};
use crate::data::string::{IntText, Str};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::spec::keys::{KeyAt, KeyList};
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The arguments of every operation.
pub(super) const TYPE_AND_OFFSET: [Arg; 2] =
    [Arg::new("encoding", ArgKind::String), Arg::new("offset", ArgKind::Integer)];

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "bitfield",
        group: Group::Bitmap,
        since: "3.2.0",
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::BITMAP,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE).and(Access::ACCESS)).variable()],
        keys_by: Some(keys),
        summary: "Reads and writes integers of any width at any bit of a string.",
        complexity: "O(1) for each operation",
        args: &[
            Arg::key("key", 0),
            Arg::one_of(
                "operation",
                &[
                    Arg::block("get-block", &TYPE_AND_OFFSET).after("GET"),
                    Arg::block(
                        "write",
                        &[
                            Arg::one_of(
                                "overflow-block",
                                &[Arg::token("wrap", "WRAP"), Arg::token("sat", "SAT"), Arg::token("fail", "FAIL")],
                            )
                            .after("OVERFLOW")
                            .optional(),
                            Arg::one_of(
                                "write-operation",
                                &[
                                    Arg::block(
                                        "set-block",
                                        &[
                                            Arg::new("encoding", ArgKind::String),
                                            Arg::new("offset", ArgKind::Integer),
                                            Arg::new("value", ArgKind::Integer),
                                        ],
                                    )
                                    .after("SET"),
                                    Arg::block(
                                        "incrby-block",
                                        &[
                                            Arg::new("encoding", ArgKind::String),
                                            Arg::new("offset", ArgKind::Integer),
                                            Arg::new("increment", ArgKind::Integer),
                                        ],
                                    )
                                    .after("INCRBY"),
                                ],
                            ),
                        ],
                    ),
                ],
            )
            .optional()
            .multiple(),
        ],
        ..Meta::NEW
    },
    handler: bitfield,
};

/// The key is only read when nothing but GET is asked for.
fn keys(args: &Args<'_>) -> Option<KeyList> {
    let (mut index, mut is_readonly) = (2, true);
    while index < args.len() && is_readonly {
        let left = args.len() - index - 1;
        if args.is(index, "get") && left >= 2 {
            index += 3;
        } else if args.is(index, "overflow") && left >= 1 {
            index += 2;
        } else {
            is_readonly = false;
        }
    }
    let access = if is_readonly { Access::RO } else { Access::RW.and(Access::UPDATE) };
    Some(KeyList::from_iter([KeyAt { index: 1, access: access.and(Access::ACCESS) }]))
}

/// What to do with one field.
#[derive(Clone, Copy)]
enum Verb {
    Get,
    Set(i64),
    IncrBy(i64),
}

struct Operation {
    verb: Verb,
    field: FieldType,
    /// In bits.
    offset: u64,
    overflow: Overflow,
}

/// The operations of one call, read and checked.
pub(super) struct Program {
    operations: SmallVec<[Operation; 4]>,
    /// Bytes that the string needs for all fields that are written to; zero when none is.
    length: usize,
}

impl Program {
    /// Whether it writes.
    pub fn writes(&self) -> bool {
        self.length > 0
    }

    /// Reads the words after the key.
    pub fn parse(ctx: &DataCtx<'_>, args: &Args<'_>) -> Result<Program, CommandError> {
        let mut program = Program { operations: SmallVec::new(), length: 0 };
        let mut overflow = Overflow::Wrap;
        let mut index = 2;
        while index < args.len() {
            let left = args.len() - index - 1;
            let words = match () {
                _ if args.is(index, "get") && left >= 2 => 2,
                _ if (args.is(index, "set") || args.is(index, "incrby")) && left >= 3 => 3,
                _ if args.is(index, "overflow") && left >= 1 => {
                    overflow = overflow_named(args.get(index + 1))?;
                    index += 2;
                    continue;
                }
                _ => return Err(CommandError::Syntax),
            };
            let field = field_type(args.get(index + 1))?;
            let offset = field_offset(ctx, args.get(index + 2), field.bits())?;
            let verb = match words {
                2 => Verb::Get,
                _ => {
                    let number = parse_i64(args.get(index + 3)).ok_or(CommandError::NotInteger)?;
                    let end = (offset + u64::from(field.bits())).div_ceil(8) as usize;
                    program.length = program.length.max(end);
                    if args.is(index, "set") { Verb::Set(number) } else { Verb::IncrBy(number) }
                }
            };
            program.operations.push(Operation { verb, field, offset, overflow });
            index += words + 1;
        }
        Ok(program)
    }

    /// Does what is asked for on `text`; gives the bytes that change and whether any write took effect.
    pub fn run(&self, text: &[u8], reply: &mut Reply<'_>) -> (Patch, bool) {
        let mut patch = Patch::default();
        let (mut has_changed, grows) = (false, self.length > text.len());
        reply.array(self.operations.len());
        for operation in &self.operations {
            let (byte, shift) = (operation.offset >> 3, (operation.offset & 7) as u32);
            let mut window = patch.window(text, byte);
            let (field, old) = (operation.field, operation.field.read(window, shift));
            let (new, answer) = match operation.verb {
                Verb::Get => {
                    reply.int(old);
                    continue;
                }
                Verb::Set(value) => (field.fit(value, operation.overflow), Some(old)),
                Verb::IncrBy(increment) => {
                    let sum = field.add(old, increment, operation.overflow);
                    (sum, sum)
                }
            };
            match (new, answer) {
                (Some(new), Some(answer)) => {
                    reply.int(answer);
                    has_changed |= grows || new != old;
                    field.write(&mut window, shift, new);
                    patch.record(text, byte, window);
                }
                _ => reply.null(),
            }
        }
        (patch, has_changed)
    }
}

fn overflow_named(word: &[u8]) -> Result<Overflow, CommandError> {
    match word {
        _ if word.eq_ignore_ascii_case(b"WRAP") => Ok(Overflow::Wrap),
        _ if word.eq_ignore_ascii_case(b"SAT") => Ok(Overflow::Saturate),
        _ if word.eq_ignore_ascii_case(b"FAIL") => Ok(Overflow::Fail),
        _ => Err(CommandError::err("Invalid OVERFLOW type specified")),
    }
}

/// `i8`, `u63`: lower case only.
fn field_type(word: &[u8]) -> Result<FieldType, CommandError> {
    let (is_signed, bits) = match word {
        [b'i', bits @ ..] => (true, bits),
        [b'u', bits @ ..] => (false, bits),
        _ => (true, &b""[..]),
    };
    parse_i64(bits).and_then(|bits| FieldType::new(is_signed, bits)).ok_or_else(|| {
        CommandError::err(
            "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        )
    })
}

/// Bytes that differ from the text they belong to.
#[derive(Default)]
pub(super) struct Patch {
    bytes: BTreeMap<u64, u8>,
}

impl Patch {
    /// The bytes from `start` on as they are now, zeros behind the end.
    fn window(&self, text: &[u8], start: u64) -> [u8; FIELD_SPAN] {
        let mut window = [0; FIELD_SPAN];
        let tail = usize::try_from(start).ok().and_then(|start| text.get(start..)).unwrap_or(&[]);
        let present = tail.len().min(FIELD_SPAN);
        window[..present].copy_from_slice(&tail[..present]);
        for (at, byte) in self.bytes.range(start..start + FIELD_SPAN as u64) {
            window[(at - start) as usize] = *byte;
        }
        window
    }

    /// Notes what a window has become.
    fn record(&mut self, text: &[u8], start: u64, window: [u8; FIELD_SPAN]) {
        let before = self.window(text, start);
        for (index, byte) in window.into_iter().enumerate().filter(|(index, byte)| before[*index] != *byte) {
            self.bytes.insert(start + index as u64, byte);
        }
    }

    /// Puts the bytes into the text, which is long enough by now.
    pub fn apply(&self, text: &mut [u8]) {
        for (at, byte) in &self.bytes {
            text[*at as usize] = *byte;
        }
    }
}

fn bitfield(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let program = Program::parse(ctx, args)?;
    let key = args.get(1);
    if !program.writes() {
        return read_only(ctx, key, &program);
    }
    let mut room = IntText::new();
    let value = ctx.db.peek::<Str>(key)?;
    let text = value.as_ref().map_or(&b""[..], |value| value.as_bytes(&mut room));
    let (patch, has_changed) = program.run(text, &mut ctx.reply);
    if has_changed {
        ctx.db.edit_bytes(key, program.length, Event::SETBIT, |text| patch.apply(text))?;
    }
    Ok(Outcome::Done)
}

/// Runs a program of nothing but GET.
pub(super) fn read_only(ctx: &mut DataCtx<'_>, key: &[u8], program: &Program) -> CommandResult {
    let mut room = IntText::new();
    let value = ctx.db.read::<Str>(key)?;
    program.run(value.as_ref().map_or(&b""[..], |value| value.as_bytes(&mut room)), &mut ctx.reply);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn fields_are_written_read_and_counted_up() {
        transcript(
            r#"
            > BITFIELD k SET i8 0 -100 SET i8 8 101
            *2
            :0
            :0
            > BITFIELD k SET i8 0 101 GET i8 0 get u8 #1
            *3
            :-100
            :101
            :101
            > BITFIELD k INCRBY i5 100 1 GET u4 0
            *2
            :1
            :6
            > STRLEN k
            :14
            > BITFIELD k
            *0
            > BITFIELD k GET u63 900
            *1
            :0
            "#,
        )
        .propagates(&[
            "BITFIELD k SET i8 0 -100 SET i8 8 101",
            "BITFIELD k SET i8 0 101 GET i8 0 get u8 #1",
            "BITFIELD k INCRBY i5 100 1 GET u4 0",
        ])
        .notifies(&["setbit k", "setbit k", "setbit k"]);
    }

    #[test]
    fn overflow_holds_for_what_follows_it() {
        transcript(
            "
            > BITFIELD k SET u2 0 3 INCRBY u2 0 1 SET u2 0 3 OVERFLOW SAT INCRBY u2 0 1 OVERFLOW FAIL INCRBY u2 0 1 GET u2 0
            *6
            :0
            :0
            :0
            :3
            nil
            :3
            > BITFIELD k overflow sat INCRBY i64 64 9223372036854775807 INCRBY i64 64 1 OVERFLOW WRAP INCRBY i64 64 1
            *3
            :9223372036854775807
            :9223372036854775807
            :-9223372036854775808
            ",
        );
    }

    #[test]
    fn what_changes_nothing_leaves_nothing_behind() {
        transcript(
            "
            > BITFIELD k OVERFLOW FAIL INCRBY u1 0 5
            *1
            nil
            > EXISTS k
            :0
            > BITFIELD k SET u8 0 0
            *1
            :0
            > BITFIELD k SET u8 0 0 INCRBY u4 2 0
            *2
            :0
            :0
            > STRLEN k
            :1
            ",
        )
        .propagates(&["BITFIELD k SET u8 0 0"])
        .notifies(&["setbit k"]);
    }

    #[test]
    fn null_is_null_in_both_protocols() {
        transcript(
            "
            @resp3
            > BITFIELD k OVERFLOW FAIL SET u1 0 2
            *1
            _
            ",
        );
    }

    #[test]
    fn everything_is_checked_before_anything_is_done() {
        transcript(
            "
            > BITFIELD k SET u8 0 1 GET u64 0
            -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
            > BITFIELD k SET U8 0 1
            -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
            > BITFIELD k GET i65 0
            -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
            > BITFIELD k GET i 0
            -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
            > BITFIELD k SET u8 0 1 GET u8 -1
            -ERR bit offset is not an integer or out of range
            > BITFIELD k GET u8 #536870912
            -ERR bit offset is not an integer or out of range
            > BITFIELD k GET u8 #9223372036854775807
            -ERR bit offset is not an integer or out of range
            > BITFIELD k SET u8 0 x
            -ERR value is not an integer or out of range
            > BITFIELD k OVERFLOW CLIP
            -ERR Invalid OVERFLOW type specified
            > BITFIELD k SET u8 0
            -ERR syntax error
            > BITFIELD k PUT u8 0 1
            -ERR syntax error
            > EXISTS k
            :0
            ",
        )
        .propagates(&[]);
    }

    #[test]
    fn only_reading_needs_only_the_right_to_read() {
        use crate::resp::args::OwnedArgs;
        use crate::spec::keys::keys_of;
        let words = |words: &[&[u8]]| {
            let keys = keys_of(&super::SPEC.meta, &OwnedArgs::of(words).as_args()).unwrap();
            keys[0].access.words().collect::<Vec<_>>()
        };
        assert_eq!(words(&[b"bitfield", b"k", b"get", b"u8", b"0", b"overflow", b"sat"]), ["RO", "access"]);
        assert_eq!(words(&[b"bitfield", b"k", b"get", b"u8", b"0", b"set"]), ["RW", "access", "update"]);
    }
}
