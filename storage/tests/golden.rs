//! Kafka's own classes against ours: the files in `data/` were written by `data/Golden.java`.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use bytes::Bytes;
use storage::batch::{
    Batch, BatchError, BatchInfo, Checked, Codec, EndTransaction, Progress, Records, Rules,
    TimestampType, Validation, copy_stamped,
};
use storage::index::{
    AbortedTransaction, OffsetEntry, OffsetIndex, TimeEntry, TimeIndex, TransactionIndex,
};
use storage::producer::ProducerStates;
use storage::units::{Epoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().map(|b| (b as char).to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn lines(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().map(|line| line.split('|').collect())
}

fn named(text: &'static str) -> BTreeMap<&'static str, Bytes> {
    lines(text).map(|line| (line[0], unhex(line[1]))).collect()
}

fn batches() -> BTreeMap<&'static str, Bytes> {
    named(include_str!("data/batches.txt"))
}

/// The records that `Golden.many` makes, as (timestamp, key, value, has headers).
fn check_many(records: &mut Records, count: i32) {
    for i in 0..i64::from(count) {
        let record = records.next_record().unwrap().unwrap();
        assert_eq!(record.offset, Offset(i));
        assert_eq!(record.timestamp, NOW + (i * 37) % 1000 - 500);
        let key = format!("key-{i}");
        assert_eq!(record.key, (i % 5 != 0).then_some(key.as_bytes()));
        let value = format!("value-{i}-").repeat((i % 40) as usize);
        assert_eq!(record.value, (i % 7 != 0).then_some(value.as_bytes()));
        let headers: Vec<_> =
            record.headers.map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect();
        if i % 4 == 3 {
            assert_eq!(
                headers,
                [(b"h".to_vec(), Some(i.to_string().into_bytes())), (b"h".to_vec(), None)]
            );
        } else {
            assert!(headers.is_empty());
        }
    }
    assert_eq!(records.next_record().unwrap(), None);
}

#[test]
fn batches_of_the_java_client_are_read() {
    for codec in Codec::ALL {
        for (size, count) in [("few", 8), ("many", 700)] {
            let name = format!("{}-{size}", codec.name());
            let Some(bytes) = batches().get(name.as_str()).cloned() else {
                assert_eq!(name, "none-many");
                continue;
            };
            let batch = Batch::parse(bytes).unwrap();
            assert_eq!((batch.codec(), batch.count()), (Some(codec), count));
            check_many(&mut batch.records(), count);
        }
    }
}

#[test]
fn headers_and_markers_of_the_java_client_are_read() {
    let batches = batches();
    let batch = |name: &str| Batch::parse(batches[name].clone()).unwrap();
    let info = batch("producer").info();
    assert_eq!((info.producer_id, info.producer_epoch), (ProducerId(4242), ProducerEpoch(7)));
    assert_eq!((info.first_sequence, info.last_sequence), (Sequence(2_147_483_645), Sequence(1)));
    assert!(!info.is_transactional && !info.is_control);
    assert!(batch("transactional").is_transactional());
    let appended = batch("log-append-time");
    assert_eq!(appended.header().timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(appended.records().next_record().unwrap().unwrap().timestamp, NOW + 7);
    let marker = |name: &str| -> BatchInfo { batch(name).info() };
    assert_eq!(
        marker("commit").marker,
        Some(EndTransaction { committed: true, coordinator_epoch: 5 })
    );
    assert_eq!(
        marker("abort").marker,
        Some(EndTransaction { committed: false, coordinator_epoch: 2 })
    );
    assert!(marker("abort").is_control && marker("abort").is_transactional);
    assert_eq!(batch("abort").size(), 78);
    let emptied = batch("emptied");
    assert_eq!(
        (emptied.count(), emptied.base_offset(), emptied.last_offset()),
        (0, Offset(100), Offset(104))
    );
    assert_eq!(emptied.records().next_record().unwrap(), None);
}

#[test]
fn our_builder_writes_what_the_java_client_writes() {
    use storage::batch::{BatchBuilder, NewRecord};
    let batches = batches();
    let none = Batch::parse(batches["none-few"].clone()).unwrap();
    let mut builder = BatchBuilder::new();
    let mut records = none.records();
    while let Some(record) = records.next_record().unwrap() {
        let headers: Vec<_> = record.headers.map(|h| (h.key, h.value)).collect();
        let (timestamp, key, value) = (record.timestamp, record.key, record.value);
        builder.push(NewRecord { timestamp, key, value, headers: &headers });
    }
    assert_eq!(builder.clone().build_bytes(), batches["none-few"]);
    let marker = EndTransaction { committed: false, coordinator_epoch: 2 };
    let abort = BatchBuilder::new()
        .base_offset(Offset(1201))
        .leader_epoch(Epoch(0))
        .producer(ProducerId(1000), ProducerEpoch(2), Sequence::NONE)
        .end_transaction(NOW, marker);
    assert_eq!(abort.build_bytes(), batches["abort"]);
    for codec in [Codec::Snappy, Codec::Lz4] {
        let header = |bytes: &[u8]| bytes[61..77].to_vec();
        let ours = builder.clone().codec(codec).build_bytes();
        let theirs = &batches[format!("{}-few", codec.name()).as_str()];
        assert_eq!(header(&ours)[..7], header(theirs)[..7], "{codec:?}");
    }
}

/// What the broker answers, by Kafka's exception.
fn judge(rules: &Rules, input: Bytes, budget: usize) -> Result<(Checked, Bytes), BatchError> {
    let batch = Batch::parse(input)?;
    let mut validation = Validation::new(&batch, rules);
    let checked = loop {
        if let Progress::Done(checked) = validation.step(budget)? {
            break checked;
        }
    };
    let mut stored = vec![0; batch.size()];
    copy_stamped(&batch, &mut stored, Offset(1000), Epoch(77), &checked, Some(NOW));
    Ok((checked, stored.into()))
}

fn exception(error: &BatchError) -> &'static str {
    match error {
        BatchError::Corrupt(_) => "CorruptRecordException",
        BatchError::Invalid(_) | BatchError::Records(_) => "InvalidRecordException",
        BatchError::TooLarge { .. } => "RecordTooLargeException",
        BatchError::Timestamps(_) => "InvalidTimestampException",
        BatchError::Unreadable(_) => "UnknownServerException",
    }
}

fn parse_rules(text: &str) -> Rules {
    let fields: Vec<&str> = text.split(',').collect();
    let timestamp_type = if fields[0] == "create" {
        TimestampType::CreateTime
    } else {
        TimestampType::LogAppendTime
    };
    Rules {
        timestamp_type,
        before_max_ms: fields[1].parse().unwrap(),
        after_max_ms: fields[2].parse().unwrap(),
        message_bytes_max: fields[3].parse().unwrap(),
        compacted: fields[4].parse().unwrap(),
        now: NOW,
    }
}

/// Kafka's verdicts that are not ours, each for a reason.
fn differs(name: &str) -> Option<&'static str> {
    const INVALID: Option<&str> = Some("ERR|InvalidRecordException|");
    match name {
        // Kafka adds to the length, and finds a negative size later.
        "length-2147483647" => INVALID,
        // Kafka's reader throws what its caller does not expect.
        "record-none-length-six-bytes" => INVALID,
        // Kafka believes the fields of a compressed record, not its length; readers of what it stores fail.
        "record-lz4-length-zero"
        | "record-lz4-length-negative"
        | "record-lz4-length-beyond"
        | "record-lz4-length-huge" => INVALID,
        _ => None,
    }
}

#[test]
fn kafkas_verdicts_are_ours() {
    let mut wrong = Vec::new();
    for line in lines(include_str!("data/verdicts.txt")) {
        let (name, input) = (line[0], unhex(line[2]));
        let rules = parse_rules(line[1]);
        for budget in [usize::MAX, 1] {
            let ours = match judge(&rules, input.clone(), budget) {
                Ok((checked, stored)) => format!("OK|{}|{}", checked.max_timestamp, hex(&stored)),
                Err(error) => shown(&error),
            };
            let theirs = line[3..].join("|");
            if ours != differs(name).map_or(theirs.as_str(), |ours| ours) {
                wrong.push(format!("{name}\n  ours   {ours}\n  theirs {theirs}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn shown(error: &BatchError) -> String {
    let (errors, timestamps) = match error {
        BatchError::Timestamps(errors) => (errors, true),
        BatchError::Records(errors) => (errors, false),
        _ => return format!("ERR|{}|", exception(error)),
    };
    let mut text = format!("ERR|{}|{}", exception(error), errors.message(timestamps, "golden", 3));
    for error in &errors.listed {
        text += &format!("|{}:{}", error.index, error.message("golden", 3));
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn producer_snapshots_of_kafka() {
    let files = named(include_str!("data/files.txt"));
    let read = |name: &str| {
        ProducerStates::from_snapshot(Offset(107), &files[name], NOW, 86_400_000).unwrap()
    };
    assert_eq!(files["snapshot-empty"], unhex("000148674bc700000000"));
    assert!(read("snapshot-empty").is_empty());
    assert_eq!(ProducerStates::new(Offset(0)).snapshot(), files["snapshot-empty"]);
    let states = read("snapshot-three");
    assert_eq!(states.len(), 3);
    let one = states.get(ProducerId(1000)).unwrap();
    assert_eq!(
        (one.epoch, one.last_sequence(), one.last().unwrap().first_offset()),
        (ProducerEpoch(2), Sequence(9), Offset(100))
    );
    assert_eq!(states.get(ProducerId(1001)).unwrap().open_transaction, Some(Offset(105)));
    assert_eq!(states.get(ProducerId(1002)).unwrap().coordinator_epoch, 6);
    assert_eq!(states.first_unstable(), Some(Offset(105)));
    assert_eq!(states.snapshot(), files["snapshot-three"]);
}

#[test]
fn indexes_of_kafka() {
    let files = named(include_str!("data/files.txt"));
    let base = Offset(2043);
    let mut offsets = Vec::new();
    let mut times = Vec::new();
    for i in 1..=20u8 {
        let offset = base + i64::from(i) * 7;
        offsets.extend(OffsetEntry { offset, position: u32::from(i) * 4500 }.encode(base).unwrap());
        times
            .extend(TimeEntry { timestamp: NOW + i64::from(i) * 11, offset }.encode(base).unwrap());
    }
    assert_eq!(offsets, files["offset-index"]);
    assert_eq!(times, files["time-index"]);
    for suffix in ["", "-active"] {
        let index = OffsetIndex::new(base, &files[format!("offset-index{suffix}").as_str()]);
        assert_eq!(index.len(), 20);
        assert_eq!(index.check(100_000), Ok(()));
        assert_eq!(index.lookup(base + 20).position, 2 * 4500);
        let index = TimeIndex::new(base, &files[format!("time-index{suffix}").as_str()]);
        assert_eq!(index.len(), 20);
        assert_eq!(index.check(base + 500), Ok(()));
        assert_eq!(index.lookup(NOW + 12).offset, base + 7);
    }
    let aborted = |id, first, last, stable| AbortedTransaction {
        producer_id: ProducerId(id),
        first_offset: Offset(first),
        last_offset: Offset(last),
        last_stable_offset: Offset(stable),
    };
    let expected = [aborted(9, 2050, 2060, 2055), aborted(10, 2055, 2070, 2071)];
    assert_eq!(expected.map(|a| a.encode()).concat(), files["transaction-index"]);
    let index = TransactionIndex::new(&files["transaction-index"]);
    assert_eq!(index.iter().collect::<Vec<_>>(), expected);
    assert_eq!(index.check(base), Ok(()));
}
