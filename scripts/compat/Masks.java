import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.message.ApiMessageType;

/**
 * What two brokers that behave alike may say differently. An id is replaced by what it names, so that it is still compared;
 * what is left out altogether has its reason here, and the report prints it.
 */
final class Masks {
    static final String NO_ID = "AAAAAAAAAAAAAAAAAAAAAA";

    List<String> reasons() {
        return List.of(
            "topicId, and ids in texts: replaced by the topic's name (nil and unknown ones stay)",
            "clusterId: whether there is one",
            "offsets, epoch, times, directories and endpoints of the quorum: that they are there",
            "port of this broker: replaced by a word",
            "sessionId of Fetch: whether there is one",
            "clientInstanceId, subscriptionId of telemetry: that they are there",
            "producerId: counted from the first that the broker gave",
            "logAppendTimeMs: whether it is a time",
            "the bounds of time in Produce's texts",
            "the order of topics and partitions in the responses to Produce, DeleteTopics, CreatePartitions and DeleteRecords, of what ListConfigResources lists, of quotas, of topics in those to Metadata: Kafka's is by hash or by lot",
            "the order of groups, topics and partitions in the responses of groups: Kafka's is by hash",
            "the order of topics and partitions in the responses to ShareFetch and ShareAcknowledge: Kafka's is by hash",
            "the texts beside INVALID_RECORD_STATE: Kafka's depends on what was acquired together",
            "member ids: replaced by the name that the case has for them",
            "the order of topics and partitions in the responses of a fetch session: Kafka moves what had records behind the others",
            "a torn batch at the end of a fetch's records: Kafka cuts at the byte, ours behind a whole batch",
            "documentation of DescribeConfigs: in our own words",
            "errorMessage of Produce where Kafka says nothing: ours says why",
            "where min.insync.replicas' default comes from: Kafka writes one for all brokers when it is formatted (KIP-966)",
            "not asked: Produce of null records, to which Kafka never answers",
            "not asked: Produce of a plain record whose offset delta is out of order: Kafka appends it, ours is INVALID_RECORD",
            "not asked: AlterConfigs that names a resource twice, to which Kafka never answers",
            "not asked: ShareFetch of an unknown topic id, on which Kafka stumbles (UNKNOWN_SERVER_ERROR for all): ours is UNKNOWN_TOPIC_ID for its partitions",
            "not asked: ShareFetch with a batch size below 1: Kafka's acquired records begin with a range of none",
            "not asked: Fetch with a negative limit of bytes, on which Kafka stumbles",
            "not asked: a static member that comes back as a classic one while another waits for what it had: Kafka gives that to the other without telling it, ours lets both join again",
            "finalizedFeaturesEpoch of ApiVersions: whether it is known",
            "ApiVersions: APIs and features that only Kafka serves, and the lowest level of a feature",
            "DescribeConfigs of a broker: values that name a place or a port, and keys that only one of both has");
    }

    JsonNode apply(ApiMessageType api, Peer peer, JsonNode answer) {
        return masked(api, peer, "", answer);
    }

