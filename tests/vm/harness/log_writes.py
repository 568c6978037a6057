# SPDX-License-Identifier: Apache-2.0
"""What a guest wrote to its disk, write by write, and the disks that a power cut would have left.

QEMU's blklogwrites driver logs in the format of the kernel's dm-log-writes
(Documentation/admin-guide/device-mapper/log-writes.rst): a super block, then for each request a
sector that says what it was and, of a write, its data. Requests are logged when they are complete,
so a write before a flush in the log is one that the flush made durable. All numbers are
little-endian; sectors are those of the super block.
"""

import mmap
import os
import struct
from dataclasses import dataclass

MAGIC = 0x6A736677736872
VERSION = 1
SUPER = struct.Struct("<QQQI")  # magic, version, entries, bytes of a sector
ENTRY = struct.Struct("<QQQQ")  # sector, sectors, flags, bytes of a mark
# A write with FUA is durable by itself. It is taken for one that is not: that asks for more.
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


class LogError(Exception):
    """The log is not what it should be."""


@dataclass
class Entry:
    """One request. `data_at` is where its data lies in the log; it has none if it is no write."""
    offset: int
    size: int
    flags: int
    data_at: int

    @property
    def end(self):
        return self.offset + self.size

    @property
    def flushes(self):
        return bool(self.flags & FLUSH)

    @property
    def writes(self):
        return self.size > 0 and not self.flags & (DISCARD | MARK)


class LogWrites:
    """The entries of a log that nobody writes any more."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self._log = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, version, count, sector = SUPER.unpack_from(self._log)
        if magic != MAGIC or version != VERSION or sector < 512:
            raise LogError(f"{path}: no log of writes")
        self.entries = []
        at = sector
        for _ in range(count):
            if at + sector > len(self._log):
                raise LogError(f"{path}: ends before entry {len(self.entries)}")
            first, sectors, flags, _ = ENTRY.unpack_from(self._log, at)
            at += sector
            entry = Entry(first * sector, sectors * sector, flags, at)
            if entry.writes:
                at += entry.size
            if at > len(self._log):
                raise LogError(f"{path}: entry {len(self.entries)} is cut off")
            self.entries.append(entry)

    def data(self, entry, first=0, size=None):
        size = entry.size - first if size is None else size
        return self._log[entry.data_at + first:entry.data_at + first + size]

    def windows(self):
        """Entries from one flush to the next, as (first, behind the last)."""
        first = 0
        for index, entry in enumerate(self.entries):
            if entry.flushes:
                yield first, index + 1
                first = index + 1
        if first < len(self.entries):
            yield first, len(self.entries)


class Replay:
    """A disk image to which writes of a log are applied in place, and taken back.

    A discard changes nothing here, as it does in a QEMU whose drive is not told to unmap.
    """

    def __init__(self, log, path):
        self.log = log
        self._file = open(path, "r+b")
        self.bytes = mmap.mmap(self._file.fileno(), 0)
        self._undo = []

    def apply(self, entry, first=0, size=None):
        """Apply a write, or only some of it."""
        if not entry.writes:
            return
        self.put(entry.offset + first, self.log.data(entry, first, size))

    def put(self, at, data):
        self._undo.append((at, self.bytes[at:at + len(data)]))
        self.bytes[at:at + len(data)] = data

    def commit(self):
        """What was applied so far stays."""
        self._undo.clear()

    def revert(self):
        """Take back what was applied since commit()."""
        while self._undo:
            at, data = self._undo.pop()
            self.bytes[at:at + len(data)] = data

    def close(self):
        self.bytes.close()
        self._file.close()


def recorder(disk, log, sector=512):
    """QEMU's options for a first disk whose writes are logged. The log may not exist yet."""
    with open(log, "wb"):
        pass
    return ("-blockdev", f"driver=file,node-name=recorded,filename={disk},cache.no-flush=on",
            "-blockdev", f"driver=file,node-name=log,filename={log},cache.no-flush=on",
            "-blockdev", "driver=blklogwrites,node-name=disk,file=recorded,log=log,"
            f"log-sector-size={sector},log-super-update-interval=1",
            "-device", "virtio-blk-pci,drive=disk")


def self_check(directory):
    """Read a log that is written here by the document; raises when what is read is not that."""
    path, disk = os.path.join(directory, "log"), os.path.join(directory, "disk")
    requests = [(0, 1, 0, b"a" * 512), (3, 2, FUA, b"b" * 1024), (5, 0, FLUSH, b""),
                (0, 4, DISCARD, b""), (4, 1, 0, b"c" * 512)]
    data = SUPER.pack(MAGIC, VERSION, len(requests), 512).ljust(512, b"\0")
    for sector, sectors, flags, content in requests:
        data += ENTRY.pack(sector, sectors, flags, 0).ljust(512, b"\0") + content
    with open(path, "wb") as file:
        file.write(data)
    with open(disk, "wb") as file:
        file.write(b"." * 3072)
    log = LogWrites(path)
    if list(log.windows()) != [(0, 3), (3, 5)]:
        raise LogError(f"windows: {list(log.windows())}")
    replay = Replay(log, disk)
    for entry in log.entries[:4]:
        replay.apply(entry)
    replay.commit()
    before = b"a" * 512 + b"." * 1024 + b"b" * 1024 + b"." * 512
    if replay.bytes[:] != before:
        raise LogError("replayed to other bytes")
    replay.apply(log.entries[4], 0, 512)
    if replay.bytes[:] != before[:2048] + b"c" * 512 + before[2560:]:
        raise LogError("a later write did not win")
    replay.revert()
    if replay.bytes[:] != before:
        raise LogError("not taken back")
    replay.close()
    with open(path, "wb") as file:
        file.write(data[:-1])
    try:
        LogWrites(path)
    except LogError:
        return
    raise LogError("a log that was cut off was read")
