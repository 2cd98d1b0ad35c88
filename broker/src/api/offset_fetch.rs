//! OffsetFetch (key 9): what groups have committed, and is durable.
//!
//! - Nothing committed: offset -1, no error; so it is for a group that does not exist.
//! - Null topics: all that the group has committed.
//! - `require_stable`: what an open transaction commits is refused with UNSTABLE_OFFSET_COMMIT (KIP-447).
//! - An error of the group is told in each partition in version 1, once up to 7, in the group from 8 on.
//! - Version 10 names topics by id: an id that no topic has gets UNKNOWN_TOPIC_ID; offsets of an older topic of that name are not shown.

use bytestring::ByteString;
use futures::future::join_all;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use storage::units::TopicId;

use super::coordination::{self, code};
use super::{Context, Operation, Resource};
use crate::group::message::{Fetch, FetchTopic, FetchedTopic, GroupAnswer, GroupRequest};
use crate::group::{Committed, Refusal};
use crate::metadata::image::Image;

/// The first version with an error of the whole answer.
const TOP_LEVEL_ERROR: i16 = 2;
/// The first version with several groups.
const GROUPS: i16 = 8;
/// The first version that names topics by their id.
const TOPIC_IDS: i16 = 10;

pub(crate) fn call(cx: Context, version: i16, request: OffsetFetchRequest) -> Outcome {
    let stable = request.require_stable;
    let asked: Vec<_> = groups(version, request)
        .into_iter()
        .map(|group| ask(&cx, version, group, stable))
        .collect();
    super::then::<OffsetFetchRequest>(cx, version, async move |_: &Context| {
        let groups = join_all(asked).await;
        if version >= GROUPS {
            return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
        }
        let group = groups.into_iter().next().unwrap_or_default();
        OffsetFetchResponse {
            error_code: group.error_code,
            topics: group.topics.into_iter().map(old_topic).collect(),
            ..OffsetFetchResponse::default()
        }
    })
}

/// The groups of a request; before version 8 it is one.
fn groups(version: i16, request: OffsetFetchRequest) -> Vec<OffsetFetchRequestGroup> {
    if version >= GROUPS {
        return request.groups;
    }
    let topic =
        |topic: net::wire::offset_fetch::OffsetFetchRequestTopic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        };
    let topics = request.topics.map(|topics| topics.into_iter().map(topic).collect());
    let group_id = request.group_id;
    vec![OffsetFetchRequestGroup { group_id, topics, ..OffsetFetchRequestGroup::default() }]
}

fn ask(
    cx: &Context,
    version: i16,
    group: OffsetFetchRequestGroup,
    stable: bool,
) -> impl Future<Output = OffsetFetchResponseGroup> + use<> {
    let denied = !cx.authorize(Operation::Describe, Resource::Group(&group.group_id));
    let image = cx.shard.image();
    let mut refused = Vec::new();
    let topics = group.topics.as_ref().map(|topics| {
        topics.iter().filter_map(|topic| admit(cx, &image, version, topic, &mut refused)).collect()
    });
    let fetch = Fetch {
        group: group.group_id.clone(),
        member_id: group.member_id.clone(),
        member_epoch: group.member_epoch,
        topics,
        stable,
    };
    let asked =
        (!denied).then(|| coordination::ask(cx, &group.group_id, GroupRequest::Fetch(fetch)));
    async move {
        let answer = match asked {
            Some(asked) => asked.await,
            None => return failed(version, &group, ErrorCode::GROUP_AUTHORIZATION_FAILED),
        };
        match answer {
            GroupAnswer::Fetch(Ok(fetched)) => {
                let by_id = version >= TOPIC_IDS;
                let topics = fetched.into_iter().filter_map(|topic| told(&image, by_id, topic));
                OffsetFetchResponseGroup {
                    group_id: group.group_id,
                    topics: topics.chain(refused).collect(),
                    ..OffsetFetchResponseGroup::default()
                }
            }
            GroupAnswer::Fetch(Err(refusal)) => failed(version, &group, group_code(refusal)),
            _ => failed(version, &group, ErrorCode::UNKNOWN_SERVER_ERROR),
        }
    }
}

