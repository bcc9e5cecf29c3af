//! The one place that names the crates for checksums and digests.
//!
//! * CRC-64 as RDB files and DUMP payloads carry it (polynomial 0xad93d23594c935a9, reflected, initial value 0, no final
//!   xor; "123456789" gives e9c6d914c4b8d9ca). It is not the CRC-64 of xz or ECMA.
//! * SHA-1 for script ids, SHA-256 for passwords, both as lower-case hexadecimal text, the form in which they are shown
//!   and stored everywhere.
//! * Comparison of secrets in a time that does not depend on where they differ.

use crc_fast::{CrcAlgorithm, Digest as CrcDigest};
use sha1::Digest;
use subtle::ConstantTimeEq;

/// A CRC-64 in progress. Bytes may come in pieces of any size; the running value can be kept and taken up again.
#[derive(Clone, Copy, Debug)]
pub struct Crc64(CrcDigest);

impl Crc64 {
    /// Before the first byte.
    pub fn new() -> Crc64 {
        Crc64(CrcDigest::new(CrcAlgorithm::Crc64Redis))
    }

    /// Goes on from a value that [`Crc64::value`] gave earlier, perhaps in another process.
    pub fn resume(value: u64) -> Crc64 {
        Crc64(CrcDigest::new_with_init_state(CrcAlgorithm::Crc64Redis, value))
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of everything so far.
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Crc64 {
    fn default() -> Crc64 {
        Crc64::new()
    }
}

/// The CRC-64 of one piece.
pub fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Redis, bytes)
}

/// SHA-1.
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    sha1::Sha1::digest(bytes).into()
}

/// SHA-1 as 40 lower-case hexadecimal digits.
pub fn sha1_hex(bytes: &[u8]) -> String {
    hex(&sha1(bytes))
}

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

/// Whether two secrets are equal, in a time that depends on their length only. Different lengths differ at once: compare
/// digests where the length itself is a secret.
pub fn secrets_equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(bytes.iter().flat_map(digits));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc64_is_redis_own() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn pieces_and_a_resumed_value_give_the_same_crc() {
        let data: Vec<u8> = (0..5000u32).map(|i| (i * 7 + i / 256) as u8).collect();
        for cut in [0, 1, 7, 8, 255, 256, 1000, 4999, 5000] {
            let mut first = Crc64::new();
            first.update(&data[..cut]);
            let mut second = Crc64::resume(first.value());
            second.update(&data[cut..]);
            assert_eq!(second.value(), crc64(&data), "cut at {cut}");
        }
    }

    #[test]
    fn digests_are_lower_case_hex() {
        assert_eq!(sha1_hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn secrets_compare_by_content_and_length() {
        assert!(secrets_equal(b"", b""));
        assert!(secrets_equal(b"abc", b"abc"));
        assert!(!secrets_equal(b"abc", b"abd"));
        assert!(!secrets_equal(b"abc", b"ab"));
    }
}
