//! The log: what `tracing` events become.
//!
//! ```text
//!   1234:M 05 Nov 2026 14:03:07.123 * Ready to accept connections tcp
//!   │    │ │                        │ └ the event's message; other fields follow as name=value
//!   │    │ │                        └ importance: # warning, * notice, - verbose, . debug
//!   │    │ └ local time
//!   │    └ role: M master, S replica, X Sentinel, C before the role is known
//!   └ process id
//! ```
//!
//! `tracing`'s levels stand for Redis's: `error!` and `warn!` are warnings, `info!` a notice, `debug!` verbose, `trace!`
//! debug. Level and role are atomics, so that CONFIG SET and a promotion take effect at once, and a disabled event costs
//! a load.
//!
//! A log file is kept open, but before each line its name is looked up again: when it names another file, or none, the
//! file is opened anew. So moving the file away is all that a rotation has to do. When it cannot be opened the line is
//! lost, as there is nowhere to complain.
//!
//! Reads the clock and opens files: one of the few places below the programs that may.

use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::calendar::civil_date;
use crate::base::time::UnixMillis;
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::base::limits::LOG_LINE_MAX;

/// How much is logged: everything at this importance and above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// Everything.
    Debug = 0,
    /// Many rarely useful details.
    Verbose = 1,
    /// What an operator wants to know.
    Notice = 2,
    /// Only what needs attention.
    Warning = 3,
    /// Nothing at all.
    Nothing = 4,
}

/// The role letter of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Not known yet, or a helper of the server.
    Child = b'C' as isize,
    /// Master.
    Master = b'M' as isize,
    /// Replica.
    Replica = b'S' as isize,
    /// Sentinel.
    Sentinel = b'X' as isize,
}

static THRESHOLD: AtomicU8 = AtomicU8::new(Threshold::Notice as u8);
static ROLE: AtomicU8 = AtomicU8::new(Role::Child as u8);
static OUTPUT: Mutex<Output> = Mutex::new(Output { file: None, syslog: None });

/// Makes this module the receiver of all events of the process. Later calls change nothing.
pub fn install() {
    let subscriber = tracing_subscriber::registry().with(RedisLines);
    // The only failure is that a subscriber is installed already, which is what the caller wants.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Changes how much is logged, from now on.
pub fn set_threshold(threshold: Threshold) {
    THRESHOLD.store(threshold as u8, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// Changes the role letter, from now on.
pub fn set_role(role: Role) {
    ROLE.store(role as u8, Ordering::Relaxed);
}

/// Logs to a file, or to standard output when the path is empty. Fails when the file cannot be opened; then nothing
/// changes.
pub fn set_file(path: &Path) -> io::Result<()> {
    let file = if path.as_os_str().is_empty() { None } else { Some(LogFile::open(path.to_owned())?) };
    OUTPUT.lock().file = file;
    Ok(())
}

/// Sends every line to the local syslog as well (`Some`: the ident and facility), or stops doing so.
/// `facility` is the number of the syslog protocol: 1 for user, 16 to 23 for local0 to local7.
pub fn set_syslog(target: Option<(&str, u8)>) {
    OUTPUT.lock().syslog = target.map(|(ident, facility)| Syslog { ident: ident.to_owned(), facility, socket: None });
}

/// The layer behind [`install`].
struct RedisLines;

impl<S: Subscriber> Layer<S> for RedisLines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match THRESHOLD.load(Ordering::Relaxed) {
            0 => LevelFilter::TRACE,
            1 => LevelFilter::DEBUG,
            2 => LevelFilter::INFO,
            3 => LevelFilter::WARN,
            _ => LevelFilter::OFF,
        })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let importance = importance(*event.metadata().level());
        let mut message = Message { text: String::new() };
        event.record(&mut message);
        let mut text = message.text;
        if text.len() > LOG_LINE_MAX {
            text.truncate(text.floor_char_boundary(LOG_LINE_MAX));
        }
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let role = ROLE.load(Ordering::Relaxed) as char;
        let mut output = OUTPUT.lock();
        let date =
            LocalDate { unix_ms: since_1970.as_millis() as i64, offset_s: offset_at(since_1970.as_secs() as i64) };
        let line = format_line(std::process::id(), role, date, importance, &text);
        output.write(line.as_bytes(), importance, &text);
    }
}

