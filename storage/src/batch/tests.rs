//! Batches against simple models, and against damage.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::batch::builder::{deflate, seal};
use crate::batch::scan::{
    Batches, Front, MaxTimestampScan, OffsetScan, Step, TimestampScan, front,
};
use crate::units::{Epoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn rules() -> Rules {
    Rules {
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
        message_bytes_max: i32::MAX,
        compacted: false,
        now: NOW,
    }
}

fn verdict(batch: &Batch, rules: &Rules, budget: usize) -> Result<Checked, BatchError> {
    let mut validation = Validation::new(batch, rules);
    loop {
        if let Progress::Done(checked) = validation.step(budget)? {
            assert_eq!(
                validation.step(budget),
                Ok(Progress::Done(checked)),
                "a verdict is repeated"
            );
            return Ok(checked);
        }
    }
}

/// A record as the tests draw it.
#[derive(Clone, Debug, PartialEq)]
struct Drawn {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

prop_compose! {
    fn drawn()(
        timestamp in 0..2000i64,
        key in proptest::option::of(vec(any::<u8>(), 0..20)),
        value in proptest::option::of(prop_oneof![
            9 => vec(any::<u8>(), 0..200),
            1 => (any::<u8>(), 0..100_000usize).prop_map(|(byte, length)| std::vec::from_elem(byte, length)),
        ]),
        headers in vec((vec(any::<u8>(), 0..5), proptest::option::of(vec(any::<u8>(), 0..5))), 0..3),
    ) -> Drawn {
        Drawn { timestamp: NOW.0 + timestamp - 1000, key, value, headers }
    }
}

fn codec() -> impl Strategy<Value = Codec> {
    proptest::sample::select(&Codec::ALL[..])
}

fn build(codec: Codec, records: &[Drawn]) -> Batch {
    let mut builder = BatchBuilder::new().codec(codec).leader_epoch(Epoch(4));
    for record in records {
        let headers: Vec<_> =
            record.headers.iter().map(|(k, v)| (k.as_slice(), v.as_deref())).collect();
        builder.push(NewRecord {
            timestamp: Timestamp(record.timestamp),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
        });
    }
    builder.build()
}

fn read(batch: &Batch) -> Result<Vec<(Offset, Drawn)>, BatchError> {
    let mut found = Vec::new();
    let mut records = batch.records();
    while let Some(record) = records.next_record()? {
        let headers =
            record.headers.map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect();
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        found.push((record.offset, Drawn { timestamp: record.timestamp.0, key, value, headers }));
    }
    Ok(found)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_built_is_read_and_valid(codec in codec(), records in vec(drawn(), 1..40), budget in 1..300_000usize) {
        let batch = build(codec, &records);
        let parsed = Batch::parse(batch.bytes().clone()).unwrap();
        prop_assert_eq!(parsed.header(), batch.header());
        let found: Vec<Drawn> = read(&parsed).unwrap().into_iter().map(|(_, record)| record).collect();
        prop_assert_eq!(&found, &records);
        let checked = verdict(&parsed, &rules(), budget).unwrap();
        let latest = records.iter().map(|record| record.timestamp).max().unwrap();
        prop_assert_eq!(checked, Checked { max_timestamp: Timestamp(latest), rewrite: Rewrite::None });
    }

    #[test]
    fn stamps_keep_the_crc_right(
        codec in codec(),
        records in vec(drawn(), 1..10),
        claimed in any::<i64>(),
        append_time in any::<bool>(),
        base in 0..1i64 << 40,
    ) {
        let good = build(codec, &records);
        let header = BatchHeader { max_timestamp: Timestamp(claimed), ..*good.header() };
        let batch = seal(header, &good.payload());
        let timestamp_type = if append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        let checked = verdict(&batch, &Rules { timestamp_type, ..rules() }, usize::MAX).unwrap();
        let mut stored = vec![0; batch.size()];
        copy_stamped(&batch, &mut stored, Offset(base), Epoch(9), &checked, Some(NOW + 5));
        let stored = Batch::parse_first(&stored.into()).unwrap().0;
        prop_assert_eq!((stored.base_offset(), stored.header().leader_epoch), (Offset(base), Epoch(9)));
        prop_assert_eq!(stored.header().timestamp_type(), timestamp_type);
        let expected = if append_time { NOW + 5 } else { good.max_timestamp() };
        prop_assert_eq!(stored.max_timestamp(), expected);
        prop_assert_eq!(stored.max_timestamp(), checked.stored_timestamp(Some(NOW + 5)));
        prop_assert_eq!(stored.payload(), good.payload());
    }

    #[test]
    fn refused_records_are_those_that_break_a_rule(
        codec in codec(),
        records in vec(drawn(), 1..30),
        before in 0..1200i64,
        after in 0..1200i64,
        compacted in any::<bool>(),
    ) {
        let rules = Rules { before_max_ms: before, after_max_ms: after, compacted, ..rules() };
        let keyless = |record: &Drawn| compacted && record.key.is_none();
        let out_of_range = |record: &Drawn| NOW.0 - record.timestamp > before || record.timestamp - NOW.0 > after;
        let expected: Vec<i32> =
            (0..).zip(&records).filter(|(_, r)| keyless(r) || out_of_range(r)).map(|(i, _)| i).collect();
        let timestamps = records.iter().any(|r| !keyless(r) && out_of_range(r));
        let found = match verdict(&build(codec, &records), &rules, 5000) {
            Ok(_) => Vec::new(),
            Err(BatchError::Timestamps(errors)) if timestamps => errors.listed,
            Err(BatchError::Records(errors)) if !timestamps => errors.listed,
            Err(other) => panic!("{other:?}"),
        };
        prop_assert_eq!(found.iter().map(|e| e.index).collect::<Vec<_>>(), expected);
    }

    /// A damaged batch that still has a good CRC (its writer damaged it) never panics, and both walks agree about it.
    #[test]
    fn damaged_records_do_no_harm(
        codec in codec(),
        records in vec(drawn(), 1..10),
        flips in vec((any::<prop::sample::Index>(), 0..8u32), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        count in proptest::option::of(0..20i32),
        budget in 1..100_000usize,
    ) {
        let good = build(codec, &records);
        let mut payload = good.payload().to_vec();
        for (at, bit) in flips {
            if !payload.is_empty() {
                let at = at.index(payload.len());
                payload[at] ^= 1 << bit;
            }
        }
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len() + 1));
        }
        let count = count.unwrap_or(good.count());
        let length = i32::try_from(payload.len()).unwrap() + BATCH_LENGTH_MIN;
        let header =
            BatchHeader { batch_length: length, count, last_offset_delta: (count - 1).max(0), ..*good.header() };
        let batch = Batch::parse(seal(header, &payload).bytes().clone()).unwrap();
        let in_steps = verdict(&batch, &rules(), budget);
        prop_assert_eq!(&in_steps, &verdict(&batch, &rules(), usize::MAX));
        match (&in_steps, read(&batch)) {
            (Ok(_), Ok(found)) => prop_assert_eq!(found.len(), usize::try_from(count).unwrap()),
            // The validator also looks at offsets and counts.
            (Err(_), _) => {}
            (Ok(_), Err(error)) => panic!("valid, but {error}"),
        }
    }

    #[test]
    fn any_bytes_may_be_parsed(bytes in vec(any::<u8>(), 0..200), claim in any::<bool>()) {
        let mut bytes = bytes;
        if claim && bytes.len() > 16 {
            let length = i32::try_from(bytes.len() - LENGTH_OVERHEAD).unwrap();
            bytes[at::BATCH_LENGTH..LENGTH_OVERHEAD].copy_from_slice(&length.to_be_bytes());
            bytes[at::MAGIC] = 2;
            if bytes.len() >= HEADER_BYTES {
                let crc = crc32c::crc32c(&bytes[at::ATTRIBUTES..]);
                bytes[at::CRC..at::ATTRIBUTES].copy_from_slice(&crc.to_be_bytes());
            }
        }
        let bytes = Bytes::from(bytes);
        let _ = front(&bytes);
        if let Ok(batch) = Batch::parse(bytes.clone()) {
            let _ = verdict(&batch, &rules(), 100);
            let _ = read(&batch);
            let _ = batch.info();
        }
        let _ = TimestampScan::new(NOW, Offset(0), 0).feed(&bytes, usize::MAX);
        let _ = OffsetScan::new(Offset(9), 0).feed(&bytes);
    }

    /// The scans, fed with chunks of a file, find what a walk over everything finds.
    #[test]
    fn scans_find_what_a_walk_finds(
        batches in vec((codec(), vec(drawn(), 1..12), 0..3i64), 1..8),
        chunk in 61..5000usize,
        budget in 1..5000usize,
        target in 0..120i64,
        time in 0..2100i64,
    ) {
        let mut log = Vec::new();
        let mut records = Vec::new();
        let mut starts = Vec::new();
        let mut next = Offset(10);
        for (codec, drawn, gap) in &batches {
            let batch = build(*codec, drawn);
            let checked = Checked::own(&batch).unwrap();
            let mut stored = vec![0; batch.size()];
            copy_stamped(&batch, &mut stored, next, Epoch(4), &checked, None);
            let stored = Batch::parse_first(&stored.into()).unwrap().0;
            starts.push((stored.last_offset(), log.len() as u64));
            records.extend(read(&stored).unwrap().into_iter().map(|(offset, record)| (offset, record.timestamp)));
            log.extend_from_slice(stored.bytes());
            next = stored.last_offset().next() + *gap;
        }
        let log = Bytes::from(log);
        prop_assert_eq!(Batches::new(log.clone()).map(|b| b.unwrap().count()).sum::<i32>(), i32::try_from(records.len()).unwrap());

        let target = Offset(target);
        let expected = starts.iter().find(|(last, _)| *last >= target).map(|(_, position)| *position);
        let mut scan = OffsetScan::new(target, 0);
        let found = drive(&log, chunk, |bytes| {
            let step = scan.feed(bytes).unwrap();
            (scan.position(), step)
        });
        prop_assert_eq!(found.map(|f| f.position), expected);

        let (time, from) = (Timestamp(NOW.0 - 1050 + time), target);
        let expected = records.iter().find(|(offset, t)| *t >= time.0 && *offset >= from);
        let mut scan = TimestampScan::new(time, from, 0);
        let found = drive(&log, chunk, |bytes| {
            let step = scan.feed(bytes, budget).unwrap();
            (scan.position(), step)
        });
        prop_assert_eq!(found.map(|f| (f.offset, f.timestamp.0)), expected.copied());

        let latest = records.iter().map(|(_, t)| *t).max().unwrap();
        let first = records.iter().find(|(_, t)| *t == latest).unwrap().0;
        let batch_end = starts.iter().find(|(last, _)| *last >= first).unwrap().0;
        let mut scan = MaxTimestampScan::new(0, log.len() as u64);
        let found = drive(&log, chunk, |bytes| {
            let step = scan.feed(bytes).unwrap();
            (scan.position(), step)
        });
        prop_assert_eq!(found.flatten(), Some((Timestamp(latest), batch_end)));
    }
}

