import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.apache.kafka.common.message.ApiMessageType;

/** The share coordinator (KIP-932): FindCoordinator for share partitions, and the share-state APIs. */
final class ShareStateCases implements Answers.Cases {
    private static final ApiMessageType FIND = ApiMessageType.FIND_COORDINATOR;
    private static final ApiMessageType BEGIN = ApiMessageType.INITIALIZE_SHARE_GROUP_STATE;
    private static final ApiMessageType READ = ApiMessageType.READ_SHARE_GROUP_STATE;
    private static final ApiMessageType WRITE = ApiMessageType.WRITE_SHARE_GROUP_STATE;
    private static final ApiMessageType DELETE = ApiMessageType.DELETE_SHARE_GROUP_STATE;
    private static final ApiMessageType SUMMARY = ApiMessageType.READ_SHARE_GROUP_STATE_SUMMARY;
    /** An id that no topic has. */
    private static final String NOBODY = "AAAAAAAAAAEAAAAAAAAAAg";

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("share-state", 2);
        finding(suite);
        suite.prepare(peer -> coordinator(peer, "group:%s:0".formatted(peer.id("share-state"))));
        for (String group : List.of("group", "s", "grüße", "a:b")) {
            suite.prepare(peer -> loaded(peer, group));
        }
        nothing(suite);
        life(suite);
        fences(suite);
        batches(suite);
        snapshots(suite);
        beginnings(suite);
        several(suite);
    }

    private void finding(Suite suite) throws Exception {
        suite.same("before version 6", FIND, 5, peer -> keys(2, "group:%s:0".formatted(peer.id("share-state"))));
        for (String key : List.of("", "group", "group:" + NOBODY, "group:topic:0", ":" + NOBODY + ":0", " :" + NOBODY + ":0", "group:" + NOBODY + ":x",
            "group:" + NOBODY + ":", "group:" + NOBODY + ":2147483648")) {
            suite.same("no key: " + key, FIND, 6, peer -> keys(2, key));
        }
        for (String group : List.of("group", "a:b", ":")) {
            suite.prepare(peer -> coordinator(peer, "%s:%s:0".formatted(group, peer.id("share-state"))));
            suite.compare("of " + group, FIND, 6, peer -> coordinator(peer, "%s:%s:1".formatted(group, NOBODY)));
        }
        suite.compare("of a negative partition", FIND, 6, peer -> coordinator(peer, "group:%s:-1".formatted(NOBODY)));
    }

    private void nothing(Suite suite) throws Exception {
        String empty = "{\"groupId\":\"group\",\"topics\":[]}";
        for (ApiMessageType api : List.of(BEGIN, READ, WRITE, DELETE, SUMMARY)) {
            for (int version = 0; version <= api.highestSupportedVersion(true); version++) {
                suite.same("no topics", api, version, peer -> empty);
                suite.same("no partitions", api, version, peer -> body(peer, "group", "share-state", ""));
            }
        }
        suite.same("no group", BEGIN, 0, peer -> body(peer, "", "share-state", begin(0, 0, 0)));
        suite.same("no group", READ, 0, peer -> body(peer, "", "share-state", read(0, 0)));
        suite.same("no group", WRITE, 1, peer -> body(peer, "", "share-state", write(0, 0, 0, 0, 0)));
        suite.same("no group", DELETE, 0, peer -> body(peer, "", "share-state", "{\"partition\":0}"));
        suite.same("no group", SUMMARY, 1, peer -> body(peer, "", "share-state", read(0, 0)));
        for (int partition : new int[] {-1, 2}) {
            suite.same("partition " + partition, BEGIN, 0, peer -> body(peer, "group", "share-state", begin(partition, 0, 0)));
            suite.same("partition " + partition, READ, 0, peer -> body(peer, "group", "share-state", read(partition, 0)));
            suite.same("partition " + partition, WRITE, 1, peer -> body(peer, "group", "share-state", write(partition, 0, 0, 0, 0)));
            suite.same("partition " + partition, DELETE, 0, peer -> body(peer, "group", "share-state", "{\"partition\":%d}".formatted(partition)));
            suite.same("partition " + partition, SUMMARY, 1, peer -> body(peer, "group", "share-state", read(partition, 0)));
        }
        String unknown = "{\"groupId\":\"group\",\"topics\":[{\"topicId\":\"" + NOBODY + "\",\"partitions\":[%s]}]}";
        suite.same("a topic that is not there", BEGIN, 0, peer -> unknown.formatted(begin(0, 0, 0)));
        suite.same("a topic that is not there", READ, 0, peer -> unknown.formatted(read(0, 0)));
        suite.same("a topic that is not there", WRITE, 1, peer -> unknown.formatted(write(0, 0, 0, 0, 0)));
        suite.same("a topic that is not there", DELETE, 0, peer -> unknown.formatted("{\"partition\":0}"));
        suite.same("a topic that is not there", SUMMARY, 1, peer -> unknown.formatted(read(0, 0)));
    }

    private void life(Suite suite) throws Exception {
        String group = "s";
        stands(suite, "before it is begun", group);
        suite.same("write before it is begun", WRITE, 1, peer -> body(peer, group, "share-state", write(0, 0, 0, 0, 0)));
        suite.same("delete before it is begun", DELETE, 0, peer -> body(peer, group, "share-state", "{\"partition\":0}"));
        suite.same("begin", BEGIN, 0, peer -> body(peer, group, "share-state", begin(0, 1, -1)));
        stands(suite, "begun", group);
        suite.same("write", WRITE, 0, peer -> body(peer, group, "share-state", write(0, 1, 0, 10, -1, "10,19,0,1")));
        stands(suite, "written, version 0", group);
        suite.same("write", WRITE, 1, peer -> body(peer, group, "share-state", write(0, 1, 0, 10, 2, "12,13,2,1")));
        stands(suite, "written, version 1", group);
        suite.same("write without a start", WRITE, 1, peer -> body(peer, group, "share-state", write(0, 1, 0, -1, 5, "20,21,4,2")));
        stands(suite, "written without a start", group);
        suite.same("the start moves", WRITE, 1, peer -> body(peer, group, "share-state", write(0, 1, 0, 14, 3)));
        stands(suite, "the start has moved", group);
        suite.same("the start goes back", WRITE, 1, peer -> body(peer, group, "share-state", write(0, 1, 0, 12, 3)));
        stands(suite, "the start has gone back", group);
        suite.same("delete", DELETE, 0, peer -> body(peer, group, "share-state", "{\"partition\":0}"));
        stands(suite, "deleted", group);
        suite.same("delete again", DELETE, 0, peer -> body(peer, group, "share-state", "{\"partition\":0}"));
        suite.same("begin after the end", BEGIN, 0, peer -> body(peer, group, "share-state", begin(0, 0, 3)));
        stands(suite, "begun after the end", group);
    }

    private void fences(Suite suite) throws Exception {
        String group = "grüße";
        suite.same("begin", BEGIN, 0, peer -> body(peer, group, "share-state", begin(0, 3, 0)));
        suite.same("a leader reads", READ, 0, peer -> body(peer, group, "share-state", read(0, 5)));
        stands(suite, "read in epoch 5", group);
        for (int epoch : new int[] {5, 4, -1, 7}) {
            suite.same("read in epoch " + epoch, READ, 0, peer -> body(peer, group, "share-state", read(0, epoch)));
            stands(suite, "then, " + epoch, group);
        }
        for (int epoch : new int[] {6, 7, -1, 9, 8}) {
            suite.same("write in epoch " + epoch, WRITE, 1, peer -> body(peer, group, "share-state", write(0, 3, epoch, 20 + epoch, 0)));
            stands(suite, "then, written " + epoch, group);
        }
        for (int state : new int[] {2, 3, 4, -1}) {
            suite.same("write in state epoch " + state, WRITE, 1, peer -> body(peer, group, "share-state", write(0, state, 9, 40 + state, 0)));
            stands(suite, "then, state " + state, group);
        }
        for (int state : new int[] {2, 3, 4, -1, 5}) {
            suite.same("begin in state epoch " + state, BEGIN, 0, peer -> body(peer, group, "share-state", begin(0, state, 60 + state)));
            stands(suite, "then, begun " + state, group);
        }
        suite.same("the old leader writes", WRITE, 1, peer -> body(peer, group, "share-state", write(0, 5, 6, 80, 0)));
        stands(suite, "fenced", group);
    }

    private void batches(Suite suite) throws Exception {
        String group = "a:b";
        suite.same("begin", BEGIN, 0, peer -> body(peer, group, "share-state", begin(0, 0, 100)));
        String[][] writes = {
            {"100,109,0,1", "110,119,0,1"}, {"105,114,2,1"}, {"100,104,0,2"}, {"103,110,0,1"}, {"100,119,4,1"}, {"130,139,0,1", "135,144,0,2"},
            {"131,131,2,1", "133,133,2,1"}, {"130,144,0,1"}, {"90,150,0,1"}, {"120,129,2,3"},
        };
        for (int i = 0; i < writes.length; i++) {
            String[] of = writes[i];
            suite.same("batches " + i, WRITE, 1, peer -> body(peer, group, "share-state", write(0, 0, 0, -1, 0, of)));
            stands(suite, "batches " + i, group);
        }
        suite.same("the start moves into one", WRITE, 1, peer -> body(peer, group, "share-state", write(0, 0, 0, 118, 0)));
        stands(suite, "the start has moved into one", group);
        suite.same("the start moves behind all", WRITE, 1, peer -> body(peer, group, "share-state", write(0, 0, 0, 500, 0)));
        stands(suite, "the start has moved behind all", group);
    }

    /** More changes than come between two snapshots. */
    private void snapshots(Suite suite) throws Exception {
        String group = "group";
        suite.prepare(peer -> peer.ask(BEGIN, 0, body(peer, group, "share-state", begin(0, 0, 0))));
        for (int i = 0; i < 510; i++) {
            int offset = i;
            suite.prepare(peer -> peer.ask(WRITE, 1, body(peer, group, "share-state", write(0, 0, 0, -1, offset, "%d,%d,%d,1".formatted(2 * offset, 2 * offset, offset % 3 == 0 ? 2 : 0)))));
        }
        stands(suite, "after a snapshot", group);
    }

    private void beginnings(Suite suite) throws Exception {
        String group = "group";
        for (long start : new long[] {0, -1, 7, Long.MAX_VALUE, -5}) {
            suite.same("begin at " + start, BEGIN, 0, peer -> body(peer, group, "share-state", begin(1, -1, start)));
            suite.same("begun at " + start, READ, 0, peer -> body(peer, group, "share-state", read(1, -1)));
            suite.same("stands at " + start, SUMMARY, 1, peer -> body(peer, group, "share-state", read(1, -1)));
        }
        suite.same("delete", DELETE, 0, peer -> body(peer, group, "share-state", "{\"partition\":1}"));
    }

    /** Several partitions in one request. Kafka's answers are in the order of its hash maps: by partition. */
    private void several(Suite suite) throws Exception {
        String group = "group";
        suite.same("begin two", BEGIN, 0, peer -> body(peer, group, "share-state", begin(0, -1, 1) + "," + begin(1, -1, 2)));
        suite.same("read two", READ, 0, peer -> body(peer, group, "share-state", read(0, -1) + "," + read(1, -1)));
        suite.same("write two", WRITE, 1, peer -> body(peer, group, "share-state", write(0, -1, -1, 5, 0) + "," + write(1, -1, -1, 6, 0)));
        suite.same("where two stand", SUMMARY, 1, peer -> body(peer, group, "share-state", read(0, -1) + "," + read(1, -1)));
        suite.same("one that is there, one that is not", SUMMARY, 0, peer -> body(peer, group, "share-state", read(0, -1) + "," + read(2, -1)));
        suite.same("delete two", DELETE, 0, peer -> body(peer, group, "share-state", "{\"partition\":0},{\"partition\":1}"));
        suite.same("where two stood", SUMMARY, 1, peer -> body(peer, group, "share-state", read(0, -1) + "," + read(1, -1)));
    }

    /** What is read, and both versions of the summary. */
    private static void stands(Suite suite, String label, String group) throws Exception {
        suite.same(label, READ, 0, peer -> body(peer, group, "share-state", read(0, -1)));
        suite.same(label, SUMMARY, 0, peer -> body(peer, group, "share-state", read(0, -1)));
        suite.same(label, SUMMARY, 1, peer -> body(peer, group, "share-state", read(0, -1)));
    }

    private static String body(Peer peer, String group, String topic, String partitions) {
        return "{\"groupId\":\"%s\",\"topics\":[{\"topicId\":\"%s\",\"partitions\":[%s]}]}".formatted(group, peer.id(topic), partitions);
    }

    private static String begin(int partition, int stateEpoch, long startOffset) {
        return "{\"partition\":%d,\"stateEpoch\":%d,\"startOffset\":%d}".formatted(partition, stateEpoch, startOffset);
    }

    private static String read(int partition, int leaderEpoch) {
        return "{\"partition\":%d,\"leaderEpoch\":%d}".formatted(partition, leaderEpoch);
    }

    /** Each batch: first, last, state, count. */
    private static String write(int partition, int stateEpoch, int leaderEpoch, long startOffset, int complete, String... batches) {
        StringBuilder list = new StringBuilder();
        for (String batch : batches) {
            String[] of = batch.split(",");
            list.append(list.isEmpty() ? "" : ",").append("{\"firstOffset\":%s,\"lastOffset\":%s,\"deliveryState\":%s,\"deliveryCount\":%s}".formatted((Object[]) of));
        }
        return "{\"partition\":%d,\"stateEpoch\":%d,\"leaderEpoch\":%d,\"startOffset\":%d,\"deliveryCompleteCount\":%d,\"stateBatches\":[%s]}"
            .formatted(partition, stateEpoch, leaderEpoch, startOffset, complete, list);
    }

    private static String keys(int type, String key) {
        return "{\"key\":\"\",\"keyType\":%d,\"coordinatorKeys\":[\"%s\"]}".formatted(type, key);
    }

    /** Asks for a share partition's coordinator until there is one. */
    private static ObjectNode coordinator(Peer peer, String key) throws Exception {
        for (int tries = 0; tries < Suite.PATIENCE; tries++) {
            ObjectNode answer = peer.ask(FIND, 6, keys(2, key));
            if (answer.has("outcome") || answer.get("coordinators").get(0).get("errorCode").intValue() != 15) {
                return answer;
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException(peer.name + " has no coordinator for " + key);
    }

    /** Waits until the coordinator of a group's partitions has read its log. */
    private static ObjectNode loaded(Peer peer, String group) throws Exception {
        for (int tries = 0; tries < Suite.PATIENCE; tries++) {
            ObjectNode answer = peer.ask(SUMMARY, 1, body(peer, group, "share-state", read(0, -1) + "," + read(1, -1)));
            int wait = 0;
            for (var partition : answer.get("results").get(0).get("partitions")) {
                int code = partition.get("errorCode").intValue();
                wait += code >= 14 && code <= 16 ? 1 : 0;
            }
            if (wait == 0) {
                return answer;
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException(peer.name + " does not load the state of " + group);
    }
}
