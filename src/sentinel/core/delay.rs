//! Why a master that is down is not replaced yet: what SENTINEL MASTER and the log say to whoever is woken by it.
//!
//! From the outside all delays look the same. They are: TILT; too few Sentinels that see the master down; a failover that
//! came to nothing, or one that somebody else is to lead (`election.rs` keeps the reason); and replicas none of which
//! can be promoted, each for a reason of its own.
//!
//! SENTINEL MASTER shows `failover-delay-reason` and, where it is known, in how many milliseconds a failover starts at the
//! latest: `failover-delay-ms`. The fields are there only while the master is down and no failover of ours is under way. The
//! log says it once, when a second has passed.

use std::fmt;

use super::candidate::{Unfit, fitness};
use super::failover::Reason;
use super::instance::Master;
use super::io::{Level, Outputs};
use super::{Alarm, Sentinel};
use crate::base::time::Instant;

/// Pauses shorter than this are not worth a line in the log.
pub const LOGGED_PAUSE: u64 = 1000;
/// So many replicas are named when none is fit.
const NAMED_MAX: usize = 10;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unfit::Down => "it is down",
            Unfit::Disconnected => "it is not connected",
            Unfit::Silent => "it does not answer",
            Unfit::PriorityZero => "its priority is 0",
            Unfit::InfoTooOld => "its last INFO is too old",
            Unfit::LinkDownTooLong => "it was without its master for too long",
        })
    }
}

/// Why a failover does not start, and how many milliseconds that lasts at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    pub reason: String,
    pub ms: Option<u64>,
}

impl Sentinel {
    /// Why no failover of this master is under way, though it is down.
    pub fn delay_of(&self, master: &Master, now: Instant) -> Option<Delay> {
        if !master.instance.is_down || master.failover.is_some() {
            return None;
        }
        if let Some(since) = self.tilt.since() {
            let ms = (since + self.periods.tilt).since(now);
            return Some(Delay { reason: "this Sentinel is in TILT mode".to_owned(), ms: Some(ms) });
        }
        if master.odown.is_none() {
            return Some(Delay { reason: too_few(master), ms: None });
        }
        let holdup = master.holdup.as_ref()?;
        let mut reason = holdup.reason.to_string();
        if matches!(holdup.reason, Reason::NoGoodSlave | Reason::NoReplicaYet) {
            self.unfit(master, now).for_each(|(name, why)| reason.push_str(&format!("; {name}: {why}")));
        }
        Some(Delay { reason, ms: Some(holdup.latest.since(now)) })
    }

    /// Tells the log when a master has been down for a while and too few see it.
    pub(super) fn tell_lack_of_quorum(&mut self, m: usize, now: Instant, alarm: &mut Alarm, out: &mut Outputs) {
        let master = &self.masters[m];
        let down = master.instance.went_down.filter(|_| master.instance.is_down);
        let Some(since) = down.filter(|_| master.odown.is_none() && !master.is_lack_told) else { return };
        if alarm.is_due(since + LOGGED_PAUSE, now) {
            let text = format!("Failover of '{}' waits: {}", master.instance.name, too_few(master));
            out.log(Level::Notice, text);
            self.masters[m].is_lack_told = true;
        }
    }

    /// Tells the log of each replica why it cannot be promoted.
    pub(super) fn tell_unfit(&self, m: usize, now: Instant, out: &mut Outputs) {
        let master = &self.masters[m];
        for (name, why) in self.unfit(master, now) {
            let text = format!("Replica {name} of '{}' cannot be promoted: {why}", master.instance.name);
            out.log(Level::Notice, text);
        }
        if master.replicas.is_empty() {
            out.log(Level::Notice, format!("No replica of '{}' is known", master.instance.name));
        }
    }

    fn unfit<'a>(&'a self, master: &'a Master, now: Instant) -> impl Iterator<Item = (&'a str, Unfit)> + 'a {
        let of_one = move |replica: &'a super::instance::Replica| {
            let link = self.links.get(replica.instance.link);
            let why = fitness(master, replica, link, &self.periods, now).err()?;
            Some((replica.instance.name.as_str(), why))
        };
        master.replicas.iter().filter_map(of_one).take(NAMED_MAX)
    }
}

