//! A server that a benchmark starts, asks and ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

/// A server of our own, ended with this value.
pub struct Server {
    child: Child,
    stream: TcpStream,
    received: Vec<u8>,
    used: usize,
}

impl Server {
    pub fn start(path: &str, port: u16) -> Server {
        let port = port.to_string();
        let mut child = Command::new(path)
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        for _ in 0..500 {
            if let Ok(stream) = TcpStream::connect(format!("127.0.0.1:{port}")) {
                stream.set_nodelay(true).expect("a socket");
                return Server { child, stream, received: Vec::new(), used: 0 };
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("{path} does not listen on port {port}");
    }

    /// Sends all of it at once.
    pub fn send(&mut self, requests: &[Vec<&[u8]>]) {
        let mut bytes = Vec::new();
        for words in requests {
            bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                bytes.extend_from_slice(word);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        self.stream.write_all(&bytes).expect("the server takes requests");
    }

    /// The next reply: its first line, and what follows if it is a bulk string.
    pub fn reply(&mut self) -> (String, Vec<u8>) {
        let line = loop {
            let rest = &self.received[self.used..];
            if let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
                break String::from_utf8_lossy(&rest[..end]).into_owned();
            }
            self.receive();
        };
        self.used += line.len() + 2;
        assert!(!line.starts_with('-'), "{line}");
        let Some(length) = line.strip_prefix('$').and_then(|length| length.parse::<usize>().ok()) else {
            return (line, Vec::new());
        };
        while self.received.len() - self.used < length + 2 {
            self.receive();
        }
        let bulk = self.received[self.used..self.used + length].to_vec();
        self.used += length + 2;
        (line, bulk)
    }

    fn receive(&mut self) {
        self.received.drain(..std::mem::take(&mut self.used));
        let mut chunk = [0; 64 * 1024];
        let count = self.stream.read(&mut chunk).expect("the server answers");
        assert!(count > 0, "the server has gone");
        self.received.extend_from_slice(&chunk[..count]);
    }

    pub fn command(&mut self, words: &[&str]) -> Vec<u8> {
        self.send(&[words.iter().map(|word| word.as_bytes()).collect()]);
        self.reply().1
    }

    /// The next reply, whatever it is, is read and forgotten.
    pub fn skip(&mut self) {
        let (line, _) = self.reply();
        let elements = line.strip_prefix('*').and_then(|count| count.parse::<usize>().ok()).unwrap_or(0);
        (0..elements).for_each(|_| self.skip());
    }

    /// A number in INFO.
    pub fn figure<N: FromStr>(&mut self, section: &str, field: &str) -> N {
        let text = String::from_utf8_lossy(&self.command(&["INFO", section])).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {field} in INFO {section}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
