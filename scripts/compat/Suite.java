import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.message.ApiMessageType;

/** Asks both brokers, compares, counts. */
final class Suite {
    /** A request in Kafka's JSON form; it may name what is the broker's own. */
    interface Request {
        String to(Peer peer) throws Exception;
    }

    /** Any exchange that ends in something to compare. */
    interface Exchange {
        ObjectNode with(Peer peer) throws Exception;
    }

    /** Looks, 20 ms apart, at what must come in the end: a minute. */
    static final int PATIENCE = 3_000;
    private static final int SLOW_MS = 2_000;
    final Peer kafka;
    final Peer ours;
    private final Masks masks = new Masks();
    private int answers;
    private int differences;
    private final PrintStream shown;
    /** Error codes of Kafka's answers, by API: what the cases cause. */
    private final Map<String, TreeSet<Integer>> codes = new TreeMap<>();
    /** Versions in which a case differs. */
    private final Map<String, List<Integer>> differing = new TreeMap<>();

    /** Writes Kafka's answers to {@code shown}, unless that is empty. */
    Suite(Peer kafka, Peer ours, String shown) throws IOException {
        this.kafka = kafka;
        this.ours = ours;
        this.shown = shown.isEmpty() ? null : new PrintStream(shown, StandardCharsets.UTF_8);
    }

    int answers() {
        return answers;
    }

    int differences() {
        return differences;
    }

    /** One request to each, their answers compared. */
    void same(String label, ApiMessageType api, int version, Request request) throws Exception {
        compare(label, api, version, peer -> peer.ask(api, version, request.to(peer)));
    }

    void compare(String label, ApiMessageType api, int version, Exchange exchange) throws Exception {
        long start = System.nanoTime();
        JsonNode theirs = masks.apply(api, kafka, exchange.with(kafka));
        JsonNode mine = masks.apply(api, ours, exchange.with(ours));
        masks.align(api, theirs, mine);
        long ms = (System.nanoTime() - start) / 1_000_000;
        if (ms > SLOW_MS) {
            System.out.printf("%s v%d, %s: took %d ms%n", api.name, version, label, ms);
        }
        answers++;
        collect(codes.computeIfAbsent(api.name, name -> new TreeSet<>()), theirs);
        if (shown != null) {
            shown.printf("%s v%d, %s: %s%n", api.name, version, label, theirs);
        }
        List<String> paths = new ArrayList<>();
        difference("", theirs, mine, paths);
        if (!paths.isEmpty()) {
            differences++;
            String what = api.name + ", " + label;
            List<Integer> versions = differing.computeIfAbsent(what, key -> new ArrayList<>());
            if (versions.isEmpty()) {
                System.out.printf("%s v%d, %s:%n", api.name, version, label);
                paths.stream().limit(12).forEach(path -> System.out.println("    " + path));
            }
            versions.add(version);
        }
    }

    /** Does something that both must have done before the cases mean anything. */
    void prepare(Exchange exchange) throws Exception {
        for (Peer peer : List.of(kafka, ours)) {
            exchange.with(peer);
        }
    }

    void report() {
        if (!differing.isEmpty()) {
            System.out.println("differing:");
            differing.forEach((what, versions) -> System.out.println("    " + what + ": " + versions));
        }
        System.out.println("error codes that the cases cause:");
        codes.forEach((api, seen) -> System.out.println("    " + api + ": " + seen));
        System.out.println("masked:");
        masks.reasons().forEach(reason -> System.out.println("    " + reason));
        System.out.printf("%d answers compared, %d differ%n", answers, differences);
    }

    private static void collect(TreeSet<Integer> codes, JsonNode answer) {
        for (JsonNode code : answer.findValues("errorCode")) {
            codes.add(code.intValue());
        }
    }

    private static void difference(String path, JsonNode kafka, JsonNode ours, List<String> paths) {
        if (kafka instanceof ObjectNode && ours instanceof ObjectNode) {
            TreeSet<String> names = new TreeSet<>();
            kafka.fieldNames().forEachRemaining(names::add);
            ours.fieldNames().forEachRemaining(names::add);
            for (String name : names) {
                difference(path + "." + name, or(kafka.get(name)), or(ours.get(name)), paths);
            }
        } else if (kafka instanceof ArrayNode && ours instanceof ArrayNode && kafka.size() == ours.size()) {
            for (int i = 0; i < kafka.size(); i++) {
                difference(path + "[" + i + "]", kafka.get(i), ours.get(i), paths);
            }
        } else if (!kafka.equals(ours)) {
            paths.add(path + ": kafka " + brief(kafka) + ", ours " + brief(ours));
        }
    }

