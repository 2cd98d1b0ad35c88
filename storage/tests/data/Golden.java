// Writes the golden files beside it with Kafka's own classes. Run with `make-golden`, which finds the jars.
//
// batches.txt   name|hex                      batches as the Java client builds them
// verdicts.txt  name|rules|hex|outcome        what Kafka's broker makes of a batch from a client
// files.txt     name|hex                      producer snapshots and index entries

import java.io.*;
import java.nio.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.zip.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.compress.*;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.*;
import org.apache.kafka.common.header.internals.*;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.requests.*;
import org.apache.kafka.common.utils.*;
import org.apache.kafka.storage.internals.log.*;

public class Golden {
    static final long NOW = 1_700_000_000_000L;
    static final TopicPartition TP = new TopicPartition("golden", 3);
    static Path dir;

    public static void main(String[] args) throws Exception {
        dir = Paths.get(args[0]);
        batches();
        verdicts();
        files();
    }

    static String hex(ByteBuffer b) {
        StringBuilder s = new StringBuilder();
        for (int i = b.position(); i < b.limit(); i++) s.append(String.format("%02x", b.get(i)));
        return s.toString();
    }

    // ---- batches.txt

    static List<SimpleRecord> many(int count) {
        List<SimpleRecord> records = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] key = i % 5 == 0 ? null : ("key-" + i).getBytes(StandardCharsets.UTF_8);
            byte[] value = i % 7 == 0 ? null : ("value-" + i + "-").repeat(i % 40).getBytes(StandardCharsets.UTF_8);
            Header[] headers = new Header[i % 4 == 3 ? 2 : 0];
            if (headers.length > 0) {
                headers[0] = new RecordHeader("h", ("" + i).getBytes(StandardCharsets.UTF_8));
                headers[1] = new RecordHeader("h", (byte[]) null);
            }
            records.add(new SimpleRecord(NOW + (i * 37L) % 1000 - 500, key, value, headers));
        }
        return records;
    }

    static MemoryRecords build(CompressionType codec, TimestampType type, long pid, short epoch, int seq, boolean txn, List<SimpleRecord> records) {
        Compression c = Compression.of(codec).build();
        ByteBufferOutputStream out = new ByteBufferOutputStream(1 << 20);
        MemoryRecordsBuilder b = new MemoryRecordsBuilder(out, RecordBatch.MAGIC_VALUE_V2, c, type, 0L, NOW + 7, pid, epoch, seq, txn, false, -1, 1 << 30);
        for (SimpleRecord r : records) b.append(r);
        return b.build();
    }

    static MemoryRecords build(CompressionType codec, List<SimpleRecord> records) {
        return build(codec, TimestampType.CREATE_TIME, -1, (short) -1, -1, false, records);
    }

    static void batches() throws Exception {
        try (PrintWriter w = new PrintWriter(dir.resolve("batches.txt").toFile())) {
            for (CompressionType codec : CompressionType.values()) {
                w.println(codec.name + "-few|" + hex(build(codec, many(8)).buffer()));
                if (codec != CompressionType.NONE) w.println(codec.name + "-many|" + hex(build(codec, many(700)).buffer()));
            }
            w.println("producer|" + hex(build(CompressionType.NONE, TimestampType.CREATE_TIME, 4242, (short) 7, 2147483645, false, many(5)).buffer()));
            w.println("transactional|" + hex(build(CompressionType.GZIP, TimestampType.CREATE_TIME, 4242, (short) 7, 0, true, many(3)).buffer()));
            w.println("log-append-time|" + hex(build(CompressionType.NONE, TimestampType.LOG_APPEND_TIME, -1, (short) -1, -1, false, many(3)).buffer()));
            w.println("commit|" + hex(MemoryRecords.withEndTransactionMarker(1201, NOW, 0, 1000, (short) 2, new EndTransactionMarker(ControlRecordType.COMMIT, 5)).buffer()));
            w.println("abort|" + hex(MemoryRecords.withEndTransactionMarker(1201, NOW, 0, 1000, (short) 2, new EndTransactionMarker(ControlRecordType.ABORT, 2)).buffer()));
            ByteBuffer empty = ByteBuffer.allocate(61);
            DefaultRecordBatch.writeEmptyHeader(empty, (byte) 2, 4242, (short) 7, 9, 100, 104, 3, TimestampType.CREATE_TIME, NOW, false, false);
            empty.flip();
            w.println("emptied|" + hex(empty));
        }
    }

    // ---- verdicts.txt

    static class Rules {
        TimestampType type = TimestampType.CREATE_TIME;
        long before = Long.MAX_VALUE, after = 3_600_000;
        int max = 1_048_588;
        boolean compacted;
        Rules logAppendTime() { type = TimestampType.LOG_APPEND_TIME; return this; }
        Rules before(long ms) { before = ms; return this; }
        Rules compacted() { compacted = true; return this; }
        Rules max(int bytes) { max = bytes; return this; }
        public String toString() { return (type == TimestampType.CREATE_TIME ? "create" : "append") + "," + before + "," + after + "," + max + "," + compacted; }
    }

    static PrintWriter out;

    static void verdicts() throws Exception {
        out = new PrintWriter(dir.resolve("verdicts.txt").toFile());
        for (CompressionType codec : CompressionType.values()) codecCases(codec);
        headerCases();
        recordCases();
        streamCases();
        frameCases();
        out.close();
    }

    static void check(String name, Rules rules, ByteBuffer records) {
        String input = hex(records);
        String outcome;
        try {
            outcome = judge(rules, MemoryRecords.readableRecords(records.duplicate()));
        } catch (RecordValidationException e) {
            StringBuilder s = new StringBuilder("ERR|" + e.invalidException().getClass().getSimpleName() + "|" + e.invalidException().getMessage());
            for (ProduceResponse.RecordError r : e.recordErrors()) s.append("|" + r.batchIndex + ":" + r.message);
            outcome = s.toString();
        } catch (ApiException e) {
            outcome = "ERR|" + e.getClass().getSimpleName() + "|";
        } catch (Throwable e) {
            outcome = "ERR|UnknownServerException|";
        }
        out.println(name + "|" + rules + "|" + input + "|" + outcome);
    }

    static String judge(Rules rules, MemoryRecords records) {
        ProduceRequest.validateRecords((short) 13, records);
        MutableRecordBatch batch = records.batches().iterator().next();
        if (batch.baseOffset() != 0) throw new InvalidRecordException("base offset");
        if (batch.sizeInBytes() > rules.max) throw new RecordTooLargeException("");
        if (!batch.isValid()) throw new CorruptRecordException("");
        CompressionType codec = batch.compressionType();
        // What the broker does with bytes after the last whole batch.
        ByteBuffer trimmed = ByteBuffer.allocate(batch.sizeInBytes());
        ByteBuffer source = records.buffer();
        for (int i = 0; i < trimmed.capacity(); i++) trimmed.put(i, source.get(i));
        LogValidator v = new LogValidator(MemoryRecords.readableRecords(trimmed), TP, new MockTime(), codec, Compression.of(codec).build(), rules.compacted,
            (byte) 2, rules.type, rules.before, rules.after, 77, AppendOrigin.CLIENT);
        LogValidator.ValidationResult r = v.validateMessagesAndAssignOffsets(PrimitiveRef.ofLong(1000), new NoMetrics(), BufferSupplier.NO_CACHING);
        String rewritten = r.messageSizeMaybeChanged() ? "REWRITTEN" : "OK";
        return rewritten + "|" + r.maxTimestampMs() + "|" + hex(r.validatedRecords().buffer());
    }

    static class MockTime implements Time {
        public long milliseconds() { return NOW; }
        public long nanoseconds() { return 0; }
        public void sleep(long ms) { }
        public void waitObject(Object o, java.util.function.Supplier<Boolean> c, long d) { }
        public org.apache.kafka.common.utils.Timer timer(long t) { return Time.SYSTEM.timer(t); }
    }

    static class NoMetrics implements LogValidator.MetricsRecorder {
        public void recordInvalidMagic() { }
        public void recordInvalidOffset() { }
        public void recordInvalidSequence() { }
        public void recordInvalidChecksums() { }
        public void recordNoKeyCompactedTopic() { }
    }

    static ByteBuffer copy(MemoryRecords r) {
        ByteBuffer b = ByteBuffer.allocate(r.sizeInBytes());
        b.put(r.buffer().duplicate());
        b.flip();
        return b;
    }

    static SimpleRecord rec(long timestamp, byte[] key, byte[] value) {
        return new SimpleRecord(timestamp, key, value);
    }

    static ByteBuffer sealed(ByteBuffer b) {
        b.putInt(17, (int) Crc32C.compute(b, 21, b.limit() - 21));
        return b;
    }

    static List<SimpleRecord> three() {
        return List.of(new SimpleRecord(NOW - 10, "a".getBytes(), "one".getBytes()), new SimpleRecord(NOW + 5, "b".getBytes(), "two".getBytes()),
            new SimpleRecord(NOW - 20, "c".getBytes(), "three".getBytes()));
    }

    static List<SimpleRecord> keyless() {
        return List.of(new SimpleRecord(NOW, "a".getBytes(), "one".getBytes()), new SimpleRecord(NOW, null, "two".getBytes()), rec(NOW - 100_000, null, null),
            rec(NOW - 100_000, "x".getBytes(), null), rec(NOW, null, null), rec(NOW, null, null));
    }

    static void codecCases(CompressionType codec) {
        String n = codec.name + "-";
        check(n + "good", new Rules(), copy(build(codec, three())));
        check(n + "many", new Rules(), copy(build(codec, many(codec == CompressionType.NONE ? 8 : 40))));
        check(n + "append-time", new Rules().logAppendTime(), copy(build(codec, three())));
        for (long max : new long[] {0, NOW + 99, -1, Long.MIN_VALUE, Long.MAX_VALUE}) {
            ByteBuffer b = copy(build(codec, three()));
            b.putLong(35, max);
            check(n + "max-" + max, new Rules(), sealed(b));
        }
        for (int bits : new int[] {0x40, 0x80, 0xc0, 0x4000, 0x10}) {
            ByteBuffer b = copy(build(codec, three()));
            b.putShort(21, (short) (b.getShort(21) | bits));
            check(n + "bits-" + bits, new Rules(), sealed(b));
            ByteBuffer c = copy(build(codec, three()));
            c.putShort(21, (short) (c.getShort(21) | bits));
            c.putLong(35, 5);
            check(n + "bits-max-" + bits, new Rules(), sealed(c));
            check(n + "bits-append-" + bits, new Rules().logAppendTime(), sealed(c));
        }
        MemoryRecords claimed = build(codec, TimestampType.LOG_APPEND_TIME, -1, (short) -1, -1, false, three());
        check(n + "claims-append-time", new Rules(), copy(claimed));
        check(n + "claims-append-time-on-append", new Rules().logAppendTime(), copy(claimed));
        ByteBuffer none = copy(claimed);
        none.putLong(35, -1);
        check(n + "claims-append-time-without-one", new Rules(), sealed(none));
        check(n + "compacted", new Rules().compacted(), copy(build(codec, three())));
        check(n + "keyless", new Rules().compacted(), copy(build(codec, keyless())));
        check(n + "keyless-and-old", new Rules().compacted().before(1000), copy(build(codec, keyless())));
        check(n + "old", new Rules().before(15), copy(build(codec, three())));
        check(n + "new", new Rules().before(20), copy(build(codec, List.of(rec(NOW + 3_600_000, null, null), rec(NOW + 3_600_001, null, null)))));
        check(n + "no-timestamps", new Rules().before(20), copy(build(codec, List.of(rec(-1, null, null), rec(-1, null, null)))));
        check(n + "too-large", new Rules().max(copy(build(codec, three())).limit() - 1), copy(build(codec, three())));
        check(n + "just-fits", new Rules().max(copy(build(codec, three())).limit()), copy(build(codec, three())));
        for (int base : new int[] {1, -1}) {
            ByteBuffer b = copy(build(codec, three()));
            b.putLong(0, base);
            check(n + "base-" + base, new Rules(), b);
        }
        for (int count : new int[] {2, 4, 0, -3, Integer.MAX_VALUE}) {
            ByteBuffer b = copy(build(codec, three()));
            b.putInt(57, count);
            check(n + "count-" + count, new Rules(), sealed(b));
            b.putInt(23, count - 1);
            check(n + "range-" + count, new Rules(), sealed(b));
        }
        ByteBuffer b = copy(build(codec, three()));
        b.put(b.limit() - 1, (byte) (b.get(b.limit() - 1) ^ 1));
        check(n + "crc", new Rules(), b);
        MemoryRecords idempotent = build(codec, TimestampType.CREATE_TIME, 9, (short) 1, 0, false, three());
        check(n + "idempotent", new Rules(), copy(idempotent));
        ByteBuffer seq = copy(idempotent);
        seq.putInt(53, -1);
        check(n + "sequence", new Rules(), sealed(seq));
        ByteBuffer control = copy(idempotent);
        control.putShort(21, (short) (control.getShort(21) | 0x20));
        check(n + "control", new Rules(), sealed(control));
    }

    static void headerCases() {
        for (int codec = 5; codec < 8; codec++) {
            ByteBuffer b = copy(build(CompressionType.NONE, three()));
            b.putShort(21, (short) codec);
            check("codec-" + codec, new Rules(), sealed(b));
        }
        for (int magic : new int[] {0, 1, 3, -1}) {
            ByteBuffer b = copy(build(CompressionType.NONE, three()));
            b.put(16, (byte) magic);
            check("magic-" + magic, new Rules(), b);
        }
        for (int length : new int[] {-1, 0, 13, 14, 48, 49, 60, 1000, Integer.MAX_VALUE}) {
            ByteBuffer b = copy(build(CompressionType.NONE, three()));
            b.putInt(8, length);
            check("length-" + length, new Rules(), b);
        }
    }

    /** A batch with exactly these bytes as its records. */
    static ByteBuffer raw(CompressionType codec, int count, byte[] records) {
        ByteBuffer b = ByteBuffer.allocate(61 + records.length);
        DefaultRecordBatch.writeEmptyHeader(b, (byte) 2, -1, (short) -1, -1, 0, count - 1, -1, TimestampType.CREATE_TIME, NOW, false, false);
        b.put(records);
        b.flip();
        b.putInt(8, b.limit() - 12);
        b.putShort(21, (short) codec.id);
        b.putLong(27, NOW);
        b.putInt(57, count);
        return sealed(b);
    }

    static byte[] bytes(int... values) {
        byte[] b = new byte[values.length];
        for (int i = 0; i < b.length; i++) b[i] = (byte) values[i];
        return b;
    }

    static Map<String, byte[]> oddRecords() {
        Map<String, byte[]> odd = new LinkedHashMap<>();
        // length, attributes, timestamp delta, offset delta, key length, value length, headers
        odd.put("plain", bytes(12, 0, 0, 0, 1, 1, 0));
        odd.put("attributes", bytes(12, 0x7f, 0, 0, 1, 1, 0));
        odd.put("length-zero", bytes(0, 0, 0, 0, 1, 1, 0));
        odd.put("length-negative", bytes(1, 0, 0, 0, 1, 1, 0));
        odd.put("length-beyond", bytes(14, 0, 0, 0, 1, 1, 0));
        odd.put("length-huge", bytes(0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 1, 1, 0));
        odd.put("length-six-bytes", bytes(0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 1, 1, 0));
        odd.put("nothing", bytes());
        odd.put("cut", bytes(12, 0, 0));
        odd.put("key-beyond", bytes(12, 0, 0, 0, 60, 1, 0));
        odd.put("value-beyond", bytes(12, 0, 0, 0, 1, 60, 0));
        odd.put("key-minus-five", bytes(12, 0, 0, 0, 9, 1, 0));
        odd.put("value-minus-five", bytes(12, 0, 0, 0, 1, 9, 0));
        odd.put("empty-key", bytes(12, 0, 0, 0, 0, 0, 0));
        odd.put("headers-negative", bytes(12, 0, 0, 0, 1, 1, 1));
        odd.put("headers-many", bytes(12, 0, 0, 0, 1, 1, 40));
        odd.put("headers-huge", bytes(20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f));
        odd.put("header", bytes(18, 0, 0, 0, 1, 1, 2, 2, 'k', 1));
        odd.put("header-key-negative", bytes(16, 0, 0, 0, 1, 1, 2, 1, 1));
        odd.put("header-value-minus-five", bytes(18, 0, 0, 0, 1, 1, 2, 2, 'k', 9));
        odd.put("header-value-beyond", bytes(18, 0, 0, 0, 1, 1, 2, 2, 'k', 40));
        odd.put("inside", bytes(14, 0, 0, 0, 1, 1, 0, 0));
        odd.put("trailing", bytes(12, 0, 0, 0, 1, 1, 0, 0));
        odd.put("timestamp-wide", bytes(30, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1, 1, 0));
        odd.put("timestamp-min", bytes(30, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1, 1, 0));
        odd.put("timestamp-too-wide", bytes(32, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1, 1, 0));
        odd.put("offset-five-bytes", bytes(20, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x70, 1, 1, 0));
        return odd;
    }

    static byte[] compress(CompressionType codec, byte[] records) {
        ByteBufferOutputStream out = new ByteBufferOutputStream(1024);
        try (OutputStream s = Compression.of(codec).build().wrapForOutput(out, (byte) 2)) {
            s.write(records);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        ByteBuffer b = out.buffer();
        b.flip();
        byte[] bytes = new byte[b.limit()];
        b.get(bytes);
        return bytes;
    }

    static void recordCases() {
        for (CompressionType codec : new CompressionType[] {CompressionType.NONE, CompressionType.LZ4})
            oddRecords().forEach((name, records) ->
                check("record-" + codec.name + "-" + name, new Rules(), raw(codec, 1, codec == CompressionType.NONE ? records : compress(codec, records))));
    }

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) out.writeBytes(part);
        return out.toByteArray();
    }

    static void streamCases() throws Exception {
        byte[] first = bytes(12, 0, 0, 0, 1, 1, 0), second = bytes(12, 0, 0, 2, 1, 1, 0);
        byte[] both = join(first, second);
        for (CompressionType codec : CompressionType.values()) {
            if (codec == CompressionType.NONE) continue;
            byte[] whole = compress(codec, both);
            check("stream-" + codec.name + "-joined", new Rules(), raw(codec, 2, join(compress(codec, first), compress(codec, second))));
            check("stream-" + codec.name + "-empty", new Rules(), raw(codec, 2, bytes()));
            check("stream-" + codec.name + "-garbage", new Rules(), raw(codec, 2, "this is no stream at all".getBytes()));
            check("stream-" + codec.name + "-plain", new Rules(), raw(codec, 2, both));
            for (int cut = 1; cut < whole.length; cut++)
                check("stream-" + codec.name + "-cut-" + cut, new Rules(), raw(codec, 2, Arrays.copyOf(whole, whole.length - cut)));
            check("stream-" + codec.name + "-behind", new Rules(), raw(codec, 2, join(whole, "zz".getBytes())));
        }
        byte[] block = org.xerial.snappy.Snappy.compress(both);
        check("stream-snappy-raw", new Rules(), raw(CompressionType.SNAPPY, 2, block));
        byte[] lz4 = compress(CompressionType.LZ4, both);
        byte[] linked = lz4.clone();
        linked[4] = 0x40;
        check("stream-lz4-linked", new Rules(), raw(CompressionType.LZ4, 2, linked));
        byte[] sum = lz4.clone();
        sum[6] ^= 1;
        check("stream-lz4-header-checksum", new Rules(), raw(CompressionType.LZ4, 2, sum));
    }

    static void frameCases() {
        ByteBuffer one = copy(build(CompressionType.NONE, three()));
        byte[] batch = new byte[one.limit()];
        one.get(0, batch);
        check("frame-nothing", new Rules(), ByteBuffer.allocate(0));
        check("frame-two", new Rules(), ByteBuffer.wrap(join(batch, batch)));
        for (int cut : new int[] {1, 40, 80}) check("frame-two-cut-" + cut, new Rules(), ByteBuffer.wrap(Arrays.copyOf(join(batch, batch), 2 * batch.length - cut)));
        for (int keep : new int[] {1, 11, 12, 16, 17, 60, 61, batch.length - 1}) check("frame-keep-" + keep, new Rules(), ByteBuffer.wrap(Arrays.copyOf(batch, keep)));
        for (int zeros : new int[] {1, 11, 12, 20}) check("frame-zeros-" + zeros, new Rules(), ByteBuffer.wrap(Arrays.copyOf(batch, batch.length + zeros)));
    }

    // ---- files.txt

    static void files() throws Exception {
        try (PrintWriter w = new PrintWriter(dir.resolve("files.txt").toFile())) {
            Path tmp = Files.createTempDirectory("golden");
            Map<Long, ProducerStateEntry> entries = new TreeMap<>();
            File f = tmp.resolve("a.snapshot").toFile();
            ProducerStateManager.writeSnapshot(f, entries, false);
            w.println("snapshot-empty|" + hex(ByteBuffer.wrap(Files.readAllBytes(f.toPath()))));
            ProducerAppendInfo one = new ProducerAppendInfo(TP, 1000, new ProducerStateEntry(1000, (short) -1, -1, -1, OptionalLong.empty()), AppendOrigin.CLIENT, null);
            one.appendDataBatch((short) 2, 5, 9, NOW, new LogOffsetMetadata(100), 104, false);
            entries.put(1000L, one.toEntry());
            ProducerAppendInfo two = new ProducerAppendInfo(TP, 1001, new ProducerStateEntry(1001, (short) -1, -1, -1, OptionalLong.empty()), AppendOrigin.CLIENT, null);
            two.appendDataBatch((short) 0, 0, 0, NOW + 1, new LogOffsetMetadata(105), 105, true);
            entries.put(1001L, two.toEntry());
            ProducerAppendInfo three = new ProducerAppendInfo(TP, 1002, new ProducerStateEntry(1002, (short) -1, -1, -1, OptionalLong.empty()), AppendOrigin.REPLICATION, null);
            three.appendEndTxnMarker(new EndTransactionMarker(ControlRecordType.ABORT, 6), (short) 3, 106, NOW + 2, (short) 0);
            entries.put(1002L, three.toEntry());
            ProducerStateManager.writeSnapshot(f, entries, false);
            w.println("snapshot-three|" + hex(ByteBuffer.wrap(Files.readAllBytes(f.toPath()))));
            File index = tmp.resolve("0.index").toFile(), time = tmp.resolve("0.timeindex").toFile(), txn = tmp.resolve("0.txnindex").toFile();
            OffsetIndex offsets = new OffsetIndex(index, 2043, 800);
            TimeIndex times = new TimeIndex(time, 2043, 1200);
            for (int i = 1; i <= 20; i++) {
                offsets.append(2043 + i * 7, i * 4500);
                times.maybeAppend(NOW + i * 11, 2043 + i * 7);
            }
            w.println("offset-index-active|" + hex(ByteBuffer.wrap(Files.readAllBytes(index.toPath()))));
            w.println("time-index-active|" + hex(ByteBuffer.wrap(Files.readAllBytes(time.toPath()))));
            offsets.close();
            times.close();
            w.println("offset-index|" + hex(ByteBuffer.wrap(Files.readAllBytes(index.toPath()))));
            w.println("time-index|" + hex(ByteBuffer.wrap(Files.readAllBytes(time.toPath()))));
            TransactionIndex transactions = new TransactionIndex(2043, txn);
            transactions.append(new AbortedTxn(9, 2050, 2060, 2055));
            transactions.append(new AbortedTxn(10, 2055, 2070, 2071));
            transactions.close();
            w.println("transaction-index|" + hex(ByteBuffer.wrap(Files.readAllBytes(txn.toPath()))));
        }
    }
}
