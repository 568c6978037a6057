#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: tier=all
# keelson-test: timeout=1500
"""The hardware watchdog: a PID 1 that hangs is reset, and that costs a try; a healthy one is not.

QEMU's i6300esb tells after a reset that it was the reason. PID 1 is made to hang by its own group's
freezer (cgroup-v2.rst, cgroup.freeze): it stands still wherever it is, as in a fault of its own.

For the kexec the bootstrap's boot plan is changed: it says that another kernel runs than the one of the
image, as that of an older image would.
"""

import json
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, image, unmet  # noqa: E402
from harness.initramfs import replace  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

TIMEOUT_S = 60  # WATCHDOG_TIMEOUT_S of init/watchdog.h
RESTART_S = 600  # WATCHDOG_RESTART_S
TRIES = 3
DEVICE = "/sys/class/watchdog/watchdog0"
PLAN_CRC_AT = 20  # offsetof(struct plan_header, crc32), rootfs-spec/plan.h
GOES_ON = "goes on under its own kernel"
FREEZE = "echo 1 >/sys/fs/cgroup/init/cgroup.freeze"


def never_healthy(disk, work):
    """A state partition whose gate is closed: the slot is not blessed, its try stays burned."""
    tree = Path(work) / "state"
    tree.mkdir()
    (tree / "gate").write_text("a\n")
    part = disk.partitions()["state"]
    made = Path(work) / "state.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", "-d", tree, made,
                    f"{part.size_bytes // 1024}k"], check=True, stdout=subprocess.DEVNULL)
    disk.partition_write("state", 0, made.read_bytes())


def machine(made, disk, number, initrd=None, words=None):
    """`words`: the whole command line, where the harness's own `panic=1` is in the way."""
    log = Path(f"build/test-log/watchdog-{number}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    return Machine(made.kernel, initrd or made.initrd, disk.path,
                   words or made.cmdline("loglevel=7"), memory="768M", log=log,
                   extra=["-device", "i6300esb"])


def older_bootstrap(made, work):
    """The image's initramfs, made for another kernel."""
    plan = bytearray(made.boot_plan())
    digest = bytes.fromhex(made.manifest["kernel"]["sha256"])
    equal(plan.count(digest), 1, "places of the kernel's digest in the boot plan")
    plan[plan.index(digest)] ^= 1
    struct.pack_into("<I", plan, PLAN_CRC_AT, 0)
    struct.pack_into("<I", plan, PLAN_CRC_AT, zlib.crc32(plan))
    return replace(made.initrd, {"keelson/boot.plan": bytes(plan)}, f"{work}/older.img")


def chosen(node, since=0):
    return node.wait("keelson: slot a: chosen:", timeout=240, since=since)


def healthy(tap, made, disk):
    with machine(made, disk, 1) as node:
        node.wait("slot a: blessed at", timeout=240)
        agent = Agent(node).wait()
        with tap.case("it is armed, with the timeout that was asked for"):
            equal(agent.out(f"cat {DEVICE}/state").strip(), "active", "state")
            equal(agent.out(f"cat {DEVICE}/timeout").strip(), str(TIMEOUT_S), "timeout")
        with tap.case("a healthy node is not reset, not even one whose PID 1 executes itself anew"):
            mark = node.mark()
            agent.out("keelctl reexec; sleep 1")
            contains(node.text(), "execution 2", "console")
            time.sleep(TIMEOUT_S + 20)
            agent.out("true")
            equal(agent.out(f"cat {DEVICE}/state").strip(), "active", "state")
            assert not any("Linux version" in line for line in node.console[mark:]), node.tail()
        with tap.case("it stays armed to the last instruction of a reboot"):
            mark = node.mark()
            agent.send("keelctl reboot")
            node.wait("reboot: Restarting system", since=mark)
            assert "watchdog did not stop" not in "\n".join(node.console[mark:]), node.tail()
            contains(node.text(), f"shutdown: watchdog: asked for {RESTART_S} s", "console")
            chosen(node, since=mark)
            node.wait("slot a: blessed at", timeout=120, since=mark)
            agent.wait()
            equal(json.loads(agent.out("keelctl last --json"))["cause"], "orderly", "cause")
        with tap.case("a halt lasts: it is switched off before"):
            mark = node.mark()
            agent.send("keelctl halt")
            node.wait("reboot: System halted", since=mark)
            time.sleep(TIMEOUT_S + 20)
            assert not any("Linux version" in line for line in node.console[mark:]), node.tail()


