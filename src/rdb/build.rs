//! Reading a collection from a stream that arrives in pieces.
//!
//! A collection can be far larger than what has arrived of it. So each type has a builder that takes whole elements off the
//! input as they come, and gives the value once the last one is in. Between two calls a builder holds what it has read.

use super::read::Stop;
use crate::data::Value;

/// Puts one value together.
pub(super) trait Build: Send + std::fmt::Debug {
    /// Takes elements off the front of `input` until the value is complete. [`Stop::Short`] when the next element has not
    /// arrived as a whole: what was taken until then stays taken, and the caller comes again with more bytes behind the rest.
    fn step(&mut self, input: &mut &[u8]) -> Result<Value, Stop>;
}
