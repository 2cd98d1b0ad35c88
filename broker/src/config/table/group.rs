//! Keys of one group, whatever its protocol.

use super::*;

keys! { pub(crate) GROUP:
    "consumer.assignment.interval.ms", Int = "1000", AtLeast(0), Medium, ClusterWide, Public, Used;
        "The least time between two assignments of the consumer group."
    "consumer.heartbeat.interval.ms", Int = "5000", AtLeast(1), Medium, ClusterWide, Public, Used;
        "How often members of the consumer group report."
    "consumer.session.timeout.ms", Int = "45000", AtLeast(1), Medium, ClusterWide, Public, Used;
        "How long a silent member of the consumer group is waited for."
    "share.assignment.interval.ms", Int = "1000", AtLeast(0), Medium, ClusterWide, Public, Used;
        "The least time between two assignments of the share group."
    "share.auto.offset.reset", String = "latest", OffsetReset, Medium, ClusterWide, Public, Used;
        "Where the share group begins: earliest, latest, or by_duration:PnDTnHnMn.nS before now."
    "share.delivery.count.limit", Int = "5", AtLeast(2), Medium, ClusterWide, Public, Used;
        "How often a record is delivered to the share group at most."
    "share.heartbeat.interval.ms", Int = "5000", AtLeast(1), Medium, ClusterWide, Public, Used;
        "How often members of the share group report."
    "share.isolation.level", String = "read_uncommitted", OneOf(&["read_committed", "read_uncommitted"]), Medium, ClusterWide, Public, Used;
        "Whether the share group sees records of transactions that are open or were aborted."
    "share.partition.max.record.locks", Int = "2000", AtLeast(100), Medium, ClusterWide, Public, Used;
        "How many records of a partition may be locked at a time."
    "share.record.lock.duration.ms", Int = "30000", AtLeast(1000), Medium, ClusterWide, Public, Used;
        "How long a record is locked for the member that it was delivered to."
    "share.renew.acknowledge.enable", Boolean = "true", Any, Medium, ClusterWide, Public, Used;
        "Whether members may renew their locks."
    "share.session.timeout.ms", Int = "45000", AtLeast(1), Medium, ClusterWide, Public, Used;
        "How long a silent member of the share group is waited for."
    "streams.assignment.interval.ms", Int = "1000", AtLeast(0), Medium, ClusterWide, Public, Later;
        "The least time between two assignments of the streams group."
    "streams.heartbeat.interval.ms", Int = "5000", AtLeast(1), Medium, ClusterWide, Public, Later;
        "How often members of the streams group report."
    "streams.initial.rebalance.delay.ms", Int = "3000", AtLeast(0), Medium, ClusterWide, Public, Later;
        "How long an empty streams group waits for more members."
    "streams.num.standby.replicas", Int = "0", AtLeast(0), Medium, ClusterWide, Public, Later;
        "How many standby replicas a task has."
    "streams.session.timeout.ms", Int = "45000", AtLeast(1), Medium, ClusterWide, Public, Later;
        "How long a silent member of the streams group is waited for."
}
