//! Replies of a peer: whatever the bytes and however they are cut, the decoder does not panic and finds the same replies;
//! nor does a link that has asked for a few things.
//!
//! The first byte chooses the size of the pieces, the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::resp::decode::{DecodeError, Decoder, ReplyLimits};
use rredis::resp::inbuf::InBuf;
use rredis::resp::link::Link;
use rredis::resp::out::Out;
use rredis::resp::value::Value;

const LIMITS: ReplyLimits = ReplyLimits { depth_max: 6, bulk_max: 1 << 20, reply_max: 1 << 20 };

fn decode(stream: &[u8], piece: usize) -> (Vec<Value>, Option<DecodeError>) {
    let (mut decoder, mut input, mut found) = (Decoder::new(LIMITS), InBuf::new(), Vec::new());
    for bytes in stream.chunks(piece.max(1)) {
        input.extend(bytes);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(value)) => found.push(value),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, stream)) = data.split_first() else { return };
    assert_eq!(decode(stream, 1 + usize::from(choice)), decode(stream, stream.len()));

    let (mut link, mut out, mut input) = (Link::new(LIMITS), Out::new(), InBuf::new());
    link.send(&mut out, 1, &[b"PING"]);
    link.subscribe(&mut out, 2, &[b"SUBSCRIBE", b"a", b"b"]);
    link.send(&mut out, 3, &[b"INFO"]);
    input.extend(stream);
    while let Ok(Some(_)) = link.next(&mut input) {}
});
