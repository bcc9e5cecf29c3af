//! From registers to a number: the improved raw estimator of Otmar Ertl ("New cardinality estimation algorithms for
//! HyperLogLog sketches", arXiv:1702.01284), which needs no corrections for small and large sets.
//!
//! With C_k registers of value k, m registers in all and q = 50 bits of rank:
//!
//! ```text
//! estimate = m² / (2 ln 2) / ( m σ(C_0 / m) + Σ C_k 2^-k (k = 1 … q) + m τ(1 − C_(q+1) / m) 2^-q )
//! ```
//!
//! The order of the floating-point operations is that of Redis, so that both round alike.

use super::{Histogram, RANK_BITS, REGISTERS};

const M: f64 = REGISTERS as f64;
const Q: usize = RANK_BITS as usize;
/// 1 / (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// The estimate.
pub fn estimate(histogram: &Histogram) -> u64 {
    let top = M * tau((M - f64::from(histogram[Q + 1])) / M);
    let sum = (1..=Q).rev().fold(top, |sum, rank| (sum + f64::from(histogram[rank])) * 0.5);
    let sum = sum + M * sigma(f64::from(histogram[0]) / M);
    // All registers at their highest rank, which only hostile bytes say, is infinitely many: the cast gives the highest
    // count there is.
    (ALPHA * M * M / sum).round() as i64 as u64
}

/// x + Σ x^(2^k) 2^(k−1): the part of the registers that have seen nothing. Infinite for 1.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let last = sum;
        sum += x * weight;
        weight += weight;
        if sum == last {
            return sum;
        }
    }
}

/// ⅓ (1 − x − Σ (1 − x^(2^−k))² 2^−k): the part of the registers that are full.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let last = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == last {
            return sum / 3.0;
        }
    }
}
