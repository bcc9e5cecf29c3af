//! Figures: what was counted, how long it took, and the writer of INFO. Knows nothing of who reads them.

pub mod command;
pub mod counters;
pub mod info;
pub mod latency;
pub mod rate;
pub mod slowlog;
