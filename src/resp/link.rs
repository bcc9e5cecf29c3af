//! The client's side of a connection to another server, without the connection.
//!
//! Commands are pipelined; replies come back in the order of the commands, and [`Link`] remembers for each command a tag
//! that its caller chose, to say what is being answered. Bytes are the caller's business: commands are appended to an
//! output, replies are taken from an input, one at a time, so that the caller may stop after one of them and treat what
//! follows as something else (a master's snapshot).
//!
//! Published messages arrive between the replies. RESP3 marks them; in RESP2 they are arrays like others, told apart by
//! their first word, which is safe because a subscribed RESP2 connection accepts hardly any other command. A subscription
//! is confirmed once per channel:
//!
//! ```text
//!  → SUBSCRIBE a b   (tag 1)   PING (tag 2)
//!  ← [subscribe a 1]           nothing yet
//!  ← [message a hi]            Push
//!  ← [subscribe b 2]           Reply { tag 1, [subscribe b 2] }
//!  ← [pong ""]                 Reply { tag 2, [pong ""] }
//! ```

use std::collections::VecDeque;

use thiserror::Error;

use crate::resp::args::Args;
use crate::resp::decode::{DecodeError, Decoder, ReplyLimits};
use crate::resp::encode;
use crate::resp::inbuf::InBuf;
use crate::resp::out::Out;
use crate::resp::value::Value;

/// Something the peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<T> {
    /// The answer to the command sent with `tag`. For a subscription: its last confirmation, or the error.
    Reply {
        /// What the caller named the command.
        tag: T,
        /// The answer.
        value: Value,
    },
    /// A message that answers nothing, as an array: `message`, the channel, the text.
    Push(Vec<Value>),
}

/// Why a link cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// Not a reply.
    #[error("protocol error: {0}")]
    Protocol(#[from] DecodeError),
    /// A reply, but nothing was asked.
    #[error("a reply that nobody asked for")]
    Unrequested,
}

/// The state of one link.
#[derive(Debug)]
pub struct Link<T> {
    decoder: Decoder,
    waiting: VecDeque<Waiting<T>>,
    /// Whether a subscription was ever asked for; before, no array is a message.
    may_be_subscribed: bool,
}

/// A command that was sent and not answered.
#[derive(Debug)]
struct Waiting<T> {
    tag: T,
    /// Confirmations still to come; zero for a command with an ordinary reply.
    confirmations: usize,
}

impl<T> Link<T> {
    /// A link over a fresh connection.
    pub fn new(limits: ReplyLimits) -> Link<T> {
        Link { decoder: Decoder::new(limits), waiting: VecDeque::new(), may_be_subscribed: false }
    }

    /// Sends a command.
    pub fn send(&mut self, out: &mut Out, tag: T, words: &[&[u8]]) {
        out.write(encode::command_len(words), |own| encode::command(own, words));
        self.waiting.push_back(Waiting { tag, confirmations: 0 });
    }

    /// Sends a command with these arguments.
    pub fn send_args(&mut self, out: &mut Out, tag: T, args: &Args<'_>) {
        encode::send(out, args);
        self.waiting.push_back(Waiting { tag, confirmations: 0 });
    }

    /// Sends SUBSCRIBE or PSUBSCRIBE, or the ends of them, naming the channels.
    pub fn subscribe(&mut self, out: &mut Out, tag: T, words: &[&[u8]]) {
        assert!(words.len() > 1, "a subscription names its channels");
        out.write(encode::command_len(words), |own| encode::command(own, words));
        self.waiting.push_back(Waiting { tag, confirmations: words.len() - 1 });
        self.may_be_subscribed = true;
    }

    /// How many commands are not answered.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The commands that are not answered, the oldest first.
    pub fn tags(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.waiting.iter().map(|waiting| &waiting.tag)
    }

    /// Whether the peer sent an empty line since this was last asked, to show that it lives.
    pub fn take_empty_line(&mut self) -> bool {
        self.decoder.take_empty_line()
    }

    /// The next thing the peer sent, consumed from `input`; `None` until more bytes arrive. After an error the link is of
    /// no more use.
    pub fn next(&mut self, input: &mut InBuf) -> Result<Option<Incoming<T>>, LinkError> {
        while let Some(value) = self.decoder.decode(input)? {
            let (value, is_push) = match value {
                Value::Push(items) => (Value::Array(items), true),
                value => (value, false),
            };
            let kind = if is_push || self.may_be_subscribed { Kind::of(&value) } else { Kind::Other };
            match kind {
                Kind::Confirmation if self.waiting.front().is_some_and(|front| front.confirmations > 0) => {
                    let front = self.waiting.front_mut().expect("just seen");
                    front.confirmations -= 1;
                    if front.confirmations == 0 {
                        return self.answer(value).map(Some);
                    }
                }
                Kind::Other if !is_push => return self.answer(value).map(Some),
                _ => {
                    let Value::Array(items) = value else { unreachable!("only arrays are messages") };
                    return Ok(Some(Incoming::Push(items)));
                }
            }
        }
        Ok(None)
    }

    fn answer(&mut self, value: Value) -> Result<Incoming<T>, LinkError> {
        let waiting = self.waiting.pop_front().ok_or(LinkError::Unrequested)?;
        Ok(Incoming::Reply { tag: waiting.tag, value })
    }
}

