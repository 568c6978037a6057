#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=900
"""Slots, trust and bad input: every case starts from a disk in a known state and reads it after.

The image is a node of a few seconds (profile/slots.yaml). Both slots hold it; what tells them apart
is their place on the disk. The machine reboots for itself and is followed through its boots.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, image, unmet  # noqa: E402
from harness.initramfs import replace  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

TRIES = 3


class Bench:
    """Where the cases get their machines from."""

    def __init__(self, made, work):
        self.made = made
        self.work = work
        self.count = 0
        self.fresh = Disk(made.disk)
        self.settled = None  # booted once: state partition made, slot a blessed

    def disk(self, source=None):
        self.count += 1
        return (source or self.settled).clone(f"{self.work}/disk{self.count}.img")

    def boot(self, disk, *words, initrd=None, reboot=True):
        log = Path(f"build/test-log/slots-{self.count}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        return Machine(self.made.kernel, initrd or self.made.initrd, disk and disk.path,
                       self.made.cmdline(*words), memory="512M", reboot=reboot, log=log)


def close_gate(bench, disk, slots):
    """Make the health condition impossible to meet in these slots."""
    state = disk.extract("state", f"{bench.work}/state.img")
    gate = Path(bench.work) / "gate"
    gate.write_text(slots + "\n")
    subprocess.run(["debugfs", "-w", "-R", f"write {gate} gate", state], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    disk.partition_write("state", 0, Path(state).read_bytes())


def boots(machine):
    """Which slot each boot of this machine chose, in order."""
    return [line.split("slot ")[1][0] for line in machine.console
            if re.search(r"keelson: slot [ab]: chosen:", line)]


def chosen(machine, slot, since=0):
    """Wait until this slot was chosen; its try is on the disk by then."""
    return machine.wait(f"slot {slot}: chosen:", timeout=45, since=since)


def settle(machine, slot="a"):
    """Wait until this slot runs and is blessed."""
    machine.wait(f"slot {slot}: blessed at", timeout=90)


def first_boot(tap, bench):
    disk = bench.disk(bench.fresh)
    with tap.case("a fresh disk has two armed, unproven slots"):
        priority_a, tries_a, ok_a = disk.slots()["a"]
        priority_b, _, ok_b = disk.slots()["b"]
        equal((tries_a, ok_a, ok_b), (TRIES, False, False))
        assert priority_a >= priority_b, disk.slots()
    with bench.boot(disk, reboot=False) as machine:
        with tap.case("a try is burned, in both copies of the table, before the slot is used"):
            chosen(machine, "a")
            equal(disk.slots()["a"], (priority_a, TRIES - 1, False), "slot a")
        agent = Agent(machine)
        with tap.case("the slot is blessed when its services have been healthy"):
            settle(machine)
            agent.wait()
            equal(disk.slots()["a"], (priority_a, TRIES, True), "slot a")
        with tap.case("a service whose program is not there is told with its name and step"):
            line = machine.wait("absent: start failed at step exec", timeout=20)
            contains(line, "No such file", "line")
            status, told = agent.run("keelctl status absent")
            assert status, "the exit status says that all is well"
            contains(told, "step exec", "status")
        with tap.case("keelctl slot status tells what the disk says"):
            told = agent.out("keelctl slot status")
            for word in ("a", "b", "blessed"):
                contains(told, word, "status")
        with tap.case("poweroff leaves a clean state partition"):
            agent.send("keelctl poweroff")
            equal(machine.ended(30), 0, "exit status of QEMU")
            state = disk.extract("state", f"{bench.work}/state.img")
            check = subprocess.run(["e2fsck", "-fn", state], text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, check=False)
            equal(check.returncode, 0, check.stdout)
            disk.verify()
    bench.settled = disk


def unhealthy(tap, bench):
    with tap.case("a slot that is not healthy by the deadline is left for the other one"):
        disk = bench.disk()
        close_gate(bench, disk, "a")
        disk.set_slot("a", 15, 1, False)
        with bench.boot(disk) as machine:
            settle(machine, "b")
            equal(boots(machine), ["a", "b"], "slots in the order of the boots")
            Agent(machine).wait().send("keelctl poweroff")
        slots = disk.slots()
        equal(slots["a"], (0, 0, False), "the slot that was given up")
        equal(slots["b"][1:], (TRIES, True), "the slot that took over")


def resets(tap, bench):
    with tap.case("a slot that never gets far enough yields after its tries"):
        disk = bench.disk(bench.fresh)
        with bench.boot(disk) as machine:
            for left in range(TRIES - 1, -1, -1):
                mark = machine.mark()
                chosen(machine, "a", since=mark)
                equal(disk.slots()["a"][1], left, "tries left")
                machine.reset()
            settle(machine, "b")
            equal(boots(machine), ["a"] * TRIES + ["b"], "slots in the order of the boots")


def corrupted_data(tap, bench):
    with tap.case("a flipped byte in the root panics the kernel, and counts for a good slot, too"):
        disk = bench.disk()
        # The first block holds erofs's superblock: nothing is mounted without it.
        disk.flip("root-a", 1100)
        disk.set_slot("a", 15, 2, True)  # each panic waits ten seconds for people to read it
        with bench.boot(disk) as machine:
            settle(machine, "b")
            text = machine.text()
            equal(boots(machine), ["a", "a", "b"], "slots in the order of the boots")
            contains(text, "device-mapper: verity", "console")
            contains(text, "Kernel panic", "console")


def refused(tap, bench, name, damage, *words):
    """A slot that must be refused with a line on the console, and the other one booted at once."""
    with tap.case(name):
        disk = bench.disk()
        damage(disk)
        before = disk.slots()["a"]
        with bench.boot(disk, reboot=False) as machine:
            line = machine.wait("keelson: slot a:", timeout=45)
            for word in words:
                contains(line, word, "line")
            settle(machine, "b")
            equal(boots(machine), ["b"], "slots in the order of the boots")
            equal(disk.slots()["a"], before, "slot a")


def wrong_root_hash(bench, disk):
    """A header that is signed by the right key but is for another root."""
    header = bytearray(disk.partition_read("root-a-header", 0, 2048))
    offset = header_root_hash_offset()
    header[offset] ^= 1
    signed = bench.made.sign(bytes(header))
    disk.partition_write("root-a-header", 0, bytes(header) + signed)


def header_root_hash_offset():
    """offsetof(struct slot_header, root_hash), rootfs-spec/slot_header.h: the format is frozen."""
    return 8 + 4 * 4 + 8 + 64 + 64 + 32 + 32 + 16 + 3 * 8


def refusals(tap, bench):
    refused(tap, bench, "a damaged signature is refused",
            lambda disk: disk.flip("root-a-header", 2048 + 10), "unsigned", "signature")
    refused(tap, bench, "a header that was changed after it was signed is refused",
            lambda disk: disk.flip("root-a-header", 32), "unsigned", "signature")
    refused(tap, bench, "a signed header with another root's hash is refused",
            lambda disk: wrong_root_hash(bench, disk), "unsound", "root")
    refused(tap, bench, "a damaged hash tree is refused before it is used",
            lambda disk: disk.flip("root-a-verity", 4096 + 7), "unsound", "root")
    refused(tap, bench, "an empty header partition is refused",
            lambda disk: disk.partition_write("root-a-header", 0, bytes(8192)), "unsigned")


def both_bad(tap, bench):
    with tap.case("with no sound slot the machine says so and reboots, again and again"):
        disk = bench.disk()
        for slot in "ab":
            disk.flip(f"root-{slot}-header", 2048)
        with bench.boot(disk) as machine:
            for _ in range(2):
                mark = machine.mark()
                machine.wait("no slot is signed and sound", timeout=45, since=mark)
            equal(boots(machine), [], "boots")


def out_of_tries(tap, bench):
    with tap.case("two sound slots out of tries take turns, one try per boot"):
        disk = bench.disk()
        for slot in "ab":
            disk.set_slot(slot, 15 if slot == "a" else 14, 0, False)
        with bench.boot(disk) as machine:
            for _ in range(4):
                mark = machine.mark()
                machine.wait(": chosen:", timeout=45, since=mark)
                machine.reset()
            contains(machine.text(), "slot a: chosen: last resort, out of tries", "console")
            equal(boots(machine)[:4], ["a", "b", "a", "b"], "slots of four boots")


def tables(tap, bench):
    with tap.case("with the primary table damaged the backup boots"):
        disk = bench.disk()
        disk.break_copy("primary")
        with bench.boot(disk, reboot=False) as machine:
            settle(machine)
            contains(machine.text(), "primary partition table", "console")
            agent = Agent(machine).wait()  # without a name it would hang up before it is heard
            agent.send("keelctl poweroff")
            machine.ended(30)
        equal(disk.slots()["a"][1:], (TRIES, True), "slot a, in both copies again")
    with tap.case("with the backup damaged the primary boots"):
        disk = bench.disk()
        disk.break_copy("backup")
        with bench.boot(disk, reboot=False) as machine:
            settle(machine)
    with tap.case("with both copies damaged the machine says so and reboots"):
        disk = bench.disk()
        disk.break_copy("primary")
        disk.break_copy("backup")
        with bench.boot(disk, reboot=False) as machine:
            machine.wait("find one with slots", timeout=90)
            machine.ended(30)


def bad_input(tap, bench):
    with tap.case("without a disk: a clear line, then a reboot"):
        with bench.boot(None, reboot=False) as machine:
            contains(machine.wait("find one with slots", timeout=90), "keelson: disk:", "line")
            machine.ended(30)
    with tap.case("a truncated boot plan: a clear line, then a reboot"):
        plan = bench.made.boot_plan()
        initrd = replace(bench.made.initrd, {"keelson/boot.plan": plan[:len(plan) // 2]},
                         f"{bench.work}/truncated.img")
        with bench.boot(bench.disk(), initrd=initrd, reboot=False) as machine:
            line = machine.wait("boot.plan", timeout=60)
            contains(line, "keelson: ", "line")
            machine.ended(30)
            equal(boots(machine), [], "boots")
    with tap.case("a plan that is not one: a clear line, then a reboot"):
        initrd = replace(bench.made.initrd, {"keelson/boot.plan": b"#!/bin/sh\n" * 100},
                         f"{bench.work}/foreign.img")
        with bench.boot(bench.disk(), initrd=initrd, reboot=False) as machine:
            contains(machine.wait("boot.plan", timeout=60), "keelson: ", "line")
            machine.ended(30)


def words(tap, bench):
    with tap.case("keelson.slot=b boots slot b; an unknown keelson.* word is only told"):
        with bench.boot(bench.disk(), "keelson.slot=b", "keelson.sloth=1", reboot=False) as machine:
            settle(machine, "b")
            contains(machine.text(), "keelson.sloth=1", "console")


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    made = image("slots")
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(made, work)
        first_boot(tap, bench)
        if bench.settled is None:
            tap.end()
        for part in (unhealthy, resets, corrupted_data, refusals, both_bad, out_of_tries, tables,
                     bad_input, words):
            part(tap, bench)
    tap.end()


if __name__ == "__main__":
    main()
