//! Telling a server whom to follow, during a failover and after.
//!
//! The command is a transaction, so that no client sees a server half changed: follow, write the configuration, drop all
//! clients (they then ask a Sentinel who the master is). The reply tells only that the server took it; whether it worked is
//! seen in INFO, and one leaves right behind the transaction.

use super::address::Address;
use super::events::About;
use super::instance::{Reconf, Role};
use super::io::{Level, Outputs, Tag};
use super::link::InstanceId;
use super::observed::read_info;
use super::{Alarm, Sentinel};
use crate::base::time::Instant;

impl Sentinel {
    /// Sends the transaction: follow `target`, or nobody. `exec` tags the answer to EXEC. False when not connected.
    pub(super) fn send_slaveof(
        &mut self,
        about: About,
        target: Option<&Address>,
        exec: Tag,
        now: Instant,
        out: &mut Outputs,
    ) -> bool {
        let id = self.instance(about).link;
        if !self.links.get(id).can_send() {
            return false;
        }
        let hostnames = self.settings.announce_hostnames;
        let (host, port) = match target {
            Some(address) => (address.announced(hostnames), address.port.to_string()),
            None => ("NO".to_owned(), "ONE".to_owned()),
        };
        let settings = &self.masters[about.master()].settings;
        let name = |command: &'static str| settings.name_of(command).as_bytes();
        let commands: [&[&[u8]]; 6] = [
            &[name("MULTI")],
            &[name("SLAVEOF"), host.as_bytes(), port.as_bytes()],
            &[name("CONFIG"), b"REWRITE"],
            &[name("CLIENT"), b"KILL", b"TYPE", b"normal"],
            &[name("CLIENT"), b"KILL", b"TYPE", b"pubsub"],
            &[name("EXEC")],
        ];
        for (index, words) in commands.into_iter().enumerate() {
            let tag = if index == 5 { exec } else { Tag::Ignored };
            self.links.send(id, words, tag, out);
        }
        self.send_info(about, now, out);
        true
    }

    /// No replica is fit, but the configured master works and says that it follows one of them: it is told to be a master again. (One
    /// that follows a server we do not know is somebody's deed, or never was a master.)
    pub(super) fn reinstate_master(&mut self, m: usize, now: Instant, out: &mut Outputs) {
        let observed = &self.masters[m].observed;
        if observed.role != Role::Replica || !observed.is_fresh(self.periods.info, now) {
            return;
        }
        let facts = observed.text.as_deref().map(read_info).unwrap_or_default();
        let (Some(host), Some(port)) = (facts.master_host, facts.master_port) else { return };
        let places: Vec<Address> =
            self.masters[m].replicas.iter().map(|replica| replica.instance.address.clone()).collect();
        let follows_own = places.iter().any(|place| self.is_place(place, &host, port, out));
        if follows_own && self.send_slaveof(About::Master(m), None, Tag::Ignored, now, out) {
            let name = &self.masters[m].instance.name;
            let text = format!(
                "'{name}' follows one of its replicas, and none of them is fit: it is told to be a master again"
            );
            out.log(Level::Warning, text);
        }
    }

    /// Stage ReconfSlaves: lets up to `parallel-syncs` replicas follow at a time.
    pub(super) fn reconfigure_next(
        &mut self,
        m: usize,
        promoted: InstanceId,
        now: Instant,
        alarm: &mut Alarm,
        out: &mut Outputs,
    ) {
        let target = self.instance(self.about_replica(m, promoted)).address.clone();
        let is_underway = |reconf: Reconf| matches!(reconf, Reconf::Sent(_) | Reconf::InProgress);
        let mut underway = self.masters[m].replicas.iter().filter(|replica| is_underway(replica.reconf)).count();
        let at_most = self.masters[m].settings.parallel_syncs as usize;
        for r in 0..self.masters[m].replicas.len() {
            let about = About::Replica(m, r);
            let replica = &self.masters[m].replicas[r];
            if replica.id == promoted {
                continue;
            }
            if let Reconf::Sent(at) = replica.reconf
                && alarm.is_due(at + self.periods.replica_reconf_timeout + 1, now)
            {
                self.event(out, now, Level::Notice, "-slave-reconf-sent-timeout", about, "");
                self.masters[m].replicas[r].reconf = Reconf::Done;
                underway -= 1;
            }
            if self.masters[m].replicas[r].reconf != Reconf::None || underway >= at_most {
                continue;
            }
            if self.send_slaveof(about, Some(&target), Tag::Ignored, now, out) {
                self.masters[m].replicas[r].reconf = Reconf::Sent(now);
                self.event(out, now, Level::Notice, "+slave-reconf-sent", about, "");
                underway += 1;
            }
        }
        self.detect_end(m, promoted, now, alarm, out);
    }

