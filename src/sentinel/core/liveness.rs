//! Whether one instance is subjectively down: the rule behind `+sdown` and `-sdown`.
//!
//! Silence alone proves nothing, because an idle link is silent too. Time counts only from a moment at which we had a right
//! to expect an answer (`link.rs` keeps it): the oldest PING not yet answered acceptably or, when the link is down and
//! nothing is awaited, the last acceptable answer. The instance is down once that time exceeds down-after.
//!
//! Acceptable answers are `PONG`, `LOADING` and `MASTERDOWN`: the process works, though perhaps not for clients yet.
//!
//! A master is also down when it has reported to be a replica for down-after and two INFO periods (whatever it is, it is
//! no master any more), and, under `master-reboot-down-after-period`, when it restarted and has not said `PONG` for so
//! long: it may be loading its data for minutes.
//!
//! And a master is down that started without data while replicas have some, as soon as it says so, or one of those replicas
//! does (`repl/newborn.rs` of the server): it works, but its group has lost its data unless one of them takes over.

use super::events::About;
use super::instance::Role;
use super::io::{Level, Outputs, Tag};
use super::link::LinkId;
use super::{Alarm, Sentinel};
use crate::base::time::Instant;
use crate::resp::value::Value;

impl Sentinel {
    /// A PING was answered.
    pub(super) fn ping_answered(&mut self, id: LinkId, value: &Value, now: Instant, out: &mut Outputs) {
        let text = match value {
            Value::Simple(text) | Value::Error(text) => &text[..],
            _ => b"",
        };
        let acceptable = [&b"PONG"[..], b"LOADING", b"MASTERDOWN"];
        let is_acceptable = acceptable.iter().any(|word| text.starts_with(word));
        self.links.get_mut(id).ping_answered(now, is_acceptable);
        for about in self.users_of(id) {
            if let About::Master(m) = about
                && text.starts_with(b"PONG")
            {
                self.masters[m].rebooted = None;
            }
            let instance = self.instance(about);
            if text.starts_with(b"BUSY") && instance.is_down && !instance.is_script_kill_sent {
                let script = self.masters[about.master()].settings.name_of("SCRIPT").as_bytes();
                self.links.send(id, &[script, b"KILL"], Tag::Ignored, out);
                self.instance_mut(about).is_script_kill_sent = true;
            }
            self.touch(about.master());
        }
    }

    /// Applies the rule to one instance.
    pub(super) fn check_down(&mut self, about: About, now: Instant, alarm: &mut Alarm, out: &mut Outputs) {
        let is_down = self.down_at(about).is_some_and(|at| alarm.is_due(at, now));
        if is_down == self.instance(about).is_down {
            return;
        }
        self.instance_mut(about).is_down = is_down;
        if is_down {
            self.instance_mut(about).went_down = Some(now);
            self.event(out, now, Level::Warning, "+sdown", about, "");
        } else {
            self.instance_mut(about).is_script_kill_sent = false;
            self.event(out, now, Level::Warning, "-sdown", about, "");
        }
        if let About::Master(m) = about {
            self.master_liveness_changed(m, now, out);
        }
    }

    /// First instant at which the instance is down, if nothing else happens.
    fn down_at(&self, about: About) -> Option<Instant> {
        let master = &self.masters[about.master()];
        let down_after = master.settings.down_after;
        let mut at = self.links.get(self.instance(about).link).down_at(down_after);
        let mut earlier = |other: Instant| at = Some(at.map_or(other, |at| at.min(other)));
        if let About::Master(_) = about {
            if master.observed.role == Role::Replica {
                earlier(master.observed.role_since + down_after + self.periods.info * 2 + 1);
            }
            if let Some(since) = master.rebooted {
                earlier(since + master.settings.reboot_down_after + 1);
            }
            if let Some(since) = master.observed.newborn_since.filter(|_| master.observed.role == Role::Master) {
                earlier(since);
            }
            let refusing = master.replicas.iter().filter(|replica| replica.observed.role == Role::Replica);
            if let Some(since) = refusing.filter_map(|replica| replica.observed.newborn_since).min() {
                earlier(since);
            }
        }
        at
    }

