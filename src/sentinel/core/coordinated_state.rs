//! The `sentinel …` lines of the configuration file: written from what is known, and read back at the next start.
//!
//! The file is the Sentinel's memory: who it is, which epoch it has reached, what it voted, whom it watches and who else
//! does. While a failover has reached its new master but not its end, the file already names the new master and lists the
//! old one as a replica.
//!
//! Reading goes in three passes, because lines depend on others that may stand below them: first the settings of the
//! Sentinel itself, then the `monitor` lines, then everything about a master. A wrong line stops the start.

use super::Sentinel;
use super::address::Address;
use super::instance::Master;
use super::settings::{DEFAULT_PARALLEL_SYNCS, MasterSettings, MasterState, Periods, State, TIME_MAX};
use crate::base::id::HexId;
use crate::base::quote::{quoted, quoted_if_needed};

/// One line for the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateLine {
    /// Second word of the line: what it is about. Lines with the same word replace each other in the file, in order; a
    /// line of the file with a word from [`WORDS`] that no new line replaces is dropped.
    pub word: &'static str,
    /// The whole line, quoted where it needs to be.
    pub text: String,
    /// Whether it is written although the file has no line with this word yet.
    pub is_new_line_wanted: bool,
}

/// Every second word that is ours to rewrite.
pub const WORDS: [&str; 23] = [
    "myid",
    "deny-scripts-reconfig",
    "resolve-hostnames",
    "announce-hostnames",
    "monitor",
    "down-after-milliseconds",
    "failover-timeout",
    "parallel-syncs",
    "notification-script",
    "client-reconfig-script",
    "auth-pass",
    "auth-user",
    "master-reboot-down-after-period",
    "config-epoch",
    "leader-epoch",
    "known-replica",
    "known-sentinel",
    "rename-command",
    "current-epoch",
    "announce-ip",
    "announce-port",
    "sentinel-user",
    "sentinel-pass",
];

struct Lines {
    lines: Vec<StateLine>,
}

impl Lines {
    fn add(&mut self, word: &'static str, values: &[&dyn AsWord]) {
        self.push(word, values, true);
    }

    fn push(&mut self, word: &'static str, values: &[&dyn AsWord], is_new_line_wanted: bool) {
        let mut text = format!("sentinel {word}");
        for value in values {
            text.push(' ');
            text.push_str(&value.as_word());
        }
        self.lines.push(StateLine { word, text, is_new_line_wanted });
    }
}

/// What can stand in a line: quoted if it must be.
trait AsWord {
    fn as_word(&self) -> String;
}

impl AsWord for u64 {
    fn as_word(&self) -> String {
        self.to_string()
    }
}

impl AsWord for &str {
    fn as_word(&self) -> String {
        quoted_if_needed(self.as_bytes())
    }
}

impl AsWord for &[u8] {
    fn as_word(&self) -> String {
        quoted_if_needed(self)
    }
}

impl Sentinel {
    /// The lines for the configuration file, in the order Redis writes them.
    pub fn state_lines(&self) -> Vec<StateLine> {
        let mut lines = Lines { lines: Vec::new() };
        let settings = &self.settings;
        let yes_no = |is: bool| if is { "yes" } else { "no" };
        lines.add("myid", &[&self.id.as_str()]);
        let deny = settings.deny_scripts_reconfig;
        lines.push("deny-scripts-reconfig", &[&yes_no(deny)], !deny);
        lines.push("resolve-hostnames", &[&yes_no(settings.resolve_hostnames)], settings.resolve_hostnames);
        lines.push("announce-hostnames", &[&yes_no(settings.announce_hostnames)], settings.announce_hostnames);
        for master in &self.masters {
            self.master_lines(master, &mut lines);
        }
        lines.add("current-epoch", &[&self.current_epoch]);
        // A line that is there stays when the address was cleared, as an empty one: so does Redis.
        let ip = settings.announce_ip.as_deref().unwrap_or_default();
        let text = format!("sentinel announce-ip {}", quoted(ip.as_bytes()));
        lines.lines.push(StateLine { word: "announce-ip", text, is_new_line_wanted: !ip.is_empty() });
        if settings.announce_port != 0 {
            lines.add("announce-port", &[&u64::from(settings.announce_port)]);
        }
        if let Some(user) = &settings.sentinel_user {
            lines.add("sentinel-user", &[&user.as_slice()]);
        }
        if let Some(pass) = &settings.sentinel_pass {
            lines.add("sentinel-pass", &[&pass.as_slice()]);
        }
        lines.lines
    }

