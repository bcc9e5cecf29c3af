//! Clusters and faults drawn from a seed: what no faults can break.

use rredis::base::rng::Rng;

use crate::faults::Fault;
use crate::network::Process;
use crate::nodes::file_text;
use crate::seeds::for_seeds;
use crate::shape::{Sabotage, Shape};
use crate::tally::{Count, Tally};
use crate::transcript::Transcript;
use crate::world::World;

/// TILT lasts half a minute, a hold-off as long as twice the failover timeout.
const AGREEMENT_MAX: u64 = 200_000;

fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.below(of.len() as u64) as usize]
}

/// One fault, of a kind drawn from the seed, in a healthy cluster: a lost master is replaced once, anything else costs nothing.
pub fn single_fault(seed: u64, transcript: Transcript) -> Tally {
    single_fault_of(seed, transcript, Sabotage::None)
}

pub fn single_fault_of(seed: u64, transcript: Transcript, sabotage: Sabotage) -> Tally {
    let rng = &mut Rng::seeded(seed ^ 0xfa17);
    let sentinels = pick(rng, &[3, 3, 5]);
    let latency = pick(rng, &[(0, 1), (0, 1), (1, 10), (10, 30)]);
    let shape = Shape {
        servers: rng.between(2, 5) as usize,
        sentinels,
        quorum: if rng.percent(70) { sentinels as u32 / 2 + 1 } else { rng.between(1, 2) as u32 },
        down_after: if latency.1 > 10 { 1000 } else { pick(rng, &[300, 1000, 1000, 2000, 2000]) },
        parallel_syncs: rng.between(1, 2) as u32,
        latency,
        disk: pick(rng, &[(0, 1), (2, 10), (10, 60)]),
        is_shared_host: rng.percent(60),
        is_acquainted: rng.percent(50),
        sabotage,
        ..Shape::default()
    };
    let (down_after, quorum) = (shape.down_after, shape.quorum);
    let mut world = World::with(seed, shape, transcript);
    world.run_until_holds(15_000, "everybody is known", World::is_everybody_known);
    world.run(rng.between(3000, 10_000));
    let start = world.now;
    let lasts = down_after * 2 + 2000 + rng.below(8000);
    let sentinel = rng.below(world.nodes.len() as u64) as usize;
    let replica = rng.between(1, world.servers.len() as u64 - 1) as usize;
    let last_host = world.shape.hosts() - 1;
    let (faults, expected) = match rng.below(16) {
        0 => (vec![Fault::KillMaster(0)], 1..=1),
        1 => (vec![Fault::StopMaster(0)], 1..=1),
        2 => (vec![Fault::PowerOff(0)], 1..=1),
        3 => (vec![Fault::CutOff(vec![0])], 1..=1),
        4 => (vec![Fault::KillMaster(0), Fault::Kill(Process::Sentinel(sentinel))], 1..=1),
        5 => (vec![Fault::Kill(Process::Server(replica)), Fault::Kill(Process::Sentinel(sentinel))], 0..=0),
        6 => (vec![Fault::ResetConnections(50 + rng.below(51))], 0..=0),
        7 => (vec![Fault::Stop(Process::Sentinel(sentinel))], 0..=0),
        8 => (vec![Fault::ByHand(sentinel, 0)], 1..=1),
        9 => (vec![Fault::CutOff(vec![last_host])], 0..=0),
        10 => (vec![Fault::Deafen(0)], 1..=1),
        11 => (vec![Fault::Mute(0)], 1..=1),
        12 => (vec![Fault::ShiftWall(sentinel, rng.between(0, 20_000) as i64 - 10_000)], 0..=0),
        13 => (vec![Fault::BreakDisk(sentinel), Fault::KillMaster(0)], 1..=1),
        14 => (vec![Fault::SlowDisk(sentinel, 50 + rng.below(2000)), Fault::KillMaster(0)], 1..=1),
        // One Sentinel may lose sight of the master; whether that is enough is for the quorum to say.
        _ => (vec![Fault::Block(rng.below(last_host as u64) as usize, last_host)], 0..=usize::from(quorum == 1)),
    };
    for fault in faults {
        world.schedule(world.now, fault);
    }
    world.run(lasts);
    world.heal();
    world.run_until_holds(45_000, "agreement", |world| world.disagreement().is_none());
    if sabotage == Sabotage::OneTooMany {
        world.inflict(Fault::ByHand(0, 0));
    }
    world.run(5_000);
    let promotions = world.checks.promotions_since(start);
    if !expected.contains(&promotions) {
        world.fail(&format!("{promotions} failovers, expected {expected:?}"));
    }
    check_at_rest(&mut world);
    world.into_tally()
}

