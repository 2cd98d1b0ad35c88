//! Odradek's own keys.

use super::*;

keys! { pub(crate) OWN:
    "odradek.admin.listener", String = "127.0.0.1:9644", Any, Medium, ReadOnly, Public, Used;
        "Where /health and /metrics are served, as host:port; empty serves them nowhere."
    "odradek.durability", String = "sync", OneOf(&["sync", "written"]), High, ReadOnly, Public, Used;
        "When a record is acknowledged: once it is on stable storage (sync), or once its write has completed (written)."
    "odradek.memory", String = null, Any, High, ReadOnly, Public, Used;
        "Memory for records and requests, in bytes or as 64MiB, 2GiB; a quarter of what the cgroup or machine has, if not set."
    "odradek.shards", Int = null, Between(1, 1024), High, ReadOnly, Public, Used;
        "Shards, one thread each; one per core, if not set."
}