    fn master_lines(&self, master: &Master, lines: &mut Lines) {
        let hostnames = self.settings.announce_hostnames;
        let name = master.instance.name.as_str();
        let settings = &master.settings;
        let current = master.current_address();
        let place = |address: &Address| (address.announced(hostnames), u64::from(address.port));
        let (host, port) = place(current);
        lines.add("monitor", &[&name, &host.as_str(), &port, &u64::from(settings.quorum)]);
        if settings.down_after != self.periods.default_down_after {
            lines.add("down-after-milliseconds", &[&name, &settings.down_after]);
        }
        if settings.failover_timeout != self.periods.default_failover_timeout {
            lines.add("failover-timeout", &[&name, &settings.failover_timeout]);
        }
        if settings.parallel_syncs != DEFAULT_PARALLEL_SYNCS {
            lines.add("parallel-syncs", &[&name, &u64::from(settings.parallel_syncs)]);
        }
        if let Some(path) = &settings.notification_script {
            lines.add("notification-script", &[&name, &path.as_str()]);
        }
        if let Some(path) = &settings.client_reconfig_script {
            lines.add("client-reconfig-script", &[&name, &path.as_str()]);
        }
        if let Some(pass) = &settings.auth_pass {
            lines.add("auth-pass", &[&name, &pass.as_slice()]);
        }
        if let Some(user) = &settings.auth_user {
            lines.add("auth-user", &[&name, &user.as_slice()]);
        }
        if settings.reboot_down_after != 0 {
            lines.add("master-reboot-down-after-period", &[&name, &settings.reboot_down_after]);
        }
        lines.add("config-epoch", &[&name, &master.config_epoch]);
        lines.add("leader-epoch", &[&name, &master.leader_epoch]);
        for replica in &master.replicas {
            // The promoted one is written as the master already, and the old master in its place.
            let address = &replica.instance.address;
            let address = if address.is_same(current) { &master.instance.address } else { address };
            let (host, port) = place(address);
            lines.add("known-replica", &[&name, &host.as_str(), &port]);
        }
        for peer in &master.sentinels {
            let (host, port) = place(&peer.instance.address);
            lines.add("known-sentinel", &[&name, &host.as_str(), &port, &peer.instance.name.as_str()]);
        }
        for (from, to) in &settings.renamed {
            lines.add("rename-command", &[&name, &from.as_str(), &to.as_str()]);
        }
    }
}

/// Why a line of the file was refused: its place among the lines given, and Redis's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub index: usize,
    pub reason: &'static str,
}

/// What reading the file needs from outside.
pub struct Reader<'a> {
    /// Looks a host name up, waiting for the answer. Only called with `resolve-hostnames yes`.
    pub resolve: &'a dyn Fn(&str) -> Option<std::net::IpAddr>,
    /// Whether a file exists and may be executed.
    pub is_executable: &'a dyn Fn(&str) -> bool,
}

const NO_SUCH_MASTER: &str = "No such master with specified name.";
const UNRECOGNIZED: &str = "Unrecognized sentinel configuration statement.";
const BAD_TIME: &str = "negative or zero time parameter.";
const BAD_PORT: &str = "Invalid port number.";
const UNRESOLVED: &str = "Can't resolve instance hostname.";

/// In which pass a line is read.
fn pass_of(word: &str) -> u8 {
    match word {
        "announce-ip"
        | "announce-port"
        | "deny-scripts-reconfig"
        | "sentinel-user"
        | "sentinel-pass"
        | "current-epoch"
        | "myid"
        | "resolve-hostnames"
        | "announce-hostnames" => 0,
        "monitor" => 1,
        _ => 2,
    }
}

