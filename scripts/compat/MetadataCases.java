import org.apache.kafka.common.message.ApiMessageType;

/** Metadata. */
final class MetadataCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.METADATA;
    private static final String LONG_NAME = "n".repeat(250);

    @Override
    public void run(Suite suite) throws Exception {
        suite.topic("metadata-one", 1);
        suite.topic("metadata-three", 3);
        for (int v = 0; v <= 13; v++) {
            int version = v;
            suite.same("no topics", API, version, peer -> body("[]", false, false));
            if (version > 0) {
                suite.same("all topics", API, version, peer -> body("null", false, false));
            }
            suite.same("by name", API, version, peer -> body(names("metadata-three", "metadata-one"), false, false));
            suite.same("twice the same", API, version, peer -> body(names("metadata-one", "metadata-one"), false, false));
            suite.same("authorised operations", API, version, peer -> body(names("metadata-one"), false, true));
            suite.same("unknown", API, version >= 4 ? version : 4, peer -> body(names("metadata-none", "metadata-one"), false, false));
            for (String name : new String[] {"", ".", "..", "a b", "a/b", "ä", LONG_NAME}) {
                suite.same("the name '" + name + "'", API, version, peer -> body(names(name), true, false));
            }
            if (version >= 12) {
                byId(suite, version);
            } else if (version >= 10) {
                suite.same("an id too early", API, version, peer -> body(topic(peer.id("metadata-one"), "\"metadata-one\""), false, false));
                suite.same("a null name too early", API, version, peer -> body(topic(peer.id("metadata-one"), "null"), false, false));
            }
            created(suite, version);
        }
    }

    private static void byId(Suite suite, int version) throws Exception {
        suite.same("by id", API, version, peer -> body(topic(peer.id("metadata-three"), "null"), false, false));
        suite.same("by an unknown id", API, version, peer -> body(topic(peer.id("no such topic"), "null"), false, false));
        suite.same("by id and name", API, version, peer -> body(topic(peer.id("metadata-one"), "\"metadata-one\""), false, false));
        suite.same("by neither", API, version, peer -> body(topic(Masks.NO_ID, "null"), false, false));
        suite.same("by id and by name", API, version, peer -> "{\"topics\":[%s,%s],\"allowAutoTopicCreation\":false,\"includeTopicAuthorizedOperations\":false}"
            .formatted(one(peer.id("metadata-three"), "null"), one(Masks.NO_ID, "\"metadata-one\"")));
    }

    /** Created by the wish to know it. */
    private static void created(Suite suite, int version) throws Exception {
        String name = "metadata-created-" + version;
        suite.same("created on the way, the first answer", API, version, peer -> body(names(name), true, false));
        suite.prepare(peer -> {
            Suite.await(peer, name, 2);
            return null;
        });
        suite.same("created on the way", API, version, peer -> body(names(name), true, false));
    }

    private static String names(String... names) {
        StringBuilder list = new StringBuilder();
        for (String name : names) {
            list.append(list.isEmpty() ? "" : ",").append(one(Masks.NO_ID, '"' + name + '"'));
        }
        return "[" + list + "]";
    }

    private static String topic(String id, String name) {
        return "[" + one(id, name) + "]";
    }

    private static String one(String id, String name) {
        return "{\"topicId\":\"%s\",\"name\":%s}".formatted(id, name);
    }

    private static String body(String topics, boolean create, boolean operations) {
        return """
            {"topics":%s,"allowAutoTopicCreation":%b,"includeClusterAuthorizedOperations":%b,"includeTopicAuthorizedOperations":%b}"""
            .formatted(topics, create, operations, operations);
    }
}
