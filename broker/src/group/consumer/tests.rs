use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::super::coordinator::{Effects, Now, Write};
use super::super::message::{
    GroupAnswer, GroupRequest, Heartbeat, Join, Leave, Report, Reported, Sync,
};
use super::super::records::{GroupValue, MemberValue, Record};
use super::super::{ConsumerRules, Coordinator, Refusal, Refused, Rules, ShareRules, Waiter};
use super::assign::Assignor;
use super::protocol::{self, Assigned, OfTopic, Subscription};
use super::*;
use crate::metadata::image::tests::{replayed, topic};
use crate::metadata::image::{Delta, Image};

const SESSION_MS: i32 = 6_000;
const REBALANCE_MS: i32 = 2_000;
const TOPIC: Uuid = Uuid::from_u128(1);

/// A coordinator whose log takes everything at once.
struct Bench {
    coordinator: Coordinator,
    now: Now,
    log: Vec<Record>,
    answers: Vec<(Waiter, GroupAnswer)>,
    waiter: Waiter,
}

fn rules() -> Rules {
    Rules {
        initial_delay_ms: 0,
        size_max: 10,
        metadata_max: 10,
        retention_ms: 600_000,
        expiry_every_ms: 600_000,
        consumer: ConsumerRules {
            session_ms: SESSION_MS,
            heartbeat_ms: 500,
            assignment_interval_ms: 0,
            limits: BTreeMap::new(),
            size_max: 10,
            assignors: vec![Assignor::Uniform],
            upgrade: true,
            downgrade: true,
            regex_refresh_ms: 60_000,
        },
        share: ShareRules {
            session_ms: SESSION_MS,
            heartbeat_ms: 500,
            assignment_interval_ms: 0,
            limits: BTreeMap::new(),
            size_max: 10,
            initialize_retry_ms: 3_000,
        },
    }
}

/// With the one topic.
fn image(partitions: i32) -> Arc<Image> {
    Arc::new(replayed(topic(TOPIC.as_u128(), "t", partitions)))
}

impl Bench {
    fn new(rules: Rules, log: Vec<Record>) -> Bench {
        let mut bench = Bench {
            coordinator: Coordinator::new(rules, image(3)),
            now: Now { wall_ms: 1_000_000, ticks: 0 },
            log: Vec::new(),
            answers: Vec::new(),
            waiter: 0,
        };
        for (offset, record) in (0_i64..).zip(log) {
            bench.coordinator.replay(bench.now, record, None, offset);
        }
        let mut out = Effects::default();
        bench.coordinator.loaded(bench.now, &mut out);
        bench.carry_out(out);
        bench
    }

    fn carry_out(&mut self, mut out: Effects) {
        while !out.writes.is_empty() {
            for write in std::mem::take(&mut out.writes) {
                self.coordinator.appended(self.now, &write, &mut out);
                let Write { records, then } = write;
                self.log.extend(records);
                self.coordinator.written(self.now, then, Ok(()), &mut out);
            }
        }
        self.answers.append(&mut out.answers);
    }

    fn ask(&mut self, request: GroupRequest) -> GroupAnswer {
        self.waiter += 1;
        let mut out = Effects::default();
        self.coordinator.handle(self.now, request, self.waiter, &mut out);
        self.carry_out(out);
        let at = self.answers.iter().position(|(waiter, _)| *waiter == self.waiter);
        self.answers.swap_remove(at.expect("nobody else is waited for")).1
    }

