"""What is acknowledged stays: the part that harnesses of sudden deaths share.

Producers of ours (`perf journal`) write down every acknowledgement outside the broker's data directory and go on through its deaths;
`perf verify` holds the broker to the journal, offset by offset. A harness brings the deaths.
"""

import json
import subprocess

from broker import build, die_with_parent
from wire import Connection, create_topic

VERIFY_S = 300
LAST_BATCHES_S = 90


class Lost(Exception):
    """The broker broke its promise. `found` is what `perf verify` counted, if it was that which saw it."""

    def __init__(self, what, found=None):
        super().__init__(what)
        self.found = found or {}


class Load:
    """Topics that one `perf journal` produces to, with the journal and the state of its reader in a directory.

    `modes` as `perf journal --topics` takes them; `rate` is in bytes per second, of all topics together."""

    def __init__(self, directory, name, modes, partitions, rate, configs=None, patience_s=15):
        self.name, self.modes, self.partitions, self.configs = name, modes, partitions, configs or {}
        self.rate = rate / len(modes.split(","))
        self.journal, self.state = directory / f"{name}journal", directory / f"{name}state.json"
        self.perf = build("perf", "perf")
        # How long what was acknowledged may take to be served.
        self.patience_s = patience_s
        self.process = None

    def create(self, address):
        with Connection(address) as connection:
            for mode in self.modes.split(","):
                code = create_topic(connection, mode.split(":")[0], self.partitions, self.configs)
                if code:
                    raise Lost(f"creating {mode}: error {code}")

    def start(self, address):
        self.process = subprocess.Popen(
            [str(self.perf), "journal", *self._common(address), "--bytes-per-second", str(self.rate)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent())

    def check(self):
        """A producer ends by itself when the broker says what it may not say, or nothing for a minute."""
        if self.process.poll() is not None:
            raise Lost(f"the producer ended: {self.process.stderr.read().strip()}")

    def verify(self, address, whole):
        """Reads what came since the last time, or all; what was found."""
        command = [str(self.perf), "verify", *self._common(address), "--patience-s", str(self.patience_s)]
        command += [] if whole else ["--state", str(self.state)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_S)
        found = json.loads(done.stdout or "{}")
        if done.returncode != 0:
            raise Lost(done.stderr.strip(), found)
        return found

    def finish(self):
        """Lets the producer end with nothing in flight; what it did, for each topic."""
        self.process.stdin.close()
        try:
            code = self.process.wait(LAST_BATCHES_S)
        except subprocess.TimeoutExpired:
            raise Lost(f"the producer's last batches were not acknowledged within {LAST_BATCHES_S} s") from None
        if code != 0:
            raise Lost(f"the producer ended with {code}: {self.process.stderr.read().strip()}")
        return json.loads(self.process.stdout.read())

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _common(self, address):
        return ["--address", address, "--journal", str(self.journal), "--topics", self.modes, "--partitions", str(self.partitions), "--seed", "1"]


def verify(loads, address, whole):
    """All loads; the sums of what was found."""
    sums = {}
    for load in loads:
        for key, value in load.verify(address, whole).items():
            sums[key] = sums.get(key, 0) + value
    return sums


def finish(loads, broker):
    """Lets the producers end, reads all, stops cleanly, and reads all again. What was found, and what the producers did."""
    counts = [count for load in loads for count in load.finish()]
    verify(loads, broker.address, whole=True)
    broker.stop(120)
    broker.start()
    found = verify(loads, broker.address, whole=True)
    broker.stop(120)
    return found, counts
