//! What a broker and its topics are configured with, key by key, against what Kafka 4.3.1 answered to DescribeConfigs and CreateTopics.
//!
//! `config/described.tsv` is what `config/Describe.java` printed (with `localhost:9092 retention.ms=1000 cleanup.policy=delete
//! min.insync.replicas=1 segment.bytes=2000000 message.timestamp.type=CreateTime`) about a Kafka that ran with
//! `config/described.properties`. Masked: the documentation's words (that there is one is compared), and our own keys.

use std::collections::BTreeMap;
use std::path::PathBuf;

use broker::config::describe::{self, Described};
use broker::config::key::Kind;
use broker::config::settings::{Layer, Settings};
use broker::config::topic::Overrides;
use broker::config::{Invocation, load};

const KAFKA: &str = include_str!("config/described.tsv");

/// Kafka's first start sets this for all brokers in the metadata log.
fn settings() -> Settings {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/config/described.properties");
    let config = load(&Invocation { file: Some(file), overrides: vec![] }).expect("taken").config;
    config
        .settings
        .with_dynamic(Layer::new(), [("min.insync.replicas".to_owned(), "1".to_owned())].into())
}

fn overrides() -> Overrides {
    let set = [
        ("retention.ms", "1000"),
        ("cleanup.policy", "delete"),
        ("min.insync.replicas", "1"),
        ("segment.bytes", "2000000"),
        ("message.timestamp.type", "CreateTime"),
    ];
    set.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// One key as `Describe.java` prints it, after the resource.
fn line(entry: &Described, created: bool) -> String {
    let null = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let synonym =
        |s: &describe::Synonym| format!("{}={}@{}", s.name, null(&s.value), s.source as i8);
    let synonyms: Vec<String> = entry.synonyms.iter().map(synonym).collect();
    let kind = match entry.kind {
        _ if created => "null",
        None => "UNKNOWN",
        Some(Kind::Boolean) => "BOOLEAN",
        Some(Kind::String) => "STRING",
        Some(Kind::Int) => "INT",
        Some(Kind::Short) => "SHORT",
        Some(Kind::Long) => "LONG",
        Some(Kind::Double) => "DOUBLE",
        Some(Kind::List) => "LIST",
        Some(Kind::Class) => "CLASS",
        Some(Kind::Password) => "PASSWORD",
    };
    let parts = [
        null(&entry.value),
        (entry.source as i8).to_string(),
        if entry.read_only { "read-only" } else { "dynamic" }.to_owned(),
        if entry.sensitive { "sensitive" } else { "open" }.to_owned(),
        kind.to_owned(),
        if entry.doc.is_some() && !created { "documented" } else { "undocumented" }.to_owned(),
        synonyms.join(" "),
    ];
    parts.join("\t")
}

/// All keys of a resource must be Kafka's, no more and no less.
#[track_caller]
fn check(resource: &str, name: &str, ours: Vec<Described>) {
    let prefix = format!("{resource}\t{name}\t");
    let kafka = KAFKA.lines().filter_map(|line| line.strip_prefix(&prefix)?.split_once('\t'));
    let kafka: BTreeMap<&str, &str> = kafka.collect();
    assert!(!kafka.is_empty());
    let created = resource == "created";
    let mut ours: BTreeMap<String, String> =
        ours.iter().map(|entry| (entry.name.clone(), line(entry, created))).collect();
    ours.retain(|name, _| !name.starts_with("odradek."));
    let mut differences = Vec::new();
    for (name, theirs) in &kafka {
        match ours.remove(*name) {
            Some(line) if line == *theirs => {}
            other => differences.push(format!("{name}\n  kafka {theirs}\n  ours  {other:?}")),
        }
    }
    differences.extend(ours.into_iter().map(|(name, line)| format!("{name}\n  only ours {line}")));
    assert!(differences.is_empty(), "{resource} {name}:\n{}", differences.join("\n"));
}

#[test]
fn a_topic_with_overrides() {
    check("topic", "t", describe::topic(&settings(), &overrides()));
}

#[test]
fn a_topic_without_overrides() {
    check("topic", "plain", describe::topic(&settings(), &Overrides::new()));
}

#[test]
fn a_topic_just_created() {
    check("created", "t", describe::created_topic(&settings(), &overrides()));
}

#[test]
fn a_broker() {
    check("broker", "1", describe::broker(&settings()));
}

#[test]
fn all_brokers() {
    check("broker", "", describe::brokers_default(&settings()));
}
