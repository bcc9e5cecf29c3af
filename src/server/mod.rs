//! (module under construction)
pub mod drivers;
