//! What a process is to the system around it: its folder, its pid file, whether it is a daemon, who supervises it, how
//! many files it may open. Both programs start and end with these.
//!
//! A daemon is made without fork: the program starts itself again in a session of its own and leaves. The new process
//! knows by an environment variable that it is the daemon.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

/// Tells the process started by [`daemonize`] what it is.
const DAEMON_MARK: &str = "RREDIS_IS_DAEMON";

/// A path made absolute against the present folder; the file need not exist.
pub fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path))
}

/// The word with which this program was started. To be asked before the process has another title.
pub fn program_word() -> String {
    std::env::args_os().next().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Everything on standard input.
pub fn read_stdin() -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    io::stdin().lock().take(16 * 1024 * 1024).read_to_end(&mut text)?;
    Ok(text)
}

/// Whether somebody watches our standard output.
pub fn has_terminal() -> bool {
    use std::io::IsTerminal;
    io::stdout().is_terminal()
}

/// Whether this process is the daemon that [`daemonize`] started.
pub fn is_daemon() -> bool {
    std::env::var_os(DAEMON_MARK).is_some()
}

/// Starts this program again, with the same words, as a daemon. `stdin` is what it will read from standard input.
pub fn daemonize(stdin: &[u8]) -> io::Result<()> {
    let program = std::env::current_exe()?;
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    let mut child = Command::new(program)
        .arg0(name)
        .args(args)
        .env(DAEMON_MARK, "1")
        .stdin(if stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(stdin)?;
    }
    Ok(())
}

/// Leaves the terminal's session. For the daemon, first thing.
pub fn leave_terminal() {
    // Fails only for a leader of a process group, and then there is no terminal to be killed by.
    let _ = rustix::process::setsid();
}

/// A pid file that goes away with this value.
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes the file.
    pub fn create(path: &Path) -> io::Result<PidFile> {
        fs::write(path, format!("{}\n", std::process::id()))?;
        Ok(PidFile { path: path.to_path_buf() })
    }

    /// Removes the file, and says so or not.
    pub fn remove(self, is_told: bool) {
        if is_told {
            tracing::info!("Removing the pid file.");
        }
        let _ = fs::remove_file(&self.path);
    }
}

/// Who supervises the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervisor {
    /// Nobody.
    None,
    /// systemd: wants to be told when we are ready.
    Systemd,
    /// upstart: waits until we stop ourselves.
    Upstart,
}

impl Supervisor {
    /// By the environment, as `supervised auto` does.
    pub fn detect() -> Supervisor {
        if std::env::var_os("UPSTART_JOB").is_some() {
            Supervisor::Upstart
        } else if std::env::var_os("NOTIFY_SOCKET").is_some() {
            Supervisor::Systemd
        } else {
            Supervisor::None
        }
    }

    /// The word in INFO.
    pub fn word(self) -> &'static str {
        match self {
            Supervisor::None => "no",
            Supervisor::Systemd => "systemd",
            Supervisor::Upstart => "upstart",
        }
    }

    /// Tells that the process is ready.
    pub fn tell_ready(self) {
        match self {
            Supervisor::None => {}
            Supervisor::Systemd => {
                let states =
                    [sd_notify::NotifyState::Status("Ready to accept connections"), sd_notify::NotifyState::Ready];
                if let Err(error) = sd_notify::notify(&states) {
                    tracing::warn!("systemd supervision requested, but it could not be told: {error}");
                }
            }
            Supervisor::Upstart => {
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
            }
        }
    }
}

/// Processor time in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuTimes {
    /// Of the process or thread itself, in its own code.
    pub user: f64,
    /// In the system, on its behalf.
    pub system: f64,
    /// Of children that ended, in their own code.
    pub children_user: f64,
    /// Of children that ended, in the system.
    pub children_system: f64,
}

impl CpuTimes {
    /// Of this process.
    pub fn of_process() -> CpuTimes {
        let (user, system) = used(UsageWho::RUSAGE_SELF);
        let (children_user, children_system) = used(UsageWho::RUSAGE_CHILDREN);
        CpuTimes { user, system, children_user, children_system }
    }

    /// Of the calling thread.
    pub fn of_thread() -> CpuTimes {
        let (user, system) = used(UsageWho::RUSAGE_THREAD);
        CpuTimes { user, system, ..CpuTimes::default() }
    }
}

/// Seconds in the own code and in the system.
fn used(who: UsageWho) -> (f64, f64) {
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    getrusage(who).map_or((0.0, 0.0), |usage| (seconds(usage.user_time()), seconds(usage.system_time())))
}

/// Where the system keeps how likely it is to end this process when memory runs out.
const OOM_SCORE: &str = "/proc/self/oom_score_adj";

/// How likely the system is to end this process when memory runs out: -1000 never, 1000 first.
pub fn oom_score() -> io::Result<i32> {
    fs::read_to_string(OOM_SCORE)?.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Sets it.
pub fn set_oom_score(score: i32) -> io::Result<()> {
    fs::write(OOM_SCORE, format!("{score}\n"))
}

/// Descriptors kept for what is no client: listeners, files, replication.
const RESERVED: u64 = 32;

/// Makes room for `clients` clients. Gives how many there is room for, when it is less.
pub fn allow_clients(clients: u32) -> Result<(), u32> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = u64::from(clients) + RESERVED;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum.map(|maximum| maximum.max(wanted)) };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    let most = limit.maximum.unwrap_or(wanted).min(wanted);
    let within = Rlimit { current: Some(most), maximum: limit.maximum };
    let have = if setrlimit(Resource::Nofile, within).is_ok() { most } else { limit.current.unwrap_or(most) };
    if have >= wanted { Ok(()) } else { Err(u32::try_from(have.saturating_sub(RESERVED)).unwrap_or(u32::MAX)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_holds_the_pid_and_goes_away() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pid");
        let file = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), std::process::id().to_string());
        file.remove(true);
        assert!(!path.exists());
        assert!(PidFile::create(&root.path().join("no/such/folder")).is_err());
    }

    #[test]
    fn processor_time_is_told_by_process_and_by_thread() {
        let sum = |times: CpuTimes| times.user + times.system;
        let (process, first) = (CpuTimes::of_process(), CpuTimes::of_thread());
        // The system brings the figures up to date at its ticks only; so long it works here.
        while sum(CpuTimes::of_thread()) < sum(first) + 0.02 {}
        assert!(sum(CpuTimes::of_process()) > sum(process));
        let other = std::thread::spawn(CpuTimes::of_thread).join().unwrap();
        assert!(sum(other) < sum(CpuTimes::of_thread()), "{other:?}");
    }

    #[test]
    fn room_for_few_clients_is_there_already() {
        assert_eq!(allow_clients(1), Ok(()));
        assert!(absolute("x").is_absolute());
    }
}
