//! Where a snapshot begins and ends between the lines of the handshake and the bytes of the stream.
//!
//! A master announces one of two forms:
//!
//! ```text
//!   $<length>\r\n  <length> bytes                              the file's size is known; the stream follows directly
//!   $EOF:<40 hex>\r\n  bytes …  <the same 40 bytes>            sent while it is made; nothing follows until we ACK
//! ```
//!
//! In the second form any received byte may turn out to belong to the mark, so the last 39 at least are left where they
//! are until more arrive. As the master sends nothing after the mark, it is enough to look at the end of what is here.

/// A snapshot on its way in.
#[derive(Debug)]
pub struct Transfer {
    framing: Framing,
    received: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Mark([u8; MARK]),
}

const MARK: usize = 40;

/// Why a header line is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// An error reply.
    Refused,
    /// Something else.
    Unknown,
}

/// How the bytes at hand divide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// So many belong to the snapshot.
    pub payload: usize,
    /// So many after them are the closing mark.
    pub mark: usize,
    /// The snapshot is complete.
    pub done: bool,
}

impl Transfer {
    /// Reads the line (without its end) that announces the form.
    pub fn from_header(line: &[u8]) -> Result<Transfer, HeaderError> {
        let framing = match line {
            [b'-', ..] => return Err(HeaderError::Refused),
            [b'$', b'E', b'O', b'F', b':', mark @ ..] if mark.len() >= MARK => {
                Framing::Mark(mark[..MARK].try_into().map_err(|_| HeaderError::Unknown)?)
            }
            [b'$', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
                let text = std::str::from_utf8(digits).map_err(|_| HeaderError::Unknown)?;
                let len = text.parse().ok().filter(|len| *len <= i64::MAX as u64).ok_or(HeaderError::Unknown)?;
                Framing::Length(len)
            }
            _ => return Err(HeaderError::Unknown),
        };
        Ok(Transfer { framing, received: 0 })
    }

    /// The announced length, in the form that has one.
    pub fn len(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(len) => Some(len),
            Framing::Mark(_) => None,
        }
    }

    /// Whether an empty snapshot was announced.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Bytes of the snapshot seen so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Divides `bytes`, which is everything received and not yet taken.
    pub fn take(&mut self, bytes: &[u8]) -> Taken {
        let taken = match &self.framing {
            Framing::Length(len) => {
                let left = len - self.received;
                let payload = left.min(bytes.len() as u64) as usize;
                Taken { payload, mark: 0, done: payload as u64 == left }
            }
            Framing::Mark(mark) => match bytes.strip_suffix(mark) {
                Some(payload) => Taken { payload: payload.len(), mark: MARK, done: true },
                None => Taken { payload: bytes.len().saturating_sub(MARK - 1), mark: 0, done: false },
            },
        };
        self.received += taken.payload as u64;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK_TEXT: &[u8; 40] = b"0123456789abcdef0123456789abcdef01234567";

    fn eof() -> Transfer {
        Transfer::from_header(&[b"$EOF:", &MARK_TEXT[..]].concat()).expect("a header")
    }

    #[test]
    fn headers() {
        assert_eq!(Transfer::from_header(b"$12").expect("a header").len(), Some(12));
        assert_eq!(eof().len(), None);
        for bad in [&b""[..], b"$", b"$-1", b"$12x", b"$99999999999999999999", b"$EOF:short", b"*3", b"+OK"] {
            assert_eq!(Transfer::from_header(bad).err(), Some(HeaderError::Unknown));
        }
        assert_eq!(Transfer::from_header(b"-ERR x").err(), Some(HeaderError::Refused));
    }

    #[test]
    fn what_follows_a_known_length_is_not_touched() {
        let mut transfer = Transfer::from_header(b"$5").expect("a header");
        assert_eq!(transfer.take(b"abc"), Taken { payload: 3, mark: 0, done: false });
        assert_eq!(transfer.take(b"de*1"), Taken { payload: 2, mark: 0, done: true });
    }

    #[test]
    fn a_mark_is_found_however_it_is_split() {
        let body = b"REDIS0011 some bytes, and 0123456789abcdef0123456789abcdef0123456 which is nearly the mark";
        let all = [&body[..], MARK_TEXT].concat();
        for piece in 1..all.len() {
            let mut transfer = eof();
            let (mut held, mut payload, mut done) = (Vec::new(), Vec::new(), false);
            for chunk in all.chunks(piece) {
                assert!(!done, "done before the end, pieces of {piece}");
                held.extend_from_slice(chunk);
                let taken = transfer.take(&held);
                payload.extend_from_slice(&held[..taken.payload]);
                held.drain(..taken.payload + taken.mark);
                done = taken.done;
            }
            assert!(done && held.is_empty() && payload == body, "pieces of {piece}");
            assert_eq!(transfer.received(), body.len() as u64);
        }
    }
}
