//! The ground everything stands on: time, randomness, numbers, patterns, limits. Knows nothing of Redis's parts.

pub mod alloc;
pub mod calendar;
pub mod cpus;
pub mod crash;
pub mod files;
pub mod glob;
pub mod hash;
pub mod id;
pub mod limits;
pub mod log;
pub mod lzf;
pub mod number;
pub mod prefetch;
pub mod process;
pub mod queue;
pub mod quote;
pub mod rng;
pub mod time;
pub mod title;
pub mod tls;