    /// Our own view of a master changed: the others are asked at once, and the replicas looked at closely.
    fn master_liveness_changed(&mut self, m: usize, now: Instant, out: &mut Outputs) {
        self.masters[m].is_lack_told = false;
        if !self.masters[m].instance.is_down {
            return;
        }
        for peer in &mut self.masters[m].sentinels {
            peer.asked = None;
        }
        for about in self.replicas_of(m) {
            if self.observed(about).is_some_and(|observed| !observed.is_asked) {
                self.send_info(about, now, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::resp::value::Value;
    use crate::sentinel::core::tests::{Bench, names};

    fn error(text: &'static str) -> Value {
        Value::Error(bytes::Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_silent_master_is_down_just_after_down_after_and_back_with_one_pong() {
        let mut bench = Bench::watching_one_master(1000);
        bench.run_answering(3000);
        bench.stop_answering();
        bench.run(1000);
        assert_eq!(names(&bench.events).iter().filter(|n| **n == "+sdown").count(), 0);
        bench.run(102);
        assert!(names(&bench.events).contains(&"+sdown"), "{:?}", bench.events);
        bench.events.clear();
        bench.run_answering(2000);
        assert!(names(&bench.events).contains(&"-sdown"), "{:?}", bench.events);
    }

    #[test]
    fn errors_other_than_loading_and_masterdown_do_not_keep_a_master_up() {
        for (answer, is_up) in [
            (error("LOADING Redis is loading"), true),
            (error("MASTERDOWN Link with MASTER is down"), true),
            (error("NOAUTH Authentication required."), false),
            (error("MISCONF no"), false),
        ] {
            let mut bench = Bench::watching_one_master(1000);
            bench.run_answering(500);
            bench.answer_ping_with(answer.clone());
            bench.run(3000);
            let is_down = bench.sentinel.masters()[0].instance.is_down;
            assert_eq!(is_down, !is_up, "{answer:?}");
        }
    }

    #[test]
    fn a_busy_script_is_killed_once_when_the_master_is_down() {
        let mut bench = Bench::watching_one_master(1000);
        bench.run_answering(500);
        bench.answer_ping_with(error("BUSY Redis is busy running a script."));
        bench.run(5000);
        assert_eq!(bench.sent.iter().filter(|command| command.starts_with("SCRIPT KILL")).count(), 1);
    }

    #[test]
    fn a_master_that_started_without_data_is_down_as_soon_as_it_says_so() {
        let mut bench = Bench::watching_one_master(60_000);
        bench.answer_info_with("role:master\r\nnewborn_master_refused:0\r\n");
        bench.run_answering(30_000);
        assert!(!bench.sentinel.masters()[0].instance.is_down);
        bench.answer_info_with("role:master\r\nnewborn_master_refused:2\r\n");
        bench.run_answering(11_000);
        assert!(bench.sentinel.masters()[0].instance.is_down);
        bench.answer_info_with("role:master\r\n");
        bench.run_answering(11_000);
        assert!(!bench.sentinel.masters()[0].instance.is_down, "nobody is refused any more");
    }

    #[test]
    fn a_master_that_says_it_is_a_replica_goes_down_after_two_info_periods_more() {
        let mut bench = Bench::watching_one_master(1000);
        bench.run_answering(500);
        bench.answer_info_with("role:slave\r\nmaster_host:10.0.0.9\r\nmaster_port:1\r\n");
        bench.run(20_000);
        assert!(!bench.sentinel.masters()[0].instance.is_down);
        bench.run(12_000);
        assert!(bench.sentinel.masters()[0].instance.is_down);
    }
}
