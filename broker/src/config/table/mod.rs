//! Every key that is known: Kafka 4.3's broker keys, topic keys, Odradek's own, and the keys that older Kafkas had.
//!
//! One file per area. A row is a key's facts and one sentence: `"name", Type = default, legal values, importance, update, visibility,
//! effect; "what it means"`. The facts were printed from a running Kafka 4.3.1; `broker/tests/config_described.rs` compares most of them.

pub(crate) mod client_metrics;
pub(crate) mod group;
pub(crate) mod groups;
pub(crate) mod legacy;
pub(crate) mod log;
pub(crate) mod own;
pub(crate) mod remote;
pub(crate) mod replication;
pub(crate) mod security;
pub(crate) mod server;
pub(crate) mod topic;

use std::collections::HashMap;
use std::sync::LazyLock;

pub(crate) use super::key::{Effect, Importance, Key, Kind, Update, Valid};

/// A list without duplicates and without empty entries; it may have no entries.
const ENTRIES: Valid = Valid::Entries { of: &[], may_be_empty: true };
/// The same, with at least one entry.
const SOME_ENTRIES: Valid = Valid::Entries { of: &[], may_be_empty: false };

#[expect(non_snake_case, reason = "reads like the other legal values in a row")]
const fn EntriesOf(of: &'static [&'static str]) -> Valid {
    Valid::Entries { of, may_be_empty: true }
}

#[expect(non_snake_case, reason = "reads like the other legal values in a row")]
const fn SomeEntriesOf(of: &'static [&'static str]) -> Valid {
    Valid::Entries { of, may_be_empty: false }
}

/// Rows to keys.
macro_rules! keys {
    ($vis:vis $table:ident: $($name:literal, $kind:ident = $default:tt, $valid:expr, $importance:ident, $update:ident,
        $shown:ident, $effect:ident; $doc:literal)*) => {
        $vis const $table: &[Key] = {
            #[allow(unused_imports, reason = "not every area uses every kind of legal value")]
            use Valid::*;
            &[$(Key {
                name: $name,
                kind: Kind::$kind,
                default: default_of!($default),
                valid: $valid,
                importance: Importance::$importance,
                update: Update::$update,
                internal: internal!($shown),
                effect: Effect::$effect,
                doc: $doc,
            }),*]
        };
    };
}

macro_rules! default_of {
    (null) => {
        None
    };
    ($default:literal) => {
        Some($default)
    };
}

macro_rules! internal {
    (Public) => {
        false
    };
    (Internal) => {
        true
    };
}

use {default_of, internal, keys};

/// All broker keys by name, Odradek's own included.
pub(crate) static BROKER_KEYS: LazyLock<HashMap<&'static str, &'static Key>> =
    LazyLock::new(|| broker_keys().map(|key| (key.name, key)).collect());

/// All topic keys by name.
pub(crate) static TOPIC_KEYS: LazyLock<HashMap<&'static str, &'static Key>> =
    LazyLock::new(|| topic::TOPIC.iter().map(|key| (key.name, key)).collect());

/// All keys of a group by name.
pub(crate) static GROUP_KEYS: LazyLock<HashMap<&'static str, &'static Key>> =
    LazyLock::new(|| group_keys().map(|key| (key.name, key)).collect());

/// All keys of a client metrics subscription by name.
pub(crate) static CLIENT_METRICS_KEYS: LazyLock<HashMap<&'static str, &'static Key>> =
    LazyLock::new(|| client_metrics_keys().map(|key| (key.name, key)).collect());

/// All broker keys, area by area.
pub fn broker_keys() -> impl Iterator<Item = &'static Key> {
    let areas = [
        server::SERVER,
        log::LOG,
        replication::REPLICATION,
        groups::GROUPS,
        security::SECURITY,
        remote::REMOTE,
        own::OWN,
    ];
    areas.into_iter().flatten()
}

/// All topic keys.
pub fn topic_keys() -> impl Iterator<Item = &'static Key> {
    topic::TOPIC.iter()
}

/// All keys of a group.
pub fn group_keys() -> impl Iterator<Item = &'static Key> {
    group::GROUP.iter()
}

/// All keys of a client metrics subscription.
pub fn client_metrics_keys() -> impl Iterator<Item = &'static Key> {
    client_metrics::CLIENT_METRICS.iter()
}

/// `listener.name.<listener>[.<mechanism>].<key>`: the key for one listener.
pub(crate) fn of_one_listener(name: &str) -> Option<&'static Key> {
    let (_, rest) = name.strip_prefix("listener.name.")?.split_once('.')?;
    let known = |name: &str| BROKER_KEYS.get(name).copied();
    known(rest).or_else(|| known(rest.split_once('.')?.1))
}

/// The known broker key that is most like `name`, if one is like it at all.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let bound = 2 + name.len() / 4;
    let candidates =
        broker_keys().filter(|key| !key.internal).map(|key| (distance(name, key.name), key.name));
    candidates.filter(|(distance, _)| *distance <= bound).min().map(|(_, name)| name)
}

/// Levenshtein's distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
