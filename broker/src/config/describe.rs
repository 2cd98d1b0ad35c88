//! Every key of a topic or a broker with its value, where that comes from, and where else it could come from: what DescribeConfigs
//! answers, before it is put in the answer's form.
//!
//! Two oddities are Kafka's, and tools rely on them: a topic key's source is that of its first broker key even if another one behind it
//! (`log.retention.hours` behind `log.retention.ms`) gives the value; and a key that no table knows is shown, as sensitive.

use super::group;
use super::key::{Key, Kind, Update};
use super::settings::{Settings, Source};
use super::table::{BROKER_KEYS, client_metrics_keys, group_keys, of_one_listener, topic_keys};
use super::topic::{Overrides, synonyms, value_in_force};

/// One key as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub name: String,
    /// `None` if it is null or sensitive.
    pub value: Option<String>,
    pub source: Source,
    pub read_only: bool,
    pub sensitive: bool,
    /// Where the value may come from, the strongest first.
    pub synonyms: Vec<Synonym>,
    /// `None` for a key that is in no table.
    pub kind: Option<Kind>,
    pub doc: Option<&'static str>,
}

/// One place that has a value for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    pub name: String,
    pub value: Option<String>,
    pub source: Source,
}

/// Every key of a topic.
pub fn topic(settings: &Settings, overrides: &Overrides) -> Vec<Described> {
    let shown = topic_keys().filter(|key| !key.internal || overrides.contains_key(key.name));
    shown.map(|key| topic_key(key, settings, overrides)).collect()
}

fn topic_key(key: &Key, settings: &Settings, overrides: &Overrides) -> Described {
    let value = value_in_force(key, settings, overrides).map(|value| value.text());
    let behind = synonyms(key.name).first().map(|(name, _)| broker_synonyms(name, settings, false));
    let mut all = behind.unwrap_or_default();
    if overrides.contains_key(key.name) {
        let own =
            Synonym { name: key.name.to_owned(), value: value.clone(), source: Source::Topic };
        all.insert(0, own);
    }
    described(key, value, false, all)
}

/// Every key of a topic in the form in which CreateTopics answers it: there the source is that of the value, and an
/// override stands as it was given.
pub fn created_topic(settings: &Settings, overrides: &Overrides) -> Vec<Described> {
    let source = |key: &Key| {
        let behind = synonyms(key.name).iter().filter_map(|(name, _)| settings.text(name));
        let set = behind.map(|(_, source)| source).filter(|source| *source != Source::Default);
        if overrides.contains_key(key.name) {
            Source::Topic
        } else {
            set.min().unwrap_or(Source::Default)
        }
    };
    let mut all = topic(settings, overrides);
    for entry in &mut all {
        if let Some(key) = topic_keys().find(|key| key.name == entry.name) {
            entry.source = source(key);
            entry.synonyms.clear();
            if let Some(text) = overrides.get(key.name) {
                entry.value = Some(text.to_string());
            }
        }
    }
    all
}

/// Every key of a group.
pub fn group(settings: &Settings, overrides: &Overrides) -> Vec<Described> {
    let described = |key: &Key| {
        let value = group::value_in_force(key, settings, overrides).map(|value| value.text());
        let default = key.default.map(|text| vec![own(key, text, Source::Default)]);
        let mut all = match group::synonym(key.name) {
            Some(behind) => broker_synonyms(behind, settings, false),
            None => default.unwrap_or_default(),
        };
        if let (true, Some(value)) = (overrides.contains_key(key.name), &value) {
            all.insert(0, own(key, value, Source::Group));
        }
        described(key, value, false, all)
    };
    group_keys().map(described).collect()
}

/// Every key of a client metrics subscription, whether there is one of that name or not.
pub fn client_metrics(overrides: &Overrides) -> Vec<Described> {
    let described = |key: &Key| {
        let set = overrides.get(key.name).and_then(|text| key.parse(text).ok());
        let mine = set.as_ref().map(|value| own(key, &value.text(), Source::ClientMetrics));
        let value = set.or_else(|| key.default_value()).map(|value| value.text());
        described(key, value, false, mine.into_iter().collect())
    };
    client_metrics_keys().map(described).collect()
}

