//! What a node writes about itself when it starts and stops, and about the partitions that only it can lead.
//!
//! At a start, in one batch: the controller, the broker (fenced, under a new epoch: the offset of its own record), changes of
//! partitions, and the broker unfenced. A partition changes
//! - if its log was stopped uncleanly: the same leader, in a new leader epoch, so that a reader of offsets that were never
//!   synced can notice (KIP-101). Kafka raises the epoch of every partition by two at each start of its only replica, since
//!   it takes the leader away and gives it back; here partitions that lost nothing keep their epoch;
//! - if it has another leader or none, as Kafka leaves behind when it stops: this node leads it. Where neither the in-sync
//!   set nor the eligible replicas name this node, the election is unclean, and says so;
//! - if its directory is not online: nobody leads it. So it goes while the node runs, too, when a directory fails (KIP-112).
//!
//! At a clean stop: the controlled shutdown if it led something, then the fence.

use std::collections::BTreeSet;

use storage::units::{Offset, PartitionId};
use uuid::Uuid;

use super::ledger::{
    KRAFT_VERSION, SERVED_GROUP_VERSION, SERVED_METADATA_VERSION, SERVED_SHARE_VERSION, Site,
};
use crate::metadata::image::{
    Broker, Endpoint, Feature, GROUP_VERSION, Image, METADATA_VERSION, NO_LEADER, Partition,
    SHARE_VERSION,
};
use crate::metadata::records::control::VoterEndpoint;
use crate::metadata::records::{
    BrokerRegistrationChangeRecord, ControllerEndpoint, ControllerFeature, PartitionChangeRecord,
    Record, RegisterControllerRecord,
};

/// `leader_recovery_state` of a leader that was elected uncleanly.
const RECOVERING: i8 = 1;

/// What a broker tells of itself when it starts.
#[derive(Debug, Clone)]
pub struct Registration {
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
    /// The ids of the log directories that are online, in the order of `log.dirs`.
    pub directories: Vec<Uuid>,
    /// Random for each start.
    pub incarnation: Uuid,
}

/// The records of a start, for a log whose next record has offset `next`, and the broker's epoch in them.
pub fn start(
    image: &Image,
    site: &Site,
    registration: &Registration,
    unclean: &[PartitionId],
    next: Offset,
) -> (Vec<Record>, i64) {
    let controller = RegisterControllerRecord {
        controller_id: site.node_id,
        incarnation_id: registration.incarnation,
        zk_migration_ready: false,
        end_points: site.endpoints.iter().map(controller_endpoint).collect(),
        features: features().into_iter().map(controller_feature).collect(),
    };
    let mut records = vec![Record::from(controller)];
    let epoch = next.0 + 1;
    let broker = Broker {
        id: site.node_id,
        epoch,
        incarnation: registration.incarnation,
        endpoints: registration.endpoints.clone(),
        features: features(),
        rack: registration.rack.as_deref().map(Into::into),
        fenced: true,
        in_controlled_shutdown: false,
        directories: registration.directories.clone(),
        cordoned: Some(Vec::new()),
    };
    records.push(broker.record().into());
    records.extend(elections(image, site, &registration.directories, unclean));
    records.push(BrokerRegistrationChangeRecord::unfence(site.node_id, epoch).into());
    (records, epoch)
}

/// The records of a clean stop.
pub fn stop(image: &Image, site: &Site, epoch: i64) -> Vec<Record> {
    let leads = |topic: &crate::metadata::image::Topic| {
        topic.partitions.iter().any(|partition| partition.leader == site.node_id)
    };
    let shutdown = BrokerRegistrationChangeRecord {
        in_controlled_shutdown: 1,
        ..BrokerRegistrationChangeRecord::of(site.node_id, epoch)
    };
    let shutdown = image.topics().any(|topic| leads(topic)).then(|| shutdown.into());
    let fence = BrokerRegistrationChangeRecord::fence(site.node_id, epoch).into();
    shutdown.into_iter().chain([fence]).collect()
}

