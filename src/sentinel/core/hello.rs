//! Hello messages: how Sentinels find each other and agree on configurations.
//!
//! ```text
//!   10.0.0.5,26379,<40 hex>,7,mymaster,10.0.0.1,6379,5
//!   \________ who ________/ |  \_____ which master __/ \ its configuration's epoch
//!                           current epoch
//! ```
//!
//! Each Sentinel publishes one through every master and replica, and sends one to every other Sentinel. Whoever hears of a
//! Sentinel under a new id or address takes it in; whoever hears of a higher epoch adopts it; whoever hears of a newer
//! configuration follows it. Nothing else spreads a failover to those who did not take part.
//!
//! Beyond Redis: a configuration that was just adopted is told on at once, and a Sentinel whose hello shows that it has missed
//! one is told directly, so that it need not wait for the next period. A newer epoch for an unchanged address is saved too
//! (Redis forgets it at the next restart).

use std::net::IpAddr;

use super::Sentinel;
use super::events::About;
use super::instance::{Instance, Master, Peer};
use super::io::{Level, Outputs};
use super::link::Owner;
use super::names::Waiting;
use crate::base::id::HexId;
use crate::base::limits::{SENTINEL_HELLO_MAX, SENTINEL_INSTANCES_MAX};
use crate::base::time::Instant;

/// A Sentinel that is behind is told directly at most this often, in milliseconds.
const TELL_SPACING: u64 = 100;

/// One hello, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    pub host: &'a str,
    pub port: u16,
    pub id: HexId,
    pub epoch: u64,
    pub master: &'a str,
    pub master_host: &'a str,
    pub master_port: u16,
    pub config_epoch: u64,
}

/// Reads a hello. `None` for anything that is not eight fields of the right kind.
pub fn read_hello(payload: &[u8]) -> Option<Hello<'_>> {
    if payload.len() > SENTINEL_HELLO_MAX {
        return None;
    }
    let mut fields = std::str::from_utf8(payload).ok()?.split(',');
    let mut next = || fields.next().filter(|field| !field.is_empty());
    let hello = Hello {
        host: next()?,
        port: next()?.parse().ok()?,
        id: HexId::parse(next()?.as_bytes())?,
        epoch: next()?.parse().ok()?,
        master: next()?,
        master_host: next()?,
        master_port: next()?.parse().ok()?,
        config_epoch: next()?.parse().ok()?,
    };
    fields.next().is_none().then_some(hello)
}

impl Sentinel {
    /// Our hello about a master, as the holder of a connection with this local address says it.
    pub(super) fn hello_payload(&self, master: &Master, local_ip: Option<IpAddr>) -> Option<String> {
        let settings = &self.settings;
        let host = match &settings.announce_ip {
            Some(host) => host.clone(),
            None => local_ip?.to_string(),
        };
        let port = if settings.announce_port != 0 { settings.announce_port } else { self.environment.port };
        let address = master.current_address();
        Some(format!(
            "{host},{port},{},{},{},{},{},{}",
            self.id,
            self.current_epoch,
            master.instance.name,
            address.announced(settings.announce_hostnames),
            address.port,
            master.config_epoch
        ))
    }

    /// A hello arrived, by whatever way.
    pub(super) fn hello(&mut self, payload: &[u8], now: Instant, out: &mut Outputs) {
        let Some(hello) = read_hello(payload) else { return };
        if hello.id == self.id {
            return;
        }
        let Some(m) = self.masters.iter().position(|master| master.instance.name == hello.master) else { return };
        for host in [hello.host, hello.master_host] {
            if self.names.ip_of(host).is_none() {
                if self.settings.resolve_hostnames {
                    self.names.ask(host, Waiting::Hello(payload.to_vec()), out);
                } else {
                    out.log(Level::Warning, format!("Failed to resolve hostname '{host}'"));
                }
                return;
            }
        }
        let Some(p) = self.introduce(m, &hello, now, out) else { return };
        self.masters[m].sentinels[p].hello_received = now;
        self.adopt_epoch(m, hello.epoch, now, out);
        self.compare_configuration(m, p, &hello, now, out);
        self.touch(m);
    }

