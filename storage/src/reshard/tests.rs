//! Random directories become directories of other numbers of shards, with crashes at every step: no partition is lost, doubled or misplaced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::*;
use crate::manifest::PartitionState;
use crate::marker::MARKER_FILE;
use crate::runtime::simulated::{Disk, Simulated};
use crate::simulation::hand::{marker, stopped_shard};
use crate::units::{Offset, TopicId};

const DIRECTORY: &str = "/d";
const STEPS: u64 = 1_000_000;

fn partition(number: u128) -> PartitionState {
    let id = PartitionId {
        topic: TopicId(Uuid::from_u128(number)),
        partition: i32::try_from(number % 7).unwrap(),
    };
    PartitionState {
        id,
        topic: format!("t{number}"),
        log_start: Offset(3),
        end: Offset(i64::try_from(number).unwrap() + 10),
        replay: EntryId::default(),
        epochs: Vec::new(),
        producers: vec![1, 2, 3],
        cleaned_to: Offset(2),
        rewritten: Offset(1),
        segments: Vec::new(),
    }
}

fn owner(id: PartitionId, shards: u16) -> u16 {
    u16::try_from(id.topic.0.as_u128() % u128::from(shards)).unwrap()
}

/// What a clean stop of `shards` shards leaves: manifests, log files of some other id, the marker.
async fn stopped(runtime: Simulated, shards: u16, partitions: u128, clean: bool) {
    let directory = Path::new(DIRECTORY);
    runtime.mkdir(directory).await.unwrap();
    runtime.sync_directory(Path::new("/")).await.unwrap();
    let marker = marker(&runtime, directory).await;
    for shard in 0..shards {
        let replay = EntryId { group: GroupSequence(20), ordinal: 0 };
        let all = (1..=partitions).map(|number| PartitionState { replay, ..partition(number) });
        let own = all.filter(|state| owner(state.id, shards) == shard).collect();
        let clean = (clean || shard > 0).then(|| marker.clone());
        stopped_shard(&runtime, directory, (shard, shards), clean, own).await;
    }
    runtime.sync_directory(directory).await.unwrap();
}

async fn change(runtime: Simulated, shards: u16) -> Result<Option<u16>, OpenError> {
    let directory = Path::new(DIRECTORY);
    runtime.lock(directory).await.unwrap();
    reshard(&runtime, LogDir::whole(directory), shards, |id| owner(id, shards)).await
}

/// What the directory says now, shard by shard.
async fn found(runtime: Simulated) -> BTreeMap<u16, Manifest> {
    manifests(&runtime, LogDir::whole(Path::new(DIRECTORY))).await.unwrap()
}

fn check_whole(disk: &Disk, manifests: &BTreeMap<u16, Manifest>, shards: u16, partitions: u128) {
    assert!((0..shards).eq(manifests.keys().copied()), "{:?}", manifests.keys());
    let mut seen = BTreeSet::new();
    for (shard, manifest) in manifests {
        assert_eq!((manifest.shards, manifest.clean.is_some()), (u32::from(shards), true));
        assert!(manifest.mark < manifest.first);
        for state in &manifest.partitions {
            assert_eq!(owner(state.id, shards), *shard);
            assert_eq!(
                state.replay.group.max(manifest.first),
                state.replay.group,
                "nothing before it is replayed"
            );
            let number = state.id.topic.0.as_u128();
            assert_eq!(
                PartitionState { replay: EntryId::default(), ..state.clone() },
                partition(number)
            );
            assert!(seen.insert(number), "{number} is there twice");
        }
    }
    assert_eq!(seen.len() as u128, partitions);
    for name in disk.names(Path::new(DIRECTORY)) {
        assert_ne!(name, plan::PLAN);
        let higher = (shards..64).any(|shard| name.starts_with(&format!("odradek-{shard}-")));
        assert!(!higher, "{name} is left");
    }
}

#[test]
fn no_crash_loses_a_partition() {
    let mut changed = 0;
    for seed in 0..2000 {
        let mut random = SmallRng::seed_from_u64(seed);
        let disk = Disk::new();
        let partitions = random.random_range(0..12);
        let mut shards = random.random_range(1..6);
        let life = |seed: u64| Simulated::new(seed, disk.clone(), Duration::from_secs(seed));
        let first = life(seed);
        first.run(STEPS, stopped(first.clone(), shards, partitions, true)).unwrap();
        first.kill();
        for round in 1..4 {
            let next = random.random_range(1..6);
            let short = life(seed + round * 10_000);
            let ended = short.run(random.random_range(1..120), change(short.clone(), next));
            if random.random() {
                short.kill()
            } else {
                short.power_cut()
            }
            changed += u32::from(ended.is_none());
            let long = life(seed + round * 10_000 + 5_000);
            shards = random.random_range(1..6);
            long.run(STEPS, change(long.clone(), shards))
                .unwrap()
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let manifests = long.run(STEPS, found(long.clone())).unwrap();
            check_whole(&disk, &manifests, shards, partitions);
            long.kill();
        }
    }
    assert!(changed > 1000, "crashes in the middle: {changed}");
}

#[test]
fn the_same_number_changes_nothing_and_a_new_directory_neither() {
    let runtime = Simulated::new(1, Disk::new(), Duration::ZERO);
    runtime.run(STEPS, async_mkdir(runtime.clone())).unwrap();
    assert_eq!(runtime.run(STEPS, change(runtime.clone(), 3)).unwrap().unwrap(), None);
    runtime.run(STEPS, stopped(runtime.clone(), 3, 5, true)).unwrap();
    let before = runtime.run(STEPS, found(runtime.clone())).unwrap();
    assert_eq!(runtime.run(STEPS, change(runtime.clone(), 3)).unwrap().unwrap(), None);
    assert_eq!(runtime.run(STEPS, found(runtime.clone())).unwrap(), before);
}

async fn async_mkdir(runtime: Simulated) {
    runtime.mkdir(Path::new(DIRECTORY)).await.unwrap();
}

#[test]
fn an_unclean_directory_is_refused_with_the_fix() {
    let runtime = Simulated::new(1, Disk::new(), Duration::ZERO);
    runtime.run(STEPS, stopped(runtime.clone(), 3, 5, false)).unwrap();
    let error = runtime.run(STEPS, change(runtime.clone(), 2)).unwrap().unwrap_err().to_string();
    assert!(error.contains("start it once with odradek.shards=3"), "{error}");
    // The same number is nobody's business here.
    assert_eq!(runtime.run(STEPS, change(runtime.clone(), 3)).unwrap().unwrap(), None);
}

#[test]
fn another_marker_is_not_ours() {
    let disk = Disk::new();
    let runtime = Simulated::new(1, disk.clone(), Duration::ZERO);
    runtime.run(STEPS, stopped(runtime.clone(), 2, 5, true)).unwrap();
    disk.remove(&Path::new(DIRECTORY).join(MARKER_FILE)).unwrap();
    assert!(runtime.run(STEPS, change(runtime.clone(), 3)).unwrap().is_err());
}
