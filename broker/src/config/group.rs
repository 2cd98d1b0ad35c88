//! A group's configuration: its own values over the broker's keys over the defaults (KIP-848, KIP-932, KIP-1071).
//!
//! What a group may ask for lies between limits that the broker sets (`group.consumer.min.session.timeout.ms`, ..).

use bytestring::ByteString;

use super::key::{InvalidValue, Key, Value};
use super::settings::Settings;
use super::table::{BROKER_KEYS, GROUP_KEYS, group_keys};
use super::topic::Overrides;

/// The broker's key behind a group's; none for what only groups have.
pub fn synonym(group_key: &str) -> Option<&'static str> {
    if group_key.ends_with(".auto.offset.reset")
        || group_key.ends_with(".isolation.level")
        || group_key.ends_with(".renew.acknowledge.enable")
    {
        return None;
    }
    BROKER_KEYS.get(format!("group.{group_key}").as_str()).map(|key| key.name)
}

/// The value of a group key: the group's own, the broker's, or the default.
pub fn value_in_force(key: &Key, settings: &Settings, overrides: &Overrides) -> Option<Value> {
    let own = overrides.get(key.name).and_then(|text| key.parse(text).ok());
    let behind = || settings.value(BROKER_KEYS.get(synonym(key.name)?)?);
    own.or_else(behind).or_else(|| key.default_value())
}

/// Checks a group's values, and what would be in force with them.
pub fn validate(settings: &Settings, overrides: &Overrides) -> Result<(), InvalidValue> {
    if let Some(unknown) = overrides.keys().find(|name| !GROUP_KEYS.contains_key(&***name)) {
        return Err(InvalidValue(format!("Unknown group config name: {unknown}")));
    }
    for key in group_keys() {
        if let Some(text) = overrides.get(key.name) {
            key.parse(text)?;
        }
    }
    let together = Together { settings, overrides };
    together.limits()?;
    for protocol in ["consumer", "share", "streams"] {
        let session = format!("{protocol}.session.timeout.ms");
        let heartbeat = format!("{protocol}.heartbeat.interval.ms");
        if together.number(&session) <= together.number(&heartbeat) {
            return Err(InvalidValue(format!("{session} must be greater than {heartbeat}")));
        }
    }
    Ok(())
}

/// Keys that the broker bounds, in the order in which Kafka looks at them.
const BOUNDED: [&str; 13] = [
    "consumer.heartbeat.interval.ms",
    "consumer.session.timeout.ms",
    "consumer.assignment.interval.ms",
    "share.heartbeat.interval.ms",
    "share.session.timeout.ms",
    "share.record.lock.duration.ms",
    "share.delivery.count.limit",
    "share.partition.max.record.locks",
    "share.assignment.interval.ms",
    "streams.heartbeat.interval.ms",
    "streams.session.timeout.ms",
    "streams.num.standby.replicas",
    "streams.assignment.interval.ms",
];

struct Together<'a> {
    settings: &'a Settings,
    overrides: &'a Overrides,
}

impl Together<'_> {
    fn number(&self, name: &str) -> Option<i64> {
        match value_in_force(GROUP_KEYS.get(name)?, self.settings, self.overrides)? {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }

    fn limits(&self) -> Result<(), InvalidValue> {
        for name in BOUNDED {
            // An interval between assignments is only looked at where the group has its own.
            if name.ends_with("assignment.interval.ms") && !self.overrides.contains_key(name) {
                continue;
            }
            let Some(value) = self.number(name) else { continue };
            let (min, max) = bounds(name);
            if let Some(limit) = BROKER_KEYS.get(min.as_str())
                && self.settings.int(limit.name).is_some_and(|least| value < least)
            {
                let text = format!("{name} must be greater than or equal to {min}");
                return Err(InvalidValue(text));
            }
            if let Some(limit) = BROKER_KEYS.get(max.as_str())
                && self.settings.int(limit.name).is_some_and(|most| value > most)
            {
                return Err(InvalidValue(format!("{name} must be less than or equal to {max}")));
            }
        }
        Ok(())
    }
}

/// The broker's keys with the least and the greatest value of a group's key.
pub(super) fn bounds(name: &str) -> (String, String) {
    let (protocol, rest) = name.split_once('.').unwrap_or((name, ""));
    if rest == "num.standby.replicas" {
        return (String::new(), format!("group.{protocol}.max.standby.replicas"));
    }
    (format!("group.{protocol}.min.{rest}"), format!("group.{protocol}.max.{rest}"))
}

/// A group's own values from pairs.
pub fn overrides<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Overrides {
    pairs.into_iter().map(|(k, v)| (ByteString::from(k), ByteString::from(v))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)]) -> Result<(), String> {
        let overrides = overrides(pairs.iter().copied());
        validate(&Settings::default(), &overrides).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_group_asks_for_lies_within_the_brokers_limits() {
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[("consumer.session.timeout.ms", "50000")]), Ok(()));
        for (name, value, text) in [
            (
                "consumer.session.timeout.ms",
                "1000",
                "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
            ),
            (
                "share.record.lock.duration.ms",
                "3600001",
                "share.record.lock.duration.ms must be less than or equal to group.share.max.record.lock.duration.ms",
            ),
            (
                "streams.num.standby.replicas",
                "3",
                "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas",
            ),
            (
                "consumer.assignment.interval.ms",
                "15001",
                "consumer.assignment.interval.ms must be less than or equal to group.consumer.max.assignment.interval.ms",
            ),
            ("no.such", "1", "Unknown group config name: no.such"),
            (
                "share.isolation.level",
                "none",
                "Invalid value none for configuration share.isolation.level: String must be one of: read_committed, read_uncommitted",
            ),
        ] {
            assert_eq!(check(&[(name, value)]), Err(text.to_owned()));
        }
    }

    #[test]
    fn every_group_key_has_its_brokers_default() {
        for key in group_keys() {
            let Some(behind) = synonym(key.name) else { continue };
            assert_eq!(BROKER_KEYS[behind].default, key.default, "{}", key.name);
        }
        let alone: Vec<_> =
            group_keys().filter(|key| synonym(key.name).is_none()).map(|key| key.name).collect();
        assert_eq!(
            alone,
            ["share.auto.offset.reset", "share.isolation.level", "share.renew.acknowledge.enable"]
        );
    }
}
