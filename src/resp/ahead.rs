//! Requests parsed ahead: by the thread that read them, before the thread that executes them comes to their client.
//!
//! A parser is lent with the connection and comes back with what it found. Until that is taken into a batch or put back, the
//! client's buffer must stay as it is: requests are positions in it.

use std::mem;

use crate::resp::inbuf::InBuf;
use crate::resp::parser::{Batch, Parsed, Parser, ProtocolError, RequestLimits};

/// A client's parser on its way, and what it found. Small, for it travels.
#[derive(Debug, Default)]
pub struct Ahead(Box<Luggage>);

#[derive(Debug)]
struct Luggage {
    parser: Parser,
    limits: RequestLimits,
    max: usize,
    batch: Batch,
    outcome: Result<Parsed, ProtocolError>,
}

impl Default for Luggage {
    fn default() -> Luggage {
        let limits = RequestLimits { authenticated: false, bulk_max: 0, from_master: false };
        Luggage { parser: Parser::new(), limits, max: 0, batch: Batch::new(), outcome: Ok(Parsed::All) }
    }
}

impl Ahead {
    /// Gets a client's parser, to find at most `max` requests.
    pub fn lend(&mut self, parser: &mut Parser, limits: RequestLimits, max: usize) {
        self.0.batch.clear();
        (self.0.limits, self.0.max, self.0.outcome) = (limits, max, Ok(Parsed::All));
        self.0.parser = mem::take(parser);
    }

    /// Gives the parser back.
    pub fn give_back(&mut self, parser: &mut Parser) {
        *parser = mem::take(&mut self.0.parser);
    }

    /// Parses what has been received.
    pub fn parse(&mut self, input: &mut InBuf) {
        let Luggage { parser, limits, max, batch, outcome } = &mut *self.0;
        *outcome = parser.parse(input, limits, *max, 0, batch);
    }

    /// How many requests were found.
    pub fn len(&self) -> usize {
        self.0.batch.len()
    }

    /// Whether no request was found.
    pub fn is_empty(&self) -> bool {
        self.0.batch.is_empty()
    }

    /// Whether nothing came of it: no request, and no error.
    pub fn is_idle(&self) -> bool {
        self.is_empty() && self.0.outcome.is_ok()
    }

    /// Moves what was found to the end of `batch`, as `owner`'s.
    pub fn move_to(&mut self, batch: &mut Batch, owner: u32) -> Result<Parsed, ProtocolError> {
        batch.append(&mut self.0.batch, owner);
        self.0.outcome
    }

    /// Puts what was found back where it came from: the next parsing finds it again.
    pub fn put_back(&mut self, parser: &mut Parser, input: &mut InBuf) {
        if let Some(request) = self.0.batch.requests().first() {
            parser.put_back(input, &self.0.batch, request);
        }
        self.0.batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::BIG_ARG;

    const LIMITS: RequestLimits = RequestLimits { authenticated: true, bulk_max: 1 << 29, from_master: false };

    fn parsed(parser: &mut Parser, input: &mut InBuf, max: usize) -> Ahead {
        let mut ahead = Ahead::default();
        ahead.lend(parser, LIMITS, max);
        ahead.parse(input);
        ahead.give_back(parser);
        ahead
    }

    fn names(batch: &Batch, inputs: &[&InBuf]) -> Vec<Vec<u8>> {
        let of =
            |request| batch.args(request, inputs[request.owner as usize].storage()).iter().last().unwrap().to_vec();
        batch.requests().iter().map(of).collect()
    }

    #[test]
    fn what_was_found_ahead_joins_the_batch_of_others() {
        let value = vec![b'v'; BIG_ARG];
        let (mut inputs, mut parsers) = ([InBuf::new(), InBuf::new(), InBuf::new()], [(); 3].map(|()| Parser::new()));
        inputs[0].extend(b"one\r\nset k \"two \\x41\"\r\nthree\r\nfour\r\n");
        inputs[1]
            .extend(&[b"*2\r\n$4\r\nECHO\r\n$", BIG_ARG.to_string().as_bytes(), b"\r\n", &value, b"\r\n"].concat());
        inputs[2].extend(b"*1\r\n$4\r\nfive\r\n*1\r\nwrong\r\n");
        let mut batch = Batch::new();
        let mut outcomes = Vec::new();
        for owner in 0..3 {
            let mut ahead = parsed(&mut parsers[owner], &mut inputs[owner], 3);
            assert!(!ahead.is_idle());
            outcomes.push(ahead.move_to(&mut batch, owner as u32));
            assert!(ahead.is_empty());
        }
        assert_eq!(outcomes[0], Ok(Parsed::More));
        assert_eq!(outcomes[2], Err(ProtocolError::ExpectedBulk(b'w')));
        let inputs: Vec<&InBuf> = inputs.iter().collect();
        assert_eq!(names(&batch, &inputs), [&b"one"[..], b"two A", b"three", &value, b"five"]);
        assert!(batch.args(&batch.requests()[3], inputs[1].storage()).shared(1).is_some());
    }

    #[test]
    fn what_was_found_ahead_can_be_put_back_whole() {
        let stream = b"set k \"a b\"\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n*2\r\n$3\r\nget";
        let (mut input, mut parser) = (InBuf::new(), Parser::new());
        input.extend(stream);
        let mut ahead = parsed(&mut parser, &mut input, 64);
        assert_eq!(ahead.len(), 2);
        ahead.put_back(&mut parser, &mut input);
        assert!(ahead.is_idle());
        assert_eq!(input.bytes(), stream);
        input.extend(b"\r\n$1\r\nk\r\n");
        let mut batch = Batch::new();
        // A word that was put back apart from the stream comes alone.
        assert_eq!(parsed(&mut parser, &mut input, 64).move_to(&mut batch, 0), Ok(Parsed::More));
        assert_eq!(batch.len(), 1);
        assert_eq!(parsed(&mut parser, &mut input, 64).move_to(&mut batch, 0), Ok(Parsed::All));
        assert_eq!(names(&batch, &[&input]), [&b"a b"[..], b"hi", b"k"]);
    }
}
