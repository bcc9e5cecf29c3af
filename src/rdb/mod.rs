//! Values as bytes: the RDB format, read and written. Knows neither files, nor databases, nor who wants the bytes.
//!
//! * [`format`] draws the layout and names its numbers; [`length`] is its small codec.
//! * [`ziplist`] and [`zipmap`] read the packed forms that old files have collections in.
//! * [`encode`] writes records into [`encode::Chunk`]s. Strings that compression might shrink stay raw in there and are
//!   finished by [`pack`], which may run on another thread.
//! * [`decode`] reads a stream that arrives in pieces of any size, one [`decode::Event`] at a time.
//! * `types` has one file per type of collection, both ways; `build` is how one is read in pieces.
//! * [`header`] is the list of facts at the start of a file; [`dump`] is the payload of DUMP and RESTORE.
//!
//! The numbers of types that we do not read are known by name, so that a file holding them is refused with a message that says
//! which key needs what.

mod build;
pub mod decode;
pub mod dump;
pub mod encode;
pub mod format;
pub mod header;
pub mod length;
pub mod pack;
mod read;
mod types;
pub mod ziplist;
pub mod zipmap;
