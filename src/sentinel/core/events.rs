//! Events: how an instance is named in them, and what else an event sets off.
//!
//! Most payloads start with the instance they are about: `<type> <name> <ip> <port>`, and for replicas and other Sentinels
//! also ` @ <master name> <master ip> <master port>`. A warning about a master or anything below it is also handed to the
//! master's notification script.

use super::Sentinel;
use super::instance::{Instance, Master};
use super::io::{Event, Level, Output, Outputs};
use crate::base::time::Instant;

/// The instance an event is about; numbers are places in the present lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A master.
    Master(usize),
    /// A replica of a master.
    Replica(usize, usize),
    /// Another Sentinel watching a master.
    Peer(usize, usize),
}

impl About {
    /// The master it belongs to.
    pub fn master(self) -> usize {
        match self {
            About::Master(m) | About::Replica(m, _) | About::Peer(m, _) => m,
        }
    }
}

impl Sentinel {
    /// An event about an instance: `%@` and, when `rest` is not empty, a space and `rest`.
    pub(super) fn event(
        &mut self,
        out: &mut Outputs,
        now: Instant,
        level: Level,
        name: &'static str,
        about: About,
        rest: &str,
    ) {
        let mut payload = self.describe(about);
        if !rest.is_empty() {
            payload.push(' ');
            payload.push_str(rest);
        }
        self.event_text(out, now, level, name, Some(about.master()), payload);
    }

    /// An event with a payload of its own. `master` is whose notification script hears of it.
    pub(super) fn event_text(
        &mut self,
        out: &mut Outputs,
        now: Instant,
        level: Level,
        name: &'static str,
        master: Option<usize>,
        payload: String,
    ) {
        if level == Level::Warning
            && let Some(script) = master.and_then(|m| self.masters[m].settings.notification_script.clone())
        {
            self.scripts.schedule(vec![script, name.to_owned(), payload.clone()], now);
        }
        out.push(Output::Event(Event { level, name, payload }));
    }

    /// The instance as events name it.
    pub(super) fn describe(&self, about: About) -> String {
        let hostnames = self.settings.announce_hostnames;
        let place =
            |instance: &Instance| format!("{} {}", instance.address.announced(hostnames), instance.address.port);
        let master: &Master = &self.masters[about.master()];
        let whose = format!("{} {}", master.instance.name, place(&master.instance));
        match about {
            About::Master(_) => format!("master {whose}"),
            About::Replica(_, r) => {
                let replica = &master.replicas[r].instance;
                format!("slave {} {} @ {whose}", replica.name, place(replica))
            }
            About::Peer(_, p) => {
                let peer = &master.sentinels[p].instance;
                format!("sentinel {} {} @ {whose}", peer.name, place(peer))
            }
        }
    }
}
