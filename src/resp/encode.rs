//! Commands as they are sent: an array of bulk strings.

use crate::resp::args::Args;
use crate::resp::out::Out;
use crate::resp::reply::push_header;

/// Appends a command of the given words, the name first.
pub fn command(bytes: &mut Vec<u8>, words: &[&[u8]]) {
    bytes.reserve(command_len(words));
    push_header(bytes, b'*', words.len() as u64);
    for word in words {
        bulk(bytes, word);
    }
}

/// Appends a command with these arguments.
pub fn command_args(bytes: &mut Vec<u8>, args: &Args<'_>) {
    push_header(bytes, b'*', args.len() as u64);
    for word in args.iter() {
        bulk(bytes, word);
    }
}

/// Appends a bulk string.
pub fn bulk(bytes: &mut Vec<u8>, text: &[u8]) {
    push_header(bytes, b'$', text.len() as u64);
    bytes.extend_from_slice(text);
    bytes.extend_from_slice(b"\r\n");
}

/// Appends a command to an output; large arguments are not copied.
pub fn send(out: &mut Out, args: &Args<'_>) {
    out.write(24, |own| push_header(own, b'*', args.len() as u64));
    for index in 0..args.len() {
        match args.shared(index) {
            Some(bytes) => {
                out.write(24, |own| push_header(own, b'$', bytes.len() as u64));
                out.append_shared(bytes.clone());
                out.append(b"\r\n");
            }
            None => {
                let word = args.get(index);
                out.write(word.len() + 26, |own| bulk(own, word));
            }
        }
    }
}

/// How many bytes [`command`] appends.
pub fn command_len(words: &[&[u8]]) -> usize {
    header_len(words.len()) + words.iter().map(|word| header_len(word.len()) + word.len() + 2).sum::<usize>()
}

fn header_len(number: usize) -> usize {
    3 + number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::OwnedArgs;
    use bytes::Bytes;

    #[test]
    fn a_command_and_its_length() {
        let long = [b'x'; 100];
        for words in [&[&b"PING"[..]][..], &[b"SET", b"", &long], &[&b"a"[..]; 12]] {
            let mut bytes = Vec::new();
            command(&mut bytes, words);
            assert_eq!(bytes.len(), command_len(words));
            let mut again = Vec::new();
            command_args(&mut again, &OwnedArgs::of(words).as_args());
            assert_eq!(again, bytes);
        }
        let mut bytes = Vec::new();
        command(&mut bytes, &[b"GET", b"key"]);
        assert_eq!(bytes, b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
    }

    #[test]
    fn large_arguments_are_sent_from_where_they_are() {
        let big = Bytes::from(vec![b'v'; 40_000]);
        let mut args = OwnedArgs::of(&[b"SET", b"k"]);
        args.push_shared(big.clone());
        let mut out = Out::new();
        send(&mut out, &args.as_args());
        let mut expected = Vec::new();
        command(&mut expected, &[b"SET", b"k", &big]);
        assert_eq!(out.to_vec(), expected);
        assert!(out.iovecs(usize::MAX).iter().any(|piece| piece.as_ptr() == big.as_ptr()));
    }
}
