//! LZF, the compression of long strings in RDB, and of the inner nodes of long lists.
//!
//! The stream is a row of two kinds of pieces, told apart by the first byte `c`:
//!
//! ```text
//! c < 32     c + 1 bytes follow that are taken as they are
//! otherwise  copy: length (c >> 5) + 2, and if those three bits are 7 the next byte is added to it;
//!            distance ((c & 31) << 8 | next byte) + 1 back from here. Source and target may overlap.
//! ```
//!
//! Forty times "a" becomes `01 61 61  e0 1b 00  01 61 61`: two bytes as they are, 36 copied from one back, two more.
//!
//! The crate `lzf` writes the same bytes, but clears a table of half a megabyte for every string it compresses, which for
//! typical values of 30 to 300 bytes costs a hundred times the work itself. [`Compressor`] keeps one table and never
//! clears it: positions are stored with an offset that grows from call to call, so that those of earlier strings are
//! recognised as old.

const HASH_BITS: u32 = 14;
const DISTANCE_MAX: usize = 1 << 13;
const COPY_MAX: usize = 264;
const LITERALS_MAX: usize = 32;

/// Compresses strings, one after the other, with one table.
pub struct Compressor {
    /// Where each hash of three bytes was last seen: position + `base` of that time.
    seen: Box<[u32; 1 << HASH_BITS]>,
    /// Entries of `seen` up to here belong to earlier strings.
    base: u32,
}

impl Default for Compressor {
    fn default() -> Compressor {
        Compressor::new()
    }
}

impl Compressor {
    /// Allocates the table.
    pub fn new() -> Compressor {
        Compressor { seen: Box::new([0; 1 << HASH_BITS]), base: 0 }
    }

    /// Appends `input` compressed to `out` if that takes at most `max` bytes, and says whether it did; if not, `out` is
    /// as before.
    pub fn compress(&mut self, input: &[u8], out: &mut Vec<u8>, max: usize) -> bool {
        // Positions must fit the table's 32 bits. Strings of 4 GiB are left as they are.
        let Ok(len) = u32::try_from(input.len()) else { return false };
        if len < 5 {
            return false;
        }
        if self.base.checked_add(len).is_none() {
            self.seen.fill(0);
            self.base = 0;
        }
        let start = out.len();
        let fits = self.run(input, out, start + max);
        self.base += len;
        if !fits {
            out.truncate(start);
        }
        fits
    }

