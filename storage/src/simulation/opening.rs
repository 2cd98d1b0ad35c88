//! Opens the store, and compares what is there with the model: every promise was kept.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::model::Appended;
use super::reads::read_all;
use super::workload::{Rows, Shared};
use crate::commit_log::files::LogDir;
use crate::config::{StoreName, StoreOptions};
use crate::error::OpenError;
use crate::recovery::RecoveryReport;
use crate::reshard::reshard;
use crate::runtime::Runtime;
use crate::runtime::simulated::Simulated;
use crate::store::Store;
use crate::units::{Offset, PartitionId};

/// The shard that a partition belongs to.
pub(super) fn owner(id: PartitionId, shards: u16) -> u16 {
    u16::try_from(id.topic.0.as_u128() % u128::from(shards)).expect("below the number of shards")
}

/// A store as its recovery left it.
pub(super) struct Found {
    report: RecoveryReport,
    /// Where its logs start before anything else runs: retention is at work while the directory's other stores are opened.
    starts: BTreeMap<PartitionId, Offset>,
}

/// Opens all stores of the directory, and compares.
pub(super) async fn open(
    runtime: &Simulated,
    options: &StoreOptions,
    model: &Shared,
    rows: &Rows,
) -> Result<Vec<Store<Simulated>>, OpenError> {
    let (stores, found) = open_stores(runtime, options, model, rows).await?;
    for (store, found) in stores.iter().zip(&found) {
        compare(runtime, store, found, model).await;
    }
    let known: Vec<(PartitionId, String)> =
        model.borrow().logs.iter().map(|(id, log)| (*id, log.topic.clone())).collect();
    let known = known.iter().map(|(id, topic)| (*id, topic.as_str()));
    stores[0].begin_serving(known).await?;
    stores.iter().for_each(Store::serve);
    Ok(stores)
}

/// Where the directory is to have another number of shards than before, and was not stopped cleanly, that is refused, and it goes on with the
/// number that it had.
pub(super) async fn open_stores(
    runtime: &Simulated,
    options: &StoreOptions,
    model: &Shared,
    rows: &Rows,
) -> Result<(Vec<Store<Simulated>>, Vec<Found>), OpenError> {
    let directory = &options.directory;
    runtime.lock(directory).await.map_err(OpenError::io(directory))?;
    let (mut shards, whole) = (options.shards, LogDir::whole(directory));
    let changed = reshard(runtime, whole, shards, |id| owner(id, shards)).await;
    match changed {
        Err(OpenError::Shards(_)) if !model.borrow().was_clean => {
            shards = model.borrow().shards;
            reshard(runtime, whole, shards, |id| owner(id, shards)).await?;
        }
        other => drop(other?),
    }
    {
        let mut model = model.borrow_mut();
        model.tell(|| format!("{shards} shards"));
        model.calls += 1;
        model.shards = shards;
    }
    let (mut stores, mut found) = (Vec::new(), Vec::new());
    for shard in 0..shards {
        let options = StoreOptions { name: StoreName::Shard(shard), shards, ..options.clone() };
        let placed = {
            let model = model.borrow();
            let own = model.logs.iter().filter(|(id, _)| owner(**id, shards) == shard);
            own.map(|(id, log)| (*id, log.topic.clone(), Arc::clone(&log.config))).collect()
        };
        let (store, report) = Store::open(runtime.clone(), options, placed).await?;
        let starts = store.logs().iter().map(|log| (log.id(), log.log_start())).collect();
        for (sum, more) in rows.borrow_mut().iter_mut().zip(report.rows) {
            *sum += more;
        }
        model.borrow_mut().tell(|| format!("opened {shard}: {report}"));
        stores.push(store);
        found.push(Found { report, starts });
    }
    Ok((stores, found))
}

