import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.message.ApiMessageType;

/** Classic groups: FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, DescribeGroups, ListGroups, DeleteGroups. */
final class GroupCases implements Answers.Cases {
    private static final String RANGE = protocols("range", "t");
    private static final String NO_PROTOCOLS = "[]";
    /** Member ids by peer and the name that a case gives them. */
    private final Map<String, String> members = new HashMap<>();

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("groups", 3);
        coordinators(suite);
        membership(suite);
        refusals(suite);
        statics(suite);
        questions(suite);
    }

    private void coordinators(Suite suite) throws Exception {
        suite.prepare(peer -> coordinator(peer, "groups-a"));
        ApiMessageType api = ApiMessageType.FIND_COORDINATOR;
        for (int version = 0; version <= 6; version++) {
            suite.same("a group", api, version, peer -> find(0, "groups-a"));
            suite.same("no name", api, version, peer -> find(0, ""));
            if (version >= 4) {
                suite.same("no keys", api, version, peer -> "{\"keyType\":0,\"coordinatorKeys\":[]}");
                suite.same("several", api, version, peer -> "{\"keyType\":0,\"coordinatorKeys\":[\"a\",\"b\",\"a\"]}");
            }
            if (version >= 1) {
                suite.same("a type that is none", api, version, peer -> find(7, "groups-a"));
                suite.same("a share partition's key that is none", api, version, peer -> find(2, "groups-a"));
            }
        }
    }

    /** The whole life of a group with one member, in every version. */
    private void membership(Suite suite) throws Exception {
        for (int v = 0; v <= 9; v++) {
            int version = v;
            String group = "groups-life-" + version;
            if (version >= 4) {
                suite.compare("a first JoinGroup", ApiMessageType.JOIN_GROUP, version, peer -> join(peer, version, group, "one", null, RANGE));
            }
            suite.compare("the member joins", ApiMessageType.JOIN_GROUP, version, peer -> join(peer, version, group, "one", null, RANGE));
            suite.same("Heartbeat before SyncGroup", ApiMessageType.HEARTBEAT, Math.min(version, 4), peer -> heartbeat(group, id(peer, group, "one"), 1, null));
            suite.same("SyncGroup", ApiMessageType.SYNC_GROUP, Math.min(version, 5), peer -> sync(group, id(peer, group, "one"), 1, "consumer", "range"));
            for (int heartbeat = 0; heartbeat <= 4; heartbeat++) {
                suite.same("Heartbeat", ApiMessageType.HEARTBEAT, heartbeat, peer -> heartbeat(group, id(peer, group, "one"), 1, null));
            }
            suite.same("SyncGroup of a stable group", ApiMessageType.SYNC_GROUP, 3, peer -> sync(group, id(peer, group, "one"), 1, null, null));
            for (int d = 0; d <= 6; d++) {
                int describe = d;
                suite.compare("a stable group", ApiMessageType.DESCRIBE_GROUPS, describe, peer -> hidden(peer, group, peer.ask(ApiMessageType.DESCRIBE_GROUPS, describe, describe(group))));
            }
            suite.same("DeleteGroups of a group with members", ApiMessageType.DELETE_GROUPS, 2, peer -> names("groupsNames", group));
            suite.compare("the leader joins again", ApiMessageType.JOIN_GROUP, version, peer -> join(peer, version, group, "one", null, RANGE));
            int leave = Math.min(version, 5);
            suite.compare("LeaveGroup", ApiMessageType.LEAVE_GROUP, leave, peer -> hidden(peer, group, peer.ask(ApiMessageType.LEAVE_GROUP, leave, leave(group, id(peer, group, "one"), null))));
            suite.compare("LeaveGroup again", ApiMessageType.LEAVE_GROUP, leave, peer -> hidden(peer, group, peer.ask(ApiMessageType.LEAVE_GROUP, leave, leave(group, id(peer, group, "one"), null))));
            suite.compare("an empty group", ApiMessageType.DESCRIBE_GROUPS, 6, peer -> peer.ask(ApiMessageType.DESCRIBE_GROUPS, 6, describe(group)));
            suite.same("DeleteGroups", ApiMessageType.DELETE_GROUPS, Math.min(version, 2), peer -> names("groupsNames", group));
            suite.same("DeleteGroups again", ApiMessageType.DELETE_GROUPS, Math.min(version, 2), peer -> names("groupsNames", group));
        }
    }

    private void refusals(Suite suite) throws Exception {
        String group = "groups-refused";
        for (int v = 0; v <= 9; v++) {
            int version = v;
            ApiMessageType api = ApiMessageType.JOIN_GROUP;
            suite.compare("no group", api, version, peer -> join(peer, version, "", "x", null, RANGE));
            suite.same("a session timeout that is too short", api, version, peer -> joinBody(group, "", null, 10, "consumer", RANGE));
            suite.same("a session timeout that is too long", api, version, peer -> joinBody(group, "", null, 1_800_001, "consumer", RANGE));
            suite.same("a member that is not known", api, version, peer -> joinBody(group, "nobody", null, 10_000, "consumer", RANGE));
            suite.same("no protocols", api, version, peer -> joinBody(group + version, "", null, 10_000, "consumer", NO_PROTOCOLS));
            suite.same("no protocol type", api, version, peer -> joinBody(group + version, "", null, 10_000, "", RANGE));
            suite.same("a member of an empty group that is not known", api, version, peer -> joinBody(group + version, "nobody", null, 10_000, "consumer", RANGE));
            if (version >= 5) {
                suite.same("an instance of nobody", api, version, peer -> joinBody(group + version, "nobody", "i", 10_000, "consumer", RANGE));
            }
        }
        String stable = "groups-stable";
        suite.prepare(peer -> joined(peer, stable, "one", null));
        for (int v = 0; v <= 9; v++) {
            int version = v;
            ApiMessageType api = ApiMessageType.JOIN_GROUP;
            suite.same("another protocol type", api, version, peer -> joinBody(stable, "", null, 10_000, "connect", RANGE));
            suite.same("no common protocol", api, version, peer -> joinBody(stable, "", null, 10_000, "consumer", protocols("other", "t")));
            suite.same("a member that a group with members does not know", api, version, peer -> joinBody(stable, "nobody", null, 10_000, "consumer", RANGE));
        }
        for (int v = 0; v <= 5; v++) {
            int version = v;
            ApiMessageType api = ApiMessageType.SYNC_GROUP;
            suite.same("no group", api, version, peer -> sync("", "x", 1, "consumer", "range"));
            suite.same("a group that is not there", api, version, peer -> sync("groups-none", "x", 1, "consumer", "range"));
            suite.same("a member that is not known", api, version, peer -> sync(stable, "x", 1, "consumer", "range"));
            suite.same("another generation", api, version, peer -> sync(stable, id(peer, stable, "one"), 7, "consumer", "range"));
            suite.same("another protocol", api, version, peer -> sync(stable, id(peer, stable, "one"), 1, "consumer", "other"));
            suite.same("another protocol type", api, version, peer -> sync(stable, id(peer, stable, "one"), 1, "connect", "range"));
            suite.same("no protocol told", api, version, peer -> sync(stable, id(peer, stable, "one"), 1, null, null));
        }
        for (int v = 0; v <= 4; v++) {
            int version = v;
            ApiMessageType api = ApiMessageType.HEARTBEAT;
            suite.same("no group", api, version, peer -> heartbeat("", "x", 1, null));
            suite.same("a group that is not there", api, version, peer -> heartbeat("groups-none", "x", 1, null));
            suite.same("a member that is not known", api, version, peer -> heartbeat(stable, "x", 1, null));
            suite.same("another generation", api, version, peer -> heartbeat(stable, id(peer, stable, "one"), 7, null));
            if (version >= 3) {
                suite.same("an instance that is not known", api, version, peer -> heartbeat(stable, id(peer, stable, "one"), 1, "i"));
            }
        }
        for (int v = 0; v <= 5; v++) {
            int version = v;
            ApiMessageType api = ApiMessageType.LEAVE_GROUP;
            suite.same("no group", api, version, peer -> leave("", "x", null));
            suite.same("a group that is not there", api, version, peer -> leave("groups-none", "x", null));
            suite.same("a member that is not known", api, version, peer -> leave(stable, "x", null));
            if (version >= 3) {
                suite.same("an instance that is not known", api, version, peer -> leave(stable, "", "i"));
                suite.same("nobody", api, version, peer -> "{\"groupId\":\"%s\",\"members\":[]}".formatted(stable));
            }
        }
    }

    /** Static members (KIP-345, KIP-814). */
    private void statics(Suite suite) throws Exception {
        for (int v = 5; v <= 9; v++) {
            int version = v;
            String group = "groups-static-" + version;
            suite.compare("a static member joins", ApiMessageType.JOIN_GROUP, version, peer -> join(peer, version, group, "one", "i", RANGE));
            suite.prepare(peer -> peer.ask(ApiMessageType.SYNC_GROUP, 5, sync(group, id(peer, group, "one"), 1, "consumer", "range")));
            suite.compare("a static member comes back", ApiMessageType.JOIN_GROUP, version, peer -> join(peer, version, group, "two", "i", RANGE));
            suite.same("Heartbeat of the old id", ApiMessageType.HEARTBEAT, 4, peer -> heartbeat(group, id(peer, group, "one"), 1, "i"));
            suite.same("SyncGroup of the old id", ApiMessageType.SYNC_GROUP, 5, peer -> sync(group, id(peer, group, "one"), 1, "i", "consumer", "range"));
            suite.compare("JoinGroup of the old id", ApiMessageType.JOIN_GROUP, version,
                peer -> hidden(peer, group, peer.ask(ApiMessageType.JOIN_GROUP, version, joinBody(group, id(peer, group, "one"), "i", 10_000, "consumer", RANGE))));
            suite.same("OffsetCommit of the old id", ApiMessageType.OFFSET_COMMIT, 9, peer -> OffsetCases.commit(peer, group, id(peer, group, "one"), 1, "i", "groups", 0, 5, "m"));
            suite.same("Heartbeat of the new id", ApiMessageType.HEARTBEAT, 4, peer -> heartbeat(group, id(peer, group, "two"), 1, "i"));
            suite.compare("a static member, described", ApiMessageType.DESCRIBE_GROUPS, 6, peer -> hidden(peer, group, peer.ask(ApiMessageType.DESCRIBE_GROUPS, 6, describe(group))));
            suite.compare("LeaveGroup of the old id", ApiMessageType.LEAVE_GROUP, 5, peer -> hidden(peer, group, peer.ask(ApiMessageType.LEAVE_GROUP, 5, leave(group, id(peer, group, "one"), "i"))));
            suite.same("LeaveGroup by the instance", ApiMessageType.LEAVE_GROUP, 5, peer -> leave(group, "", "i"));
        }
    }

    private void questions(Suite suite) throws Exception {
        for (int version = 0; version <= 6; version++) {
            suite.same("a group that is not there", ApiMessageType.DESCRIBE_GROUPS, version, peer -> describe("groups-none"));
            suite.same("no name", ApiMessageType.DESCRIBE_GROUPS, version, peer -> describe(""));
        }
        for (int version = 0; version <= 5; version++) {
            suite.same("all", ApiMessageType.LIST_GROUPS, version, peer -> list("", ""));
            if (version >= 4) {
                suite.same("stable ones", ApiMessageType.LIST_GROUPS, version, peer -> list("\"stable\"", ""));
                suite.same("of a state that is none", ApiMessageType.LIST_GROUPS, version, peer -> list("\"Odd\"", ""));
            }
            if (version >= 5) {
                suite.same("classic ones", ApiMessageType.LIST_GROUPS, version, peer -> list("", "\"CLASSIC\""));
                suite.same("of a type that is none", ApiMessageType.LIST_GROUPS, version, peer -> list("", "\"odd\""));
                suite.same("consumer groups", ApiMessageType.LIST_GROUPS, version, peer -> list("", "\"consumer\""));
            }
        }
        for (int version = 0; version <= 2; version++) {
            suite.same("a group that is not there", ApiMessageType.DELETE_GROUPS, version, peer -> names("groupsNames", "groups-none"));
            suite.same("no name", ApiMessageType.DELETE_GROUPS, version, peer -> names("groupsNames", ""));
            suite.same("nothing", ApiMessageType.DELETE_GROUPS, version, peer -> "{\"groupsNames\":[]}");
        }
    }

    /** Asks for a coordinator until there is one: the topic of groups is made at the first question. */
    static ObjectNode coordinator(Peer peer, String group) throws Exception {
        for (int tries = 0; tries < Suite.PATIENCE; tries++) {
            ObjectNode found = peer.ask(ApiMessageType.FIND_COORDINATOR, 3, find(0, group));
            // The coordinator may be found before it has loaded.
            ObjectNode answer = peer.ask(ApiMessageType.HEARTBEAT, 0, heartbeat(group, "x", 1, null));
            if (found.get("errorCode").intValue() == 0 && answer.get("errorCode").intValue() == 25 && listed(peer)) {
                return answer;
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException(peer.name + " finds no coordinator");
    }

    /** Every partition has loaded. */
    private static boolean listed(Peer peer) throws Exception {
        return peer.ask(ApiMessageType.LIST_GROUPS, 1, "{}").get("errorCode").intValue() == 0;
    }

    /** A group of one member, stable. */
    ObjectNode joined(Peer peer, String group, String name, String instance) throws Exception {
        join(peer, 9, group, name, instance, RANGE);
        ObjectNode answer = join(peer, 9, group, name, instance, RANGE);
        peer.ask(ApiMessageType.SYNC_GROUP, 5, sync(group, id(peer, group, name), answer.get("generationId").intValue(), "consumer", "range"));
        return answer;
    }

    /** Joins with this subscription, and leads. */
    ObjectNode joining(Peer peer, String group, String name, String protocols) throws Exception {
        join(peer, 9, group, name, null, protocols);
        return join(peer, 9, group, name, null, protocols);
    }

    /** Joins under the id that the name has, if it has one, and keeps the one that is answered. */
    private ObjectNode join(Peer peer, int version, String group, String name, String instance, String protocols) throws Exception {
        String known = members.getOrDefault(key(peer, group, name), "");
        ObjectNode answer = peer.ask(ApiMessageType.JOIN_GROUP, version, joinBody(group, known, instance, 10_000, "consumer", protocols));
        if (answer.hasNonNull("memberId") && !answer.get("memberId").textValue().isEmpty()) {
            members.put(key(peer, group, name), answer.get("memberId").textValue());
        }
        return hidden(peer, group, answer);
    }

    String id(Peer peer, String group, String name) {
        return members.getOrDefault(key(peer, group, name), "");
    }

    private static String key(Peer peer, String group, String name) {
        return peer.name + " " + group + " " + name;
    }

    /** The answer with each member id replaced by its name. */
    ObjectNode hidden(Peer peer, String group, ObjectNode answer) throws Exception {
        String text = answer.toString();
        for (Map.Entry<String, String> member : members.entrySet()) {
            String prefix = key(peer, group, "");
            if (member.getKey().startsWith(prefix)) {
                text = text.replace(member.getValue(), "<" + member.getKey().substring(prefix.length()) + ">");
            }
        }
        return (ObjectNode) Peer.MAPPER.readTree(text);
    }

    static String find(int type, String key) {
        return "{\"key\":\"%s\",\"keyType\":%d,\"coordinatorKeys\":[\"%s\"]}".formatted(key, type, key);
    }

    static String joinBody(String group, String member, String instance, int session, String type, String protocols) {
        return """
            {"groupId":"%s","sessionTimeoutMs":%d,"rebalanceTimeoutMs":10000,"memberId":"%s","groupInstanceId":%s,
             "protocolType":"%s","protocols":%s,"reason":null}""".formatted(group, session, member, quoted(instance), type, protocols);
    }

    static String sync(String group, String member, int generation, String type, String name) {
        return sync(group, member, generation, null, type, name);
    }

    static String sync(String group, String member, int generation, String instance, String type, String name) {
        return """
            {"groupId":"%s","generationId":%d,"memberId":"%s","groupInstanceId":%s,"protocolType":%s,"protocolName":%s,
             "assignments":[{"memberId":"%s","assignment":"AAEC"}]}""".formatted(group, generation, member, quoted(instance), quoted(type), quoted(name), member);
    }

    static String heartbeat(String group, String member, int generation, String instance) {
        return "{\"groupId\":\"%s\",\"generationId\":%d,\"memberId\":\"%s\",\"groupInstanceId\":%s}".formatted(group, generation, member, quoted(instance));
    }

    static String leave(String group, String member, String instance) {
        return """
            {"groupId":"%s","memberId":"%s","members":[{"memberId":"%s","groupInstanceId":%s,"reason":null}]}""".formatted(group, member, member, quoted(instance));
    }

    static String describe(String group) {
        return "{\"groups\":[\"%s\"],\"includeAuthorizedOperations\":true}".formatted(group);
    }

    static String list(String states, String types) {
        return "{\"statesFilter\":[%s],\"typesFilter\":[%s]}".formatted(states, types);
    }

    static String names(String field, String name) {
        return "{\"%s\":[\"%s\"]}".formatted(field, name);
    }

    static String quoted(String text) {
        return text == null ? "null" : "\"" + text + "\"";
    }

    /** One protocol, with a subscription to a topic as consumers write it. */
    static String protocols(String name, String topic) {
        byte[] bytes = topic.getBytes(StandardCharsets.UTF_8);
        ByteBuffer subscription = ByteBuffer.allocate(2 + 4 + 2 + bytes.length + 4);
        subscription.putShort((short) 0).putInt(1).putShort((short) bytes.length).put(bytes).putInt(-1);
        return "[{\"name\":\"%s\",\"metadata\":\"%s\"}]".formatted(name, Base64.getEncoder().encodeToString(subscription.array()));
    }

    static int code(JsonNode answer) {
        return answer.get("errorCode").intValue();
    }
}
