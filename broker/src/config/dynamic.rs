//! What of the broker's configuration may change while it runs, and what a change must be (KIP-226).
//!
//! Changes stand in the metadata log, for one broker by its id or for all of them; a broker's own win. `Config::under` puts them in force.
//! What is checked, in which order and with which words is Kafka's; the last two checks are ours: what would have no effect here is
//! refused where ignoring it would be wrong, and warned of elsewhere.

use super::broker::Config;
use super::connections;
use super::key::{Effect, InvalidValue, Key, Update, Value};
use super::settings::{Layer, Settings};
use super::table::{BROKER_KEYS, of_one_listener};
use super::topic::Overrides;

/// Security keys that a running broker takes for one listener only.
const OF_A_LISTENER: [&str; 10] = [
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];
/// Kafka changes pools of threads by a factor of two at most.
const THREADS: [&str; 5] = [
    "background.threads",
    "log.cleaner.threads",
    "num.io.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
];
/// In force, but only from a start on.
const AT_THE_START: [&str; 2] = ["listener.security.protocol.map", "listeners"];
/// Keys of one listener that may be set for all brokers.
const OF_ALL_LISTENERS: [&str; 3] =
    ["max.connection.creation.rate", "max.connections", "num.network.threads"];

/// Of what the metadata log sets for a broker, what is in force: the rest is as if it were not there.
pub fn legal(overrides: &Overrides, for_one: bool) -> Layer {
    let legal = |name: &str, text: &str| {
        let typed = key_of(name).is_none_or(|key| key.parse(text).is_ok());
        typed && !is_fixed(name) && !OF_A_LISTENER.contains(&name) && (for_one || !is_of_one(name))
    };
    let pairs = overrides.iter().filter(|(name, text)| legal(name, text));
    pairs.map(|(name, text)| (name.to_string(), text.to_string())).collect()
}

/// Checks all that is to be set for one broker (`for_one`) or for all; the broker that is asked is `config`'s, as it is in force.
pub fn validate(config: &Config, set: &Layer, for_one: bool) -> Result<(), InvalidValue> {
    let refuse = |why: &str, names: Vec<&str>| match names.is_empty() {
        true => Ok(()),
        false => Err(InvalidValue(format!("{why}: [{}]", names.join(", ")))),
    };
    let names = || set.keys().map(String::as_str);
    refuse("Cannot update these configs dynamically", names().filter(|n| is_fixed(n)).collect())?;
    refuse(
        "These security configs can be dynamically updated only per-listener using the listener prefix",
        names().filter(|name| OF_A_LISTENER.contains(name)).collect(),
    )?;
    for (name, text) in set {
        if let Some(key) = key_of(name) {
            key.parse(text)?;
        }
    }
    if !for_one {
        refuse(
            "Cannot update these configs at default cluster level, broker id must be specified",
            names().filter(|name| is_of_one(name)).collect(),
        )?;
    }
    threads(&config.settings, set)?;
    set.iter().try_for_each(|(name, text)| effect(&config.settings, name, text))
}

fn key_of(name: &str) -> Option<&'static Key> {
    BROKER_KEYS.get(name).copied().or_else(|| of_one_listener(name))
}

fn is_fixed(name: &str) -> bool {
    BROKER_KEYS.get(name).is_some_and(|key| key.update == Update::ReadOnly)
}

fn is_of_one(name: &str) -> bool {
    if let Some(key) = BROKER_KEYS.get(name) {
        return key.update == Update::PerBroker;
    }
    let base = name.strip_prefix("listener.name.").and_then(|rest| Some(rest.split_once('.')?.1));
    base.is_some_and(|base| !OF_ALL_LISTENERS.contains(&base))
}

