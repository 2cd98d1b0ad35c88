//! The indexes against lists.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::units::{Offset, ProducerId, Timestamp};

const BASE: Offset = Offset(1000);

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the indexer writes is what Kafka's rule says, and lookups in it are never beyond what is looked for.
    #[test]
    fn entries_are_due_as_kafka_says(
        batches in vec((1..9i64, 1..3000u32, -1..500i64), 0..60),
        interval in 0..5000u32,
        zeros in 0..50usize,
        target in 990..1500i64,
        time in -1..600i64,
    ) {
        let mut indexer = Indexer::new(BASE, interval);
        let (mut offsets, mut times) = (Vec::new(), Vec::new());
        // The rule, told another way.
        let (mut expected_offsets, mut expected_times) = (Vec::new(), Vec::new());
        let (mut next, mut position, mut since) = (BASE, 0u32, 0u32);
        let mut latest: Option<TimeEntry> = None;
        let mut all = Vec::new();
        for (count, size, timestamp) in batches {
            let batch = Indexed { last_offset: next + (count - 1), max_timestamp: Timestamp(timestamp), position, size };
            let due = indexer.append(&batch);
            offsets.extend(due.offset.into_iter().flatten());
            times.extend(due.time.into_iter().flatten());
            if timestamp > latest.map_or(-1, |l| l.timestamp.0) {
                latest = Some(TimeEntry { timestamp: batch.max_timestamp, offset: batch.last_offset });
            }
            if since > interval {
                expected_offsets.push(OffsetEntry { offset: batch.last_offset, position });
                note(&mut expected_times, latest);
                since = 0;
            }
            since += size;
            position += size;
            next = batch.last_offset.next();
            all.push(batch);
        }
        times.extend(indexer.close().into_iter().flatten());
        note(&mut expected_times, latest);
        prop_assert_eq!(indexer.close(), None);

        offsets.resize(offsets.len() + zeros, 0);
        times.resize(times.len() + zeros, 0);
        let index = OffsetIndex::new(BASE, &offsets);
        prop_assert_eq!(index.iter().collect::<Vec<_>>(), expected_offsets.clone());
        let zero_entry = |e: &&TimeEntry| e.timestamp.0 == 0 && e.offset == BASE;
        if !expected_times.iter().any(|e| zero_entry(&e)) {
            let index = TimeIndex::new(BASE, &times);
            prop_assert_eq!(index.iter().collect::<Vec<_>>(), expected_times.clone());
            let from = index.lookup(Timestamp(time)).offset;
            let wanted = all.iter().find(|b| b.max_timestamp.0 >= time && b.max_timestamp.0 >= 0);
            prop_assert!(wanted.is_none_or(|b| from <= b.last_offset), "{from} is behind {wanted:?}");
            prop_assert_eq!(index.last(), latest);
            if zeros % 12 == 0 {
                prop_assert_eq!(index.check(next - 1), Ok(()));
            }
            let kept = index.truncated_length(Offset(target)) / TimeEntry::BYTES;
            prop_assert_eq!(kept, expected_times.iter().filter(|e| e.offset.0 < target).count());
        }
        let found = index.lookup(Offset(target));
        let model = expected_offsets.iter().rfind(|e| e.offset.0 <= target).copied();
        prop_assert_eq!(found, model.unwrap_or(OffsetEntry { offset: BASE, position: 0 }));
        let wanted = all.iter().find(|b| b.last_offset.0 >= target);
        prop_assert!(wanted.is_none_or(|b| found.position <= b.position));
        if zeros % 8 == 0 {
            prop_assert_eq!(index.check(u64::from(position)), Ok(()));
        }
        let kept = index.truncated_length(Offset(target)) / OffsetEntry::BYTES;
        prop_assert_eq!(kept, expected_offsets.iter().filter(|e| e.offset.0 < target).count());
    }

    #[test]
    fn any_bytes_may_be_an_index(bytes in vec(any::<u8>(), 0..300), offset in any::<i64>(), base in any::<i64>()) {
        let base = Offset(base);
        let offsets = OffsetIndex::new(base, &bytes);
        let _ = (offsets.lookup(Offset(offset)), offsets.check(1000), offsets.last(), offsets.truncated_length(Offset(offset)));
        let _ = offsets.first_from_position(offset.unsigned_abs());
        let times = TimeIndex::new(base, &bytes);
        let _ = (times.lookup(Timestamp(offset)), times.check(Offset(offset)), times.truncated_length(Offset(offset)));
        let transactions = TransactionIndex::new(&bytes);
        let _ = (transactions.check(base), transactions.collect(base, Offset(offset), &mut Vec::new()));
    }
}