    private JsonNode masked(ApiMessageType api, Peer peer, String name, JsonNode node) {
        if (node instanceof ObjectNode object) {
            ObjectNode copy = JsonNodeFactory.instance.objectNode();
            for (Map.Entry<String, JsonNode> field : Suite.fields(object)) {
                copy.set(field.getKey(), masked(api, peer, field.getKey(), field.getValue()));
            }
            return copy;
        }
        if (node instanceof ArrayNode && name.equals("listeners")) {
            return word("where the controllers are");
        }
        if (node instanceof ArrayNode array) {
            ArrayNode copy = JsonNodeFactory.instance.arrayNode();
            array.forEach(element -> copy.add(masked(api, peer, name, element)));
            return copy;
        }
        return switch (name) {
            case "clusterId" -> node.isNull() ? node : word("a cluster id");
            case "clientInstanceId" -> word("an instance");
            case "subscriptionId" -> node.intValue() == 0 ? node : word("a subscription");
            case "port" -> node.intValue() == peer.port ? word("its port") : node;
            case "sessionId" -> node.intValue() == 0 ? node : word("a session");
            case "logAppendTimeMs" -> node.longValue() < 0 ? node : word("a time");
            case "finalizedFeaturesEpoch" -> node.longValue() < 0 ? node : word("an epoch");
            case "lastFetchTimestamp", "lastCaughtUpTimestamp" -> node.longValue() < 0 ? node : word("a time");
            case "replicaDirectoryId" -> node.textValue().equals(NO_ID) ? node : word("a directory");
            case "logEndOffset", "highWatermark" -> api == ApiMessageType.DESCRIBE_QUORUM ? word("an offset") : node;
            case "leaderEpoch" -> api == ApiMessageType.DESCRIBE_QUORUM ? word("an epoch") : node;
            case "documentation" -> node.isNull() ? node : word("documentation");
            case "producerId" -> producer(peer, node);
            default -> node.isTextual() ? word(text(peer, node.textValue())) : node;
        };
    }

    private static JsonNode producer(Peer peer, JsonNode node) {
        long id = node.longValue();
        if (id < 0) {
            return node;
        }
        long first = peer.numbers.computeIfAbsent("first producer id", key -> id);
        return word("producer " + (id - first));
    }

    private static String text(Peer peer, String text) {
        if (text.equals(NO_ID)) {
            return text;
        }
        for (Map.Entry<String, String> id : peer.ids.entrySet()) {
            text = text.replace(id.getValue(), "(id of " + id.getKey() + ")");
        }
        return text.replaceAll("within \\[\\d+, \\d+\\]", "within its bounds");
    }

    private static void withoutStates(JsonNode answer) {
        for (JsonNode topic : answer.path("responses")) {
            for (JsonNode partition : topic.path("partitions")) {
                for (String what : List.of("acknowledgeError", "error")) {
                    if (partition.path(what + "Code").intValue() == 121) {
                        ((ObjectNode) partition).put(what + "Message", "a text");
                    }
                }
            }
        }
    }

