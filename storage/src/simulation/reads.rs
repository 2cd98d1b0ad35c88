//! Reads, and compares what is read with the model: everything that is there is right.

use bytes::{Bytes, BytesMut};

use super::compacted::Walk;
use super::model::Model;
use super::workload::{Life, LogOf, Shared};
use crate::batch::scan::Batches;
use crate::log::{ReadPlan, Slice};
use crate::runtime::Runtime;
use crate::runtime::simulated::{Simulated, SimulatedFile};
use crate::units::{Offset, PartitionId, Timestamp};

/// Reads a whole log and compares it.
pub(super) async fn read_all(runtime: &Simulated, log: &LogOf, id: PartitionId, model: &Shared) {
    loop {
        let (start, swaps) = (log.log_start(), log.state().swaps);
        let mut walk = Walk::default();
        let mut at = start;
        while at < log.end() {
            match read_some(runtime, log, id, (at, 20_000), model, &mut walk).await {
                Some(next) if next > at => at = next,
                _ => return,
            }
        }
        let is_same = (start, swaps) == (log.log_start(), log.state().swaps);
        let mut model = model.borrow_mut();
        let Some(expected) = model.logs.get_mut(&id).filter(|_| is_same) else {
            // A reader that is overtaken by the cleaner sees something of before and something of after.
            if model.logs.contains_key(&id) {
                continue;
            }
            return;
        };
        if swaps == 0 {
            // As recovery found it, and so as it stays.
            expected.compaction.gone.extend(walk.absent.iter().copied());
        }
        if let Err(what) = expected.check_latest(start, &walk) {
            print_state(log, &model);
            model.fail(format!("{id:?}: {what}"));
        }
        return;
    }
}

/// Reads from an offset, at most so many bytes, and compares; where to go on.
async fn read_some(
    runtime: &Simulated,
    log: &LogOf,
    id: PartitionId,
    (from, max_bytes): (Offset, usize),
    model: &Shared,
    walk: &mut Walk,
) -> Option<Offset> {
    let up_to = log.end();
    model.borrow_mut().calls += 1;
    let plan = match log.read(from, up_to, max_bytes, true).await {
        Ok(plan) => plan,
        Err(error) => {
            // Retention or deletion may have moved under us.
            if from >= log.log_start()
                && log.core().log(id).is_some()
                && log.core().check_online().is_ok()
            {
                let names = runtime.disk().names(&log.state().directory);
                print_state(log, &model.borrow());
                model.borrow_mut().fail(format!(
                    "{id:?} cannot be read at {from:?}: {error}; there are {names:?}"
                ));
            }
            return None;
        }
    };
    let bytes = carry_out(runtime, plan).await;
    let mut next = from;
    let mut batches = Batches::new(bytes.clone());
    for (index, batch) in batches.by_ref().enumerate() {
        let Ok(batch) = batch else { break };
        let mut model = model.borrow_mut();
        let expected = model.logs.get_mut(&id)?;
        let is_whole = expected.from(next).first().is_some_and(|found| {
            found.base == batch.base_offset()
                && found.last == batch.last_offset()
                && found.payload == batch.payload()
        });
        let epoch = (expected.from(next).first()).map(|found| found.epoch);
        let is_in_epoch = epoch == Some(batch.header().leader_epoch)
            && (batch.base_offset() < log.log_start()
                || log.epoch_at(batch.base_offset()) == epoch);
        if is_whole && !is_in_epoch {
            let (found, of) = (batch.header().leader_epoch, log.epoch_at(batch.base_offset()));
            model.fail(format!("{id:?}: {next:?} has {found:?}, and is of {of:?}, not {epoch:?}"));
            return None;
        }
        let checked = match is_whole || expected.compaction.on {
            true => expected.check_compacted(&batch, next, runtime.now(), walk),
            false => Err("not what was appended".to_owned()),
        };
        if let Err(what) = checked {
            print_state(log, &model);
            model.fail(format!(
                "{id:?}: batch {index} after {from:?} is {:?}, at {next:?}: {what}",
                batch.header()
            ));
            return None;
        }
        next = batch.last_offset().next();
    }
    if next == from
        && let Some(expected) = model.borrow().logs.get(&id)
        && expected.may_be_empty(from, up_to, runtime.now())
    {
        return Some(up_to);
    }
    if next == from && from < up_to && from >= log.log_start() && log.core().log(id).is_some() {
        print_state(log, &model.borrow());
        model.borrow_mut().fail(format!(
            "{id:?}: nothing readable at {from:?} below {up_to:?} in {} bytes",
            bytes.len()
        ));
        return None;
    }
    Some(next)
}

