"""A client library of another language, driven from here: its driver (scripts/interop/drivers) does what it is told with the library's own API.

A driver is started as `DRIVER ADDRESS`, reads one request a line from stdin, and answers each with one line on stdout, in order:

    {"op": "produce", ...}  ->  {"ok": ANSWER}  or  {"error": {"code": KAFKA'S CODE or null, "message": TEXT}}

Bytes are base64, or null. A record is {"partition", "offset", "timestamp", "key", "value", "headers": [[name, value], ..]}. The first line is
the list of what the library has: the operations of these, and besides, its codecs, `idempotent` (producer), `static` (members), `cooperative`
(rebalance), `consumer` (a join may have `protocol: "consumer"`, and strategies of its server), `empty` (it tells an empty value from null).

    create_topic    topic partitions configs            topics                                  [name, ..]
    delete_topic    topic                               partitions      topic                   {partition: leader}
    add_partitions  topic total                         configs         topic                   {name: value}
    alter_config    topic name value                    delete_records  topic partition offset  the new log start
    produce         topic codec acks idempotent records                                         [[partition, offset], ..], as the records
    read            topic partition offsets count       one consumer, which seeks to each       [[record, ..], ..], `count` each
    offset          topic partition at                  "earliest", "latest" or a time in ms    offset, -1 where there is none
    join            group topic session_ms instance strategy                                    a member, which reads from now on
    assigned        member                                                                      [partition, ..]
    take            member count                        records not yet taken, in order         [record, ..], `count` if they come in time
    commit          member                              what was taken so far
    leave           member
    committed       group topic                                                                 {partition: offset}, those there are
    groups                                                                                      [group, ..]
    describe_group  group                                                                       {"state", "members": how many}
    delete_group    group                               delete_offsets  group topic

A driver ends when stdin does.
"""

import base64
import json
import queue
import subprocess
import threading
import time

from broker import die_with_parent


class Refused(Exception):
    """What the library raised: Kafka's error code, where it tells, and its words."""

    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message = error["code"], error["message"]


class Client:
    """One driver process. Every operation is a method."""

    def __init__(self, command, address, timeout=90):
        self.timeout, self.command = timeout, command
        self.said, self._answers = [], queue.Queue()
        self.process = subprocess.Popen([*map(str, command), address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, errors="replace", preexec_fn=die_with_parent())
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()
        threading.Thread(target=lambda: [self.said.append(line) for line in self.process.stderr], daemon=True).start()
        self.operations = set(self._answer("its start"))

    def _read(self, out):
        for line in out:
            self._answers.put(line)
        self._answers.put(None)

    def _answer(self, what):
        try:
            line = self._answers.get(timeout=self.timeout)
        except queue.Empty:
            # It may answer yet, and whoever asks next must not take that for its own.
            self.kill()
            raise AssertionError(f"no answer to {what} within {self.timeout} s") from None
        if line is None:
            raise AssertionError(f"the driver ended at {what}:\n{''.join(self.said[-30:])}")
        return json.loads(line)

    def __getattr__(self, op):
        if op.startswith("_"):
            raise AttributeError(op)
        return lambda **arguments: self._call(op, arguments)

    def _call(self, op, arguments):
        self.process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        self.process.stdin.flush()
        answer = self._answer(f"{op} {str(arguments)[:200]}")
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["ok"]

    def kill(self):
        """Ends it without a word to the broker."""
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


def record(value, key=None, headers=(), partition=None, timestamp=None):
    """A record to produce, from bytes."""
    return {"value": _text(value), "key": _text(key), "headers": [[name, _text(content)] for name, content in headers], "partition": partition, "timestamp": timestamp}


def value(found):
    return _bytes(found["value"])


def content(found):
    """What a record that was produced says, and one that was read: value, key, headers."""
    return _bytes(found["value"]), _bytes(found["key"]), [(name, _bytes(content)) for name, content in found["headers"] or []]


def until(done, what, seconds=60):
    """Asks again until it is so."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise AssertionError(f"not so after {seconds} s: {what}")
        time.sleep(0.05)


def _text(data):
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text):
    return None if text is None else base64.b64decode(text)
