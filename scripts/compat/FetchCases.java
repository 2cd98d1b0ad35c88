import org.apache.kafka.common.message.ApiMessageType;

/** Fetch without a session. */
final class FetchCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.FETCH;
    private static final long TIME = ProduceCases.TIME;
    private static final int MANY = 1 << 20;

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("fetch", 4);
        for (int i = 0; i < 4; i++) {
            suite.append("fetch", 0, Batches.plain(3, TIME + 10 * i));
        }
        suite.append("fetch", 0, Batches.compressed("gzip", 10, TIME + 100));
        suite.append("fetch", 1, Batches.large(20_000, TIME));
        suite.append("fetch", 1, Batches.large(20_000, TIME));
        suite.append("fetch", 2, Batches.plain(1, TIME));
        for (int v = 4; v <= 18; v++) {
            int version = v;
            for (long offset : new long[] {0, 1, 2, 3, 11, 12, 15, 21, 22, 23, -1, Long.MAX_VALUE, Long.MIN_VALUE}) {
                suite.same("offset " + offset, API, version, peer -> body(peer, "fetch", 0, offset));
            }
            suite.same("an empty partition", API, version, peer -> body(peer, "fetch", 3, 0));
            suite.same("committed only", API, version, peer -> body(peer, "fetch", 0, 0).replace("\"isolationLevel\":0", "\"isolationLevel\":1"));
            suite.same("an unknown isolation level", API, version, peer -> body(peer, "fetch", 0, 0).replace("\"isolationLevel\":0", "\"isolationLevel\":5"));
            suite.same("an unknown partition", API, version, peer -> body(peer, "fetch", 9, 0));
            suite.same("a negative partition", API, version, peer -> body(peer, "fetch", -1, 0));
            suite.same("an unknown topic", API, version, peer -> body(peer, "fetch-none", 0, 0));
            suite.same("a bad topic", API, version, peer -> body(peer, "a b", 0, 0));
            suite.same("no partitions", API, version, peer -> request(10, 0, MANY, "{\"topic\":\"fetch\",\"topicId\":\"%s\",\"partitions\":[]}".formatted(peer.id("fetch"))));
            for (int epoch : new int[] {0, 1, -2}) {
                suite.same("current leader epoch " + epoch, API, version, peer -> body(peer, "fetch", 0, 0).replace("\"currentLeaderEpoch\":-1", "\"currentLeaderEpoch\":" + epoch));
                suite.same("last fetched epoch " + epoch, API, version, peer -> body(peer, "fetch", 0, 3).replace("\"lastFetchedEpoch\":-1", "\"lastFetchedEpoch\":" + epoch));
            }
            limits(suite, version);
            suite.same("it waits", API, version, peer -> request(30, 1, MANY, topic(peer, "fetch", partition(0, 22, MANY))));
            suite.same("it waits for more than there is", API, version, peer -> request(30, 100_000, MANY, topic(peer, "fetch", partition(0, 0, MANY))));
            suite.same("it does not wait for an error", API, version, peer -> request(15_000, 1, MANY, topic(peer, "fetch", partition(0, 99, MANY), partition(3, 0, MANY))));
            suite.same("a rack", API, version, peer -> body(peer, "fetch", 0, 0).replace("\"rackId\":\"\"", "\"rackId\":\"r\""));
            suite.same("the same partition twice", API, version, peer -> request(10, 0, MANY, topic(peer, "fetch", partition(0, 0, MANY), partition(0, 3, MANY))));
        }
    }

    private static void limits(Suite suite, int version) throws Exception {
        for (int most : new int[] {0, 1, 61, 300, 400, 21_000, 45_000}) {
            suite.same(most + " bytes at most", API, version, peer -> request(10, 0, most, topic(peer, "fetch", partition(0, 0, MANY), partition(1, 0, MANY), partition(2, 0, MANY))));
            suite.same(most + " bytes of each at most", API, version, peer -> request(10, 0, MANY, topic(peer, "fetch", partition(0, 0, most), partition(1, 0, most), partition(2, 0, most))));
            suite.same(most + " bytes at most, the first is empty", API, version, peer -> request(10, 0, most, topic(peer, "fetch", partition(3, 0, MANY), partition(1, 1, MANY), partition(0, 0, MANY))));
        }
    }

    static String body(Peer peer, String topic, int partition, long offset) {
        return request(10, 0, MANY, topic(peer, topic, partition(partition, offset, MANY)));
    }

    static String topic(Peer peer, String topic, String... partitions) {
        return "{\"topic\":\"%s\",\"topicId\":\"%s\",\"partitions\":[%s]}".formatted(topic, peer.id(topic), String.join(",", partitions));
    }

    static String partition(int partition, long offset, int most) {
        return """
            {"partition":%d,"currentLeaderEpoch":-1,"fetchOffset":%d,"lastFetchedEpoch":-1,"logStartOffset":-1,"partitionMaxBytes":%d}"""
            .formatted(partition, offset, most);
    }

    static String request(int wait, int least, int most, String... topics) {
        return session(0, -1, wait, least, most, "", topics);
    }

    static String session(long id, int epoch, int wait, int least, int most, String forgotten, String... topics) {
        return """
            {"replicaId":-1,"maxWaitMs":%d,"minBytes":%d,"maxBytes":%d,"isolationLevel":0,"sessionId":%d,"sessionEpoch":%d,"topics":[%s],
             "forgottenTopicsData":[%s],"rackId":""}""".formatted(wait, least, most, id, epoch, String.join(",", topics), forgotten);
    }
}
