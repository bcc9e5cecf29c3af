//! The protocol: requests parsed from bytes, replies written to bytes; and the other side of it, for links to other
//! servers. Knows neither commands nor sockets.

pub mod ahead;
pub mod args;
pub mod decode;
pub mod encode;
pub mod inbuf;
pub mod link;
pub mod out;
pub mod parser;
pub mod reply;
pub mod value;
