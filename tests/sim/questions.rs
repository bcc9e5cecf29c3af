//! What tests ask of the world.

use crate::shape::name_of;
use crate::world::World;

impl World {
    /// The server a Sentinel takes for the first master.
    pub fn master_of(&self, index: usize) -> Option<usize> {
        self.master_of_group(index, 0)
    }

    /// The server a Sentinel takes for the master of a group.
    pub fn master_of_group(&self, index: usize, group: usize) -> Option<usize> {
        let core = self.nodes[index].core.as_ref()?;
        let (ip, _) = core.master_address(name_of(group))?;
        self.servers.iter().position(|(.., server)| server.ip == ip)
    }

    /// First time a Sentinel emitted an event since a moment.
    pub fn first_event(&self, index: usize, name: &str, since: u64) -> Option<u64> {
        let events = self.nodes[index].events.iter();
        events.filter(|(at, event)| *at >= since && event.name == name).map(|(at, _)| *at).next()
    }

    pub fn count_events(&self, index: usize, name: &str, since: u64) -> usize {
        self.nodes[index].events.iter().filter(|(at, event)| *at >= since && event.name == name).count()
    }

    /// Every Sentinel knows every other, and every replica.
    pub fn is_everybody_known(&self) -> bool {
        let known = (self.shape.servers - 1, self.shape.sentinels - 1);
        self.nodes.iter().all(|node| {
            let core = node.core.as_ref().expect("it runs");
            let mut masters = (0..self.shape.masters).map(|group| core.master(name_of(group)).expect("it is watched"));
            masters.all(|master| (master.replicas.len(), master.sentinels.len()) == known)
        })
    }

    /// Everybody that runs agrees on one live master of each group, and all other servers of the group follow it.
    pub fn disagreement(&self) -> Option<String> {
        (0..self.shape.masters).find_map(|group| self.disagreement_about(group))
    }

    /// Somebody takes a master for dead or is busy replacing it, or has not heard of it for so long that this may follow.
    pub fn unrest(&self) -> Option<String> {
        (0..self.nodes.len()).find_map(|index| {
            let core = self.nodes[index].core.as_ref()?;
            (0..self.shape.masters).find_map(|group| {
                let master = core.master(name_of(group))?;
                let fields = core.master_fields(master, self.clock(index));
                let (_, silence) = fields.iter().find(|(name, _)| *name == "last-ok-ping-reply")?;
                let is_silent = silence.parse::<u64>().expect("milliseconds") > self.shape.down_after / 2;
                let is_busy = master.instance.is_down || master.failover.is_some() || is_silent;
                is_busy.then(|| format!("Sentinel {index} is at work on {}", name_of(group)))
            })
        })
    }

    fn disagreement_about(&self, group: usize) -> Option<String> {
        let running = (0..self.nodes.len()).filter(|&index| self.nodes[index].life.is_running);
        let views: Vec<Option<usize>> = running.map(|index| self.master_of_group(index, group)).collect();
        let Some(Some(master)) = views.first().copied() else { return Some("no Sentinel knows a master".into()) };
        if views.iter().any(|view| *view != Some(master)) {
            return Some(format!("views differ: {views:?}"));
        }
        if self.shape.group_of(master) != group {
            return Some(format!("the master of {} is server {master}, which is another's", name_of(group)));
        }
        let ip = &self.servers[master].2.ip;
        let first = self.shape.first_of(group);
        for index in first..first + self.shape.servers {
            let (life, _, server) = &self.servers[index];
            if !life.is_running {
                continue;
            }
            let follows = server.following().is_some_and(|followed| followed.host == *ip);
            if index == master && !server.is_master() {
                return Some(format!("server {index} should be the master"));
            }
            if index != master && !(follows && server.is_link_up()) {
                let (following, stopped) = (server.following(), life.is_stopped);
                return Some(format!("server {index} does not follow {master}: {following:?} {stopped}"));
            }
        }
        (!self.servers[master].0.is_running).then(|| format!("master {master} is dead"))
    }
}
