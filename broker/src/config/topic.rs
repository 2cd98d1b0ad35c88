//! A topic's configuration: its own overrides over the broker's keys over the defaults.
//!
//! Several broker keys stand behind some topic keys (`log.retention.ms`, then `.minutes`, then `.hours`); the first that is set counts.
//! Overrides are checked when a topic is created or altered, with Kafka's own texts; a key whose effect is not built yet takes only its
//! default, and says so.

use std::collections::BTreeMap;

use bytestring::ByteString;
use storage::batch::Compression;

use super::key::{Effect, InvalidValue, Key, Value};
use super::settings::Settings;
use super::table::{TOPIC_KEYS, topic_keys};

/// What is in force for a topic. Times in milliseconds, sizes in bytes; -1 is no limit where Kafka says so.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    pub segment_bytes: i32,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub segment_index_bytes: i32,
    pub index_interval_bytes: i32,
    /// -1 is no limit.
    pub retention_ms: i64,
    /// -1 is no limit.
    pub retention_bytes: i64,
    pub file_delete_delay_ms: i64,
    /// Records after which a partition is synced; `i64::MAX` leaves it to the broker.
    pub flush_messages: i64,
    /// Time after which a partition is synced; `i64::MAX` leaves it to the broker.
    pub flush_ms: i64,
    pub preallocate: bool,
    pub message_bytes_max: i32,
    /// Whether the broker's clock stamps the records.
    pub log_append_time: bool,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_after_max_ms: i64,
    pub min_insync_replicas: i32,
    /// What batches are kept compressed with; none where the producer's choice stays.
    pub compression: Option<Compression>,
    /// Whether old segments are deleted (an empty `cleanup.policy` keeps everything).
    pub cleanup_delete: bool,
    /// Whether the latest record of each key is kept.
    pub cleanup_compact: bool,
    pub delete_retention_ms: i64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub min_cleanable_dirty_ratio: f64,
}

/// A topic's overrides, key to text, as the metadata image holds them.
pub type Overrides = BTreeMap<ByteString, ByteString>;

impl TopicConfig {
    /// What a topic without overrides gets.
    pub fn of_broker(settings: &Settings) -> TopicConfig {
        TopicConfig::resolve(settings, &Overrides::new())
    }

    /// Overrides over the broker's settings. An override that does not parse (another program wrote it) is as if it were not there.
    pub fn resolve(settings: &Settings, overrides: &Overrides) -> TopicConfig {
        let in_force = InForce { settings, overrides };
        TopicConfig {
            segment_bytes: match in_force.value("internal.segment.bytes") {
                Some(Value::Int(bytes)) => small(bytes),
                _ => small(in_force.int("segment.bytes")),
            },
            segment_ms: in_force.int("segment.ms"),
            segment_jitter_ms: in_force.int("segment.jitter.ms"),
            segment_index_bytes: small(in_force.int("segment.index.bytes")),
            index_interval_bytes: small(in_force.int("index.interval.bytes")),
            retention_ms: in_force.int("retention.ms"),
            retention_bytes: in_force.int("retention.bytes"),
            file_delete_delay_ms: in_force.int("file.delete.delay.ms"),
            flush_messages: in_force.int("flush.messages"),
            flush_ms: in_force.int("flush.ms"),
            preallocate: in_force.value("preallocate") == Some(Value::Boolean(true)),
            message_bytes_max: small(in_force.int("max.message.bytes")),
            log_append_time: in_force.value("message.timestamp.type")
                == Some(Value::Text("LogAppendTime".into())),
            message_timestamp_before_max_ms: in_force.int("message.timestamp.before.max.ms"),
            message_timestamp_after_max_ms: in_force.int("message.timestamp.after.max.ms"),
            min_insync_replicas: small(in_force.int("min.insync.replicas")),
            compression: in_force.compression(),
            cleanup_delete: in_force.cleans_by("delete"),
            cleanup_compact: in_force.cleans_by("compact"),
            delete_retention_ms: in_force.int("delete.retention.ms"),
            min_compaction_lag_ms: in_force.int("min.compaction.lag.ms"),
            max_compaction_lag_ms: in_force.int("max.compaction.lag.ms"),
            min_cleanable_dirty_ratio: match in_force.value("min.cleanable.dirty.ratio") {
                Some(Value::Real(ratio)) => ratio,
                _ => 0.5,
            },
        }
    }
}

