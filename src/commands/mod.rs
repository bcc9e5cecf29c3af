//! What can be asked of the data: one file per command, one folder per family, no family knows another.

pub mod contract;