/// Our own events only: libraries have their own idea of what is worth a line.
fn is_enabled(metadata: &Metadata<'_>) -> bool {
    importance(*metadata.level()) as u8 >= THRESHOLD.load(Ordering::Relaxed) && metadata.target().starts_with("rredis")
}

fn importance(level: Level) -> Threshold {
    match level {
        Level::ERROR | Level::WARN => Threshold::Warning,
        Level::INFO => Threshold::Notice,
        Level::DEBUG => Threshold::Verbose,
        Level::TRACE => Threshold::Debug,
    }
}

/// Collects the message of an event, and its other fields behind it.
struct Message {
    text: String,
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            write!(self.text, "{value:?}")
        } else {
            write!(self.text, " {}={value:?}", field.name())
        };
    }
}

/// A moment with the distance of its local clock from UTC.
#[derive(Clone, Copy)]
struct LocalDate {
    unix_ms: i64,
    offset_s: i64,
}

/// `05 Nov 2026 14:03:07.123`
impl fmt::Display for LocalDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let local_ms = self.unix_ms + self.offset_s * 1000;
        let (days, ms) = (local_ms.div_euclid(86_400_000), local_ms.rem_euclid(86_400_000));
        let (year, month, day) = civil_date(days);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{day:02} {} {year} {hour:02}:{minute:02}:{second:02}.{:03}", MONTHS[month as usize - 1], ms % 1000)
    }
}

/// Seconds that the local clock is ahead of UTC at a moment; 0 when the zone is unknown.
fn offset_at(unix_s: i64) -> i64 {
    static ZONE: std::sync::OnceLock<Option<tz::TimeZone>> = std::sync::OnceLock::new();
    let zone = ZONE.get_or_init(|| tz::TimeZone::local().ok());
    let kind = zone.as_ref().and_then(|zone| zone.find_local_time_type(unix_s).ok());
    kind.map_or(0, |kind| i64::from(kind.ut_offset()))
}

/// A moment as C's `ctime` shows it, without the line end: `Fri Nov  5 14:03:07 2026`.
pub fn ctime_text(at: UnixMillis) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let local = LocalDate { unix_ms: at.0, offset_s: offset_at(at.as_secs()) }.to_string();
    let days = (at.as_secs() + offset_at(at.as_secs())).div_euclid(86_400);
    let parts: Vec<&str> = local.split([' ', '.']).collect();
    let day = parts[0].trim_start_matches('0');
    format!("{} {} {day:>2} {} {}", DAYS[days.rem_euclid(7) as usize], parts[1], parts[3], parts[2])
}

fn format_line(pid: u32, role: char, date: LocalDate, importance: Threshold, text: &str) -> String {
    let mark = match importance {
        Threshold::Debug => '.',
        Threshold::Verbose => '-',
        Threshold::Notice => '*',
        Threshold::Warning | Threshold::Nothing => '#',
    };
    format!("{pid}:{role} {date} {mark} {text}\n")
}

/// Where lines go.
struct Output {
    file: Option<LogFile>,
    syslog: Option<Syslog>,
}

impl Output {
    fn write(&mut self, line: &[u8], importance: Threshold, text: &str) {
        match &mut self.file {
            Some(file) => file.write(line),
            // A closed standard output is no reason to stop serving.
            None => drop(io::stdout().lock().write_all(line)),
        }
        if let Some(syslog) = &mut self.syslog {
            syslog.send(importance, text);
        }
    }
}

/// A log file that follows its name.
struct LogFile {
    path: PathBuf,
    open: Option<(fs::File, u64, u64)>,
}

impl LogFile {
    fn open(path: PathBuf) -> io::Result<LogFile> {
        // A relative name must keep meaning the same file after `dir` has changed the working directory.
        let path = std::path::absolute(&path).unwrap_or(path);
        let mut file = LogFile { path, open: None };
        file.reopen()?;
        Ok(file)
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.open = None;
        let file = fs::OpenOptions::new().append(true).create(true).open(&self.path)?;
        let metadata = file.metadata()?;
        self.open = Some((file, metadata.dev(), metadata.ino()));
        Ok(())
    }

