"""The half of a driver that knows no library: it reads requests, calls operations, writes answers. scripts/lib/client.py says what is on the wire."""

import asyncio
import base64
import collections
import inspect
import json
import sys
import time
import traceback


def bytes_of(text):
    return None if text is None else base64.b64decode(text)


def text_of(data):
    return None if data is None else base64.b64encode(data).decode()


def turned(record):
    """A record as both libraries have it."""
    headers = [(name, text_of(value)) for name, value in record.headers]
    return {"partition": record.partition, "offset": record.offset, "timestamp": record.timestamp, "key": text_of(record.key), "value": text_of(record.value), "headers": headers}


class Queue:
    """What a member has read and nobody has taken yet."""

    def __init__(self):
        self._unread, self._next = collections.deque(), {}

    def put(self, record):
        self._unread.append(record)

    async def take(self, count):
        """Waits for so many, 30 s at most."""
        end = time.monotonic() + 30
        while len(self._unread) < count and time.monotonic() < end:
            await asyncio.sleep(0.005)
        taken = [self._unread.popleft() for _ in range(min(count, len(self._unread)))]
        self._next.update({r.partition: r.offset + 1 for r in taken})
        return list(map(turned, taken))

    def next(self):
        """What to commit of what was taken since the last call: {partition: offset}."""
        found, self._next = self._next, {}
        return found


async def serve(operations, abilities, join, code):
    """Serves requests until stdin ends. `join` answers a member with queue, assigned, commit, leave; `code` answers Kafka's error code of an error, or None."""
    members = []

    async def joined(**request):
        members.append(await done(join(**request)))
        return len(members) - 1

    operations |= {
        "join": joined,
        "assigned": lambda member: members[member].assigned(),
        "take": lambda member, count: members[member].queue.take(count),
        "commit": lambda member: members[member].commit(members[member].queue.next()),
        "leave": lambda member: members[member].leave(),
    }
    answer([*abilities, *operations])
    while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        try:
            answer({"ok": await done(operations[request.pop("op")](**request))})
        except Exception as error:
            answer({"error": {"code": code(error), "message": f"{error!r}\n{traceback.format_exc()}"}})


async def done(answer):
    return await answer if inspect.isawaitable(answer) else answer


def answer(value):
    print(json.dumps(value), flush=True)
