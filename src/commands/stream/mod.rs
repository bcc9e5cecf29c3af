//! Stream commands. One file each.

use crate::commands::contract::DataHandler;
use crate::spec::{Meta, Spec};

/// The family.
pub const TABLE: &[&Spec<DataHandler>] = &[];

/// Commands that are nothing but the sum of their subcommands.
pub const CONTAINERS: &[&Meta] = &[];
