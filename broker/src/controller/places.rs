//! In which log directory of this node a partition is (KIP-858).
//!
//! A new partition goes where the fewest are, the first of `log.dirs` among equals: Kafka's rule. There the broker finds the directory
//! and tells the controller, when it has more than one; here both are one process, and the record of a new partition names it at once.
//!
//! Where the metadata does not say (a directory that Kafka has written), or names a directory that this node does not have, the
//! partition is where its files are. Has it none, and has it never been placed, it is placed like a new one. Otherwise it stays with
//! the directory that is not here, offline.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use storage::checkpoint::PartitionMetadata;
use storage::units::PartitionId;
use uuid::Uuid;

use crate::metadata::image::{Image, Partition};
use crate::metadata::records::{PartitionChangeRecord, Record};

/// Ids below are Kafka's own: not placed yet, lost, migrating.
const RESERVED: u128 = 100;
/// `DirectoryId.LOST`
const LOST: Uuid = Uuid::from_u128(2);

/// How many partitions are in each directory of a broker.
pub struct Places(Vec<(Uuid, usize)>);

impl Places {
    /// `directories`: those that take new partitions, in their order.
    pub fn count(image: &Image, broker: i32, directories: &[Uuid]) -> Places {
        let mut places: Vec<(Uuid, usize)> = directories.iter().map(|id| (*id, 0)).collect();
        if places.len() > 1 {
            let partitions = image.topics().flat_map(|topic| topic.partitions.iter());
            for held in partitions.filter_map(|partition| partition.directory(broker)) {
                if let Some((_, count)) = places.iter_mut().find(|(id, _)| *id == held) {
                    *count += 1;
                }
            }
        }
        Places(places)
    }

    /// The directory for one partition more.
    pub fn take(&mut self) -> Option<Uuid> {
        let (id, count) = self.0.iter_mut().min_by_key(|(_, count)| *count)?;
        *count += 1;
        Some(*id)
    }
}

/// The records that say where partitions are of which the metadata does not know it. `found`: where there are files.
pub fn settle(
    image: &Image,
    broker: i32,
    online: &[Uuid],
    found: &HashMap<PartitionId, Uuid>,
) -> Vec<Record> {
    let mut places = Places::count(image, broker, online);
    let mut records = Vec::new();
    for (id, partition, held) in unsettled(image, broker, online) {
        let was_placed = held == LOST || held.as_u128() >= RESERVED;
        let place = match found.get(&id) {
            Some(found) => Some(*found),
            None if was_placed => None,
            None => places.take(),
        };
        records.extend(place.map(|place| moved(id, partition, broker, place)));
    }
    records
}

/// Whether there is anything to settle: looking for files takes time.
pub fn is_settled(image: &Image, broker: i32, online: &[Uuid]) -> bool {
    unsettled(image, broker, online).next().is_none()
}

/// The record of a partition that is in this directory of the broker from now on.
pub fn moved(id: PartitionId, partition: &Partition, broker: i32, directory: Uuid) -> Record {
    let at = |(replica, held): (&i32, &Uuid)| if *replica == broker { directory } else { *held };
    let directories = partition.replicas.iter().zip(&partition.directories).map(at).collect();
    PartitionChangeRecord {
        directories: Some(directories),
        ..PartitionChangeRecord::of(id.topic, id.partition)
    }
    .into()
}

fn unsettled<'a>(
    image: &'a Image,
    broker: i32,
    online: &'a [Uuid],
) -> impl Iterator<Item = (PartitionId, &'a Partition, Uuid)> {
    image.topics().flat_map(move |topic| {
        topic.partitions().filter_map(move |(number, partition)| {
            let held = partition.directory(broker).filter(|held| !online.contains(held))?;
            Some((PartitionId { topic: topic.id, partition: number }, &**partition, held))
        })
    })
}

/// The partitions that have a directory in a log directory. Blocks.
pub fn look(directory: &Path) -> Vec<PartitionId> {
    // What cannot be read has nothing that could be served.
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.rsplit_once('-')?.1.parse::<i32>().ok()?;
            let text = fs::read(entry.path().join("partition.metadata")).ok()?;
            let topic = PartitionMetadata::parse(&text).ok()?.topic;
            Some(PartitionId { topic, partition: number })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use storage::units::TopicId;

    use super::*;
    use crate::metadata::image::UNASSIGNED_DIRECTORY;
    use crate::metadata::image::tests::{replayed, topic};

    const A: Uuid = Uuid::from_u128(0xa00);
    const B: Uuid = Uuid::from_u128(0xb00);
    const GONE: Uuid = Uuid::from_u128(0xc00);

    fn id(partition: i32) -> PartitionId {
        PartitionId { topic: TopicId(Uuid::from_u128(1)), partition }
    }

    fn held(image: &Image) -> Vec<Uuid> {
        (0..4).map(|n| image.partition(id(n).topic, n).unwrap().directory(1).unwrap()).collect()
    }

    #[test]
    fn partitions_go_where_the_fewest_are() {
        let mut image = replayed(topic(1, "a", 4));
        assert_eq!(held(&image), [UNASSIGNED_DIRECTORY; 4]);
        let at = |image: &Image, n, place| {
            moved(id(n), image.partition(id(n).topic, n).unwrap(), 1, place)
        };
        for (n, place) in [(0, GONE), (1, B)] {
            let record = at(&image, n, place);
            image.apply(&record).unwrap();
        }
        // Two that were never placed: one is found, the other goes where nothing is.
        let found = HashMap::from([(id(2), B)]);
        let records = settle(&image, 1, &[A, B], &found);
        records.iter().for_each(|record| image.apply(record).unwrap());
        assert_eq!(held(&image), [GONE, B, B, A]);
        assert!(settle(&image, 1, &[A, B], &HashMap::new()).is_empty());
        // What its directory has brought here under another id is here.
        assert_eq!(settle(&image, 1, &[A, B], &HashMap::from([(id(0), A)])).len(), 1);
        let mut places = Places::count(&image, 1, &[A, B]);
        assert_eq!([places.take(), places.take(), places.take()], [Some(A), Some(A), Some(B)]);
    }

    #[test]
    fn partitions_are_found_by_their_files() {
        let root = tempfile::tempdir().unwrap();
        let metadata = PartitionMetadata { topic: id(0).topic }.print();
        for name in ["my-topic-3", "t-0.0123456789abcdef0123456789abcdef-delete", "lost+found"] {
            fs::create_dir(root.path().join(name)).unwrap();
            fs::write(root.path().join(name).join("partition.metadata"), &metadata).unwrap();
        }
        fs::create_dir(root.path().join("other-1")).unwrap();
        assert_eq!(look(root.path()), [id(3)]);
        assert!(look(&root.path().join("nothing")).is_empty());
    }
}
