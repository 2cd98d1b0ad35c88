import org.apache.kafka.common.message.ApiMessageType;

/** What groups commit: OffsetCommit, OffsetFetch, OffsetDelete; and Produce to the topic in which it is kept. */
final class OffsetCases implements Answers.Cases {
    private static final ApiMessageType COMMIT = ApiMessageType.OFFSET_COMMIT;
    private static final ApiMessageType FETCH = ApiMessageType.OFFSET_FETCH;
    private static final ApiMessageType DELETE = ApiMessageType.OFFSET_DELETE;
    private static final String NO_ID = "AAAAAAAAAAAAAAAAAAAAAA";

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("kept", 3);
        suite.topic("t", 2);
        suite.prepare(peer -> GroupCases.coordinator(peer, "offsets-a"));
        GroupCases groups = new GroupCases();
        suite.prepare(peer -> groups.joined(peer, "offsets-members", "one", null));
        commits(suite, groups);
        fetches(suite);
        deletes(suite, groups);
        internal(suite);
    }

    private void commits(Suite suite, GroupCases groups) throws Exception {
        for (int v = 2; v <= 10; v++) {
            int version = v;
            suite.same("from no member", COMMIT, version, peer -> commit(peer, "offsets-simple", "", -1, null, "kept", 0, version, "m" + version));
            suite.same("no metadata", COMMIT, version, peer -> commit(peer, "offsets-simple", "", -1, null, "kept", 1, version, null));
            suite.same("metadata that is too long", COMMIT, version, peer -> commit(peer, "offsets-simple", "", -1, null, "kept", 1, 5, "x".repeat(4097)));
            suite.same("metadata of the greatest length", COMMIT, version, peer -> commit(peer, "offsets-long", "", -1, null, "kept", 1, 5, "ä".repeat(4096)));
            suite.same("a partition that is not there", COMMIT, version, peer -> commit(peer, "offsets-simple", "", -1, null, "kept", 9, 5, "m"));
            suite.same("a topic that is not there", COMMIT, version, peer -> commit(peer, "offsets-simple", "", -1, null, "offsets-none", 0, 5, "m"));
            suite.same("one of two partitions is not there", COMMIT, version, peer -> """
                {"groupId":"offsets-simple","generationIdOrMemberEpoch":-1,"memberId":"","groupInstanceId":null,"retentionTimeMs":-1,"topics":[
                 {"name":"kept","topicId":"%s","partitions":[
                  {"partitionIndex":0,"committedOffset":5,"committedLeaderEpoch":3,"committedMetadata":"m"},
                  {"partitionIndex":9,"committedOffset":5,"committedLeaderEpoch":3,"committedMetadata":"m"}]}]}""".formatted(peer.id("kept")));
            suite.same("nothing", COMMIT, version, peer -> """
                {"groupId":"offsets-simple","generationIdOrMemberEpoch":-1,"memberId":"","groupInstanceId":null,"retentionTimeMs":-1,"topics":[]}""");
            suite.same("no group", COMMIT, version, peer -> commit(peer, "", "", -1, null, "kept", 0, 5, "m"));
            suite.same("a generation of a group that is not there", COMMIT, version, peer -> commit(peer, "offsets-none", "x", 1, null, "kept", 0, 5, "m"));
            suite.same("from a member", COMMIT, version, peer -> commit(peer, "offsets-members", groups.id(peer, "offsets-members", "one"), 1, null, "kept", 0, 5, "m"));
            suite.same("from another generation", COMMIT, version, peer -> commit(peer, "offsets-members", groups.id(peer, "offsets-members", "one"), 7, null, "kept", 0, 5, "m"));
            suite.same("from a member that is not known", COMMIT, version, peer -> commit(peer, "offsets-members", "x", 1, null, "kept", 0, 5, "m"));
            suite.same("from no member to a group with members", COMMIT, version, peer -> commit(peer, "offsets-members", "", -1, null, "kept", 0, 5, "m"));
            if (version >= 7) {
                suite.same("from an instance that is not known", COMMIT, version, peer -> commit(peer, "offsets-members", groups.id(peer, "offsets-members", "one"), 1, "i", "kept", 0, 5, "m"));
            }
        }
    }

    private void fetches(Suite suite) throws Exception {
        for (int v = 1; v <= 10; v++) {
            int version = v;
            suite.same("some partitions", FETCH, version, peer -> fetch("offsets-simple", version, topics(peer, version, "kept", "0,1,2,9")));
            suite.same("of a member's group", FETCH, version, peer -> fetch("offsets-members", version, topics(peer, version, "kept", "0")));
            suite.same("a topic that is not there", FETCH, version, peer -> fetch("offsets-simple", version, topics(peer, version, "offsets-none", "0")));
            suite.same("a group that is not there", FETCH, version, peer -> fetch("offsets-none", version, topics(peer, version, "kept", "0")));
            suite.same("no group", FETCH, version, peer -> fetch("offsets-nobody", version, topics(peer, version, "kept", "0")));
            suite.same("no topics", FETCH, version, peer -> fetch("offsets-simple", version, "[]"));
            if (version >= 2) {
                suite.same("all", FETCH, version, peer -> fetch("offsets-long", version, "null"));
                suite.same("all of a group that is not there", FETCH, version, peer -> fetch("offsets-none", version, "null"));
            }
            if (version >= 8) {
                suite.same("several groups", FETCH, version, peer -> """
                    {"requireStable":true,"groups":[{"groupId":"offsets-simple","memberId":null,"memberEpoch":-1,"topics":%s},
                     {"groupId":"offsets-long","memberId":null,"memberEpoch":-1,"topics":null}]}""".formatted(topics(peer, version, "kept", "1,0")));
                suite.same("no groups", FETCH, version, peer -> "{\"requireStable\":false,\"groups\":[]}");
            }
        }
    }

    private void deletes(Suite suite, GroupCases groups) throws Exception {
        suite.same("a partition", DELETE, 0, peer -> delete("offsets-simple", "kept", "0"));
        suite.same("what was not committed", DELETE, 0, peer -> delete("offsets-simple", "kept", "0,2"));
        suite.same("a partition that is not there", DELETE, 0, peer -> delete("offsets-simple", "kept", "1,9"));
        suite.same("a topic that is not there", DELETE, 0, peer -> delete("offsets-simple", "offsets-none", "0"));
        suite.same("a group that is not there", DELETE, 0, peer -> delete("offsets-none", "kept", "0"));
        suite.same("no group", DELETE, 0, peer -> delete("", "kept", "0"));
        suite.same("a topic that a member reads", DELETE, 0, peer -> delete("offsets-members", "t", "0,1"));
        suite.same("a topic that no member reads", DELETE, 0, peer -> delete("offsets-members", "kept", "0"));
        suite.same("what is left", FETCH, 7, peer -> fetch("offsets-simple", 7, "null"));
        suite.same("what is left to the members", FETCH, 7, peer -> fetch("offsets-members", 7, "null"));
    }

    /** Clients do not write to the topics of brokers. */
    private void internal(Suite suite) throws Exception {
        suite.prepare(peer -> {
            Suite.await(peer, "__consumer_offsets", 50);
            return null;
        });
        for (int v = 3; v <= 13; v++) {
            int version = v;
            String batch = Batches.json(Batches.plain(1, 1_700_000_000_000L));
            suite.same("to __consumer_offsets", ApiMessageType.PRODUCE, version, peer -> ProduceCases.body(peer, "__consumer_offsets", 0, -1, batch));
        }
    }

    static String commit(Peer peer, String group, String member, int generation, String instance, String topic, int partition, long offset, String metadata) {
        return """
            {"groupId":"%s","generationIdOrMemberEpoch":%d,"memberId":"%s","groupInstanceId":%s,"retentionTimeMs":-1,
             "topics":[{"name":"%s","topicId":"%s","partitions":[{"partitionIndex":%d,"committedOffset":%d,"committedLeaderEpoch":-1,"committedMetadata":%s}]}]}"""
            .formatted(group, generation, member, GroupCases.quoted(instance), topic, peer.id(topic), partition, offset, GroupCases.quoted(metadata));
    }

    private static String topics(Peer peer, int version, String name, String partitions) {
        return "[{\"name\":\"%s\",\"topicId\":\"%s\",\"partitionIndexes\":[%s]}]".formatted(name, peer.id(name), partitions);
    }

    private static String fetch(String group, int version, String topics) {
        if (version < 8) {
            return "{\"groupId\":\"%s\",\"topics\":%s,\"requireStable\":false}".formatted(group, topics);
        }
        return "{\"requireStable\":false,\"groups\":[{\"groupId\":\"%s\",\"memberId\":null,\"memberEpoch\":-1,\"topics\":%s}]}".formatted(group, topics);
    }

    private static String delete(String group, String topic, String partitions) {
        String list = java.util.Arrays.stream(partitions.split(",")).map("{\"partitionIndex\":%s}"::formatted).collect(java.util.stream.Collectors.joining(","));
        return "{\"groupId\":\"%s\",\"topics\":[{\"name\":\"%s\",\"partitions\":[%s]}]}".formatted(group, topic, list);
    }
}
