//! Faults of the disk, one in each trial: operations that fail or are late, writes that are lost or go astray, and files that are not
//! what they were when they are looked at again.
//!
//! A trial has a life in which batches are appended ([`trial`]), and three in which it is judged ([`judge`]): without the scrubber, with it, and
//! without again. Each fault must be accounted for: refused by recovery, answered with an error, marked, built anew, or without any
//! consequence: then everything is there as it was appended. What is marked is an error from then on, also after a stop; everything
//! else is served; nothing bad is served as good.
//!
//! - [`faults_are_accounted_for`] prints the table by kind (`ODRADEK_FAULTS` trials, from the seed `ODRADEK_FIRST_SEED` on).
//! - [`planted_bugs_are_found`] plants what would make a fault pass unnoticed.
//! - `scripts/simulate faults` is the way to both; `ODRADEK_FAULT_SEED` runs one trial again.

mod check;
mod feed;
mod judge;
mod trial;
mod wound;

use std::collections::BTreeMap;

use super::number;
use crate::planted::{Bug, plant};
use trial::{Outcome, run};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Writes, syncs, reads fail with EIO, from one on.
    WritesFail,
    SyncsFail,
    ReadsFail,
    /// One sync fails, and those that follow succeed.
    SyncFailsOnce,
    /// For a while there is no room.
    Full,
    /// Operations take 10 ms to 5 s.
    Stalls,
    /// A write is reported as done, and was not done, or in another place.
    WriteLost,
    WriteMisdirected,
    /// The process ends in the middle of its writes.
    TornTail,
    Flipped(Target),
    Zeroed(Target),
    Swapped(Target),
    Stale(Target),
}

/// What is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Log,
    OffsetIndex,
    TimeIndex,
    Snapshot,
    Checkpoint,
    CommitLog,
    Manifest,
    /// The file that says what is damaged.
    Marks,
    MetadataLog,
}

/// Trials of the ordinary run.
const TRIALS: u64 = 450;

fn kinds() -> Vec<Kind> {
    use Target::*;
    let targets = [
        Log,
        OffsetIndex,
        TimeIndex,
        Snapshot,
        Checkpoint,
        CommitLog,
        Manifest,
        Marks,
        MetadataLog,
    ];
    let mut kinds = vec![
        Kind::WritesFail,
        Kind::SyncsFail,
        Kind::ReadsFail,
        Kind::SyncFailsOnce,
        Kind::Full,
        Kind::Stalls,
        Kind::WriteLost,
        Kind::WriteMisdirected,
        Kind::TornTail,
    ];
    kinds.extend(targets.map(Kind::Flipped));
    kinds.extend(targets.map(Kind::Zeroed));
    // These have more than one block, and are written in place.
    kinds.extend([Log, CommitLog, MetadataLog].map(Kind::Swapped));
    kinds.extend([Log, OffsetIndex, TimeIndex, CommitLog, MetadataLog].map(Kind::Stale));
    kinds
}

/// What became of the faults of a kind.
#[derive(Default)]
struct Row {
    injected: u64,
    by_outcome: BTreeMap<&'static str, u64>,
    /// Batches that a mark takes with it although the fault did not touch them, at most.
    beside: usize,
}

fn judge(kinds: &[Kind], seed: u64) -> Outcome {
    let kind = kinds[usize::try_from(seed).expect("few") % kinds.len()];
    std::panic::catch_unwind(|| run(kind, seed)).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Outcome::Violation(format!("panicked: {what:?}"))
    })
}

#[test]
fn faults_are_accounted_for() {
    let kinds = kinds();
    let first = number("ODRADEK_FIRST_SEED").unwrap_or(0);
    let trials = number("ODRADEK_FAULTS").unwrap_or(TRIALS);
    let mut table: BTreeMap<String, Row> = BTreeMap::new();
    let mut violations = 0;
    for seed in first..first + trials {
        let kind = kinds[usize::try_from(seed).expect("few") % kinds.len()];
        let row = table.entry(format!("{kind:?}")).or_default();
        let outcome = judge(&kinds, seed);
        if let Outcome::Violation(what) = &outcome {
            println!("seed {seed}, {kind:?}: {what}\n  scripts/simulate fault {seed}");
            violations += 1;
        }
        if let Some((name, beside)) = outcome.told() {
            row.injected += 1;
            row.beside = row.beside.max(beside);
            *row.by_outcome.entry(name).or_default() += 1;
        }
    }
    print(&table);
    assert_eq!(violations, 0, "faults that were not accounted for");
    let never: Vec<&String> =
        table.iter().filter(|(_, row)| row.injected == 0).map(|(kind, _)| kind).collect();
    assert!(never.is_empty() || trials < TRIALS, "never injected: {never:?}");
}

fn print(table: &BTreeMap<String, Row>) {
    println!("{:<24} {:>8}", "fault", "injected");
    let mut total = BTreeMap::new();
    for (kind, row) in table {
        let parts = row.by_outcome.iter().map(|(name, count)| format!("{count} {name}"));
        let parts: Vec<String> = parts.collect();
        println!("{kind:<24} {:>8}  {} (beside it {})", row.injected, parts.join(", "), row.beside);
        for (name, count) in &row.by_outcome {
            *total.entry(*name).or_insert(0) += count;
        }
    }
    let injected: u64 = table.values().map(|row| row.injected).sum();
    let parts: Vec<String> = total.iter().map(|(name, count)| format!("{count} {name}")).collect();
    println!("{:<24} {injected:>8}  {}", "all", parts.join(", "));
}

#[test]
fn one_fault() {
    let Some(seed) = number("ODRADEK_FAULT_SEED") else { return };
    let kinds = kinds();
    plant(super::named_among(PLANTED.iter().copied()));
    let kind = kinds[usize::try_from(seed).expect("few") % kinds.len()];
    let outcome = run(kind, seed);
    plant(None);
    println!("{kind:?}: {outcome:?}");
    assert!(!matches!(outcome, Outcome::Violation(_)));
}

const PLANTED: [Bug; 7] = [
    Bug::SyncTriedAgain,
    Bug::CrcNotChecked,
    Bug::HeaderBelieved,
    Bug::SuspicionNotExamined,
    Bug::MarkNotAsked,
    Bug::MarkInMemoryOnly,
    Bug::IndexNotRebuilt,
];

#[test]
fn planted_bugs_are_found() {
    let kinds = kinds();
    let mut missed = Vec::new();
    for bug in PLANTED {
        plant(Some(bug));
        let caught = (0..2_000).find(|seed| matches!(judge(&kinds, *seed), Outcome::Violation(_)));
        plant(None);
        match caught {
            Some(seed) => println!("{:>7} trials find {bug:?}", seed + 1),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
