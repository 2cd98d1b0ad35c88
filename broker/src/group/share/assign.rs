//! Who is to read what: Kafka's assignor `simple`, as a function of the members, what each reads and has, and the partitions.
//!
//! - Partitions are shared: with more members than partitions each partition has several readers. No two members differ by more than one
//!   partition, and none is without a reader if a member reads its topic.
//! - Who has something keeps it as far as that allows.
//! - Members that read different topics share out each topic on its own.
//!
//! Where Kafka goes through a hash map, here the order is that of ids. And where Kafka stops when nobody who is to get more can take a
//! partition, because all have it, here the partitions behind it are gone through still: else they could be left without a reader.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytestring::ByteString;
use uuid::Uuid;

use super::super::consumer::member::Assignment;

/// A member, as the assignor sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidate {
    /// Topics that there are.
    pub(super) reads: BTreeSet<Uuid>,
    /// Its target until now.
    pub(super) has: Assignment,
}

type Place = (Uuid, i32);

/// The target of each member. `assignable`: the partitions that may be read.
pub(super) fn simple(
    members: &BTreeMap<ByteString, Candidate>,
    assignable: &Assignment,
) -> BTreeMap<ByteString, Assignment> {
    let candidates: Vec<&Candidate> = members.values().collect();
    let everybody: Vec<usize> = (0..candidates.len()).collect();
    let mut held: Vec<BTreeSet<Place>> = vec![BTreeSet::new(); candidates.len()];
    let places = |topics: &BTreeSet<Uuid>| -> Vec<Place> {
        let of = |id: &Uuid| {
            let id = *id;
            assignable.get(&id).into_iter().flatten().map(move |partition| (id, *partition))
        };
        topics.iter().flat_map(of).collect()
    };
    let alike = candidates.windows(2).all(|pair| pair[0].reads == pair[1].reads);
    if let Some(first) = candidates.first().filter(|_| alike) {
        share_out(&candidates, &everybody, &places(&first.reads), &mut held);
    } else {
        let topics: BTreeSet<Uuid> = candidates.iter().flat_map(|m| &m.reads).copied().collect();
        for topic in topics {
            let reads = |member: &usize| candidates[*member].reads.contains(&topic);
            let readers: Vec<usize> = everybody.iter().copied().filter(reads).collect();
            share_out(&candidates, &readers, &places(&BTreeSet::from([topic])), &mut held);
        }
    }
    members.keys().cloned().zip(held.iter().map(by_topic)).collect()
}

/// Shares partitions out among those who read all of them.
fn share_out(
    candidates: &[&Candidate],
    readers: &[usize],
    places: &[Place],
    held: &mut [BTreeSet<Place>],
) {
    if readers.is_empty() || places.is_empty() {
        return;
    }
    let sharing = readers.len().div_ceil(places.len());
    let wanted = wanted(sharing * places.len(), readers.len());
    let mut own: BTreeMap<usize, BTreeSet<Place>> = BTreeMap::new();
    let mut holders: BTreeMap<Place, BTreeSet<usize>> =
        places.iter().map(|place| (*place, BTreeSet::new())).collect();
    for (reader, wanted) in readers.iter().zip(&wanted) {
        let has = &candidates[*reader].has;
        let had = |(topic, partition): &&Place| {
            has.get(topic).is_some_and(|partitions| partitions.contains(partition))
        };
        let kept: Vec<Place> = places.iter().filter(had).copied().collect();
        // The first ones go.
        let surplus = kept.len().saturating_sub(*wanted);
        let kept: BTreeSet<Place> = kept[surplus..].iter().copied().collect();
        for place in &kept {
            holders.entry(*place).or_default().insert(*reader);
        }
        own.insert(*reader, kept);
    }
    for (place, of) in &mut holders {
        while of.len() > sharing
            && let Some(first) = of.pop_first()
        {
            own.entry(first).or_default().remove(place);
        }
    }
    let wanted: BTreeMap<usize, usize> = readers.iter().copied().zip(wanted).collect();
    let lacks = |own: &BTreeMap<usize, BTreeSet<Place>>, reader: usize| {
        own.get(&reader).map_or(0, BTreeSet::len) < wanted.get(&reader).copied().unwrap_or(0)
    };
    let mut lacking: BTreeSet<usize> =
        readers.iter().copied().filter(|reader| lacks(&own, *reader)).collect();
    let mut last: Option<usize> = None;
    for (place, of) in &mut holders {
        // Once around without a taker: there is none.
        let mut passed = 0;
        while of.len() < sharing && passed < lacking.len() {
            let Some(next) = after(&lacking, last) else { break };
            last = Some(next);
            if !of.insert(next) {
                passed += 1;
                continue;
            }
            passed = 0;
            own.entry(next).or_default().insert(*place);
            if !lacks(&own, next) {
                lacking.remove(&next);
            }
        }
    }
    for (reader, places) in own {
        held[reader].extend(places);
    }
}

/// The next one in the circle.
fn after(circle: &BTreeSet<usize>, last: Option<usize>) -> Option<usize> {
    let behind = last.map_or(Bound::Unbounded, Bound::Excluded);
    circle.range((behind, Bound::Unbounded)).next().or_else(|| circle.first()).copied()
}

