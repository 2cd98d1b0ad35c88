import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.message.ApiMessageType;

/** DescribeCluster, ListConfigResources, DescribeQuorum, UpdateFeatures. */
final class ClusterCases implements Answers.Cases {
    @Override
    public void run(Suite suite) throws Exception {
        for (int v = 0; v <= 2; v++) {
            cluster(suite, v);
            quorum(suite, v);
            features(suite, v);
        }
        resources(suite);
    }

    private static void cluster(Suite suite, int version) throws Exception {
        ApiMessageType api = ApiMessageType.DESCRIBE_CLUSTER;
        for (boolean operations : new boolean[] {false, true}) {
            suite.same("brokers, operations " + operations, api, version, peer -> describe(operations, 1, false));
        }
        if (version >= 1) {
            for (int type : new int[] {0, 2, 3, -1}) {
                suite.same("endpoints of type " + type, api, version, peer -> describe(false, type, false));
            }
        }
        suite.same("fenced ones too", api, version, peer -> describe(false, 1, true));
    }

    private static String describe(boolean operations, int type, boolean fenced) {
        return "{\"includeClusterAuthorizedOperations\":%b,\"endpointType\":%d,\"includeFencedBrokers\":%b}".formatted(operations, type, fenced);
    }

    private static void quorum(Suite suite, int version) throws Exception {
        ApiMessageType api = ApiMessageType.DESCRIBE_QUORUM;
        suite.same("the quorum", api, version, peer -> topics(part("__cluster_metadata", "0")));
        suite.same("another partition", api, version, peer -> topics(part("__cluster_metadata", "1")));
        suite.same("two partitions", api, version, peer -> topics(part("__cluster_metadata", "0", "1")));
        suite.same("another topic", api, version, peer -> topics(part("quorum-none", "0")));
        suite.same("two topics", api, version, peer -> topics(part("__cluster_metadata", "0") + "," + part("quorum-none", "0")));
        suite.same("nothing", api, version, peer -> topics(""));
    }

    private static String part(String topic, String... partitions) {
        StringBuilder list = new StringBuilder();
        for (String partition : partitions) {
            list.append(list.isEmpty() ? "" : ",").append("{\"partitionIndex\":").append(partition).append('}');
        }
        return "{\"topicName\":\"%s\",\"partitions\":[%s]}".formatted(topic, list);
    }

    private static String topics(String topics) {
        return "{\"topics\":[" + topics + "]}";
    }

    private static void features(Suite suite, int version) throws Exception {
        ApiMessageType api = ApiMessageType.UPDATE_FEATURES;
        String[][] cases = {
            {"as it is", update("metadata.version", 30, 1)}, {"too high", update("no.such.feature", 5, 1)}, {"negative", update("metadata.version", -1, 1)},
            {"nothing", ""}, {"the quorum's as it is", update("kraft.version", 1, 1)}, {"the quorum's lower", update("kraft.version", 0, 2)},
            {"of an unknown kind", update("metadata.version", 30, 9)}, {"one of two", update("kraft.version", 1, 1) + "," + update("no.such.feature", 1, 1)},
        };
        for (String[] one : cases) {
            for (boolean validate : new boolean[] {true, false}) {
                suite.same(one[0] + (validate ? ", validated" : ""), api, version, peer ->
                    "{\"timeoutMs\":10000,\"featureUpdates\":[%s],\"validateOnly\":%b}".formatted(one[1], validate));
            }
        }
    }

    private static String update(String feature, int level, int type) {
        return "{\"feature\":\"%s\",\"maxVersionLevel\":%d,\"allowDowngrade\":false,\"upgradeType\":%d}".formatted(feature, level, type);
    }

    private static void resources(Suite suite) throws Exception {
        ApiMessageType api = ApiMessageType.LIST_CONFIG_RESOURCES;
        suite.prepare(peer -> {
            ObjectNode answer = peer.ask(ApiMessageType.INCREMENTAL_ALTER_CONFIGS, 1, """
                {"validateOnly":false,"resources":[
                 {"resourceType":16,"resourceName":"listed","configs":[{"name":"interval.ms","configOperation":0,"value":"1000"}]},
                 {"resourceType":32,"resourceName":"listed","configs":[{"name":"share.isolation.level","configOperation":0,"value":"read_committed"}]}]}""");
            Thread.sleep(peer.name.equals("kafka") ? 500 : 0);
            return answer;
        });
        suite.same("client metrics", api, 0, peer -> "{}");
        for (String types : new String[] {"16", "32", "4", "8", "4,8,16,32", "3", "16,0"}) {
            suite.same("of types " + types, api, 1, peer -> "{\"resourceTypes\":[" + types + "]}");
        }
    }
}
