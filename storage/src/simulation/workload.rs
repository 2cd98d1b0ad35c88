//! What a life does: opens the store, compares it with the model, then works on it until it is stopped.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rand::Rng;
use uuid::Uuid;

use super::model::{Appended, Log as Expected, Model};
use crate::batch::scan::Batches;
use crate::batch::{BatchBuilder, Checked, HEADER_BYTES};
use crate::config::{LogConfig, StoreOptions};
use crate::error::{AppendError, OpenError, StorageError};
use crate::log::{Log, ReadPlan, Slice, Stamp};
use crate::manifest::Marker;
use crate::marker::MARKER_FILE;
use crate::producer::SequenceCheck;
use crate::recovery::{RecoveryReport, Row};
use crate::runtime::Runtime;
use crate::runtime::simulated::{Simulated, SimulatedFile};
use crate::store::Store;
use crate::units::{
    Epoch, Offset, PartitionId, ProducerEpoch, ProducerId, Sequence, Timestamp, TopicId,
};

type Shared = Rc<RefCell<Model>>;
type Rows = Rc<RefCell<[u64; Row::ALL.len()]>>;
type LogOf = Log<Simulated>;

fn config(random: &mut impl Rng) -> Arc<LogConfig> {
    Arc::new(LogConfig {
        segment_bytes: random.random_range(8..60) << 10,
        segment_ms: if random.random_ratio(1, 4) { 300 } else { i64::MAX / 2 },
        index_interval_bytes: 1 << random.random_range(8..13),
        retention_ms: if random.random_ratio(1, 4) { 400 } else { -1 },
        retention_bytes: if random.random_ratio(1, 3) { 64 << 10 } else { -1 },
        file_delete_delay_ms: random.random_range(0..30),
        flush_messages: if random.random_ratio(1, 6) {
            random.random_range(1..20)
        } else {
            i64::MAX
        },
        flush_ms: if random.random_ratio(1, 8) { 3 } else { i64::MAX },
        ..LogConfig::default()
    })
}

pub(super) fn first_topics(model: &mut Model, random: &mut impl Rng) {
    for number in 0..random.random_range(1..6) {
        new_topic(model, number, None, random);
    }
}

/// Names come back with other ids.
fn new_topic(
    model: &mut Model,
    number: u32,
    id: Option<PartitionId>,
    random: &mut impl Rng,
) -> PartitionId {
    let fresh = PartitionId { topic: TopicId(Uuid::from_u128(random.random())), partition: 0 };
    let id = id.unwrap_or(fresh);
    model.births += 1;
    let mut log = Expected::new(&format!("t{number}"), config(random), model.births);
    log.retains = log.config.retention_ms >= 0 || log.config.retention_bytes >= 0;
    model.tell(|| format!("topic {} {id:?}", log.topic));
    model.logs.insert(id, log);
    id
}

async fn open(
    runtime: &Simulated,
    options: StoreOptions,
    model: &Shared,
    rows: &Rows,
) -> Result<Store<Simulated>, OpenError> {
    let placed = {
        let model = model.borrow();
        model
            .logs
            .iter()
            .map(|(id, log)| (*id, log.topic.clone(), Arc::clone(&log.config)))
            .collect()
    };
    let (store, report) = Store::open(runtime.clone(), options, placed).await?;
    rows.borrow_mut().clone_from(&report.rows);
    model.borrow_mut().tell(|| format!("opened: {report}"));
    compare(runtime, &store, &report, model).await;
    store.begin_serving([]).await?;
    Ok(store)
}

/// Opens, compares, and leaves it at that.
pub(super) async fn open_only(
    runtime: Simulated,
    options: StoreOptions,
    model: Shared,
    rows: Rows,
) -> Result<Option<String>, OpenError> {
    let copy = Rc::new(RefCell::new(model.borrow().copy()));
    open(&runtime, options, &copy, &rows).await?;
    let failure = copy.borrow_mut().failure.take();
    Ok(failure)
}

