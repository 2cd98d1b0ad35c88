//! After a clean stop the directory is Kafka's, and the list of segments: each partition's `.log` files are those of the log, its
//! batches and nothing else, the indexes hold what Kafka's rules ask for, and no file is there that is not known.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use super::compacted::Walk;
use super::model::{Log, Model};
use crate::batch::scan::Batches;
use crate::config::StoreOptions;
use crate::index::{OffsetIndex, TimeIndex};
use crate::runtime::Runtime;
use crate::runtime::simulated::{Disk, Simulated};
use crate::store::Store;
use crate::units::{Offset, PartitionId};

pub(super) fn check(
    runtime: &Simulated,
    options: &StoreOptions,
    stores: &[Store<Simulated>],
    model: &Rc<RefCell<Model>>,
) {
    let disk = runtime.disk();
    // At most the active one is of the size that an earlier life was told. (One that is being made has no bytes.)
    for shard in 0..stores.len() {
        let of_shard = format!("odradek-{shard}-");
        let is_log = |name: &String| name.ends_with(".commit") && name.starts_with(&of_shard);
        let logs = disk.names(&options.directory).into_iter().filter(is_log);
        let lengths = logs.filter_map(|name| disk.length(&options.directory.join(name)));
        let odd = lengths.filter(|length| *length > 0 && *length != options.log_file_bytes);
        if odd.count() > 1 {
            model.borrow_mut().fail("log files of another size are left".to_owned());
        }
    }
    let ids: Vec<PartitionId> = model.borrow().logs.keys().copied().collect();
    let logs: Vec<Log> = model.borrow().logs.values().cloned().collect();
    let now = runtime.now();
    for name in disk.names(&options.directory) {
        let known = name.starts_with("odradek-")
            || name.ends_with("-delete")
            || name.ends_with("-stray")
            || name.starts_with(".kafka")
            || logs.iter().any(|log| name == format!("{}-0", log.topic));
        if !known {
            model.borrow_mut().fail(format!("{name} is left in the directory"));
        }
    }
    for (id, mut log) in ids.into_iter().zip(logs) {
        let directory = options.directory.join(format!("{}-0", log.topic));
        let Some(own) = stores.iter().find_map(|store| store.log(id)) else { continue };
        let own: Vec<i64> = {
            let state = own.state();
            let used = state.segments.iter().filter(|segment| segment.length > 0);
            used.map(|segment| segment.base.0).collect()
        };
        if let Err(what) = partition(disk, &directory, &mut log, &own, now) {
            model.borrow_mut().fail(format!("{}: {what}", log.topic));
        }
    }
}

fn partition(
    disk: &Disk,
    directory: &Path,
    log: &mut Log,
    own: &[i64],
    now: i64,
) -> Result<(), String> {
    let names = disk.names(directory);
    if let Some(name) = names.iter().find(|name| name.ends_with(".deleted")) {
        return Err(format!("{name} would stay for good"));
    }
    let mut bases: Vec<i64> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".log"))
        .filter_map(|base| base.parse().ok())
        .collect();
    bases.sort_unstable();
    let is_filled = |base: &i64| {
        let path = directory.join(format!("{base:020}.log"));
        disk.content(&path).is_some_and(|content| !content.is_empty())
    };
    let filled: Vec<i64> = bases.iter().copied().filter(is_filled).collect();
    if filled != own {
        return Err(format!("the files are {filled:?}, the log's segments {own:?}"));
    }
    if let Some(name) = names.iter().find(|name| name.ends_with(".cleaned")) {
        return Err(format!("{name} is left"));
    }
    let mut next = bases.first().copied().map_or(log.end, Offset);
    if next > log.start {
        return Err(format!("the first segment is {next:?}, the log starts at {:?}", log.start));
    }
    for base in bases.into_iter().map(Offset) {
        if base != next && !(log.compaction.on && base > next) {
            return Err(format!("segment {base:?} after one that ends at {next:?}"));
        }
        next = segment(disk, directory, log, base, now)?;
    }
    if next == log.end || log.may_be_empty(next, log.end, now) {
        Ok(())
    } else {
        Err(format!("the files end at {next:?}, the log at {:?}", log.end))
    }
}

fn segment(
    disk: &Disk,
    directory: &Path,
    log: &mut Log,
    base: Offset,
    now: i64,
) -> Result<Offset, String> {
    let read = |suffix: &str| {
        disk.content(&directory.join(format!("{:020}{suffix}", base.0))).unwrap_or_default()
    };
    let bytes = bytes::Bytes::from(read(".log"));
    let mut batches = Batches::new(bytes.clone());
    let mut starts = Vec::new();
    let mut next = base;
    while batches.position() < bytes.len() {
        let position = batches.position();
        let batch = match batches.next() {
            Some(Ok(batch)) => batch,
            other => {
                return Err(format!(
                    "segment {base:?}: {other:?} at {position} of {}",
                    bytes.len()
                ));
            }
        };
        // Batches below the log start are not in the model's care, but they are still batches.
        let expected = log.from(batch.base_offset()).first();
        let right =
            expected.is_some_and(|e| e.base == batch.base_offset() && e.payload == batch.payload());
        if log.compaction.on && !(right && batch.base_offset() == next) {
            let what = |what| format!("segment {base:?} at {position}: {what}");
            log.check_compacted(&batch, next, now, &mut Walk::default()).map_err(what)?;
        } else if batch.base_offset() != next || !right {
            return Err(format!("segment {base:?} has {:?} at {position}", batch.header()));
        }
        starts.push((position, batch.last_offset(), batch.max_timestamp()));
        next = batch.last_offset().next();
    }
    indexes(base, &read(".index"), &read(".timeindex"), &starts)?;
    Ok(next)
}

fn indexes(
    base: Offset,
    offsets: &[u8],
    times: &[u8],
    starts: &[(usize, Offset, crate::units::Timestamp)],
) -> Result<(), String> {
    for entry in OffsetIndex::new(base, offsets).iter() {
        if !starts.iter().any(|(position, last, _)| {
            *position == entry.position as usize && *last == entry.offset
        }) {
            return Err(format!("segment {base:?}: no batch for {entry:?}"));
        }
    }
    let newest = starts.iter().map(|(_, _, timestamp)| *timestamp).max();
    let times = TimeIndex::new(base, times);
    if times.last().map(|entry| entry.timestamp) != newest {
        return Err(format!(
            "segment {base:?}: the time index ends with {:?}, not {newest:?}",
            times.last()
        ));
    }
    for entry in times.iter() {
        let older = starts.iter().filter(|(_, last, _)| *last <= entry.offset);
        if older.map(|(_, _, timestamp)| *timestamp).max() != Some(entry.timestamp) {
            return Err(format!("segment {base:?}: {entry:?} is not the newest so far"));
        }
    }
    Ok(())
}
