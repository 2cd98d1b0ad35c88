//! AlterShareGroupOffsets (key 91): a share group without members reads on from elsewhere (KIP-932).
//!
//! - A group that is not there comes to be. One that has members: NON_EMPTY_GROUP; one of another protocol: GROUP_ID_NOT_FOUND.
//! - The state of each partition begins anew, from the offset that is said, under the group's epoch, which stays.
//! - A topic or a partition that is not there: UNKNOWN_TOPIC_OR_PARTITION, beside those that are. A negative partition refuses all.
//! - A topic that is named twice is one; of a partition that is named twice the last offset counts.
//!
//! Where Kafka does not take note of any partition if one of them cannot begin, those that did are noted here.

use std::collections::{BTreeMap, HashMap};

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::alter_share_group_offsets::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsRequestTopic,
    AlterShareGroupOffsetsResponse, AlterShareGroupOffsetsResponsePartition,
    AlterShareGroupOffsetsResponseTopic,
};
use uuid::Uuid;

use super::coordination::{self, code};
use super::share_state::{self, fault_of, strange};
use super::{Context, Operation, Resource, share_groups, text};
use crate::group::records::owned;
use crate::group::share::message::{AlterOffsets, ShareAnswer, ShareRequest};
use crate::share::state::message::{StateAnswer, StateAsk};

pub(crate) async fn handle(
    cx: &Context,
    _: i16,
    request: AlterShareGroupOffsetsRequest,
) -> AlterShareGroupOffsetsResponse {
    let group = owned(&request.group_id);
    if let Err(code) = coordination::check(cx, share_groups::served(cx), Operation::Read, &group) {
        return failed(code, text::of(code).to_owned());
    }
    let topics = by_name(request.topics);
    // Kafka's order: first those that it does not ask the coordinator about.
    let mut responses = Vec::new();
    let mut asked = Vec::new();
    for topic in topics {
        let refused = if !cx.authorize(Operation::Read, Resource::Topic(&topic.topic_name)) {
            Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
        } else if cx.shard.image().topic_by_name(&topic.topic_name).is_none() {
            Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        } else {
            None
        };
        match refused {
            Some(code) => responses.push(refused_topic(cx, topic, code)),
            None => asked.push(topic),
        }
    }
    let offsets = |topic: &AlterShareGroupOffsetsRequestTopic| {
        let of = topic.partitions.iter().map(|p| (p.partition_index, p.start_offset));
        (owned(&topic.topic_name), of.collect())
    };
    let alter = AlterOffsets { group: group.clone(), topics: asked.iter().map(offsets).collect() };
    let altered = match share_groups::ask(cx, &group, ShareRequest::Alter(alter)).await {
        Some(ShareAnswer::Alter(Ok(altered))) => altered,
        Some(ShareAnswer::Alter(Err(why))) => {
            let code = code(why.refusal);
            let message = if why.message.is_empty() { text::of(code).into() } else { why.message };
            return failed(code, message);
        }
        _ => {
            let code = ErrorCode::UNKNOWN_SERVER_ERROR;
            return failed(code, text::of(code).to_owned());
        }
    };
    let begin = asked.iter().zip(&altered.topics).filter_map(|(topic, known)| {
        let (id, known) = known.as_ref()?;
        let there = topic.partitions.iter().zip(known).filter(|(_, known)| **known);
        // The last offset of each.
        let offsets: BTreeMap<i32, i64> =
            there.map(|(p, _)| (p.partition_index, p.start_offset)).collect();
        let ask = |(partition, start_offset)| {
            (partition, StateAsk::Initialize { state_epoch: altered.state_epoch, start_offset })
        };
        (!offsets.is_empty()).then(|| (*id, offsets.into_iter().map(ask).collect()))
    });
    let begin: share_state::ByTopic<StateAsk> = begin.collect();
    let mut outcomes: BTreeMap<(Uuid, i32), StateAnswer> = BTreeMap::new();
    if !begin.is_empty() {
        let answers = share_groups::state(&cx.shard, &group, begin).await;
        share_groups::begun(&cx.shard, group, &answers).await;
        let of = |(topic, of): (Uuid, Vec<(i32, StateAnswer)>)| {
            of.into_iter().map(move |(partition, answer)| ((topic, partition), answer))
        };
        outcomes.extend(answers.into_iter().flat_map(of));
    }
    for (topic, known) in asked.into_iter().zip(altered.topics) {
        let Some((id, known)) = known else {
            responses.push(refused_topic(cx, topic, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
            continue;
        };
        let partitions = topic.partitions.iter().zip(known).map(|(partition, known)| {
            let partition_index = partition.partition_index;
            let (error_code, error_message) = match outcomes.get(&(id, partition_index)) {
                _ if !known => told(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                Some(StateAnswer::Initialize(outcome)) => {
                    fault_of(*outcome, "initialize share group state")
                }
                _ => strange(),
            };
            AlterShareGroupOffsetsResponsePartition { partition_index, error_code, error_message }
        });
        responses.push(AlterShareGroupOffsetsResponseTopic {
            topic_name: topic.topic_name,
            topic_id: id,
            partitions: partitions.collect(),
        });
    }
    AlterShareGroupOffsetsResponse { responses, ..AlterShareGroupOffsetsResponse::default() }
}

/// Each topic once, where it is named first.
fn by_name(
    topics: Vec<AlterShareGroupOffsetsRequestTopic>,
) -> Vec<AlterShareGroupOffsetsRequestTopic> {
    let mut places: HashMap<ByteString, usize> = HashMap::new();
    let mut once: Vec<AlterShareGroupOffsetsRequestTopic> = Vec::with_capacity(topics.len());
    for topic in topics {
        match places.get(&topic.topic_name) {
            Some(place) => once[*place].partitions.extend(topic.partitions),
            None => {
                places.insert(topic.topic_name.clone(), once.len());
                once.push(topic);
            }
        }
    }
    once
}

fn refused_topic(
    cx: &Context,
    topic: AlterShareGroupOffsetsRequestTopic,
    code: ErrorCode,
) -> AlterShareGroupOffsetsResponseTopic {
    let id = cx.shard.image().topic_id(&topic.topic_name);
    let partition = |partition_index: i32| {
        let (error_code, error_message) = told(code);
        AlterShareGroupOffsetsResponsePartition { partition_index, error_code, error_message }
    };
    AlterShareGroupOffsetsResponseTopic {
        topic_id: id.map_or_else(Uuid::nil, |id| id.0),
        partitions: topic.partitions.iter().map(|p| partition(p.partition_index)).collect(),
        topic_name: topic.topic_name,
    }
}

fn told(code: ErrorCode) -> (ErrorCode, Option<ByteString>) {
    (code, Some(text::of(code).into()))
}

fn failed(error_code: ErrorCode, message: String) -> AlterShareGroupOffsetsResponse {
    let error_message = Some(message.into());
    AlterShareGroupOffsetsResponse { error_code, error_message, ..Default::default() }
}