/// Every promise was kept, and everything that is there is right.
async fn compare(
    runtime: &Simulated,
    store: &Store<Simulated>,
    report: &RecoveryReport,
    model: &Shared,
) {
    let ids: Vec<PartitionId> = model.borrow().logs.keys().copied().collect();
    // Retention is at work already: this is where the logs start before anything is awaited.
    let found: Vec<_> =
        ids.into_iter().map(|id| (id, store.log(id).map(|log| (log.log_start(), log)))).collect();
    for (id, found) in found {
        let Some((start, log)) = found else {
            model.borrow_mut().fail(format!("{id:?} is not there"));
            continue;
        };
        let end = log.end();
        {
            let mut model = model.borrow_mut();
            let Some(expected) = model.logs.get_mut(&id) else { continue };
            let (promised, appended, was) = (expected.written, expected.end, expected.start);
            let topic = expected.topic.clone();
            let at_boundary =
                end == Offset(0) || expected.batches.iter().any(|batch| batch.last.next() == end);
            let may_move = expected.retains && start >= expected.starts[0] && start <= end;
            let start_known = expected.starts.contains(&start) || may_move;
            expected.cut(end.min(appended));
            expected.start = log.log_start();
            expected.starts = vec![start, expected.start];
            if end < promised || end > appended || !at_boundary || !start_known {
                model.fail(format!(
                    "{topic}: ends at {end:?}, promised {promised:?}, appended {appended:?}; starts at {start:?}, was {was:?}"
                ));
            }
            if end < appended && report.is_clean() {
                model.fail(format!("{topic}: a clean stop lost {end:?}..{appended:?}"));
            }
        }
        read_all(runtime, &log, id, model).await;
    }
}

/// Reads a whole log and compares it.
async fn read_all(runtime: &Simulated, log: &LogOf, id: PartitionId, model: &Shared) {
    let mut at = log.log_start();
    while at < log.end() {
        match read_some(runtime, log, id, at, 20_000, model).await {
            Some(next) if next > at => at = next,
            _ => return,
        }
    }
}

/// Reads from an offset and compares; where to go on.
async fn read_some(
    runtime: &Simulated,
    log: &LogOf,
    id: PartitionId,
    from: Offset,
    max_bytes: usize,
    model: &Shared,
) -> Option<Offset> {
    let up_to = log.end();
    let plan = match log.read(from, up_to, max_bytes, true).await {
        Ok(plan) => plan,
        Err(error) => {
            // Retention or deletion may have moved under us.
            if from >= log.log_start()
                && log.core().log(id).is_some()
                && log.core().check_online().is_ok()
            {
                let names = runtime.disk().names(&log.state().directory);
                print_state(log, &model.borrow());
                model.borrow_mut().fail(format!(
                    "{id:?} cannot be read at {from:?}: {error}; there are {names:?}"
                ));
            }
            return None;
        }
    };
    let bytes = carry_out(runtime, plan).await;
    let mut next = from;
    let mut batches = Batches::new(bytes.clone());
    for (index, batch) in batches.by_ref().enumerate() {
        let Ok(batch) = batch else { break };
        let mut model = model.borrow_mut();
        let expected = model.logs.get(&id)?;
        let found = expected.from(next).first().filter(|found| {
            found.base == batch.base_offset()
                && found.last == batch.last_offset()
                && found.payload == batch.payload()
        });
        if found.is_none() {
            print_state(log, &model);
            model.fail(format!(
                "{id:?}: batch {index} after {from:?} is {:?}, not what was appended at {next:?}",
                batch.header()
            ));
            return None;
        }
        next = batch.last_offset().next();
    }
    if next == from && from < up_to && from >= log.log_start() && log.core().log(id).is_some() {
        model.borrow_mut().fail(format!(
            "{id:?}: nothing readable at {from:?} below {up_to:?} in {} bytes",
            bytes.len()
        ));
        return None;
    }
    Some(next)
}

/// For the story: what the log knows of itself.
fn print_state(log: &LogOf, model: &Model) {
    if model.story.is_none() {
        return;
    }
    let state = log.state();
    println!(
        "{:?} starts at {:?}, ends at {:?}, readable from {:?}",
        state.id,
        state.log_start,
        state.end,
        state.tail.first_offset()
    );
    for segment in &state.segments {
        println!(
            "{:?}..{:?}: {} {} {}",
            segment.base, segment.next, segment.filed, segment.assigned, segment.length
        );
    }
    for piece in state.tail.pieces() {
        println!(
            "{:?} {}..{} {:?} {:?}",
            piece.segment,
            piece.position,
            piece.end(),
            piece.entry,
            piece.batch
        );
    }
}

async fn carry_out(runtime: &Simulated, plan: ReadPlan<SimulatedFile>) -> Bytes {
    let mut bytes = BytesMut::new();
    for slice in plan.slices {
        match slice {
            Slice::Memory(part) => bytes.extend_from_slice(&part),
            Slice::File { file, position, length } => {
                let length = usize::try_from(length).expect("small");
                let part =
                    runtime.read_at(&file, position, length).await.expect("a simulated read");
                bytes.extend_from_slice(&part);
            }
        }
    }
    bytes.freeze()
}

