#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=1500
"""An update on trial, and what an operator can do about it.

Slot a holds profile/trials.yaml, blessed; slot b profile/trials-next.yaml, put there as an installation
leaves it. Each case ends in the state that docs/slots.md gives for it.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, image, unmet  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

TRIES = 3
HEADER_BYTES = 2048
EPOCH_AT = 24  # offsetof(struct slot_header, security_epoch)
NEEDED, DAMAGED, USAGE = 14, 22, 2
LATE = b"TERMS AND"  # as LZ4 leaves it: in /usr/share/late, and nowhere else


class Bench:
    def __init__(self, made, following, work):
        self.made = made
        self.following = Disk(following.disk)
        self.work = work
        self.count = 0
        self.updated = None
        self.settled = Disk(made.disk).clone(f"{work}/settled.img")

    def next_disk(self, epoch=None):
        """Slot b as an installation leaves it: the next image, armed, not proven."""
        self.count += 1
        if not self.updated:
            self.updated = self.settled.clone(f"{self.work}/updated.img")
            for part in ("", "-verity", "-header"):
                source = self.following.extract(f"root-a{part}", f"{self.work}/part.img")
                data = Path(source).read_bytes()
                if part == "-header":
                    data = data[:4096]
                assert len(data) <= self.updated.partitions()[f"root-b{part}"].size_bytes, part
                self.updated.partition_write(f"root-b{part}", 0, data)
            self.updated.set_slot("b", 15, TRIES, False)
        disk = self.updated.clone(f"{self.work}/disk{self.count}.img")
        if epoch:
            header = bytearray(disk.partition_read("root-b-header", 0, HEADER_BYTES))
            struct.pack_into("<Q", header, EPOCH_AT, epoch)
            disk.partition_write("root-b-header", 0,
                                 bytes(header) + self.made.sign(bytes(header)))
        return disk

    def close_gate(self, disk, slots):
        state = disk.extract("state", f"{self.work}/state.img")
        gate = Path(self.work) / "gate"
        gate.write_text(slots + "\n")
        subprocess.run(["debugfs", "-w", "-R", f"write {gate} gate", state], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        disk.partition_write("state", 0, Path(state).read_bytes())

    def disk(self):
        self.count += 1
        return self.settled.clone(f"{self.work}/disk{self.count}.img")

    def boot(self, disk, *words):
        log = Path(f"build/test-log/trials-{self.count}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        return Machine(self.made.kernel, self.made.initrd, disk.path, self.made.cmdline(*words),
                       memory="512M", log=log)


def chosen(machine, slot, since=0):
    machine.wait(f"slot {slot}: chosen:", timeout=120, since=since)


def settle(machine, slot, since=0):
    machine.wait(f"slot {slot}: blessed at", timeout=120, since=since)


def status(agent):
    return json.loads(agent.out("keelctl slot status --json"))


def first_boot(tap, bench):
    with tap.case("the first slot is blessed"), bench.boot(bench.settled) as machine:
        agent = Agent(machine)
        settle(machine, "a")
        agent.wait().send("keelctl poweroff")
        machine.ended(60)
        equal(bench.settled.slots()["a"][1:], (TRIES, True), "slot a")


def dies(tap, bench, name, death, again):
    """Slot b is lost three times before it is healthy: suspected; and again: rejected."""
    disk = bench.next_disk()
    bench.close_gate(disk, "b")
    with bench.boot(disk) as machine:
        agent = Agent(machine)

        def attempts(mark):
            for left in range(TRIES - 1, -1, -1):
                chosen(machine, "b", mark)
                equal(disk.slots()["b"][1:], (left, False), "slot b, after its try was burned")
                agent.wait()
                mark = machine.mark()
                death(machine, agent)
            settle(machine, "a", mark)
            agent.wait()

        with tap.case(f"an update that {name} before it is healthy costs one try per attempt"):
            attempts(0)
            equal(disk.slots()["b"], (0, 0, False), "slot b")
            equal(disk.slots()["a"][2], True, "slot a")
        with tap.case(f"an update that {name} without a reason is suspected, not rejected"):
            slot = status(agent)["slots"]["b"]
            equal((slot["suspected"], slot["rejected"], slot["reason"]), (True, False, ""), "b")
        if not again:
            return
        with tap.case(f"an update that {name} again is rejected"):
            agent.out("keelctl slot switch b")
            equal(status(agent)["next"], "b", "next")
            mark = machine.mark()
            agent.send("keelctl reboot")
            attempts(mark)
            equal(status(agent)["slots"]["b"]["rejected"], True, "rejected")


def panics(machine, agent):
    agent.send("echo c >/proc/sysrq-trigger")


def hangs(machine, agent):
    # What a watchdog does about it; watchdog.test.py has a real one.
    machine.reset()


def unhealthy(tap, bench):
    disk = bench.next_disk()
    bench.close_gate(disk, "b")
    with bench.boot(disk) as machine:
        agent = Agent(machine)
        with tap.case("a reboot that somebody asks for before the deadline costs no try"):
            chosen(machine, "b")
            equal(disk.slots()["b"][1], TRIES - 1, "tries")
            agent.wait()
            mark = machine.mark()
            agent.send("keelctl reboot")
            chosen(machine, "b", mark)
            equal(disk.slots()["b"][1], TRIES - 1, "tries")
        with tap.case("the reboot of the health gate gives no try back"):
            mark = machine.mark()
            machine.wait("not healthy by the deadline", timeout=120, since=mark)
            chosen(machine, "b", mark)
            equal(disk.slots()["b"][1], TRIES - 2, "tries")
        with tap.case("the next boot can read why the last one failed"):
            agent.wait()
            told = status(agent)
            equal(told["slots"]["b"]["reason"], "unhealthy", "reason")
            contains(told["slots"]["b"]["detail"], "gate", "detail")
            contains(agent.out("keelctl slot history"), "failed", "history")
        with tap.case("the way back is not touched while an update is on trial"):
            found, text = agent.run("keelctl slot reject a")
            equal(found, NEEDED, text)
            found, text = agent.run("keelctl slot bless --undo a")
            equal(found, NEEDED, text)
        with tap.case("an operator blesses a slot whose condition is not met"):
            agent.out("keelctl slot bless", timeout=60)
            equal(disk.slots()["b"][1:], (TRIES, True), "slot b")
        with tap.case("an operator rolls back: the other slot boots, this image is rejected"):
            mark = machine.mark()
            agent.out("keelctl slot rollback")
            agent.send("keelctl reboot")
            settle(machine, "a", mark)
            agent.wait()
            told = status(agent)
            equal(told["slots"]["b"]["rejected"], True, "rejected")
            equal(told["slots"]["b"]["reason"], "rejected", "reason")


def late(tap, bench):
    disk = bench.disk()
    part = disk.partitions()["root-a"]
    data = disk.read(part.offset_bytes, part.size_bytes)
    assert data.count(LATE) == 1, f"{LATE!r} is not at one place of the root"
    disk.flip("root-a", data.index(LATE))
    disk.set_slot("a", 15, TRIES, True)
    with bench.boot(disk) as machine:
        agent = Agent(machine)
        with tap.case("a good slot whose bad block is read after health ends in the other one"):
            mark = 0
            for left in range(TRIES - 1, -1, -1):
                settle(machine, "a", mark)
                equal(disk.slots()["a"][1:], (left, True), "slot a, blessed")
                agent.wait()
                mark = machine.mark()
                agent.send("cat /usr/share/late")
                machine.wait("Kernel panic", timeout=60, since=mark)
            settle(machine, "b", mark)
            agent.wait()
            equal(disk.slots()["a"], (0, 0, False), "slot a")
        with tap.case("the slot that was given up is found damaged by every block"):
            found, text = agent.run("keelctl slot verify a", timeout=120)
            equal(found, DAMAGED, text)
        with tap.case("the slot that runs is found whole by every block"):
            agent.out("keelctl slot verify b", timeout=120)
        with tap.case("the slot that took over has all its tries after an orderly end"):
            agent.send("keelctl poweroff")
            machine.ended(60)
            equal(disk.slots()["b"][1:], (TRIES, True), "slot b")


def epochs(tap, bench):
    disk = bench.next_disk(epoch=2)
    with bench.boot(disk) as machine:
        agent = Agent(machine)
        with tap.case("a blessing raises the epoch, and an older image is outdated"):
            settle(machine, "b")
            agent.wait()
            told = status(agent)["slots"]
            equal((told["a"]["epoch_blessed"], told["b"]["epoch_blessed"]), (2, 2), "marks")
            equal(told["a"]["verdict"], "outdated", "verdict of slot a")
            agent.send("keelctl poweroff")
            machine.ended(60)
    with tap.case("an older epoch is refused at boot, whatever the command line says"):
        with bench.boot(disk, "keelson.slot=a") as machine:
            chosen(machine, "b")
            contains(machine.text(), "that slot is not sound", "console")


def commands(tap, bench):
    disk = bench.disk()
    with bench.boot(disk) as machine:
        agent = Agent(machine)
        settle(machine, "a")
        agent.wait()
        with tap.case("keelctl slot tells of both slots, and which one boots next"):
            text = agent.out("keelctl slot")
            contains(text, "next", "status")
            equal(text.count("1.0.0"), 2, "versions")
        with tap.case("switch there and back"):
            agent.out("keelctl slot switch")
            equal(status(agent)["next"], "b", "next")
            agent.out("keelctl slot switch a")
            equal(status(agent)["next"], "a", "next")
            contains(agent.out("keelctl slot history --json"), '"event": "switched"', "history")
        with tap.case("the image that both slots hold cannot be rejected or rolled back"):
            equal(agent.run("keelctl slot reject --force b")[0], NEEDED, "reject")
            equal(agent.run("keelctl slot rollback --force")[0], NEEDED, "rollback")
        with tap.case("a blessed slot is put on trial again"):
            equal(agent.run("keelctl slot bless --undo")[0], NEEDED, "without --force")
            agent.out("keelctl slot bless --undo --force")
            equal(disk.slots()["a"][1:], (TRIES, False), "slot a")
            mark = machine.mark()
            agent.send("keelctl reboot")
            settle(machine, "a", mark)
            equal(disk.slots()["a"][1:], (TRIES, True), "slot a")
        with tap.case("what is no slot command is told with the usage"):
            agent.wait()
            equal(agent.run("keelctl slot reject")[0], USAGE, "reject without a slot")
            equal(agent.run("keelctl slot nonsense")[0], USAGE, "nonsense")
            equal(agent.run("keelctl slot switch --force")[0], USAGE, "switch --force")


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    made, following = image("trials"), image("trials-next")
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(made, following, work)
        first_boot(tap, bench)
        commands(tap, bench)
        unhealthy(tap, bench)
        late(tap, bench)
        epochs(tap, bench)
        dies(tap, bench, "panics", panics, True)
        dies(tap, bench, "hangs", hangs, "KEELSON_TEST_ALL" in os.environ)
    tap.end()


if __name__ == "__main__":
    main()
