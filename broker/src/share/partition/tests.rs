//! Single steps, as Kafka does them.

use std::time::Duration;

use super::{
    Acknowledgement, Acquired, Kind, Limits, Member, Partition, ReadBatch, Refusal, StoredBatch,
    StoredState, Want,
};

const LIMITS: Limits = Limits {
    in_flight_max: 100,
    deliveries_max: 5,
    lock: Duration::from_secs(30),
    renewable: true,
};
const WANT: Want = Want { records_max: 500, strict: false, entry_records: 500 };
const T0: Duration = Duration::from_secs(1);

fn batches(bounds: &[(i64, i64)]) -> Vec<ReadBatch> {
    bounds
        .iter()
        .map(|(first, last)| ReadBatch { first: *first, last: *last, hidden: false })
        .collect()
}

fn entries(given: &[Acquired]) -> Vec<(i64, i64, i16)> {
    given.iter().map(|entry| (entry.first, entry.last, entry.deliveries)).collect()
}

fn member(name: &str) -> Member {
    Member::from(name)
}

/// A member takes what was read from where the partition says; answers what it got.
fn take(
    partition: &mut Partition,
    name: &str,
    bounds: &[(i64, i64)],
    want: Want,
) -> Vec<(i64, i64, i16)> {
    let from = partition.next_fetch_offset();
    entries(&partition.acquire(&member(name), from, &batches(bounds), want, T0))
}

fn say(
    partition: &mut Partition,
    name: &str,
    first: i64,
    last: i64,
    kind: Kind,
) -> Result<(), Refusal> {
    let change =
        partition.acknowledge(name, &[Acknowledgement { first, last, kinds: &[kind] }], T0)?;
    if let Some(change) = change {
        partition.written(change.id, true);
    }
    Ok(())
}

fn empty() -> Partition {
    Partition::new(LIMITS, 0, &[]).expect("nothing contradicts itself")
}

#[test]
fn batches_are_given_whole_unless_the_number_of_records_is_strict() {
    for (records_max, strict, expected) in [
        (1, false, vec![(0, 9, 1)]),
        (10, false, vec![(0, 9, 1)]),
        (11, false, vec![(0, 19, 1)]),
        (11, true, vec![(0, 10, 1)]),
        (0, false, vec![]),
    ] {
        let want = Want { records_max, strict, ..WANT };
        let given = take(&mut empty(), "a", &[(0, 9), (10, 19)], want);
        assert_eq!(given, expected, "{records_max} {strict}");
    }
}

#[test]
fn an_entry_ends_with_the_batch_that_fills_it() {
    let want = Want { entry_records: 15, ..WANT };
    let given = take(&mut empty(), "a", &[(0, 9), (10, 19), (20, 29)], want);
    assert_eq!(given, [(0, 19, 1), (20, 29, 1)]);
}

#[test]
fn what_one_has_no_other_gets_until_it_is_released() {
    let mut partition = empty();
    let log = [(0, 9), (10, 19)];
    assert_eq!(take(&mut partition, "a", &log[..1], WANT), [(0, 9, 1)]);
    assert_eq!(partition.next_fetch_offset(), 10);
    assert_eq!(take(&mut partition, "b", &log[1..], WANT), [(10, 19, 1)]);
    assert_eq!(say(&mut partition, "b", 0, 0, Kind::Accept), Err(Refusal::NotTheOwner));
    assert_eq!(say(&mut partition, "a", 3, 4, Kind::Release), Ok(()));
    assert_eq!(partition.next_fetch_offset(), 3);
    assert_eq!(take(&mut partition, "b", &log, WANT), [(3, 4, 2)]);
    assert_eq!(say(&mut partition, "a", 0, 2, Kind::Accept), Ok(()));
    assert_eq!(partition.start(), 3);
    assert_eq!(
        say(&mut partition, "a", 0, 2, Kind::Accept),
        Ok(()),
        "what lies below the start is passed over"
    );
    assert_eq!(say(&mut partition, "a", 3, 3, Kind::Accept), Err(Refusal::NotTheOwner));
}

