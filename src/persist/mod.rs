//! Snapshots to disk, to sockets, and back, and the append only file. Knows the keyspace and the RDB format, but no client, no replica and no
//! configuration.
//!
//! * [`aof`] is the append only file: every change, written down before it is confirmed.
//! * [`claim`] keeps two servers from saving to one file.
//! * [`check_rdb`] examines an image without loading it.
//! * [`snapshot`] takes the image of all databases, a slice at a time, while writing goes on.
//! * [`rdb_file`] writes an image to a file so that a crash leaves the old file or the new one.
//! * [`writer`] is the thread that finishes and writes what a snapshot laid out.
//! * [`rdb_load`] reads an image into the keyspace, a slice at a time; [`rdb_source`] reads files for it ahead of time, and
//!   [`file_load`] puts the two together.
//! * [`pace`] reckons the pauses between keys that tests ask for.

pub mod aof;
pub mod check_rdb;
pub mod claim;
pub mod file_load;
pub mod pace;
pub mod rdb_file;
pub mod rdb_load;
pub mod rdb_source;
pub mod snapshot;
pub mod writer;
