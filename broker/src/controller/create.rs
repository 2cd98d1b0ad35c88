//! CreateTopics: what records a request makes, and what it is answered. Pure: nothing is written here.
//!
//! The order in which faults are found is Kafka's, since the first one is what the client sees: the request as a whole, the
//! name, an existing topic, the configs, then partitions, replicas and assignments.

use std::collections::{HashMap, HashSet};

use bytestring::ByteString;
use net::wire::create_topics::{CreatableTopic, CreatableTopicConfig};
use replication::controller::assignment::{self, Assigned};
use replication::controller::placement::{self, UsableBroker};
use storage::units::TopicId;
use uuid::Uuid;

use super::configs::CONFIG_VALUE_MAX;
use super::dice::Dice;
use super::places::Places;
use super::refusal::{PARTITIONS_PER_REQUEST_MAX, TopicRefusal};
use super::{CreatedTopic, names};
use crate::config::Config;
use crate::config::topic::{self, Overrides};
use crate::group;
use crate::metadata::directory;
use crate::metadata::image::{ConfigResource, Image, UNASSIGNED_DIRECTORY};
use crate::metadata::records::{ConfigRecord, PartitionRecord, Record, TopicRecord};
use crate::share::state;
use crate::topic_name;

/// An outcome for each topic, in the order of the answer.
pub type Outcomes = Vec<(ByteString, Result<CreatedTopic, TopicRefusal>)>;

/// Plans the topics of one request. Names that stand in it more than once, and the metadata log's, come last, as in Kafka.
pub fn plan(
    image: &Image,
    config: &Config,
    dice: &mut Dice,
    topics: &[CreatableTopic],
) -> (Vec<Record>, Outcomes) {
    let mut times: HashMap<&ByteString, usize> = HashMap::new();
    topics.iter().for_each(|topic| *times.entry(&topic.name).or_default() += 1);
    let prohibited = |topic: &CreatableTopic| topic.name == directory::TOPIC;
    let (asked, others): (Vec<_>, Vec<_>) =
        topics.iter().partition(|topic| times[&topic.name] == 1 && !prohibited(topic));
    let (records, mut outcomes) = plan_distinct(image, config, dice, &asked);
    let mut seen = HashSet::new();
    for topic in others.into_iter().filter(|topic| seen.insert(&topic.name)) {
        let refusal = if times[&topic.name] > 1 {
            TopicRefusal::Contradiction("Duplicate topic name.")
        } else {
            TopicRefusal::Internal(directory::TOPIC)
        };
        outcomes.push((topic.name.clone(), Err(refusal)));
    }
    (records, outcomes)
}

fn plan_distinct(
    image: &Image,
    config: &Config,
    dice: &mut Dice,
    topics: &[&CreatableTopic],
) -> (Vec<Record>, Outcomes) {
    let refuse_all = |text| {
        let refused =
            |topic: &&CreatableTopic| (topic.name.clone(), Err(TopicRefusal::Policy(text)));
        (Vec::new(), topics.iter().map(refused).collect())
    };
    if asked_partitions(config, topics) > PARTITIONS_PER_REQUEST_MAX {
        return refuse_all("Excessively large number of partitions per request.");
    }
    let collisions = Collisions::find(image, topics);
    let mut directory_of = new_directories(image, config.node_id());
    let mut records = Vec::new();
    let mut outcomes = Vec::with_capacity(topics.len());
    for topic in topics {
        let planned = plan_topic(image, config, dice, &collisions, topic, &mut directory_of);
        let outcome = planned.map(|(created, mut own)| {
            records.append(&mut own);
            created
        });
        outcomes.push((topic.name.clone(), outcome));
    }
    if records.len() > PARTITIONS_PER_REQUEST_MAX {
        return refuse_all("Unable to perform excessively large batch operation.");
    }
    (records, outcomes)
}

/// The topic in which groups are kept, as the broker's configuration says; with no more replicas than there are brokers.
pub fn offsets_topic(image: &Image, config: &Config) -> CreatableTopic {
    let segment = config.groups.segment_bytes.to_string();
    let configs = [
        ("cleanup.policy", "compact"),
        ("compression.type", "producer"),
        ("segment.bytes", &segment),
    ];
    CreatableTopic {
        name: group::TOPIC.into(),
        num_partitions: config.groups.partitions,
        replication_factor: config.groups.replication_factor.min(replicas_at_most(image)),
        configs: configs.into_iter().map(config_of).collect(),
        ..CreatableTopic::default()
    }
}

