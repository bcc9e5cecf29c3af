//! What tests share.

pub mod stage;
mod transcript;

pub use transcript::transcript;
