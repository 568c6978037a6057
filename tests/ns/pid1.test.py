#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PID 1 itself: bad plans, milestones, orphans, and what it never does after the start."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import INIT, MAKE_PLAN, Node, Skip, begin, equal, service  # noqa: E402

# Without the machine's /run and cgroups: PID 1 takes what it finds for its own.
BARE = ("unshare", "--pid", "--mount", "--cgroup", "--uts", "--net", "--fork", "--kill-child",
        "--propagation", "private", "sh", "-ec",
        "mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /sys/fs/cgroup; eval \"$2\"; "
        "exec \"$0\" --container \"--plan=$1\"", INIT)

tap = begin()


def boot(plan):
    """keelson-init in a namespace with the bytes of a plan: exit status and what it said."""
    path = Path("/tmp") / f"keelson-plan-{time.monotonic_ns()}"
    path.write_bytes(plan)
    try:
        done = subprocess.run([*BARE, path, ""],
                              text=True, capture_output=True, timeout=20, stdin=subprocess.DEVNULL)
    finally:
        path.unlink()
    return done.returncode, done.stderr


def plan_of(*lines):
    path = Path("/tmp") / f"keelson-plan-{time.monotonic_ns()}"
    subprocess.run([MAKE_PLAN, path], input="".join(lines), text=True, check=True)
    try:
        return path.read_bytes()
    finally:
        path.unlink()


PLAN = plan_of(service("web", "sleep"))
for what, plan, reason in (
        ("truncated", PLAN[:-8], "size"),
        ("empty", b"", "size"),
        ("foreign", b"\x7fELF" + PLAN[4:], "verify"),
        ("damaged", PLAN[:200] + bytes([PLAN[200] ^ 1]) + PLAN[201:], "checksum")):
    with tap.case(f"a {what} plan is refused with a line that says so, and status 125"):
        status, said = boot(plan)
        equal(status, 125)
        assert "keelson: /tmp/keelson-plan-" in said and reason in said, said


OPTIONAL_MOUNT, OPTIONAL_SETTING = 8, 1
for what, line, said in (
        ("module", "module\t/lib/none.ko\n",
         "keelson: module: /lib/none.ko: load: No such file or directory"),
        ("sysctl", "sysctl\t/proc/sys/none\t1\t0\n",
         "keelson: sysctl: /proc/sys/none: write: No such file or directory"),
        ("mount", "mount\tnosuchfs\t/run\t0\n", "keelson: mount: /run: fsopen: No such device"),
        ("path", "mount\ttmpfs\t/run\t0\nfile\t/proc/none/file\ttext\n",
         "keelson: path: /proc/none/file: make: No such file or directory")):
    with tap.case(f"a {what} that cannot be made ends the boot before any service, and is named"):
        status, log = boot(plan_of(line, service("web", "sleep")))
        equal(status, 125)
        assert said in log, log
        assert "web" not in log, log

with tap.case("what the plan calls optional, and a full disk, are said, and the boot goes on"), Node(
        f"mount\tnosuchfs\t/run/mounted\t{OPTIONAL_MOUNT}\n",
        "mount\ttmpfs\t/run/small\t0\tsize\t4096\tnr_inodes\t1\n",
        f"sysctl\t/proc/sys/none\t1\t{OPTIONAL_SETTING}\n",
        "file\t/run/small/file\ttext\n",
        "file\t/run/made\ttext\n",
        service("web", "sleep")) as node:
    node.wait("web", "up")
    for said in ("mount: /run/mounted: ", "sysctl: /proc/sys/none: ",
                 "path: /run/small/file: make: No space left on device"):
        assert said in node.log(), node.log()
    equal(node.file("/run/made"), "text\n")

with tap.case("asked to end before there is a loop, it ends when there is one"):
    work = Path(tempfile.mkdtemp(prefix="keelson-fifo-", dir="/var/tmp"))
    plan = work / "plan"
    # Writing this setting takes until the other end is opened: a phase that takes its time.
    plan.write_bytes(plan_of("sysctl\t/proc/sys/fs/held\tgo\t0\n", service("web", "sleep")))
    with open(work / "log", "w+") as log:
        held = subprocess.Popen([*BARE, plan, "mount -t tmpfs tmpfs /proc/sys/fs; "
                                              "mkfifo /proc/sys/fs/held"],
                                stdin=subprocess.DEVNULL, stderr=log)
        try:
            children_of = Path(f"/proc/{held.pid}/task/{held.pid}/children")

            def in_the_phase():
                for pid in children_of.read_text().split():
                    if (os.readlink(f"/proc/{pid}/exe") == os.path.realpath(INIT) and
                            ") S " in Path(f"/proc/{pid}/stat").read_text()):
                        return pid
                return None

            pid = Node.until(in_the_phase, "PID 1 waits in a phase")
            subprocess.run(["kill", "-TERM", pid], check=True)
            equal(Path(f"/proc/{pid}/root/proc/sys/fs/held").read_text(), "go")
            equal(held.wait(20), 0)
        finally:
            held.kill()
        log.seek(0)
        assert "shutdown: poweroff" in log.read()
    shutil.rmtree(work)