/// A whole life: returns after a clean stop, or when it cannot open; else it is ended from outside.
pub(super) async fn live(
    runtime: Simulated,
    options: StoreOptions,
    model: Shared,
    rows: Rows,
) -> Result<(), OpenError> {
    let store = open(&runtime, options.clone(), &model, &rows).await?;
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
    let life = Life { runtime, model, store, options };
    while life.model.borrow().failure.is_none() {
        if life.step().await {
            return Ok(());
        }
    }
    Ok(())
}

struct Life {
    runtime: Simulated,
    model: Shared,
    store: Store<Simulated>,
    options: StoreOptions,
}

impl Life {
    fn draw(&self, below: u32) -> u32 {
        self.runtime.with_random(|random| random.random_range(0..below))
    }

    fn any(&self) -> Option<(PartitionId, LogOf)> {
        let ids: Vec<PartitionId> = self.model.borrow().logs.keys().copied().collect();
        let draw = self.draw(u32::try_from(ids.len().max(1)).expect("few"));
        let id = *ids.get(draw as usize)?;
        Some((id, self.store.log(id)?))
    }

    /// One operation. True after a clean stop.
    async fn step(&self) -> bool {
        match self.draw(1000) {
            0..620 => self.append().await,
            620..760 => self.pause().await,
            760..900 => self.read().await,
            900..930 => self.seek().await,
            930..950 => self.move_start(),
            950..960 => self.delete().await,
            960..972 => self.create().await,
            972..980 => self.fill_disk().await,
            980..988 => self.reconfigure(),
            _ => return self.draw(3) == 0 && self.stop().await,
        }
        false
    }

