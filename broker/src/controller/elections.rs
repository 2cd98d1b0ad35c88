//! ElectLeaders: which partitions get another leader, and what each is answered. Pure: nothing is written here.

use bytestring::ByteString;
use storage::units::TopicId;

use crate::metadata::image::{Image, NO_LEADER, Partition, Topic};
use crate::metadata::records::{PartitionChangeRecord, Record};

/// `leader_recovery_state` of a leader that was elected uncleanly.
const RECOVERING: i8 = 1;

/// Which leader is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Election {
    /// The first replica, if it is in sync.
    Preferred,
    /// Any replica where nobody leads, at the price of lost records.
    Unclean,
}

/// Why a partition keeps its leader, or has none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElectionRefusal {
    #[error("{0}")]
    Unknown(String),
    #[error("Leader election not needed for topic partition.")]
    NotNeeded,
    #[error("The preferred leader was not available.")]
    PreferredNotAvailable,
    #[error("Eligible topic partition leaders are not available.")]
    NoneAvailable,
}

/// One partition's number and outcome.
pub type Outcome = (i32, Result<(), ElectionRefusal>);

/// The partitions of a request, by topic; `None` asks for all, and is told only of those that another leader could be elected for.
pub type Asked = Option<Vec<(ByteString, Vec<i32>)>>;

/// Plans the elections of one request.
pub fn plan(
    image: &Image,
    election: Election,
    asked: &Asked,
) -> (Vec<Record>, Vec<(ByteString, Vec<Outcome>)>) {
    let mut records = Vec::new();
    let mut elect = |name: &ByteString, topic: Option<&Topic>, partition: i32| {
        let outcome = elect(image, election, name, topic, partition);
        outcome.map(|record| records.push(record))
    };
    let outcomes = match asked {
        Some(asked) => {
            let of_topic = |(name, partitions): &(ByteString, Vec<i32>)| {
                let topic = image.topic_by_name(name).map(|topic| &**topic);
                let outcomes = partitions.iter().map(|n| (*n, elect(name, topic, *n)));
                (name.clone(), outcomes.collect())
            };
            asked.iter().map(of_topic).collect()
        }
        None => {
            let of_topic = |topic: &std::sync::Arc<Topic>| {
                let all = topic.partitions().map(|(n, _)| (n, elect(&topic.name, Some(topic), n)));
                let told = all.filter(|(_, outcome)| *outcome != Err(ElectionRefusal::NotNeeded));
                (topic.name.clone(), told.collect())
            };
            image.topics().map(of_topic).collect()
        }
    };
    (records, outcomes)
}

fn elect(
    image: &Image,
    election: Election,
    name: &ByteString,
    topic: Option<&Topic>,
    number: i32,
) -> Result<Record, ElectionRefusal> {
    let unknown = |text| ElectionRefusal::Unknown(text);
    let topic = topic.ok_or_else(|| unknown(format!("No such topic as {name}")))?;
    let partition = topic
        .partition(number)
        .ok_or_else(|| unknown(format!("No such partition as {name}-{number}")))?;
    // A replica in a directory that failed does not lead (KIP-858).
    let active = |id: i32| {
        let directory = partition.directory(id).unwrap_or_default();
        image.broker(id).is_some_and(|broker| broker.active() && broker.has_online(directory))
    };
    match election {
        Election::Preferred => preferred(topic.id, number, partition, active),
        Election::Unclean => unclean(topic.id, number, partition, active),
    }
}

fn preferred(
    topic: TopicId,
    number: i32,
    partition: &Partition,
    active: impl Fn(i32) -> bool,
) -> Result<Record, ElectionRefusal> {
    let first = partition.replicas.first().copied().unwrap_or(NO_LEADER);
    if partition.leader == first {
        return Err(ElectionRefusal::NotNeeded);
    }
    if !partition.isr.contains(&first) || !active(first) {
        return Err(ElectionRefusal::PreferredNotAvailable);
    }
    Ok(PartitionChangeRecord { leader: first, ..PartitionChangeRecord::of(topic, number) }.into())
}

