//! Identities: the 40 hex digits of run ids, replication ids and Sentinel ids; the number of a client.

use std::fmt;

use crate::base::rng::Rng;

/// Forty lower-case hexadecimal digits: a run id, a replication id, a Sentinel's id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HexId([u8; 40]);

impl HexId {
    /// What Redis shows for "no id": forty zeros.
    pub const ZERO: HexId = HexId([b'0'; 40]);

    /// A new random id.
    pub fn random(rng: &mut Rng) -> HexId {
        let mut id = [0u8; 40];
        for chunk in id.chunks_exact_mut(8) {
            let mut bits = rng.next_u64();
            for digit in chunk {
                *digit = b"0123456789abcdef"[(bits & 15) as usize];
                bits >>= 4;
            }
        }
        HexId(id)
    }

    /// Reads forty hexadecimal digits (either case, kept as written); `None` for anything else.
    pub fn parse(text: &[u8]) -> Option<HexId> {
        let digits: [u8; 40] = text.try_into().ok()?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(HexId(digits))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }

    /// The digits as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for HexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number of a client connection, as CLIENT ID shows it. Never reused while the process lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_id_reads_back() {
        let id = HexId::random(&mut Rng::seeded(3));
        assert_eq!(HexId::parse(id.as_bytes()), Some(id));
        assert_eq!(id.to_string().len(), 40);
    }

    #[test]
    fn other_lengths_and_letters_are_refused() {
        assert_eq!(HexId::parse(b"abc"), None);
        assert_eq!(HexId::parse(&[b'g'; 40]), None);
    }
}
