//! The storage engine under a simulated machine: random operations, kills and power cuts at any step, a model beside it.
//!
//! - [`nothing_is_lost`] runs [`SEEDS`] seeds, prints how often recovery took each row of its table, and fails if it never took one
//!   (but [`RARE`]).
//! - [`planted_bugs_are_caught`] plants each bug of [`PLANTED`] and prints how many seeds it takes until a run fails. A bug that is not
//!   caught within [`SEEDS`] fails the test; the rarest take the long form (`ODRADEK_LONG=1`).
//! - [`one_seed`] runs one again (`ODRADEK_SEED`), with its story, and a bug if one is named (`ODRADEK_PLANT`).
//!
//! - [`shrink_seed`] finds a smaller run that fails, too, and tells its story.
//!
//! `scripts/simulate` is the way to all of them; `ODRADEK_SEEDS` and `ODRADEK_FIRST_SEED` change the range.
//!
//! A directory has one to three shards, whose number changes; all of them run under the one scheduler. Not here: Kafka on our directory
//! after a clean stop; several log directories, which [`moves`] has; and what does not exist yet: spare files.

mod compacted;
mod faults;
mod files;
pub(crate) mod hand;
mod lies;
pub(crate) mod life;
mod model;
mod moves;
mod opening;
mod reads;
mod scope;
mod shrink;
mod telling;
mod topics;
mod workload;

use crate::planted::{Bug, plant};
use crate::recovery::Row;
use life::{Verdict, run_seed};
use scope::Scope;

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
        let verdict = judge(&Scope::all(seed));
        if let Some(failure) = &verdict.failure {
            println!("seed {seed}: {failure}\n  scripts/simulate shrink {seed}");
            failures += 1;
        }
        total.add(&verdict);
    }
    let Verdict { lives, steps, calls, completions, .. } = total;
    println!("{} rounds of the cleaner removed {} records", total.cleanings, total.removed);
    let [refused, marked, harmless] = total.lies;
    println!(
        "writes lost or misdirected: {refused} refused, {marked} marked, {harmless} without consequence"
    );
    println!(
        "{seeds} seeds, {lives} lives, {} changes of the number of shards, {steps} steps, {} operations: {calls} calls of the store, \
         {completions} completions of the disk; rows of the recovery table:",
        total.changes,
        calls + completions
    );
    // For `scripts/simulate long`.
    let changes = total.changes;
    println!(
        "range {first} {seeds} {failures} {lives} {steps} {calls} {completions} {changes} {refused} {marked} {harmless}"
    );
    for row in Row::ALL {
        println!("{:>10} {row:?}", total.rows[row as usize]);
    }
    assert_eq!(failures, 0, "seeds that failed");
    let is_never = |row: &Row| total.rows[*row as usize] == 0 && *row != RARE;
    let never: Vec<Row> = Row::ALL.into_iter().filter(is_never).collect();
    assert!(never.is_empty() || seeds < SEEDS, "never hit: {never:?}");
}

/// Runs a seed. A broken assertion of ours is a failure like any other.
fn judge(scope: &Scope) -> Verdict {
    std::panic::catch_unwind(|| run_seed(scope, false)).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Verdict { failure: Some(format!("panicked: {what:?}")), ..Verdict::default() }
    })
}

#[test]
fn one_seed() {
    let Some(scope) = scope() else { return };
    plant(planted_by_name());
    let Verdict { failure, steps, lives, .. } = telling::tell(|| run_seed(&scope, true));
    plant(None);
    println!("seed {scope}: {lives} lives, {steps} steps: {failure:?}");
    assert!(failure.is_none());
}

fn scope() -> Option<Scope> {
    let text = std::env::var("ODRADEK_SEED").ok()?;
    Some(text.parse().unwrap_or_else(|what| panic!("{what}")))
}

