# SPDX-License-Identifier: Apache-2.0
"""The EFI system partition as a boot loader sees it, read by mtools, which is nobody's code here."""

import hashlib
import subprocess
from pathlib import Path

from .image import CONSOLE

ENTRY = "loader/entries/keelson.conf"
PREVIOUS = "loader/entries/keelson-previous.conf"


class Esp:
    """The partition in a file of its own."""

    def __init__(self, path):
        self.path = path

    def read(self, name):
        """A file, or None."""
        told = subprocess.run(["mcopy", "-n", "-i", self.path, f"::/{name}", "-"], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return told.stdout if told.returncode == 0 else None

    def names(self):
        told = subprocess.run(["mdir", "-b", "-i", self.path, "::/keelson"], check=True, text=True,
                              stdout=subprocess.PIPE)
        return sorted(line.rsplit("/", 1)[1] for line in told.stdout.split())

    def entry(self, path=ENTRY):
        """What an entry starts: (kernel, initramfs, options), each file whole by its name; or None."""
        text = self.read(path)
        if text is None:
            return None
        lines = [line.split(" ", 1) for line in text.decode().splitlines()]
        values = {line[0]: line[1] for line in lines if len(line) == 2}
        found = []
        for key in ("linux", "initrd"):
            data = self.read(values[key].lstrip("/"))
            assert data is not None, f"{path} names {values[key]}, which is not there"
            digest = hashlib.sha256(data).hexdigest()[:16]
            assert digest in values[key], f"{values[key]} is not whole"
            found.append(data)
        return found[0], found[1], [line[1] for line in lines if line[0] == "options"]


class Loader:
    """What a loader would start: the files that the entry on a disk's ESP names, and its words."""

    def __init__(self, disk, work):
        kernel, initrd, self.options = Esp(disk.extract("esp", f"{work}/esp.img")).entry()
        self.kernel, self.initrd = Path(work, "loader-vmlinuz"), Path(work, "loader-initramfs")
        self.kernel.write_bytes(kernel)
        self.initrd.write_bytes(initrd)

    def cmdline(self, *words):
        return " ".join([*self.options, CONSOLE, *words])
