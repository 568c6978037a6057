#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stopping: order, stubborn processes, what lives on, what comes back."""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, begin, equal, service  # noqa: E402

tap = begin()


def chain(**fields):
    return (service("base", "on-stop", "/run/base", "notify", "READY=1", "sleep",
                    ready=["notify"], **fields),
            service("middle", "on-stop", "/run/middle", "notify", "READY=1", "sleep",
                    ready=["notify"], requires=["base"]),
            service("top", "on-stop", "/run/top", "notify", "READY=1", "sleep",
                    ready=["notify"], requires=["middle"]),
            service("aside", "sleep"))


with tap.case("a stop takes down what requires it, in reverse order, and names it"), Node(
        *chain()) as node:
    node.wait("top", "up")
    said = node.done("stop", "base")
    equal(sorted(said.split("\n")[:-1]), ["also stops: middle", "also stops: top"])
    times = [int(node.file(f"/run/{name}")) for name in ("top", "middle", "base")]
    equal(times, sorted(times), "each stops when what requires it is down")
    now = node.services_now()
    equal([now[name]["state"] for name in ("base", "middle", "top", "aside")],
          ["down", "waiting", "waiting", "up"])

with tap.case("what went down with its requirement comes back with it; what was stopped does not"), Node(
        *chain()) as node:
    node.wait("top", "up")
    node.done("stop", "top")
    node.done("stop", "base")
    node.done("start", "base")
    node.wait("middle", "up")
    equal(node.state("top"), "down", "it was stopped by name")

with tap.case("a restart brings everything back"), Node(*chain()) as node:
    before = node.wait("top", "up")["pid"]
    node.done("restart", "base")
    after = node.wait("top", "up")["pid"]
    assert before != after, "the same process"
    equal(node.services_now()["base"]["starts"], 2)

with tap.case("a requirement that dies takes what requires it down, and back up"), Node(
        service("base", "sleep", backoff_ms=(300, 300)),
        service("top", "sleep", requires=["base"])) as node:
    base = node.wait("base", "up")
    top = node.wait("top", "up")
    node.run("kill", "-9", str(base["pid"]))
    equal(node.wait("top", "waiting")["waiting_for"], "base")
    again = node.wait("top", "up")
    assert again["pid"] != top["pid"]

with tap.case("a done oneshot stays done when what it required goes down"), Node(
        service("base", "sleep"),
        service("once", "stamp", "/run/once", "exit", "0", kind="oneshot", requires=["base"])) as node:
    node.wait("once", "done")
    node.done("restart", "base")
    equal(node.state("once"), "done")
    equal(len(node.file("/run/once").split()), 1)
    node.done("restart", "once")
    equal(len(node.file("/run/once").split()), 2, "a restart by name does it again")

with tap.case("one that ignores the signal is killed after the stop timeout, with its whole tree"), Node(
        service("stubborn", "ignore", "child", "session", "notify", "READY=1", "sleep",
                ready=["notify"], stop_ms=200, cgroup="deep/stubborn")) as node:
    node.wait("stubborn", "up")
    equal(len(node.members("deep/stubborn")), 3)
    node.done("stop", "stubborn")
    assert "not stopped within 200 ms, killing it" in node.log()
    equal(node.members("deep"), [])
    assert not (node.group / "deep/stubborn").exists(), "its cgroup is removed"

with tap.case("children that outlive the main process are killed with `kill: cgroup`"), Node(
        service("leaver", "child", "session", "on-stop", "/run/leaver", "notify", "READY=1",
                "sleep", ready=["notify"])) as node:
    node.wait("leaver", "up")
    node.done("stop", "leaver")
    equal(node.members("leaver"), [])
    assert "killing" not in node.log(), "at once, not after the timeout"

with tap.case("`kill: main` leaves them alone, and a restart joins them"), Node(
        service("runtime", "child", "notify", "READY=1", "sleep", ready=["notify"],
                kill="main")) as node:
    node.wait("runtime", "up")
    shim, = set(node.members("runtime")) - {main for main in node.members("runtime")
                                            if "actor.py" in main} - {
        pid for pid in node.members("runtime")
        if open(f"/proc/{pid}/stat").read().split(")")[1].split()[1] == str(node.pid)}
    node.done("restart", "runtime")
    assert shim in node.members("runtime"), "the child was killed"
    equal(len(node.members("runtime")), 3, "the new main process, its child, the old child")

with tap.case("a stopped process (SIGSTOP) is woken to stop"), Node(
        service("frozen", "sleep", stop_ms=5000)) as node:
    pid = node.wait("frozen", "up")["pid"]
    node.run("kill", "-STOP", str(pid))
    node.done("stop", "frozen")
    assert "killing" not in node.log()

with tap.case("sub-groups that a service made are removed with it"), Node(
        service("nest", argv=["/bin/sh", "-c", "mkdir -p /sys/fs/cgroup/nest/a/b "
                              "/sys/fs/cgroup/nest/c; exec sleep 1000"],
                environment=["PATH=/usr/bin:/bin"])) as node:
    node.wait("nest", "up")
    node.until((node.group / "nest/c").exists, "the service made groups")
    node.done("stop", "nest")
    assert not (node.group / "nest").exists()

with tap.case("the end: everything stops in reverse order, then PID 1 exits"), Node(
        *chain()) as node:
    node.wait("top", "up")
    node.run("true")
    root = node.root
    log = [root / f"run/{name}" for name in ("top", "middle", "base")]
    import os
    kept = [os.open(root / "run", os.O_RDONLY)]
    node.done("poweroff")
    equal(node.unshare.wait(20), 0)
    times = []
    for name in ("top", "middle", "base"):
        with open(os.open(name, os.O_RDONLY, dir_fd=kept[0])) as file:
            times.append(int(file.read()))
    equal(times, sorted(times))

tap.end()