#[test]
fn a_refused_request_changes_nothing() {
    let mut partition = empty();
    assert_eq!(say(&mut partition, "a", 0, 0, Kind::Accept), Err(Refusal::NothingInFlight));
    take(&mut partition, "a", &[(0, 9)], WANT);
    let before = format!("{:?}", partition.runs);
    for (first, last, kinds, refusal) in [
        (0, 10, vec![Kind::Accept], Refusal::LastNeverAcquired),
        (10, 12, vec![Kind::Accept], Refusal::FirstNeverAcquired),
        (0, 3, vec![Kind::Accept; 3], Refusal::Malformed),
        (0, 3, vec![], Refusal::Malformed),
        (3, 2, vec![Kind::Accept], Refusal::Malformed),
        (i64::MIN, i64::MAX, vec![Kind::Accept], Refusal::Malformed),
    ] {
        let good = Acknowledgement { first: 0, last: 1, kinds: &[Kind::Accept] };
        let bad = Acknowledgement { first, last, kinds: &kinds };
        assert_eq!(partition.acknowledge("a", &[good, bad], T0), Err(refusal));
        assert_eq!(format!("{:?}", partition.runs), before);
    }
}

#[test]
fn what_cannot_be_stored_is_as_it_was() {
    let mut partition = empty();
    take(&mut partition, "a", &[(0, 9)], WANT);
    let accept = Acknowledgement { first: 0, last: 9, kinds: &[Kind::Accept] };
    let change = partition.acknowledge("a", &[accept], T0).unwrap().unwrap();
    assert_eq!((change.start, change.done), (0, 10));
    assert_eq!(
        change.batches,
        [StoredBatch { first: 0, last: 9, state: StoredState::Acknowledged, deliveries: 1 }]
    );
    assert_eq!(
        partition.acknowledge("a", &[accept], T0),
        Err(Refusal::NotAcquired),
        "it waits to be stored"
    );
    partition.written(change.id, false);
    assert_eq!(partition.start(), 0);
    assert_eq!(say(&mut partition, "a", 0, 9, Kind::Accept), Ok(()));
    assert_eq!((partition.start(), partition.end()), (10, 10));
}

#[test]
fn a_lock_runs_out_unless_it_is_renewed() {
    let mut partition = empty();
    take(&mut partition, "a", &[(0, 9)], WANT);
    assert_eq!(partition.next_expiry(), Some(T0 + LIMITS.lock));
    let later = T0 + Duration::from_secs(20);
    let renew = Acknowledgement { first: 5, last: 9, kinds: &[Kind::Renew] };
    assert_eq!(partition.acknowledge("a", &[renew], later), Ok(None), "there is nothing to store");
    assert_eq!(partition.expire(T0 + LIMITS.lock - Duration::from_millis(1)), None);
    let change = partition.expire(T0 + LIMITS.lock).unwrap();
    assert_eq!(
        change.batches,
        [StoredBatch { first: 0, last: 4, state: StoredState::Available, deliveries: 1 }]
    );
    assert_eq!(say(&mut partition, "a", 0, 4, Kind::Accept), Err(Refusal::NotAcquired));
    assert_eq!(partition.next_expiry(), Some(later + LIMITS.lock));
    partition.set_limits(Limits { renewable: false, ..LIMITS });
    assert_eq!(partition.acknowledge("a", &[renew], later), Err(Refusal::NotRenewable));
}

#[test]
fn what_fails_again_and_again_is_given_in_smaller_pieces_and_then_no_more() {
    let mut partition = empty();
    let mut given = Vec::new();
    for _ in 0..40 {
        let entries = take(&mut partition, "a", &[(0, 7)], WANT);
        let Some(change) = partition.release_member("a") else { break };
        partition.written(change.id, true);
        given.extend(entries);
    }
    assert_eq!(given[..3], [(0, 7, 1), (0, 7, 2), (0, 7, 3)]);
    assert_eq!(given[3], (0, 3, 4), "half of it");
    assert_eq!(
        given.iter().filter(|entry| entry.2 == 5).count(),
        8,
        "the last time each is alone: {given:?}"
    );
    assert_eq!((partition.start(), partition.end()), (8, 8));
}

