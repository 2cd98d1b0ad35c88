//! The storage engine under a simulated machine: random operations, kills and power cuts at any step, a model beside it.
//!
//! - [`nothing_is_lost`] runs [`SEEDS`] seeds, prints how often recovery took each row of its table, and fails if it never took one
//!   (but [`RARE`]).
//! - [`planted_bugs_are_caught`] plants each bug of [`PLANTED`] and prints how many seeds it takes until a run fails. A bug that is not
//!   caught within [`SEEDS`] fails the test; the rarest take the long form (`ODRADEK_LONG=1`).
//! - [`one_seed`] runs one again (`ODRADEK_SEED`), with its story, and a bug if one is named (`ODRADEK_PLANT`).
//!
//! `scripts/simulate` is the way to all three; `ODRADEK_SEEDS` and `ODRADEK_FIRST_SEED` change the range.
//!
//! Not here: a change of the number of shards (`reshard/tests.rs`), several stores in one directory, which share no file; Kafka on our
//! directory after a clean stop; and what does not exist yet: truncation, several log directories, spare files.

mod compacted;
mod faults;
mod files;
pub(crate) mod hand;
pub(crate) mod life;
mod model;
mod moves;
mod opening;
mod reads;
mod topics;
mod workload;

use crate::planted::{Bug, plant};
use crate::recovery::Row;
use life::{Verdict, run_seed};

/// One seed in some hundreds takes it: there is a test by hand.
const RARE: Row = Row::BatchFiled;
/// Seeds of the ordinary run.
const SEEDS: u64 = 2_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_is_lost() {
    let first = number("ODRADEK_FIRST_SEED").unwrap_or(0);
    let seeds = number("ODRADEK_SEEDS").unwrap_or(SEEDS);
    let mut total = Verdict::default();
    let mut failures = 0;
    for seed in first..first + seeds {
        let verdict = judge(seed);
        if let Some(failure) = &verdict.failure {
            println!("seed {seed}: {failure}\n  scripts/simulate one {seed}");
            failures += 1;
        }
        total.add(&verdict);
    }
    let Verdict { lives, steps, .. } = total;
    println!("{} rounds of the cleaner removed {} records", total.cleanings, total.removed);
    println!("{seeds} seeds, {lives} lives, {steps} steps; rows of the recovery table:");
    for row in Row::ALL {
        println!("{:>10} {row:?}", total.rows[row as usize]);
    }
    assert_eq!(failures, 0, "seeds that failed");
    let is_never = |row: &Row| total.rows[*row as usize] == 0 && *row != RARE;
    let never: Vec<Row> = Row::ALL.into_iter().filter(is_never).collect();
    assert!(never.is_empty() || seeds < SEEDS, "never hit: {never:?}");
}

/// Runs a seed. A broken assertion of ours is a failure like any other.
fn judge(seed: u64) -> Verdict {
    std::panic::catch_unwind(|| run_seed(seed, false)).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Verdict { failure: Some(format!("panicked: {what:?}")), ..Verdict::default() }
    })
}

#[test]
fn one_seed() {
    let Some(seed) = number("ODRADEK_SEED") else { return };
    plant(planted_by_name());
    let Verdict { failure, steps, lives, .. } = run_seed(seed, true);
    plant(None);
    println!("seed {seed}: {lives} lives, {steps} steps: {failure:?}");
    assert!(failure.is_none());
}

fn planted_by_name() -> Option<Bug> {
    let name = std::env::var("ODRADEK_PLANT").ok()?;
    PLANTED.iter().map(|(bug, _)| *bug).find(|bug| format!("{bug:?}") == name)
}

/// The bugs, and whether the ordinary run must catch them (the others take the long form).
const PLANTED: &[(Bug, bool)] = &[
    (Bug::AcknowledgedAtAppend, true),
    (Bug::AcknowledgedAtSubmission, true),
    (Bug::AcknowledgedWithoutExtents, true),
    (Bug::MarkBeforeSync, true),
    (Bug::DsyncIsPrefix, true),
    (Bug::MarkAfterFirstSync, true),
    (Bug::SyncWithoutSegments, true),
    (Bug::RemainderNotLogged, true),
    (Bug::ManifestBeforeSyncfs, true),
    (Bug::ManifestUnsynced, true),
    (Bug::ManifestDirectoryUnsynced, true),
    (Bug::RecoverySyncsNothing, true),
    (Bug::RecoverySyncsNoSegments, true),
    (Bug::RecoverySyncsNoDirectory, false),
    (Bug::OldIdUsedAgain, true),
    (Bug::ExtentUnchecked, true),
    (Bug::SegmentDirectoryUnsynced, true),
    (Bug::DestroyedAtOnce, true),
    (Bug::DestroyedAtWritten, true),
    (Bug::DestroyedAtDurable, false),
    (Bug::CleanEndNotLogged, true),
    (Bug::CleanEndNotWaitedFor, false),
    (Bug::NameUsedAgain, true),
    (Bug::RenamedAfterManifest, true),
    (Bug::BelowExtentDropped, true),
    (Bug::OneReplayPointForAll, true),
    (Bug::ReplayPointPerGroup, true),
    (Bug::StateNotWaitedFor, true),
    (Bug::CleanBelieved, true),
    (Bug::OldIdPreferred, true),
    (Bug::LinkNotDurable, false),
    (Bug::LateWrites, true),
    (Bug::RotByGroupsWalked, true),
    (Bug::NoMarkInManifest, true),
    (Bug::DirectoryIsList, true),
    (Bug::EntryWithoutPlace, true),
    (Bug::CleanedUnsynced, false),
    (Bug::CleanedDirectoryUnsynced, true),
    (Bug::SwappedBeforeManifest, true),
    (Bug::SwapNotCompleted, true),
    (Bug::SwapsUnrecorded, true),
    (Bug::KeyMapForgets, true),
    (Bug::TombstonesGoAtOnce, true),
    (Bug::EntriesOfCleanedReplayed, true),
    (Bug::TailKeptBySwap, true),
    (Bug::ReaderNotDisturbed, true),
];

#[test]
fn planted_bugs_are_caught() {
    let long = number("ODRADEK_LONG").is_some();
    let only = std::env::var("ODRADEK_PLANT").ok();
    let limit = if long { 200_000 } else { SEEDS };
    let mut missed = Vec::new();
    for (bug, ordinary) in PLANTED {
        if only.as_ref().is_some_and(|only| *only != format!("{bug:?}")) || !(*ordinary || long) {
            continue;
        }
        plant(Some(*bug));
        let caught = (0..limit).find(|seed| judge(*seed).failure.is_some());
        plant(None);
        match caught {
            Some(seed) => println!("{:>7} seeds catch {bug:?}", seed + 1),
            None => missed.push(*bug),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