/// The topic in which the state of share partitions is kept, likewise. Nor are more replicas to be in sync than there are.
pub fn share_state_topic(image: &Image, config: &Config) -> CreatableTopic {
    let state = &config.share_state;
    let replication_factor = state.replication_factor.min(replicas_at_most(image));
    let segment = state.segment_bytes.to_string();
    let in_sync = state.min_insync_replicas.min(replication_factor).to_string();
    let configs = [
        ("cleanup.policy", "delete"),
        ("compression.type", "producer"),
        ("segment.bytes", &segment),
        ("min.insync.replicas", &in_sync),
        ("retention.ms", "-1"),
    ];
    CreatableTopic {
        name: state::TOPIC.into(),
        num_partitions: state.partitions,
        replication_factor,
        configs: configs.into_iter().map(config_of).collect(),
        ..CreatableTopic::default()
    }
}

fn replicas_at_most(image: &Image) -> i16 {
    let usable = image.brokers().filter(|broker| broker.takes_replicas()).count();
    i16::try_from(usable.max(1)).unwrap_or(i16::MAX)
}

fn config_of((name, value): (&str, &str)) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.into(), value: Some(value.into()) }
}

/// What the request would make at most, before any of it is made.
fn asked_partitions(config: &Config, topics: &[&CreatableTopic]) -> usize {
    let default = usize::try_from(config.num_partitions).unwrap_or(1);
    let asked = |topic: &&CreatableTopic| match topic.num_partitions {
        _ if !topic.assignments.is_empty() => topic.assignments.len(),
        -1 => default,
        number => usize::try_from(number).unwrap_or(0),
    };
    topics.iter().map(asked).fold(0, usize::saturating_add)
}

/// Existing topics with which new names may collide.
struct Collisions(HashMap<String, ByteString>);

impl Collisions {
    fn find(image: &Image, topics: &[&CreatableTopic]) -> Collisions {
        if !topics.iter().any(|topic| names::may_collide(&topic.name)) {
            return Collisions(HashMap::new());
        }
        let existing = image.topics().filter(|topic| names::may_collide(&topic.name));
        Collisions(existing.map(|t| (names::unified(&t.name), t.name.clone())).collect())
    }

    fn check(&self, name: &ByteString) -> Result<(), TopicRefusal> {
        match self.0.get(&names::unified(name)) {
            Some(existing) if names::may_collide(name) => {
                Err(TopicRefusal::Collides { name: name.clone(), existing: existing.clone() })
            }
            _ => Ok(()),
        }
    }
}

fn plan_topic(
    image: &Image,
    config: &Config,
    dice: &mut Dice,
    collisions: &Collisions,
    topic: &CreatableTopic,
    directory_of: &mut impl FnMut(i32) -> Uuid,
) -> Result<(CreatedTopic, Vec<Record>), TopicRefusal> {
    if image.topic_id(&topic.name).is_some() {
        return Err(TopicRefusal::Exists(topic.name.clone()));
    }
    topic_name::check(&topic.name).map_err(TopicRefusal::Name)?;
    collisions.check(&topic.name)?;
    let overrides = check_configs(config, topic)?;
    let assigned = if topic.assignments.is_empty() {
        place(image, config, dice, topic)?
    } else {
        check_assignments(image, topic)?
    };
    let id = dice.id();
    let created = CreatedTopic {
        id: TopicId(id),
        partitions: assigned.len(),
        replication_factor: assigned.first().map_or(0, |partition| partition.replicas.len()),
        overrides: overrides.clone(),
    };
    Ok((created, records(topic, id, &assigned, overrides, directory_of)))
}

fn check_configs(config: &Config, topic: &CreatableTopic) -> Result<Overrides, TopicRefusal> {
    let long = |value: &ByteString| value.encode_utf16().count() > CONFIG_VALUE_MAX;
    if topic.configs.iter().any(|set| set.value.as_ref().is_some_and(long)) {
        let text = "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.";
        return Err(TopicRefusal::Config(text.to_owned()));
    }
    let set = topic.configs.iter().map(|set| (&set.name, set.value.as_ref()));
    topic::validate(&config.settings, set).map_err(|why| TopicRefusal::Config(why.to_string()))
}

fn check_assignments(image: &Image, topic: &CreatableTopic) -> Result<Vec<Assigned>, TopicRefusal> {
    if topic.replication_factor != -1 {
        return Err(TopicRefusal::Contradiction(
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        ));
    }
    if topic.num_partitions != -1 {
        return Err(TopicRefusal::Contradiction(
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        ));
    }
    let assignments = topic.assignments.iter().map(|a| (a.partition_index, &a.broker_ids[..]));
    Ok(assignment::check(assignments, |id| image.broker(id).map(|broker| broker.active()))?)
}

