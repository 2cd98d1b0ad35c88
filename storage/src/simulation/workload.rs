//! What a life does: opens the store, then works on it until it is stopped.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use rand::Rng;

use super::compacted::Keyed;
use super::model::{Appended, Model};
use super::opening::{open, owner};
use super::scope::Part;
use crate::batch::{Batch, BatchBuilder, Checked, Codec, HEADER_BYTES};
use crate::config::StoreOptions;
use crate::error::{AppendError, OpenError, StorageError};
use crate::log::{Log, Stamp};
use crate::manifest::Marker;
use crate::marker::MARKER_FILE;
use crate::producer::SequenceCheck;
use crate::recovery::Row;
use crate::runtime::Runtime;
use crate::runtime::simulated::Simulated;
use crate::store::Store;
use crate::units::{Epoch, PartitionId, ProducerEpoch, ProducerId, Sequence, Timestamp};

pub(super) type Shared = Rc<RefCell<Model>>;
pub(super) type Rows = Rc<RefCell<[u64; Row::ALL.len()]>>;
pub(super) type LogOf = Log<Simulated>;

/// A whole life: returns after a clean stop, or when it cannot open; else it is ended from outside.
pub(super) async fn live(
    runtime: Simulated,
    options: StoreOptions,
    model: Shared,
    rows: Rows,
) -> Result<(), OpenError> {
    let stores = open(&runtime, &options, &model, &rows).await?;
    for store in &stores {
        let watched = Rc::clone(&model);
        store.on_advance(Rc::new(move |advances| {
            let mut model = watched.borrow_mut();
            for advance in advances {
                if let Some(log) = model.logs.get_mut(&advance.id) {
                    log.durable = log.durable.max(advance.durable);
                    log.written = log.written.max(advance.written);
                }
            }
        }));
    }
    let life = Life { runtime, model, stores, options, is_closing: Cell::new(false) };
    let lie = life.model.borrow_mut().lie.take();
    life.runtime.disk().inject(lie);
    while life.model.borrow().failure.is_none() {
        if life.step().await {
            return Ok(());
        }
    }
    Ok(())
}

pub(super) struct Life {
    pub(super) runtime: Simulated,
    pub(super) model: Shared,
    /// One for each shard.
    pub(super) stores: Vec<Store<Simulated>>,
    options: StoreOptions,
    is_closing: Cell<bool>,
}

impl Life {
    pub(super) fn draw(&self, below: u32) -> u32 {
        self.runtime.with_random(|random| random.random_range(0..below))
    }

    pub(super) fn any(&self) -> Option<(PartitionId, LogOf)> {
        let ids: Vec<PartitionId> = self.model.borrow().logs.keys().copied().collect();
        let draw = self.draw(u32::try_from(ids.len().max(1)).expect("few"));
        let id = *ids.get(draw as usize)?;
        Some((id, self.store_of(id).log(id)?))
    }

    pub(super) fn store_of(&self, id: PartitionId) -> &Store<Simulated> {
        let shards = u16::try_from(self.stores.len()).expect("few");
        &self.stores[usize::from(owner(id, shards))]
    }

    /// Another call of the store's.
    pub(super) fn count(&self) {
        self.model.borrow_mut().calls += 1;
    }

    /// One operation. True after a clean stop.
    async fn step(&self) -> bool {
        if self.runtime.disk().injected() > 0 {
            // Who reads now may read what nobody has looked at yet.
            match self.draw(3) {
                0 => self.pause().await,
                _ => self.append().await,
            }
            return false;
        }
        self.model.borrow_mut().cleaned = (0, 0);
        for store in &self.stores {
            let stats = store.stats();
            let mut model = self.model.borrow_mut();
            model.cleaned.0 += stats.cleanings;
            model.cleaned.1 += stats.removed_records;
            if stats.uncleanable > 0 || stats.damage_found > 0 || stats.indexes_rebuilt > 0 {
                let logs: Vec<LogOf> = store.logs();
                let marks = logs.iter().map(|log| (log.id().topic, log.damage()));
                let marks: Vec<_> = marks.filter(|(_, marks)| !marks.is_empty()).collect();
                model.fail(format!("taken for damaged: {marks:?}, {stats:?}"));
            }
        }
        if self.model.borrow().stopping {
            return self.stop().await;
        }
        let (draw, scope) = (self.draw(1000), self.model.borrow().scope.clone());
        match draw {
            0..608 => self.append().await,
            608..620 if scope.has(Part::Truncation) => self.truncate().await,
            620..760 if scope.has(Part::Pauses) => self.pause().await,
            760..900 if scope.has(Part::Reads) => self.read().await,
            900..930 if scope.has(Part::Reads) => self.seek().await,
            930..950 if scope.has(Part::LogStarts) => self.move_start(),
            950..960 if scope.has(Part::Deletion) => self.delete().await,
            960..972 if scope.has(Part::Creation) => self.create().await,
            972..980 if scope.has(Part::FullDisk) => return self.fill_disk().await,
            980..988 if scope.has(Part::Reconfiguration) => self.reconfigure(),
            988.. if scope.has(Part::Stops) => return self.draw(3) == 0 && self.stop().await,
            // Time goes on.
            _ => self.runtime.sleep(Duration::from_micros(50)).await,
        }
        false
    }

