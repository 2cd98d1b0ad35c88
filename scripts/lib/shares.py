"""What the members of a share group wrote down (scripts/interop/drivers/java/ShareChurn.java), and whether a broker may have made it so.

A line of a journal is a letter, a time (CLOCK_MONOTONIC, in ns, as here), the member, and, but for the last lines' kinds,
the topic, the partition, the offset and the delivery count:

    G .. MADE           a delivery came to the member's client, in the answer to a fetch that was made at MADE (in the journal: first and last offset)
    D .. VALUE          the client handed it to its application
    R .. VALUE          once more, after it was renewed
    S .. SAID           what the member is about to say of it: ACCEPT RELEASE REJECT RENEW
    C .. SAID OUTCOME   what became of that: `ok`, or the client's exception
    J X Z E             the member begins, is about to close, has closed, has died of an exception
    P producer .. VALUE a record that was acknowledged to its producer, which sent it at that time; it has no delivery count

A delivery is what comes to a client, be it handed out or not. Kafka's client fetches ahead, and while a renewal is open it goes on fetching and hands
out nothing: such deliveries run into their locks, and count. When exactly a record was acquired nobody knows: after the fetch was made, and
before the answer was there. Each rule takes the bound that makes no broker a liar that is none.

What is judged, and why Kafka guarantees it (classes of core/.../kafka/server/share and server/.../share):

- *Counts go from 1 to the limit.* SharePartition raises a record's count when it acquires it, and only then (DeliveryCountOps.INCREASE; releases, locks that
  run out and sessions that end leave it, NO_OP); what is released with the count at the limit is archived (InFlightState).
- *No count comes twice.* So each acquisition has a count of its own. But an acquisition is not stored, only what becomes of it: a broker that is
  killed forgets it, and gives the same count again.
- *What was released comes with a higher count, what was accepted or rejected comes no more*, once that is confirmed: the answer waits for the share
  coordinator's (SharePartition.acknowledge, rollbackOrProcessStateUpdates), and whoever leads the partition next reads what was stored.
- *A lock holds*: from the acquisition, or the last renewal, for its whole time, unless the member says something else of the record, or its
  session ends (AcquisitionLockTimerTask). So another delivery is not there before.
- *Nothing that is said too late is confirmed*: who is not the owner, and who has lost the lock, gets InvalidRecordStateException (the member and the state
  ACQUIRED are checked under the lock of the share partition). But what is said of a record below the share partition's start offset is not looked at, and
  not refused ("passed over"): all records up to there are done with.
- *Each record is accepted once, or rejected once, or was delivered up to the limit, and the group's lag is none at the end*: the states ACKNOWLEDGED and
  ARCHIVED are final, and the start offset moves over them.
- *A delivery that came to no client* is one that the broker gave to a member that was gone, or a broker that was gone had given: an answer gets lost with its
  connection. Whoever closes, or is killed, has one fetch on its way at most, and takes a delivery of a record with it; a broker takes a while to notice.
"""

import bisect
import collections
import dataclasses
import math
import pathlib

FINAL = ("ACCEPT", "REJECT")
# The broker says so of an acknowledgement that it has not done, and will not.
REFUSED = "InvalidRecordStateException"


@dataclasses.dataclass(eq=False)
class Said:
    """What a member says is of a record, whichever delivery of it was handed out: the broker takes it for the one that the member has. That is
    the last of `to`, or, where more came before the answer was known, one of them."""
    what: str
    at: int
    to: list
    answered: float = math.inf
    outcome: str = ""


@dataclasses.dataclass(eq=False)
class Delivery:
    """It was acquired after `since` and before `at`, when the client had it."""
    member: str
    count: int
    since: int
    at: int
    value: int = None
    handed: bool = False
    said: list = dataclasses.field(default_factory=list)

    def confirmed(self, *kinds):
        """What is surely of this delivery. Nothing is delivered after it was accepted or rejected: that was of the last."""
        surely = [said for said in self.said if said.to[-1] is self and (said.what in FINAL or len(said.to) == 1)]
        return [said for said in surely if said.what in kinds and said.outcome == "ok"]

    def __str__(self):
        said = "".join(f", {s.what} {ms(s.at)} {s.outcome or 'unanswered'} {ms(s.answered)}" for s in self.said)
        return f"#{self.count} {self.member} acquired {ms(self.since)}..{ms(self.at)}{'' if self.handed else ', not handed out'}{said}"


