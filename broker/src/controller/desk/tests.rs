use std::cell::RefCell;
use std::rc::Rc;

use storage::units::Offset;

use super::*;
use crate::config::{Invocation, load};
use crate::controller::ledger::tests::{Disk, Memory, NOW, block_on, site};
use crate::controller::registration::{self, Registration};

/// Remembers what it was told to follow.
#[derive(Clone, Default)]
struct Told(Rc<RefCell<Vec<Arc<Image>>>>);

impl Followers for Told {
    async fn follow(&self, image: Arc<Image>) {
        self.0.borrow_mut().push(image);
    }
}

impl Told {
    fn take(&self) -> Vec<Arc<Image>> {
        std::mem::take(&mut self.0.borrow_mut())
    }
}

struct World {
    disk: Disk,
    told: Told,
    desk: Desk<Memory, Told>,
}

/// A node that has started.
fn world() -> World {
    let disk = Disk::new();
    let told = Told::default();
    let ledger = disk.open();
    let registration = Registration {
        endpoints: vec![],
        rack: None,
        directories: vec![site().directory_id],
        incarnation: uuid::Uuid::nil(),
    };
    let (records, epoch) =
        registration::start(ledger.image(), &site(), &registration, &[], ledger.next_offset());
    let config = Arc::new(load(&Invocation { file: None, overrides: vec![] }).unwrap().config);
    let mut desk = Desk::new(ledger, told.clone(), config, Dice::seeded(3), epoch);
    block_on(desk.write(&records, NOW)).unwrap();
    told.take();
    World { disk, told, desk }
}

impl World {
    fn ask(&mut self, request: ControllerRequest) -> ControllerAnswer {
        block_on(self.desk.answer(request, NOW))
    }

    fn create(&mut self, names: &[&str], validate_only: bool) -> ControllerAnswer {
        let topic = |name: &&str| CreatableTopic {
            name: (*name).into(),
            num_partitions: 2,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let topics = names.iter().map(topic).collect();
        self.ask(ControllerRequest::CreateTopics { topics, validate_only, expires: NOW + 1 })
    }

    fn end(&self) -> Offset {
        self.desk.ledger.next_offset()
    }
}

fn refusals(answer: ControllerAnswer) -> Vec<Option<TopicRefusal>> {
    let ControllerAnswer::CreateTopics(outcomes) = answer else { panic!("{answer:?}") };
    outcomes.into_iter().map(|(_, outcome)| outcome.err()).collect()
}

#[test]
fn a_topic_is_answered_when_it_is_followed_and_written() {
    let mut world = world();
    assert_eq!(refusals(world.create(&["a", "b"], false)), [None, None]);
    let followed = world.told.take();
    assert_eq!(followed.len(), 1);
    assert_eq!(followed[0].topic_by_name("b").unwrap().partitions.len(), 2);
    assert_eq!(world.disk.open().image().topic_count(), 2);
    assert_eq!(refusals(world.create(&["a"], false)), [Some(TopicRefusal::Exists("a".into()))]);
    assert!(world.told.take().is_empty(), "nothing changed");
}

#[test]
fn what_is_only_validated_is_not_written() {
    let mut world = world();
    let end = world.end();
    assert_eq!(
        refusals(world.create(&["a", "a a"], true)).iter().filter(|r| r.is_none()).count(),
        1
    );
    assert_eq!(world.end(), end);
    assert!(world.told.take().is_empty());
}

#[test]
fn without_room_nothing_is_done_and_later_all_of_it() {
    let mut world = world();
    world.disk.fill(true);
    let answer = world.create(&["a"], false);
    assert!(matches!(answer, ControllerAnswer::Unwritten(Unwritten::NoRoom(_))), "{answer:?}");
    assert!(world.told.take().is_empty());
    world.disk.fill(false);
    assert_eq!(refusals(world.create(&["a"], false)), [None]);
}

#[test]
fn topics_that_somebody_asked_about_get_the_defaults() {
    let mut world = world();
    let names = || vec![ByteString::from("a"), "b b".into()];
    for _ in 0..2 {
        let answer = world.ask(ControllerRequest::AutoCreate { names: names() });
        assert!(matches!(answer, ControllerAnswer::AutoCreate));
    }
    let followed = world.told.take();
    assert_eq!(followed.len(), 1, "the second time it was there");
    assert_eq!(followed[0].topic_by_name("a").unwrap().partitions.len(), 1);
}

#[test]
fn a_deleted_topic_is_gone_for_everybody() {
    let mut world = world();
    world.create(&["a", "b"], false);
    world.told.take();
    let named =
        |name: &str| NamedTopic { name: Some(name.into()), id: storage::units::TopicId::NIL };
    let topics = vec![named("a"), named("x")];
    let answer = world.ask(ControllerRequest::DeleteTopics { topics, expires: NOW + 1 });
    let ControllerAnswer::DeleteTopics(answers) = answer else { panic!("{answer:?}") };
    assert_eq!(answers.iter().filter(|answer| answer.outcome.is_ok()).count(), 1);
    assert!(world.told.take()[0].topic_by_name("a").is_none());
    assert_eq!(world.disk.open().image().topic_count(), 1);
}

#[test]
fn blocks_of_producer_ids_are_never_given_twice() {
    let mut world = world();
    let mut blocks = Vec::new();
    for _ in 0..3 {
        let ControllerAnswer::ProducerIds(block) =
            world.ask(ControllerRequest::AllocateProducerIds)
        else {
            panic!("no block")
        };
        blocks.push(block);
    }
    assert_eq!(blocks, [0..1000, 1000..2000, 2000..3000]);
    assert_eq!(world.disk.open().image().next_producer_id(), 3000);
}

/// Kafka refuses a timeout of 0 or less at once.
#[test]
fn what_comes_too_late_is_not_begun() {
    let mut world = world();
    let end = world.end();
    for expires in [NOW, NOW - 1] {
        let topics = vec![CreatableTopic { name: "a".into(), ..CreatableTopic::default() }];
        let requests = [
            ControllerRequest::CreateTopics { topics, validate_only: false, expires },
            ControllerRequest::DeleteTopics { topics: vec![], expires },
        ];
        for request in requests {
            let answer = world.ask(request);
            assert!(
                matches!(answer, ControllerAnswer::Unwritten(Unwritten::TimedOut)),
                "{answer:?}"
            );
        }
    }
    assert_eq!(world.end(), end);
}
