import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Locale;
import java.util.Map;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.FetchResponseData;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.message.ShareFetchResponseData;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;

/** One broker, one connection to it, and what has been learnt from it that is its own: ids, ports. */
final class Peer implements AutoCloseable {
    static final ObjectMapper MAPPER = new ObjectMapper();
    private static final int TIMEOUT_MS = 60_000;

    final String name;
    final int port;
    /** Topic ids by name, as text. */
    final Map<String, String> ids = new HashMap<>();
    /** What a case wants to keep from one request to the next. */
    final Map<String, Long> numbers = new HashMap<>();
    private Socket socket;
    private DataInputStream in;
    private DataOutputStream out;
    private int correlation;

    Peer(String name, int port) {
        this.name = name;
        this.port = port;
    }

    /** The topic's id here; for one that is not there, an id that no topic has. */
    String id(String topic) {
        return ids.getOrDefault(topic, "Ab34567890Ab34567890Ag");
    }

    /** Sends a request, given in Kafka's JSON form, and reads its answer. */
    ObjectNode ask(ApiMessageType api, int version, String body) throws Exception {
        return askFrame(api, version, frame(api, version, body));
    }

    /** Sends a frame that claims to be a request of this API and version, and reads its answer. */
    ObjectNode askFrame(ApiMessageType api, int version, byte[] frame) throws Exception {
        try {
            send(frame);
            ByteBuffer answer = receive();
            return answer == null ? outcome("silent") : parse(api, (short) version, answer);
        } catch (EOFException | SocketException e) {
            close();
            return outcome("closed");
        }
    }

    /** Sends a request to which there may be no answer: one to ApiVersions behind it tells. */
    ObjectNode askSilently(ApiMessageType api, int version, String body) throws Exception {
        try {
            send(frame(api, version, body));
            send(frame(ApiMessageType.API_VERSIONS, 0, "{}"));
            ByteBuffer answer = receive();
            boolean silent = answer != null && answer.getInt(0) == correlation;
            if (!silent) {
                close();
            }
            return outcome(silent ? "silent" : "answered");
        } catch (EOFException | SocketException e) {
            close();
            return outcome("closed");
        }
    }

    /** Header and body, without the length. */
    byte[] frame(ApiMessageType api, int version, String body) throws Exception {
        Class<?> data = api.newRequest().getClass();
        JsonNode json = MAPPER.readTree(body);
        keepKnown(api.requestSchemas()[version], json);
        Object message = Class.forName(data.getName() + "JsonConverter").getMethod("read", JsonNode.class, short.class)
            .invoke(null, json, (short) version);
        return frame(api.apiKey(), version, api.requestHeaderVersion((short) version), bytes((Message) message, (short) version));
    }

    /** Takes away what the version does not have, so that one text serves all versions. */
    private static void keepKnown(Type type, JsonNode json) {
        if (type.isArray()) {
            json.forEach(element -> keepKnown(type.arrayElementType().get(), element));
        } else if (type instanceof Schema schema && json.isObject()) {
            Map<String, Type> known = new HashMap<>();
            for (BoundField field : schema.fields()) {
                if (field.def.type instanceof TaggedFields tagged) {
                    tagged.fields().values().forEach(one -> known.put(plain(one.name), one.type));
                } else {
                    known.put(plain(field.def.name), field.def.type);
                }
            }
            for (Iterator<Map.Entry<String, JsonNode>> fields = json.properties().iterator(); fields.hasNext();) {
                Map.Entry<String, JsonNode> field = fields.next();
                Type fieldType = known.get(plain(field.getKey()));
                if (fieldType == null) {
                    fields.remove();
                } else {
                    keepKnown(fieldType, field.getValue());
                }
            }
        }
    }

    /** snake_case in schemas, camelCase in JSON. */
    private static String plain(String name) {
        return name.replace("_", "").toLowerCase(Locale.ROOT);
    }

    byte[] frame(int key, int version, short headerVersion, byte[] body) {
        RequestHeaderData header = new RequestHeaderData().setRequestApiKey((short) key).setRequestApiVersion((short) version)
            .setCorrelationId(++correlation).setClientId("answers");
        byte[] head = bytes(header, headerVersion);
        return ByteBuffer.allocate(head.length + body.length).put(head).put(body).array();
    }

