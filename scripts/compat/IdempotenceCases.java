import org.apache.kafka.common.message.ApiMessageType;

/** Produce with a producer id: sequences, duplicates, epochs. */
final class IdempotenceCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.PRODUCE;
    private static final long TIME = ProduceCases.TIME;

    @Override
    public void run(Suite suite) throws Exception {
        for (int v = 3; v <= 13; v++) {
            int version = v;
            String topic = "idempotence-" + version;
            suite.topic(topic, 6);
            suite.prepare(ProducerIdCases::fresh);
            sequences(suite, version, topic);
            epochs(suite, version, topic);
            step(suite, version, topic, "wraps: near the end", 3, 0, Integer.MAX_VALUE - 1, 2);
            step(suite, version, topic, "wraps: begins again", 3, 0, 0, 2);
            step(suite, version, topic, "wraps: the end again", 3, 0, Integer.MAX_VALUE - 1, 2);
            step(suite, version, topic, "wraps within: near the end", 4, 0, Integer.MAX_VALUE - 1, 4);
            step(suite, version, topic, "wraps within: goes on", 4, 0, 2, 1);
            step(suite, version, topic, "a negative sequence", 5, 0, -2, 1);
        }
    }

    private static void sequences(Suite suite, int version, String topic) throws Exception {
        step(suite, version, topic, "the first", 0, 0, 0, 3);
        step(suite, version, topic, "the first again", 0, 0, 0, 3);
        step(suite, version, topic, "the first again, shorter", 0, 0, 0, 2);
        step(suite, version, topic, "the second", 0, 0, 3, 2);
        step(suite, version, topic, "a gap", 0, 0, 6, 1);
        step(suite, version, topic, "overlapping", 0, 0, 4, 2);
        for (int sequence = 5; sequence < 9; sequence++) {
            step(suite, version, topic, "one more, " + sequence, 0, 0, sequence, 1);
        }
        step(suite, version, topic, "the second again, in the window", 0, 0, 3, 2);
        step(suite, version, topic, "the first again, out of the window", 0, 0, 0, 3);
        step(suite, version, topic, "the last again", 0, 0, 8, 1);
        step(suite, version, topic, "begins at 7", 1, 0, 7, 1);
        step(suite, version, topic, "goes on at 8", 1, 0, 8, 1);
    }

    private static void epochs(Suite suite, int version, String topic) throws Exception {
        step(suite, version, topic, "epoch 2", 2, 2, 0, 2);
        step(suite, version, topic, "an older epoch", 2, 1, 2, 1);
        step(suite, version, topic, "an older epoch, from 0", 2, 1, 0, 1);
        step(suite, version, topic, "a newer epoch, not from 0", 2, 3, 2, 1);
        step(suite, version, topic, "a newer epoch", 2, 3, 0, 1);
        step(suite, version, topic, "the older one again", 2, 2, 0, 2);
        step(suite, version, topic, "the newest epoch", 2, 32767, 0, 1);
    }

    private static void step(Suite suite, int version, String topic, String label, int partition, int epoch, int sequence, int count)
            throws Exception {
        suite.same(label, API, version, peer -> ProduceCases.body(peer, topic, partition, -1,
            Batches.json(Batches.idempotent(peer.numbers.get("producer"), epoch, sequence, count, TIME))));
    }
}
