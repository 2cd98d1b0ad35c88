import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.common.message.ApiMessageType;

/** Produce without producer ids: batches that are taken, and all that is refused. */
final class ProduceCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.PRODUCE;
    /** Times of records: the same for both logs, and not so old that retention takes them. */
    static final long TIME = System.currentTimeMillis() / 1000 * 1000 - 3_600_000;

    @Override
    public void run(Suite suite) throws Exception {
        for (int v = 3; v <= 13; v++) {
            int version = v;
            String topic = "produce-" + version;
            suite.topic(topic, 2);
            addressed(suite, version, topic);
            for (Map.Entry<String, byte[]> batch : taken().entrySet()) {
                suite.same(batch.getKey(), API, version, peer -> body(peer, topic, 0, 1, Batches.json(batch.getValue())));
            }
            for (Map.Entry<String, byte[]> batch : refused().entrySet()) {
                suite.same(batch.getKey(), API, version, peer -> body(peer, topic, 0, 1, Batches.json(batch.getValue())));
                suite.same(batch.getKey() + ", acks all", API, version, peer -> body(peer, topic, 0, -1, Batches.json(batch.getValue())));
            }
            silent(suite, version, topic);
            suite.same("what was appended", ApiMessageType.FETCH, 12, peer -> FetchCases.body(peer, topic, 0, 0));
            configured(suite, version);
        }
        for (int version = 0; version <= 2; version++) {
            int old = version;
            suite.compare("a version that is announced, and refused", API, old, peer ->
                peer.askFrame(API, old, peer.frame(API.apiKey(), old, (short) 1, new byte[] {0, 1, 0, 0, 0x10, 0, 0, 0, 0, 0})));
        }
    }

    private static void addressed(Suite suite, int version, String topic) throws Exception {
        String batch = Batches.json(Batches.plain(3, TIME));
        for (int acks : new int[] {1, -1, 2, -2, 32767}) {
            suite.same("acks " + acks, API, version, peer -> body(peer, topic, 0, acks, batch));
        }
        for (int partition : new int[] {2, 99, -1}) {
            suite.same("partition " + partition, API, version, peer -> body(peer, topic, partition, 1, batch));
        }
        suite.same("an unknown topic", API, version, peer -> body(peer, "produce-none", 0, 1, batch));
        suite.same("a bad name", API, version, peer -> body(peer, "a b", 0, 1, batch));
        suite.same("an empty name", API, version, peer -> body(peer, "", 0, 1, batch));
        suite.same("no records", API, version, peer -> body(peer, topic, 0, 1, "\"\""));
        suite.same("no records, no acks", API, version, peer -> body(peer, topic, 0, -1, "\"\""));
        suite.same("two partitions, one bad", API, version, peer -> body(peer, topic, 0, 1, batch)
            .replace("]}]}", ",{\"index\":7,\"records\":%s},{\"index\":1,\"records\":%s}]}]}".formatted(batch, batch)));
    }

    private static Map<String, byte[]> taken() {
        Map<String, byte[]> taken = new LinkedHashMap<>();
        byte[] plain = Batches.plain(3, TIME);
        taken.put("one record", Batches.plain(1, TIME));
        for (String codec : new String[] {"gzip", "snappy", "lz4", "zstd"}) {
            taken.put(codec, Batches.compressed(codec, 10, TIME));
        }
        taken.put("a base offset", Batches.broken(plain, batch -> batch.putLong(Batches.BASE_OFFSET, 77)));
        taken.put("a leader epoch", Batches.broken(plain, batch -> batch.putInt(Batches.LEADER_EPOCH, 5)));
        taken.put("the bit of LogAppendTime", Batches.changed(plain, batch -> batch.putShort(Batches.ATTRIBUTES, (short) 8)));
        taken.put("an unused attribute bit", Batches.changed(plain, batch -> batch.putShort(Batches.ATTRIBUTES, (short) 0x80)));
        taken.put("the bit of a delete horizon", Batches.changed(plain, batch -> batch.putShort(Batches.ATTRIBUTES, (short) 0x40)));
        taken.put("a wrong greatest timestamp", Batches.changed(plain, batch -> batch.putLong(Batches.MAX_TIMESTAMP, 1)));
        taken.put("no timestamp", Batches.changed(Batches.plain(1, 0), batch -> batch.putLong(Batches.BASE_TIMESTAMP, -1).putLong(Batches.MAX_TIMESTAMP, -1)));
        taken.put("an old timestamp", Batches.plain(2, 5));
        return taken;
    }

    private static Map<String, byte[]> refused() {
        Map<String, byte[]> refused = new LinkedHashMap<>();
        byte[] plain = Batches.plain(3, TIME);
        byte[] gzip = Batches.compressed("gzip", 10, TIME);
        refused.put("a wrong CRC", Batches.broken(plain, batch -> batch.put(Batches.RECORDS + 8, (byte) 0x55)));
        refused.put("magic 1", Batches.ofMagic(1, "none", TIME));
        refused.put("magic 0", Batches.ofMagic(0, "none", TIME));
        refused.put("magic 3", Batches.broken(plain, batch -> batch.put(Batches.MAGIC, (byte) 3)));
        refused.put("magic -1", Batches.broken(plain, batch -> batch.put(Batches.MAGIC, (byte) -1)));
        refused.put("two batches", Batches.joined(plain, plain));
        refused.put("a control batch", Batches.changed(plain, batch -> batch.putShort(Batches.ATTRIBUTES, (short) 0x20)));
        refused.put("one record more in the header", Batches.changed(plain, batch -> batch.putInt(Batches.COUNT, 4)));
        refused.put("one record less in the header", Batches.changed(plain, batch -> batch.putInt(Batches.COUNT, 2)));
        refused.put("one record more, offsets too", Batches.changed(plain, batch -> batch.putInt(Batches.COUNT, 4).putInt(Batches.LAST_OFFSET_DELTA, 3)));
        refused.put("one record less, offsets too", Batches.changed(plain, batch -> batch.putInt(Batches.COUNT, 2).putInt(Batches.LAST_OFFSET_DELTA, 1)));
        refused.put("a count of 0", Batches.changed(plain, batch -> batch.putInt(Batches.COUNT, 0)));
        refused.put("a count of -1", Batches.changed(plain, batch -> batch.putInt(Batches.COUNT, -1)));
        refused.put("a wrong last offset", Batches.changed(plain, batch -> batch.putInt(Batches.LAST_OFFSET_DELTA, 5)));
        refused.put("a negative last offset", Batches.changed(plain, batch -> batch.putInt(Batches.LAST_OFFSET_DELTA, -1)));
        refused.put("a producer id without a sequence", Batches.changed(plain, batch -> batch.putLong(Batches.PRODUCER_ID, 5).putShort(Batches.PRODUCER_EPOCH, (short) 0)));
        refused.put("a producer id without an epoch", Batches.changed(plain, batch -> batch.putLong(Batches.PRODUCER_ID, 5).putInt(Batches.BASE_SEQUENCE, 0)));
        refused.put("transactional, without an id", Batches.batch("none", 2, TIME, 5, 0, 0, true));
        refused.put("a batch that ends too early", java.util.Arrays.copyOf(plain, plain.length - 4));
        refused.put("a header that ends too early", java.util.Arrays.copyOf(plain, 30));
        refused.put("a few bytes", new byte[] {1, 2, 3});
        refused.put("bytes behind the batch", java.util.Arrays.copyOf(plain, plain.length + 5));
        refused.put("a length of 0", Batches.broken(plain, batch -> batch.putInt(Batches.LENGTH, 0)));
        refused.put("a negative length", Batches.broken(plain, batch -> batch.putInt(Batches.LENGTH, -1)));
        for (int codec : new int[] {5, 6, 7}) {
            refused.put("codec " + codec, Batches.changed(plain, batch -> batch.putShort(Batches.ATTRIBUTES, (short) codec)));
        }
        for (int codec : new int[] {1, 2, 3, 4}) {
            refused.put("not what codec " + codec + " makes", Batches.changed(plain, batch -> batch.putShort(Batches.ATTRIBUTES, (short) codec)));
        }
        refused.put("compressed, one record more", Batches.changed(gzip, batch -> batch.putInt(Batches.COUNT, 11).putInt(Batches.LAST_OFFSET_DELTA, 10)));
        refused.put("compressed, one record less", Batches.changed(gzip, batch -> batch.putInt(Batches.COUNT, 9).putInt(Batches.LAST_OFFSET_DELTA, 8)));
        // A record: length, attributes, timestamp delta, offset delta, key length ..
        refused.put("a record too long", Batches.changed(plain, batch -> batch.put(Batches.RECORDS, (byte) 0x7e)));
        refused.put("a record of length 0", Batches.changed(plain, batch -> batch.put(Batches.RECORDS, (byte) 0)));
        refused.put("a record of negative length", Batches.changed(plain, batch -> batch.put(Batches.RECORDS, (byte) 1)));
        refused.put("a key too long", Batches.changed(plain, batch -> batch.put(Batches.RECORDS + 5, (byte) 0x7e)));
        refused.put("too large", Batches.large(1_100_000, TIME));
        return refused;
    }

    private static void silent(Suite suite, int version, String topic) throws Exception {
        String batch = Batches.json(Batches.plain(2, TIME));
        String broken = Batches.json(Batches.broken(Batches.plain(2, TIME), bytes -> bytes.put(Batches.RECORDS, (byte) 0)));
        suite.compare("acks 0", API, version, peer -> peer.askSilently(API, version, body(peer, topic, 0, 0, batch)));
        suite.compare("acks 0, an unknown partition", API, version, peer -> peer.askSilently(API, version, body(peer, topic, 99, 0, batch)));
        suite.compare("acks 0, a broken batch", API, version, peer -> peer.askSilently(API, version, body(peer, topic, 0, 0, broken)));
    }

    private static void configured(Suite suite, int version) throws Exception {
        String small = "produce-small-" + version, stamped = "produce-stamped-" + version, bounded = "produce-bounded-" + version,
            replicated = "produce-replicated-" + version;
        suite.topic(small, 1, "max.message.bytes=300");
        suite.topic(stamped, 1, "message.timestamp.type=LogAppendTime");
        suite.topic(bounded, 1, "message.timestamp.before.max.ms=3600000", "message.timestamp.after.max.ms=3600000");
        suite.topic(replicated, 1, "min.insync.replicas=2");
        long now = System.currentTimeMillis();
        String[][] cases = {
            {small, Batches.json(Batches.plain(1, TIME)), "max.message.bytes, small enough"},
            {small, Batches.json(Batches.plain(5, TIME)), "max.message.bytes, too large"},
            {small, Batches.json(Batches.compressed("gzip", 5, TIME)), "max.message.bytes, compressed"},
            {stamped, Batches.json(Batches.plain(2, TIME)), "LogAppendTime"},
            {stamped, Batches.json(Batches.compressed("lz4", 2, TIME)), "LogAppendTime, compressed"},
            {stamped, Batches.json(Batches.changed(Batches.plain(2, TIME), b -> b.putShort(Batches.ATTRIBUTES, (short) 8))), "LogAppendTime, its bit set"},
            {bounded, Batches.json(Batches.plain(2, now)), "timestamps within bounds"},
            {bounded, Batches.json(Batches.plain(2, now - 7_200_000)), "timestamps too old"},
            {bounded, Batches.json(Batches.plain(2, now + 7_200_000)), "timestamps too young"},
            {bounded, Batches.json(Batches.compressed("gzip", 2, now - 7_200_000)), "timestamps too old, compressed"},
            {replicated, Batches.json(Batches.plain(2, TIME)), "min.insync.replicas"},
        };
        for (String[] one : cases) {
            for (int acks : new int[] {1, -1}) {
                suite.same(one[2] + ", acks " + acks, API, version, peer -> body(peer, one[0], 0, acks, one[1]));
            }
        }
    }

    static String body(Peer peer, String topic, int partition, int acks, String records) {
        return """
            {"transactionalId":null,"acks":%d,"timeoutMs":10000,"topicData":[{"name":"%s","topicId":"%s","partitionData":[{"index":%d,"records":%s}]}]}"""
            .formatted(acks, topic, peer.id(topic), partition, records);
    }
}