#[test]
fn what_fails_again_and_again_comes_alone() {
    let stored = |first, last, deliveries| StoredBatch {
        first,
        last,
        state: StoredState::Available,
        deliveries,
    };
    // A portion is of all that failed together, whatever batches it came in.
    let log = [(0, 2), (3, 9), (10, 12)];
    let mut partition = Partition::new(LIMITS, 0, &[stored(0, 7, 3)]).unwrap();
    assert_eq!(take(&mut partition, "a", &log, WANT), [(0, 3, 4)]);
    assert_eq!(take(&mut partition, "a", &log[1..], WANT), [(4, 5, 4)]);
    // Nothing goes with it, neither before nor behind.
    let mut partition = Partition::new(LIMITS, 0, &[stored(0, 0, 1), stored(1, 1, 3)]).unwrap();
    assert_eq!(take(&mut partition, "a", &log, WANT), [(0, 0, 2)]);
    assert_eq!(take(&mut partition, "a", &log, WANT), [(1, 1, 4)]);
    assert_eq!(take(&mut partition, "a", &log, WANT), [(2, 12, 1)]);
    // The last delivery is one of a single record.
    let mut partition = Partition::new(LIMITS, 0, &[stored(0, 7, 4)]).unwrap();
    assert_eq!(take(&mut partition, "a", &log, WANT), [(0, 0, 5)]);
}

#[test]
fn what_was_left_of_a_batch_is_an_entry_of_its_own() {
    let strict = Want { records_max: 4, strict: true, ..WANT };
    let log = [(0, 4), (5, 9)];
    let mut partition = empty();
    assert_eq!(take(&mut partition, "a", &log, strict), [(0, 3, 1)]);
    assert_eq!(take(&mut partition, "a", &log, strict), [(4, 4, 1), (5, 7, 1)]);
}

#[test]
fn no_more_is_in_flight_than_may_be() {
    let mut partition = Partition::new(Limits { in_flight_max: 15, ..LIMITS }, 0, &[]).unwrap();
    assert_eq!(
        take(&mut partition, "a", &[(0, 9), (10, 19), (20, 29)], WANT),
        [(0, 19, 1)],
        "whole batches"
    );
    assert!(!partition.may_acquire());
    assert_eq!(take(&mut partition, "a", &[(20, 29)], WANT), []);
    say(&mut partition, "a", 10, 12, Kind::Release).unwrap();
    assert!(partition.may_acquire(), "what was given back may be given again");
    assert_eq!(take(&mut partition, "b", &[(10, 19), (20, 29)], WANT), [(10, 12, 2)]);
    say(&mut partition, "a", 0, 9, Kind::Accept).unwrap();
    assert_eq!(take(&mut partition, "b", &[(20, 29)], WANT), [(20, 29, 1)]);
}

#[test]
fn offsets_without_records_are_done_with() {
    let mut partition = empty();
    let log = [
        ReadBatch { first: 2, last: 3, hidden: false },
        ReadBatch { first: 4, last: 5, hidden: true },
        ReadBatch { first: 8, last: 9, hidden: false },
    ];
    assert_eq!(
        entries(&partition.acquire(&member("a"), 0, &log, WANT, T0)),
        [(2, 3, 1), (8, 9, 1)]
    );
    assert_eq!(partition.start(), 2);
    say(&mut partition, "a", 2, 3, Kind::Accept).unwrap();
    assert_eq!(partition.start(), 8);
    partition.log_starts_at(20);
    assert_eq!((partition.start(), partition.end(), partition.next_fetch_offset()), (20, 20, 20));
}

#[test]
fn what_is_stored_is_taken_up_and_what_contradicts_itself_is_not() {
    let batch = |first, last, state, deliveries| StoredBatch { first, last, state, deliveries };
    let stored = [
        batch(10, 11, StoredState::Archived, 5),
        batch(14, 15, StoredState::Acknowledged, 1),
        batch(16, 17, StoredState::Available, 3),
    ];
    let mut partition = Partition::new(LIMITS, 10, &stored).unwrap();
    assert_eq!((partition.start(), partition.end(), partition.next_fetch_offset()), (12, 18, 12));
    assert_eq!(take(&mut partition, "a", &[(10, 13), (14, 17), (18, 20)], WANT), [(12, 13, 1)]);
    assert_eq!(
        take(&mut partition, "a", &[(14, 17), (18, 20)], WANT),
        [(16, 16, 4)],
        "it fails often: alone, and half of it"
    );
    for bad in [
        vec![batch(9, 11, StoredState::Available, 1)],
        vec![batch(12, 11, StoredState::Available, 1)],
        vec![batch(12, 13, StoredState::Available, 1), batch(13, 14, StoredState::Available, 1)],
        vec![batch(12, i64::MAX, StoredState::Available, 1)],
    ] {
        assert!(Partition::new(LIMITS, 10, &bad).is_err(), "{bad:?}");
    }
}
