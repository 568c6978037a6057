#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: tier=all
# keelson-test: timeout=1500
"""An update of the minimal node whose kubelet never gets healthy.

Slot a holds the profile minimal itself, with nobody inside to ask: what it says is on the console, what
it did on the disk. Slot b holds profile/kubelet-broken.yaml, as an installation leaves it.
"""

import struct
import sys
import tempfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Disk, Machine, Tap, image, unmet  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

TRIES = 3
WHY = "kubelet: not healthy by the deadline"

# struct slot_marks, rootfs-spec/slot_header.h: the layout is frozen.
MARKS_AT, MARKS_BYTES = 4096, 4096
MARKS = struct.Struct("<8sIIQIIQ256s")
UNHEALTHY = 1
DIGEST = 32


def marks(disk, slot):
    """(reason, detail, rejected root hashes) of the copy that counts."""
    found = []
    for copy in range(2):
        raw = disk.partition_read(f"root-{slot}-header", MARKS_AT + copy * MARKS_BYTES, MARKS_BYTES)
        magic, _, crc, sequence, reason, count, _, detail = MARKS.unpack_from(raw)
        if magic == b"KEELMARK" and zlib.crc32(raw[:12] + bytes(4) + raw[16:]) == crc:
            rejected = [raw[MARKS.size + i * DIGEST:MARKS.size + (i + 1) * DIGEST]
                        for i in range(count)]
            found.append((sequence, reason, detail.rstrip(b"\0").decode(), rejected))
    return max(found)[1:] if found else (0, "", [])


def boot(made, disk, name):
    log = Path(f"build/test-log/kubelet-{name}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    # PID 1 tells at level 6, of seven, how the last boot ended.
    return Machine(made.kernel, made.initrd, disk.path, made.cmdline("loglevel=7"), log=log)


def settle(machine, slot, since=0):
    machine.wait(f"slot {slot}: blessed at", timeout=240, since=since)


def attempt(machine, disk, left, mark):
    """One boot of slot b, from its try to its end; returns where the next one begins."""
    machine.wait("keelson: slot b: chosen: best bootable", timeout=120, since=mark)
    equal(disk.slots()["b"], (15, left, False), "slot b, after its try was burned")
    machine.wait(f"keelson: {WHY}", timeout=240, since=mark)
    failures = [line for line in machine.console[mark:]
                if "keelson: service: kubelet: " in line and "next try in" in line]
    assert failures, machine.tail()
    machine.wait("reboot: Restarting system", timeout=120, since=mark)
    return machine.mark()


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    made, broken = image("minimal"), image("kubelet-broken")
    with tempfile.TemporaryDirectory() as work:
        disk = Disk(made.disk).clone(f"{work}/disk.img")
        disk.put_image("b", broken)
        disk.set_slot("b", 0, 0, False)
        with tap.case("the minimal node is blessed"), boot(made, disk, "before") as machine:
            settle(machine, "a")
            equal(disk.slots()["a"][1:], (TRIES, True), "slot a")
        before = disk.slots()["a"]
        disk.set_slot("b", 15, TRIES, False)
        with boot(made, disk, "update") as machine:
            mark = 0
            for left in range(TRIES - 1, -1, -1):
                with tap.case(f"a kubelet that is never healthy: a reboot, {left} tries left"):
                    mark = attempt(machine, disk, left, mark)
                    equal(disk.slots()["a"], before, "slot a")
                with tap.case("why is noted on the disk, and the next boot tells it"):
                    equal(marks(disk, "b")[:2], (UNHEALTHY, WHY), "marks of slot b")
                    machine.wait("last boot: orderly, asked by the health gate", timeout=120,
                                 since=mark)
                    machine.wait(f"last boot: asked by {WHY}", timeout=60, since=mark)
            with tap.case("the slot before it runs again and is blessed"):
                machine.wait("keelson: slot a: chosen:", timeout=120, since=mark)
                settle(machine, "a", mark)
                # A slot that was good before gets its try back when it has run for a while.
                equal(disk.slots()["a"], (before[0], TRIES - 1, True), "slot a")
            with tap.case("the update is given up, and its image rejected"):
                equal(disk.slots()["b"], (0, 0, False), "slot b")
                contains(marks(disk, "b")[2], bytes.fromhex(broken.manifest["root"]["root_hash"]),
                         "images that slot b's marks reject")
    tap.end()


if __name__ == "__main__":
    main()
