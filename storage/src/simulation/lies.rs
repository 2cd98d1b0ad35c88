//! A drive that lies: a write that it reports as done lies in another place, or nowhere.
//!
//! In some seeds that befalls one write, of a group, an extent, a segment, an index or a manifest, at any moment of a life; the life goes on
//! for a while, and ends in a kill or a power cut. Then must hold:
//! - The start is refused, or everything is served as it was appended, but for what is marked: before the scrubber was there, the first
//!   batch of an answer and whatever its reader finds good by its CRC; after it, every batch.
//! - A log that holds neither the place that was meant nor the one that was hit has no mark, and all that was promised of it, unless the
//!   commit log or a manifest was one of the two.
//!
//! What no drive can be found to have done: a group that was lost, or hit, above every recorded mark looks like a tear, and is cut.
//! With it go truncations and deletions that it held; logs of which that may be so are not compared then.

use std::path::Path;
use std::time::Duration;

use super::compacted::Walk;
use super::model::Log as Expected;
use super::opening::open_stores;
use super::reads::carry_out;
use super::workload::{LogOf, Rows, Shared};
use crate::batch::scan::{Batches, Front, front};
use crate::config::StoreOptions;
use crate::error::ReadError;
use crate::runtime::Runtime;
use crate::runtime::simulated::{Class, Fault, Faults, Injection, Simulated};
use crate::store::Store;
use crate::units::{Offset, PartitionId};

/// Far more than it takes.
const STEPS: u64 = 2_000_000;
/// Pauses in which the scrubber comes to its end.
const PAUSES: usize = 4_000;

/// What came of a lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Refused,
    Marked,
    /// Everything is there.
    Harmless,
}

/// A write soon is not what it says.
pub(super) fn lie(random: &mut impl rand::Rng) -> Injection {
    let fault = if random.random_ratio(3, 4) { Fault::Misdirected } else { Fault::Lost };
    Injection { class: Class::Write, fault, after: random.random_range(0..200), times: 1 }
}

/// The life after it.
pub(super) fn judge(
    runtime: &Simulated,
    options: &StoreOptions,
    model: &Shared,
) -> Result<Fate, String> {
    runtime.disk().inject_no_more();
    runtime.disk().set_faults(Faults::default());
    runtime.disk().set_room(None);
    let judged = look(runtime.clone(), options.clone(), model.clone());
    runtime.run(STEPS, judged).unwrap_or_else(|| Err("it does not come to an end".to_owned()))
}

async fn look(runtime: Simulated, options: StoreOptions, model: Shared) -> Result<Fate, String> {
    let opened = open_stores(&runtime, &options, &model, &Rows::default()).await;
    let Ok((stores, _)) = opened else { return Ok(Fate::Refused) };
    let mut logs: Vec<(PartitionId, Expected)> =
        model.borrow().logs.iter().map(|(id, log)| (*id, log.clone())).collect();
    for (id, expected) in &mut logs {
        if let Some(log) = stores.iter().find_map(|store| store.log(*id)) {
            expected.settle_truncation(log.end());
        }
    }
    let is_logs = is_about_the_log(&runtime, &options);
    let mut marks = 0;
    for is_strict in [false, true] {
        if is_strict {
            stores.iter().for_each(Store::serve);
            scrub(&runtime, &stores).await?;
        }
        for (id, expected) in &logs {
            let Some(log) = stores.iter().find_map(|store| store.log(*id)) else {
                return Err(format!("{id:?} is not there"));
            };
            if is_logs && expected.restarted {
                continue;
            }
            if log.end() > expected.end {
                return Err(format!("{id:?} ends at {:?}, and had {:?}", log.end(), expected.end));
            }
            // What the start has found is durable, and the cleaner goes by it.
            let mut found = expected.clone();
            found.durable = found.durable.max(log.durable());
            let read = read(&runtime, &log, found, is_strict).await;
            read.map_err(|what| format!("{}, strict {is_strict}: {what}", expected.topic))?;
            let is_hit = runtime.disk().lied_about(&log.state().directory);
            let found = log.damage().len();
            marks += found;
            if !is_hit && (found > 0 || (!is_logs && log.end() < expected.written)) {
                let (end, written) = (log.end(), expected.written);
                return Err(format!(
                    "{}: {found} marks, {end:?} of {written:?}, and no write of it was bad",
                    expected.topic
                ));
            }
        }
    }
    Ok(if marks > 0 { Fate::Marked } else { Fate::Harmless })
}

