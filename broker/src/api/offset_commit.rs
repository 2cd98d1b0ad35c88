//! OffsetCommit (key 8): answered when the offsets are durable in `__consumer_offsets`.
//!
//! - Topics and partitions that do not exist are refused one by one: UNKNOWN_TOPIC_OR_PARTITION, for an id UNKNOWN_TOPIC_ID (version 10).
//! - A refusal of the coordinator is that of every other partition.
//! - All offsets of a request stand in one batch: after a crash all of them are there, or none.

use bytestring::ByteString;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use storage::units::TopicId;
use uuid::Uuid;

use super::coordination::{self, code, code_of};
use super::{Context, Operation, Resource};
use crate::group::message::{Commit, CommitPartition, CommitTopic, GroupAnswer, GroupRequest};
use crate::group::records::owned;
use crate::metadata::image::Image;

/// The first version that names topics by their id.
const TOPIC_IDS: i16 = 10;
/// The first version whose clients understand GROUP_ID_NOT_FOUND.
const GROUP_NOT_FOUND: i16 = 9;

pub(crate) fn call(cx: Context, version: i16, request: OffsetCommitRequest) -> Outcome {
    let mut response = OffsetCommitResponse::default();
    if !cx.authorize(Operation::Read, Resource::Group(&request.group_id)) {
        let denied = ErrorCode::GROUP_AUTHORIZATION_FAILED;
        let all = request.topics.iter().map(|t| refused(t.name.clone(), t.topic_id, t, denied));
        response.topics = all.collect();
        return super::answer::<OffsetCommitRequest>(&cx, version, &response);
    }
    let image = cx.shard.image();
    let mut topics = Vec::new();
    for topic in &request.topics {
        topics.extend(admit(&cx, &image, version, topic, &mut response));
    }
    if topics.is_empty() {
        return super::answer::<OffsetCommitRequest>(&cx, version, &response);
    }
    let shape: Vec<_> = topics.iter().map(shape).collect();
    let commit = Commit {
        group: owned(&request.group_id),
        member_id: request.member_id,
        generation: request.generation_id_or_member_epoch,
        instance: request.group_instance_id,
        retention_ms: request.retention_time_ms,
        may_miss_group: version >= GROUP_NOT_FOUND,
        topics,
    };
    let asked = coordination::ask(&cx, &request.group_id, GroupRequest::Commit(commit));
    super::then::<OffsetCommitRequest>(cx, version, async move |_: &Context| {
        let answer = asked.await;
        fill(&mut response, shape, &answer);
        response
    })
}

type Shape = (ByteString, Uuid, Vec<i32>);

fn shape(topic: &CommitTopic) -> Shape {
    let partitions = topic.partitions.iter().map(|partition| partition.partition).collect();
    (topic.name.clone(), topic.id, partitions)
}

/// What of a topic may be committed; the rest is refused in the response.
fn admit(
    cx: &Context,
    image: &Image,
    version: i16,
    topic: &OffsetCommitRequestTopic,
    response: &mut OffsetCommitResponse,
) -> Option<CommitTopic> {
    let by_id = version >= TOPIC_IDS;
    let found = match by_id {
        true => image.topic(TopicId(topic.topic_id)),
        false => image.topic_by_name(&topic.name),
    };
    let name = if by_id { found.map(|t| t.name.clone()) } else { Some(topic.name.clone()) };
    let Some(name) = name else {
        let unknown = ErrorCode::UNKNOWN_TOPIC_ID;
        response.topics.push(refused(ByteString::new(), topic.topic_id, topic, unknown));
        return None;
    };
    if !cx.authorize(Operation::Read, Resource::Topic(&name)) {
        let denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        response.topics.push(refused(name, topic.topic_id, topic, denied));
        return None;
    }
    let Some(found) = found else {
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        response.topics.push(refused(name, Uuid::nil(), topic, unknown));
        return None;
    };
    let mut admitted = CommitTopic { name: owned(&name), id: found.id.0, partitions: Vec::new() };
    let mut unknown = Vec::new();
    for partition in &topic.partitions {
        if found.partition(partition.partition_index).is_none() {
            let error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            let partition_index = partition.partition_index;
            unknown.push(OffsetCommitResponsePartition { partition_index, error_code });
            continue;
        }
        admitted.partitions.push(CommitPartition {
            partition: partition.partition_index,
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: partition.committed_metadata.as_ref().map(owned).unwrap_or_default(),
        });
    }
    if !unknown.is_empty() {
        response.topics.push(OffsetCommitResponseTopic {
            name,
            topic_id: found.id.0,
            partitions: unknown,
        });
    }
    (!admitted.partitions.is_empty()).then_some(admitted)
}

/// The coordinator's answer, behind what was refused before.
fn fill(response: &mut OffsetCommitResponse, shape: Vec<Shape>, answer: &GroupAnswer) {
    for (index, (name, topic_id, partitions)) in shape.into_iter().enumerate() {
        let code = |at: usize| match answer {
            GroupAnswer::Commit(Ok(results)) => results
                .get(index)
                .and_then(|topic| topic.get(at))
                .map_or(ErrorCode::NONE, |r| code_of(*r)),
            GroupAnswer::Commit(Err(refusal)) => code(*refusal),
            _ => ErrorCode::UNKNOWN_SERVER_ERROR,
        };
        let answered = partitions.into_iter().enumerate().map(|(at, partition_index)| {
            OffsetCommitResponsePartition { partition_index, error_code: code(at) }
        });
        let known = response.topics.iter_mut().find(|t| t.name == name && t.topic_id == topic_id);
        match known {
            Some(topic) => topic.partitions.extend(answered),
            None => response.topics.push(OffsetCommitResponseTopic {
                name,
                topic_id,
                partitions: answered.collect(),
            }),
        }
    }
}

fn refused(
    name: ByteString,
    topic_id: Uuid,
    topic: &OffsetCommitRequestTopic,
    error_code: ErrorCode,
) -> OffsetCommitResponseTopic {
    let partition = |partition_index| OffsetCommitResponsePartition { partition_index, error_code };
    OffsetCommitResponseTopic {
        name,
        topic_id,
        partitions: topic.partitions.iter().map(|p| partition(p.partition_index)).collect(),
    }
}