#[test]
fn one_fault_costs_at_most_one_failover() {
    for_seeds("one fault", 5, single_fault);
}

/// Random faults, then peace: agreement in the end, and the checks of `checks.rs` all the way.
pub fn chaos(seed: u64, transcript: Transcript) -> Tally {
    chaos_of(seed, transcript, Sabotage::None)
}

pub fn chaos_of(seed: u64, transcript: Transcript, sabotage: Sabotage) -> Tally {
    let rng = &mut Rng::seeded(seed ^ 0x5eed);
    let sentinels = pick(rng, &[3, 3, 3, 5]);
    let masters = pick(rng, &[1, 1, 1, 1, 1, 1, 2]);
    let shape = Shape {
        masters,
        servers: if masters > 1 { 2 } else { rng.between(2, 4) as usize },
        sentinels,
        quorum: if rng.percent(70) { sentinels as u32 / 2 + 1 } else { rng.between(1, 3) as u32 },
        down_after: pick(rng, &[500, 1000, 2000, 3000]),
        failover_timeout: pick(rng, &[3000, 3000, 10_000, 60_000]),
        parallel_syncs: rng.between(1, 3) as u32,
        latency: pick(rng, &[(0, 1), (0, 1), (1, 20), (20, 60)]),
        disk: pick(rng, &[(0, 1), (2, 10), (10, 150)]),
        is_shared_host: rng.percent(60),
        crash_at_persist: pick(rng, &[0, 0, 5, 20]),
        drift: pick(rng, &[2, 2, 20]),
        is_acquainted: rng.percent(70),
        tilt: pick(rng, &[2000, 2000, 5000, 30_000]),
        sabotage,
    };
    let mut world = World::with(seed, shape, transcript);
    for (.., server) in &mut world.servers {
        server.priority = pick(rng, &[100, 100, 100, 100, 100, 100, 50, 200, 0]);
    }
    world.run_until_holds(20_000, "everybody is known", World::is_everybody_known);
    world.run(rng.between(0, 2000));
    let count = rng.between(2, 6);
    world.draw_faults(rng, count, 6000);
    world.draw_meddling(&mut Rng::seeded(seed ^ 0x3edd1e), 6000);
    world.run(8000 + rng.below(2000));
    world.heal();
    // What was late or stuck arrives, and may still make somebody look dead.
    world.run_until(world.network.latest_arrival().max(world.now));
    let start = world.now;
    while let Some(why) = world.disagreement().or_else(|| world.unrest()) {
        if world.now - start > AGREEMENT_MAX {
            world.fail(&format!("no agreement: {why}"));
        }
        world.run(100);
    }
    // And it stays so.
    let promotions = world.checks.promotions.len();
    check_at_rest(&mut world);
    if world.checks.promotions.len() != promotions {
        world.fail("a failover although nothing is wrong");
    }
    world.into_tally()
}

#[test]
fn whatever_happens_no_vote_is_taken_back_no_epoch_has_two_leaders_and_peace_brings_agreement() {
    let tally = for_seeds("chaos", 1, chaos);
    // Everything that is meant to go wrong did.
    let missing = tally.missing();
    assert!(missing.is_empty() || tally.of(Count::Seeds) < 200, "{missing:?} never happened");
}

/// With nothing left to happen every server has its master's data, and every disk what its Sentinel has in memory.
fn check_at_rest(world: &mut World) {
    world.is_quiet = true;
    world.run(3000);
    if let Some(why) = world.disagreement() {
        world.fail(&format!("at rest: {why}"));
    }
    for group in 0..world.shape.masters {
        let master = world.master_of_group(0, group).expect("they agree");
        let data = &world.servers[master].2.data;
        let mut servers = (0..world.servers.len()).filter(|&index| world.shape.group_of(index) == group);
        if let Some(index) = servers.find(|&index| world.servers[index].2.data.writes != data.writes) {
            world.fail(&format!("server {index} has other data than the master {master}"));
        }
    }
    // A disk that refused something is offered it again after five seconds.
    let start = world.now;
    while let Some(why) = unsaved(world) {
        if world.now - start > 6000 {
            world.fail(&why);
        }
        world.run(250);
    }
    world.is_quiet = false;
}

fn unsaved(world: &World) -> Option<String> {
    world.nodes.iter().enumerate().find_map(|(index, node)| {
        let memory = file_text(node.core.as_ref().expect("it runs"));
        let is_same = node.file == memory;
        (!is_same).then(|| format!("Sentinel {index} has on disk\n{}\nand in memory\n{memory}", node.file))
    })
}
