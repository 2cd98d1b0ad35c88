import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Partitioner;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.quota.ClientQuotaFilterComponent;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What only Kafka's own Java clients do: the Admin API that needs neither security nor transactions, and what consumer and producer have beyond
 * the cases of all clients. Every method without arguments is a case, which throws if it fails; scripts/interop/java_clients.py asks for each.
 */
public class Cases extends Case {
    static String address;
    static Admin admin;

    public static void main(String[] args) throws Exception {
        address = args[0];
        admin = Admin.create(Map.<String, Object>of("bootstrap.servers", address));
        serve(Cases.class);
    }

    // Helpers

    /** The call, or the future that it answers, fails with exactly this. */
    static void refused(Class<? extends Exception> expected, Callable<Object> call, String what) throws Exception {
        Object answer;
        try {
            answer = call.call();
        } catch (Exception error) {
            Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
            equal(cause.getClass(), expected, what + " (" + cause.getMessage() + ")");
            return;
        }
        throw new AssertionError(what + ": not refused, but answered " + answer);
    }

    static TopicPartition at(String topic, int partition) {
        return new TopicPartition(topic, partition);
    }

    static Uuid create(String topic, int partitions, String... configs) throws Exception {
        Map<String, String> given = new HashMap<>();
        for (int i = 0; i < configs.length; i += 2) given.put(configs[i], configs[i + 1]);
        Uuid id = admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(given))).topicId(topic).get();
        // The real Kafka answers before all of it knows.
        until(() -> {
            try {
                Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
                for (int p = 0; p < partitions; p++) asked.put(at(topic, p), OffsetSpec.latest());
                return admin.listOffsets(asked).all().get().size() == partitions && admin.describeTopics(List.of(topic)).allTopicNames().get().size() == 1;
            } catch (ExecutionException error) {
                return false;
            }
        }, topic + " is there");
        return id;
    }

    static KafkaProducer<String, String> producer(Object... settings) {
        return new KafkaProducer<>(settings(settings), new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(Object... settings) {
        Map<String, Object> all = new HashMap<>(Map.of("enable.auto.commit", false, "auto.offset.reset", "earliest", "fetch.max.wait.ms", 100, "session.timeout.ms", 6000,
            "heartbeat.interval.ms", 300));
        all.putAll(settings(settings));
        // In the consumer protocol these are the broker's.
        if ("consumer".equals(all.get("group.protocol"))) all.keySet().removeAll(Set.of("session.timeout.ms", "heartbeat.interval.ms"));
        return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
    }

    static Map<String, Object> settings(Object... given) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", address));
        for (int i = 0; i < given.length; i += 2) settings.put((String) given[i], given[i + 1]);
        return settings;
    }

    /** So many records in each partition, whose values are their offsets and whose timestamps are 1000 and one more for each. */
    static void fill(String topic, int partitions, int each) throws Exception {
        try (KafkaProducer<String, String> producer = producer()) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int n = 0; n < each; n++)
                for (int p = 0; p < partitions; p++) sent.add(producer.send(new ProducerRecord<>(topic, p, 1000L + n, "k" + n, "" + n)));
            for (Future<RecordMetadata> one : sent) one.get();
        }
    }

    static List<ConsumerRecord<String, String>> take(KafkaConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> found = new ArrayList<>();
        for (long end = System.currentTimeMillis() + 30_000; found.size() < count && System.currentTimeMillis() < end;) consumer.poll(Duration.ofMillis(100)).forEach(found::add);
        equal(found.size(), count, "records read");
        return found;
    }

    static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }

    static List<String> numbers(int from, int to) {
        List<String> numbers = new ArrayList<>();
        for (int n = from; n < to; n++) numbers.add("" + n);
        return numbers;
    }

    /** Polls until it has some partitions. */
    static void joined(KafkaConsumer<String, String> consumer, int partitions) throws Exception {
        until(() -> {
            consumer.poll(Duration.ofMillis(50));
            return consumer.assignment().size() == partitions;
        }, partitions + " partitions assigned");
    }

    static Map<String, ConfigEntry> configs(ConfigResource.Type type, String name, DescribeConfigsOptions options) throws Exception {
        ConfigResource resource = new ConfigResource(type, name);
        Map<String, ConfigEntry> found = new TreeMap<>();
        admin.describeConfigs(List.of(resource), options).all().get().get(resource).entries().forEach(e -> found.put(e.name(), e));
        return found;
    }

    static void alter(ConfigResource.Type type, String name, OpType op, String key, String value) throws Exception {
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), List.of(new AlterConfigOp(new ConfigEntry(key, value), op)))).all().get();
    }

    // Admin: topics

    static void topics_by_name_and_id() throws Exception {
        var asked = List.of(new NewTopic("ids-a", Optional.of(3), Optional.empty()), new NewTopic("ids-b", Map.of(0, List.of(1), 1, List.of(1))),
            new NewTopic("ids-c", Optional.empty(), Optional.empty()));
        var done = admin.createTopics(asked);
        equal(done.numPartitions("ids-a").get(), 3, "partitions asked for");
        equal(done.numPartitions("ids-b").get(), 2, "partitions assigned");
        equal(done.numPartitions("ids-c").get(), 1, "partitions by default");
        equal(done.replicationFactor("ids-a").get(), 1, "replicas by default");
        equal(done.config("ids-a").get().get("segment.bytes").value(), "1073741824", "a config in the answer");
        Uuid id = done.topicId("ids-a").get();
        until(() -> admin.listTopics().names().get().containsAll(Set.of("ids-a", "ids-b", "ids-c")), "all are listed");
        equal(admin.listTopics().namesToListings().get().get("ids-a").topicId(), id, "the id listed");
        var described = admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id);
        equal(described.name(), "ids-a", "the name of the id");
        equal(described.partitions().size(), 3, "partitions described");
        equal(described.isInternal(), false, "internal");
        for (var partition : described.partitions()) {
            equal(List.of(partition.leader().id(), partition.replicas().size(), partition.isr().size()), List.of(1, 1, 1), "leader, replicas, in sync");
        }
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        until(() -> !admin.listTopics().names().get().contains("ids-a"), "it is gone");
        refused(UnknownTopicIdException.class, () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get(), "describing what is gone");
        refused(UnknownTopicIdException.class, () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get(), "deleting what is gone");
        refused(UnknownTopicOrPartitionException.class, () -> admin.describeTopics(List.of("ids-a")).allTopicNames().get(), "describing what is gone by name");
        admin.deleteTopics(List.of("ids-b", "ids-c")).all().get();
    }

    static void topics_are_validated() throws Exception {
        CreateTopicsOptions only = new CreateTopicsOptions().validateOnly(true);
        admin.createTopics(List.of(new NewTopic("never", 2, (short) 1)), only).all().get();
        isTrue(!admin.listTopics().names().get().contains("never"), "validated, and created");
        refused(InvalidReplicationFactorException.class, () -> admin.createTopics(List.of(new NewTopic("never", 1, (short) 3)), only).all().get(), "three replicas");
        refused(InvalidPartitionsException.class, () -> admin.createTopics(List.of(new NewTopic("never", 0, (short) 1)), only).all().get(), "no partitions");
        refused(InvalidTopicException.class, () -> admin.createTopics(List.of(new NewTopic("not/legal", 1, (short) 1)), only).all().get(), "a name");
        refused(InvalidReplicaAssignmentException.class, () -> admin.createTopics(List.of(new NewTopic("never", Map.of(0, List.of(7)))), only).all().get(), "a broker that is not");
        refused(InvalidConfigurationException.class, () -> admin.createTopics(List.of(new NewTopic("never", 1, (short) 1).configs(Map.of("no.such", "1"))), only).all().get(), "a config");
        create("there", 1);
        refused(TopicExistsException.class, () -> admin.createTopics(List.of(new NewTopic("there", 1, (short) 1)), only).all().get(), "a topic that is there");
        admin.createPartitions(Map.of("there", NewPartitions.increaseTo(4)), new CreatePartitionsOptions().validateOnly(true)).all().get();
        equal(admin.describeTopics(List.of("there")).allTopicNames().get().get("there").partitions().size(), 1, "partitions after validating");
        refused(InvalidPartitionsException.class, () -> admin.createPartitions(Map.of("there", NewPartitions.increaseTo(1))).all().get(), "as many partitions");
        refused(UnknownTopicOrPartitionException.class, () -> admin.createPartitions(Map.of("never", NewPartitions.increaseTo(2))).all().get(), "partitions of no topic");
        admin.createPartitions(Map.of("there", NewPartitions.increaseTo(3, List.of(List.of(1), List.of(1))))).all().get();
        until(() -> admin.describeTopics(List.of("there")).allTopicNames().get().get("there").partitions().size() == 3, "three partitions");
    }

    static void internal_topics_are_listed_when_asked() throws Exception {
        admin.alterConsumerGroupOffsets("makes-the-topic", Map.of(at("nowhere", 0), new OffsetAndMetadata(1))).partitionResult(at("nowhere", 0))
            .toCompletionStage().handle((ok, error) -> null).toCompletableFuture().get();
        until(() -> admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get().contains("__consumer_offsets"), "listed with internal");
        isTrue(!admin.listTopics().names().get().contains("__consumer_offsets"), "listed without");
        isTrue(admin.describeTopics(List.of("__consumer_offsets")).allTopicNames().get().get("__consumer_offsets").isInternal(), "described as internal");
    }

    static void records_are_deleted() throws Exception {
        create("deleted", 2);
        fill("deleted", 2, 50);
        var done = admin.deleteRecords(Map.of(at("deleted", 0), RecordsToDelete.beforeOffset(20), at("deleted", 1), RecordsToDelete.beforeOffset(-1))).lowWatermarks();
        equal(done.get(at("deleted", 0)).get().lowWatermark(), 20L, "low watermark");
        equal(done.get(at("deleted", 1)).get().lowWatermark(), 50L, "low watermark of all");
        refused(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () -> admin.deleteRecords(Map.of(at("deleted", 0), RecordsToDelete.beforeOffset(51))).all().get(), "beyond the end");
        try (KafkaConsumer<String, String> reader = consumer()) {
            reader.assign(List.of(at("deleted", 0)));
            equal(values(take(reader, 30)), numbers(20, 50), "what is left");
        }
    }

    static void offsets_by_every_spec() throws Exception {
        create("specs", 2);
        fill("specs", 1, 100);
        TopicPartition p = at("specs", 0), empty = at("specs", 1);
        var specs = new LinkedHashMap<OffsetSpec, List<Long>>();
        specs.put(OffsetSpec.earliest(), List.of(0L, -1L));
        specs.put(OffsetSpec.latest(), List.of(100L, -1L));
        specs.put(OffsetSpec.maxTimestamp(), List.of(99L, 1099L));
        specs.put(OffsetSpec.forTimestamp(1050), List.of(50L, 1050L));
        specs.put(OffsetSpec.forTimestamp(5000), List.of(-1L, -1L));
        specs.put(OffsetSpec.earliestLocal(), List.of(0L, -1L));
        for (var spec : specs.entrySet()) {
            var found = admin.listOffsets(Map.of(p, spec.getKey())).partitionResult(p).get();
            equal(List.of(found.offset(), found.timestamp()), spec.getValue(), "offset and timestamp for " + spec.getKey().getClass().getSimpleName());
        }
        for (OffsetSpec spec : List.of(OffsetSpec.maxTimestamp(), OffsetSpec.forTimestamp(0)))
            equal(admin.listOffsets(Map.of(empty, spec)).partitionResult(empty).get().offset(), -1L, "of an empty partition");
        // The client waits for such a partition to come.
        refused(TimeoutException.class,
            () -> admin.listOffsets(Map.of(at("specs", 9), OffsetSpec.latest()), new org.apache.kafka.clients.admin.ListOffsetsOptions().timeoutMs(500)).all().get(), "no such partition");
    }

    // Admin: configs

    static void configs_of_topics() throws Exception {
        create("conf", 1, "retention.ms", "3600000");
        var all = configs(ConfigResource.Type.TOPIC, "conf", new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true));
        ConfigEntry retention = all.get("retention.ms"), segment = all.get("segment.bytes"), policy = all.get("cleanup.policy");
        equal(List.of(retention.value(), retention.source(), retention.isDefault(), retention.type()), List.of("3600000", ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, false,
            ConfigEntry.ConfigType.LONG), "what was given");
        equal(retention.synonyms().get(0).source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "its first synonym");
        equal(List.of(segment.value(), segment.source(), segment.isDefault(), segment.type()), List.of("1073741824", ConfigEntry.ConfigSource.DEFAULT_CONFIG, true,
            ConfigEntry.ConfigType.INT), "a default");
        isTrue(segment.documentation() != null && !segment.documentation().isEmpty(), "it is documented");
        equal(List.of(policy.value(), policy.type()), List.of("delete", ConfigEntry.ConfigType.LIST), "a list");
        alter(ConfigResource.Type.TOPIC, "conf", OpType.APPEND, "cleanup.policy", "compact");
        until(() -> configs(ConfigResource.Type.TOPIC, "conf", new DescribeConfigsOptions()).get("cleanup.policy").value().equals("delete,compact"), "appended");
        alter(ConfigResource.Type.TOPIC, "conf", OpType.SUBTRACT, "cleanup.policy", "delete");
        until(() -> configs(ConfigResource.Type.TOPIC, "conf", new DescribeConfigsOptions()).get("cleanup.policy").value().equals("compact"), "subtracted");
        alter(ConfigResource.Type.TOPIC, "conf", OpType.DELETE, "retention.ms", null);
        until(() -> configs(ConfigResource.Type.TOPIC, "conf", new DescribeConfigsOptions()).get("retention.ms").value().equals("604800000"), "deleted");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, "conf");
        var validated = List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "1"), OpType.SET));
        admin.incrementalAlterConfigs(Map.of(resource, validated), new AlterConfigsOptions().validateOnly(true)).all().get();
        equal(configs(ConfigResource.Type.TOPIC, "conf", new DescribeConfigsOptions()).get("retention.ms").value(), "604800000", "after validating");
        refused(InvalidConfigurationException.class, () -> {
            alter(ConfigResource.Type.TOPIC, "conf", OpType.SET, "retention.ms", "soon");
            return null;
        }, "a bad value");
        refused(InvalidConfigurationException.class, () -> {
            alter(ConfigResource.Type.TOPIC, "conf", OpType.APPEND, "retention.ms", "1");
            return null;
        }, "appending to a number");
        refused(UnknownTopicOrPartitionException.class, () -> configs(ConfigResource.Type.TOPIC, "none", new DescribeConfigsOptions()), "configs of no topic");
    }

    static void configs_of_brokers_and_groups() throws Exception {
        alter(ConfigResource.Type.BROKER, "1", OpType.SET, "log.cleaner.backoff.ms", "12345");
        until(() -> {
            ConfigEntry found = configs(ConfigResource.Type.BROKER, "1", new DescribeConfigsOptions()).get("log.cleaner.backoff.ms");
            return found.value().equals("12345") && found.source() == ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG;
        }, "a broker's config");
        alter(ConfigResource.Type.BROKER, "1", OpType.DELETE, "log.cleaner.backoff.ms", null);
        alter(ConfigResource.Type.BROKER, "", OpType.SET, "log.cleaner.backoff.ms", "23456");
        until(() -> {
            ConfigEntry found = configs(ConfigResource.Type.BROKER, "1", new DescribeConfigsOptions()).get("log.cleaner.backoff.ms");
            return found.value().equals("23456") && found.source() == ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG;
        }, "all brokers' config");
        alter(ConfigResource.Type.BROKER, "", OpType.DELETE, "log.cleaner.backoff.ms", null);
        refused(InvalidRequestException.class, () -> {
            alter(ConfigResource.Type.BROKER, "1", OpType.SET, "node.id", "7");
            return null;
        }, "a read-only config");
        alter(ConfigResource.Type.GROUP, "configured", OpType.SET, "consumer.session.timeout.ms", "50000");
        until(() -> configs(ConfigResource.Type.GROUP, "configured", new DescribeConfigsOptions()).get("consumer.session.timeout.ms").value().equals("50000"), "a group's config");
        var listed = admin.listConfigResources(Set.of(ConfigResource.Type.GROUP), new org.apache.kafka.clients.admin.ListConfigResourcesOptions()).all().get();
        equal(Set.copyOf(listed), Set.of(new ConfigResource(ConfigResource.Type.GROUP, "configured")), "groups with configs");
        alter(ConfigResource.Type.GROUP, "configured", OpType.DELETE, "consumer.session.timeout.ms", null);
        alter(ConfigResource.Type.CLIENT_METRICS, "metrics", OpType.SET, "interval.ms", "60000");
        until(() -> admin.listConfigResources(Set.of(ConfigResource.Type.CLIENT_METRICS), new org.apache.kafka.clients.admin.ListConfigResourcesOptions()).all().get()
            .contains(new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "metrics")), "client metrics are listed");
        alter(ConfigResource.Type.CLIENT_METRICS, "metrics", OpType.DELETE, "interval.ms", null);
    }

    static void quotas() throws Exception {
        ClientQuotaEntity entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, "alice", ClientQuotaEntity.CLIENT_ID, "app"));
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e6),
            new ClientQuotaAlteration.Op("request_percentage", 50.0))))).all().get();
        ClientQuotaFilter filter = ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofEntity("user", "alice"), ClientQuotaFilterComponent.ofEntity("client-id", "app")));
        until(() -> admin.describeClientQuotas(filter).entities().get().equals(Map.of(entity, Map.of("producer_byte_rate", 1e6, "request_percentage", 50.0))), "described");
        equal(admin.describeClientQuotas(ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofEntityType("user")))).entities().get(), Map.of(), "users alone");
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", null),
            new ClientQuotaAlteration.Op("request_percentage", null))))).all().get();
        until(() -> admin.describeClientQuotas(filter).entities().get().isEmpty(), "removed");
        refused(InvalidRequestException.class, () -> admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("no_such", 1.0))))).all().get(),
            "no such quota");
    }

    // Admin: the cluster

    static void the_cluster() throws Exception {
        var cluster = admin.describeCluster();
        equal(cluster.nodes().get().size(), 1, "nodes");
        equal(cluster.controller().get().id(), 1, "the controller");
        equal(cluster.nodes().get().iterator().next().port(), Integer.valueOf(address.split(":")[1]), "the port");
        equal(cluster.clusterId().get().length(), 22, "the length of the cluster's id");
        equal(cluster.authorizedOperations().get(), null, "operations that were not asked for");
    }

    static void features_and_quorum() throws Exception {
        var features = admin.describeFeatures().featureMetadata().get();
        short level = features.finalizedFeatures().get("metadata.version").maxVersionLevel();
        isTrue(features.supportedFeatures().get("metadata.version").maxVersion() >= level, "it supports what is finalized");
        isTrue(features.finalizedFeaturesEpoch().isPresent(), "the epoch");
        FeatureUpdate beyond = new FeatureUpdate((short) 999, FeatureUpdate.UpgradeType.UPGRADE);
        refused(InvalidUpdateVersionException.class, () -> admin.updateFeatures(Map.of("metadata.version", beyond), new UpdateFeaturesOptions().validateOnly(true)).all().get(), "no such level");
        var quorum = admin.describeMetadataQuorum().quorumInfo().get();
        equal(quorum.leaderId(), 1, "the leader");
        equal(quorum.voters().size(), 1, "voters");
        equal(quorum.voters().get(0).logEndOffset() > 0, true, "its log has something");
        isTrue(quorum.highWatermark() > 0, "the high watermark");
    }

    static void log_directories() throws Exception {
        create("dirs", 1);
        fill("dirs", 1, 100);
        var found = admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1);
        equal(found.size(), 1, "directories");
        var directory = found.entrySet().iterator().next();
        equal(directory.getValue().error(), null, "its error");
        isTrue(directory.getValue().totalBytes().getAsLong() > directory.getValue().usableBytes().getAsLong(), "total and usable bytes");
        until(() -> admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).get(directory.getKey()).replicaInfos().get(at("dirs", 0)).size() > 0, "the size of the partition");
        TopicPartitionReplica replica = new TopicPartitionReplica("dirs", 0, 1);
        equal(admin.describeReplicaLogDirs(List.of(replica)).all().get().get(replica).getCurrentReplicaLogDir(), directory.getKey(), "where the replica is");
        refused(LogDirNotFoundException.class, () -> admin.alterReplicaLogDirs(Map.of(replica, "/no/such/directory")).all().get(), "moving to nowhere");
        admin.alterReplicaLogDirs(Map.of(replica, directory.getKey())).all().get();
    }

    static void leaders_and_reassignments() throws Exception {
        create("led", 2);
        refused(ElectionNotNeededException.class, () -> {
            Optional<Throwable> outcome = admin.electLeaders(ElectionType.PREFERRED, Set.of(at("led", 0))).partitions().get().get(at("led", 0));
            if (outcome.isPresent()) throw (Exception) outcome.get();
            return null;
        }, "an election that is not needed");
        admin.electLeaders(ElectionType.PREFERRED, null).partitions().get();
        refused(UnknownTopicOrPartitionException.class, () -> {
            throw (Exception) admin.electLeaders(ElectionType.PREFERRED, Set.of(at("led", 9))).partitions().get().get(at("led", 9)).get();
        }, "no such partition");
        admin.alterPartitionReassignments(Map.of(at("led", 0), Optional.of(new NewPartitionReassignment(List.of(1))))).all().get();
        equal(admin.listPartitionReassignments().reassignments().get(), Map.of(), "reassignments under way");
        equal(admin.listPartitionReassignments(Set.of(at("led", 1))).reassignments().get(), Map.of(), "of a partition");
        refused(InvalidReplicaAssignmentException.class, () -> admin.alterPartitionReassignments(Map.of(at("led", 0), Optional.of(new NewPartitionReassignment(List.of(1, 7))))).all().get(),
            "a broker that is not");
        refused(NoReassignmentInProgressException.class, () -> admin.alterPartitionReassignments(Map.of(at("led", 0), Optional.empty())).all().get(), "cancelling none");
    }

    static void producers_are_described() throws Exception {
        create("active", 1);
        fill("active", 1, 10);
        var state = admin.describeProducers(List.of(at("active", 0))).all().get().get(at("active", 0)).activeProducers();
        equal(state.size(), 1, "producers");
        equal(List.of(state.get(0).lastSequence(), state.get(0).producerEpoch(), state.get(0).currentTransactionStartOffset()), List.of(9, 0, OptionalLong.empty()),
            "sequence, epoch, transaction");
        isTrue(state.get(0).producerId() >= 0, "its id");
    }

    // Admin: groups

    static void groups_are_listed_and_described() throws Exception {
        create("grouped", 2);
        try (KafkaConsumer<String, String> member = consumer("group.id", "described", "client.id", "the-client", "group.instance.id", "the-instance")) {
            member.subscribe(List.of("grouped"));
            joined(member, 2);
            var group = admin.describeConsumerGroups(List.of("described")).all().get().get("described");
            equal(List.of(group.groupState(), group.partitionAssignor(), group.isSimpleConsumerGroup(), group.coordinator().id()), List.of(GroupState.STABLE, "range", false, 1), "described");
            var only = group.members().iterator().next();
            equal(List.of(only.clientId(), only.groupInstanceId().get(), only.assignment().topicPartitions()), List.of("the-client", "the-instance", Set.of(at("grouped", 0), at("grouped", 1))),
                "its member");
            isTrue(only.host().contains("127.0.0.1"), "its host: " + only.host());
            var classic = admin.describeClassicGroups(List.of("described")).all().get().get("described");
            equal(List.of(classic.state().toString(), classic.protocol(), classic.members().size()), List.of("Stable", "consumer", 1), "as a classic group");
            var listed = admin.listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.STABLE)).withProtocolTypes(Set.of("consumer"))).all().get();
            equal(listed.stream().filter(g -> g.groupId().equals("described")).count(), 1L, "listed by its state");
            equal(admin.listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))).all().get().stream().filter(g -> g.groupId().equals("described")).count(), 0L,
                "listed by another state");
            refused(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of("described")).all().get(), "deleting it");
            admin.removeMembersFromConsumerGroup("described", new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("the-instance")))).all().get();
            until(() -> admin.describeConsumerGroups(List.of("described")).all().get().get("described").members().isEmpty(), "removed by its instance");
        } catch (FencedInstanceIdException | UnknownMemberIdException removed) {
            // The member finds out when it closes.
        }
        refused(GroupIdNotFoundException.class, () -> admin.describeConsumerGroups(List.of("nobody")).all().get(), "describing no group");
        refused(GroupIdNotFoundException.class, () -> admin.describeClassicGroups(List.of("nobody")).all().get(), "describing no classic group");
        refused(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of("nobody")).all().get(), "deleting no group");
    }

    static void groups_of_the_consumer_protocol_are_described() throws Exception {
        create("assigned", 2);
        try (KafkaConsumer<String, String> member = consumer("group.id", "modern", "client.id", "the-client", "group.instance.id", "the-instance", "group.protocol", "consumer",
            "group.remote.assignor", "range")) {
            member.subscribe(List.of("assigned"));
            joined(member, 2);
            // It has them before it has said so.
            until(() -> {
                member.poll(Duration.ofMillis(50));
                return admin.describeConsumerGroups(List.of("modern")).all().get().get("modern").groupState() == GroupState.STABLE;
            }, "the group is stable");
            var group = admin.describeConsumerGroups(List.of("modern")).all().get().get("modern");
            equal(List.of(group.type(), group.partitionAssignor(), group.groupEpoch(), group.targetAssignmentEpoch(), group.isSimpleConsumerGroup()),
                List.of(GroupType.CONSUMER, "range", Optional.of(2), Optional.of(2), false), "described");
            var only = group.members().iterator().next();
            var both = Set.of(at("assigned", 0), at("assigned", 1));
            equal(List.of(only.clientId(), only.groupInstanceId().get(), only.memberEpoch(), only.upgraded(), only.assignment().topicPartitions(), only.targetAssignment().get().topicPartitions()),
                List.of("the-client", "the-instance", Optional.of(2), Optional.of(true), both, both), "its member");
            refused(GroupIdNotFoundException.class, () -> admin.describeClassicGroups(List.of("modern")).all().get(), "describing it as a classic group");
            var listed = admin.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER))).all().get();
            equal(listed.stream().filter(g -> g.groupId().equals("modern")).map(g -> g.type().get()).toList(), List.of(GroupType.CONSUMER), "listed by its type");
            equal(admin.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.CLASSIC))).all().get().stream().filter(g -> g.groupId().equals("modern")).count(), 0L,
                "listed by the other type");
            refused(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of("modern")).all().get(), "deleting it");
            member.commitSync(Map.of(at("assigned", 0), new OffsetAndMetadata(0)));
            refused(GroupSubscribedToTopicException.class, () -> admin.deleteConsumerGroupOffsets("modern", Set.of(at("assigned", 0))).partitionResult(at("assigned", 0)).get(),
                "deleting an offset of what it reads");
            admin.removeMembersFromConsumerGroup("modern", new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("the-instance")))).all().get();
            until(() -> admin.describeConsumerGroups(List.of("modern")).all().get().get("modern").members().isEmpty(), "removed by its instance");
        } catch (FencedInstanceIdException | UnknownMemberIdException removed) {
            // The member finds out when it closes.
        }
    }

    static void the_server_matches_a_regular_expression() throws Exception {
        create("matched-a", 1);
        create("unmatched", 1);
        try (KafkaConsumer<String, String> member = consumer("group.id", "matching", "group.protocol", "consumer")) {
            member.subscribe(new SubscriptionPattern("matched-[ab]"));
            joined(member, 1);
            create("matched-b", 2);
            joined(member, 3);
            equal(member.assignment(), Set.of(at("matched-a", 0), at("matched-b", 0), at("matched-b", 1)), "assigned");
        }
        try (KafkaConsumer<String, String> member = consumer("group.id", "mismatching", "group.protocol", "consumer")) {
            member.subscribe(new SubscriptionPattern("(unclosed"));
            refused(InvalidRegularExpression.class, () -> {
                for (long end = System.currentTimeMillis() + 30_000; System.currentTimeMillis() < end;) member.poll(Duration.ofMillis(100));
                return "nothing";
            }, "an expression that is none");
        }
    }

    static void a_groups_own_configs() throws Exception {
        alter(ConfigResource.Type.GROUP, "tuned", OpType.SET, "consumer.session.timeout.ms", "50000");
        ConfigEntry found = configs(ConfigResource.Type.GROUP, "tuned", new DescribeConfigsOptions()).get("consumer.session.timeout.ms");
        equal(List.of(found.value(), found.source().toString()), List.of("50000", "DYNAMIC_GROUP_CONFIG"), "the config");
        refused(InvalidConfigurationException.class, () -> {
            alter(ConfigResource.Type.GROUP, "tuned", OpType.SET, "consumer.session.timeout.ms", "1000");
            return null;
        }, "less than the broker allows");
        alter(ConfigResource.Type.GROUP, "tuned", OpType.DELETE, "consumer.session.timeout.ms", "");
        found = configs(ConfigResource.Type.GROUP, "tuned", new DescribeConfigsOptions()).get("consumer.session.timeout.ms");
        equal(found.value(), "6000", "what the broker has");
    }

    static void all_members_are_removed() throws Exception {
        create("removed", 1);
        try (KafkaConsumer<String, String> member = consumer("group.id", "removed")) {
            member.subscribe(List.of("removed"));
            joined(member, 1);
            admin.removeMembersFromConsumerGroup("removed", new RemoveMembersFromConsumerGroupOptions()).all().get();
            equal(admin.describeConsumerGroups(List.of("removed")).all().get().get("removed").members().size(), 0, "members left");
            refused(CommitFailedException.class, () -> {
                member.commitSync(Map.of(at("removed", 0), new OffsetAndMetadata(0)));
                return null;
            }, "a commit of who was removed");
        }
    }

    static void offsets_of_groups() throws Exception {
        create("offsets", 2);
        TopicPartition first = at("offsets", 0), second = at("offsets", 1);
        admin.alterConsumerGroupOffsets("altered", Map.of(first, new OffsetAndMetadata(5, Optional.of(0), "note"), second, new OffsetAndMetadata(7))).all().get();
        var found = admin.listConsumerGroupOffsets("altered").partitionsToOffsetAndMetadata().get();
        equal(found, Map.of(first, new OffsetAndMetadata(5, Optional.of(0), "note"), second, new OffsetAndMetadata(7)), "offsets");
        equal(admin.describeConsumerGroups(List.of("altered")).all().get().get("altered").isSimpleConsumerGroup(), true, "a simple group");
        try (KafkaConsumer<String, String> member = consumer("group.id", "altered")) {
            member.subscribe(List.of("offsets"));
            joined(member, 2);
            refused(UnknownMemberIdException.class, () -> admin.alterConsumerGroupOffsets("altered", Map.of(first, new OffsetAndMetadata(1))).all().get(), "altering with a member");
            refused(GroupSubscribedToTopicException.class, () -> admin.deleteConsumerGroupOffsets("altered", Set.of(first)).partitionResult(first).get(), "deleting what is subscribed to");
        }
        admin.deleteConsumerGroupOffsets("altered", Set.of(first)).all().get();
        equal(admin.listConsumerGroupOffsets("altered").partitionsToOffsetAndMetadata().get().keySet(), Set.of(second), "left");
        admin.deleteConsumerGroups(List.of("altered")).all().get();
        equal(admin.listConsumerGroupOffsets("altered").partitionsToOffsetAndMetadata().get(), Map.of(), "after the group is gone");
    }

    // The consumer

    static void subscribes_by_pattern() throws Exception {
        create("pattern-a", 1);
        create("other", 1);
        fill("pattern-a", 1, 5);
        try (KafkaConsumer<String, String> member = consumer("group.id", "patterns", "metadata.max.age.ms", 500)) {
            member.subscribe(Pattern.compile("pattern-.*"));
            equal(values(take(member, 5)), numbers(0, 5), "of the first topic");
            equal(member.assignment(), Set.of(at("pattern-a", 0)), "assigned");
            create("pattern-b", 2);
            fill("pattern-b", 2, 3);
            joined(member, 3);
            equal(member.assignment(), Set.of(at("pattern-a", 0), at("pattern-b", 0), at("pattern-b", 1)), "with the new topic");
            member.unsubscribe();
            equal(member.assignment(), Set.of(), "after unsubscribing");
        }
    }

    static void assigned_by_hand() throws Exception {
        create("manual", 3);
        fill("manual", 3, 100);
        TopicPartition first = at("manual", 0), second = at("manual", 1);
        try (KafkaConsumer<String, String> reader = consumer("max.poll.records", 10)) {
            reader.assign(List.of(first, second));
            reader.seekToEnd(List.of(second));
            reader.seek(first, 90);
            equal(values(take(reader, 10)), numbers(90, 100), "from 90");
            equal(List.of(reader.position(first), reader.position(second)), List.of(100L, 100L), "positions");
            reader.pause(List.of(first));
            reader.seekToBeginning(List.of(first, second));
            var some = take(reader, 100);
            equal(some.stream().map(ConsumerRecord::partition).distinct().toList(), List.of(1), "partitions while the other is paused");
            equal(reader.paused(), Set.of(first), "paused");
            reader.resume(List.of(first));
            equal(values(take(reader, 100)), numbers(0, 100), "resumed");
            equal(reader.currentLag(first), OptionalLong.of(0), "lag");
            equal(reader.beginningOffsets(List.of(first)), Map.of(first, 0L), "beginning");
            equal(reader.endOffsets(List.of(first, second)), Map.of(first, 100L, second, 100L), "ends");
            equal(reader.offsetsForTimes(Map.of(first, 1033L)).get(first).offset(), 33L, "by time");
            equal(reader.offsetsForTimes(Map.of(first, 9999L)).get(first), null, "by a time that is not yet");
            equal(reader.partitionsFor("manual").size(), 3, "partitions");
            isTrue(reader.listTopics().containsKey("manual"), "topics");
        }
    }

    static void resets_where_there_is_no_offset() throws Exception {
        create("reset", 1);
        fill("reset", 1, 10);
        TopicPartition p = at("reset", 0);
        try (KafkaConsumer<String, String> none = consumer("auto.offset.reset", "none", "group.id", "none")) {
            none.assign(List.of(p));
            refused(NoOffsetForPartitionException.class, () -> none.poll(Duration.ofSeconds(10)), "no offset");
            none.seek(p, 11);
            refused(OffsetOutOfRangeException.class, () -> {
                for (int i = 0; i < 100; i++) none.poll(Duration.ofMillis(100));
                return null;
            }, "beyond the end");
        }
        try (KafkaConsumer<String, String> earliest = consumer()) {
            earliest.assign(List.of(p));
            earliest.seek(p, 500);
            equal(values(take(earliest, 10)), numbers(0, 10), "reset to the earliest");
        }
        try (KafkaConsumer<String, String> latest = consumer("auto.offset.reset", "latest")) {
            latest.assign(List.of(p));
            equal(latest.position(p), 10L, "reset to the latest");
        }
        try (KafkaProducer<String, String> producer = producer()) {
            equal(producer.send(new ProducerRecord<>("reset", "now")).get().offset(), 10L, "a record of now");
        }
        try (KafkaConsumer<String, String> since = consumer("auto.offset.reset", "by_duration:P1D")) {
            since.assign(List.of(p));
            equal(since.position(p), 10L, "reset to a day ago");
        }
    }

    static void commits_in_every_way() throws Exception {
        create("commits", 1);
        fill("commits", 1, 100);
        TopicPartition p = at("commits", 0);
        try (KafkaConsumer<String, String> member = consumer("group.id", "committers", "max.poll.records", 10)) {
            member.subscribe(List.of("commits"));
            take(member, 10);
            member.commitSync();
            equal(member.committed(Set.of(p)).get(p).offset(), 10L, "by commitSync");
            take(member, 10);
            CompletableFuture<Map<TopicPartition, OffsetAndMetadata>> told = new CompletableFuture<>();
            member.commitAsync((offsets, error) -> {
                if (error == null) told.complete(offsets);
                else told.completeExceptionally(error);
            });
            until(() -> {
                member.pause(List.of(p));
                member.poll(Duration.ofMillis(20));
                return told.isDone();
            }, "the callback");
            member.resume(List.of(p));
            equal(told.get().get(p).offset(), 20L, "what the callback was told");
            equal(member.committed(Set.of(p)).get(p).offset(), 20L, "by commitAsync");
            member.commitSync(Map.of(p, new OffsetAndMetadata(42, "with a note")));
            equal(member.committed(Set.of(p)).get(p), new OffsetAndMetadata(42, "with a note"), "by offset");
            member.seek(p, 77);
            member.commitSync();
        }
        equal(admin.listConsumerGroupOffsets("committers").partitionsToOffsetAndMetadata().get().get(p).offset(), 77L, "what the group has");
        try (KafkaConsumer<String, String> automatic = consumer("group.id", "committers", "enable.auto.commit", true, "auto.commit.interval.ms", 100)) {
            automatic.subscribe(List.of("commits"));
            equal(values(take(automatic, 23)), numbers(77, 100), "from where it was committed");
        }
        equal(admin.listConsumerGroupOffsets("committers").partitionsToOffsetAndMetadata().get().get(p).offset(), 100L, "committed by itself");
    }

    static void a_listener_sees_what_comes_and_goes() throws Exception {
        for (String assignor : List.of("Range", "RoundRobin", "Sticky", "CooperativeSticky")) {
            String topic = "listened-" + assignor, strategy = "org.apache.kafka.clients.consumer." + assignor + "Assignor";
            create(topic, 4);
            List<String> seen = new ArrayList<>();
            ConsumerRebalanceListener listener = new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
                    seen.add("-" + revoked.size());
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
                    seen.add("+" + assigned.size());
                }
            };
            try (KafkaConsumer<String, String> first = consumer("group.id", topic, "partition.assignment.strategy", strategy)) {
                first.subscribe(List.of(topic), listener);
                joined(first, 4);
                try (KafkaConsumer<String, String> second = consumer("group.id", topic, "partition.assignment.strategy", strategy)) {
                    second.subscribe(List.of(topic));
                    until(() -> {
                        first.poll(Duration.ofMillis(20));
                        second.poll(Duration.ofMillis(20));
                        return first.assignment().size() == 2 && second.assignment().size() == 2;
                    }, "both have two with " + assignor);
                    Set<TopicPartition> all = new java.util.HashSet<>(first.assignment());
                    all.addAll(second.assignment());
                    equal(all.size(), 4, "partitions of both");
                }
                joined(first, 4);
            }
            boolean cooperative = assignor.startsWith("Coop");
            List<String> moves = seen.stream().filter(m -> !m.equals("+0")).toList();
            equal(moves, cooperative ? List.of("+4", "-2", "+2", "-4") : List.of("+4", "-4", "+2", "-2", "+4", "-4"), "what the listener saw with " + assignor);
        }
    }

    static void who_does_not_poll_is_replaced() throws Exception {
        create("slow", 1);
        try (KafkaConsumer<String, String> slow = consumer("group.id", "slow", "max.poll.interval.ms", 1000); KafkaConsumer<String, String> other = consumer("group.id", "slow")) {
            slow.subscribe(List.of("slow"));
            joined(slow, 1);
            other.subscribe(List.of("slow"));
            joined(other, 1);
            refused(CommitFailedException.class, () -> {
                slow.commitSync(Map.of(at("slow", 0), new OffsetAndMetadata(0)));
                return null;
            }, "a commit of who was replaced");
        }
    }

    // The producer

    static void producer_callbacks_and_errors() throws Exception {
        create("sent", 2, "max.message.bytes", "2000");
        try (KafkaProducer<String, String> producer = producer("retries", 3, "delivery.timeout.ms", 20_000, "request.timeout.ms", 10_000)) {
            CompletableFuture<RecordMetadata> told = new CompletableFuture<>();
            producer.send(new ProducerRecord<>("sent", 1, 1234L, "k", "v"), (metadata, error) -> told.complete(metadata));
            producer.flush();
            RecordMetadata metadata = told.get(1, TimeUnit.SECONDS);
            equal(List.of(metadata.partition(), metadata.offset(), metadata.timestamp(), metadata.serializedValueSize()), List.of(1, 0L, 1234L, 1), "what the callback was told");
            refused(RecordTooLargeException.class, () -> producer.send(new ProducerRecord<>("sent", "x".repeat(5000))).get(), "over the topic's limit");
            refused(RecordTooLargeException.class, () -> producer.send(new ProducerRecord<>("sent", "x".repeat(2_000_000))).get(), "over the producer's limit");
            equal(producer.partitionsFor("sent").size(), 2, "partitions");
            equal(producer.send(new ProducerRecord<>("sent", 1, null, "after")).get().offset(), 1L, "the next record");
        }
        try (KafkaProducer<String, String> producer = producer("max.block.ms", 2000)) {
            refused(TimeoutException.class, () -> producer.send(new ProducerRecord<>("sent", 5, null, "v")).get(), "no such partition");
            refused(InvalidTopicException.class, () -> producer.send(new ProducerRecord<>("not/legal", "v")).get(), "no such name");
        }
    }

    /** All to the last partition. */
    public static class ToTheLast implements Partitioner {
        @Override
        public int partition(String topic, Object key, byte[] keyBytes, Object value, byte[] valueBytes, Cluster cluster) {
            return cluster.partitionsForTopic(topic).size() - 1;
        }

        @Override
        public void close() {}

        @Override
        public void configure(Map<String, ?> configs) {}
    }

    static void partitioners() throws Exception {
        create("parted", 3);
        try (KafkaProducer<String, String> producer = producer("partitioner.class", ToTheLast.class.getName())) {
            equal(producer.send(new ProducerRecord<>("parted", "k", "v")).get().partition(), 2, "our own");
        }
        try (KafkaProducer<String, String> producer = producer("partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner", "linger.ms", 0)) {
            Set<Integer> used = new TreeSet<>();
            for (int n = 0; n < 12; n++) used.add(producer.send(new ProducerRecord<>("parted", "v")).get().partition());
            equal(used, Set.of(0, 1, 2), "round robin");
        }
    }

    static void topics_are_created_when_used() throws Exception {
        try (KafkaProducer<String, String> producer = producer()) {
            equal(producer.send(new ProducerRecord<>("made-by-use", "v")).get().offset(), 0L, "the first record");
        }
        equal(admin.describeTopics(List.of("made-by-use")).allTopicNames().get().get("made-by-use").partitions().size(), 1, "partitions by default");
        try (KafkaConsumer<String, String> reader = consumer("allow.auto.create.topics", false)) {
            equal(reader.partitionsFor("not-made"), List.of(), "partitions of no topic");
        }
        isTrue(!admin.listTopics().names().get().contains("not-made"), "a topic that nobody wanted");
    }

    static void large_batches_and_records() throws Exception {
        create("large", 1, "max.message.bytes", "20000000");
        String value = "0123456789".repeat(500_000);
        try (KafkaProducer<String, String> producer = producer("max.request.size", 20_000_000, "buffer.memory", 64_000_000L, "batch.size", 1_000_000)) {
            for (int n = 0; n < 4; n++) equal(producer.send(new ProducerRecord<>("large", value)).get().offset(), (long) n, "offset");
        }
        try (KafkaConsumer<String, String> reader = consumer("max.partition.fetch.bytes", 1000, "fetch.max.bytes", 1000)) {
            reader.assign(List.of(at("large", 0)));
            for (String found : values(take(reader, 4))) equal(found.equals(value), true, "a record over all limits of the fetch");
        }
    }
}
