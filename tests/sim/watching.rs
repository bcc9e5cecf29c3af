//! What the Sentinels say and choose, compared with what is so: where the checks are asked.

use rredis::resp::args::Args;
use rredis::sentinel::core::instance::Replica;
use rredis::sentinel::core::io::Event;

use crate::answers::text;
use crate::network::Process;
use crate::redis_model::Server;
use crate::shape::{DATA_PORT, name_of};
use crate::tally::Count;
use crate::world::World;

/// Milliseconds for which what INFO says is taken for the present.
const FRESH: u64 = 50;

impl World {
    pub fn vote_told(&mut self, sentinel: usize, group: usize, epoch: u64, candidate: &str) {
        if let Err(why) = self.checks.vote_told(sentinel, group, epoch, candidate) {
            self.fail(&why);
        }
    }

    /// Who asks for votes has told its own.
    pub fn check_question(&mut self, index: usize, words: &Args<'_>) {
        if words.get(5) != b"*" {
            let epoch = text(words.get(4)).parse().expect("an epoch");
            let group = self.group_at(&text(words.get(2))).expect("a master's address");
            self.vote_told(index, group, epoch, &text(words.get(5)));
        }
    }

    pub fn check_event(&mut self, index: usize, event: &Event) {
        if !["+elected-leader", "+selected-slave", "+promoted-slave"].contains(&event.name) {
            return;
        }
        let words: Vec<&str> = event.payload.split(' ').collect();
        let name = if words[0] == "master" { words[1] } else { words[5] };
        let group = (0..self.shape.masters).find(|&group| name_of(group) == name).expect("a master's name");
        let core = self.nodes[index].core.as_ref().expect("it speaks");
        let verdict = match event.name {
            "+elected-leader" => {
                // Nothing is left of one that was given up in the same turn.
                let failover = core.master(name).and_then(|master| master.failover.as_ref());
                let won = failover.map(|failover| (failover.epoch, failover.is_forced));
                won.map_or(Ok(()), |(epoch, is_forced)| self.checks.elected(index, group, epoch, is_forced))
            }
            "+selected-slave" => self.check_choice(index, name, words[2]),
            _ => {
                self.checks.promoted(group, self.now);
                Ok(())
            }
        };
        if let Err(why) = verdict {
            self.fail(&why);
        }
    }

    /// The chosen replica is not worse than another that could have been chosen. Only asked once the old master is dead:
    /// while it lives, offsets move.
    fn check_choice(&mut self, index: usize, name: &str, chosen_ip: &str) -> Result<(), String> {
        let node = &self.nodes[index];
        let core = node.core.as_ref().expect("it speaks");
        let master = core.master(name).expect("it is watched");
        let master_ip = master.instance.address.announced(false);
        let Some(Process::Server(master_index)) = self.process_at(&master_ip, DATA_PORT) else { return Ok(()) };
        if self.servers[master_index].0.is_running {
            return Ok(());
        }
        let of = |ip: &str| self.servers.iter().find(|(.., server)| server.ip == ip);
        let Some((_, _, chosen)) = of(chosen_ip) else { return Err(format!("{chosen_ip} is no server")) };
        // What it knew was still so, unless that travelled for too long.
        let known_for = FRESH + self.shape.latency.1;
        if self.now - chosen.moved_at <= known_for {
            return Ok(());
        }
        let mut compared = 0;
        for replica in &master.replicas {
            let Some((life, host, other)) = of(&replica.instance.address.announced(false)) else { continue };
            let in_reach = !self.network.is_blocked(node.host, *host) && !self.network.is_blocked(*host, node.host);
            let fields = core.replica_fields(master, replica, self.clock(index));
            let is_connected = fields.iter().all(|(name, text)| *name != "flags" || !text.contains("disconnected"));
            let is_fit = is_connected
                && life.is_running
                && !life.is_stopped
                && in_reach
                && self.now > other.loading_until + 1000
                && replica.observed.refreshed.is_some_and(|at| self.clock(index).mono.since(at) < FRESH)
                && self.now - other.moved_at > known_for
                && self.now > self.network.late_until
                && !replica.instance.is_down
                && other.priority != 0
                && !other.refuses_promotion
                && !other.is_master()
                && !other.is_link_up()
                && (other.was_linked(self.now) || !chosen.was_linked(self.now) && !chosen.is_master());
            compared += u64::from(is_fit && other.ip != chosen.ip);
            if is_fit
                && (other.priority, chosen.offset()) < (chosen.priority, other.offset())
                && other.priority <= chosen.priority
            {
                let of = |server: &Server| format!("at offset {}, of priority {}", server.offset(), server.priority);
                let known = |replica: &Replica| {
                    let age = replica.observed.refreshed.map(|at| self.clock(index).mono.since(at));
                    format!("{:?} at {} of {}, {age:?} ms ago", replica.observed.role, replica.offset, replica.priority)
                };
                let of_chosen = master.replicas.iter().find(|one| one.instance.address.announced(false) == chosen.ip);
                return Err(format!(
                    "chose a replica {}; another in reach was {}; known were {:?} and {}",
                    of(chosen),
                    of(other),
                    of_chosen.map(known),
                    known(replica)
                ));
            }
        }
        self.tally.add(Count::ChoicesChecked, compared);
        Ok(())
    }
}
