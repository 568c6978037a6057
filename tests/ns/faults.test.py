#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PID 1, sanitized, writes to address 0 at every place where its state is half changed. Afterwards
nothing is lost: every service is what it has to be, and no zombie, descriptor or group is left."""

import json
import os
import re
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

BUILD = Path(os.environ.get("KEELSON_BUILD_ASAN", str(HERE.parents[1] / "build/glibc")))
PROGRAM = BUILD / "init/keelson-init"
FAULT_FILE = "/run/keelson-fault"
if not os.access(PROGRAM, os.X_OK) or FAULT_FILE.encode() not in PROGRAM.read_bytes():
    print(f"1..0 # SKIP {PROGRAM} is not built with -Dfault_injection=true")
    sys.exit(0)
os.environ["KEELSON_TEST_INIT"] = str(PROGRAM)
# A finding of the sanitizers ends PID 1, and with it the namespace.
os.environ["ASAN_OPTIONS"] = ("detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_abort=0:"
                              "handle_sigill=0:handle_sigfpe=0")

from nsnode import Node, begin, equal, logger, service  # noqa: E402

tap = begin()
WORLD = (
    logger(),
    service("web", "notify", "READY=1", "write", "begun", "sleep", ready=["notify"],
            output=("log", "/run/web.log", 1 << 20, 2), start_ms=1500, stop_ms=3000,
            backoff_ms=(20, 20)),
    service("api", "child", "sleep", ready=["exec"], requires=["web"], backoff_ms=(20, 20),
            pre=[(5000, 0, "/bin/true"), (5000, 0, "/bin/true")],
            post=[(5000, 0, "/bin/true")]),
    service("asks", "sleep", ready=[("command", "/bin/true")], backoff_ms=(20, 20),
            probe_ms=(50, 3000)),
    service("job", "touch", "/run/job-ran", kind="oneshot"),
    service("off", "sleep", ready=["exec"], after=["web"]),
    service("failed", "exit", "1", ready=["notify"], restart="never"),
)
REST = {"logger": "up", "web": "up", "api": "up", "asks": "up", "job": "done", "off": "down",
        "failed": "failed"}


def arm(node, point):
    (node.root / FAULT_FILE.lstrip("/")).write_text(point)


def executions(node):
    return node.log().count("supervised again after")


def descriptors(node):
    kinds = {}
    for fd in os.listdir(f"/proc/{node.pid}/fd"):
        try:
            target = os.readlink(f"/proc/{node.pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        kind = re.sub(r"\[?\d+\]?", "", target)
        kinds[kind] = kinds.get(kind, 0) + 1
    # A group's events are opened when they are first asked for: none, or one.
    return {kind: count for kind, count in kinds.items()
            if count > 1 or not kind.endswith("/cgroup.events")}


def zombies(node):
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if "State:\tZ" in text and f"PPid:\t{node.pid}\n" in text:
            found.append(text.splitlines()[0])
    return found


def groups(node):
    return sorted(str(path.relative_to(node.group)) for path in node.group.rglob("*")
                  if path.is_dir())


def states(node):
    result = node.ctl("--json", "status")
    if result.returncode not in (0, 3):
        return None  # it crashed just now: asked again
    return {entry["name"]: entry["state"] for entry in json.loads(result.stdout)["services"]}


class Rest:
    """A node at rest, and that it is at rest again."""

    def __init__(self, node, kept=True):
        self.node = node
        self.kept = kept  # every crash is a first one: the world is believed
        for name in ("api", "asks", "off"):
            node.wait(name, "up")
        node.wait("job", "done")
        node.wait("failed", "failed")
        node.done("stop", "off")
        # The client that asked last may not have been closed yet.
        samples = []
        for _ in range(5):
            samples.append(descriptors(node))
            time.sleep(0.02)
        self.descriptors = min(samples, key=lambda kinds: sum(kinds.values()))
        self.groups = groups(node)

    def again(self, what):
        node = self.node
        node.until(lambda: states(node) == REST, f"{what}: all is as it has to be: {states(node)}")
        node.until(lambda: not zombies(node), f"{what}: no zombie: {zombies(node)}")
        node.until(lambda: descriptors(node) == self.descriptors,
                   f"{what}: the same descriptors: {descriptors(node)} {self.descriptors}")
        node.until(lambda: groups(node) == self.groups, f"{what}: the same groups")
        # One process of each, however often it was tried.
        for name, count in (("web", 1), ("api", 2), ("logger", 1), ("asks", 1)):
            node.until(lambda: len(node.members(name)) == count,
                       f"{what}: {name} has {count} processes: {node.members(name)}")

    def crash_at(self, point, action, what=None):
        node = self.node
        what = what or point
        before = executions(node)
        arm(node, point)
        action(node)
        try:
            node.until(lambda: executions(node) > before, f"{what} is passed", 10)
        except AssertionError:
            (node.root / FAULT_FILE.lstrip("/")).unlink(missing_ok=True)
            raise
        self.again(what)
        if self.kept:
            assert "a fresh one" not in node.log(), f"{what}:\n{node.log()}"


def kill(name):
    def action(node):
        # Never 0, which would be this test's own process group.
        pid = node.until(lambda: node.services_now()[name]["pid"], f"{name} runs")
        node.run("kill", "-9", str(pid))
    return action


def ask(*words):
    return lambda node: node.ctl(*words)


with tap.case("in the middle of a death, a start, a command, a request, an answer"), Node(
        *WORLD, arguments="--crash-period=0") as node:
    rest = Rest(node)
    for point, action in (
            ("death: recorded", kill("web")),
            ("death: reaped", kill("web")),
            ("spawn: cloned", kill("web")),
            ("spawn: cloned:2", kill("web")),
            ("task: cloned", ask("restart", "--no-wait", "api")),
            ("task: recorded", ask("restart", "--no-wait", "api")),
            ("task: reaped", ask("restart", "--no-wait", "api")),
            ("task: cloned:2", ask("restart", "--no-wait", "api")),
            ("task: reaped:3", ask("restart", "--no-wait", "api")),
            ("task: cloned", kill("asks")),
            ("task: reaped", kill("asks")),
            ("graph: act", ask("restart", "--no-wait", "web")),
            ("graph: act:4", ask("restart", "--no-wait", "web")),
            ("control: answer", ask("status")),
            ("control: answer:3", ask("status")),
            ("notify: message", kill("web"))):
        rest.crash_at(point, action)

with tap.case("at every transition of a restart that takes another service with it"), Node(
        *WORLD, arguments="--crash-period=0") as node:
    rest = Rest(node)
    for n in range(1, 10):
        rest.crash_at(f"life: applied:{n}", ask("restart", "--no-wait", "web"),
                      f"transition {n} of a restart")
    for n in range(1, 9):
        rest.crash_at(f"life: applied:{n}", kill("web"), f"transition {n} after a death")

with tap.case("as a service that is never restarted begins, and before its watchdog does"), Node(
        service("once", "sleep", ready=["exec"], restart="never", flags=2,
                post=[(5000, 0, "/bin/touch", "/run/post-ran")]),
        service("fed", "notify", "READY=1", "sleep", ready=["notify"], flags=2, watchdog_ms=500,
                restart="never"),
        arguments="--crash-period=0") as node:
    for n, name, state in ((1, "once", "up"), (2, "once", "up"), (3, "fed", "failed")):
        before = executions(node)
        arm(node, f"life: applied:{n}")
        node.ctl("start", "--no-wait", name)
        node.until(lambda: executions(node) > before, f"{name}: a crash at transition {n}")
        node.wait(name, state)
        equal((node.root / "run/post-ran").exists(), False, "what never ran was cleaned up after")
        node.ctl("stop", name)
        (node.root / "run/post-ran").unlink(missing_ok=True)
    assert "watchdog" in node.log(), node.log()

with tap.case("once more while it takes the services up again"), Node(
        *WORLD, arguments="--crash-period=0") as node:
    rest = Rest(node)
    pids = {name: entry["pid"] for name, entry in node.services_now().items()}
    for point in ("resume: begin", "resume: world", "resume: descriptors", "resume: service",
                  "resume: service:4", "resume: supervised"):
        rest.crash_at(point, lambda node: node.run("kill", "-SEGV", "1"))
        equal({name: entry["pid"] for name, entry in node.services_now().items()}, pids, point)

for point in ("resume: begin", "resume: world", "resume: descriptors", "resume: service:3",
              "resume: supervised"):
    with tap.case(f"the second crash is at '{point}': a fresh world"), Node(*WORLD) as node:
        rest = Rest(node, kept=False)
        pids = {name: entry["pid"] for name, entry in node.services_now().items()}
        rest.crash_at(point, lambda node: node.run("kill", "-SEGV", "1"))
        assert "a fresh one" in node.log(), node.log()
        equal({name: entry["pid"] for name, entry in node.services_now().items()}, pids)

with tap.case("a place that it always crashes at ends the node"), Node(*WORLD) as node:
    Rest(node)
    arm(node, "resume: descriptors:*")
    node.run("kill", "-SEGV", "1")
    equal(node.unshare.wait(20), 126)

with tap.case("while the end is asked for: it comes, or nothing of it happened"), Node(
        *WORLD, arguments="--crash-period=0") as node:
    rest = Rest(node)
    rest.crash_at("stop: asking", ask("poweroff"))
    node.done("restart", "web")
    rest.again("a restart after it")
    arm(node, "stop: asked")
    node.ctl("poweroff")
    equal(node.unshare.wait(30), 0)
    equal(executions(node), 2)

# Seven stages are entered, whether they have work or not; the last one closes what was open, and a
# crash there is survived, too.
for point in [f"stop: entered:{n}" for n in range(1, 8)] + ["stop: end"]:
    with tap.case(f"at '{point}'"), Node(*WORLD, arguments="--crash-period=0") as node:
        Rest(node)
        arm(node, point)
        node.run("kill", "-TERM", "1")
        equal(node.unshare.wait(30), 0)
        equal(node.log().count("executing itself anew"), 1, node.log())
        assert "a fresh one" not in node.log(), node.log()

tap.end()