    async fn append(&self) {
        let Some((id, log)) = self.any() else { return };
        self.count();
        let size = match self.draw(20) {
            0..12 => self.draw(600),
            12..17 => self.draw(5_000),
            17..19 => 5_000 + self.draw(8_000),
            _ => 10_000 + self.draw(12_000),
        };
        let scope = self.model.borrow().scope.clone();
        let size = if scope.has(Part::Large) { size } else { size % 600 };
        let records = 1 + self.draw(3);
        let now = Timestamp(self.runtime.now() - i64::from(self.draw(5)));
        let mut builder = BatchBuilder::new();
        let idempotent = self.draw(3) == 0 && scope.has(Part::Idempotence);
        if idempotent {
            let sequence = self.model.borrow().logs[&id].sequence;
            builder = builder.producer(ProducerId(7), ProducerEpoch(0), Sequence(sequence));
        }
        if self.draw(4) == 0 && scope.has(Part::Codecs) {
            builder = builder.codec(Codec::ALL[self.draw(5) as usize]);
        }
        for _ in 0..records {
            // Of most keys there are several records, of some many.
            let key = [b"k"[0], u8::try_from(self.draw(1 << self.draw(6))).expect("a byte")];
            let fill = u8::try_from(self.draw(256)).expect("a byte");
            let value = vec![fill; (size / records) as usize];
            let value = Some(&value[..]).filter(|_| self.draw(6) > 0);
            builder = builder.record(now, Some(&key), value);
        }
        let batch = builder.build();
        if idempotent && !matches!(log.check_sequence(batch.info()), Ok(SequenceCheck::Append)) {
            let found = log.check_sequence(batch.info());
            self.model.borrow_mut().fail(format!(
                "{id:?}: sequence {:?} of its producer: {found:?}",
                batch.base_sequence()
            ));
            return;
        }
        let checked = Checked::own(&batch).expect("a batch of ours");
        let leader_epoch = self.model.borrow().logs[&id].epoch;
        let appended = match log.append(&batch, &checked, Stamp { leader_epoch, append_time: None })
        {
            Ok(appended) => appended,
            Err(AppendError::NoRoom(why)) => {
                self.model.borrow_mut().tell(|| format!("no room: {why}"));
                return self.store_of(id).room().await;
            }
            Err(AppendError::Offline(why)) => return self.went_offline(&why.0).await,
            Err(error) => return self.model.borrow_mut().fail(format!("append: {error}")),
        };
        self.note(id, &batch, &appended, idempotent, records);
        let (model, ticket, last) = (Rc::clone(&self.model), appended.ticket, appended.last_offset);
        let is_sync = ticket.durable;
        let birth = self.model.borrow().logs.get(&id).map(|log| log.birth);
        self.runtime.spawn(async move {
            let acknowledged = ticket.await.is_ok();
            let mut model = model.borrow_mut();
            if let Some(log) = model.logs.get_mut(&id).filter(|_| acknowledged)
                && Some(log.birth) == birth
            {
                log.written = log.written.max(last.next());
                if is_sync {
                    log.durable = log.durable.max(last.next());
                }
            }
        });
    }

    fn note(
        &self,
        id: PartitionId,
        batch: &crate::batch::Batch,
        appended: &crate::log::Appended,
        idempotent: bool,
        records: u32,
    ) {
        let mut model = self.model.borrow_mut();
        let Some(expected) = model.logs.get_mut(&id) else { return };
        if idempotent {
            expected.sequence += i32::try_from(records).expect("few");
        }
        let epoch = expected.epoch;
        expected.push(self::appended(batch, appended, self.runtime.now(), epoch));
        let topic = expected.topic.clone();
        model.tell(|| format!("{topic}: {:?}, {} bytes", appended.base_offset, batch.size()));
    }

