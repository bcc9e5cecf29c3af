//! Side by side with a Redis: the same commands to both, and nothing may differ in what they answer, in what their
//! replicas receive, and in the keyspace events they tell.
//!
//! The other server is the `redis-server` found in the path, or the one that `REDIS_SERVER` names. Where there is none the
//! tests say so and pass; with `CI=true` that is a failure. A failure prints `SEED=…`, and that variable replays it.

mod bits;
mod client;
mod command_info;
mod commands;
mod lists;
mod pair;
mod replies;
mod server;
mod sets;
mod streams;
mod zsets;