/// The time index takes an entry only if the largest timestamp grew.
fn note(entries: &mut Vec<TimeEntry>, latest: Option<TimeEntry>) {
    let last = entries.last().map_or(Timestamp::NONE, |e| e.timestamp);
    entries.extend(latest.filter(|latest| latest.timestamp > last));
}

#[test]
fn damage_is_found() {
    let entry =
        |offset, position| OffsetEntry { offset: Offset(offset), position }.encode(BASE).unwrap();
    let check = |entries: &[[u8; 8]], expected| {
        assert_eq!(OffsetIndex::new(BASE, &entries.concat()).check(5000), expected);
    };
    check(&[], Ok(()));
    check(&[entry(1010, 4000), entry(1020, 4500)], Ok(()));
    check(&[entry(1010, 4000), entry(1010, 4500)], Err(IndexError::Order { index: 1 }));
    check(&[entry(1010, 4000), entry(1020, 4000)], Err(IndexError::Order { index: 1 }));
    check(&[entry(1010, 0)], Err(IndexError::Order { index: 0 }));
    check(&[entry(1010, 5000)], Err(IndexError::Outside { index: 0 }));
    check(&[[0xff; 8]], Err(IndexError::Order { index: 0 }));
    let whole = entry(1010, 4000);
    let cut = OffsetIndex::new(BASE, &whole[..5]);
    assert_eq!(cut.check(5000), Err(IndexError::Length { length: 5, entry_size: 8 }));
    assert_eq!(OffsetEntry { offset: Offset(999), position: 0 }.encode(BASE), None);
    assert_eq!(OffsetEntry { offset: BASE + (1 << 31), position: 0 }.encode(BASE), None);
    assert_eq!(OffsetEntry { offset: BASE, position: 1 << 31 }.encode(BASE), None);
    assert_eq!(TimeEntry { timestamp: Timestamp(5), offset: BASE - 1 }.encode(BASE), None);
}

#[test]
fn an_index_goes_on_after_a_restart() {
    let batch = |i: i64| Indexed {
        last_offset: BASE + i,
        max_timestamp: Timestamp(100 + i),
        position: u32::try_from(i).unwrap() * 100,
        size: 100,
    };
    let mut indexer = Indexer::new(BASE, 100);
    let (mut offsets, mut times) = (Vec::new(), Vec::new());
    for i in 0..9 {
        let due = indexer.append(&batch(i));
        offsets.extend(due.offset.into_iter().flatten());
        times.extend(due.time.into_iter().flatten());
    }
    times.extend(indexer.close().into_iter().flatten());
    let (index, time_index) = (OffsetIndex::new(BASE, &offsets), TimeIndex::new(BASE, &times));
    assert_eq!(index.iter().map(|e| e.position).collect::<Vec<_>>(), [200, 400, 600, 800]);
    let mut resumed = Indexer::resume(BASE, 100, &index, &time_index, None);
    assert_eq!(resumed.largest(), Some(TimeEntry { timestamp: Timestamp(108), offset: BASE + 8 }));
    assert_eq!(resumed.close(), None);
    assert!(resumed.is_full(4 * 8) && !resumed.is_full(100));
    assert!(resumed.can_hold(BASE + i64::from(i32::MAX)) && !resumed.can_hold(BASE + (1 << 31)));
    assert_eq!(resumed.append(&batch(9)), Due::default());
    assert_eq!(resumed.append(&batch(10)), Due::default());
    assert_eq!(
        resumed.append(&batch(11)).offset,
        OffsetEntry { offset: BASE + 11, position: 1100 }.encode(BASE)
    );
}

#[test]
fn aborted_transactions_of_a_range() {
    let aborted = |first, last, stable| AbortedTransaction {
        producer_id: ProducerId(1),
        first_offset: Offset(first),
        last_offset: Offset(last),
        last_stable_offset: Offset(stable),
    };
    let all = [aborted(5, 20, 10), aborted(10, 30, 31), aborted(40, 50, 51)];
    let bytes = all.map(|a| a.encode()).concat();
    let index = TransactionIndex::new(&bytes);
    let check = |from, up_to, expected: &[AbortedTransaction], over| {
        let mut found = Vec::new();
        assert_eq!(index.collect(Offset(from), Offset(up_to), &mut found), over, "{from}..{up_to}");
        assert_eq!(found, expected, "{from}..{up_to}");
    };
    check(0, 60, &all, false);
    check(0, 5, &[], true);
    check(0, 6, &all[..1], true);
    check(21, 31, &all[1..2], true);
    check(21, 45, &all[1..], true);
    assert_eq!(index.truncated_length(Offset(30)), 34);
    assert_eq!(index.check(Offset(20)), Ok(()));
    assert_eq!(index.check(Offset(21)), Err(IndexError::Outside { index: 0 }));
}
