//! Bitmap commands: strings as rows of bits. `args.rs` reads offsets and ranges; what is done to bits is in `data/bits.rs`.

use crate::commands::contract::DataHandler;
use crate::spec::Spec;

mod args;
mod bitcount;
mod bitfield;
mod bitfield_ro;
mod bitop;
mod bitpos;
mod getbit;
mod setbit;

/// The family.
pub const TABLE: &[&Spec<DataHandler>] =
    &[&bitcount::SPEC, &bitfield::SPEC, &bitfield_ro::SPEC, &bitop::SPEC, &bitpos::SPEC, &getbit::SPEC, &setbit::SPEC];
