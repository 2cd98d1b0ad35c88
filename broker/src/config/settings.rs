//! The broker's settings as layers of text, and the value in force of each key.
//!
//! Four layers, the first that has a key wins: what the metadata log sets for this broker, what it sets for every broker, what the file and
//! the command line say, and the defaults. The layers stay apart because DescribeConfigs answers where a value comes from.

use std::collections::BTreeMap;

use super::key::{Key, Value};
use super::table::{BROKER_KEYS, broker_keys};

/// Where a value comes from; the numbers are those of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefault = 3,
    Static = 4,
    Default = 5,
    ClientMetrics = 7,
    Group = 8,
}

/// Key to text, for one layer.
pub type Layer = BTreeMap<String, String>;

/// All layers. Every text in them has been parsed once, so a getter cannot meet a bad one.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Set in the metadata log for this broker alone.
    pub dynamic_broker: Layer,
    /// Set in the metadata log for all brokers.
    pub dynamic_default: Layer,
    /// From the file and the command line. Keys that are not Kafka's any more are among them.
    pub fixed: Layer,
    /// Defaults of Odradek's own that take the place of Kafka's.
    pub profile: Layer,
}

impl Settings {
    /// The text in force and its layer; `None` if the key's default is null.
    pub fn text(&self, name: &str) -> Option<(&str, Source)> {
        self.layers().find_map(|(layer, source)| Some((layer.get(name)?.as_str(), source))).or_else(
            || {
                let default = BROKER_KEYS.get(name).and_then(|key| key.default)?;
                Some((default, Source::Default))
            },
        )
    }

    /// What each layer says of a key, the strongest first, the default last. A default of our own shows only where it is in force.
    pub fn every(&self, name: &str) -> Vec<(String, Source)> {
        let set = self.layers().filter(|(_, source)| *source != Source::Default);
        let set = set.filter_map(|(layer, source)| Some((layer.get(name)?.clone(), source)));
        let mut all: Vec<_> = set.collect();
        let ours = self.profile.get(name).map(String::as_str).filter(|_| all.is_empty());
        let default = ours.or_else(|| BROKER_KEYS.get(name).and_then(|key| key.default));
        all.extend(default.map(|text| (text.to_owned(), Source::Default)));
        all
    }

    fn layers(&self) -> impl Iterator<Item = (&Layer, Source)> {
        [
            (&self.dynamic_broker, Source::DynamicBroker),
            (&self.dynamic_default, Source::DynamicDefault),
            (&self.fixed, Source::Static),
            (&self.profile, Source::Default),
        ]
        .into_iter()
    }

    /// The same under what the metadata log sets for this broker and for all: `dynamic::legal` says what of it counts.
    #[must_use]
    pub fn with_dynamic(&self, for_this_broker: Layer, for_all: Layer) -> Settings {
        Settings { dynamic_broker: for_this_broker, dynamic_default: for_all, ..self.clone() }
    }

    /// The value in force.
    pub fn value(&self, key: &Key) -> Option<Value> {
        let (text, _) = self.text(key.name)?;
        key.parse(text).ok()
    }

    fn get(&self, name: &str) -> Option<Value> {
        let key = BROKER_KEYS.get(name);
        debug_assert!(key.is_some(), "{name} is not in the tables");
        self.value(key?)
    }

    /// A whole number, if the key is set or has a default.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Int(v) => Some(v),
            other => unreachable_kind(name, &other),
        }
    }

    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Boolean(v) => Some(v),
            other => unreachable_kind(name, &other),
        }
    }

    pub fn string(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Text(v) => Some(v),
            other => unreachable_kind(name, &other),
        }
    }

    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        match self.get(name)? {
            Value::List(v) => Some(v),
            other => unreachable_kind(name, &other),
        }
    }

    /// Every broker key that Kafka would show.
    pub fn shown(&self) -> impl Iterator<Item = &'static Key> {
        broker_keys().filter(|key| !key.internal)
    }
}

fn unreachable_kind<T>(name: &str, value: &Value) -> Option<T> {
    debug_assert!(false, "{name} is read as another type than the table's: {value:?}");
    None
}
