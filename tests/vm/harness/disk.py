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
    sector: int = SECTOR

    @property
    def offset_bytes(self):
        return self.first * self.sector

    @property
    def size_bytes(self):
        return (self.last - self.first + 1) * self.sector

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

    def __init__(self, path, sector=SECTOR):
        self.path = path
        self.sector = sector

    @classmethod
    def copy(cls, source, path, sector=SECTOR):
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(path)],
                       check=True)
        os.chmod(path, 0o600)
        return cls(path, sector)

    def clone(self, path):
        return Disk.copy(self.path, path, self.sector)

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
        return 1 if copy == "primary" else self.size_bytes() // self.sector - 1

    def _header(self, copy):
        raw = self.read(self._header_lba(copy) * self.sector, self.sector)
        (magic, _, size, crc, _, this, other, _, _, _, entries, count, stride,
         entries_crc) = HEADER.unpack_from(raw)
        if magic != b"EFI PART":
            raise DiskError(f"{copy} GPT: no signature")
        if zlib.crc32(raw[:16] + bytes(4) + raw[20:size]) != crc:
            raise DiskError(f"{copy} GPT: wrong CRC of the header")
        if this != self._header_lba(copy):
            raise DiskError(f"{copy} GPT: says that it is at sector {this}")
        table = self.read(entries * self.sector, count * stride)
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
            found[text] = Partition(index + 1, text, first, last, attributes, kind, guid,
                                    self.sector)
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
            self.write(entries * self.sector, bytes(table))
            self.write(self._header_lba(copy) * self.sector, bytes(raw))

    def break_copy(self, copy):
        """Make one copy of the table unreadable: a flipped bit in its header."""
        offset = self._header_lba(copy) * self.sector + 40
        byte = self.read(offset, 1)[0]
        self.write(offset, bytes([byte ^ 1]))

    def to_sectors(self, sector):
        """Write the table anew for sectors of another size; every partition stays in its place.

        A file system that counts in such sectors, as the FAT of the ESP does, cannot be read then.
        """
        raw, _, count, stride, table, _ = self._header("primary")
        table = bytearray(table)
        for at in range(0, count * stride, stride):
            kind, guid, first, last, attributes, name = ENTRY.unpack_from(table, at)
            if kind == bytes(16):
                continue
            first, rest = divmod(first * self.sector, sector)
            end, more = divmod((last + 1) * self.sector, sector)
            if rest or more:
                raise DiskError(f"a partition does not begin and end at multiples of {sector}")
            ENTRY.pack_into(table, at, kind, guid, first, end - 1, attributes, name)
        fields = list(HEADER.unpack_from(raw))
        blocks = -(-len(table) // sector)
        last = self.size_bytes() // sector - 1
        usable = 2 + blocks, last - blocks - 1
        self.write(self._header_lba("backup") * self.sector, bytes(self.sector))
        self.sector = sector
        self.write(512, bytes(sector - 512))
        self.write(440 + 6, struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xee, b"\xff" * 3, 1, last))
        for this, other, entries in ((1, last, 2), (last, 1, last - blocks)):
            fields[3:5] = 0, 0
            fields[5:9] = this, other, *usable
            fields[10], fields[13] = entries, zlib.crc32(table)
            header = bytearray(HEADER.pack(*fields))
            struct.pack_into("<I", header, 12, len(header))
            struct.pack_into("<I", header, 16, zlib.crc32(header))
            self.write(entries * sector, bytes(table).ljust(blocks * sector, b"\0"))
            self.write(this * sector, bytes(header).ljust(sector, b"\0"))

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

    def put_image(self, slot, made):
        """An Image into a slot, whole and signed, as an installation leaves it; the bits stay."""
        for part, source in (("", made.root), ("-verity", made.directory / "root.verity"),
                             ("-header", made.directory / "header.bin")):
            data = source.read_bytes()
            room = self.partitions()[f"root-{slot}{part}"].size_bytes
            if len(data) > room:
                raise DiskError(f"root-{slot}{part}: {len(data)} bytes do not fit in {room}")
            self.partition_write(f"root-{slot}{part}", 0, data)

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
