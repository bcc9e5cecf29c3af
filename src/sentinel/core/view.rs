//! What the reading SENTINEL commands and INFO show, as text, in Redis's order. Nothing here changes anything.

use std::fmt::Write;

use super::Sentinel;
use super::instance::{Instance, Master, Observed, Peer, Reconf, Replica};
use super::link::Link;
use crate::base::time::{Instant, Now};

/// One field of a listing: every value travels as a bulk string.
pub type Field = (&'static str, String);

/// The answer to CKQUORUM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// We and the other Sentinels not known to be down.
    pub usable: usize,
    /// Whether they can declare the master down.
    pub reaches_quorum: bool,
    /// Whether they can elect a leader.
    pub reaches_majority: bool,
}

/// One line of the cached INFO of a master or replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedInfo {
    /// Its age in milliseconds; zero when there is none.
    pub age_ms: u64,
    /// The text, once one came.
    pub text: Option<bytes::Bytes>,
}

/// What `# Sentinel` of INFO shows of one master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterSummary {
    pub name: String,
    /// `ok`, `sdown` or `odown`.
    pub status: &'static str,
    /// `ip:port`.
    pub address: String,
    pub replicas: usize,
    /// We included.
    pub sentinels: usize,
}

impl Sentinel {
    /// The master with this name.
    pub fn master(&self, name: &str) -> Option<&Master> {
        self.masters.iter().find(|master| master.instance.name == name)
    }

    /// All masters, in the order they were added.
    pub fn masters(&self) -> &[Master] {
        &self.masters
    }

    /// Host and port clients should use for this master, as SENTINEL GET-MASTER-ADDR-BY-NAME tells.
    pub fn master_address(&self, name: &str) -> Option<(String, u16)> {
        let address = self.master(name)?.current_address();
        Some((address.announced(self.settings.announce_hostnames), address.port))
    }

    /// The fields of SENTINEL MASTER.
    pub fn master_fields(&self, master: &Master, now: Now) -> Vec<Field> {
        let now = now.mono;
        let mut flags = Flags::new(&master.instance, master.odown.is_some(), "master", self.link(&master.instance));
        flags.add(master.failover.is_some(), "failover_in_progress");
        flags.add(master.failover.as_ref().is_some_and(|failover| failover.is_forced), "force_failover");
        flags.add(master.instance.is_script_kill_sent, "script_kill_sent");
        flags.add(master.rebooted.is_some(), "master_reboot");
        let mut fields = self.common_fields(&master.instance, flags, now, master);
        observed_fields(&mut fields, &master.observed, now);
        fields.extend([
            ("config-epoch", master.config_epoch.to_string()),
            ("num-slaves", master.replicas.len().to_string()),
            ("num-other-sentinels", master.sentinels.len().to_string()),
            ("quorum", master.settings.quorum.to_string()),
            ("failover-timeout", master.settings.failover_timeout.to_string()),
            ("parallel-syncs", master.settings.parallel_syncs.to_string()),
        ]);
        if let Some(path) = &master.settings.notification_script {
            fields.push(("notification-script", path.clone()));
        }
        if let Some(path) = &master.settings.client_reconfig_script {
            fields.push(("client-reconfig-script", path.clone()));
        }
        if let Some(delay) = self.delay_of(master, now) {
            fields.push(("failover-delay-reason", delay.reason));
            fields.extend(delay.ms.map(|ms| ("failover-delay-ms", ms.to_string())));
        }
        fields
    }

    /// The fields of each replica that SENTINEL REPLICAS lists: those that want to be announced.
    pub fn replica_listing(&self, master: &Master, now: Now) -> Vec<Vec<Field>> {
        let shown = master.replicas.iter().filter(|replica| replica.is_announced);
        shown.map(|replica| self.replica_fields(master, replica, now)).collect()
    }

    /// The fields of one replica.
    pub fn replica_fields(&self, master: &Master, replica: &Replica, now: Now) -> Vec<Field> {
        let now = now.mono;
        let mut flags = Flags::new(&replica.instance, false, "slave", self.link(&replica.instance));
        let chosen = master.failover.as_ref().and_then(|failover| failover.chosen());
        flags.add(chosen == Some(replica.id), "promoted");
        flags.add(matches!(replica.reconf, Reconf::Sent(_)), "reconf_sent");
        flags.add(replica.reconf == Reconf::InProgress, "reconf_inprog");
        flags.add(replica.reconf == Reconf::Done, "reconf_done");
        flags.add(replica.instance.is_script_kill_sent, "script_kill_sent");
        let mut fields = self.common_fields(&replica.instance, flags, now, master);
        observed_fields(&mut fields, &replica.observed, now);
        fields.extend([
            ("master-link-down-time", replica.link_down_ms.to_string()),
            ("master-link-status", if replica.is_link_up { "ok" } else { "err" }.to_owned()),
            ("master-host", replica.master_host.clone().unwrap_or_else(|| "?".to_owned())),
            ("master-port", replica.master_port.to_string()),
            ("slave-priority", replica.priority.to_string()),
            ("slave-repl-offset", replica.offset.to_string()),
            ("replica-announced", u8::from(replica.is_announced).to_string()),
        ]);
        fields
    }