/// How many each of `readers` gets, of `all` together: as even as whole numbers allow. Rounded as Kafka does, in floating point.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "members and partitions are few, and none is negative"
)]
fn wanted(all: usize, readers: usize) -> Vec<usize> {
    let precise = all as f64 / readers as f64;
    let up_to = |reader: usize| (precise * reader as f64).ceil() as usize;
    (0..readers).map(|reader| up_to(reader + 1) - up_to(reader)).collect()
}

fn by_topic(places: &BTreeSet<Place>) -> Assignment {
    let mut assignment = Assignment::new();
    for (topic, partition) in places {
        assignment.entry(*topic).or_default().insert(*partition);
    }
    assignment
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn id(topic: u128) -> Uuid {
        Uuid::from_u128(topic)
    }

    fn assignment(of: &[(u128, &[i32])]) -> Assignment {
        of.iter()
            .map(|(topic, partitions)| (id(*topic), partitions.iter().copied().collect()))
            .collect()
    }

    fn member(reads: &[u128], has: &[(u128, &[i32])]) -> Candidate {
        Candidate { reads: reads.iter().map(|topic| id(*topic)).collect(), has: assignment(has) }
    }

    #[track_caller]
    fn check(members: &[Candidate], assignable: &[(u128, &[i32])], expected: &[&[(u128, &[i32])]]) {
        let names = (0..members.len()).map(|n| ByteString::from(format!("m{n}")));
        let members: BTreeMap<_, _> = names.zip(members.iter().cloned()).collect();
        let targets = simple(&members, &assignment(assignable));
        let expected: Vec<Assignment> = expected.iter().map(|of| assignment(of)).collect();
        assert_eq!(targets.into_values().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn partitions_are_shared() {
        check(&[], &[(1, &[0])], &[]);
        check(&[member(&[], &[])], &[(1, &[0])], &[&[]]);
        // Fewer members than partitions, as many, and more.
        check(&[member(&[1], &[])], &[(1, &[0, 1, 2])], &[&[(1, &[0, 1, 2])]]);
        let new = || member(&[1], &[]);
        check(&[new(), new()], &[(1, &[0, 1, 2])], &[&[(1, &[0, 2])], &[(1, &[1])]]);
        check(
            &[new(), new(), new()],
            &[(1, &[0, 1])],
            &[&[(1, &[0, 1])], &[(1, &[0])], &[(1, &[1])]],
        );
        // Nothing may be read yet.
        check(&[new()], &[], &[&[]]);
    }

    #[test]
    fn who_has_something_keeps_it() {
        let has = |partitions: &'static [i32]| member(&[1], &[(1, partitions)]);
        check(&[has(&[1, 2]), has(&[0])], &[(1, &[0, 1, 2])], &[&[(1, &[1, 2])], &[(1, &[0])]]);
        // A new member gets what another has too much of.
        check(&[has(&[0, 1]), has(&[])], &[(1, &[0, 1])], &[&[(1, &[1])], &[(1, &[0])]]);
        // And one that went leaves what it had.
        check(&[has(&[1])], &[(1, &[0, 1])], &[&[(1, &[0, 1])]]);
    }

    #[test]
    fn members_that_read_different_topics_share_each_of_them() {
        check(
            &[member(&[1], &[]), member(&[2], &[]), member(&[1, 2], &[])],
            &[(1, &[0, 1]), (2, &[0, 1])],
            &[&[(1, &[0])], &[(2, &[0])], &[(1, &[1]), (2, &[1])]],
        );
        // What a member reads no longer it loses.
        check(
            &[member(&[2], &[(1, &[0])]), member(&[1, 2], &[])],
            &[(1, &[0]), (2, &[0])],
            &[&[(2, &[0])], &[(1, &[0]), (2, &[0])]],
        );
    }

    /// Every partition has a reader, nobody reads what it did not ask for, and a second look changes nothing that is even already.
    #[test]
    fn every_partition_has_a_reader() {
        for seed in 0..2_000 {
            let mut random = SmallRng::seed_from_u64(seed);
            let topics: Vec<u128> = (1..=random.random_range(1..4)).collect();
            let alike = random.random_bool(0.5);
            let assignable: Assignment = topics
                .iter()
                .map(|topic| (id(*topic), (0..random.random_range(0..6)).collect()))
                .collect();
            let some = |random: &mut SmallRng| {
                let reads = topics.iter().filter(|_| alike || random.random_bool(0.6));
                let reads = reads.map(|topic| id(*topic)).collect();
                let had = |random: &mut SmallRng| {
                    (0..6).filter(|_| random.random_bool(0.3)).collect::<BTreeSet<i32>>()
                };
                let has = topics.iter().map(|topic| (id(*topic), had(random))).collect();
                Candidate { reads, has }
            };
            let members: BTreeMap<ByteString, Candidate> = (0..random.random_range(1..9))
                .map(|n| (format!("m{n}").into(), some(&mut random)))
                .collect();
            let targets = simple(&members, &assignable);
            for (topic, partitions) in &assignable {
                let readers = members.values().filter(|m| m.reads.contains(topic)).count();
                for partition in partitions {
                    let has =
                        |of: &&Assignment| of.get(topic).is_some_and(|own| own.contains(partition));
                    let holders = targets.values().filter(has).count();
                    assert_eq!(holders > 0, readers > 0, "seed {seed}: {topic} {partition}");
                }
            }
            for (name, target) in &targets {
                let reads = &members[name].reads;
                for (topic, partitions) in target {
                    assert!(reads.contains(topic), "seed {seed}");
                    assert!(partitions.is_subset(&assignable[topic]), "seed {seed}");
                }
            }
        }
    }
}
