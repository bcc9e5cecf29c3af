//! HyperLogLog commands. The values are strings; `value.rs` says which strings.

use crate::commands::contract::DataHandler;
use crate::spec::Spec;

mod pfadd;
mod pfcount;
mod pfdebug;
mod pfmerge;
mod pfselftest;
mod value;

/// The family.
pub const TABLE: &[&Spec<DataHandler>] =
    &[&pfadd::SPEC, &pfcount::SPEC, &pfdebug::SPEC, &pfmerge::SPEC, &pfselftest::SPEC];
