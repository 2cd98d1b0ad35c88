//! Keys of the process, its listeners, connections, quotas and metrics.

use super::*;

keys! { pub(crate) SERVER:
    "advertised.listeners", List = null, SOME_ENTRIES, High, ReadOnly, Public, Used;
        "The addresses that clients are told to connect to, one per listener name; without it the listeners themselves."
    "alter.log.dirs.replication.quota.window.num", Int = "11", AtLeast(1), Low, ReadOnly, Public, Later;
        "Samples kept to measure moves between log directories."
    "alter.log.dirs.replication.quota.window.size.seconds", Int = "1", AtLeast(1), Low, ReadOnly, Public, Later;
        "The length of a sample that measures moves between log directories."
    "authorizer.class.name", String = "", Any, Low, ReadOnly, Public, NotBuilt;
        "The class that decides who may do what; empty means that everyone may do everything."
    "background.threads", Int = "10", AtLeast(1), High, ClusterWide, Public, Unneeded;
        "Threads for background work in Kafka."
    "broker.heartbeat.interval.ms", Int = "2000", Any, Medium, ReadOnly, Public, Later;
        "How often a broker tells the controller that it lives."
    "broker.id", Int = "-1", Any, High, ReadOnly, Public, Used;
        "The node's id under its older name; node.id is the one to set."
    "broker.rack", String = null, Any, Medium, ReadOnly, Public, Used;
        "The rack (or zone) that this broker stands in; replicas are spread over racks."
    "broker.session.timeout.ms", Int = "9000", Any, Medium, ReadOnly, Public, Later;
        "How long the controller waits for a heartbeat before it takes a broker for dead."
    "client.quota.callback.class", Class = null, Any, Low, ReadOnly, Public, NotBuilt;
        "The class that computes client quotas."
    "config.providers", List = "", ENTRIES, Low, ClusterWide, Public, NotBuilt;
        "Names of providers that fetch configuration values from elsewhere."
    "connection.failed.authentication.delay.ms", Int = "100", AtLeast(0), Low, ReadOnly, Public, Later;
        "How long the answer to a failed authentication is held back."
    "connections.max.idle.ms", Long = "600000", Any, Medium, ReadOnly, Public, Used;
        "A connection without traffic for this long is closed; a negative value never closes one."
    "connections.max.reauth.ms", Long = "0", Any, Medium, ReadOnly, Public, Later;
        "If above 0, how long a SASL session may live before the client must authenticate again."
    "controlled.shutdown.enable", Boolean = "true", Any, Medium, ReadOnly, Public, Later;
        "Whether a broker that stops moves its leaderships away first."
    "controller.quota.window.num", Int = "11", AtLeast(1), Low, ReadOnly, Public, Later;
        "Samples kept to measure quotas of topic changes."
    "controller.quota.window.size.seconds", Int = "1", AtLeast(1), Low, ReadOnly, Public, Later;
        "The length of a sample that measures quotas of topic changes."
    "delete.records.purgatory.purge.interval.requests", Int = "1", Any, Medium, ReadOnly, Public, Unneeded;
        "How often Kafka purges its waiting DeleteRecords, in requests."
    "delete.topic.enable", Boolean = "true", Any, High, ReadOnly, Public, Used;
        "Whether topics may be deleted."
    "early.start.listeners", List = null, ENTRIES, High, ReadOnly, Public, Later;
        "Listeners that open before the authorizer has loaded."
    "fetch.max.bytes", Int = "57671680", AtLeast(1_024), Medium, ReadOnly, Public, Used;
        "The most bytes that one Fetch request is answered with."
    "fetch.purgatory.purge.interval.requests", Int = "1000", Any, Medium, ReadOnly, Public, Unneeded;
        "How often Kafka purges its waiting fetches, in requests."
    "initial.broker.registration.timeout.ms", Int = "60000", Any, Medium, ReadOnly, Public, Later;
        "How long a starting broker tries to register before it gives up."
    "inter.broker.listener.name", String = null, Any, Medium, ReadOnly, Public, Used;
        "The listener over which brokers talk to each other."
    "kafka.metrics.polling.interval.secs", Int = "10", AtLeast(1), Low, ReadOnly, Public, Unneeded;
        "How often Kafka's own metric reporters are polled."
    "kafka.metrics.reporters", List = "", ENTRIES, Low, ReadOnly, Public, Unneeded;
        "Classes that report Kafka's metrics; Odradek serves /metrics instead."
    "listener.security.protocol.map", String = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", Any, Low, PerBroker, Public, Used;
        "Which security protocol each listener name speaks."
    "listeners", List = "PLAINTEXT://:9092", SOME_ENTRIES, High, PerBroker, Public, Used;
        "The listeners to open, as name://host:port; an empty host means every interface."
    "max.connection.creation.rate", Int = "2147483647", AtLeast(0), Medium, ClusterWide, Public, Used;
        "The most new connections per second."
    "max.connections.per.ip.overrides", String = "", Any, Medium, ClusterWide, Public, Used;
        "Other limits for single addresses, as address:count, comma separated."
    "max.connections.per.ip", Int = "2147483647", AtLeast(0), Medium, ClusterWide, Public, Used;
        "The most connections from one address."
    "max.connections", Int = "2147483647", AtLeast(0), Medium, ClusterWide, Public, Used;
        "The most connections that are open at once."
    "max.incremental.fetch.session.cache.slots", Int = "1000", AtLeast(0), Medium, ReadOnly, Public, Used;
        "The most fetch sessions that are kept."
    "max.request.partition.size.limit", Int = "2000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "The most partitions that one DescribeTopicPartitions answer holds."
    "metric.reporters", List = "org.apache.kafka.common.metrics.JmxReporter", ENTRIES, Low, ClusterWide, Public, Unneeded;
        "Classes that are told of metrics; Odradek serves /metrics instead."
    "metrics.num.samples", Int = "2", AtLeast(1), Low, ReadOnly, Public, Unneeded;
        "Samples kept to compute a metric in Kafka."
    "metrics.recording.level", String = "INFO", Any, Low, ReadOnly, Public, Unneeded;
        "The most detailed level at which Kafka records metrics."
    "metrics.sample.window.ms", Long = "30000", AtLeast(1), Low, ReadOnly, Public, Unneeded;
        "The window over which Kafka computes a metric's sample."
    "node.id", Int = null, AtLeast(0), High, ReadOnly, Public, Used;
        "This node's id, unique in the cluster."
    "num.io.threads", Int = "8", AtLeast(1), High, ClusterWide, Public, Unneeded;
        "Threads that process requests in Kafka; Odradek has shards."
    "num.network.threads", Int = "3", AtLeast(1), High, ClusterWide, Public, Unneeded;
        "Threads that serve the network in Kafka; Odradek has shards."
    "principal.builder.class", Class = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", Any, Medium, PerBroker, Public, NotBuilt;
        "The class that names the principal of a connection."
    "process.roles", List = null, SomeEntriesOf(&["broker", "controller"]), High, ReadOnly, Public, Used;
        "What this process is: broker, controller or both."
    "producer.purgatory.purge.interval.requests", Int = "1000", Any, Medium, ReadOnly, Public, Unneeded;
        "How often Kafka purges its waiting produces, in requests."
    "queued.max.request.bytes", Long = "-1", Any, Medium, ReadOnly, Public, Unneeded;
        "The most bytes of requests that are held before no more are read; -1 leaves it to the memory budget."
    "queued.max.requests", Int = "500", AtLeast(1), High, ReadOnly, Public, Unneeded;
        "The most requests that are in work at once before no more are read."
    "quota.window.num", Int = "11", AtLeast(1), Low, ReadOnly, Public, Later;
        "Samples kept to measure client quotas."
    "quota.window.size.seconds", Int = "1", AtLeast(1), Low, ReadOnly, Public, Later;
        "The length of a sample that measures client quotas."
    "replication.quota.window.num", Int = "11", AtLeast(1), Low, ReadOnly, Public, Later;
        "Samples kept to measure replication quotas."
    "replication.quota.window.size.seconds", Int = "1", AtLeast(1), Low, ReadOnly, Public, Later;
        "The length of a sample that measures replication quotas."
    "request.timeout.ms", Int = "30000", Any, High, ReadOnly, Public, Later;
        "How long an internal request waits for its answer."
    "security.inter.broker.protocol", String = "PLAINTEXT", OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), Medium, ReadOnly, Public, Used;
        "The security protocol between brokers; only without inter.broker.listener.name."
    "security.providers", String = null, Any, Low, ReadOnly, Public, Unneeded;
        "Classes of Java security providers."
    "server.max.startup.time.ms", Long = "9223372036854775807", AtLeast(0), Medium, ReadOnly, Internal, Unneeded;
        "How long Kafka may take to start."
    "share.fetch.purgatory.purge.interval.requests", Int = "1000", Any, Medium, ReadOnly, Public, Unneeded;
        "How often Kafka purges its waiting share fetches, in requests."
    "socket.connection.setup.timeout.max.ms", Long = "30000", Any, Medium, ReadOnly, Public, Later;
        "The most that the wait for a connection to another node grows to."
    "socket.connection.setup.timeout.ms", Long = "10000", Any, Medium, ReadOnly, Public, Later;
        "How long to wait for a connection to another node at first."
    "socket.listen.backlog.size", Int = "50", AtLeast(1), Medium, ReadOnly, Public, Unneeded;
        "The length of the queue of connections not yet accepted."
    "socket.receive.buffer.bytes", Int = "102400", Any, High, ReadOnly, Public, Used;
        "The receive buffer of a connection's socket; -1 leaves it to the system."
    "socket.request.max.bytes", Int = "104857600", AtLeast(1), High, ReadOnly, Public, Used;
        "The longest request that is read."
    "socket.send.buffer.bytes", Int = "102400", Any, High, ReadOnly, Public, Used;
        "The send buffer of a connection's socket; -1 leaves it to the system."
    "telemetry.max.bytes", Int = "1048576", AtLeast(1), Low, ReadOnly, Public, Used;
        "The longest telemetry push that a client may send."
    "unstable.api.versions.enable", Boolean = "false", Any, High, ReadOnly, Internal, NotBuilt;
        "Whether unreleased versions of requests are served."
    "unstable.feature.versions.enable", Boolean = "false", Any, High, ReadOnly, Internal, NotBuilt;
        "Whether unreleased versions of features are served."
}