    fn run(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> bool {
        let mut literals = 0; // Where the bytes not yet written begin.
        let mut at = 0;
        while at + 4 < input.len() {
            let seen = std::mem::replace(&mut self.seen[hash(input, at)], self.base + at as u32);
            // `base + 0` is taken for old as well: the first byte is never copied from, as in Redis.
            if seen > self.base {
                let from = (seen - self.base) as usize;
                if at - from <= DISTANCE_MAX && input[from..from + 3] == input[at..at + 3] {
                    // The last two bytes always go as they are; that keeps the loop's reads inside the input.
                    let max = COPY_MAX.min(input.len() - at - 2);
                    let more = input[from + 3..].iter().zip(&input[at + 3..at + max]);
                    let len = 3 + more.take_while(|(a, b)| a == b).count();
                    put_literals(out, &input[literals..at]);
                    put_copy(out, at - from, len);
                    if out.len() > limit {
                        return false;
                    }
                    at += len;
                    literals = at;
                    // Only the end of what was copied is remembered: enough to find runs, cheaper than all of it.
                    for near in at - 2..at {
                        self.seen[hash(input, near)] = self.base + near as u32;
                    }
                    continue;
                }
            }
            at += 1;
            if at - literals == LITERALS_MAX {
                put_literals(out, &input[literals..at]);
                literals = at;
                if out.len() > limit {
                    return false;
                }
            }
        }
        put_literals(out, &input[literals..]);
        out.len() <= limit
    }
}

/// Needs three bytes at `at`.
fn hash(input: &[u8], at: usize) -> usize {
    let three = u32::from(input[at]) | u32::from(input[at + 1]) << 8 | u32::from(input[at + 2]) << 16;
    (three.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

fn put_literals(out: &mut Vec<u8>, bytes: &[u8]) {
    for piece in bytes.chunks(LITERALS_MAX) {
        out.push(piece.len() as u8 - 1);
        out.extend_from_slice(piece);
    }
}

fn put_copy(out: &mut Vec<u8>, distance: usize, len: usize) {
    let (distance, len) = (distance - 1, len - 2);
    let high = (distance >> 8) as u8;
    if len < 7 {
        out.push((len as u8) << 5 | high);
    } else {
        out.push(7 << 5 | high);
        out.push((len - 7) as u8);
    }
    out.push(distance as u8);
}

/// The data do not decompress to what was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// Appends the decompressed form of `input`, which must be exactly `len` bytes. Nothing is allocated for a `len` that
/// `input` could not produce: three bytes give at most 264.
pub fn decompress(mut input: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), Corrupt> {
    if len > input.len().saturating_mul(COPY_MAX / 3) {
        return Err(Corrupt);
    }
    out.reserve_exact(len);
    let start = out.len();
    let end = start + len;
    while let Some((&control, rest)) = input.split_first() {
        if control < 32 {
            let (literals, rest) = rest.split_at_checked(usize::from(control) + 1).ok_or(Corrupt)?;
            if out.len() + literals.len() > end {
                return Err(Corrupt);
            }
            out.extend_from_slice(literals);
            input = rest;
            continue;
        }
        let mut count = usize::from(control >> 5) + 2;
        let mut rest = rest;
        if control >> 5 == 7 {
            let (&more, after) = rest.split_first().ok_or(Corrupt)?;
            count += usize::from(more);
            rest = after;
        }
        let (&low, rest) = rest.split_first().ok_or(Corrupt)?;
        let distance = (usize::from(control & 31) << 8 | usize::from(low)) + 1;
        if distance > out.len() - start || out.len() + count > end {
            return Err(Corrupt);
        }
        // When the distance is shorter than the count the copy repeats itself: what was just written is copied again.
        let mut left = count;
        let from = out.len() - distance;
        while left > 0 {
            let piece = left.min(out.len() - from);
            out.extend_from_within(from..from + piece);
            left -= piece;
        }
        input = rest;
    }
    if out.len() == end { Ok(()) } else { Err(Corrupt) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    fn compressed(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        Compressor::new().compress(input, &mut out, input.len()).then_some(out)
    }

    fn decompressed(input: &[u8], len: usize) -> Result<Vec<u8>, Corrupt> {
        let mut out = Vec::new();
        decompress(input, len, &mut out).map(|()| out)
    }

    /// Text with repetitions: words drawn from a few, sometimes noise.
    fn sample(rng: &mut Rng, len: usize) -> Vec<u8> {
        let mut text = Vec::new();
        while text.len() < len {
            match rng.below(6) {
                0 => text.push(rng.next_u64() as u8),
                1 => text.extend_from_slice(&[b'x'; 300][..rng.below(300) as usize]),
                2 => text.extend_from_slice(b"user:"),
                n => text.extend_from_slice(&b"{\"name\":\"value\",\"id\":12345}"[..(n * 5) as usize]),
            }
        }
        text.truncate(len);
        text
    }

    #[test]
    fn forty_a_compress_as_redis_does() {
        let packed = [0x01, 0x61, 0x61, 0xe0, 0x1b, 0x00, 0x01, 0x61, 0x61];
        assert_eq!(compressed(&[b'a'; 40]).unwrap(), packed);
        assert_eq!(decompressed(&packed, 40).unwrap(), [b'a'; 40]);
    }

    #[test]
    fn random_texts_round_trip_through_one_compressor() {
        let mut rng = Rng::seeded(11);
        let mut compressor = Compressor::new();
        let mut shrunk = 0;
        for round in 0..500 {
            let len = rng.below(if round % 50 == 0 { 100_000 } else { 2000 }) as usize;
            let input = sample(&mut rng, len);
            let mut out = b"before".to_vec();
            if compressor.compress(&input, &mut out, len.saturating_sub(4)) {
                assert_eq!(&out[..6], b"before");
                assert!(out.len() - 6 <= len - 4);
                assert_eq!(decompressed(&out[6..], len).unwrap(), input);
                shrunk += 1;
            } else {
                assert_eq!(out, b"before");
            }
        }
        assert!(shrunk > 300, "only {shrunk} texts became smaller");
    }

    #[test]
    fn the_reference_crate_reads_ours_and_we_read_its() {
        let mut rng = Rng::seeded(12);
        for _ in 0..100 {
            let len = 100 + rng.below(3000) as usize;
            let input = sample(&mut rng, len);
            if let Some(ours) = compressed(&input) {
                assert_eq!(lzf::decompress(&ours, input.len()).unwrap(), input);
            }
            if let Ok(theirs) = lzf::compress(&input) {
                assert_eq!(decompressed(&theirs, input.len()).unwrap(), input);
            }
        }
    }

    #[test]
    fn the_table_survives_the_overflow_of_its_positions() {
        let mut compressor = Compressor::new();
        compressor.base = u32::MAX - 50;
        for _ in 0..3 {
            let mut out = Vec::new();
            assert!(compressor.compress(&[b'a'; 40], &mut out, 40));
            assert_eq!(decompressed(&out, 40).unwrap(), [b'a'; 40]);
        }
        assert!(compressor.base < 1000);
    }

    #[test]
    fn noise_and_short_strings_are_left_alone() {
        let mut rng = Rng::seeded(5);
        let noise: Vec<u8> = (0..200).map(|_| rng.next_u64() as u8).collect();
        assert_eq!(compressed(&noise), None);
        assert_eq!(compressed(b"aaaa"), None);
        assert_eq!(compressed(b""), None);
    }

    #[test]
    fn damaged_data_are_refused_without_a_panic() {
        let input = sample(&mut Rng::seeded(3), 500);
        let packed = compressed(&input).unwrap();
        for cut in 0..packed.len() {
            assert_eq!(decompressed(&packed[..cut], 500), Err(Corrupt));
        }
        for wrong in [0, 1, 499, 501, usize::MAX] {
            assert_eq!(decompressed(&packed, wrong), Err(Corrupt));
        }
        for byte in 0..packed.len() {
            for bit in 0..8 {
                let mut damaged = packed.clone();
                damaged[byte] ^= 1 << bit;
                if let Ok(out) = decompressed(&damaged, 500) {
                    assert_eq!(out.len(), 500, "whatever comes out has the promised size");
                }
            }
        }
        assert_eq!(decompressed(&[0x20, 0x00], 3), Err(Corrupt), "a copy from before the start");
    }

    #[test]
    fn a_length_the_data_cannot_back_allocates_nothing() {
        let mut out = Vec::new();
        assert_eq!(decompress(&[0x00, 0x61], 1 << 40, &mut out), Err(Corrupt));
        assert_eq!(out.capacity(), 0);
    }
}