def ms(at):
    return "-" if at == math.inf else f"{at / 1e6:.0f}"


class Events:
    """From and to times. How many of them overlap an interval?"""

    def __init__(self, spans):
        self.begins, self.ends = (sorted(span[which] for span in spans) for which in (0, 1))

    def within(self, first, last):
        return max(0, bisect.bisect_right(self.begins, last) - bisect.bisect_left(self.ends, first))


@dataclasses.dataclass
class Told:
    """All that is known. `ends`, and `lags`, which are the group's: {(topic, partition): number}; `crashed`: {member: when}; `kills`: (from, to);
    `drained`: when there was no lag any more."""
    lines: list
    ends: dict
    lags: dict
    crashed: dict
    kills: list
    drained: int
    lock_ms: int
    limit: int


def read(journals):
    """The lines of all journals, in order of time, deliveries one by one; the last of a journal whose process was killed may be torn."""
    lines = []
    for line in (line.split() for path in journals if pathlib.Path(path).exists() for line in pathlib.Path(path).read_text().split("\n")[:-1]):
        if line[0] == "G":
            lines += [[*line[:5], str(offset), *line[7:]] for offset in range(int(line[5]), int(line[6]) + 1)]
        else:
            lines.append(line)
    return sorted(lines, key=lambda line: int(line[1]))


