//! What both servers are asked, and which difference between their answers is none.

use crate::client::Value;

/// How far apart two moments may be, in milliseconds, that the two servers derived from their own clocks.
pub const CLOCK_TOLERANCE_MS: i64 = 10_000;

/// Whether two replies to a command that are not equal mean the same.
pub type Judge = fn(&[Vec<u8>], &Value, &Value) -> bool;

/// One command.
#[derive(Clone)]
pub struct Question {
    pub words: Vec<Vec<u8>>,
    pub judge: Judge,
}

impl Question {
    /// Whose replies must be equal.
    pub fn exact<W: Into<Vec<u8>>>(words: impl IntoIterator<Item = W>) -> Question {
        Question::judged(words, |_, _, _| false)
    }

    pub fn judged<W: Into<Vec<u8>>>(words: impl IntoIterator<Item = W>, judge: Judge) -> Question {
        Question { words: words.into_iter().map(Into::into).collect(), judge }
    }

    pub fn is_alike(&self, ours: &Value, stock: &Value) -> bool {
        ours == stock || (self.judge)(&self.words, ours, stock)
    }
}

/// Somebody who thinks of commands.
pub trait Source {
    /// The next ones, to be asked one behind the other.
    fn draw(&mut self) -> Vec<Question>;
}

/// Forgives what two clocks explain: moments and times to live.
pub fn roughly(_: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    match (ours, stock) {
        (Value::Int(a), Value::Int(b)) => *a > 0 && *b > 0 && a.abs_diff(*b) < CLOCK_TOLERANCE_MS as u64,
        _ => false,
    }
}

/// Forgives version and checksum at the end of what DUMP returns, and how well a long string was compressed.
pub fn same_content(_: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    const FOOTER: usize = 10;
    const COMPRESSED: &[u8] = b"\x00\xc3";
    match (ours, stock) {
        (Value::Bulk(a), Value::Bulk(b)) if a.starts_with(COMPRESSED) => b.starts_with(COMPRESSED),
        (Value::Bulk(a), Value::Bulk(b)) => {
            a.len() == b.len() && a.len() > FOOTER && a[..a.len() - FOOTER] == b[..b.len() - FOOTER]
        }
        _ => false,
    }
}

/// Forgives the order of names, which is nobody's promise.
pub fn in_any_order(_: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    match (ours, stock) {
        (Value::Many(_, a), Value::Many(_, b)) => {
            let (mut a, mut b) = (a.clone(), b.clone());
            a.sort();
            b.sort();
            a == b
        }
        _ => false,
    }
}

/// Forgives the order of pairs, as in HGETALL.
pub fn pairs_in_any_order(_: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    match (ours, stock) {
        (Value::Many(_, a), Value::Many(_, b)) if a.len() % 2 == 0 && a.len() == b.len() => {
            let sorted = |parts: &[Value]| {
                let mut pairs: Vec<Vec<Value>> = parts.chunks(2).map(<[Value]>::to_vec).collect();
                pairs.sort();
                pairs
            };
            sorted(a) == sorted(b)
        }
        _ => false,
    }
}

/// The same for what SCAN and its relatives answer: a cursor and a list.
pub fn walk_in_any_order(words: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    walk(words, ours, stock, in_any_order)
}

/// A walk over pairs.
pub fn walk_of_pairs_in_any_order(words: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    walk(words, ours, stock, pairs_in_any_order)
}

fn walk(words: &[Vec<u8>], ours: &Value, stock: &Value, judge: Judge) -> bool {
    match (ours, stock) {
        (Value::Many(_, ours), Value::Many(_, stock)) if ours.len() == 2 && stock.len() == 2 => {
            ours[0] == stock[0] && (ours[1] == stock[1] || judge(words, &ours[1], &stock[1]))
        }
        _ => false,
    }
}