    fn is_current(&self) -> bool {
        let Some((_, device, inode)) = &self.open else { return false };
        fs::metadata(&self.path).is_ok_and(|now| now.dev() == *device && now.ino() == *inode)
    }

    fn write(&mut self, line: &[u8]) {
        if !self.is_current() && self.reopen().is_err() {
            return;
        }
        if let Some((file, ..)) = &mut self.open {
            // A full disk loses lines; there is nowhere to say so.
            let _ = file.write_all(line);
        }
    }
}

/// The local syslog daemon, spoken to by datagrams on `/dev/log`.
struct Syslog {
    ident: String,
    facility: u8,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    fn send(&mut self, importance: Threshold, text: &str) {
        let severity = match importance {
            Threshold::Debug => 7,
            Threshold::Verbose => 6,
            Threshold::Notice => 5,
            Threshold::Warning | Threshold::Nothing => 4,
        };
        let packet = format!("<{}>{}[{}]: {text}", self.facility * 8 + severity, self.ident, std::process::id());
        // The daemon may be restarted at any time: one new connection is tried, then the line is given up.
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = Self::connect().ok();
            }
            match &self.socket {
                Some(socket) if socket.send(packet.as_bytes()).is_ok() => return,
                _ => self.socket = None,
            }
        }
    }

    fn connect() -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?; // A stuck daemon must not stop us.
        socket.connect("/dev/log")?;
        Ok(socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_ms: i64, offset_s: i64) -> String {
        LocalDate { unix_ms, offset_s }.to_string()
    }

    #[test]
    fn ctime_pads_the_day_and_names_it() {
        let text = ctime_text(UnixMillis(0));
        assert!(text.contains(" 1970") || text.contains(" 1969"), "{text}");
        assert_eq!(text.len(), 24);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(at(0, 0), "01 Jan 1970 00:00:00.000");
        assert_eq!(at(951_782_399_999, 0), "28 Feb 2000 23:59:59.999");
        assert_eq!(at(951_782_400_000, 0), "29 Feb 2000 00:00:00.000");
        assert_eq!(at(1_709_251_200_000, 0), "01 Mar 2024 00:00:00.000");
        assert_eq!(at(4_107_542_400_000, 0), "01 Mar 2100 00:00:00.000");
        assert_eq!(at(1_767_225_599_001, 3600), "01 Jan 2026 00:59:59.001");
        assert_eq!(at(-1, -3600), "31 Dec 1969 22:59:59.999");
    }

    #[test]
    fn a_line_has_the_form_of_redis() {
        let date = LocalDate { unix_ms: 1_793_887_387_123, offset_s: 0 };
        let line = |importance| format_line(42, 'M', date, importance, "hi");
        assert_eq!(line(Threshold::Notice), "42:M 05 Nov 2026 14:03:07.123 * hi\n");
        assert!(line(Threshold::Warning).ends_with(" # hi\n"));
        assert!(line(Threshold::Verbose).ends_with(" - hi\n"));
        assert!(line(Threshold::Debug).ends_with(" . hi\n"));
    }

    #[test]
    fn a_log_file_moved_away_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = LogFile::open(path.clone()).unwrap();
        file.write(b"one\n");
        fs::rename(&path, folder.path().join("log.1")).unwrap();
        file.write(b"two\n");
        fs::remove_file(&path).unwrap();
        file.write(b"three\n");
        assert_eq!(fs::read(folder.path().join("log.1")).unwrap(), b"one\n");
        assert_eq!(fs::read(&path).unwrap(), b"three\n");
    }

    #[test]
    fn a_log_file_that_cannot_be_opened_is_reported() {
        assert!(LogFile::open(PathBuf::from("/nonexistent/folder/log")).is_err());
    }

    #[test]
    fn levels_stand_for_those_of_redis() {
        assert_eq!(importance(Level::ERROR), Threshold::Warning);
        assert_eq!(importance(Level::INFO), Threshold::Notice);
        assert_eq!(importance(Level::TRACE), Threshold::Debug);
    }
}
