//! Settings: what can be set, what it is called, and how it reads as text. Knows nothing of what a setting does.
//!
//! [`model::Config`] holds the typed values, grouped by subsystem; a field is named exactly as its directive, with `_`
//! for `-`.

pub mod model;
pub mod values;
