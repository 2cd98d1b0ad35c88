//! The machine in a world of clients, a log that may fail, and crashes of the coordinator at any step, all from one seed.
//!
//! Clients of both protocols join, sync, report, commit, leave, fall silent, come back under their instance or by the other protocol,
//! change what they read; topics grow; an administrator deletes groups and offsets; appends are refused, answers are lost; the coordinator is loaded anew from what of the log was durable
//! and perhaps some of the rest. What is checked (`checks`):
//!
//! - in one generation of a group a partition has one owner; in a consumer group, at any time, and it is told to the next one only when
//!   the one before has said that it gave it up, or is out;
//! - every member of a consumer group has its session's end before it;
//! - a committed offset that was acknowledged, or shown, is never gone, and never goes back;
//! - whatever the log holds, replayed, is the state of the live coordinator, compacted too, and Kafka would load it;
//! - when the faults end, every client has its place in one generation, every partition its owner, and nobody waits.
//!
//! A failure prints its seed, and [`run`] with that seed repeats it.

mod checks;
mod client;
mod counts;
mod modern;
mod requests;
mod rest;
mod troubles;
mod world;

use super::planted::Bug;
use counts::Counts;
use world::World;

/// Seeds of the plain run, and those among which each planted bug must be found.
const SEEDS: u64 = 2_000;
const SEEDS_PLANTED: u64 = 2_000;
const STEPS: usize = 90;

/// One seed: what went wrong, if something did.
fn run(seed: u64, bug: Option<Bug>) -> Result<Counts, String> {
    let mut world = World::new(seed, bug);
    for _ in 0..STEPS {
        world.step()?;
    }
    world.come_to_rest()?;
    Ok(world.counts)
}

#[test]
fn no_seed_finds_a_fault() {
    let first = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = first.map_or(0..SEEDS, |seed: u64| seed..seed + 1);
    let mut total = Counts::default();
    for seed in seeds.clone() {
        match run(seed, None) {
            Ok(counts) => total.add(&counts),
            Err(fault) => panic!("seed {seed}: {fault}"),
        }
    }
    println!("{} seeds: {total:?}", seeds.end - seeds.start);
    if first.is_none() {
        assert!(total.is_everything_used(), "the seeds leave something out: {total:?}");
    }
}

#[test]
fn planted_bugs_are_found() {
    let bugs = [
        Bug::AssignedAtAppend,
        Bug::ShownAtAppend,
        Bug::CommittedAtAppend,
        Bug::AnyGenerationCommits,
        Bug::TombstonesIgnored,
        Bug::NewIdUnwritten,
        Bug::SilentRemoval,
        Bug::SameGeneration,
        Bug::NoSessionsAfterLoad,
        Bug::GivenWhileOwned,
        Bug::ReportedAtAppend,
        Bug::AnyEpochCommits,
        Bug::TopicsUnwatched,
        Bug::UpgradeKeepsRecord,
        Bug::DowngradeKeepsRecords,
        Bug::RebalanceForgotten,
        Bug::DowngradeTakesTargets,
        Bug::NobodyIsMissed,
    ];
    for bug in bugs {
        let found = (0..SEEDS_PLANTED).find_map(|seed| Some((seed, run(seed, Some(bug)).err()?)));
        let (seed, fault) = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
        println!("{bug:?}: seed {seed}: {fault}");
    }
}
