//! The protocol: requests parsed from bytes, replies written to bytes. Knows neither commands nor sockets.

pub mod args;
pub mod inbuf;
pub mod out;
pub mod parser;
pub mod reply;
pub mod value;
