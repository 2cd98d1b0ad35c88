//! Fetch (key 1): records of many partitions, without copying them.
//!
//! - Full fetches, and incremental ones over a session (KIP-227, `sessions`): an incremental answer names only the partitions
//!   with records, an error, or a moved high watermark or log start.
//! - Waits up to `max_wait_ms` until `min_bytes` are there; an error in a partition, or nothing to wait for, answers at once.
//! - `max_bytes` and `partition_max_bytes` bound the answer, but the first partition that has records gives at least one whole
//!   batch (KIP-74). Batches are whole, the first one holds the offset asked for.
//! - Up to the high watermark; `read_committed` up to the last stable offset, with the transactions that
//!   were aborted: Kafka's, in directories that were taken over.
//! - Topics by name to version 12, by id from 13 on (KIP-516): an unknown id gets UNKNOWN_TOPIC_ID.
//! - An isolation level that is none gets UNKNOWN_SERVER_ERROR everywhere, as in Kafka.
//! - A replica id of a broker that is no replica of the partition gets NOT_LEADER_OR_FOLLOWER.

mod answer;
mod reads;
mod session;

use std::time::{Duration, Instant};

use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::fetch::FetchRequest;
use storage::units::{PartitionId, TopicId};

use super::{Context, Operation, Resource, parts};
use crate::clock;
use crate::message::{Message, Read, Seen};
use crate::partition::ReadRefusal;
use crate::quota::Limited;
use crate::sessions::{Key, Wanted};

/// A partition of this fetch, resolved, and what came of it.
pub(super) struct Item {
    pub key: Key,
    pub wanted: Wanted,
    pub place: Result<PartitionId, ErrorCode>,
    pub read: Option<Result<Read, ReadRefusal>>,
}

/// The limits of a fetch.
struct Terms {
    until: Instant,
    bytes_min: usize,
    bytes_max: usize,
    read_committed: bool,
    follower: bool,
}

impl Terms {
    /// No more than this, but the first batch.
    fn limit(&mut self, bytes: usize) {
        self.bytes_max = self.bytes_max.min(bytes);
        self.bytes_min = self.bytes_min.min(bytes);
    }
}

/// First stage: the session is brought up to date. The rest runs behind the connection.
pub(crate) fn call(cx: Context, version: i16, request: FetchRequest) -> Outcome {
    if !(0..=1).contains(&request.isolation_level) {
        return super::answer::<FetchRequest>(
            &cx,
            version,
            &answer::refused_everywhere(version, &request),
        );
    }
    let opened = match session::open(&cx, version, &request) {
        Ok(opened) => opened,
        Err(code) => return super::answer::<FetchRequest>(&cx, version, &answer::refused(code)),
    };
    let mut terms = terms(&cx, &request);
    let first = request.session_epoch <= 0;
    let came = crate::clock::monotonic();
    Outcome::Later(Box::pin(async move {
        let owed = cx.owed(Limited::Fetch).await;
        if !owed.is_zero() {
            let mut response = answer::throttled(&opened, first);
            cx.mute(&mut response, owed, clock::monotonic());
            return parts::<FetchRequest>(&cx, version, &response);
        }
        if let Some(bytes) = cx.at_once(Limited::Fetch) {
            terms.limit(bytes);
        }
        let mut items: Vec<_> = opened
            .partitions
            .iter()
            .map(|(key, wanted)| resolve(&cx, version, key, *wanted))
            .collect();
        cx.cost.count(fetch(&cx, &mut items, &terms)).await;
        let fetched = bytes(&items);
        let mut response = answer::build(&cx, &opened, items, &terms_isolation(&terms));
        let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
        cx.shard.stats.fetch.answered(came, partitions.map(|partition| partition.error_code));
        cx.charge(&mut response, Some((Limited::Fetch, fetched))).await;
        parts::<FetchRequest>(&cx, version, &response)
    }))
}

fn terms_isolation(terms: &Terms) -> answer::Isolation {
    if terms.read_committed {
        answer::Isolation::ReadCommitted
    } else {
        answer::Isolation::ReadUncommitted
    }
}