/// First a replica that has everything that was acknowledged: in sync, or eligible (KIP-966).
fn unclean(
    topic: TopicId,
    number: i32,
    partition: &Partition,
    active: impl Fn(i32) -> bool,
) -> Result<Record, ElectionRefusal> {
    if partition.leader != NO_LEADER {
        return Err(ElectionRefusal::NotNeeded);
    }
    let clean = |id: &i32| partition.isr.contains(id) || partition.eligible.contains(id);
    let living = || partition.replicas.iter().copied().filter(|id| active(*id));
    let leader = living().find(clean).or_else(|| living().next());
    let leader = leader.ok_or(ElectionRefusal::NoneAvailable)?;
    let mut change = PartitionChangeRecord { leader, ..PartitionChangeRecord::of(topic, number) };
    if !partition.isr.contains(&leader) {
        change.isr = Some(vec![leader]);
        change.eligible_leader_replicas = Some(Vec::new());
        change.last_known_elr = Some(Vec::new());
        if !partition.eligible.contains(&leader) {
            change.leader_recovery_state = RECOVERING;
        }
    }
    Ok(change.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::create::tests::image_of_brokers;
    use crate::metadata::image::tests::topic;
    use uuid::Uuid;

    const ID: TopicId = TopicId(Uuid::from_u128(1));

    fn image(change: Option<PartitionChangeRecord>) -> Image {
        let mut image = image_of_brokers();
        topic(1, "a", 2).iter().for_each(|record| image.apply(record).unwrap());
        change.into_iter().for_each(|change| image.apply(&change.into()).unwrap());
        image
    }

    fn one(image: &Image, election: Election, name: &str, n: i32) -> (Vec<Record>, Outcome) {
        let asked = Some(vec![(ByteString::from(name), vec![n])]);
        let (records, mut outcomes) = plan(image, election, &asked);
        (records, outcomes.remove(0).1.remove(0))
    }

    #[test]
    fn who_leads_goes_on() {
        for election in [Election::Preferred, Election::Unclean] {
            let (records, outcome) = one(&image(None), election, "a", 0);
            assert_eq!((records.len(), outcome), (0, (0, Err(ElectionRefusal::NotNeeded))));
        }
        let (records, all) = plan(&image(None), Election::Preferred, &None);
        assert_eq!((records.len(), all), (0, vec![("a".into(), vec![])]));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let told = |name, n| one(&image(None), Election::Preferred, name, n).1.1.unwrap_err();
        assert_eq!(told("b", 0).to_string(), "No such topic as b");
        assert_eq!(told("a", 7).to_string(), "No such partition as a-7");
    }

    #[test]
    fn a_partition_without_leader_gets_one() {
        let gone = PartitionChangeRecord { leader: -1, ..PartitionChangeRecord::of(ID, 1) };
        let mut led = image(Some(gone.clone()));
        let (records, outcome) = one(&led, Election::Preferred, "a", 1);
        assert_eq!(outcome, (1, Ok(())));
        led.apply(&records[0]).unwrap();
        assert_eq!(led.partition(ID, 1).unwrap().leader, 1);

        let lost = PartitionChangeRecord { isr: Some(vec![]), ..gone };
        let mut lost = image(Some(lost));
        let (_, outcome) = one(&lost, Election::Preferred, "a", 1);
        assert_eq!(outcome, (1, Err(ElectionRefusal::PreferredNotAvailable)));
        let (records, outcome) = one(&lost, Election::Unclean, "a", 1);
        assert_eq!(outcome, (1, Ok(())));
        lost.apply(&records[0]).unwrap();
        let partition = lost.partition(ID, 1).unwrap();
        assert_eq!(
            (partition.leader, &partition.isr[..], partition.recovering),
            (1, &[1][..], true)
        );
    }

    #[test]
    fn nobody_leads_in_a_directory_that_failed() {
        let lost = Some(vec![Uuid::from_u128(2)]);
        let gone = PartitionChangeRecord {
            leader: -1,
            directories: lost,
            ..PartitionChangeRecord::of(ID, 1)
        };
        let image = image(Some(gone));
        let (records, outcome) = one(&image, Election::Preferred, "a", 1);
        assert_eq!(outcome, (1, Err(ElectionRefusal::PreferredNotAvailable)));
        assert!(records.is_empty());
        let (_, outcome) = one(&image, Election::Unclean, "a", 1);
        assert_eq!(outcome, (1, Err(ElectionRefusal::NoneAvailable)));
    }
}
