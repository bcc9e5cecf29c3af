//! What the process leaves in its log when it crashes: why, and where it was.
//!
//! A panic of ours and a signal that ends the process (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) end in the same report, with a
//! stack trace. Then the process ends as it would have without it, so that a core is written and the supervisor sees the signal.
//!
//! In the handler of a signal next to nothing is allowed, for the thread may be in the middle of anything. The first line needs
//! neither memory nor locks. The trace does need them; if it hangs, an alarm ends the process after some seconds, and what was
//! written by then stays. A stack that overflowed has no room for a report: then there is only the signal.

#![allow(unsafe_code)]

use std::backtrace::Backtrace;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the report goes; empty: standard output.
static LOG: OnceLock<PathBuf> = OnceLock::new();

/// One report is enough: the signal that a panic ends in has nothing to add.
static IS_REPORTED: AtomicBool = AtomicBool::new(false);

/// `crash-log-enabled`.
static IS_ENABLED: AtomicBool = AtomicBool::new(true);

/// `use-exit-on-panic`.
static IS_EXITING: AtomicBool = AtomicBool::new(false);

/// Seconds that a trace may take.
const TRACE_MAX_S: u32 = 20;

const SIGNALS: [(libc::c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGABRT, "SIGABRT"),
];

/// Has reports written to this log from now on (an empty path: to standard output). Only the first call counts.
pub fn install(log: &Path) {
    let log = if log.as_os_str().is_empty() { PathBuf::new() } else { std::path::absolute(log).unwrap_or_default() };
    if LOG.set(log).is_err() {
        return;
    }
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        report(format_args!("crashed: {panic}"));
        if IS_EXITING.load(Ordering::Relaxed) {
            std::process::exit(1);
        }
    }));
    for (signal, _) in SIGNALS {
        // SAFETY: the struct is plain data for which zeros are valid; the handler has the signature that SA_SIGINFO asks for and
        // does what its comment says. An error leaves the signal as it is, which costs the report only.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as extern "C" fn(_, _, _) as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}

/// Sets `crash-log-enabled` and `use-exit-on-panic`.
pub fn configure(is_enabled: bool, is_exiting: bool) {
    IS_ENABLED.store(is_enabled, Ordering::Relaxed);
    IS_EXITING.store(is_exiting, Ordering::Relaxed);
}

/// DEBUG SEGFAULT: what an access to memory that is not there leads to.
pub fn segfault() {
    // SAFETY: sends a signal to the calling thread; no memory is touched.
    unsafe {
        libc::raise(libc::SIGSEGV);
    }
}

/// Runs on the thread that crashed, which never goes on.
extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let name = SIGNALS.iter().find(|(number, _)| *number == signal).map_or("?", |(_, name)| name);
    // SAFETY: the system hands over a valid siginfo for handlers with SA_SIGINFO; the address is a number to us.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    report(format_args!("crashed by signal: {signal} ({name}), code {code}, address {address:#x}"));
    // SAFETY: both are allowed in a handler. The signal is blocked until we return, and then ends the process.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

fn report(reason: fmt::Arguments<'_>) {
    if !IS_ENABLED.load(Ordering::Relaxed) || IS_REPORTED.swap(true, Ordering::SeqCst) {
        return;
    }
    // SAFETY: allowed in a handler; its own signal ends the process.
    unsafe {
        libc::alarm(TRACE_MAX_S);
    }
    let pid = std::process::id();
    let version = env!("CARGO_PKG_VERSION");
    let mut log = Log(LOG.get().and_then(|path| OpenOptions::new().append(true).open(path).ok()));
    // What cannot be written is lost: there is nobody left to tell.
    let _ = writeln!(log, "\n\n=== RREDIS BUG REPORT BEGINS: please pass it on from here ===");
    let _ = writeln!(log, "{pid}: rredis {version} {reason}");
    let _ = writeln!(log, "------ STACK TRACE ------");
    let _ = writeln!(log, "{}\n=== RREDIS BUG REPORT ENDS ===", Backtrace::force_capture());
    // SAFETY: as above.
    unsafe {
        libc::alarm(0);
    }
}

/// The log, or standard output; each piece is written as it comes.
struct Log(Option<File>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Some(file) => file.write(bytes),
            // SAFETY: the pointer and the length are those of the slice.
            None => match unsafe { libc::write(1, bytes.as_ptr().cast(), bytes.len()) } {
                count if count > 0 => Ok(count as usize),
                _ => Err(io::Error::last_os_error()),
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
