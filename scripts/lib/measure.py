"""What a process and the machine have used: CPU from /proc, bytes to the disk, resident memory."""

import os
import pathlib
import re
import urllib.request

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGESIZE")


def process_cpu(pid):
    """CPU seconds of all threads of a process, ended ones and io-wq workers included."""
    after_name = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICK


def machine_cpu():
    """Busy CPU seconds of the whole machine: everything but idle and waiting for I/O."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def write_bytes(pid):
    """Bytes that a process has caused to be sent to storage (cancelled ones taken off)."""
    text = pathlib.Path(f"/proc/{pid}/io").read_text()
    found = dict(re.findall(r"(\w+): (\d+)", text))
    return int(found["write_bytes"]) - int(found["cancelled_write_bytes"])


def disk_bytes(path):
    """Bytes written to the device under a path, by anyone: page cache included once it has been flushed."""
    device = os.stat(path).st_dev
    want = (os.major(device), os.minor(device))
    for line in pathlib.Path("/proc/diskstats").read_text().splitlines():
        fields = line.split()
        if (int(fields[0]), int(fields[1])) == want:
            return int(fields[9]) * 512
    return None


def resident(pid):
    """Resident bytes of a process."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def private_bytes(pid):
    """Bytes that belong to this process alone: what would be free without it."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(n) * 1024 for n in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+) kB", text, re.M))


class Usage:
    """CPU of one process and of the machine over a stretch of time: `with Usage(pid) as u: ...; u.cpu, u.machine`."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        self.before = process_cpu(self.pid), machine_cpu()
        return self

    def __exit__(self, *_):
        self.cpu = process_cpu(self.pid) - self.before[0]
        self.machine = machine_cpu() - self.before[1]


def metrics(admin):
    """{name: sum over all labels} of a broker's /metrics."""
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for name, value in re.findall(r"^(\w+)(?:\{[^}]*\})? ([-+.\deE]+|NaN)$", text, re.M):
        found[name] = found.get(name, 0.0) + float(value)
    return found