fn place(
    image: &Image,
    config: &Config,
    dice: &mut Dice,
    topic: &CreatableTopic,
) -> Result<Vec<Assigned>, TopicRefusal> {
    let factor = match topic.replication_factor {
        -1 => i16::try_from(config.default_replication_factor).unwrap_or(i16::MAX),
        factor if factor > 0 => factor,
        _ => {
            let text = "Replication factor must be larger than 0, or -1 to use the default value.";
            return Err(TopicRefusal::ReplicationFactor(text.to_owned()));
        }
    };
    let number = match topic.num_partitions {
        -1 => config.num_partitions,
        number => number,
    };
    let partitions = usize::try_from(number).ok().filter(|number| *number > 0);
    let partitions = partitions.ok_or(TopicRefusal::Partitions)?;
    place_partitions(image, dice, partitions, factor)
}

/// Places so many new partitions, on brokers that take replicas.
pub(super) fn place_partitions(
    image: &Image,
    dice: &mut Dice,
    partitions: usize,
    factor: i16,
) -> Result<Vec<Assigned>, TopicRefusal> {
    let refused = |why: &dyn std::fmt::Display| {
        TopicRefusal::ReplicationFactor(format!(
            "Unable to replicate the partition {factor} time(s): {why}"
        ))
    };
    let usable: Vec<UsableBroker> = image
        .brokers()
        .filter(|broker| broker.takes_replicas())
        .map(|broker| UsableBroker {
            id: broker.id,
            rack: broker.rack.as_ref().map(ToString::to_string),
            fenced: broker.fenced,
        })
        .collect();
    let placed = placement::place(&usable, partitions, factor, &mut |below| dice.below(below))
        .map_err(|why| refused(&why))?;
    let active = |id: &i32| image.broker(*id).is_some_and(|broker| broker.active());
    let assign = |replicas: Vec<i32>| {
        let isr: Vec<i32> = replicas.iter().copied().filter(active).collect();
        let all_out = "All brokers are currently fenced or in controlled shutdown.";
        if isr.is_empty() { Err(refused(&all_out)) } else { Ok(Assigned { replicas, isr }) }
    };
    placed.into_iter().map(assign).collect()
}

/// The topic, its configs, its partitions: Kafka's order.
fn records(
    topic: &CreatableTopic,
    id: Uuid,
    assigned: &[Assigned],
    overrides: Overrides,
    directory_of: &mut impl FnMut(i32) -> Uuid,
) -> Vec<Record> {
    let head = TopicRecord { name: topic.name.clone(), topic_id: id };
    let configs = overrides.into_iter().map(|(name, value)| {
        Record::from(ConfigRecord {
            resource_type: ConfigResource::TOPIC,
            resource_name: topic.name.clone(),
            name,
            value: Some(value),
        })
    });
    let partitions = (0..).zip(assigned).map(|(n, p)| partition_record(id, n, p, directory_of));
    std::iter::once(Record::from(head)).chain(configs).chain(partitions).collect()
}

/// A new partition.
pub(super) fn partition_record(
    topic_id: Uuid,
    partition_id: i32,
    partition: &Assigned,
    directory_of: &mut impl FnMut(i32) -> Uuid,
) -> Record {
    Record::from(PartitionRecord {
        partition_id,
        topic_id,
        replicas: partition.replicas.clone(),
        isr: partition.isr.clone(),
        leader: partition.isr[0],
        leader_epoch: 0,
        partition_epoch: 0,
        directories: partition.replicas.iter().map(|id| directory_of(*id)).collect(),
        ..PartitionRecord::default()
    })
}

/// Where replicas of new partitions go, by their broker.
pub(super) fn new_directories(image: &Image, me: i32) -> impl FnMut(i32) -> Uuid {
    let mut places = Places::count(image, me, &directories_of(image, me));
    move |broker| directory_of(image, broker, me, &mut places)
}

/// The directories of a broker that take new partitions.
fn directories_of(image: &Image, broker: i32) -> Vec<Uuid> {
    let Some(broker) = image.broker(broker) else { return Vec::new() };
    let cordoned = broker.cordoned.as_deref().unwrap_or_default();
    broker.directories.iter().filter(|id| !cordoned.contains(id)).copied().collect()
}

/// A broker with one directory has no choice, and for this node it is made; others say later where they put it (KIP-858).
fn directory_of(image: &Image, broker: i32, me: i32, places: &mut Places) -> Uuid {
    if broker == me {
        return places.take().unwrap_or(UNASSIGNED_DIRECTORY);
    }
    match &directories_of(image, broker)[..] {
        [only] => *only,
        _ => UNASSIGNED_DIRECTORY,
    }
}

#[cfg(test)]
pub(in crate::controller) mod tests;
