//! String commands. One file each; `value.rs` and `expiry.rs` hold what several of them share.

use crate::commands::contract::DataHandler;
use crate::spec::Spec;

mod append;
mod decr;
mod decrby;
mod delifeq;
mod expiry;
mod get;
mod getdel;
mod getex;
mod getrange;
mod getset;
mod incr;
mod incrby;
mod incrbyfloat;
mod lcs;
mod mget;
mod mset;
mod msetnx;
mod psetex;
mod set;
mod setex;
mod setnx;
mod setrange;
mod strlen;
mod substr;
mod value;

/// The family.
pub const TABLE: &[&Spec<DataHandler>] = &[
    &append::SPEC,
    &decr::SPEC,
    &decrby::SPEC,
    &delifeq::SPEC,
    &get::SPEC,
    &getdel::SPEC,
    &getex::SPEC,
    &getrange::SPEC,
    &getset::SPEC,
    &incr::SPEC,
    &incrby::SPEC,
    &incrbyfloat::SPEC,
    &lcs::SPEC,
    &mget::SPEC,
    &mset::SPEC,
    &msetnx::SPEC,
    &psetex::SPEC,
    &set::SPEC,
    &setex::SPEC,
    &setnx::SPEC,
    &setrange::SPEC,
    &strlen::SPEC,
    &substr::SPEC,
];
