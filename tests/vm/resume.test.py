#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=900
"""An install that is killed, then one that loses its power: each goes on where the one before was.

The bundle lies on a second disk, and is given to keelctl through a pipe, as whoever fetches it would:
first its head, to be told from which byte on it is needed, then head and rest. install.test.py cuts
the stream instead, and power.test.py looks at every write.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, image, scale, unmet  # noqa: E402
from harness import writes  # noqa: E402
from harness.bundle import bundle  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

TRIES = 3
HEAD = 8192  # of a bundle: what --next has to see
JOURNAL = 16 << 20  # bytes between two entries of the journal
MORE = JOURNAL + (1 << 20)


class Bench:
    def __init__(self, work):
        self.work = work
        self.made, self.following = image("resume"), image("resume-next")
        self.shelf = bundle(self.following, f"{work}/next.bundle")
        self.size = os.path.getsize(self.shelf)

    def boot(self, name, disk, logged=None):
        log = Path(f"build/test-log/resume-{name}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        extra = writes.options(disk.path, logged) if logged else ()
        return Machine(self.made.kernel, self.made.initrd, None if logged else disk.path,
                       self.made.cmdline(), memory="512M", log=log,
                       extra=(*extra, "-drive",
                              f"if=none,id=shelf,file={self.shelf},format=raw,readonly=on",
                              "-device", "virtio-blk-pci,drive=shelf"))


def settle(machine, slot, since=0):
    machine.wait(f"slot {slot}: blessed at", timeout=120, since=since)


def lines(text, event):
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def next_byte(agent):
    """What a node says that is asked with the head of the bundle: (offset, bytes there)."""
    told = agent.out(f"head -c {HEAD} /dev/vdb | keelctl slot install --next --json -", timeout=60)
    line = lines(told, "next")[0]
    return line["offset"], line["bytes"]


def from_byte(first):
    """A command of the guest: the bundle's head, then the bundle from that byte on."""
    return f"head -c {HEAD} /dev/vdb; tail -c +{first + 1} /dev/vdb"


def begin(agent, first, end, enough):
    """Install from byte `first` to byte `end` of a pipe that then stays open, until `enough` bytes
    of the image were written; returns how many were."""
    agent.out(f"rm -f /run/f; mkfifo /run/f; {{ ({{ {from_byte(first)}; }} |"
              f" head -c {HEAD + end - first}; sleep 6000) >/run/f & }};"
              f" (exec keelctl slot install --json --from {first} - </run/f >/run/told 2>&1) &"
              " echo $! >/run/pid")
    deadline = time.monotonic() + 240 * scale()
    while True:
        told = agent.out("cat /run/told")
        done = [line["bytes"] for line in lines(told, "written")]
        if done and done[-1] >= enough:
            return done[-1]
        assert time.monotonic() < deadline, f"{enough} bytes are not written:\n{told}"
        time.sleep(0.5)


def is_empty(disk, before):
    slots = disk.slots()
    equal(slots["b"], (0, 0, False), "slot b")
    equal(slots["a"], before, "slot a")
    assert not any(disk.partition_read("root-b-header", 0, 4096)), "slot b has a header"


def cut_short(tap, bench, disk, log):
    """Killed, then without power; returns how far each attempt came as (next byte, bytes)."""
    with bench.boot("cut", disk, logged=log) as machine:
        settle(machine, "a")
        agent = Agent(machine).wait()
        before = disk.slots()["a"]
        first, _ = next_byte(agent)
        with tap.case("an installer that is killed leaves a slot that is not bootable"):
            done = begin(agent, first, bench.size * 3 // 4, MORE)
            agent.out("kill -9 $(cat /run/pid)")
            is_empty(disk, before)
        with tap.case("what was flushed before need not be given again"):
            killed = next_byte(agent)
            tap.note(f"killed after {done} bytes, goes on after {killed[1]}, at byte {killed[0]}")
            assert JOURNAL <= killed[1] <= done and first < killed[0] < bench.size, killed
        with tap.case("the next attempt goes on there, and the power fails"):
            done = begin(agent, killed[0], bench.size - HEAD, killed[1] + MORE)
            machine.kill()
            tap.note(f"cut after {done} bytes")
    return killed, done


def flushed(log, disk):
    """Of what the machine wrote only that which a flush made durable, onto the disk it began with.

    QEMU counts an entry of the log at the next flush."""
    with open(disk.path, "r+b") as file:
        for write in writes.read(log):
            if write.data:
                file.seek(write.offset)
                file.write(write.data)


def goes_on(tap, bench, disk, killed, done):
    with bench.boot("goes-on", disk) as machine:
        with tap.case("after the cut the old slot boots"):
            machine.wait("slot b: unsigned", timeout=60)
            settle(machine, "a")
        agent = Agent(machine).wait()
        with tap.case("and the install goes on behind what the second attempt had flushed"):
            is_empty(disk, disk.slots()["a"])
            first, there = next_byte(agent)
            tap.note(f"goes on after {there} bytes, at byte {first} of {bench.size}")
            assert killed[1] + JOURNAL <= there <= done and killed[0] < first, (first, there)
            told = agent.out(f"{{ {from_byte(first)}; }} |"
                             f" keelctl slot install --json --from {first} -", timeout=300)
            equal(len(lines(told, "installed")), 1, told)
            assert all(line["bytes"] > there for line in lines(told, "written")), told
            equal(disk.slots()["b"][1:], (TRIES, False), "slot b")
        with tap.case("what was put together from three attempts boots, is whole, and is blessed"):
            agent.out("keelctl slot verify b", timeout=180)
            mark = machine.mark()
            agent.send("keelctl reboot")
            settle(machine, "b", mark)
            agent.wait()
            contains(agent.out("cat /usr/share/next"), "the next image", "file of the image")


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(work)
        disk = Disk(bench.made.disk).clone(f"{work}/disk.img")
        left = disk.clone(f"{work}/left.img")
        log = f"{work}/writes"
        killed, done = cut_short(tap, bench, disk, log)
        flushed(log, left)
        goes_on(tap, bench, left, killed, done)
    tap.end()


if __name__ == "__main__":
    main()
