//! Compaction: in a log whose `cleanup.policy` holds `compact`, the latest record of each key stays, and older ones go.
//!
//! As in Kafka a log has a clean part, below [`Partition::cleaned_to`](crate::partition::Partition), and a dirty one behind it. A *round*:
//! 1. what can be cleaned is chosen ([`choice`]): final segments, durable, old enough, the dirtiest log first;
//! 2. where the log has transactions, their ends are looked for ([`transactions`]);
//! 3. the dirty part is read, and the latest offset of each key noted, in bounded memory ([`offset_map`]): where it is full, the dirty
//!    part ends for this round;
//! 4. all segments up to there are written anew, without what may go ([`filter`]), small neighbours into one ([`output`]);
//! 5. each takes its place as soon as it is written ([`swap`]). From the oldest on: a tombstone never goes before what it deletes.
//!
//! Offsets never change. One task a store, in slices with pauses ([`crate::pace`]), off the path of appends and reads.
//!
//! Damage that is met ([`source`]) ends the round and is marked ([`crate::damage`]): nothing of such a partition is changed.
//! What a crash leaves of a round is either in force, by the manifest, or ignored and removed.

mod choice;
mod filter;
mod offset_map;
mod output;
mod source;
mod swap;
#[cfg(test)]
mod tests;
mod transactions;

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use choice::{Cleanable, Source};
use filter::{Filter, FilterError, LastBatches, Left, Pace, size};
use futures::future::select;
use offset_map::OffsetMap;
use output::Output;
use source::SegmentBatches;
pub(crate) use swap::complete;
use transactions::{Survey, Transactions};

use crate::batch::Batch;
use crate::core::{Core, count};
use crate::damage::examine::{Trouble as Reason, examine};
use crate::log::Log;
use crate::pace::{Paced, Stopped};
use crate::recycle::{let_go, take_alone};
use crate::runtime::{Runtime, is_full};
use crate::segment::files::ensure_directory;
use crate::units::{Offset, Timestamp};

/// What is appended to the names of a cleaned segment's files until they are in force; Kafka removes such files at its start.
pub(crate) const CLEANED: &str = ".cleaned";

/// Where a log is damaged.
#[derive(Debug)]
pub(super) struct Damage {
    /// Base of the segment.
    segment: Offset,
    file: PathBuf,
    position: u64,
    offset: Offset,
    what: String,
}

/// Why a round ended before its end.
#[derive(Debug)]
pub(super) enum Trouble {
    Damaged(Damage),
    /// A write or a sync failed.
    Write(io::Error),
    /// Retention or deletion has taken the segments: the next round sees what is left.
    Moved,
    /// The store ends.
    Stopped,
}

impl From<Stopped> for Trouble {
    fn from(_: Stopped) -> Trouble {
        Trouble::Stopped
    }
}

impl<R: Runtime> Pace for Paced<R> {
    type Stop = Trouble;

    async fn spent(&self, bytes: usize) -> Result<(), Trouble> {
        Ok(Paced::spent(self, bytes).await?)
    }
}

/// Cleans until the store closes.
pub(crate) async fn run<R: Runtime>(core: Rc<Core<R>>) {
    loop {
        let closing = core.events.closing.listen();
        let changed = core.events.cleaner.listen();
        if core.stopped.get() || core.closing.get() || core.check_online().is_err() {
            return;
        }
        if let Some((log, cleanable)) = dirtiest(&core) {
            let truncations = log.state().truncations;
            log.learn_damage().await;
            if log.state().is_marked() {
                continue;
            }
            core.cleaning.set(true);
            let cleaned = round(&core, &log, (cleanable, truncations)).await;
            core.cleaning.set(false);
            core.events.settled.notify();
            match cleaned {
                Ok(()) => continue,
                Err(trouble) => end_round(&core, &log, trouble).await,
            }
        }
        // Never without a pause: what cannot be cleaned now would be looked at without end.
        let backoff = core.cleaner.borrow().backoff.max(std::time::Duration::from_millis(1));
        let pause = std::pin::pin!(core.runtime.sleep(backoff));
        select(select(closing, changed), pause).await;
    }
}

/// At the rate that is in force when a round begins.
fn paced<R: Runtime>(core: &Rc<Core<R>>) -> Paced<R> {
    let cleaner = core.cleaner.borrow();
    Paced::new(core, cleaner.bytes_per_second, cleaner.io_bytes)
}

