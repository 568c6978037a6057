#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PID 1 crashes, or is asked to execute itself anew: services, output and deadlines are kept."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import KEELCTL, Node, Skip, begin, equal, logger, service  # noqa: E402
from puppets import HUNG, puppet, tell  # noqa: E402

tap = begin()
FATAL = ("SEGV", "BUS", "ABRT", "ILL", "FPE")
EVERY_ONE_A_FIRST = "--crash-period=0"


def node_status(node):
    return json.loads(node.ctl("--json", "status").stdout)


def executions(node):
    """How often PID 1 supervises again, by its own log."""
    return node.log().count("supervised again after")


def crash(node, signal="SEGV"):
    """Kill PID 1 and wait until it supervises again."""
    before = executions(node)
    node.run("kill", f"-{signal}", "1")
    node.until(lambda: executions(node) > before, f"PID 1 goes on after SIG{signal}")


def lives(node):
    """What must not change."""
    return {name: (entry["state"], entry["pid"], entry["starts"])
            for name, entry in node.services_now().items()}


def descriptors(node):
    """Of PID 1, by what they are."""
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


def kill(node, name):
    """Kill the main process of a service that runs; 0 would be this test's own process group."""
    pid = node.until(lambda: node.services_now()[name]["pid"], f"{name} runs")
    node.run("kill", "-9", str(pid))


def deadline_of(node, name):
    return node.services_now()[name]["deadline_ns"]


def zombies(node):
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if "State:\tZ" in text and f"PPid:\t{node.pid}\n" in text:
            found.append(status.parent.name)
    return found


def groups(node):
    return sorted(str(path.relative_to(node.group)) for path in node.group.rglob("*")
                  if path.is_dir())


with tap.case("every fatal signal: services keep their processes, nothing leaks"), Node(
        logger(),
        service("web", "notify", "READY=1", "sleep", ready=["notify"], output=(
            "log", "/run/web.log", 65536, 2)),
        service("api", "sleep", ready=["exec"], requires=["web"]),
        service("job", "touch", "/run/job-ran", kind="oneshot"),
        service("off", "sleep", ready=["exec"]),
        arguments=EVERY_ONE_A_FIRST) as node:
    node.wait("api", "up")
    node.wait("job", "done")
    node.wait("off", "up")
    node.done("stop", "off")
    before, opened, made = lives(node), descriptors(node), groups(node)
    for signal in FATAL:
        crash(node, signal)
        equal(lives(node), before, f"after SIG{signal}")
    node.until(lambda: descriptors(node) == opened, "the same descriptors are open")
    equal(zombies(node), [])
    equal(groups(node), made)
    status = node_status(node)
    equal(status["executions"], 1 + len(FATAL))
    equal(status["crashes"], len(FATAL))
    assert "crashed 5 times, last on SIGFPE" in node.done("status"), node.done("status")
    blocked = next(line for line in Path(f"/proc/{node.pid}/status").read_text().splitlines()
                   if line.startswith("SigBlk"))
    equal(int(blocked.split()[1], 16) & (1 << 10 | 1 << 6 | 1 << 5 | 1 << 3 | 1 << 7), 0,
          "no fatal signal is left blocked")
    # It supervises, not only watches.
    kill(node, "web")
    node.until(lambda: lives(node)["web"][0::2] == ("up", 2), "web is up again")
    node.until(lambda: lives(node)["api"][0::2] == ("up", 2), "and api, which requires it")
    equal(node.services_now()["web"]["last_death"], "killed by SIGKILL")

