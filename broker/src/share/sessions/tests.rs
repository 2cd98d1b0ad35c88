//! Sessions step by step, as Kafka's `ShareSessionCache` and `ShareSessionContext` have them.

use storage::units::TopicId;
use uuid::Uuid;

use super::*;

const HERE: ConnectionId = ConnectionId { shard: 0, number: 1 };
const THERE: ConnectionId = ConnectionId { shard: 1, number: 1 };

fn id(partition: i32) -> PartitionId {
    PartitionId { topic: TopicId(Uuid::from_u128(7)), partition }
}

fn named(partitions: &[i32]) -> Vec<Named> {
    partitions.iter().map(|partition| Named { partition: id(*partition), known: true }).collect()
}

fn fetch(epoch: i32, partitions: &[i32]) -> Fetch {
    Fetch {
        epoch,
        named: named(partitions),
        forgotten: Vec::new(),
        acknowledges: false,
        connection: HERE,
    }
}

struct World(Sessions);

impl World {
    fn new(max: usize) -> World {
        World(Sessions::new(Slots::new(max)))
    }

    fn fetch(&mut self, member: &str, fetch: Fetch) -> Result<Vec<i32>, SessionRefusal> {
        let partitions = self.0.fetch(&"g".into(), &member.into(), fetch)?;
        Ok(partitions.iter().map(|named| named.partition.partition).collect())
    }

    fn answer(
        &mut self,
        epoch: i32,
        told: &[(i32, bool, bool)],
    ) -> Result<Vec<bool>, SessionRefusal> {
        let told: Vec<Told> = told
            .iter()
            .map(|&(partition, has_records, has_error)| Told {
                partition: id(partition),
                has_records,
                has_error,
            })
            .collect();
        self.0.answer(&"g".into(), &"a".into(), epoch, &told)
    }
}

#[test]
fn a_session_goes_from_epoch_to_epoch() {
    let mut world = World::new(10);
    for epoch in [-1, 1, 7] {
        assert_eq!(world.fetch("a", fetch(epoch, &[])), Err(SessionRefusal::NotFound));
    }
    assert_eq!(world.fetch("a", fetch(0, &[0, 1])), Ok(vec![0, 1]));
    for epoch in [2, -2, i32::MAX] {
        assert_eq!(
            world.fetch("a", fetch(epoch, &[])),
            Err(SessionRefusal::InvalidEpoch),
            "{epoch}"
        );
    }
    assert_eq!(world.fetch("b", fetch(1, &[])), Err(SessionRefusal::NotFound));
    assert_eq!(world.fetch("a", fetch(1, &[2, 1])), Ok(vec![0, 1, 2]));
    let forgets = Fetch { forgotten: vec![id(0), id(9)], ..fetch(2, &[]) };
    assert_eq!(world.fetch("a", forgets), Ok(vec![1, 2]));
    assert_eq!(world.0.acknowledge(&"g".into(), &"a".into(), 0), Err(SessionRefusal::InvalidEpoch));
    assert_eq!(world.0.acknowledge(&"g".into(), &"a".into(), 2), Err(SessionRefusal::InvalidEpoch));
    assert_eq!(world.0.acknowledge(&"g".into(), &"a".into(), 3), Ok(()));
    assert_eq!(world.0.acknowledge(&"g".into(), &"a".into(), -1), Ok(()), "it is still there");
    assert_eq!(world.fetch("a", fetch(-1, &[])), Ok(vec![]), "and so it is now");
    let ended = world.0.end(&"g".into(), &"a".into());
    assert_eq!(ended, Some(Ended { partitions: vec![id(1), id(2)], group_is_empty: true }));
    assert_eq!(world.fetch("a", fetch(4, &[])), Err(SessionRefusal::NotFound));
    assert_eq!(world.0.acknowledge(&"g".into(), &"a".into(), 4), Err(SessionRefusal::NotFound));
    assert_eq!(world.0.len(), 0);
}

#[test]
fn epochs_begin_again_at_one() {
    assert_eq!([next(0), next(1), next(i32::MAX), next(-1), next(-5)], [1, 2, 1, -1, -1]);
}

#[test]
fn what_begins_a_session_acknowledges_nothing_and_names_nothing_twice() {
    let mut world = World::new(10);
    world.fetch("a", fetch(0, &[0])).unwrap();
    let acknowledges = Fetch { acknowledges: true, ..fetch(0, &[1]) };
    assert_eq!(world.fetch("a", acknowledges), Err(SessionRefusal::AcknowledgesAtFirst));
    assert_eq!(world.fetch("a", fetch(1, &[])), Ok(vec![0]), "the one before goes on");
    assert_eq!(world.fetch("a", fetch(0, &[1, 1])), Err(SessionRefusal::NamedTwice));
    assert_eq!(world.fetch("a", fetch(2, &[])), Err(SessionRefusal::NotFound), "that one is over");
}

#[test]
fn there_are_no_more_sessions_than_there_may_be() {
    let mut world = World::new(2);
    world.fetch("a", fetch(0, &[0])).unwrap();
    world.fetch("b", fetch(0, &[0])).unwrap();
    assert_eq!(world.fetch("c", fetch(0, &[0])), Err(SessionRefusal::LimitReached));
    assert_eq!(world.fetch("b", fetch(0, &[1])), Ok(vec![1]), "its own place is free for it");
    world.0.end(&"g".into(), &"a".into()).unwrap();
    assert_eq!(world.fetch("c", fetch(0, &[0])), Ok(vec![0]));
}

#[test]
fn an_answer_names_what_has_changed() {
    let mut world = World::new(2);
    world.fetch("a", fetch(0, &[0, 1, 2])).unwrap();
    world.fetch("a", fetch(1, &[3])).unwrap();
    let told = [(0, false, false), (1, true, false), (2, false, true), (3, false, false)];
    assert_eq!(world.answer(1, &told), Ok(vec![false, true, true, true]));
    assert_eq!(world.fetch("a", fetch(2, &[])), Ok(vec![0, 2, 3, 1]), "with records: to the end");
    let told = [(2, false, false), (3, false, false), (0, false, false)];
    assert_eq!(world.answer(2, &told), Ok(vec![true, false, false]), "the error is over");
    world.fetch("a", fetch(3, &[])).unwrap();
    assert_eq!(world.answer(3, &told), Ok(vec![false, false, false]));
    assert_eq!(world.answer(2, &told), Err(SessionRefusal::InvalidEpoch), "it was overtaken");
    world.0.end(&"g".into(), &"a".into()).unwrap();
    assert_eq!(world.answer(3, &told), Err(SessionRefusal::InvalidEpoch));
}

#[test]
fn a_connection_takes_its_own_session_with_it() {
    let mut world = World::new(9);
    let end = |world: &mut World, member: &str, connection| {
        world.0.end_with(&"g".into(), &member.into(), connection).map(|ended| ended.group_is_empty)
    };
    world.fetch("a", fetch(0, &[0])).unwrap();
    world.fetch("b", fetch(0, &[0])).unwrap();
    assert_eq!(end(&mut world, "a", THERE), None);
    world.fetch("a", Fetch { connection: THERE, ..fetch(0, &[0]) }).unwrap();
    assert_eq!(end(&mut world, "a", HERE), None, "it has begun anew elsewhere");
    assert_eq!(end(&mut world, "a", THERE), Some(false));
    assert_eq!(end(&mut world, "b", HERE), Some(true));
    assert_eq!(end(&mut world, "b", HERE), None);
}
