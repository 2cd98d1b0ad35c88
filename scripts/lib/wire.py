"""The least of Kafka's protocol that a test needs to see what a broker has stored: batch headers by Fetch, and raw frames."""

import socket
import struct
import time
from collections import namedtuple

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
Batch = namedtuple("Batch", "base last codec count producer_id epoch sequence timestamp_type size")


class Connection:
    def __init__(self, address, timeout=30):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout)
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, key, version, body):
        """One request with header version 1 (not for flexible versions); the answer's body."""
        self.correlation += 1
        header = struct.pack(">hhi", key, version, self.correlation) + text("odradek-test")
        self.socket.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
        answer = self._exactly(struct.unpack(">i", self._exactly(4))[0])
        assert struct.unpack(">i", answer[:4])[0] == self.correlation, "an answer out of order"
        return answer[4:]

    def _exactly(self, length):
        parts = []
        while length:
            part = self.socket.recv(min(length, 1 << 20))
            if not part:
                raise ConnectionError("the broker closed the connection")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


def text(value):
    data = value.encode()
    return struct.pack(">h", len(data)) + data


def create_topic(connection, name, partitions, configs=None):
    """CreateTopics v2 of one topic without replicas; the error code."""
    pairs = b"".join(text(key) + text(str(value)) for key, value in (configs or {}).items())
    topic = text(name) + struct.pack(">ihi", partitions, 1, 0) + struct.pack(">i", len(configs or {})) + pairs
    body = connection.ask(19, 2, struct.pack(">i", 1) + topic + struct.pack(">ib", 30000, 0))
    return struct.unpack_from(">h", body, 8 + len(text(name)))[0]


def api_versions(address):
    """{key: (min, max)} as advertised."""
    with Connection(address) as c:
        body = c.ask(18, 0, b"")
    error, count = struct.unpack_from(">hi", body)
    assert error == 0, f"ApiVersions answered {error}"
    return {k: (lo, hi) for k, lo, hi in struct.iter_unpack(">hhh", body[6:6 + 6 * count])}


def batches(address, topic, partition=0, offset=0, max_bytes=8 << 20):
    """Every batch header of a partition from an offset to its high watermark, by Fetch v4."""
    found = []
    with Connection(address) as c:
        while True:
            watermark, records = fetch(c, topic, partition, offset, max_bytes)
            for batch in _headers(records):
                found.append(batch)
                offset = batch.last + 1
            if offset >= watermark:
                return found


def serves(address, topic, partition=0):
    """Whether a partition can be read: the real Kafka's brokers may answer before they have what was created."""
    with Connection(address) as c:
        body = struct.pack(">iiiib", -1, 0, 0, 1 << 20, 0) + struct.pack(">i", 1) + text(topic) + struct.pack(">iiqi", 1, partition, 0, 1 << 20)
        return fetched(c.ask(1, 4, body))[0] == 0


def fetch(connection, topic, partition, offset, max_bytes):
    """Fetch v4: the high watermark, and the records."""
    body = struct.pack(">iiiib", -1, 500, 0, max_bytes, 0) + struct.pack(">i", 1) + text(topic)
    body += struct.pack(">iiqi", 1, partition, offset, max_bytes)
    error, watermark, records = fetched(connection.ask(1, 4, body))
    assert error == 0, f"Fetch of {topic}-{partition} at {offset} answered error {error}"
    return watermark, records


def at_least(records, address, topic, partition=0, seconds=10):
    """The batches of a partition as soon as they hold so many records, or what there is in the end: with acks=0 a producer is done before the broker."""
    until = time.monotonic() + seconds
    while True:
        found = batches(address, topic, partition)
        if sum(b.count for b in found) >= records or time.monotonic() > until:
            return found
        time.sleep(0.05)


def fetched(body):
    position = 4 + 4                                     # throttle time, one topic
    position += 2 + struct.unpack_from(">h", body, position)[0] + 4 + 4
    error, watermark, _stable = struct.unpack_from(">hqq", body, position)
    position += 18
    aborted = struct.unpack_from(">i", body, position)[0]
    position += 4 + 16 * max(aborted, 0)
    size = struct.unpack_from(">i", body, position)[0]
    return error, watermark, body[position + 4:position + 4 + max(size, 0)]


def _headers(records):
    position = 0
    while position + 61 <= len(records):
        base, length = struct.unpack_from(">qi", records, position)
        if position + 12 + length > len(records):
            return
        attributes, delta = struct.unpack_from(">hi", records, position + 21)
        producer, epoch, sequence, count = struct.unpack_from(">qhii", records, position + 43)
        yield Batch(base, base + delta, CODECS[attributes & 7], count, producer, epoch, sequence, (attributes >> 3) & 1, 12 + length)
        position += 12 + length