/// Clients before 3.9 do not expect COORDINATOR_NOT_AVAILABLE here.
fn group_code(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::NotAvailable => ErrorCode::NOT_COORDINATOR,
        other => code(other),
    }
}

fn admit(
    cx: &Context,
    image: &Image,
    version: i16,
    topic: &OffsetFetchRequestTopics,
    refused: &mut Vec<OffsetFetchResponseTopics>,
) -> Option<FetchTopic> {
    let name = match version {
        TOPIC_IDS.. => image.topic(TopicId(topic.topic_id)).map(|found| found.name.clone()),
        _ => Some(topic.name.clone()),
    };
    let Some(name) = name else {
        refused.push(all_failed(topic, ByteString::new(), ErrorCode::UNKNOWN_TOPIC_ID));
        return None;
    };
    if !cx.authorize(Operation::Describe, Resource::Topic(&name)) {
        refused.push(all_failed(topic, name, ErrorCode::TOPIC_AUTHORIZATION_FAILED));
        return None;
    }
    let (id, partitions) = (topic.topic_id, topic.partition_indexes.clone());
    Some(FetchTopic { name, id, partitions })
}

/// A topic of the answer. Where topics are named by id one that is no more has no name for the client.
fn told(image: &Image, by_id: bool, topic: FetchedTopic) -> Option<OffsetFetchResponseTopics> {
    let known = image.topic_by_name(&topic.name).map(|found| found.id.0);
    let topic_id = if topic.id.is_nil() { known.filter(|_| by_id) } else { Some(topic.id) };
    if by_id && topic_id.is_none() {
        return None;
    }
    Some(OffsetFetchResponseTopics {
        name: topic.name,
        topic_id: topic_id.unwrap_or_default(),
        partitions: topic.partitions.into_iter().map(partition).collect(),
    })
}

fn partition(
    (partition_index, result): (i32, Result<Option<Committed>, Refusal>),
) -> OffsetFetchResponsePartitions {
    match result {
        Ok(Some(committed)) => OffsetFetchResponsePartitions {
            partition_index,
            committed_offset: committed.offset,
            committed_leader_epoch: committed.leader_epoch,
            metadata: Some(committed.metadata),
            error_code: ErrorCode::NONE,
        },
        Ok(None) => nothing(partition_index, ErrorCode::NONE),
        Err(refusal) => nothing(partition_index, code(refusal)),
    }
}

fn nothing(partition_index: i32, error_code: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        metadata: Some(ByteString::new()),
        error_code,
        ..OffsetFetchResponsePartitions::default()
    }
}

/// Every partition of a topic with the same error.
fn all_failed(
    topic: &OffsetFetchRequestTopics,
    name: ByteString,
    error_code: ErrorCode,
) -> OffsetFetchResponseTopics {
    let partitions = topic.partition_indexes.iter();
    OffsetFetchResponseTopics {
        name,
        topic_id: topic.topic_id,
        partitions: partitions.map(|partition| nothing(*partition, error_code)).collect(),
    }
}

/// The group's error: version 1 has a place for it in partitions only.
fn failed(
    version: i16,
    group: &OffsetFetchRequestGroup,
    error_code: ErrorCode,
) -> OffsetFetchResponseGroup {
    let group_id = group.group_id.clone();
    if version >= TOP_LEVEL_ERROR {
        return OffsetFetchResponseGroup {
            group_id,
            error_code,
            ..OffsetFetchResponseGroup::default()
        };
    }
    let topics = group.topics.iter().flatten();
    OffsetFetchResponseGroup {
        group_id,
        topics: topics.map(|topic| all_failed(topic, topic.name.clone(), error_code)).collect(),
        ..OffsetFetchResponseGroup::default()
    }
}

fn old_topic(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partition = |p: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: p.partition_index,
        committed_offset: p.committed_offset,
        committed_leader_epoch: p.committed_leader_epoch,
        metadata: p.metadata,
        error_code: p.error_code,
    };
    OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    }
}
