"""One member of a classic group, and what else a client asks beside records, by hand: each question one answer, so that a test sees which came first."""

import struct
import time

from wire import text

PROTOCOL = "range"
LOADING, NOT_COORDINATOR = 14, 16


def metadata(connection, topic):
    """Metadata v1: how many partitions the topic has."""
    body = connection.ask(3, 1, struct.pack(">i", 1) + text(topic))
    at = 4
    for _ in range(struct.unpack_from(">i", body)[0]):          # brokers: id, host, port, rack
        at = _string(body, _string(body, at + 4) + 4)
    error, = struct.unpack_from(">h", body, at + 8)             # behind the controller and the number of topics
    assert error == 0, f"Metadata of {topic} answered {error}"
    return struct.unpack_from(">i", body, _string(body, at + 10) + 1)[0]


def offsets(connection, topic, partitions, which=-1):
    """ListOffsets v1: the high watermark of each partition, or its log start (-2)."""
    asked = b"".join(struct.pack(">iq", partition, which) for partition in range(partitions))
    body = connection.ask(2, 1, struct.pack(">ii", -1, 1) + text(topic) + struct.pack(">i", partitions) + asked)
    found = {}
    for partition, error, _time, offset in struct.iter_unpack(">ihqq", body[_string(body, 4) + 4:]):
        assert error == 0, f"ListOffsets of {topic}-{partition} answered {error}"
        found[partition] = offset
    return found


class Member:
    """Joins an empty group as its leader, on a connection of its own; only what is asked here is asked."""

    def __init__(self, connection, group, session_ms=30000):
        self.connection, self.group = connection, group
        self.find_coordinator(connection)
        body = connection.ask(11, 2, text(group) + struct.pack(">ii", session_ms, 60000) + text("") + text("consumer") +
                              struct.pack(">i", 1) + text(PROTOCOL) + struct.pack(">i", 0))
        error, self.generation = struct.unpack_from(">hi", body, 4)
        assert error == 0, f"JoinGroup answered {error}"
        at = _string(body, _string(body, 10))                   # the protocol, the leader
        self.id = body[at + 2:_string(body, at)].decode()
        body = connection.ask(14, 1, self._who() + struct.pack(">i", 1) + text(self.id) + struct.pack(">i", 0))
        self._check("SyncGroup", body)

    def find_coordinator(self, connection):
        """FindCoordinator v1, on any connection."""
        self._check("FindCoordinator", connection.ask(10, 1, text(self.group) + b"\0"))

    def heartbeat(self):
        self._check("Heartbeat", self.connection.ask(12, 1, self._who()))

    def commit(self, topic, partition, offset):
        """OffsetCommit v2."""
        body = self.connection.ask(8, 2, self._who() + struct.pack(">q", -1) + struct.pack(">i", 1) + text(topic) +
                                   struct.pack(">iiq", 1, partition, offset) + text(""))
        error, = struct.unpack_from(">h", body, _string(body, 4) + 8)
        assert error == 0, f"OffsetCommit answered {error}"

    def _who(self):
        return text(self.group) + struct.pack(">i", self.generation) + text(self.id)

    def _check(self, what, body):
        error, = struct.unpack_from(">h", body, 4)
        assert error == 0, f"{what} answered {error}"


def committed(connection, group, topic, partition, seconds=30):
    """OffsetFetch v1, once the coordinator has loaded the group."""
    until = time.monotonic() + seconds
    while True:
        body = connection.ask(9, 1, text(group) + struct.pack(">i", 1) + text(topic) + struct.pack(">ii", 1, partition))
        at = _string(body, 4) + 8
        error, = struct.unpack_from(">h", body, _string(body, at + 8))
        if error not in (LOADING, NOT_COORDINATOR) or time.monotonic() > until:
            assert error == 0, f"OffsetFetch answered {error}"
            return struct.unpack_from(">q", body, at)[0]
        time.sleep(0.05)


def _string(body, at):
    """Where the string that begins at `at` ends."""
    length, = struct.unpack_from(">h", body, at)
    return at + 2 + max(length, 0)
