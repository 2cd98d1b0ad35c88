//! DescribeShareGroupOffsets (key 90): from where share groups read on, and how much is left to read (KIP-932).
//!
//! - Without topics: all partitions that have state. Whether there is such a group is not looked at.
//! - -1 is the offset of a topic or a partition that is not there, or that nobody has read yet.
//! - A topic without partitions, a negative partition or a group without a name refuse the group: UNKNOWN_SERVER_ERROR, as in Kafka.
//! - The lag: what is up to the high watermark and not done with. -1 where the start is not known.
//! - UNSUPPORTED_VERSION for each group unless share groups are served.
//!
//! 1: the lag (KIP-1226).

use std::collections::{BTreeMap, BTreeSet};

use bytestring::ByteString;
use futures::future::join_all;
use net::wire::ErrorCode;
use net::wire::describe_share_group_offsets::{
    DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsRequestTopic, DescribeShareGroupOffsetsResponse,
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
};
use storage::units::{PartitionId, TopicId};
use uuid::Uuid;

use super::coordination::code;
use super::{Context, Operation, Resource, list_offsets, share_groups, text};
use crate::group::records::owned;
use crate::group::share::message::{ShareAnswer, ShareRequest};
use crate::message::{OffsetsPart, Sought};
use crate::share::state::message::{StateAnswer, StateAsk, Summary};

type Group = DescribeShareGroupOffsetsResponseGroup;
type Topic = DescribeShareGroupOffsetsResponseTopic;
type Partition = DescribeShareGroupOffsetsResponsePartition;

/// Name and id of each topic, and its partitions, none twice.
type Wanted = Vec<(ByteString, Uuid, BTreeSet<i32>)>;

pub(crate) async fn handle(
    cx: &Context,
    _: i16,
    request: DescribeShareGroupOffsetsRequest,
) -> DescribeShareGroupOffsetsResponse {
    let groups = join_all(request.groups.into_iter().map(|group| describe(cx, group))).await;
    DescribeShareGroupOffsetsResponse { groups, ..DescribeShareGroupOffsetsResponse::default() }
}

