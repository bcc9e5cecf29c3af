//! Geo commands: positions as scores of sorted sets (`data/geohash.rs`). One file each; `args.rs` and `search.rs` hold what several
//! of them share.

use crate::commands::contract::DataHandler;
use crate::spec::Spec;

mod args;
mod geoadd;
mod geodist;
mod geohash;
mod geopos;
mod georadius;
mod georadius_ro;
mod georadiusbymember;
mod georadiusbymember_ro;
mod geosearch;
mod geosearchstore;
mod search;

/// The family.
pub const TABLE: &[&Spec<DataHandler>] = &[
    &geoadd::SPEC,
    &geodist::SPEC,
    &geohash::SPEC,
    &geopos::SPEC,
    &georadius::SPEC,
    &georadius_ro::SPEC,
    &georadiusbymember::SPEC,
    &georadiusbymember_ro::SPEC,
    &geosearch::SPEC,
    &geosearchstore::SPEC,
];