fn threads(settings: &Settings, set: &Layer) -> Result<(), InvalidValue> {
    for name in THREADS {
        let (Some(text), Some(now)) = (set.get(name), settings.int(name)) else { continue };
        let Some(Value::Int(wanted)) = BROKER_KEYS.get(name).and_then(|key| key.parse(text).ok())
        else {
            continue;
        };
        let why = if name == "log.cleaner.threads" {
            match wanted {
                _ if wanted < now / 2 => {
                    format!(
                        "Log cleaner threads cannot be reduced to less than half the current value {now}"
                    )
                }
                _ if wanted > now.saturating_mul(2) => {
                    format!(
                        "Log cleaner threads cannot be increased to more than double the current value {now}"
                    )
                }
                _ => continue,
            }
        } else {
            let failed =
                format!("Dynamic thread count update validation failed for {name}={wanted}");
            match wanted {
                _ if wanted < now / 2 => {
                    format!("{failed}, value should be at least half the current value {now}")
                }
                _ if wanted > now.saturating_mul(2) => {
                    format!(
                        "{failed}, value should not be greater than double the current value {now}"
                    )
                }
                _ => continue,
            }
        };
        // Kafka wraps what it says into the words of another fault.
        let wrapped = format!("org.apache.kafka.common.config.ConfigException: {why}");
        let text =
            format!("Invalid value {wrapped} for configuration Invalid dynamic configuration");
        return Err(InvalidValue(text));
    }
    Ok(())
}

/// What has no effect here, or none before the next start.
fn effect(settings: &Settings, name: &str, text: &str) -> Result<(), InvalidValue> {
    let Some(key) = BROKER_KEYS.get(name) else { return Ok(()) };
    let (now, asked) = (settings.value(key), key.parse(text)?);
    if now.as_ref() == Some(&asked) || key.default_value().as_ref() == Some(&asked) {
        return Ok(());
    }
    if AT_THE_START.contains(&name) {
        let why = "it cannot be changed while this broker runs: change its file and restart it";
        return Err(InvalidValue::new(name, asked, why));
    }
    if name == connections::OVERRIDES {
        connections::check_of_addresses(text)
            .map_err(|why| InvalidValue::new(name, &asked, &why))?;
    }
    match key.effect {
        Effect::Used => Ok(()),
        Effect::Unneeded | Effect::Later => {
            tracing::warn!(key = name, value = text, "a broker's config is set that has no effect");
            Ok(())
        }
        Effect::NotBuilt => {
            let default = key.default.unwrap_or("none");
            let why = format!("this broker does not support it yet; only {default:?} is accepted");
            Err(InvalidValue::new(name, asked, &why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Invocation, load};

    fn check(for_one: bool, name: &str, text: &str) -> Result<(), String> {
        let config = load(&Invocation::default()).expect("defaults are right").config;
        let set = Layer::from([(name.to_owned(), text.to_owned())]);
        validate(&config, &set, for_one).map_err(|error| error.to_string())
    }

    #[test]
    fn what_may_change_and_what_may_not() {
        for (for_one, name, text) in [
            (false, "log.retention.ms", "1000"),
            (true, "log.retention.ms", "-1"),
            (false, "num.io.threads", "16"),
            (false, "max.connections", "10"),
            (true, "some.plugin.key", "x"),
            (false, "listener.name.plaintext.max.connections", "10"),
            (false, "compression.type", "producer"),
            (false, "leader.replication.throttled.rate", "1"),
        ] {
            assert_eq!(check(for_one, name, text), Ok(()), "{name}");
        }
        for (for_one, name, text, why) in [
            (
                true,
                "log.retention.hours",
                "1",
                "Cannot update these configs dynamically: [log.retention.hours]",
            ),
            (
                true,
                "odradek.shards",
                "1",
                "Cannot update these configs dynamically: [odradek.shards]",
            ),
            (
                true,
                "ssl.keystore.type",
                "JKS",
                "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.type]",
            ),
            (
                false,
                "log.segment.bytes",
                "x",
                "Invalid value x for configuration log.segment.bytes: Not a number of type INT",
            ),
            (
                false,
                "cordoned.log.dirs",
                "",
                "Cannot update these configs at default cluster level, broker id must be specified: [cordoned.log.dirs]",
            ),
            (
                false,
                "num.io.threads",
                "17",
                "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for num.io.threads=17, value should not be greater than double the current value 8 for configuration Invalid dynamic configuration",
            ),
            (
                false,
                "num.io.threads",
                "3",
                "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for num.io.threads=3, value should be at least half the current value 8 for configuration Invalid dynamic configuration",
            ),
        ] {
            assert_eq!(check(for_one, name, text), Err(why.to_owned()), "{name}");
        }
        let moved = check(true, "listeners", "PLAINTEXT://127.0.0.1:1").unwrap_err();
        assert!(moved.contains("restart"), "{moved}");
    }
}
