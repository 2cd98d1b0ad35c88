//! The work of a life in a trial: batches are appended to some logs, some are read, and how much is durable is written down.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select;
use rand::Rng;
use uuid::Uuid;

use crate::batch::{BatchBuilder, Checked};
use crate::config::{LogConfig, StoreOptions};
use crate::error::{AppendError, OpenError, ReadError};
use crate::log::{Log, Stamp};
use crate::manifest::Marker;
use crate::marker::MARKER_FILE;
use crate::recovery::RecoveryReport;
use crate::runtime::Runtime;
use crate::runtime::simulated::Simulated;
use crate::store::{Placed, Store};
use crate::units::{Epoch, Offset, PartitionId, Timestamp, TopicId};

pub(super) const EPOCH: Epoch = Epoch(3);

/// One batch as a reader must get it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) base: Offset,
    pub(super) last: Offset,
    pub(super) bytes: Vec<u8>,
}

/// One log as it must be.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub(super) batches: Vec<Kept>,
    /// Below, everything is on stable storage, the store said.
    pub(super) durable: Offset,
}

impl Expected {
    /// The batch that holds `offset`.
    pub(super) fn at(&self, offset: Offset) -> Option<&Kept> {
        let at = self.batches.partition_point(|batch| batch.last < offset);
        self.batches.get(at).filter(|batch| batch.base <= offset)
    }
}

pub(super) type Logs = Rc<RefCell<BTreeMap<PartitionId, Expected>>>;

/// A store that is open, and what its logs must hold.
pub(super) struct Life {
    pub(super) runtime: Simulated,
    pub(super) store: Store<Simulated>,
    pub(super) logs: Logs,
    /// It said that it is offline.
    pub(super) offline: Cell<bool>,
    /// Reads that the disk answered with an error.
    pub(super) read_errors: Cell<u64>,
}

fn placed(options: &StoreOptions) -> Vec<Placed> {
    let config = LogConfig {
        segment_bytes: 24 << 10,
        index_interval_bytes: 512,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    };
    let config = Arc::new(config);
    let topic = |number: u128, name: &str| {
        let topic = TopicId(Uuid::from_u128(number));
        (PartitionId { topic, partition: 0 }, name.to_owned(), Arc::clone(&config))
    };
    match options.name {
        crate::config::StoreName::Controller => vec![topic(1, "__cluster_metadata")],
        crate::config::StoreName::Shard(_) => vec![topic(1, "a"), topic(2, "b"), topic(3, "c")],
    }
}

pub(super) async fn open(
    runtime: &Simulated,
    options: StoreOptions,
    logs: &Logs,
) -> Result<(Life, RecoveryReport), OpenError> {
    let placed = placed(&options);
    for (id, ..) in &placed {
        logs.borrow_mut().entry(*id).or_default();
    }
    let (store, report) = Store::open(runtime.clone(), options, placed).await?;
    let watched = Rc::clone(logs);
    store.on_advance(Rc::new(move |advances| {
        let mut logs = watched.borrow_mut();
        for advance in advances {
            let expected = logs.entry(advance.id).or_default();
            expected.durable = expected.durable.max(advance.durable);
        }
    }));
    store.begin_serving([]).await?;
    store.serve();
    let (runtime, logs) = (runtime.clone(), Rc::clone(logs));
    let life =
        Life { runtime, store, logs, offline: Cell::default(), read_errors: Cell::default() };
    Ok((life, report))
}

impl Life {
    pub(super) fn draw(&self, below: u32) -> u32 {
        self.runtime.with_random(|random| random.random_range(0..below))
    }

    pub(super) async fn pause(&self, milliseconds: u64) {
        self.runtime.sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Appends so many batches, unless the store goes offline.
    pub(super) async fn feed(&self, batches: u32) {
        for _ in 0..batches {
            if self.offline.get() || self.store.offline().is_some() {
                return self.offline.set(true);
            }
            let ids: Vec<PartitionId> = self.logs.borrow().keys().copied().collect();
            let id = ids[self.draw(u32::try_from(ids.len()).expect("few")) as usize];
            let log = self.store.log(id).expect("it is placed here");
            {
                let room = std::pin::pin!(self.store.room());
                let patience = std::pin::pin!(self.runtime.sleep(Duration::from_millis(50)));
                select(room, patience).await;
            }
            self.append(id, &log);
            match self.draw(8) {
                0..4 => {}
                4..7 => self.pause(u64::from(self.draw(4))).await,
                _ => self.read_any(&log).await,
            }
        }
    }

    fn append(&self, id: PartitionId, log: &Log<Simulated>) {
        let size = match self.draw(10) {
            0..6 => self.draw(600),
            6..9 => self.draw(4_000),
            _ => 4_000 + self.draw(9_000),
        };
        let mut builder = BatchBuilder::new();
        for _ in 0..=self.draw(3) {
            let value = self.runtime.with_random(|random| {
                let mut value = vec![0; size as usize / 2 + 1];
                random.fill(&mut value[..]);
                value
            });
            builder = builder.record(Timestamp(self.runtime.now()), None, Some(&value));
        }
        let batch = builder.build();
        let checked = Checked::own(&batch).expect("a batch of ours");
        let appended =
            match log.append(&batch, &checked, Stamp { leader_epoch: EPOCH, append_time: None }) {
                Ok(appended) => appended,
                Err(AppendError::NoRoom(_)) => return,
                Err(AppendError::Offline(_)) => return self.offline.set(true),
                Err(error) => panic!("append: {error}"),
            };
        let (base, last) = (appended.base_offset, appended.last_offset);
        let mut bytes = batch.bytes().to_vec();
        bytes[..8].copy_from_slice(&base.0.to_be_bytes());
        bytes[12..16].copy_from_slice(&EPOCH.0.to_be_bytes());
        self.logs.borrow_mut().entry(id).or_default().batches.push(Kept { base, last, bytes });
    }

    /// Reads somewhere: what comes is not looked at here, but errors of the disk are counted.
    async fn read_any(&self, log: &Log<Simulated>) {
        let end = u32::try_from(log.end().0).expect("few");
        let from = Offset(i64::from(self.draw(end.max(1))));
        if let Err(ReadError::Io(..)) = log.read(from, log.end(), 8 << 10, true).await {
            self.read_errors.set(self.read_errors.get() + 1);
        }
    }

    /// A clean stop; false if it does not come to one.
    pub(super) async fn stop(&self, options: &StoreOptions) -> bool {
        let Ok(closed) = self.store.close().await else { return false };
        let path = options.directory.join(MARKER_FILE);
        let content = b"{\"version\":0,\"brokerEpoch\":-1}";
        self.runtime.disk().put(&path, content).expect("there is a directory");
        let Ok(stat) = self.runtime.stat(&path).await else { return false };
        let marker = Marker { inode: stat.inode, changed: stat.changed, content: content.to_vec() };
        closed.seal(marker).await.is_ok()
    }
}