/// Reads a file for a scan, `chunk` bytes at a time.
fn drive<T>(
    log: &Bytes,
    chunk: usize,
    mut feed: impl FnMut(&Bytes) -> (u64, Step<T>),
) -> Option<T> {
    let (mut position, mut at_least) = (0, 0);
    loop {
        let start = usize::try_from(position).unwrap().min(log.len());
        let bytes = log.slice(start..log.len().min(start + chunk.max(at_least)));
        if bytes.len() < at_least {
            return None;
        }
        match feed(&bytes) {
            (_, Step::Found(found)) => return Some(found),
            (at, Step::Feed { at_least: needed }) => (position, at_least) = (at, needed),
            (at, Step::Busy) => (position, at_least) = (at, 0),
        }
    }
}

#[test]
fn the_front_of_a_log() {
    let bytes =
        build(Codec::None, &[Drawn { timestamp: 5, key: None, value: None, headers: vec![] }])
            .bytes()
            .clone();
    assert_eq!(front(&[]), Front::Empty);
    assert_eq!(front(&bytes[..60]), Front::Partial { size: 61 });
    assert_eq!(front(&bytes[..61]), Front::Partial { size: bytes.len() });
    assert!(matches!(front(&bytes), Front::Whole(header) if header.size() == bytes.len()));
    assert_eq!(front(&[0; 100]), Front::Bad(Corruption::Length(0).into()));
}

