//! The configuration file as the Sentinel's memory: rewritten at each change, by the rules of CONFIG REWRITE, and written
//! whole on a thread of its own, so that a slow disk does not stop the loop.
//!
//! At most one write is under way. What is asked for meanwhile waits and goes out as one write with the newest state; the
//! tickets it serves are reported together. A vote or an own candidacy stays inside the core until its ticket is
//! reported, and the ticket is reported after the file *and* its folder are on disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use crate::base::files::{RealFiles, replace};
use crate::config::model::Config;
use crate::config::rewrite::{Defaults, Extra, ExtraLine, rewrite};
use crate::net::MailSender;
use crate::sentinel::core::coordinated_state::{StateLine, WORDS};
use crate::sentinel::core::io::Ticket;

/// The outcome of a write.
pub struct Written {
    /// Served up to this ticket.
    pub ticket: Ticket,
    /// Whether it is on disk.
    pub result: io::Result<()>,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// The file.
pub struct Store {
    /// Its text as last written, or read at start.
    text: Vec<u8>,
    jobs: mpsc::Sender<(Ticket, Vec<u8>)>,
    is_writing: bool,
    waiting: Option<(Ticket, Vec<u8>)>,
}

impl Store {
    /// Takes over the file at `path`, whose text is `text`. Outcomes go to `mail`; `micros` reads a clock.
    pub fn open(
        path: PathBuf,
        text: Vec<u8>,
        mail: MailSender<Written>,
        micros: impl Fn() -> u64 + Send + 'static,
    ) -> io::Result<Store> {
        let (jobs, inbox) = mpsc::channel::<(Ticket, Vec<u8>)>();
        std::thread::Builder::new().name("config".to_owned()).spawn(move || {
            for (ticket, text) in inbox {
                let started = micros();
                let result = write(&path, &text);
                mail.send(Written { ticket, result, took_us: micros().saturating_sub(started) });
            }
        })?;
        Ok(Store { text, jobs, is_writing: false, waiting: None })
    }

    /// Asks for the present settings, state and users to be written.
    pub fn persist(&mut self, ticket: Ticket, config: &Config, state: &[StateLine], users: Vec<Vec<u8>>) {
        let text = rewrite(&self.text, config, &extra(state, users), Defaults::LeftOut);
        self.text.clone_from(&text);
        if self.is_writing {
            self.waiting = Some((ticket, text));
        } else {
            self.begin(ticket, text);
        }
    }

    /// A write has ended; what waited goes next.
    pub fn ended(&mut self) {
        self.is_writing = false;
        if let Some((ticket, text)) = self.waiting.take() {
            self.begin(ticket, text);
        }
    }

    fn begin(&mut self, ticket: Ticket, text: Vec<u8>) {
        self.is_writing = self.jobs.send((ticket, text)).is_ok();
    }
}

/// Replaces the file, durably.
pub fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    replace(&RealFiles, path, Path::new(&temporary), text)
}

/// What the file has besides directives: the state, and the users, which take the place of all that are there.
fn extra(state: &[StateLine], users: Vec<Vec<u8>>) -> Extra {
    let keys = WORDS.iter().map(|word| format!("sentinel {word}")).chain(["user".to_owned()]);
    let users = users.iter().map(|line| ExtraLine {
        key: "user".to_owned(),
        text: String::from_utf8_lossy(line).into_owned(),
        is_new_line_wanted: true,
    });
    let state = state.iter().map(|line| ExtraLine {
        key: format!("sentinel {}", line.word),
        text: line.text.clone(),
        is_new_line_wanted: line.is_new_line_wanted,
    });
    Extra { keys: keys.collect(), lines: users.chain(state).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(word: &'static str, text: &str) -> StateLine {
        StateLine { word, text: text.to_owned(), is_new_line_wanted: true }
    }

    fn rewritten(old: &str, state: &[StateLine], users: &[&str]) -> String {
        let mut config = Config::default();
        config.process.dir = "/d".into();
        config.network.protected_mode = false;
        let users = users.iter().map(|user| user.as_bytes().to_vec()).collect();
        String::from_utf8(rewrite(old.as_bytes(), &config, &extra(state, users), Defaults::LeftOut)).unwrap()
    }

    #[test]
    fn the_users_lines_stay_and_ours_are_replaced_in_place_or_appended() {
        let old = "# my group\nport 6379\nsentinel monitor m 1.1.1.1 1 2\n\n\n\nsentinel known-slave m 9.9.9.9 9\n\
                   dir \"/d\"\n";
        let lines = [
            line("myid", "sentinel myid abc"),
            line("monitor", "sentinel monitor m 2.2.2.2 2 2"),
            line("known-replica", "sentinel known-replica m 8.8.8.8 8"),
        ];
        let new = rewritten(old, &lines, &["user default on"]);
        assert_eq!(
            new,
            "# my group\nport 6379\nsentinel monitor m 2.2.2.2 2 2\n\nsentinel known-replica m 8.8.8.8 8\ndir \"/d\"\n\
             # Generated by CONFIG REWRITE\nprotected-mode no\nuser default on\nsentinel myid abc\n"
        );
        assert_eq!(rewritten(&new, &lines, &["user default on"]), new);
    }

    #[test]
    fn a_cleared_address_stays_in_the_file_as_nothing_and_what_is_gone_goes() {
        let old = "protected-mode no\ndir /d\nsentinel announce-ip 1.2.3.4\nsentinel announce-port 5\n";
        let state = [StateLine { is_new_line_wanted: false, ..line("announce-ip", "sentinel announce-ip \"\"") }];
        assert_eq!(rewritten(old, &state, &[]), "protected-mode no\ndir \"/d\"\nsentinel announce-ip \"\"\n\n");
    }

    #[test]
    fn the_file_is_replaced_whole() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("sentinel.conf");
        std::fs::write(&path, "old").unwrap();
        write(&path, b"new\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
