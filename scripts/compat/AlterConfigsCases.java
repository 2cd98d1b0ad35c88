import org.apache.kafka.common.message.ApiMessageType;

/** AlterConfigs and IncrementalAlterConfigs, and what DescribeConfigs says then. */
final class AlterConfigsCases implements Answers.Cases {
    private static final ApiMessageType INCREMENTAL = ApiMessageType.INCREMENTAL_ALTER_CONFIGS, LEGACY = ApiMessageType.ALTER_CONFIGS;
    private static final int TOPIC = 2, BROKER = 4, LOGGER = 8, METRICS = 16, GROUP = 32;
    private static final int SET = 0, DELETE = 1, APPEND = 2, SUBTRACT = 3;

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("alter-shapes", 1);
        for (int v = 0; v <= 1; v++) {
            topics(suite, v);
            brokers(suite, v);
            others(suite, v);
            shapes(suite, v);
        }
        for (int v = 0; v <= 2; v++) {
            legacy(suite, v);
        }
    }

    private static void topics(Suite suite, int version) throws Exception {
        String name = "alter-" + version;
        suite.topic(name, 1, "retention.ms=1000");
        String[][] steps = {
            {"set", op("retention.ms", SET, "2000")},
            {"set and delete", op("retention.ms", DELETE, null) + "," + op("segment.bytes", SET, "2097152")},
            {"append to a default", op("cleanup.policy", APPEND, "compact")},
            {"append what is there", op("cleanup.policy", APPEND, "compact")},
            {"subtract", op("cleanup.policy", SUBTRACT, "delete")},
            {"subtract what is not there", op("cleanup.policy", SUBTRACT, "delete")},
            {"subtract the rest", op("cleanup.policy", SUBTRACT, "compact")},
            {"delete", op("cleanup.policy", DELETE, null)},
            {"delete what is not set", op("flush.ms", DELETE, null)},
            {"delete with a value", op("segment.bytes", DELETE, "1")},
            {"throttled replicas", op("leader.replication.throttled.replicas", SET, "*")},
            {"unclean elections", op("unclean.leader.election.enable", SET, "true")},
            {"min.insync.replicas", op("min.insync.replicas", SET, "1")},
        };
        for (String[] step : steps) {
            suite.same("a topic: " + step[0], INCREMENTAL, version, peer -> body(false, resource(TOPIC, name, step[1])));
            described(suite, "after: " + step[0], TOPIC, name);
        }
        suite.same("only validated", INCREMENTAL, version, peer -> body(true, resource(TOPIC, name, op("retention.ms", SET, "77"))));
        described(suite, "after only validated", TOPIC, name);
        String[][] refused = {
            {"a bad value", op("retention.ms", SET, "x")},
            {"too small", op("segment.bytes", SET, "12")},
            {"an unknown key", op("no.such", SET, "x")},
            {"an unknown key deleted", op("no.such", DELETE, null)},
            {"append to a number", op("retention.ms", APPEND, "1")},
            {"subtract from a number", op("retention.ms", SUBTRACT, "1")},
            {"append to an unknown key", op("no.such", APPEND, "1")},
            {"an unknown policy", op("cleanup.policy", SET, "shred")},
            {"null", op("retention.ms", SET, null)},
            {"two nulls", op("retention.ms", SET, null) + "," + op("segment.ms", APPEND, null)},
            {"a key twice", op("retention.ms", SET, "1") + "," + op("retention.ms", SET, "2")},
            {"good and bad", op("retention.ms", SET, "1") + "," + op("segment.bytes", SET, "x")},
            {"lags that conflict", op("min.compaction.lag.ms", SET, "10") + "," + op("max.compaction.lag.ms", SET, "5")},
            {"tiered", op("remote.storage.enable", SET, "true")},
            {"bad throttled replicas", op("leader.replication.throttled.replicas", SET, "1:x")},
            {"an empty value", op("retention.ms", SET, "")},
        };
        for (String[] one : refused) {
            suite.same("a topic: " + one[0], INCREMENTAL, version, peer -> body(false, resource(TOPIC, name, one[1])));
        }
        for (String other : new String[] {"alter-none", "a b", "", "..", "n".repeat(250)}) {
            suite.same("the topic '" + other + "'", INCREMENTAL, version, peer -> body(false, resource(TOPIC, other, op("retention.ms", SET, "1"))));
        }
    }

    private static void brokers(Suite suite, int version) throws Exception {
        String topic = "alter-under-" + version;
        suite.topic(topic, 1);
        String[][] steps = {
            {"", "all brokers", op("log.retention.ms", SET, "111111") + "," + op("max.connections", SET, "5000")},
            {"1", "one broker", op("log.retention.ms", SET, "222222") + "," + op("log.cleaner.backoff.ms", SET, "1000")},
            {"1", "a list", op("log.cleanup.policy", APPEND, "compact")},
            {"1", "threads", op("num.io.threads", SET, "16")},
            {"1", "deleted", op("log.retention.ms", DELETE, null) + "," + op("log.cleanup.policy", DELETE, null) + "," + op("num.io.threads", DELETE, null)
                + "," + op("log.cleaner.backoff.ms", DELETE, null)},
            {"", "deleted", op("log.retention.ms", DELETE, null) + "," + op("max.connections", DELETE, null)},
            {"", "what is not set", op("log.retention.ms", DELETE, null)},
            {"1", "throttled rates", op("leader.replication.throttled.rate", SET, "1000000") + "," + op("follower.replication.throttled.rate", SET, "1000000")},
            {"1", "throttled rates deleted", op("leader.replication.throttled.rate", DELETE, null) + "," + op("follower.replication.throttled.rate", DELETE, null)},
        };
        for (String[] step : steps) {
            suite.same("broker '" + step[0] + "': " + step[1], INCREMENTAL, version, peer -> body(false, resource(BROKER, step[0], step[2])));
            suite.prepare(peer -> { Thread.sleep(peer.name.equals("kafka") ? 300 : 0); return null; });
            described(suite, "'1' after '" + step[0] + "': " + step[1], BROKER, "1");
            described(suite, "'' after '" + step[0] + "': " + step[1], BROKER, "");
            described(suite, "a topic after '" + step[0] + "': " + step[1], TOPIC, topic);
        }
        String[][] refused = {
            {"1", "a key of the start", op("log.retention.hours", SET, "1")},
            {"1", "a key of the start deleted", op("node.id", DELETE, null)},
            {"1", "a bad value", op("log.segment.bytes", SET, "x")},
            {"", "a key of one broker", op("cordoned.log.dirs", SET, "")},
            {"", "listeners of all", op("listeners", SET, "PLAINTEXT://:1")},
            {"1", "a keystore", op("ssl.keystore.type", SET, "JKS")},
            {"1", "too many threads", op("num.io.threads", SET, "1000")},
            {"1", "too few threads", op("background.threads", SET, "1")},
            {"1", "append to a number", op("log.retention.ms", APPEND, "1")},
            {"1", "append to an unknown key", op("no.such", APPEND, "1")},
            {"1", "an unknown operation", op("log.retention.ms", 9, "1")},
            {"x", "no number", op("log.retention.ms", SET, "1")},
            {"7", "another broker", op("log.retention.ms", SET, "1")},
            {"-1", "a negative broker", op("log.retention.ms", SET, "1")},
            {"1", "a value too long", op("log.cleanup.policy", SET, "x".repeat(30000))},
        };
        for (String[] one : refused) {
            suite.same("broker '" + one[0] + "': " + one[1], INCREMENTAL, version, peer -> body(false, resource(BROKER, one[0], one[2])));
        }
    }

    private static void others(Suite suite, int version) throws Exception {
        suite.same("client metrics", INCREMENTAL, version, peer -> body(false, resource(METRICS, "sub-" + version,
            op("metrics", SET, "org.apache.kafka.producer.") + "," + op("interval.ms", SET, "1000") + "," + op("match", SET, "client_software_version=11.1.*"))));
        described(suite, "client metrics", METRICS, "sub-" + version);
        described(suite, "client metrics that are not there", METRICS, "no-sub");
        described(suite, "client metrics without name", METRICS, "");
        String[] bad = {op("interval.ms", SET, "99"), op("interval.ms", SET, "x"), op("match", SET, "client_id"), op("match", SET, "colour=red"),
            op("match", SET, "client_id=("), op("no.such", SET, "1"), op("metrics", APPEND, "a,b"), op("interval.ms", APPEND, "1")};
        for (String one : bad) {
            suite.same("client metrics: " + one, INCREMENTAL, version, peer -> body(true, resource(METRICS, "bad", one)));
        }
        suite.same("client metrics without name", INCREMENTAL, version, peer -> body(true, resource(METRICS, "", op("interval.ms", SET, "1000"))));
        suite.same("client metrics deleted", INCREMENTAL, version, peer -> body(false, resource(METRICS, "sub-" + version,
            op("metrics", DELETE, null) + "," + op("interval.ms", DELETE, null) + "," + op("match", DELETE, null))));

        suite.same("a group", INCREMENTAL, version, peer -> body(false, resource(GROUP, "group-" + version,
            op("consumer.session.timeout.ms", SET, "50000") + "," + op("share.auto.offset.reset", SET, "by_duration:PT1H") + "," + op("share.isolation.level", SET, "read_committed"))));
        suite.prepare(peer -> { Thread.sleep(peer.name.equals("kafka") ? 300 : 0); return null; });
        described(suite, "a group", GROUP, "group-" + version);
        described(suite, "a group that has nothing", GROUP, "no-group");
        described(suite, "a group without name", GROUP, "");
        String[] limits = {op("consumer.session.timeout.ms", SET, "1"), op("consumer.heartbeat.interval.ms", SET, "16000"), op("share.delivery.count.limit", SET, "1"),
            op("share.delivery.count.limit", SET, "11"), op("share.auto.offset.reset", SET, "never"), op("share.auto.offset.reset", SET, "by_duration:x"),
            op("share.isolation.level", SET, "dirty"), op("no.such", SET, "1"), op("streams.num.standby.replicas", SET, "9"),
            op("share.record.lock.duration.ms", SET, "70000"), op("consumer.assignment.interval.ms", SET, "99999"), op("share.renew.acknowledge.enable", SET, "yes")};
        for (String one : limits) {
            suite.same("a group: " + one, INCREMENTAL, version, peer -> body(true, resource(GROUP, "bad", one)));
        }
        suite.same("a group without name", INCREMENTAL, version, peer -> body(true, resource(GROUP, "", op("share.isolation.level", SET, "read_committed"))));
        suite.same("a group deleted", INCREMENTAL, version, peer -> body(false, resource(GROUP, "group-" + version,
            op("consumer.session.timeout.ms", DELETE, null) + "," + op("share.auto.offset.reset", DELETE, null) + "," + op("share.isolation.level", DELETE, null))));

        String[][] loggers = {{"1", op("root", SET, "INFO")}, {"1", op("root", SET, "LOUD")}, {"1", op("no.such.logger", SET, "INFO")}, {"1", op("root", DELETE, null)},
            {"1", op("root", APPEND, "INFO")}, {"1", op("root", SUBTRACT, "INFO")}, {"1", op("root", 9, "INFO")}, {"7", op("root", SET, "INFO")}, {"x", op("root", SET, "INFO")},
            {"", op("root", SET, "INFO")}};
        for (String[] one : loggers) {
            suite.same("loggers of '" + one[0] + "': " + one[1], INCREMENTAL, version, peer -> body(false, resource(LOGGER, one[0], one[1])));
        }
    }

    private static void shapes(Suite suite, int version) throws Exception {
        suite.same("nothing", INCREMENTAL, version, peer -> body(false));
        suite.same("no configs", INCREMENTAL, version, peer -> body(false, resource(TOPIC, "alter-shapes", "")));
        suite.same("a resource twice", INCREMENTAL, version, peer -> body(false,
            resource(TOPIC, "alter-shapes", op("retention.ms", SET, "1")), resource(TOPIC, "alter-shapes", op("retention.ms", SET, "2"))));
        suite.same("several", INCREMENTAL, version, peer -> body(false, resource(TOPIC, "alter-shapes", op("retention.ms", SET, "1")),
            resource(TOPIC, "alter-none", op("retention.ms", SET, "2")), resource(BROKER, "7", op("log.retention.ms", SET, "2"))));
        for (int type : new int[] {0, 1, 3, 127}) {
            suite.same("a resource of type " + type, INCREMENTAL, version, peer -> body(false, resource(type, "x", op("retention.ms", SET, "1"))));
        }
    }

    private static void legacy(Suite suite, int version) throws Exception {
        String name = "alter-all-" + version;
        suite.topic(name, 1, "retention.ms=1000", "segment.bytes=2097152");
        suite.same("a topic", LEGACY, version, peer -> body(false, resource(TOPIC, name, pair("flush.messages", "7") + "," + pair("retention.ms", "5"))));
        described(suite, "after AlterConfigs", TOPIC, name);
        suite.same("only validated", LEGACY, version, peer -> body(true, resource(TOPIC, name, "")));
        suite.same("everything", LEGACY, version, peer -> body(false, resource(TOPIC, name, "")));
        described(suite, "after AlterConfigs of nothing", TOPIC, name);
        suite.same("all brokers", LEGACY, version, peer -> body(false, resource(BROKER, "1", pair("log.retention.ms", "3000"))));
        suite.same("all brokers, deleted", LEGACY, version, peer -> body(false, resource(BROKER, "1", "")));
        String[][] refused = {
            {"null", resource(TOPIC, name, pair("retention.ms", null))},
            {"a bad value", resource(TOPIC, name, pair("retention.ms", "x"))},
            {"an unknown key", resource(TOPIC, name, pair("no.such", "x"))},
            {"a key twice", resource(TOPIC, name, pair("retention.ms", "1") + "," + pair("retention.ms", "2"))},
            {"an unknown topic", resource(TOPIC, "alter-none", pair("retention.ms", "1"))},
            {"another broker", resource(BROKER, "7", pair("log.retention.ms", "1"))},
            {"a key of the start", resource(BROKER, "1", pair("node.id", "1"))},
            {"loggers", resource(LOGGER, "1", pair("root", "INFO"))},
            {"a resource of type 3", resource(3, "x", "")},
        };
        for (String[] one : refused) {
            suite.same("AlterConfigs: " + one[0], LEGACY, version, peer -> body(false, one[1]));
        }
        suite.same("nothing", LEGACY, version, peer -> body(false));
    }

    private static void described(Suite suite, String when, int type, String name) throws Exception {
        suite.same("described " + when, ApiMessageType.DESCRIBE_CONFIGS, 4, peer ->
            "{\"resources\":[{\"resourceType\":%d,\"resourceName\":\"%s\",\"configurationKeys\":null}],\"includeSynonyms\":true,\"includeDocumentation\":false}".formatted(type, name));
    }

    private static String op(String key, int operation, String value) {
        return "{\"name\":\"%s\",\"configOperation\":%d,\"value\":%s}".formatted(key, operation, value == null ? "null" : '"' + value + '"');
    }

    private static String pair(String key, String value) {
        return "{\"name\":\"%s\",\"value\":%s}".formatted(key, value == null ? "null" : '"' + value + '"');
    }

    private static String resource(int type, String name, String configs) {
        return "{\"resourceType\":%d,\"resourceName\":\"%s\",\"configs\":[%s]}".formatted(type, name, configs);
    }

    private static String body(boolean validateOnly, String... resources) {
        return "{\"resources\":[%s],\"validateOnly\":%b}".formatted(String.join(",", resources), validateOnly);
    }
}