/// Opens, compares, and leaves it at that.
pub(super) async fn open_only(
    runtime: Simulated,
    options: StoreOptions,
    model: Shared,
    rows: Rows,
) -> Result<Option<String>, OpenError> {
    let copy = Rc::new(RefCell::new(model.borrow().copy()));
    open(&runtime, &options, &copy, &rows).await?;
    let failure = copy.borrow_mut().failure.take();
    Ok(failure)
}

/// Every promise was kept, and everything that is there is right.
async fn compare(runtime: &Simulated, store: &Store<Simulated>, found: &Found, model: &Shared) {
    let report = &found.report;
    let options = &store.core().options;
    let is_own = |id: &PartitionId| StoreName::Shard(owner(*id, options.shards)) == options.name;
    let ids: Vec<PartitionId> = model.borrow().logs.keys().copied().filter(is_own).collect();
    for id in ids {
        let Some((start, log)) = found.starts.get(&id).copied().zip(store.log(id)) else {
            model.borrow_mut().fail(format!("{id:?} is not there"));
            continue;
        };
        let end = log.end();
        {
            let mut model = model.borrow_mut();
            let Some(expected) = model.logs.get_mut(&id) else { continue };
            let (promised, appended, was) = (expected.written, expected.end, expected.start);
            let topic = expected.topic.clone();
            let cut = expected.truncating.take();
            let truncated = cut.map(|to| expected.truncated(to).max(was));
            let promised = truncated.map_or(promised, |truncated| promised.min(truncated));
            // A truncation may have ended between what a compaction has left: the log went on there, or not.
            let is_boundary = |batch: &Appended| batch.last.next() == end || batch.base == end;
            let at_boundary = end == Offset(0)
                || end == appended
                || expected.batches.iter().any(is_boundary)
                || (end >= was && (cut == Some(end) || truncated == Some(end)));
            if cut.is_some() && end < appended {
                expected.truncate(end);
            }
            let may_move = expected.retains && start >= expected.starts[0] && start <= end;
            let start_known = expected.starts.contains(&start) || may_move;
            expected.cut(end.min(appended));
            expected.start = log.log_start();
            expected.starts = vec![start, expected.start];
            expected.epoch.0 += i32::from(report.raise_epochs.contains(&id));
            if end < promised || end > appended || !at_boundary || !start_known {
                model.fail(format!(
                    "{topic}: ends at {end:?}, promised {promised:?}, appended {appended:?}; starts at {start:?}, was {was:?}"
                ));
            }
            if end < appended && report.is_clean() {
                model.fail(format!("{topic}: a clean stop lost {end:?}..{appended:?}"));
            }
        }
        read_all(runtime, &log, id, model).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Durability;
    use crate::simulation::hand::{append, disk, run};
    use crate::simulation::life;
    use crate::simulation::model::{Log as Expected, Model};
    use crate::simulation::scope::Scope;

    /// Found by seed 30091, of the model: another store took its time to be opened, and retention had moved a start meanwhile. After a power cut
    /// that took this back, the start that had been found was not known.
    #[test]
    fn a_start_is_where_recovery_left_it() {
        run(1, &disk(), async move |runtime| {
            let id = crate::simulation::hand::id(1);
            let model = Rc::new(RefCell::new(Model::new(Scope::all(0), None)));
            let log = Expected::new("t", Arc::default(), 1);
            model.borrow_mut().logs.insert(id, log);
            let options = life::options(0, Durability::Sync);
            let opened = open_stores(&runtime, &options, &model, &Rows::default()).await;
            let (stores, found) = opened.unwrap();
            let log = stores[0].log(id).unwrap();
            append(&stores[0], &log, 10).await.ticket.await.unwrap();
            log.advance_log_start(log.end()).unwrap();
            // As if it had been found so: that is not what this is about.
            model.borrow_mut().logs.get_mut(&id).unwrap().end = log.end();
            compare(&runtime, &stores[0], &found[0], &model).await;
            assert_eq!(model.borrow().failure, None);
            assert_eq!(model.borrow().logs[&id].starts, [Offset(0), Offset(1)]);
        });
    }
}
