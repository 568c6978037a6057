#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=600
"""The end of a machine: whatever hangs it comes, the disk is clean, and the next boot can tell.

One disk goes through several boots. Before the first end everything is in its way: a FUSE file system
that does not answer, a process that waits for it for ever, a disk in a file, one mapped over another,
a swap file, and somebody who ignores every signal that can be ignored.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, image, scale, unmet  # noqa: E402
from harness.image import BUILD  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

ALL = os.environ.get("KEELSON_TEST_ALL")
# Budget 5 s, what has to be killed 2 + 2, then processes 1 + 2, the mounts that hang; slow machine.
HUNG_S = 40
TROUBLE = BUILD / "tests/vm-trouble"

MAKE_TROUBLE = """
set -e
modprobe() { :; }
losetup /dev/loop0 /var/disk.img
mkdir /run/disk /run/mapped
mount -t ext4 /dev/loop0 /run/disk
losetup /dev/loop1 /var/mapped.img
mount -t ext4 "$(/var/bin/trouble mapped data /dev/loop1)" /run/mapped
echo written >/run/disk/file
echo written >/run/mapped/file
dd if=/dev/zero of=/var/swap bs=1M count=2
chmod 600 /var/swap
mkswap /var/swap
swapon /var/swap
# In PID 1's own group, where no service's end reaches it.
setsid sh -c 'echo $$ >/sys/fs/cgroup/init/cgroup.procs; trap "" TERM HUP INT
              exec </dev/null >/dev/null 2>&1
              touch /run/deaf; while :; do sleep 1; done' &
setsid /var/bin/trouble fuse /var/fuse /var/held </dev/null >/run/hung 2>&1 &
"""


def ext4(path, size, tree=None):
    make = ["mke2fs", "-q", "-t", "ext4", "-F"]
    if tree:
        make += ["-d", str(tree)]
    subprocess.run([*make, str(path), size], check=True, stdout=subprocess.DEVNULL)
    return path


def state_with_tools(disk, work):
    """Make the state partition as the node would, with the test's files on it."""
    tree = Path(work) / "state"
    (tree / "bin").mkdir(parents=True)
    subprocess.run(["strip", "-o", str(tree / "bin/trouble"), str(TROUBLE)], check=True)
    ext4(tree / "disk.img", "4M")
    ext4(tree / "mapped.img", "4M")
    part = disk.partitions()["state"]
    made = ext4(Path(work) / "state.img", f"{part.size_bytes // 1024}k", tree)
    disk.partition_write("state", 0, made.read_bytes())


def clean(path):
    """Nothing to repair, and no journal to replay."""
    check = subprocess.run(["e2fsck", "-fn", path], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False)
    equal(check.returncode, 0, check.stdout)
    features = subprocess.run(["dumpe2fs", "-h", path], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True).stdout
    assert "needs_recovery" not in features, features
    contains(features, "Filesystem state:         clean", "superblock")


def last(agent):
    return json.loads(agent.out("keelctl last --json"))


class Node:
    """The machine through its boots."""

    def __init__(self, made, disk, number):
        log = Path(f"build/test-log/shutdown-{number}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        self.machine = Machine(made.kernel, made.initrd, disk.path, made.cmdline("loglevel=7"),
                               memory="512M", log=log)
        self.mark = 0
        self.agent = None  # one connection: the port has room for no other

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.machine.kill()

    def up(self):
        """Wait for this boot's services; the agent of it."""
        self.machine.wait("slot a: blessed at", timeout=180, since=self.mark)
        self.mark = self.machine.mark()
        self.agent = self.agent or Agent(self.machine)
        return self.agent.wait()

    def wait(self, text, timeout=60):
        return self.machine.wait(text, timeout=timeout, since=self.mark)

    def since(self):
        return "\n".join(self.machine.console[self.mark:])


