//! IncrementalAlterConfigs and AlterConfigs: what records a request makes, and what each resource is answered. Pure: nothing is written here.
//!
//! The order in which faults are found is Kafka's: for a broker first what only that broker can say (`config::dynamic`), then the
//! operations, the sizes, the values together, and last whether there is such a resource.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytestring::ByteString;

use super::refusal::PARTITIONS_PER_REQUEST_MAX;
use crate::config::key::{InvalidValue, Key, Kind};
use crate::config::settings::Layer;
use crate::config::table::{BROKER_KEYS, GROUP_KEYS, TOPIC_KEYS};
use crate::config::topic::Overrides;
use crate::config::{Config, client_metrics, dynamic, group, topic};
use crate::metadata::image::{ConfigResource, Image};
use crate::metadata::records::{ClearElrRecord, ConfigRecord, Record};
use crate::topic_name;

/// The longest value, in characters.
pub(super) const CONFIG_VALUE_MAX: usize = 32_767;
const TOO_LONG: &str = "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.";
const MIN_ISR: &str = "min.insync.replicas";
/// The feature with which a broker's `min.insync.replicas` decides who may lead (KIP-966).
const ELR: &str = "eligible.leader.replicas.version";

/// What is to become of one resource's configs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    pub resource: ConfigResource,
    pub what: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These keys only (KIP-339). A key stands once in it.
    Some(Vec<Operation>),
    /// These are all; others go.
    All(BTreeMap<ByteString, ByteString>),
}

/// What is to become of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub key: ByteString,
    /// As the request numbers it: see the constants.
    pub kind: i8,
    pub value: Option<ByteString>,
}

pub const SET: i8 = 0;
pub const DELETE: i8 = 1;
pub const APPEND: i8 = 2;
pub const SUBTRACT: i8 = 3;

/// Why the configs of a resource were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigRefusal {
    #[error("{0}")]
    Request(String),
    #[error("{0}")]
    Config(String),
    #[error("{0}")]
    TopicName(String),
    #[error("The topic '{0}' does not exist.")]
    NoTopic(ByteString),
    #[error("{0}")]
    Policy(&'static str),
    /// Kafka stumbles here and says nothing more.
    #[error("The server experienced an unexpected error when processing the request.")]
    Stumbled,
}

impl From<InvalidValue> for ConfigRefusal {
    fn from(invalid: InvalidValue) -> ConfigRefusal {
        ConfigRefusal::Config(invalid.0)
    }
}

/// Plans the changes of one request; the outcomes are in its order. `config` is the one in force.
pub fn plan(
    image: &Image,
    config: &Config,
    changes: &[ConfigChange],
) -> (Vec<Record>, Vec<Result<(), ConfigRefusal>>) {
    let mut records = Vec::new();
    let mut outcomes = Vec::with_capacity(changes.len());
    for change in changes {
        let planned = plan_resource(image, config, change);
        outcomes.push(planned.map(|mut own| records.append(&mut own)));
    }
    if image.feature(ELR) > 0 {
        let cleared: Vec<Record> = records.iter().filter_map(clears_eligible).collect();
        records.extend(cleared);
    }
    if records.len() > PARTITIONS_PER_REQUEST_MAX {
        let text = "Unable to perform excessively large batch operation.";
        return (Vec::new(), vec![Err(ConfigRefusal::Policy(text)); changes.len()]);
    }
    (records, outcomes)
}

