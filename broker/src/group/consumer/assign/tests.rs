use proptest::prelude::*;

use super::*;

/// Members, each with the topics that it reads; topics by their number with their partitions.
fn group(members: &[(&str, &[u128])], partitions: &[(u128, i32)]) -> Group {
    let member = |(id, reads): &(&str, &[u128])| {
        let reads = reads.iter().map(|topic| Uuid::from_u128(*topic)).collect();
        (ByteString::from(*id), Candidate { reads, ..Candidate::default() })
    };
    Group {
        members: members.iter().map(member).collect(),
        partitions: partitions.iter().map(|(t, n)| (Uuid::from_u128(*t), *n)).collect(),
    }
}

struct Group {
    members: BTreeMap<ByteString, Candidate>,
    partitions: BTreeMap<Uuid, i32>,
}

impl Group {
    fn assign(&mut self, assignor: Assignor) -> Targets {
        let mut reads = self.members.values().map(|member| &member.reads);
        let first = reads.next();
        let subscription = match reads.all(|reads| Some(reads) == first) {
            true => SubscriptionType::Homogeneous,
            false => SubscriptionType::Heterogeneous,
        };
        let question =
            Question { members: &self.members, subscription, partitions: &self.partitions };
        let targets = assign(assignor, &question);
        for (id, member) in &mut self.members {
            member.has = targets.get(id).cloned().unwrap_or_default();
        }
        targets
    }

    /// `member: topic/partitions, ..`, by member.
    fn told(&mut self, assignor: Assignor) -> Vec<String> {
        let topic = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| {
            let partitions: Vec<_> = partitions.iter().map(i32::to_string).collect();
            format!(" {}/{}", topic.as_u128(), partitions.join(","))
        };
        let targets = self.assign(assignor);
        let member = |(id, target): (&ByteString, &Assignment)| {
            format!("{id}:{}", target.iter().map(topic).collect::<String>())
        };
        targets.iter().map(member).collect()
    }
}

#[test]
fn range_gives_neighbours_and_the_first_get_more() {
    let mut all = group(&[("a", &[1, 2]), ("b", &[1, 2]), ("c", &[2])], &[(1, 3), (2, 4)]);
    let expected = ["a: 1/0,1 2/0,1", "b: 1/2 2/2", "c: 2/3"];
    assert_eq!(all.told(Assignor::Range), expected);
    // A static member goes before the others.
    all.members.get_mut("c").unwrap().instance = Some("i".into());
    assert_eq!(all.told(Assignor::Range), ["a: 1/0,1 2/2", "b: 1/2 2/3", "c: 2/0,1"]);
}

#[test]
fn uniform_moves_as_little_as_it_can() {
    let mut all = group(&[("a", &[1, 2])], &[(1, 3), (2, 2)]);
    assert_eq!(all.told(Assignor::Uniform), ["a: 1/0,1,2 2/0,1"]);
    let b = all.members["a"].clone();
    all.members.insert("b".into(), Candidate { has: Assignment::new(), ..b });
    assert_eq!(all.told(Assignor::Uniform), ["a: 1/0,1,2", "b: 2/0,1"]);
    all.partitions.insert(Uuid::from_u128(2), 3);
    assert_eq!(all.told(Assignor::Uniform), ["a: 1/0,1,2", "b: 2/0,1,2"]);
    all.members.remove("a");
    assert_eq!(all.told(Assignor::Uniform), ["b: 1/0,1,2 2/0,1,2"]);
}

#[test]
fn uniform_balances_members_that_read_different_topics() {
    let mut all = group(&[("a", &[1]), ("b", &[1, 2]), ("c", &[2])], &[(1, 6), (2, 6)]);
    let sizes = |targets: &Targets| -> Vec<usize> {
        targets.values().map(|target| target.values().map(BTreeSet::len).sum()).collect()
    };
    // No topic gains by a move, though two moves would make them even: so it is in Kafka.
    assert_eq!(sizes(&all.assign(Assignor::Uniform)), [3, 4, 5]);
    // Nothing moves when nothing has changed.
    let before = all.assign(Assignor::Uniform);
    assert_eq!(all.assign(Assignor::Uniform), before);
}

