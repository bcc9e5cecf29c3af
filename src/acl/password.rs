//! Passwords, of which only the SHA-256 digest is kept.

use std::fmt;

use crate::base::hash;

/// The SHA-256 digest of a password, as the 64 lower-case hexadecimal digits that config files hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest(Box<str>);

impl Digest {
    /// The digest of this password.
    pub fn of(password: &[u8]) -> Digest {
        Digest(hash::sha256_hex(password).into_boxed_str())
    }

    /// Reads the digits. Upper case is refused, so that one digest has one form.
    pub fn parse(text: &[u8]) -> Option<Digest> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let text = std::str::from_utf8(text).ok()?;
        (text.len() == 64 && text.bytes().all(|byte| is_digit(&byte))).then(|| Digest(text.into()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of these. Looks at all of them and at every byte whatever it finds, so that the time taken says
    /// nothing about how near a guess was.
    pub fn is_among(&self, digests: &[Digest]) -> bool {
        digests.iter().fold(false, |found, digest| found | hash::secrets_equal(self.0.as_bytes(), digest.0.as_bytes()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_known_one_and_reads_back() {
        let digest = Digest::of(b"abc");
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.as_str(), hex);
        assert_eq!(Digest::parse(hex.as_bytes()), Some(digest));
    }

    #[test]
    fn upper_case_and_wrong_lengths_are_refused() {
        assert_eq!(Digest::parse(&[b'A'; 64]), None);
        assert_eq!(Digest::parse(&[b'a'; 63]), None);
    }

    #[test]
    fn membership_is_found_at_any_place() {
        let all = [Digest::of(b"a"), Digest::of(b"b")];
        assert!(Digest::of(b"b").is_among(&all) && !Digest::of(b"c").is_among(&all) && !Digest::of(b"a").is_among(&[]));
    }
}
