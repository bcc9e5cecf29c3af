//! HyperLogLogs: how many different elements were seen, to about 0.8 %, in at most 12 KB.
//!
//! An element's hash is cut in two: 14 bits choose one of 16384 registers, and the position of the first 1 among the
//! other 50 bits, counted from 1, is the element's *rank*. A register keeps the highest rank it was shown. Elements seen
//! again change nothing, and two HyperLogLogs are united by taking the higher of each pair of registers.
//!
//! The value is an ordinary string, so that it travels by GET, DUMP and RDB; every byte of it is as in Redis:
//!
//! ```text
//! 0      4      5            8                    16
//! | HYLL | form | 0 | 0 | 0  | count, 8 bytes, LE | registers …
//! ```
//!
//! *Form* is 0 for dense (`dense.rs`) and 1 for sparse (`sparse.rs`). *Count* is the last estimate; its highest bit says
//! that registers have been raised since and it is not valid any more.
//!
//! As it is a string, clients can write anything into it. [`form_of`] checks what can be told from the outside, and the
//! functions that walk a sparse body find out when it does not describe exactly 16384 registers ([`Corrupt`]). Bits of
//! the header that must be zero are not looked at, as in Redis.

pub mod dense;
mod estimate;
mod murmur;
pub mod sparse;

/// Bytes before the registers.
pub const HEADER: usize = 16;
/// Registers.
pub const REGISTERS: usize = 1 << INDEX_BITS;
/// Length of a dense value.
pub const DENSE_LEN: usize = HEADER + dense::BODY;

/// Bits of a hash that choose the register.
const INDEX_BITS: u32 = 14;
/// The other bits; one more than that is the highest rank.
const RANK_BITS: u32 = u64::BITS - INDEX_BITS;
const MAGIC: &[u8; 4] = b"HYLL";
const FORM_AT: usize = 4;
const COUNT_AT: usize = 8;
/// In the last byte of the count: it is out of date.
const STALE: u8 = 0x80;

/// How many registers have each value. Values above the highest rank come from hostile bytes only.
pub type Histogram = [u32; 64];
/// Registers, one in a byte.
pub type Registers = [u8; REGISTERS];

/// These bytes are no HyperLogLog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHll;

/// The sparse body does not describe exactly [`REGISTERS`] registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// How the registers are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// 6 bits for each register.
    Dense,
    /// Runs of equal registers.
    Sparse,
}

/// What an element says: this register has at least this rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The register.
    pub register: usize,
    /// 1 to 51.
    pub rank: u8,
}

impl Sighting {
    /// The sighting of an element.
    pub fn of(element: &[u8]) -> Sighting {
        let hash = murmur::hash(element);
        let rest = (hash >> INDEX_BITS) | 1 << RANK_BITS;
        Sighting { register: hash as usize & (REGISTERS - 1), rank: rest.trailing_zeros() as u8 + 1 }
    }
}

/// How the registers of this value are written down, if it is a HyperLogLog.
pub fn form_of(value: &[u8]) -> Result<Form, NotHll> {
    if value.len() < HEADER || !value.starts_with(MAGIC) {
        return Err(NotHll);
    }
    match value[FORM_AT] {
        0 if value.len() == DENSE_LEN => Ok(Form::Dense),
        1 => Ok(Form::Sparse),
        _ => Err(NotHll),
    }
}

/// A HyperLogLog that has seen nothing.
pub fn empty() -> Vec<u8> {
    let mut value = header(Form::Sparse, &[0; 8]);
    value.extend_from_slice(&sparse::EMPTY);
    value
}

fn header(form: Form, count: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER + 8);
    value.extend_from_slice(MAGIC);
    value.extend_from_slice(&[matches!(form, Form::Sparse).into(), 0, 0, 0]);
    value.extend_from_slice(count);
    value
}

/// The estimate kept in a value, if it is valid.
pub fn kept_count(value: &[u8]) -> Option<u64> {
    let count = value[COUNT_AT..HEADER].try_into().expect("eight bytes");
    (value[HEADER - 1] & STALE == 0).then(|| u64::from_le_bytes(count))
}

/// Keeps an estimate in a value.
pub fn keep_count(value: &mut [u8], count: u64) {
    value[COUNT_AT..HEADER].copy_from_slice(&count.to_le_bytes());
}

/// Says that the kept estimate is not valid any more.
pub fn forget_count(value: &mut [u8]) {
    value[HEADER - 1] |= STALE;
}

/// The estimate, from the registers of a value that [`form_of`] accepted. O(registers).
pub fn count(value: &[u8]) -> Result<u64, Corrupt> {
    let mut histogram = [0; 64];
    match value[FORM_AT] {
        0 => dense::histogram(&value[HEADER..], &mut histogram),
        _ => sparse::histogram(&value[HEADER..], &mut histogram)?,
    }
    Ok(estimate::estimate(&histogram))
}

/// The estimate for registers that are not part of a value.
pub fn count_registers(registers: &Registers) -> u64 {
    let mut histogram = [0; 64];
    registers.iter().for_each(|rank| histogram[usize::from(rank & 63)] += 1);
    estimate::estimate(&histogram)
}

/// Raises `registers` to those of a value that [`form_of`] accepted. After an error some may have been raised.
pub fn unite(registers: &mut Registers, value: &[u8]) -> Result<(), Corrupt> {
    match value[FORM_AT] {
        0 => dense::unite(registers, &value[HEADER..]),
        _ => sparse::unite(registers, &value[HEADER..])?,
    }
    Ok(())
}

/// The dense form of a sparse value. The kept count goes along.
pub fn to_dense(sparse: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let mut registers = [0; REGISTERS];
    sparse::unite(&mut registers, &sparse[HEADER..])?;
    let mut value = header(Form::Dense, &sparse[COUNT_AT..HEADER]);
    value.reserve_exact(dense::BODY);
    dense::write(&registers, &mut value);
    Ok(value)
}

/// Raises a register of a value that [`form_of`] accepted; whether that changed it. A sparse value that would grow beyond
/// `sparse_max` bytes, or cannot express the rank, becomes dense. After an error the value is as it was.
///
/// O(1) for a dense value, O(length) for a sparse one.
pub fn raise(value: &mut Vec<u8>, seen: Sighting, sparse_max: usize) -> Result<bool, Corrupt> {
    let is_changed = match value[FORM_AT] {
        0 => dense::raise(&mut value[HEADER..], seen),
        _ => match sparse::raise(value, seen, sparse_max)? {
            sparse::Raised::Not => false,
            sparse::Raised::InPlace => true,
            sparse::Raised::NeedsDense => {
                *value = to_dense(value)?;
                dense::raise(&mut value[HEADER..], seen)
            }
        },
    };
    if is_changed {
        forget_count(value);
    }
    Ok(is_changed)
}

/// Whether [`raise`] would change this value.
pub fn would_raise(value: &[u8], seen: Sighting) -> Result<bool, Corrupt> {
    let present = match value[FORM_AT] {
        0 => dense::get(&value[HEADER..], seen.register),
        _ => sparse::get(&value[HEADER..], seen.register)?,
    };
    Ok(present < seen.rank)
}

#[cfg(test)]
mod tests;