    /// The fields of each Sentinel that SENTINEL SENTINELS lists.
    pub fn sentinel_listing(&self, master: &Master, now: Now) -> Vec<Vec<Field>> {
        master.sentinels.iter().map(|peer| self.peer_fields(master, peer, now)).collect()
    }

    fn peer_fields(&self, master: &Master, peer: &Peer, now: Now) -> Vec<Field> {
        let now = now.mono;
        let mut flags = Flags::new(&peer.instance, false, "sentinel", self.link(&peer.instance));
        flags.add(peer.says_down, "master_down");
        flags.add(peer.instance.is_script_kill_sent, "script_kill_sent");
        let mut fields = self.common_fields(&peer.instance, flags, now, master);
        fields.extend([
            ("last-hello-message", now.since(peer.hello_received).to_string()),
            ("voted-leader", peer.leader.map_or_else(|| "?".to_owned(), |id| id.to_string())),
            ("voted-leader-epoch", peer.leader_epoch.to_string()),
        ]);
        fields
    }

    /// Whether enough Sentinels are usable to fail this master over.
    pub fn check_quorum(&self, master: &Master) -> Quorum {
        let usable = 1 + master.sentinels.iter().filter(|peer| !peer.instance.is_down).count();
        Quorum {
            usable,
            reaches_quorum: usable >= master.settings.quorum as usize,
            reaches_majority: usable > master.voters() / 2,
        }
    }

    /// The cached INFO of a master and its replicas, the master first.
    pub fn info_cache(&self, master: &Master, now: Now) -> Vec<CachedInfo> {
        let replicas = master.replicas.iter().map(|replica| &replica.observed);
        std::iter::once(&master.observed)
            .chain(replicas)
            .map(|observed| CachedInfo {
                age_ms: observed.refreshed.map_or(0, |at| now.mono.since(at)),
                text: observed.text.clone(),
            })
            .collect()
    }

    /// What INFO shows of each master.
    pub fn summaries(&self) -> Vec<MasterSummary> {
        let hostnames = self.settings.announce_hostnames;
        let summary = |master: &Master| MasterSummary {
            name: master.instance.name.clone(),
            status: match (master.odown, master.instance.is_down) {
                (Some(_), _) => "odown",
                (None, true) => "sdown",
                (None, false) => "ok",
            },
            address: master.instance.address.announced_with_port(hostnames),
            replicas: master.replicas.len(),
            sentinels: master.sentinels.len() + 1,
        };
        self.masters.iter().map(summary).collect()
    }

    fn link(&self, instance: &Instance) -> &Link {
        self.links.get(instance.link)
    }

    fn common_fields(&self, instance: &Instance, flags: Flags, now: Instant, master: &Master) -> Vec<Field> {
        let link = self.link(instance);
        let mut fields = vec![
            ("name", instance.name.clone()),
            ("ip", instance.address.announced(self.settings.announce_hostnames)),
            ("port", instance.address.port.to_string()),
            ("runid", instance.run_id.clone().unwrap_or_default()),
            ("flags", flags.text),
            ("link-pending-commands", link.pending().to_string()),
            ("link-refcount", link.users.to_string()),
        ];
        let is_master = instance.link == master.instance.link;
        if let Some(failover) = master.failover.as_ref().filter(|_| is_master) {
            fields.push(("failover-state", failover.state_name().to_owned()));
        }
        fields.extend([
            ("last-ping-sent", link.waiting_since.map_or(0, |since| now.since(since)).to_string()),
            ("last-ok-ping-reply", now.since(link.last_ok).to_string()),
            ("last-ping-reply", now.since(link.last_reply).to_string()),
        ]);
        if let Some(since) = instance.went_down.filter(|_| instance.is_down) {
            fields.push(("s-down-time", now.since(since).to_string()));
        }
        if let Some(since) = master.odown.filter(|_| is_master) {
            fields.push(("o-down-time", now.since(since).to_string()));
        }
        fields.push(("down-after-milliseconds", master.settings.down_after.to_string()));
        fields
    }
}

fn observed_fields(fields: &mut Vec<Field>, observed: &Observed, now: Instant) {
    fields.extend([
        ("info-refresh", observed.refreshed.map_or(0, |at| now.since(at)).to_string()),
        ("role-reported", observed.role.word().to_owned()),
        ("role-reported-time", now.since(observed.role_since).to_string()),
    ]);
}

/// The comma-joined words of `flags`, added in Redis's order.
struct Flags {
    text: String,
}

impl Flags {
    fn new(instance: &Instance, is_odown: bool, kind: &'static str, link: &Link) -> Flags {
        let mut flags = Flags { text: String::new() };
        flags.add(instance.is_down, "s_down");
        flags.add(is_odown, "o_down");
        flags.add(true, kind);
        flags.add(!link.is_connected(), "disconnected");
        flags
    }

