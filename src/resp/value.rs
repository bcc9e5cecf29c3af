//! A reply as a tree: what a peer answered, once all of it has arrived.
//!
//! Handlers never build one (they write straight to their client); links to other servers do, because what they need is
//! to look at an answer, not to pass it on.

use bytes::Bytes;

/// One reply of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `+text`.
    Simple(Bytes),
    /// `-text`, without the minus sign.
    Error(Bytes),
    /// `:number`.
    Int(i64),
    /// `$length`, then bytes.
    Bulk(Bytes),
    /// `$-1`, `*-1` or `_`.
    Null,
    /// `*count`, then so many values.
    Array(Vec<Value>),
    /// `%count`, then so many pairs (RESP3).
    Map(Vec<(Value, Value)>),
    /// `~count`, then so many values (RESP3).
    Set(Vec<Value>),
    /// `>count`, then so many values: a message that answers no request (RESP3).
    Push(Vec<Value>),
    /// `#t` or `#f` (RESP3).
    Bool(bool),
    /// `,number`, as its text (RESP3).
    Double(Bytes),
    /// `(digits` (RESP3).
    BigNumber(Bytes),
    /// `=length`, then a format of three characters, a colon and the text (RESP3).
    Verbatim([u8; 3], Bytes),
}

impl Value {
    /// A bulk string, for tests and simulations.
    pub fn bulk(text: &str) -> Value {
        Value::Bulk(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// `+OK`.
    pub fn ok() -> Value {
        Value::Simple(Bytes::from_static(b"OK"))
    }

    /// The text of a value that is text: a simple string, an error, a bulk or verbatim string, a double, a big number.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Value::Simple(text) | Value::Error(text) | Value::Bulk(text) | Value::Verbatim(_, text) => Some(text),
            Value::Double(text) | Value::BigNumber(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the peer refused.
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_))
    }

    /// The elements of an array, a set or a push message.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => Some(items),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_items_are_found_where_they_are() {
        assert_eq!(Value::ok().text(), Some(&b"OK"[..]));
        assert_eq!(Value::Int(1).text(), None);
        assert_eq!(Value::Array(vec![Value::Null]).items().map(<[Value]>::len), Some(1));
        assert!(Value::Error(Bytes::from_static(b"ERR x")).is_error() && !Value::bulk("x").is_error());
    }
}