class Judge:
    def __init__(self, told):
        self.told, self.wrong, self.counts = told, [], collections.Counter()
        self.kills = Events(told.kills)
        self.left, closed = dict(told.crashed), {line[2]: int(line[1]) for line in told.lines if line[0] == "Z"}
        self.records, self.produced = collections.defaultdict(list), {}
        self._take(told.lines)
        # Each of these may have taken a delivery with it that came to nobody.
        self.hiding = Events([(at, closed.get(member, at + 1e9)) for member, at in self.left.items()] + told.kills)
        self._pass_over()

    def _take(self, lines):
        # By member, record and count: what the client has and has not handed out, in its order; what was said and has no answer.
        had, open_ = collections.defaultdict(collections.deque), collections.defaultdict(list)
        # By member and record.
        came = collections.defaultdict(list)
        for kind, at, member, *rest in lines:
            at = int(at)
            if kind == "E":
                self.wrong.append(f"{member} died at {ms(at)}: {' '.join(rest)}")
            elif kind == "X":
                self.left[member] = at
            elif kind == "P":
                topic, partition, offset, value = rest
                self.produced[topic, int(partition), int(offset)] = (int(value), at)
            elif kind in "GDSC":
                topic, partition, offset, count, *rest = rest
                key, count = (topic, int(partition), int(offset)), int(count)
                if kind == "G":
                    delivery = Delivery(member, count, int(rest[0]), at)
                    self.records[key].append(delivery)
                    had[member, key, count].append(delivery)
                    came[member, key].append(delivery)
                elif kind == "D":
                    if not had[member, key, count]:
                        self._bad(key, f"{member} was handed a delivery with count {count} at {ms(at)} that has not come")
                        continue
                    delivery = had[member, key, count].popleft()
                    delivery.value, delivery.handed = int(rest[0]), True
                elif not came[member, key]:
                    continue  # Found wrong already.
                elif kind == "S":
                    said = Said(rest[0], at, came[member, key][-1:])
                    open_[member, key, count].append(said)
                    said.to[0].said.append(said)
                else:
                    said = next(s for s in open_[member, key, count] if s.what == rest[0] and not s.outcome)
                    said.answered, said.outcome = at, rest[1]
                    for delivery in came[member, key][came[member, key].index(said.to[0]) + 1:]:
                        said.to.append(delivery)
                        delivery.said.append(said)

    def _pass_over(self):
        """What is said of a delivery when the record may be done with, and all before it, is no confirmation: after a later delivery
        was there, or after the same was accepted or rejected already, as one that had been handed out before."""
        for partition, end in self.told.ends.items():
            moved = 0
            for offset in range(end):
                deliveries = self.records.get((*partition, offset), [])
                said = [(d, s) for d in deliveries for s in d.said if s.to[-1] is d]
                late = [s for d, s in said if any(o.count > d.count and o.at < s.answered for o in deliveries)
                        or any(t.what in FINAL and t.outcome == "ok" and t.at < s.at for t in d.said)]
                done = [s.at for d, s in said if s not in late and (s.what in FINAL and s.outcome != REFUSED or d.count == self.told.limit)]
                done += [d.since + self.told.lock_ms * 1e6 for d in deliveries if d.count == self.told.limit]
                moved = max(moved, min(done, default=0))
                for s in late:
                    if s.outcome == "ok" and done and s.answered > moved:
                        s.outcome = "passed over"
                        self.counts["passed over"] += 1

    def judge(self):
        """What is wrong, a line each."""
        told = self.told
        for (topic, partition), end in told.ends.items():
            lag = told.lags.get((topic, partition))
            if lag != 0:
                self.wrong.append(f"{topic}-{partition}: the group's lag is {lag}, the log's end {end}")
            for offset in range(end):
                self._record((topic, partition, offset))
        for key, (value, _) in self.produced.items():
            if key[2] >= told.ends[key[:2]]:
                self._bad(key, f"value {value} was acknowledged to the producer and is not in the log")
        for key in self.records.keys() - {(t, p, o) for (t, p), end in told.ends.items() for o in range(end)}:
            self._bad(key, "delivered, and not in the log")
        return self.wrong

    def _bad(self, key, what):
        deliveries = "; ".join(map(str, self.records.get(key, [])))
        self.wrong.append(f"{key[0]}-{key[1]} offset {key[2]}: {what} (kills {[ms(end) for kill in self.told.kills for end in kill]}) {deliveries}")

    def _record(self, key):
        deliveries = sorted(self.records.get(key, []), key=lambda d: (d.count, d.at))
        value, sent = self.produced.get(key, (None, 0))
        for delivery in deliveries:
            delivery.since = max(delivery.since, sent)
        values = {d.value for d in deliveries if d.handed} | ({value} if value is not None else set())
        if len(values) > 1:
            self._bad(key, f"has several values: {values}")
        for delivery in deliveries:
            self.counts[f"delivery {delivery.count}"] += 1
            self.counts["not handed out"] += not delivery.handed
            if not 1 <= delivery.count <= self.told.limit:
                self._bad(key, f"delivered with count {delivery.count}, the limit is {self.told.limit}")
        for first in deliveries:
            for second in deliveries:
                if first is not second:
                    self._pair(key, first, second)
        self._end(key, deliveries, sent)

    def _pair(self, key, first, second):
        """What the one delivery means for the other."""
        killed = self.kills.within(min(first.since, second.since), max(first.at, second.at))
        if first.count == second.count and not killed and id(first) < id(second):
            self._bad(key, f"delivered twice with count {first.count}")
        # What is confirmed is stored, and outlives the broker.
        for said in first.confirmed(*FINAL):
            forgotten = self.kills.within(min(first.since, second.since), said.answered)
            if second.since > said.answered or (second.count > first.count and not forgotten):
                self._bad(key, f"delivered to {second.member} with count {second.count} although {said.what} of {first.member} was confirmed at {ms(said.answered)}")
        for said in first.confirmed("RELEASE"):
            if second.since > said.answered and second.count <= first.count:
                self._bad(key, f"count {second.count} after count {first.count} was released, at {ms(said.answered)}")
        if second.count <= first.count or killed:
            return
        # From here on: the first was acquired before the second, by the same broker.
        for said in first.confirmed("RELEASE", "RENEW", *FINAL):
            if said.at > second.at and not self.kills.within(first.since, said.answered):
                self._bad(key, f"{said.what} of {first.member} at {ms(said.at)} was confirmed, {second.member} had count {second.count} at {ms(second.at)}")
        begun = max([first.since] + [said.at for said in first.confirmed("RENEW")])
        ended = min([said.at for said in first.said if said.what != "RENEW" or said.outcome != "ok" or len(said.to) > 1] + [self.left.get(first.member, math.inf), begun + self.told.lock_ms * 1e6])
        if second.at < ended:
            self._bad(key, f"{second.member} has count {second.count} at {ms(second.at)}, within the lock of {first.member}, which holds at least until {ms(ended)}")

    def _end(self, key, deliveries, sent):
        """It is accepted once, or rejected once, or was delivered as often as it may be."""
        final = [said for d in deliveries for said in d.confirmed(*FINAL)]
        if len(final) > 1:
            self._bad(key, f"confirmed {len(final)} times: {[(s.what, ms(s.answered)) for s in final]}")
        if final:
            self.counts[final[0].what.lower() + "ed"] += 1
            return
        if any(said.what in FINAL and said.outcome not in ("ok", "passed over", REFUSED) for d in deliveries for said in d.said):
            self.counts["perhaps accepted or rejected, by one that had no answer"] += 1
            return
        # Each step from a delivery to the next, and to the limit, is one, or what is between came to nobody.
        at, count, hidden = sent, 0, 0
        for step in [*deliveries, None]:
            reached = step.count if step else self.told.limit + 1
            missing = max(0, reached - count - 1)
            if missing > self.hiding.within(at, step.at if step else self.told.drained):
                seen = f"with count {count} at last" if count else "never"
                self._bad(key, f"neither accepted nor rejected; delivered {seen}, then {f'with {step.count}' if step else 'not again'}, and nobody took deliveries with it")
                return
            hidden += missing
            if step:
                at, count = step.since, step.count
        self.counts["at the limit" + (", some deliveries of it came to nobody" if hidden else "")] += 1


