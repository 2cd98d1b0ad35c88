//! Opens the store, and compares what is there with the model: every promise was kept.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::reads::read_all;
use super::workload::{Rows, Shared};
use crate::config::StoreOptions;
use crate::error::OpenError;
use crate::recovery::RecoveryReport;
use crate::runtime::simulated::Simulated;
use crate::store::Store;
use crate::units::{Offset, PartitionId};

pub(super) async fn open(
    runtime: &Simulated,
    options: StoreOptions,
    model: &Shared,
    rows: &Rows,
) -> Result<Store<Simulated>, OpenError> {
    let placed = {
        let model = model.borrow();
        model
            .logs
            .iter()
            .map(|(id, log)| (*id, log.topic.clone(), Arc::clone(&log.config)))
            .collect()
    };
    let (store, report) = Store::open(runtime.clone(), options, placed).await?;
    rows.borrow_mut().clone_from(&report.rows);
    model.borrow_mut().tell(|| format!("opened: {report}"));
    compare(runtime, &store, &report, model).await;
    store.begin_serving([]).await?;
    store.serve();
    Ok(store)
}

/// Opens, compares, and leaves it at that.
pub(super) async fn open_only(
    runtime: Simulated,
    options: StoreOptions,
    model: Shared,
    rows: Rows,
) -> Result<Option<String>, OpenError> {
    let copy = Rc::new(RefCell::new(model.borrow().copy()));
    open(&runtime, options, &copy, &rows).await?;
    let failure = copy.borrow_mut().failure.take();
    Ok(failure)
}

/// Every promise was kept, and everything that is there is right.
async fn compare(
    runtime: &Simulated,
    store: &Store<Simulated>,
    report: &RecoveryReport,
    model: &Shared,
) {
    let ids: Vec<PartitionId> = model.borrow().logs.keys().copied().collect();
    // Retention is at work already: this is where the logs start before anything is awaited.
    let found: Vec<_> =
        ids.into_iter().map(|id| (id, store.log(id).map(|log| (log.log_start(), log)))).collect();
    for (id, found) in found {
        let Some((start, log)) = found else {
            model.borrow_mut().fail(format!("{id:?} is not there"));
            continue;
        };
        let end = log.end();
        {
            let mut model = model.borrow_mut();
            let Some(expected) = model.logs.get_mut(&id) else { continue };
            let (promised, appended, was) = (expected.written, expected.end, expected.start);
            let topic = expected.topic.clone();
            let at_boundary =
                end == Offset(0) || expected.batches.iter().any(|batch| batch.last.next() == end);
            let may_move = expected.retains && start >= expected.starts[0] && start <= end;
            let start_known = expected.starts.contains(&start) || may_move;
            expected.cut(end.min(appended));
            expected.start = log.log_start();
            expected.starts = vec![start, expected.start];
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
