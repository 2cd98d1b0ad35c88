import org.apache.kafka.common.message.ApiMessageType;

/** CreateTopics. */
final class CreateTopicsCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.CREATE_TOPICS;

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("create-taken", 1);
        for (int v = 2; v <= 7; v++) {
            int version = v;
            String name = "create-" + version;
            suite.same("a topic", API, version, peer -> body(false, counted(name, 3, 1)));
            suite.same("the same again", API, version, peer -> body(false, counted(name, 3, 1)));
            suite.same("with configs", API, version, peer ->
                body(false, topic(name + "-configs", 1, 1, "", config("retention.ms", "\"1000\"") + "," + config("segment.bytes", "\"2097152\""))));
            suite.same("assigned", API, version, peer -> body(false, topic(name + "-assigned", -1, -1, assignment(0, "1") + "," + assignment(1, "1"), "")));
            suite.same("only validated", API, version, peer -> body(true, counted(name + "-validated", 2, 1)));
            suite.same("a taken name, only validated", API, version, peer -> body(true, counted("create-taken", 2, 1)));
            suite.same("several, one taken", API, version, peer ->
                body(false, counted(name + "-a", 1, 1), counted("create-taken", 1, 1), counted(name + "-b", 1, 1)));
            suite.same("twice in a request", API, version, peer -> body(false, counted(name + "-twice", 1, 1)).replace("}],\"timeoutMs\"",
                "}," + counted(name + "-twice", 2, 1) + "],\"timeoutMs\""));
            suite.same("none", API, version, peer -> body(false));
            counts(suite, version);
            names(suite, version);
            assignments(suite, version);
            configs(suite, version);
        }
    }

    private static void counts(Suite suite, int version) throws Exception {
        for (int partitions : new int[] {-2, -1, 0}) {
            suite.same(partitions + " partitions", API, version, peer -> body(false, counted("create-counts-p" + partitions + "-" + version, partitions, 1)));
        }
        for (int replicas : new int[] {-2, -1, 0, 2, 32767}) {
            suite.same(replicas + " replicas", API, version, peer -> body(false, counted("create-counts-r" + replicas + "-" + version, 1, replicas)));
        }
        suite.same("both by default", API, version, peer -> body(false, counted("create-counts-both-" + version, -1, -1)));
    }

    private static void names(Suite suite, int version) throws Exception {
        suite.topic("create.collision_" + version, 1);
        String[] names = {"", ".", "..", "a b", "a/b", "ä", "a\\u0000", "n".repeat(249), "n".repeat(250), "create_collision." + version,
            "__cluster_metadata", "__consumer_offsets_" + version};
        for (String name : names) {
            suite.same("the name '" + name + "'", API, version, peer -> body(true, counted(name, 1, 1)));
        }
    }

    private static void assignments(Suite suite, int version) throws Exception {
        String name = "create-assignments-" + version;
        String[][] cases = {
            {"an unknown broker", "-1", "-1", assignment(0, "7")},
            {"a negative broker", "-1", "-1", assignment(0, "-1")},
            {"a broker twice", "-1", "-1", assignment(0, "1,1")},
            {"no broker", "-1", "-1", assignment(0, "")},
            {"not from 0", "-1", "-1", assignment(1, "1")},
            {"a gap", "-1", "-1", assignment(0, "1") + "," + assignment(2, "1")},
            {"a negative partition", "-1", "-1", assignment(-1, "1")},
            {"different counts", "-1", "-1", assignment(0, "1") + "," + assignment(1, "1,2")},
            {"with a count of partitions", "1", "-1", assignment(0, "1")},
            {"with a count of replicas", "-1", "1", assignment(0, "1")},
        };
        for (String[] one : cases) {
            suite.same("assigned: " + one[0], API, version, peer ->
                body(false, topic(name, Integer.parseInt(one[1]), Integer.parseInt(one[2]), one[3], "")));
        }
    }

    private static void configs(Suite suite, int version) throws Exception {
        String[][] cases = {
            {"no.such.config", "\"1\""}, {"retention.ms", "\"x\""}, {"retention.ms", "\"-2\""}, {"retention.ms", "\"-1\""}, {"retention.ms", "\"\""},
            {"retention.ms", "null"}, {"retention.ms", "\"9223372036854775808\""}, {"retention.bytes", "\"-3\""}, {"segment.bytes", "\"1\""},
            {"segment.bytes", "\"4294967296\""}, {"segment.ms", "\"0\""}, {"cleanup.policy", "\"burn\""}, {"cleanup.policy", "\"delete\""},
            {"compression.type", "\"zip\""}, {"compression.type", "\"producer\""}, {"max.message.bytes", "\"-1\""}, {"message.timestamp.type", "\"Now\""},
            {"message.timestamp.before.max.ms", "\"-1\""}, {"message.timestamp.after.max.ms", "\"x\""}, {"min.insync.replicas", "\"0\""},
            {"min.insync.replicas", "\"5\""}, {"index.interval.bytes", "\"-1\""}, {"segment.index.bytes", "\"1\""}, {"flush.messages", "\"0\""},
            {"flush.ms", "\"-1\""}, {"preallocate", "\"yes\""}, {"preallocate", "\"TRUE\""}, {"min.cleanable.dirty.ratio", "\"2\""},
            {"unclean.leader.election.enable", "\"maybe\""}, {"file.delete.delay.ms", "\"-1\""}, {"segment.jitter.ms", "\"-1\""}, {"", "\"1\""},
        };
        for (String[] one : cases) {
            suite.same("config " + one[0] + "=" + one[1], API, version, peer ->
                body(true, topic("create-config-" + version, 1, 1, "", config(one[0], one[1]))));
        }
    }

    private static String counted(String name, int partitions, int replicas) {
        return topic(name, partitions, replicas, "", "");
    }

    private static String topic(String name, int partitions, int replicas, String assignments, String configs) {
        return "{\"name\":\"%s\",\"numPartitions\":%d,\"replicationFactor\":%d,\"assignments\":[%s],\"configs\":[%s]}"
            .formatted(name, partitions, replicas, assignments, configs);
    }

    private static String assignment(int partition, String brokers) {
        return "{\"partitionIndex\":%d,\"brokerIds\":[%s]}".formatted(partition, brokers);
    }

    private static String config(String name, String value) {
        return "{\"name\":\"%s\",\"value\":%s}".formatted(name, value);
    }

    private static String body(boolean validateOnly, String... topics) {
        return "{\"topics\":[%s],\"timeoutMs\":10000,\"validateOnly\":%b}".formatted(String.join(",", topics), validateOnly);
    }
}
