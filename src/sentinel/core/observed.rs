//! INFO of masters and replicas: read here, and what follows from it.
//!
//! The text comes from a server and is only looked at line by line; lines that are not understood, missing or repeated do no
//! harm (`fuzz/fuzz_targets/info.rs`).

use bytes::Bytes;

use super::Sentinel;
use super::events::About;
use super::failover::Stage;
use super::instance::{Instance, Replica, Role};
use super::io::{Level, Outputs};
use super::link::{LinkId, Owner};
use crate::base::limits::{SENTINEL_INFO_MAX, SENTINEL_INSTANCES_MAX};
use crate::base::time::Instant;
use crate::resp::value::Value;

/// What one INFO text says, as far as Sentinel cares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub run_id: Option<String>,
    pub role: Option<Role>,
    /// Replicas a master lists, as it names them.
    pub replicas: Vec<(String, u16)>,
    pub master_host: Option<String>,
    pub master_port: Option<u16>,
    pub is_link_up: Option<bool>,
    /// Zero when the text does not say.
    pub link_down_ms: u64,
    /// A replica that has not once been connected to its master says so.
    pub is_never_linked: bool,
    pub priority: Option<i64>,
    pub offset: Option<u64>,
    pub is_announced: Option<bool>,
    /// `master_repl_offset`.
    pub stream_offset: Option<u64>,
    /// `newborn_master_refused`: a master that started without data, and replicas that would lose theirs to it.
    pub is_newborn_refused: bool,
}

/// Reads an INFO text. Of repeated lines the last counts, as in Redis.
pub fn read_info(text: &[u8]) -> Facts {
    let mut facts = Facts::default();
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (Ok(name), Ok(value)) = (std::str::from_utf8(&line[..colon]), std::str::from_utf8(&line[colon + 1..]))
        else {
            continue;
        };
        match name {
            "run_id" if value.len() >= 40 && value.is_char_boundary(40) => facts.run_id = Some(value[..40].to_owned()),
            "role" if value.starts_with("master") => facts.role = Some(Role::Master),
            "role" if value.starts_with("slave") => facts.role = Some(Role::Replica),
            "master_host" => facts.master_host = Some(value.to_owned()),
            "master_port" => facts.master_port = value.parse().ok(),
            "master_link_status" => facts.is_link_up = Some(value.eq_ignore_ascii_case("up")),
            "master_link_down_since_seconds" => {
                // A replica never connected says -1, which is no time at all.
                facts.is_never_linked = value == "-1";
                facts.link_down_ms = value.parse::<u64>().unwrap_or(0).saturating_mul(1000);
            }
            "slave_priority" => facts.priority = value.parse().ok(),
            "slave_repl_offset" => facts.offset = value.parse().ok(),
            "replica_announced" => facts.is_announced = Some(value != "0"),
            "master_repl_offset" => facts.stream_offset = value.parse().ok(),
            "newborn_master_refused" => facts.is_newborn_refused = value.parse::<u64>().is_ok_and(|count| count > 0),
            _ => facts
                .replicas
                .extend(listed_replica(name, value).filter(|_| facts.replicas.len() < SENTINEL_INSTANCES_MAX)),
        }
    }
    facts
}

/// `slave0:ip=10.0.0.2,port=6379,…` or, from old servers, `slave0:10.0.0.2,6379,online`.
fn listed_replica(name: &str, value: &str) -> Option<(String, u16)> {
    let number = name.strip_prefix("slave")?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (host, port) = if value.contains("ip=") {
        let field = |key: &str| value.split(',').find_map(|part| part.strip_prefix(key));
        (field("ip=")?, field("port=")?)
    } else {
        let mut parts = value.split(',');
        (parts.next()?, parts.next()?)
    };
    (!host.is_empty()).then_some((host.to_owned(), port.parse().ok()?))
}

