//! What is in force where the records of one share group are delivered.

use std::sync::Arc;

use bytestring::ByteString;

use super::broker::Config;
use super::duration::parse_ms;
use super::group::bounds;
use super::key::Value;
use super::listeners::Fault;
use super::settings::Settings;
use super::table::GROUP_KEYS;
use super::topic::Overrides;
use crate::metadata::image::{ConfigResource, Image};

/// What is in force where the records of one share group are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareRules {
    /// How long a member may take for a record.
    pub lock_ms: u64,
    /// Deliveries of one record.
    pub deliveries_max: i16,
    /// Records of a partition that may be in flight.
    pub locks_max: i64,
    /// Whether a member may ask for more time.
    pub renewable: bool,
    /// Whether records of transactions that are open or were aborted are kept from members.
    pub read_committed: bool,
    pub reset: OffsetReset,
}

/// Where a share group begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    Latest,
    Earliest,
    /// With the first record that is not older than so many milliseconds.
    Ago(u64),
}

impl Config {
    /// The rules of a group: its own values within the broker's limits, or else the broker's, or the defaults. This configuration is to be
    /// the one in force.
    pub fn share_rules(&self, image: &Image, group: &ByteString) -> ShareRules {
        let resource = ConfigResource { kind: ConfigResource::GROUP, name: group.clone() };
        share_rules(&self.settings, image.overrides(&resource).map(Arc::as_ref))
    }

    /// How long a member of the group may take for a record.
    pub fn share_lock_ms(&self, image: &Image, group: &ByteString) -> i32 {
        i32::try_from(self.share_rules(image, group).lock_ms).unwrap_or(i32::MAX)
    }

    /// Sessions of members of share groups that the node has, over all its shards.
    pub fn share_sessions_max(&self) -> usize {
        let most = self.settings.int("group.share.max.share.sessions").unwrap_or_default();
        usize::try_from(most).unwrap_or_default()
    }
}

fn share_rules(settings: &Settings, own: Option<&Overrides>) -> ShareRules {
    let number = |name| number(settings, own, name);
    let text = |name| own_value(own, name).or_else(|| GROUP_KEYS.get(name)?.default_value());
    let reset = text("share.auto.offset.reset").map(|value| value.text()).unwrap_or_default();
    let level = text("share.isolation.level").map(|value| value.text());
    ShareRules {
        lock_ms: u64::try_from(number("share.record.lock.duration.ms")).unwrap_or_default(),
        deliveries_max: i16::try_from(number("share.delivery.count.limit")).unwrap_or(i16::MAX),
        locks_max: number("share.partition.max.record.locks"),
        renewable: text("share.renew.acknowledge.enable") != Some(Value::Boolean(false)),
        read_committed: level.as_deref() == Some("read_committed"),
        reset: match reset.strip_prefix("by_duration:") {
            Some(ago) => OffsetReset::Ago(parse_ms(ago).unwrap_or_default()),
            None if reset == "earliest" => OffsetReset::Earliest,
            None => OffsetReset::Latest,
        },
    }
}

fn own_value(own: Option<&Overrides>, name: &str) -> Option<Value> {
    GROUP_KEYS.get(name)?.parse(own?.get(name)?).ok()
}

/// The broker's value is as it is; a group's own is kept within the broker's limits, which may have changed since it was set.
fn number(settings: &Settings, own: Option<&Overrides>, name: &str) -> i64 {
    let Some(Value::Int(own)) = own_value(own, name) else {
        return settings.int(&format!("group.{name}")).unwrap_or_default();
    };
    let (least, most) = bounds(name);
    let least = settings.int(&least).unwrap_or(own);
    let most = settings.int(&most).unwrap_or(own);
    own.min(most).max(least)
}

/// What share groups get is to lie within what they may ask for, as in Kafka.
pub(super) fn check(settings: &Settings) -> Result<(), Fault> {
    let number = |name: &str| settings.int(name).unwrap_or_default();
    let ordered = [
        ("group.share.max.delivery.count.limit", "group.share.delivery.count.limit"),
        ("group.share.delivery.count.limit", "group.share.min.delivery.count.limit"),
        ("group.share.max.partition.max.record.locks", "group.share.partition.max.record.locks"),
        ("group.share.partition.max.record.locks", "group.share.min.partition.max.record.locks"),
        ("group.share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms"),
        ("group.share.max.record.lock.duration.ms", "group.share.record.lock.duration.ms"),
        ("group.share.max.share.sessions", "group.share.max.size"),
    ];
    match ordered.into_iter().find(|(more, less)| number(more) < number(less)) {
        None => Ok(()),
        Some((more, less)) => {
            Err((more, format!("{more} must be greater than or equal to {less}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::group::overrides;
    use super::*;

    #[test]
    fn a_groups_own_values_go_before_the_brokers() {
        let settings = Settings::default();
        let default = ShareRules {
            lock_ms: 30_000,
            deliveries_max: 5,
            locks_max: 2_000,
            renewable: true,
            read_committed: false,
            reset: OffsetReset::Latest,
        };
        let check = |pairs: &[(&str, &str)], expected: ShareRules| {
            let own = overrides(pairs.iter().copied());
            assert_eq!(share_rules(&settings, Some(&own)), expected, "{pairs:?}");
        };
        assert_eq!(share_rules(&settings, None), default);
        check(&[], default);
        for (name, value, expected) in [
            ("share.record.lock.duration.ms", "20000", ShareRules { lock_ms: 20_000, ..default }),
            // Below what the broker allows by now, and above.
            ("share.record.lock.duration.ms", "1000", ShareRules { lock_ms: 15_000, ..default }),
            ("share.record.lock.duration.ms", "90000", ShareRules { lock_ms: 60_000, ..default }),
            ("share.delivery.count.limit", "7", ShareRules { deliveries_max: 7, ..default }),
            ("share.delivery.count.limit", "70", ShareRules { deliveries_max: 10, ..default }),
            ("share.partition.max.record.locks", "150", ShareRules { locks_max: 150, ..default }),
            (
                "share.partition.max.record.locks",
                "9000",
                ShareRules { locks_max: 4_000, ..default },
            ),
            ("share.renew.acknowledge.enable", "false", ShareRules { renewable: false, ..default }),
            (
                "share.isolation.level",
                "read_committed",
                ShareRules { read_committed: true, ..default },
            ),
            (
                "share.auto.offset.reset",
                "earliest",
                ShareRules { reset: OffsetReset::Earliest, ..default },
            ),
            (
                "share.auto.offset.reset",
                "by_duration:PT1M",
                ShareRules { reset: OffsetReset::Ago(60_000), ..default },
            ),
            ("consumer.session.timeout.ms", "50000", default),
        ] {
            check(&[(name, value)], expected);
        }
    }
}
