import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.function.Consumer;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.Crc32C;

/** Record batches, whole and broken. */
final class Batches {
    // Where the fields of a batch's header are.
    static final int BASE_OFFSET = 0, LENGTH = 8, LEADER_EPOCH = 12, MAGIC = 16, CRC = 17, ATTRIBUTES = 21, LAST_OFFSET_DELTA = 23,
        BASE_TIMESTAMP = 27, MAX_TIMESTAMP = 35, PRODUCER_ID = 43, PRODUCER_EPOCH = 51, BASE_SEQUENCE = 53, COUNT = 57, RECORDS = 61;

    private Batches() { }

    static byte[] plain(int count, long timestamp) {
        return batch("none", count, timestamp, -1, -1, -1, false);
    }

    static byte[] compressed(String codec, int count, long timestamp) {
        return batch(codec, count, timestamp, -1, -1, -1, false);
    }

    static byte[] idempotent(long producerId, int epoch, int sequence, int count, long timestamp) {
        byte[] batch = batch("none", count, timestamp, producerId, epoch, 0, false);
        return changed(batch, bytes -> bytes.putInt(BASE_SEQUENCE, sequence));
    }

    static byte[] batch(String codec, int count, long timestamp, long producerId, int epoch, int sequence, boolean transactional) {
        SimpleRecord[] records = new SimpleRecord[count];
        for (int i = 0; i < count; i++) {
            records[i] = new SimpleRecord(timestamp + i, text("key-" + i), text("value-" + i + "-" + "v".repeat(50)));
        }
        return of(codec, (byte) 2, producerId, epoch, sequence, transactional, records);
    }

    static byte[] large(int bytes, long timestamp) {
        return of("none", (byte) 2, -1, -1, -1, false, new SimpleRecord(timestamp, null, new byte[bytes]));
    }

    static byte[] ofMagic(int magic, String codec, long timestamp) {
        return of(codec, (byte) magic, -1, -1, -1, false, new SimpleRecord(timestamp, text("key"), text("value")));
    }

    private static byte[] of(String codec, byte magic, long producerId, int epoch, int sequence, boolean transactional, SimpleRecord... records) {
        Compression compression = Compression.of(CompressionType.forName(codec)).build();
        return bytes(MemoryRecords.withRecords(magic, 0L, compression, TimestampType.CREATE_TIME, producerId, (short) epoch, sequence, -1,
            transactional, records));
    }

    /** The batch with something changed, its CRC right again. */
    static byte[] changed(byte[] batch, Consumer<ByteBuffer> change) {
        byte[] copy = broken(batch, change);
        ByteBuffer.wrap(copy).putInt(CRC, (int) Crc32C.compute(copy, ATTRIBUTES, copy.length - ATTRIBUTES));
        return copy;
    }

    /** The batch with something changed, its CRC left as it was. */
    static byte[] broken(byte[] batch, Consumer<ByteBuffer> change) {
        byte[] copy = batch.clone();
        change.accept(ByteBuffer.wrap(copy));
        return copy;
    }

    static byte[] joined(byte[]... batches) {
        int length = 0;
        for (byte[] batch : batches) {
            length += batch.length;
        }
        ByteBuffer all = ByteBuffer.allocate(length);
        for (byte[] batch : batches) {
            all.put(batch);
        }
        return all.array();
    }

    static byte[] bytes(MemoryRecords records) {
        ByteBuffer buffer = records.buffer().duplicate();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    /** As it stands in a request's JSON. */
    static String json(byte[] records) {
        return records == null ? "null" : '"' + Base64.getEncoder().encodeToString(records) + '"';
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
