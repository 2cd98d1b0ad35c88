//! A store on a simulated machine, for tests that drive it by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::life::{DIRECTORY, options};
use crate::batch::{BatchBuilder, Checked};
use crate::commit_log::files::LogDir;
use crate::commit_log::{GroupSequence, LogId};
use crate::config::{Durability, LogConfig, StoreName};
use crate::log::{Appended, Log, Stamp};
use crate::manifest::{Manifest, Marker, PartitionState};
use crate::marker::MARKER_FILE;
use crate::runtime::simulated::{Disk, Simulated};
use crate::runtime::{Runtime, replace_file};
use crate::store::Store;
use crate::units::{Epoch, PartitionId, Timestamp, TopicId};

/// Far more than any of these tests takes.
const STEPS: u64 = 1_000_000;

/// A disk with an empty log directory.
pub(crate) fn disk() -> Disk {
    let disk = Disk::new();
    disk.make_directory(Path::new(DIRECTORY));
    disk
}

/// Runs a test in a process on this disk. It stands still afterwards, for the test to kill it.
pub(crate) fn run<F: Future<Output = ()> + 'static>(
    seed: u64,
    disk: &Disk,
    test: impl FnOnce(Simulated) -> F,
) -> Simulated {
    let runtime = Simulated::new(seed, disk.clone(), Duration::ZERO);
    runtime.run(STEPS, test(runtime.clone())).expect("the test ends");
    runtime
}

/// Writes the marker of a clean stop.
pub(crate) async fn marker(runtime: &Simulated, directory: &Path) -> Marker {
    let path = directory.join(MARKER_FILE);
    replace_file(runtime, &path, b"{}").await.unwrap();
    let stat = runtime.stat(&path).await.unwrap();
    Marker { inode: stat.inode, changed: stat.changed, content: b"{}".to_vec() }
}

/// Writes what a shard leaves when it stops: its manifest, and one file of its commit log.
pub(crate) async fn stopped_shard(
    runtime: &Simulated,
    directory: &Path,
    (shard, shards): (u16, u16),
    clean: Option<Marker>,
    partitions: Vec<PartitionState>,
) {
    let manifest = Manifest {
        id: LogId(u128::from(shard) + 1),
        first: GroupSequence(20),
        previous: 5,
        mark: GroupSequence(19),
        shards: u32::from(shards),
        clean,
        partitions,
    };
    let path = LogDir::whole(directory).manifest(StoreName::Shard(shard));
    manifest.write(runtime, &path).await.unwrap();
    let log = directory.join(format!("odradek-{shard}-0.commit"));
    replace_file(runtime, &log, &[0; 4096]).await.unwrap();
}

pub(crate) fn id(topic: u128) -> PartitionId {
    PartitionId { topic: TopicId(Uuid::from_u128(topic)), partition: 0 }
}

/// A store with one partition, of the topic `t`.
pub(crate) async fn open(runtime: &Simulated) -> (Store<Simulated>, Log<Simulated>) {
    let placed = vec![(id(1), "t".to_owned(), Arc::new(LogConfig::default()))];
    let opened = Store::open(runtime.clone(), options(0, Durability::Sync), placed).await;
    let (store, _) = opened.expect("it can be opened");
    store.serve();
    let log = store.log(id(1)).expect("it is placed here");
    (store, log)
}

/// Appends one record of this size, when there is room for it.
pub(crate) async fn append(
    store: &Store<Simulated>,
    log: &Log<Simulated>,
    bytes: usize,
) -> Appended {
    store.room().await;
    let batch = BatchBuilder::new()
        .record(Timestamp(log.core().runtime.now()), None, Some(&vec![7; bytes]))
        .build();
    let checked = Checked::own(&batch).expect("a batch of ours");
    log.append(&batch, &checked, Stamp { leader_epoch: Epoch(0), append_time: None })
        .expect("there is room")
}
