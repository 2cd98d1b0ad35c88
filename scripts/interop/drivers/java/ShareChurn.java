import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Members of a share group and a producer for scripts/chaos/shares, each on a thread of its own: by its seed each member accepts, releases, rejects, renews, or lets
 * locks run out, and writes what it was given and what became of its answers to a journal, before it goes on: a process that is killed loses
 * no line of it. scripts/lib/shares.py says what the lines are.
 */
public class ShareChurn {
    static String address;
    static Admin admin;
    static FileChannel journal;
    static volatile boolean draining;
    static final Map<String, Member> members = new ConcurrentHashMap<>();
    static Load load;

    public static void main(String[] args) throws Exception {
        address = args[0];
        admin = Admin.create(Map.<String, Object>of("bootstrap.servers", address));
        Map<String, Serve.Operation> operations = new LinkedHashMap<>();
        operations.put("create", ShareChurn::create);
        operations.put("join", ShareChurn::join);
        operations.put("leave", request -> {
            for (JsonNode id : request.get("members")) members.get(id.asText()).leaving = true;
            for (JsonNode id : request.get("members")) members.remove(id.asText()).join();
            return null;
        });
        operations.put("drain", request -> draining = true);
        operations.put("offsets", ShareChurn::offsets);
        operations.put("produce", request -> {
            open(request);
            load = new Load(texts(request.get("topics")), request.get("partitions").asInt(), request.get("rate").asInt());
            load.start();
            return null;
        });
        operations.put("finish", request -> load.finish());
        Serve.main(operations, List.of());
    }