/// The records of a directory that fails while others go on: `online` are the others.
pub fn failed(
    image: &Image,
    site: &Site,
    epoch: i64,
    directory: Uuid,
    online: Vec<Uuid>,
) -> Vec<Record> {
    let is_in = |partition: &Partition| {
        partition.leader == site.node_id && partition.directory(site.node_id) == Some(directory)
    };
    let mut records: Vec<Record> = image
        .topics()
        .flat_map(|topic| {
            topic.partitions().map(|(number, partition)| (topic.id, number, partition))
        })
        .filter(|(.., partition)| is_in(partition))
        .map(|(topic, number, _)| {
            PartitionChangeRecord { leader: NO_LEADER, ..PartitionChangeRecord::of(topic, number) }
                .into()
        })
        .collect();
    let change = BrokerRegistrationChangeRecord {
        log_dirs: online,
        ..BrokerRegistrationChangeRecord::of(site.node_id, epoch)
    };
    records.push(change.into());
    records
}

/// The changes of partitions at a start.
fn elections<'a>(
    image: &'a Image,
    site: &'a Site,
    online: &'a [Uuid],
    unclean: &[PartitionId],
) -> impl Iterator<Item = Record> + 'a {
    let unclean: BTreeSet<PartitionId> = unclean.iter().copied().collect();
    image.topics().flat_map(move |topic| {
        let mut changes = Vec::new();
        for (number, partition) in topic.partitions() {
            let id = PartitionId { topic: topic.id, partition: number };
            changes.extend(election(site, id, partition, online, unclean.contains(&id)));
        }
        changes
    })
}

fn election(
    site: &Site,
    id: PartitionId,
    partition: &Partition,
    online: &[Uuid],
    unclean: bool,
) -> Option<Record> {
    let me = site.node_id;
    let held = partition.directory(me)?;
    let mut change = PartitionChangeRecord::of(id.topic, id.partition);
    let blank = change.clone();
    if !online.contains(&held) {
        change.leader = NO_LEADER;
        return (partition.leader == me).then(|| change.into());
    }
    if partition.leader != me || unclean {
        change.leader = me;
    }
    if !partition.isr.contains(&me) {
        change.isr = Some(vec![me]);
        change.eligible_leader_replicas = Some(Vec::new());
        change.last_known_elr = Some(Vec::new());
        // An eligible replica has everything that was acknowledged (KIP-966).
        if !partition.eligible.contains(&me) {
            change.leader_recovery_state = RECOVERING;
        }
    }
    (change != blank).then(|| change.into())
}

/// What this version supports, and no more.
pub(crate) fn features() -> Vec<Feature> {
    let feature = |name: &'static str, min, max| Feature { name: name.into(), min, max };
    vec![
        feature(GROUP_VERSION, 0, SERVED_GROUP_VERSION),
        feature(KRAFT_VERSION.0, 0, KRAFT_VERSION.1),
        feature(METADATA_VERSION, SERVED_METADATA_VERSION, SERVED_METADATA_VERSION),
        feature(SHARE_VERSION, 0, SERVED_SHARE_VERSION),
    ]
}

fn controller_feature(feature: Feature) -> ControllerFeature {
    ControllerFeature {
        name: feature.name,
        min_supported_version: feature.min,
        max_supported_version: feature.max,
    }
}

