//! Settings: what can be set, what it is called, and how it reads as text. Knows nothing of what a setting does.
//!
//! [`model::Config`] holds the typed values, grouped by subsystem; a field is named exactly as its directive, with `_`
//! for `-`. `table/` declares every directive once; all else reads those declarations.

pub mod access;
pub mod cli;
pub mod directive;
pub mod document;
pub mod file;
pub mod memory_units;
pub mod model;
pub mod nearest;
pub mod rewrite;
pub mod sentinel_words;
pub mod startup;
pub mod table;
pub mod title;
pub mod tls;
pub mod values;