impl Reader<'_> {
    /// Reads the `sentinel` lines of a file: of each the words after `sentinel`.
    pub fn read(&self, lines: &[Vec<Vec<u8>>]) -> Result<State, Refused> {
        let mut state = State::default();
        for pass in 0..3 {
            for (index, words) in lines.iter().enumerate() {
                let word = words.first().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase());
                let word = word.unwrap_or_default();
                if pass_of(&word) == pass {
                    let args = words.get(1..).unwrap_or_default();
                    self.read_line(&mut state, &word, args).map_err(|reason| Refused { index, reason })?;
                }
            }
        }
        Ok(state)
    }

    fn read_line(&self, state: &mut State, word: &str, args: &[Vec<u8>]) -> Result<(), &'static str> {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let text: Vec<String> = args.iter().map(|arg| lossy(arg)).collect();
        let texts: Vec<&str> = text.iter().map(String::as_str).collect();
        let settings = &mut state.settings;
        match (word, texts.as_slice()) {
            ("announce-ip", [ip]) if !ip.is_empty() => settings.announce_ip = Some((*ip).to_owned()),
            ("announce-port", [port]) => settings.announce_port = port.parse().map_err(|_| BAD_PORT)?,
            ("sentinel-user", [_]) if !args[0].is_empty() => settings.sentinel_user = Some(args[0].clone()),
            ("sentinel-pass", [_]) if !args[0].is_empty() => settings.sentinel_pass = Some(args[0].clone()),
            ("announce-ip" | "sentinel-user" | "sentinel-pass", [_]) => {}
            ("deny-scripts-reconfig", [value]) => {
                settings.deny_scripts_reconfig =
                    yes_no(value).ok_or("Please specify yes or no for the deny-scripts-reconfig options.")?;
            }
            ("resolve-hostnames", [value]) => {
                settings.resolve_hostnames =
                    yes_no(value).ok_or("Please specify yes or no for the resolve-hostnames option.")?;
            }
            ("announce-hostnames", [value]) => {
                settings.announce_hostnames =
                    yes_no(value).ok_or("Please specify yes or no for the announce-hostnames option.")?;
            }
            ("current-epoch", [epoch]) => {
                state.current_epoch = state.current_epoch.max(epoch.parse().map_err(|_| UNRECOGNIZED)?);
            }
            ("myid", [id]) => {
                let id = HexId::parse(id.as_bytes()).ok_or("Malformed Sentinel id in myid option.")?;
                state.id = Some(id);
            }
            ("monitor", [name, host, port, quorum]) => self.read_monitor(state, name, host, port, quorum)?,
            (_, [name, rest @ ..]) => {
                let names = state.settings.resolve_hostnames;
                let found = state.masters.iter_mut().find(|master| master.name == *name);
                if !is_about_a_master(word, rest.len()) {
                    return Err(UNRECOGNIZED);
                }
                let master = found.ok_or(NO_SUCH_MASTER)?;
                self.read_master_line(master, names, word, rest, &args[1..])?;
                state.current_epoch = state.current_epoch.max(master.config_epoch);
            }
            _ => return Err(UNRECOGNIZED),
        }
        Ok(())
    }

    fn read_monitor(
        &self,
        state: &mut State,
        name: &str,
        host: &str,
        port: &str,
        quorum: &str,
    ) -> Result<(), &'static str> {
        let quorum = quorum.parse::<u32>().ok().filter(|quorum| *quorum > 0).ok_or("Quorum must be 1 or greater.")?;
        let address = self.read_address(state.settings.resolve_hostnames, host, port)?;
        if state.masters.iter().any(|master| master.name == name) {
            return Err("Duplicate master name.");
        }
        state.masters.push(MasterState {
            name: name.to_owned(),
            address,
            settings: MasterSettings::new(quorum, &Periods::default()),
            config_epoch: 0,
            leader_epoch: 0,
            replicas: Vec::new(),
            sentinels: Vec::new(),
        });
        Ok(())
    }

    fn read_master_line(
        &self,
        master: &mut MasterState,
        names: bool,
        word: &str,
        texts: &[&str],
        raw: &[Vec<u8>],
    ) -> Result<(), &'static str> {
        let settings = &mut master.settings;
        let time =
            |text: &str| text.parse::<u64>().ok().filter(|ms| *ms > 0).map(|ms| ms.min(TIME_MAX)).ok_or(BAD_TIME);
        let executable = |path: &str, missing: &'static str| {
            if (self.is_executable)(path) { Ok(Some(path.to_owned())) } else { Err(missing) }
        };
        match (word, texts) {
            ("down-after-milliseconds", [ms]) => settings.down_after = time(ms)?,
            ("failover-timeout", [ms]) => settings.failover_timeout = time(ms)?,
            ("parallel-syncs", [count]) => settings.parallel_syncs = count.parse().map_err(|_| UNRECOGNIZED)?,
            ("notification-script", [path]) => {
                settings.notification_script =
                    executable(path, "Notification script seems non existing or non executable.")?;
            }
            ("client-reconfig-script", [path]) => {
                settings.client_reconfig_script =
                    executable(path, "Client reconfiguration script seems non existing or non executable.")?;
            }
            ("auth-pass", [_]) => settings.auth_pass = Some(raw[0].clone()),
            ("auth-user", [_]) => settings.auth_user = Some(raw[0].clone()),
            ("master-reboot-down-after-period", [ms]) => {
                settings.reboot_down_after = ms.parse::<u64>().map_err(|_| "negative time parameter.")?.min(TIME_MAX);
            }
            ("config-epoch", [epoch]) => master.config_epoch = epoch.parse().map_err(|_| UNRECOGNIZED)?,
            ("leader-epoch", [epoch]) => master.leader_epoch = epoch.parse().map_err(|_| UNRECOGNIZED)?,
            ("known-slave" | "known-replica", [host, port]) => {
                let address = self.read_address(names, host, port)?;
                if master.replicas.iter().any(|known| known.is_same(&address)) {
                    return Err("Duplicate hostname and port for replica.");
                }
                master.replicas.push(address);
            }
            // A form without an id, from old versions, says too little to be of use.
            ("known-sentinel", [_, _]) => {}
            ("known-sentinel", [host, port, id]) => {
                let address = self.read_address(names, host, port)?;
                if master.sentinels.iter().any(|(_, known)| known == id) {
                    return Err("Duplicate runid for sentinel.");
                }
                if HexId::parse(id.as_bytes()).is_some() {
                    master.sentinels.push((address, (*id).to_owned()));
                }
            }
            ("rename-command", [from, to]) => {
                if settings.renamed.iter().any(|(known, _)| known.eq_ignore_ascii_case(from)) {
                    return Err("Same command renamed multiple times with rename-command.");
                }
                settings.renamed.push(((*from).to_owned(), (*to).to_owned()));
            }
            _ => return Err(UNRECOGNIZED),
        }
        Ok(())
    }

    fn read_address(&self, names: bool, host: &str, port: &str) -> Result<Address, &'static str> {
        let port = port.parse::<u16>().map_err(|_| BAD_PORT)?;
        let mut address = Address::new(host, port);
        if address.ip.is_none() {
            if !names {
                return Err(UNRESOLVED);
            }
            address.ip = (self.resolve)(host);
        }
        Ok(address)
    }
}

