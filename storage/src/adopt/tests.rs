//! Directories as Kafka leaves them, taken over on the simulated machine, with crashes, and with files missing or damaged.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::*;
use crate::batch::{BatchBuilder, HEADER_BYTES};
use crate::commit_log::files::manifest_path;
use crate::config::{Durability, LogConfig, StoreOptions};
use crate::epochs::EpochStart;
use crate::manifest::{PartitionState, SegmentState};
use crate::producer::ProducerStates;
use crate::runtime::simulated::{Disk, Simulated};
use crate::segment::Segment;
use crate::segment::files::{Kind, file_name};
use crate::simulation::life::options;
use crate::store::Store;
use crate::units::{Epoch, ProducerEpoch, ProducerId, Sequence, Timestamp};

const DIRECTORY: &str = "/d";
const STEPS: u64 = 1_000_000;
const SHARDS: u16 = 2;
const PRODUCER: ProducerId = ProducerId(7);

/// A partition that a test has written, and what is to be found out of it.
struct Written {
    path: PathBuf,
    expected: PartitionState,
}

fn owner(id: PartitionId) -> u16 {
    u16::try_from(id.partition).unwrap() % SHARDS
}

/// The files of a partition with several segments, as Kafka leaves them after a clean stop.
fn write_partition(disk: &Disk, random: &mut SmallRng, number: i32) -> Written {
    let id = PartitionId { topic: TopicId(Uuid::from_u128(77)), partition: number };
    // Or its move to this directory was not ended.
    let is_future = random.random_ratio(1, 4);
    let suffix = if is_future { ".0123456789abcdef0123456789abcdef-future" } else { "" };
    write_partition_in(disk, random, id, format!("t-{number}{suffix}"))
}

fn write_partition_in(
    disk: &Disk,
    random: &mut SmallRng,
    id: PartitionId,
    name: String,
) -> Written {
    let path = Path::new(DIRECTORY).join(name);
    disk.make_directory(&path);
    let put = |name: &str, content: &[u8]| disk.put(&path.join(name), content).unwrap();
    put("partition.metadata", format!("version: 0\ntopic_id: {}", id.topic).as_bytes());
    let first = Offset(random.random_range(0..1000));
    let (mut end, mut states, mut segments) = (first, ProducerStates::new(first), Vec::new());
    let (mut sequence, mut time) = (0, 1_000_000);
    let count = random.random_range(1..4);
    for index in 0..count {
        let mut segment = Segment::new(end, 0);
        let mut log = Vec::new();
        // A last segment may be empty: Kafka had just rolled.
        for _ in 0..random.random_range(u32::from(index + 1 < count)..30) {
            time += random.random_range(-50..100);
            let records = random.random_range(1..5);
            let mut batch = BatchBuilder::new().base_offset(end).leader_epoch(Epoch(3)).producer(
                PRODUCER,
                ProducerEpoch(0),
                Sequence(sequence),
            );
            for _ in 0..records {
                let value = vec![1; random.random_range(10..2000)];
                batch = batch.record(Timestamp(time), None, Some(&value));
            }
            let batch = batch.build();
            let size = u32::try_from(batch.size()).unwrap();
            segment.append(batch.header(), size, &LogConfig::default());
            states.apply(&batch.info());
            log.extend_from_slice(batch.bytes());
            sequence += records;
            // Compaction leaves gaps.
            end = batch.last_offset().next() + random.random_range(0..2);
        }
        let last = index + 1 == count;
        if !last {
            segment.add_time_entry();
        }
        put(&file_name(segment.base, Kind::Log), &log);
        put(&file_name(segment.base, Kind::OffsetIndex), segment.offsets.unwritten());
        put(&file_name(segment.base, Kind::TimeIndex), segment.times.unwritten());
        let mut state = SegmentState::of(&segment);
        (state.filed, state.finished) = (state.length, !last);
        (state.offsets, state.more_offsets) = (state.more_offsets.len() as u64, Vec::new());
        (state.times, state.more_times) = (state.more_times.len() as u64, Vec::new());
        end = end.max(segment.next);
        segments.push(state);
    }
    let end = next_offset(&segments);
    put("leader-epoch-checkpoint", format!("0\n1\n3 {first}\n").as_bytes());
    put(&format!("{:020}.snapshot", end.0), &states.snapshot());
    let start = EpochStart { epoch: Epoch(3), start: first };
    let expected = PartitionState {
        id,
        topic: "t".into(),
        log_start: first,
        end,
        replay: EntryId::default(),
        epochs: if first < end { vec![start] } else { Vec::new() },
        producers: states.snapshot(),
        cleaned_to: first,
        rewritten: Offset(0),
        segments,
    };
    Written { path, expected }
}