def hang(tap, node, agent):
    with tap.case("a FUSE file system below /var stops answering, with somebody waiting for it"):
        agent.out(MAKE_TROUBLE)
        agent.until("grep -q hung /run/hung && test -e /run/deaf", 20)
        # Its server is gone then, and it cannot go: in an uninterruptible sleep.
        agent.out("kill -9 $(pidof trouble)")
        agent.until("grep -q '^State:.D' /proc/$(pidof trouble)/status", 20)
        contains(agent.out("cat /proc/swaps"), "/var/swap", "swaps")
    with tap.case("the power button is pressed: the machine is off within the budget all the same"):
        began = time.monotonic()
        node.machine.powerdown()
        node.wait("shutdown: poweroff at")
        contains(node.since(), "asked by the power button", "console")
        equal(node.machine.ended(HUNG_S), 0, "exit status of QEMU")
        tap.note(f"{time.monotonic() - began:.1f} s from the button to the end")
        contains(node.since(), "reboot: Power down", "console")
    with tap.case("every step of it is in the log, with its time"):
        text = node.since()
        for step in ("stop services", "kill leftovers", "end processes", "switch swapping off",
                     "flush", "unmount", "flush the rest"):
            contains(text, f"keelson: shutdown: {step}", "console")
        contains(text, "shutdown: stop services: over after", "console")
        contains(text, "1 swap areas switched off", "console")
        contains(text, "2 loop devices detached", "console")
        contains(text, " 0 left", "console")
        for line in ("BUG:", "WARNING:", "Oops", "Kernel panic"):
            assert line not in text, text