/// Looks for a smaller run that fails, too, and tells its story.
#[test]
fn shrink_seed() {
    let Some(scope) = scope().filter(|_| number("ODRADEK_SHRINK").is_some()) else { return };
    plant(planted_by_name());
    let found = shrink::shrink(scope);
    if let Some((smallest, _)) = &found {
        // A panic ends the story, not the test.
        let _ = std::panic::catch_unwind(|| telling::tell(|| run_seed(smallest, true)));
    }
    plant(None);
    match found {
        Some((smallest, failure)) => {
            println!("{failure}\n  scripts/simulate one '{smallest}'");
        }
        None => panic!("it does not fail"),
    }
}

/// What a failure is shrunk to fails, too, and is small.
#[test]
fn a_failure_shrinks() {
    let seed = {
        plant(Some(Bug::AcknowledgedAtAppend));
        (0..SEEDS).find(|seed| judge(&Scope::all(*seed)).failure.is_some()).expect("it is caught")
    };
    let found = shrink::shrink(Scope::all(seed));
    let (smallest, _) = found.expect("it fails");
    let again = judge(&smallest);
    plant(None);
    assert!(again.failure.is_some() && again.lives <= 2 && smallest.topics == 1, "{smallest}");
}

fn planted_by_name() -> Option<Bug> {
    named_among(PLANTED.iter().map(|(bug, _)| *bug))
}

/// The bug that `ODRADEK_PLANT` names, if it is set.
fn named_among(bugs: impl Iterator<Item = Bug> + Clone) -> Option<Bug> {
    let name = std::env::var("ODRADEK_PLANT").ok()?;
    let found = bugs.clone().find(|bug| format!("{bug:?}") == name);
    let names = || bugs.clone().collect::<Vec<_>>();
    Some(found.unwrap_or_else(|| panic!("ODRADEK_PLANT={name} is none of {:?}", names())))
}

/// Whether a bug is planted now: the one that was named, or those of the ordinary run, or of the long one all.
fn is_asked_for(bug: Bug, ordinary: bool, named: Option<Bug>) -> bool {
    let long = number("ODRADEK_LONG").is_some();
    named.map_or(ordinary || long, |named| named == bug)
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
    (Bug::DestroyedAtDurable, true),
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
    (Bug::LinkNotDurable, true),
    (Bug::LateWrites, true),
    (Bug::RotByGroupsWalked, true),
    (Bug::NoMarkInManifest, true),
    (Bug::DirectoryIsList, true),
    (Bug::EntryWithoutPlace, true),
    (Bug::CleanedUnsynced, true),
    (Bug::CleanedDirectoryUnsynced, true),
    (Bug::SwappedBeforeManifest, true),
    (Bug::SwapNotCompleted, true),
    (Bug::SwapsUnrecorded, true),
    (Bug::KeyMapForgets, true),
    (Bug::TombstonesGoAtOnce, true),
    (Bug::EntriesOfCleanedReplayed, true),
    (Bug::TailKeptBySwap, true),
    (Bug::ReaderNotDisturbed, true),
    (Bug::TruncationNotLogged, true),
    (Bug::CutRemainderNotLogged, true),
    (Bug::CutTakenForKnown, true),
    (Bug::CutTailKept, true),
    (Bug::TruncationReplayedAgain, false),
    (Bug::CutUnsynced, true),
    (Bug::EpochsNotCut, true),
    (Bug::ProducersNotCut, true),
    (Bug::SnapshotsKept, true),
    (Bug::ShardsChangedUncleanly, true),
    (Bug::ShardsChangedOneByOne, true),
    (Bug::DeleteNotReplayed, true),
    (Bug::RetentionNotLogged, true),
    (Bug::FullTakenForWritten, true),
    (Bug::SyncTriedAgain, true),
];

#[test]
fn planted_bugs_are_caught() {
    let long = number("ODRADEK_LONG").is_some();
    let named = planted_by_name();
    let limit = if long { 200_000 } else { SEEDS };
    let mut missed = Vec::new();
    for (bug, ordinary) in PLANTED {
        if !is_asked_for(*bug, *ordinary, named) {
            continue;
        }
        plant(Some(*bug));
        let caught = (0..limit).find(|seed| judge(&Scope::all(*seed)).failure.is_some());
        plant(None);
        match caught {
            Some(seed) => println!("{:>7} seeds catch {bug:?}", seed + 1),
            None => missed.push(*bug),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
