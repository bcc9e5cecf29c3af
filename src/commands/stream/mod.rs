//! Stream commands, one file each. `args.rs` reads ids, intervals and trimming, `read.rs` the words of both reading commands,
//! `reply.rs` writes entries, `pending.rs` says what groups did to replicas.

use crate::commands::contract::DataHandler;
use crate::spec::{Meta, Spec};

mod args;
mod pending;
mod read;
mod reply;
mod xack;
mod xadd;
mod xautoclaim;
mod xclaim;
mod xdel;
mod xgroup;
mod xinfo;
mod xlen;
mod xpending;
mod xrange;
mod xread;
mod xreadgroup;
mod xsetid;
mod xtrim;

/// The family.
pub const TABLE: &[&Spec<DataHandler>] = &[
    &xack::SPEC,
    &xadd::SPEC,
    &xautoclaim::SPEC,
    &xclaim::SPEC,
    &xdel::SPEC,
    &xgroup::CREATE,
    &xgroup::CREATECONSUMER,
    &xgroup::DELCONSUMER,
    &xgroup::DESTROY,
    &xgroup::HELP,
    &xgroup::SETID,
    &xinfo::CONSUMERS,
    &xinfo::GROUPS,
    &xinfo::HELP,
    &xinfo::STREAM,
    &xlen::SPEC,
    &xpending::SPEC,
    &xrange::XRANGE,
    &xrange::XREVRANGE,
    &xread::SPEC,
    &xreadgroup::SPEC,
    &xsetid::SPEC,
    &xtrim::SPEC,
];

/// Commands that are nothing but the sum of their subcommands.
pub const CONTAINERS: &[&Meta] = &[&xgroup::META, &xinfo::META];