fn kafkas(disk: &Disk, random: &mut SmallRng) -> Vec<Written> {
    disk.make_directory(Path::new(DIRECTORY));
    let written =
        (0..random.random_range(1..4)).map(|n| write_partition(disk, random, n)).collect();
    let metadata = Path::new(DIRECTORY).join(METADATA);
    disk.make_directory(&metadata);
    disk.put(&metadata.join(file_name(Offset(0), Kind::Log)), b"").unwrap();
    mark(disk);
    written
}

/// Kafka has stopped cleanly.
fn mark(disk: &Disk) {
    disk.put(&Path::new(DIRECTORY).join(MARKER_FILE), b"{\"version\":0,\"brokerEpoch\":4}")
        .unwrap();
}

async fn take(runtime: Simulated) -> Result<Option<usize>, OpenError> {
    let directory = Path::new(DIRECTORY);
    runtime.lock(directory).await.unwrap();
    adopt(&runtime, LogDir::whole(directory), SHARDS, owner, true).await
}

fn run(disk: &Disk, seed: u64) -> Result<Option<usize>, OpenError> {
    let life = Simulated::new(seed, disk.clone(), Duration::from_secs(seed));
    let taken = life.run(STEPS, take(life.clone())).unwrap();
    life.kill();
    taken
}

/// What the manifests say, without what is the file system's.
fn found(disk: &Disk) -> Vec<PartitionState> {
    let read = |store| {
        let content =
            disk.content(&manifest_path(Path::new(DIRECTORY), store)).expect("a manifest");
        Manifest::decode(&content.into()).expect("a whole one")
    };
    let controllers = read(StoreName::Controller).partitions;
    assert_eq!(controllers.len(), 1);
    assert_eq!(controllers[0].topic, TOPIC);
    let mut all: Vec<PartitionState> = Vec::new();
    for shard in 0..SHARDS {
        let partitions = read(StoreName::Shard(shard)).partitions;
        assert!(partitions.iter().all(|state| owner(state.id) == shard));
        all.extend(partitions);
    }
    all.sort_by_key(|state| state.id);
    for state in &mut all {
        state.replay = EntryId::default();
        state.segments.iter_mut().for_each(|segment| segment.opened = 0);
    }
    all
}

fn check(disk: &Disk, written: &[Written], seed: u64) {
    let expected: Vec<_> = written.iter().map(|written| written.expected.clone()).collect();
    assert_eq!(found(disk), expected, "seed {seed}");
}

#[test]
fn what_kafka_wrote_is_found_out_whatever_crashes() {
    let mut crashed = 0;
    for seed in 0..500 {
        let mut random = SmallRng::seed_from_u64(seed);
        let disk = Disk::new();
        let written = kafkas(&disk, &mut random);
        for round in 1..3 {
            let short = Simulated::new(seed * 10 + round, disk.clone(), Duration::from_secs(round));
            let ended = short.run(random.random_range(1..400), take(short.clone()));
            crashed += u32::from(ended.is_none());
            if random.random() { short.kill() } else { short.power_cut() }
        }
        run(&disk, seed).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        check(&disk, &written, seed);
        assert_eq!(run(&disk, seed).unwrap(), None, "seed {seed}: it is ours now");
        // Kafka runs on it once more.
        disk.remove(&Path::new(DIRECTORY).join(MARKER_FILE)).unwrap();
        assert_eq!(run(&disk, seed).unwrap(), None, "seed {seed}: it runs");
        mark(&disk);
        let is_future = |written: &&Written| written.path.to_string_lossy().ends_with("-future");
        let count = written.len() - written.iter().filter(is_future).count();
        assert_eq!(run(&disk, seed).unwrap(), Some(count), "seed {seed}");
        check(&disk, &written, seed);
    }
    assert!(crashed > 300, "crashes in the middle: {crashed}");
}

#[test]
fn indexes_and_snapshots_that_are_gone_or_damaged_are_made_anew() {
    for seed in 0..300 {
        let mut random = SmallRng::seed_from_u64(seed);
        let disk = Disk::new();
        let written = kafkas(&disk, &mut random);
        let mut before = Vec::new();
        for partition in &written {
            for name in disk.names(&partition.path) {
                let path = partition.path.join(&name);
                let content = disk.content(&path).unwrap();
                if name.ends_with("index") {
                    before.push((path.clone(), content.clone()));
                }
                let spoil = name.ends_with("index") || name.ends_with(".snapshot");
                match random.random_range(0..3) {
                    0 if spoil => disk.remove(&path).unwrap(),
                    1 if spoil && !content.is_empty() => {
                        disk.put(&path, &content[..content.len() - 1]).unwrap();
                    }
                    _ => {}
                }
            }
        }
        run(&disk, seed).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        check(&disk, &written, seed);
        for (path, content) in before {
            assert_eq!(disk.content(&path), Some(content), "seed {seed}: {}", path.display());
        }
    }
}