    /** Takes from Kafka's answer what it alone serves, and brings both into one order where Kafka's is by hash or by lot. */
    void align(ApiMessageType api, JsonNode kafka, JsonNode ours) {
        if (api == ApiMessageType.PRODUCE || api == ApiMessageType.DELETE_TOPICS) {
            sort(kafka.get("responses"), "partitionResponses");
            sort(ours.get("responses"), "partitionResponses");
        }
        if (api == ApiMessageType.FETCH) {
            for (JsonNode answer : List.of(kafka, ours)) {
                if (answer.has("responses")) {
                    cutToWholeBatches(answer);
                    if (answer.path("sessionId").isTextual()) {
                        joinTopics((ArrayNode) answer.get("responses"));
                        sort(answer.get("responses"), "partitions");
                    }
                }
            }
        }
        for (JsonNode answer : List.of(kafka, ours)) {
            switch (api) {
                case LIST_GROUPS -> sort(answer.get("groups"));
                case CONSUMER_GROUP_HEARTBEAT, CONSUMER_GROUP_DESCRIBE -> {
                    answer.findValues("partitions").forEach(Masks::sort);
                    answer.findValues("topicPartitions").stream().filter(JsonNode::isArray).forEach(Masks::sort);
                    answer.findValues("subscribedTopicNames").forEach(Masks::sort);
                    answer.findValues("members").forEach(Masks::sort);
                }
                case SHARE_GROUP_HEARTBEAT, SHARE_GROUP_DESCRIBE -> {
                    answer.findValues("partitions").forEach(Masks::sort);
                    answer.findValues("topicPartitions").stream().filter(JsonNode::isArray).forEach(Masks::sort);
                    answer.findValues("subscribedTopicNames").forEach(Masks::sort);
                    answer.findValues("members").forEach(Masks::sort);
                    sort(answer.get("groups"));
                }
                case DESCRIBE_SHARE_GROUP_OFFSETS -> answer.path("groups").forEach(group -> sort(group.get("topics"), "partitions"));
                case DELETE_SHARE_GROUP_OFFSETS -> sort(answer.get("responses"));
                case SHARE_FETCH, SHARE_ACKNOWLEDGE -> {
                    if (api == ApiMessageType.SHARE_FETCH && answer.has("responses")) {
                        cutToWholeBatches(answer);
                    }
                    sort(answer.get("responses"), "partitions");
                    withoutStates(answer);
                }
                case DELETE_GROUPS -> sort(answer.get("results"));
                case OFFSET_COMMIT, OFFSET_DELETE -> sort(answer.get("topics"), "partitions");
                case OFFSET_FETCH -> {
                    sort(answer.get("topics"), "partitions");
                    answer.path("groups").forEach(group -> sort(group.get("topics"), "partitions"));
                }
                default -> { }
            }
        }
        if (api == ApiMessageType.DELETE_RECORDS || api == ApiMessageType.CREATE_PARTITIONS) {
            sort(kafka.get("topics"), "partitions");
            sort(ours.get("topics"), "partitions");
            sort(kafka.get("results"));
            sort(ours.get("results"));
        }
        if (api == ApiMessageType.ALTER_CLIENT_QUOTAS || api == ApiMessageType.DESCRIBE_CLIENT_QUOTAS) {
            for (JsonNode answer : List.of(kafka, ours)) {
                answer.findValues("entity").forEach(Masks::sort);
                answer.findValues("values").forEach(Masks::sort);
                if (answer.path("entries").isArray()) {
                    sort(answer.get("entries"));
                }
            }
        }
        if (api == ApiMessageType.LIST_CONFIG_RESOURCES) {
            sort(kafka.get("configResources"));
            sort(ours.get("configResources"));
        }
        if (api == ApiMessageType.METADATA) {
            sort(kafka.get("topics"));
            sort(ours.get("topics"));
        }
        if (api == ApiMessageType.PRODUCE && kafka.has("responses") && ours.has("responses")) {
            dropReasons(kafka.findParents("errorMessage"), ours.findParents("errorMessage"));
        }
        if (api == ApiMessageType.CREATE_TOPICS || api == ApiMessageType.DESCRIBE_CONFIGS) {
            maskReplicas(kafka);
            maskReplicas(ours);
        }
        if (api == ApiMessageType.API_VERSIONS) {
            keepCommon(kafka.get("apiKeys"), ours.get("apiKeys"), "apiKey");
            keepCommon(kafka.get("supportedFeatures"), ours.get("supportedFeatures"), "name");
            keepCommon(kafka.get("finalizedFeatures"), ours.get("finalizedFeatures"), "name");
            for (JsonNode answer : List.of(kafka, ours)) {
                answer.path("supportedFeatures").forEach(feature -> ((ObjectNode) feature).remove("minVersion"));
                // Kafka's are in the order of a hash.
                sort(answer.get("finalizedFeatures"));
            }
            for (String name : List.of("supportedFeatures", "finalizedFeatures")) {
                dropEmpty(kafka, name);
                dropEmpty(ours, name);
            }
        }
        if (api == ApiMessageType.DESCRIBE_CONFIGS && kafka.has("results") && ours.has("results")) {
            for (int i = 0; i < Math.min(kafka.get("results").size(), ours.get("results").size()); i++) {
                alignConfigs(kafka.get("results").get(i), ours.get("results").get(i));
            }
        }
    }

    private static void dropReasons(List<JsonNode> kafka, List<JsonNode> ours) {
        for (int i = 0; i < Math.min(kafka.size(), ours.size()); i++) {
            if (kafka.get(i).get("errorMessage").isNull()) {
                ((ObjectNode) ours.get(i)).putNull("errorMessage");
            }
        }
    }

    private static void joinTopics(ArrayNode topics) {
        Map<String, JsonNode> joined = new java.util.LinkedHashMap<>();
        for (JsonNode topic : topics) {
            JsonNode first = joined.putIfAbsent(topic.path("topic").asText() + topic.path("topicId").asText(), topic);
            if (first != null) {
                ((ArrayNode) first.get("partitions")).addAll((ArrayNode) topic.get("partitions"));
            }
        }
        topics.removeAll().addAll(joined.values());
    }

