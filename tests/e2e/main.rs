//! End-to-end scenarios: real processes set up as people really set them up, broken as things really break.

mod aof;
mod blocking;
mod busy;
mod caching;
mod chain;
mod client;
mod cluster;
mod failover;
mod handover;
mod introspection;
mod large_values;
mod many_replicas;
mod migrate;
mod min_replicas;
mod newborn;
mod node;
mod persistence;
mod queues;
mod replication;
mod rolling;
mod roundtrip;
mod scripts;
mod sentinel_words;
mod single;
mod tls;
mod two_nodes;