fn controller_endpoint(endpoint: &VoterEndpoint) -> ControllerEndpoint {
    ControllerEndpoint {
        name: endpoint.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        security_protocol: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::ledger::SnapshotRules;
    use crate::controller::places;
    use crate::metadata::image::tests::{replayed, topic};
    use storage::units::{Epoch, TopicId};

    fn site() -> Site {
        Site {
            node_id: 1,
            cluster_id: "c".into(),
            directory_id: Uuid::from_u128(0x77),
            endpoints: Vec::new(),
            snapshots: SnapshotRules { bytes: 1, interval_ms: None },
        }
    }

    fn registration() -> Registration {
        Registration {
            endpoints: Vec::new(),
            rack: None,
            directories: vec![Uuid::from_u128(0x77), Uuid::from_u128(0x99)],
            incarnation: Uuid::from_u128(5),
        }
    }

    fn id(topic: u128, partition: i32) -> PartitionId {
        PartitionId { topic: TopicId(Uuid::from_u128(topic)), partition }
    }

    /// Everything is in the directory of the metadata, unless a test moves it.
    fn placed(topics: Vec<Record>) -> Image {
        let mut image = replayed(topics);
        let directory = site().directory_id;
        let records = places::settle(&image, 1, &[directory], &Default::default());
        records.iter().for_each(|record| image.apply(record).unwrap());
        image
    }

    fn started(mut image: Image, unclean: &[PartitionId], next: i64) -> (Image, i64, usize) {
        let (records, epoch) = start(&image, &site(), &registration(), unclean, Offset(next));
        records.iter().for_each(|record| image.apply(record).unwrap());
        (image, epoch, records.len())
    }

    #[test]
    fn a_broker_registers_under_the_offset_of_its_record() {
        let (image, epoch, _) = started(Image::empty(), &[], 12);
        let broker = image.broker(1).unwrap();
        assert_eq!((broker.epoch, epoch), (13, 13));
        assert!(broker.active());
        let mut stopped = image.clone();
        stop(&image, &site(), epoch).iter().for_each(|record| stopped.apply(record).unwrap());
        assert!(stopped.broker(1).unwrap().fenced);
        assert_eq!(started(stopped, &[], 40).0.broker(1).unwrap().epoch, 41);
    }

    #[test]
    fn only_what_was_stopped_uncleanly_gets_a_new_epoch() {
        let (placed, ..) = started(placed([topic(1, "a", 3), topic(2, "b", 1)].concat()), &[], 0);
        let (again, _, records) = started(placed.clone(), &[id(1, 1), id(2, 0)], 10);
        assert_eq!(records, 3 + 2);
        let epoch = |id: PartitionId| again.partition(id.topic, id.partition).unwrap().leader_epoch;
        assert_eq!(
            [epoch(id(1, 0)), epoch(id(1, 1)), epoch(id(2, 0))],
            [Epoch(0), Epoch(1), Epoch(1)]
        );
        assert_eq!(started(again, &[], 20).2, 3);
    }

    #[test]
    fn a_failed_directory_takes_its_partitions_only() {
        let mut image = placed(topic(1, "a", 3));
        let other = Uuid::from_u128(0x99);
        let moved = places::moved(id(1, 1), image.partition(id(1, 1).topic, 1).unwrap(), 1, other);
        image.apply(&moved).unwrap();
        let (mut image, epoch, _) = started(image, &[], 0);
        let leaders =
            |image: &Image| [0, 1, 2].map(|n| image.partition(id(1, n).topic, n).unwrap().leader);
        for record in failed(&image, &site(), epoch, other, vec![site().directory_id]) {
            image.apply(&record).unwrap();
        }
        assert_eq!(leaders(&image), [1, -1, 1]);
        assert_eq!(image.broker(1).unwrap().directories, [site().directory_id]);
        assert_eq!(image.partition(id(1, 1).topic, 1).unwrap().isr, [1]);
        // At a start without it nothing changes; with it, the partition is led again.
        let mut without = registration();
        without.directories.pop();
        let (records, _) = start(&image, &site(), &without, &[], Offset(9));
        assert_eq!(records.len(), 3);
        assert_eq!(leaders(&started(image, &[], 20).0), [1, 1, 1]);
    }

    #[test]
    fn partitions_that_kafka_left_without_leader_are_led_again() {
        let mut image = placed(topic(1, "a", 2));
        let gone = |partition| PartitionChangeRecord {
            leader: -1,
            ..PartitionChangeRecord::of(TopicId(Uuid::from_u128(1)), partition)
        };
        image.apply(&gone(0).into()).unwrap();
        let lost =
            PartitionChangeRecord { isr: Some(vec![]), last_known_elr: Some(vec![1]), ..gone(1) };
        image.apply(&lost.into()).unwrap();
        let (image, ..) = started(image, &[], 0);
        let partition = |n| image.partition(TopicId(Uuid::from_u128(1)), n).unwrap();
        for n in [0, 1] {
            assert_eq!((partition(n).leader, &partition(n).isr[..]), (1, &[1][..]));
            assert_eq!(partition(n).leader_epoch, Epoch(2));
            assert_eq!(partition(n).directory(1), Some(Uuid::from_u128(0x77)));
        }
        assert!(!partition(0).recovering && partition(1).recovering);
    }
}
