import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.message.ApiMessageType;

/** GetTelemetrySubscriptions and PushTelemetry, where nothing takes the metrics: neither broker announces them, both answer. */
final class TelemetryCases implements Answers.Cases {
    private static final ApiMessageType GET = ApiMessageType.GET_TELEMETRY_SUBSCRIPTIONS, PUSH = ApiMessageType.PUSH_TELEMETRY;
    private static final String NIL = "AAAAAAAAAAAAAAAAAAAAAA", ONE = "AAAAAAAAAAAAAAAAAAAAAQ";

    @Override
    public void run(Suite suite) throws Exception {
        suite.same("a new client", GET, 0, peer -> get(NIL));
        suite.same("a client's own id", GET, 0, peer -> get(id('a')));
        suite.same("too early", GET, 0, peer -> get(id('a')));
        suite.same("for the reserved id", GET, 0, peer -> get(ONE));
        suite.same("a push of nobody", PUSH, 0, peer -> push(NIL, 1, false, 0, ""));
        suite.same("a push of the reserved id", PUSH, 0, peer -> push(ONE, 1, false, 0, ""));
        suite.same("a push of one who did not ask", PUSH, 0, peer -> push(id('b'), 1, false, 0, ""));
        suite.same("who may ask at once", GET, 0, peer -> get(id('b')));
        asked(suite, 'c');
        suite.same("a push", PUSH, 0, peer -> push(id('c'), peer.numbers.get("subscription").intValue(), false, 0, "AQID"));
        suite.same("a push too early", PUSH, 0, peer -> push(id('c'), peer.numbers.get("subscription").intValue(), false, 0, ""));
        suite.same("asked too early after a push", GET, 0, peer -> get(id('c')));
        suite.same("the last push", PUSH, 0, peer -> push(id('c'), peer.numbers.get("subscription").intValue(), true, 0, ""));
        suite.same("a push after the last", PUSH, 0, peer -> push(id('c'), peer.numbers.get("subscription").intValue(), true, 0, ""));
        char client = 'd';
        for (int codec : new int[] {1, 2, 3, 4, 5, -1}) {
            char name = client++;
            asked(suite, name);
            suite.same("compressed by " + codec, PUSH, 0, peer -> push(id(name), peer.numbers.get("subscription").intValue(), false, codec, "AQID"));
            suite.same("asked after compression by " + codec, GET, 0, peer -> get(id(name)));
        }
        asked(suite, 'y');
        suite.same("an unknown subscription", PUSH, 0, peer -> push(id('y'), peer.numbers.get("subscription").intValue() + 1, false, 9, ""));
        suite.same("too early before the subscription", PUSH, 0, peer -> push(id('y'), peer.numbers.get("subscription").intValue() + 1, false, 9, ""));
        asked(suite, 'z');
        String large = "A".repeat(4 * (1_048_576 / 3 + 1));
        suite.same("too large", PUSH, 0, peer -> push(id('z'), peer.numbers.get("subscription").intValue(), false, 0, large));
    }

    private static void asked(Suite suite, char client) throws Exception {
        suite.prepare(peer -> {
            ObjectNode told = peer.ask(GET, 0, get(id(client)));
            peer.numbers.put("subscription", told.get("subscriptionId").longValue());
            return told;
        });
    }

    private static String id(char client) {
        return String.valueOf(client).repeat(21) + "A";
    }

    private static String get(String id) {
        return "{\"clientInstanceId\":\"%s\"}".formatted(id);
    }

    private static String push(String id, int subscription, boolean terminating, int codec, String metrics) {
        return "{\"clientInstanceId\":\"%s\",\"subscriptionId\":%d,\"terminating\":%s,\"compressionType\":%d,\"metrics\":\"%s\"}"
            .formatted(id, subscription, terminating, codec, metrics);
    }
}
