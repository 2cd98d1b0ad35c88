import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Kafka's share consumer (KIP-932). Every method without arguments is a case, which throws if it fails; scripts/interop/share_consumer.py asks for
 * each. The broker is to allow locks of a second (group.share.min.record.lock.duration.ms).
 */
public class ShareCases extends Case {
    static String address;
    static Admin admin;

    public static void main(String[] args) throws Exception {
        address = args[0];
        admin = Admin.create(Map.<String, Object>of("bootstrap.servers", address));
        serve(ShareCases.class);
    }

    // Helpers

    /** A topic, and a group of the same name that begins with its first record. */
    static void create(String topic, int partitions, String... groupConfigs) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        List<AlterConfigOp> set = new ArrayList<>(List.of(new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), OpType.SET)));
        for (int i = 0; i < groupConfigs.length; i += 2) set.add(new AlterConfigOp(new ConfigEntry(groupConfigs[i], groupConfigs[i + 1]), OpType.SET));
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, topic), set)).all().get();
    }

    static void produce(String topic, int partitions, int from, int to) throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(Map.of("bootstrap.servers", address), new StringSerializer(), new StringSerializer())) {
            for (int i = from; i < to; i++) producer.send(new ProducerRecord<>(topic, i % partitions, null, "" + i));
            producer.flush();
        }
    }

    static KafkaShareConsumer<String, String> consumer(String topic, String... configs) {
        Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", address, "group.id", topic));
        for (int i = 0; i < configs.length; i += 2) all.put(configs[i], configs[i + 1]);
        KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(all, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    static KafkaShareConsumer<String, String> explicit(String topic, String... configs) {
        List<String> all = new ArrayList<>(List.of("share.acknowledgement.mode", "explicit"));
        all.addAll(List.of(configs));
        return consumer(topic, all.toArray(String[]::new));
    }

    static List<ConsumerRecord<String, String>> poll(KafkaShareConsumer<String, String> consumer) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        consumer.poll(Duration.ofMillis(500)).forEach(records::add);
        return records;
    }

    /** The first records that come. */
    static List<ConsumerRecord<String, String>> some(KafkaShareConsumer<String, String> consumer) throws Exception {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        until(() -> records.addAll(poll(consumer)), "records come");
        return records;
    }

    /** What becomes of the acknowledgements of all records of the last poll. */
    static void committed(KafkaShareConsumer<String, String> consumer) {
        consumer.commitSync(Duration.ofSeconds(30)).forEach((partition, error) -> isTrue(error.isEmpty(), partition + ": " + error));
    }

    static void none(KafkaShareConsumer<String, String> consumer, int polls) {
        for (int i = 0; i < polls; i++) equal(poll(consumer).stream().map(ConsumerRecord::value).toList(), List.of(), "records that nobody should get");
    }

    // Cases

    static void several_members_read_everything_once() throws Exception {
        create("share-once", 2);
        produce("share-once", 2, 0, 1_000);
        List<KafkaShareConsumer<String, String>> members = List.of(consumer("share-once"), consumer("share-once"), consumer("share-once", "max.poll.records", "100"));
        Map<Integer, Integer> seen = new TreeMap<>();
        until(() -> {
            for (var member : members) poll(member).forEach(record -> seen.merge(Integer.parseInt(record.value()), 1, Integer::sum));
            return seen.size() == 1_000;
        }, "all are read");
        // What the last poll gave is not acknowledged by closing, implicitly or not.
        for (var member : members) committed(member);
        for (var member : members) member.close();
        isTrue(seen.values().stream().allMatch(times -> times == 1), "some were read twice: " + seen);
        try (var late = consumer("share-once")) {
            none(late, 6);
        }
    }

    static void a_record_is_released_until_it_is_accepted() throws Exception {
        create("share-release", 1);
        produce("share-release", 1, 0, 3);
        try (var consumer = explicit("share-release")) {
            List<String> seen = new ArrayList<>();
            until(() -> {
                for (var record : poll(consumer)) {
                    int times = record.deliveryCount().orElseThrow();
                    seen.add(record.value() + "#" + times);
                    consumer.acknowledge(record, times < 3 ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT);
                }
                committed(consumer);
                return seen.size() >= 9;
            }, "each comes three times");
            equal(new TreeSet<>(seen), new TreeSet<>(Set.of("0#1", "1#1", "2#1", "0#2", "1#2", "2#2", "0#3", "1#3", "2#3")), "deliveries");
            none(consumer, 4);
        }
    }

    static void a_rejected_record_does_not_come_again() throws Exception {
        create("share-reject", 1);
        produce("share-reject", 1, 0, 10);
        try (var consumer = explicit("share-reject")) {
            for (var record : some(consumer)) consumer.acknowledge(record, Integer.parseInt(record.value()) % 2 == 0 ? AcknowledgeType.REJECT : AcknowledgeType.ACCEPT);
            committed(consumer);
            none(consumer, 4);
        }
    }

    static void a_lock_runs_out() throws Exception {
        create("share-lock", 1, "share.record.lock.duration.ms", "1000");
        produce("share-lock", 1, 0, 2);
        try (var slow = explicit("share-lock"); var other = explicit("share-lock")) {
            equal(some(slow).size(), 2, "records of the first member");
            equal(slow.acquisitionLockTimeoutMs().orElseThrow(), 1_000, "how long the lock is");
            List<ConsumerRecord<String, String>> again = some(other);
            equal(again.stream().map(record -> record.value() + "#" + record.deliveryCount().orElseThrow()).toList(), List.of("0#2", "1#2"), "what comes again");
            again.forEach(other::acknowledge);
            committed(other);
            none(other, 4);
        }
    }

    static void a_lock_is_renewed() throws Exception {
        create("share-renew", 1, "share.record.lock.duration.ms", "1500");
        produce("share-renew", 1, 0, 1);
        try (var slow = explicit("share-renew"); var other = explicit("share-renew")) {
            var record = some(slow).get(0);
            for (int i = 0; i < 4; i++) {
                slow.acknowledge(record, AcknowledgeType.RENEW);
                committed(slow);
                none(other, 1);
                Thread.sleep(300);
                slow.poll(Duration.ofMillis(100));
            }
            slow.acknowledge(record, AcknowledgeType.ACCEPT);
            committed(slow);
            none(other, 6);
        }
    }

    static void deliveries_have_a_limit() throws Exception {
        create("share-limit", 1, "share.delivery.count.limit", "3");
        produce("share-limit", 1, 0, 4);
        try (var consumer = explicit("share-limit")) {
            Map<String, Integer> times = new TreeMap<>();
            until(() -> {
                for (var record : poll(consumer)) {
                    times.put(record.value(), (int) record.deliveryCount().orElseThrow());
                    consumer.acknowledge(record, AcknowledgeType.RELEASE);
                }
                committed(consumer);
                return times.size() == 4 && times.values().stream().allMatch(count -> count == 3);
            }, "each comes three times: " + times);
            none(consumer, 6);
        }
    }

    static void a_member_that_leaves_gives_back_what_it_has() throws Exception {
        create("share-leave", 2);
        produce("share-leave", 2, 0, 20);
        var first = explicit("share-leave");
        int had = some(first).size();
        isTrue(had > 0, "it had something");
        first.close();
        try (var second = consumer("share-leave")) {
            Set<Integer> seen = new TreeSet<>();
            until(() -> {
                poll(second).forEach(record -> seen.add(Integer.parseInt(record.value())));
                return seen.size() == 20;
            }, "all are read");
        }
    }

    static void implicit_acknowledgement_is_by_the_next_poll() throws Exception {
        create("share-implicit", 1);
        produce("share-implicit", 1, 0, 5);
        var first = consumer("share-implicit");
        equal(some(first).size(), 5, "records");
        poll(first);
        first.close();
        try (var second = consumer("share-implicit")) {
            none(second, 6);
        }
    }

    static void deleted_records_are_passed_over() throws Exception {
        create("share-deleted", 1);
        produce("share-deleted", 1, 0, 10);
        admin.deleteRecords(Map.of(new TopicPartition("share-deleted", 0), RecordsToDelete.beforeOffset(7))).all().get();
        try (var consumer = consumer("share-deleted")) {
            Set<String> seen = new TreeSet<>();
            until(() -> {
                poll(consumer).forEach(record -> seen.add(record.value()));
                return seen.size() == 3;
            }, "what is left is read");
            equal(seen, Set.of("7", "8", "9"), "records");
        }
    }
}