with tap.case("second crash in the period: a fresh world, services found in their groups"), Node(
        logger(),
        service("web", "write", "one", "notify", "READY=1", "wait", "/run/go", "write", "two",
                "sleep", ready=["notify"], output=("log", "/run/web.log", 65536, 2)),
        service("api", "child", "sleep", ready=["exec"], requires=["web"]),
        service("job", "write", "x", kind="oneshot", output=("log", "/run/job.log", 65536, 2)),
        service("off", "sleep", ready=["exec"]),
        service("stuck", "ignore", "notify", "READY=1", "sleep", ready=["notify"],
                stop_ms=2000)) as node:
    for name, state in (("api", "up"), ("job", "done"), ("off", "up"), ("stuck", "up")):
        node.wait(name, state)
    node.done("stop", "off")
    before, made = lives(node), groups(node)
    crash(node)
    node.ctl("stop", "--no-wait", "stuck")
    equal(node.state("stuck"), "stopping")
    crash(node)
    assert "a fresh one" in node.log(), node.log()
    now = lives(node)
    for name in ("web", "api", "logger"):
        equal(now[name][:2], before[name][:2], name)
    equal(now["job"][0], "done", "work that was done is not done again")
    equal(now["off"][0], "down", "what was stopped stays stopped")
    node.wait("stuck", "down")
    equal(node.file("/run/job.log").count("x"), 1)
    # The pipe between web and the logger is the same one.
    node.run("touch", "/run/go")
    node.until(lambda: "two" in node.file("/run/web.log"), "its output goes on")
    equal(node_status(node)["crashes"], 2)
    kill(node, "web")
    node.until(lambda: lives(node)["web"][0] == "up" and lives(node)["web"][1] != before["web"][1],
               "web is restarted")
    node.until(lambda: node.file("/run/web.log").count("one") == 2, "the new one is heard, too")
    node.until(lambda: lives(node)["api"][0] == "up", "api comes back with it")
    equal(zombies(node), [])

