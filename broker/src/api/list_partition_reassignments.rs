//! ListPartitionReassignments (key 46): what moves between brokers (KIP-455). What Kafka had begun in a directory that was taken over
//! shows; a node that is alone begins nothing.

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment, OngoingTopicReassignment,
};

use super::{Context, Operation, Resource};
use crate::controller::reassignments::in_progress;
use crate::metadata::Image;
use crate::metadata::image::Topic;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    if !cx.authorize(Operation::Describe, Resource::Cluster) {
        let error_code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
        return ListPartitionReassignmentsResponse { error_code, ..Default::default() };
    }
    let topics = request.topics.map(|topics| {
        topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect::<Vec<_>>()
    });
    let topics = ongoing(&cx.shard.image(), topics.as_deref());
    ListPartitionReassignmentsResponse { topics, ..Default::default() }
}

fn ongoing(
    image: &Image,
    asked: Option<&[(ByteString, Vec<i32>)]>,
) -> Vec<OngoingTopicReassignment> {
    let of_topic = |topic: &Topic, numbers: &mut dyn Iterator<Item = i32>| {
        let partitions: Vec<_> = numbers.filter_map(|n| moving(topic, n)).collect();
        let some = !partitions.is_empty();
        some.then(|| OngoingTopicReassignment { name: topic.name.clone(), partitions })
    };
    match asked {
        None => image
            .topics()
            .filter_map(|topic| of_topic(topic, &mut topic.partitions().map(|(n, _)| n)))
            .collect(),
        Some(asked) => asked
            .iter()
            .filter_map(|(name, numbers)| {
                of_topic(image.topic_by_name(name)?, &mut numbers.iter().copied())
            })
            .collect(),
    }
}

fn moving(topic: &Topic, number: i32) -> Option<OngoingPartitionReassignment> {
    let partition = topic.partition(number).filter(|partition| in_progress(partition))?;
    Some(OngoingPartitionReassignment {
        partition_index: number,
        replicas: partition.replicas.clone(),
        adding_replicas: partition.adding.clone(),
        removing_replicas: partition.removing.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::image::tests::{replayed, topic};
    use crate::metadata::records::PartitionChangeRecord;
    use storage::units::TopicId;
    use uuid::Uuid;

    #[test]
    fn only_what_moves_is_listed() {
        let mut image = replayed([topic(1, "a", 2), topic(2, "b", 1)].concat());
        assert!(ongoing(&image, None).is_empty());
        let adding = PartitionChangeRecord {
            adding_replicas: Some(vec![2]),
            ..PartitionChangeRecord::of(TopicId(Uuid::from_u128(1)), 1)
        };
        image.apply(&adding.into()).unwrap();
        let all = ongoing(&image, None);
        assert_eq!((all.len(), &*all[0].name, all[0].partitions[0].partition_index), (1, "a", 1));
        assert_eq!(ongoing(&image, Some(&[("a".into(), vec![0, 1, 9])])), all);
        assert!(ongoing(&image, Some(&[("a".into(), vec![0]), ("no".into(), vec![0])])).is_empty());
    }
}