fn terms(cx: &Context, request: &FetchRequest) -> Terms {
    let bytes_max =
        usize::try_from(request.max_bytes).unwrap_or(0).min(cx.shard.config.fetch_bytes_max());
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    Terms {
        until: clock::monotonic() + wait,
        bytes_min: usize::try_from(request.min_bytes).unwrap_or(0).min(bytes_max),
        bytes_max,
        read_committed: request.isolation_level == 1,
        follower: request.replica_id >= 0 || request.replica_state.replica_id >= 0,
    }
}

/// Which partition of ours the request means.
fn resolve(cx: &Context, version: i16, key: &Key, wanted: Wanted) -> Item {
    let image = cx.shard.image();
    let topic = if version >= 13 {
        image.topic(TopicId(key.topic_id))
    } else {
        image.topic_by_name(&key.topic)
    };
    let place = match topic {
        None if version >= 13 => Err(ErrorCode::UNKNOWN_TOPIC_ID),
        None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        Some(topic) if !cx.authorize(Operation::Read, Resource::Topic(&topic.name)) => {
            Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
        }
        Some(topic) if topic.partition(key.partition).is_none() => {
            Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        }
        Some(topic) => Ok(PartitionId { topic: topic.id, partition: key.partition }),
    };
    Item { key: key.clone(), wanted, place, read: None }
}

/// Reads, and waits and reads again, until there is enough or time is up.
async fn fetch(cx: &Context, items: &mut [Item], terms: &Terms) {
    loop {
        reads::read(cx, items, terms).await;
        let waits = terms.bytes_min > 0 && bytes(items) < terms.bytes_min && !settled(items);
        if !waits || clock::monotonic() >= terms.until || cx.shard.stopping.get() {
            return;
        }
        if !moved(cx, items, terms.until).await {
            return;
        }
    }
}

fn bytes(items: &[Item]) -> usize {
    items
        .iter()
        .filter_map(|item| item.read.as_ref()?.as_ref().ok())
        .map(|read| read.plan.bytes)
        .sum()
}

/// Nothing to wait for: no partition can be read, or one has an answer that does not depend on new records.
fn settled(items: &[Item]) -> bool {
    let mut any = false;
    for read in items.iter().filter_map(|item| item.read.as_ref()) {
        any = true;
        match read {
            Ok(read) if read.diverging.is_none() => {}
            _ => return true,
        }
    }
    !any
}

/// Parks the fetch on its partitions; false when time was up.
async fn moved(cx: &Context, items: &[Item], until: Instant) -> bool {
    let wait = cx.shard.waits.begin();
    let watch = wait.watch;
    let mut groups: Vec<(usize, Vec<Seen>)> = Vec::new();
    for item in items {
        if let (Ok(partition), Some(Ok(read))) = (item.place, &item.read) {
            let owner = cx.shard.owner(partition);
            let seen = Seen { partition, high_watermark: read.high_watermark };
            match groups.iter_mut().find(|group| group.0 == owner) {
                Some(group) => group.1.push(seen),
                None => groups.push((owner, vec![seen])),
            }
        }
    }
    let alone = groups.len() == 1 && groups[0].1.len() == 1;
    let mut at_once = false;
    for (owner, seen) in &groups {
        if *owner == cx.shard.number {
            at_once |= !cx.shard.watch(*owner, watch, seen);
        } else {
            cx.shard.post(*owner, Message::Watch { watch, seen: seen.clone() });
        }
    }
    let moved = at_once || cx.shard.deadlines.limit(until, wait).await.is_ok();
    if !(moved && alone) {
        for (owner, seen) in groups {
            let partitions: Vec<_> = seen.iter().map(|seen| seen.partition).collect();
            if owner == cx.shard.number {
                cx.shard.unwatch(owner, watch, &partitions);
            } else {
                cx.shard.post(owner, Message::Unwatch { watch, partitions });
            }
        }
    }
    moved
}
