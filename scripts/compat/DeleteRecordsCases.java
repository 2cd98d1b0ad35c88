import org.apache.kafka.common.message.ApiMessageType;

/** DeleteRecords, DescribeProducers, and what others say of a log that begins later. */
final class DeleteRecordsCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.DELETE_RECORDS;
    private static final long TIME = 1_700_000_000_000L;

    @Override
    public void run(Suite suite) throws Exception {
        for (int v = 0; v <= 2; v++) {
            int version = v;
            String name = "delete-records-" + version;
            suite.topic(name, 2);
            for (int i = 0; i < 10; i++) {
                suite.append(name, 0, Batches.plain(1, TIME + i));
            }
            suite.same("up to 3", API, version, peer -> body(name, part(0, 3)));
            offsets(suite, name);
            suite.same("again", API, version, peer -> body(name, part(0, 3)));
            suite.same("below the start", API, version, peer -> body(name, part(0, 1)));
            suite.same("0", API, version, peer -> body(name, part(0, 0)));
            suite.same("an empty partition", API, version, peer -> body(name, part(1, -1)));
            suite.same("beyond the end", API, version, peer -> body(name, part(0, 11)));
            suite.same("negative", API, version, peer -> body(name, part(0, -2)));
            suite.same("an unknown partition", API, version, peer -> body(name, part(7, 1)));
            suite.same("an unknown topic", API, version, peer -> body("delete-records-none", part(0, 1)));
            suite.same("no topic", API, version, peer -> "{\"topics\":[],\"timeoutMs\":10000}");
            suite.same("to the high watermark", API, version, peer -> body(name, part(0, -1)));
            offsets(suite, name);
            suite.append(name, 0, Batches.plain(1, TIME));
            suite.same("what came since", ApiMessageType.FETCH, 12, peer -> FetchCases.body(peer, name, 0, 10));
            suite.same("what is gone", ApiMessageType.FETCH, 12, peer -> FetchCases.body(peer, name, 0, 2));
        }
        suite.topic("delete-records-compact", 1, "cleanup.policy=compact");
        suite.same("of a compacted topic", API, 2, peer -> body("delete-records-compact", part(0, 0)));
        producers(suite);
    }

    private static void offsets(Suite suite, String name) throws Exception {
        for (long timestamp : new long[] {-2, -1}) {
            suite.same("offset of " + timestamp, ApiMessageType.LIST_OFFSETS, 7, peer -> """
                {"replicaId":-1,"isolationLevel":0,"topics":[{"name":"%s","partitions":[{"partitionIndex":0,"currentLeaderEpoch":-1,"timestamp":%d}]}]}""".formatted(name, timestamp));
        }
    }

    private static void producers(Suite suite) throws Exception {
        ApiMessageType api = ApiMessageType.DESCRIBE_PRODUCERS;
        suite.topic("producers", 2);
        suite.append("producers", 0, Batches.idempotent(4711, 3, 0, 2, TIME));
        suite.same("one", api, 0, peer -> "{\"topics\":[{\"name\":\"producers\",\"partitionIndexes\":[0,1]}]}");
        suite.same("an unknown partition", api, 0, peer -> "{\"topics\":[{\"name\":\"producers\",\"partitionIndexes\":[7]}]}");
        suite.same("unknown and bad topics", api, 0, peer -> "{\"topics\":[{\"name\":\"producers-none\",\"partitionIndexes\":[0]},{\"name\":\"a b\",\"partitionIndexes\":[0]}]}");
        suite.same("none", api, 0, peer -> "{\"topics\":[]}");
    }

    private static String part(int partition, long offset) {
        return "{\"partitionIndex\":%d,\"offset\":%d}".formatted(partition, offset);
    }

    private static String body(String topic, String partitions) {
        return "{\"topics\":[{\"name\":\"%s\",\"partitions\":[%s]}],\"timeoutMs\":10000}".formatted(topic, partitions);
    }
}
