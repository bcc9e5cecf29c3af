//! Scripts as processes: started from the loop, waited for on a thread each (the core runs at most sixteen at a time).

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::net::MailSender;
use crate::sentinel::core::io::{JobId, ScriptEnd};

/// A script has ended.
pub struct Ended {
    /// Which.
    pub job: JobId,
    /// How.
    pub end: ScriptEnd,
}

/// The exit code of a process that could not become the script, as Redis's child has it.
const NOT_EXECUTED: i32 = 2;

/// Starts a script; its process id, or how it ended when it could not be started. A system without processes to spare is one
/// thing, a file that cannot be executed another.
pub fn start(job: JobId, argv: &[String], mail: MailSender<Ended>) -> Result<i64, ScriptEnd> {
    let (program, args) = argv.split_first().ok_or(ScriptEnd::NotStarted)?;
    let child = Command::new(program).args(args).stdin(Stdio::null()).spawn();
    let mut child = child.map_err(|error| {
        tracing::warn!("Can't run the script {program}: {error}");
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::OutOfMemory => ScriptEnd::NotStarted,
            _ => ScriptEnd::Exited(NOT_EXECUTED),
        }
    })?;
    let pid = i64::from(child.id());
    let waiter = std::thread::Builder::new().name("script".to_owned()).spawn(move || {
        let end = match child.wait() {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => ScriptEnd::Exited(code),
                (None, Some(signal)) => ScriptEnd::Signalled(signal),
                (None, None) => ScriptEnd::NotStarted,
            },
            Err(_) => ScriptEnd::NotStarted,
        };
        mail.send(Ended { job, end });
    });
    waiter.map(|_| pid).map_err(|_| ScriptEnd::NotStarted)
}

/// Kills a script.
pub fn kill(pid: i64) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself a moment ago; its end is on the way then.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