    /// The place of the sender among those we know, after taking it in if it is new or has moved.
    fn introduce(&mut self, m: usize, hello: &Hello<'_>, now: Instant, out: &mut Outputs) -> Option<usize> {
        let address = self.names.place(hello.host, hello.port);
        let same_id = |peer: &Peer| peer.instance.name == hello.id.as_str();
        let found = self.masters[m].sentinels.iter().position(same_id);
        if let Some(p) = found
            && self.masters[m].sentinels[p].instance.address.is_same(&address)
        {
            return Some(p);
        }
        let has_moved = found.is_some();
        if let Some(p) = found {
            let rest = format!("ip {} port {} for {}", hello.host, hello.port, hello.id);
            self.event(out, now, Level::Notice, "+sentinel-address-switch", About::Master(m), &rest);
            self.remove_peer(m, p, out);
        } else if let Some(p) =
            self.masters[m].sentinels.iter().position(|peer| peer.instance.address.is_same(&address))
        {
            // Somebody else lived here: a Sentinel that was given a new id. Nobody may count both.
            self.event(out, now, Level::Notice, "+sentinel-invalid-addr", About::Peer(m, p), "");
            let obsolete = self.masters[m].sentinels[p].instance.name.clone();
            for m in 0..self.masters.len() {
                let gone = self.masters[m].sentinels.iter().position(|peer| peer.instance.name == obsolete);
                gone.into_iter().for_each(|p| self.remove_peer(m, p, out));
            }
        }
        if self.masters[m].sentinels.len() >= SENTINEL_INSTANCES_MAX {
            return None;
        }
        let p = self.add_peer(m, hello.id.as_str(), address.clone(), now);
        if !has_moved {
            self.event(out, now, Level::Notice, "+sentinel", About::Peer(m, p), "");
        } else {
            let updated = self.update_address_elsewhere(m, hello.id, &address, now, out);
            if updated > 0 {
                let rest = format!("{updated} additional matching instances");
                self.event(out, now, Level::Notice, "+sentinel-address-update", About::Peer(m, p), &rest);
            }
        }
        self.disk.changed();
        Some(p)
    }

    /// A new peer, on the link to the same Sentinel if another master has one; gives its place.
    pub(super) fn add_peer(&mut self, m: usize, id: &str, address: super::address::Address, now: Instant) -> usize {
        let elsewhere = self.masters.iter().enumerate().filter(|(other, _)| *other != m).find_map(|(_, master)| {
            let same = master.sentinels.iter().find(|peer| peer.instance.name == id)?;
            same.instance.address.is_same(&address).then_some(same.instance.link)
        });
        let link = match elsewhere {
            Some(link) => {
                self.links.get_mut(link).users += 1;
                link
            }
            None => self.links.add(Owner::Sentinel, now),
        };
        let mut instance = Instance::new(id.to_owned(), address, link, now);
        instance.run_id = Some(id.to_owned());
        let number = self.masters[m].new_instance_id();
        self.masters[m].sentinels.push(Peer::new(number, instance, now));
        self.masters[m].sentinels.len() - 1
    }

    fn remove_peer(&mut self, m: usize, p: usize, out: &mut Outputs) {
        let peer = self.masters[m].sentinels.remove(p);
        self.links.release(peer.instance.link, out);
    }

