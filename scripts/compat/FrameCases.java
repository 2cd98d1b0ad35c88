import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.common.message.ApiMessageType;

/** What is wrong with a frame before anyone asks what it wants: each API and version cut short, too long, of an unknown version. */
final class FrameCases implements Answers.Cases {
    private static final ApiMessageType METADATA = ApiMessageType.METADATA;

    /** A request of each API that changes nothing, and its versions. */
    private record Sample(int first, int last, String body) { }

    private static Map<ApiMessageType, Sample> samples() {
        Map<ApiMessageType, Sample> samples = new LinkedHashMap<>();
        samples.put(ApiMessageType.PRODUCE, new Sample(3, 13, "{\"transactionalId\":null,\"acks\":1,\"timeoutMs\":1000,\"topicData\":[]}"));
        samples.put(ApiMessageType.FETCH, new Sample(4, 18, """
            {"replicaId":-1,"maxWaitMs":0,"minBytes":0,"maxBytes":1,"isolationLevel":0,"sessionId":0,"sessionEpoch":-1,"topics":[],
             "forgottenTopicsData":[],"rackId":""}"""));
        samples.put(ApiMessageType.LIST_OFFSETS, new Sample(1, 11, "{\"replicaId\":-1,\"isolationLevel\":0,\"topics\":[],\"timeoutMs\":1000}"));
        samples.put(METADATA, new Sample(0, 13, """
            {"topics":[],"allowAutoTopicCreation":false,"includeClusterAuthorizedOperations":false,"includeTopicAuthorizedOperations":false}"""));
        samples.put(ApiMessageType.CREATE_TOPICS, new Sample(2, 7, "{\"topics\":[],\"timeoutMs\":1000,\"validateOnly\":true}"));
        samples.put(ApiMessageType.DELETE_TOPICS, new Sample(1, 6, "{\"topics\":[],\"topicNames\":[],\"timeoutMs\":1000}"));
        samples.put(ApiMessageType.OFFSET_FOR_LEADER_EPOCH, new Sample(2, 4, "{\"replicaId\":-1,\"topics\":[]}"));
        samples.put(ApiMessageType.DESCRIBE_CONFIGS, new Sample(1, 4, "{\"resources\":[],\"includeSynonyms\":false,\"includeDocumentation\":false}"));
        return samples;
    }

    @Override
    public void run(Suite suite) throws Exception {
        for (Map.Entry<ApiMessageType, Sample> entry : samples().entrySet()) {
            ApiMessageType api = entry.getKey();
            Sample sample = entry.getValue();
            for (int v = sample.first; v <= sample.last; v++) {
                int version = v;
                suite.same("an empty request", api, version, peer -> sample.body);
                suite.compare("bytes left over", api, version, peer -> {
                    byte[] frame = peer.frame(api, version, sample.body);
                    return peer.askFrame(api, version, Arrays.copyOf(frame, frame.length + 5));
                });
                for (int missing : new int[] {1, 2, 3}) {
                    suite.compare("short of " + missing, api, version, peer -> {
                        byte[] frame = peer.frame(api, version, sample.body);
                        return peer.askFrame(api, version, Arrays.copyOf(frame, frame.length - missing));
                    });
                }
                suite.same("after that", METADATA, 12, peer -> samples().get(METADATA).body);
            }
            for (int version : new int[] {sample.first - 1, sample.last + 1, 100, -1}) {
                suite.compare("an unknown version", api, version, peer ->
                    peer.askFrame(api, version, peer.frame(api.apiKey(), version, (short) (version < sample.last ? 1 : 2), new byte[40])));
            }
        }
        keys(suite);
        lengths(suite);
    }

    private static void keys(Suite suite) throws Exception {
        // 4 and 5 existed once; 52 is for controllers only.
        for (int key : new int[] {-1, 4, 5, 52, 500, 32767}) {
            suite.compare("an unknown key " + key, METADATA, 0, peer ->
                peer.askFrame(METADATA, 0, peer.frame(key, 0, (short) 1, new byte[20])));
        }
    }

    private static void lengths(Suite suite) throws Exception {
        for (int length : new int[] {-1, Integer.MIN_VALUE, Integer.MAX_VALUE, 104_857_601}) {
            suite.compare("a length of " + length, METADATA, 0, peer -> {
                peer.close();
                peer.sendRaw(ByteBuffer.allocate(4).putInt(length).array());
                try {
                    return Peer.outcome(peer.receive() == null ? "silent" : "answered");
                } catch (java.io.IOException e) {
                    peer.close();
                    return Peer.outcome("closed");
                }
            });
        }
        suite.compare("a length of 0", METADATA, 0, peer -> peer.askFrame(METADATA, 0, new byte[0]));
        suite.compare("half a header", METADATA, 0, peer -> peer.askFrame(METADATA, 0, new byte[] {0, 3, 0, 0, 0}));
    }
}
