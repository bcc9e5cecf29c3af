//! A published message in its wire forms.

use std::cell::OnceCell;

use bytes::{BufMut, Bytes, BytesMut};

use crate::resp::reply::Proto;

/// What a subscriber receives: an array of three or four bulk strings, which in RESP3 is a push.
pub struct Message<'a> {
    parts: [&'a [u8]; 4],
    len: usize,
    encoded: [OnceCell<Bytes>; 2],
}

impl<'a> Message<'a> {
    fn new(parts: [&'a [u8]; 4], len: usize) -> Message<'a> {
        Message { parts, len, encoded: [OnceCell::new(), OnceCell::new()] }
    }

    /// To the subscribers of a channel.
    pub fn channel(channel: &'a [u8], payload: &'a [u8]) -> Message<'a> {
        Message::new([b"message", channel, payload, b""], 3)
    }

    /// To the subscribers of a pattern.
    pub fn pattern(pattern: &'a [u8], channel: &'a [u8], payload: &'a [u8]) -> Message<'a> {
        Message::new([b"pmessage", pattern, channel, payload], 4)
    }

    /// To the subscribers of a shard channel.
    pub fn shard(channel: &'a [u8], payload: &'a [u8]) -> Message<'a> {
        Message::new([b"smessage", channel, payload, b""], 3)
    }

    /// Its bytes for clients of this protocol, encoded on first use.
    pub fn encoded(&self, proto: Proto) -> &Bytes {
        let (slot, kind) = match proto {
            Proto::Resp2 => (0, b'*'),
            Proto::Resp3 => (1, b'>'),
        };
        self.encoded[slot].get_or_init(|| self.encode(kind))
    }

    fn encode(&self, kind: u8) -> Bytes {
        let parts = &self.parts[..self.len];
        let mut out = BytesMut::with_capacity(8 + parts.iter().map(|part| part.len() + 16).sum::<usize>());
        let mut digits = itoa::Buffer::new();
        let mut header = |out: &mut BytesMut, kind: u8, n: usize| {
            out.put_u8(kind);
            out.put_slice(digits.format(n).as_bytes());
            out.put_slice(b"\r\n");
        };
        header(&mut out, kind, parts.len());
        for part in parts {
            header(&mut out, b'$', part.len());
            out.put_slice(part);
            out.put_slice(b"\r\n");
        }
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_an_array_in_resp2_and_a_push_in_resp3() {
        let message = Message::channel(b"c", b"hi");
        assert_eq!(message.encoded(Proto::Resp2), &b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"[..]);
        assert_eq!(message.encoded(Proto::Resp3), &b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"[..]);
    }

    #[test]
    fn a_pattern_message_names_the_pattern_first() {
        let message = Message::pattern(b"c*", b"cc", b"");
        assert_eq!(message.encoded(Proto::Resp2), &b"*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\ncc\r\n$0\r\n\r\n"[..]);
    }
}
