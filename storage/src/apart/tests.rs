//! A log directory whose commit logs go to other places and back, with crashes at every step.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::*;
use crate::commit_log::group::GroupHeader;
use crate::commit_log::{GroupSequence, LogId};
use crate::marker::MARKER_FILE;
use crate::runtime::simulated::{Disk, Simulated};
use crate::simulation::hand::{marker, stopped_shard};

const DIRECTORY: &str = "/d";
const ROOTS: [&str; 2] = ["/log", "/other"];
const ID: TopicId = TopicId(Uuid::from_u128(0xd1));
const SHARDS: u16 = 3;
const STEPS: u64 = 1_000_000;

fn root(number: usize) -> CommitRoot {
    CommitRoot { path: ROOTS[number].into(), id: TopicId(Uuid::from_u128(number as u128 + 1)) }
}

/// The disk with both roots, and what a clean stop leaves in the log directory.
fn disk(clean: bool) -> Disk {
    let disk = Disk::new();
    for directory in [DIRECTORY, ROOTS[0], ROOTS[1]] {
        disk.make_directory(Path::new(directory));
    }
    for number in 0..ROOTS.len() {
        let CommitRoot { path, id } = root(number);
        let whose = MetaProperties { cluster_id: "c".into(), node_id: 1, directory_id: Some(id) };
        disk.put(&path.join(COMMIT_ROOT), whose.print().as_bytes()).unwrap();
    }
    let runtime = Simulated::new(1, disk.clone(), Duration::ZERO);
    runtime.run(STEPS, stopped(runtime.clone(), clean)).unwrap();
    runtime.kill();
    disk
}

async fn stopped(runtime: Simulated, clean: bool) {
    let directory = Path::new(DIRECTORY);
    let marker = marker(&runtime, directory).await;
    for shard in 0..SHARDS {
        let clean = clean.then(|| marker.clone());
        stopped_shard(&runtime, directory, (shard, SHARDS), clean, Vec::new()).await;
    }
    for name in ["odradek-controller.manifest", "odradek-controller-0.commit"] {
        replace_file(&runtime, &directory.join(name), b"its own").await.unwrap();
    }
    runtime.sync_directory(directory).await.unwrap();
}

fn go(runtime: &Simulated, wanted: Option<CommitRoot>) -> Result<PathBuf, OpenError> {
    runtime.run(STEPS, to(runtime.clone(), wanted)).unwrap()
}

async fn to(runtime: Simulated, wanted: Option<CommitRoot>) -> Result<PathBuf, OpenError> {
    runtime.lock(Path::new(DIRECTORY)).await.unwrap();
    settle(&runtime, Path::new(DIRECTORY), ID, wanted.as_ref()).await
}

fn life(disk: &Disk) -> Simulated {
    Simulated::new(7, disk.clone(), Duration::from_secs(1))
}

fn refusal(disk: &Disk, wanted: Option<CommitRoot>) -> String {
    let before = everything(disk);
    let runtime = life(disk);
    let error = go(&runtime, wanted).expect_err("refused").to_string();
    runtime.kill();
    assert_eq!(everything(disk), before, "what is refused is left as it is");
    error
}

fn everything(disk: &Disk) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left: Vec<PathBuf> = vec!["/".into()];
    while let Some(path) = left.pop() {
        match disk.content(&path) {
            Some(content) => drop(found.insert(path, content)),
            None => left.extend(disk.names(&path).into_iter().map(|name| path.join(name))),
        }
    }
    found
}

/// The manifests are at this place. What a crash has left at another that nobody asked for since counts for nothing: there is no log file.
fn check_whole(disk: &Disk, place: &Path) {
    let names: Vec<PathBuf> = everything(disk).into_keys().collect();
    let directory = Path::new(DIRECTORY);
    for shard in 0..SHARDS {
        let name = format!("odradek-{shard}.manifest");
        assert!(names.contains(&place.join(&name)), "{name} is missing in {names:?}");
        assert_eq!(names.contains(&directory.join(&name)), place == directory);
    }
    let is_left = |path: &&PathBuf| {
        let is_log = path.extension().is_some_and(|extension| extension == "commit");
        is_log && path.parent() != Some(place)
    };
    let own = directory.join("odradek-controller-0.commit");
    assert!(names.iter().filter(is_left).all(|path| *path == own), "{names:?}");
    assert!(names.contains(&own));
}