/// For the story: what the log knows of itself.
fn print_state(log: &LogOf, model: &Model) {
    if model.story.is_none() {
        return;
    }
    let state = log.state();
    println!(
        "{:?} starts at {:?}, ends at {:?}, readable from {:?}",
        state.id,
        state.log_start,
        state.end,
        state.tail.first_offset()
    );
    for segment in &state.segments {
        println!(
            "{:?}..{:?}: {} {} {}",
            segment.base, segment.next, segment.filed, segment.assigned, segment.length
        );
    }
    for piece in state.tail.pieces() {
        println!(
            "{:?} {}..{} {:?} {:?}",
            piece.segment,
            piece.position,
            piece.end(),
            piece.entry,
            piece.batch
        );
    }
}

/// The bytes of a plan.
pub(super) async fn carry_out(runtime: &Simulated, plan: ReadPlan<SimulatedFile>) -> Bytes {
    let mut bytes = BytesMut::new();
    for slice in plan.slices {
        match slice {
            Slice::Memory(part) => bytes.extend_from_slice(&part),
            Slice::File { file, position, length } => {
                let length = usize::try_from(length).expect("small");
                let part =
                    runtime.read_at(&file, position, length).await.expect("a simulated read");
                bytes.extend_from_slice(&part);
            }
        }
    }
    bytes.freeze()
}

impl Life {
    pub(super) async fn read(&self) {
        let Some((id, log)) = self.any() else { return };
        let (start, end) = (log.log_start(), log.end());
        let Ok(range) = u32::try_from(end.0 - start.0) else { return };
        if range > 0 {
            let from = start + i64::from(self.draw(range));
            let base = self
                .model
                .borrow()
                .logs
                .get(&id)
                .and_then(|log| log.from(from).first().map(|found| found.base));
            let from = base.unwrap_or(from).max(start);
            let bytes = 1 + self.draw(30_000) as usize;
            let mut walk = Walk::default();
            read_some(&self.runtime, &log, id, (from, bytes), &self.model, &mut walk).await;
            if self.draw(8) == 0 {
                read_all(&self.runtime, &log, id, &self.model).await;
            }
        }
    }

    pub(super) async fn seek(&self) {
        let Some((id, log)) = self.any() else { return };
        let (start, end) = (log.log_start(), log.end());
        self.count();
        let target = Timestamp(self.runtime.now() - i64::from(self.draw(2_000)));
        let found = log.offset_for_timestamp(target, end).await;
        let mut model = self.model.borrow_mut();
        let Some(expected) = model.logs.get(&id).filter(|_| log.log_start() == start) else {
            return;
        };
        let all = expected.from(start).iter().filter(|batch| batch.last < end);
        let want = all
            .into_iter()
            .find(|batch| batch.timestamp >= target)
            .map(|batch| batch.base.max(start));
        match found {
            Ok(_) if expected.compaction.on => {}
            Ok(found) if found.map(|found| found.offset) == want => {}
            Err(_) if log.core().check_online().is_err() => {}
            other => model.fail(format!("{id:?}: {target:?} is at {want:?}, found {other:?}")),
        }
    }
}
