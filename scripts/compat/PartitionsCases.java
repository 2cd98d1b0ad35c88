import org.apache.kafka.common.message.ApiMessageType;

/** CreatePartitions, ElectLeaders, AlterPartitionReassignments, ListPartitionReassignments, DescribeTopicPartitions. */
final class PartitionsCases implements Answers.Cases {
    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("elect", 2);
        suite.topic("reassign", 2);
        for (int v = 0; v <= 3; v++) {
            create(suite, v);
        }
        for (int v = 0; v <= 2; v++) {
            elect(suite, v);
        }
        for (int v = 0; v <= 1; v++) {
            reassign(suite, v);
        }
        list(suite);
        describe(suite);
    }

    private static void create(Suite suite, int version) throws Exception {
        ApiMessageType api = ApiMessageType.CREATE_PARTITIONS;
        String name = "more-" + version;
        suite.topic(name, 2);
        suite.same("only validated", api, version, peer -> partitions(true, topic(name, 3, "null")));
        suite.same("one more", api, version, peer -> partitions(false, topic(name, 3, "null")));
        suite.prepare(peer -> { Suite.await(peer, name, 3); return null; });
        suite.same("assigned", api, version, peer -> partitions(false, topic(name, 5, assigned("1", "1"))));
        suite.prepare(peer -> { Suite.await(peer, name, 5); return null; });
        String[][] refused = {
            {"as many", topic(name, 5, "null")}, {"fewer", topic(name, 1, "null")}, {"none", topic(name, 0, "null")}, {"negative", topic(name, -1, "null")},
            {"an unknown topic", topic("more-none", 3, "null")}, {"a bad topic", topic("a b", 3, "null")},
            {"too few assigned", topic(name, 8, assigned("1"))}, {"too many assigned", topic(name, 6, assigned("1", "1"))},
            {"an unknown broker", topic(name, 6, assigned("7"))}, {"no broker", topic(name, 6, assigned(""))}, {"a broker twice", topic(name, 6, assigned("1,1"))},
            {"assigned none", topic(name, 6, assigned())}, {"twice", topic(name, 6, "null") + "," + topic(name, 7, "null")},
        };
        for (String[] one : refused) {
            suite.same(one[0], api, version, peer -> partitions(false, one[1]));
        }
        suite.same("no topics", api, version, peer -> partitions(false, ""));
        suite.same("no time", api, version, peer -> partitions(false, topic(name, 6, "null")).replace("10000", "0"));
    }

    private static void elect(Suite suite, int version) throws Exception {
        ApiMessageType api = ApiMessageType.ELECT_LEADERS;
        for (int type : new int[] {0, 1}) {
            suite.same("of type " + type, api, version, peer -> election(type, "[" + partitionsOf("elect", "0,1") + "]", 10000));
            suite.same("unknown ones, of type " + type, api, version, peer -> election(type, "[" + partitionsOf("elect", "7") + "," + partitionsOf("elect-none", "0") + "]", 10000));
        }
        suite.same("none", api, version, peer -> election(0, "[]", 10000));
        suite.same("no time", api, version, peer -> election(0, "[" + partitionsOf("elect", "0") + "]", 0));
        if (version >= 1) {
            suite.same("of type 9", api, version, peer -> election(9, "[" + partitionsOf("elect", "0") + "]", 10000));
        }
    }

    private static void reassign(Suite suite, int version) throws Exception {
        ApiMessageType api = ApiMessageType.ALTER_PARTITION_REASSIGNMENTS;
        String[][] cases = {
            {"to where it is", "reassign", "0", "[1]"}, {"to an unknown broker", "reassign", "0", "[7]"}, {"to nobody", "reassign", "0", "[]"},
            {"to a broker twice", "reassign", "0", "[1,1]"}, {"ended", "reassign", "0", "null"}, {"an unknown partition", "reassign", "9", "[1]"},
            {"an unknown topic", "reassign-none", "0", "[1]"}, {"with another", "reassign", "1", "[1,7]"},
        };
        for (String[] one : cases) {
            for (boolean change : new boolean[] {true, false}) {
                suite.same(one[0] + (change ? "" : ", as many"), api, version, peer -> """
                    {"timeoutMs":10000,"allowReplicationFactorChange":%b,"topics":[{"name":"%s","partitions":[{"partitionIndex":%s,"replicas":%s}]}]}"""
                    .formatted(change, one[1], one[2], one[3]));
            }
        }
        suite.same("none", api, version, peer -> "{\"timeoutMs\":10000,\"allowReplicationFactorChange\":true,\"topics\":[]}");
    }

    private static void list(Suite suite) throws Exception {
        ApiMessageType api = ApiMessageType.LIST_PARTITION_REASSIGNMENTS;
        suite.same("all", api, 0, peer -> "{\"timeoutMs\":10000,\"topics\":null}");
        suite.same("none", api, 0, peer -> "{\"timeoutMs\":10000,\"topics\":[]}");
        suite.same("one", api, 0, peer -> "{\"timeoutMs\":10000,\"topics\":[{\"name\":\"reassign\",\"partitionIndexes\":[0,1,9]}]}");
        suite.same("an unknown one", api, 0, peer -> "{\"timeoutMs\":10000,\"topics\":[{\"name\":\"reassign-none\",\"partitionIndexes\":[0]}]}");
    }

    private static void describe(Suite suite) throws Exception {
        ApiMessageType api = ApiMessageType.DESCRIBE_TOPIC_PARTITIONS;
        suite.topic("paged-a", 3);
        suite.topic("paged-b", 1);
        suite.same("one", api, 0, peer -> pages(2000, "null", "paged-a"));
        suite.same("two, unknown and bad", api, 0, peer -> pages(2000, "null", "paged-b", "paged-a", "paged-none", "a b"));
        for (int limit : new int[] {-1, 0, 1, 2, 3, 4}) {
            suite.same(limit + " at once", api, 0, peer -> pages(limit, "null", "paged-a", "paged-b"));
            suite.same(limit + " from a cursor", api, 0, peer -> pages(limit, cursor("paged-a", 1), "paged-a", "paged-b"));
        }
        suite.same("a cursor behind the end", api, 0, peer -> pages(10, cursor("paged-a", 7), "paged-a", "paged-b"));
        suite.same("a cursor of another topic", api, 0, peer -> pages(10, cursor("paged-c", 0), "paged-a", "paged-b"));
        suite.same("a negative cursor", api, 0, peer -> pages(10, cursor("paged-a", -1), "paged-a"));
        suite.same("a cursor of an unknown topic", api, 0, peer -> pages(10, cursor("paged-none", 0), "paged-none", "paged-b"));
        suite.same("all", api, 0, peer -> pages(2000, cursor("paged-", 0)));
    }

    private static String cursor(String topic, int partition) {
        return "{\"topicName\":\"%s\",\"partitionIndex\":%d}".formatted(topic, partition);
    }

    private static String pages(int limit, String cursor, String... topics) {
        StringBuilder list = new StringBuilder();
        for (String topic : topics) {
            list.append(list.isEmpty() ? "" : ",").append("{\"name\":\"").append(topic).append("\"}");
        }
        return "{\"topics\":[%s],\"responsePartitionLimit\":%d,\"cursor\":%s}".formatted(list, limit, cursor);
    }

    private static String election(int type, String partitions, int timeout) {
        return "{\"electionType\":%d,\"topicPartitions\":%s,\"timeoutMs\":%d}".formatted(type, partitions, timeout);
    }

    private static String partitionsOf(String topic, String partitions) {
        return "{\"topic\":\"%s\",\"partitions\":[%s]}".formatted(topic, partitions);
    }

    private static String topic(String name, int count, String assignments) {
        return "{\"name\":\"%s\",\"count\":%d,\"assignments\":%s}".formatted(name, count, assignments);
    }

    private static String assigned(String... brokers) {
        StringBuilder list = new StringBuilder();
        for (String ids : brokers) {
            list.append(list.isEmpty() ? "" : ",").append("{\"brokerIds\":[").append(ids).append("]}");
        }
        return "[" + list + "]";
    }

    private static String partitions(boolean validateOnly, String topics) {
        return "{\"topics\":[%s],\"timeoutMs\":10000,\"validateOnly\":%b}".formatted(topics, validateOnly);
    }
}
