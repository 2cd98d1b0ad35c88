//! Keys of groups, offsets and transactions.

use super::*;

/// By their names, or by Kafka's classes.
const ASSIGNORS: &[&str] = &[
    "uniform",
    "range",
    "org.apache.kafka.coordinator.group.assignor.UniformAssignor",
    "org.apache.kafka.coordinator.group.assignor.RangeAssignor",
];

keys! { pub(crate) GROUPS:
    "add.partitions.to.txn.retry.backoff.max.ms", Int = "100", AtLeast(0), High, ReadOnly, Public, Later;
        "The most that a broker waits before it verifies a transaction's partition again."
    "add.partitions.to.txn.retry.backoff.ms", Int = "20", AtLeast(1), High, ReadOnly, Public, Later;
        "How long a broker waits before it verifies a transaction's partition again."
    "group.consumer.assignment.interval.ms", Int = "1000", AtLeast(0), Medium, ClusterWide, Public, Used;
        "The least time between two assignments of a consumer group."
    "group.consumer.assignors", List = "uniform,range", SomeEntriesOf(ASSIGNORS), Medium, ReadOnly, Public, Used;
        "The assignors that consumer groups may use, the first by default."
    "group.consumer.heartbeat.interval.ms", Int = "5000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "How often members of a consumer group report."
    "group.consumer.max.assignment.interval.ms", Int = "15000", AtLeast(0), Medium, ReadOnly, Public, Used;
        "The largest assignment interval that a consumer group may ask for."
    "group.consumer.max.heartbeat.interval.ms", Int = "15000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The largest heartbeat interval that a consumer group may ask for."
    "group.consumer.max.session.timeout.ms", Int = "60000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The largest session timeout that a consumer group may ask for."
    "group.consumer.max.size", Int = "2147483647", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The most members of a consumer group."
    "group.consumer.migration.policy", String = "bidirectional", OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]), Medium, ReadOnly, Public, Used;
        "Which way groups may move between the classic and the consumer protocol."
    "group.consumer.min.assignment.interval.ms", Int = "0", AtLeast(0), Medium, ReadOnly, Public, Used;
        "The smallest assignment interval that a consumer group may ask for."
    "group.consumer.min.heartbeat.interval.ms", Int = "5000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The smallest heartbeat interval that a consumer group may ask for."
    "group.consumer.min.session.timeout.ms", Int = "45000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The smallest session timeout that a consumer group may ask for."
    "group.consumer.regex.refresh.interval.ms", Int = "600000", AtLeast(10_000), Medium, ReadOnly, Internal, Used;
        "How often a regular subscription is matched against the topics again."
    "group.consumer.session.timeout.ms", Int = "45000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "How long a silent member of a consumer group is waited for."
    "group.coordinator.append.linger.ms", Int = "-1", AtLeast(-1), Medium, ReadOnly, Public, Later;
        "How long the coordinator gathers records before it writes them; -1 adapts."
    "group.coordinator.background.threads", Int = "2", AtLeast(1), High, ReadOnly, Public, Unneeded;
        "Threads for the coordinator's background work in Kafka."
    "group.coordinator.cached.buffer.max.bytes", Int = "1048588", AtLeast(524_288), Medium, ClusterWide, Public, Later;
        "The largest buffer that the coordinator keeps for its next batch."
    "group.coordinator.rebalance.protocols", List = "classic,consumer,streams", SomeEntriesOf(&["consumer", "classic", "share", "streams"]), Medium, ReadOnly, Public, Used;
        "The group protocols that are served."
    "group.coordinator.threads", Int = "4", AtLeast(1), High, ReadOnly, Public, Unneeded;
        "Threads of the group coordinator in Kafka."
    "group.initial.rebalance.delay.ms", Int = "3000", Any, Medium, ReadOnly, Public, Used;
        "How long an empty classic group waits for more members before its first rebalance."
    "group.max.session.timeout.ms", Int = "1800000", Any, Medium, ReadOnly, Public, Used;
        "The largest session timeout that a classic member may ask for."
    "group.max.size", Int = "2147483647", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The most members of a classic group."
    "group.min.session.timeout.ms", Int = "6000", Any, Medium, ReadOnly, Public, Used;
        "The smallest session timeout that a classic member may ask for."
    "group.share.assignment.interval.ms", Int = "1000", AtLeast(0), Medium, ClusterWide, Public, Used;
        "The least time between two assignments of a share group."
    "group.share.assignors", List = "simple", SOME_ENTRIES, Medium, ReadOnly, Public, Used;
        "The assignors that share groups may use."
    "group.share.delivery.count.limit", Int = "5", Between(2, 10), Medium, ReadOnly, Public, Used;
        "How often a record is delivered to a share group at most."
    "group.share.heartbeat.interval.ms", Int = "5000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "How often members of a share group report."
    "group.share.initialize.retry.interval.ms", Int = "30000", AtLeast(1), Low, ReadOnly, Internal, Used;
        "How long to wait before a share partition's state is initialised again."
    "group.share.max.assignment.interval.ms", Int = "15000", AtLeast(0), Medium, ReadOnly, Public, Used;
        "The largest assignment interval that a share group may ask for."
    "group.share.max.delivery.count.limit", Int = "10", Between(5, 25), Medium, ReadOnly, Public, Used;
        "The largest delivery count limit that a share group may ask for."
    "group.share.max.heartbeat.interval.ms", Int = "15000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The largest heartbeat interval that a share group may ask for."
    "group.share.max.partition.max.record.locks", Int = "4000", Between(2_000, 10_000), Medium, ReadOnly, Public, Used;
        "The largest number of record locks per partition that a share group may ask for."
    "group.share.max.record.lock.duration.ms", Int = "60000", Between(30_000, 3_600_000), Medium, ReadOnly, Public, Used;
        "The longest record lock that a share group may ask for."
    "group.share.max.session.timeout.ms", Int = "60000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The largest session timeout that a share group may ask for."
    "group.share.max.share.sessions", Int = "2000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The most share sessions of a broker."
    "group.share.max.size", Int = "200", Between(1, 1_000), Medium, ReadOnly, Public, Used;
        "The most members of a share group."
    "group.share.min.assignment.interval.ms", Int = "0", AtLeast(0), Medium, ReadOnly, Public, Used;
        "The smallest assignment interval that a share group may ask for."
    "group.share.min.delivery.count.limit", Int = "2", Between(2, 5), Medium, ReadOnly, Public, Used;
        "The smallest delivery count limit that a share group may ask for."
    "group.share.min.heartbeat.interval.ms", Int = "5000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The smallest heartbeat interval that a share group may ask for."
    "group.share.min.partition.max.record.locks", Int = "100", Between(100, 2_000), Medium, ReadOnly, Public, Used;
        "The smallest number of record locks per partition that a share group may ask for."
    "group.share.min.record.lock.duration.ms", Int = "15000", Between(1_000, 30_000), Medium, ReadOnly, Public, Used;
        "The shortest record lock that a share group may ask for."
    "group.share.min.session.timeout.ms", Int = "45000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The smallest session timeout that a share group may ask for."
    "group.share.partition.max.record.locks", Int = "2000", Between(100, 10_000), Medium, ReadOnly, Public, Used;
        "The most records of a partition that a share group may hold locked."
    "group.share.persister.class.name", String = "org.apache.kafka.server.share.persister.DefaultStatePersister", Any, Medium, ReadOnly, Internal, Later;
        "The class that stores the state of share groups."
    "group.share.record.lock.duration.ms", Int = "30000", Between(1_000, 3_600_000), Medium, ReadOnly, Public, Used;
        "How long a member may hold a record of a share group."
    "group.share.session.timeout.ms", Int = "45000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "How long a silent member of a share group is waited for."
    "group.streams.assignment.interval.ms", Int = "1000", AtLeast(0), Medium, ClusterWide, Public, Later;
        "The least time between two assignments of a streams group."
    "group.streams.heartbeat.interval.ms", Int = "5000", AtLeast(1), Medium, ReadOnly, Public, Later;
        "How often members of a streams group report."
    "group.streams.initial.rebalance.delay.ms", Int = "3000", AtLeast(0), Medium, ReadOnly, Public, Later;
        "How long an empty streams group waits for more members before its first rebalance."
    "group.streams.max.assignment.interval.ms", Int = "15000", AtLeast(0), Medium, ReadOnly, Public, Later;
        "The largest assignment interval that a streams group may ask for."
    "group.streams.max.heartbeat.interval.ms", Int = "15000", AtLeast(1), Medium, ReadOnly, Public, Later;
        "The largest heartbeat interval that a streams group may ask for."
    "group.streams.max.session.timeout.ms", Int = "60000", AtLeast(1), Medium, ReadOnly, Public, Later;
        "The largest session timeout that a streams group may ask for."
    "group.streams.max.size", Int = "2147483647", AtLeast(1), Medium, ReadOnly, Public, Later;
        "The most members of a streams group."
    "group.streams.max.standby.replicas", Int = "2", AtLeast(0), Medium, ReadOnly, Public, Later;
        "The most standby replicas that a streams group may ask for."
    "group.streams.min.assignment.interval.ms", Int = "0", AtLeast(0), Medium, ReadOnly, Public, Later;
        "The smallest assignment interval that a streams group may ask for."
    "group.streams.min.heartbeat.interval.ms", Int = "5000", AtLeast(1), Medium, ReadOnly, Public, Later;
        "The smallest heartbeat interval that a streams group may ask for."
    "group.streams.min.session.timeout.ms", Int = "45000", AtLeast(1), Medium, ReadOnly, Public, Later;
        "The smallest session timeout that a streams group may ask for."
    "group.streams.num.standby.replicas", Int = "0", AtLeast(0), Medium, ReadOnly, Public, Later;
        "Standby replicas of each task of a streams group."
    "group.streams.session.timeout.ms", Int = "45000", AtLeast(1), Medium, ReadOnly, Public, Later;
        "How long a silent member of a streams group is waited for."
    "offset.metadata.max.bytes", Int = "4096", Any, High, ReadOnly, Public, Used;
        "The longest metadata text that a consumer may commit beside an offset."
    "offsets.commit.timeout.ms", Int = "5000", AtLeast(1), High, ReadOnly, Public, Used;
        "How long a commit of offsets waits for the replicas."
    "offsets.load.buffer.size", Int = "5242880", AtLeast(1), High, ReadOnly, Public, Used;
        "How many bytes are read at once while committed offsets are loaded."
    "offsets.retention.check.interval.ms", Long = "600000", AtLeast(1), High, ReadOnly, Public, Used;
        "How often expired offsets are looked for."
    "offsets.retention.minutes", Int = "10080", AtLeast(1), High, ReadOnly, Public, Used;
        "How long an unused group's offsets are kept."
    "offsets.topic.compression.codec", Int = "0", Any, High, ReadOnly, Public, Used;
        "The codec of the offsets topic, by number; 0 is none."
    "offsets.topic.num.partitions", Int = "50", AtLeast(1), High, ReadOnly, Public, Used;
        "Partitions of the offsets topic; not to be changed later."
    "offsets.topic.replication.factor", Short = "3", AtLeast(1), High, ReadOnly, Public, Used;
        "Replicas of the offsets topic."
    "offsets.topic.segment.bytes", Int = "104857600", AtLeast(1), High, ReadOnly, Public, Used;
        "The largest segment of the offsets topic."
    "share.coordinator.append.linger.ms", Int = "-1", AtLeast(-1), Medium, ReadOnly, Public, Later;
        "How long the share coordinator gathers records before it writes them; -1 adapts."
    "share.coordinator.cached.buffer.max.bytes", Int = "1048588", AtLeast(524_288), Medium, ClusterWide, Public, Later;
        "The largest buffer that the share coordinator keeps for its next batch."
    "share.coordinator.cold.partition.snapshot.interval.ms", Int = "300000", AtLeast(1), Low, ReadOnly, Internal, Used;
        "How often the state of share partitions without traffic is written anew."
    "share.coordinator.load.buffer.size", Int = "5242880", AtLeast(1), High, ReadOnly, Public, Used;
        "How many bytes are read at once while share state is loaded."
    "share.coordinator.snapshot.update.records.per.snapshot", Int = "500", Between(0, 500), Medium, ReadOnly, Public, Used;
        "Updates of share state after which a snapshot is written."
    "share.coordinator.state.topic.compression.codec", Int = "0", Any, High, ReadOnly, Public, Used;
        "The codec of the share state topic, by number; 0 is none."
    "share.coordinator.state.topic.min.isr", Short = "2", AtLeast(1), High, ReadOnly, Public, Used;
        "min.insync.replicas of the share state topic."
    "share.coordinator.state.topic.num.partitions", Int = "50", AtLeast(1), High, ReadOnly, Public, Used;
        "Partitions of the share state topic; not to be changed later."
    "share.coordinator.state.topic.prune.interval.ms", Int = "300000", AtLeast(1), Low, ReadOnly, Internal, Used;
        "How often the share state topic is pruned."
    "share.coordinator.state.topic.replication.factor", Short = "3", AtLeast(1), High, ReadOnly, Public, Used;
        "Replicas of the share state topic."
    "share.coordinator.state.topic.segment.bytes", Int = "104857600", AtLeast(1), High, ReadOnly, Public, Used;
        "The largest segment of the share state topic."
    "share.coordinator.threads", Int = "1", AtLeast(1), Medium, ReadOnly, Public, Unneeded;
        "Threads of the share coordinator in Kafka."
    "share.coordinator.write.timeout.ms", Int = "5000", AtLeast(1), High, ReadOnly, Public, Used;
        "How long a write of share state waits for the replicas."
    "transaction.abort.timed.out.transaction.cleanup.interval.ms", Int = "10000", AtLeast(1), Low, ReadOnly, Public, Later;
        "How often transactions that took too long are looked for."
    "transaction.max.timeout.ms", Int = "900000", AtLeast(1), High, ReadOnly, Public, Later;
        "The longest timeout that a transaction may ask for."
    "transaction.partition.verification.enable", Boolean = "true", Any, Low, ClusterWide, Public, Later;
        "Whether a partition's leader asks the coordinator before it takes a transaction's first batch."
    "transaction.remove.expired.transaction.cleanup.interval.ms", Int = "3600000", AtLeast(1), Low, ReadOnly, Public, Later;
        "How often expired transactional ids are looked for."
    "transaction.state.log.load.buffer.size", Int = "5242880", AtLeast(1), High, ReadOnly, Public, Later;
        "How many bytes are read at once while transactions are loaded."
    "transaction.state.log.min.isr", Int = "2", AtLeast(1), High, ReadOnly, Public, Later;
        "min.insync.replicas of the transaction topic."
    "transaction.state.log.num.partitions", Int = "50", AtLeast(1), High, ReadOnly, Public, Later;
        "Partitions of the transaction topic; not to be changed later."
    "transaction.state.log.replication.factor", Short = "3", AtLeast(1), High, ReadOnly, Public, Later;
        "Replicas of the transaction topic."
    "transaction.state.log.segment.bytes", Int = "104857600", AtLeast(1), High, ReadOnly, Public, Later;
        "The largest segment of the transaction topic."
    "transaction.two.phase.commit.enable", Boolean = "false", Any, Low, ReadOnly, Public, NotBuilt;
        "Whether transactions may take part in a two-phase commit of others."
    "transactional.id.expiration.ms", Int = "604800000", AtLeast(1), High, ReadOnly, Public, Later;
        "How long an unused transactional id is remembered."
}
