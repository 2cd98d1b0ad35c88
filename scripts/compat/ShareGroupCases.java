import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.apache.kafka.common.message.ApiMessageType;

/** Share groups (KIP-932): ShareGroupHeartbeat, ShareGroupDescribe, the APIs of their offsets, and what the other APIs of groups are for them. */
final class ShareGroupCases implements Answers.Cases {
    private static final ApiMessageType BEAT = ApiMessageType.SHARE_GROUP_HEARTBEAT;
    private static final ApiMessageType DESCRIBE = ApiMessageType.SHARE_GROUP_DESCRIBE;
    private static final ApiMessageType OFFSETS = ApiMessageType.DESCRIBE_SHARE_GROUP_OFFSETS;
    private static final ApiMessageType ALTER = ApiMessageType.ALTER_SHARE_GROUP_OFFSETS;
    private static final ApiMessageType FORGET = ApiMessageType.DELETE_SHARE_GROUP_OFFSETS;
    private static final ApiMessageType DELETE = ApiMessageType.DELETE_GROUPS;
    private final GroupCases classic = new GroupCases();

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("sg-a", 3);
        suite.topic("sg-b", 2);
        suite.prepare(peer -> GroupCases.coordinator(peer, "sg-any"));
        suite.prepare(peer -> classic.joined(peer, "sg-classic", "one", null));
        suite.prepare(peer -> peer.ask(ApiMessageType.CONSUMER_GROUP_HEARTBEAT, 1, """
            {"groupId":"sg-consumer","memberId":"m","memberEpoch":0,"instanceId":null,"rackId":null,"rebalanceTimeoutMs":5000,
             "subscribedTopicNames":["sg-a"],"subscribedTopicRegex":null,"serverAssignor":null,"topicPartitions":[]}"""));
        for (int partition = 0; partition < 3; partition++) {
            for (int i = 0; i <= partition; i++) {
                suite.append("sg-a", partition, Batches.plain(2, 1_700_000_000_000L));
            }
        }
        refusals(suite);
        life(suite);
        several(suite);
        describedOffsets(suite);
        altered(suite);
        forgotten(suite);
        deleted(suite);
        others(suite);
        configs(suite);
        topics(suite);
        full(suite);
        questions(suite);
        unserved(suite);
    }

    private void refusals(Suite suite) throws Exception {
        String group = "sg-refused";
        suite.same("no group", BEAT, 1, peer -> beat("", "m", 0, null, "sg-a"));
        suite.same("a blank group", BEAT, 1, peer -> beat(" ", "m", 0, null, "sg-a"));
        suite.same("no member", BEAT, 1, peer -> beat(group, "", 0, null, "sg-a"));
        suite.same("a blank member", BEAT, 1, peer -> beat(group, " ", 0, null, "sg-a"));
        suite.same("nobody leaves", BEAT, 1, peer -> beat(group, "", -1, null));
        suite.same("a member id that is too long", BEAT, 1, peer -> beat(group, "m".repeat(37), 0, null, "sg-a"));
        suite.same("no rack", BEAT, 1, peer -> beat(group, "m", 0, "", "sg-a"));
        suite.same("a blank rack", BEAT, 1, peer -> beat(group, "m", 0, " ", "sg-a"));
        suite.same("no subscription", BEAT, 1, peer -> beat(group, "m", 0, null));
        suite.same("an empty subscription", BEAT, 1, peer -> beat(group, "m", 0, null).replace("\"subscribedTopicNames\":null", "\"subscribedTopicNames\":[]"));
        suite.same("an epoch that is none", BEAT, 1, peer -> beat(group, "m", -2, null, "sg-a"));
        suite.same("a group that is not there", BEAT, 1, peer -> beat(group, "m", 5, null, "sg-a"));
        suite.same("leave a group that is not there", BEAT, 1, peer -> beat(group, "m", -1, null));
        for (String other : List.of("sg-classic", "sg-consumer")) {
            suite.same("join " + other, BEAT, 1, peer -> beat(other, "m", 0, null, "sg-a"));
            suite.same("report to " + other, BEAT, 1, peer -> beat(other, "m", 2, null, "sg-a"));
            suite.same("leave " + other, BEAT, 1, peer -> beat(other, "m", -1, null));
            suite.same("describe " + other, DESCRIBE, 1, peer -> describe(other));
        }
    }

    /** A group of one member. */
    private void life(Suite suite) throws Exception {
        String group = "sg-life";
        at_once(suite, group);
        suite.same("a member joins", BEAT, 1, peer -> beat(group, "m", 0, null, "sg-a"));
        suite.prepare(peer -> settle(peer, group, 3, "m"));
        described(suite, "one member", group);
        suite.same("it joins again", BEAT, 1, peer -> beat(group, "m", 0, null, "sg-a"));
        suite.same("it reports", BEAT, 1, peer -> beat(group, "m", 3, null));
        suite.same("it reports its topics", BEAT, 1, peer -> beat(group, "m", 3, null, "sg-a"));
        suite.same("a greater epoch", BEAT, 1, peer -> beat(group, "m", 9, null));
        suite.same("the epoch before", BEAT, 1, peer -> beat(group, "m", 2, null));
        suite.same("a smaller epoch", BEAT, 1, peer -> beat(group, "m", 1, null));
        suite.same("a member that is not known", BEAT, 1, peer -> beat(group, "nobody", 2, null));
        suite.same("a rack", BEAT, 1, peer -> beat(group, "m", 3, "rack"));
        described(suite, "a rack", group);
        suite.same("it reads more", BEAT, 1, peer -> beat(group, "m", 3, null, "sg-a", "sg-b"));
        suite.prepare(peer -> settle(peer, group, 5, "m"));
        suite.compare("it has more", BEAT, 1, peer -> peer.ask(BEAT, 1, beat(group, "m", epoch(peer, group, "m"), null, "sg-a", "sg-b")));
        described(suite, "it has more", group);
        suite.compare("it reads less", BEAT, 1, peer -> peer.ask(BEAT, 1, beat(group, "m", epoch(peer, group, "m"), null, "sg-b")));
        described(suite, "it reads less", group);
        suite.compare("a topic that is not there", BEAT, 1, peer -> peer.ask(BEAT, 1, beat(group, "m", epoch(peer, group, "m"), null, "sg-none")));
        described(suite, "a topic that is not there", group);
        suite.compare("no topics", BEAT, 1, peer -> peer.ask(BEAT, 1, beat(group, "m", epoch(peer, group, "m"), null).replace("\"subscribedTopicNames\":null", "\"subscribedTopicNames\":[]")));
        described(suite, "no topics", group);
        suite.same("leave, not known", BEAT, 1, peer -> beat(group, "nobody", -1, null));
        suite.same("DeleteGroups of a group with members", DELETE, 2, peer -> GroupCases.names("groupsNames", group));
        suite.same("AlterShareGroupOffsets of a group with members", ALTER, 0, peer -> alter(group, "sg-a:0:0"));
        suite.same("DeleteShareGroupOffsets of a group with members", FORGET, 0, peer -> forget(group, "sg-a"));
        suite.same("leave", BEAT, 1, peer -> beat(group, "m", -1, null));
        suite.same("leave again", BEAT, 1, peer -> beat(group, "m", -1, null));
        described(suite, "nobody", group);
        suite.same("it comes back", BEAT, 1, peer -> beat(group, "m", 0, null, "sg-a"));
        described(suite, "it has come back", group);
        suite.same("and leaves", BEAT, 1, peer -> beat(group, "m", -1, null));
        suite.same("DeleteGroups", DELETE, 2, peer -> GroupCases.names("groupsNames", group));
        described(suite, "deleted", group);
        suite.same("DeleteGroups again", DELETE, 2, peer -> GroupCases.names("groupsNames", group));
        suite.same("the longest member id", BEAT, 1, peer -> beat(group, "m".repeat(36), 0, "r", "sg-none"));
        described(suite, "a topic that nobody has", group);
        suite.same("leave", BEAT, 1, peer -> beat(group, "m".repeat(36), -1, null));
        suite.same("nothing to forget", FORGET, 0, peer -> forget(group, "sg-a", "sg-none"));
        suite.same("DeleteGroups of what had nothing", DELETE, 2, peer -> GroupCases.names("groupsNames", group));
    }

    /** More members than partitions, and members that read different topics. Without which partitions those are: Kafka deals by hash. */
    private void several(Suite suite) throws Exception {
        String group = "sg-several";
        at_once(suite, group);
        suite.prepare(peer -> peer.ask(BEAT, 1, beat(group, "a", 0, null, "sg-b")));
        suite.prepare(peer -> settle(peer, group, 2, "a"));
        suite.compare("b joins", BEAT, 1, peer -> counted(peer.ask(BEAT, 1, beat(group, "b", 0, null, "sg-b"))));
        suite.prepare(peer -> settle(peer, group, 2, "a", "b"));
        masked(suite, "two members", group);
        suite.compare("c joins", BEAT, 1, peer -> counted(peer.ask(BEAT, 1, beat(group, "c", 0, null, "sg-b"))));
        masked(suite, "three members", group);
        suite.compare("d joins", BEAT, 1, peer -> counted(peer.ask(BEAT, 1, beat(group, "d", 0, null, "sg-b"))));
        suite.prepare(peer -> settle(peer, group, 4, "a", "b", "c", "d"));
        masked(suite, "four members", group);
        suite.same("d leaves", BEAT, 1, peer -> beat(group, "d", -1, null));
        suite.same("c leaves", BEAT, 1, peer -> beat(group, "c", -1, null));
        masked(suite, "two have left", group);
        suite.prepare(peer -> settle(peer, group, 2, "a", "b"));
        masked(suite, "two are left", group);
        suite.compare("e reads another topic", BEAT, 1, peer -> counted(peer.ask(BEAT, 1, beat(group, "e", 0, null, "sg-a"))));
        suite.prepare(peer -> settle(peer, group, 5, "a", "b", "e"));
        masked(suite, "members of different topics", group);
        for (String member : List.of("a", "b", "e")) {
            suite.same(member + " leaves", BEAT, 1, peer -> beat(group, member, -1, null));
        }
    }

    private void describedOffsets(Suite suite) throws Exception {
        String group = "sg-offsets";
        suite.prepare(peer -> peer.ask(BEAT, 1, beat(group, "m", 0, null, "sg-a", "sg-b")));
        suite.prepare(peer -> settle(peer, group, 5, "m"));
        for (int v = 0; v <= 1; v++) {
            int version = v;
            suite.same("all, with a member", OFFSETS, version, peer -> offsets(all(group)));
            suite.same("one", OFFSETS, version, peer -> offsets(some(group, "sg-a:0")));
            suite.same("some", OFFSETS, version, peer -> offsets(some(group, "sg-a:2,0,1", "sg-b:1")));
            suite.same("twice", OFFSETS, version, peer -> offsets(some(group, "sg-a:0,0", "sg-a:1")));
            suite.same("no topics", OFFSETS, version, peer -> offsets(some(group)));
            suite.same("no partitions", OFFSETS, version, peer -> offsets(some(group, "sg-a:")));
            suite.same("no partitions of a topic that is not there", OFFSETS, version, peer -> offsets(some(group, "sg-none:")));
            if (version == 1) {
                // Kafka asks again for half a minute.
                suite.same("a partition that is not there", OFFSETS, version, peer -> offsets(some(group, "sg-a:0,9")));
            }
            suite.same("a negative partition", OFFSETS, version, peer -> offsets(some(group, "sg-a:-1")));
            suite.same("a topic that is not there", OFFSETS, version, peer -> offsets(some(group, "sg-none:0,1")));
            suite.same("and one that is", OFFSETS, version, peer -> offsets(some(group, "sg-none:0,1", "sg-b:0")));
            suite.same("no group", OFFSETS, version, peer -> offsets(all("")));
            suite.same("no group, with topics", OFFSETS, version, peer -> offsets(some("", "sg-a:0")));
            suite.same("a group that is not there", OFFSETS, version, peer -> offsets(all("sg-nobody")));
            suite.same("a group that is not there, with topics", OFFSETS, version, peer -> offsets(some("sg-nobody", "sg-a:0")));
            suite.same("a classic group", OFFSETS, version, peer -> offsets(all("sg-classic")));
            suite.same("several", OFFSETS, version, peer -> offsets(all(group), some("sg-nobody", "sg-a:0"), some(group, "sg-a:-1")));
            suite.same("none", OFFSETS, version, peer -> offsets());
        }
        suite.prepare(peer -> peer.ask(BEAT, 1, beat(group, "m", -1, null)));
    }

    private void altered(Suite suite) throws Exception {
        String group = "sg-altered";
        suite.same("no group", ALTER, 0, peer -> alter("", "sg-a:0:0"));
        suite.same("nothing", ALTER, 0, peer -> alter(group));
        suite.same("a topic that is not there", ALTER, 0, peer -> alter(group, "sg-none:0:0"));
        described(suite, "no group yet", group);
        for (String other : List.of("sg-classic", "sg-consumer")) {
            suite.same("of " + other, ALTER, 0, peer -> alter(other, "sg-a:0:0"));
        }
        suite.same("a group comes to be", ALTER, 0, peer -> alter(group, "sg-a:0:1,1:2"));
        suite.prepare(peer -> begun(peer, group, 2));
        described(suite, "altered", group);
        standing(suite, "altered", group);
        suite.same("a partition that is not there", ALTER, 0, peer -> alter(group, "sg-a:2:3,3:4"));
        suite.prepare(peer -> begun(peer, group, 3));
        standing(suite, "a partition that is not there", group);
        suite.same("a topic that is not there, and one that is", ALTER, 0, peer -> alter(group, "sg-none:0:0", "sg-b:0:0"));
        suite.prepare(peer -> begun(peer, group, 4));
        standing(suite, "a topic that is not there", group);
        suite.same("a negative partition", ALTER, 0, peer -> alter(group, "sg-b:-1:0"));
        suite.same("a topic twice", ALTER, 0, peer -> alter(group, "sg-b:0:7", "sg-none:0:0", "sg-b:1:7", "sg-none:1:0"));
        suite.same("a partition twice", ALTER, 0, peer -> alter(group, "sg-b:0:3,0:4"));
        suite.same("where the policy says", ALTER, 0, peer -> alter(group, "sg-b:0:-1"));
        suite.same("a strange offset", ALTER, 0, peer -> alter(group, "sg-b:0:-7"));
        standing(suite, "altered again", group);
        suite.same("a member joins", BEAT, 1, peer -> beat(group, "m", 0, null, "sg-a"));
        suite.prepare(peer -> settle(peer, group, 3, "m"));
        described(suite, "a member", group);
        standing(suite, "a member", group);
        suite.same("with a member", ALTER, 0, peer -> alter(group, "sg-a:0:0"));
        suite.prepare(peer -> peer.ask(BEAT, 1, beat(group, "m", -1, null)));
        suite.same("again", ALTER, 0, peer -> alter(group, "sg-a:0:0,1:0,2:0"));
        standing(suite, "again", group);
    }

    private void forgotten(Suite suite) throws Exception {
        String group = "sg-altered";
        suite.same("no group", FORGET, 0, peer -> forget("", "sg-a"));
        suite.same("a group that is not there", FORGET, 0, peer -> forget("sg-nobody", "sg-a"));
        for (String other : List.of("sg-classic", "sg-consumer")) {
            suite.same("of " + other, FORGET, 0, peer -> forget(other, "sg-a"));
        }
        suite.same("nothing", FORGET, 0, peer -> forget(group));
        suite.same("a topic that is not there", FORGET, 0, peer -> forget(group, "sg-none"));
        suite.same("one", FORGET, 0, peer -> forget(group, "sg-b"));
        standing(suite, "one is forgotten", group);
        suite.same("again", FORGET, 0, peer -> forget(group, "sg-b"));
        suite.same("one of three", FORGET, 0, peer -> forget(group, "sg-none", "sg-a", "sg-b"));
        standing(suite, "all is forgotten", group);
        described(suite, "all is forgotten", group);
        suite.same("it is set again", ALTER, 0, peer -> alter(group, "sg-a:0:2"));
        suite.prepare(peer -> begun(peer, group, 1));
        suite.same("twice in one", FORGET, 0, peer -> forget(group, "sg-a", "sg-a"));
        standing(suite, "twice in one", group);
    }

    private void deleted(Suite suite) throws Exception {
        String group = "sg-deleted";
        for (int v = 0; v <= 2; v++) {
            int version = v;
            suite.same("a group comes to be", ALTER, 0, peer -> alter(group, "sg-a:0:1", "sg-b:1:1"));
            suite.prepare(peer -> begun(peer, group, 2));
            suite.same("with others", DELETE, version, peer -> "{\"groupsNames\":[\"sg-nobody\",\"%s\",\"sg-consumer\"]}".formatted(group));
            described(suite, "deleted", group);
            standing(suite, "deleted", group);
        }
    }

    /** The other APIs of groups. */
    private void others(Suite suite) throws Exception {
        String group = "sg-others";
        suite.prepare(peer -> peer.ask(BEAT, 1, beat(group, "m", 0, null, "sg-none")));
        for (int version = 5; version <= 6; version++) {
            suite.same("a share group", ApiMessageType.DESCRIBE_GROUPS, version, peer -> GroupCases.describe(group));
        }
        suite.same("a share group", ApiMessageType.CONSUMER_GROUP_DESCRIBE, 1, peer -> describe(group));
        suite.same("a share group", ApiMessageType.CONSUMER_GROUP_HEARTBEAT, 1, peer -> """
            {"groupId":"%s","memberId":"m","memberEpoch":0,"instanceId":null,"rackId":null,"rebalanceTimeoutMs":5000,
             "subscribedTopicNames":["sg-a"],"subscribedTopicRegex":null,"serverAssignor":null,"topicPartitions":[]}""".formatted(group));
        for (int version = 5; version <= 9; version += 2) {
            int join = version;
            suite.same("a share group", ApiMessageType.JOIN_GROUP, join, peer -> GroupCases.joinBody(group, "m", null, 10_000, "consumer", GroupCases.protocols("range", "sg-a")));
            suite.same("a share group, without member id", ApiMessageType.JOIN_GROUP, join, peer -> GroupCases.joinBody(group, "", null, 10_000, "consumer", GroupCases.protocols("range", "sg-a")));
        }
        suite.same("a share group", ApiMessageType.SYNC_GROUP, 5, peer -> GroupCases.sync(group, "m", 2, "consumer", "range"));
        suite.same("a share group", ApiMessageType.HEARTBEAT, 4, peer -> GroupCases.heartbeat(group, "m", 2, null));
        suite.same("a share group", ApiMessageType.LEAVE_GROUP, 5, peer -> GroupCases.leave(group, "m", null));
        for (int version = 8; version <= 10; version++) {
            int commit = version;
            suite.same("a member", ApiMessageType.OFFSET_COMMIT, commit, peer -> OffsetCases.commit(peer, group, "m", 2, null, "sg-a", 0, 5, "m"));
            suite.same("nobody", ApiMessageType.OFFSET_COMMIT, commit, peer -> OffsetCases.commit(peer, group, "", -1, null, "sg-a", 0, 5, "m"));
        }
        suite.same("a share group", ApiMessageType.OFFSET_FETCH, 9, peer -> """
            {"groups":[{"groupId":"%s","memberId":null,"memberEpoch":-1,"topics":[{"name":"sg-a","partitionIndexes":[0]}]}],"requireStable":false}""".formatted(group));
        suite.same("a share group", ApiMessageType.OFFSET_DELETE, 0, peer -> """
            {"groupId":"%s","topics":[{"name":"sg-a","partitions":[{"partitionIndex":0}]}]}""".formatted(group));
        described(suite, "as it was", group);
        suite.prepare(peer -> peer.ask(BEAT, 1, beat(group, "m", -1, null)));
        suite.same("an empty share group", ApiMessageType.CONSUMER_GROUP_HEARTBEAT, 1, peer -> """
            {"groupId":"%s","memberId":"m","memberEpoch":0,"instanceId":null,"rackId":null,"rebalanceTimeoutMs":5000,
             "subscribedTopicNames":["sg-a"],"subscribedTopicRegex":null,"serverAssignor":null,"topicPartitions":[]}""".formatted(group));
        suite.same("an empty share group", ApiMessageType.JOIN_GROUP, 9, peer -> GroupCases.joinBody(group, "m", null, 10_000, "consumer", GroupCases.protocols("range", "sg-a")));
    }

    private void configs(Suite suite) throws Exception {
        String group = "sg-config";
        configured(suite, group, "share.heartbeat.interval.ms", "6000");
        suite.same("the group's own interval", BEAT, 1, peer -> beat(group, "m", 0, null, "sg-none"));
        configured(suite, group, "share.heartbeat.interval.ms", "7000");
        suite.same("another one", BEAT, 1, peer -> beat(group, "m", 2, null));
        suite.prepare(peer -> peer.ask(BEAT, 1, beat(group, "m", -1, null)));
    }

    /** Topics grow, come and go. */
    private void topics(Suite suite) throws Exception {
        String group = "sg-topics";
        suite.topic("sg-grows", 1);
        at_once(suite, group);
        suite.same("a member joins", BEAT, 1, peer -> beat(group, "m", 0, null, "sg-grows", "sg-later"));
        suite.prepare(peer -> settle(peer, group, 1, "m"));
        suite.prepare(peer -> {
            peer.ask(ApiMessageType.CREATE_PARTITIONS, 3, "{\"topics\":[{\"name\":\"sg-grows\",\"count\":3,\"assignments\":null}],\"timeoutMs\":10000,\"validateOnly\":false}");
            Suite.await(peer, "sg-grows", 3);
            return settle(peer, group, 3, "m");
        });
        described(suite, "a topic has grown", group);
        standing(suite, "a topic has grown", group);
        suite.topic("sg-later", 1);
        suite.prepare(peer -> settle(peer, group, 4, "m"));
        described(suite, "a topic has come", group);
        suite.prepare(peer -> {
            peer.ask(ApiMessageType.DELETE_TOPICS, 5, "{\"topicNames\":[\"sg-grows\"],\"timeoutMs\":10000}");
            return settle(peer, group, 1, "m");
        });
        described(suite, "a topic has gone", group);
        standing(suite, "a topic has gone", group);
        suite.same("leave", BEAT, 1, peer -> beat(group, "m", -1, null));
        suite.same("forget what is gone", FORGET, 0, peer -> forget(group, "sg-grows"));
        suite.same("DeleteGroups", DELETE, 2, peer -> GroupCases.names("groupsNames", group));
    }

    private void full(Suite suite) throws Exception {
        String group = "sg-full";
        for (int i = 0; i < 200; i++) {
            String member = "m" + i;
            suite.prepare(peer -> peer.ask(BEAT, 1, beat(group, member, 0, null, "sg-none")));
        }
        suite.same("one too many", BEAT, 1, peer -> beat(group, "m200", 0, null, "sg-none"));
        suite.compare("one of them", BEAT, 1, peer -> {
            ObjectNode answer = peer.ask(BEAT, 1, beat(group, "m7", 0, null, "sg-none"));
            return answer.put("memberEpoch", 0);
        });
    }

    private void questions(Suite suite) throws Exception {
        suite.same("a group that is not there", DESCRIBE, 1, peer -> describe("sg-nobody"));
        suite.same("no name", DESCRIBE, 1, peer -> describe(""));
        suite.same("nothing", DESCRIBE, 1, peer -> "{\"groupIds\":[],\"includeAuthorizedOperations\":true}");
        suite.same("several", DESCRIBE, 1, peer -> "{\"groupIds\":[\"sg-altered\",\"sg-nobody\",\"\",\"sg-classic\"],\"includeAuthorizedOperations\":false}");
        for (int version = 4; version <= 5; version++) {
            suite.same("all", ApiMessageType.LIST_GROUPS, version, peer -> GroupCases.list("", ""));
            suite.same("empty ones", ApiMessageType.LIST_GROUPS, version, peer -> GroupCases.list("\"empty\"", ""));
            suite.same("stable ones", ApiMessageType.LIST_GROUPS, version, peer -> GroupCases.list("\"Stable\"", ""));
        }
        suite.same("share groups", ApiMessageType.LIST_GROUPS, 5, peer -> GroupCases.list("", "\"Share\""));
        suite.same("both", ApiMessageType.LIST_GROUPS, 5, peer -> GroupCases.list("", "\"consumer\",\"share\""));
    }

    /** A cluster whose features do not allow share groups. */
    private void unserved(Suite suite) throws Exception {
        suite.same("share groups no more", ApiMessageType.UPDATE_FEATURES, 1, peer -> feature(0, 2));
        suite.prepare(peer -> finalised(peer, 0));
        suite.same("unserved", BEAT, 1, peer -> beat("sg-u", "m", 0, null, "sg-a"));
        suite.same("unserved", DESCRIBE, 1, peer -> "{\"groupIds\":[\"sg-altered\",\"\"],\"includeAuthorizedOperations\":false}");
        for (int v = 0; v <= 1; v++) {
            int version = v;
            suite.same("unserved", OFFSETS, version, peer -> offsets(all("sg-altered"), some("", "sg-a:0")));
        }
        suite.same("unserved", ALTER, 0, peer -> alter("sg-altered", "sg-a:0:0"));
        suite.same("unserved", FORGET, 0, peer -> forget("sg-altered", "sg-a"));
        suite.same("unserved", ApiMessageType.LIST_GROUPS, 5, peer -> GroupCases.list("", "\"share\""));
        suite.same("too high", ApiMessageType.UPDATE_FEATURES, 1, peer -> feature(2, 1));
        suite.same("share groups again", ApiMessageType.UPDATE_FEATURES, 1, peer -> feature(1, 1));
        suite.prepare(peer -> finalised(peer, 1));
        suite.same("served again", DESCRIBE, 1, peer -> describe("sg-altered"));
    }

    private static String feature(int level, int kind) {
        return """
            {"timeoutMs":10000,"featureUpdates":[{"feature":"share.version","maxVersionLevel":%d,"upgradeType":%d}],"validateOnly":false}""".formatted(level, kind);
    }

    /** Waits until the broker goes by the level. */
    private static ObjectNode finalised(Peer peer, int level) throws Exception {
        for (int tries = 0; tries < Suite.PATIENCE; tries++) {
            ObjectNode answer = peer.ask(DESCRIBE, 1, describe("sg-nobody"));
            if ((answer.get("groups").get(0).get("errorCode").intValue() == 35) == (level == 0)) {
                return answer;
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException(peer.name + " does not go to level " + level);
    }

    private static String beat(String group, String member, int epoch, String rack, String... names) {
        String all = names.length == 0 ? "null" : "[\"" + String.join("\",\"", names) + "\"]";
        return "{\"groupId\":\"%s\",\"memberId\":\"%s\",\"memberEpoch\":%d,\"rackId\":%s,\"subscribedTopicNames\":%s}"
            .formatted(group, member, epoch, GroupCases.quoted(rack), all);
    }

    private static String describe(String group) {
        return "{\"groupIds\":[\"%s\"],\"includeAuthorizedOperations\":true}".formatted(group);
    }

    private static String offsets(String... groups) {
        return "{\"groups\":[%s]}".formatted(String.join(",", groups));
    }

    private static String all(String group) {
        return "{\"groupId\":\"%s\",\"topics\":null}".formatted(group);
    }

    /** "topic:0,1". */
    private static String some(String group, String... topics) {
        StringBuilder list = new StringBuilder();
        for (String topic : topics) {
            String[] pair = topic.split(":", 2);
            list.append(list.isEmpty() ? "" : ",").append("{\"topicName\":\"%s\",\"partitions\":[%s]}".formatted(pair[0], pair[1]));
        }
        return "{\"groupId\":\"%s\",\"topics\":[%s]}".formatted(group, list);
    }

    /** "topic:partition:offset,partition:offset". */
    private static String alter(String group, String... topics) {
        StringBuilder list = new StringBuilder();
        for (String topic : topics) {
            String[] pair = topic.split(":", 2);
            StringBuilder partitions = new StringBuilder();
            for (String one : pair[1].split(",")) {
                String[] of = one.split(":");
                partitions.append(partitions.isEmpty() ? "" : ",").append("{\"partitionIndex\":%s,\"startOffset\":%s}".formatted(of[0], of[1]));
            }
            list.append(list.isEmpty() ? "" : ",").append("{\"topicName\":\"%s\",\"partitions\":[%s]}".formatted(pair[0], partitions));
        }
        return "{\"groupId\":\"%s\",\"topics\":[%s]}".formatted(group, list);
    }

    private static String forget(String group, String... topics) {
        StringBuilder list = new StringBuilder();
        for (String topic : topics) {
            list.append(list.isEmpty() ? "" : ",").append("{\"topicName\":\"%s\"}".formatted(topic));
        }
        return "{\"groupId\":\"%s\",\"topics\":[%s]}".formatted(group, list);
    }

    private void described(Suite suite, String label, String group) throws Exception {
        suite.same(label, DESCRIBE, 1, peer -> describe(group));
    }

    private void standing(Suite suite, String label, String group) throws Exception {
        for (int version = 0; version <= 1; version++) {
            suite.same(label, OFFSETS, version, peer -> offsets(all(group), some(group, "sg-a:0,1,2", "sg-b:0,1")));
        }
    }

    private void masked(Suite suite, String label, String group) throws Exception {
        suite.compare(label, DESCRIBE, 1, peer -> counted(peer.ask(DESCRIBE, 1, describe(group))));
    }

    private static ObjectNode counted(ObjectNode answer) {
        for (JsonNode node : answer.findParents("topicPartitions")) {
            int count = 0;
            for (JsonNode topic : node.get("topicPartitions")) {
                count += topic.get("partitions").size();
            }
            ((ObjectNode) node).put("topicPartitions", count);
        }
        return answer;
    }

    private static JsonNode group(Peer peer, String group) throws Exception {
        return peer.ask(DESCRIBE, 1, describe(group)).get("groups").get(0);
    }

    private static int epoch(Peer peer, String group, String member) throws Exception {
        for (JsonNode one : group(peer, group).get("members")) {
            if (one.get("memberId").textValue().equals(member)) {
                return one.get("memberEpoch").intValue();
            }
        }
        return 0;
    }

    /** Reports until all members are in the group's epoch, and have so many partitions together. */
    private static ObjectNode settle(Peer peer, String group, int partitions, String... members) throws Exception {
        for (int tries = 0; tries < Suite.PATIENCE / 5; tries++) {
            for (String member : members) {
                peer.ask(BEAT, 1, beat(group, member, epoch(peer, group, member), null));
            }
            JsonNode found = group(peer, group);
            int epoch = found.get("groupEpoch").intValue();
            boolean settled = found.get("assignmentEpoch").intValue() == epoch;
            int assigned = 0;
            for (JsonNode member : found.get("members")) {
                settled &= member.get("memberEpoch").intValue() == epoch;
                for (JsonNode topic : member.get("assignment").get("topicPartitions")) {
                    assigned += topic.get("partitions").size();
                }
            }
            if (settled && assigned == partitions) {
                return (ObjectNode) found;
            }
            Thread.sleep(100);
        }
        throw new IllegalStateException(peer.name + ": " + group + " does not settle: " + group(peer, group));
    }

    /** Waits until so many partitions of a group have begun. Kafka takes note of that behind its answer. */
    private static ObjectNode begun(Peer peer, String group, int partitions) throws Exception {
        ObjectNode answer = null;
        for (int tries = 0; tries < Suite.PATIENCE; tries++) {
            answer = peer.ask(OFFSETS, 1, offsets(all(group)));
            int count = 0;
            for (JsonNode topic : answer.get("groups").get(0).get("topics")) {
                count += topic.get("partitions").size();
            }
            if (count == partitions) {
                return answer;
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException(peer.name + ": the state of " + group + " does not begin: " + answer);
    }

    /** Targets are computed with each change, and not once a second. */
    private void at_once(Suite suite, String group) throws Exception {
        configured(suite, group, "share.assignment.interval.ms", "0");
    }

    private void configured(Suite suite, String group, String key, String value) throws Exception {
        suite.prepare(peer -> ConsumerGroupCases.configured(peer, group, key, value));
    }
}
