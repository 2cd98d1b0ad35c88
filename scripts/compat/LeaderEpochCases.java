import org.apache.kafka.common.message.ApiMessageType;

/** OffsetForLeaderEpoch. */
final class LeaderEpochCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.OFFSET_FOR_LEADER_EPOCH;

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("epochs", 2);
        suite.append("epochs", 0, Batches.plain(5, ProduceCases.TIME));
        for (int v = 2; v <= 4; v++) {
            int version = v;
            for (int partition : new int[] {0, 1, 9, -1}) {
                for (int current : new int[] {-1, 0, 1}) {
                    for (int epoch : new int[] {-1, 0, 1, 5, Integer.MAX_VALUE, -2}) {
                        suite.same("partition " + partition + ", epoch " + epoch + ", current " + current, API, version,
                            peer -> body("epochs", partition, current, epoch, -1));
                    }
                }
            }
            suite.same("an unknown topic", API, version, peer -> body("epochs-none", 0, -1, 0, -1));
            suite.same("a bad topic", API, version, peer -> body("a b", 0, -1, 0, -1));
            for (int replica : new int[] {-2, 1, 7}) {
                suite.same("replica " + replica, API, version, peer -> body("epochs", 0, -1, 0, replica));
            }
        }
    }

    private static String body(String topic, int partition, int current, int epoch, int replica) {
        return """
            {"replicaId":%d,"topics":[{"topic":"%s","partitions":[{"partition":%d,"currentLeaderEpoch":%d,"leaderEpoch":%d}]}]}"""
            .formatted(replica, topic, partition, current, epoch);
    }
}
