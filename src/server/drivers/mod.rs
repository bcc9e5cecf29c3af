//! What connects the machines of the lower floors with the server: each driver owns one machine, feeds it, and carries
//! out what it asks for.

pub mod aof;
pub mod loading;
pub mod migrate;
pub mod repl;
pub mod saves;
pub mod snapshot;
pub mod transfer;

#[cfg(test)]
mod tests;
