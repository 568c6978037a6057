# SPDX-License-Identifier: Apache-2.0
"""Files of an initramfs: written, replaced, read.

The kernel unpacks archives that follow each other, later files over earlier ones
(Documentation/driver-api/early-userspace/buffer-format.rst), so a replacement is an uncompressed
cpio archive behind the original.
"""

from pathlib import Path


def _entry(name, data, mode):
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    head += bytes(-len(head) % 4)
    return head + data + bytes(-len(data) % 4)


def write(path, files):
    """A new uncompressed archive of `files` ({name: (mode, bytes)}) with their directories."""
    archive = b""
    for parent in sorted({str(p) for name in files for p in Path(name).parents if p.name}):
        archive += _entry(parent, b"", 0o040755)
    for name, (mode, data) in files.items():
        archive += _entry(name, data, 0o100000 | mode)
    Path(path).write_bytes(archive + _entry("TRAILER!!!", b"", 0))
    return path


def replace(initramfs, files, path):
    """Write to `path` the archive `initramfs` with `files` ({name: bytes}) in place of its own."""
    archive = Path(initramfs).read_bytes()
    archive += bytes(-len(archive) % 4)
    for name, data in files.items():
        archive += _entry(name, data, 0o100644)
    archive += _entry("TRAILER!!!", b"", 0)
    Path(path).write_bytes(archive)
    return path


def read(archive, name):
    """One file of an uncompressed cpio archive."""
    at = 0
    while archive[at:at + 6] == b"070701":
        fields = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        size, name_size = fields[6], fields[11]
        begin = at + 110 + name_size
        begin += -begin % 4
        if archive[at + 110:at + 109 + name_size].decode().lstrip("./") == name:
            return archive[begin:begin + size]
        at = begin + size
        at += -at % 4
    raise KeyError(name)