/// Whether the lie was about what recovery goes by.
fn is_about_the_log(runtime: &Simulated, options: &StoreOptions) -> bool {
    let disk = runtime.disk();
    let names = disk.names(&options.directory);
    let mut paths = names.iter().filter(|name| name.starts_with("odradek"));
    paths.any(|name| disk.lied_about(&Path::new(&options.directory).join(name)))
}

/// Everything was looked at twice.
async fn scrub(runtime: &Simulated, stores: &[Store<Simulated>]) -> Result<(), String> {
    for _ in 0..PAUSES {
        let is_done = |store: &Store<Simulated>| {
            let stats = store.stats();
            stats.scrubs > 1 || stats.offline
        };
        if stores.iter().all(is_done) {
            return Ok(());
        }
        runtime.sleep(Duration::from_millis(2)).await;
    }
    Err("the scrubber does not come to an end".to_owned())
}

async fn read(
    runtime: &Simulated,
    log: &LogOf,
    mut expected: Expected,
    is_strict: bool,
) -> Result<(), String> {
    let (mut at, mut walk) = (log.log_start(), Walk::default());
    while at < log.end() {
        let plan = match log.read(at, log.end(), 8 << 10, true).await {
            Ok(plan) => plan,
            Err(ReadError::Damaged { .. }) => {
                // Compaction may have left nothing before what is marked.
                let marks = log.damage();
                let mark = marks.iter().find(|mark| {
                    at < mark.to && expected.may_be_empty(at, mark.from.max(at), runtime.now())
                        || (mark.from..mark.to).contains(&at)
                });
                at = mark.ok_or_else(|| format!("an error at {at:?}, and no mark"))?.to;
                continue;
            }
            // The log start has moved.
            Err(ReadError::OutOfRange { log_start, .. }) if log_start > at => {
                at = log_start;
                continue;
            }
            Err(error) => return Err(format!("{at:?} cannot be read: {error}")),
        };
        let bytes = carry_out(runtime, plan).await;
        let mut batches = Batches::new(bytes.clone());
        let mut next = at;
        while let Some(batch) = batches.next() {
            let is_first = next == at;
            let original = expected.from(next).first().cloned();
            let Some(original) = original else { return Err(format!("{next:?} was never there")) };
            match batch {
                Ok(batch) => {
                    let is_whole = original.base == batch.base_offset()
                        && original.last == batch.last_offset()
                        && original.payload == batch.payload();
                    let checked = match is_whole || expected.compaction.on {
                        true => expected.check_compacted(&batch, next, runtime.now(), &mut walk),
                        false => Err("it is not what was appended".to_owned()),
                    };
                    match checked {
                        Ok(()) => next = batch.last_offset().next(),
                        Err(_) if !is_strict && !is_first => break,
                        Err(what) => return Err(format!("{:?}: {what}", batch.header())),
                    }
                }
                Err(error) => {
                    let rest = bytes.slice(batches.position()..);
                    if matches!(front(&rest), Front::Partial { .. }) && !is_first {
                        break;
                    }
                    if is_strict {
                        return Err(format!("a bad batch is served at {next:?}: {error}"));
                    }
                    // Its reader knows.
                    next = original.last.next().max(Offset(next.0 + 1));
                    break;
                }
            }
        }
        if next == at && expected.may_be_empty(at, log.end(), runtime.now()) {
            return Ok(());
        }
        if next == at {
            return Err(format!("nothing is served at {at:?}"));
        }
        at = next;
    }
    Ok(())
}
