//! Set commands. One file each.

use crate::commands::contract::DataHandler;
use crate::spec::Spec;

/// The family.
pub const TABLE: &[&Spec<DataHandler>] = &[];
