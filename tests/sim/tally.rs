//! What a run exercised, in numbers.

use std::fmt;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Seeds,
    SimulatedMs,
    Happenings,
    /// Processes killed, and machines that lost power.
    Kills,
    PowerLosses,
    Restarts,
    /// Processes stopped by a signal.
    Stops,
    /// Paths between machines closed: both ways, one way.
    Partitions,
    OneWayPartitions,
    Resets,
    SlowNetworks,
    LossyNetworks,
    /// Messages lost and sent again, and messages that overtook others on another connection of the same two processes.
    Retransmissions,
    Overtakings,
    ClockJumps,
    DriftingClocks,
    BrokenDisks,
    SlowDisks,
    /// States a Sentinel had handed to its disk and lost in a crash; data a server had executed and lost in one.
    UnsyncedStates,
    UnsyncedData,
    /// Crashes right after handing something to the disk.
    CrashesWhileSaving,
    FailedSnapshots,
    Votes,
    Elections,
    ByHand,
    /// REPLICAOF sent by somebody who is no Sentinel.
    Meddlings,
    Failovers,
    FullResyncs,
    PartialResyncs,
    /// Runs with several masters.
    SeveralMasters,
    /// How often what a check compares was there to be compared.
    ChoicesChecked,
    DataChecked,
}

const NAMES: [(Count, &str); 32] = [
    (Count::Seeds, "seeds"),
    (Count::SimulatedMs, "simulated ms"),
    (Count::Happenings, "happenings"),
    (Count::Kills, "processes killed"),
    (Count::PowerLosses, "machines without power"),
    (Count::Restarts, "restarts"),
    (Count::Stops, "processes stopped"),
    (Count::Partitions, "partitions"),
    (Count::OneWayPartitions, "one-way partitions"),
    (Count::Resets, "times connections were reset"),
    (Count::SlowNetworks, "slow networks"),
    (Count::LossyNetworks, "lossy networks"),
    (Count::Retransmissions, "messages lost and sent again"),
    (Count::Overtakings, "messages that overtook"),
    (Count::ClockJumps, "clock jumps"),
    (Count::DriftingClocks, "drifting clocks"),
    (Count::BrokenDisks, "broken disks"),
    (Count::SlowDisks, "slow disks"),
    (Count::UnsyncedStates, "unsynced states lost"),
    (Count::UnsyncedData, "servers back with older data"),
    (Count::CrashesWhileSaving, "crashes while saving"),
    (Count::FailedSnapshots, "failed snapshots and loads"),
    (Count::Votes, "votes"),
    (Count::Elections, "elections won"),
    (Count::ByHand, "failovers by hand asked for"),
    (Count::Meddlings, "servers told by a person whom to follow"),
    (Count::Failovers, "failovers"),
    (Count::FullResyncs, "full resyncs"),
    (Count::PartialResyncs, "partial resyncs"),
    (Count::SeveralMasters, "worlds of several masters"),
    (Count::ChoicesChecked, "choices of a replica compared"),
    (Count::DataChecked, "data compared at equal offsets"),
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; NAMES.len()]);

impl Tally {
    pub fn add(&mut self, what: Count, many: u64) {
        self.0[what as usize] += many;
    }

    pub fn one(&mut self, what: Count) {
        self.add(what, 1);
    }

    pub fn of(&self, what: Count) -> u64 {
        self.0[what as usize]
    }

    pub fn merge(&mut self, other: &Tally) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }

    /// What never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        NAMES.iter().filter(|(count, _)| self.of(*count) == 0).map(|(_, name)| *name).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (count, name)) in NAMES.iter().enumerate() {
            write!(f, "{}{} {name}", if index == 0 { "" } else { ", " }, self.of(*count))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_its_name_and_sums_are_sums() {
        assert!(NAMES.iter().enumerate().all(|(index, (count, _))| *count as usize == index));
        let mut tally = Tally::default();
        tally.add(Count::Votes, 2);
        tally.merge(&tally.clone());
        assert_eq!(tally.of(Count::Votes), 4);
        assert!(tally.missing().len() == NAMES.len() - 1 && tally.to_string().contains(", 4 votes, "));
    }
}
