//! Keys that Kafka had before 4.3 and has no more, and keys that only ever live in the metadata log: known, not needed, warned about.

/// Whether `name` was a broker key once, or belongs to a plug-in.
pub(crate) fn known(name: &str) -> bool {
    KEYS.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Families of keys: ZooKeeper's, and those that Kafka hands to plug-ins under their prefix.
const PREFIXES: &[&str] =
    &["zookeeper.", "password.encoder.", "rsm.config.", "rlmm.config.", "config.providers."];

const KEYS: &[&str] = &[
    "advertised.host.name",
    "advertised.port",
    "auto.include.jmx.reporter",
    "broker.id.generation.enable",
    "control.plane.listener.name",
    "controlled.shutdown.max.retries",
    "controlled.shutdown.retry.backoff.ms",
    "eligible.leader.replicas.enable",
    "follower.replication.throttled.rate",
    "group.coordinator.new.enable",
    "group.share.enable",
    "group.share.max.groups",
    "group.share.partition.max.record.locks.limit",
    "host.name",
    "inter.broker.protocol.version",
    "leader.imbalance.per.broker.percentage",
    "leader.replication.throttled.rate",
    "log.cleaner.hash.algorithm",
    "log.message.downconversion.enable",
    "log.message.format.version",
    "log.message.timestamp.difference.max.ms",
    "metadata.start.timeout.ms",
    "offsets.commit.required.acks",
    "port",
    "quota.consumer.default",
    "quota.producer.default",
    "replica.alter.log.dirs.io.max.bytes.per.second",
    "reserved.broker.max.id",
    "unstable.metadata.versions.enable",
];
