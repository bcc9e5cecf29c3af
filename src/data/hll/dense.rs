//! The dense form: 6 bits for each register, the first in the lowest bits of the first byte.
//!
//! ```text
//! byte      0         1         2         3
//! bits   11000000  22221111  33333322  55444444 …      digits: which register a bit belongs to, highest bit first
//! ```
//!
//! Four registers are three bytes, so all loops go by three bytes.

use super::{Histogram, REGISTERS, Registers, Sighting};

/// Length of the body.
pub const BODY: usize = REGISTERS * 6 / 8;

/// One register.
pub fn get(body: &[u8], register: usize) -> u8 {
    let (byte, shift) = place(register);
    // A register that ends with its byte needs nothing of the next one, which may not be there.
    let high = if shift > 2 { u16::from(body[byte + 1]) << 8 } else { 0 };
    ((u16::from(body[byte]) | high) >> shift) as u8 & 63
}

/// Raises one register; whether that changed it.
pub fn raise(body: &mut [u8], seen: Sighting) -> bool {
    if get(body, seen.register) >= seen.rank {
        return false;
    }
    set(body, seen.register, seen.rank);
    true
}

/// Sets one register.
pub fn set(body: &mut [u8], register: usize, rank: u8) {
    let (byte, shift) = place(register);
    let (mask, bits) = ((63u16 << shift).to_le_bytes(), (u16::from(rank & 63) << shift).to_le_bytes());
    body[byte] = body[byte] & !mask[0] | bits[0];
    if mask[1] != 0 {
        body[byte + 1] = body[byte + 1] & !mask[1] | bits[1];
    }
}

fn place(register: usize) -> (usize, usize) {
    (register * 6 / 8, register * 6 % 8)
}

fn unpack(three: &[u8]) -> [u8; 4] {
    let bits = u32::from(three[0]) | u32::from(three[1]) << 8 | u32::from(three[2]) << 16;
    [bits as u8 & 63, (bits >> 6) as u8 & 63, (bits >> 12) as u8 & 63, (bits >> 18) as u8 & 63]
}

/// Counts the registers of each value. Neighbours count apart: adding one to what was just added to would wait for that.
pub fn histogram(body: &[u8], histogram: &mut Histogram) {
    let mut lanes = [[0u32; 64]; 4];
    for three in body.chunks_exact(3) {
        for (lane, rank) in lanes.iter_mut().zip(unpack(three)) {
            lane[usize::from(rank & 63)] += 1;
        }
    }
    for lane in lanes {
        histogram.iter_mut().zip(lane).for_each(|(sum, count)| *sum += count);
    }
}

/// Raises `registers` to these.
pub fn unite(registers: &mut Registers, body: &[u8]) {
    for (four, three) in registers.chunks_exact_mut(4).zip(body.chunks_exact(3)) {
        four.iter_mut().zip(unpack(three)).for_each(|(register, rank)| *register = rank.max(*register));
    }
}

/// Appends the body that says these registers.
pub fn write(registers: &Registers, out: &mut Vec<u8>) {
    for four in registers.chunks_exact(4) {
        let bits = four.iter().rev().fold(0u32, |bits, rank| bits << 6 | u32::from(rank & 63));
        out.extend_from_slice(&bits.to_le_bytes()[..3]);
    }
}
