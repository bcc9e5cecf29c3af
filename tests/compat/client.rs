//! A client of a few lines: requests written, replies read, one at a time.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest wait for one reply.
const PATIENCE: Duration = Duration::from_secs(20);

/// A reply as it was sent.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Null,
    NullArray,
    /// The first byte tells arrays, maps, sets and pushes apart.
    Many(char, Vec<Value>),
    /// RESP3's scalars.
    Other(char, String),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Simple(text) => write!(f, "+{text}"),
            Value::Error(text) => write!(f, "-{text}"),
            Value::Int(number) => write!(f, ":{number}"),
            Value::Bulk(bytes) if bytes.len() > 200 => write!(f, "${}…({} bytes)", shown(&bytes[..60]), bytes.len()),
            Value::Bulk(bytes) => write!(f, "${}", shown(bytes)),
            Value::Null => f.write_str("nil"),
            Value::NullArray => f.write_str("nil array"),
            Value::Many(kind, parts) => {
                write!(f, "{kind}")?;
                f.debug_list().entries(parts).finish()
            }
            Value::Other(kind, text) => write!(f, "{kind}{text}"),
        }
    }
}

/// Bytes as text, what is not printable escaped.
pub fn shown(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect()
}

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a port of this machine.
    pub fn connect(port: u16) -> std::io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// Sends a command.
    pub fn send(&mut self, words: &[&[u8]]) {
        self.send_all([words]);
    }

    /// Sends several at once.
    pub fn send_all<'a, W: AsRef<[u8]> + 'a>(&mut self, commands: impl IntoIterator<Item = &'a [W]>) {
        let mut request = Vec::new();
        for words in commands {
            request.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                request.extend_from_slice(format!("${}\r\n", word.as_ref().len()).as_bytes());
                request.extend_from_slice(word.as_ref());
                request.extend_from_slice(b"\r\n");
            }
        }
        self.stream.get_mut().write_all(&request).expect("the server takes a request");
    }

    /// Sends a command and reads its reply.
    pub fn call(&mut self, words: &[&[u8]]) -> Value {
        self.send(words);
        self.receive()
    }

    /// The same, for words that are text.
    pub fn run(&mut self, line: &str) -> Value {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.call(&words)
    }

    /// Whether an answer has begun to arrive.
    pub fn has_answer(&mut self) -> bool {
        self.stream.get_mut().set_nonblocking(true).expect("a socket that can be asked");
        let has_answer = !self.stream.buffer().is_empty() || matches!(self.stream.get_ref().peek(&mut [0]), Ok(1..));
        self.stream.get_mut().set_nonblocking(false).expect("a socket that can be asked");
        has_answer
    }

    /// A number in a section of INFO.
    pub fn info_number(&mut self, section: &str, field: &str) -> Option<i64> {
        let Value::Bulk(text) = self.run(&format!("INFO {section}")) else { panic!("INFO gives text") };
        let text = String::from_utf8_lossy(&text);
        text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.parse().ok())
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).expect("the server answers");
        assert!(line.ends_with(b"\r\n"), "the server ended the connection: {}", shown(&line));
        line.truncate(line.len() - 2);
        String::from_utf8_lossy(&line).into_owned()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("the server sends the bytes it announced");
        bytes
    }

    /// Reads one reply.
    pub fn receive(&mut self) -> Value {
        let line = self.line();
        let (kind, rest) = (line.chars().next().expect("a reply is not empty"), &line[1..]);
        match kind {
            '+' => Value::Simple(rest.to_owned()),
            '-' => Value::Error(rest.to_owned()),
            ':' => Value::Int(rest.parse().expect("an integer")),
            '$' if rest == "-1" => Value::Null,
            '$' | '=' => {
                let mut bytes = self.bytes(rest.parse::<usize>().expect("a length") + 2);
                bytes.truncate(bytes.len() - 2);
                Value::Bulk(bytes)
            }
            '*' if rest == "-1" => Value::NullArray,
            '*' | '~' | '>' | '%' => {
                let count = rest.parse::<usize>().expect("a count") * if kind == '%' { 2 } else { 1 };
                Value::Many(kind, (0..count).map(|_| self.receive()).collect())
            }
            other => Value::Other(other, rest.to_owned()),
        }
    }

    /// Becomes a replica: reads past the snapshot, to where the stream of commands begins.
    pub fn follow(&mut self) {
        assert_eq!(self.run("REPLCONF listening-port 1"), Value::Simple("OK".to_owned()));
        self.send(&[b"PSYNC", b"?", b"-1"]);
        let answer = self.line_of_snapshot();
        assert!(answer.starts_with("+FULLRESYNC "), "{answer}");
        let head = self.line_of_snapshot();
        let size = head.strip_prefix('$').unwrap_or_else(|| panic!("a snapshot, not {head}"));
        self.bytes(size.parse().expect("a snapshot of a known size"));
    }

    /// The next line that is not empty: single line ends keep the link alive while a snapshot is made.
    fn line_of_snapshot(&mut self) -> String {
        loop {
            let mut line = Vec::new();
            self.stream.read_until(b'\n', &mut line).expect("the master sends a snapshot");
            assert!(line.ends_with(b"\n"), "the master ended the link: {}", shown(&line));
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if !line.is_empty() {
                return line;
            }
        }
    }
}
