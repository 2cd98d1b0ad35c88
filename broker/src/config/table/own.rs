//! Odradek's own keys.

use super::*;

keys! { pub(crate) OWN:
    "odradek.admin.listener", String = "127.0.0.1:9644", Any, Medium, ReadOnly, Public, Used;
        "Where /health and /metrics are served, as host:port; empty serves them nowhere."
    "odradek.cluster.id", String = null, Any, Medium, ReadOnly, Public, Used;
        "The cluster that the data belongs to, 22 characters of base64url; made up at the first start, if not set."
    "odradek.client.telemetry", Boolean = "false", Any, Low, ReadOnly, Public, Used;
        "Whether clients are asked for their metrics, as subscriptions (kafka-client-metrics) say, and these are shown on /metrics."
    "odradek.commit.log.bytes", String = "64MiB", Any, Low, ReadOnly, Public, Used;
        "The size of one file of a shard's commit log, in bytes or as 64MiB; a multiple of 4096."
    "odradek.durability", String = "sync", OneOf(&["sync", "written"]), High, ReadOnly, Public, Used;
        "When a record is acknowledged: once it is on stable storage (sync), or once its write has completed (written)."
    "odradek.extent.bytes", String = "256KiB", Any, Low, ReadOnly, Public, Used;
        "From how many bytes on a batch is written straight into its segment, in bytes or as 256KiB; a huge value never does."
    "odradek.memory", String = null, Any, High, ReadOnly, Public, Used;
        "Memory for records and requests, in bytes or as 64MiB, 2GiB; a quarter of what the cgroup or machine has, if not set."
    "odradek.scrub.bytes.per.second", String = "8MiB", Any, Medium, ReadOnly, Public, Used;
        "How fast everything in a log directory is read again to find damage, by all shards together, in bytes or as 8MiB; 0 = not at all."
    "odradek.scrub.interval.ms", Long = "86400000", AtLeast(0), Low, ReadOnly, Public, Used;
        "How long after the beginning of one such pass the next one begins, if it has ended."
    "odradek.shards", Int = null, Between(1, 1024), High, ReadOnly, Public, Used;
        "Shards, one thread each; one per core, if not set."
}