with tap.case("without room in /run PID 1 still ends when it is asked"):
    work = Path(tempfile.mkdtemp(prefix="keelson-full-", dir="/var/tmp"))
    plan = work / "plan"
    plan.write_bytes(plan_of("mount\ttmpfs\t/run\t0\tnr_inodes\t1\n", service("web", "sleep")))
    with open(work / "log", "w+") as log:
        full = subprocess.Popen([*BARE, plan, ""],
                                stdin=subprocess.DEVNULL, stderr=log)
        try:
            Node.until(lambda: "service: web: " in (work / "log").read_text(), "services begin")
            pid = Path(f"/proc/{full.pid}/task/{full.pid}/children").read_text().split()[0]
            subprocess.run(["kill", "-TERM", pid], check=True)
            equal(full.wait(20), 0)
        finally:
            full.kill()
        log.seek(0)
        assert "control: /run/keelson/control: No " in log.read()
    shutil.rmtree(work)

with tap.case("a stderr that nobody reads does not hold PID 1"):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    with Node(service("web", "sleep"), stderr=writing) as node:
        node.wait("web", "up")
        node.done("restart", "web")

with tap.case("not as PID 1 it does nothing at all"):
    done = subprocess.run([INIT, "--container"], text=True, capture_output=True, timeout=5)
    equal(done.returncode, 100)
    assert "PID 1" in done.stderr

with tap.case("a file in the milestones directory is stamped and said"), Node(
        service("web", "sleep")) as node:
    node.wait("web", "up")
    node.run("touch", "/run/keelson/milestones/pod-runs")
    node.run("touch", "/run/keelson/milestones/two words\nkeelson: up")
    node.until(lambda: "two?words?keelson??up" in node.log(), "both are logged")
    assert "keelson: milestone pod-runs at " in node.log(), node.log()
    events = json.loads(node.done("--json", "analyze"))["events"]
    names = [event["name"] for event in events if event["kind"] == "milestone"]
    equal(names, ["pod-runs", "two?words?keelson??up"])

with tap.case("a flood of milestones is heard only so far, and the node goes on"), Node(
        service("web", "sleep")) as node:
    node.wait("web", "up")
    node.run("sh", "-c", "i=0; while [ $i -lt 300 ]; do : >/run/keelson/milestones/m$i; "
                         "i=$((i+1)); done")
    node.until(lambda: "64 were heard, no more will be" in node.log(), "it is said")
    events = json.loads(node.done("--json", "analyze"))["events"]
    equal(len([event for event in events if event["kind"] == "milestone"]), 64)
    node.done("restart", "web")
    equal(node.log().count("no more will be"), 1)

with tap.case("one line sums the boot up"), Node(
        service("one", "sleep"), service("two", "sleep"),
        service("manual", "sleep", flags=2)) as node:
    node.wait("two", "up")
    node.until(lambda: "up in " in node.log(), "it is said")
    line = [line for line in node.log().splitlines() if "up in " in line]
    equal(len(line), 1, node.log())
    assert "): 2 services, image 1" in line[0], line


def children(node):
    path = Path(f"/proc/{node.pid}/task/{node.pid}/children")
    return len(path.read_text().split())


with tap.case("orphans are reaped, many at once"), Node(service("web", "sleep")) as node:
    node.wait("web", "up")
    before = children(node)
    node.run("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.5 >/dev/null 2>&1 &) ; done")
    node.until(lambda: children(node) >= before + 9, "PID 1 is their parent")
    node.until(lambda: children(node) == before, "nobody is left")

# More than PID 1 reaps in one turn, and all of them die at the same moment.
CROWD = """
import os, time
reading, writing = os.pipe()
for _ in range(600):
    if os.fork() == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
"""

with tap.case("a crowd of orphans that die at once is reaped to the last"), Node(
        service("web", "sleep")) as node:
    node.wait("web", "up")
    before = children(node)
    node.run(sys.executable, "-S", "-E", "-c", CROWD)

    def reaped():
        return json.loads(node.done("--json", "status"))["reaped_orphans"]

    node.until(lambda: reaped() >= 600, "six hundred are reaped")
    equal(children(node), before)

with tap.case("after the start PID 1 asks the kernel for no memory"), Node(
        service("base", "sleep", backoff_ms=(10, 10)),
        service("web", "notify", "READY=1", "sleep", ready=["notify"], requires=["base"]),
        service("failing", "exit", "1", backoff_ms=(10, 10))) as node:
    if not shutil.which("strace"):
        raise Skip("no strace")
    node.wait("web", "up")
    trace = node.work / "trace"
    strace = subprocess.Popen(["strace", "-p", str(node.pid), "-o", trace],
                              stderr=subprocess.PIPE, text=True)
    first = strace.stderr.readline()
    if "attached" not in first:
        raise Skip(f"strace: {first.strip()}")
    node.done("restart", "base")
    node.ctl("status", "-v")
    node.ctl("analyze")
    node.run("touch", "/run/keelson/milestones/m")
    node.run("sh", "-c", "(sleep 0.1 &)")
    time.sleep(0.5)
    node.ctl("stop", "web")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    equal(node.unshare.wait(8), 0)
    strace.wait(5)
    calls = [line.split("(")[0] for line in trace.read_text().splitlines()]
    assert "epoll_wait" in calls or "epoll_pwait" in calls, calls[:20]
    for forbidden in ("brk", "mmap", "mremap"):
        assert forbidden not in calls, forbidden

tap.end()
