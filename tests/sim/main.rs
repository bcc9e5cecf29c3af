//! Simulated clusters: real decision machines against model servers, over a network that does its worst.
//!
//! Nothing here has a socket or a clock. A run is drawn from a seed and replays exactly; a failing one prints its seed and
//! leaves a transcript. `SEEDS=n` runs n seeds, `SEED=s` one; `make sim SEEDS=n` does it with an optimised build.
//!
//! ```text
//!   world.rs        time, and the queue of what will happen
//!   processes.rs    processes that start, stop, hang and crash
//!   network.rs      connections with latency, partitions (also one-way), resets; wires.rs delivers
//!   nodes.rs        Sentinels: the real core in a simple shell
//!   redis_model.rs  data servers: SLAVEOF, INFO, CLIENT PAUSE; servers.rs lets clients ask
//!   replication.rs  the real replication machines of the servers, in a simple shell; data.rs is what they carry
//!   faults.rs       what goes wrong, drawn from a seed
//!   checks.rs       what must hold all the time, and what must hold in the end
//!   questions.rs    what tests ask of the world
//!   sentinel.rs     the tests
//! ```

mod checks;
mod data;
mod faults;
mod network;
mod nodes;
mod processes;
mod questions;
mod redis_model;
mod replication;
mod sentinel;
mod servers;
mod wires;
mod world;
