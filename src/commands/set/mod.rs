//! Set commands. One file each; `members.rs` holds what several of them share.

use crate::commands::contract::DataHandler;
use crate::spec::Spec;

mod members;
mod sadd;
mod scard;
mod sdiff;
mod sdiffstore;
mod sinter;
mod sintercard;
mod sinterstore;
mod sismember;
mod smembers;
mod smismember;
mod smove;
mod spop;
mod srandmember;
mod srem;
mod sscan;
mod sunion;
mod sunionstore;

/// The family.
pub const TABLE: &[&Spec<DataHandler>] = &[
    &sadd::SPEC,
    &scard::SPEC,
    &sdiff::SPEC,
    &sdiffstore::SPEC,
    &sinter::SPEC,
    &sintercard::SPEC,
    &sinterstore::SPEC,
    &sismember::SPEC,
    &smembers::SPEC,
    &smismember::SPEC,
    &smove::SPEC,
    &spop::SPEC,
    &srandmember::SPEC,
    &srem::SPEC,
    &sscan::SPEC,
    &sunion::SPEC,
    &sunionstore::SPEC,
];
