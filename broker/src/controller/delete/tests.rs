//! The answers are what Kafka 4.3.1 gave to the same requests (it shuffles them).

use uuid::Uuid;

use super::*;
use crate::metadata::image::tests::{replayed, topic};

fn id(number: u128) -> TopicId {
    TopicId(Uuid::from_u128(number))
}

fn by_name(name: &str) -> NamedTopic {
    NamedTopic { name: Some(name.into()), id: TopicId::NIL }
}

fn by_id(number: u128) -> NamedTopic {
    NamedTopic { name: None, id: id(number) }
}

/// Topics "a" (1), "b" (2), "c" (3).
fn check(topics: &[NamedTopic], removed: &[u128], expected: &[(Option<&str>, u128, Option<&str>)]) {
    let image = replayed([topic(1, "a", 1), topic(2, "b", 2), topic(3, "c", 1)].concat());
    let (records, answers) = plan(&image, topics);
    let removes = |number: &u128| RemoveTopicRecord { topic_id: Uuid::from_u128(*number) }.into();
    assert_eq!(records, removed.iter().map(removes).collect::<Vec<Record>>());
    let answers: Vec<_> = answers
        .iter()
        .map(|a| (a.name.as_deref(), a.id, a.outcome.as_ref().err().map(ToString::to_string)))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, number, text)| (*name, id(*number), text.map(str::to_owned)))
        .collect();
    assert_eq!(answers, expected);
}

const SUPPLIED: &str = "The provided topic name maps to an ID that was already supplied.";

#[test]
fn topics_go_by_name_and_by_id() {
    check(&[by_name("b"), by_id(1)], &[1, 2], &[(Some("a"), 1, None), (Some("b"), 2, None)]);
}

#[test]
fn what_cannot_be_is_refused() {
    check(
        &[by_name("nope"), by_id(0), by_id(9), NamedTopic { name: Some("a".into()), id: id(9) }],
        &[],
        &[
            (None, 0, Some("Neither topic name nor id were specified.")),
            (Some("a"), 9, Some("You may not specify both topic name and topic id.")),
            (None, 9, Some("This server does not host this topic ID.")),
            (Some("nope"), 0, Some("This server does not host this topic-partition.")),
        ],
    );
}

#[test]
fn what_is_named_twice_stays() {
    check(
        &[by_name("a"), by_name("a"), by_id(2), by_id(2), by_name("c"), by_name("a")],
        &[3],
        &[
            (None, 2, Some("Duplicate topic id.")),
            (Some("a"), 0, Some("Duplicate topic name.")),
            (Some("c"), 3, None),
        ],
    );
    check(&[by_name("a"), by_id(1)], &[], &[(Some("a"), 1, Some(SUPPLIED))]);
    check(
        &[by_name("a"), by_id(1), by_id(1)],
        &[],
        &[(None, 1, Some("Duplicate topic id.")), (Some("a"), 1, Some(SUPPLIED))],
    );
}