impl Sentinel {
    /// A server answered INFO.
    pub(super) fn info_answered(&mut self, id: LinkId, value: &Value, now: Instant, out: &mut Outputs) {
        let Some(&about) = self.users_of(id).first() else { return };
        let Some(observed) = self.observed_mut(about) else { return };
        observed.is_asked = false;
        let Value::Bulk(text) = value else { return };
        if text.len() > SENTINEL_INFO_MAX {
            return;
        }
        let facts = read_info(text);
        observed.text = Some(Bytes::copy_from_slice(text));
        observed.refreshed = Some(now);
        if let Some(offset) = facts.stream_offset {
            observed.stream_offset = offset;
        }
        observed.newborn_since = facts.is_newborn_refused.then(|| observed.newborn_since.unwrap_or(now));
        self.observe_run_id(about, &facts, now, out);
        match about {
            About::Master(m) => self.observe_listed(m, &facts, now, out),
            About::Replica(m, r) => self.masters[m].replicas[r].take_in(&facts, now),
            About::Peer(..) => return,
        }
        self.observe_role(about, &facts, now, out);
        self.touch(about.master());
        if self.tilt.since().is_none() {
            match about {
                About::Master(m) => self.paused_master_observed(m, now, out),
                About::Replica(m, r) => self.replica_observed(m, r, now, out),
                About::Peer(..) => {}
            }
        }
    }

    fn observe_run_id(&mut self, about: About, facts: &Facts, now: Instant, out: &mut Outputs) {
        let Some(run_id) = &facts.run_id else { return };
        let known = self.instance_mut(about).run_id.replace(run_id.clone());
        if known.is_none_or(|known| known == *run_id) {
            return;
        }
        self.event(out, now, Level::Notice, "+reboot", about, "");
        match about {
            About::Master(m) if self.masters[m].settings.reboot_down_after != 0 => {
                self.masters[m].rebooted = Some(now);
            }
            About::Replica(m, r) => {
                let replica = &mut self.masters[m].replicas[r];
                replica.was_replica_before |= std::mem::take(&mut replica.was_replica);
            }
            About::Master(_) | About::Peer(..) => {}
        }
    }

    /// Replicas the master lists and we do not know.
    fn observe_listed(&mut self, m: usize, facts: &Facts, now: Instant, out: &mut Outputs) {
        for (host, port) in &facts.replicas {
            let place = self.names.place(host, *port);
            let master = &self.masters[m];
            let is_known = master.replicas.iter().any(|replica| replica.instance.address.is_same(&place));
            if is_known || master.replicas.len() >= SENTINEL_INSTANCES_MAX {
                continue;
            }
            let Some(address) = self.named_place(host, *port, out) else { continue };
            let r = self.add_replica(m, address, now);
            self.event(out, now, Level::Notice, "+slave", About::Replica(m, r), "");
            self.disk.changed();
        }
    }

    /// A new replica; gives its place.
    pub(super) fn add_replica(&mut self, m: usize, address: super::address::Address, now: Instant) -> usize {
        let name = address.announced_with_port(self.settings.announce_hostnames);
        let id = self.masters[m].new_instance_id();
        let link = self.links.add(Owner::Replica(self.masters[m].id, id), now);
        let instance = Instance::new(name, address, link, now);
        self.masters[m].replicas.push(Replica::new(id, instance, now));
        self.masters[m].replicas.len() - 1
    }

    fn observe_role(&mut self, about: About, facts: &Facts, now: Instant, out: &mut Outputs) {
        let Some(role) = facts.role else { return };
        let expected = if matches!(about, About::Master(_)) { Role::Master } else { Role::Replica };
        let Some(observed) = self.observed_mut(about) else { return };
        let is_news = observed.role != role;
        if is_news {
            observed.role = role;
            observed.role_since = now;
        }
        if let About::Replica(m, r) = about {
            let replica = &mut self.masters[m].replicas[r];
            replica.was_replica |= role == Role::Replica;
            if is_news && role == Role::Replica {
                replica.conf_changed = now;
            }
        }
        if is_news {
            let name = if role == expected { "+role-change" } else { "-role-change" };
            self.event(out, now, Level::Verbose, name, about, &format!("new reported role is {}", role.word()));
        }
    }

