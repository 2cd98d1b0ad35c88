//! Share groups in a world of members, an administrator, a log that may fail, a share coordinator that may fail, and crashes, all from one
//! seed.
//!
//! Members join, report, change what they read, leave and fall silent; topics come, grow and go; offsets are altered and forgotten; groups are
//! deleted; state begins, fails to, or nobody ever asks (`coordinator`). What is checked:
//!
//! - a member is assigned only partitions whose state the share coordinator keeps, of topics that it reads;
//! - with a group its state is gone;
//! - what the log holds, replayed, is the state of the live coordinator, compacted too;
//! - when the faults end, every partition of every topic that a member reads has a reader, and every member is in its group's epoch.
//!
//! A failure prints its seed, and [`run`] with that seed repeats it.

mod coordinator;
mod rest;
mod world;

use super::super::planted::Bug;
use world::World;

const SEEDS: u64 = 2_000;
const SEEDS_PLANTED: u64 = 1_000;
const STEPS: usize = 140;

/// What happened how often.
#[derive(Clone, Debug, Default)]
struct Counts {
    joined: usize,
    left: usize,
    fenced: usize,
    begun: usize,
    failed: usize,
    forgotten: usize,
    altered: usize,
    offsets_deleted: usize,
    crashes: usize,
    refused_appends: usize,
    grown: usize,
    deleted_topics: usize,
    deleted_groups: usize,
}

impl Counts {
    fn all(&mut self) -> [&mut usize; 13] {
        [
            &mut self.joined,
            &mut self.left,
            &mut self.fenced,
            &mut self.begun,
            &mut self.failed,
            &mut self.forgotten,
            &mut self.altered,
            &mut self.offsets_deleted,
            &mut self.crashes,
            &mut self.refused_appends,
            &mut self.grown,
            &mut self.deleted_topics,
            &mut self.deleted_groups,
        ]
    }
}

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
    for seed in seeds {
        let mut counts = run(seed, None).unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        for (ours, theirs) in total.all().into_iter().zip(counts.all()) {
            *ours += *theirs;
        }
    }
    println!("{total:?}");
    if first.is_none() {
        let used = total.all().into_iter().all(|count| *count > 0);
        assert!(used, "the seeds leave something out: {total:?}");
    }
}

#[test]
fn planted_bugs_are_found() {
    for bug in [
        Bug::ReadWithoutState,
        Bug::StateNeverRetried,
        Bug::NewStateUnnoticed,
        Bug::StateLeftBehind,
        Bug::NobodyIsMissed,
        Bug::ReportedAtAppend,
    ] {
        let found = (0..SEEDS_PLANTED).find_map(|seed| Some((seed, run(seed, Some(bug)).err()?)));
        let (seed, fault) = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
        println!("{bug:?}: seed {seed}: {fault}");
    }
}
