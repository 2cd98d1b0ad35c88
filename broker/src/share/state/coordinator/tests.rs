use super::super::batches::StateBatch;
use super::*;
use crate::metadata::image::tests::{replayed, topic};

const TOPIC_ID: u128 = 7;

/// A machine with its log, which is durable as far as `durable`.
struct World {
    machine: ShareCoordinator,
    log: Vec<Record>,
    /// What follows writes that are not durable yet.
    pending: Vec<Then>,
    answers: Vec<(Waiter, StateAnswer)>,
    obsolete: Option<Offset>,
    now: Now,
}

fn rules() -> Rules {
    Rules { updates_per_snapshot: 3, prune_every_ms: 100, cold_after_ms: 1000 }
}

fn image() -> Arc<Image> {
    Arc::new(replayed(topic(TOPIC_ID, "t", 2)))
}

fn key(partition: i32) -> Key {
    Key { group: "g".into(), topic: Uuid::from_u128(TOPIC_ID), partition }
}

fn batch(first_offset: i64, last_offset: i64, state: i8, count: i16) -> StateBatch {
    StateBatch { first_offset, last_offset, delivery_state: state, delivery_count: count }
}

fn write(state_epoch: i32, leader_epoch: i32, start: i64, batches: &[StateBatch]) -> StateAsk {
    StateAsk::Write(Change {
        state_epoch,
        leader_epoch,
        start_offset: start,
        delivery_complete_count: -1,
        batches: batches.to_vec(),
    })
}

impl World {
    fn new() -> World {
        let mut world = World {
            machine: ShareCoordinator::of(rules(), image()),
            log: Vec::new(),
            pending: Vec::new(),
            answers: Vec::new(),
            obsolete: None,
            now: Now { wall_ms: 1_000_000, ticks: 50 },
        };
        world.call(|machine, now, out| machine.loaded(now, out));
        world
    }

    fn call(
        &mut self,
        call: impl FnOnce(&mut ShareCoordinator, Now, &mut Effects<ShareCoordinator>),
    ) {
        let mut out = Effects::default();
        call(&mut self.machine, self.now, &mut out);
        self.carry_out(out);
    }

    /// Appends what is to be written, as the host does.
    fn carry_out(&mut self, out: Effects<ShareCoordinator>) {
        self.answers.extend(out.answers);
        self.obsolete = out.obsolete.or(self.obsolete);
        for write in out.writes {
            let base = Offset(i64::try_from(self.log.len()).unwrap());
            let mut more = Effects::default();
            self.machine.appended(self.now, &write, base, &mut more);
            self.log.extend(write.records.iter().map(through_bytes));
            self.pending.push(write.then);
            self.carry_out(more);
        }
    }

    fn sync(&mut self) {
        for then in std::mem::take(&mut self.pending) {
            self.call(|machine, now, out| machine.written(now, then, Ok(()), out));
        }
    }

    fn ask(&mut self, key: Key, ask: StateAsk) -> StateAnswer {
        let request = StateRequest { key, ask };
        self.call(|machine, now, out| machine.handle(now, request, 1, out));
        assert!(self.answers.is_empty(), "what is not durable is not answered");
        self.sync();
        let (_, answer) = self.answers.pop().expect("one answer");
        answer
    }

    fn begin(&mut self, key: Key) {
        let begin = StateAsk::Initialize { state_epoch: 1, start_offset: 10 };
        assert_eq!(self.ask(key, begin), StateAnswer::Initialize(Ok(())));
    }

    fn read(&mut self, key: Key) -> ReadState {
        match self.ask(key, StateAsk::Read { leader_epoch: -1 }) {
            StateAnswer::Read(Ok(state)) => state,
            other => panic!("{other:?}"),
        }
    }

    /// A machine that has read the log from `start`.
    fn reloaded(&self, start: Offset) -> ShareCoordinator {
        let mut machine = ShareCoordinator::of(rules(), image());
        for (offset, record) in (0..).zip(&self.log) {
            if offset >= start.0 {
                let (key, value) = record.encode().unwrap();
                machine
                    .replay(self.now, Some(&key), value.as_deref(), None, Offset(offset))
                    .unwrap();
            }
        }
        machine
    }

    /// When its timers next go off.
    fn fire(&mut self) {
        let next = self.machine.next_timer().expect("a timer");
        let passed = next.saturating_sub(self.now.ticks);
        self.now.ticks += passed;
        self.now.wall_ms += i64::try_from(passed).unwrap();
        self.call(|machine, now, out| machine.fire(now, out));
        self.sync();
    }
}

fn through_bytes(record: &Record) -> Record {
    let (key, value) = record.encode().unwrap();
    Record::decode(Some(&key), value.as_deref()).unwrap()
}

