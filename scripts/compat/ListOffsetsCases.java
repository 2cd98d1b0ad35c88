import org.apache.kafka.common.message.ApiMessageType;

/** ListOffsets. */
final class ListOffsetsCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.LIST_OFFSETS;
    private static final long TIME = ProduceCases.TIME;

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("offsets", 3);
        suite.append("offsets", 0, Batches.plain(3, TIME));
        suite.append("offsets", 0, Batches.compressed("gzip", 10, TIME + 1000));
        suite.append("offsets", 0, Batches.plain(3, TIME + 500));
        suite.append("offsets", 0, Batches.compressed("zstd", 10, TIME + 1000));
        suite.append("offsets", 1, Batches.plain(2, TIME));
        for (int v = 1; v <= 11; v++) {
            int version = v;
            for (int partition = 0; partition < 3; partition++) {
                int at = partition;
                for (long timestamp = -1; timestamp >= -8; timestamp--) {
                    long special = timestamp;
                    suite.same("timestamp " + special + " of partition " + at, API, version, peer -> body("offsets", at, -1, special, -1, 0));
                }
                suite.same("committed only, partition " + at, API, version, peer -> body("offsets", at, -1, -1, -1, 1));
            }
            for (long after : new long[] {-1, 0, 1, 2, 3, 499, 501, 999, 1000, 1003, 1009, 1010}) {
                suite.same("time + " + after, API, version, peer -> body("offsets", 0, -1, TIME + after, -1, 0));
            }
            suite.same("time 0", API, version, peer -> body("offsets", 0, -1, 0, -1, 0));
            suite.same("the end of time", API, version, peer -> body("offsets", 0, -1, Long.MAX_VALUE, -1, 0));
            suite.same("the beginning of time", API, version, peer -> body("offsets", 0, -1, Long.MIN_VALUE, -1, 0));
            suite.same("an unknown topic", API, version, peer -> body("offsets-none", 0, -1, -1, -1, 0));
            suite.same("a bad topic", API, version, peer -> body("a b", 0, -1, -1, -1, 0));
            suite.same("an unknown partition", API, version, peer -> body("offsets", 9, -1, -1, -1, 0));
            suite.same("a negative partition", API, version, peer -> body("offsets", -1, -1, -1, -1, 0));
            for (int epoch : new int[] {0, 1, -2}) {
                suite.same("leader epoch " + epoch, API, version, peer -> body("offsets", 0, epoch, -1, -1, 0));
                suite.same("leader epoch " + epoch + ", by time", API, version, peer -> body("offsets", 0, epoch, TIME, -1, 0));
            }
            for (int replica : new int[] {-2, -3, 1, 7}) {
                suite.same("replica " + replica, API, version, peer -> body("offsets", 0, -1, -1, replica, 0));
            }
            suite.same("an unknown isolation level", API, version, peer -> body("offsets", 0, -1, -1, -1, 9));
            suite.same("the same partition twice", API, version, peer -> body("offsets", 0, -1, -1, -1, 0)
                .replace("]}]", ",{\"partitionIndex\":0,\"currentLeaderEpoch\":-1,\"timestamp\":-2},{\"partitionIndex\":1,\"currentLeaderEpoch\":-1,\"timestamp\":-2}]}]"));
            suite.same("several", API, version, peer -> body("offsets", 0, -1, -1, -1, 0)
                .replace("]}]", ",{\"partitionIndex\":1,\"currentLeaderEpoch\":-1,\"timestamp\":-2},{\"partitionIndex\":8,\"currentLeaderEpoch\":-1,\"timestamp\":-2}]}]"));
        }
    }

    private static String body(String topic, int partition, int epoch, long timestamp, int replica, int isolation) {
        return """
            {"replicaId":%d,"isolationLevel":%d,"topics":[{"name":"%s","partitions":[{"partitionIndex":%d,"currentLeaderEpoch":%d,"timestamp":%d}]}],"timeoutMs":5000}"""
            .formatted(replica, isolation, topic, partition, epoch, timestamp);
    }
}
