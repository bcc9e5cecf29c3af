//! What tests share.

mod transcript;

pub use transcript::transcript;
