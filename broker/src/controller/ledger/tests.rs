use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use std::task::{Context, Poll, Waker};
use storage::batch::{Batch, BatchBuilder as Builder, Checked, copy_stamped};

use super::*;
use crate::controller::registration::{self, Registration};
use crate::metadata::image::tests::topic;

pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Of the node that wrote `kafka_4_3_1.log`.
const KAFKAS_DIRECTORY: Uuid = Uuid::from_u128(0x66037815_d6c144a6_84e14419_4bb212f8);

/// Nothing here waits: a future is done when it is first asked.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// A log in memory; clones share it, so that it can be opened again.
#[derive(Clone, Default)]
pub(crate) struct Memory(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    start: i64,
    batches: Vec<Batch>,
    full: bool,
}

impl MetadataLog for Memory {
    fn start(&self) -> Offset {
        Offset(self.0.borrow().start)
    }

    fn end(&self) -> Offset {
        self.0.borrow().batches.last().map_or(self.start(), |batch| batch.last_offset().next())
    }

    async fn append(&self, batch: &Batch, epoch: Epoch) -> Result<(), Unwritten> {
        if self.0.borrow().full {
            return Err(Unwritten::NoRoom("full".into()));
        }
        let mut bytes = vec![0; batch.size()];
        let checked = Checked::own(batch).unwrap();
        copy_stamped(batch, &mut bytes, self.end(), epoch, &checked, None);
        self.0.borrow_mut().batches.push(Batch::parse(Bytes::from(bytes)).unwrap());
        Ok(())
    }

    async fn read(&self, from: Offset, bytes_max: usize) -> Result<Bytes, String> {
        let inner = self.0.borrow();
        let mut bytes = Vec::new();
        for batch in inner.batches.iter().filter(|batch| batch.last_offset() >= from) {
            if !bytes.is_empty() && bytes.len() + batch.size() > bytes_max {
                break;
            }
            bytes.extend_from_slice(batch.bytes());
        }
        Ok(Bytes::from(bytes))
    }

    async fn trim(&self, start: Offset) -> Result<(), Unwritten> {
        let mut inner = self.0.borrow_mut();
        inner.start = start.0;
        inner.batches.retain(|batch| batch.last_offset() >= start);
        Ok(())
    }
}

pub(crate) fn site() -> Site {
    Site {
        node_id: 1,
        cluster_id: "S6g9xatASgK0VxBi7VGWcQ".into(),
        directory_id: Uuid::from_u128(0x77),
        endpoints: vec![VoterEndpoint {
            name: "CONTROLLER".into(),
            host: "127.0.0.1".into(),
            port: 9093,
        }],
        snapshots: SnapshotRules { bytes: 20 << 20, interval_ms: None },
    }
}

pub(crate) struct Disk {
    log: Memory,
    root: tempfile::TempDir,
}

impl Disk {
    pub(crate) fn new() -> Disk {
        Disk { log: Memory::default(), root: tempfile::tempdir().unwrap() }
    }

    fn directory(&self) -> MetadataDirectory {
        MetadataDirectory::open(self.root.path()).unwrap()
    }

    fn open_as(&self, site: &Site) -> Result<Ledger<Memory>, LedgerError> {
        block_on(Ledger::open(self.log.clone(), self.directory(), site, NOW))
    }

    pub(crate) fn open(&self) -> Ledger<Memory> {
        self.open_as(&site()).unwrap()
    }

    /// Whether appends find room.
    pub(crate) fn fill(&self, full: bool) {
        self.log.0.borrow_mut().full = full;
    }

    /// Names and offsets of everything in the log.
    fn entries(&self) -> Vec<(i64, String)> {
        let mut entries = Vec::new();
        let bytes = block_on(self.log.read(Offset(0), usize::MAX)).unwrap();
        let rest = batch::read(bytes, Offset(-1), |position, entry| {
            let name = match entry {
                Entry::Data(record) => record.name().to_owned(),
                other => {
                    format!("{other:?}").split(['(', ' ']).next().unwrap_or_default().to_owned()
                }
            };
            entries.push((position.offset.0, name));
        });
        assert!(rest.unwrap().is_empty());
        entries
    }
}

#[test]
fn the_first_start_writes_what_kafkas_does() {
    let disk = Disk::new();
    let ledger = disk.open();
    let expected = [
        "LeaderChange",
        "KRaftVersion",
        "Voters",
        "BeginTransaction",
        "FeatureLevel",
        "FeatureLevel",
        "FeatureLevel",
        "EndTransaction",
    ];
    let expected: Vec<_> = (0..).zip(expected.map(str::to_owned)).collect();
    assert_eq!(disk.entries(), expected);
    assert_eq!(ledger.epoch(), Epoch(1));
    let image = ledger.image();
    let levels = [METADATA_VERSION, GROUP_VERSION, SHARE_VERSION].map(|name| image.feature(name));
    assert_eq!(levels, [30, 1, 1]);
    assert_eq!(image.position().offset, Offset(7));
    let files = [
        "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint",
        "__cluster_metadata-0/quorum-state",
        "bootstrap.checkpoint",
    ];
    assert!(files.iter().all(|file| disk.root.path().join(file).exists()));
}