/// The int keys are bounded by their type.
fn small(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX })
}

struct InForce<'a> {
    settings: &'a Settings,
    overrides: &'a Overrides,
}

impl InForce<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        value_in_force(TOPIC_KEYS.get(name)?, self.settings, self.overrides)
    }

    fn compression(&self) -> Option<Compression> {
        let Some(Value::Text(kind)) = self.value("compression.type") else { return None };
        let level = |key| small(self.int(key));
        match &*kind {
            "uncompressed" => Some(Compression::None),
            "gzip" => Some(Compression::Gzip { level: level("compression.gzip.level") }),
            "snappy" => Some(Compression::Snappy),
            "lz4" => Some(Compression::Lz4 { level: level("compression.lz4.level") }),
            "zstd" => Some(Compression::Zstd { level: level("compression.zstd.level") }),
            _ => None,
        }
    }

    /// Whether `cleanup.policy` names this.
    fn cleans_by(&self, policy: &str) -> bool {
        matches!(self.value("cleanup.policy"), Some(Value::List(list)) if list.iter().any(|entry| entry == policy))
    }

    fn int(&self, name: &str) -> i64 {
        match self.value(name) {
            Some(Value::Int(value)) => value,
            other => {
                debug_assert!(false, "{name} has no number: {other:?}");
                0
            }
        }
    }
}

/// The value of a topic key: the override, the broker's, or the default.
pub fn value_in_force(key: &Key, settings: &Settings, overrides: &Overrides) -> Option<Value> {
    let own = overrides.get(key.name).and_then(|text| key.parse(text).ok());
    own.or_else(|| broker_value(key.name, settings)).or_else(|| key.default_value())
}

/// The broker keys behind a topic key, the strongest first, and by what their value is multiplied.
pub fn synonyms(topic_key: &str) -> &'static [(&'static str, i64)] {
    const MINUTE: i64 = 60 * 1000;
    const HOUR: i64 = 60 * MINUTE;
    match topic_key {
        "cleanup.policy" => &[("log.cleanup.policy", 1)],
        "compression.gzip.level" => &[("compression.gzip.level", 1)],
        "compression.lz4.level" => &[("compression.lz4.level", 1)],
        "compression.type" => &[("compression.type", 1)],
        "compression.zstd.level" => &[("compression.zstd.level", 1)],
        "delete.retention.ms" => &[("log.cleaner.delete.retention.ms", 1)],
        "file.delete.delay.ms" => &[("log.segment.delete.delay.ms", 1)],
        "flush.messages" => &[("log.flush.interval.messages", 1)],
        "flush.ms" => &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)],
        "index.interval.bytes" => &[("log.index.interval.bytes", 1)],
        "local.retention.bytes" => &[("log.local.retention.bytes", 1)],
        "local.retention.ms" => &[("log.local.retention.ms", 1)],
        "max.compaction.lag.ms" => &[("log.cleaner.max.compaction.lag.ms", 1)],
        "max.message.bytes" => &[("message.max.bytes", 1)],
        "message.timestamp.after.max.ms" => &[("log.message.timestamp.after.max.ms", 1)],
        "message.timestamp.before.max.ms" => &[("log.message.timestamp.before.max.ms", 1)],
        "message.timestamp.type" => &[("log.message.timestamp.type", 1)],
        "min.cleanable.dirty.ratio" => &[("log.cleaner.min.cleanable.ratio", 1)],
        "min.compaction.lag.ms" => &[("log.cleaner.min.compaction.lag.ms", 1)],
        "min.insync.replicas" => &[("min.insync.replicas", 1)],
        "preallocate" => &[("log.preallocate", 1)],
        "retention.bytes" => &[("log.retention.bytes", 1)],
        "retention.ms" => &[
            ("log.retention.ms", 1),
            ("log.retention.minutes", MINUTE),
            ("log.retention.hours", HOUR),
        ],
        "segment.bytes" => &[("log.segment.bytes", 1)],
        "segment.index.bytes" => &[("log.index.size.max.bytes", 1)],
        "segment.jitter.ms" => &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR)],
        "segment.ms" => &[("log.roll.ms", 1), ("log.roll.hours", HOUR)],
        "unclean.leader.election.enable" => &[("unclean.leader.election.enable", 1)],
        _ => &[],
    }
}

