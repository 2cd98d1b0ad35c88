// Prints messages of Kafka's own making, one a line: key, version, request or response, seed, bytes in base64, JSON; tabs
// between. The values are drawn from the schema of each version, read into Kafka's message class by its JsonConverter, and
// written by that class, so that both columns are Kafka's word for the same message.
//
//   java -cp 'LIBS/*' scripts/codec/Generate.java SEED COUNT key:first-last ...
//   java -cp 'LIBS/*' scripts/codec/Generate.java SEED COUNT metadata        every record of the cluster metadata log
//   ... groups, share-state                                                   the values of __consumer_offsets, of __share_group_state
//
// The first messages of each version are the edges: everything null or empty; everything there, at its limits, every
// tagged field included; a string of the greatest length. The others are random.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Objects;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.coordinator.group.generated.CoordinatorRecordType;

public class Generate {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final int STRING_BYTES_MAX = 32767;

    /** What the values of a message are like. */
    enum Kind { LEAST, MOST, LONG, RANDOM }

    private final Random random;
    private final Kind kind;
    /** One string of the greatest length is enough. */
    private boolean longString;

    private Generate(long seed, Kind kind) {
        this.random = new Random(seed);
        this.kind = kind;
        this.longString = kind == Kind.LONG;
    }

    public static void main(String[] args) throws Exception {
        long seed = Long.parseLong(args[0]);
        int count = Integer.parseInt(args[1]);
        PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, "UTF-8");
        for (int i = 2; i < args.length; i++) {
            if (args[i].equals("metadata")) {
                metadata(out, seed, count);
                continue;
            }
            if (args[i].equals("groups")) {
                groups(out, seed, count);
                continue;
            }
            if (args[i].equals("share-state")) {
                shareState(out, seed, count);
                continue;
            }
            String[] api = args[i].split("[:-]");
            ApiMessageType type = ApiMessageType.fromApiKey(Short.parseShort(api[0]));
            for (short version = Short.parseShort(api[1]); version <= Short.parseShort(api[2]); version++) {
                for (int index = 0; index < count; index++) {
                    print(out, "request", type.newRequest(), type.requestSchemas()[version], version, seed, index);
                    print(out, "response", type.newResponse(), type.responseSchemas()[version], version, seed, index);
                }
            }
        }
        out.flush();
    }

    private static void metadata(PrintStream out, long seed, int count) throws Exception {
        for (MetadataRecordType type : MetadataRecordType.values()) {
            Schema[] schemas = (Schema[]) type.newMetadataRecord().getClass().getField("SCHEMAS").get(null);
            for (short version = type.lowestSupportedVersion(); version <= type.highestSupportedVersion(); version++) {
                for (int index = 0; index < count; index++) {
                    print(out, type.newMetadataRecord().getClass().getSimpleName(), type.newMetadataRecord(), schemas[version], version, seed, index);
                }
            }
        }
    }

    /** The values of __consumer_offsets. */
    private static void groups(PrintStream out, long seed, int count) throws Exception {
        for (CoordinatorRecordType type : CoordinatorRecordType.values()) {
            ApiMessage value = type.newRecordValue();
            Schema[] schemas = (Schema[]) value.getClass().getField("SCHEMAS").get(null);
            for (short version = type.lowestSupportedVersion(); version <= type.highestSupportedVersion(); version++) {
                for (int index = 0; index < count; index++) {
                    print(out, value.getClass().getSimpleName(), type.newRecordValue(), schemas[version], version, seed, index);
                }
            }
        }
    }

    /** The values of __share_group_state. */
    private static void shareState(PrintStream out, long seed, int count) throws Exception {
        for (org.apache.kafka.coordinator.share.generated.CoordinatorRecordType type
                : org.apache.kafka.coordinator.share.generated.CoordinatorRecordType.values()) {
            ApiMessage value = type.newRecordValue();
            Schema[] schemas = (Schema[]) value.getClass().getField("SCHEMAS").get(null);
            for (short version = type.lowestSupportedVersion(); version <= type.highestSupportedVersion(); version++) {
                for (int index = 0; index < count; index++) {
                    print(out, value.getClass().getSimpleName(), type.newRecordValue(), schemas[version], version, seed, index);
                }
            }
        }
    }

    private static void print(PrintStream out, String label, ApiMessage empty, Schema schema, short version, long base, int index)
            throws Exception {
        long seed = Objects.hash(base, empty.apiKey(), version, label, index);
        Kind kind = index < 3 ? Kind.values()[index] : Kind.RANDOM;
        JsonNode drawn = new Generate(seed, kind).struct(schema);

        Class<?> data = empty.getClass();
        Class<?> converter = Class.forName(data.getName() + "JsonConverter");
        ApiMessage message = (ApiMessage) converter.getMethod("read", JsonNode.class, short.class).invoke(null, drawn, version);
        JsonNode json = (JsonNode) converter.getMethod("write", data, short.class, boolean.class).invoke(null, message, version, true);
        ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        out.println(String.join("\t", String.valueOf(empty.apiKey()), String.valueOf(version), label, kind + ":" + seed,
            Base64.getEncoder().encodeToString(bytes), json.toString()));
    }

    private ObjectNode struct(Schema schema) {
        ObjectNode node = JSON.objectNode();
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                for (Field field : tagged.fields().values()) {
                    if (kind == Kind.MOST || kind != Kind.LEAST && random.nextBoolean()) {
                        node.set(camel(field.name), value(field.type));
                    }
                }
            } else {
                node.set(camel(bound.def.name), value(bound.def.type));
            }
        }
        return node;
    }

    private JsonNode value(Type type) {
        if (type.isNullable() && (kind == Kind.LEAST || kind == Kind.RANDOM && random.nextInt(4) == 0)) {
            return JSON.nullNode();
        }
        if (type instanceof Schema schema) {
            return struct(schema);
        }
        if (type.isArray()) {
            ArrayNode array = JSON.arrayNode();
            int length = kind == Kind.LEAST ? 0 : kind == Kind.MOST ? 2 : random.nextInt(4);
            for (int i = 0; i < length; i++) {
                array.add(value(type.arrayElementType().get()));
            }
            return array;
        }
        String name = type.toString();
        if (name.endsWith("STRING")) {
            return JSON.textNode(string());
        }
        if (name.endsWith("BYTES") || name.endsWith("RECORDS")) {
            byte[] bytes = new byte[length()];
            random.nextBytes(bytes);
            return JSON.binaryNode(bytes);
        }
        return switch (name) {
            case "BOOLEAN" -> JSON.booleanNode(number(1) != 0);
            case "INT8" -> JSON.numberNode((byte) number(8));
            case "INT16" -> JSON.numberNode((short) number(16));
            case "UINT16" -> JSON.numberNode((int) number(16) & 0xffff);
            case "INT32" -> JSON.numberNode((int) number(32));
            case "INT64" -> JSON.numberNode(number(64));
            case "FLOAT64" -> JSON.numberNode((int) number(32) / 8.0);
            case "UUID" -> JSON.textNode(new Uuid(number(64), number(64)).toString());
            default -> throw new IllegalArgumentException("no values are drawn for " + name);
        };
    }

    private long number(int bits) {
        return switch (kind) {
            case LEAST -> 0;
            case MOST -> random.nextBoolean() ? Long.MIN_VALUE >> (64 - bits) : -1L >>> (65 - bits);
            // Small ones too: among them are the defaults.
            default -> random.nextInt(3) == 0 ? random.nextInt(4) - 1 : random.nextLong();
        };
    }

    private int length() {
        return kind == Kind.LEAST ? 0 : random.nextInt(4) == 0 ? random.nextInt(400) : random.nextInt(8);
    }

    private String string() {
        if (longString) {
            longString = false;
            return "x".repeat(STRING_BYTES_MAX);
        }
        StringBuilder text = new StringBuilder();
        for (int length = length(); length > 0; length--) {
            // One to four bytes of UTF-8.
            text.appendCodePoint(switch (random.nextInt(6)) {
                case 0 -> 0xe4;
                case 1 -> 0x2192;
                case 2 -> 0x1f9f5;
                default -> 0x20 + random.nextInt(0x5f);
            });
        }
        if (text.toString().getBytes(StandardCharsets.UTF_8).length > STRING_BYTES_MAX) {
            throw new IllegalStateException("too long");
        }
        return text.toString();
    }

    private static String camel(String snake) {
        StringBuilder camel = new StringBuilder();
        for (String word : snake.split("_")) {
            camel.append(camel.isEmpty() ? word : Character.toUpperCase(word.charAt(0)) + word.substring(1));
        }
        return camel.toString();
    }
}
