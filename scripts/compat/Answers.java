import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs all cases against two brokers: {@code Answers KAFKA_PORT OUR_PORT [cases,..] [file for Kafka's answers]}. */
final class Answers {
    /** Cases of one API, or of a few that belong together. */
    interface Cases {
        void run(Suite suite) throws Exception;
    }

    public static void main(String[] args) throws Exception {
        Map<String, Cases> all = new LinkedHashMap<>();
        all.put("Handshake", new HandshakeCases());
        all.put("Frames", new FrameCases());
        all.put("Metadata", new MetadataCases());
        all.put("CreateTopics", new CreateTopicsCases());
        all.put("DeleteTopics", new DeleteTopicsCases());
        all.put("DescribeConfigs", new DescribeConfigsCases());
        all.put("AlterConfigs", new AlterConfigsCases());
        all.put("Partitions", new PartitionsCases());
        all.put("Cluster", new ClusterCases());
        all.put("DeleteRecords", new DeleteRecordsCases());
        all.put("Quotas", new QuotasCases());
        all.put("Telemetry", new TelemetryCases());
        all.put("InitProducerId", new ProducerIdCases());
        all.put("Produce", new ProduceCases());
        all.put("Idempotence", new IdempotenceCases());
        all.put("ListOffsets", new ListOffsetsCases());
        all.put("OffsetForLeaderEpoch", new LeaderEpochCases());
        all.put("Fetch", new FetchCases());
        all.put("FetchSession", new FetchSessionCases());
        all.put("Groups", new GroupCases());
        all.put("Offsets", new OffsetCases());
        all.put("ConsumerGroups", new ConsumerGroupCases());
        all.put("ShareState", new ShareStateCases());
        all.put("ShareGroups", new ShareGroupCases());
        all.put("ShareFetch", new ShareFetchCases());
        List<String> chosen = args.length > 2 && !args[2].isEmpty() ? List.of(args[2].split(",")) : List.copyOf(all.keySet());
        if (!all.keySet().containsAll(chosen)) {
            System.err.println("CASES may name " + String.join(", ", all.keySet()));
            System.exit(2);
        }

        try (Peer kafka = new Peer("kafka", Integer.parseInt(args[0])); Peer ours = new Peer("ours", Integer.parseInt(args[1]))) {
            Suite suite = new Suite(kafka, ours, args.length > 3 ? args[3] : "");
            for (String name : chosen) {
                int before = suite.answers();
                int differences = suite.differences();
                all.get(name).run(suite);
                System.out.printf("%s: %d answers, %d differ%n", name, suite.answers() - before, suite.differences() - differences);
            }
            suite.report();
            System.exit(suite.differences() == 0 ? 0 : 1);
        }
    }
}
