import org.apache.kafka.common.message.ApiMessageType;

/** DeleteTopics. */
final class DeleteTopicsCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.DELETE_TOPICS;

    @Override
    public void run(Suite suite) throws Exception {
        for (int v = 1; v <= 6; v++) {
            int version = v;
            String name = "delete-" + version;
            suite.topic(name, 2);
            suite.topic(name + "-b", 1);
            suite.same("none", API, version, peer -> byName());
            suite.same("an unknown name", API, version, peer -> byName("delete-none"));
            suite.same("a bad name", API, version, peer -> byName("a b", "", "n".repeat(300)));
            suite.same("one of two", API, version, peer -> byName(name, "delete-none"));
            suite.same("again", API, version, peer -> byName(name));
            suite.same("twice in a request", API, version, peer -> byName(name + "-b", name + "-b"));
            gone(suite, name);
            suite.topic(name, 1);
            suite.same("made anew", API, version, peer -> byName(name));
        }
        byId(suite);
    }

    private static void byId(Suite suite) throws Exception {
        suite.topic("delete-id", 1);
        suite.topic("delete-id-b", 1);
        suite.same("an unknown id", API, 6, peer -> topics(topic("null", peer.id("no such topic"))));
        suite.same("neither name nor id", API, 6, peer -> topics(topic("null", Masks.NO_ID)));
        suite.same("name and id", API, 6, peer -> topics(topic("\"delete-id\"", peer.id("delete-id"))));
        suite.same("the same by name and by id", API, 6, peer ->
            topics(topic("\"delete-id\"", Masks.NO_ID) + "," + topic("null", peer.id("delete-id"))));
        suite.same("the same id twice", API, 6, peer ->
            topics(topic("null", peer.id("delete-id-b")) + "," + topic("null", peer.id("delete-id-b"))));
        suite.same("by id", API, 6, peer -> topics(topic("null", peer.id("delete-id"))));
        suite.same("by id, again", API, 6, peer -> topics(topic("null", peer.id("delete-id"))));
    }

    /** What others are told of a topic that is gone. */
    private static void gone(Suite suite, String name) throws Exception {
        suite.prepare(peer -> {
            for (int tries = 0; tries < Suite.PATIENCE; tries++) {
                var answer = peer.ask(ApiMessageType.METADATA, 4, "{\"topics\":[{\"name\":\"%s\"}],\"allowAutoTopicCreation\":false}".formatted(name));
                if (answer.get("topics").get(0).get("errorCode").intValue() == 3) {
                    return answer;
                }
                Thread.sleep(20);
            }
            throw new IllegalStateException(peer.name + ": " + name + " stays");
        });
        suite.same("Metadata of a deleted topic's id", ApiMessageType.METADATA, 12, peer -> """
            {"topics":[{"topicId":"%s","name":null}],"allowAutoTopicCreation":false,"includeTopicAuthorizedOperations":false}""".formatted(peer.id(name)));
        suite.same("Fetch of a deleted topic", ApiMessageType.FETCH, 13, peer -> FetchCases.body(peer, name, 0, 0));
    }

    private static String byName(String... names) {
        StringBuilder list = new StringBuilder();
        StringBuilder topics = new StringBuilder();
        for (String name : names) {
            list.append(list.isEmpty() ? "" : ",").append('"').append(name).append('"');
            topics.append(topics.isEmpty() ? "" : ",").append(topic('"' + name + '"', Masks.NO_ID));
        }
        return "{\"topics\":[%s],\"topicNames\":[%s],\"timeoutMs\":10000}".formatted(topics, list);
    }

    private static String topics(String topics) {
        return "{\"topics\":[%s],\"timeoutMs\":10000}".formatted(topics);
    }

    private static String topic(String name, String id) {
        return "{\"name\":%s,\"topicId\":\"%s\"}".formatted(name, id);
    }
}