async fn describe(cx: &Context, request: DescribeShareGroupOffsetsRequestGroup) -> Group {
    let group_id = owned(&request.group_id);
    let bare = |error_code| Group { group_id: group_id.clone(), error_code, ..Group::default() };
    if !share_groups::served(cx) {
        return bare(ErrorCode::UNSUPPORTED_VERSION);
    }
    if !cx.authorize(Operation::Describe, Resource::Group(&group_id)) {
        return bare(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    let found = match request.topics {
        None => all(cx, &group_id).await.map(|wanted| (wanted, Vec::new())),
        Some(topics) => named(cx, &group_id, topics),
    };
    match found {
        Ok((wanted, rest)) => {
            let mut topics = stand(cx, &group_id, wanted).await;
            topics.extend(rest);
            Group { topics, ..bare(ErrorCode::NONE) }
        }
        Err(code) => Group { error_message: Some(text::of(code).into()), ..bare(code) },
    }
}

/// All that has state, of topics that may be described.
async fn all(cx: &Context, group: &ByteString) -> Result<Wanted, ErrorCode> {
    let kept = match share_groups::ask(cx, group, ShareRequest::Kept(group.clone())).await {
        Some(ShareAnswer::Kept(Ok(kept))) => kept,
        Some(ShareAnswer::Kept(Err(refusal))) => return Err(code(refusal)),
        _ => return Err(ErrorCode::UNKNOWN_SERVER_ERROR),
    };
    let image = cx.shard.image();
    let wanted = kept.into_iter().filter_map(|(id, partitions)| {
        let name = image.topic(TopicId(id))?.name.clone();
        let allowed = cx.authorize(Operation::Describe, Resource::Topic(&name));
        allowed.then(|| (name, id, partitions.into_iter().collect()))
    });
    Ok(wanted.collect())
}

/// What is asked for by name, and what is said of the rest.
fn named(
    cx: &Context,
    group: &ByteString,
    topics: Vec<DescribeShareGroupOffsetsRequestTopic>,
) -> Result<(Wanted, Vec<Topic>), ErrorCode> {
    let image = cx.shard.image();
    let (mut wanted, mut unknown, mut hidden) = (Wanted::new(), Vec::new(), Vec::new());
    for topic in topics {
        let nowhere = |partition_index| Partition {
            partition_index,
            start_offset: -1,
            ..Partition::default()
        };
        let blank = |code: ErrorCode| {
            let message = code.is_error().then(|| text::of(code).into());
            let told = |partition: &i32| Partition {
                error_code: code,
                error_message: message.clone(),
                ..nowhere(*partition)
            };
            Topic {
                topic_name: topic.topic_name.clone(),
                topic_id: Uuid::nil(),
                partitions: topic.partitions.iter().map(told).collect(),
            }
        };
        if !cx.authorize(Operation::Describe, Resource::Topic(&topic.topic_name)) {
            hidden.push(blank(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
            continue;
        }
        let Some(TopicId(id)) = image.topic_id(&topic.topic_name) else {
            unknown.push(blank(ErrorCode::NONE));
            continue;
        };
        if topic.partitions.is_empty() || topic.partitions.iter().any(|p| *p < 0) {
            return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
        }
        match wanted.iter_mut().find(|(_, of, _)| *of == id) {
            Some((.., partitions)) => partitions.extend(topic.partitions),
            None => wanted.push((topic.topic_name, id, topic.partitions.into_iter().collect())),
        }
    }
    if group.is_empty() && !wanted.is_empty() {
        return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
    }
    unknown.extend(hidden);
    Ok((wanted, unknown))
}

/// Where the group stands in each partition.
async fn stand(cx: &Context, group: &ByteString, wanted: Wanted) -> Vec<Topic> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let ask = |(_, id, partitions): &(ByteString, Uuid, BTreeSet<i32>)| {
        (*id, partitions.iter().map(|partition| (*partition, StateAsk::Summary)).collect())
    };
    let asked = wanted.iter().map(ask).collect();
    let answers = share_groups::state(&cx.shard, group, asked).await;
    let ends = ends(cx, &answers).await;
    let told = |id: Uuid, (partition_index, answer): (i32, StateAnswer)| {
        let StateAnswer::Summary(Ok(summary)) = answer else {
            return Partition { partition_index, start_offset: -1, ..Partition::default() };
        };
        let known = Partition {
            partition_index,
            start_offset: summary.start_offset,
            leader_epoch: summary.leader_epoch,
            ..Partition::default()
        };
        match ends.get(&(id, partition_index)) {
            None => known,
            Some(Ok(end)) => {
                let lag = end.saturating_sub(summary.start_offset);
                let lag = lag.saturating_sub(i64::from(summary.delivery_complete_count));
                Partition { lag, ..known }
            }
            Some(Err(code)) => Partition {
                partition_index,
                error_code: *code,
                error_message: Some(text::of(*code).into()),
                ..Partition::default()
            },
        }
    };
    let topics = wanted.into_iter().zip(answers).map(|((topic_name, ..), (topic_id, of))| Topic {
        topic_name,
        topic_id,
        partitions: of.into_iter().map(|one| told(topic_id, one)).collect(),
    });
    topics.collect()
}

/// The high watermarks of the partitions whose lag can be told.
async fn ends(
    cx: &Context,
    answers: &[(Uuid, Vec<(i32, StateAnswer)>)],
) -> BTreeMap<(Uuid, i32), Result<i64, ErrorCode>> {
    let has_lag =
        |summary: &Summary| summary.start_offset != -1 && summary.delivery_complete_count != -1;
    let mut parts = Vec::new();
    for (topic, partitions) in answers {
        for (partition, answer) in partitions {
            let StateAnswer::Summary(Ok(summary)) = answer else { continue };
            if has_lag(summary) {
                let partition = PartitionId { topic: TopicId(*topic), partition: *partition };
                let sought = Sought::Latest;
                parts.push(OffsetsPart {
                    partition,
                    current_epoch: None,
                    sought,
                    read_committed: false,
                });
            }
        }
    }
    let asked: Vec<_> =
        parts.iter().map(|p| (p.partition.topic.0, p.partition.partition)).collect();
    let found = list_offsets::latest(cx, parts).await;
    asked.into_iter().zip(found).collect()
}
