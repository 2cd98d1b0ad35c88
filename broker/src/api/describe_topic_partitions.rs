//! DescribeTopicPartitions (key 75): topics with their partitions, page by page (KIP-966).
//!
//! - Topics in the order of their names, no topics for all. From the cursor on, at most as many partitions as the client and
//!   `max.request.partition.size.limit` allow; where there is more the answer has the next cursor.
//! - A cursor that names a topic which is not asked for, or a negative partition, is INVALID_REQUEST for every topic.

use std::collections::BTreeSet;

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};

use super::metadata::{TOPIC_OPERATIONS, View};
use super::{Context, Operation, Resource};
use crate::metadata::image::{Partition, Topic};
use crate::topic_name;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = cx.shard.image();
    let allowed = |name: &str| cx.authorize(Operation::Describe, Resource::Topic(name));
    let view = View::new(&image, &cx.peer.listener, &allowed);
    let limit = cx.shard.config.partitions_per_answer_max;
    page(&view, &request, limit)
}

/// One page, of `limit` partitions at most.
fn page(
    view: &View<'_>,
    request: &DescribeTopicPartitionsRequest,
    limit: i32,
) -> DescribeTopicPartitionsResponse {
    let all = request.topics.is_empty();
    let from = request.cursor.as_ref().map_or("", |cursor| &cursor.topic_name);
    let names: BTreeSet<&ByteString> = match all {
        true => view.image.topics().map(|topic| &topic.name).collect(),
        false => request.topics.iter().map(|topic| &topic.name).collect(),
    };
    let names: BTreeSet<&ByteString> = names.into_iter().filter(|name| ***name >= *from).collect();
    if let Some(cursor) = &request.cursor {
        let missing = !all && !names.contains(&cursor.topic_name);
        if missing || cursor.partition_index < 0 {
            return refused(request);
        }
    }
    let (allowed, denied): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| (view.allowed)(name));
    let mut left = request.response_partition_limit.min(limit).max(1);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in allowed {
        if left == 0 {
            response.next_cursor = Some(Cursor { topic_name: name.clone(), partition_index: 0 });
            break;
        }
        let Some(topic) = view.image.topic_by_name(name) else {
            response.topics.extend((!all).then(|| unknown(name)));
            continue;
        };
        let begin = request.cursor.as_ref().filter(|cursor| cursor.topic_name == *name);
        let (told, next) = described(view, topic, begin.map_or(0, |c| c.partition_index), left);
        left -= i32::try_from(told.partitions.len()).unwrap_or(left);
        response.topics.push(told);
        if let Some(partition_index) = next {
            response.next_cursor = Some(Cursor { topic_name: name.clone(), partition_index });
            break;
        }
    }
    for topic in &mut response.topics {
        topic.topic_authorized_operations = TOPIC_OPERATIONS;
    }
    if !all {
        let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        response.topics.extend(denied.into_iter().map(|name| failed(name, code)));
    }
    response
}

/// A topic's partitions from `begin` on, `limit` at most, and where the next page begins.
fn described(
    view: &View<'_>,
    topic: &Topic,
    begin: i32,
    limit: i32,
) -> (DescribeTopicPartitionsResponseTopic, Option<i32>) {
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let end = begin.saturating_add(limit).min(count);
    let each = (begin..end).filter_map(|n| Some(partition(view, n, topic.partition(n)?)));
    let told = DescribeTopicPartitionsResponseTopic {
        topic_id: topic.id.0,
        is_internal: topic_name::internal(&topic.name),
        partitions: each.collect(),
        ..failed(&topic.name, ErrorCode::NONE)
    };
    (told, (end < count && begin < count).then_some(end))
}

