//! A connection whose every act is waited for, for a time at most. The loop stands still meanwhile: for MIGRATE only, whose
//! promise is that nothing happens to the keys between their departure and their removal.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::sockopt::set_nodelay;

/// How much is given to the system at once. The time allowed is for each such piece.
const PIECE: usize = 64 * 1024;
/// Longest line that is kept. Longer ones are cut.
const LINE_MAX: usize = 1024;

/// The connection.
#[derive(Debug)]
pub struct SyncConn {
    stream: TcpStream,
    received: Vec<u8>,
}

impl SyncConn {
    /// Connects to the first address of `host` that accepts, each within `limit`. A name is looked up by the system, which takes
    /// its own time.
    pub fn connect(host: &str, port: u16, limit: Duration) -> io::Result<SyncConn> {
        let mut failure = io::Error::from(ErrorKind::AddrNotAvailable);
        for address in (host, port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, limit) {
                Ok(stream) => {
                    set_nodelay(&SockRef::from(&stream))?;
                    return Ok(SyncConn { stream, received: Vec::new() });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Sends all bytes, each piece within `limit`.
    pub fn send(&mut self, bytes: &[u8], limit: Duration) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            let (mut left, end) = (piece, Instant::now() + limit);
            while !left.is_empty() {
                self.stream.set_write_timeout(Some(time_until(end)?))?;
                match self.stream.write(left) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(count) => left = &left[count..],
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(named(error)),
                }
            }
        }
        Ok(())
    }

    /// The next line, without its end, within `limit`.
    pub fn line(&mut self, limit: Duration) -> io::Result<Vec<u8>> {
        let end = Instant::now() + limit;
        let (mut line, mut room) = (Vec::new(), [0; 4096]);
        loop {
            let (part, is_whole) = match self.received.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (self.received.len(), false),
            };
            let kept = part.min(LINE_MAX.saturating_sub(line.len()));
            line.extend_from_slice(&self.received[..kept]);
            self.received.drain(..part);
            if is_whole {
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                return Ok(text.strip_suffix(b"\r").unwrap_or(text).to_vec());
            }
            self.stream.set_read_timeout(Some(time_until(end)?))?;
            match self.stream.read(&mut room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.received.extend_from_slice(&room[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(named(error)),
            }
        }
    }
}

fn time_until(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// The system says "would block" where it means that the time is over.
fn named(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn lines_come_whole_however_they_arrive() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = vec![0; 200_000];
            stream.read_exact(&mut heard).unwrap();
            let long = [b"+", &vec![b'x'; 5000][..], b"\r\n"].concat();
            for part in [&b"+O"[..], b"K\r\n-ERR", b" no\r\n", &long, b"+after\r\n"] {
                stream.write_all(part).unwrap();
            }
            heard
        });
        let mut conn = SyncConn::connect("127.0.0.1", port, LONG).unwrap();
        conn.send(&[7; 200_000], LONG).unwrap();
        assert_eq!(conn.line(LONG).unwrap(), b"+OK");
        assert_eq!(conn.line(LONG).unwrap(), b"-ERR no");
        assert_eq!(conn.line(LONG).unwrap().len(), LINE_MAX);
        assert_eq!(conn.line(LONG).unwrap(), b"+after");
        assert!(peer.join().unwrap().iter().all(|byte| *byte == 7));
        assert_eq!(conn.line(LONG).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_silent_peer_costs_the_time_allowed_and_a_missing_one_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut conn = SyncConn::connect("localhost", port, LONG).unwrap();
        assert_eq!(conn.line(Duration::from_millis(1)).unwrap_err().kind(), ErrorKind::TimedOut);
        drop(listener);
        assert!(SyncConn::connect("127.0.0.1", port, LONG).is_err());
    }
}
