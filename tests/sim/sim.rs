//! Simulated clusters: real decision machines against model servers, over a network that does its worst.
//!
//! Nothing here has a socket or a clock. A run is drawn from a seed and replays exactly; a failing one prints its seed and
//! leaves a transcript. `SEEDS=n` (or `make sim SEEDS=n`) runs n seeds, `SEED=s` one. Each ends with a line that counts what it
//! exercised. `parts.rs` says which parts of rredis are in it.
//!
//! ```text
//!   world.rs        time, and what happens in it; agenda.rs what will; transcript.rs what did; shape.rs how a cluster is built
//!   processes.rs    processes that start, stop, hang and crash
//!   network.rs      connections with latency, loss, partitions (also one-way), resets; wires.rs delivers
//!   nodes.rs        Sentinels: the real core in a simple shell; answers.rs what they are asked
//!   redis_model.rs  data servers: SLAVEOF, INFO, CLIENT PAUSE; servers.rs lets clients ask
//!   replication.rs  the real replication machines of the servers, in a simple shell; data.rs is what they carry
//!   faults.rs       what goes wrong, drawn from a seed; tally.rs counts it
//!   checks.rs       what must hold all the time; watching.rs asks it, chance.rs what must hold in the end
//!   questions.rs    what tests ask of the world
//!
//!   scenarios.rs    tests of one situation each
//!   chance.rs       tests of whatever a seed draws; seeds.rs runs many
//!   mutations.rs    tests that the checks notice what is built wrong
//! ```

mod agenda;
mod answers;
mod chance;
mod checks;
mod data;
mod faults;
mod mutations;
mod network;
mod nodes;
mod processes;
mod questions;
mod redis_model;
mod replication;
mod scenarios;
mod seeds;
mod servers;
mod shape;
mod tally;
mod transcript;
mod watching;
mod wires;
mod world;
