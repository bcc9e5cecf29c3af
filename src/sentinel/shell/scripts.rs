//! Scripts as processes: started from the loop, waited for on a thread each (the core runs at most sixteen at a time).

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

/// Starts a script; its process id, or `None` when it could not be started.
pub fn start(job: JobId, argv: &[String], mail: MailSender<Ended>) -> Option<i64> {
    let (program, args) = argv.split_first()?;
    let child = Command::new(program).args(args).stdin(Stdio::null()).spawn();
    let mut child = child.inspect_err(|error| tracing::warn!("Can't run the script {program}: {error}")).ok()?;
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
    waiter.is_ok().then_some(pid)
}

/// Kills a script.
pub fn kill(pid: i64) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself a moment ago; its end is on the way then.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