    /// The time for following is over: whoever has not been told is told now, without waiting for anything.
    pub(super) fn reconfigure_best_effort(&mut self, m: usize, promoted: InstanceId, now: Instant, out: &mut Outputs) {
        let target = self.instance(self.about_replica(m, promoted)).address.clone();
        for r in 0..self.masters[m].replicas.len() {
            let replica = &self.masters[m].replicas[r];
            if replica.id == promoted || matches!(replica.reconf, Reconf::Done | Reconf::Sent(_)) {
                continue;
            }
            let about = About::Replica(m, r);
            if self.send_slaveof(about, Some(&target), Tag::Ignored, now, out) {
                self.event(out, now, Level::Notice, "+slave-reconf-sent-be", about, "");
                self.masters[m].replicas[r].reconf = Reconf::Sent(now);
            }
        }
    }

    /// Progress of a following replica, as its INFO tells.
    pub(super) fn follow_progress(&mut self, m: usize, r: usize, now: Instant, out: &mut Outputs) {
        let Some(promoted) = self.masters[m].failover.as_ref().and_then(super::failover::Failover::installed) else {
            return;
        };
        let target = self.instance(self.about_replica(m, promoted)).address.clone();
        let replica = &self.masters[m].replicas[r];
        if let Reconf::Sent(_) = replica.reconf {
            let (host, port) = (replica.master_host.clone(), replica.master_port);
            if host.is_some_and(|host| self.is_place(&target, &host, port, out)) {
                self.masters[m].replicas[r].reconf = Reconf::InProgress;
                self.event(out, now, Level::Notice, "+slave-reconf-inprog", About::Replica(m, r), "");
            }
        }
        let replica = &self.masters[m].replicas[r];
        if replica.reconf == Reconf::InProgress && replica.is_link_up {
            self.masters[m].replicas[r].reconf = Reconf::Done;
            self.event(out, now, Level::Notice, "+slave-reconf-done", About::Replica(m, r), "");
        }
    }

    /// Schedules the client-reconfig-script for a switch to replica `r`.
    pub(super) fn call_reconfig_script(&mut self, m: usize, role: &str, r: usize, now: Instant) {
        let from = self.masters[m].instance.address.clone();
        let to = self.masters[m].replicas[r].instance.address.clone();
        self.call_reconfig_script_between(m, role, &from, &to, now);
    }

    /// The same between two addresses.
    pub(super) fn call_reconfig_script_between(
        &mut self,
        m: usize,
        role: &str,
        from: &Address,
        to: &Address,
        now: Instant,
    ) {
        let hostnames = self.settings.announce_hostnames;
        let master = &self.masters[m];
        if let Some(path) = &master.settings.client_reconfig_script {
            let words = [path.as_str(), &master.instance.name, role, "start"].map(str::to_owned);
            let places = [from, to].map(|place| [place.announced(hostnames), place.port.to_string()]);
            self.scripts.schedule(words.into_iter().chain(places.into_iter().flatten()).collect(), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sentinel::core::tests::Bench;

    fn is_reinstated(master_host: &str) -> bool {
        let mut bench = Bench::watching_one_master(1000);
        bench.add_replica("10.0.1.1", "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nslave_priority:0\r\n");
        bench.hello(&format!("10.0.0.5,26379,{},0,mymaster,10.0.0.1,6379,0", "a".repeat(40)));
        bench.answer_down_with("10.0.0.5:26379");
        bench.run_answering(500);
        bench.set_info("10.0.0.1:6379", &format!("role:slave\r\nmaster_host:{master_host}\r\nmaster_port:6379\r\n"));
        bench.sent.clear();
        bench.run_answering(40_000);
        bench.sent.iter().any(|command| command == "SLAVEOF NO ONE")
    }

    #[test]
    fn a_master_that_follows_its_own_replica_is_one_again_when_no_replica_is_fit_and_only_then() {
        assert!(is_reinstated("10.0.1.1"));
        assert!(!is_reinstated("10.0.9.9"), "somebody may be moving the data elsewhere");
    }
}