def lies(told):
    """By name, what is told with one thing changed: each must be found wrong."""
    judged = Judge(told)
    judged.judge()
    last = max((line for line in told.lines if line[0] == "C" and line[7:] == ["ACCEPT", "ok"]), key=lambda line: int(line[1]))
    record = last[3:6]

    def of(kinds):
        return [line for line in told.lines if line[0] in kinds and line[3:6] == record]

    came, delivery = (next(line for line in reversed(told.lines) if line[0] == kind and line[2:7] == last[2:7]) for kind in "GD")
    late = str(max(int(line[1]) for line in told.lines) + 1)
    another = "another"

    def changed(without=(), more=(), **fields):
        return dataclasses.replace(told, lines=sorted([line for line in told.lines if line not in without] + list(more), key=lambda line: int(line[1])), **fields)

    def again(at, count, since):
        return [["G", at, another, *record, str(count), since], ["D", at, another, *record, str(count), delivery[7]]]

    answers = [line for line in of("SC") if line[2:7] == last[2:7]]
    count = int(last[6])
    return {
        "a confirmed acceptance is dropped": changed(answers),
        "a record is missing": changed(of("GDSCR")),
        "a delivery is handed out that never came": changed([came]),
        "a delivery is there twice": changed(more=again(came[1], count, came[7])),
        "a record is delivered after it was accepted": changed(more=again(late, count + 1, late)),
        "a record is accepted twice": changed(more=[*again(came[1], count + 1, came[7]), ["S", late, another, *record, str(count + 1), "ACCEPT"],
                                                    ["C", late, another, *record, str(count + 1), "ACCEPT", "ok"]]),
        "a delivery is beyond the limit": changed(answers, more=again(late, told.limit + 1, came[7])),
        "a lag stays": dataclasses.replace(told, lags={**told.lags, (record[0], int(record[1])): 1}),
        "another record at an offset": changed([delivery], more=[[*delivery[:7], str(int(delivery[7]) + 1)]]),
        "a lock does not hold": changed(answers, more=[*again(str(int(came[1]) + 1), count + 1, came[7]),
                                                       *([line[0], str(int(line[1]) + 10), another, *record, str(count + 1), *line[7:]] for line in answers)]),
    }
