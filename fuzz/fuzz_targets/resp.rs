//! Requests: whatever the bytes and however they are cut, the parser does not panic and finds the same requests.
//!
//! The first byte chooses the size of the pieces and the limits, the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::exec::journal::Journal;
use rredis::resp::inbuf::InBuf;
use rredis::resp::parser::{Batch, Parsed, Parser, ProtocolError, RequestLimits};

type Found = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

/// A command as the stream for replicas has it when it is written anew.
fn encoded(words: &[&[u8]]) -> Vec<u8> {
    let mut journal = Journal::default();
    journal.set_on(true);
    journal.append_raw(words);
    journal.drain().concat()
}

fn parse(stream: &[u8], piece: usize, limits: &RequestLimits) -> Found {
    let (mut parser, mut input, mut found) = (Parser::new(), InBuf::new(), Vec::new());
    for bytes in stream.chunks(piece.max(1)) {
        input.extend(bytes);
        loop {
            let mut batch = Batch::new();
            let result = parser.parse(&mut input, limits, 5, 0, &mut batch);
            for request in batch.requests() {
                let args = batch.args(request, input.storage());
                assert!(!args.is_empty());
                if let Some(sent) = args.as_sent() {
                    assert_eq!(
                        sent,
                        encoded(&args.iter().collect::<Vec<_>>()),
                        "what is passed on as it came is what would be written"
                    );
                }
                found.push(args.iter().map(<[u8]>::to_vec).collect());
            }
            match result {
                Ok(Parsed::All) => break,
                Ok(Parsed::More) => {}
                Err(error) => return (found, Some(error)),
            }
        }
        // What is held is in proportion to what was sent, whatever lengths it names.
        assert!(input.memory() + parser.memory() <= (4 << 20) + 64 * stream.len());
    }
    (found, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, stream)) = data.split_first() else { return };
    let limits = RequestLimits { authenticated: choice & 1 == 0, bulk_max: 512 << 20, from_master: choice & 2 != 0 };
    let whole = parse(stream, stream.len(), &limits);
    assert_eq!(parse(stream, 1 + usize::from(choice >> 2), &limits), whole);
});
