#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=1800
"""The state partition and each slot's /etc: made, marked and made anew, damaged, grown; with the power cut on the way.

The image is profile/state.yaml. What is on the disk is read by the host, with programs of e2fsprogs
and gdisk. With --all the power is cut at more places and more is reset.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, image, scale, unmet  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

MARK = b"KEELSON\n"  # state_mark.h
ALL = bool(os.environ.get("KEELSON_TEST_ALL"))
MADE = "/var: a new, empty file system was made"
MIB = 1 << 20


class Bench:
    def __init__(self, made, work):
        self.made = made
        self.work = work
        self.count = 0
        self.fresh = Disk(made.disk)
        self.settled = None  # booted once, with a file on the state partition

    def disk(self, source=None):
        self.count += 1
        return (source or self.fresh).clone(f"{self.work}/disk{self.count}.img")

    def boot(self, disk, *words, **options):
        self.count += 1
        log = Path(f"build/test-log/state-{self.count}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        return Machine(self.made.kernel, self.made.initrd, disk.path, self.made.cmdline(*words),
                       memory="512M", log=log, **options)

    def check(self, disk):
        """What e2fsck says of the state partition, which must not be mounted."""
        state = disk.extract("state", f"{self.work}/check.img")
        check = subprocess.run(["e2fsck", "-fn", state], text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False)
        return check.returncode, check.stdout

    def debugfs(self, disk, *commands):
        state = disk.extract("state", f"{self.work}/debugfs.img")
        for command in commands:
            subprocess.run(["debugfs", "-w", "-R", command, state], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        disk.partition_write("state", 0, Path(state).read_bytes())


def up(machine, slot="a", since=0):
    machine.wait(f"slot {slot}: blessed at", timeout=120, since=since)
    return Agent(machine).wait()


def off(machine, agent):
    agent.send("keelctl poweroff")
    machine.ended(60)


def empty(disk):
    disk.partition_write("state", 0, bytes(disk.partitions()["state"].size_bytes))


def blocks(disk):
    """How many blocks of the first MiB hold something."""
    start = disk.partition_read("state", 0, MIB)
    return sum(1 for at in range(0, MIB, 4096) if any(start[at:at + 4096]))


def magic(disk):
    return disk.partition_read("state", 1080, 2) == b"\x53\xef"


def made(tap, bench):
    with tap.case("an empty partition is made into a file system, and first-boot holds once"):
        disk = bench.disk()
        empty(disk)
        with bench.boot(disk) as machine:
            agent = up(machine)
            machine.wait(MADE, timeout=1)
            agent.out("echo kept >/var/file; mkdir /var/lost; echo gone >/var/lost/file")
            off(machine, agent)
        equal(bench.check(disk)[0], 0, "e2fsck")
        bench.settled = bench.disk(disk)
        with bench.boot(disk) as machine:
            off(machine, up(machine))
            assert MADE not in machine.text(), "made again"
    for until, reached in (("some blocks are written", lambda disk: blocks(disk) > 3),
                           ("the mark is there", lambda disk: True),
                           ("a superblock is there", magic))[:None if ALL else 1]:
        with tap.case(f"power that fails in the making, when {until}, does no harm"):
            disk = bench.disk()
            empty(disk)
            # Slow enough to be cut in the middle.
            slow = ",throttling.iops-write=100,throttling.iops-size=4096"
            with bench.boot(disk, drive=slow) as machine:
                deadline = time.monotonic() + 90 * scale()
                while disk.partition_read("state", 0, 8) != MARK or not reached(disk):
                    assert time.monotonic() < deadline, machine.tail()
                    time.sleep(0.01)
                machine.kill()
            tap.note(f"{blocks(disk)} blocks written, {'a' if magic(disk) else 'no'} superblock, "
                     f"marked: {disk.partition_read('state', 0, 8) == MARK}")
            with bench.boot(disk) as machine:
                agent = up(machine)
                agent.out("echo kept >/var/file")
                off(machine, agent)
            equal(bench.check(disk)[0], 0, "e2fsck")
            assert disk.partition_read("state", 0, 8) != MARK


def reset(tap, bench):
    disk = bench.disk()
    with bench.boot(disk) as machine:
        agent = up(machine)
        agent.out("echo old >/var/file; sync")
        with tap.case("without a terminal a reset has to be confirmed with --yes"):
            status, told = agent.run("keelctl reset --state")
            equal(status, 2, told)
            contains(told, "/var (/dev/vda", "message")
            contains(told, "--yes", "message")
            equal(agent.run("keelctl reset")[0], 2, "without --state")
            agent.out("sync")
            assert disk.partition_read("state", 0, 8) != MARK
        with tap.case("a confirmed reset marks the partition and leaves the running node alone"):
            told = agent.out("keelctl reset --state --yes --json")
            contains(told, '"event": "marked"', "line")
            equal(disk.partition_read("state", 0, 8), MARK, "start of the partition")
            equal(agent.out("cat /var/file"), "old\n")
        identity = agent.out("cat /etc/machine-id")
        slots = disk.slots()
        machine.kill()
    with tap.case("after a power cut the partition is made anew at the next boot, the slots stay"):
        with bench.boot(disk) as machine:
            agent = up(machine)
            machine.wait(MADE, timeout=1)
            assert agent.run("cat /var/file")[0], "the file is still there"
            assert agent.out("cat /etc/machine-id") != identity, "the same machine-id"
            # A good slot's try comes back at an orderly end, or when it has run for long enough.
            priority, tries, successful = slots["a"]
            equal(disk.slots(), {**slots, "a": (priority, tries - 1, successful)}, "slots")
            agent.out("echo new >/var/file")
            off(machine, agent)
    with tap.case("only once, and the other slot sees the same state"):
        with bench.boot(disk, "keelson.slot=b") as machine:
            agent = up(machine, "b")
            equal(agent.out("cat /var/file"), "new\n")
            off(machine, agent)
    if ALL:
        words(tap, bench, disk)


def words(tap, bench, disk):
    with tap.case("the kernel's word makes it anew as well"):
        with bench.boot(disk, "keelson.reset=state") as machine:
            agent = up(machine)
            machine.wait(MADE, timeout=1)
            assert agent.run("cat /var/file")[0], "the file is still there"
            off(machine, agent)
    with tap.case("what is no ext4 is refused, and overwritten when the kernel's word says so"):
        disk.partition_write("state", 0, b"somebody's data " * 4096)
        with bench.boot(disk, reboot=False) as machine:
            machine.wait("/var: not an ext4 file system: Wrong medium type", timeout=90)
            machine.ended(60)
        equal(disk.partition_read("state", 0, 15), b"somebody's data")
        with bench.boot(disk, "keelson.reset=state") as machine:
            off(machine, up(machine))
        equal(bench.check(disk)[0], 0, "e2fsck")


def damaged(tap, bench):
    with tap.case("a damaged file system is repaired at boot, and what can be kept is"):
        disk = bench.disk(bench.settled)
        bench.debugfs(disk, "clri /lost", "set_super_value state 2")
        status, told = bench.check(disk)
        assert status, told
        with bench.boot(disk) as machine:
            agent = up(machine)
            equal(agent.out("cat /var/file"), "kept\n")
            off(machine, agent)
        status, told = bench.check(disk)
        equal(status, 0, told)


def grown(tap, bench):
    with tap.case("a disk that grew: table, partition and file system grow, data stays"):
        disk = bench.disk(bench.settled)
        before = disk.partitions()["state"]
        os.truncate(disk.path, disk.size_bytes() + 192 * MIB)
        with bench.boot(disk) as machine:
            agent = up(machine)
            equal(agent.out("cat /var/file"), "kept\n")
            blocks = int(agent.out("df -m /var | tail -1").split()[1])
            off(machine, agent)
        after = disk.partitions("backup")["state"]
        equal(disk.partitions()["state"], after, "the copies")
        equal(after.size_bytes - before.size_bytes, 192 * MIB, "growth")
        assert blocks > 200, f"{blocks} MiB"
        disk.verify()
        equal(bench.check(disk)[0], 0, "e2fsck")


LAYERS = "/var/lib/keelson/overlay/etc"
CHANGES = """
echo mine >/etc/app/config
cp /etc/app/other /run/other; cat /run/other >/etc/app/other
echo mine >/etc/added; rm /etc/removed
rm /etc/was-a-file; mkdir /etc/was-a-file; echo mine >/etc/was-a-file/new
rm -r /etc/was-a-directory; echo mine >/etc/was-a-directory
rm -r /etc/opaque; mkdir /etc/opaque; echo mine >/etc/opaque/mine
ln -s /var /etc/out
"""
REPORT = """added        /etc/added
changed      /etc/app/config
identical    /etc/app/other
opaque       /etc/opaque/
removed      /etc/opaque/file
added        /etc/opaque/mine
added        /etc/out
removed      /etc/removed
type-changed /etc/was-a-directory
type-changed /etc/was-a-file/
added        /etc/was-a-file/new
"""


def report(agent):
    return agent.out("keelctl etc diff")


def etc(tap, bench):
    disk = bench.disk()
    with bench.boot(disk) as machine:
        agent = up(machine)
        before = report(agent)
        # What the boot itself writes, at every boot.
        with tap.case("what was changed in /etc is told, by kind"):
            agent.out(CHANGES)
            told = report(agent)
            equal("".join(line + "\n" for line in told.splitlines()
                          if line + "\n" not in before), REPORT)
        with tap.case("as JSON, too"):
            lines = [json.loads(line)
                     for line in agent.out("keelctl etc diff --json").splitlines()]
            equal([line["change"] for line in lines if line["path"] == "/etc/removed"],
                  ["removed"])
        with tap.case("a reset that cannot be is refused, with the reason"):
            for path, word in (("/etc/hosts.none", "already"), ("/etc/opaque/file", "/etc/opaque"),
                               ("../var", "not a path"), ("/etc/a/../../var", "not a path")):
                status, told = agent.run(f"keelctl etc reset {path}")
                assert status, path
                contains(told, word, path)
        with tap.case("a reset is done at the next boot, a power cut in between or not"):
            agent.out("keelctl etc reset /etc/removed app/other opaque/ /etc/was-a-file /etc/out")
            equal(agent.run("cat /etc/removed")[0], 1, "not before")
            agent.out("sync")
            machine.kill()
    with tap.case("what was reset is the image's, what was not is kept"):
        with bench.boot(disk) as machine:
            agent = up(machine)
            equal(agent.out("cat /etc/removed /etc/app/other /etc/opaque/file /etc/was-a-file"),
                  4 * "of the image\n")
            equal(agent.out("cat /etc/app/config /etc/added /etc/was-a-directory"), 3 * "mine\n")
            assert agent.run("ls -d /etc/out /etc/opaque/mine")[0], "still there"
            assert agent.run(f"ls {LAYERS}/a/*/reset")[0], "marks are left"
            assert agent.out("ls /var/lib"), "a link was followed"
            agent.out(f"mkdir -p {LAYERS}/b/0123456789abcdef/upper/x; sync")
            off(machine, agent)
    with tap.case("the other slot has its own, clean, and what an earlier image left there goes"):
        with bench.boot(disk, "keelson.slot=b") as machine:
            agent = up(machine, "b")
            equal(agent.out("cat /etc/app/config"), "of the image\n")
            equal(report(agent), before)
            equal(agent.out(f"ls {LAYERS}/b | wc -l").strip(), "1")
            off(machine, agent)
    with tap.case("all of it can be reset"):
        with bench.boot(disk) as machine:
            agent = up(machine)
            equal(agent.out("cat /etc/added"), "mine\n")
            agent.out("keelctl etc reset")
            mark = machine.mark()
            agent.send("keelctl reboot")
            machine.wait("slot a: blessed at", timeout=120, since=mark)
            agent.wait()
            equal(report(agent), before)
            off(machine, agent)


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(image("state"), work)
        made(tap, bench)
        reset(tap, bench)
        etc(tap, bench)
        if bench.settled:
            damaged(tap, bench)
            grown(tap, bench)
    tap.end()


if __name__ == "__main__":
    main()