async fn end_round<R: Runtime>(core: &Rc<Core<R>>, log: &Log<R>, trouble: Trouble) {
    match trouble {
        Trouble::Moved | Trouble::Stopped => {}
        // A swap that has begun waits for room as long as the store is open. If it closes meanwhile, the stop is not clean.
        Trouble::Write(error)
            if is_full(&error) && !log.state().segments.iter().any(|segment| segment.swapping) =>
        {
            let directory = log.state().directory.clone();
            tracing::warn!(directory = %directory.display(), "no room to compact this log; it is tried again");
        }
        Trouble::Write(error) => core.go_offline(&format!("a log cannot be compacted: {error}")),
        Trouble::Damaged(Damage { segment, file, position, offset, what }) => {
            let pace = paced(core);
            match examine(core, log, segment, &pace).await {
                // Marked, and said so.
                Ok(_) if log.state().is_marked() => return,
                Err(Reason::Moved | Reason::Stopped) => return,
                Ok(_) | Err(Reason::Unreadable(..)) => {}
            }
            log.state_mut().uncleanable = true;
            tracing::error!(
                file = %file.display(), position, offset = offset.0, what,
                "a log is damaged: it is served as it is, and not compacted any more. Look at the file with kafka-dump-log, repair the disk \
                 or the partition (produce it anew from its source, or delete the topic), then restart"
            );
        }
    }
}

/// The log that is to be cleaned next.
fn dirtiest<R: Runtime>(core: &Core<R>) -> Option<(Log<R>, Cleanable)> {
    let now = core.runtime.now();
    let logs = core.logs.borrow();
    let cleanable =
        logs.values().filter_map(|log| Some((log.clone(), log.state().cleanable(now)?)));
    cleanable.max_by(|(_, a), (_, b)| a.ratio.total_cmp(&b.ratio))
}

/// How many logs are not cleaned any more.
pub(crate) fn uncleanable<R: Runtime>(core: &Core<R>) -> usize {
    let logs = core.logs.borrow();
    let is_one = |log: &&Log<R>| {
        let state = log.state();
        state.uncleanable || (state.config.cleanup_compact && state.is_marked())
    };
    logs.values().filter(is_one).count()
}