    /// A Sentinel moved: it moved for all masters. Those under other masters join the new link.
    fn update_address_elsewhere(
        &mut self,
        m: usize,
        id: HexId,
        address: &super::address::Address,
        now: Instant,
        out: &mut Outputs,
    ) -> usize {
        let mut updated = 0;
        for other in 0..self.masters.len() {
            let found = self.masters[other].sentinels.iter().position(|peer| peer.instance.name == id.as_str());
            let Some(p) = found.filter(|_| other != m) else { continue };
            let link = self.masters[other].sentinels[p].instance.link;
            let home = self.masters[m].sentinels.iter().find(|peer| peer.instance.name == id.as_str());
            let home = home.map(|peer| peer.instance.link);
            if let Some(home) = home.filter(|home| *home != link) {
                self.links.get_mut(home).users += 1;
                self.links.release(link, out);
                let peer = &mut self.masters[other].sentinels[p];
                peer.instance.link = home;
                peer.instance.hello_due = now;
                peer.is_ask_on_wire = false;
            }
            self.masters[other].sentinels[p].instance.address = address.clone();
            self.touch(other);
            updated += 1;
        }
        updated
    }

    fn compare_configuration(&mut self, m: usize, p: usize, hello: &Hello<'_>, now: Instant, out: &mut Outputs) {
        let address = self.masters[m].current_address().clone();
        let is_same = self.is_place(&address, hello.master_host, hello.master_port, out);
        if hello.config_epoch > self.masters[m].config_epoch && hello.config_epoch <= self.current_epoch {
            self.masters[m].config_epoch = hello.config_epoch;
            self.masters[m].is_configuration_ours = false;
            self.masters[m].contest = None;
            self.disk.changed();
            if !is_same {
                self.follow_configuration(m, p, hello, now, out);
            }
        } else if hello.config_epoch == self.masters[m].config_epoch && !is_same {
            self.contest_heard(m, now);
        } else if hello.config_epoch < self.masters[m].config_epoch && !is_same {
            let about = About::Peer(m, p);
            let told = self.instance(about).hello_sent;
            if told.is_none_or(|at| now.since(at) >= TELL_SPACING) {
                self.send_hello(about, now, out);
            }
        }
        self.peer_named(m, p, hello.master_host, hello.master_port, out);
    }

