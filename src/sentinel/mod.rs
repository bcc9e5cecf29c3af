//! The Sentinel program: decisions in [`core`], what can be asked in [`commands`], and the [`shell`] that carries out.

pub mod commands;
pub mod core;
pub mod shell;