def disks(tap, disk, work):
    with tap.case("the state file system is clean, its journal needs no replay"):
        state = disk.extract("state", f"{work}/after.img")
        clean(state)
    for name in ("disk.img", "mapped.img"):
        with tap.case(f"so is the one in {name}, and what was written is there"):
            inner = f"{work}/inner-{name}"
            subprocess.run(["debugfs", "-R", f"dump {name} {inner}", state], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            clean(inner)
            told = subprocess.run(["debugfs", "-R", "cat file", inner], check=True, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            equal(told, "written\n", "the file")


def told(tap, node, agent):
    with tap.case("the next boot tells how the last one ended, step by step"):
        record = last(agent)
        for key, value in (("cause", "orderly"), ("state", "ended"), ("action", "poweroff"),
                           ("by", "button"), ("slot", "a"), ("blessed", True),
                           ("reset_by_watchdog", False), ("forced", False)):
            equal(record[key], value, key)
        steps = {step["name"]: step for step in record["steps"]}
        for name in ("stop services", "kill leftovers", "end processes", "unmount"):
            assert name in steps, steps
            assert steps[name]["end_ns"] >= steps[name]["start_ns"] > 0, steps[name]
        equal(steps["unmount"]["errno"], 0, "errno of the unmounting")
        notes = "\n".join(record["notes"])
        contains(notes, "asked by the power button", "notes")
        for line in ("segfault", "BUG:", "keelson: last record"):
            assert line not in node.machine.text(), node.machine.text()
        contains(notes, "service agent: could not be ended", "notes")
        contains(notes, "(trouble) left behind in state D", "notes")
        contains(agent.out("keelctl last"), "orderly", "what people see")


def kexec(tap, node, agent):
    with tap.case("kexec is refused when no kernel is loaded, and nothing is stopped for it"):
        status, output = agent.run("keelctl kexec")
        assert status, output
        agent.out("kill -40 1; sleep 1")
        assert "shutdown: kexec at" not in node.since(), node.since()
        equal(agent.run("keelctl status")[0] in (0, 3), True, "it still answers")
    with tap.case("a loaded kernel is started by SIGRTMIN+6, after an orderly end"):
        agent.out("/var/bin/trouble kexec /usr/lib/keelson/vmlinuz "
                  "'console=ttyS0 loglevel=6 panic=1 again=1'", timeout=60)
        agent.send("kill -40 1; sleep 5")  # it is there to be named
        node.wait("shutdown: kexec at")
        node.wait("shutdown: unmount: done")
        node.wait("Kernel command line: console=ttyS0 loglevel=6 panic=1 again=1")
        # It has no initramfs: it panics for want of a root, and the machine boots as ever.
        node.wait("Kernel panic")
        node.wait("Rebooting in")
        node.mark = node.machine.mark()


def told_kexec(tap, agent):
    with tap.case("the kexec was an orderly end, asked for by a signal, and says by whom"):
        record = last(agent)
        equal((record["cause"], record["action"], record["by"]), ("orderly", "kexec", "signal"),
              "how it ended")
        contains(record["notes"][0], "signal 40 from sh (", "note")


def asked_again(tap, node, agent):
    with tap.case("asked a second time while a disk hangs, it waits for it no longer"):
        agent.out("losetup /dev/loop1 /var/mapped.img; mkdir -p /run/mapped; "
                  "mount -t ext4 \"$(/var/bin/trouble mapped data /dev/loop1)\" /run/mapped; "
                  "sync; echo never >/run/mapped/never; /var/bin/trouble suspend data")
        agent.send("keelctl reboot")
        node.wait("keelson: shutdown: flush", timeout=60)
        node.machine.powerdown()
        contains(node.wait("shutdown: asked again by"), "the power button", "who asked again")
        node.wait("reboot: Restarting system", timeout=60)
        # Otherwise: 20 s, of the node's clock.
        spent = re.search(r"shutdown: flush: .*, after ([0-9.]+) s", node.since())
        assert spent and float(spent[1]) < 15, node.since()
        node.mark = node.machine.mark()
        agent = node.up()
        record = last(agent)
        equal((record["cause"], record["action"], record["by"], record["forced"]),
              ("orderly", "reboot", "keelctl", True), "how it ended")
    with tap.case("ctrl-alt-delete on the keyboard reboots, in order"):
        node.machine.press("ctrl", "alt", "delete")
        contains(node.wait("shutdown: reboot at"), "asked by signal 2", "line")
        node.wait("shutdown: unmount: done")
        node.wait("reboot: Restarting system")
        node.mark = node.machine.mark()
        agent = node.up()
    return agent


def others(tap, node, agent):
    with tap.case("a panic is no orderly end"):
        agent.send("echo c >/proc/sysrq-trigger")
        node.wait("Kernel panic")
        node.mark = node.machine.mark()
        agent = node.up()
        record = last(agent)
        equal((record["cause"], record["state"]), ("lost", "running"), "how it ended")
    with tap.case("the reset button in the middle of a shutdown is told as such"):
        agent.out("setsid /var/bin/trouble fuse /var/fuse /var/held </dev/null >/run/hung 2>&1 &")
        agent.until("grep -q hung /run/hung", 20)
        agent.send("keelctl reboot")
        node.wait("shutdown: stop services")
        time.sleep(2 * scale())
        node.machine.reset()
        node.mark = node.machine.mark()
        agent = node.up()
        record = last(agent)
        equal((record["cause"], record["action"], record["by"]),
              ("shutdown", "reboot", "keelctl"), "how it ended")
    with tap.case("by force it is over at once"):
        agent.out("setsid /var/bin/trouble fuse /var/fuse /var/held </dev/null >/run/hung 2>&1 &")
        agent.until("grep -q hung /run/hung", 20)
        began = time.monotonic()
        agent.send("keelctl reboot --force")
        node.wait("reboot: Restarting system", timeout=25)
        tap.note(f"{time.monotonic() - began:.1f} s")
        node.mark = node.machine.mark()
        agent = node.up()
        record = last(agent)
        equal((record["cause"], record["action"], record["forced"]), ("orderly", "reboot", True),
              "how it ended")
    agent = asked_again(tap, node, agent)
    for command, line in (("busybox reboot", "asked by signal 15 from"),
                          ("kill -INT 1", "asked by signal 2 from"),
                          ("kill -39 1", "asked by signal 39 from")):
        with tap.case(f"`{command}` reboots"):
            agent.send(command)
            contains(node.wait("shutdown: reboot at"), line, "line")
            node.wait("reboot: Restarting system")
            node.mark = node.machine.mark()
            agent = node.up()
    with tap.case("`busybox halt` halts, and the machine stays"):
        agent.send("busybox halt")
        node.wait("shutdown: halt at")
        node.wait("reboot: System halted")
        time.sleep(1)
        equal(node.machine.process.poll(), None, "QEMU")


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    made = image("shutdown")
    with tempfile.TemporaryDirectory() as work:
        disk = Disk.copy(made.disk, f"{work}/disk.img")
        state_with_tools(disk, work)
        with Node(made, disk, 1) as node:
            agent = node.up()
            with tap.case("of a disk that never ran there is nothing to tell"):
                status, output = agent.run("keelctl last")
                equal(status, 3, output)
            hang(tap, node, agent)
        disks(tap, disk, work)
        with Node(made, disk, 2) as node:
            agent = node.up()
            told(tap, node, agent)
            kexec(tap, node, agent)
            agent = node.up()
            told_kexec(tap, agent)
            if ALL:
                others(tap, node, agent)
    tap.end()


if __name__ == "__main__":
    main()