fn too_few(master: &Master) -> String {
    let agreeing = 1 + master.sentinels.iter().filter(|peer| peer.says_down).count();
    format!("{agreeing} of the {} Sentinels needed see it down", master.settings.quorum)
}

#[cfg(test)]
mod tests {
    use crate::sentinel::core::io::{Command, CommandReply, LogLine};
    use crate::sentinel::core::tests::Bench;

    const PEER: &str = "10.0.0.5,26379,0123456789abcdef0123456789abcdef01234567,0,mymaster,10.0.0.1,6379,0";
    const REPLICA: &str = "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\n";

    fn shown(bench: &Bench) -> Option<String> {
        let fields = bench.sentinel.master_fields(bench.sentinel.master("mymaster").unwrap(), bench.now());
        fields.into_iter().find(|(name, _)| *name == "failover-delay-reason").map(|(_, text)| text)
    }

    fn logged(bench: &Bench, text: &str) -> usize {
        bench.log.iter().filter(|line| matches!(line, LogLine::Text(_, logged) if logged.contains(text))).count()
    }

    #[test]
    fn a_lack_of_quorum_is_told_once() {
        let mut bench = Bench::watching_one_master(1000);
        bench.hello(PEER);
        bench.run_answering(2000);
        assert_eq!(shown(&bench), None);
        bench.silence("10.0.0.1:6379");
        bench.run(1500);
        assert_eq!(shown(&bench).as_deref(), Some("1 of the 2 Sentinels needed see it down"));
        assert_eq!(logged(&bench, "waits: 1 of the 2"), 0);
        bench.run(5000);
        assert_eq!(logged(&bench, "Failover of 'mymaster' waits: 1 of the 2 Sentinels needed see it down"), 1);
    }

    /// The votes of one Sentinel, which agrees, and ours: enough for a failover, if there is a replica for it.
    fn down_with(priority: u32) -> Bench {
        let mut bench = Bench::watching_one_master(1000);
        bench.add_replica("10.0.1.1", &format!("{REPLICA}slave_priority:{priority}\r\n"));
        bench.hello(PEER);
        bench.answer_down_with("10.0.0.5:26379");
        bench.run_answering(2000);
        bench.silence("10.0.0.1:6379");
        bench
    }

    #[test]
    fn each_replica_that_cannot_be_promoted_is_named_with_the_reason() {
        let mut bench = down_with(0);
        bench.run(1500);
        let yet = "no replica is fit to be promoted yet; 10.0.1.1:6379: its priority is 0";
        assert_eq!(shown(&bench).as_deref(), Some(yet));
        bench.run(4000);
        assert_eq!(shown(&bench).as_deref(), Some(&*yet.replace(" yet", "")));
        assert!(logged(&bench, "Replica 10.0.1.1:6379 of 'mymaster' cannot be promoted: its priority is 0") > 0);
        assert!(logged(&bench, "Failover of 'mymaster' waits: no replica is fit to be promoted") > 0);
    }

    #[test]
    fn nothing_is_shown_once_a_failover_is_under_way() {
        let mut bench = down_with(100);
        bench.run(1500);
        assert!(bench.sentinel.masters()[0].failover.is_some());
        assert_eq!(shown(&bench), None);
    }

    #[test]
    fn a_refused_failover_by_hand_says_why_in_the_log() {
        let mut bench = Bench::watching_one_master(1000);
        let by_hand = Command::Failover { name: "mymaster".into() };
        assert!(matches!(bench.command(by_hand.clone()), CommandReply::Error(_)));
        assert_eq!(logged(&bench, "No replica of 'mymaster' is known"), 1);
        bench.add_replica("10.0.1.1", &format!("{REPLICA}slave_priority:0\r\n"));
        bench.command(Command::Debug { words: ["info-period", "100"].map(|word| word.as_bytes().to_vec()).to_vec() });
        bench.run_answering(11_000);
        assert!(matches!(bench.command(by_hand), CommandReply::Error(_)));
        assert_eq!(logged(&bench, "cannot be promoted: its priority is 0"), 1);
    }

    #[test]
    fn tilt_is_a_reason() {
        let mut bench = down_with(0);
        bench.run(1500);
        bench.advance(5000);
        bench.run(10);
        assert_eq!(shown(&bench).as_deref(), Some("this Sentinel is in TILT mode"));
    }
}