#[test]
fn a_log_that_is_cut_or_damaged_is_refused_and_left_as_it_is() {
    for seed in 0..100 {
        let mut random = SmallRng::seed_from_u64(seed);
        let disk = Disk::new();
        let written = kafkas(&disk, &mut random);
        let Some(partition) = written.iter().find(|w| w.expected.segments[0].length > 0) else {
            continue;
        };
        let path = partition.path.join(file_name(partition.expected.log_start, Kind::Log));
        let mut content = disk.content(&path).unwrap();
        if random.random() {
            content.truncate(content.len() - random.random_range(1..HEADER_BYTES));
        } else {
            content.extend([0; 100]);
        }
        disk.put(&path, &content).unwrap();
        let names = disk.names(Path::new(DIRECTORY));
        let error = run(&disk, seed).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(error.contains("Start Kafka on this directory once more"), "{error}");
        assert_eq!(disk.names(Path::new(DIRECTORY)), names, "seed {seed}");
    }
}

#[test]
fn what_is_not_kafkas_is_not_touched() {
    let disk = Disk::new();
    disk.make_directory(Path::new(DIRECTORY));
    assert_eq!(run(&disk, 1).unwrap(), None, "a new directory");
    mark(&disk);
    assert_eq!(run(&disk, 2).unwrap(), None, "nothing in it");
    let disk = Disk::new();
    kafkas(&disk, &mut SmallRng::seed_from_u64(1));
    disk.remove(&Path::new(DIRECTORY).join(MARKER_FILE)).unwrap();
    assert_eq!(run(&disk, 3).unwrap(), None, "without a clean stop");
    mark(&disk);
    disk.remove(&Path::new(DIRECTORY).join(METADATA).join(file_name(Offset(0), Kind::Log)))
        .unwrap();
    let names = disk.names(Path::new(DIRECTORY));
    let error = run(&disk, 4).unwrap_err().to_string();
    assert!(error.contains("there is no __cluster_metadata-0"), "{error}");
    assert_eq!(disk.names(Path::new(DIRECTORY)), names);
}

/// A move that Kafka has not ended: it goes on, or, where the metadata has the partition here by now, the directory gets its name.
#[test]
fn a_future_log_of_kafkas_is_one_of_ours() {
    let id = PartitionId { topic: TopicId(Uuid::from_u128(77)), partition: 1 };
    let future = "t-1.0123456789abcdef0123456789abcdef-future";
    for is_here in [false, true] {
        let disk = Disk::new();
        disk.make_directory(Path::new(DIRECTORY));
        let mut random = SmallRng::seed_from_u64(3);
        let written = write_partition_in(&disk, &mut random, id, future.to_owned());
        mark(&disk);
        let life = Simulated::new(1, disk.clone(), Duration::ZERO);
        let end = written.expected.end;
        life.run(STEPS, opened(life.clone(), id, is_here, end)).unwrap();
        let name = if is_here { "t-1" } else { future };
        assert!(disk.names(Path::new(DIRECTORY)).contains(&name.to_owned()));
    }
}

async fn opened(runtime: Simulated, id: PartitionId, is_here: bool, end: Offset) {
    let directory = Path::new(DIRECTORY);
    let whole = LogDir::whole(directory);
    assert_eq!(adopt(&runtime, whole, SHARDS, owner, false).await.unwrap(), Some(0));
    let options = StoreOptions {
        directory: directory.to_owned(),
        name: StoreName::Shard(owner(id)),
        shards: SHARDS,
        ..options(0, Durability::Sync)
    };
    let all = vec![(id, "t".to_owned(), Arc::new(LogConfig::default()))];
    let (placed, elsewhere) = if is_here { (all, Vec::new()) } else { (Vec::new(), all) };
    let other = StoreOptions { name: StoreName::Shard(1 - owner(id)), ..options.clone() };
    let opened = Store::open_among(runtime.clone(), options, placed, elsewhere).await;
    let (store, report) = opened.unwrap();
    // It is not the other shard's to judge.
    let (_other, _) = Store::open(runtime, other, Vec::new()).await.unwrap();
    let log = store.log(id).expect("it is there");
    assert_eq!((log.is_future(), log.end()), (!is_here, end));
    assert_eq!(report.elsewhere.contains(&id), !is_here);
}