#[test]
fn a_position_behind_many_bytes_survives_a_pause() {
    // A record larger than the window, skipped in small steps: the walk stops and goes on inside of its value.
    let value = vec![7; 300_000];
    for codec in Codec::ALL {
        let batch =
            BatchBuilder::new().codec(codec).record(NOW, Some(&value), Some(&value)).build();
        let mut validation = Validation::new(&batch, &rules());
        let mut steps = 1;
        while validation.step(10_000).unwrap() == Progress::More {
            steps += 1;
        }
        assert!(if codec == Codec::None { steps == 1 } else { steps > 10 }, "{codec:?}: {steps}");
    }
}

/// Both walks, in place and across the window's edge, say the same of a record with any byte of its fields changed.
#[test]
fn a_changed_field_is_judged_alike_wherever_it_lies() {
    let headers: &[(&[u8], Option<&[u8]>)] = &[(b"k", Some(b"v")), (b"k", None)];
    for length in [100, 70_000] {
        let value = vec![0; length];
        let mut builder = BatchBuilder::new();
        builder.push(NewRecord { timestamp: NOW, key: Some(b"key"), value: Some(&value), headers });
        let plain = builder.build();
        let payload = plain.payload();
        let fields = (0..14).chain(payload.len() - 9..payload.len());
        for at in fields {
            for flip in 1..=255 {
                let mut changed = payload.to_vec();
                changed[at] ^= flip;
                let in_place = verdict(&seal(*plain.header(), &changed), &rules(), 1000);
                let header =
                    BatchHeader { attributes: Attributes(Codec::Lz4.bits()), ..*plain.header() };
                let across = verdict(&seal(header, &deflate(Codec::Lz4, changed)), &rules(), 1000);
                let max =
                    |verdict: Result<Checked, _>| verdict.ok().map(|checked| checked.max_timestamp);
                assert_eq!(max(in_place), max(across), "byte {at} ^ {flip} of {length}");
            }
        }
    }
}

