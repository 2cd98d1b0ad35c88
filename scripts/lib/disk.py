"""A disk whose power can be cut: ext4 in a loop device over the layer of perf/powercut. Needs root, /dev/fuse and loop devices.

  with Disk(directory, direct) as disk:     made and switched on; `disk.mounted` is the file system
      disk.cut(seed, after)                 the layer forgets, and answers EIO from then on
      disk.off(); disk.on()                 nothing the kernel held survives; ext4 replays its journal, no fsck ever

What makes the kernel forget: after the cut the layer answers EIO to everything, so neither the page cache of ext4 nor that of the
loop device can reach the image; then the file system is unmounted, the loop device detached, the layer's process ended. The next life
is a new process and a new loop device over the image. The loop device is seen to be detached before that.

All mounts are made in a mount namespace of this process and its children (`enter_namespace`), and the loop device is told to go with
its last user: whatever way this process ends, SIGKILL too, the kernel undoes both.

Measured on kernel 6.18 (`measure` does it again for every disk): a write with O_DIRECT and O_DSYNC into blocks that are allocated and
written arrives as one write and one fsync, with `losetup --direct-io=on` and without; a loop device knows no FUA, so the kernel makes
a flush of each (REQ_PREFLUSH, REQ_FUA and fdatasync all arrive as fsync). Without --direct-io the same write comes in the same
pieces: the layer's file is open for direct I/O, so the loop device's own page cache does not stand between.
"""

import contextlib
import ctypes
import errno
import json
import mmap
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from broker import build, die_with_parent

CLONE_NEWNS = 0x20000
SYNC_FILE_RANGE_WRITE = 2
BLOCK = 4096
WAIT = 20
_libc = ctypes.CDLL(None, use_errno=True)
_libc.sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


class DiskError(Exception):
    """The harness's own disk does not do as it should: no verdict on the broker."""


def missing():
    """Why there can be no such disk here, or None."""
    if os.geteuid() != 0:
        return "power cuts need root (loop devices and mounts)"
    for device in ("/dev/fuse", "/dev/loop-control"):
        try:
            os.close(os.open(device, os.O_RDWR))
        except OSError as error:
            return f"power cuts need {device}: {error.strerror}"
    for command in ("losetup", "mkfs.ext4", "mount", "umount"):
        if not shutil.which(command):
            return f"power cuts need {command} (Debian: mount, e2fsprogs)"
    if "\text4\n" not in pathlib.Path("/proc/filesystems").read_text() and subprocess.run(["modprobe", "ext4"], capture_output=True).returncode:
        return "power cuts need ext4 in the kernel"
    return None


def enter_namespace():
    """Mounts made from now on are seen by this process and its children alone, and end with them. Before any thread is started."""
    if _libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise DiskError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()


class Disk:
    def __init__(self, directory, direct, options="", megabytes=3072):
        self.directory, self.direct, self.options = pathlib.Path(directory), direct, options
        self.image, self.layer = self.directory / "image", self.directory / "layer"
        self.mounted, self.socket = self.directory / "disk", self.directory / "control"
        self.process = self.loop = None
        for path in (self.layer, self.mounted):
            path.mkdir(parents=True, exist_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        # Nothing is left to a thread that would write by itself later.
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)

    def __enter__(self):
        try:
            self.on()
        except BaseException:
            self.off(by_force=True)
            raise
        return self

    def __exit__(self, *_):
        self.off(by_force=True)

    def on(self, flush_us=0):
        """Switches it on; a flush takes so long."""
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen([str(build("powercut", "powercut")), str(self.image), str(self.layer), str(self.socket), str(flush_us)],
                                        stdin=subprocess.DEVNULL, preexec_fn=die_with_parent(signal.SIGKILL))
        self._until(lambda: self.socket.exists() or self.process.poll() is not None, "the layer did not mount")
        if self.process.poll() is not None:
            raise DiskError("the layer ended at its start")
        self.loop = run("losetup", "--find", "--show", f"--direct-io={'on' if self.direct else 'off'}", self.layer / "drive")
        run("mount", "-t", "ext4", "-o", f"rw,{self.options}" if self.options else "rw", self.loop, self.mounted)
        # Busy: it is detached with its last user, the mount.
        run("losetup", "--detach", self.loop)

    def off(self, by_force=False):
        """Unmounts and detaches; after a cut nothing of it reaches the image. By force: whatever is there of it, for the end."""
        try:
            if os.path.ismount(self.mounted):
                self._until(lambda: self._unmounted(self.mounted), f"{self.mounted} is still in use")
            elif self.loop and self._attached():
                run("losetup", "--detach", self.loop)
            if self.loop:
                self._until(lambda: not self._attached(), f"{self.loop} is not detached")
                self.loop = None
            if os.path.ismount(self.layer):
                self._until(lambda: self._unmounted(self.layer), f"{self.layer} is still in use")
        except (DiskError, OSError):
            if not by_force:
                raise
            for path in (self.mounted, self.layer):
                subprocess.run(["umount", "--lazy", str(path)], capture_output=True)
        if self.process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            self.process.kill()
            self.process.wait()
            self.process = None

    def cut(self, seed, after=0, patience_ms=1000):
        """Cuts the power `after` more writes and flushes, at the latest after `patience_ms`; what became of the unsynced writes."""
        return self._ask(f"cut {seed} {after} {patience_ms}", patience_ms / 1000 + WAIT)

    def fail(self, request, times):
        """The next reads, writes or flushes (`read`, `write`, `flush`) fail with EIO; a flush loses what it was to make stable."""
        self._ask(f"fail {request} {times}", WAIT)

    def stall(self, request, times, ms):
        self._ask(f"stall {request} {times} {ms}", WAIT)

    def counts(self):
        return self._ask("counts", WAIT)

    def write_back(self, rng):
        """Has some dirty pages written, without a flush, as the kernel may do whenever it likes."""
        for path in sorted(self.mounted.rglob("*")):
            if rng.random() < 0.5:
                with contextlib.suppress(OSError):
                    if path.is_file():
                        _write_back(path)

    def measure(self):
        """How one direct write with DSYNC arrives: (writes, fsyncs). A layer that saw no fsync would show nothing."""
        path, block = self.mounted / "measure", mmap.mmap(-1, BLOCK)
        block.write(b"x" * BLOCK)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT | os.O_DSYNC)
        try:
            os.pwrite(fd, block, 0)
            os.fsync(fd)
            before = self.counts()
            os.pwrite(fd, block, 0)
            after = self.counts()
        finally:
            os.close(fd)
            path.unlink()
        return after["writes"] - before["writes"], after["flushes"] - before["flushes"]

    def _ask(self, line, timeout):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self.socket))
            connection.sendall(line.encode() + b"\n")
            answer = connection.makefile().readline()
        if not answer:
            raise DiskError(f"the layer has no answer to {line}")
        return json.loads(answer)

    def _attached(self):
        return pathlib.Path(f"/sys/block/{os.path.basename(self.loop)}/loop/backing_file").exists()

    def _unmounted(self, path):
        return subprocess.run(["umount", str(path)], capture_output=True).returncode == 0

    def _until(self, done, otherwise):
        until = time.monotonic() + WAIT
        while not done():
            if time.monotonic() > until:
                raise DiskError(otherwise)
            time.sleep(0.005)


def _write_back(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        if _libc.sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) != 0 and ctypes.get_errno() != errno.EIO:
            raise OSError(ctypes.get_errno(), "sync_file_range")
    finally:
        os.close(fd)
