//! Host names: what is known of them, and which look-ups are under way.
//!
//! Redis resolves a name wherever it meets one and waits for the answer. The core cannot wait, so it remembers what names
//! meant when last asked, asks again before each connection, and lets whatever needs an unknown name wait here: a hello is
//! read again once its name is known, a MONITOR is answered then. A failed look-up leaves the last known address in force.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Sentinel;
use super::address::Address;
use super::io::{Output, Outputs, ReplySlot, ResolveId};
use super::link::LinkId;
use crate::base::limits::SENTINEL_NAMES_MAX;
use crate::base::time::Instant;

/// What waits for a look-up.
#[derive(Clone, Debug)]
pub(super) enum Waiting {
    /// A connection attempt.
    Link(LinkId),
    /// A hello naming hosts not seen before.
    Hello(Vec<u8>),
    /// A MONITOR command.
    Monitor { slot: ReplySlot, name: String, host: String, port: u16, quorum: u32 },
    /// Nothing: the meaning of the name is worth knowing.
    Nothing,
}

/// Names by their lower-case spelling.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<String, IpAddr>,
    /// Those whose last look-up failed.
    failing: BTreeSet<String>,
    asked: BTreeMap<ResolveId, (String, Waiting)>,
    next: u64,
}

impl Names {
    /// The IP a host is known to have.
    pub fn ip_of(&self, host: &str) -> Option<IpAddr> {
        host.parse().ok().or_else(|| self.known.get(&host.to_ascii_lowercase()).copied())
    }

    /// An address with its IP if that is known.
    pub fn place(&self, host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), ip: self.ip_of(host), port }
    }

    /// Asks for a look-up. `None` when too many are under way.
    pub fn ask(&mut self, host: &str, waiting: Waiting, out: &mut Outputs) -> Option<ResolveId> {
        if self.asked.len() >= SENTINEL_NAMES_MAX {
            return None;
        }
        self.next += 1;
        let id = ResolveId(self.next);
        self.asked.insert(id, (host.to_owned(), waiting));
        out.push(Output::Resolve { id, host: host.to_owned() });
        Some(id)
    }

    /// Whether somebody asked for this name already, with nothing waiting for it.
    pub fn is_asked(&self, host: &str) -> bool {
        self.asked.values().any(|(name, waiting)| matches!(waiting, Waiting::Nothing) && name == host)
    }

    /// Takes an answer in: the name and what waited for it.
    pub fn answered(&mut self, id: ResolveId, ip: Option<IpAddr>) -> Option<(String, Waiting)> {
        let (host, waiting) = self.asked.remove(&id)?;
        if let Some(ip) = ip {
            if self.known.len() >= SENTINEL_NAMES_MAX {
                self.known.clear();
            }
            self.known.insert(host.to_ascii_lowercase(), ip);
            self.failing.remove(&host.to_ascii_lowercase());
        }
        Some((host, waiting))
    }

    /// A look-up failed: whether it is the first one of this name to fail since one succeeded. Names are looked up before
    /// each attempt to connect, and a line for each attempt would fill the log.
    pub fn begins_to_fail(&mut self, host: &str) -> bool {
        if self.failing.len() >= SENTINEL_NAMES_MAX {
            self.failing.clear();
        }
        self.failing.insert(host.to_ascii_lowercase())
    }
}

impl Sentinel {
    /// A host anybody named to us: its address, or `None` (and a line in the log) when it is a name and names are not
    /// accepted.
    pub(super) fn named_place(&self, host: &str, port: u16, out: &mut Outputs) -> Option<Address> {
        let address = self.names.place(host, port);
        if address.ip.is_none() && !self.settings.resolve_hostnames {
            out.log(super::io::Level::Warning, format!("Failed to resolve hostname '{host}'"));
            return None;
        }
        Some(address)
    }

    /// Whether a server's word for a host means this address.
    pub(super) fn is_place(&mut self, address: &Address, host: &str, port: u16, out: &mut Outputs) -> bool {
        if address.port != port {
            return false;
        }
        let ip = self.names.ip_of(host);
        if ip.is_none() && self.settings.resolve_hostnames && !self.names.is_asked(host) {
            self.names.ask(host, Waiting::Nothing, out);
        }
        (ip.is_some() && ip == address.ip) || host.eq_ignore_ascii_case(&address.host)
    }

    pub(super) fn resolved(&mut self, id: ResolveId, ip: Option<IpAddr>, now: Instant, out: &mut Outputs) {
        let Some((host, waiting)) = self.names.answered(id, ip) else { return };
        if ip.is_none() && self.names.begins_to_fail(&host) {
            out.log(super::io::Level::Warning, format!("Failed to resolve hostname '{host}'"));
        }
        match waiting {
            Waiting::Link(link) => self.link_resolved(link, id, ip, now, out),
            Waiting::Hello(payload) if ip.is_some() => self.hello(&payload, now, out),
            Waiting::Monitor { slot, name, host, port, quorum } => {
                self.monitor_resolved(slot, &name, &host, port, quorum, ip, now, out);
            }
            Waiting::Hello(_) | Waiting::Nothing => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel::core::io::{Command, CommandReply, Input, LogLine};
    use crate::sentinel::core::tests::{Bench, read_lines};

    #[test]
    fn a_name_is_known_after_an_answer_and_stays_known_after_a_failure() {
        let (mut names, mut out) = (Names::default(), Outputs::new());
        assert_eq!(names.ip_of("10.1.2.3"), Some("10.1.2.3".parse().unwrap()));
        assert_eq!(names.ip_of("redis-1"), None);
        let id = names.ask("Redis-1", Waiting::Nothing, &mut out).unwrap();
        assert!(names.answered(id, Some("10.0.0.1".parse().unwrap())).is_some());
        let id = names.ask("redis-1", Waiting::Nothing, &mut out).unwrap();
        names.answered(id, None);
        assert_eq!(names.place("REDIS-1", 5).ip, Some("10.0.0.1".parse().unwrap()));
        assert!(names.answered(id, None).is_none(), "an answer counts once");
    }

    const BY_NAME: &str = "sentinel resolve-hostnames yes\nsentinel monitor mymaster redis-1 6379 1";

    /// Found by a failover among names: the answer came when the group had been turned over and this link was gone, and the
    /// Sentinel died of it.
    #[test]
    fn an_answer_for_somebody_who_is_gone_changes_nothing() {
        let mut bench = Bench::with_state(read_lines(BY_NAME).unwrap());
        bench.run(100);
        let lookups = std::mem::take(&mut bench.lookups);
        assert_eq!(bench.command(Command::Remove { name: "mymaster".into() }), CommandReply::Ok);
        for id in lookups {
            bench.give(Input::Resolved { id, ip: Some("10.0.0.1".parse().unwrap()) });
        }
        assert_eq!(bench.connects, 0);
    }

    #[test]
    fn a_name_that_fails_again_and_again_is_logged_once_until_it_is_found() {
        let mut bench = Bench::with_state(read_lines(BY_NAME).unwrap());
        let mut answer = |ip: Option<&str>| {
            bench.run(2000);
            let lookups = std::mem::take(&mut bench.lookups);
            assert!(!lookups.is_empty(), "the name is looked up again");
            for id in lookups {
                bench.give(Input::Resolved { id, ip: ip.map(|ip| ip.parse().unwrap()) });
            }
            let is_it =
                |line: &&LogLine| matches!(line, LogLine::Text(_, text) if text.starts_with("Failed to resolve"));
            bench.log.iter().filter(is_it).count()
        };
        assert_eq!([answer(None), answer(None), answer(Some("10.0.0.1"))], [1, 1, 1]);
    }
}
