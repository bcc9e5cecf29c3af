//! End-to-end scenarios: real processes set up as people really set them up, broken as things really break.

mod aof;
mod chain;
mod client;
mod cluster;
mod failover;
mod handover;
mod min_replicas;
mod node;
mod persistence;
mod replication;
mod rolling;
mod scripts;
mod single;
mod two_nodes;
