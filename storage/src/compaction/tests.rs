//! The cleaning of records against a straightforward model, over random logs by seed: all codecs, tombstones, transactions and their
//! markers, emptied batches, small maps, several rounds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::filter::{Filter, LastBatches, Left, Pace};
use super::offset_map::OffsetMap;
use super::transactions::{Survey, Transactions};
use super::{FilterError, note};
use crate::batch::{
    Attributes, Batch, BatchBuilder, Codec, EndTransaction, Record, TimestampType, copy_stamped,
};
use crate::config::{Durability, LogConfig, StoreOptions};
use crate::log::{Log, Slice, Stamp};
use crate::producer::ProducerStates;
use crate::runtime::Runtime;
use crate::runtime::simulated::{Simulated, SimulatedFile};
use crate::segment::files::{Kind, file_name};
use crate::simulation::hand::{disk, id, run};
use crate::simulation::life::options;
use crate::store::Store;
use crate::units::{Epoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

struct Unhurried;

impl Pace for Unhurried {
    type Stop = ();
    async fn spent(&self, _: usize) -> Result<(), ()> {
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: usize,
}

fn entry(record: &Record<'_>) -> Entry {
    Entry {
        offset: record.offset.0,
        timestamp: record.timestamp.0,
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        headers: record.headers.len(),
    }
}

/// A batch as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    offsets: (i64, i64),
    producer: (i64, i16, i32),
    codec: Option<Codec>,
    flags: (bool, bool, TimestampType),
    max_timestamp: i64,
    horizon: Option<i64>,
    entries: Vec<Entry>,
}

fn seen(batch: &Batch) -> Seen {
    let header = batch.header();
    let mut entries = Vec::new();
    let mut records = batch.records();
    while let Some(record) = records.next_record().unwrap() {
        entries.push(entry(&record));
    }
    Seen {
        offsets: (header.base_offset.0, header.last_offset().0),
        producer: (header.producer_id.0, header.producer_epoch.0, header.base_sequence.0),
        codec: header.codec(),
        flags: (header.is_transactional(), header.is_control(), header.timestamp_type()),
        max_timestamp: header.max_timestamp.0,
        horizon: header.delete_horizon().map(|horizon| horizon.0),
        entries,
    }
}

/// A log, and what its writer knows of it.
#[derive(Default)]
struct Written {
    batches: Vec<Batch>,
    end: i64,
    producers: ProducerStates,
    /// The open transaction of each producer.
    open: BTreeMap<i64, u32>,
    sequences: BTreeMap<i64, i32>,
    /// The transaction of each batch, by its base offset, and which of them were aborted.
    of: BTreeMap<i64, u32>,
    aborted: BTreeSet<u32>,
    count: u32,
}

impl Written {
    fn push(&mut self, batch: Batch) {
        let mut bytes = vec![0; batch.size()];
        let checked = crate::batch::Checked::own(&batch).unwrap();
        copy_stamped(&batch, &mut bytes, Offset(self.end), Epoch(4), &checked, None);
        let batch = Batch::parse(bytes.into()).unwrap();
        self.producers.apply(&batch.info());
        self.end = batch.last_offset().0 + 1;
        self.batches.push(batch);
    }

    fn data(&mut self, random: &mut SmallRng, now: i64) {
        let producer = [-1, -1, 1, 2, 11, 12][random.random_range(0..6)];
        let mut builder = BatchBuilder::new().codec(Codec::ALL[random.random_range(0..5)]);
        let count = random.random_range(1..5);
        if producer > 0 {
            let sequence = self.sequences.entry(producer).or_default();
            let id = ProducerId(producer);
            builder = builder.producer(id, ProducerEpoch(3), Sequence(*sequence));
            *sequence += count;
        }
        if producer > 10 {
            builder = builder.transactional();
            let count = &mut self.count;
            let transaction = *self.open.entry(producer).or_insert_with(|| {
                *count += 1;
                *count
            });
            self.of.insert(self.end, transaction);
        }
        if random.random_ratio(1, 5) {
            builder = builder.log_append_time(Timestamp(now));
        }
        for _ in 0..count {
            let key = [random.random_range(0..8u8)];
            let key = Some(&key[..]).filter(|_| random.random_ratio(19, 20));
            let value = vec![random.random(); random.random_range(0..200)];
            let value = Some(&value[..]).filter(|_| random.random_ratio(3, 4));
            let headers: &[(&[u8], Option<&[u8]>)] = &[(b"a", Some(b"b")), (b"a", None)];
            let timestamp = Timestamp(now - random.random_range(0..5));
            let headers = &headers[..random.random_range(0..3)];
            builder.push(crate::batch::NewRecord { timestamp, key, value, headers });
        }
        self.push(builder.build());
    }

    fn end_transaction(&mut self, producer: i64, committed: bool, now: i64) {
        if let Some(transaction) = self.open.remove(&producer) {
            self.of.insert(self.end, transaction);
            if !committed {
                self.aborted.insert(transaction);
            }
        }
        let marker = EndTransaction { committed, coordinator_epoch: 1 };
        let builder =
            BatchBuilder::new().producer(ProducerId(producer), ProducerEpoch(3), Sequence::NONE);
        self.push(builder.end_transaction(Timestamp(now), marker).build());
    }

    fn some(&mut self, random: &mut SmallRng, now: i64) {
        for _ in 0..random.random_range(1..25) {
            match random.random_range(0..5) {
                0 => {
                    let producer = random.random_range(11..13);
                    self.end_transaction(producer, random.random_ratio(1, 2), now);
                }
                _ => self.data(random, now),
            }
        }
    }
}

/// What a round must leave of the batches, by the rules and nothing else.
fn expected(
    log: &Written,
    batches: &[Batch],
    (from, end): (i64, i64),
    (now, retention): (i64, i64),
) -> Vec<Seen> {
    let transaction = |batch: &Seen| log.of.get(&batch.offsets.0);
    let is_aborted = |batch: &Seen| transaction(batch).is_some_and(|id| log.aborted.contains(id));
    let all: Vec<Seen> = batches.iter().map(seen).collect();
    let mut latest = BTreeMap::new();
    for batch in all.iter().filter(|batch| !batch.flags.1 && !is_aborted(batch)) {
        for entry in batch.entries.iter().filter(|e| (from..end).contains(&e.offset)) {
            latest.insert(entry.key.clone(), entry.offset);
        }
    }
    let mut left = Vec::new();
    for batch in &all {
        let has_data = all.iter().any(|other| {
            !other.flags.1
                && transaction(batch).is_some()
                && transaction(other) == transaction(batch)
        });
        let is_marker = batch.flags.1;
        let is_over = batch.horizon.is_some_and(|horizon| horizon <= now);
        let stays = |entry: &Entry| match () {
            () if is_marker => has_data || !is_over,
            () if is_aborted(batch) => false,
            () if entry.offset >= end => true,
            () => {
                entry.key.is_some()
                    && latest.get(&entry.key).is_none_or(|latest| entry.offset >= *latest)
                    && (entry.value.is_some() || !is_over)
            }
        };
        let mut now_is = batch.clone();
        now_is.entries.retain(stays);
        if now_is.entries.is_empty() {
            let producer = log.producers.get(ProducerId(batch.producer.0));
            let is_last = producer.is_some_and(|entry| match entry.last() {
                Some(last) => last.last_offset.0 == batch.offsets.1,
                None => is_marker && entry.epoch.0 == batch.producer.1,
            });
            if is_last || batch.offsets.1 + 1 == end {
                (now_is.codec, now_is.horizon) = (Some(Codec::None), None);
                left.push(now_is);
            }
            continue;
        }
        let tombstones = now_is.entries.iter().any(|entry| entry.value.is_none());
        if batch.horizon.is_none() && (tombstones || (is_marker && !has_data)) {
            now_is.horizon = Some(now + retention);
        }
        if batch.flags.2 == TimestampType::CreateTime && now_is != *batch {
            now_is.max_timestamp =
                now_is.entries.iter().map(|entry| entry.timestamp).max().unwrap();
        }
        left.push(now_is);
    }
    left
}

/// Steps 2 to 4 of a round, on batches in memory. Returns what is left, and up to where it was cleaned.
fn clean(
    log: &Written,
    batches: &[Batch],
    (from, to): (i64, i64),
    map_keys: usize,
    (now, retention): (i64, i64),
) -> (Vec<Batch>, i64) {
    let is_dirty = |batch: &&Batch| batch.last_offset().0 >= from;
    let (mut met, transactions) = if batches.iter().filter(is_dirty).any(Batch::is_transactional) {
        let mut survey = Survey::default();
        // Further than what is cleaned: the end of a transaction may lie behind the beginning of one that is open.
        log.batches.iter().for_each(|batch| survey.batch(batch));
        (survey.transactions(Offset(from)), survey.transactions(Offset(0)))
    } else {
        (Transactions::default(), Transactions::default())
    };
    let mut map = OffsetMap::new(24 * (map_keys + 1), 0.95, 1000, Offset(from));
    let mut is_full = false;
    for batch in batches.iter().filter(is_dirty) {
        let is_aborted = met.can_discard(batch);
        let has_keys = !batch.is_control() && !is_aborted;
        if has_keys && !block_on(note(&mut map, batch, Offset(from), &Unhurried)).unwrap() {
            is_full = true;
            break;
        }
    }
    if !is_full {
        map.looked_at(Offset(to));
    }
    let last = LastBatches::of(&log.producers);
    let mut filter = Filter {
        map: &map,
        transactions,
        last: &last,
        now: Timestamp(now),
        delete_retention_ms: retention,
        removed: 0,
    };
    let mut left = Vec::new();
    for batch in batches {
        match block_on(filter.clean(batch, &Unhurried)).unwrap() {
            Left::Whole => left.push(batch.clone()),
            Left::Instead(batch) => left.push(Batch::parse(batch.bytes().clone()).unwrap()),
            Left::Nothing => {}
        }
    }
    let records =
        |batches: &[Batch]| batches.iter().map(|b| u64::try_from(b.count()).unwrap()).sum::<u64>();
    assert_eq!(filter.removed, records(batches) - records(&left));
    (left, map.end().0)
}

#[test]
fn random_logs_are_cleaned_as_the_model_says() {
    let mut horizons = 0;
    for seed in 0..600 {
        let random = &mut SmallRng::seed_from_u64(seed);
        let mut log = Written::default();
        let (mut now, mut from) = (1_000_000, 0);
        for round in 0..6 {
            log.some(random, now);
            // Nothing is cleaned from an open transaction on.
            let mut survey = Survey::default();
            log.batches.iter().for_each(|batch| survey.batch(batch));
            let undecided = survey.first_undecided().map_or(log.end, |offset| offset.0);
            let cut = log.batches.partition_point(|batch| batch.base_offset().0 < undecided);
            if undecided <= from {
                continue;
            }
            let keys = if random.random_ratio(1, 3) { random.random_range(1..6) } else { 100 };
            let times = (now, random.random_range(0..30));
            let batches = &log.batches[..cut];
            let (left, end) = clean(&log, batches, (from, undecided), keys, times);
            assert!(end > from && end <= undecided, "seed {seed}, round {round}");
            let wanted = expected(&log, batches, (from, end), times);
            let found: Vec<Seen> = left.iter().map(seen).collect();
            for (found, wanted) in found.iter().zip(&wanted) {
                assert_eq!(found, wanted, "seed {seed}, round {round}, {from}..{end}");
            }
            assert_eq!(found.len(), wanted.len(), "seed {seed}, round {round}");
            horizons += found.iter().filter(|batch| batch.horizon.is_some()).count();
            log.batches.splice(..cut, left);
            from = end;
            now += random.random_range(0..40);
        }
    }
    assert!(horizons > 1000, "only {horizons} batches with a horizon");
}

/// The bytes that Kafka's cleaner leaves (see `FORMATS` in the crate's golden tests for the layout): an emptied batch, and a horizon.
#[test]
fn rewritten_headers() {
    let batch = BatchBuilder::new()
        .codec(Codec::Zstd)
        .producer(ProducerId(9), ProducerEpoch(1), Sequence(5))
        .record(Timestamp(1000), Some(b"k"), Some(b"v"))
        .record(Timestamp(1003), Some(b"t"), None)
        .build();
    let empty = crate::batch::emptied(batch.header());
    assert_eq!((empty.size(), empty.count(), empty.codec()), (61, 0, Some(Codec::None)));
    assert_eq!((empty.last_offset(), empty.base_sequence()), (Offset(1), Sequence(5)));
    assert_eq!(
        (empty.header().base_timestamp, empty.max_timestamp()),
        (Timestamp(-1), Timestamp(1003))
    );

    let mut retained =
        crate::batch::Retained::new(batch.header(), Timestamp(1003), Some(Timestamp(90_000)));
    let mut records = batch.records();
    records.next_record().unwrap();
    retained.push(&records.next_record().unwrap().unwrap());
    let left = retained.finish();
    assert!(left.header().attributes.has(Attributes::DELETE_HORIZON));
    assert_eq!(left.header().base_timestamp, Timestamp(90_000));
    assert_eq!(
        (left.count(), left.last_offset(), left.max_timestamp()),
        (1, Offset(1), Timestamp(1003))
    );
    let [entry] = &seen(&left).entries[..] else { panic!("one record") };
    assert_eq!((entry.offset, entry.timestamp, &entry.value), (1, 1003, &None));
}

#[test]
fn damage_is_an_error() {
    let batch = BatchBuilder::new().record(Timestamp(1), Some(b"k"), Some(b"v")).build();
    let mut bytes = batch.bytes().to_vec();
    bytes[crate::batch::at::COUNT..][..4].copy_from_slice(&2i32.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[crate::batch::at::ATTRIBUTES..]);
    bytes[crate::batch::at::CRC..][..4].copy_from_slice(&crc.to_be_bytes());
    let batch = Batch::parse(bytes.into()).unwrap();
    let mut map = OffsetMap::new(1000, 0.9, 10, Offset(0));
    let noted = block_on(note(&mut map, &batch, Offset(0), &Unhurried));
    assert!(matches!(noted, Err(FilterError::Damaged(_))), "{noted:?}");
}

/// A store on a simulated machine whose log holds ten keys, many times, in several final segments.
async fn filled(runtime: &Simulated) -> (Store<Simulated>, Log<Simulated>) {
    let config = LogConfig { segment_bytes: 8 << 10, ..LogConfig::default() };
    let placed = vec![(id(1), "t".to_owned(), Arc::new(config))];
    let options = StoreOptions { removal_bytes: 1 << 10, ..options(0, Durability::Sync) };
    let (store, _) = Store::open(runtime.clone(), options, placed).await.unwrap();
    store.serve();
    let log = store.log(id(1)).unwrap();
    for n in 0..60u8 {
        store.room().await;
        let now = Timestamp(runtime.now());
        let value = Some(&[n; 500][..]);
        let batch = BatchBuilder::new().record(now, Some(&[n % 10]), value).build();
        let checked = crate::batch::Checked::own(&batch).unwrap();
        let stamp = Stamp { leader_epoch: Epoch(0), append_time: None };
        log.append(&batch, &checked, stamp).unwrap().ticket.await.unwrap();
    }
    log.request_drain();
    runtime.sleep(Duration::from_secs(1)).await;
    let of = |segment: &crate::segment::Segment| (segment.base.0, segment.length, segment.finished);
    let segments: Vec<_> = log.state().segments.iter().map(of).collect();
    assert!(segments.iter().filter(|(.., finished)| *finished).count() > 2, "{segments:?}");
    (store, log)
}

async fn compact(runtime: &Simulated, store: &Store<Simulated>) {
    let config = LogConfig {
        segment_bytes: 8 << 10,
        cleanup_compact: true,
        min_cleanable_dirty_ratio: 0.0,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    };
    store.set_config(id(1), Arc::new(config));
    runtime.sleep(Duration::from_secs(1)).await;
}

#[test]
fn a_damaged_log_is_left_as_it_is() {
    let disk = disk();
    let files = disk.clone();
    run(1, &disk, async move |runtime| {
        let (store, log) = filled(&runtime).await;
        let directory = Path::new("/data/t-0");
        let second = log.state().segments[1].base;
        let path = directory.join(file_name(second, Kind::Log));
        assert!(files.flip(&path, 700));
        let before: Vec<_> = files
            .names(directory)
            .into_iter()
            .map(|name| (files.content(&directory.join(&name)), name))
            .collect();
        compact(&runtime, &store).await;
        let stats = store.stats();
        assert_eq!((stats.uncleanable, stats.removed_records), (1, 0));
        assert_eq!(log.damage().len(), 1);
        let after: Vec<_> = files
            .names(directory)
            .into_iter()
            .filter(|name| name != crate::damage::file::NAME && !name.ends_with(".deleted"))
            .map(|name| (files.content(&directory.join(&name)), name))
            .collect();
        assert!(before == after, "files have changed");
        assert_eq!(store.offline(), None);
    });
}

#[test]
fn a_plan_keeps_its_files() {
    run(2, &disk(), async move |runtime| {
        let (store, log) = filled(&runtime).await;
        let plan = log.read(Offset(0), Offset(10), 100_000, true).await.unwrap();
        let [Slice::File { file, position, length }] = &plan.slices[..] else {
            panic!("a range of a file: {plan:?}")
        };
        let read = async |file: &SimulatedFile| {
            runtime.read_at(file, *position, usize::try_from(*length).unwrap()).await.unwrap()
        };
        let before = read(file).await;
        compact(&runtime, &store).await;
        let stats = store.stats();
        assert!(stats.removed_records > 30 && stats.uncleanable == 0, "{stats:?}");
        assert_eq!(read(file).await, before);
        // What is read now is what is left: the first batch is a later one.
        let plan = log.read(Offset(0), Offset(60), 100, true).await.unwrap();
        let [Slice::File { file, position, length }] = &plan.slices[..] else {
            panic!("a range of a file: {plan:?}")
        };
        let bytes = runtime.read_at(file, *position, usize::try_from(*length).unwrap()).await;
        let (first, _) = Batch::parse_first(&bytes.unwrap()).unwrap();
        assert!(first.base_offset() > Offset(20), "{:?}", first.header());
    });
}

/// To rename over a file is to free it at once: what a compaction replaces gets another name, and goes in slices, but not while it is read.
#[test]
fn what_is_replaced_is_removed_in_slices() {
    let disk = disk();
    let files = disk.clone();
    run(2, &disk, async move |runtime| {
        let (store, log) = filled(&runtime).await;
        let whole = log.state().segments[0].length;
        let plan = log.read(Offset(0), Offset(10), 100_000, true).await.unwrap();
        compact(&runtime, &store).await;
        let directory = Path::new("/data/t-0");
        let is_old = |name: &String| {
            name.starts_with(&file_name(Offset(0), Kind::Log)) && name.ends_with(".deleted")
        };
        let old: Vec<String> = files.names(directory).into_iter().filter(is_old).collect();
        let [old] = &old[..] else { panic!("one file is replaced: {old:?}") };
        let path = directory.join(old);
        assert_eq!(runtime.stat(&path).await.unwrap().length, u64::from(whole), "it is read");
        drop(plan);
        let mut lengths = BTreeSet::new();
        while let Ok(stat) = runtime.stat(&path).await {
            lengths.insert(stat.length);
        }
        assert!(lengths.len() > 3, "{lengths:?}");
    });
}