    fn report(&mut self, report: Report) -> Result<Reported, Refused> {
        match self.ask(GroupRequest::Report(Box::new(report))) {
            GroupAnswer::Report(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// A classic member joins, again if it was told to, and takes what it is told.
    fn join(&mut self, id: &str) -> (i32, Vec<i32>) {
        let joined = match self.ask(GroupRequest::Join(Box::new(join(id)))) {
            GroupAnswer::Join(Ok(joined)) => joined,
            other => panic!("{other:?}"),
        };
        let generation = joined.generation;
        let sync = Sync {
            group: "g".into(),
            member_id: id.into(),
            generation,
            instance: None,
            protocol_type: None,
            protocol: None,
            assignments: Vec::new(),
        };
        let assigned = match self.ask(GroupRequest::Sync(Box::new(sync))) {
            GroupAnswer::Sync(Ok(assigned)) => assigned,
            other => panic!("{other:?}"),
        };
        let assigned: Assigned = protocol::read(&assigned.assignment).unwrap();
        (
            generation,
            assigned.assigned_partitions.into_iter().flat_map(|of| of.partitions).collect(),
        )
    }

    /// A classic member's heartbeat.
    fn beat(&mut self, id: &str, generation: i32) -> Result<(), Refusal> {
        let (group, member_id) = ("g".into(), id.into());
        let heartbeat = Heartbeat { group, member_id, generation, instance: None };
        match self.ask(GroupRequest::Heartbeat(heartbeat)) {
            GroupAnswer::Heartbeat(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn pass(&mut self, ms: i32) {
        self.now.ticks += u64::try_from(ms).unwrap();
        self.now.wall_ms += i64::from(ms);
        while self.coordinator.next_timer().is_some_and(|due| due <= self.now.ticks) {
            let mut out = Effects::default();
            self.coordinator.fire(self.now, &mut out);
            self.carry_out(out);
        }
    }

    fn configured(&mut self, rules: Rules, image: &Arc<Image>) {
        let delta = Delta::between(&self.coordinator.image, image);
        self.coordinator.configured(rules, Arc::clone(image), &delta);
    }

    fn group(&self) -> &ConsumerGroup {
        &self.coordinator.consumers["g"]
    }
}

/// What a member says that joins.
fn joins(member: &str, instance: Option<&str>) -> Report {
    Report {
        rebalance_timeout_ms: REBALANCE_MS,
        names: Some(vec!["t".into()]),
        owns: Some(Vec::new()),
        ..says(member, instance, 0)
    }
}

/// What a member says for whom nothing has changed.
fn says(member: &str, instance: Option<&str>, member_epoch: i32) -> Report {
    Report {
        group: "g".into(),
        member_id: member.into(),
        new_member_id: ByteString::new(),
        member_epoch,
        instance: instance.map(Into::into),
        rack: None,
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: -1,
        names: None,
        regex: None,
        assignor: None,
        owns: None,
    }
}

/// A consumer that gives everything up before it joins.
fn subscription() -> Bytes {
    let subscription = Subscription { topics: vec!["t".into()], ..Subscription::default() };
    protocol::written(&subscription, 1)
}

fn join(id: &str) -> Join {
    Join {
        group: "g".into(),
        member_id: id.into(),
        new_member_id: ByteString::new(),
        instance: None,
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: 60_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), subscription())],
        known_id_required: false,
        may_skip_assignment: true,
    }
}

/// A classic group whose members were assigned these partitions.
fn classic(members: &[(&str, &[i32])]) -> Record {
    let member = |(id, partitions): &(&str, &[i32])| {
        let of = OfTopic { topic: "t".into(), partitions: partitions.to_vec() };
        let assigned = Assigned { assigned_partitions: vec![of], user_data: None };
        MemberValue {
            member_id: (*id).into(),
            rebalance_timeout: REBALANCE_MS,
            session_timeout: SESSION_MS,
            subscription: subscription(),
            assignment: protocol::written(&assigned, 1),
            ..MemberValue::default()
        }
    };
    let value = GroupValue {
        protocol_type: "consumer".into(),
        generation: 7,
        protocol: Some("range".into()),
        leader: Some(members[0].0.into()),
        members: members.iter().map(member).collect(),
        ..GroupValue::default()
    };
    Record::Group("g".into(), Some(value))
}

/// As a consumer does that unsubscribes and subscribes again: it keeps its id.
#[test]
fn a_static_member_that_comes_back_under_its_id_is_missed_when_it_falls_silent() {
    let mut bench = Bench::new(rules(), Vec::new());
    bench.report(joins("m", Some("i"))).unwrap();
    bench.report(says("m", Some("i"), -2)).unwrap();
    assert_eq!(bench.report(joins("m", Some("i"))).unwrap().member_epoch, 2);
    bench.pass(SESSION_MS + 1);
    assert!(bench.group().is_empty(), "{:?}", bench.group());
}

#[test]
fn a_static_member_that_will_be_back_has_its_session_whatever_it_was_giving_up() {
    for loaded in [false, true] {
        let mut bench = Bench::new(rules(), Vec::new());
        bench.report(joins("a", Some("i"))).unwrap();
        bench.report(joins("b", None)).unwrap();
        bench.report(says("a", Some("i"), 2)).unwrap();
        assert_eq!(bench.group().member("a").unwrap().state, MemberState::UnrevokedPartitions);
        bench.report(says("a", Some("i"), -2)).unwrap();
        if loaded {
            bench = Bench::new(rules(), bench.log);
        }
        bench.pass(REBALANCE_MS + 1);
        assert!(bench.group().of_instance("i").is_some(), "loaded: {loaded}");
        bench.pass(SESSION_MS);
        assert!(bench.group().of_instance("i").is_none(), "loaded: {loaded}");
    }
}

#[test]
fn a_member_that_goes_by_another_instance_leaves_the_one_before() {
    let mut bench = Bench::new(rules(), Vec::new());
    bench.report(joins("m", Some("i"))).unwrap();
    bench.report(joins("m", Some("j"))).unwrap();
    assert!(bench.group().of_instance("i").is_none());
    assert!(bench.report(joins("n", Some("i"))).is_ok());
    let loaded = Bench::new(rules(), bench.log.clone());
    assert_eq!(loaded.group().instances, bench.group().instances);
}

/// Kafka does not load a partition with such a group.
#[test]
fn a_classic_group_in_which_two_members_have_a_partition_stays_one() {
    let mut bench = Bench::new(rules(), vec![classic(&[("a", &[0, 1]), ("b", &[1, 2])])]);
    let refused = bench.report(joins("m", None)).unwrap_err();
    assert_eq!(refused.refusal, Refusal::Malformed, "{refused:?}");
    assert!(bench.coordinator.groups.contains_key("g") && bench.log.is_empty());
    let mut bench = Bench::new(rules(), vec![classic(&[("a", &[0, 1]), ("b", &[2])])]);
    bench.report(joins("m", None)).unwrap();
    assert_eq!(bench.group().size(), 3);
}

/// Where the last member of the consumer protocol has gone and the group may not become a classic one.
#[test]
fn classic_members_alone_in_a_consumer_group_are_told_of_changes() {
    let mut only_upgrade = rules();
    only_upgrade.consumer.downgrade = false;
    let mut bench = Bench::new(only_upgrade.clone(), Vec::new());
    bench.report(joins("m", None)).unwrap();
    let (generation, has) = bench.join("c");
    assert_eq!((generation, has), (3, vec![]));
    bench.report(says("m", None, -1)).unwrap();
    assert_eq!(bench.beat("c", generation), Err(Refusal::Rebalancing));
    let (generation, has) = bench.join("c");
    assert_eq!((bench.beat("c", generation), has), (Ok(()), vec![0, 1, 2]));
    bench.configured(only_upgrade, &image(4));
    assert_eq!(bench.beat("c", generation), Err(Refusal::Rebalancing));
    let (generation, has) = bench.join("c");
    assert_eq!((bench.beat("c", generation), has), (Ok(()), vec![0, 1, 2, 3]));
}

#[test]
fn a_consumer_group_of_classic_members_becomes_a_classic_one_as_soon_as_it_may() {
    let mut only_upgrade = rules();
    only_upgrade.consumer.downgrade = false;
    let mut bench = Bench::new(only_upgrade, Vec::new());
    bench.report(joins("m", None)).unwrap();
    bench.join("c");
    bench.join("d");
    bench.report(says("m", None, -1)).unwrap();
    bench.configured(rules(), &image(3));
    let members = vec![("c".into(), None)];
    bench.ask(GroupRequest::Leave(Leave { group: "g".into(), members }));
    assert_eq!(bench.coordinator.groups["g"].member_ids(), ["d"]);
}

#[test]
fn only_those_may_join_who_know_a_protocol_that_all_classic_members_know() {
    let mut bench = Bench::new(rules(), Vec::new());
    bench.report(joins("m", None)).unwrap();
    bench.join("c");
    let supports = |names: &[&str]| {
        let protocols = names.iter().map(|name| ((*name).into(), Bytes::new())).collect();
        bench.group().supports("consumer", &protocols)
    };
    assert!(supports(&["range"]) && supports(&["sticky", "range"]));
    assert!(!supports(&["sticky"]) && !supports(&[]));
}