    private static byte[] bytes(Message message, short version) {
        ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    void send(byte[] frame) throws IOException {
        sendRaw(ByteBuffer.allocate(4 + frame.length).putInt(frame.length).put(frame).array());
    }

    void sendRaw(byte[] bytes) throws IOException {
        if (socket == null) {
            socket = new Socket("127.0.0.1", port);
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(TIMEOUT_MS);
            in = new DataInputStream(socket.getInputStream());
            out = new DataOutputStream(socket.getOutputStream());
        }
        out.write(bytes);
        out.flush();
    }

    /** A frame without its length, or null when none comes in time. */
    ByteBuffer receive() throws IOException {
        try {
            byte[] frame = new byte[in.readInt()];
            in.readFully(frame);
            return ByteBuffer.wrap(frame);
        } catch (SocketTimeoutException e) {
            close();
            return null;
        }
    }

    private ObjectNode parse(ApiMessageType api, short version, ByteBuffer frame) throws Exception {
        // An unknown version of ApiVersions is answered in the form of version 0.
        boolean known = api != ApiMessageType.API_VERSIONS || version <= api.highestSupportedVersion(true);
        short form = known ? version : 0;
        ByteBufferAccessor readable = new ByteBufferAccessor(frame);
        ResponseHeaderData header = new ResponseHeaderData(readable, api.responseHeaderVersion(form));
        ApiMessage message = api.newResponse();
        message.read(readable, form);
        Class<?> data = message.getClass();
        ObjectNode json = (ObjectNode) Class.forName(data.getName() + "JsonConverter")
            .getMethod("write", data, short.class, boolean.class).invoke(null, message, form, true);
        learn(json);
        if (message instanceof FetchResponseData fetched) {
            addRecords(fetched, json);
        }
        if (message instanceof ShareFetchResponseData fetched) {
            addRecords(fetched, json);
        }
        if (header.correlationId() != correlation) {
            json.put("correlation", header.correlationId() - correlation);
        }
        if (readable.remaining() > 0) {
            json.put("bytesLeft", readable.remaining());
        }
        return json;
    }

    /** Remembers the ids of the topics that an answer names. */
    private void learn(ObjectNode json) {
        JsonNode topics = json.get("topics");
        if (topics == null) {
            return;
        }
        for (JsonNode topic : topics) {
            if (topic.hasNonNull("name") && topic.has("topicId") && !topic.get("topicId").textValue().equals(Masks.NO_ID)) {
                ids.put(topic.get("name").textValue(), topic.get("topicId").textValue());
            }
        }
    }

    /** Kafka's JSON leaves records out. */
    private static void addRecords(FetchResponseData fetched, ObjectNode json) {
        for (int t = 0; t < fetched.responses().size(); t++) {
            var partitions = fetched.responses().get(t).partitions();
            for (int p = 0; p < partitions.size(); p++) {
                ObjectNode node = (ObjectNode) json.get("responses").get(t).get("partitions").get(p);
                MemoryRecords records = (MemoryRecords) partitions.get(p).records();
                node.put("records", records == null ? null : java.util.HexFormat.of().formatHex(Batches.bytes(records)));
            }
        }
    }

    private static void addRecords(ShareFetchResponseData fetched, ObjectNode json) {
        int t = 0;
        for (var topic : fetched.responses()) {
            for (int p = 0; p < topic.partitions().size(); p++) {
                ObjectNode node = (ObjectNode) json.get("responses").get(t).get("partitions").get(p);
                MemoryRecords records = (MemoryRecords) topic.partitions().get(p).records();
                node.put("records", records == null ? null : java.util.HexFormat.of().formatHex(Batches.bytes(records)));
            }
            t++;
        }
    }

    static ObjectNode outcome(String what) {
        return JsonNodeFactory.instance.objectNode().put("outcome", what);
    }

    /** The next request opens a new connection. */
    @Override
    public void close() throws IOException {
        if (socket != null) {
            socket.close();
        }
        socket = null;
    }
}
