# SPDX-License-Identifier: Apache-2.0
"""A GPT disk in a file, as the host sees it: what the node wrote, and damage for it to find.

Written from the UEFI specification 2.10, section 5.3, and independent of the code under test:
the two must agree on every byte. Attribute bits 48-51 are a slot's priority, 52-55 the tries it
has left, 56 that it was blessed.
"""

import os
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass, field

SECTOR = 512
HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")  # up to the CRC of the entries
ENTRY = struct.Struct("<16s16sQQQ72s")


class DiskError(Exception):
    """The disk is not what it should be."""


@dataclass
class Partition:
    """One entry of the table. `number` counts from 1, as in /dev/vda1."""
    number: int
    name: str
    first: int
    last: int
    attributes: int
    type_guid: bytes = field(repr=False, default=b"")
    guid: bytes = field(repr=False, default=b"")

    @property
    def offset_bytes(self):
        return self.first * SECTOR

    @property
    def size_bytes(self):
        return (self.last - self.first + 1) * SECTOR

    @property
    def priority(self):
        return self.attributes >> 48 & 15

    @property
    def tries(self):
        return self.attributes >> 52 & 15

    @property
    def successful(self):
        return bool(self.attributes >> 56 & 1)


def slot_attributes(priority, tries, successful):
    return priority << 48 | tries << 52 | int(successful) << 56


class Disk:
    """A private, sparse copy of an image. Nothing here may be used while a machine runs on it,
    but for reading."""

    def __init__(self, path):
        self.path = path

    @classmethod
    def copy(cls, source, path):
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(path)],
                       check=True)
        os.chmod(path, 0o600)
        return cls(path)

    def clone(self, path):
        return Disk.copy(self.path, path)

    def read(self, offset, size):
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def write(self, offset, data):
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def size_bytes(self):
        return os.stat(self.path).st_size

    # ---- the table ----

    def _header_lba(self, copy):
        return 1 if copy == "primary" else self.size_bytes() // SECTOR - 1

    def _header(self, copy):
        raw = self.read(self._header_lba(copy) * SECTOR, SECTOR)
        (magic, _, size, crc, _, this, other, _, _, _, entries, count, stride,
         entries_crc) = HEADER.unpack_from(raw)
        if magic != b"EFI PART":
            raise DiskError(f"{copy} GPT: no signature")
        if zlib.crc32(raw[:16] + bytes(4) + raw[20:size]) != crc:
            raise DiskError(f"{copy} GPT: wrong CRC of the header")
        if this != self._header_lba(copy):
            raise DiskError(f"{copy} GPT: says that it is at sector {this}")
        table = self.read(entries * SECTOR, count * stride)
        if zlib.crc32(table) != entries_crc:
            raise DiskError(f"{copy} GPT: wrong CRC of the entries")
        return raw, entries, count, stride, table, other

    def partitions(self, copy="primary"):
        """The entries of one copy, checked, by name."""
        _, _, count, stride, table, _ = self._header(copy)
        found = {}
        for index in range(count):
            kind, guid, first, last, attributes, name = ENTRY.unpack_from(table, index * stride)
            if kind == bytes(16):
                continue
            text = name.decode("utf-16-le").rstrip("\0")
            found[text] = Partition(index + 1, text, first, last, attributes, kind, guid)
        return found

    def slots(self):
        """What both copies say of root-a and root-b as (priority, tries, successful); they must
        agree."""
        both = []
        for copy in ("primary", "backup"):
            parts = self.partitions(copy)
            both.append({slot: (part.priority, part.tries, part.successful)
                         for slot, part in (("a", parts["root-a"]), ("b", parts["root-b"]))})
        if both[0] != both[1]:
            raise DiskError(f"the copies differ: primary {both[0]}, backup {both[1]}")
        return both[0]

    def set_slot(self, slot, priority, tries, successful):
        """Write a slot's attributes into both copies."""
        number = self.partitions()[f"root-{slot}"].number
        for copy in ("backup", "primary"):
            raw, entries, _, stride, table, _ = self._header(copy)
            table = bytearray(table)
            struct.pack_into("<Q", table, (number - 1) * stride + 48,
                             slot_attributes(priority, tries, successful))
            raw = bytearray(raw)
            size = struct.unpack_from("<I", raw, 12)[0]
            struct.pack_into("<I", raw, 88, zlib.crc32(table))
            struct.pack_into("<I", raw, 16, 0)
            struct.pack_into("<I", raw, 16, zlib.crc32(raw[:size]))
            self.write(entries * SECTOR, bytes(table))
            self.write(self._header_lba(copy) * SECTOR, bytes(raw))

    def break_copy(self, copy):
        """Make one copy of the table unreadable: a flipped bit in its header."""
        offset = self._header_lba(copy) * SECTOR + 40
        byte = self.read(offset, 1)[0]
        self.write(offset, bytes([byte ^ 1]))

    def verify(self):
        """Let somebody else's reader find fault with the table (sgdisk, else sfdisk)."""
        if shutil.which("sgdisk"):
            tool = subprocess.run(["sgdisk", "-v", str(self.path)], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if tool.returncode or "No problems found" not in tool.stdout:
                raise DiskError(tool.stdout)
            return
        tool = subprocess.run(["sfdisk", "--verify", str(self.path)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if tool.returncode or "No errors" not in tool.stdout:
            raise DiskError(tool.stdout)

    # ---- the partitions ----

    def partition_read(self, name, offset, size):
        return self.read(self.partitions()[name].offset_bytes + offset, size)

    def partition_write(self, name, offset, data):
        self.write(self.partitions()[name].offset_bytes + offset, data)

    def flip(self, name, offset, mask=0x01):
        """Change one byte of a partition."""
        byte = self.partition_read(name, offset, 1)[0]
        self.partition_write(name, offset, bytes([byte ^ mask]))

    def extract(self, name, path):
        """A partition as a file of its own, sparse."""
        part = self.partitions()[name]
        with open(self.path, "rb") as source, open(path, "wb") as target:
            source.seek(part.offset_bytes)
            left = part.size_bytes
            while left:
                chunk = source.read(min(left, 1 << 20))
                if not chunk:
                    raise DiskError(f"{name}: ends beyond the disk")
                if chunk.count(0) == len(chunk):
                    target.seek(len(chunk), os.SEEK_CUR)
                else:
                    target.write(chunk)
                left -= len(chunk)
            target.truncate(part.size_bytes)
        return path