    pub(super) async fn went_offline(&self, why: &str) {
        {
            let mut model = self.model.borrow_mut();
            model.tell(|| format!("offline: {why}"));
            model.offline = true;
            // A stop does not wait until a full disk has room again.
            let is_full = why.contains("os error 28") || why.contains("full disk");
            let is_full = is_full && model.was_full && self.is_closing.get();
            let words = ["os error 5", "a sync failed", "a write or a sync failed"];
            if !words.iter().any(|word| why.contains(word)) && !is_full {
                model.fail(format!("offline: {why}"));
            }
        }
        // Of several stores, others may still be closing.
        loop {
            self.runtime.sleep(Duration::from_secs(1000)).await;
        }
    }

    async fn pause(&self) {
        let longer = if self.draw(10) == 0 { 60_000 } else { 3_000 };
        self.runtime.sleep(Duration::from_micros(u64::from(self.draw(longer)))).await;
    }

    /// The disk is full for a while. True after a clean stop, which may come then, too.
    async fn fill_disk(&self) -> bool {
        let disk = self.runtime.disk();
        let faults = disk.faults();
        // Wholly, or with room for something, but hardly for a log file.
        let full = self.draw(2) == 0;
        disk.set_faults(crate::runtime::simulated::Faults { full, ..faults });
        disk.set_room((!full).then(|| u64::from(self.draw(80 << 10))));
        self.model.borrow_mut().tell(|| format!("the disk is full: {full}"));
        self.model.borrow_mut().was_full = true;
        for _ in 0..self.draw(if full { 20 } else { 100 }) {
            self.append().await;
        }
        let when = self.draw(6);
        let stopped = when == 0 && self.stop().await;
        disk.set_faults(faults);
        disk.set_room(None);
        // Or just when it has room again, with answers under way that say the opposite.
        stopped || (when < 3 && self.stop().await)
    }

    /// A clean stop, after which everything must be in Kafka's files.
    async fn stop(&self) -> bool {
        self.model.borrow_mut().tell(|| "stop".to_owned());
        self.count();
        self.is_closing.set(true);
        self.note_starts();
        let closes = self.stores.iter().map(Store::close);
        let closed = futures::future::join_all(closes).await;
        let closed = match closed.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(closed) => closed,
            Err(StorageError::Offline(why)) => {
                self.went_offline(&why.0).await;
                return false;
            }
            Err(error) => {
                self.model.borrow_mut().fail(format!("close: {error}"));
                return true;
            }
        };
        self.note_starts();
        super::files::check(&self.runtime, &self.options, &self.stores, &self.model);
        let path = self.options.directory.join(MARKER_FILE);
        let content = b"{\"version\":0,\"brokerEpoch\":-1}";
        let put = self.runtime.disk().put(Path::new(&path), content);
        let stat = match (put, self.runtime.stat(&path).await) {
            (Ok(()), Ok(stat)) => stat,
            other => {
                self.model.borrow_mut().fail(format!("the marker: {other:?}"));
                return true;
            }
        };
        let marker = Marker { inode: stat.inode, changed: stat.changed, content: content.to_vec() };
        for closed in closed {
            if let Err(error) = closed.seal(marker.clone()).await {
                self.went_offline(&error.to_string()).await;
            }
        }
        let mut model = self.model.borrow_mut();
        model.clean = true;
        for log in model.logs.values_mut() {
            log.written = log.end;
            log.durable = log.end;
        }
        true
    }
}

/// A batch for the model, as it was appended.
pub(super) fn appended(
    batch: &Batch,
    appended: &crate::log::Appended,
    now: i64,
    epoch: Epoch,
) -> Appended {
    Appended {
        base: appended.base_offset,
        last: appended.last_offset,
        payload: batch.bytes().slice(HEADER_BYTES..),
        records: keyed(batch),
        appended_at: now,
        timestamp: batch.max_timestamp(),
        producer: batch.producer_id().0,
        epoch,
    }
}

/// The records of a batch, all of which have keys.
fn keyed(batch: &Batch) -> Vec<Keyed> {
    let mut records = batch.records();
    let mut found = Vec::new();
    while let Some(record) = records.next_record().expect("a batch of ours") {
        found.push(Keyed {
            key: Bytes::copy_from_slice(record.key.expect("all have keys")),
            value: record.value.map(Bytes::copy_from_slice),
            timestamp: record.timestamp,
        });
    }
    found
}
