//! Commands that change the Sentinel: MONITOR, REMOVE, SET, RESET, FAILOVER, CONFIG SET, FLUSHCONFIG, SIMULATE-FAILURE and
//! DEBUG. What they change is saved before they are answered.
//!
//! SET applies its options one by one: those before a wrong one stay applied and are saved. CONFIG SET checks all first.

use std::net::IpAddr;

use super::Sentinel;
use super::events::About;
use super::io::{Command, CommandReply, Level, LinkKind, Output, Outputs, ReplySlot};
use super::names::Waiting;
use super::settings::{MasterSettings, TIME_MAX};
use crate::base::glob;
use crate::base::number::parse_i64;
use crate::base::time::Instant;

/// What SET and others refuse scripts with.
const SCRIPTS_DENIED: &str = "ERR Reconfiguration of scripts path is denied for security reasons. \
    Check the deny-scripts-reconfig configuration directive in your Sentinel configuration";

/// What SENTINEL CONFIG SET knows.
const CONFIG_NAMES: [&str; 7] = [
    "announce-ip",
    "sentinel-user",
    "sentinel-pass",
    "resolve-hostnames",
    "announce-port",
    "announce-hostnames",
    "loglevel",
];

const LOG_LEVELS: [&str; 5] = ["debug", "verbose", "notice", "warning", "nothing"];

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

