import org.apache.kafka.common.message.ApiMessageType;

/** AlterClientQuotas and DescribeClientQuotas. */
final class QuotasCases implements Answers.Cases {
    private static final ApiMessageType ALTER = ApiMessageType.ALTER_CLIENT_QUOTAS, DESCRIBE = ApiMessageType.DESCRIBE_CLIENT_QUOTAS;

    @Override
    public void run(Suite suite) throws Exception {
        for (int v = 0; v <= 1; v++) {
            alter(suite, v);
            describe(suite, v);
        }
    }

    private static void alter(Suite suite, int version) throws Exception {
        String u = "quota-user-" + version;
        String[][] good = {
            {"a user", entry(part("user", u), op("producer_byte_rate", 1e9))},
            {"the same again", entry(part("user", u), op("producer_byte_rate", 1e9))},
            {"a user and a client", entry(part("user", u) + "," + part("client-id", "c"), op("consumer_byte_rate", 2e9) + "," + op("request_percentage", 100000.5))},
            {"any client of a user", entry(part("user", u) + "," + part("client-id", null), op("consumer_byte_rate", 3e9))},
            {"any user", entry(part("user", null), op("request_percentage", 200000))},
            {"removed", entry(part("user", u), removed("producer_byte_rate"))},
            {"removed again", entry(part("user", u), removed("producer_byte_rate"))},
            {"nothing of an entity", entry(part("user", u), "")},
            {"two entities", entry(part("user", u), op("producer_byte_rate", 1e9)) + "," + entry(part("user", u + "-b"), op("producer_byte_rate", 1e9))},
        };
        for (String[] one : good) {
            suite.same(one[0], ALTER, version, peer -> body(false, one[1]));
            suite.prepare(peer -> { Thread.sleep(peer.name.equals("kafka") ? 200 : 0); return null; });
            suite.same("after: " + one[0], DESCRIBE, 1, peer -> filter(false, match("user", 0, u)));
        }
        suite.same("only validated", ALTER, version, peer -> body(true, entry(part("user", u), op("producer_byte_rate", 7e9))));
        suite.same("after: only validated", DESCRIBE, 1, peer -> filter(false, match("user", 0, u)));
        String[][] bad = {
            {"no entity", entry("", op("producer_byte_rate", 1))}, {"an unknown kind", entry(part("colour", "red"), op("producer_byte_rate", 1))},
            {"an empty name", entry(part("user", ""), op("producer_byte_rate", 1))}, {"an unknown key", entry(part("user", u), op("no_such", 1))},
            {"a key of addresses", entry(part("user", u), op("connection_creation_rate", 1))}, {"a key of users", entry(part("ip", "127.0.0.1"), op("producer_byte_rate", 1))},
            {"0", entry(part("user", u), op("producer_byte_rate", 0))}, {"negative", entry(part("user", u), op("request_percentage", -1))},
            {"a fraction", entry(part("user", u), op("producer_byte_rate", 1.5))}, {"too large", entry(part("user", u), op("producer_byte_rate", 1e30))},
            {"an address with a user", entry(part("ip", "127.0.0.1") + "," + part("user", u), op("connection_creation_rate", 1))},
            {"no address", entry(part("ip", "not an address"), op("connection_creation_rate", 1))},
            {"a key twice", entry(part("user", u), op("producer_byte_rate", 1e9) + "," + op("producer_byte_rate", 2e9))},
            {"an entity twice", entry(part("user", u), op("producer_byte_rate", 1e9)) + "," + entry(part("user", u), op("producer_byte_rate", 2e9))},
            {"good and bad", entry(part("user", u), op("producer_byte_rate", 5e9) + "," + op("no_such", 1))},
        };
        for (String[] one : bad) {
            suite.same(one[0], ALTER, version, peer -> body(false, one[1]));
        }
        suite.same("none", ALTER, version, peer -> body(false, ""));
    }

    private static void describe(Suite suite, int version) throws Exception {
        String u = "quota-user-" + version;
        String[][] cases = {
            {"a user", match("user", 0, u)}, {"any user", match("user", 1, null)}, {"a user and a client", match("user", 0, u) + "," + match("client-id", 0, "c")},
            {"users with clients", match("user", 2, null) + "," + match("client-id", 2, null)}, {"nobody", match("user", 0, "quota-nobody")},
            {"addresses", match("ip", 2, null)}, {"an unknown kind", match("colour", 0, "red")}, {"an empty kind", match("", 0, "x")},
            {"a kind twice", match("user", 0, u) + "," + match("user", 1, null)}, {"exactly nothing", match("user", 0, null)}, {"a default with a name", match("user", 1, u)},
            {"any with a name", match("user", 2, u)}, {"an unknown match", match("user", 9, u)}, {"an address and a user", match("ip", 2, null) + "," + match("user", 0, u)},
        };
        for (String[] one : cases) {
            for (boolean strict : new boolean[] {false, true}) {
                suite.same(one[0] + (strict ? ", strictly" : ""), DESCRIBE, version, peer -> filter(strict, one[1]));
            }
        }
    }

    private static String match(String type, int matchType, String match) {
        return "{\"entityType\":\"%s\",\"matchType\":%d,\"match\":%s}".formatted(type, matchType, match == null ? "null" : '"' + match + '"');
    }

    private static String filter(boolean strict, String components) {
        return "{\"components\":[%s],\"strict\":%b}".formatted(components, strict);
    }

    private static String part(String type, String name) {
        return "{\"entityType\":\"%s\",\"entityName\":%s}".formatted(type, name == null ? "null" : '"' + name + '"');
    }

    private static String op(String key, double value) {
        return "{\"key\":\"%s\",\"value\":%s,\"remove\":false}".formatted(key, value);
    }

    private static String removed(String key) {
        return "{\"key\":\"%s\",\"value\":0.0,\"remove\":true}".formatted(key);
    }

    private static String entry(String entity, String ops) {
        return "{\"entity\":[%s],\"ops\":[%s]}".formatted(entity, ops);
    }

    private static String body(boolean validateOnly, String entries) {
        return "{\"entries\":[%s],\"validateOnly\":%b}".formatted(entries, validateOnly);
    }
}
