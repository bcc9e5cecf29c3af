//! Commands for keys of any type. One file each; `expiry.rs` holds what the EXPIRE and TTL families share.

use crate::commands::contract::DataHandler;
use crate::spec::{Meta, Spec};

mod copy;
mod database;
mod del;
mod dump;
mod exists;
mod expire;
mod expireat;
mod expiretime;
mod expiry;
mod keys;
mod memory;
mod r#move;
mod object;
mod persist;
mod pexpire;
mod pexpireat;
mod pexpiretime;
mod pttl;
mod randomkey;
mod rename;
mod renamenx;
mod restore;
mod scan;
mod sort;
mod touch;
mod ttl;
mod r#type;
mod unlink;

/// The family.
pub const TABLE: &[&Spec<DataHandler>] = &[
    &copy::SPEC,
    &del::SPEC,
    &dump::SPEC,
    &exists::SPEC,
    &expire::SPEC,
    &expireat::SPEC,
    &expiretime::SPEC,
    &keys::SPEC,
    &memory::PURGE,
    &memory::USAGE,
    &r#move::SPEC,
    &object::ENCODING,
    &object::FREQ,
    &object::HELP,
    &object::IDLETIME,
    &object::REFCOUNT,
    &persist::SPEC,
    &pexpire::SPEC,
    &pexpireat::SPEC,
    &pexpiretime::SPEC,
    &pttl::SPEC,
    &randomkey::SPEC,
    &rename::SPEC,
    &renamenx::SPEC,
    &restore::RESTORE_ASKING,
    &restore::SPEC,
    &scan::SPEC,
    &sort::SPEC,
    &sort::SORT_RO,
    &touch::SPEC,
    &ttl::SPEC,
    &r#type::SPEC,
    &unlink::SPEC,
];

/// Commands that are nothing but the sum of their subcommands.
pub const CONTAINERS: &[&Meta] = &[&memory::META, &object::META];
