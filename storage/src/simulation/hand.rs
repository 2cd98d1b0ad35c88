//! A store on a simulated machine, for tests that drive it by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::life::{DIRECTORY, options};
use crate::batch::{BatchBuilder, Checked};
use crate::config::{Durability, LogConfig};
use crate::log::{Appended, Log, Stamp};
use crate::runtime::Runtime;
use crate::runtime::simulated::{Disk, Simulated};
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
