#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=900 tier=all
"""What goes wrong with a slot's own kernel, and the slot that boots then.

Slot a holds the image of profile/kernel.yaml, whose kernel QEMU starts; slot b an image with another
kernel, put there as an installation leaves it. kernel.test.py shows how it goes right.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Disk, Machine, Tap, image, unmet  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

TRIES = 3
BLOCK = 4096
KERNEL_SHA256_AT = 344  # offsetof(struct slot_header, kernel_sha256), rootfs-spec/slot_header.h

FOREIGN = "its kernel is not the one that runs"
GOES_ON = "goes on under its own kernel"


class Bench:
    def __init__(self, work):
        self.work = work
        self.a, self.b, self.dead = image("kernel"), image("watchdog"), image("kernel-dead")

    def disk(self, name, b, tries):
        """Slot b is armed above slot a, with so many tries."""
        disk = Disk(self.a.disk).clone(f"{self.work}/{name}.img")
        disk.put_image("b", b)
        disk.set_slot("b", 15, tries, False)
        return disk

    def boot(self, name, disk, *words, console=True):
        log = Path(f"build/test-log/kexec-{name}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        line = self.a.cmdline(*words) if console else \
            " ".join([self.a.manifest["kernel"]["cmdline"], "console=ttyS0 loglevel=6", *words])
        return Machine(self.a.kernel, self.a.initrd, disk.path, line, memory="512M", log=log)


def boots(machine):
    """Which slot each boot of this machine chose, in order."""
    return [line.split("slot ")[1][0] for line in machine.console
            if ": chosen:" in line and "keelson: slot " in line]


def settle(machine, slot):
    machine.wait(f"slot {slot}: blessed at", timeout=120)


def noted(disk, slot):
    return disk.partition_read(f"root-{slot}-header", BLOCK, 2 * BLOCK)


def refused_twice(tap, bench):
    """A signed header that names a kernel that its root does not have."""
    disk = bench.disk("twice", bench.b, 1)
    header = bytearray(disk.partition_read("root-b-header", 0, 2048))
    digest = bytes.fromhex(bench.b.manifest["kernel"]["sha256"])
    equal(bytes(header[KERNEL_SHA256_AT:KERNEL_SHA256_AT + 32]), digest, "digest in the header")
    header[KERNEL_SHA256_AT] ^= 1
    disk.partition_write("root-b-header", 0, bytes(header) + bench.b.sign(bytes(header)))
    with bench.boot("twice", disk) as machine:
        with tap.case("a second kexec in one boot is refused, and the machine reboots"):
            machine.wait(f"slot b: {FOREIGN}", timeout=90)
            machine.wait(f"slot b: {GOES_ON}", timeout=90)
            machine.wait("a second kexec is refused", timeout=90)
            settle(machine, "a")
            equal(boots(machine), ["b", "a"], "slots in the order of the boots")
        with tap.case("both kernels of that boot cost one try, and why is noted beside the slot"):
            equal(disk.slots()["b"][1], 0, "tries of slot b")
            contains(noted(disk, "b"), b"a second kexec is refused", "marks")


def find_kernel(made):
    """Where a block of the image's kernel lies in its root, as it is: mkfs stores what does not
    get smaller."""
    kernel, root = made.kernel.read_bytes(), made.root.read_bytes()
    at = root.find(kernel[4 << 20:(4 << 20) + BLOCK])
    assert at > 0, "its blocks are not there as they are"
    return at


def damaged(tap, bench):
    disk = bench.disk("damaged", bench.b, 2)
    disk.flip("root-b", find_kernel(bench.b) + 100)
    with bench.boot("damaged", disk) as machine:
        with tap.case("a damaged kernel is not started: verity panics, and each panic costs a try"):
            mark = 0
            for _ in range(2):
                machine.wait("Kernel panic", timeout=90, since=mark)
                mark = machine.mark()
            settle(machine, "a")
            equal(boots(machine), ["b", "b", "a"], "slots in the order of the boots")
            contains(machine.text(), "device-mapper: verity", "console")
            equal(machine.text().count("Kernel panic"), 2, "panics")
            assert GOES_ON not in machine.text(), machine.text()
            equal(disk.slots()["b"], (0, 0, False), "slot b")


def unloadable(tap, bench):
    """The kernel's own switch (Documentation/admin-guide/sysctl/kernel.rst) makes the call fail."""
    disk = bench.disk("unloadable", bench.b, TRIES)
    with bench.boot("unloadable", disk, "sysctl.kernel.kexec_load_disabled=1") as machine:
        with tap.case("a kernel that the running one does not load costs a try, and is told"):
            line = machine.wait("keelson: slot b: /usr/lib/keelson/vmlinuz: kexec_file_load",
                                timeout=90)
            contains(line, "not permitted", "line")
            equal(disk.slots()["b"], (15, TRIES - 1, False), "slot b")
        with tap.case("the other slot runs in the same boot, and the reason is noted"):
            settle(machine, "a")
            equal(boots(machine), ["b", "a"], "choices")
            equal(sum("Linux version" in line for line in machine.console), 1, "kernels")
            contains(noted(disk, "b"), b"kexec_file_load", "marks")
            equal(disk.slots()["b"], (15, TRIES - 1, False), "slot b")


def dead(tap, bench):
    """Nothing on the command line says that the kernel is to reboot, but the images' own words."""
    disk = bench.disk("dead", bench.dead, 1)
    with bench.boot("dead", disk, console=False) as machine:
        with tap.case("a kernel that dies before its PID 1 runs reboots: its try is lost"):
            machine.wait(f"slot b: {FOREIGN}", timeout=90)
            machine.wait("Kernel panic", timeout=90)
            settle(machine, "a")
            equal(boots(machine), ["b", "a"], "slots in the order of the boots")
            assert GOES_ON not in machine.text(), machine.text()
            equal(disk.slots()["b"], (0, 0, False), "slot b")


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(work)
        for part in (refused_twice, damaged, unloadable, dead):
            part(tap, bench)
    tap.end()


if __name__ == "__main__":
    main()