with tap.case("a world that is lost: what runs from a file system that hangs is found all the same"):
    if not os.path.exists("/dev/fuse"):
        raise Skip("no /dev/fuse")
    # A fresh world does not know that it was done: it runs once more, and must not look there.
    COPY = ("test ! -e /run/copied || exit 0; mkdir -p /run/hung; cp /bin/sleep /run/hung; "
            "printf '#!/bin/sh\\nsleep 1000 & exec sleep 1000\\n' >/run/hung/script; "
            "chmod +x /run/hung/script; touch /run/copied")
    PATHS = {"environment": ["PATH=/usr/bin:/bin"]}
    with Node(
            logger(),
            service("copy", argv=["/bin/sh", "-c", COPY], kind="oneshot", **PATHS),
            service("direct", argv=["/run/hung/sleep", "1000"], after=["copy"],
                    output=("log", "/run/direct.log", 65536, 2)),
            service("script", argv=["/run/hung/script"], after=["copy"], **PATHS),
            puppet("fuse", HUNG, ready=["exec"], after=["copy"])) as node:
        for name in ("direct", "script", "fuse"):
            node.wait(name, "up")
        # The shell opens its script by name after the execve: that has to be over.
        node.until(lambda: len(node.members("script")) == 2, "the script runs what it is for")
        try:
            tell(node, "fuse", "mount(); threading.Thread(target=serve, daemon=True).start()")
        except AssertionError as error:
            raise Skip(f"no FUSE mount: {str(error).splitlines()[-1]}") from None
        before, count = lives(node), executions(node)
        os.kill(node.pid, 19)  # SIGSTOP
        world = re.search(r"^(\w+)-(\w+) .*keelson-world",
                          Path(f"/proc/{node.pid}/maps").read_text(), re.M)
        first, end = (int(number, 16) for number in world.groups())
        with open(f"/proc/{node.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(first)
            memory.write(b"\xff" * (end - first))
        os.kill(node.pid, 11)
        os.kill(node.pid, 18)
        node.until(lambda: executions(node) > count, "PID 1 goes on")
        assert "a fresh one" in node.log(), node.log()
        assert not (node.root / "run/hangs").exists(), "PID 1 looked for something there"
        now = lives(node)
        for name in ("direct", "script", "fuse", "logger"):
            equal(now[name][:2], before[name][:2], name)

with tap.case("third crash in the period: the end, with its own exit status"), Node(
        service("web", "sleep", ready=["exec"])) as node:
    node.wait("web", "up")
    crash(node)
    crash(node, "BUS")
    node.run("kill", "-ILL", "1")
    equal(node.unshare.wait(20), 126)
    assert "crash 3 in a row, giving up" in node.log(), node.log()

with tap.case("keelctl reexec takes the same road, and is no crash"), Node(
        logger(), service("web", "sleep", ready=["exec"], output=(
            "log", "/run/web.log", 65536, 2))) as node:
    node.wait("web", "up")
    before, opened = lives(node), descriptors(node)
    for n in range(4):
        node.done("reexec")
        node.until(lambda: executions(node) == n + 1, "another execution")
        equal(lives(node), before)
    crash(node)
    crash(node)  # only the second one
    status = node_status(node)
    equal(status["executions"], 7)
    equal(status["crashes"], 2)
    node.until(lambda: descriptors(node) == opened, "the same descriptors are open")

with tap.case("crash while starting: readiness by every road is still heard"), Node(
        service("told", "wait", "/run/go", "notify", "READY=1", "sleep", ready=["notify"]),
        service("written", "wait", "/run/go", "ready-fd", "5", "\\n", "sleep", ready=[("fd", 5)]),
        service("asked", "wait", "/run/go", "socket", "/run/asked", "sleep",
                ready=[("socket", "/run/asked")]),
        service("both", "notify", "READY=1", "wait", "/run/go", "socket", "/run/both", "sleep",
                ready=["notify", ("socket", "/run/both")]),
        service("late", "sleep", ready=["notify"], start_ms=2500, backoff_ms=(60000, 60000)),
        arguments=EVERY_ONE_A_FIRST) as node:
    names = ("told", "written", "asked", "both")
    for name in names:
        node.wait(name, "starting")
    before = {name: lives(node)[name][1:] for name in names}
    deadline = deadline_of(node, "late")
    crash(node)
    for name in names:
        equal(node.state(name), "starting", name)
    node.run("touch", "/run/go")
    for name in names:
        node.wait(name, "up")
        equal(lives(node)[name][1:], before[name], name)
    crash(node)
    if node.state("late") == "starting":
        equal(deadline_of(node, "late"), deadline, "its start timeout")
    node.wait("late", "backoff")
    equal(lives(node)["late"][2], 1)

with tap.case("crash while stopping: told once more, and killed in its time"), Node(
        service("stuck", "ignore", "notify", "READY=1", "sleep", ready=["notify"], stop_ms=4000),
        service("family", "child", "notify", "READY=1", "sleep", ready=["notify"], stop_ms=1500),
        arguments=EVERY_ONE_A_FIRST) as node:
    node.wait("stuck", "up")
    node.wait("family", "up")
    node.ctl("stop", "--no-wait", "stuck")
    node.ctl("stop", "--no-wait", "family")
    deadline, told = deadline_of(node, "stuck"), lives(node)["stuck"]
    crash(node)
    equal(lives(node)["stuck"], told, "it is not killed before its time")
    equal(deadline_of(node, "stuck"), deadline, "the stop timeout")
    node.wait("family", "down")
    node.wait("stuck", "down")
    equal(node.members("stuck") if (node.group / "stuck").exists() else [], [])
    assert "SIGKILL" in node.services_now()["stuck"]["last_death"]

with tap.case("crash while waiting: backoff, burst and failure stay what they were"), Node(
        service("crasher", "exit", "7", ready=["notify"], backoff_ms=(6000, 6000)),
        service("broken", "exit", "1", ready=["notify"], restart="never"),
        service("needs", "sleep", ready=["exec"], requires=["broken"]),
        service("tick", "stamp", "/run/ticks", kind="timer", timer=(300, 6000, 0)),
        arguments=EVERY_ONE_A_FIRST) as node:
    node.wait("broken", "failed")
    node.wait("crasher", "backoff")
    node.until(lambda: node.file("/run/ticks").count("\n") == 1, "the timer ran once")
    node.wait("tick", "scheduled")
    before = lives(node)["crasher"]
    deadlines = {name: deadline_of(node, name) for name in ("crasher", "tick")}
    for _ in range(3):
        crash(node)
    equal(lives(node)["crasher"], before)
    equal({name: deadline_of(node, name) for name in ("crasher", "tick")}, deadlines)
    equal(node.state("broken"), "failed")
    equal(node.state("needs"), "waiting")
    equal(node.services_now()["crasher"]["last_death"], "exited with status 7")
    node.until(lambda: lives(node)["crasher"][2] == before[2] + 1, "it is tried again")
    node.until(lambda: node.file("/run/ticks").count("\n") == 2, "the timer runs again")

with tap.case("crash during hooks: they go on, and what comes after them comes"), Node(
        service("web", "sleep", ready=["exec"],
                pre=[(20000, 0, "/bin/sh", "-c",
                      "echo pre >>/run/hooks; while [ ! -e /run/go ]; do sleep 0.02; done"),
                     (20000, 0, "/bin/sh", "-c", "echo second >>/run/hooks")],
                post=[(20000, 0, "/bin/sh", "-c",
                       "echo post >>/run/hooks; while [ ! -e /run/gone ]; do sleep 0.02; done")]),
        arguments=EVERY_ONE_A_FIRST) as node:
    node.until(lambda: node.file("/run/hooks") == "pre\n", "the first hook runs")
    crash(node)
    equal(node.state("web"), "starting")
    node.run("touch", "/run/go")
    node.wait("web", "up")
    equal(node.file("/run/hooks"), "pre\nsecond\n")
    node.ctl("stop", "--no-wait", "web")
    node.until(lambda: node.file("/run/hooks").endswith("post\n"), "the last hook runs")
    crash(node)
    equal(node.state("web"), "stopping")
    node.run("touch", "/run/gone")
    node.wait("web", "down")
    equal(node.file("/run/hooks"), "pre\nsecond\npost\n")

with tap.case("output written while PID 1 is away is not lost, nor with the logger killed"), Node(
        logger(),
        service("talks", argv=["/bin/sh", "-c",
                               "n=0; while [ $n -lt 3000 ]; do echo line $n; n=$((n + 1)); "
                               "[ $((n % 100)) = 0 ] && sleep 0.03; done; echo end; sleep 1000"],
                ready=["exec"], output=("log", "/run/talks.log", 10000000, 2)),
        arguments=EVERY_ONE_A_FIRST) as node:
    node.wait("talks", "up")
    for _ in range(4):
        crash(node)
        kill(node, "logger")
    node.until(lambda: "end\n" in node.file("/run/talks.log"), "all was written")
    heard = [int(n) for n in re.findall(r"line (\d+)$", node.file("/run/talks.log"), re.M)]
    equal(sorted(set(heard)), list(range(3000)), "at least once, every line")

with tap.case("a death while PID 1 crashes is seen, with how it was"), Node(
        service("one", "sleep", ready=["exec"], backoff_ms=(20, 20)),
        service("two", "sleep", ready=["exec"], restart="never"),
        service("orphans", *(["orphan"] * 10), "notify", "READY=1", "sleep", ready=["notify"]),
        arguments=EVERY_ONE_A_FIRST) as node:
    for name in ("one", "two", "orphans"):
        node.wait(name, "up")
    for n in range(5):
        seen = executions(node)
        node.run("sh", "-c", f"kill -9 {lives(node)['one'][1] or 1 << 22}; kill -SEGV 1")
        node.until(lambda: executions(node) > seen and
                   lives(node)["one"][0::2] == ("up", n + 2), "it was restarted")
        equal(node.services_now()["one"]["last_death"], "killed by SIGKILL")
    node.run("sh", "-c", f"kill -SEGV 1; kill -TERM {lives(node)['two'][1]}")
    node.until(lambda: node.state("two") != "up", "two ended")
    equal(zombies(node), [])

with tap.case("the watchdog of a service keeps its time"), Node(
        service("feeds", argv=["/bin/sh", "-c", "sleep 1000"], ready=["exec"],
                watchdog_ms=1500, restart="never"), arguments=EVERY_ONE_A_FIRST) as node:
    node.wait("feeds", "up")
    # Crashes without end, closer to each other than its period: it never began anew.
    for _ in range(60):
        crash(node)
        time.sleep(0.1)
        if node.state("feeds") != "up":
            break
    node.wait("feeds", "failed")
    assert "SIGABRT" in node.services_now()["feeds"]["last_death"]

with tap.case("liveness is watched again"), Node(
        service("web", "socket", "/run/web", "sleep", ready=["exec"], backoff_ms=(20, 20),
                liveness=[(100, 0, 2, "socket", "/run/web")]),
        arguments=EVERY_ONE_A_FIRST) as node:
    node.wait("web", "up")
    crash(node)
    node.run("rm", "/run/web")
    node.until(lambda: lives(node)["web"][2] == 2, "it is restarted")
    assert "liveness" in json.dumps(node.services_now()["web"]["death"]), node.services_now()

with tap.case("a main process that took over from its parent is still the one"), Node(
        service("ends", "handover", "end", "notify", "READY=1", "sleep", ready=["notify"],
                notify="all", backoff_ms=(20, 20)),
        service("stays", "handover", "stay", "notify", "READY=1", "sleep", ready=["notify"],
                notify="all", backoff_ms=(20, 20)),
        arguments=EVERY_ONE_A_FIRST) as node:
    for name in ("ends", "stays"):
        node.wait(name, "up")
    before = lives(node)
    for _ in range(2):
        crash(node)
        equal(lives(node), before)
    for name in ("ends", "stays"):
        kill(node, name)
        node.until(lambda: lives(node)[name][0::2] == ("up", 2), f"{name} is restarted")
    equal(zombies(node), [])

with tap.case("the hardware watchdog and the argument that names it stay open"), Node(
        service("web", "sleep", ready=["exec"]), prefix="flock --no-fork --shared /dev/full",
        arguments=EVERY_ONE_A_FIRST + " --watchdog=3") as node:
    node.wait("web", "up")
    for _ in range(2):
        crash(node)
        equal(os.readlink(f"/proc/{node.pid}/fd/3"), "/dev/full")
        flags = Path(f"/proc/{node.pid}/fdinfo/3").read_text()
        assert int(re.search(r"flags:\s*(\d+)", flags)[1], 8) & 0o2000000, "it is CLOEXEC again"

with tap.case("crash during the shutdown: it goes on, to the end that was asked for"), Node(
        service("web", "ignore", "notify", "READY=1", "sleep", ready=["notify"], stop_ms=1200),
        service("api", "sleep", ready=["exec"], requires=["web"]),
        arguments=EVERY_ONE_A_FIRST) as node:
    node.wait("api", "up")
    node.run("kill", "-TERM", "1")
    node.until(lambda: node.state("web") == "stopping", "web is told to stop")
    crash(node)
    node.done("reexec")
    crash(node)
    equal(node.unshare.wait(20), 0)
    assert "api: up" not in node.log()[node.log().index("shutdown"):], "nothing is started again"

with tap.case("a connection breaks off; a person who waits goes on waiting, to the end"), Node(
        service("slow", "ignore", "notify", "READY=1", "sleep", ready=["notify"], stop_ms=3000),
        arguments=EVERY_ONE_A_FIRST) as node:
    node.wait("slow", "up")
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(20)
    client.connect(str(node.socket))
    waits = subprocess.Popen(["nsenter", "-t", str(node.pid), "-p", "-m", "-n", KEELCTL, "stop",
                              "slow"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
    node.until(lambda: node.state("slow") == "stopping", "it is told to stop")
    crash(node)
    equal(client.recv(100), b"", "the end of a connection")
    equal(waits.poll(), None, "keelctl goes on")
    told, _ = waits.communicate(timeout=20)
    equal((waits.returncode, told), (0, ""), "what keelctl says")
    equal(node.state("slow"), "down", "as soon as keelctl ends")
    equal(node.ctl("status", "slow").returncode, 3)

with tap.case("a service's process never runs PID 1's handlers"), Node(
        service("web", "sleep", ready=["exec"]),
        service("dies", "kill", "11", ready=["notify"], restart="never")) as node:
    node.wait("web", "up")
    death = node.wait("dies", "failed")["last_death"]
    assert "SIGSEGV" in death, death
    pid = node.services_now()["web"]["pid"]
    caught = next(line for line in Path(f"/proc/{node.pid}/root/proc/{pid}/status").read_text()
                  .splitlines() if line.startswith("SigCgt"))
    fatal = 1 << 10 | 1 << 6 | 1 << 5 | 1 << 3 | 1 << 7
    equal(int(caught.split()[1], 16) & fatal, 0)
    equal(executions(node), 0)

tap.end()
