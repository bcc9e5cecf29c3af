//! Having the system write a part of a file to the disk, without the promises of a sync.
//!
//! A sync also tells the disk to empty its own cache, and waits: all that was given to the disk by whomever goes first. Where the disk
//! belongs to a virtual machine, the machine was seen to stop for ten milliseconds meanwhile, all of it. Who only wants the disk to be
//! busy all the time, and not to be given everything at once, has no use for that.

#![allow(unsafe_code)]

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

/// Begins to write `part` of the content to the disk; with `wait` it has been written on return. No metadata are.
#[cfg(all(target_os = "linux", not(miri)))]
pub(super) fn write_out(file: BorrowedFd<'_>, part: Range<u64>, wait: bool) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    use libc::{SYNC_FILE_RANGE_WAIT_AFTER, SYNC_FILE_RANGE_WAIT_BEFORE, SYNC_FILE_RANGE_WRITE};
    if part.is_empty() {
        // A length of 0 would mean the rest of the file.
        return Ok(());
    }
    let flags = match wait {
        true => SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER,
        false => SYNC_FILE_RANGE_WRITE,
    };
    let (from, len) = (part.start as libc::off64_t, (part.end - part.start) as libc::off64_t);
    // SAFETY: the descriptor is open for as long as it is borrowed; nothing else is handed over but numbers, which are checked.
    if unsafe { libc::sync_file_range(file.as_raw_fd(), from, len, flags) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Not every system that runs programs for Linux has it, and filters of system calls may refuse it.
        Some(libc::ENOSYS | libc::EPERM) => by_sync(file, wait),
        _ => Err(error),
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
pub(super) fn write_out(file: BorrowedFd<'_>, part: Range<u64>, wait: bool) -> io::Result<()> {
    by_sync(file, wait && !part.is_empty())
}

/// Where there is nothing but a sync, who waits gets one, and nothing is begun before.
fn by_sync(file: BorrowedFd<'_>, wait: bool) -> io::Result<()> {
    if wait { Ok(rustix::fs::fdatasync(file)?) } else { Ok(()) }
}