#[test]
fn no_crash_loses_a_commit_logs_place() {
    let mut interrupted = 0;
    for seed in 0..1500 {
        let mut random = SmallRng::seed_from_u64(seed);
        let disk = disk(true);
        let mut any = || Some(random.random_range(0..3)).filter(|n| *n < 2).map(root);
        let draws: Vec<_> = (0..6).map(|_| any()).collect();
        for (round, pair) in (0..).zip(draws.chunks(2)) {
            let short = Simulated::new(seed + round, disk.clone(), Duration::from_secs(seed));
            let ended = short.run(random.random_range(1..90), to(short.clone(), pair[0].clone()));
            interrupted += u32::from(ended.is_none());
            if random.random() {
                short.kill()
            } else {
                short.power_cut()
            }
            let long = Simulated::new(seed + round, disk.clone(), Duration::from_secs(seed));
            let place = go(&long, pair[1].clone());
            let place = place.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let expected = pair[1].as_ref().map_or(PathBuf::from(DIRECTORY), |root| root.place(ID));
            assert_eq!(place, expected);
            check_whole(&disk, &place);
            // Once more under the same key: there is nothing to do.
            assert_eq!(go(&long, pair[1].clone()).unwrap(), place);
            check_whole(&disk, &place);
            long.kill();
        }
    }
    assert!(interrupted > 1000, "crashes in the middle: {interrupted}");
}

#[test]
fn a_log_that_may_hold_records_stays_where_it_is() {
    let why = refusal(&disk(false), Some(root(0)));
    assert!(why.contains("start once without odradek.commit.log.dir"), "{why}");
    // The same where a start came before the change: its link is in the log.
    let served = disk(true);
    let path = Path::new(DIRECTORY).join("odradek-1-0.commit");
    let header = GroupHeader {
        id: LogId(2),
        sequence: GroupSequence(20),
        mark: GroupSequence(19),
        length: 64,
        entries: 0,
        shards: u32::from(SHARDS),
        previous: 5,
        body: 0,
    };
    served.put(&path, &header.encode()).unwrap();
    let why = refusal(&served, Some(root(0)));
    assert!(why.contains("holds what is in no segment yet"), "{why}");
    // Kafka ran on it, or it is a copy: another marker.
    let kafkas = disk(true);
    kafkas.put(&Path::new(DIRECTORY).join(MARKER_FILE), b"{\"version\":0}").unwrap();
    refusal(&kafkas, Some(root(0)));
}

#[test]
fn a_place_that_is_not_the_one_that_it_was_is_refused() {
    let disk = disk(true);
    let runtime = life(&disk);
    let place = go(&runtime, Some(root(0))).unwrap();
    runtime.kill();
    // Another file system is mounted there, or none.
    let other = MetaProperties {
        cluster_id: "c".into(),
        node_id: 1,
        directory_id: Some(TopicId(Uuid::from_u128(77))),
    };
    let whose = Path::new(ROOTS[0]).join(COMMIT_ROOT);
    let kept = disk.content(&whose).unwrap();
    disk.put(&whose, other.print().as_bytes()).unwrap();
    for wanted in [None, Some(root(1))] {
        let why = refusal(&disk, wanted);
        assert!(why.contains("mount it if its file system is not mounted"), "{why}");
    }
    disk.put(&whose, &kept).unwrap();
    // It is mounted elsewhere: the id tells.
    let moved = CommitRoot { path: ROOTS[1].into(), ..root(0) };
    let why = refusal(&disk, Some(moved.clone()));
    assert!(why.contains("is missing, where /d has its commit log"), "{why}");
    disk.make_directory(&moved.place(ID));
    for shard in 0..SHARDS {
        let name = format!("odradek-{shard}.manifest");
        disk.put(&moved.place(ID).join(&name), &disk.content(&place.join(&name)).unwrap()).unwrap();
        disk.remove(&place.join(&name)).unwrap();
    }
    let runtime = life(&disk);
    assert_eq!(go(&runtime, Some(moved.clone())).unwrap(), moved.place(ID));
    let noted = runtime.run(STEPS, noted(runtime.clone())).unwrap();
    assert_eq!(noted, Some(moved));
}

async fn noted(runtime: Simulated) -> Option<CommitRoot> {
    read_note(&runtime, Path::new(DIRECTORY)).await.unwrap()
}

#[test]
fn two_commit_logs_of_one_directory_are_not_chosen_from() {
    let disk = disk(true);
    let log = root(0).place(ID);
    disk.make_directory(&log);
    disk.put(&log.join("odradek-0-3.commit"), &[0; 4096]).unwrap();
    let why = refusal(&disk, Some(root(0)));
    assert!(why.contains("odradek-0-3.commit is a commit log of the same log directory"), "{why}");
}

#[test]
fn a_new_directory_begins_apart() {
    let disk = Disk::new();
    for directory in [DIRECTORY, ROOTS[0]] {
        disk.make_directory(Path::new(directory));
    }
    let runtime = life(&disk);
    assert_eq!(go(&runtime, None).unwrap(), Path::new(DIRECTORY));
    assert_eq!(go(&runtime, Some(root(0))).unwrap(), root(0).place(ID));
    runtime.power_cut();
    assert_eq!(disk.names(Path::new(DIRECTORY)), [COMMIT_NOTE]);
    assert!(disk.names(&root(0).place(ID)).is_empty());
}
