# SPDX-License-Identifier: Apache-2.0
"""What a guest wrote to its disk, in order, and with its flushes: QEMU's blklogwrites, whose file has
the form of dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst)."""

import json
import struct
from dataclasses import dataclass

MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD = 1, 2, 4


@dataclass
class Write:
    """One write, discard (its data is zeros) or, without data, a flush."""
    offset: int
    data: bytes
    flush: bool  # everything before is on the disk
    fua: bool    # so is this


def options(disk, log):
    """QEMU's options for a machine whose only disk is logged; `log` is made."""
    open(log, "wb").close()
    node = {"driver": "blklogwrites", "node-name": "disk",
            "file": {"driver": "raw", "file": {"driver": "file", "filename": str(disk)}},
            "log": {"driver": "raw", "file": {"driver": "file", "filename": str(log)}}}
    return ("-blockdev", json.dumps(node), "-device", "virtio-blk-pci,drive=disk")


def read(log):
    """The log's entries, one after the other."""
    with open(log, "rb") as file:
        magic, version, count, sector = struct.unpack("<QQQI", file.read(28))
        assert (magic, version) == (MAGIC, 1), (magic, version)
        file.seek(sector)
        for _ in range(count):
            head = file.read(sector)
            first, sectors, flags, size = struct.unpack_from("<QQQQ", head)
            assert size == 0, "a mark"
            data = bytes(sectors * sector) if flags & DISCARD else file.read(sectors * sector)
            yield Write(first * sector, data, bool(flags & FLUSH), bool(flags & FUA))


def within(writes, offset, size):
    """Those that touch a partition, relative to it, and every flush."""
    for write in writes:
        begin, end = write.offset, write.offset + len(write.data)
        first, last = max(begin, offset), min(end, offset + size)
        data = write.data[first - begin:last - begin] if first < last else b""
        if data or write.flush:
            yield Write(first - offset, data, write.flush, write.fua)
