//! What a fetch is about: the partitions of a full request, or those of its session after what the request changes.

use std::collections::HashMap;

use net::wire::ErrorCode;
use net::wire::fetch::FetchRequest;

use super::super::Context;
use crate::clock;
use crate::sessions::{FINAL_EPOCH, INITIAL_EPOCH, Key, SessionRefusal, Wanted};

/// The fetch after its session was consulted.
pub(super) struct Opened {
    pub partitions: Vec<(Key, Wanted)>,
    pub kind: Kind,
    pub by_id: bool,
}

pub(super) enum Kind {
    /// Without a session.
    Sessionless,
    /// A full fetch whose answer opens a session.
    Opening,
    /// An incremental fetch of this session.
    Incremental(i32),
}

/// Kafka's `FetchManager`: epoch 0 opens, -1 closes, others continue.
pub(super) fn open(
    cx: &Context,
    version: i16,
    request: &FetchRequest,
) -> Result<Opened, ErrorCode> {
    let by_id = version >= 13;
    let mut sessions = cx.shard.sessions.borrow_mut();
    let named = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| {
            let key = Key {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partition: partition.partition,
            };
            let wanted = Wanted {
                current_epoch: partition.current_leader_epoch,
                from: partition.fetch_offset,
                last_fetched_epoch: partition.last_fetched_epoch,
                bytes_max: partition.partition_max_bytes,
            };
            (key, wanted)
        })
    });
    if request.session_epoch == FINAL_EPOCH || request.session_epoch == INITIAL_EPOCH {
        if request.session_id != 0 {
            sessions.close(request.session_id);
        }
        let kind =
            if request.session_epoch == FINAL_EPOCH { Kind::Sessionless } else { Kind::Opening };
        return Ok(Opened { partitions: once(named), kind, by_id });
    }
    let now = clock::monotonic();
    let session =
        sessions.continue_(request.session_id, request.session_epoch, by_id, now).map_err(code)?;
    named.for_each(|(key, wanted)| session.update(key, wanted));
    let forgotten: Vec<_> = request
        .forgotten_topics_data
        .iter()
        .flat_map(|topic| {
            topic.partitions.iter().map(|&partition| Key {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partition,
            })
        })
        .collect();
    session.forget(&forgotten);
    let turn = session.turn.min(session.partitions.len());
    let (later, first) = session.partitions.split_at(turn);
    let partitions: Vec<_> =
        first.iter().chain(later).map(|cached| (cached.key.clone(), cached.wanted)).collect();
    if partitions.is_empty() {
        sessions.close(request.session_id);
        return Ok(Opened { partitions, kind: Kind::Sessionless, by_id });
    }
    Ok(Opened { partitions, kind: Kind::Incremental(request.session_id), by_id })
}

/// Of a partition that is named twice the last wish counts, at the place of the first, as in Kafka.
fn once(named: impl Iterator<Item = (Key, Wanted)>) -> Vec<(Key, Wanted)> {
    let mut places = HashMap::new();
    let mut partitions: Vec<(Key, Wanted)> = Vec::new();
    for (key, wanted) in named {
        match places.get(&key) {
            Some(&at) => partitions[at] = (key, wanted),
            None => {
                places.insert(key.clone(), partitions.len());
                partitions.push((key, wanted));
            }
        }
    }
    partitions
}

fn code(refusal: SessionRefusal) -> ErrorCode {
    match refusal {
        SessionRefusal::NotFound => ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
        SessionRefusal::InvalidEpoch => ErrorCode::INVALID_FETCH_SESSION_EPOCH,
        SessionRefusal::TopicIds => ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR,
    }
}
