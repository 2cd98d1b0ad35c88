//! The answer to a fetch: what each partition gave, without what an incremental session need not repeat.

use net::send::{FileRange, Part, Parts};
use net::wire::fetch::{
    AbortedTransaction, EpochEndOffset, FetchRequest, FetchResponse, FetchableTopicResponse,
    PartitionData,
};
use net::wire::{ErrorCode, Records};
use storage::units::Offset;
use storage::{ReadPlan, Slice};

use super::super::Context;
use super::super::error::read_refusal;
use super::Item;
use super::session::{Kind, Opened};
use crate::clock;
use crate::message::Read;
use crate::sessions::Cached;

pub(super) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

/// A fetch that was refused as a whole.
pub(super) fn refused(error_code: ErrorCode) -> FetchResponse {
    FetchResponse { error_code, ..Default::default() }
}

/// A fetch that makes no sense for any of its partitions.
pub(super) fn refused_everywhere(version: i16, request: &FetchRequest) -> FetchResponse {
    let error_code = ErrorCode::UNKNOWN_SERVER_ERROR;
    let topics = request.topics.iter().map(|topic| FetchableTopicResponse {
        topic: topic.topic.clone(),
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|wanted| failed(wanted.partition, error_code, Some(Vec::new())))
            .collect(),
    });
    // By id, the error of the whole says it all.
    let responses = if version >= 13 { Vec::new() } else { topics.collect() };
    FetchResponse { error_code, responses, ..Default::default() }
}

/// Nothing, to a client that has fetched too much: an incremental session goes on, any other fetch begins anew.
pub(super) fn throttled(opened: &Opened, first: bool) -> FetchResponse {
    let session_id = match opened.kind {
        Kind::Incremental(id) if !first => id,
        _ => 0,
    };
    FetchResponse { session_id, ..Default::default() }
}

pub(super) fn build(
    cx: &Context,
    opened: &Opened,
    items: Vec<Item>,
    isolation: &Isolation,
) -> FetchResponse {
    let mut response = FetchResponse::default();
    let mut kept = Vec::new();
    match opened.kind {
        Kind::Sessionless => {}
        Kind::Opening => {
            let cached = items.iter().map(cached).collect();
            let mut sessions = cx.shard.sessions.borrow_mut();
            response.session_id =
                sessions.open(cached, opened.by_id, clock::monotonic(), rand::random);
        }
        Kind::Incremental(id) => {
            response.session_id = id;
            kept = incremental(cx, id, &items);
        }
    }
    for (at, item) in items.into_iter().enumerate() {
        if kept.get(at).is_some_and(|keep| !keep) {
            continue;
        }
        let key = item.key.clone();
        let data = partition(item, isolation);
        let of_key = |topic: &FetchableTopicResponse| {
            topic.topic == key.topic && topic.topic_id == key.topic_id
        };
        // Nearly always the last one.
        match response.responses.iter().rposition(of_key) {
            Some(at) => response.responses[at].partitions.push(data),
            None => response.responses.push(FetchableTopicResponse {
                topic: key.topic,
                topic_id: key.topic_id,
                partitions: vec![data],
            }),
        }
    }
    response
}

fn told(item: &Item) -> Option<(Offset, Offset, usize)> {
    match &item.read {
        Some(Ok(read)) if read.diverging.is_none() => {
            Some((read.high_watermark, read.log_start, read.plan.bytes))
        }
        _ => None,
    }
}

fn cached(item: &Item) -> Cached {
    let (high_watermark, log_start) =
        told(item).map_or((Offset::NONE, Offset::NONE), |(high, start, _)| (high, start));
    Cached { key: item.key.clone(), wanted: item.wanted, high_watermark, log_start }
}

/// Which of the items an incremental answer names; the session remembers what it says.
fn incremental(cx: &Context, id: i32, items: &[Item]) -> Vec<bool> {
    let mut sessions = cx.shard.sessions.borrow_mut();
    // The session was closed meanwhile, by its client: everything is said.
    let Some(session) = sessions.get(id) else { return vec![true; items.len()] };
    let turn = session.turn.min(session.partitions.len());
    let length = session.partitions.len();
    let mut last_with_records = None;
    let mut kept = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let place = (turn + at) % length.max(1);
        let Some(cached) =
            session.partitions.get_mut(place).filter(|cached| cached.key == item.key)
        else {
            kept.push(true);
            continue;
        };
        let keep = match told(item) {
            Some((high_watermark, log_start, bytes)) => {
                let moved =
                    cached.high_watermark != high_watermark || cached.log_start != log_start;
                (cached.high_watermark, cached.log_start) = (high_watermark, log_start);
                if bytes > 0 {
                    last_with_records = Some(place);
                }
                moved || bytes > 0
            }
            None => {
                cached.high_watermark = Offset::NONE;
                true
            }
        };
        kept.push(keep);
    }
    if let Some(place) = last_with_records {
        session.turn = (place + 1) % length.max(1);
    }
    kept
}

fn partition(item: Item, isolation: &Isolation) -> PartitionData {
    let partition_index = item.key.partition;
    match (item.place, item.read) {
        (Err(code), _) => failed(partition_index, code, Some(Vec::new())),
        (Ok(_), Some(Ok(read))) => good(partition_index, read, isolation),
        (Ok(_), Some(Err(refusal))) => failed(partition_index, read_refusal(refusal), None),
        (Ok(_), None) => failed(partition_index, ErrorCode::UNKNOWN_SERVER_ERROR, None),
    }
}

/// Where the request itself is at fault Kafka says that no transaction was aborted, where the log is, nothing.
fn failed(
    partition_index: i32,
    error_code: ErrorCode,
    aborted_transactions: Option<Vec<AbortedTransaction>>,
) -> PartitionData {
    PartitionData {
        partition_index,
        error_code,
        high_watermark: -1,
        aborted_transactions,
        records: Records::EMPTY,
        ..Default::default()
    }
}

fn good(partition_index: i32, read: Read, isolation: &Isolation) -> PartitionData {
    let diverging_epoch = match read.diverging {
        Some((epoch, end)) => EpochEndOffset { epoch: epoch.0, end_offset: end.0 },
        None => EpochEndOffset::default(),
    };
    PartitionData {
        partition_index,
        high_watermark: read.high_watermark.0,
        last_stable_offset: read.last_stable.0,
        log_start_offset: read.log_start.0,
        diverging_epoch,
        aborted_transactions: match isolation {
            Isolation::ReadCommitted => Some(read.aborted.iter().map(aborted).collect()),
            Isolation::ReadUncommitted => None,
        },
        records: Records::from(plan(read.plan)),
        ..Default::default()
    }
}

fn aborted(transaction: &storage::index::AbortedTransaction) -> AbortedTransaction {
    AbortedTransaction {
        producer_id: transaction.producer_id.0,
        first_offset: transaction.first_offset.0,
    }
}

/// A storage plan as the connection sends it.
fn plan(plan: ReadPlan<storage::runtime::ring::File>) -> Parts {
    plan.slices
        .into_iter()
        .map(|slice| match slice {
            Slice::Memory(bytes) => Part::Bytes(bytes),
            Slice::File { file, position, length } => {
                Part::File(FileRange { file: file.descriptor(), position, length })
            }
        })
        .collect()
}
