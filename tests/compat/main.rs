//! Side by side with a Redis: the same commands to both, and nothing may differ in what they answer, in what their
//! replicas receive, and in the keyspace events they tell.
//!
//! The other server is the `redis-server` found in the path, or the one that `REDIS_SERVER` names. Where there is none the
//! tests say so and pass; with `CI=true` that is a failure. A failure prints `SEED=…`, and that variable replays it; `HISTORY` is how
//! many of the commands before it are shown.

mod anything;
mod bits;
mod client;
mod command_info;
mod commands;
mod content;
mod hashes;
mod hyperloglogs;
mod lists;
mod mixed;
mod pair;
mod question;
mod replies;
mod seed;
mod server;
mod sets;
mod streams;
mod waiting;
mod zsets;
