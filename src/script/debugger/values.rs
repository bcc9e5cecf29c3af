//! Replies of commands as people read them.

use crate::base::number::parse_i64;
use crate::base::quote::quoted;

/// One whole reply. They come from our own commands.
pub(super) fn readable(mut reply: &[u8]) -> String {
    let mut text = String::new();
    read(&mut reply, &mut text);
    text
}

fn read(rest: &mut &[u8], text: &mut String) {
    let end = memchr::memchr(b'\r', rest).unwrap_or(rest.len());
    let line = &rest[..end];
    *rest = rest.get(end + 2..).unwrap_or_default();
    let Some((kind, line)) = line.split_first() else { return };
    let shown = String::from_utf8_lossy(line);
    let count = parse_i64(line).unwrap_or(-1);
    match kind {
        b'$' | b'*' if count < 0 => text.push_str("NULL"),
        b'+' | b'-' => text.push_str(&quoted(&[&[*kind], line].concat())),
        b'$' | b'=' => {
            let (bytes, after) = rest.split_at((count.max(0) as usize).min(rest.len()));
            text.push_str(&quoted(bytes));
            *rest = after.get(2..).unwrap_or_default();
        }
        b'*' | b'>' => several(rest, text, count, ("[", "]"), None),
        b'~' => several(rest, text, count, ("~(", ")"), None),
        b'%' => several(rest, text, count, ("{", "}"), Some(" => ")),
        b'_' => text.push_str("(null)"),
        b'#' => text.push_str(if line == b"t" { "#true" } else { "#false" }),
        b',' => text.push_str(&format!("(double) {shown}")),
        _ => text.push_str(&shown),
    }
}

fn several(rest: &mut &[u8], text: &mut String, count: i64, around: (&str, &str), between: Option<&str>) {
    text.push_str(around.0);
    for index in 0..count {
        if index > 0 {
            text.push(',');
        }
        read(rest, text);
        if let Some(between) = between {
            text.push_str(between);
            read(rest, text);
        }
    }
    text.push_str(around.1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_every_kind_are_shown() {
        for (reply, text) in [
            (&b":7\r\n"[..], "7"),
            (b"+OK\r\n", "\"+OK\""),
            (b"-ERR no\r\n", "\"-ERR no\""),
            (b"$-1\r\n", "NULL"),
            (b"*-1\r\n", "NULL"),
            (b"$3\r\na\"b\r\n", "\"a\\\"b\""),
            (b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", "[1,[\"x\"]]"),
            (b"%1\r\n+k\r\n~1\r\n#t\r\n", "{\"+k\" => ~(#true)}"),
            (b"_\r\n", "(null)"),
            (b",1.5\r\n", "(double) 1.5"),
            (b"", ""),
        ] {
            assert_eq!(readable(reply), text);
        }
    }
}
