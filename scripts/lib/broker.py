"""Starts and stops brokers for tests and measurements: Odradek, or the real Kafka through scripts/kafka.

A broker runs on free loopback ports with its data in a temporary directory that goes with it. Only processes that were
started here are ended here, by their pid; a broker is told to die with the process that started it.
"""

import atexit
import ctypes
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="odradek-"))
PR_SET_PDEATHSIG = 1
# In the consumer protocol the broker says how often members report, and how long they may be silent: often, and not long.
QUICK_GROUPS = {f"group.consumer.{key}": ms for key, ms in (
    ("min.heartbeat.interval.ms", 500), ("heartbeat.interval.ms", 500), ("min.session.timeout.ms", 6000), ("session.timeout.ms", 6000))}
_libc = ctypes.CDLL(None, use_errno=True)
_running = []


class BrokerError(Exception):
    """A broker that did not start, or did not stop as it should; carries the end of its log."""


def die_with_parent(which=signal.SIGTERM):
    """For preexec_fn: the child gets the signal when the thread that started it ends."""
    return lambda: _libc.prctl(PR_SET_PDEATHSIG, which, 0, 0, 0)


def _clean_up():
    for broker in list(_running):
        broker.kill()
    if not os.environ.get("ODRADEK_KEEP"):
        shutil.rmtree(SCRATCH, ignore_errors=True)


atexit.register(_clean_up)
# SIGTERM runs the same exit handlers as a normal end.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def build(package, binary, release=False, features=()):
    """Builds a binary and copies it aside, so that a later build cannot change what is being measured."""
    copy = SCRATCH / "bin" / "-".join([binary, "release" if release else "debug", *features])
    if copy.exists():
        return copy
    given = os.environ.get(f"{binary.upper()}_BINARY")
    if given and not features:
        return pathlib.Path(given)
    command = ["cargo", "build", "-q", "-p", package, "--bin", binary, "--message-format=json-render-diagnostics"]
    command += ["--release"] if release else []
    command += ["--features", ",".join(features)] if features else []
    out = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    made = [m["executable"] for m in map(json.loads, out.splitlines())
            if m.get("reason") == "compiler-artifact" and m.get("executable") and m["target"]["name"] == binary]
    copy.parent.mkdir(exist_ok=True)
    shutil.copy2(made[-1], copy)
    return copy


class Broker:
    """One running broker. `address` is host:port, `pid` that of the process that does the work, `topics` the log directory."""

    def __init__(self, kind="odradek", overrides=None, data=None, shards=None, release=False, features=(), environment=None,
                 timeout=60, wrapper=(), prlimit=None):
        self.kind, self.timeout = kind, timeout
        self.overrides = dict(overrides or {})
        self.own_data = data is None
        self.data = pathlib.Path(data or tempfile.mkdtemp(prefix=f"{kind}-data-", dir=SCRATCH))
        self.shards, self.release, self.features = shards, release, features
        self.environment = environment or {}
        self.wrapper, self.prlimit = list(wrapper), prlimit
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.admin = None
        self.process = self.pid = None
        self.lines = []

    @property
    def topics(self):
        return self.data

    def _command(self):
        if self.kind == "kafka":
            pairs = [f"{k}={v}" for k, v in self.overrides.items()]
            return [str(ROOT / "scripts/kafka"), "broker", "--port", str(self.port), "--data", str(self.data), *pairs]
        self.admin = f"127.0.0.1:{free_port()}"
        settings = {"listeners": f"PLAINTEXT://{self.address}", "log.dirs": self.data, "odradek.admin.listener": self.admin}
        if self.shards:
            settings["odradek.shards"] = self.shards
        settings.update(self.overrides)
        command = [*self.wrapper, str(build("broker", "odradek", self.release, self.features))]
        for key, value in settings.items():
            command += ["--override", f"{key}={value}"]
        return command

    def start(self):
        """Returns when the broker has printed its ready line; `started_ms` is the time from fork to that line."""
        command = self._command()
        self.lines, self._seen = [], queue.Queue()
        began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                        stdin=subprocess.DEVNULL, env={**os.environ, **self.environment}, preexec_fn=die_with_parent())
        _running.append(self)
        threading.Thread(target=self._drain, args=(self.process, self._seen), daemon=True).start()
        ready = self._wait_ready(began)
        self.started_ms = (time.monotonic() - began) * 1000
        pid = re.search(r"\bpid=(\d+)", ready)
        self.pid = int(pid[1]) if pid and self.kind == "kafka" else self._innermost()
        self.ready_line = ready
        return self

    def _innermost(self):
        return children(self.process.pid)[-1] if self.wrapper else self.process.pid

    def _drain(self, process, seen):
        for line in process.stdout:
            line = line.rstrip("\n")
            self.lines.append(line)
            if len(self.lines) > 20000:
                del self.lines[:10000]
            if re.search(r"\b(odradek|kafka) ready\b", line):
                seen.put(line)
        seen.put(None)

    def _wait_ready(self, began):
        left = self.timeout - (time.monotonic() - began)
        try:
            line = self._seen.get(timeout=max(left, 0.1))
        except queue.Empty:
            line = None
        if line is None:
            self.kill()
            raise BrokerError(f"{self.kind} did not get ready:\n{self.log_tail()}")
        return line

    def log_tail(self, count=40):
        return "\n".join(self.lines[-count:])

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=30):
        """A clean stop: SIGTERM, exit code 0 within the time, or it is an error."""
        if not self.alive():
            if self in _running:
                _running.remove(self)
                raise BrokerError(f"{self.kind} ended by itself with {self.process.returncode}:\n{self.log_tail()}")
            return
        os.kill(self.process.pid if self.kind == "kafka" or not self.wrapper else self.pid, signal.SIGTERM)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerError(f"{self.kind} did not stop within {timeout} s of SIGTERM:\n{self.log_tail()}") from None
        _running.remove(self)
        if code != 0:
            raise BrokerError(f"{self.kind} exited with {code} after SIGTERM:\n{self.log_tail()}")

    def freeze(self):
        """It does nothing more until it is killed; what it has submitted goes on."""
        _signal(self.pid, signal.SIGSTOP)

    def kill(self):
        """kill -9; returns when the process is gone."""
        if self.pid and self.pid != (self.process and self.process.pid):
            _signal(self.pid, signal.SIGKILL)
        if self.alive():
            self.process.kill()
            self.process.wait()
        if self in _running:
            _running.remove(self)

    def remove(self):
        if self.own_data:
            shutil.rmtree(self.data, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            self.kill() if kind else self.stop()
        finally:
            self.remove()


def _signal(pid, which):
    try:
        os.kill(pid, which)
    except ProcessLookupError:
        pass


def children(pid):
    """The pids under a process, parents first."""
    found, todo = [pid], [pid]
    while todo:
        parent = todo.pop()
        try:
            under = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        except OSError:
            continue
        todo += map(int, under)
        found += map(int, under)
    return found


def kafka(tool, *args, stdin=None, timeout=120, quick=True, check=True):
    """Runs one of Kafka's tools; the answer has stdout and stderr as text. `quick` spares tools that only ask something the optimising compiler."""
    environment = dict(os.environ)
    if quick:
        environment["KAFKA_QUICK"] = "1"
    command = [str(ROOT / "scripts/kafka"), tool, *map(str, args)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, env=environment,
                          **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
    if check and done.returncode != 0:
        raise BrokerError(f"kafka {tool} {' '.join(map(str, args))} exited with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done
