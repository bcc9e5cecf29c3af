//! LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]: the longest common subsequence of two strings.
//!
//! Reply:   bulk string, the subsequence; with LEN its length; with IDX a map of `matches` (where its pieces lie in both
//!          strings, from the last to the first) and `len`.
//! Errors:  syntax error; a key of another type; LEN together with IDX; strings too long for the table.
//!
//! The textbook table of lengths, `L[i][j]` for the first `i` bytes of one string and `j` of the other, needs four bytes
//! a cell. Only the way back through it is needed in the end, and that is one bit a cell: when the bytes differ, whether
//! `L[i-1][j] > L[i][j-1]`. So two rows of lengths and a bit map are kept, a thirtieth of the memory. Which of several
//! longest subsequences is found, and the bound on the size, are Redis's.

use super::value::text_of;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::Str;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "lcs",
        group: Group::String,
        since: "7.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::STRING,
        keys: &[KeySpec::range(1, 1, 1, Access::RO.and(Access::ACCESS))],
        summary: "Finds the longest common subsequence of the strings at two keys.",
        complexity: "O(N*M), N and M being the two lengths",
        args: &[
            Arg::key("key1", 0),
            Arg::key("key2", 0),
            Arg::token("len", "LEN").optional(),
            Arg::token("idx", "IDX").optional(),
            Arg::new("min-match-len", ArgKind::Integer).after("MINMATCHLEN").optional(),
            Arg::token("withmatchlen", "WITHMATCHLEN").optional(),
        ],
        ..Meta::NEW
    },
    handler: lcs,
};

#[derive(Default)]
struct Options {
    is_len: bool,
    is_idx: bool,
    is_withmatchlen: bool,
    minmatchlen: i64,
}

fn parse(args: &Args<'_>) -> Result<Options, CommandError> {
    let mut options = Options::default();
    let mut words = args.from(3);
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"IDX") {
            options.is_idx = true;
        } else if word.eq_ignore_ascii_case(b"LEN") {
            options.is_len = true;
        } else if word.eq_ignore_ascii_case(b"WITHMATCHLEN") {
            options.is_withmatchlen = true;
        } else if word.eq_ignore_ascii_case(b"MINMATCHLEN") {
            let length = words.next().ok_or(CommandError::Syntax)?;
            options.minmatchlen = parse_i64(length).ok_or(CommandError::NotInteger)?.max(0);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if options.is_len && options.is_idx {
        return Err(CommandError::err("If you want both the length and indexes, please just use IDX."));
    }
    Ok(options)
}

fn lcs(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let not_strings = || CommandError::err("The specified keys must contain string values");
    let a = ctx.db.read::<Str>(args.get(1)).map(|value| value.map(text_of));
    let b = ctx.db.read::<Str>(args.get(2)).map(|value| value.map(text_of));
    let (Ok(a), Ok(b)) = (a, b) else { return Err(not_strings().into()) };
    let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
    let options = parse(args)?;
    check_size(a.len(), b.len(), ctx.settings.string_bytes_max)?;

    let table = Table::of(&a, &b);
    if options.is_len {
        ctx.reply.int(i64::from(table.length));
    } else if options.is_idx {
        let mut pieces = table.pieces(&a, &b);
        pieces.retain(|piece| i64::from(piece.length) >= options.minmatchlen);
        ctx.reply.map(2);
        ctx.reply.bulk(b"matches");
        ctx.reply.array(pieces.len());
        for piece in pieces {
            ctx.reply.array(if options.is_withmatchlen { 3 } else { 2 });
            for start in [piece.a, piece.b] {
                ctx.reply.array(2);
                ctx.reply.int(start as i64);
                ctx.reply.int(start as i64 + i64::from(piece.length) - 1);
            }
            if options.is_withmatchlen {
                ctx.reply.int(i64::from(piece.length));
            }
        }
        ctx.reply.bulk(b"len");
        ctx.reply.int(i64::from(table.length));
    } else {
        ctx.reply.bulk(&table.subsequence(&a, &b));
    }
    Ok(Outcome::Done)
}

/// Refuses strings for which Redis's table, at four bytes a cell, would be larger than the largest string.
fn check_size(a: usize, b: usize, bytes_max: u64) -> Result<(), CommandError> {
    if a.max(b) >= u32::MAX as usize - 1 {
        return Err(CommandError::err("String too long for LCS"));
    }
    let cells = (a as u128 + 1) * (b as u128 + 1);
    if cells * 4 > u128::from(bytes_max) {
        return Err(CommandError::err("Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"));
    }
    Ok(())
}