/// `broker/tests/data/assignors.txt`, which `Assignors.java` beside it has written, step by step.
#[test]
fn targets_are_kafkas() {
    let mut all = group(&[], &[]);
    let text = include_str!("../../../../tests/data/assignors.txt");
    for line in text.lines() {
        let Some((question, expected)) = line.split_once(" -> ") else {
            all = group(&[], &[]);
            continue;
        };
        let words: Vec<&str> = question.split(' ').collect();
        let [assignor, members, partitions] = words[..] else { panic!("not a step: {line}") };
        let number = |text: &str| Uuid::from_u128(text.parse().unwrap());
        let members = members.split(';').map(|member| member.split_once('=').unwrap());
        let members: BTreeMap<&str, &str> = members.collect();
        all.members.retain(|id, _| members.contains_key(&**id));
        for (id, reads) in members {
            let member = all.members.entry(id.into()).or_default();
            let reads = reads.split(',').filter(|topic| !topic.is_empty());
            member.reads = reads.map(number).collect();
        }
        let of = |text: &str| {
            let (topic, count) = text.split_once(':').unwrap();
            (number(topic), count.parse().unwrap())
        };
        all.partitions = partitions.split(',').map(of).collect();
        let targets = all.assign(Assignor::named(assignor).unwrap());
        let told = |id: &ByteString| {
            let topics = targets.get(id).into_iter().flatten().map(|(topic, partitions)| {
                let partitions: Vec<_> = partitions.iter().map(i32::to_string).collect();
                format!("{}/{}", topic.as_u128(), partitions.join(","))
            });
            format!("{id}={}", topics.collect::<Vec<_>>().join("+"))
        };
        let found: Vec<String> = all.members.keys().map(told).collect();
        assert_eq!(found.join(" "), expected, "{line}");
    }
}

proptest! {
    /// Whatever members read: each partition has one owner, which reads it; who reads the same has as much, but for one.
    #[test]
    fn every_partition_has_one_owner_that_reads_it(
        steps in prop::collection::vec(prop::collection::vec(0_u8..8, 1..6), 1..5),
        partitions in prop::collection::vec(0..7, 3),
        range in any::<bool>(),
    ) {
        let assignor = if range { Assignor::Range } else { Assignor::Uniform };
        let mut all = group(&[], &[]);
        all.partitions = (0_u128..).zip(partitions).map(|(t, n)| (Uuid::from_u128(t), n)).collect();
        for masks in steps {
            all.members.retain(|id, _| id.parse::<usize>().unwrap() < masks.len());
            for (number, mask) in masks.iter().enumerate() {
                let member = all.members.entry(number.to_string().into()).or_default();
                let reads = (0..3).filter(|topic| mask & (1 << topic) != 0);
                member.reads = reads.map(Uuid::from_u128).collect();
            }
            let targets = all.assign(assignor);
            for (topic, count) in &all.partitions {
                let mut owned: Vec<i32> = Vec::new();
                for (id, target) in &targets {
                    let own = target.get(topic).into_iter().flatten().copied();
                    prop_assert!(own.clone().count() == 0 || all.members[id].reads.contains(topic));
                    owned.extend(own);
                }
                owned.sort_unstable();
                let read = all.members.values().any(|member| member.reads.contains(topic));
                let expected: Vec<i32> = (0..if read { *count } else { 0 }).collect();
                prop_assert_eq!(owned, expected);
            }
            let same = all.members.values().all(|m| m.reads == all.members["0"].reads);
            if same && !range {
                let sizes = all.members.values().map(|m| m.has.values().map(BTreeSet::len).sum());
                let sizes: Vec<usize> = sizes.collect();
                prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            }
        }
    }
}