fn states(machine: &ShareCoordinator) -> Vec<(Key, State, i32, i32)> {
    let told = |(key, kept): (&Key, &Kept)| {
        (key.clone(), kept.state.clone(), kept.leader_epoch_max, kept.state_epoch_max)
    };
    let mut all: Vec<_> = machine.kept.iter().map(told).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn what_was_never_begun_is_neither_read_nor_written() {
    let mut world = World::new();
    let read = world.ask(key(0), StateAsk::Read { leader_epoch: 0 });
    assert_eq!(read, StateAnswer::Read(Err(Refusal::ReadUninitialized)));
    let written = world.ask(key(0), write(0, 0, 5, &[]));
    assert_eq!(written, StateAnswer::Write(Err(Refusal::WriteUninitialized)));
    let summary =
        Summary { state_epoch: 0, leader_epoch: 0, start_offset: -1, delivery_complete_count: -1 };
    assert_eq!(world.ask(key(0), StateAsk::Summary), StateAnswer::Summary(Ok(summary)));
    assert_eq!(world.ask(key(0), StateAsk::Delete), StateAnswer::Delete(Ok(())));
    assert_eq!(world.log, []);
}

#[test]
fn partitions_that_do_not_exist() {
    let mut world = World::new();
    let begin = |state_epoch| StateAsk::Initialize { state_epoch, start_offset: 0 };
    let refused = |refusal| StateAnswer::Initialize(Err(refusal));
    assert_eq!(world.ask(key(2), begin(0)), refused(Refusal::UnknownPartition));
    assert_eq!(world.ask(key(-1), begin(0)), refused(Refusal::NegativePartition));
    let elsewhere = Key { topic: Uuid::from_u128(9), ..key(0) };
    assert_eq!(world.ask(elsewhere, begin(0)), refused(Refusal::UnknownPartition));
    assert_eq!(world.log, []);
}

#[test]
fn epochs_fence() {
    let mut world = World::new();
    world.begin(key(0));
    assert!(matches!(
        world.ask(key(0), StateAsk::Read { leader_epoch: 4 }),
        StateAnswer::Read(Ok(_))
    ));
    // An earlier leader, a later one that has not read, and one that does not say.
    let fenced = StateAnswer::Write(Err(Refusal::FencedLeaderEpoch));
    assert_eq!(world.ask(key(0), write(1, 3, 11, &[])), fenced);
    assert_eq!(
        world.ask(key(0), StateAsk::Read { leader_epoch: 3 }),
        StateAnswer::Read(Err(Refusal::FencedLeaderEpoch))
    );
    assert_eq!(world.ask(key(0), write(1, 5, 11, &[])), StateAnswer::Write(Ok(())));
    assert_eq!(world.ask(key(0), write(1, 4, 12, &[])), StateAnswer::Write(Ok(())));
    assert_eq!(world.ask(key(0), write(-1, -1, 13, &[])), StateAnswer::Write(Ok(())));
    // Begun anew: who has the earlier state writes nothing more, and the leader's epoch is remembered.
    let again = StateAsk::Initialize { state_epoch: 2, start_offset: 20 };
    assert_eq!(world.ask(key(0), again), StateAnswer::Initialize(Ok(())));
    let fenced = StateAnswer::Write(Err(Refusal::FencedStateEpoch));
    assert_eq!(world.ask(key(0), write(1, 4, 30, &[])), fenced);
    let fenced = StateAnswer::Write(Err(Refusal::FencedLeaderEpoch));
    assert_eq!(world.ask(key(0), write(2, 3, 30, &[])), fenced);
    let before = StateAsk::Initialize { state_epoch: 1, start_offset: 0 };
    let fenced = StateAnswer::Initialize(Err(Refusal::FencedStateEpoch));
    assert_eq!(world.ask(key(0), before), fenced);
    let state = world.read(key(0));
    assert_eq!((state.state_epoch, state.start_offset), (2, 20));
}

/// A leader that reads again in its epoch leaves no record; the first time its epoch is recorded.
#[test]
fn a_read_records_the_leaders_epoch_once() {
    let mut world = World::new();
    world.begin(key(0));
    for _ in 0..3 {
        world.ask(key(0), StateAsk::Read { leader_epoch: 6 });
    }
    assert_eq!(world.log.len(), 2);
    let Record::Update(_, update) = &world.log[1] else { panic!("{:?}", world.log[1]) };
    assert_eq!((update.leader_epoch, update.start_offset), (6, 10));
    let StateAnswer::Summary(Ok(summary)) = world.ask(key(0), StateAsk::Summary) else { panic!() };
    assert_eq!((summary.leader_epoch, summary.start_offset, summary.state_epoch), (6, 10, 1));
}

#[test]
fn changes_are_put_together_and_snapshots_hold_them_all() {
    let mut world = World::new();
    world.begin(key(0));
    world.ask(key(0), write(1, 0, -1, &[batch(10, 19, 0, 1)]));
    world.ask(key(0), write(1, 0, -1, &[batch(12, 13, 2, 1)]));
    world.ask(key(0), write(1, 0, 11, &[]));
    let expected = [batch(11, 11, 0, 1), batch(12, 13, 2, 1), batch(14, 19, 0, 1)];
    assert_eq!(world.read(key(0)).batches, expected);
    // The fourth change after the snapshot is one itself.
    world.ask(key(0), write(1, 0, -1, &[batch(14, 14, 4, 1)]));
    let Some(Record::Snapshot(_, Some(snapshot))) = world.log.last() else { panic!() };
    assert_eq!((snapshot.snapshot_epoch, snapshot.start_offset), (1, 11));
    let batches = snapshot.state_batches.clone();
    assert_eq!(batches, world.read(key(0)).batches);
    assert_eq!(batches.len(), 4);
    // And the count begins anew.
    for _ in 0..3 {
        world.ask(key(0), write(1, 0, -1, &[]));
        assert!(matches!(world.log.last(), Some(Record::Update(..))));
    }
    world.ask(key(0), write(1, 0, -1, &[]));
    assert!(matches!(world.log.last(), Some(Record::Snapshot(..))));
}

#[test]
fn what_cannot_be_written_has_not_happened() {
    let mut world = World::new();
    world.begin(key(0));
    let request = StateRequest { key: key(0), ask: write(1, 0, 50, &[]) };
    let mut out = Effects::default();
    world.machine.handle(world.now, request, 1, &mut out);
    let refused = out.writes.pop().unwrap();
    let mut out = Effects::default();
    world.machine.written(world.now, refused.then, Err(Unserved::NotAvailable), &mut out);
    let expected = StateAnswer::Write(Err(Refusal::Unserved(Unserved::NotAvailable)));
    assert_eq!(out.answers, [(1, expected)]);
    assert_eq!(world.read(key(0)).start_offset, 10);
}

#[test]
fn state_of_deleted_topics_goes() {
    let mut world = World::new();
    world.begin(key(0));
    world.begin(key(1));
    let deleted = [("t".into(), Uuid::from_u128(TOPIC_ID))];
    world.call(|machine, _, out| machine.topics_deleted(&deleted, out));
    assert_eq!(world.machine.count(), 0);
    assert_eq!(world.reloaded(Offset(0)).count(), 0);
}

/// Below the last snapshot of every share partition nothing is of use; a machine that begins to read there knows all there is to know.
#[test]
fn what_is_obsolete_is_pruned() {
    let mut world = World::new();
    world.begin(key(0));
    world.begin(key(1));
    for _ in 0..4 {
        world.ask(key(0), write(1, 0, -1, &[batch(10, 19, 0, 1)]));
    }
    world.fire();
    // The snapshot of partition 1.
    assert_eq!(world.obsolete.take(), Some(Offset(1)));
    // It is written anew when it has long been without traffic, and partition 0 as well; then neither is.
    while world.log.len() < 8 {
        world.fire();
    }
    world.fire();
    assert_eq!(world.obsolete.take(), Some(Offset(6)));
    let states_now = states(&world.machine);
    assert_eq!(states(&world.reloaded(Offset(6))), states_now);
    for _ in 0..50 {
        world.fire();
    }
    assert_eq!(world.log.len(), 8);
    assert_eq!(states(&world.machine), states_now);
    // With the last share partition the whole log goes, but for its tombstone.
    world.ask(key(0), StateAsk::Delete);
    world.ask(key(1), StateAsk::Delete);
    world.obsolete = None;
    world.fire();
    assert_eq!(world.obsolete, Some(Offset(9)));
}

/// Whatever is asked: a machine that has read the log, or what is left of it after pruning, has the same state.
#[test]
fn a_reload_changes_nothing() {
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};
    for seed in 0..300 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut world = World::new();
        let mut start = Offset(0);
        for _ in 0..random.random_range(1..80) {
            let partition = random.random_range(0..2);
            let ask = match random.random_range(0..10) {
                0 => StateAsk::Initialize {
                    state_epoch: random.random_range(-1..4),
                    start_offset: random.random_range(-1..5),
                },
                1 => StateAsk::Read { leader_epoch: random.random_range(-1..5) },
                2 if random.random_bool(0.2) => StateAsk::Delete,
                3 => {
                    world.fire();
                    continue;
                }
                _ => {
                    let first = random.random_range(0..40);
                    let last = first + random.random_range(0..9);
                    let some = batch(first, last, 2, random.random_range(1..4));
                    let epoch = random.random_range(-1..4);
                    write(epoch, random.random_range(-1..5), random.random_range(-1..30), &[some])
                }
            };
            world.ask(key(partition), ask);
            start = world.obsolete.unwrap_or(start);
        }
        assert_eq!(states(&world.reloaded(Offset(0))), states(&world.machine), "seed {seed}");
        let pruned: Vec<_> = states(&world.reloaded(start));
        let expected = states(&world.machine);
        let bare = |all: &[(Key, State, i32, i32)]| -> Vec<(Key, State)> {
            all.iter().map(|(key, state, ..)| (key.clone(), state.clone())).collect()
        };
        assert_eq!(bare(&pruned), bare(&expected), "seed {seed}");
    }
}
