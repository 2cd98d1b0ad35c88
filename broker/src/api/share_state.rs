//! The way from the share-state APIs (keys 83-87) to the coordinators of share partitions, and Kafka's codes for what comes back.
//!
//! - They are the brokers' own: ClusterAction is needed.
//! - Without group, without topics, or with a topic without partitions: the empty answer.
//! - Before the first FindCoordinator for a share partition there is no place for one: NOT_COORDINATOR.

use std::rc::Rc;
use std::time::Duration;

use bytestring::ByteString;
use futures::future::join_all;
use net::wire::ErrorCode;
use storage::units::PartitionId;
use uuid::Uuid;

use super::{Context, Operation, Resource};
use crate::clock;
use crate::coordinator::Unserved;
use crate::group::records::owned;
use crate::metadata::image::Image;
use crate::shard::Shard;
use crate::share::state::message::{StateAnswer, StateAsk, StateRequest};
use crate::share::state::{self, Key, Refusal};

/// What is asked, and answered, by topic and partition.
pub(super) type ByTopic<T> = Vec<(Uuid, Vec<(i32, T)>)>;

/// Asks each partition's coordinator; the answers in the order of the request.
pub(super) async fn ask(
    cx: &Context,
    group: &ByteString,
    topics: ByTopic<StateAsk>,
) -> ByTopic<StateAnswer> {
    if group.is_empty() || topics.iter().any(|(_, partitions)| partitions.is_empty()) {
        return Vec::new();
    }
    let group = owned(group);
    let topics = topics.into_iter().map(async |(topic, partitions)| {
        let partitions = partitions.into_iter().map(async |(partition, ask)| {
            let key = Key { group: group.clone(), topic, partition };
            (partition, ask_one(cx, StateRequest { key, ask }).await)
        });
        (topic, join_all(partitions).await)
    });
    join_all(topics).await
}

async fn ask_one(cx: &Context, request: StateRequest) -> StateAnswer {
    if !cx.authorize(Operation::ClusterAction, Resource::Cluster) {
        return request.ask.refused(Refusal::Unauthorized);
    }
    send(&cx.shard, request).await
}

/// Asks the coordinator of a share partition; nobody is to be authorised for it.
pub(super) async fn send(shard: &Rc<Shard>, request: StateRequest) -> StateAnswer {
    let Some(partition) = partition_of(&shard.image(), &request.key) else {
        return request.ask.refused(Unserved::NotCoordinator.into());
    };
    let late = request.ask.refused(Unserved::NotAvailable.into());
    let timeout = Duration::from_millis(shard.config.share_state.write_timeout_ms);
    let asked = shard.share_state(partition, request);
    shard.deadlines.limit(clock::monotonic() + timeout, asked).await.unwrap_or(late)
}

/// The partition that keeps a share partition's state; `None` before the first one.
pub(crate) fn partition_of(image: &Image, key: &Key) -> Option<PartitionId> {
    let topic = image.topic_by_name(state::TOPIC)?;
    let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    Some(PartitionId { topic: topic.id, partition: state::partition_of(key, partitions) })
}

/// What a partition is answered if it is refused: Kafka's code and text. `doing`: what was to be done.
pub(super) fn fault(refusal: Refusal, doing: &str) -> (ErrorCode, Option<ByteString>) {
    let unable = |text: &str| format!("Unable to {doing}: {text}");
    let (code, text) = match refusal {
        Refusal::NegativePartition | Refusal::ReadUninitialized | Refusal::WriteUninitialized => {
            (ErrorCode::INVALID_REQUEST, refusal.to_string())
        }
        Refusal::FencedLeaderEpoch => (
            ErrorCode::FENCED_LEADER_EPOCH,
            "The leader epoch in the request is older than the epoch on the broker.".to_owned(),
        ),
        Refusal::FencedStateEpoch => (
            ErrorCode::FENCED_STATE_EPOCH,
            "The share coordinator rejected the request because the share-group state epoch did not match.".to_owned(),
        ),
        Refusal::UnknownPartition => (
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            "This server does not host this topic-partition.".to_owned(),
        ),
        Refusal::Unauthorized => (
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
            "Cluster authorization failed.".to_owned(),
        ),
        Refusal::Unserved(Unserved::Loading) => (
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            unable("The coordinator is loading and hence can't process requests."),
        ),
        Refusal::Unserved(Unserved::NotCoordinator) => {
            (ErrorCode::NOT_COORDINATOR, unable("This is not the correct coordinator."))
        }
        Refusal::Unserved(Unserved::NotAvailable) => {
            (ErrorCode::COORDINATOR_NOT_AVAILABLE, unable("The coordinator is not available."))
        }
        Refusal::Unserved(Unserved::TooLarge) => (
            ErrorCode::UNKNOWN_SERVER_ERROR,
            unable("The request included message batch larger than the configured segment size on the server."),
        ),
    };
    (code, Some(text.into()))
}

/// The same for what may have gone well.
pub(super) fn fault_of(
    outcome: Result<(), Refusal>,
    doing: &str,
) -> (ErrorCode, Option<ByteString>) {
    outcome.map_or_else(|refusal| fault(refusal, doing), |()| (ErrorCode::NONE, None))
}

/// A coordinator answered another question than it was asked: a fault of ours.
pub(super) fn strange() -> (ErrorCode, Option<ByteString>) {
    tracing::error!("a share coordinator answered another question");
    (ErrorCode::UNKNOWN_SERVER_ERROR, None)
}