#[test]
fn control_records() {
    let change = LeaderChange { leader: 1, voters: vec![1], granting: vec![1] };
    assert_eq!(change.value(), [0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 0, 0]);
    assert_eq!(LeaderChange::parse(&change.value()), Some(change.clone()));
    let many = LeaderChange { leader: 7, voters: (0..200).collect(), granting: vec![] };
    assert_eq!(LeaderChange::parse(&many.value()), Some(many));
    for cut in 0..change.value().len() - 1 {
        assert_eq!(LeaderChange::parse(&change.value()[..cut]), None);
    }
    let batch =
        BatchBuilder::new().control_record(NOW, ControlType::LeaderChange, &change.value()).build();
    assert!(batch.is_control() && batch.info().marker.is_none());
    assert_eq!(
        ControlType::parse(&control_key(ControlType::KraftVoters)),
        Some(ControlType::KraftVoters)
    );
    assert_eq!(ControlType::parse(&[0, 0, 0, 7]), None);
    assert_eq!(ControlType::parse(&[0, 0, 0]), None);
}

#[test]
fn a_marker_of_kafka() {
    const MARKER: [&str; 3] = [
        "00000000000004b100000042000000000228df0e1a003000000000000001a20515742b",
        "000001a20515742b00000000000003e80002ffffffff00000001",
        "2000000008000000000c00000000000200",
    ];
    let hex = MARKER.concat();
    let bytes: Bytes = (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
        .collect();
    let batch = Batch::parse(bytes.clone()).unwrap();
    let marker = EndTransaction { committed: false, coordinator_epoch: 2 };
    assert_eq!(batch.info().marker, Some(marker));
    let ours = BatchBuilder::new()
        .base_offset(Offset(1201))
        .leader_epoch(Epoch(0))
        .producer(ProducerId(1000), ProducerEpoch(2), Sequence::NONE)
        .end_transaction(batch.max_timestamp(), marker);
    assert_eq!(ours.build_bytes(), bytes);
}
