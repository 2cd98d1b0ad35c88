"""Tells when a broker's log directory changes.

  roll         a segment's name appears
  manifest     a manifest is begun, under a temporary name
  checkpoint   it is renamed to its own; the log file that it frees is recycled next
  rename       a file is given up, or a spare one taken
"""

import ctypes
import os
import pathlib
import select
import struct
import time

IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_ISDIR = 0x40, 0x80, 0x100, 1 << 30
IN_NONBLOCK = 0o4000
EVENT = struct.Struct("iIII")
KINDS = ("roll", "manifest", "checkpoint", "rename")
_libc = ctypes.CDLL(None, use_errno=True)


def kind(name, mask):
    """What a name that appears or goes away in the log directory, or a partition's, means; None for what is no event here."""
    if name.endswith(".log") and mask & (IN_CREATE | IN_MOVED_TO):
        return "roll"
    if name.endswith(".manifest") and mask & IN_MOVED_TO:
        return "checkpoint"
    if name.endswith(".manifest.tmp") and mask & IN_CREATE:
        return "manifest"
    if mask & (IN_MOVED_FROM | IN_MOVED_TO) and ".manifest" not in name and not name.endswith(".tmp"):
        return "rename"
    return None


class Watch:
    """The directory, with the partitions that it has and those that it gets."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.fd = _libc.inotify_init1(IN_NONBLOCK)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._add(self.directory)
        for path in self.directory.iterdir():
            if path.is_dir():
                self._add(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def wait(self, wanted, seconds):
        """The name that brought the next event of this kind, or None when there was none in time."""
        self._read()
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                for name, mask in self._read():
                    if mask & IN_ISDIR:
                        self._add(self.directory / name)
                    elif kind(name, mask) == wanted:
                        return name
        return None

    def _add(self, path):
        # A partition that is gone again, or was made in a partition's directory, is none to watch.
        if _libc.inotify_add_watch(self.fd, str(path).encode(), IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE) < 0 and path.exists():
            raise OSError(ctypes.get_errno(), f"inotify_add_watch {path}")

    def _read(self):
        try:
            data = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return []
        found, at = [], 0
        while at < len(data):
            _, mask, _, length = EVENT.unpack_from(data, at)
            at += EVENT.size
            found.append((data[at:at + length].rstrip(b"\0").decode(), mask))
            at += length
        return found
