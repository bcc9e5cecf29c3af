//! What can be asked of the data: one file per command, one folder per family, no family knows another.

pub mod contract;
pub mod generic;
pub mod string;

use contract::DataHandler;

use crate::spec::{Meta, Spec};

/// Every family.
pub const TABLES: &[&[&Spec<DataHandler>]] = &[generic::TABLE, string::TABLE];

/// Every container.
pub const CONTAINERS: &[&[&Meta]] = &[generic::CONTAINERS];
