//! The data of a model server: which writes it has taken, in order, and a digest of every byte of the stream that made them.
//!
//! Two servers with equal digests have executed the same bytes: none skipped, none repeated, none altered.

use std::rc::Rc;

use rredis::repl::wire::command;

/// One server's data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    pub writes: Rc<Vec<u32>>,
    pub digest: u64,
}

/// The command that makes a write.
pub fn write(number: u32) -> Vec<u8> {
    command(&[b"W", number.to_string().as_bytes()])
}

impl Data {
    /// Executes commands of the stream, whole ones.
    pub fn execute(&mut self, mut bytes: &[u8]) {
        for &byte in bytes {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5);
        }
        while let Some((words, len)) = parse(bytes) {
            if let [name, number] = &words[..]
                && name == b"W"
            {
                let number = String::from_utf8_lossy(number).parse().expect("a number");
                Rc::make_mut(&mut self.writes).push(number);
            }
            bytes = &bytes[len..];
        }
        assert!(bytes.is_empty(), "whole commands only");
    }

    /// As a snapshot has them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let writes = self.writes.iter().flat_map(|write| write.to_le_bytes());
        self.digest.to_le_bytes().into_iter().chain(writes).collect()
    }

    /// Reads a snapshot.
    pub fn from_bytes(bytes: &[u8]) -> Data {
        let (digest, writes) = bytes.split_at(8);
        let writes = writes.chunks(4).map(|four| u32::from_le_bytes(four.try_into().expect("four bytes")));
        Data { writes: Rc::new(writes.collect()), digest: u64::from_le_bytes(digest.try_into().expect("eight bytes")) }
    }
}

/// The first array of bulk strings (or line of one word) and its length, when it is complete.
pub fn parse(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let line = |from: usize| {
        let end = from + bytes.get(from..)?.iter().position(|byte| *byte == b'\n')?;
        Some((String::from_utf8_lossy(&bytes[from..end]).trim_end().to_owned(), end + 1))
    };
    let (head, mut at) = line(0)?;
    let Some(count) = head.strip_prefix('*') else {
        let word = (!head.is_empty()).then(|| head.into_bytes());
        return Some((word.into_iter().collect(), at));
    };
    let mut words = Vec::new();
    for _ in 0..count.parse::<usize>().expect("a count") {
        let (head, start) = line(at)?;
        let len: usize = head.strip_prefix('$').expect("the stream is in step").parse().expect("a length");
        words.push(bytes.get(start..start + len)?.to_vec());
        at = start + len + 2;
    }
    (bytes.len() >= at).then_some((words, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_holds_everything_and_a_repeated_byte_is_noticed() {
        let mut data = Data::default();
        data.execute(&[write(7), command(&[b"PING"]), write(300)].concat());
        assert_eq!(*data.writes, [7, 300]);
        assert_eq!(Data::from_bytes(&data.to_bytes()), data);
        let mut other = Data::default();
        other.execute(&[write(7), command(&[b"PING"]), command(&[b"PING"]), write(300)].concat());
        assert_ne!(other.digest, data.digest);
        assert_eq!(parse(b"*1\r\n$4\r\nPIN"), None);
        assert_eq!(parse(b"\n*1"), Some((vec![], 1)));
        assert_eq!(parse(b"SYNC\r\n"), Some((vec![b"SYNC".to_vec()], 6)));
    }
}