fn plan_resource(
    image: &Image,
    config: &Config,
    change: &ConfigChange,
) -> Result<Vec<Record>, ConfigRefusal> {
    let resource = &change.resource;
    let none = Arc::default();
    let current: &Overrides = image.overrides(resource).unwrap_or(&none);
    if resource.kind == ConfigResource::BROKER {
        check_broker(config, current, change)?;
    }
    let next = changed(resource, current, &change.what)?;
    let altered: BTreeSet<&ByteString> = match &change.what {
        Change::Some(operations) => operations.iter().map(|operation| &operation.key).collect(),
        Change::All(all) => all.keys().chain(current.keys()).collect(),
    };
    // Kafka's brokers take every record for a reason to load their files anew, and so it writes what is unchanged, too.
    let always = resource.kind == ConfigResource::BROKER;
    let written = |key: &&ByteString| always || current.get(&***key) != next.get(&***key);
    let written: Vec<&ByteString> = altered.into_iter().filter(written).collect();
    for key in &written {
        check_min_isr(image, resource, key, next.get(&***key))?;
        if next.get(&***key).is_some_and(|text| text.encode_utf16().count() > CONFIG_VALUE_MAX) {
            return Err(ConfigRefusal::Config(TOO_LONG.to_owned()));
        }
    }
    check_resource(image, config, resource, &next)?;
    let record = |key: &ByteString| ConfigRecord {
        resource_type: resource.kind,
        resource_name: resource.name.clone(),
        name: key.clone(),
        value: next.get(key).cloned(),
    };
    Ok(written.into_iter().map(|key| record(key).into()).collect())
}

/// What the broker itself, not its controller, checks of changes of its configs. Where there are both, this comes first.
fn check_broker(
    config: &Config,
    current: &Overrides,
    change: &ConfigChange,
) -> Result<(), ConfigRefusal> {
    let (name, me) = (&*change.resource.name, config.node_id());
    let for_one = !name.is_empty();
    if for_one {
        let refused = |text| Err(ConfigRefusal::Request(text));
        match name.parse::<i32>() {
            Err(_) => return refused(format!("Node id must be an integer, but it is: {name}")),
            Ok(id) if id != me => {
                return refused(format!(
                    "Unexpected broker id, expected {me}, but received {name}"
                ));
            }
            Ok(_) => {}
        }
    }
    let set: Layer = match &change.what {
        Change::All(all) => all.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        Change::Some(operations) => {
            let mut set = dynamic::legal(current, for_one);
            operations.iter().try_for_each(|operation| alter_broker(&mut set, operation))?;
            set
        }
    };
    dynamic::validate(config, &set, for_one).map_err(|why| ConfigRefusal::Request(why.0))
}

fn alter_broker(set: &mut Layer, operation: &Operation) -> Result<(), ConfigRefusal> {
    let Operation { key, kind, value } = operation;
    let value = value.as_deref().unwrap_or_default();
    let what = match *kind {
        SET => {
            set.insert(key.to_string(), value.to_owned());
            return Ok(());
        }
        DELETE => {
            set.remove(&**key);
            return Ok(());
        }
        APPEND => "append",
        SUBTRACT => "subtract",
        other => {
            return Err(ConfigRefusal::Request(format!("Unknown operations type {other}")));
        }
    };
    let refused = |text| Err(ConfigRefusal::Config(text));
    match BROKER_KEYS.get(&**key) {
        None => refused(format!("Unknown config name: {key}")),
        Some(known) if known.kind != Kind::List => {
            refused(format!("Config value {what} is not allowed for config key: {key}"))
        }
        Some(known) => {
            let now = set.get(&**key).map(String::as_str);
            let next = relist(now.or(known.default), *kind, value);
            set.insert(key.to_string(), next);
            Ok(())
        }
    }
}

/// The list after an append or a subtraction.
fn relist(now: Option<&str>, kind: i8, value: &str) -> String {
    let mut entries: Vec<&str> =
        now.unwrap_or_default().split(',').filter(|entry| !entry.is_empty()).collect();
    for entry in value.split(',') {
        match (kind, entries.iter().position(|known| *known == entry)) {
            (APPEND, None) => entries.push(entry),
            (SUBTRACT, Some(place)) => drop(entries.remove(place)),
            _ => {}
        }
    }
    entries.join(",")
}