    fn follow_configuration(&mut self, m: usize, p: usize, hello: &Hello<'_>, now: Instant, out: &mut Outputs) {
        let from = self.masters[m].instance.address.clone();
        let to = self.names.place(hello.master_host, hello.master_port);
        self.event(out, now, Level::Warning, "+config-update-from", About::Peer(m, p), "");
        self.announce_switch(m, &to, now, out);
        self.call_reconfig_script_between(m, "observer", &from, &to, now);
        self.change_address(m, to, now, out);
        self.push_hellos(m, now, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel::core::io::{Command, Input, LogLine, Output};
    use crate::sentinel::core::tests::{Bench, names, read_lines};

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn hello(ip: &str, id: &str, epoch: u64, master: &str, at: &str, config_epoch: u64) -> String {
        format!("{ip},26379,{id},{epoch},{master},{at},6379,{config_epoch}")
    }

    #[test]
    fn eight_fields_are_a_hello_and_anything_else_is_not() {
        let good = format!("10.0.0.5,26379,{ID},7,mymaster,10.0.0.1,6379,5");
        let hello = read_hello(good.as_bytes()).unwrap();
        assert_eq!((hello.host, hello.port, hello.epoch, hello.config_epoch), ("10.0.0.5", 26379, 7, 5));
        assert_eq!((hello.master, hello.master_host, hello.master_port), ("mymaster", "10.0.0.1", 6379));
        for bad in [
            String::new(),
            good.replace(",5", ""),
            format!("{good},9"),
            good.replace("26379", "x"),
            good.replace("26379", "70000"),
            good.replace(ID, "short"),
            good.replace("mymaster", ""),
            good.replace(",7,", ",-7,"),
            "x".repeat(SENTINEL_HELLO_MAX + 1),
        ] {
            assert_eq!(read_hello(bad.as_bytes()), None, "{bad:.100}");
        }
        assert_eq!(read_hello(b"\xff\xff,1"), None);
    }

    #[test]
    fn our_hello_is_what_others_read() {
        let mut bench = Bench::watching_one_master(1000);
        bench.run_answering(100);
        let sent = bench.sent.iter().find_map(|command| command.strip_prefix("PUBLISH __sentinel__:hello "));
        assert_eq!(sent, Some(format!("10.0.9.9,26379,{},0,mymaster,10.0.0.1,6379,0", "5".repeat(40)).as_str()));
        bench.command(Command::ConfigSet {
            words: ["announce-ip", "1.2.3.4", "announce-port", "99"].map(|word| word.as_bytes().to_vec()).to_vec(),
        });
        bench.run_answering(2100);
        let last = bench.sent.iter().rev().find(|command| command.starts_with("PUBLISH")).unwrap();
        assert!(last.contains(" 1.2.3.4,99,"), "{last}");
    }

    #[test]
    fn a_new_sentinel_is_taken_in_once_and_our_own_hello_is_ignored() {
        let mut bench = Bench::watching_one_master(1000);
        bench.events.clear();
        let from_us = hello("10.0.0.5", &"5".repeat(40), 9, "mymaster", "10.0.0.9", 9);
        for payload in [&from_us, &hello("10.0.0.5", ID, 0, "other", "10.0.0.1", 0), "x"] {
            bench.hello(payload);
        }
        assert!(bench.events.is_empty());
        for _ in 0..2 {
            bench.hello(&hello("10.0.0.5", ID, 0, "mymaster", "10.0.0.1", 0));
        }
        assert_eq!(names(&bench.events), ["+sentinel"]);
        assert_eq!(bench.events[0].payload, format!("sentinel {ID} 10.0.0.5 26379 @ mymaster 10.0.0.1 6379"));
    }

    #[test]
    fn a_newer_configuration_is_followed_and_an_older_one_is_answered() {
        let mut bench = Bench::watching_one_master(1000);
        bench.add_replica("10.0.1.1", "role:slave\r\n");
        bench.run_answering(500);
        bench.events.clear();
        bench.hello(&hello("10.0.0.5", ID, 7, "mymaster", "10.0.1.1", 6));
        let expected = ["+sentinel", "+new-epoch", "+config-update-from", "+switch-master", "+slave"];
        assert_eq!(names(&bench.events)[..5], expected);
        assert_eq!(bench.events[3].payload, "mymaster 10.0.0.1 6379 10.0.1.1 6379");
        assert_eq!(bench.events[4].payload, "slave 10.0.0.1:6379 10.0.0.1 6379 @ mymaster 10.0.1.1 6379");
        bench.run_answering(500);
        bench.sent.clear();
        bench.hello(&hello("10.0.0.5", ID, 7, "mymaster", "10.0.0.1", 0));
        assert!(bench.sent.iter().any(|command| command.ends_with("mymaster,10.0.1.1,6379,6")), "{:?}", bench.sent);
    }

    fn replica_of(master: &str, offset: u64, link: &str) -> String {
        format!(
            "run_id:{offset:0>40}\r\nrole:slave\r\nmaster_host:{master}\r\nmaster_port:6379\r\n\
             master_link_status:{link}\r\nslave_repl_offset:{offset}\r\nslave_priority:7\r\n"
        )
    }

    /// Clients that read from replicas ask for them right after the switch.
    #[test]
    fn a_replica_that_stays_is_known_and_reachable_right_after_the_switch() {
        let mut bench = Bench::watching_one_master(1000);
        bench.add_replica("10.0.1.1", &replica_of("10.0.0.1", 8, "up"));
        bench.add_replica("10.0.1.2", &replica_of("10.0.0.1", 9, "up"));
        bench.run_answering(500);
        let connects = bench.connects;
        bench.stop_answering();
        bench.hello(&hello("10.0.0.5", ID, 7, "mymaster", "10.0.1.1", 6));
        let kept = &bench.sentinel.masters()[0].replicas[0];
        assert_eq!((kept.instance.name.as_str(), kept.offset, kept.priority), ("10.0.1.2:6379", 9, 7));
        assert!(kept.is_link_up && kept.observed.text.is_some() && kept.instance.run_id.is_some());
        let listed = bench.sentinel.replica_listing(&bench.sentinel.masters()[0], bench.now());
        assert!(
            listed[0].contains(&("flags", "slave".into())) && listed[0].contains(&("master-link-status", "ok".into()))
        );
        assert_eq!(bench.connects, connects + 2, "the Sentinel that said hello, and the old master");
    }

    /// It follows within milliseconds, and that is seen within milliseconds.
    #[test]
    fn a_replica_that_stays_is_asked_often_until_it_follows() {
        let mut bench = Bench::watching_one_master(1000);
        bench.add_replica("10.0.1.1", &replica_of("10.0.0.1", 8, "up"));
        bench.add_replica("10.0.1.2", &replica_of("10.0.0.1", 9, "up"));
        bench.run_answering(500);
        bench.hello(&hello("10.0.0.5", ID, 7, "mymaster", "10.0.1.1", 6));
        bench.set_info("10.0.1.1:6379", "role:master\r\n");
        bench.set_info("10.0.1.2:6379", &replica_of("10.0.1.1", 9, "down"));
        bench.run_answering(30);
        assert!(!bench.sentinel.masters()[0].replicas[0].is_link_up);
        bench.set_info("10.0.1.2:6379", &replica_of("10.0.1.1", 9, "up"));
        bench.run_answering(30);
        assert!(bench.sentinel.masters()[0].replicas[0].is_link_up);
    }

    #[test]
    fn an_old_master_that_is_down_is_down_as_a_replica_too() {
        let mut bench = Bench::watching_one_master(1000);
        bench.add_replica("10.0.1.1", &replica_of("10.0.0.1", 8, "up"));
        bench.run_answering(500);
        bench.silence("10.0.0.1:6379");
        bench.run(2000);
        bench.events.clear();
        bench.hello(&hello("10.0.0.5", ID, 7, "mymaster", "10.0.1.1", 6));
        let told = bench.events.iter().filter(|event| ["+slave", "+sdown"].contains(&event.name));
        let told: Vec<_> = told.map(|event| (event.name, event.payload.as_str())).collect();
        let replica = "slave 10.0.0.1:6379 10.0.0.1 6379 @ mymaster 10.0.1.1 6379";
        assert_eq!(told, [("+slave", replica), ("+sdown", replica)]);
    }

    #[test]
    fn a_newer_epoch_for_the_same_address_is_saved() {
        let mut bench = Bench::watching_one_master(1000);
        bench.hello(&hello("10.0.0.5", ID, 7, "mymaster", "10.0.0.1", 6));
        assert!(!names(&bench.events).contains(&"+switch-master"));
        let restarted = Bench::restarted(&bench.sentinel.state_lines());
        assert_eq!(restarted.sentinel.masters()[0].config_epoch, 6);
        assert_eq!(restarted.sentinel.current_epoch(), 7);
    }

    #[test]
    fn nonsense_epochs_are_not_adopted() {
        let mut bench = Bench::watching_one_master(1000);
        bench.hello(&hello("10.0.0.5", ID, u64::MAX, "mymaster", "10.0.9.9", u64::MAX));
        bench.hello(&hello("10.0.0.5", ID, 3, "mymaster", "10.0.9.9", 4));
        assert_eq!((bench.sentinel.current_epoch(), bench.sentinel.masters()[0].config_epoch), (3, 0));
    }

    fn two_masters() -> Bench {
        let text = "sentinel monitor a 10.0.0.1 6379 1\nsentinel monitor b 10.0.0.2 6379 1";
        let mut bench = Bench::with_state(read_lines(text).unwrap());
        bench.hello(&hello("10.0.0.5", ID, 0, "a", "10.0.0.1", 0));
        bench.hello(&hello("10.0.0.5", ID, 0, "b", "10.0.0.2", 0));
        bench
    }

    #[test]
    fn one_sentinel_under_two_masters_shares_one_link() {
        let mut bench = two_masters();
        let links: Vec<_> = bench.sentinel.masters().iter().map(|master| master.sentinels[0].instance.link).collect();
        assert_eq!(links[0], links[1]);
        bench.run_answering(1000);
        let master = &bench.sentinel.masters()[0];
        let fields = bench.sentinel.sentinel_listing(master, bench.now());
        assert!(fields[0].contains(&("link-refcount", "2".to_owned())));
        // Each master has its own hello, and a question about one is no question about the other.
        let hellos = |name: &str| bench.sent.iter().any(|command| command.contains(&format!(",{name},10.0.0.")));
        assert!(hellos("a") && hellos("b"));
        bench.command(Command::Remove { name: "a".into() });
        bench.run_answering(1000);
        let master = &bench.sentinel.masters()[0];
        let fields = bench.sentinel.sentinel_listing(master, bench.now());
        assert!(fields[0].contains(&("link-refcount", "1".to_owned())));
        assert!(fields[0].contains(&("flags", "sentinel".to_owned())), "{fields:?}");
    }

    #[test]
    fn a_sentinel_that_moved_moves_for_all_masters() {
        let mut bench = two_masters();
        bench.events.clear();
        bench.hello(&hello("10.0.0.6", ID, 0, "a", "10.0.0.1", 0));
        let shown: Vec<(&str, &str)> = bench
            .events
            .iter()
            .map(|event| (event.name, event.payload.as_str()))
            .filter(|(name, _)| name.starts_with("+sentinel"))
            .collect();
        let switched = format!("master a 10.0.0.1 6379 ip 10.0.0.6 port 26379 for {ID}");
        let updated = format!("sentinel {ID} 10.0.0.6 26379 @ a 10.0.0.1 6379 1 additional matching instances");
        assert_eq!(
            shown,
            [("+sentinel-address-switch", switched.as_str()), ("+sentinel-address-update", updated.as_str())]
        );
        for master in bench.sentinel.masters() {
            assert_eq!(master.sentinels[0].instance.address.host, "10.0.0.6");
        }
        bench.run_answering(1000);
    }

    #[test]
    fn a_sentinel_with_a_new_id_replaces_the_one_at_its_address() {
        let mut bench = two_masters();
        bench.events.clear();
        let other = "f".repeat(40);
        bench.hello(&hello("10.0.0.5", &other, 0, "a", "10.0.0.1", 0));
        assert_eq!(names(&bench.events)[..2], ["+sentinel-invalid-addr", "+sentinel"]);
        let ids: Vec<Vec<&str>> = bench
            .sentinel
            .masters()
            .iter()
            .map(|master| master.sentinels.iter().map(|peer| peer.instance.name.as_str()).collect())
            .collect();
        assert_eq!(ids, [vec![other.as_str()], vec![]]);
        bench.run_answering(1000);
    }

    #[test]
    fn host_names_wait_for_their_look_up_or_are_refused() {
        let named = hello("sentinel-2", ID, 0, "mymaster", "10.0.0.1", 0);
        let mut bench = Bench::watching_one_master(1000);
        bench.hello(&named);
        assert!(bench.log.contains(&LogLine::Text(Level::Warning, "Failed to resolve hostname 'sentinel-2'".into())));
        bench.command(Command::ConfigSet { words: vec![b"resolve-hostnames".to_vec(), b"yes".to_vec()] });
        let mut out = Outputs::new();
        bench.sentinel.handle(bench.now(), Input::Hello { payload: named.as_bytes() }, &mut out);
        let id = out.drain().find_map(|output| match output {
            Output::Resolve { id, host } => {
                assert_eq!(host, "sentinel-2");
                Some(id)
            }
            _ => None,
        });
        assert!(bench.sentinel.masters()[0].sentinels.is_empty());
        bench.give(Input::Resolved { id: id.unwrap(), ip: Some("10.0.0.5".parse().unwrap()) });
        let peer = &bench.sentinel.masters()[0].sentinels[0];
        assert_eq!(
            (peer.instance.address.host.as_str(), peer.instance.address.announced(false)),
            ("sentinel-2", "10.0.0.5".into())
        );
    }
}