    /** Topics, and a group that begins with their first records. */
    static Object create(JsonNode request) throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        for (String topic : texts(request.get("topics"))) topics.add(new NewTopic(topic, request.get("partitions").asInt(), (short) 1));
        admin.createTopics(topics).all().get();
        var earliest = new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, request.get("group").asText()), List.of(earliest))).all().get();
        return null;
    }

    static Object join(JsonNode request) throws Exception {
        open(request);
        for (String id : texts(request.get("members"))) {
            Member member = new Member(id, request);
            members.put(id, member);
            member.start();
        }
        return null;
    }

    /** [topic, partition, the group's lag or -1, the end of the log] of every partition. The start offset that is stored may be behind it (KIP-1226). */
    static Object offsets(JsonNode request) throws Exception {
        String group = request.get("group").asText();
        Map<TopicPartition, OffsetSpec> asked = new LinkedHashMap<>();
        for (String topic : texts(request.get("topics")))
            for (int i = 0; i < request.get("partitions").asInt(); i++) asked.put(new TopicPartition(topic, i), OffsetSpec.latest());
        var ends = admin.listOffsets(asked).all().get();
        var starts = admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec().topicPartitions(asked.keySet()))).partitionsToOffsetInfo(group).get();
        List<Object> found = new ArrayList<>();
        for (TopicPartition partition : asked.keySet()) {
            var start = starts.get(partition);
            found.add(List.of(partition.topic(), partition.partition(), start == null ? -1L : start.lag().orElse(-1L), ends.get(partition).offset()));
        }
        return found;
    }

    static void open(JsonNode request) throws IOException {
        if (journal != null) return;
        journal = FileChannel.open(Path.of(request.get("journal").asText()), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        Received.tell(ShareChurn::write);
    }

    static List<String> texts(JsonNode list) {
        List<String> all = new ArrayList<>();
        list.forEach(one -> all.add(one.asText()));
        return all;
    }

    /** One write for all lines, so that they are there, whole, when it returns. */
    static synchronized void write(CharSequence lines) {
        ByteBuffer bytes = ByteBuffer.wrap(lines.toString().getBytes(StandardCharsets.UTF_8));
        try {
            while (bytes.hasRemaining()) journal.write(bytes);
        } catch (IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    /** Writes numbers, so many a second, to all partitions in turn. */
    static class Load extends Thread {
        final List<String> topics;
        final int partitions, rate;
        final KafkaProducer<String, String> producer = new KafkaProducer<>(
            Map.of("bootstrap.servers", address, "linger.ms", 10, "reconnect.backoff.max.ms", 200, "retry.backoff.max.ms", 200), new StringSerializer(), new StringSerializer());
        final List<String> failed = java.util.Collections.synchronizedList(new ArrayList<>());
        volatile boolean finishing;

        Load(List<String> topics, int partitions, int rate) {
            setDaemon(true);
            this.topics = topics;
            this.partitions = partitions;
            this.rate = rate;
        }

        @Override
        public void run() {
            long began = System.nanoTime();
            for (int n = 0; !finishing; n++) {
                while (n > (System.nanoTime() - began) / 1e9 * rate && !finishing) java.util.concurrent.locks.LockSupport.parkNanos(5_000_000);
                send(n);
            }
        }

        void send(int n) {
            long sent = System.nanoTime();
            producer.send(new ProducerRecord<>(topics.get(n % topics.size()), n / topics.size() % partitions, null, "" + n), (at, error) -> {
                if (error == null) write("P " + sent + " producer " + at.topic() + " " + at.partition() + " " + at.offset() + " " + n + "\n");
                else failed.add(n + ": " + error);
            });
        }

        /** What could not be written, and why. */
        List<String> finish() throws InterruptedException {
            finishing = true;
            join();
            producer.close();
            return failed;
        }
    }

    static class Member extends Thread {
        /** What was said of a delivery and has no answer yet. */
        record Said(String record, AcknowledgeType type, boolean sync) {}

        final String id;
        final List<String> topics;
        final Random draw;
        final long lockMs;
        final KafkaShareConsumer<String, String> consumer;
        /** By topic, partition and offset. */
        final Map<String, List<Said>> open = new HashMap<>();
        /** Renewed deliveries, which the next poll returns again. */
        final Map<String, Integer> renewed = new HashMap<>();
        volatile boolean leaving;

        Member(String id, JsonNode request) {
            super(id);
            setDaemon(true);
            this.id = id;
            topics = texts(request.get("topics"));
            draw = new Random(request.get("seed").asLong() * 1_000_003 + id.hashCode());
            lockMs = request.get("lock_ms").asLong();
            consumer = new KafkaShareConsumer<>(Map.of(
                "bootstrap.servers", address, "group.id", request.get("group").asText(), "client.id", id, "share.acknowledgement.mode", "explicit",
                // Most take exactly what one poll returns, the others whole batches.
                "share.acquire.mode", draw.nextInt(3) > 0 ? "record_limit" : "batch_optimized",
                "max.poll.records", 5 + draw.nextInt(40), "fetch.max.wait.ms", 200, "reconnect.backoff.max.ms", 200, "retry.backoff.max.ms", 200),
                new StringDeserializer(), new StringDeserializer());
            consumer.setAcknowledgementCommitCallback((offsets, error) -> {
                StringBuilder lines = new StringBuilder();
                offsets.forEach((partition, all) -> all.forEach(offset -> answered(lines, key(partition, offset), false, error)));
                write(lines);
            });
        }

        @Override
        public void run() {
            write("J " + System.nanoTime() + " " + id + "\n");
            try {
                consumer.subscribe(topics);
                while (!leaving) turn();
                write("X " + System.nanoTime() + " " + id + "\n");
                consumer.close(Duration.ofSeconds(20));
                write("Z " + System.nanoTime() + " " + id + "\n");
            } catch (Throwable error) {
                write("E " + System.nanoTime() + " " + id + " " + (error + " " + List.of(error.getStackTrace())).replaceAll("\\s+", " ") + "\n");
            }
        }

        /** A poll, and what is said of what it brings. */
        void turn() throws InterruptedException {
            List<ConsumerRecord<String, String>> records = new ArrayList<>();
            consumer.poll(Duration.ofMillis(300)).forEach(records::add);
            long now = System.nanoTime();
            StringBuilder lines = new StringBuilder();
            for (var record : records) {
                Integer before = renewed.get(key(record));
                String kind = before != null && before == count(record) ? "R " : "D ";
                lines.append(kind).append(now).append(' ').append(id).append(' ').append(told(record)).append(' ').append(record.value()).append('\n');
            }
            write(lines);
            if (records.isEmpty()) return;

            boolean slow = !draining && draw.nextInt(100) < 6;
            List<ConsumerRecord<String, String>> held = new ArrayList<>();
            Map<ConsumerRecord<String, String>, AcknowledgeType> said = new LinkedHashMap<>();
            for (var record : records) {
                // One that leaves says nothing of half of what it has.
                if (leaving && !draining && draw.nextBoolean()) continue;
                if (slow && draw.nextBoolean()) held.add(record);
                else said.put(record, choose(record));
            }
            // With a request of its own, and its answer awaited or not, or with the next fetch, if that comes soon.
            int way = draw.nextInt(held.isEmpty() ? 3 : 2);
            if (way == 0 && renewsBesideOthers(said)) way = 1;
            say(said, way == 0);
            if (way == 1) consumer.commitAsync();
            if (leaving && !draining) return;
            if (!held.isEmpty()) late(held, now);
            if (!draining) Thread.sleep(draw.nextInt(60));
        }

        /**
         * An awaited renewal beside what is said of another partition would end this member. Kafka's client 4.3.1 takes the answers of one commitSync for
         * those of a renewal if the partition that is answered last had one. A renewal that was refused before, because its partition is assigned to
         * somebody else now, then stays open: polls fetch more and more records, and wait for that renewal before they hand any out.
         */
        static boolean renewsBesideOthers(Map<ConsumerRecord<String, String>, AcknowledgeType> said) {
            return said.containsValue(AcknowledgeType.RENEW)
                && said.keySet().stream().map(record -> new TopicPartition(record.topic(), record.partition())).distinct().count() > 1;
        }

        AcknowledgeType choose(ConsumerRecord<String, String> record) {
            if (draining) return AcknowledgeType.ACCEPT;
            int of = draw.nextInt(100);
            // Some can hardly be processed by anybody.
            if (Integer.parseInt(record.value()) % 13 == 0 && of < 90) return AcknowledgeType.RELEASE;
            if (of < 70) return AcknowledgeType.ACCEPT;
            if (of < 84) return AcknowledgeType.RELEASE;
            return of < 90 ? AcknowledgeType.REJECT : AcknowledgeType.RENEW;
        }

        /** Lets the locks run out, and then accepts, which is too late. */
        void late(List<ConsumerRecord<String, String>> held, long since) throws InterruptedException {
            long until = since + (lockMs + 200 + draw.nextInt(500)) * 1_000_000;
            while (System.nanoTime() < until) {
                if (leaving) return;
                Thread.sleep(20);
            }
            Map<ConsumerRecord<String, String>, AcknowledgeType> said = new LinkedHashMap<>();
            held.forEach(record -> said.put(record, AcknowledgeType.ACCEPT));
            say(said, true);
        }

        void say(Map<ConsumerRecord<String, String>, AcknowledgeType> all, boolean sync) {
            StringBuilder lines = new StringBuilder();
            long now = System.nanoTime();
            all.forEach((record, type) -> {
                open.computeIfAbsent(key(record), key -> new ArrayList<>()).add(new Said(told(record), type, sync));
                lines.append("S ").append(now).append(' ').append(id).append(' ').append(told(record)).append(' ').append(type.name()).append('\n');
                if (type != AcknowledgeType.RENEW) renewed.remove(key(record));
            });
            write(lines);
            all.forEach(consumer::acknowledge);
            if (!sync) return;
            Map<TopicIdPartition, Optional<KafkaException>> answers = consumer.commitSync(Duration.ofSeconds(15));
            StringBuilder answered = new StringBuilder();
            all.keySet().forEach(record -> answers.forEach((partition, error) -> {
                if (partition.partition() == record.partition() && partition.topic().equals(record.topic()))
                    answered(answered, key(record), true, error.orElse(null));
            }));
            write(answered);
        }

        /** The first thing said of a record, by one of the two ways of asking, has its answer. */
        void answered(StringBuilder lines, String key, boolean sync, Exception error) {
            Iterator<Said> all = open.getOrDefault(key, new ArrayList<>()).iterator();
            while (all.hasNext()) {
                Said said = all.next();
                if (said.sync != sync) continue;
                all.remove();
                String outcome = error == null ? "ok" : error.getClass().getSimpleName();
                lines.append("C ").append(System.nanoTime()).append(' ').append(id).append(' ').append(said.record).append(' ').append(said.type.name()).append(' ').append(outcome).append('\n');
                if (said.type == AcknowledgeType.RENEW && error == null) renewed.put(key, Integer.parseInt(said.record.split(" ")[3]));
                return;
            }
        }

        static String key(TopicIdPartition partition, long offset) {
            return partition.topic() + " " + partition.partition() + " " + offset;
        }

        static String key(ConsumerRecord<String, String> record) {
            return record.topic() + " " + record.partition() + " " + record.offset();
        }

        static int count(ConsumerRecord<String, String> record) {
            return record.deliveryCount().orElseThrow();
        }

        static String told(ConsumerRecord<String, String> record) {
            return key(record) + " " + count(record);
        }
    }
}
