//! List commands. A file each, or one for those that differ in the end of the list; `args.rs` holds what they share.

use crate::commands::contract::DataHandler;
use crate::spec::Spec;

mod args;
mod blmove;
mod blmpop;
mod blpop;
mod lindex;
mod linsert;
mod llen;
mod lmove;
mod lmpop;
mod lpos;
mod lrange;
mod lrem;
mod lset;
mod ltrim;
pub mod pop;
mod push;

/// The family.
pub const TABLE: &[&Spec<DataHandler>] = &[
    &blmove::BLMOVE,
    &blmove::BRPOPLPUSH,
    &blmpop::SPEC,
    &blpop::BLPOP,
    &blpop::BRPOP,
    &lindex::SPEC,
    &linsert::SPEC,
    &llen::SPEC,
    &lmove::LMOVE,
    &lmove::RPOPLPUSH,
    &lmpop::SPEC,
    &lpos::SPEC,
    &lrange::SPEC,
    &lrem::SPEC,
    &lset::SPEC,
    &ltrim::SPEC,
    &pop::LPOP,
    &pop::RPOP,
    &push::LPUSH,
    &push::LPUSHX,
    &push::RPUSH,
    &push::RPUSHX,
];
