"""kafka-dump-log over copies of a log's files: it says most faults in its output and exits with 0, and it repairs some files."""

import re
import shutil

from broker import SCRATCH, kafka
from check import equal

FAULTS = re.compile(r"isvalid: false|invalid bytes|mismatch|Exception", re.I)


def dump(files, *options):
    """Runs the tool over copies of files and answers its output."""
    place = SCRATCH / "dump"
    shutil.rmtree(place, ignore_errors=True)
    copies = []
    for file in files:
        copy = place / file.parent.name / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        copies.append(copy)
    # An index is checked against the log beside it.
    for file in files:
        log = file.with_suffix(".log")
        if file.suffix in (".index", ".timeindex") and log.exists():
            shutil.copyfile(log, place / file.parent.name / log.name)
    done = kafka("dump-log", "--files", ",".join(map(str, copies)), *options, timeout=300)
    return done.stdout + done.stderr


def sound(text, what):
    bad = [line for line in text.splitlines() if FAULTS.search(line)]
    equal(bad[:5], [], f"faults in {what}")