    private static JsonNode or(JsonNode node) {
        return node == null ? JsonNodeFactory.instance.textNode("(nothing)") : node;
    }

    private static String brief(JsonNode node) {
        String text = node.toString();
        return text.length() <= 300 ? text : text.substring(0, 300) + "... (" + text.length() + ")";
    }

    // What many cases begin with.

    /** Creates a topic on both and waits until it can be used. */
    void topic(String name, int partitions, String... configs) throws Exception {
        StringBuilder list = new StringBuilder();
        for (String config : configs) {
            String[] pair = config.split("=", 2);
            list.append(list.isEmpty() ? "" : ",").append("{\"name\":\"%s\",\"value\":\"%s\"}".formatted(pair[0], pair[1]));
        }
        String body = """
            {"topics":[{"name":"%s","numPartitions":%d,"replicationFactor":1,"assignments":[],"configs":[%s]}],
             "timeoutMs":10000,"validateOnly":false}""".formatted(name, partitions, list);
        prepare(peer -> {
            ObjectNode answer = peer.ask(ApiMessageType.CREATE_TOPICS, 7, body);
            if (answer.has("outcome") || answer.get("topics").get(0).get("errorCode").intValue() != 0) {
                throw new IllegalStateException(peer.name + " does not create " + name + ": " + answer);
            }
            await(peer, name, partitions);
            return answer;
        });
    }

    /** Waits until all partitions of a topic have a leader that answers, and remembers its id. */
    static void await(Peer peer, String name, int partitions) throws Exception {
        String body = """
            {"topics":[{"topicId":"AAAAAAAAAAAAAAAAAAAAAA","name":"%s"}],"allowAutoTopicCreation":false,
             "includeTopicAuthorizedOperations":false}""".formatted(name);
        for (int tries = 0; tries < PATIENCE; tries++) {
            JsonNode answer = peer.ask(ApiMessageType.METADATA, 12, body);
            if (answer.has("topics")) {
                JsonNode topic = answer.get("topics").get(0);
                int led = 0;
                for (JsonNode partition : topic.get("partitions")) {
                    led += partition.get("leaderId").intValue() >= 0 && partition.get("errorCode").intValue() == 0 ? 1 : 0;
                }
                if (led == partitions && leads(peer, name, partitions)) {
                    peer.ids.put(name, topic.get("topicId").textValue());
                    return;
                }
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException(peer.name + ": " + name + " does not come");
    }

    private static boolean leads(Peer peer, String name, int partitions) throws Exception {
        for (int partition = 0; partition < partitions; partition++) {
            JsonNode answer = peer.ask(ApiMessageType.LIST_OFFSETS, 1, """
                {"replicaId":-1,"topics":[{"name":"%s","partitions":[{"partitionIndex":%d,"timestamp":-1}]}]}""".formatted(name, partition));
            if (answer.has("outcome") || answer.get("topics").get(0).get("partitions").get(0).get("errorCode").intValue() != 0) {
                return false;
            }
        }
        return true;
    }

    /** Appends a batch on both; it must succeed. */
    void append(String topic, int partition, byte[] batch) throws Exception {
        prepare(peer -> {
            ObjectNode answer = peer.ask(ApiMessageType.PRODUCE, 8, ProduceCases.body(peer, topic, partition, -1, Batches.json(batch)));
            JsonNode result = answer.has("outcome") ? answer : answer.get("responses").get(0).get("partitionResponses").get(0);
            if (!result.has("errorCode") || result.get("errorCode").intValue() != 0) {
                throw new IllegalStateException(peer.name + " does not append to " + topic + ": " + answer);
            }
            return answer;
        });
    }

    static Iterable<Map.Entry<String, JsonNode>> fields(JsonNode node) {
        return node.properties();
    }
}
