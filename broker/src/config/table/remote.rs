//! Keys of tiered storage.

use super::*;

keys! { pub(crate) REMOTE:
    "remote.fetch.max.wait.ms", Int = "500", AtLeast(1), Medium, ClusterWide, Public, Later;
        "How long a fetch waits for tiered data."
    "remote.list.offsets.request.timeout.ms", Long = "30000", AtLeast(1), Medium, ClusterWide, Public, Later;
        "How long a search for offsets in tiered data may take."
    "remote.log.index.file.cache.total.size.bytes", Long = "1073741824", AtLeast(1), Low, ClusterWide, Public, Later;
        "Disk space for cached indexes of tiered segments."
    "remote.log.index.file.cache.ttl.ms", Long = "900000", AtLeast(-1), Low, ReadOnly, Internal, Later;
        "How long an unused cached index of a tiered segment stays; -1 is for ever."
    "remote.log.manager.copier.thread.pool.size", Int = "10", AtLeast(1), Medium, ClusterWide, Public, Later;
        "Threads that copy segments to the tier."
    "remote.log.manager.copy.max.bytes.per.second", Long = "9223372036854775807", AtLeast(1), Medium, ClusterWide, Public, Later;
        "The most bytes per second copied to the tier."
    "remote.log.manager.copy.quota.window.num", Int = "11", AtLeast(1), Medium, ReadOnly, Public, Later;
        "Samples kept to measure copies to the tier."
    "remote.log.manager.copy.quota.window.size.seconds", Int = "1", AtLeast(1), Medium, ReadOnly, Public, Later;
        "The length of a sample that measures copies to the tier."
    "remote.log.manager.expiration.thread.pool.size", Int = "10", AtLeast(1), Medium, ClusterWide, Public, Later;
        "Threads that delete expired tiered segments."
    "remote.log.manager.fetch.max.bytes.per.second", Long = "9223372036854775807", AtLeast(1), Medium, ClusterWide, Public, Later;
        "The most bytes per second read from the tier."
    "remote.log.manager.fetch.quota.window.num", Int = "11", AtLeast(1), Medium, ReadOnly, Public, Later;
        "Samples kept to measure reads from the tier."
    "remote.log.manager.fetch.quota.window.size.seconds", Int = "1", AtLeast(1), Medium, ReadOnly, Public, Later;
        "The length of a sample that measures reads from the tier."
    "remote.log.manager.follower.thread.pool.size", Int = "2", AtLeast(1), Medium, ClusterWide, Public, Later;
        "Threads that followers use for tiered partitions."
    "remote.log.manager.task.interval.ms", Long = "30000", AtLeast(1), Low, ReadOnly, Public, Later;
        "How often it is looked at what must be copied or deleted."
    "remote.log.manager.task.retry.backoff.max.ms", Long = "30000", AtLeast(1), Low, ReadOnly, Internal, Later;
        "The most that the wait after a failed tier task grows to."
    "remote.log.manager.task.retry.backoff.ms", Long = "500", AtLeast(1), Low, ReadOnly, Internal, Later;
        "How long to wait after a failed tier task."
    "remote.log.manager.task.retry.jitter", Double = "0.2", Fraction(0.0, 0.5), Low, ReadOnly, Internal, Later;
        "The share of random time in the wait after a failed tier task."
    "remote.log.manager.thread.pool.size", Int = "2", AtLeast(1), Medium, ReadOnly, Public, Later;
        "Threads of the tier's tasks, under its older name."
    "remote.log.metadata.custom.metadata.max.bytes", Int = "128", AtLeast(0), Low, ReadOnly, Public, Later;
        "The largest metadata that a storage plug-in may attach to a segment."
    "remote.log.metadata.manager.class.name", String = "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager", NonEmpty, Medium, ReadOnly, Public, Later;
        "The class that keeps the tier's metadata."
    "remote.log.metadata.manager.class.path", String = null, Any, Medium, ReadOnly, Public, Later;
        "Where the class that keeps the tier's metadata is found."
    "remote.log.metadata.manager.impl.prefix", String = "rlmm.config.", NonEmpty, Medium, ReadOnly, Public, Later;
        "The prefix of keys handed to the class that keeps the tier's metadata."
    "remote.log.metadata.manager.listener.name", String = null, NonEmpty, Medium, ReadOnly, Public, Later;
        "The listener that the tier's metadata travels over."
    "remote.log.reader.max.pending.tasks", Int = "100", AtLeast(1), Medium, ReadOnly, Public, Later;
        "The most reads from the tier that wait."
    "remote.log.reader.threads", Int = "10", AtLeast(1), Medium, ClusterWide, Public, Later;
        "Threads that read from the tier."
    "remote.log.storage.manager.class.name", String = null, NonEmpty, Medium, ReadOnly, Public, Later;
        "The class that stores tiered segments."
    "remote.log.storage.manager.class.path", String = null, Any, Medium, ReadOnly, Public, Later;
        "Where the class that stores tiered segments is found."
    "remote.log.storage.manager.impl.prefix", String = "rsm.config.", NonEmpty, Medium, ReadOnly, Public, Later;
        "The prefix of keys handed to the class that stores tiered segments."
    "remote.log.storage.system.enable", Boolean = "false", Any, Medium, ReadOnly, Public, NotBuilt;
        "Whether segments may be tiered at all."
}
