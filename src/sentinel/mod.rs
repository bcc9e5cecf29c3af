//! The Sentinel program: decisions in [`core`], and the parts that carry them out.

pub mod core;
