//! Overrides of topics: what is refused, in Kafka 4.3.1's words, and what is refused because its effect is not built yet.

use broker::config::settings::Settings;
use broker::config::topic::{TopicConfig, validate};
use broker::config::{Invocation, load};
use bytestring::ByteString;
use storage::batch::Compression;

fn settings(overrides: &[(&str, &str)]) -> Settings {
    let overrides =
        overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    load(&Invocation { file: None, overrides }).expect("taken").config.settings
}

/// Validates `key=value;key=value`, a key alone being a null value.
fn checked(text: &str) -> Result<TopicConfig, String> {
    let pairs: Vec<(ByteString, Option<ByteString>)> = text
        .split(';')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) => (key.into(), Some(value.into())),
            None => (pair.into(), None),
        })
        .collect();
    let settings = settings(&[]);
    let overrides = validate(&settings, pairs.iter().map(|(key, value)| (key, value.as_ref())));
    Ok(TopicConfig::resolve(&settings, &overrides.map_err(|error| error.to_string())?))
}

/// Each was sent to Kafka 4.3.1 in a CreateTopics; the text is its answer's.
#[test]
fn refusals_are_kafkas() {
    for (overrides, text) in [
        (
            "retention.ms=-2",
            "Invalid value -2 for configuration retention.ms: Value must be at least -1",
        ),
        (
            "retention.ms=x",
            "Invalid value x for configuration retention.ms: Not a number of type LONG",
        ),
        (
            "retention.ms=",
            "Invalid value  for configuration retention.ms: Not a number of type LONG",
        ),
        (
            "segment.bytes=1000",
            "Invalid value 1000 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (
            "segment.bytes=99999999999",
            "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
        ),
        (
            "internal.segment.bytes=x",
            "Invalid value x for configuration internal.segment.bytes: Not a number of type INT",
        ),
        (
            "cleanup.policy=foo",
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            "cleanup.policy=delete,,compact",
            "Configuration 'cleanup.policy' values must not be empty.",
        ),
        (
            "compression.type=lzo",
            "Invalid value lzo for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        (
            "compression.gzip.level=10",
            "Invalid value 10 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        ),
        (
            "compression.lz4.level=18",
            "Invalid value 18 for configuration compression.lz4.level: Value must be no more than 17",
        ),
        (
            "min.cleanable.dirty.ratio=1.5",
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            "min.cleanable.dirty.ratio=-1",
            "Invalid value -1.0 for configuration min.cleanable.dirty.ratio: Value must be at least 0",
        ),
        (
            "min.insync.replicas=0",
            "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1",
        ),
        (
            "preallocate=yes",
            "Invalid value yes for configuration preallocate: Expected value to be either true or false",
        ),
        (
            "message.timestamp.type=createtime",
            "Invalid value createtime for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime",
        ),
        (
            "flush.messages=0",
            "Invalid value 0 for configuration flush.messages: Value must be at least 1",
        ),
        ("nope=1", "Unknown topic config name: nope"),
        (
            "leader.replication.throttled.replicas=1",
            "Invalid value [1] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas must be \
             the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        ),
        (
            "remote.storage.enable=true",
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ),
        (
            "min.compaction.lag.ms=10;max.compaction.lag.ms=5",
            "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
        ),
        (
            "segment.index.bytes=3",
            "Invalid value 3 for configuration segment.index.bytes: Value must be at least 4",
        ),
        (
            "delete.retention.ms=1.5",
            "Invalid value 1.5 for configuration delete.retention.ms: Not a number of type LONG",
        ),
        ("retention.ms", "Null value not supported for topic configs: retention.ms"),
    ] {
        assert_eq!(checked(overrides).expect_err("refused"), text);
    }
}

#[test]
fn what_is_not_built_is_refused_and_says_so() {
    for overrides in ["local.retention.ms=7", "remote.log.copy.disable=true"] {
        let text = checked(overrides).expect_err("refused");
        assert!(text.contains("this broker does not support it yet"), "{text}");
    }
}

#[test]
fn what_is_in_force_is_taken() {
    let config = checked("retention.ms=-1;retention.bytes=10;max.message.bytes=5;message.timestamp.type=LogAppendTime")
        .expect("taken");
    assert_eq!((config.retention_ms, config.retention_bytes), (-1, 10));
    assert_eq!((config.message_bytes_max, config.log_append_time), (5, true));
    let config = checked(
        "cleanup.policy=compact,delete;delete.retention.ms=5;min.cleanable.dirty.ratio=0.1;max.compaction.lag.ms=7;min.compaction.lag.ms=6",
    )
    .expect("taken");
    assert!(config.cleanup_compact && config.cleanup_delete);
    assert_eq!((config.min_compaction_lag_ms, config.max_compaction_lag_ms), (6, 7));
    assert_eq!((config.delete_retention_ms, config.min_cleanable_dirty_ratio), (5, 0.1));
    let config = checked("cleanup.policy=compact").expect("taken");
    assert!(config.cleanup_compact && !config.cleanup_delete);
    assert_eq!(checked("internal.segment.bytes=1000").expect("taken").segment_bytes, 1000);
    assert!(checked("preallocate= TRUE ").expect("taken").preallocate);
    for (overrides, compression) in [
        ("compression.zstd.level=5", None),
        ("compression.type=uncompressed", Some(Compression::None)),
        ("compression.type=gzip", Some(Compression::Gzip { level: -1 })),
        ("compression.type=snappy", Some(Compression::Snappy)),
        ("compression.type=lz4;compression.lz4.level=12", Some(Compression::Lz4 { level: 12 })),
        ("compression.type=zstd;compression.zstd.level=-7", Some(Compression::Zstd { level: -7 })),
    ] {
        assert_eq!(checked(overrides).expect("taken").compression, compression, "{overrides}");
    }
    // Keys without effect yet take their defaults, and a policy of nothing keeps everything.
    for (overrides, deletes) in [
        ("", true),
        ("cleanup.policy=delete", true),
        ("cleanup.policy=delete,delete", true),
        ("cleanup.policy=", false),
        ("remote.storage.enable=false", true),
        // A node that is alone has nothing to replicate, and nobody else who could lead.
        ("unclean.leader.election.enable=true;leader.replication.throttled.replicas=0:1", true),
        ("follower.replication.throttled.replicas=*", true),
    ] {
        assert_eq!(checked(overrides).expect("taken").cleanup_delete, deletes, "{overrides}");
    }
}

#[test]
fn overrides_win_over_the_brokers_keys() {
    let settings = settings(&[("log.retention.minutes", "5"), ("message.max.bytes", "77")]);
    let broker = TopicConfig::of_broker(&settings);
    assert_eq!((broker.retention_ms, broker.message_bytes_max), (300_000, 77));
    let own =
        [("retention.ms".into(), "9".into()), ("max.message.bytes".into(), "not a number".into())]
            .into();
    let topic = TopicConfig::resolve(&settings, &own);
    assert_eq!((topic.retention_ms, topic.message_bytes_max), (9, 77));
}
