//! What must hold whatever happens, checked while it happens.

use std::collections::BTreeMap;

/// What has been told so far. Everything is about one master; they are numbered.
#[derive(Debug, Default)]
pub struct Checks {
    /// Sentinel, master and epoch to the candidate it said it voted for.
    votes: BTreeMap<(usize, usize, u64), String>,
    /// Master and epoch to its elected leader.
    leaders: BTreeMap<(usize, u64), usize>,
    /// When promotions were seen by their leaders, and of which master.
    pub promotions: Vec<(usize, u64)>,
}

impl Checks {
    /// A Sentinel told its vote, to a peer or by asking for votes itself. It may never tell another, crash or not.
    pub fn vote_told(&mut self, sentinel: usize, master: usize, epoch: u64, candidate: &str) -> Result<(), String> {
        let told = self.votes.entry((sentinel, master, epoch)).or_insert_with(|| candidate.to_owned());
        if told == candidate {
            Ok(())
        } else {
            Err(format!("Sentinel {sentinel} voted for {told} and then for {candidate} in epoch {epoch}"))
        }
    }

    /// A Sentinel found itself elected. An epoch has one leader; a failover by hand needs no votes and is not counted.
    pub fn elected(&mut self, sentinel: usize, master: usize, epoch: u64, is_forced: bool) -> Result<(), String> {
        if is_forced {
            return Ok(());
        }
        match self.leaders.insert((master, epoch), sentinel) {
            Some(other) if other != sentinel => Err(format!("epoch {epoch} has the leaders {other} and {sentinel}")),
            _ => Ok(()),
        }
    }

    pub fn promoted(&mut self, master: usize, now: u64) {
        self.promotions.push((master, now));
    }

    /// How many promotions there were since a moment, of whichever master.
    pub fn promotions_since(&self, moment: u64) -> usize {
        self.promotions.iter().filter(|(_, at)| *at >= moment).count()
    }

    /// How many votes were told, and how many elections won.
    pub fn counts(&self) -> (usize, usize) {
        (self.votes.len(), self.leaders.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_vote_in_an_epoch_is_noticed() {
        let mut checks = Checks::default();
        assert!(checks.vote_told(1, 0, 5, "a").is_ok() && checks.vote_told(1, 0, 5, "a").is_ok());
        assert!(checks.vote_told(1, 0, 6, "b").is_ok() && checks.vote_told(1, 1, 5, "b").is_ok());
        assert!(checks.vote_told(1, 0, 5, "b").is_err());
    }

    #[test]
    fn a_second_leader_of_an_epoch_is_noticed() {
        let mut checks = Checks::default();
        assert!(checks.elected(1, 0, 5, false).is_ok() && checks.elected(2, 0, 5, true).is_ok());
        assert!(checks.elected(2, 1, 5, false).is_ok());
        assert!(checks.elected(2, 0, 5, false).is_err());
    }
}
