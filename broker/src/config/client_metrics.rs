//! A client metrics subscription (KIP-714): which metrics, how often, of which clients.

use regex::Regex;

use super::key::{InvalidValue, Value};
use super::table::{CLIENT_METRICS_KEYS, client_metrics_keys};
use super::topic::Overrides;

/// Milliseconds between two pushes.
const INTERVAL_MS: std::ops::RangeInclusive<i64> = 100..=3_600_000;
/// The longest program of a regular expression, in bytes: an administrator's, but memory has bounds.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// By what a client can be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trait {
    InstanceId,
    ClientId,
    SoftwareName,
    SoftwareVersion,
    SourceAddress,
    SourcePort,
}

impl Trait {
    fn parse(name: &str) -> Option<Trait> {
        Some(match name {
            "client_instance_id" => Trait::InstanceId,
            "client_id" => Trait::ClientId,
            "client_software_name" => Trait::SoftwareName,
            "client_software_version" => Trait::SoftwareVersion,
            "client_source_address" => Trait::SourceAddress,
            "client_source_port" => Trait::SourcePort,
            _ => return None,
        })
    }
}

/// A subscription as it is in force.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub interval_ms: i32,
    /// Prefixes of names; `*` is all.
    pub metrics: Vec<String>,
    /// All of them must match, the whole value.
    pub matches: Vec<(Trait, Regex)>,
}

/// Why a subscription was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSubscription {
    #[error("{0}")]
    Request(String),
    #[error("{0}")]
    Config(String),
}

impl From<InvalidValue> for InvalidSubscription {
    fn from(invalid: InvalidValue) -> InvalidSubscription {
        InvalidSubscription::Config(invalid.0)
    }
}

/// Checks what is set for a subscription.
pub fn validate(overrides: &Overrides) -> Result<(), InvalidSubscription> {
    if let Some(unknown) = overrides.keys().find(|name| !CLIENT_METRICS_KEYS.contains_key(&***name))
    {
        let text = format!("Unknown client metrics configuration: {unknown}");
        return Err(InvalidSubscription::Request(text));
    }
    for key in client_metrics_keys() {
        let Some(text) = overrides.get(key.name) else { continue };
        match (key.name, key.parse(text)?) {
            ("interval.ms", Value::Int(ms)) if !INTERVAL_MS.contains(&ms) => {
                let text = format!(
                    "Invalid value {ms} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
                );
                return Err(InvalidSubscription::Request(text));
            }
            ("match", Value::List(patterns)) => drop(parse_patterns(&patterns)?),
            _ => {}
        }
    }
    Ok(())
}

/// What is in force; values that do not parse (another program wrote them) are as if they were not there.
pub fn resolve(overrides: &Overrides) -> Subscription {
    let value = |name: &str| {
        let key = CLIENT_METRICS_KEYS.get(name)?;
        let own = overrides.get(name).and_then(|text| key.parse(text).ok());
        own.or_else(|| key.default_value())
    };
    let list = |name: &str| match value(name) {
        Some(Value::List(list)) => list,
        _ => Vec::new(),
    };
    Subscription {
        interval_ms: match value("interval.ms") {
            Some(Value::Int(ms)) => i32::try_from(ms).unwrap_or(i32::MAX),
            _ => 300_000,
        },
        metrics: list("metrics"),
        matches: parse_patterns(&list("match")).unwrap_or_default(),
    }
}

fn parse_patterns(patterns: &[String]) -> Result<Vec<(Trait, Regex)>, InvalidSubscription> {
    let parsed = patterns.iter().map(|pattern| {
        let illegal =
            || InvalidSubscription::Config(format!("Illegal client matching pattern: {pattern}"));
        let mut parts = pattern.trim_end_matches('=').split('=');
        let (Some(name), Some(value), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(illegal());
        };
        let name = Trait::parse(name.trim()).ok_or_else(illegal)?;
        // Kafka matches whole values.
        let whole = format!("^(?:{})$", value.trim());
        let regex = regex::RegexBuilder::new(&whole).size_limit(PATTERN_BYTES_MAX).build();
        Ok((name, regex.map_err(|_| illegal())?))
    });
    // Of patterns for the same trait the last counts.
    let mut last: Vec<(Trait, Regex)> = Vec::new();
    for parsed in parsed {
        let (name, regex) = parsed?;
        last.retain(|(known, _)| *known != name);
        last.push((name, regex));
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::group::overrides;

    fn check(name: &str, value: &str) -> Result<(), String> {
        validate(&overrides([(name, value)])).map_err(|error| error.to_string())
    }

    #[test]
    fn subscriptions_are_checked_as_kafka_does() {
        assert_eq!(check("interval.ms", "100"), Ok(()));
        assert_eq!(
            check("match", "client_software_name=Java,client_software_version=11.1.*"),
            Ok(())
        );
        assert!(check("interval.ms", "99").unwrap_err().contains("between 100 and 3600000"));
        for bad in ["name=Java", "client_id", "client_id=a=b", "client_id=("] {
            assert!(
                check("match", bad).unwrap_err().starts_with("Illegal client matching"),
                "{bad}"
            );
        }
        assert!(check("no", "1").unwrap_err().starts_with("Unknown client metrics configuration"));
    }

    #[test]
    fn patterns_match_whole_values() {
        let set = overrides([("match", "client_software_version=11.1.*,client_id=a")]);
        let subscription = resolve(&set);
        let matches = |name: Trait, value: &str| {
            subscription
                .matches
                .iter()
                .any(|(known, regex)| *known == name && regex.is_match(value))
        };
        assert!(matches(Trait::SoftwareVersion, "11.1.3"));
        assert!(!matches(Trait::SoftwareVersion, "x11.1.3"));
        assert!(!matches(Trait::ClientId, "aa"));
        assert_eq!((subscription.interval_ms, subscription.metrics.len()), (300_000, 0));
    }
}