#[test]
fn a_start_finds_what_was_committed_and_takes_the_next_epoch() {
    let disk = Disk::new();
    let mut ledger = disk.open();
    let image = block_on(ledger.commit(&topic(1, "a", 3), NOW)).unwrap();
    assert_eq!(image.position().offset, Offset(11));
    for epoch in 2..4 {
        let ledger = disk.open();
        assert_eq!(ledger.epoch(), Epoch(epoch));
        assert_eq!(ledger.image().topic_by_name("a").unwrap().partitions.len(), 3);
        assert_eq!(
            ledger.image().position(),
            Position { offset: disk.log.end() - 1, epoch: Epoch(epoch), timestamp_ms: NOW.0 }
        );
    }
    assert_eq!(disk.entries().len(), 14);
}

#[test]
fn an_interrupted_transaction_does_not_count() {
    let disk = Disk::new();
    let mut ledger = disk.open();
    let mut records = topic(1, "a", 1);
    records.insert(0, BeginTransactionRecord { name: None }.into());
    block_on(ledger.commit(&records, NOW)).unwrap();
    let ledger = disk.open();
    assert!(ledger.image().topic_by_name("a").is_none());
    assert_eq!(disk.entries().last().unwrap().1, "AbortTransaction");
    assert!(disk.open().image().topic_by_name("a").is_none());
}

/// The controller dies between its leader change and the end of the first records.
#[test]
fn a_first_start_that_was_interrupted_is_done_again() {
    for kept in 0..2 {
        let disk = Disk::new();
        disk.open();
        disk.log.0.borrow_mut().batches.truncate(kept);
        let ledger = disk.open();
        assert_eq!(ledger.image().feature(METADATA_VERSION), 30);
    }
    let disk = Disk::new();
    let directory = disk.directory();
    format(&directory, &site(), NOW).unwrap();
    let begun = batch::data(
        &[BeginTransactionRecord { name: None }.into(), bootstrap_records()[0].clone()],
        NOW,
    )
    .unwrap();
    block_on(disk.log.append(&begun.build(), Epoch(1))).unwrap();
    let ledger = disk.open();
    assert_eq!(ledger.image().feature(METADATA_VERSION), 30);
    assert_eq!(ledger.epoch(), Epoch(2));
    let names: Vec<_> = disk.entries().into_iter().map(|(_, name)| name).skip(5).collect();
    let again =
        ["BeginTransaction", "FeatureLevel", "FeatureLevel", "FeatureLevel", "EndTransaction"];
    assert_eq!((&*names[0], &names[1..]), ("AbortTransaction", &again.map(str::to_owned)[..]));
}

#[test]
fn what_was_not_written_is_not_in_the_image() {
    let disk = Disk::new();
    let mut ledger = disk.open();
    disk.fill(true);
    let refused = block_on(ledger.commit(&topic(1, "a", 1), NOW));
    assert!(matches!(refused, Err(LedgerError::Unwritten(Unwritten::NoRoom(_)))));
    assert!(ledger.image().topic_by_name("a").is_none());
    disk.fill(false);
    block_on(ledger.commit(&topic(1, "a", 1), NOW)).unwrap();
    assert!(disk.open().image().topic_by_name("a").is_some());
}

fn small() -> Site {
    Site { snapshots: SnapshotRules { bytes: 2000, interval_ms: None }, ..site() }
}

/// Topics come and go; now and then the node starts again, and at random a snapshot is damaged.
#[test]
fn snapshots_take_the_logs_place() {
    let disk = Disk::new();
    let mut ledger = disk.open_as(&small()).unwrap();
    let mut written = 0;
    for n in 0..120u128 {
        block_on(ledger.commit(&topic(n + 1, &format!("t-{n}"), 2), NOW)).unwrap();
        written += u32::from(block_on(ledger.snapshot_if_due(NOW)).unwrap());
        if n % 7 == 0 {
            let before = ledger.image().clone();
            ledger = disk.open_as(&small()).unwrap();
            assert_eq!(ledger.image().clone().at(before.position()), before);
        }
    }
    assert!(written > 10, "{written} snapshots");
    assert_eq!(disk.directory().snapshots().unwrap().len(), 2);
    assert!(disk.log.start() > Offset(300), "the log was trimmed to {}", disk.log.start());
    let image = ledger.image().clone();
    let newest = disk.directory().snapshots().unwrap()[0];
    let path = disk.root.path().join("__cluster_metadata-0").join(newest.file_name());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[200] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let again = disk.open_as(&small()).unwrap();
    assert_eq!(again.image().clone().at(image.position()), image);
    assert_eq!(again.image().partition_count(), 240);
}