fn partition(
    view: &View<'_>,
    partition_index: i32,
    partition: &Partition,
) -> DescribeTopicPartitionsResponsePartition {
    let (error_code, leader_id) = match view.leader(partition.leader) {
        Ok(leader) => (ErrorCode::NONE, leader),
        Err(code) => (code, -1),
    };
    DescribeTopicPartitionsResponsePartition {
        error_code,
        partition_index,
        leader_id,
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: partition.replicas.clone(),
        isr_nodes: partition.isr.clone(),
        eligible_leader_replicas: Some(partition.eligible.clone()),
        last_known_elr: Some(partition.last_known_eligible.clone()),
        offline_replicas: view.offline(partition),
    }
}

fn unknown(name: &ByteString) -> DescribeTopicPartitionsResponseTopic {
    let code = match topic_name::check(name) {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
    };
    let is_internal = topic_name::internal(name);
    DescribeTopicPartitionsResponseTopic { is_internal, ..failed(name, code) }
}

fn failed(name: &ByteString, error_code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(name.clone()),
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

/// One error for all topics that are named.
fn refused(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| failed(&topic.name, ErrorCode::INVALID_REQUEST));
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::image::tests::{replayed, topic};
    use net::wire::describe_topic_partitions::TopicRequest;

    /// Asks page after page; what each page holds, as topic and partitions.
    fn pages(topics: &[&str], limit: i32, most: i32) -> Vec<Vec<(String, Vec<i32>)>> {
        let image = replayed([topic(1, "a", 3), topic(2, "b", 1), topic(3, "c", 2)].concat());
        let view = View::new(&image, "PLAINTEXT", &|_| true);
        let named = |name: &&str| TopicRequest { name: (*name).into() };
        let mut request = DescribeTopicPartitionsRequest {
            topics: topics.iter().map(named).collect(),
            response_partition_limit: limit,
            cursor: None,
        };
        let mut pages = Vec::new();
        loop {
            let response = page(&view, &request, most);
            let told = |topic: &DescribeTopicPartitionsResponseTopic| {
                let name = topic.name.as_ref().unwrap().to_string();
                (name, topic.partitions.iter().map(|p| p.partition_index).collect())
            };
            pages.push(response.topics.iter().map(told).collect());
            request.cursor = response.next_cursor;
            if request.cursor.is_none() || pages.len() > 20 {
                return pages;
            }
        }
    }

    #[test]
    fn pages_follow_each_other() {
        let of = |name: &str, partitions: &[i32]| (name.to_owned(), partitions.to_vec());
        let (a, b, c) = (of("a", &[0, 1, 2]), of("b", &[0]), of("c", &[0, 1]));
        assert_eq!(pages(&[], 2000, 2000), [vec![a.clone(), b.clone(), c.clone()]]);
        let by_two = [vec![of("a", &[0, 1])], vec![of("a", &[2]), b.clone()], vec![c.clone()]];
        assert_eq!(pages(&[], 2, 2000), by_two);
        assert_eq!(pages(&[], 2000, 2), by_two);
        assert_eq!(
            pages(&["c", "b"], 0, 2000),
            [vec![b], vec![of("c", &[0])], vec![of("c", &[1])]]
        );
        assert_eq!(pages(&["x", "a b"], 5, 5), [vec![of("a b", &[]), of("x", &[])]]);
    }

    #[test]
    fn a_cursor_must_be_of_the_request() {
        let image = replayed(topic(1, "a", 3));
        let view = View::new(&image, "PLAINTEXT", &|_| true);
        let ask = |topic: &str, partition_index| {
            let cursor = Some(Cursor { topic_name: topic.into(), partition_index });
            let topics = vec![TopicRequest { name: "a".into() }];
            let request = DescribeTopicPartitionsRequest { topics, cursor, ..Default::default() };
            page(&view, &request, 10).topics[0].error_code
        };
        assert_eq!(ask("b", 0), ErrorCode::INVALID_REQUEST);
        assert_eq!(ask("a", -1), ErrorCode::INVALID_REQUEST);
        assert_eq!(ask("a", 2), ErrorCode::NONE);
        assert_eq!(ask("a", 99), ErrorCode::NONE);
    }
}
