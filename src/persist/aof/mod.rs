//! The append only file: every change, written down before it is confirmed, and read again at the start.
//!
//! It is a folder with several files, in the layout of Redis 7:
//!
//! ```text
//!   appendonlydir/
//!     appendonly.aof.manifest        which files there are, in which order: replaced as a whole, never changed
//!     appendonly.aof.3.base.rdb      the data at some moment
//!     appendonly.aof.3.incr.aof      the changes since that moment
//!     appendonly.aof.4.incr.aof      further changes: the last one is being written to
//! ```
//!
//! *What is durable when.* A file counts only when the manifest names it. A rewrite first names a new, still empty `incr`
//! file; then, between two commands, the image of the data begins and writing moves to that file; when the image is on disk
//! one replacement of the manifest names it as the base and drops everything older. So whenever the process or the machine
//! stops, the manifest names files that together hold everything that was confirmed: either the old base with all `incr`
//! files, or the new base with the last one. Files that it does not name are litter and are never read.
//!
//! * [`manifest`] is that list: its grammar, and how a rewrite changes it.
//! * [`folder`] knows the names and does the acts of the disk that must be whole or not happen.
//! * [`append`] decides what is written and synced when, and what a failure means.
//! * [`disk`] is the thread that syncs, prepares and commits, so that nobody waits for the disk who need not.
//! * [`read`] finds the commands in a file; [`load`] goes through all files at the start.
//! * [`place`] keeps the place in the replication stream, so that partial resyncs go on after a restart.
//! * [`restore`] goes back to a moment.
//! * [`check`] examines and repairs files while no server runs.
//! * [`limit`] says when a rewrite is due, and when it failed too often.

pub mod append;
pub mod check;
pub mod disk;
pub mod folder;
pub mod limit;
pub mod load;
pub mod manifest;
pub mod place;
pub mod read;
pub mod restore;