fn yes_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Whether a word is one about a master, with so many values after the master's name.
fn is_about_a_master(word: &str, values: usize) -> bool {
    match word {
        "known-slave" | "known-replica" | "rename-command" => values == 2,
        "known-sentinel" => values == 2 || values == 3,
        "down-after-milliseconds"
        | "failover-timeout"
        | "parallel-syncs"
        | "notification-script"
        | "client-reconfig-script"
        | "auth-pass"
        | "auth-user"
        | "master-reboot-down-after-period"
        | "config-epoch"
        | "leader-epoch" => values == 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel::core::tests::{Bench, read_lines};

    fn refused(text: &str) -> (usize, &'static str) {
        let refused = read_lines(text).unwrap_err();
        (refused.index, refused.reason)
    }

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn what_is_written_reads_back_as_the_same_state_in_the_documented_order() {
        let text = format!(
            "sentinel myid {ID}\n\
             sentinel deny-scripts-reconfig no\n\
             sentinel resolve-hostnames no\n\
             sentinel announce-hostnames no\n\
             sentinel monitor m1 10.0.0.1 6379 2\n\
             sentinel down-after-milliseconds m1 1000\n\
             sentinel failover-timeout m1 5000\n\
             sentinel parallel-syncs m1 2\n\
             sentinel notification-script m1 /ok/notify\n\
             sentinel client-reconfig-script m1 /ok/reconfig\n\
             sentinel auth-pass m1 \"two words\"\n\
             sentinel auth-user m1 bob\n\
             sentinel master-reboot-down-after-period m1 7\n\
             sentinel config-epoch m1 3\n\
             sentinel leader-epoch m1 4\n\
             sentinel known-replica m1 10.0.0.2 6379\n\
             sentinel known-sentinel m1 10.0.0.3 26379 {ID}\n\
             sentinel rename-command m1 CONFIG cfg\n\
             sentinel current-epoch 4\n\
             sentinel announce-ip \"10.9.9.9\"\n\
             sentinel announce-port 1234\n\
             sentinel sentinel-user carol\n\
             sentinel sentinel-pass secret"
        );
        let bench = Bench::with_state(read_lines(&text).unwrap());
        let written: Vec<String> = bench.sentinel.state_lines().into_iter().map(|line| line.text).collect();
        assert_eq!(written.join("\n"), text);
        assert!(bench.sentinel.state_lines().iter().all(|line| WORDS.contains(&line.word)));
    }

    #[test]
    fn defaults_are_not_written_into_a_file_that_lacks_them() {
        let bench = Bench::with_state(read_lines("sentinel monitor m 10.0.0.1 6379 1").unwrap());
        let wanted = bench.sentinel.state_lines().into_iter().filter(|line| line.is_new_line_wanted);
        let words: Vec<&str> = wanted.map(|line| line.word).collect();
        assert_eq!(words, ["myid", "monitor", "config-epoch", "leader-epoch", "current-epoch"]);
    }

    #[test]
    fn lines_may_stand_in_any_order() {
        let state = read_lines(
            "sentinel known-slave m 10.0.0.2 6380\nsentinel config-epoch m 9\nsentinel MONITOR m 10.0.0.1 6379 1\n\
             sentinel known-sentinel m 10.0.0.3 26379",
        )
        .unwrap();
        assert_eq!((state.masters[0].replicas.len(), state.masters[0].sentinels.len(), state.current_epoch), (1, 0, 9));
    }

    #[test]
    fn wrong_lines_are_refused_with_their_place_and_reason() {
        let monitor = "sentinel monitor m 10.0.0.1 6379 1\n";
        let cases = [
            ("sentinel monitor m 10.0.0.1 6379 0".to_owned(), "Quorum must be 1 or greater."),
            ("sentinel monitor m host 6379 1".to_owned(), "Can't resolve instance hostname."),
            ("sentinel monitor m 10.0.0.1 99999 1".to_owned(), "Invalid port number."),
            ("sentinel down-after-milliseconds x 1".to_owned(), "No such master with specified name."),
            ("sentinel down-after-milliseconds x".to_owned(), "Unrecognized sentinel configuration statement."),
            ("sentinel norification-script m /ok".to_owned(), "Unrecognized sentinel configuration statement."),
            ("sentinel myid abc".to_owned(), "Malformed Sentinel id in myid option."),
            (
                "sentinel deny-scripts-reconfig maybe".to_owned(),
                "Please specify yes or no for the deny-scripts-reconfig options.",
            ),
        ];
        for (line, reason) in cases {
            assert_eq!(refused(&line), (0, reason), "{line}");
        }
        for (line, reason) in [
            ("sentinel monitor m 10.0.0.2 6379 1", "Duplicate master name."),
            ("sentinel down-after-milliseconds m 0", "negative or zero time parameter."),
            ("sentinel failover-timeout m -5", "negative or zero time parameter."),
            ("sentinel master-reboot-down-after-period m -5", "negative time parameter."),
            ("sentinel notification-script m /missing", "Notification script seems non existing or non executable."),
            (
                "sentinel client-reconfig-script m /missing",
                "Client reconfiguration script seems non existing or non executable.",
            ),
            (
                "sentinel known-replica m 10.0.0.2 1\nsentinel known-replica m 10.0.0.2 1",
                "Duplicate hostname and port for replica.",
            ),
            (
                "sentinel rename-command m A b\nsentinel rename-command m a c",
                "Same command renamed multiple times with rename-command.",
            ),
        ] {
            let lines = line.lines().count();
            assert_eq!(refused(&format!("{monitor}{line}")), (lines, reason), "{line}");
        }
    }
}