fn yes_or_no(word: &[u8]) -> Option<bool> {
    match word.to_ascii_lowercase().as_slice() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

fn non_empty(word: &[u8]) -> Option<Vec<u8>> {
    (!word.is_empty()).then(|| word.to_vec())
}

impl Sentinel {
    pub(super) fn command(&mut self, slot: ReplySlot, command: Command, now: Instant, out: &mut Outputs) {
        match command {
            Command::Monitor { name, host, port, quorum } => self.monitor(slot, &name, &host, port, quorum, now, out),
            Command::Remove { name } => self.remove(slot, &name, now, out),
            Command::Set { name, words } => self.set(slot, &name, &words, now, out),
            Command::Reset { pattern } => {
                let matches = |m: &usize| glob::matches(&pattern, self.masters[*m].instance.name.as_bytes());
                let matching: Vec<usize> = (0..self.masters.len()).filter(matches).collect();
                matching.iter().for_each(|&m| self.reset_master(m, now, out));
                out.push(Output::Reply { slot, reply: CommandReply::Int(matching.len() as i64) });
            }
            Command::Failover { name } => {
                let reply = self.failover_by_hand(&name, now, out);
                out.push(Output::Reply { slot, reply });
            }
            Command::ConfigSet { words } => self.config_set(slot, &words, now, out),
            Command::FlushConfig => self.save_and_reply(slot, out),
            Command::SimulateFailure { words } => {
                let reply = self.simulate_failure(&words, out);
                out.push(Output::Reply { slot, reply });
            }
            Command::Debug { words } => {
                let reply = self.debug(&words);
                out.push(Output::Reply { slot, reply });
            }
        }
    }

    fn refuse(&self, slot: ReplySlot, error: &str, out: &mut Outputs) {
        out.push(Output::Reply { slot, reply: CommandReply::Error(error.to_owned()) });
    }

    fn save_and_reply(&mut self, slot: ReplySlot, out: &mut Outputs) {
        let ticket = self.disk.changed();
        self.reply_when_durable(ticket, slot, CommandReply::Ok, out);
    }

    fn index_or_refuse(&self, slot: ReplySlot, name: &str, out: &mut Outputs) -> Option<usize> {
        let found = self.masters.iter().position(|master| master.instance.name == name);
        if found.is_none() {
            self.refuse(slot, "ERR No such master with that name", out);
        }
        found
    }

    #[expect(clippy::too_many_arguments, reason = "the command has four arguments of its own")]
    fn monitor(
        &mut self,
        slot: ReplySlot,
        name: &str,
        host: &str,
        port: i64,
        quorum: i64,
        now: Instant,
        out: &mut Outputs,
    ) {
        let Some(quorum) = u32::try_from(quorum).ok().filter(|quorum| *quorum > 0) else {
            return self.refuse(slot, "ERR Quorum must be 1 or greater.", out);
        };
        let ip = host.parse::<IpAddr>().ok();
        if ip.is_none() && !self.settings.resolve_hostnames {
            return self.refuse(slot, "ERR Invalid IP address or hostname specified", out);
        }
        let Ok(port) = u16::try_from(port) else {
            return self.refuse(slot, "ERR Invalid port number.", out);
        };
        if self.masters.iter().any(|master| master.instance.name == name) {
            return self.refuse(slot, "ERR Duplicate master name.", out);
        }
        if ip.is_some() {
            return self.monitor_resolved(slot, name, host, port, quorum, ip, now, out);
        }
        let waiting = Waiting::Monitor { slot, name: name.to_owned(), host: host.to_owned(), port, quorum };
        if self.names.ask(host, waiting, out).is_none() {
            self.refuse(slot, "ERR Invalid IP address or hostname specified", out);
        }
    }

    /// MONITOR, once the host's address is known.
    #[expect(clippy::too_many_arguments, reason = "the command has four arguments of its own")]
    pub(super) fn monitor_resolved(
        &mut self,
        slot: ReplySlot,
        name: &str,
        host: &str,
        port: u16,
        quorum: u32,
        ip: Option<IpAddr>,
        now: Instant,
        out: &mut Outputs,
    ) {
        if ip.is_none() {
            return self.refuse(slot, "ERR Invalid IP address or hostname specified", out);
        }
        // Somebody may have taken the name while it was looked up.
        if self.masters.iter().any(|master| master.instance.name == name) {
            return self.refuse(slot, "ERR Duplicate master name.", out);
        }
        let address = super::address::Address { host: host.to_owned(), ip, port };
        let settings = MasterSettings::new(quorum, &self.periods);
        let m = self.add_master(name.to_owned(), address, settings, now);
        self.save_and_reply(slot, out);
        self.announce_monitoring(m, now, out);
    }

    fn remove(&mut self, slot: ReplySlot, name: &str, now: Instant, out: &mut Outputs) {
        let Some(m) = self.index_or_refuse(slot, name, out) else { return };
        self.event(out, now, Level::Warning, "-monitor", About::Master(m), "");
        self.forget_replicas(m, out);
        let master = self.masters.remove(m);
        master.sentinels.iter().for_each(|peer| self.links.release(peer.instance.link, out));
        self.links.release(master.instance.link, out);
        self.save_and_reply(slot, out);
    }

    fn failover_by_hand(&mut self, name: &str, now: Instant, out: &mut Outputs) -> CommandReply {
        let error = |text: &str| CommandReply::Error(text.to_owned());
        let Some(m) = self.masters.iter().position(|master| master.instance.name == name) else {
            return error("ERR No such master with that name");
        };
        if self.masters[m].failover.is_some() {
            return error("INPROG Failover already in progress");
        }
        if self.choose_replica(m, now).is_none() {
            self.tell_unfit(m, now, out);
            return error("NOGOODSLAVE No suitable replica to promote");
        }
        out.log(Level::Notice, format!("Executing user requested FAILOVER of '{name}'"));
        self.start_failover(m, true, now, out);
        CommandReply::Ok
    }

    fn set(&mut self, slot: ReplySlot, name: &str, words: &[Vec<u8>], now: Instant, out: &mut Outputs) {
        let Some(m) = self.index_or_refuse(slot, name, out) else { return };
        let mut rest = words;
        let mut changed = false;
        while let Some((option, values)) = rest.split_first() {
            match self.set_one(m, option, values, out) {
                Ok(used) => {
                    changed = true;
                    let shown = shown_option(option, &values[..used]);
                    self.event(out, now, Level::Warning, "+set", About::Master(m), &shown);
                    rest = &values[used..];
                }
                Err(error) => {
                    if changed {
                        self.disk.changed();
                    }
                    return self.refuse(slot, &error, out);
                }
            }
        }
        self.touch(m);
        if changed { self.save_and_reply(slot, out) } else { out.push(Output::Reply { slot, reply: CommandReply::Ok }) }
    }

    /// Applies one option; gives how many of `values` it took.
    fn set_one(&mut self, m: usize, option: &[u8], values: &[Vec<u8>], out: &mut Outputs) -> Result<usize, String> {
        let unknown = || format!("ERR Unknown option or number of arguments for SENTINEL SET '{}'", text(option));
        let invalid =
            |value: &[u8]| format!("ERR Invalid argument '{}' for SENTINEL SET '{}'", text(value), text(option));
        let Some(value) = values.first() else { return Err(unknown()) };
        let number = |least: i64| parse_i64(value).filter(|n| *n >= least).ok_or_else(|| invalid(value));
        let script = |missing: &str| {
            if self.settings.deny_scripts_reconfig {
                return Err(SCRIPTS_DENIED.to_owned());
            }
            let path = text(value);
            if !path.is_empty() && !(self.environment.is_executable)(&path) {
                return Err(missing.to_owned());
            }
            Ok((!path.is_empty()).then_some(path))
        };
        let settings = &mut self.masters[m].settings;
        match option.to_ascii_lowercase().as_slice() {
            b"down-after-milliseconds" => settings.down_after = (number(1)? as u64).min(TIME_MAX),
            b"failover-timeout" => settings.failover_timeout = (number(1)? as u64).min(TIME_MAX),
            b"parallel-syncs" => settings.parallel_syncs = u32::try_from(number(1)?).map_err(|_| invalid(value))?,
            b"quorum" => settings.quorum = u32::try_from(number(1)?).map_err(|_| invalid(value))?,
            b"master-reboot-down-after-period" => settings.reboot_down_after = (number(0)? as u64).min(TIME_MAX),
            b"notification-script" => {
                settings.notification_script = script("ERR Notification script seems non existing or non executable")?;
            }
            b"client-reconfig-script" => {
                settings.client_reconfig_script =
                    script("ERR Client reconfiguration script seems non existing or non executable")?;
            }
            b"auth-pass" => {
                settings.auth_pass = non_empty(value);
                self.drop_data_links(m, out);
            }
            b"auth-user" => {
                settings.auth_user = non_empty(value);
                self.drop_data_links(m, out);
            }
            b"rename-command" => {
                let Some(new) = values.get(1) else { return Err(unknown()) };
                if value.is_empty() || new.is_empty() {
                    return Err(invalid(if new.is_empty() { new } else { value }));
                }
                let (old, new) = (text(value), text(new));
                settings.renamed.retain(|(from, _)| !from.eq_ignore_ascii_case(&old));
                if !old.eq_ignore_ascii_case(&new) {
                    settings.renamed.push((old, new));
                }
                return Ok(2);
            }
            _ => return Err(unknown()),
        }
        Ok(1)
    }

    /// Credentials changed: the links to the master and its replicas start anew.
    fn drop_data_links(&mut self, m: usize, out: &mut Outputs) {
        let data: Vec<About> = [About::Master(m)].into_iter().chain(self.replicas_of(m)).collect();
        for about in data {
            let id = self.instance(about).link;
            self.restart_link(id, out);
        }
        self.touch(m);
    }

    fn restart_link(&mut self, id: super::link::LinkId, out: &mut Outputs) {
        self.close_command(id, out);
        self.links.close(id, LinkKind::PubSub, out);
        let link = self.links.get_mut(id);
        link.retry_command = Instant::default();
        link.retry_pubsub = Instant::default();
    }

    fn config_set(&mut self, slot: ReplySlot, words: &[Vec<u8>], _now: Instant, out: &mut Outputs) {
        if let Err(error) = check_config_words(words) {
            return self.refuse(slot, &error, out);
        }
        let mut is_auth_changed = false;
        for pair in words.chunks_exact(2) {
            let value = &pair[1];
            let settings = &mut self.settings;
            match pair[0].to_ascii_lowercase().as_slice() {
                b"announce-ip" => settings.announce_ip = non_empty(value).map(|ip| text(&ip)),
                b"announce-port" => settings.announce_port = parse_i64(value).unwrap_or(0) as u16,
                b"resolve-hostnames" => settings.resolve_hostnames = yes_or_no(value) == Some(true),
                b"announce-hostnames" => settings.announce_hostnames = yes_or_no(value) == Some(true),
                b"sentinel-user" => {
                    settings.sentinel_user = non_empty(value);
                    is_auth_changed = true;
                }
                b"sentinel-pass" => {
                    settings.sentinel_pass = non_empty(value);
                    is_auth_changed = true;
                }
                _ => {
                    let level = LOG_LEVELS.iter().find(|level| value.eq_ignore_ascii_case(level.as_bytes()));
                    level.into_iter().for_each(|level| out.push(Output::SetLogLevel(level)));
                }
            }
        }
        if is_auth_changed {
            let peers: Vec<About> = (0..self.masters.len()).flat_map(|m| self.peers_of(m)).collect();
            for about in peers {
                let id = self.instance(about).link;
                self.restart_link(id, out);
            }
        }
        self.touch_all();
        self.save_and_reply(slot, out);
    }

    fn simulate_failure(&mut self, words: &[Vec<u8>], out: &mut Outputs) -> CommandReply {
        self.simulated = super::SimulatedFailures::default();
        for word in words {
            if word.eq_ignore_ascii_case(b"crash-after-election") {
                self.simulated.after_election = true;
                let text =
                    "Failure simulation: this Sentinel will crash after being successfully elected as failover leader";
                out.log(Level::Warning, text.to_owned());
            } else if word.eq_ignore_ascii_case(b"crash-after-promotion") {
                self.simulated.after_promotion = true;
                let text =
                    "Failure simulation: this Sentinel will crash after promoting the selected replica to master";
                out.log(Level::Warning, text.to_owned());
            } else {
                return CommandReply::Error("ERR Unknown failure simulation specified".to_owned());
            }
        }
        CommandReply::Ok
    }

    fn debug(&mut self, words: &[Vec<u8>]) -> CommandReply {
        let mut rest = words;
        while let Some((name, values)) = rest.split_first() {
            let slot = self.periods.slot(name);
            let (Some(slot), Some(value)) = (slot, values.first()) else {
                let name = text(name);
                return CommandReply::Error(format!(
                    "ERR Unknown option or number of arguments for SENTINEL DEBUG '{name}'"
                ));
            };
            let Some(ms) = parse_i64(value).filter(|ms| *ms > 0) else {
                let (value, name) = (text(value), text(name));
                return CommandReply::Error(format!("ERR Invalid argument '{value}' for SENTINEL DEBUG '{name}'"));
            };
            *slot = (ms as u64).min(TIME_MAX);
            rest = &values[1..];
        }
        self.touch_all();
        CommandReply::Ok
    }
}

/// An option as `+set` shows it; a password is not shown.
fn shown_option(option: &[u8], values: &[Vec<u8>]) -> String {
    let is_secret = option.eq_ignore_ascii_case(b"auth-pass");
    let shown = values.iter().map(|value| if is_secret { "******".to_owned() } else { text(value) });
    std::iter::once(text(option)).chain(shown).collect::<Vec<_>>().join(" ")
}

/// Checks the words of CONFIG SET, in the order Redis does.
fn check_config_words(words: &[Vec<u8>]) -> Result<(), String> {
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut rest = words;
    while let Some((name, values)) = rest.split_first() {
        let lower = name.to_ascii_lowercase();
        if !CONFIG_NAMES.iter().any(|known| known.as_bytes() == lower) {
            return Err(format!("ERR Invalid argument '{}' to SENTINEL CONFIG SET", text(name)));
        }
        if seen.contains(&lower) {
            return Err(format!("ERR Duplicate argument '{}' to SENTINEL CONFIG SET", text(name)));
        }
        let Some(value) = values.first() else {
            return Err(format!("ERR Missing argument '{}' value", text(name)));
        };
        let is_valid = match lower.as_slice() {
            b"resolve-hostnames" | b"announce-hostnames" => yes_or_no(value).is_some(),
            b"announce-port" => parse_i64(value).is_some_and(|port| (0..=65535).contains(&port)),
            b"loglevel" => LOG_LEVELS.iter().any(|level| value.eq_ignore_ascii_case(level.as_bytes())),
            _ => true,
        };
        if !is_valid {
            return Err(format!("ERR Invalid value '{}' to SENTINEL CONFIG SET '{}'", text(value), text(name)));
        }
        seen.push(lower);
        rest = &values[1..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel::core::tests::{Bench, names};

    fn words(text: &str) -> Vec<Vec<u8>> {
        text.split(' ').map(|word| if word == "''" { Vec::new() } else { word.as_bytes().to_vec() }).collect()
    }

    fn set(bench: &mut Bench, text: &str) -> CommandReply {
        bench.command(Command::Set { name: "mymaster".into(), words: words(text) })
    }

    fn error(text: &str) -> CommandReply {
        CommandReply::Error(text.to_owned())
    }

    fn monitor(bench: &mut Bench, name: &str, host: &str, port: i64, quorum: i64) -> CommandReply {
        bench.command(Command::Monitor { name: name.into(), host: host.into(), port, quorum })
    }

    #[test]
    fn monitor_and_remove() {
        let mut bench = Bench::empty();
        assert_eq!(monitor(&mut bench, "m", "10.0.0.1", 6379, 0), error("ERR Quorum must be 1 or greater."));
        assert_eq!(monitor(&mut bench, "m", "redis", 6379, 1), error("ERR Invalid IP address or hostname specified"));
        assert_eq!(monitor(&mut bench, "m", "10.0.0.1", 65536, 1), error("ERR Invalid port number."));
        assert_eq!(monitor(&mut bench, "m", "10.0.0.1", 6379, 2), CommandReply::Ok);
        assert_eq!(monitor(&mut bench, "m", "10.0.0.9", 6379, 2), error("ERR Duplicate master name."));
        assert_eq!(monitor(&mut bench, "m", "10.0.0.9", 65536, 2), error("ERR Invalid port number."));
        assert_eq!(bench.events[0].payload, "master m 10.0.0.1 6379 quorum 2");
        assert_eq!(bench.command(Command::Remove { name: "x".into() }), error("ERR No such master with that name"));
        assert_eq!(bench.command(Command::Remove { name: "m".into() }), CommandReply::Ok);
        assert_eq!(names(&bench.events), ["+monitor", "-monitor"]);
        assert!(bench.sentinel.masters().is_empty());
        bench.run(1000);
    }

    #[test]
    fn set_applies_in_order_and_keeps_what_came_before_an_error() {
        let mut bench = Bench::watching_one_master(1000);
        bench.events.clear();
        assert_eq!(set(&mut bench, "quorum 3 auth-pass secret rename-command CONFIG cfg"), CommandReply::Ok);
        let payloads: Vec<&str> = bench.events.iter().map(|event| event.payload.as_str()).collect();
        assert_eq!(
            payloads,
            [
                "master mymaster 10.0.0.1 6379 quorum 3",
                "master mymaster 10.0.0.1 6379 auth-pass ******",
                "master mymaster 10.0.0.1 6379 rename-command CONFIG cfg",
            ]
        );
        let refused = set(&mut bench, "parallel-syncs 7 down-after-milliseconds -20");
        assert_eq!(refused, error("ERR Invalid argument '-20' for SENTINEL SET 'down-after-milliseconds'"));
        let settings = &bench.sentinel.masters()[0].settings;
        assert_eq!((settings.quorum, settings.parallel_syncs, settings.down_after), (3, 7, 1000));
        assert_eq!(
            set(&mut bench, "fakeoption fakevalue"),
            error("ERR Unknown option or number of arguments for SENTINEL SET 'fakeoption'")
        );
        assert_eq!(set(&mut bench, "notification-script /ok/x"), error(SCRIPTS_DENIED));
    }

    #[test]
    fn scripts_must_be_executable_and_can_be_cleared() {
        let mut state = crate::sentinel::core::tests::read_lines("sentinel monitor mymaster 10.0.0.1 6379 1").unwrap();
        state.settings.deny_scripts_reconfig = false;
        let mut bench = Bench::with_state(state);
        assert_eq!(set(&mut bench, "notification-script /ok/x"), CommandReply::Ok);
        assert_eq!(
            set(&mut bench, "client-reconfig-script /no"),
            error("ERR Client reconfiguration script seems non existing or non executable")
        );
        assert_eq!(bench.sentinel.masters()[0].settings.notification_script.as_deref(), Some("/ok/x"));
        assert_eq!(set(&mut bench, "notification-script ''"), CommandReply::Ok);
        assert_eq!(bench.sentinel.masters()[0].settings.notification_script, None);
    }

    #[test]
    fn a_command_that_cannot_be_saved_says_so() {
        let mut bench = Bench::watching_one_master(1000);
        bench.break_disk();
        assert_eq!(set(&mut bench, "quorum 3"), error("ERR Failed to save config file. Check server logs."));
        assert_eq!(bench.command(Command::FlushConfig), error("ERR Failed to save config file. Check server logs."));
        bench.repair_disk();
        assert_eq!(bench.command(Command::FlushConfig), CommandReply::Ok);
    }

    #[test]
    fn config_set_checks_everything_before_it_changes_anything() {
        let mut bench = Bench::empty();
        let mut config_set = |text: &str| bench.command(Command::ConfigSet { words: words(text) });
        assert_eq!(config_set("announce-port 111"), CommandReply::Ok);
        for (text, reason) in [
            ("does-not-exist yes announce-port 1", "Invalid argument 'does-not-exist' to SENTINEL CONFIG SET"),
            ("announce-port 1 announce-port 2", "Duplicate argument 'announce-port' to SENTINEL CONFIG SET"),
            ("announce-port 1 announce-ip", "Missing argument 'announce-ip' value"),
            ("announce-port -1234", "Invalid value '-1234' to SENTINEL CONFIG SET 'announce-port'"),
            (
                "announce-ip 1 resolve-hostnames maybe",
                "Invalid value 'maybe' to SENTINEL CONFIG SET 'resolve-hostnames'",
            ),
        ] {
            assert_eq!(config_set(text), error(&format!("ERR {reason}")));
        }
        assert_eq!(bench.sentinel.settings().announce_port, 111);
        assert_eq!(bench.sentinel.settings().announce_ip, None);
    }

    #[test]
    fn reset_forgets_replicas_and_sentinels() {
        let mut bench = Bench::watching_one_master(1000);
        bench.add_replica("10.0.1.1", "role:slave\r\n");
        bench.hello("10.0.0.5,26379,0123456789abcdef0123456789abcdef01234567,7,mymaster,10.0.0.1,6379,0");
        bench.run_answering(500);
        let master = &bench.sentinel.masters()[0];
        assert_eq!((master.replicas.len(), master.sentinels.len()), (1, 1));
        bench.events.clear();
        assert_eq!(bench.command(Command::Reset { pattern: b"x*".to_vec() }), CommandReply::Int(0));
        assert_eq!(bench.command(Command::Reset { pattern: b"my*".to_vec() }), CommandReply::Int(1));
        assert_eq!(names(&bench.events)[0], "+reset-master");
        assert_eq!(bench.sentinel.masters()[0].sentinels.len(), 0);
    }

    #[test]
    fn debug_periods_and_simulated_failures() {
        let mut bench = Bench::empty();
        assert_eq!(bench.command(Command::Debug { words: words("info-period 100 PING-PERIOD 5") }), CommandReply::Ok);
        assert_eq!((bench.sentinel.periods().info, bench.sentinel.periods().ping), (100, 5));
        assert_eq!(
            bench.command(Command::Debug { words: words("info-period x") }),
            error("ERR Invalid argument 'x' for SENTINEL DEBUG 'info-period'")
        );
        assert_eq!(
            bench.command(Command::Debug { words: words("nothing 1") }),
            error("ERR Unknown option or number of arguments for SENTINEL DEBUG 'nothing'")
        );
        let simulate = |text| Command::SimulateFailure { words: words(text) };
        assert_eq!(bench.command(simulate("crash-after-election CRASH-AFTER-PROMOTION")), CommandReply::Ok);
        assert!(bench.sentinel.simulated_failures().after_election);
        assert_eq!(bench.command(simulate("x")), error("ERR Unknown failure simulation specified"));
        assert_eq!(bench.sentinel.simulated_failures(), Default::default());
    }

    #[test]
    fn failover_by_hand_needs_a_fit_replica() {
        let mut bench = Bench::watching_one_master(1000);
        let failover = |name: &str| Command::Failover { name: name.into() };
        assert_eq!(bench.command(failover("x")), error("ERR No such master with that name"));
        assert_eq!(bench.command(failover("mymaster")), error("NOGOODSLAVE No suitable replica to promote"));
        bench.add_replica(
            "10.0.1.1",
            "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\n",
        );
        bench.command(Command::Debug { words: words("info-period 100") });
        bench.run_answering(500);
        assert_eq!(bench.command(failover("mymaster")), CommandReply::Ok);
        assert_eq!(bench.command(failover("mymaster")), error("INPROG Failover already in progress"));
    }
}