#[test]
fn a_snapshot_is_due_by_time_if_something_changed() {
    let disk = Disk::new();
    let rules = SnapshotRules { bytes: u64::MAX, interval_ms: Some(1000) };
    let mut ledger = disk.open_as(&Site { snapshots: rules, ..site() }).unwrap();
    let mut due = |at: i64| block_on(ledger.snapshot_if_due(NOW + at)).unwrap();
    assert_eq!([due(0), due(999), due(1000), due(5000)], [false, false, true, false]);
}

/// The log of Kafka 4.3.1 after a first start, topics created, widened and deleted, configs, a quota, a credential, a block of
/// producer ids, and a clean stop.
#[test]
fn kafkas_log_is_taken_over() {
    let disk = Disk::new();
    let mut bytes = Bytes::from_static(include_bytes!("kafka_4_3_1.log"));
    while let Ok((batch, size)) = Batch::parse_first(&bytes) {
        disk.log.0.borrow_mut().batches.push(batch);
        bytes = bytes.slice(size..);
    }
    let kafka = Site { directory_id: KAFKAS_DIRECTORY, ..site() };
    let ledger = disk.open_as(&kafka).unwrap();
    let image = ledger.image();
    assert_eq!(ledger.epoch(), Epoch(2));
    let names: Vec<&str> = image.topics().map(|topic| &*topic.name).collect();
    assert_eq!(names, ["kept"]);
    assert_eq!(image.topic_overrides(&"kept".into()).unwrap()["retention.ms"], "1000");
    assert_eq!(image.next_producer_id(), 1000);
    assert_eq!((image.feature(METADATA_VERSION), image.feature("transaction.version")), (30, 2));
    assert!(image.broker(1).unwrap().fenced);
    let partition = image.topic_by_name("kept").unwrap().partition(2).unwrap();
    assert_eq!(
        (partition.leader, &partition.isr[..], &partition.eligible[..]),
        (-1, &[][..], &[1][..])
    );
    let again = snapshot::encode(image, None, NOW).unwrap();
    let again =
        snapshot::decode(Bytes::from(again), SnapshotId::of(image.position()), &kafka.cluster_id);
    assert_eq!(again.unwrap().image, *image);
    let registration = Registration {
        endpoints: vec![],
        rack: None,
        directories: vec![KAFKAS_DIRECTORY],
        incarnation: Uuid::nil(),
    };
    let mut started = image.clone();
    let (records, _) = registration::start(image, &kafka, &registration, &[], ledger.next_offset());
    records.iter().for_each(|record| started.apply(record).unwrap());
    for (_, partition) in started.topic_by_name("kept").unwrap().partitions() {
        assert_eq!(
            (partition.leader, &partition.isr[..], partition.recovering),
            (1, &[1][..], false)
        );
        assert_eq!(partition.leader_epoch, Epoch(2));
        assert_eq!(partition.directory(1), Some(KAFKAS_DIRECTORY));
    }
}

#[test]
fn what_cannot_be_served_is_refused() {
    let refused = |disk: &Disk, site: &Site| disk.open_as(site).err().unwrap().to_string();
    let disk = Disk::new();
    disk.open();
    let moved = Site { directory_id: Uuid::from_u128(0x78), ..site() };
    assert!(refused(&disk, &moved).contains("is not among the voters"));
    let mut ledger = disk.open();
    let level = FeatureLevelRecord { name: METADATA_VERSION.into(), feature_level: 31 };
    block_on(ledger.commit(&[level.into()], NOW)).unwrap();
    assert!(refused(&disk, &site()).contains("metadata.version 31"));
    let trimmed = Disk::new();
    trimmed.open();
    block_on(trimmed.log.trim(Offset(3))).unwrap();
    assert!(refused(&trimmed, &site()).contains("begins at 3"));
    let behind = Disk::new();
    behind.open();
    let id = SnapshotId { end: Offset(99), epoch: Epoch(1) };
    let bytes = snapshot::encode_records(std::iter::empty(), None, 0, Epoch(1), NOW).unwrap();
    behind.directory().write_snapshot(id, &bytes).unwrap();
    assert!(refused(&behind, &site()).contains("before the snapshot that ends at 99"));
    let unknown = Disk::new();
    unknown.open();
    let foreign = Builder::new().record(NOW, None, Some(&[1, 99, 0]));
    block_on(unknown.log.append(&foreign.build(), Epoch(1))).unwrap();
    assert!(refused(&unknown, &site()).contains("type 99"));
}