    /// What follows from a replica's INFO.
    fn replica_observed(&mut self, m: usize, r: usize, now: Instant, out: &mut Outputs) {
        let master = &self.masters[m];
        let replica = &master.replicas[r];
        let failover = master.failover.as_ref();
        let is_chosen = failover.and_then(|failover| failover.chosen()) == Some(replica.id);
        let contradicts = if replica.observed.role == Role::Master {
            if is_chosen && failover.is_some_and(|failover| matches!(failover.stage, Stage::WaitPromotion { .. })) {
                self.promoted(m, r, now, out);
                return;
            }
            !is_chosen
        } else {
            let (host, port) = (replica.master_host.clone(), replica.master_port);
            let address = master.instance.address.clone();
            !host.is_some_and(|host| self.is_place(&address, &host, port, out))
        };
        let replica = &mut self.masters[m].replicas[r];
        if contradicts {
            replica.conflict_since.get_or_insert(now);
        } else {
            replica.conflict_since = None;
            replica.corrected = None;
        }
        if replica.observed.role == Role::Replica {
            self.follow_progress(m, r, now, out);
        }
    }
}

impl Replica {
    /// What INFO says of a replica.
    fn take_in(&mut self, facts: &Facts, now: Instant) {
        self.link_down_ms = facts.link_down_ms;
        self.is_never_linked = facts.is_never_linked;
        if facts.role != Some(Role::Replica) {
            return;
        }
        if let Some(host) = &facts.master_host
            && !self.master_host.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(host))
        {
            self.master_host = Some(host.clone());
            self.conf_changed = now;
        }
        if let Some(port) = facts.master_port.filter(|port| *port != self.master_port) {
            self.master_port = port;
            self.conf_changed = now;
        }
        self.is_link_up = facts.is_link_up.unwrap_or(self.is_link_up);
        self.priority = facts.priority.unwrap_or(self.priority);
        self.offset = facts.offset.unwrap_or(self.offset);
        self.is_announced = facts.is_announced.unwrap_or(self.is_announced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replicas_text_is_read() {
        let text =
            b"# Server\r\nrun_id:0123456789012345678901234567890123456789\r\n\r\n# Replication\r\nrole:slave\r\n\
            master_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\nslave_repl_offset:77\r\n\
            slave_priority:10\r\nreplica_announced:0\r\nmaster_repl_offset:77\r\n";
        let facts = read_info(text);
        assert_eq!(facts.run_id.as_deref(), Some("0123456789012345678901234567890123456789"));
        assert_eq!(
            (facts.role, facts.master_host.as_deref(), facts.master_port),
            (Some(Role::Replica), Some("10.0.0.1"), Some(6379))
        );
        assert_eq!(
            (facts.is_link_up, facts.offset, facts.priority, facts.is_announced),
            (Some(true), Some(77), Some(10), Some(false))
        );
        assert_eq!((facts.link_down_ms, facts.stream_offset), (0, Some(77)));
    }

    #[test]
    fn a_masters_replicas_are_read_in_both_forms() {
        let text = b"role:master\r\nslave0:ip=10.0.0.2,port=6380,state=online,offset=1,lag=0\r\nslave1:10.0.0.3,6381,online\r\n\
            slave2:ip=,port=1\r\nslaves:x\r\nslave_priority:3\r\n";
        let facts = read_info(text);
        assert_eq!(facts.replicas, [("10.0.0.2".to_owned(), 6380), ("10.0.0.3".to_owned(), 6381)]);
    }

    #[test]
    fn nonsense_is_skipped() {
        let texts: [&[u8]; 5] = [
            b"",
            b":::\r\n:",
            b"role:\xff\xfe\r\nrun_id:short",
            b"master_port:99999999\r\nslave0:\r\n",
            b"slave_priority:-",
        ];
        for text in texts {
            assert_eq!(read_info(text), Facts::default());
        }
        let facts = read_info(b"master_link_down_since_seconds:-1\n");
        assert_eq!((facts.link_down_ms, facts.is_never_linked), (0, true));
        assert!(!read_info(b"master_link_down_since_seconds:0\n").is_never_linked);
    }
}
