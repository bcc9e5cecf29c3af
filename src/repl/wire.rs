//! Commands as they stand in the stream and on the link: arrays of bulk strings.

/// `words` as one command.
pub fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + words.iter().map(|word| word.len() + 16).sum::<usize>());
    let mut digits = itoa::Buffer::new();
    let mut number = |bytes: &mut Vec<u8>, mark: u8, n: usize| {
        bytes.push(mark);
        bytes.extend_from_slice(digits.format(n).as_bytes());
        bytes.extend_from_slice(b"\r\n");
    };
    number(&mut bytes, b'*', words.len());
    for word in words {
        number(&mut bytes, b'$', word.len());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        assert_eq!(super::command(&[b"SET", b"k", b""]), b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
    }
}
