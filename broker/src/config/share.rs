//! What the configuration says of share groups: what they may be told, the coordinator of their state, and the topic in which it is kept.

use storage::batch::Codec;

use super::listeners::Fault;
use super::settings::Settings;

use crate::share::state::Rules;

/// `share.coordinator.*`. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareState {
    /// Updates of a share partition between two snapshots.
    pub updates_per_snapshot: i32,
    pub prune_every_ms: u64,
    pub cold_after_ms: u64,
    /// How long an answer waits for what it rests on to be durable.
    pub write_timeout_ms: u64,
    /// Bytes of the log that are read at once while state is loaded.
    pub load_bytes: usize,
    pub codec: Codec,
    pub partitions: i32,
    /// As far as there are brokers.
    pub replication_factor: i16,
    /// No more than there are replicas.
    pub min_insync_replicas: i16,
    pub segment_bytes: i32,
}

impl ShareState {
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            updates_per_snapshot: self.updates_per_snapshot,
            prune_every_ms: self.prune_every_ms,
            cold_after_ms: self.cold_after_ms,
        }
    }
}

/// The one assignor that there is; another one would be a Java class.
const ASSIGNOR: &str = "simple";

/// What Kafka checks of `group.share.*` beyond the keys' ranges, in its words.
pub(super) fn check(settings: &Settings) -> Result<(), Fault> {
    let assignors = settings.list("group.share.assignors").unwrap_or_default();
    match &assignors[..] {
        [one] if one == ASSIGNOR => {}
        [other] => {
            let text = format!("{other} is not served: the assignor of share groups is {ASSIGNOR}");
            return Err(("group.share.assignors", text));
        }
        all => {
            let text = format!(
                "group.share.assignors must contain exactly one assignor, but found {}",
                all.len()
            );
            return Err(("group.share.assignors", text));
        }
    }
    for (key, least, most) in LIMITED {
        let [value, least_of, most_of] = [key, least, most].map(|key| settings.int(key));
        if most_of < least_of {
            return Err((most, format!("{most} must be greater than or equal to {least}")));
        }
        if value < least_of {
            return Err((key, format!("{key} must be greater than or equal to {least}")));
        }
        if value > most_of {
            return Err((key, format!("{key} must be less than or equal to {most}")));
        }
    }
    let (heartbeat, session) =
        ("group.share.heartbeat.interval.ms", "group.share.session.timeout.ms");
    match settings.int(heartbeat) < settings.int(session) {
        true => Ok(()),
        false => Err((heartbeat, format!("{heartbeat} must be less than {session}"))),
    }
}

/// A key, and those of its least and its greatest value.
const LIMITED: [(&str, &str, &str); 3] = [
    (
        "group.share.heartbeat.interval.ms",
        "group.share.min.heartbeat.interval.ms",
        "group.share.max.heartbeat.interval.ms",
    ),
    (
        "group.share.session.timeout.ms",
        "group.share.min.session.timeout.ms",
        "group.share.max.session.timeout.ms",
    ),
    (
        "group.share.assignment.interval.ms",
        "group.share.min.assignment.interval.ms",
        "group.share.max.assignment.interval.ms",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(pairs: &[(&str, &str)]) -> Result<(), String> {
        let mut settings = Settings::default();
        for (key, value) in pairs {
            settings.fixed.insert((*key).into(), (*value).into());
        }
        check(&settings).map_err(|(_, text)| text)
    }

    #[test]
    fn what_kafka_would_not_start_with() {
        assert_eq!(checked(&[]), Ok(()));
        for (pairs, text) in [
            (
                &[("group.share.assignors", "")][..],
                "group.share.assignors must contain exactly one assignor, but found 0",
            ),
            (
                &[("group.share.assignors", "simple,org.example.Own")],
                "group.share.assignors must contain exactly one assignor, but found 2",
            ),
            (
                &[("group.share.assignors", "org.example.Own")],
                "org.example.Own is not served: the assignor of share groups is simple",
            ),
            (
                &[("group.share.heartbeat.interval.ms", "4999")],
                "group.share.heartbeat.interval.ms must be greater than or equal to group.share.min.heartbeat.interval.ms",
            ),
            (
                &[("group.share.session.timeout.ms", "60001")],
                "group.share.session.timeout.ms must be less than or equal to group.share.max.session.timeout.ms",
            ),
            (
                &[("group.share.max.session.timeout.ms", "44999")],
                "group.share.max.session.timeout.ms must be greater than or equal to group.share.min.session.timeout.ms",
            ),
            (
                &[("group.share.assignment.interval.ms", "15001")],
                "group.share.assignment.interval.ms must be less than or equal to group.share.max.assignment.interval.ms",
            ),
            (
                &[
                    ("group.share.min.session.timeout.ms", "1"),
                    ("group.share.session.timeout.ms", "5000"),
                ],
                "group.share.heartbeat.interval.ms must be less than group.share.session.timeout.ms",
            ),
        ] {
            assert_eq!(checked(pairs), Err(text.to_owned()));
        }
    }
}