/// What an array may be, by its first word and its length.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Message,
    Confirmation,
    Other,
}

impl Kind {
    fn of(value: &Value) -> Kind {
        let Value::Array(items) = value else { return Kind::Other };
        let word = items.first().and_then(Value::text);
        match (word, items.len()) {
            (Some(b"message" | b"smessage"), 3) | (Some(b"pmessage"), 4) => Kind::Message,
            (Some(b"subscribe" | b"psubscribe" | b"ssubscribe"), 3) => Kind::Confirmation,
            (Some(b"unsubscribe" | b"punsubscribe" | b"sunsubscribe"), 3) => Kind::Confirmation,
            _ => Kind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        link: Link<u32>,
        out: Out,
        input: InBuf,
    }

    impl World {
        fn new() -> World {
            World { link: Link::new(ReplyLimits::PEER), out: Out::new(), input: InBuf::new() }
        }

        fn send(&mut self, tag: u32, words: &[&[u8]]) {
            self.link.send(&mut self.out, tag, words);
        }

        fn subscribe(&mut self, tag: u32, words: &[&[u8]]) {
            self.link.subscribe(&mut self.out, tag, words);
        }

        /// What comes of these bytes, arriving one at a time.
        fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Incoming<u32>>, LinkError> {
            let mut all = Vec::new();
            for byte in bytes {
                self.input.extend(&[*byte]);
                while let Some(incoming) = self.link.next(&mut self.input)? {
                    all.push(incoming);
                }
            }
            Ok(all)
        }
    }

    fn reply(tag: u32, value: Value) -> Incoming<u32> {
        Incoming::Reply { tag, value }
    }

    fn words(words: &[&str]) -> Vec<Value> {
        words.iter().map(|word| Value::bulk(word)).collect()
    }

    #[test]
    fn replies_come_back_with_their_tags() {
        let mut world = World::new();
        world.send(1, &[b"PING"]);
        world.send(2, &[b"GET", b"k"]);
        world.link.send_args(&mut world.out, 3, &crate::resp::args::OwnedArgs::of(&[b"INFO"]).as_args());
        let sent = b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nINFO\r\n";
        assert_eq!(world.out.to_vec(), sent);
        assert_eq!(world.link.tags().copied().collect::<Vec<_>>(), [1, 2, 3]);
        let got = world.receive(b"+OK\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n-ERR no\r\n").unwrap();
        let looks_like_a_message = Value::Array(words(&["message", "a", "b"]));
        let error = Value::Error(bytes::Bytes::from_static(b"ERR no"));
        assert_eq!(got, [reply(1, Value::ok()), reply(2, looks_like_a_message), reply(3, error)]);
        assert_eq!(world.link.waiting(), 0);
    }

    #[test]
    fn subscriptions_messages_and_replies_in_both_versions() {
        for mark in ["*", ">"] {
            let mut world = World::new();
            world.subscribe(1, &[b"SUBSCRIBE", b"a", b"b"]);
            world.send(2, &[b"PING"]);
            let stream = "@3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n@3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n\
                          @3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n\
                          @4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$2\r\nho\r\n";
            let got = world.receive(stream.replace('@', mark).as_bytes()).unwrap();
            let mut confirmed = words(&["subscribe", "b"]);
            confirmed.push(Value::Int(2));
            let expected = [
                Incoming::Push(words(&["message", "a", "hi"])),
                reply(1, Value::Array(confirmed)),
                reply(2, Value::Array(words(&["pong", ""]))),
                Incoming::Push(words(&["pmessage", "*", "a", "ho"])),
            ];
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn a_refused_subscription_is_answered_by_its_error() {
        let mut world = World::new();
        world.subscribe(1, &[b"SUBSCRIBE", b"a", b"b"]);
        let got = world.receive(b"-NOAUTH Authentication required.\r\n").unwrap();
        assert!(matches!(&got[..], [Incoming::Reply { tag: 1, value }] if value.is_error()));
    }

    #[test]
    fn a_confirmation_nobody_waits_for_is_a_message() {
        let mut world = World::new();
        world.subscribe(1, &[b"SUBSCRIBE", b"a"]);
        world.receive(b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n").unwrap();
        let got = world.receive(b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n").unwrap();
        assert!(matches!(&got[..], [Incoming::Push(items)] if items.len() == 3));
    }

    #[test]
    fn what_nobody_asked_for_breaks_the_link() {
        assert_eq!(World::new().receive(b"+OK\r\n"), Err(LinkError::Unrequested));
        let error = LinkError::Protocol(DecodeError::UnknownType(b'H'));
        assert_eq!(World::new().receive(b"HTTP/1.1 200 OK\r\n"), Err(error));
        assert_eq!(error.to_string(), "protocol error: a reply cannot begin with 'H'");
    }

    #[test]
    fn one_reply_at_a_time() {
        let mut world = World::new();
        world.send(1, &[b"PSYNC", b"?", b"-1"]);
        world.input.extend(b"\n+FULLRESYNC x 1\r\n$3\r\nRDB");
        assert!(world.link.next(&mut world.input).unwrap().is_some() && world.link.take_empty_line());
        assert_eq!(world.input.bytes(), b"$3\r\nRDB");
    }
}
