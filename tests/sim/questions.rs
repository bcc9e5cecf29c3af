//! What tests ask of the world.

use crate::world::{MASTER, World};

impl World {
    /// The server a Sentinel takes for the master.
    pub fn master_of(&self, index: usize) -> Option<usize> {
        let core = self.nodes[index].core.as_ref()?;
        let (ip, _) = core.master_address(MASTER)?;
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

    /// Everybody that runs agrees on one live master, and all other servers follow it.
    pub fn disagreement(&self) -> Option<String> {
        let running = (0..self.nodes.len()).filter(|&index| self.nodes[index].life.is_running);
        let views: Vec<Option<usize>> = running.map(|index| self.master_of(index)).collect();
        let Some(Some(master)) = views.first().copied() else { return Some("no Sentinel knows a master".into()) };
        if views.iter().any(|view| *view != Some(master)) {
            return Some(format!("views differ: {views:?}"));
        }
        let ip = &self.servers[master].2.ip;
        for (index, (life, _, server)) in self.servers.iter().enumerate().filter(|(_, (life, ..))| life.is_running) {
            let follows = server.following().is_some_and(|followed| followed.host == *ip);
            if index == master && !server.is_master() {
                return Some(format!("server {index} should be the master"));
            }
            if index != master && !(follows && server.is_link_up()) {
                return Some(format!(
                    "server {index} does not follow {master}: {:?} {:?}",
                    server.following(),
                    life.is_stopped
                ));
            }
        }
        if !self.servers[master].0.is_running {
            return Some(format!("master {master} is dead"));
        }
        None
    }
}
