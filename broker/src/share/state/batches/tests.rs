use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

fn batch(
    (first_offset, last_offset, delivery_state, delivery_count): (i64, i64, i8, i16),
) -> StateBatch {
    StateBatch { first_offset, last_offset, delivery_state, delivery_count }
}

#[track_caller]
fn check(
    known: &[(i64, i64, i8, i16)],
    new: &[(i64, i64, i8, i16)],
    start: i64,
    expected: &[(i64, i64, i8, i16)],
) {
    let batches = |of: &[(i64, i64, i8, i16)]| of.iter().copied().map(batch).collect::<Vec<_>>();
    assert_eq!(combine(&batches(known), &batches(new), start), batches(expected));
}

#[test]
fn what_is_further_holds() {
    check(&[], &[], -1, &[]);
    check(&[(100, 110, 0, 1)], &[], -1, &[(100, 110, 0, 1)]);
    // The same state: one range, whether they overlap or adjoin.
    check(&[(100, 110, 0, 1)], &[(105, 120, 0, 1)], -1, &[(100, 120, 0, 1)]);
    check(&[(100, 110, 0, 1)], &[(111, 120, 0, 1)], -1, &[(100, 120, 0, 1)]);
    check(&[(100, 110, 0, 1)], &[(112, 120, 0, 1)], -1, &[(100, 110, 0, 1), (112, 120, 0, 1)]);
    // Another state: the greater delivery count, then the greater state, wherever it comes from.
    check(&[(100, 110, 0, 1)], &[(100, 110, 2, 1)], -1, &[(100, 110, 2, 1)]);
    check(&[(100, 110, 2, 1)], &[(100, 110, 0, 1)], -1, &[(100, 110, 2, 1)]);
    check(&[(100, 110, 2, 1)], &[(100, 110, 0, 2)], -1, &[(100, 110, 0, 2)]);
    check(
        &[(100, 120, 0, 1)],
        &[(105, 110, 2, 1)],
        -1,
        &[(100, 104, 0, 1), (105, 110, 2, 1), (111, 120, 0, 1)],
    );
    check(&[(100, 120, 0, 2)], &[(105, 110, 2, 1)], -1, &[(100, 120, 0, 2)]);
    check(&[(100, 110, 0, 2)], &[(105, 120, 2, 1)], -1, &[(100, 110, 0, 2), (111, 120, 2, 1)]);
    check(&[(100, 110, 0, 1)], &[(105, 120, 0, 2)], -1, &[(100, 104, 0, 1), (105, 120, 0, 2)]);
}

#[test]
fn what_lies_below_the_start_falls_away() {
    check(&[(100, 110, 0, 1)], &[(120, 130, 2, 1)], 105, &[(105, 110, 0, 1), (120, 130, 2, 1)]);
    check(&[(100, 110, 0, 1)], &[(120, 130, 2, 1)], 111, &[(120, 130, 2, 1)]);
    check(&[(100, 110, 0, 1)], &[], 200, &[]);
    check(&[(i64::MIN, i64::MAX, 0, 1)], &[], 0, &[(0, i64::MAX, 0, 1)]);
}

#[test]
fn ranges_that_are_none_and_those_at_the_ends() {
    check(&[], &[(10, 9, 0, 1), (5, -5, 2, 3)], -1, &[]);
    check(
        &[(i64::MIN, i64::MAX, 0, 1)],
        &[(i64::MAX, i64::MAX, 2, 1), (i64::MIN, i64::MIN, 4, 1)],
        -1,
        &[
            (i64::MIN, i64::MIN, 4, 1),
            (i64::MIN + 1, i64::MAX - 1, 0, 1),
            (i64::MAX, i64::MAX, 2, 1),
        ],
    );
}

/// Offset by offset it is the heaviest range that holds the offset; and no two ranges could be one.
#[test]
fn at_each_offset_the_heaviest_range_holds() {
    let mut random = SmallRng::seed_from_u64(1);
    for round in 0..20_000 {
        let mut some = || {
            let ranges = random.random_range(0..7);
            (0..ranges)
                .map(|_| {
                    let first = random.random_range(0..30);
                    let last = first + random.random_range(0..12);
                    let state = [0, 2, 4][random.random_range(0..3)];
                    batch((first, last, state, random.random_range(1..4)))
                })
                .collect::<Vec<_>>()
        };
        let (known, new) = (some(), some());
        let start = random.random_range(-1..20);
        let combined = combine(&known, &new, start);
        for offset in 0..50 {
            let holds =
                |batch: &&StateBatch| (batch.first_offset..=batch.last_offset).contains(&offset);
            let heaviest = known.iter().chain(&new).filter(holds).map(StateBatch::weight).max();
            let expected = heaviest.filter(|_| offset >= start);
            let mut found = combined.iter().filter(holds).map(StateBatch::weight);
            assert_eq!(found.next(), expected, "round {round}: {known:?}, {new:?}, {start}");
            assert_eq!(found.next(), None, "round {round}: {combined:?}");
        }
        for pair in combined.windows(2) {
            let adjoin = pair[0].last_offset + 1 == pair[1].first_offset;
            assert!(pair[0].last_offset < pair[1].first_offset);
            assert!(!adjoin || pair[0].weight() != pair[1].weight(), "round {round}: {combined:?}");
        }
    }
}