fn broker_value(topic_key: &str, settings: &Settings) -> Option<Value> {
    let (name, factor) =
        synonyms(topic_key).iter().find(|(name, _)| settings.text(name).is_some())?;
    let key = super::table::BROKER_KEYS.get(name)?;
    match settings.value(key)? {
        // Any negative retention time is "no limit".
        Value::Int(v) if topic_key == "retention.ms" && v < 0 => Some(Value::Int(-1)),
        Value::Int(v) => Some(Value::Int(v.saturating_mul(*factor))),
        other => Some(other),
    }
}

/// Why a topic's overrides were refused: INVALID_CONFIG with this text.
pub type InvalidTopicConfig = InvalidValue;

/// Checks the overrides of a topic that is to be created or altered, and what would be in force with them.
pub fn validate<'a>(
    settings: &Settings,
    overrides: impl IntoIterator<Item = (&'a ByteString, Option<&'a ByteString>)>,
) -> Result<Overrides, InvalidTopicConfig> {
    let mut legal = Overrides::new();
    let mut nulls = Vec::new();
    for (name, text) in overrides {
        match text {
            Some(text) => drop(legal.insert(name.clone(), text.clone())),
            None => nulls.push(&**name),
        }
    }
    if !nulls.is_empty() {
        return Err(InvalidValue(format!(
            "Null value not supported for topic configs: {}",
            nulls.join(",")
        )));
    }
    if let Some(unknown) = legal.keys().find(|name| !TOPIC_KEYS.contains_key(&***name)) {
        return Err(InvalidValue(format!("Unknown topic config name: {unknown}")));
    }
    for key in topic_keys() {
        if let Some(text) = legal.get(key.name) {
            key.parse(text)?;
        }
    }
    together(settings, &legal)?;
    for key in topic_keys().filter(|key| key.effect == Effect::NotBuilt) {
        built(key, settings, &legal)?;
    }
    Ok(legal)
}

/// What Kafka asks of values together.
fn together(settings: &Settings, overrides: &Overrides) -> Result<(), InvalidTopicConfig> {
    let value =
        |name: &str| TOPIC_KEYS.get(name).and_then(|key| value_in_force(key, settings, overrides));
    if let (Some(Value::Int(min)), Some(Value::Int(max))) =
        (value("min.compaction.lag.ms"), value("max.compaction.lag.ms"))
        && min > max
    {
        return Err(InvalidValue(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        )));
    }
    if value("remote.storage.enable") == Some(Value::Boolean(true)) {
        return Err(InvalidValue(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."
                .into(),
        ));
    }
    Ok(())
}

/// A key without effect yet takes what it would be without the override, or Kafka's default; never more.
fn built(key: &Key, settings: &Settings, overrides: &Overrides) -> Result<(), InvalidTopicConfig> {
    let Some(text) = overrides.get(key.name) else { return Ok(()) };
    let asked = key.parse(text)?;
    let harmless = [value_in_force(key, settings, &Overrides::new()), key.default_value()];
    if harmless.contains(&Some(asked.clone())) {
        return Ok(());
    }
    let default = key.default.unwrap_or("none");
    let why = format!("this broker does not support it yet; only {default:?} is accepted");
    Err(InvalidValue::new(key.name, asked, &why))
}
