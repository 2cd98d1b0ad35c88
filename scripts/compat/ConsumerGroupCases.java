import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.common.message.ApiMessageType;

/** Consumer groups (KIP-848): ConsumerGroupHeartbeat, ConsumerGroupDescribe, and what the other APIs of groups are for them. */
final class ConsumerGroupCases implements Answers.Cases {
    private static final ApiMessageType BEAT = ApiMessageType.CONSUMER_GROUP_HEARTBEAT;
    private static final ApiMessageType DESCRIBE = ApiMessageType.CONSUMER_GROUP_DESCRIBE;
    private final GroupCases classic = new GroupCases();

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("cg-a", 3);
        suite.topic("cg-b", 2);
        suite.prepare(peer -> GroupCases.coordinator(peer, "cg-any"));
        refusals(suite);
        life(suite);
        several(suite);
        offsets(suite);
        statics(suite);
        regexes(suite);
        configs(suite);
        topics(suite);
        upgrade(suite);
        classicMembers(suite);
        downgrade(suite);
        questions(suite);
    }

    private void refusals(Suite suite) throws Exception {
        for (int version = 0; version <= 1; version++) {
            String group = "cg-refused-" + version;
            suite.same("no group", BEAT, version, peer -> new Beat("", "m", 0).joins().json(peer));
            suite.same("a blank group", BEAT, version, peer -> new Beat(" ", "m", 0).joins().json(peer));
            suite.same("no instance", BEAT, version, peer -> new Beat(group, "m", 0).joins().instance("").json(peer));
            suite.same("no rack", BEAT, version, peer -> new Beat(group, "m", 0).joins().rack("").json(peer));
            suite.same("no member in an epoch", BEAT, version, peer -> new Beat(group, "", 1).json(peer));
            suite.same("nobody leaves", BEAT, version, peer -> new Beat(group, "", -1).json(peer));
            suite.same("no rebalance timeout", BEAT, version, peer -> new Beat(group, "m", 0).names("cg-a").owns("").json(peer));
            suite.same("partitions untold", BEAT, version, peer -> new Beat(group, "m", 0).rebalance(5000).names("cg-a").json(peer));
            suite.same("partitions while it joins", BEAT, version, peer -> new Beat(group, "m", 0).rebalance(5000).names("cg-a").owns("cg-a:0").json(peer));
            suite.same("no subscription", BEAT, version, peer -> new Beat(group, "m", 0).rebalance(5000).owns("").json(peer));
            suite.same("a static leave without instance", BEAT, version, peer -> new Beat(group, "m", -2).json(peer));
            suite.same("an epoch that is none", BEAT, version, peer -> new Beat(group, "m", -3).json(peer));
            suite.same("an assignor that is none", BEAT, version, peer -> new Beat(group, "m", 0).joins().assignor("odd").json(peer));
            suite.same("a group that is not there", BEAT, version, peer -> new Beat(group, "m", 5).json(peer));
            suite.same("leave a group that is not there", BEAT, version, peer -> new Beat(group, "m", -1).json(peer));
            suite.same("leave for now a group that is not there", BEAT, version, peer -> new Beat(group, "m", -2).instance("i").json(peer));
        }
        suite.same("no member id", BEAT, 1, peer -> new Beat("cg-refused", "", 0).joins().json(peer));
        suite.compare("a member id of the broker's", BEAT, 0, peer -> named(peer.ask(BEAT, 0, new Beat("cg-refused-id", "", 0).joins().json(peer))));
    }

    /** A group of one member, in both versions. */
    private void life(Suite suite) throws Exception {
        for (int v = 0; v <= 1; v++) {
            int version = v;
            String group = "cg-life-" + version;
            suite.same("a member joins", BEAT, version, peer -> new Beat(group, "m", 0).joins().json(peer));
            described(suite, "one member", group);
            suite.same("it joins again", BEAT, version, peer -> new Beat(group, "m", 0).joins().json(peer));
            suite.same("it reports", BEAT, version, peer -> new Beat(group, "m", 2).json(peer));
            suite.same("it reports everything", BEAT, version, peer -> new Beat(group, "m", 2).joins().owns("cg-a:0,1,2").json(peer));
            suite.same("it reports some of it", BEAT, version, peer -> new Beat(group, "m", 2).owns("cg-a:0,1").json(peer));
            suite.same("a greater epoch", BEAT, version, peer -> new Beat(group, "m", 9).json(peer));
            suite.same("a smaller epoch", BEAT, version, peer -> new Beat(group, "m", 1).json(peer));
            suite.same("the epoch before, with partitions", BEAT, version, peer -> new Beat(group, "m", 1).owns("cg-a:0").json(peer));
            suite.same("a member that is not known", BEAT, version, peer -> new Beat(group, "nobody", 2).json(peer));
            suite.same("an instance that is not known", BEAT, version, peer -> new Beat(group, "m", 2).instance("i").json(peer));
            suite.same("it reads more", BEAT, version, peer -> new Beat(group, "m", 2).names("cg-a", "cg-b").json(peer));
            suite.prepare(peer -> settle(peer, group, "m"));
            suite.compare("it has more", BEAT, version, peer -> peer.ask(BEAT, version, new Beat(group, "m", epoch(peer, group, "m")).joins().names("cg-a", "cg-b").owns("").json(peer)));
            suite.compare("it reads less", BEAT, version, peer -> peer.ask(BEAT, version, new Beat(group, "m", epoch(peer, group, "m")).names("cg-b").owns("cg-a:0,1,2;cg-b:0,1").json(peer)));
            described(suite, "it reads less", group);
            suite.compare("it gives up", BEAT, version, peer -> peer.ask(BEAT, version, new Beat(group, "m", epoch(peer, group, "m")).owns("cg-b:0,1").json(peer)));
            suite.prepare(peer -> settle(peer, group, "m"));
            described(suite, "it has given up", group);
            suite.compare("a topic that is not there", BEAT, version, peer -> peer.ask(BEAT, version, new Beat(group, "m", epoch(peer, group, "m")).names("cg-none").owns("").json(peer)));
            suite.same("leave, not known", BEAT, version, peer -> new Beat(group, "nobody", -1).json(peer));
            suite.same("DeleteGroups of a group with members", ApiMessageType.DELETE_GROUPS, 2, peer -> GroupCases.names("groupsNames", group));
            suite.same("leave", BEAT, version, peer -> new Beat(group, "m", -1).json(peer));
            suite.same("leave again", BEAT, version, peer -> new Beat(group, "m", -1).json(peer));
            described(suite, "nobody", group);
            suite.same("it comes back", BEAT, version, peer -> new Beat(group, "m", 0).joins().json(peer));
            suite.same("and leaves", BEAT, version, peer -> new Beat(group, "m", -1).json(peer));
            suite.same("DeleteGroups", ApiMessageType.DELETE_GROUPS, 2, peer -> GroupCases.names("groupsNames", group));
            described(suite, "deleted", group);
        }
    }

    /** Members of one group: what one is to give up, and the others wait for. By one-letter names, which Kafka's hash maps keep in order. */
    private void several(Suite suite) throws Exception {
        for (String assignor : List.of("uniform", "range")) {
            String group = "cg-several-" + assignor;
            at_once(suite, group);
            suite.same("a joins " + assignor, BEAT, 1, peer -> new Beat(group, "a", 0).joins().names("cg-a", "cg-b").assignor(assignor).json(peer));
            described(suite, "a alone, " + assignor, group);
            suite.same("b joins " + assignor, BEAT, 1, peer -> new Beat(group, "b", 0).joins().names("cg-a", "cg-b").assignor(assignor).json(peer));
            masked(suite, "b waits, " + assignor, group);
            suite.compare("a is to give up, " + assignor, BEAT, 1, peer -> counted(peer.ask(BEAT, 1, new Beat(group, "a", epoch(peer, group, "a")).json(peer))));
            masked(suite, "a gives up, " + assignor, group);
            suite.compare("b waits, " + assignor, BEAT, 1, peer -> counted(peer.ask(BEAT, 1, new Beat(group, "b", epoch(peer, group, "b")).json(peer))));
            suite.compare("a has given up, " + assignor, BEAT, 1, peer -> counted(peer.ask(BEAT, 1, new Beat(group, "a", epoch(peer, group, "a")).owns(own(peer, group, "a", false)).json(peer))));
            suite.compare("b gets it, " + assignor, BEAT, 1, peer -> counted(peer.ask(BEAT, 1, new Beat(group, "b", epoch(peer, group, "b")).owns("").json(peer))));
            masked(suite, "both have theirs, " + assignor, group);
            suite.same("c reads another topic, " + assignor, BEAT, 1, peer -> new Beat(group, "c", 0).joins().names("cg-b").json(peer));
            for (String member : List.of("a", "b", "c", "a", "b", "c")) {
                suite.prepare(peer -> peer.ask(BEAT, 1, new Beat(group, member, epoch(peer, group, member)).owns(own(peer, group, member, false)).json(peer)));
            }
            masked(suite, "three members, " + assignor, group);
            suite.same("b leaves, " + assignor, BEAT, 1, peer -> new Beat(group, "b", -1).json(peer));
            masked(suite, "b has left, " + assignor, group);
            suite.prepare(peer -> peer.ask(BEAT, 1, new Beat(group, "a", -1).json(peer)));
            suite.prepare(peer -> peer.ask(BEAT, 1, new Beat(group, "c", -1).json(peer)));
        }
    }

    private void offsets(Suite suite) throws Exception {
        String group = "cg-offsets";
        suite.same("a member joins", BEAT, 1, peer -> new Beat(group, "m", 0).joins().json(peer));
        ApiMessageType commit = ApiMessageType.OFFSET_COMMIT;
        for (int version = 2; version <= 10; version++) {
            suite.same("a member of a consumer group", commit, version, peer -> OffsetCases.commit(peer, group, "m", 2, null, "cg-a", 0, 5, "m"));
            suite.same("a greater epoch", commit, version, peer -> OffsetCases.commit(peer, group, "m", 7, null, "cg-a", 0, 5, "m"));
            suite.same("a smaller epoch", commit, version, peer -> OffsetCases.commit(peer, group, "m", 1, null, "cg-a", 0, 5, "m"));
            suite.same("a topic that is not the member's, in a smaller epoch", commit, version, peer -> OffsetCases.commit(peer, group, "m", 1, null, "cg-b", 0, 5, "m"));
            suite.same("a member that is not known", commit, version, peer -> OffsetCases.commit(peer, group, "x", 2, null, "cg-a", 0, 5, "m"));
            suite.same("no member", commit, version, peer -> OffsetCases.commit(peer, group, "", -1, null, "cg-a", 0, 5, "m"));
        }
        ApiMessageType fetch = ApiMessageType.OFFSET_FETCH;
        for (int version = 8; version <= 10; version++) {
            suite.same("a member fetches", fetch, version, peer -> fetch(peer, group, "m", 2));
            suite.same("a member in another epoch fetches", fetch, version, peer -> fetch(peer, group, "m", 1));
            suite.same("a member that is not known fetches", fetch, version, peer -> fetch(peer, group, "x", 2));
            suite.same("a member without epoch fetches", fetch, version, peer -> fetch(peer, group, "m", -1));
            suite.same("an epoch without member", fetch, version, peer -> fetch(peer, group, null, 2));
            suite.same("nobody fetches", fetch, version, peer -> fetch(peer, group, null, -1));
        }
        String delete = """
            {"groupId":"%s","topics":[{"name":"cg-a","partitions":[{"partitionIndex":0}]},{"name":"cg-b","partitions":[{"partitionIndex":0}]}]}""".formatted(group);
        suite.same("what the group reads, and what it does not", ApiMessageType.OFFSET_DELETE, 0, peer -> delete);
        suite.prepare(peer -> peer.ask(BEAT, 1, new Beat(group, "m", -1).json(peer)));
        suite.same("an empty group", commit, 9, peer -> OffsetCases.commit(peer, group, "", -1, null, "cg-a", 1, 6, "m"));
        suite.same("a member of an empty group", commit, 9, peer -> OffsetCases.commit(peer, group, "m", 2, null, "cg-a", 1, 6, "m"));
        suite.same("an empty group", fetch, 9, peer -> fetch(peer, group, null, -1));
        suite.same("an empty group", ApiMessageType.OFFSET_DELETE, 0, peer -> delete);
        suite.same("DeleteGroups", ApiMessageType.DELETE_GROUPS, 2, peer -> GroupCases.names("groupsNames", group));
        suite.same("a group that is no more", fetch, 9, peer -> fetch(peer, group, null, -1));
        // A place for offsets becomes a consumer group.
        suite.same("an offset without a group", commit, 9, peer -> OffsetCases.commit(peer, "cg-place", "", -1, null, "cg-a", 1, 6, "m"));
        suite.same("a member joins where offsets are", BEAT, 1, peer -> new Beat("cg-place", "m", 0).joins().json(peer));
        suite.same("the offset is there", fetch, 9, peer -> fetch(peer, "cg-place", "m", 2));
        suite.prepare(peer -> peer.ask(BEAT, 1, new Beat("cg-place", "m", -1).json(peer)));
    }

    private void statics(Suite suite) throws Exception {
        String group = "cg-static";
        at_once(suite, group);
        suite.same("a static member joins", BEAT, 1, peer -> new Beat(group, "s", 0).joins().instance("i").json(peer));
        suite.same("another one of that instance", BEAT, 1, peer -> new Beat(group, "t", 0).joins().instance("i").json(peer));
        suite.same("it reports under another id", BEAT, 1, peer -> new Beat(group, "t", 2).instance("i").json(peer));
        suite.same("it reports without its instance", BEAT, 1, peer -> new Beat(group, "s", 2).json(peer));
        suite.same("leave of another id", BEAT, 1, peer -> new Beat(group, "t", -1).instance("i").json(peer));
        suite.same("leave of an instance that is not known", BEAT, 1, peer -> new Beat(group, "s", -1).instance("j").json(peer));
        suite.same("it will be back", BEAT, 1, peer -> new Beat(group, "s", -2).instance("i").json(peer));
        described(suite, "a static member that will be back", group);
        suite.same("it reports, gone", BEAT, 1, peer -> new Beat(group, "s", 2).instance("i").json(peer));
        suite.same("it is back", BEAT, 1, peer -> new Beat(group, "t", 0).joins().instance("i").json(peer));
        described(suite, "a static member that is back", group);
        suite.same("the old id reports", BEAT, 1, peer -> new Beat(group, "s", 2).instance("i").json(peer));
        suite.same("the old id joins", BEAT, 1, peer -> new Beat(group, "s", 0).joins().instance("i").json(peer));
        suite.same("LeaveGroup by the instance", ApiMessageType.LEAVE_GROUP, 5, peer -> GroupCases.leave(group, "", "i"));
        suite.same("LeaveGroup again", ApiMessageType.LEAVE_GROUP, 5, peer -> GroupCases.leave(group, "", "i"));
        described(suite, "no static member", group);
    }

    private void regexes(Suite suite) throws Exception {
        for (String regex : List.of("[", "(", ")", "a**", "*", "(?=a)", "\\\\1", "[z-a]", "\\\\", "a{1001}", "(?P<n", "\\\\pX", "(?x)a")) {
            suite.same("an invalid regular expression " + regex, BEAT, 1, peer -> new Beat("cg-regex-bad", "m", 0).joins().names().regex(regex).json(peer));
        }
        for (String regex : List.of("\\\\w{1,30}", "[\\\\w.-]{1,249}", "\\\\S{1,100}")) {
            String perl = "cg-regex-" + regex.length();
            suite.same("classes of Perl, repeated " + regex, BEAT, 1, peer -> new Beat(perl, "m", 0).joins().names().regex(regex).json(peer));
            suite.prepare(peer -> peer.ask(BEAT, 1, new Beat(perl, "m", -1).json(peer)));
        }
        String group = "cg-regex";
        at_once(suite, group);
        suite.same("a member reads by a regular expression", BEAT, 1, peer -> new Beat(group, "m", 0).joins().names().regex("cg-[a]").json(peer));
        suite.prepare(peer -> resolved(peer, group, 2));
        suite.compare("its topics are found", BEAT, 1, peer -> peer.ask(BEAT, 1, new Beat(group, "m", epoch(peer, group, "m")).json(peer)));
        described(suite, "a regular expression", group);
        suite.same("another member brings the same", BEAT, 1, peer -> new Beat(group, "n", 0).joins().names().regex("cg-[a]").json(peer));
        suite.prepare(peer -> peer.ask(BEAT, 1, new Beat(group, "n", -1).json(peer)));
        suite.compare("names instead", BEAT, 1, peer -> peer.ask(BEAT, 1, new Beat(group, "m", epoch(peer, group, "m")).names("cg-b").regex("").owns("cg-a:0,1,2").json(peer)));
        described(suite, "names instead", group);
        suite.same("leave", BEAT, 1, peer -> new Beat(group, "m", -1).json(peer));
    }

    private void configs(Suite suite) throws Exception {
        String group = "cg-config";
        configured(suite, group, "consumer.heartbeat.interval.ms", "6000");
        suite.same("the group's own interval", BEAT, 1, peer -> new Beat(group, "m", 0).joins().json(peer));
        configured(suite, group, "consumer.heartbeat.interval.ms", "7000");
        suite.same("another one", BEAT, 1, peer -> new Beat(group, "m", 2).json(peer));
        suite.prepare(peer -> peer.ask(BEAT, 1, new Beat(group, "m", -1).json(peer)));
    }

    /** Topics grow and go. */
    private void topics(Suite suite) throws Exception {
        String group = "cg-topics";
        suite.topic("cg-grows", 1);
        at_once(suite, group);
        suite.same("a member joins", BEAT, 1, peer -> new Beat(group, "m", 0).joins().names("cg-grows", "cg-later").json(peer));
        suite.prepare(peer -> {
            peer.ask(ApiMessageType.CREATE_PARTITIONS, 3, "{\"topics\":[{\"name\":\"cg-grows\",\"count\":3,\"assignments\":null}],\"timeoutMs\":10000,\"validateOnly\":false}");
            Suite.await(peer, "cg-grows", 3);
            return settle(peer, group, "m");
        });
        described(suite, "a topic has grown", group);
        suite.topic("cg-later", 1);
        suite.prepare(peer -> settle(peer, group, "m"));
        described(suite, "a topic has come", group);
        suite.prepare(peer -> {
            peer.ask(ApiMessageType.DELETE_TOPICS, 5, "{\"topicNames\":[\"cg-grows\"],\"timeoutMs\":10000}");
            return settle(peer, group, "m");
        });
        described(suite, "a topic has gone", group);
        suite.same("leave", BEAT, 1, peer -> new Beat(group, "m", -1).json(peer));
    }

    /** Classic groups that a member of the consumer protocol comes to. */
    private void upgrade(Suite suite) throws Exception {
        suite.prepare(peer -> classic.joined(peer, "cg-malformed", "one", null));
        suite.same("a group whose assignment is none", BEAT, 1, peer -> new Beat("cg-malformed", "m", 0).joins().json(peer));
        suite.same("a classic group, in an epoch", BEAT, 1, peer -> new Beat("cg-malformed", "m", 5).json(peer));
        suite.same("leave a classic group", BEAT, 1, peer -> new Beat("cg-malformed", "m", -1).json(peer));
        suite.same("a classic group, described", DESCRIBE, 1, peer -> describe("cg-malformed"));
        suite.prepare(peer -> connect(peer, "cg-connect"));
        suite.same("a group that is no consumers'", BEAT, 1, peer -> new Beat("cg-connect", "m", 0).joins().json(peer));
        suite.prepare(peer -> classicMember(peer, "cg-custom", assignment("cg-a", "user data")));
        suite.same("a group with a custom assignor", BEAT, 1, peer -> new Beat("cg-custom", "m", 0).joins().json(peer));

        String group = "cg-upgrade";
        at_once(suite, group);
        suite.prepare(peer -> classicMember(peer, group, assignment("cg-a", null)));
        suite.same("a member comes to a classic group", BEAT, 1, peer -> new Beat(group, "m", 0).joins().json(peer));
        masked(suite, "a group of both", group);
        suite.same("DescribeGroups of a consumer group", ApiMessageType.DESCRIBE_GROUPS, 5, peer -> GroupCases.describe(group));
        suite.same("DescribeGroups of a consumer group", ApiMessageType.DESCRIBE_GROUPS, 6, peer -> GroupCases.describe(group));
        suite.compare("the classic member is to join again", ApiMessageType.HEARTBEAT, 4, peer -> peer.ask(ApiMessageType.HEARTBEAT, 4, GroupCases.heartbeat(group, classic.id(peer, group, "one"), 1, null)));
        suite.compare("SyncGroup of the classic member", ApiMessageType.SYNC_GROUP, 5, peer -> peer.ask(ApiMessageType.SYNC_GROUP, 5, GroupCases.sync(group, classic.id(peer, group, "one"), 1, "consumer", "range")));
        suite.compare("OffsetCommit of the classic member", ApiMessageType.OFFSET_COMMIT, 8, peer -> peer.ask(ApiMessageType.OFFSET_COMMIT, 8, OffsetCases.commit(peer, group, classic.id(peer, group, "one"), 1, null, "cg-a", 0, 5, "m")));
        suite.compare("in another generation", ApiMessageType.OFFSET_COMMIT, 8, peer -> peer.ask(ApiMessageType.OFFSET_COMMIT, 8, OffsetCases.commit(peer, group, classic.id(peer, group, "one"), 7, null, "cg-a", 0, 5, "m")));
        suite.compare("the classic member joins again", ApiMessageType.JOIN_GROUP, 9, peer -> classic.hidden(peer, group, peer.ask(ApiMessageType.JOIN_GROUP, 9, GroupCases.joinBody(group, classic.id(peer, group, "one"), null, 10_000, "consumer", subscription("cg-a")))));
        masked(suite, "the classic member has joined", group);
        suite.compare("its assignment", ApiMessageType.SYNC_GROUP, 5, peer -> sized(peer.ask(ApiMessageType.SYNC_GROUP, 5, GroupCases.sync(group, classic.id(peer, group, "one"), epoch(peer, group, classic.id(peer, group, "one")), "consumer", "range"))));
        suite.same("LeaveGroup of the member", ApiMessageType.LEAVE_GROUP, 5, peer -> GroupCases.leave(group, "m", null));
        suite.compare("a classic group again", ApiMessageType.DESCRIBE_GROUPS, 6, peer -> state(peer.ask(ApiMessageType.DESCRIBE_GROUPS, 6, GroupCases.describe(group))));
        suite.same("which is no consumer group", DESCRIBE, 1, peer -> describe(group));
        suite.prepare(peer -> peer.ask(ApiMessageType.LEAVE_GROUP, 5, GroupCases.leave(group, classic.id(peer, group, "one"), null)));
    }

    /** Classic members that come to a consumer group. */
    private void classicMembers(Suite suite) throws Exception {
        String group = "cg-classic";
        at_once(suite, group);
        suite.same("a member joins", BEAT, 1, peer -> new Beat(group, "a", 0).joins().json(peer));
        ApiMessageType join = ApiMessageType.JOIN_GROUP;
        suite.compare("a classic member without an id", join, 9, peer -> named(peer.ask(join, 9, GroupCases.joinBody(group, "", null, 10_000, "consumer", subscription("cg-a")))));
        suite.same("no protocols", join, 9, peer -> GroupCases.joinBody(group, "b", null, 10_000, "consumer", "[]"));
        suite.same("another protocol type", join, 9, peer -> GroupCases.joinBody(group, "b", null, 10_000, "connect", subscription("cg-a")));
        suite.same("a static member with an id that is not known", join, 9, peer -> GroupCases.joinBody(group, "b", "i", 10_000, "consumer", subscription("cg-a")));
        suite.same("a classic member joins", join, 9, peer -> GroupCases.joinBody(group, "b", null, 10_000, "consumer", subscription("cg-a")));
        suite.same("no common protocol", join, 9, peer -> GroupCases.joinBody(group, "c", null, 10_000, "consumer", GroupCases.protocols("other", "cg-a")));
        masked(suite, "both", group);
        for (int v = 0; v <= 5; v++) {
            int version = v;
            suite.same("SyncGroup of a member that is not known", ApiMessageType.SYNC_GROUP, version, peer -> GroupCases.sync(group, "x", 3, "consumer", "range"));
            suite.same("SyncGroup of the member of the consumer protocol", ApiMessageType.SYNC_GROUP, version, peer -> GroupCases.sync(group, "a", 2, "consumer", "range"));
            suite.same("another generation", ApiMessageType.SYNC_GROUP, version, peer -> GroupCases.sync(group, "b", 9, "consumer", "range"));
            suite.same("another protocol", ApiMessageType.SYNC_GROUP, version, peer -> GroupCases.sync(group, "b", 3, "consumer", "odd"));
            suite.same("another protocol type", ApiMessageType.SYNC_GROUP, version, peer -> GroupCases.sync(group, "b", 3, "connect", "range"));
            suite.same("SyncGroup", ApiMessageType.SYNC_GROUP, version, peer -> GroupCases.sync(group, "b", 3, "consumer", "range"));
        }
        for (int v = 0; v <= 4; v++) {
            int version = v;
            suite.same("Heartbeat", ApiMessageType.HEARTBEAT, version, peer -> GroupCases.heartbeat(group, "b", 3, null));
            suite.same("another generation", ApiMessageType.HEARTBEAT, version, peer -> GroupCases.heartbeat(group, "b", 9, null));
            suite.same("a member that is not known", ApiMessageType.HEARTBEAT, version, peer -> GroupCases.heartbeat(group, "x", 3, null));
            suite.same("the member of the consumer protocol", ApiMessageType.HEARTBEAT, version, peer -> GroupCases.heartbeat(group, "a", 2, null));
            if (version >= 3) {
                suite.same("an instance that is not known", ApiMessageType.HEARTBEAT, version, peer -> GroupCases.heartbeat(group, "b", 3, "i"));
            }
        }
        suite.compare("a is to give up", BEAT, 1, peer -> counted(peer.ask(BEAT, 1, new Beat(group, "a", epoch(peer, group, "a")).json(peer))));
        suite.compare("a has given up", BEAT, 1, peer -> counted(peer.ask(BEAT, 1, new Beat(group, "a", epoch(peer, group, "a")).owns(own(peer, group, "a", false)).json(peer))));
        suite.same("b is to join", ApiMessageType.HEARTBEAT, 4, peer -> GroupCases.heartbeat(group, "b", 3, null));
        suite.same("b joins again", join, 9, peer -> GroupCases.joinBody(group, "b", null, 10_000, "consumer", subscription("cg-a")));
        suite.compare("b has its part", ApiMessageType.SYNC_GROUP, 5, peer -> sized(peer.ask(ApiMessageType.SYNC_GROUP, 5, GroupCases.sync(group, "b", 3, "consumer", "range"))));
        suite.same("Heartbeat", ApiMessageType.HEARTBEAT, 4, peer -> GroupCases.heartbeat(group, "b", 3, null));
        masked(suite, "both have theirs", group);
        for (int v = 0; v <= 5; v++) {
            int version = v;
            suite.same("LeaveGroup of a member that is not known", ApiMessageType.LEAVE_GROUP, version, peer -> GroupCases.leave(group, "x", null));
        }
        suite.same("b speaks the consumer protocol", BEAT, 1, peer -> new Beat(group, "b", 0).joins().json(peer));
        masked(suite, "b speaks the consumer protocol", group);
        suite.same("b leaves", BEAT, 1, peer -> new Beat(group, "b", -1).json(peer));
        suite.same("a leaves", BEAT, 1, peer -> new Beat(group, "a", -1).json(peer));
        suite.same("SyncGroup of an empty consumer group", ApiMessageType.SYNC_GROUP, 5, peer -> GroupCases.sync(group, "b", 3, "consumer", "range"));
        suite.same("Heartbeat of an empty consumer group", ApiMessageType.HEARTBEAT, 4, peer -> GroupCases.heartbeat(group, "b", 3, null));
        suite.same("JoinGroup of a member of an empty consumer group", join, 9, peer -> GroupCases.joinBody(group, "b", null, 10_000, "consumer", subscription("cg-a")));
        suite.prepare(peer -> classic.joined(peer, group, "one", null));
        suite.compare("an empty consumer group becomes a classic one", ApiMessageType.DESCRIBE_GROUPS, 6, peer -> state(peer.ask(ApiMessageType.DESCRIBE_GROUPS, 6, GroupCases.describe(group))));
    }

    private void downgrade(Suite suite) throws Exception {
        String group = "cg-downgrade";
        at_once(suite, group);
        suite.same("a static member joins", BEAT, 1, peer -> new Beat(group, "a", 0).joins().instance("i").json(peer));
        // Of another topic: a member that waits for what the static one has is told of it in a rebalance here, and never by Kafka.
        suite.same("a classic member joins", ApiMessageType.JOIN_GROUP, 9, peer -> GroupCases.joinBody(group, "b", null, 10_000, "consumer", subscription("cg-b")));
        masked(suite, "both", group);
        suite.compare("the static member comes back as a classic one", ApiMessageType.JOIN_GROUP, 9, peer -> named(peer.ask(ApiMessageType.JOIN_GROUP, 9, GroupCases.joinBody(group, "", "i", 10_000, "consumer", subscription("cg-a")))));
        suite.compare("a classic group", ApiMessageType.DESCRIBE_GROUPS, 6, peer -> state(peer.ask(ApiMessageType.DESCRIBE_GROUPS, 6, GroupCases.describe(group))));
        suite.same("Heartbeat in it", ApiMessageType.HEARTBEAT, 4, peer -> GroupCases.heartbeat(group, "b", 3, null));
        suite.same("LeaveGroup", ApiMessageType.LEAVE_GROUP, 5, peer -> GroupCases.leave(group, "b", null));
        suite.same("LeaveGroup by the instance", ApiMessageType.LEAVE_GROUP, 5, peer -> GroupCases.leave(group, "", "i"));
    }

    private void questions(Suite suite) throws Exception {
        for (int version = 0; version <= 1; version++) {
            suite.same("a group that is not there", DESCRIBE, version, peer -> describe("cg-none"));
            suite.same("no name", DESCRIBE, version, peer -> describe(""));
            suite.same("nothing", DESCRIBE, version, peer -> "{\"groupIds\":[],\"includeAuthorizedOperations\":true}");
        }
        for (int version = 4; version <= 5; version++) {
            suite.same("all", ApiMessageType.LIST_GROUPS, version, peer -> GroupCases.list("", ""));
            suite.same("empty ones", ApiMessageType.LIST_GROUPS, version, peer -> GroupCases.list("\"empty\"", ""));
            suite.same("reconciling ones", ApiMessageType.LIST_GROUPS, version, peer -> GroupCases.list("\"Reconciling\",\"assigning\"", ""));
        }
        suite.same("consumer groups", ApiMessageType.LIST_GROUPS, 5, peer -> GroupCases.list("", "\"Consumer\""));
        suite.same("both", ApiMessageType.LIST_GROUPS, 5, peer -> GroupCases.list("", "\"consumer\",\"classic\""));
    }

    // A heartbeat, field by field.

    private static final class Beat {
        private final String group;
        private final String member;
        private final int epoch;
        private String instance;
        private String rack;
        private String assignor;
        private String regex;
        private String names = "null";
        private String owns;
        private int rebalance = -1;

        Beat(String group, String member, int epoch) {
            this.group = group;
            this.member = member;
            this.epoch = epoch;
        }

        /** Everything that a member says first. */
        Beat joins() {
            return rebalance(5000).names("cg-a").owns("");
        }

        Beat instance(String text) {
            instance = text;
            return this;
        }

        Beat rack(String text) {
            rack = text;
            return this;
        }

        Beat assignor(String text) {
            assignor = text;
            return this;
        }

        Beat regex(String text) {
            regex = text;
            return this;
        }

        Beat names(String... all) {
            names = all.length == 0 ? "[]" : "[\"" + String.join("\",\"", all) + "\"]";
            return this;
        }

        /** "topic:0,1;topic:2". */
        Beat owns(String text) {
            owns = text;
            return this;
        }

        Beat rebalance(int ms) {
            rebalance = ms;
            return this;
        }

        String json(Peer peer) {
            StringBuilder partitions = new StringBuilder(owns == null ? "null" : "[");
            if (owns != null) {
                for (String topic : owns.isEmpty() ? new String[0] : owns.split(";")) {
                    String[] pair = topic.split(":");
                    partitions.append(partitions.length() > 1 ? "," : "").append("{\"topicId\":\"%s\",\"partitions\":[%s]}".formatted(peer.id(pair[0]), pair[1]));
                }
                partitions.append("]");
            }
            return """
                {"groupId":"%s","memberId":"%s","memberEpoch":%d,"instanceId":%s,"rackId":%s,"rebalanceTimeoutMs":%d,"subscribedTopicNames":%s,
                 "subscribedTopicRegex":%s,"serverAssignor":%s,"topicPartitions":%s}""".formatted(group, member, epoch, GroupCases.quoted(instance),
                GroupCases.quoted(rack), rebalance, names, GroupCases.quoted(regex), GroupCases.quoted(assignor), partitions);
        }
    }

    private static String describe(String group) {
        return "{\"groupIds\":[\"%s\"],\"includeAuthorizedOperations\":true}".formatted(group);
    }

    private void described(Suite suite, String label, String group) throws Exception {
        for (int version = 0; version <= 1; version++) {
            suite.same(label, DESCRIBE, version, peer -> describe(group));
        }
    }

    /** Without which partitions those are: Kafka deals them out in the order of a hash map. */
    private void masked(Suite suite, String label, String group) throws Exception {
        suite.compare(label, DESCRIBE, 1, peer -> classic.hidden(peer, group, counted(peer.ask(DESCRIBE, 1, describe(group)))));
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

    /** An id that the broker made up. */
    private static ObjectNode named(ObjectNode answer) {
        if (!answer.path("memberId").asText().isEmpty()) {
            answer.put("memberId", "(its id)");
        }
        return answer;
    }

    /** An assignment by its size. */
    private static ObjectNode sized(ObjectNode answer) {
        return answer.put("assignment", answer.path("assignment").asText().length());
    }

    private static ObjectNode state(ObjectNode answer) {
        ObjectNode group = (ObjectNode) answer.get("groups").get(0);
        group.put("members", group.get("members").size());
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

    /** What a member has by its target, as it would report it. */
    private static String own(Peer peer, String group, String member, boolean all) throws Exception {
        StringBuilder text = new StringBuilder();
        for (JsonNode one : group(peer, group).get("members")) {
            if (!one.get("memberId").textValue().equals(member)) {
                continue;
            }
            JsonNode target = one.get("targetAssignment").get("topicPartitions");
            for (JsonNode topic : one.get("assignment").get("topicPartitions")) {
                StringBuilder partitions = new StringBuilder();
                for (JsonNode partition : topic.get("partitions")) {
                    if (all || has(target, topic.get("topicName").textValue(), partition.intValue())) {
                        partitions.append(partitions.isEmpty() ? "" : ",").append(partition.intValue());
                    }
                }
                if (!partitions.isEmpty()) {
                    text.append(text.isEmpty() ? "" : ";").append(topic.get("topicName").textValue()).append(":").append(partitions);
                }
            }
        }
        return text.toString();
    }

    private static boolean has(JsonNode topics, String name, int partition) {
        for (JsonNode topic : topics) {
            if (topic.get("topicName").textValue().equals(name)) {
                for (JsonNode one : topic.get("partitions")) {
                    if (one.intValue() == partition) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    /** Reports what is its own until the group is stable, and has been for three answers. */
    private static ObjectNode settle(Peer peer, String group, String member) throws Exception {
        ObjectNode answer = null;
        int stable = 0;
        for (int tries = 0; tries < Suite.PATIENCE && stable < 3; tries++) {
            answer = peer.ask(BEAT, 1, new Beat(group, member, epoch(peer, group, member)).owns(own(peer, group, member, false)).json(peer));
            stable = group(peer, group).get("groupState").textValue().equals("Stable") ? stable + 1 : 0;
            Thread.sleep(100);
        }
        return answer;
    }

    /** Waits for the group's epoch. */
    private static ObjectNode resolved(Peer peer, String group, int epoch) throws Exception {
        for (int tries = 0; tries < Suite.PATIENCE; tries++) {
            JsonNode found = group(peer, group);
            if (found.get("groupEpoch").intValue() >= epoch) {
                return (ObjectNode) found;
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException(peer.name + ": " + group + " does not come to epoch " + epoch);
    }

    /** Targets are computed with each change, and not once a second. */
    private void at_once(Suite suite, String group) throws Exception {
        configured(suite, group, "consumer.assignment.interval.ms", "0");
    }

    private void configured(Suite suite, String group, String key, String value) throws Exception {
        suite.prepare(peer -> configured(peer, group, key, value));
    }

    /** Sets what a group has for itself, and waits until it is seen. */
    static ObjectNode configured(Peer peer, String group, String key, String value) throws Exception {
        peer.ask(ApiMessageType.INCREMENTAL_ALTER_CONFIGS, 1, """
            {"resources":[{"resourceType":32,"resourceName":"%s","configs":[{"name":"%s","configOperation":0,"value":"%s"}]}],
             "validateOnly":false}""".formatted(group, key, value));
        for (int tries = 0; tries < Suite.PATIENCE; tries++) {
            ObjectNode answer = peer.ask(ApiMessageType.DESCRIBE_CONFIGS, 4, """
                {"resources":[{"resourceType":32,"resourceName":"%s","configurationKeys":["%s"]}],"includeSynonyms":false,
                 "includeDocumentation":false}""".formatted(group, key));
            if (answer.get("results").get(0).get("configs").get(0).get("value").textValue().equals(value)) {
                return answer;
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException(peer.name + " does not configure " + group);
    }

    private static String fetch(Peer peer, String group, String member, int epoch) {
        return """
            {"groups":[{"groupId":"%s","memberId":%s,"memberEpoch":%d,"topics":[{"name":"cg-a","topicId":"%s","partitionIndexes":[0,1]}]}],
             "requireStable":false}""".formatted(group, GroupCases.quoted(member), epoch, peer.id("cg-a"));
    }

    /** One classic member with this assignment. */
    private ObjectNode classicMember(Peer peer, String group, String assignment) throws Exception {
        ObjectNode joined = classic.joining(peer, group, "one", subscription("cg-a"));
        String member = classic.id(peer, group, "one");
        return peer.ask(ApiMessageType.SYNC_GROUP, 5, """
            {"groupId":"%s","generationId":%d,"memberId":"%s","groupInstanceId":null,"protocolType":"consumer","protocolName":"range",
             "assignments":[{"memberId":"%s","assignment":"%s"}]}""".formatted(group, joined.get("generationId").intValue(), member, member, assignment));
    }

    private static ObjectNode connect(Peer peer, String group) throws Exception {
        String body = GroupCases.joinBody(group, "", null, 10_000, "connect", GroupCases.protocols("range", "cg-a"));
        return peer.ask(ApiMessageType.JOIN_GROUP, 2, body);
    }

    private static String subscription(String topic) {
        return GroupCases.protocols("range", topic);
    }

    /** All three partitions of a topic, as classic consumers are told. */
    private static String assignment(String topic, String userData) {
        byte[] name = topic.getBytes(StandardCharsets.UTF_8);
        byte[] data = userData == null ? new byte[0] : userData.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(2 + 4 + 2 + name.length + 4 + 12 + 4 + data.length);
        bytes.putShort((short) 0).putInt(1).putShort((short) name.length).put(name).putInt(3).putInt(0).putInt(1).putInt(2);
        bytes.putInt(userData == null ? -1 : data.length).put(data);
        return Base64.getEncoder().encodeToString(bytes.array());
    }
}
