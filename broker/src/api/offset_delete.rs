//! OffsetDelete (key 47): what a group has committed for some partitions is forgotten (KIP-496).
//!
//! - Partitions of a topic that the group's members read are refused with GROUP_SUBSCRIBED_TO_TOPIC.
//! - Topics and partitions that do not exist: UNKNOWN_TOPIC_OR_PARTITION, one by one. What was never committed is deleted without error.

use bytestring::ByteString;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use super::coordination::{self, code, code_of};
use super::{Context, Operation, Resource};
use crate::group::message::{DeleteOffsets, GroupAnswer, GroupRequest};
use crate::metadata::image::Image;

pub(crate) fn call(cx: Context, version: i16, request: OffsetDeleteRequest) -> Outcome {
    let refused = if !cx.authorize(Operation::Delete, Resource::Group(&request.group_id)) {
        Some(ErrorCode::GROUP_AUTHORIZATION_FAILED)
    } else if request.group_id.is_empty() {
        Some(ErrorCode::INVALID_GROUP_ID)
    } else {
        None
    };
    if let Some(code) = refused {
        return super::answer::<OffsetDeleteRequest>(&cx, version, &failed(code));
    }
    let image = cx.shard.image();
    let mut response = OffsetDeleteResponse::default();
    let mut topics = Vec::new();
    for topic in &request.topics {
        let partitions = admit(&cx, &image, topic, &mut response);
        if !partitions.is_empty() {
            topics.push((topic.name.clone(), partitions));
        }
    }
    let delete = DeleteOffsets { group: request.group_id.clone(), topics: topics.clone() };
    let asked = coordination::ask(&cx, &request.group_id, GroupRequest::DeleteOffsets(delete));
    super::then::<OffsetDeleteRequest>(cx, version, async move |_: &Context| match asked.await {
        GroupAnswer::DeleteOffsets(Ok(results)) => {
            for ((name, partitions), results) in topics.into_iter().zip(results) {
                let answered = partitions.into_iter().zip(results);
                let answered = answered.map(|(p, result)| partition(p, code_of(result)));
                add(&mut response, &name, answered);
            }
            response
        }
        GroupAnswer::DeleteOffsets(Err(refusal)) => failed(code(refusal)),
        _ => failed(ErrorCode::UNKNOWN_SERVER_ERROR),
    })
}

/// The partitions that exist; the others are refused in the response.
fn admit(
    cx: &Context,
    image: &Image,
    topic: &OffsetDeleteRequestTopic,
    response: &mut OffsetDeleteResponse,
) -> Vec<i32> {
    let allowed = cx.authorize(Operation::Read, Resource::Topic(&topic.name));
    let refused = match allowed {
        true => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        false => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
    };
    let found = image.topic_by_name(&topic.name).filter(|_| allowed);
    let exists = |partition: &i32| found.is_some_and(|t| t.partition(*partition).is_some());
    let all = topic.partitions.iter().map(|partition| partition.partition_index);
    let (known, unknown): (Vec<i32>, Vec<i32>) = all.partition(exists);
    if !unknown.is_empty() {
        let unknown = unknown.into_iter().map(|p| partition(p, refused));
        add(response, &topic.name, unknown);
    }
    known
}

fn add(
    response: &mut OffsetDeleteResponse,
    name: &ByteString,
    partitions: impl Iterator<Item = OffsetDeleteResponsePartition>,
) {
    match response.topics.iter_mut().find(|topic| topic.name == *name) {
        Some(topic) => topic.partitions.extend(partitions),
        None => response.topics.push(OffsetDeleteResponseTopic {
            name: name.clone(),
            partitions: partitions.collect(),
        }),
    }
}

fn partition(partition_index: i32, error_code: ErrorCode) -> OffsetDeleteResponsePartition {
    OffsetDeleteResponsePartition { partition_index, error_code }
}

fn failed(error_code: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() }
}
