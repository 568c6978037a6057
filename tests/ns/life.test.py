#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Edge cases of a service's life. Each case has the name of what goes wrong elsewhere."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import KEELCTL, Node, Skip, begin, cgroup2_mount, equal, service  # noqa: E402

tap = begin()
DELEGATE = 8
PATHS = ["PATH=/usr/bin:/bin"]
HUP, USR1 = int(signal.SIGHUP), int(signal.SIGUSR1)


def sh(script, timeout=5000, flags=0):
    return (timeout, flags, "/bin/sh", "-c", script)


def field(pid, name):
    """A line of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split(None, 1)[1]
    return ""


def outside(node, pid):
    """The number out here of a process that is `pid` in the node."""
    for member in node.members():
        with contextlib.suppress(OSError):
            if field(member, "NSpid").split()[-1] == str(pid):
                return int(member)
    return 0


def log_of(node, name):
    return node.file(f"/run/{name}").split()


with tap.case("static uid trap: a service with a uid really runs as it, its hooks too"), Node(
        service("user", argv=["/bin/sleep", "1000"], uid=1234, gid=4321, groups=(7, 8),
                pre=[sh("(id -u; id -g; id -G) >/tmp/pre")], environment=PATHS)) as node:
    pid = outside(node, node.wait("user", "up")["pid"])
    equal(field(pid, "Uid").split(), ["1234"] * 4)
    equal(field(pid, "Gid").split(), ["4321"] * 4)
    equal(field(pid, "Groups").split(), ["7", "8"])
    equal(node.file("/tmp/pre").split(), ["1234", "4321", "4321", "7", "8"])

with tap.case("child signals: every disposition is default, nothing is blocked or pending"), Node(
        service("child", argv=["/bin/sleep", "1000"])) as node:
    pid = outside(node, node.wait("child", "up")["pid"])
    for name in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"):
        equal(int(field(pid, name), 16), 0, name)

with tap.case("reap until ECHILD: one signal for hundreds of deaths at once"), Node(
        service("parent", "orphans", "400", "notify", "READY=1", "sleep", ready=["notify"],
                backoff_ms=(20, 20), start_ms=90000),
        service("other", "sleep", backoff_ms=(20, 20))) as node:
    node.wait("parent", "up", 90)
    node.wait("other", "up")
    node.until(lambda: len(node.members("parent")) >= 401, "400 orphans")
    (node.group / "parent/cgroup.kill").write_text("1")
    node.until(lambda: node.services_now()["parent"]["starts"] == 2, "it comes back")

    def zombies():
        return [line for line in node.run("ps", "-eo", "stat=").stdout.split() if line[0] == "Z"]

    node.until(lambda: not zombies(), "no zombie is left")
    equal(node.state("other"), "up")

with tap.case("PID reuse: a number that was a service's once is nobody's to signal"), Node(
        service("gone", "sleep", backoff_ms=(60000, 60000)),
        service("innocent", argv=["/bin/sleep", "1000"], flags=2)) as node:
    pid = node.wait("gone", "up")["pid"]
    node.run("kill", "-9", str(pid))
    node.wait("gone", "backoff")

    def number_taken():
        node.run("sh", "-c", f"echo {pid - 1} >/proc/sys/kernel/ns_last_pid; "
                             f"exec {KEELCTL} start innocent")
        if node.wait("innocent", "up")["pid"] == pid:
            return True
        node.done("stop", "innocent")
        return False

    node.until(number_taken, "another service has the number")
    node.done("stop", "gone")
    equal(node.ctl("kill", "-s", "KILL", "gone").returncode, 1, "nothing of it runs")
    node.run("sleep", "0.1")
    innocent = node.services_now()["innocent"]
    equal((innocent["state"], innocent["starts"], innocent["pid"]), ("up", innocent["starts"], pid))

with tap.case("cgroup.kill suicide: a service may ask for its own restart"), Node(
        service("self", argv=["/bin/sh", "-c", f"echo x >>/run/self; "
                              f"[ $(wc -l </run/self) -gt 1 ] || {KEELCTL} restart self; "
                              "sleep 1000"],
                environment=PATHS),
        service("stops", argv=["/bin/sh", "-c", f"{KEELCTL} stop stops; sleep 1000"],
                environment=PATHS)) as node:
    node.until(lambda: len(log_of(node, "self")) == 2, "it runs again")
    equal(node.wait("self", "up")["starts"], 2)
    equal(node.wait("stops", "down")["starts"], 1)
    equal(node.members("stops"), [])

with tap.case("ignoring or stopped services: TERM and CONT, then KILL"), Node(
        service("ignores", "ignore", "notify", "READY=1", "sleep", ready=["notify"], stop_ms=150),
        service("stopped", "on-stop", "/run/stopped", "notify", "READY=1", "sleep",
                ready=["notify"], stop_ms=10000),
        service("both", "ignore", "notify", "READY=1", "sleep", ready=["notify"], stop_ms=150)) as node:
    for name in ("ignores", "stopped", "both"):
        node.wait(name, "up")
    for name in ("stopped", "both"):
        node.run("kill", "-STOP", str(node.services_now()[name]["pid"]))
    for name in ("ignores", "stopped", "both"):
        node.done("stop", name)
    assert node.file("/run/stopped"), "woken, it could stop by itself"
    equal(node.log().count("not stopped within 150 ms, killing it"), 2)

def own_pid_max():
    """kernel.pid_max belongs to the pid namespace: Linux 6.14."""
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 14)


with tap.case("fork failure: EAGAIN is retried for as long as it takes, and said once"), Node(
        service("victim", "sleep", backoff_ms=(300, 300)),
        service("filler", "fill", "/run/full", restart="never", flags=2)) as node:
    if not own_pid_max():
        raise Skip("kernel.pid_max is the machine's before Linux 6.14")
    victim = outside(node, node.wait("victim", "up")["pid"])
    node.run("sh", "-c", "echo 400 >/proc/sys/kernel/pid_max")
    node.done("start", "filler")
    node.until((node.root / "run/full").exists, "no room is left", 90)
    os.kill(victim, signal.SIGKILL)
    node.until(lambda: "victim: no room for a process" in node.log(), "it was told")
    time.sleep(0.5)
    equal(node.log().count("no room"), 1, "said once")
    (node.group / "filler/cgroup.kill").write_text("1")
    node.until(lambda: node.log().count("victim: up") == 2, "it is up again")
    equal(node.wait("victim", "up")["starts"], 2, "attempts without room are no starts")

with tap.case("no room for a group: mkdir's EAGAIN is retried, too"), Node(
        service("roomy", "sleep", flags=2)) as node:
    limit = node.group / "cgroup.max.descendants"
    limit.write_text("1")
    node.done("start", "--no-wait", "roomy")
    node.until(lambda: "roomy: no room for a process" in node.log(), "it was told")
    node.wait("roomy", "backoff")
    limit.write_text("max")
    node.wait("roomy", "up")
    node.done("stop", "roomy")
    limit.write_text("1")
    node.done("start", "--no-wait", "roomy")
    node.wait("roomy", "backoff")
    node.done("stop", "roomy")
    equal(node.state("roomy"), "down", "a stop does not wait for room")

with tap.case("a child that is killed before its execve has not executed"), Node(
        service("early", "sleep", restart="never", setting=[("cgroup.freeze", "1", 0)]),
        service("twice", "sleep", ready=["exec"], setting=[("cgroup.freeze", "1", 0)],
                backoff_ms=(60000, 60000)),
        service("once", argv=["/bin/true"], kind="oneshot", restart="never",
                setting=[("cgroup.freeze", "1", 0)])) as node:
    for name, rests in (("early", "failed"), ("twice", "backoff"), ("once", "failed")):
        pid = node.wait(name, "starting")["pid"]  # born frozen: it takes no step
        node.run("kill", "-9", str(pid))
        death = node.wait(name, rests)["last_death"]
        equal(death, "killed by SIGKILL: before it executed its program")
    assert not [what for _, what, _ in node.events() if what in ("up", "done")], node.events()

with tap.case("what an earlier life left in the group is killed before the next one"), Node(
        service("again", "sleep", flags=2, cgroup="again")) as node:
    (node.group / "again/below").mkdir(parents=True)
    stray = subprocess.Popen(["sleep", "1000"])
    (node.group / "again/below/cgroup.procs").write_text(str(stray.pid))
    node.done("start", "again")
    equal(stray.wait(5), -signal.SIGKILL)
    assert "processes of an earlier life" in node.log()
    equal(len(node.members("again")), 1)
    # A group that was removed with its last life may have been made anew since.
    node.done("stop", "again")
    (node.group / "again").mkdir()
    stray = subprocess.Popen(["sleep", "30"], stdout=subprocess.DEVNULL)
    (node.group / "again/cgroup.procs").write_text(str(stray.pid))
    node.done("start", "again")
    equal(stray.wait(5), -signal.SIGKILL)
    equal(len(node.members("again")), 1)

with tap.case("another main process: the child that it replaced may end, its own end counts"), Node(
        service("ends", "handover", "end", "notify", "READY=1", "sleep", ready=["notify"],
                backoff_ms=(20, 20), notify="all"),
        service("stays", "handover", "stay", "notify", "READY=1", "sleep", ready=["notify"],
                backoff_ms=(20, 20), notify="all"),
        service("liar", "notify", "MAINPID=1\\nREADY=1", "sleep", ready=["notify"])) as node:
    for name in ("ends", "stays", "liar"):
        before = node.wait(name, "up")
        equal(before["starts"], 1)
    mains = {name: node.services_now()[name]["pid"] for name in ("ends", "stays")}
    for name, pid in mains.items():
        tree = [int(field(member, "NSpid").split()[-1]) for member in node.members(name)]
        equal(max(tree), pid, f"{name}: the younger one of {tree}")
        equal(len(tree), 1 if name == "ends" else 2)
        node.run("kill", "-9", str(pid))
        node.until(lambda: node.services_now()[name]["starts"] == 2, f"{name} is started again")
        node.wait(name, "up")
    assert node.services_now()["liar"]["pid"] > 1
    node.done("stop", "ends", "stays")
    equal(node.members("ends") + node.members("stays"), [])

with tap.case("a watchdog that is not fed: SIGABRT, then again; one that is fed lives"), Node(
        service("starved", "notify", "READY=1", "sleep", ready=["notify"], watchdog_ms=150,
                backoff_ms=(20, 20), burst=1),
        service("fed", "notify", "READY=1", "feed", ready=["notify"], watchdog_ms=1000)) as node:
    death = node.wait("starved", "failed")["last_death"]
    assert death.startswith("killed by SIGABRT") and "watchdog was not fed" in death, death
    equal(node.services_now()["starved"]["starts"], 2)
    node.run("sleep", "1")
    equal(node.wait("fed", "up")["starts"], 1)

with tap.case("EXTEND_TIMEOUT_USEC moves the deadline, STOPPING=1 is an end by itself"), Node(
        service("slow", "notify", "EXTEND_TIMEOUT_USEC=60000000", "pause", "2.5", "notify",
                "READY=1", "sleep", ready=["notify"], start_ms=2000),
        service("leaves", "notify", "READY=1", "wait", "/run/go", "notify", "STOPPING=1", "pause",
                "0.2", "exit", "0", ready=["notify"], restart="failure")) as node:
    equal(node.wait("slow", "up")["starts"], 1)
    node.wait("leaves", "up")
    node.run("touch", "/run/go")
    node.wait("leaves", "stopping")
    node.wait("leaves", "down")

with tap.case("a life leaves nothing behind in PID 1: no descriptor, no zombie, no group"), Node(
        service("all", "handover", "end", "notify", "READY=1", "sleep", ready=["notify"],
                notify="all", pre=[sh("true")], post=[sh("true"), sh("exec sleep 10", timeout=20)],
                reload_command=(5000, "/bin/true"), flags=2),
        service("crash", "exit", "1", ready=["notify"], backoff_ms=(1, 1), post=[sh("true")],
                flags=2),
        service("fd", "ready-fd", "5", "x\\n", "sleep", ready=[("fd", 5)], flags=2),
        service("absent", argv=["/no/such/program"], backoff_ms=(1, 1), flags=2)) as node:
    def held():
        return len(os.listdir(f"/proc/{node.pid}/fd"))

    def cycle():
        node.done("start", "all", "fd")
        node.ctl("start", "--no-wait", "crash", "absent")
        node.done("reload", "all")
        node.until(lambda: node.services_now()["crash"]["starts"] > 20, "twenty lives")
        node.done("stop", "all", "fd", "crash", "absent")

    def quiet():
        node.until(lambda: held() == before, f"{before} descriptors, not {held()}")

    node.done("status")
    before = held()
    for _ in range(5):
        cycle()
    quiet()
    equal([name for name in os.listdir(node.group) if name in ("all", "crash", "fd", "absent")], [])
    equal([line for line in node.run("ps", "-eo", "stat=").stdout.split() if line[0] == "Z"], [])

with tap.case("keelctl kill: one signal to every process, or to the main one"), Node(
        service("tree", argv=["/bin/sh", "-c",
                              "trap 'echo main >>/run/tree' USR1; mkdir /sys/fs/cgroup/tree/sub;"
                              "sh -c 'echo $$ >/sys/fs/cgroup/tree/sub/cgroup.procs;"
                              "trap \"echo child >>/run/tree\" USR1; touch /run/in;"
                              "while :; do sleep 0.05; done' & "
                              "while :; do sleep 0.05; done"], environment=PATHS)) as node:
    node.wait("tree", "up")
    node.until((node.root / "run/in").exists, "both run")
    node.done("kill", "-s", "WINCH", "tree")
    node.done("kill", "--main", "-s", "USR1", "tree")
    node.until(lambda: log_of(node, "tree"), "the signal came")
    equal(log_of(node, "tree"), ["main"])
    equal(node.ctl("kill", "-s", "USR1", "tree").returncode, 0)
    node.until(lambda: sorted(log_of(node, "tree")) == ["child", "main", "main"], "both got it")
    node.done("stop", "tree")
    equal(node.ctl("kill", "-s", "USR1", "tree").returncode, 1, "nothing runs")

with tap.case("a delegated group with controllers of its own takes new processes in a leaf"), \
        contextlib.ExitStack() as stack:
    root = Path(cgroup2_mount())
    controllers = set((root / "cgroup.controllers").read_text().split()) - {"cpu", "pids"}
    usable = sorted(controllers - {"cpuset", "perf_event"})
    control = root / "cgroup.subtree_control"
    if usable and not set(usable) & set(control.read_text().split()):
        control.write_text(f"+{usable[0]}")
        stack.callback(control.write_text, f"-{usable[0]}")
    if not usable:
        raise Skip("the machine's cgroup v2 tree has no controller to delegate")
    node = stack.enter_context(Node(
        service("owner", argv=["/bin/sh", "-c",
                               "sed -n s/^0:://p /proc/self/cgroup >>/run/owner;"
                               "cd /sys/fs/cgroup/owner; mkdir -p shims;"
                               "echo $$ >shims/cgroup.procs;"
                               f"echo +{usable[0]} >cgroup.subtree_control;"
                               "sleep 1000 & touch /run/ready; exec sleep 1000"],
                environment=PATHS, kill="main", flags=DELEGATE | 2,
                pre=[sh("sed -n s/^0:://p /proc/self/cgroup >>/run/pre")])))
    # No process may be where controllers are handed on from: not the one that waits for PID 1.
    (root / "cgroup.procs").write_text(str(node.unshare.pid))
    (node.group / "cgroup.subtree_control").write_text(f"+{usable[0]}")
    node.done("start", "owner")
    node.until((node.root / "run/ready").exists, "the owner arranged its group")
    assert usable[0] in (node.group / "owner/cgroup.subtree_control").read_text()
    node.run("rm", "/run/ready")
    node.done("restart", "owner")
    node.until((node.root / "run/ready").exists, "it runs again")
    equal(log_of(node, "owner"), ["/owner", "/owner/control"])
    equal(log_of(node, "pre"), ["/owner/control"] * 2)

tap.end()
