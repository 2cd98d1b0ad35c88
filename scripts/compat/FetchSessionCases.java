import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.message.ApiMessageType;

/** Fetch sessions (KIP-227). */
final class FetchSessionCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.FETCH;
    private static final int MANY = 1 << 20;

    @Override
    public void run(Suite suite) throws Exception {
        for (int v = 7; v <= 18; v++) {
            int version = v;
            String topic = "session-" + version, other = "session-other-" + version;
            suite.topic(topic, 3);
            suite.topic(other, 1);
            suite.append(topic, 0, Batches.plain(3, ProduceCases.TIME));
            begin(suite, version, "a session begins", peer -> topics(peer, topic, 0, 0, 1, 0));
            next(suite, version, "nothing new was asked", 1, peer -> "", peer -> "");
            next(suite, version, "an offset moves", 2, peer -> topics(peer, topic, 0, 3), peer -> "");
            next(suite, version, "nothing is new", 3, peer -> "", peer -> "");
            suite.append(topic, 1, Batches.plain(2, ProduceCases.TIME));
            next(suite, version, "records came", 4, peer -> "", peer -> "");
            next(suite, version, "a partition joins", 5, peer -> topics(peer, topic, 2, 0), peer -> "");
            next(suite, version, "a topic joins", 6, peer -> topics(peer, other, 0, 0), peer -> "");
            next(suite, version, "a partition leaves", 7, peer -> "", peer -> forgotten(peer, topic, 1));
            suite.append(topic, 1, Batches.plain(2, ProduceCases.TIME));
            suite.append(topic, 2, Batches.plain(2, ProduceCases.TIME));
            next(suite, version, "records came, of one that left too", 8, peer -> "", peer -> "");
            next(suite, version, "out of range", 9, peer -> topics(peer, topic, 2, 99), peer -> "");
            next(suite, version, "still out of range", 10, peer -> "", peer -> "");
            next(suite, version, "an unknown partition joins", 11, peer -> topics(peer, topic, 9, 0), peer -> "");
            next(suite, version, "an unknown topic joins", 12, peer -> topics(peer, "session-none", 0, 0), peer -> "");
            next(suite, version, "still unknown", 13, peer -> "", peer -> "");
            next(suite, version, "a wrong epoch", 7, peer -> "", peer -> "");
            next(suite, version, "the right epoch after a wrong one", 14, peer -> "", peer -> "");
            next(suite, version, "the same epoch again", 14, peer -> "", peer -> "");
            suite.same("an unknown session", API, version, peer -> FetchCases.session(12345, 1, 10, 0, MANY, ""));
            next(suite, version, "ended", -1, peer -> topics(peer, topic, 0, 0), peer -> "");
            next(suite, version, "after its end", 15, peer -> "", peer -> "");
            begin(suite, version, "a session of nothing", peer -> "");
            begin(suite, version, "a session begins with an unknown topic", peer -> topics(peer, "session-none", 0, 0));
        }
    }

    private static void begin(Suite suite, int version, String label, Suite.Request topics) throws Exception {
        suite.compare(label, API, version, peer -> remember(peer, peer.ask(API, version, FetchCases.session(0, 0, 10, 0, MANY, "", topics.to(peer)))));
    }

    private static void next(Suite suite, int version, String label, int epoch, Suite.Request topics, Suite.Request forgotten) throws Exception {
        suite.compare(label, API, version, peer -> peer.ask(API, version,
            FetchCases.session(peer.numbers.get("session"), epoch, 10, 0, MANY, forgotten.to(peer), topics.to(peer))));
    }

    private static ObjectNode remember(Peer peer, ObjectNode answer) {
        if (answer.has("sessionId")) {
            peer.numbers.put("session", answer.get("sessionId").longValue());
        }
        return answer;
    }

    /** Pairs of partition and offset. */
    private static String topics(Peer peer, String topic, long... pairs) {
        String[] partitions = new String[pairs.length / 2];
        for (int i = 0; i < partitions.length; i++) {
            partitions[i] = FetchCases.partition((int) pairs[2 * i], pairs[2 * i + 1], MANY);
        }
        return FetchCases.topic(peer, topic, partitions);
    }

    private static String forgotten(Peer peer, String topic, int partition) {
        return "{\"topic\":\"%s\",\"topicId\":\"%s\",\"partitions\":[%d]}".formatted(topic, peer.id(topic), partition);
    }
}
