import org.apache.kafka.common.message.ApiMessageType;

/** DescribeConfigs. */
final class DescribeConfigsCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.DESCRIBE_CONFIGS;
    private static final int TOPIC = 2, BROKER = 4;

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("describe", 1);
        suite.topic("describe-set", 1, "retention.ms=1234", "max.message.bytes=2000", "min.insync.replicas=1", "segment.bytes=2097152",
            "message.timestamp.type=LogAppendTime", "flush.messages=7");
        for (int v = 1; v <= 4; v++) {
            int version = v;
            for (boolean more : new boolean[] {false, true}) {
                String with = more ? ", with synonyms and documentation" : "";
                suite.same("a topic" + with, API, version, peer -> body(more, resource(TOPIC, "describe", "null")));
                suite.same("a topic with configs" + with, API, version, peer -> body(more, resource(TOPIC, "describe-set", "null")));
                suite.same("the broker" + with, API, version, peer -> body(more, resource(BROKER, "1", "null")));
                suite.same("brokers' defaults" + with, API, version, peer -> body(more, resource(BROKER, "", "null")));
            }
            suite.same("two keys", API, version, peer -> body(true, resource(TOPIC, "describe-set", "[\"retention.ms\",\"segment.bytes\"]")));
            suite.same("no keys", API, version, peer -> body(true, resource(TOPIC, "describe-set", "[]")));
            suite.same("an unknown key", API, version, peer -> body(true, resource(TOPIC, "describe-set", "[\"no.such.config\"]")));
            suite.same("a key of the broker", API, version, peer -> body(true, resource(BROKER, "1", "[\"log.retention.ms\",\"num.partitions\"]")));
            suite.same("an unknown topic", API, version, peer -> body(true, resource(TOPIC, "describe-none", "null")));
            suite.same("a bad topic", API, version, peer -> body(true, resource(TOPIC, "a b", "null")));
            suite.same("an empty topic", API, version, peer -> body(true, resource(TOPIC, "", "null")));
            suite.same("an unknown broker", API, version, peer -> body(true, resource(BROKER, "7", "null")));
            suite.same("a broker without a number", API, version, peer -> body(true, resource(BROKER, "one", "null")));
            for (int type : new int[] {0, 1, 3, 127}) {
                suite.same("a resource of type " + type, API, version, peer -> body(true, resource(type, "describe", "null")));
            }
            suite.same("several", API, version, peer ->
                body(false, resource(TOPIC, "describe", "[\"retention.ms\"]"), resource(TOPIC, "describe-none", "null"), resource(BROKER, "1", "[\"num.partitions\"]")));
            suite.same("the same twice", API, version, peer ->
                body(false, resource(TOPIC, "describe", "[\"retention.ms\"]"), resource(TOPIC, "describe", "[\"segment.bytes\"]")));
        }
    }

    private static String resource(int type, String name, String keys) {
        return "{\"resourceType\":%d,\"resourceName\":\"%s\",\"configurationKeys\":%s}".formatted(type, name, keys);
    }

    private static String body(boolean more, String... resources) {
        return "{\"resources\":[%s],\"includeSynonyms\":%b,\"includeDocumentation\":%b}".formatted(String.join(",", resources), more, more);
    }
}
