#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=600
"""One boot of a node whose services want more than they may have (profile/limits.yaml).

Every case starts its own services by name, looks at what the kernel says of them, and hurts only
what it started. The last ones take all memory and all of the disk, and then the node has to go down
in order.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, Timeout, image, scale, unmet  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

GROUPS = "/sys/fs/cgroup"


class Node:
    """Questions to the node, in its own words."""

    def __init__(self, machine):
        self.agent = Agent(machine)
        self.out = self.agent.out
        self.run = self.agent.run
        self.until = self.agent.until

    def status(self):
        return json.loads(self.run("keelctl status --json")[1])

    def service(self, name):
        return next(s for s in self.status()["services"] if s["name"] == name)

    def wait(self, name, state, timeout=60):
        deadline = time.monotonic() + timeout * scale()
        while True:
            seen = self.service(name)
            if seen["state"] == state:
                return seen
            if time.monotonic() > deadline:
                raise Timeout(f"{name} is not {state}: {seen}")
            time.sleep(0.2)

    def start(self, name, state="up"):
        self.run(f"keelctl start {name}")
        return self.wait(name, state)

    def stop(self, name):
        self.run(f"keelctl stop {name}")
        return self.wait(name, "down")

    def cgroup(self, group, file):
        return self.out(f"cat {GROUPS}/{group}/{file}").strip()

    def event(self, group, file, key):
        return int(re.search(rf"^{key} (\d+)$", self.cgroup(group, file), re.M)[1])

    def process(self, pid):
        """/proc/PID/status as a dictionary."""
        lines = self.out(f"cat /proc/{pid}/status").splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def members(self, group):
        """Processes in the group and below."""
        return self.out(f"cat $(find {GROUPS}/{group} -name cgroup.procs)").split()

    def living(self, word):
        """Processes with this word in their command line."""
        return [line.split()[0] for line in self.out("ps").splitlines() if word in line]


def tree(tap, node):
    with tap.case("PID 1 cannot be chosen when memory runs out; services have their own score"):
        equal(node.out("cat /proc/1/oom_score_adj").strip(), "-1000")
        equal(node.out("cat /proc/1/cgroup").strip(), "0::/init")
        node.start("plain")
        for name, wanted in (("agent", "-900"), ("plain", "0")):
            pid = node.service(name)["pid"]
            equal(node.out(f"cat /proc/{pid}/oom_score_adj").strip(), wanted, name)
            equal(node.out(f"cat /proc/{pid}/cgroup").strip(), f"0::/{name}")
        locked = int(node.process(1)["VmLck"].split()[0])
        assert locked > 0, "nothing of PID 1 is locked in memory"
    with tap.case("a controller that the kernel lacks is missed only by who sets something of it"):
        enabled = set(node.out(f"cat {GROUPS}/cgroup.subtree_control").split())
        equal(enabled, {"cpuset", "cpu", "io", "memory", "pids"}, "at the root")
        contains(node.out("dmesg"), "controllers that are not there: hugetlb", "the node's log")
        contains(node.start("huge", "failed")["last_death"], "start failed at step cgroup", "huge")
        contains(node.out("dmesg"), "huge: cgroup: hugetlb.2MB.max: 0: this node has no such",
                 "the node's log")
    with tap.case("parents have the controllers, too, and were there before the service"):
        for parent in ("busy", "busy/disk"):
            equal(set(node.cgroup(parent, "cgroup.subtree_control").split()), enabled, parent)


def cpu_and_disk(tap, node):
    with tap.case("cpu.max and cpu.weight are set, and the kernel holds the service to them"):
        pid = node.start("spinner")["pid"]
        equal(node.cgroup("busy/spinner", "cpu.max"), "10000 100000")
        equal(node.cgroup("busy/spinner", "cpu.weight"), "50")
        node.until(f"test $(grep nr_throttled {GROUPS}/busy/spinner/cpu.stat | cut -d' ' -f2) -gt 3")
    with tap.case("its CPUs, its policy and its niceness are the kernel's, too"):
        equal(node.process(pid)["Cpus_allowed_list"], "1")
        stat = node.out(f"cat /proc/{pid}/stat").rsplit(")", 1)[1].split()
        equal((stat[16], stat[38]), ("5", "3"), "nice and policy (SCHED_BATCH)")
        node.stop("spinner")
        equal(node.run(f"test -e {GROUPS}/busy/spinner")[0], 1, "its group is left behind")
    with tap.case("io.max takes a disk by its path, io.weight is set"):
        node.start("writer")
        number = node.out("cat /sys/block/vda/dev").strip()
        equal(node.cgroup("busy/disk/writer", "io.max"),
              f"{number} rbps=max wbps=1048576 riops=100 wiops=max")
        equal(node.cgroup("busy/disk/writer", "io.weight"), "default 50")
        equal(node.out(f"ionice -p {node.service('writer')['pid']}").strip(), "best-effort: prio 7")
        node.stop("writer")
    with tap.case("... and a disk that is not there fails the start"):
        equal(node.start("disk-that-is-not", "failed")["last_death"],
              "start failed at step cgroup: No such file or directory")


def processes(tap, node):
    with tap.case("a fork bomb stays in its group: the node and other services go on"):
        node.start("bomb")
        node.until(f"test $(cut -d' ' -f2 {GROUPS}/bomb/pids.events) -gt 50", timeout=180)
        assert int(node.cgroup("bomb", "pids.current")) <= 24
        node.run("keelctl restart plain")
        node.wait("plain", "up")
        equal(node.service("bomb")["state"], "up")
    with tap.case("... and is gone when it is stopped"):
        node.stop("bomb")
        equal(node.run(f"test -e {GROUPS}/bomb")[0], 1, "its group is left behind")
    with tap.case("what an earlier life left in a service's group is ended before it starts"):
        node.stop("plain")
        node.out(f"mkdir {GROUPS}/plain; sleep 100003 & echo $! >{GROUPS}/plain/cgroup.procs")
        assert node.living("100003"), "the leftover"
        pid = node.start("plain")["pid"]
        equal(node.members("plain"), [str(pid)])
        equal(node.living("100003"), [])


def memory(tap, node):
    with tap.case("beyond memory.max it is killed whole, and the reason is told"):
        seen = node.start("eater", "failed")
        contains(seen["last_death"], "memory", "last death")
        equal(seen["death"]["reason"], "oom")
        assert seen["death"]["oom_kills"] >= 3, seen["death"]
        equal(node.living("100001"), [], "with memory.oom.group nobody is left")
        contains(node.out("keelctl status eater; true"), "memory", "status")
    with tap.case("without memory.oom.group only who ate is killed, and the service goes on"):
        node.start("parent")
        node.until("test -e /run/parent.status")
        equal(node.out("cat /run/parent.status").strip(), "137", "status of its child")
        equal(node.event("parent", "memory.events", "oom_kill"), 1)
        seen = node.service("parent")
        equal((seen["state"], seen["restarts"]), ("up", 0))
        node.stop("parent")
    with tap.case("memory.high slows down and reclaims, and kills nobody"):
        node.out("dd if=/dev/zero of=/var/big bs=1M count=24 && sync && "
                 "echo 3 >/proc/sys/vm/drop_caches")
        node.start("reader")
        equal(node.cgroup("reader", "memory.high"), str(6 << 20))
        equal(node.cgroup("reader", "memory.low"), str(1 << 20))
        node.until(f"test $(sed -n 's/^high //p' {GROUPS}/reader/memory.events) -gt 0")
        equal(node.event("reader", "memory.events", "oom_kill"), 0)
        equal(node.service("reader")["restarts"], 0)
        node.stop("reader")


def ownership(tap, node):
    with tap.case("user, group and supplementary groups of the static build"):
        pid = node.start("delegate")["pid"]
        seen = node.process(pid)
        equal(seen["Uid"].split(), ["1000"] * 4)
        equal(seen["Gid"].split(), ["1000"] * 4)
        equal(seen["Groups"].split(), ["1001", "1002"])
        equal(int(seen["CapEff"], 16), 0, "capabilities")
        equal(node.out(f"cat /proc/{pid}/oom_score_adj").strip(), "300")
    with tap.case("a delegated group is its user's: it distributes, and limits what is below"):
        node.until("test -e /tmp/delegate.status")
        equal(node.out("cat /tmp/delegate.status").strip(), "0", "its own commands")
        owners = node.out(f"cd {GROUPS}/delegate && stat -c '%n %u:%g' . cgroup.procs "
                          "cgroup.threads cgroup.subtree_control memory.max pids.max").split("\n")
        equal(owners[:-1], [". 1000:1000", "cgroup.procs 1000:1000", "cgroup.threads 1000:1000",
                            "cgroup.subtree_control 1000:1000", "memory.max 0:0", "pids.max 0:0"])
        equal(set(node.cgroup("delegate", "cgroup.subtree_control").split()), {"memory", "pids"})
        equal(node.cgroup(f"delegate/part-{pid}", "pids.max"), "30")
    with tap.case("it starts again beside what it left there, and nobody rewrites that"):
        node.out(f"kill -9 {pid}")
        node.until(f"test $(keelctl status --json | tr ',' '\\n' | grep -c '\"pid\":{pid}$') = 0")
        again = node.wait("delegate", "up")["pid"]
        assert again != pid, "the old process"
        node.until(f"test -e {GROUPS}/delegate/part-{again}")
        equal(node.cgroup(f"delegate/part-{pid}", "pids.max"), "30")
        assert len(node.living("100002")) == 2, "the child of the first life and that of the second"
        node.stop("delegate")
        node.out(f"echo 1 >{GROUPS}/delegate/cgroup.kill")


def sandbox(tap, node):
    with tap.case("private tmp, read-only, hidden and bound paths on the node's own kernel"):
        node.out("mkdir -p /var/secret /var/own /var/shown /var/seen /tmp/of-the-node && "
                 "chown 1000:1000 /var/own && echo secret >/var/secret/x && touch /var/shown/x")
        pid = node.start("sandboxed")["pid"]
        inside = f"/proc/{pid}/root"
        equal(node.out(f"ls -A {inside}/tmp {inside}/var/secret {inside}/var/tmp"
                       "| grep -v :").split(), [])
        equal(node.out(f"cat {inside}/etc/machine-id"), "")
        equal(node.out(f"ls -A {inside}/var/seen").strip(), "x")
        mounts = node.out(f"cat /proc/{pid}/mountinfo")
        for place, option in (("/tmp", "rw"), ("/var/tmp", "rw"), ("/var", "ro"), ("/run", "ro"),
                              ("/var/secret", "ro"), ("/etc/machine-id", "ro"), ("/var/own", "rw"),
                              ("/var/seen", "ro")):
            last = [line.split() for line in mounts.splitlines() if line.split()[4] == place][-1]
            equal(last[5].split(",")[0], option, place)
        node.out("touch /var/still-writable /run/still-writable")
        node.out("test -d /tmp/of-the-node -a -e /var/secret/x")
        contains(node.out(f"ls {inside}/proc/1/status {inside}/sys/fs/cgroup/cgroup.procs"),
                 "cgroup.procs", "what must be there")
        node.stop("sandboxed")


def exhaustion(tap, node):
    with tap.case("a service without a limit takes all memory: it dies of it, and nothing else"):
        before = {s["name"]: s["pid"] for s in node.status()["services"]
                  if s["state"] == "up"}
        seen = node.start("glutton", "failed")
        equal(seen["death"]["reason"], "oom")
        assert seen["death"]["oom_kills"] >= 1, seen["death"]
        after = {s["name"]: s["pid"] for s in node.status()["services"]
                 if s["state"] == "up"}
        equal(after, before, "services that were up, with their processes")
        equal(node.out("cat /proc/1/comm").strip(), "init")
        equal(node.status()["executions"], 1, "executions of PID 1")
        node.start("plain")
    with tap.case("a full disk stops no service; its log goes on when there is room again"):
        node.start("talker")
        log = "/var/log/keelson/talker.log"
        node.until(f"grep -q tick {log}")
        node.run("dd if=/dev/zero of=/var/fill bs=1M", timeout=120)
        node.run("dd if=/dev/zero of=/var/fill2 bs=1k")
        contains(node.run("sh -c 'echo x >/var/fill3'")[1], "No space left", "message")
        node.out("sleep 3")
        said = node.out(f"tail -n 1 {log}; true")
        for name in ("talker", "agent", "plain"):
            equal((node.service(name)["state"], node.service(name)["restarts"]), ("up", 0), name)
        node.run("keelctl restart plain")
        node.wait("plain", "up")
        node.out("rm -f /var/fill /var/fill2 /var/fill3")
        node.until(f"test \"$(tail -n 1 {log})\" != '{said.strip()}'")
        equal(node.service("talker")["restarts"], 0)


def clock(tap, node):
    year_s = 365 * 86400
    node.start("ticker", "scheduled")
    node.start("plain")
    begun = int(node.out("date +%s"))
    for what, shift in (("back a year", -year_s), ("forward two years", 2 * year_s)):
        with tap.case(f"clock: set {what}, nothing moves and timers keep their time"):
            before = {s["name"]: (s["pid"], s["restarts"]) for s in node.status()["services"]
                      if s["state"] == "up"}
            runs, up_s = node.service("ticker")["starts"], float(node.out("cat /proc/uptime").split()[0])
            node.out(f"date -s @{int(node.out('date +%s')) + shift}")
            assert abs(int(node.out("date +%s")) - begun) > year_s // 2, "the clock is not set"
            node.out("sleep 5")
            more = node.service("ticker")["starts"] - runs
            spent_s = float(node.out("cat /proc/uptime").split()[0]) - up_s
            assert 2 <= more <= spent_s + 1, f"{more} runs in {spent_s} s, one each second"
            after = {s["name"]: (s["pid"], s["restarts"]) for s in node.status()["services"]
                     if s["state"] == "up"}
            equal(after, before, "services that were up")
            node.run("keelctl restart plain")
            node.wait("plain", "up")
    node.stop("ticker")


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    made = image("limits")
    with tempfile.TemporaryDirectory() as work:
        disk = Disk(made.disk).clone(f"{work}/disk.img")
        log = Path("build/test-log/limits-console.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with Machine(made.kernel, made.initrd, disk.path, made.cmdline(), memory="384M",
                     reboot=False, log=log) as machine:
            node = Node(machine)
            node.agent.wait()
            for part in (tree, cpu_and_disk, processes, memory, ownership, sandbox, clock,
                         exhaustion):
                part(tap, node)
            with tap.case("the node goes down in order, on a full disk too, and leaves it clean"):
                node.run("dd if=/dev/zero of=/var/fill bs=64k", timeout=120)
                node.agent.send("keelctl poweroff")
                equal(machine.ended(60), 0, "exit status of QEMU")
                contains(machine.text(), "Power down", "console")
                check = subprocess.run(["e2fsck", "-fn", disk.extract("state", f"{work}/state.img")],
                                       text=True, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, check=False)
                equal(check.returncode, 0, check.stdout)
    tap.end()


if __name__ == "__main__":
    main()
