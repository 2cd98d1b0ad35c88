import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The driver of Kafka's own Java clients. */
public class Driver {
    static String address;
    static Admin admin;
    static final List<Member> members = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        address = args[0];
        admin = Admin.create(Map.<String, Object>of("bootstrap.servers", address));
        Map<String, Serve.Operation> operations = new LinkedHashMap<>();
        operations.put("create_topic", Driver::createTopic);
        operations.put("delete_topic", r -> admin.deleteTopics(List.of(topic(r))).all().get());
        operations.put("topics", r -> admin.listTopics().names().get());
        operations.put("partitions", Driver::partitions);
        operations.put("add_partitions", r -> admin.createPartitions(Map.of(topic(r), NewPartitions.increaseTo(r.get("total").asInt()))).all().get());
        operations.put("configs", Driver::configs);
        operations.put("alter_config", Driver::alterConfig);
        operations.put("delete_records", r -> admin.deleteRecords(Map.of(which(r), RecordsToDelete.beforeOffset(r.get("offset").asLong()))).lowWatermarks().get(which(r)).get().lowWatermark());
        operations.put("produce", Driver::produce);
        operations.put("read", Driver::read);
        operations.put("offset", Driver::offset);
        operations.put("committed", Driver::committed);
        operations.put("groups", r -> admin.listGroups().all().get().stream().map(g -> g.groupId()).toList());
        operations.put("describe_group", Driver::describeGroup);
        operations.put("delete_group", r -> admin.deleteConsumerGroups(List.of(group(r))).all().get());
        operations.put("delete_offsets", r -> admin.deleteConsumerGroupOffsets(group(r), java.util.Set.of(new TopicPartition(topic(r), 0))).all().get());
        operations.put("join", r -> {
            members.add(new Member(r));
            return members.size() - 1;
        });
        operations.put("assigned", r -> member(r).assigned());
        operations.put("take", r -> member(r).take(r.get("count").asInt()));
        operations.put("commit", r -> member(r).commit());
        operations.put("leave", r -> member(r).leave());
        Serve.main(operations, List.of("none", "gzip", "snappy", "lz4", "zstd", "idempotent", "static", "cooperative", "consumer", "empty"));
    }

    static String topic(JsonNode r) {
        return r.get("topic").asText();
    }

    static String group(JsonNode r) {
        return r.get("group").asText();
    }

    static Member member(JsonNode r) {
        return members.get(r.get("member").asInt());
    }

    static TopicPartition which(JsonNode r) {
        return new TopicPartition(topic(r), r.get("partition").asInt());
    }

    static byte[] bytes(JsonNode node) throws Exception {
        return node.isNull() ? null : node.binaryValue();
    }

    static Object createTopic(JsonNode r) throws Exception {
        Map<String, String> configs = new HashMap<>();
        r.get("configs").properties().forEach(e -> configs.put(e.getKey(), e.getValue().asText()));
        return admin.createTopics(List.of(new NewTopic(topic(r), r.get("partitions").asInt(), (short) 1).configs(configs))).all().get();
    }

    static Object partitions(JsonNode r) throws Exception {
        Map<Integer, Integer> leaders = new HashMap<>();
        admin.describeTopics(List.of(topic(r))).allTopicNames().get().get(topic(r)).partitions().forEach(p -> leaders.put(p.partition(), p.leader().id()));
        return leaders;
    }

    static Object configs(JsonNode r) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic(r));
        Config found = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Map<String, String> values = new HashMap<>();
        found.entries().forEach(e -> values.put(e.name(), e.value()));
        return values;
    }

    static Object alterConfig(JsonNode r) throws Exception {
        AlterConfigOp set = new AlterConfigOp(new ConfigEntry(r.get("name").asText(), r.get("value").asText()), AlterConfigOp.OpType.SET);
        return admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic(r)), List.of(set))).all().get();
    }

    static Object produce(JsonNode r) throws Exception {
        int acks = r.get("acks").asInt();
        Map<String, Object> settings = Map.of("bootstrap.servers", address, "acks", String.valueOf(acks), "compression.type", r.get("codec").asText(),
            "enable.idempotence", r.get("idempotent").asBoolean(), "linger.ms", 5);
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (JsonNode one : r.get("records")) {
                Integer partition = one.get("partition").isNull() ? null : one.get("partition").asInt();
                Long timestamp = one.get("timestamp").isNull() ? null : one.get("timestamp").asLong();
                List<Header> headers = new ArrayList<>();
                for (JsonNode h : one.get("headers")) headers.add(new RecordHeader(h.get(0).asText(), bytes(h.get(1))));
                sent.add(producer.send(new ProducerRecord<>(topic(r), partition, timestamp, bytes(one.get("key")), bytes(one.get("value")), headers)));
            }
            List<Object> placed = new ArrayList<>();
            for (Future<RecordMetadata> one : sent) placed.add(List.of(one.get().partition(), one.get().offset()));
            return placed;
        }
    }

    static Map<String, Object> turned(ConsumerRecord<byte[], byte[]> record) {
        List<Object> headers = new ArrayList<>();
        for (Header h : record.headers()) headers.add(java.util.Arrays.asList(h.key(), h.value()));
        Map<String, Object> turned = new LinkedHashMap<>();
        turned.put("partition", record.partition());
        turned.put("offset", record.offset());
        turned.put("timestamp", record.timestamp());
        turned.put("key", record.key());
        turned.put("value", record.value());
        turned.put("headers", headers);
        return turned;
    }

    static KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", address, "enable.auto.commit", false, "auto.offset.reset", "none"));
        settings.putAll(more);
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static Object read(JsonNode r) throws Exception {
        List<Object> answer = new ArrayList<>();
        int count = r.get("count").asInt();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of("max.partition.fetch.bytes", 20000))) {
            consumer.assign(List.of(which(r)));
            for (JsonNode offset : r.get("offsets")) {
                consumer.seek(which(r), offset.asLong());
                List<Object> found = new ArrayList<>();
                for (long end = System.currentTimeMillis() + 30_000; found.size() < count && System.currentTimeMillis() < end;)
                    consumer.poll(Duration.ofMillis(100)).forEach(record -> found.add(turned(record)));
                answer.add(found.subList(0, Math.min(count, found.size())));
            }
        }
        return answer;
    }

    static Object offset(JsonNode r) throws Exception {
        JsonNode at = r.get("at");
        OffsetSpec spec = !at.isTextual() ? OffsetSpec.forTimestamp(at.asLong()) : at.asText().equals("earliest") ? OffsetSpec.earliest() : OffsetSpec.latest();
        return admin.listOffsets(Map.of(which(r), spec)).partitionResult(which(r)).get().offset();
    }

    static Object committed(JsonNode r) throws Exception {
        Map<Integer, Long> offsets = new HashMap<>();
        admin.listConsumerGroupOffsets(group(r)).partitionsToOffsetAndMetadata().get().forEach((p, offset) -> {
            if (p.topic().equals(topic(r)) && offset != null) offsets.put(p.partition(), offset.offset());
        });
        return offsets;
    }

    static Object describeGroup(JsonNode r) throws Exception {
        var found = admin.describeClassicGroups(List.of(group(r))).all().get().get(group(r));
        return Map.of("state", found.state().toString(), "members", found.members().size());
    }

    /** A consumer that one thread polls, which also does what others ask of it. */
    static class Member implements ConsumerRebalanceListener {
        final String topic;
        final KafkaConsumer<byte[], byte[]> consumer;
        final ConcurrentLinkedQueue<FutureTask<?>> asked = new ConcurrentLinkedQueue<>();
        final ArrayDeque<ConsumerRecord<byte[], byte[]>> unread = new ArrayDeque<>();
        final Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        final TreeSet<Integer> partitions = new TreeSet<>();
        final Thread thread = new Thread(this::run);
        volatile boolean leaving;

        Member(JsonNode r) {
            topic = topic(r);
            Map<String, Object> settings = new HashMap<>(Map.of("group.id", group(r), "auto.offset.reset", "earliest", "max.poll.interval.ms", 10_000, "fetch.max.wait.ms", 100));
            if (r.path("protocol").asText().equals("consumer")) {
                settings.put("group.protocol", "consumer");
                if (!r.get("strategy").isNull()) settings.put("group.remote.assignor", r.get("strategy").asText());
            } else {
                settings.putAll(Map.of("session.timeout.ms", r.get("session_ms").asInt(), "heartbeat.interval.ms", 300));
                settings.put("partition.assignment.strategy", (r.get("strategy").isNull() ? RangeAssignor.class : CooperativeStickyAssignor.class).getName());
            }
            if (!r.get("instance").isNull()) settings.put("group.instance.id", r.get("instance").asText());
            consumer = consumer(settings);
            consumer.subscribe(List.of(topic), this);
            thread.setDaemon(true);
            thread.start();
        }

        void run() {
            while (!leaving) {
                for (FutureTask<?> task = asked.poll(); task != null; task = asked.poll()) task.run();
                var records = consumer.poll(Duration.ofMillis(50));
                synchronized (unread) {
                    records.forEach(unread::add);
                    unread.notifyAll();
                }
            }
            consumer.close();
        }

        <T> T ask(Callable<T> what) throws Exception {
            FutureTask<T> task = new FutureTask<>(what);
            asked.add(task);
            return task.get();
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
            synchronized (partitions) {
                revoked.forEach(p -> partitions.remove(p.partition()));
            }
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
            synchronized (partitions) {
                assigned.forEach(p -> partitions.add(p.partition()));
            }
        }

        Object assigned() {
            synchronized (partitions) {
                return List.copyOf(partitions);
            }
        }

        Object take(int count) throws Exception {
            List<Object> taken = new ArrayList<>();
            synchronized (unread) {
                for (long end = System.currentTimeMillis() + 30_000; unread.size() < count && System.currentTimeMillis() < end;) unread.wait(100);
                while (taken.size() < count && !unread.isEmpty()) {
                    ConsumerRecord<byte[], byte[]> record = unread.poll();
                    next.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1, record.leaderEpoch(), ""));
                    taken.add(turned(record));
                }
            }
            return taken;
        }

        Object commit() throws Exception {
            Map<TopicPartition, OffsetAndMetadata> now = new HashMap<>(next);
            next.clear();
            return ask(() -> {
                consumer.commitSync(now);
                return null;
            });
        }

        Object leave() throws Exception {
            leaving = true;
            thread.join();
            return null;
        }
    }
}
