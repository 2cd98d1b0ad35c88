//! CreatePartitions: what records a request makes, and what each topic is answered. Pure: nothing is written here.

use std::collections::{HashMap, HashSet};

use bytestring::ByteString;
use net::wire::create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic};
use replication::controller::assignment::{Assigned, AssignmentError, check_replicas};
use uuid::Uuid;

use super::create::{new_directories, partition_record, place_partitions};
use super::dice::Dice;
use super::refusal::{PARTITIONS_PER_REQUEST_MAX, TopicRefusal};
use crate::metadata::image::{Image, Topic};
use crate::metadata::records::Record;

/// An outcome for each topic, in the order of the answer.
pub type Outcomes = Vec<(ByteString, Result<(), TopicRefusal>)>;

/// Plans the partitions of one request. Topics that stand in it more than once are refused, and come first, as in Kafka.
pub fn plan(
    image: &Image,
    me: i32,
    dice: &mut Dice,
    topics: &[CreatePartitionsTopic],
) -> (Vec<Record>, Outcomes) {
    let mut times: HashMap<&ByteString, usize> = HashMap::new();
    topics.iter().for_each(|topic| *times.entry(&topic.name).or_default() += 1);
    let mut outcomes = Outcomes::new();
    let mut seen = HashSet::new();
    let twice = topics.iter().filter(|topic| times[&topic.name] > 1);
    for topic in twice.filter(|topic| seen.insert(&topic.name)) {
        let refusal = TopicRefusal::Contradiction("Duplicate topic name.");
        outcomes.push((topic.name.clone(), Err(refusal)));
    }
    let mut records = Vec::new();
    let mut directory_of = new_directories(image, me);
    let mut room = PARTITIONS_PER_REQUEST_MAX;
    for topic in topics.iter().filter(|topic| times[&topic.name] == 1) {
        let planned = plan_topic(image, dice, topic, &mut room, &mut directory_of);
        let outcome = planned.map(|mut own| records.append(&mut own));
        outcomes.push((topic.name.clone(), outcome));
    }
    (records, outcomes)
}

fn plan_topic(
    image: &Image,
    dice: &mut Dice,
    asked: &CreatePartitionsTopic,
    room: &mut usize,
    directory_of: &mut impl FnMut(i32) -> Uuid,
) -> Result<Vec<Record>, TopicRefusal> {
    let topic = image.topic_by_name(&asked.name).ok_or(TopicRefusal::UnknownName)?;
    let there = topic.partitions.len();
    let wanted = usize::try_from(asked.count).unwrap_or(0);
    if wanted == there {
        return Err(TopicRefusal::Count(format!("Topic already has {there} partition(s).")));
    }
    if wanted < there {
        return Err(TopicRefusal::Count(format!(
            "The topic {} currently has {there} partition(s); {} would not be an increase.",
            asked.name, asked.count
        )));
    }
    let additional = wanted - there;
    if let Some(assignments) = &asked.assignments
        && assignments.len() != additional
    {
        return Err(TopicRefusal::AssignmentCount { additional, assignments: assignments.len() });
    }
    *room = room
        .checked_sub(additional)
        .ok_or(TopicRefusal::Policy("Unable to perform excessively large batch operation."))?;
    let assigned = match &asked.assignments {
        Some(assignments) => check_assignments(image, topic, assignments)?,
        None => place_partitions(image, dice, additional, factor(topic))?,
    };
    let first = i32::try_from(there).unwrap_or(i32::MAX);
    let record = |(n, partition)| partition_record(topic.id.0, n, partition, directory_of);
    Ok((first..).zip(&assigned).map(record).collect())
}

/// New partitions have as many replicas as the first.
fn factor(topic: &Topic) -> i16 {
    let replicas = topic.partition(0).map_or(1, |partition| partition.replicas.len());
    i16::try_from(replicas).unwrap_or(i16::MAX)
}

fn check_assignments(
    image: &Image,
    topic: &Topic,
    assignments: &[CreatePartitionsAssignment],
) -> Result<Vec<Assigned>, TopicRefusal> {
    let broker = |id: i32| image.broker(id).map(|broker| broker.active());
    let factor = usize::try_from(factor(topic)).ok();
    let first = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let assign = |(partition, assignment): (i32, &CreatePartitionsAssignment)| {
        let replicas = assignment.broker_ids.clone();
        check_replicas(&replicas, factor, &broker)?;
        let active = |id: &i32| broker(*id) == Some(true);
        let isr: Vec<i32> = replicas.iter().copied().filter(active).collect();
        match isr.is_empty() {
            true => Err(AssignmentError::AllFenced(partition).into()),
            false => Ok(Assigned { replicas, isr }),
        }
    };
    (first..).zip(assignments).map(assign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::create::tests::image_of_brokers;
    use crate::metadata::image::tests::topic;

    fn ask(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
        let assigned = |ids: &&[i32]| CreatePartitionsAssignment { broker_ids: ids.to_vec() };
        CreatePartitionsTopic {
            name: name.into(),
            count,
            assignments: assignments.map(|all| all.iter().map(assigned).collect()),
        }
    }

    fn image() -> Image {
        let mut image = image_of_brokers();
        topic(1, "a", 2).iter().for_each(|record| image.apply(record).unwrap());
        image
    }

    #[test]
    fn new_partitions_follow_the_old_ones() {
        let mut image = image();
        let (records, outcomes) = plan(&image, 1, &mut Dice::seeded(1), &[ask("a", 5, None)]);
        assert_eq!(outcomes, [("a".into(), Ok(()))]);
        records.iter().for_each(|record| image.apply(record).unwrap());
        let topic = image.topic_by_name("a").unwrap();
        assert_eq!(topic.partitions.len(), 5);
        assert_eq!(topic.partition(4).unwrap().replicas.len(), 1);
    }

    #[test]
    fn refusals_are_kafkas() {
        let refused = |asked: CreatePartitionsTopic| {
            let (records, mut outcomes) = plan(&image(), 1, &mut Dice::seeded(1), &[asked]);
            assert!(records.is_empty());
            outcomes.remove(0).1.unwrap_err().to_string()
        };
        assert_eq!(refused(ask("a", 2, None)), "Topic already has 2 partition(s).");
        assert_eq!(
            refused(ask("a", 1, None)),
            "The topic a currently has 2 partition(s); 1 would not be an increase."
        );
        assert_eq!(
            refused(ask("a", 4, Some(&[&[1]]))),
            "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."
        );
        assert_eq!(
            refused(ask("a", 3, Some(&[&[77]]))),
            "The manual partition assignment includes broker 77, but no such broker is registered."
        );
        assert_eq!(
            refused(ask("a", 30_000, None)),
            "Unable to perform excessively large batch operation."
        );
        let twice = [ask("a", 3, None), ask("a", 4, None)];
        let (records, outcomes) = plan(&image(), 1, &mut Dice::seeded(1), &twice);
        assert_eq!((records.len(), outcomes.len()), (0, 1));
    }
}
