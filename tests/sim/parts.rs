//! The parts of rredis that a simulated cluster is made of: the machines that decide, and what they stand on. That it builds
//! shows that no socket, file or clock is behind them.

/// Ground.
#[path = "../../src/base"]
pub mod base {
    pub mod glob;
    pub mod id;
    pub mod limits;
    pub mod number;
    pub mod quote;
    pub mod rng;
    pub mod time;
}

#[path = "../../src/repl/mod.rs"]
pub mod repl;
#[path = "../../src/resp/mod.rs"]
pub mod resp;

/// Sentinel without its shell.
#[path = "../../src/sentinel"]
pub mod sentinel {
    pub mod core;
}
