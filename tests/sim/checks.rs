//! What must hold whatever happens, checked while it happens.

use std::collections::BTreeMap;

/// What has been told so far.
#[derive(Debug, Default)]
pub struct Checks {
    /// Sentinel and epoch to the candidate it said it voted for.
    votes: BTreeMap<(usize, u64), String>,
    /// Epoch to its elected leader.
    leaders: BTreeMap<u64, usize>,
    /// Promotions seen by their leaders: epoch and time.
    pub promotions: Vec<(u64, u64)>,
}

impl Checks {
    /// A Sentinel told its vote, to a peer or by asking for votes itself. It may never tell another, crash or not.
    pub fn vote_told(&mut self, sentinel: usize, epoch: u64, candidate: &str) -> Result<(), String> {
        let told = self.votes.entry((sentinel, epoch)).or_insert_with(|| candidate.to_owned());
        if told == candidate {
            Ok(())
        } else {
            Err(format!("Sentinel {sentinel} voted for {told} and then for {candidate} in epoch {epoch}"))
        }
    }

    /// A Sentinel found itself elected. An epoch has one leader; a failover by hand needs no votes and is not counted.
    pub fn elected(&mut self, sentinel: usize, epoch: u64, is_forced: bool) -> Result<(), String> {
        if is_forced {
            return Ok(());
        }
        match self.leaders.insert(epoch, sentinel) {
            Some(other) if other != sentinel => Err(format!("epoch {epoch} has the leaders {other} and {sentinel}")),
            _ => Ok(()),
        }
    }

    pub fn promoted(&mut self, epoch: u64, now: u64) {
        self.promotions.push((epoch, now));
    }

    /// How many promotions there were since a moment.
    pub fn promotions_since(&self, moment: u64) -> usize {
        self.promotions.iter().filter(|(_, at)| *at >= moment).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_vote_in_an_epoch_is_noticed() {
        let mut checks = Checks::default();
        assert!(checks.vote_told(1, 5, "a").is_ok() && checks.vote_told(1, 5, "a").is_ok());
        assert!(checks.vote_told(1, 6, "b").is_ok());
        assert!(checks.vote_told(1, 5, "b").is_err());
    }

    #[test]
    fn a_second_leader_of_an_epoch_is_noticed() {
        let mut checks = Checks::default();
        assert!(checks.elected(1, 5, false).is_ok() && checks.elected(2, 5, true).is_ok());
        assert!(checks.elected(2, 5, false).is_err());
    }
}
