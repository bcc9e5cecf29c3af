//! A client of a few lines: sends commands, reads replies of either protocol version as a tree. Every wait is bounded.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Status(String),
    Error(String),
    Int(i64),
    Text(String),
    Null,
    Array(Vec<Reply>),
}

impl Reply {
    /// The text of a status, error or string; the digits of a number.
    pub fn text(&self) -> String {
        match self {
            Reply::Status(text) | Reply::Error(text) | Reply::Text(text) => text.clone(),
            Reply::Int(number) => number.to_string(),
            Reply::Null => "(null)".to_owned(),
            Reply::Array(items) => items.iter().map(Reply::text).collect::<Vec<_>>().join(" "),
        }
    }

    /// The elements of an array; none for anything else.
    pub fn items(&self) -> &[Reply] {
        match self {
            Reply::Array(items) => items,
            _ => &[],
        }
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }
}

/// A connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// Longest wait for one reply.
const PATIENCE: Duration = Duration::from_secs(20);

impl Client {
    pub fn connect(port: u16) -> io::Result<Client> {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// A connection whose replies must come within `limit`, as impatient clients have it.
    pub fn with_patience(port: u16, limit: Duration) -> io::Result<Client> {
        let client = Client::connect(port)?;
        client.stream.get_ref().set_read_timeout(Some(limit))?;
        Ok(client)
    }

    /// Sends words and reads the reply.
    pub fn call(&mut self, words: &[&str]) -> io::Result<Reply> {
        self.send(words)?;
        self.read()
    }

    /// The same for words and a string that need not be text; anything but a string or status is an error.
    pub fn call_bytes(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        self.send_raw(&bytes).expect("the node takes the command");
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the node answers");
        let line = line.trim_end();
        if let Some(status) = line.strip_prefix('+') {
            return status.as_bytes().to_vec();
        }
        let length: usize = line.strip_prefix('$').and_then(|digits| digits.parse().ok()).expect(line);
        let mut string = vec![0; length + 2];
        self.stream.read_exact(&mut string).expect("the whole string");
        string.truncate(length);
        string
    }

    pub fn send(&mut self, words: &[&str]) -> io::Result<()> {
        let mut bytes = format!("*{}\r\n", words.len());
        for word in words {
            bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(bytes.as_bytes())
    }

    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub fn read(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let (kind, rest) = line.split_at(1);
        let number = || rest.parse::<i64>().map_err(|_| io::Error::other(format!("no number in {line:?}")));
        Ok(match kind {
            "+" => Reply::Status(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Int(number()?),
            "$" | "=" => match number()? {
                -1 => Reply::Null,
                length => {
                    let mut bytes = vec![0; length as usize + 2];
                    self.stream.read_exact(&mut bytes)?;
                    bytes.truncate(length as usize);
                    Reply::Text(String::from_utf8_lossy(&bytes).into_owned())
                }
            },
            "*" | ">" | "~" => match number()? {
                -1 => Reply::Null,
                count => Reply::Array((0..count).map(|_| self.read()).collect::<io::Result<_>>()?),
            },
            "%" => {
                let count = number()?;
                Reply::Array((0..2 * count).map(|_| self.read()).collect::<io::Result<_>>()?)
            }
            "_" => Reply::Null,
            "#" | "," | "(" => Reply::Text(rest.to_owned()),
            _ => return Err(io::Error::other(format!("no reply: {line:?}"))),
        })
    }
}