    async fn append(&self) {
        let Some((id, log)) = self.any() else { return };
        let size = match self.draw(20) {
            0..12 => self.draw(600),
            12..17 => self.draw(5_000),
            17..19 => 5_000 + self.draw(8_000),
            _ => 10_000 + self.draw(12_000),
        };
        let records = 1 + self.draw(3);
        let now = Timestamp(self.runtime.now() - i64::from(self.draw(5)));
        let mut builder = BatchBuilder::new();
        let idempotent = self.draw(3) == 0;
        if idempotent {
            let sequence = self.model.borrow().logs[&id].sequence;
            builder = builder.producer(ProducerId(7), ProducerEpoch(0), Sequence(sequence));
        }
        for _ in 0..records {
            let fill = u8::try_from(self.draw(256)).expect("a byte");
            let value = vec![fill; (size / records) as usize];
            builder = builder.record(now, None, Some(&value));
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
        let appended =
            match log.append(&batch, &checked, Stamp { leader_epoch: Epoch(3), append_time: None })
            {
                Ok(appended) => appended,
                Err(AppendError::NoRoom(why)) => {
                    self.model.borrow_mut().tell(|| format!("no room: {why}"));
                    return self.store.room().await;
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
        expected.push(Appended {
            base: appended.base_offset,
            last: appended.last_offset,
            payload: batch.bytes().slice(HEADER_BYTES..),
            timestamp: batch.max_timestamp(),
            producer: batch.producer_id().0,
        });
        let topic = expected.topic.clone();
        model.tell(|| format!("{topic}: {:?}, {} bytes", appended.base_offset, batch.size()));
    }

    async fn went_offline(&self, why: &str) {
        {
            let mut model = self.model.borrow_mut();
            model.tell(|| format!("offline: {why}"));
            model.offline = true;
            if !why.contains("os error 5") && !why.contains("a write or a sync failed") {
                model.fail(format!("offline: {why}"));
            }
        }
        self.runtime.sleep(Duration::from_secs(1000)).await;
    }

    async fn pause(&self) {
        let longer = if self.draw(10) == 0 { 60_000 } else { 3_000 };
        self.runtime.sleep(Duration::from_micros(u64::from(self.draw(longer)))).await;
    }

    async fn read(&self) {
        let Some((id, log)) = self.any() else { return };
        let (start, end) = (log.log_start(), log.end());
        let Ok(range) = u32::try_from(end.0 - start.0) else { return };
        if range > 0 {
            let from = start + i64::from(self.draw(range));
            let base = self
                .model
                .borrow()
                .logs
                .get(&id)
                .and_then(|log| log.from(from).first().map(|found| found.base));
            let from = base.unwrap_or(from).max(start);
            let bytes = 1 + self.draw(30_000) as usize;
            read_some(&self.runtime, &log, id, from, bytes, &self.model).await;
        }
    }

    async fn seek(&self) {
        let Some((id, log)) = self.any() else { return };
        let (start, end) = (log.log_start(), log.end());
        let target = Timestamp(self.runtime.now() - i64::from(self.draw(2_000)));
        let found = log.offset_for_timestamp(target, end).await;
        let mut model = self.model.borrow_mut();
        let Some(expected) = model.logs.get(&id).filter(|_| log.log_start() == start) else {
            return;
        };
        let all = expected.from(start).iter().filter(|batch| batch.last < end);
        let want = all
            .into_iter()
            .find(|batch| batch.timestamp >= target)
            .map(|batch| batch.base.max(start));
        match found {
            Ok(found) if found.map(|found| found.offset) == want => {}
            Err(_) if log.core().check_online().is_err() => {}
            other => model.fail(format!("{id:?}: {target:?} is at {want:?}, found {other:?}")),
        }
    }

    fn move_start(&self) {
        let Some((id, log)) = self.any() else { return };
        let (start, end) = (log.log_start(), log.durable());
        if end > start && self.draw(2) == 0 {
            let to = start + i64::from(self.draw(u32::try_from(end.0 - start.0).expect("small")));
            if log.advance_log_start(to).is_ok() {
                self.model.borrow_mut().tell(|| format!("{id:?} starts at {to:?}"));
            }
        } else {
            self.store.enforce_retention();
        }
        self.note_starts();
    }

    fn note_starts(&self) {
        let mut model = self.model.borrow_mut();
        for (id, expected) in &mut model.logs {
            if let Some(log) = self.store.log(*id) {
                expected.start = log.log_start();
                if !expected.starts.contains(&expected.start) {
                    expected.starts.push(expected.start);
                }
            }
        }
    }

    async fn delete(&self) {
        let Some((id, _)) = self.any() else { return };
        if self.model.borrow().logs.len() > 1 {
            self.model.borrow_mut().tell(|| format!("delete {id:?}"));
            let gone = self.model.borrow_mut().logs.remove(&id);
            match self.store.delete(id).await {
                Ok(()) => {}
                Err(StorageError::Offline(why)) => return self.went_offline(&why.0).await,
                Err(error) => return self.model.borrow_mut().fail(format!("delete: {error}")),
            }
            let Some(gone) = gone else { return };
            let number = gone.topic.trim_start_matches('t').parse().expect("a number");
            match self.draw(4) {
                0 => self.add(number, None).await,
                // As a replica that moved away and back.
                1 => self.add(number, Some(id)).await,
                _ => {}
            }
        }
    }

    async fn create(&self) {
        let taken: Vec<String> =
            self.model.borrow().logs.values().map(|log| log.topic.clone()).collect();
        let free = (0..8).find(|number| !taken.contains(&format!("t{number}")));
        if let Some(number) = free.filter(|_| taken.len() < 6) {
            self.add(number, None).await;
        }
    }

    async fn add(&self, number: u32, id: Option<PartitionId>) {
        let id = self
            .runtime
            .with_random(|random| new_topic(&mut self.model.borrow_mut(), number, id, random));
        let (topic, config) = {
            let model = self.model.borrow();
            (model.logs[&id].topic.clone(), Arc::clone(&model.logs[&id].config))
        };
        match self.store.create(id, &topic, config).await {
            Ok(_) => {}
            Err(StorageError::Offline(why)) => self.went_offline(&why.0).await,
            Err(error) => self.model.borrow_mut().fail(format!("create: {error}")),
        }
    }

    /// The disk is full for a while.
    async fn fill_disk(&self) {
        let disk = self.runtime.disk();
        let faults = disk.faults();
        disk.set_faults(crate::runtime::simulated::Faults { full: true, ..faults });
        self.model.borrow_mut().tell(|| "the disk is full".to_owned());
        for _ in 0..self.draw(20) {
            self.append().await;
        }
        disk.set_faults(faults);
    }

    fn reconfigure(&self) {
        let Some((id, _)) = self.any() else { return };
        let config = self.runtime.with_random(config);
        self.store.set_config(id, Arc::clone(&config));
        if let Some(log) = self.model.borrow_mut().logs.get_mut(&id) {
            log.retains |= config.retention_ms >= 0 || config.retention_bytes >= 0;
            log.config = config;
        }
    }

    /// A clean stop, after which everything must be in Kafka's files.
    async fn stop(&self) -> bool {
        self.model.borrow_mut().tell(|| "stop".to_owned());
        self.note_starts();
        let closed = match self.store.close().await {
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
        super::files::check(&self.runtime, &self.options, &self.store, &self.model);
        let path = self.options.directory.join(MARKER_FILE);
        let content = b"{\"version\":0,\"brokerEpoch\":-1}";
        if self.runtime.disk().put(Path::new(&path), content).is_err() {
            return true;
        }
        let Ok(stat) = self.runtime.stat(&path).await else { return true };
        let marker = Marker { inode: stat.inode, changed: stat.changed, content: content.to_vec() };
        if closed.seal(marker).await.is_err() {
            return false;
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
