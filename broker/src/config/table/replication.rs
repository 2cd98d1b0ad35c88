//! Keys of replication, the controller and the metadata log.

use super::*;

keys! { pub(crate) REPLICATION:
    "auto.leader.rebalance.enable", Boolean = "true", Any, High, ReadOnly, Public, Later;
        "Whether leaderships return to the preferred replicas by themselves."
    "controller.listener.names", List = null, SOME_ENTRIES, High, ReadOnly, Public, Used;
        "The names of the listeners that the controller serves."
    "controller.performance.always.log.threshold.ms", Long = "2000", AtLeast(0), Medium, ReadOnly, Internal, Unneeded;
        "Controller events slower than this are logged in Kafka."
    "controller.performance.sample.period.ms", Long = "60000", AtLeast(100), Medium, ReadOnly, Internal, Unneeded;
        "How often Kafka logs the controller's slowest event."
    "controller.quorum.append.linger.ms", Int = "25", AtLeast(0), Medium, ReadOnly, Public, Later;
        "How long the controller gathers records before it writes them."
    "controller.quorum.auto.join.enable", Boolean = "false", Any, Low, ReadOnly, Public, NotBuilt;
        "Whether a controller joins the quorum by itself."
    "controller.quorum.bootstrap.servers", List = "", Any, High, ReadOnly, Public, Used;
        "Where to find the controllers, as host:port."
    "controller.quorum.election.backoff.max.ms", Int = "1000", AtLeast(0), High, ReadOnly, Public, Later;
        "The most that the wait between two elections grows to."
    "controller.quorum.election.timeout.ms", Int = "1000", AtLeast(0), High, ReadOnly, Public, Later;
        "How long a candidate waits for votes."
    "controller.quorum.fetch.max.bytes", Int = "1048576", AtLeast(1), Low, ReadOnly, Public, Later;
        "The most bytes that one fetch of the metadata log returns."
    "controller.quorum.fetch.snapshot.max.bytes", Int = "1048576", AtLeast(1), Low, ReadOnly, Public, Later;
        "The most bytes that one fetch of a metadata snapshot returns."
    "controller.quorum.fetch.timeout.ms", Int = "2000", AtLeast(0), High, ReadOnly, Public, Later;
        "How long a voter goes on without word from the leader."
    "controller.quorum.request.timeout.ms", Int = "2000", AtLeast(0), Medium, ReadOnly, Public, Later;
        "How long a request in the quorum waits for its answer."
    "controller.quorum.retry.backoff.ms", Int = "20", AtLeast(0), Low, ReadOnly, Public, Later;
        "How long to wait before a request in the quorum is tried again."
    "controller.quorum.voters", List = "", Any, High, ReadOnly, Public, Used;
        "The voters of a static quorum, as id@host:port."
    "controller.socket.timeout.ms", Int = "30000", Any, Medium, ReadOnly, Public, Later;
        "How long a request to the controller waits for its answer."
    "default.replication.factor", Int = "1", Any, Medium, ReadOnly, Public, Used;
        "How many replicas a topic gets when none are asked for."
    "follower.fetch.last.tiered.offset.enable", Boolean = "false", Any, Medium, ClusterWide, Public, Later;
        "Whether a new follower starts at the end of what is tiered."
    "internal.metadata.delete.delay.millis", Long = "60000", Any, Low, ReadOnly, Internal, Used;
        "How long a deleted file of the metadata log stays on disk."
    "internal.metadata.log.segment.bytes", Int = null, Any, Low, ReadOnly, Internal, Used;
        "The largest segment of the metadata log, without a lower limit."
    "internal.metadata.max.batch.size.in.bytes", Int = "8388608", Any, Low, ReadOnly, Internal, Later;
        "The largest batch of the metadata log."
    "leader.imbalance.check.interval.seconds", Long = "300", AtLeast(1), High, ReadOnly, Public, Later;
        "How often the balance of leaderships is looked at."
    "metadata.log.dir", String = null, Any, High, ReadOnly, Public, Used;
        "The directory of the metadata log; without it the first of log.dirs."
    "metadata.log.max.record.bytes.between.snapshots", Long = "20971520", AtLeast(1), High, ReadOnly, Public, Used;
        "Bytes of metadata records after which a snapshot is written."
    "metadata.log.max.snapshot.interval.ms", Long = "3600000", AtLeast(0), High, ReadOnly, Public, Used;
        "Time after which a snapshot of the metadata is written; 0 is never."
    "metadata.log.segment.bytes", Int = "1073741824", AtLeast(8_388_608), High, ReadOnly, Public, Used;
        "The largest segment of the metadata log."
    "metadata.log.segment.ms", Long = "604800000", Any, High, ReadOnly, Public, Used;
        "Time after which the metadata log begins a new segment."
    "metadata.max.idle.interval.ms", Int = "500", AtLeast(0), Low, ReadOnly, Public, Later;
        "How often the controller writes an empty record when nothing else happens; 0 is never."
    "metadata.max.retention.bytes", Long = "104857600", Any, High, ReadOnly, Public, Used;
        "Bytes of metadata log and snapshots after which the oldest go."
    "metadata.max.retention.ms", Long = "604800000", Any, High, ReadOnly, Public, Used;
        "Time after which old metadata log and snapshots go."
    "num.replica.alter.log.dirs.threads", Int = null, Any, High, ReadOnly, Public, Unneeded;
        "Threads that move replicas between directories in Kafka."
    "num.replica.fetchers", Int = "1", AtLeast(1), High, ClusterWide, Public, Unneeded;
        "Threads that fetch from each leader in Kafka."
    "replica.fetch.backoff.ms", Int = "1000", AtLeast(0), Medium, ReadOnly, Public, Later;
        "How long a follower waits after an error."
    "replica.fetch.max.bytes", Int = "1048576", AtLeast(0), Medium, ReadOnly, Public, Later;
        "How many bytes a follower asks for per partition."
    "replica.fetch.min.bytes", Int = "1", Any, High, ReadOnly, Public, Later;
        "How many bytes a follower waits for."
    "replica.fetch.response.max.bytes", Int = "10485760", AtLeast(0), Medium, ReadOnly, Public, Later;
        "How many bytes a follower asks for per request."
    "replica.fetch.wait.max.ms", Int = "500", Any, High, ReadOnly, Public, Later;
        "How long a follower waits for bytes."
    "replica.high.watermark.checkpoint.interval.ms", Long = "5000", Any, High, ReadOnly, Public, Unneeded;
        "How often the high watermarks are written to disk."
    "replica.lag.time.max.ms", Long = "30000", Any, High, ReadOnly, Public, Later;
        "How long a follower may be behind before it leaves the in-sync replicas."
    "replica.selector.class", String = null, Any, Medium, ReadOnly, Public, NotBuilt;
        "The class that picks the replica that a consumer should read from."
    "replica.socket.receive.buffer.bytes", Int = "65536", Any, High, ReadOnly, Public, Later;
        "The receive buffer of a follower's socket."
    "replica.socket.timeout.ms", Int = "30000", Any, High, ReadOnly, Public, Later;
        "How long a follower's request waits for its answer."
    "unclean.leader.election.enable", Boolean = "false", Any, High, ClusterWide, Public, Later;
        "Whether a replica that is not in sync may lead when no other can, at the price of lost records."
    "unclean.leader.election.interval.ms", Long = "300000", AtLeast(1), Medium, ReadOnly, Internal, Later;
        "How often an unclean election is looked at."
    "follower.replication.throttled.rate", Long = null, AtLeast(0), Medium, ClusterWide, Internal, Later;
        "Bytes a second that throttled replicas follow with; set at run time only."
    "leader.replication.throttled.rate", Long = null, AtLeast(0), Medium, ClusterWide, Internal, Later;
        "Bytes a second that throttled replicas are sent; set at run time only."
    "replica.alter.log.dirs.io.max.bytes.per.second", Long = null, AtLeast(0), Medium, ClusterWide, Internal, Later;
        "Bytes a second with which replicas move between directories; set at run time only."
}
