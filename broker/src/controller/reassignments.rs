//! AlterPartitionReassignments and ListPartitionReassignments on a node that is alone: what can be asked for is checked as Kafka does it,
//! and only what is so already can be granted. Pure: nothing is written here.

use net::wire::alter_partition_reassignments::{ReassignablePartition, ReassignableTopic};
use replication::controller::assignment::{AssignmentError, check_replicas};
use storage::units::TopicId;

use crate::metadata::image::{Image, Partition};
use crate::metadata::records::{PartitionChangeRecord, Record};

/// Why a partition is not reassigned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReassignmentRefusal {
    #[error("{0}")]
    Unknown(String),
    #[error(transparent)]
    Assignment(#[from] AssignmentError),
    #[error("The replication factor is changed from {from} to {to}")]
    Factor { from: usize, to: usize },
    #[error("No partition reassignment is in progress.")]
    NoneInProgress,
    #[error(
        "This node serves only partitions that it alone has a replica of: replicas {0:?} would be on other brokers."
    )]
    Elsewhere(Vec<i32>),
}

/// For each partition of the request, in its order.
pub type Outcomes = Vec<Vec<Result<(), ReassignmentRefusal>>>;

/// Plans what one request asks for.
pub fn plan(
    image: &Image,
    me: i32,
    topics: &[ReassignableTopic],
    factor_may_change: bool,
) -> (Vec<Record>, Outcomes) {
    let mut records = Vec::new();
    let mut outcomes = Outcomes::with_capacity(topics.len());
    for topic in topics {
        let mut of_topic = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let planned = plan_partition(image, me, &topic.name, asked, factor_may_change);
            of_topic.push(planned.map(|record| records.extend(record)));
        }
        outcomes.push(of_topic);
    }
    (records, outcomes)
}

fn plan_partition(
    image: &Image,
    me: i32,
    name: &str,
    asked: &ReassignablePartition,
    factor_may_change: bool,
) -> Result<Option<Record>, ReassignmentRefusal> {
    let number = asked.partition_index;
    let unknown = |text| ReassignmentRefusal::Unknown(text);
    let topic = image
        .topic_by_name(name)
        .ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
    let partition = topic
        .partition(number)
        .ok_or_else(|| unknown(format!("Unable to find partition {name}:{number}.")))?;
    let Some(replicas) = &asked.replicas else { return cancel(topic.id, number, partition) };
    check_replicas(replicas, None, &|id| image.broker(id).map(|broker| broker.active()))?;
    if !factor_may_change && replicas.len() != partition.replicas.len() {
        let (from, to) = (partition.replicas.len(), replicas.len());
        return Err(ReassignmentRefusal::Factor { from, to });
    }
    match replicas[..] == [me] {
        true => Ok(None),
        false => Err(ReassignmentRefusal::Elsewhere(replicas.clone())),
    }
}

/// What was under way when another node led.
fn cancel(
    topic: TopicId,
    number: i32,
    partition: &Partition,
) -> Result<Option<Record>, ReassignmentRefusal> {
    if !in_progress(partition) {
        return Err(ReassignmentRefusal::NoneInProgress);
    }
    let change = PartitionChangeRecord {
        adding_replicas: Some(Vec::new()),
        removing_replicas: Some(Vec::new()),
        ..PartitionChangeRecord::of(topic, number)
    };
    Ok(Some(change.into()))
}

/// Whether replicas are being added or removed.
pub fn in_progress(partition: &Partition) -> bool {
    !partition.adding.is_empty() || !partition.removing.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::create::tests::image_of_brokers;
    use crate::metadata::image::tests::topic;
    use uuid::Uuid;

    fn ask(
        image: &Image,
        name: &str,
        n: i32,
        to: Option<&[i32]>,
        free: bool,
    ) -> Result<usize, String> {
        let partition =
            ReassignablePartition { partition_index: n, replicas: to.map(<[i32]>::to_vec) };
        let topic = ReassignableTopic { name: name.into(), partitions: vec![partition] };
        let (records, mut outcomes) = plan(image, 1, &[topic], free);
        outcomes.remove(0).remove(0).map(|()| records.len()).map_err(|why| why.to_string())
    }

    #[test]
    fn only_what_is_so_already_is_granted() {
        let mut image = image_of_brokers();
        topic(1, "a", 1).iter().for_each(|record| image.apply(record).unwrap());
        assert_eq!(ask(&image, "a", 0, Some(&[1]), true), Ok(0));
        for (name, n, to, text) in [
            ("b", 0, Some(&[1][..]), "Unable to find a topic named b."),
            ("a", 3, Some(&[1]), "Unable to find partition a:3."),
            (
                "a",
                0,
                Some(&[77]),
                "The manual partition assignment includes broker 77, but no such broker is registered.",
            ),
            ("a", 0, Some(&[]), "The manual partition assignment includes an empty replica list."),
            ("a", 0, None, "No partition reassignment is in progress."),
        ] {
            assert_eq!(ask(&image, name, n, to, true), Err(text.to_owned()));
        }
        let other = ask(&image, "a", 0, Some(&[1, 3]), true).unwrap_err();
        assert!(other.contains("other brokers"), "{other}");
        let factor = ask(&image, "a", 0, Some(&[1, 3]), false);
        assert_eq!(factor, Err("The replication factor is changed from 1 to 2".to_owned()));
    }

    #[test]
    fn what_was_under_way_can_be_ended() {
        let mut image = image_of_brokers();
        topic(1, "a", 1).iter().for_each(|record| image.apply(record).unwrap());
        let id = TopicId(Uuid::from_u128(1));
        let adding = PartitionChangeRecord {
            adding_replicas: Some(vec![2]),
            ..PartitionChangeRecord::of(id, 0)
        };
        image.apply(&adding.into()).unwrap();
        assert!(in_progress(image.partition(id, 0).unwrap()));
        assert_eq!(ask(&image, "a", 0, None, true), Ok(1));
    }
}