async fn round<R: Runtime>(
    core: &Rc<Core<R>>,
    log: &Log<R>,
    (cleanable, truncations): (Cleanable, u64),
) -> Result<(), Trouble> {
    // What was chosen, and the latest of a key, may have been cut off since.
    let untruncated = || match log.state().truncations == truncations {
        true => Ok(()),
        false => Err(Trouble::Moved),
    };
    if log.state().swap_unrecorded && !crate::planted::is(crate::planted::Bug::SwapsUnrecorded) {
        swap::record_it(core).await?;
        log.state_mut().swap_unrecorded = false;
    }
    // Files that are not the log's go first: what an interrupted round has left is among them.
    take_alone(core, log).await.map_err(|_| Trouble::Stopped)?;
    let deleted = log.state().deleted;
    let checked = match deleted {
        true => Err(Trouble::Moved),
        false => ensure_directory(core, log).await.map_err(Trouble::Write),
    };
    let_go(core, log);
    checked?;
    untruncated()?;
    let pace = paced(core);
    let (sources, config, last) = {
        let state = log.state();
        let below = state.segments.iter().take_while(|segment| segment.base < cleanable.end);
        let sources: Vec<Source> = below.map(Source::of).collect();
        (sources, std::sync::Arc::clone(&state.config), LastBatches::of(&state.producers))
    };
    let Cleanable { first_dirty, .. } = cleanable;
    let Some(known) = look(core, log, &sources, first_dirty, &pace).await? else {
        log.state_mut().undecided = Some(cleanable.end);
        return Ok(());
    };
    let Known { map, transactions, sources } = known;
    let mut filter = Filter {
        map: &map,
        transactions,
        last: &last,
        now: Timestamp(core.runtime.now()),
        delete_retention_ms: config.delete_retention_ms,
        removed: 0,
    };
    // The segment in which the map ended is the last.
    let sources: Vec<Source> =
        sources.into_iter().take_while(|source| source.base < map.end()).collect();
    let bytes_max = u64::try_from(config.segment_bytes).unwrap_or(0);
    let index_bytes_max = u64::try_from(config.segment_index_bytes).unwrap_or(0);
    for group in choice::groups(&sources, bytes_max, index_bytes_max) {
        let group = &sources[group];
        filter.removed = 0;
        let cleaned = clean_group(core, log, group, &mut filter, &pace).await;
        if cleaned.is_err() {
            output::discard(core, log, group[0].base).await;
        }
        if let Some(segment) = cleaned? {
            if let Err(moved) = untruncated() {
                output::discard(core, log, group[0].base).await;
                return Err(moved);
            }
            swap::swap(core, log, group, segment).await?;
            count(&core.counts.removed_records, usize::try_from(filter.removed).unwrap_or(0));
        }
        let bytes: u64 = group.iter().map(|source| u64::from(source.length)).sum();
        count(&core.counts.cleaned_bytes, usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    count(&core.counts.rounds, 1);
    untruncated()?;
    let mut state = log.state_mut();
    state.cleaned_to = map.end();
    Ok(())
}

/// What must be known before the first record goes.
struct Known {
    map: OffsetMap,
    transactions: Transactions,
    /// Those that can be cleaned after all.
    sources: Vec<Source>,
}

/// Steps 2 and 3. None if nothing can be cleaned: a transaction is open from the first dirty segment on.
async fn look<R: Runtime>(
    core: &Rc<Core<R>>,
    log: &Log<R>,
    sources: &[Source],
    first_dirty: Offset,
    pace: &Paced<R>,
) -> Result<Option<Known>, Trouble> {
    let cleaner = core.cleaner.borrow().clone();
    let keys_in = |sources: &[Source]| {
        let end = sources.last().map_or(first_dirty, |last| last.next);
        let keys = usize::try_from(end - first_dirty).unwrap_or(0);
        OffsetMap::new(cleaner.map_bytes, cleaner.map_load_factor, keys, first_dirty)
    };
    let mut map = keys_in(sources);
    if read_keys(log, sources, first_dirty, (&mut map, None), pace).await? == Read::Keys {
        let (transactions, sources) = (Transactions::default(), sources.to_vec());
        return Ok(Some(Known { map, transactions, sources }));
    }
    // Which data is aborted must be known before its keys count: so once more, with what the markers say.
    let mut survey = Survey::default();
    for source in sources {
        let mut batches = SegmentBatches::new(log, source, pace);
        while let Some(batch) = batches.next().await? {
            survey.batch(&batch);
        }
    }
    let undecided = survey.first_undecided().unwrap_or(Offset(i64::MAX));
    let sources: Vec<Source> =
        sources.iter().filter(|source| source.next <= undecided).cloned().collect();
    if sources.last().is_none_or(|last| last.next <= first_dirty) {
        return Ok(None);
    }
    let mut map = keys_in(&sources);
    let dirty = sources.iter().find(|source| source.next > first_dirty);
    let met = survey.transactions(dirty.map_or(first_dirty, |source| source.base));
    read_keys(log, &sources, first_dirty, (&mut map, Some(met)), pace).await?;
    let transactions = survey.transactions(Offset(0));
    Ok(Some(Known { map, transactions, sources }))
}

/// How reading the keys ended.
#[derive(PartialEq, Eq)]
enum Read {
    /// All of them, or as many as the map takes.
    Keys,
    /// There is a transaction, and nothing is known of transactions.
    Transaction,
}

async fn read_keys<R: Runtime>(
    log: &Log<R>,
    sources: &[Source],
    first_dirty: Offset,
    (map, mut transactions): (&mut OffsetMap, Option<Transactions>),
    pace: &Paced<R>,
) -> Result<Read, Trouble> {
    for source in sources.iter().filter(|source| source.next > first_dirty) {
        let mut batches = SegmentBatches::new(log, source, pace);
        while let Some(batch) = batches.next().await? {
            let is_aborted = match &mut transactions {
                Some(transactions) => transactions.can_discard(&batch),
                None if batch.is_transactional() => return Ok(Read::Transaction),
                None => false,
            };
            let has_keys = batch.last_offset() >= first_dirty && !batch.is_control();
            if has_keys && !is_aborted {
                let noted = note(map, &batch, first_dirty, pace).await;
                let noted = noted.map_err(|error| batches.trouble(error))?;
                if !noted {
                    return Ok(Read::Keys);
                }
            }
            map.looked_at(batch.last_offset().next().max(first_dirty));
        }
        map.looked_at(source.next);
    }
    Ok(Read::Keys)
}

/// Takes the keys of a batch into the map; false if it is full.
async fn note<P: Pace>(
    map: &mut OffsetMap,
    batch: &Batch,
    from: Offset,
    pace: &P,
) -> Result<bool, FilterError<P::Stop>> {
    let mut records = batch.records();
    while let Some(record) = records.next_record()? {
        let bytes = size(&record);
        if let Some(key) = record.key.filter(|_| record.offset >= from)
            && !map.put(key, record.offset)
        {
            map.looked_at(record.offset);
            return Ok(false);
        }
        pace.spent(bytes).await.map_err(FilterError::Stopped)?;
    }
    Ok(true)
}

/// Writes what is left of neighbours as one segment. None if that is just what is there.
async fn clean_group<R: Runtime>(
    core: &Rc<Core<R>>,
    log: &Log<R>,
    group: &[Source],
    filter: &mut Filter<'_>,
    pace: &Paced<R>,
) -> Result<Option<crate::segment::Segment>, Trouble> {
    let mut output = Output::create(core, log, group[0].base).await?;
    let mut changed = group.len() > 1;
    for source in group {
        let mut batches = SegmentBatches::new(log, source, pace);
        while let Some(batch) = batches.next().await? {
            let left = filter.clean(&batch, pace).await;
            let left = left.map_err(|error| batches.trouble(error))?;
            changed |= !matches!(left, Left::Whole);
            match left {
                Left::Whole => output.push(core, pace, &batch).await?,
                Left::Instead(batch) => output.push(core, pace, &batch).await?,
                Left::Nothing => {}
            }
        }
    }
    if !changed {
        output::discard(core, log, group[0].base).await;
        return Ok(None);
    }
    let last = &group[group.len() - 1];
    output.finish(core, log, pace, (last.next, last.newest)).await.map(Some)
}