    fn add(&mut self, is_set: bool, word: &'static str) {
        if is_set {
            let comma = if self.text.is_empty() { "" } else { "," };
            write!(self.text, "{comma}{word}").expect("writing to a string");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel::core::tests::Bench;

    fn words(fields: &[Field]) -> Vec<&'static str> {
        fields.iter().map(|(name, _)| *name).collect()
    }

    fn value<'a>(fields: &'a [Field], name: &str) -> &'a str {
        fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str()).expect(name)
    }

    fn bench() -> Bench {
        let mut bench = Bench::watching_one_master(1000);
        bench.add_replica(
            "10.0.1.1",
            "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\nslave_repl_offset:5\r\n",
        );
        bench.hello("10.0.0.5,26379,0123456789abcdef0123456789abcdef01234567,7,mymaster,10.0.0.1,6379,0");
        bench.run_answering(3000);
        bench
    }

    const COMMON: [&str; 11] = [
        "name",
        "ip",
        "port",
        "runid",
        "flags",
        "link-pending-commands",
        "link-refcount",
        "last-ping-sent",
        "last-ok-ping-reply",
        "last-ping-reply",
        "down-after-milliseconds",
    ];
    const OBSERVED: [&str; 3] = ["info-refresh", "role-reported", "role-reported-time"];

    #[test]
    fn fields_come_in_the_documented_order() {
        let bench = bench();
        let sentinel = &bench.sentinel;
        let master = sentinel.master("mymaster").unwrap();
        let of_master =
            ["config-epoch", "num-slaves", "num-other-sentinels", "quorum", "failover-timeout", "parallel-syncs"];
        let fields = sentinel.master_fields(master, bench.now());
        assert_eq!(words(&fields), [&COMMON[..], &OBSERVED, &of_master].concat());
        assert_eq!((value(&fields, "flags"), value(&fields, "num-slaves")), ("master", "1"));
        let of_replica = [
            "master-link-down-time",
            "master-link-status",
            "master-host",
            "master-port",
            "slave-priority",
            "slave-repl-offset",
            "replica-announced",
        ];
        let fields = &sentinel.replica_listing(master, bench.now())[0];
        assert_eq!(words(fields), [&COMMON[..], &OBSERVED, &of_replica].concat());
        assert_eq!(value(fields, "name"), "10.0.1.1:6379");
        assert_eq!((value(fields, "master-link-status"), value(fields, "slave-repl-offset")), ("ok", "5"));
        let of_peer = ["last-hello-message", "voted-leader", "voted-leader-epoch"];
        let fields = &sentinel.sentinel_listing(master, bench.now())[0];
        assert_eq!(words(fields), [&COMMON[..], &of_peer].concat());
        assert_eq!(value(fields, "voted-leader"), "?");
    }

    #[test]
    fn a_master_that_is_down_shows_since_when() {
        let mut bench = bench();
        bench.silence("10.0.0.1:6379");
        bench.run(1500);
        let master = bench.sentinel.master("mymaster").unwrap();
        let fields = bench.sentinel.master_fields(master, bench.now());
        assert!(value(&fields, "flags").starts_with("s_down,master"), "{}", value(&fields, "flags"));
        assert_eq!(words(&fields)[10], "s-down-time");
        assert_eq!(bench.sentinel.summaries()[0].status, "sdown");
        assert_eq!(bench.sentinel.summaries()[0].sentinels, 2);
    }

    #[test]
    fn a_quorum_is_counted_over_those_not_down() {
        let mut bench = bench();
        let check = |bench: &Bench| bench.sentinel.check_quorum(bench.sentinel.master("mymaster").unwrap());
        assert_eq!(check(&bench), Quorum { usable: 2, reaches_quorum: true, reaches_majority: true });
        bench.silence("10.0.0.5:26379");
        bench.run(2000);
        assert_eq!(check(&bench), Quorum { usable: 1, reaches_quorum: false, reaches_majority: false });
    }

    #[test]
    fn the_cached_texts_are_the_masters_and_then_the_replicas() {
        let bench = bench();
        let cache = bench.sentinel.info_cache(bench.sentinel.master("mymaster").unwrap(), bench.now());
        let texts: Vec<_> = cache.iter().map(|entry| entry.text.clone().unwrap_or_default()).collect();
        assert!(texts[0].starts_with(b"role:master") && texts[1].starts_with(b"role:slave"));
    }

    #[test]
    fn an_unannounced_replica_is_not_listed() {
        let mut bench = bench();
        bench.set_info(
            "10.0.1.1:6379",
            "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nreplica_announced:0\r\n",
        );
        bench.run(11_000);
        let master = bench.sentinel.master("mymaster").unwrap();
        assert_eq!((master.replicas.len(), bench.sentinel.replica_listing(master, bench.now()).len()), (1, 0));
    }
}