def hung(tap, made, disk, work):
    never_healthy(disk, work)
    with machine(made, disk, 2) as node:
        contains(chosen(node), f"{TRIES - 1} tries left", "the first boot")
        agent = Agent(node).wait()
        mark = node.mark()
        with tap.case("a PID 1 that hangs is reset, and the try it took is lost"):
            began = time.monotonic()
            agent.out(FREEZE)
            line = chosen(node, since=mark)
            tap.note(f"{time.monotonic() - began:.0f} s from the hang to the next boot")
            contains(line, f"{TRIES - 2} tries left", "the next boot")
            equal(disk.slots()["a"][1], TRIES - 2, "tries on the disk")
        with tap.case("the next boot says that it was the watchdog"):
            node.wait("keelson: last boot: reset by the watchdog", since=mark)
            agent.wait()
            record = json.loads(agent.out("keelctl last --json"))
            equal((record["cause"], record["state"], record["reset_by_watchdog"]),
                  ("watchdog", "running", True), "how it ended")


def beyond_kexec(tap, made, disk, initrd):
    with machine(made, disk, 3, initrd=initrd) as node:
        with tap.case("after a kexec it is armed again, and the second kernel's PID 1 feeds it"):
            node.wait(f"slot a: {GOES_ON}", timeout=360)
            node.wait("slot a: blessed at", timeout=240)
            agent = Agent(node).wait()
            equal(agent.out(f"cat {DEVICE}/state").strip(), "active", "state")
            equal(agent.out(f"cat {DEVICE}/timeout").strip(), str(TIMEOUT_S), "timeout")
            mark = node.mark()
            time.sleep(TIMEOUT_S + 20)
            agent.out("true")
            assert not any("Linux version" in line for line in node.console[mark:]), node.tail()
        with tap.case("a PID 1 that hangs after a kexec is reset"):
            mark = node.mark()
            agent.out(FREEZE)
            chosen(node, since=mark)
        with tap.case("the device says so once, to the first kernel, and the second one tells it"):
            node.wait(f"slot a: {GOES_ON}", timeout=360, since=mark)
            node.wait("keelson: last boot: reset by the watchdog", timeout=240, since=mark)
            agent.wait()
            record = json.loads(agent.out("keelctl last --json"))
            equal((record["cause"], record["reset_by_watchdog"]), ("watchdog", True), "how it ended")


def silent(tap, made, disk, initrd):
    """Slot b's kernel stands still before its PID 1 runs: no panic's timer, no deadline ends that."""
    disk.put_image("b", image("kernel-hangs"))
    disk.set_slot("b", 15, 1, False)
    words = made.manifest["kernel"]["cmdline"] + " console=ttyS0 loglevel=7"
    with machine(made, disk, 4, initrd=initrd, words=words) as node:
        with tap.case("a kernel that hangs after a kexec, before its PID 1 runs, is reset, and its try is lost"):
            node.wait("Kernel panic", timeout=360)
            contains(node.text(), "keelson: slot b: chosen:", "console")
            assert f"slot b: {GOES_ON}" not in node.text(), node.tail()
            mark, began = node.mark(), time.monotonic()
            chosen(node, since=mark)
            tap.note(f"{time.monotonic() - began:.0f} s from the hang to the next boot")
            assert "Rebooting in" not in node.text(), "the kernel rebooted by itself"
            equal(disk.slots()["b"][1], 0, "tries of slot b")
        with tap.case("... and the other slot runs, under a kernel of its own, too"):
            node.wait(f"slot a: {GOES_ON}", timeout=240, since=mark)
            node.wait("slot a: blessed at", timeout=240, since=mark)
            equal(disk.slots()["b"], (0, 0, False), "slot b")


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    made = image("watchdog")
    with tempfile.TemporaryDirectory() as work:
        disk = Disk.copy(made.disk, f"{work}/disk.img")
        second, third, fourth = (disk.clone(f"{work}/{name}.img")
                                 for name in ("second", "third", "fourth"))
        hung(tap, made, second, work)
        healthy(tap, made, disk)
        older = older_bootstrap(made, work)
        beyond_kexec(tap, made, third, older)
        silent(tap, made, fourth, older)
    tap.end()


if __name__ == "__main__":
    main()