fn changed(
    resource: &ConfigResource,
    current: &Overrides,
    what: &Change,
) -> Result<Overrides, ConfigRefusal> {
    let operations = match what {
        Change::All(all) => return Ok(all.clone()),
        Change::Some(operations) => operations,
    };
    let mut next = current.clone();
    for Operation { key, kind, value } in operations {
        let value = value.clone().unwrap_or_default();
        let name = match *kind {
            SET => {
                next.insert(key.clone(), value);
                continue;
            }
            DELETE => {
                next.remove(key);
                continue;
            }
            APPEND => "APPEND",
            SUBTRACT => "SUBTRACT",
            _ => return Err(ConfigRefusal::Stumbled),
        };
        let Some(known) = key_of(resource, key).filter(|known| known.kind == Kind::List) else {
            let text = format!("Can't {name} to key {key} because its type is not LIST.");
            return Err(ConfigRefusal::Config(text));
        };
        let now = next.get(key).map(|text| &**text);
        let list = relist(now.or(known.default), *kind, &value);
        next.insert(key.clone(), list.into());
    }
    Ok(next)
}

/// Kafka does not know the types of client metrics' keys here, and so takes none of them for a list.
fn key_of(resource: &ConfigResource, name: &str) -> Option<&'static Key> {
    let keys = match resource.kind {
        ConfigResource::TOPIC => &TOPIC_KEYS,
        ConfigResource::BROKER => &BROKER_KEYS,
        ConfigResource::GROUP => &GROUP_KEYS,
        _ => return None,
    };
    keys.get(name).copied()
}

/// With eligible leader replicas the brokers' `min.insync.replicas` is one for all, and stays (KIP-966).
fn check_min_isr(
    image: &Image,
    resource: &ConfigResource,
    key: &str,
    next: Option<&ByteString>,
) -> Result<(), ConfigRefusal> {
    if key != MIN_ISR || resource.kind != ConfigResource::BROKER || image.feature(ELR) == 0 {
        return Ok(());
    }
    let refused = |text: &str| Err(ConfigRefusal::Config(text.to_owned()));
    match (resource.name.is_empty(), next) {
        (false, _) => {
            refused("Broker-level min.insync.replicas cannot be altered while ELR is enabled.")
        }
        (true, None) => {
            refused("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.")
        }
        (true, Some(_)) => Ok(()),
    }
}

/// The values together, and the resource itself.
fn check_resource(
    image: &Image,
    config: &Config,
    resource: &ConfigResource,
    next: &Overrides,
) -> Result<(), ConfigRefusal> {
    let name = &resource.name;
    let request = |text: &str| Err(ConfigRefusal::Request(text.to_owned()));
    match resource.kind {
        ConfigResource::TOPIC if name.is_empty() => {
            request("Default topic resources are not allowed.")
        }
        ConfigResource::TOPIC => {
            topic_name::check(name).map_err(ConfigRefusal::TopicName)?;
            let set = next.iter().map(|(key, value)| (key, Some(value)));
            topic::validate(&config.settings, set)?;
            match image.topic_id(name) {
                Some(_) => Ok(()),
                None => Err(ConfigRefusal::NoTopic(name.clone())),
            }
        }
        ConfigResource::BROKER => Ok(()),
        ConfigResource::CLIENT_METRICS if name.is_empty() => {
            request("Subscription name can't be empty")
        }
        ConfigResource::CLIENT_METRICS => client_metrics::validate(next).map_err(|why| match why {
            client_metrics::InvalidSubscription::Request(text) => ConfigRefusal::Request(text),
            client_metrics::InvalidSubscription::Config(text) => ConfigRefusal::Config(text),
        }),
        ConfigResource::GROUP if name.is_empty() => {
            request("Default group resources are not allowed.")
        }
        ConfigResource::GROUP => Ok(group::validate(&config.settings, next)?),
        other => request(&format!("Unknown resource type {other}")),
    }
}

/// What a changed `min.insync.replicas` makes of eligible leader replicas: they are found anew.
fn clears_eligible(record: &Record) -> Option<Record> {
    let Record::Config(config) = record else { return None };
    let topic_name = match config.resource_type {
        ConfigResource::TOPIC => config.resource_name.clone(),
        _ => ByteString::new(),
    };
    (&*config.name == MIN_ISR).then(|| ClearElrRecord { topic_name }.into())
}

#[cfg(test)]
mod tests;