fn own(key: &Key, value: &str, source: Source) -> Synonym {
    Synonym { name: key.name.to_owned(), value: Some(value.to_owned()), source }
}

/// Every key of this broker, and whatever else was set for it.
pub fn broker(settings: &Settings) -> Vec<Described> {
    let known = settings.shown().map(|key| {
        let value = settings.value(key).map(|value| value.text());
        let all = broker_synonyms(key.name, settings, key.sensitive());
        described(key, value, key.update == Update::ReadOnly, all)
    });
    let layers = [&settings.dynamic_broker, &settings.dynamic_default, &settings.fixed];
    let mut others: Vec<&String> = layers.iter().flat_map(|layer| layer.keys()).collect();
    others.sort();
    others.dedup();
    let shown = |name: &&String| BROKER_KEYS.get(name.as_str()).is_none_or(|key| key.internal);
    known.chain(others.into_iter().filter(shown).map(|name| unlisted(name, settings))).collect()
}

/// What the metadata log sets for all brokers, and nothing else.
pub fn brokers_default(settings: &Settings) -> Vec<Described> {
    let only =
        Settings { dynamic_default: settings.dynamic_default.clone(), ..Settings::default() };
    let set =
        broker(&only).into_iter().filter(|entry| only.dynamic_default.contains_key(&entry.name));
    set.map(|mut entry| {
        entry.synonyms.retain(|synonym| synonym.source == Source::DynamicDefault);
        entry
    })
    .collect()
}

/// A key that is internal, one for one listener, or one that no table knows: its type is unknown then, so it may be a secret.
fn unlisted(name: &str, settings: &Settings) -> Described {
    if let Some(key) = BROKER_KEYS.get(name) {
        let value = settings.value(key).map(|value| value.text());
        let synonyms = broker_synonyms(name, settings, key.sensitive());
        return described(key, value, key.update == Update::ReadOnly, synonyms);
    }
    let kind = of_one_listener(name).map(|key| key.kind);
    let sensitive = kind.is_none_or(|kind| kind == Kind::Password);
    let synonyms = broker_synonyms(name, settings, sensitive);
    let source = synonyms.first().map_or(Source::Default, |synonym| synonym.source);
    let value = synonyms.first().and_then(|synonym| synonym.value.clone());
    Described {
        name: name.to_owned(),
        value,
        source,
        read_only: true,
        sensitive,
        synonyms,
        kind,
        doc: None,
    }
}

fn described(
    key: &Key,
    value: Option<String>,
    read_only: bool,
    synonyms: Vec<Synonym>,
) -> Described {
    Described {
        name: key.name.to_owned(),
        value: value.filter(|_| !key.sensitive()),
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        read_only,
        sensitive: key.sensitive(),
        synonyms,
        kind: Some(key.kind),
        doc: Some(key.doc),
    }
}

/// Broker keys that mean the same thing, the strongest first.
fn family(name: &str) -> Vec<&str> {
    const FAMILIES: [&[&str]; 3] = [
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    ];
    if name == "log.flush.interval.ms" {
        return vec![name, "log.flush.scheduler.interval.ms"];
    }
    if let Some(family) = FAMILIES.iter().find(|family| family.contains(&name)) {
        return family.to_vec();
    }
    let base = name.strip_prefix("listener.name.").and_then(|rest| Some(rest.split_once('.')?.1));
    std::iter::once(name).chain(base).collect()
}

/// Layer by layer, in each the family's order; what stands before the key itself is not shown.
fn broker_synonyms(name: &str, settings: &Settings, sensitive: bool) -> Vec<Synonym> {
    let family = family(name);
    let mut all: Vec<(Source, usize, Synonym)> = Vec::new();
    for (order, member) in family.iter().enumerate() {
        for (text, source) in settings.every(member) {
            let value = Some(text).filter(|_| !sensitive);
            all.push((source, order, Synonym { name: (*member).to_owned(), value, source }));
        }
    }
    all.sort_by_key(|(source, order, _)| (*source, *order));
    all.into_iter()
        .map(|(_, _, synonym)| synonym)
        .skip_while(|synonym| synonym.name != name)
        .collect()
}
