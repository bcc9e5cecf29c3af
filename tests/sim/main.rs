//! Simulated clusters: real decision machines against model servers, over a network that does its worst.
//!
//! Nothing here has a socket or a clock. A run is drawn from a seed and replays exactly; a failing one prints its seed and
//! leaves a transcript. `SEEDS=n` runs n seeds, `SEED=s` one; `make sim SEEDS=n` does it with an optimised build.
//!
//! ```text
//!   world.rs        time, the queue of events, processes that start, stop, hang and crash
//!   network.rs      connections with latency, partitions (also one-way), resets
//!   redis_model.rs  master and replica servers: a history of writes, SLAVEOF, INFO, CLIENT PAUSE
//!   faults.rs       what goes wrong, drawn from a seed
//!   checks.rs       what must hold all the time, and what must hold in the end
//!   sentinel.rs     the tests
//! ```

mod checks;
mod faults;
mod network;
mod redis_model;
mod sentinel;
mod world;
