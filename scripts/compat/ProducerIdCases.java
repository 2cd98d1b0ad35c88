import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.message.ApiMessageType;

/** InitProducerId without transactions. */
final class ProducerIdCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.INIT_PRODUCER_ID;

    @Override
    public void run(Suite suite) throws Exception {
        suite.prepare(ProducerIdCases::fresh);
        for (int v = 0; v <= 5; v++) {
            int version = v;
            suite.same("a first id", API, version, peer -> body("null", -1, -1));
            suite.same("the next", API, version, peer -> body("null", -1, -1));
            suite.same("an empty transactional id", API, version, peer -> body("\"\"", -1, -1));
            if (version >= 3) {
                suite.same("an id without an epoch", API, version, peer -> body("null", 1000, -1));
                suite.same("an epoch without an id", API, version, peer -> body("null", -1, 1));
                suite.same("an id and an epoch", API, version, peer -> body("null", 1000, 1));
            }
        }
    }

    /** A new producer id, kept as "producer"; the first needs a block of them, for which Kafka may ask to be asked again. */
    static ObjectNode fresh(Peer peer) throws Exception {
        for (int tries = 0; tries < Suite.PATIENCE; tries++) {
            ObjectNode answer = peer.ask(API, 4, body("null", -1, -1));
            if (answer.has("errorCode") && answer.get("errorCode").intValue() == 0) {
                long id = answer.get("producerId").longValue();
                peer.numbers.putIfAbsent("first producer id", id);
                peer.numbers.put("producer", id);
                return answer;
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException(peer.name + " gives no producer id");
    }

    static String body(String transactionalId, long producerId, int epoch) {
        return """
            {"transactionalId":%s,"transactionTimeoutMs":60000,"producerId":%d,"producerEpoch":%d}""".formatted(transactionalId, producerId, epoch);
    }
}