/// The way back through the table of lengths.
struct Table {
    /// One bit for each pair of bytes, row by row: whether dropping the byte of `a` keeps more than dropping that of `b`.
    up: Vec<u64>,
    width: usize,
    length: u32,
}

/// A run of bytes that both strings share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    a: usize,
    b: usize,
    length: u32,
}

impl Table {
    fn of(a: &[u8], b: &[u8]) -> Table {
        let mut up = vec![0u64; (a.len() * b.len()).div_ceil(64)];
        let mut row = vec![0u32; b.len() + 1];
        for (i, byte) in a.iter().enumerate() {
            // Before cell (i, j) is written, row[j] is the cell above it and `diagonal` the one above row[j - 1].
            let mut diagonal = 0;
            for (j, other) in b.iter().enumerate() {
                let above = row[j + 1];
                if byte == other {
                    row[j + 1] = diagonal + 1;
                } else if above > row[j] {
                    let cell = i * b.len() + j;
                    up[cell / 64] |= 1 << (cell % 64);
                } else {
                    row[j + 1] = row[j];
                }
                diagonal = above;
            }
        }
        Table { up, width: b.len(), length: row[b.len()] }
    }

    /// Visits the pairs of offsets that make up the subsequence, from the last to the first.
    fn walk_back(&self, a: &[u8], b: &[u8], mut visit: impl FnMut(usize, usize)) {
        let (mut i, mut j) = (a.len(), b.len());
        while i > 0 && j > 0 {
            let cell = (i - 1) * self.width + (j - 1);
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                visit(i, j);
            } else if self.up[cell / 64] >> (cell % 64) & 1 == 1 {
                i -= 1;
            } else {
                j -= 1;
            }
        }
    }

    fn subsequence(&self, a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length as usize);
        self.walk_back(a, b, |i, _| bytes.push(a[i]));
        bytes.reverse();
        bytes
    }

    fn pieces(&self, a: &[u8], b: &[u8]) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        self.walk_back(a, b, |i, j| match pieces.last_mut() {
            Some(piece) if piece.a == i + 1 && piece.b == j + 1 => {
                *piece = Piece { a: i, b: j, length: piece.length + 1 };
            }
            _ => pieces.push(Piece { a: i, b: j, length: 1 }),
        });
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::transcript;

    #[test]
    fn the_subsequence_its_length_and_its_pieces() {
        transcript(
            "
            > MSET a ohmytext b mynewtext
            +OK
            > LCS a b
            $mytext
            > LCS a b LEN
            :6
            > LCS a b IDX
            *4
            $matches
            *2
            *2
            *2
            :4
            :7
            *2
            :5
            :8
            *2
            *2
            :2
            :3
            *2
            :0
            :1
            $len
            :6
            > LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
            *4
            $matches
            *1
            *3
            *2
            :4
            :7
            *2
            :5
            :8
            :4
            $len
            :6
            > LCS a missing
            $
            ",
        )
        .propagates(&["MSET a ohmytext b mynewtext"]);
    }

    #[test]
    fn resp3_has_a_map() {
        transcript(
            "
            @resp3
            > LCS a b IDX
            %2
            $matches
            *0
            $len
            :0
            ",
        );
    }

    #[test]
    fn wrong_options_are_refused() {
        transcript(
            "
            > LCS a b LEN IDX
            -ERR If you want both the length and indexes, please just use IDX.
            > LCS a b MINMATCHLEN
            -ERR syntax error
            > LCS a b MINMATCHLEN x
            -ERR value is not an integer or out of range
            > LCS a b FOO
            -ERR syntax error
            ",
        );
    }

    #[test]
    fn strings_whose_table_would_be_too_large_are_refused() {
        assert_eq!(check_size(9, 9, 400), Ok(()));
        assert!(check_size(9, 10, 400).unwrap_err().to_string().contains("transient memory"));
        assert!(check_size(u32::MAX as usize, 0, u64::MAX).unwrap_err().to_string().contains("too long"));
    }

    #[test]
    fn numbers_take_part_as_they_print() {
        let table = Table::of(b"12345", b"2468");
        assert_eq!(table.subsequence(b"12345", b"2468"), b"24");
        assert_eq!(table.pieces(b"12345", b"2468"), [Piece { a: 3, b: 1, length: 1 }, Piece { a: 1, b: 0, length: 1 }]);
    }
}