    private static void cutToWholeBatches(JsonNode answer) {
        for (JsonNode partition : answer.findParents("records")) {
            if (partition.get("records").isTextual()) {
                String records = partition.get("records").textValue();
                int end = 0;
                while (end + 24 <= records.length()) {
                    int next = end + 24 + 2 * Integer.parseUnsignedInt(records.substring(end + 16, end + 24), 16);
                    if (next > records.length()) {
                        break;
                    }
                    end = next;
                }
                ((ObjectNode) partition).put("records", records.substring(0, end));
            }
        }
    }

    private static void maskReplicas(JsonNode node) {
        for (JsonNode config : node.findParents("configSource")) {
            if (config.get("name").asText().equals("min.insync.replicas") && config.get("configSource").intValue() != 1) {
                ((ObjectNode) config).put("configSource", "a default");
            }
            if (config.path("synonyms") instanceof ArrayNode synonyms && config.get("name").asText().equals("min.insync.replicas")) {
                for (Iterator<JsonNode> each = synonyms.iterator(); each.hasNext();) {
                    if (each.next().get("source").intValue() == 3) {
                        each.remove();
                    }
                }
            }
        }
    }

    /** Topics, and in them what stands under {@code inner}. */
    private static void sort(JsonNode array, String inner) {
        if (array != null) {
            array.forEach(element -> sort(element.get(inner)));
            sort(array);
        }
    }

    private static void sort(JsonNode array) {
        if (array == null) {
            return;
        }
        List<JsonNode> elements = new ArrayList<>();
        array.forEach(elements::add);
        elements.sort(java.util.Comparator.comparing(JsonNode::toString));
        ((ArrayNode) array).removeAll().addAll(elements);
    }

    private static void dropEmpty(JsonNode answer, String name) {
        if (answer.has(name) && answer.get(name).isEmpty()) {
            ((ObjectNode) answer).remove(name);
        }
    }

    private static void keepCommon(JsonNode kafka, JsonNode ours, String key) {
        if (kafka == null) {
            return;
        }
        Set<JsonNode> known = new HashSet<>();
        if (ours != null) {
            ours.forEach(element -> known.add(element.get(key)));
        }
        for (Iterator<JsonNode> elements = kafka.iterator(); elements.hasNext();) {
            if (!known.contains(elements.next().get(key))) {
                elements.remove();
            }
        }
    }

    private static final Set<String> PLACES = Set.of("log.dirs", "log.dir", "metadata.log.dir", "listeners", "advertised.listeners",
        "controller.quorum.bootstrap.servers", "controller.listener.names", "listener.security.protocol.map");

    /** Both in the order of keys; of a broker only the keys that both have. */
    private static void alignConfigs(JsonNode kafka, JsonNode ours) {
        boolean broker = kafka.get("resourceType").intValue() == 4;
        Map<String, JsonNode> theirs = byName(kafka.get("configs"));
        Map<String, JsonNode> mine = byName(ours.get("configs"));
        if (broker) {
            theirs.keySet().retainAll(mine.keySet());
            mine.keySet().retainAll(theirs.keySet());
            for (Map<String, JsonNode> configs : List.of(theirs, mine)) {
                configs.keySet().removeAll(PLACES);
            }
        }
        ((ObjectNode) kafka).set("configs", list(theirs));
        ((ObjectNode) ours).set("configs", list(mine));
    }

    private static Map<String, JsonNode> byName(JsonNode configs) {
        Map<String, JsonNode> map = new java.util.TreeMap<>();
        configs.forEach(config -> map.put(config.get("name").textValue(), config));
        return map;
    }

    private static JsonNode list(Map<String, JsonNode> configs) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        list.addAll(new ArrayList<>(configs.values()));
        return list;
    }

    private static TextNode word(String word) {
        return JsonNodeFactory.instance.textNode(word);
    }
}
