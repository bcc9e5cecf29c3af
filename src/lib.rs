//! rredis: a Redis-compatible server and Sentinel in one executable.
//!
//! The modules stand on floors; every import points down (`tests/architecture.rs` checks it).
//! `ARCHITECTURE.md` is the guided tour.

// Floor 0: ground.
pub mod base; // time, random, numbers, patterns, limits

// Floor 1: materials.
pub mod config; // what can be set, and its text form
pub mod data; // values and their encodings
pub mod resp; // the protocol: parsing requests, writing replies
pub mod stats; // figures: counters, slowlog, INFO writer

// Floor 2: mechanisms, strangers to each other.
pub mod acl; // who may do what
pub mod keyspace; // databases, expiry, the hook for point-in-time cuts
pub mod net; // the event loop, sockets, timers
pub mod persist; // snapshots to disk and back
pub mod pubsub; // channels and patterns by session id
pub mod rdb; // values as bytes
pub mod repl; // replication as machines without sockets
pub mod script; // Lua, in a sandbox
pub mod spec; // what a command is, without what it does

// Floor 3: what can be asked.
pub mod commands; // of the data
pub mod session; // of one's own connection

// Floor 4: how a command is admitted, run, and what follows.
pub mod exec;

// Floor 5: the two programs.
pub mod sentinel;
pub mod server;

#[cfg(test)]
pub mod testkit;
