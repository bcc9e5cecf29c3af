//! The sparse form: runs of equal registers, in order, for a HyperLogLog that has seen little.
//!
//! ```text
//! 00llllll             zeros      l + 1 registers of 0          1 to 64
//! 01llllll llllllll    zeros      l + 1 registers of 0          1 to 16384, high bits first
//! 1vvvvvll             values     l + 1 registers of v + 1      1 to 4, of 1 to 32
//! ```
//!
//! One that has seen nothing is the two bytes `7f ff`. With registers 1000, 1020 and 1021 at 2, 3 and 3 it is
//! `43 e7`, `84`, `12`, `89`, `7c 01`: 1000 zeros, a 2, 19 zeros, two 3s, 15362 zeros.
//!
//! The bytes of a value depend on the order in which its registers were raised, because only neighbours of the last change
//! are joined. To be the same bytes as in Redis, [`raise`] splits and joins by the same rules.

use smallvec::SmallVec;

use super::{Corrupt, HEADER, Histogram, REGISTERS, Registers, Sighting};

/// The body of one that has seen nothing.
pub const EMPTY: [u8; 2] = [0x7f, 0xff];
/// Longest run of zeros in one byte.
const ZEROS_MAX: usize = 64;
/// Longest run of a value.
const VALUES_MAX: usize = 4;
/// Highest rank that can be expressed.
const RANK_MAX: u8 = 32;
/// How many runs from the one before the change on are looked at for joining; each joining counts as one.
const JOIN_STEPS: usize = 5;

/// What became of raising a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// It was as high already.
    Not,
    /// It was raised.
    InPlace,
    /// It cannot be raised in this form; nothing was changed.
    NeedsDense,
}

/// A run of equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Their value.
    pub rank: u8,
    /// How many there are.
    pub len: usize,
    /// How many bytes say so.
    pub size: usize,
}

/// The run at `at`; `None` at the end, and when its second byte is missing.
fn run_at(body: &[u8], at: usize) -> Option<Run> {
    let byte = *body.get(at)?;
    Some(match byte >> 6 {
        0 => Run { rank: 0, len: usize::from(byte) + 1, size: 1 },
        1 => Run { rank: 0, len: (usize::from(byte & 63) << 8 | usize::from(*body.get(at + 1)?)) + 1, size: 2 },
        _ => Run { rank: (byte >> 2 & 31) + 1, len: usize::from(byte & 3) + 1, size: 1 },
    })
}

/// The runs of a body. Ends early when the last one is cut short.
pub fn runs(body: &[u8]) -> impl Iterator<Item = Run> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let run = run_at(body, at)?;
        at += run.size;
        Some(run)
    })
}

/// Visits the runs of a body and the number of each one's first register; an error when they are not [`REGISTERS`].
fn each(body: &[u8], mut visit: impl FnMut(usize, Run)) -> Result<(), Corrupt> {
    let (mut first, mut at) = (0, 0);
    for run in runs(body) {
        if first + run.len > REGISTERS {
            return Err(Corrupt);
        }
        visit(first, run);
        first += run.len;
        at += run.size;
    }
    if first == REGISTERS && at == body.len() { Ok(()) } else { Err(Corrupt) }
}

/// Counts the registers of each value.
pub fn histogram(body: &[u8], histogram: &mut Histogram) -> Result<(), Corrupt> {
    each(body, |_, run| histogram[usize::from(run.rank)] += run.len as u32)
}

/// Raises `registers` to these.
pub fn unite(registers: &mut Registers, body: &[u8]) -> Result<(), Corrupt> {
    each(body, |first, run| {
        if run.rank > 0 {
            registers[first..first + run.len].iter_mut().for_each(|register| *register = run.rank.max(*register));
        }
    })
}

/// Where a register is written down.
struct Found {
    /// The run before, or the run itself when it is the first.
    before: usize,
    at: usize,
    run: Run,
    /// Number of the run's first register.
    first: usize,
}

/// Only what comes before the register is looked at. This is where the time of PFADD goes: a short loop that knows two kinds of
/// runs, those of one byte, whose length comes from a table, and the rare ones of two.
fn find(body: &[u8], register: usize) -> Result<Found, Corrupt> {
    let (mut before, mut at, mut first) = (0, 0, 0);
    loop {
        let byte = *body.get(at).ok_or(Corrupt)?;
        let (len, size) = match byte >> 6 {
            1 => (run_at(body, at).ok_or(Corrupt)?.len, 2),
            _ => (usize::from(SHORT_LEN[usize::from(byte)]), 1),
        };
        if register < first + len {
            let run = run_at(body, at).ok_or(Corrupt)?;
            return Ok(Found { before, at, run, first });
        }
        before = at;
        at += size;
        first += len;
    }
}

/// How long the run is that is written as this one byte.
const SHORT_LEN: [u8; 256] = {
    let mut lens = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        lens[byte] = if byte < 64 { byte as u8 + 1 } else { byte as u8 % 4 + 1 };
        byte += 1;
    }
    lens
};

/// One register.
pub fn get(body: &[u8], register: usize) -> Result<u8, Corrupt> {
    find(body, register).map(|found| found.run.rank)
}

/// Raises one register of a whole value, unless that would make it longer than `max` bytes.
pub fn raise(value: &mut Vec<u8>, seen: Sighting, max: usize) -> Result<Raised, Corrupt> {
    if seen.rank > RANK_MAX {
        return Ok(Raised::NeedsDense);
    }
    let Found { before, at, run, first } = find(&value[HEADER..], seen.register)?;
    if run.rank >= seen.rank {
        return Ok(Raised::Not);
    }
    let mut parts = SmallVec::new();
    push_run(&mut parts, run.rank, seen.register - first);
    push_run(&mut parts, seen.rank, 1);
    push_run(&mut parts, run.rank, first + run.len - 1 - seen.register);
    if parts.len() > run.size && value.len() - run.size + parts.len() > max {
        return Ok(Raised::NeedsDense);
    }
    let start = HEADER + at;
    value.splice(start..start + run.size, parts);
    join(value, HEADER + before);
    Ok(Raised::InPlace)
}

/// Joins neighbouring runs of the same value, as far as a run can be long.
fn join(value: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_STEPS {
        let Some(run) = run_at(value, at) else { return };
        match run_at(value, at + run.size) {
            Some(next) if run.rank > 0 && next.rank == run.rank && run.len + next.len <= VALUES_MAX => {
                value[at] = values(run.rank, run.len + next.len);
                value.remove(at + 1);
            }
            _ => at += run.size,
        }
    }
}

/// The bytes of up to three runs.
type Parts = SmallVec<[u8; 8]>;

/// Appends a run; none when `len` is 0. A run of a value must not be longer than [`VALUES_MAX`].
fn push_run(out: &mut Parts, rank: u8, len: usize) {
    match (rank, len) {
        (_, 0) => {}
        (0, _) => push_zeros(out, len),
        _ => out.push(values(rank, len)),
    }
}

/// Appends a run of zeros, 1 to [`REGISTERS`] of them.
fn push_zeros(out: &mut Parts, len: usize) {
    if len <= ZEROS_MAX {
        out.push(len as u8 - 1);
    } else {
        out.extend_from_slice(&[0x40 | ((len - 1) >> 8) as u8, (len - 1) as u8]);
    }
}

fn values(rank: u8, len: usize) -> u8 {
    0x80 | ((rank - 1) << 2) | (len as u8 - 1)
}
