//! Do the checks notice anything? Clusters in which one thing is built wrong must fail, and for that reason.

use crate::chance::{chaos_of, single_fault_of};
use crate::seeds::attempt;
use crate::shape::Sabotage;

/// Runs seeds until one fails, which must be for the reason given, and within so many.
fn is_caught(sabotage: Sabotage, within: u64, reason: &str) {
    let run = if sabotage == Sabotage::OneTooMany { single_fault_of } else { chaos_of };
    let failures = (0..within).map(|seed| attempt(seed, |seed, transcript| run(seed, transcript, sabotage)));
    let why = failures.filter_map(Result::err).find(|why| why.contains(reason));
    assert!(why.is_some(), "{sabotage:?} was not noticed in {within} seeds as \"{reason}\"");
}

#[test]
fn a_sentinel_that_votes_for_everybody_makes_two_leaders_of_an_epoch() {
    is_caught(Sabotage::VotesForEverybody, 1000, "has the leaders");
}

#[test]
fn a_disk_that_forgets_takes_votes_back() {
    is_caught(Sabotage::DisksForget, 1000, "and then for");
}

#[test]
fn a_disk_that_forgets_differs_from_the_memory_at_rest() {
    is_caught(Sabotage::DisksForget, 20, "and in memory");
}

#[test]
fn a_replica_that_skips_a_command_differs_from_its_master() {
    is_caught(Sabotage::ReplicasSkip, 20, "differ at");
}

#[test]
fn a_partial_resync_that_repeats_a_command_is_noticed() {
    is_caught(Sabotage::ReplicasRepeat, 50, "differ at");
}

#[test]
fn a_choice_of_a_worse_replica_is_noticed() {
    is_caught(Sabotage::OffsetsLie, 1000, "chose a replica at offset");
}

#[test]
fn servers_that_do_not_follow_prevent_agreement() {
    is_caught(Sabotage::ServersStay, 20, "no agreement");
}

#[test]
fn a_failover_too_many_is_noticed() {
    is_caught(Sabotage::OneTooMany, 20, "failovers, expected");
}
