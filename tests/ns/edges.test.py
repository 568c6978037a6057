#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Edge cases that are nobody's own: what PID 1 does where something it takes for granted is not
there, or not yet. Each has the name it has in docs/supervisor.md."""

import os
import re
import shutil
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, Skip, begin, equal, logger, service  # noqa: E402

tap = begin()
PATHS = {"environment": ["PATH=/usr/bin:/bin"]}
NOFILE = 7  # RLIMIT_NOFILE


def shell(name, script, **fields):
    return service(name, argv=["/bin/sh", "-c", script], **PATHS, **fields)


with tap.case("late limits: everything holds at the first instruction, in each of fifty runs"), Node(
        # Its own output is what the first thing that it does tells of itself.
        service("reader", argv=["/bin/cat", "/proc/self/oom_score_adj", "/proc/self/cgroup",
                                "/proc/self/limits", "/proc/self/status", "/proc/self/stat"],
                kind="timer", timer=(1, 1, 0), oom=500, nice=7, uid=1234, gid=4321, umask="027",
                limit=[(NOFILE, 99, 111)], output=("log", "/run/log/reader", 1 << 24, 1)),
        logger()) as node:
    node.until(lambda: node.services_now()["reader"]["starts"] >= 50, "fifty runs")
    node.done("stop", "reader")
    text = re.sub(r"(?m)^\d{4}-\S+Z ", "", node.file("/run/log/reader"))
    # The stop may have cut the last run short: what it had said by then is no whole run.
    text = re.match(r"(?s).*^\d+ \(cat\) [^\n]*\n", text, re.M)[0]
    runs = text.count("\nName:\tcat")
    assert runs >= 49, runs
    for line in (r"500", r"0::\S*/reader", r"Uid:\t1234\t1234\t1234\t1234",
                 r"Gid:\t4321\t4321\t4321\t4321", r"Umask:\t0027",
                 r"Max open files +99 +111 +files *", r"\d+ \(cat\) R (\S+ ){15}7 .*"):
        equal(len(re.findall(rf"(?m)^(?:{line})$", text)), runs, line)

# The end of a file to who reads; who writes is refused, and not held.
USES_NULL = shell("user", "read line; echo end of input $? >/run/used; echo out; "
                          "echo written $? >>/run/used; exec sleep 1000")
for what, makes in (("no /dev/null", "mount\ttmpfs\t/dev\t0\n"),
                    ("a file called /dev/null", "mount\ttmpfs\t/dev\t0\nfile\t/dev/null\tsecret\n")):
    with tap.case(f"{what}: PID 1 makes do, and says so"), Node(
            makes, USES_NULL, service("web", "notify", "READY=1", "sleep", ready=["notify"],
                                      pre=[(5000, 0, "/bin/true")])) as node:
        node.wait("user", "up")
        node.wait("web", "up")
        node.until(lambda: "written" in node.file("/run/used"), "it goes on")
        assert node.file("/run/used").startswith("end of input 1\n"), node.file("/run/used")
        equal(node.log().count("/dev/null: services get an empty file instead"), 1, node.log())
        os.kill(node.pid, signal.SIGSEGV)
        node.until(lambda: "supervised again" in node.log(), "it goes on")
        node.done("restart", "user")
        equal(node.file("/dev/null"), "secret\n" if "file" in makes else "")

with tap.case("console: PID 1 has no terminal, and a hangup is its service's"):
    master, slave = os.openpty()
    terminal = os.ttyname(slave)
    with Node(service("console", argv=["/bin/sh", "-c", "echo hello; exec sleep 1000"],
                      output=("tty", terminal), backoff_ms=(50, 50), burst=100000, **PATHS),
              service("other", "sleep")) as node:
        seen = b""
        while b"hello" not in seen:
            seen += os.read(master, 1024)
        equal(Path(f"/proc/{node.pid}/stat").read_text().rsplit(")", 1)[1].split()[4], "0", "its tty")
        opened = [os.readlink(f"/proc/{node.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{node.pid}/fd")]
        assert terminal not in opened, opened
        os.close(slave)
        os.close(master)
        # First it dies of the hangup, then there is no terminal for it any more.
        node.until(lambda: "start failed at step" in (node.services_now()["console"]["last_death"]
                                                      or ""), "it finds no terminal")
        equal(node.services_now()["other"]["starts"], 1)
        node.done("stop", "console")


def trace_entropy(more):
    """A node without an id, while the kernel has no entropy yet; its id, log and getrandom(2) calls."""
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    with Node("machine_id\n", "mount\ttmpfs\t/etc\t0\n", "mount\ttmpfs\t/var/lib\t0\n",
              service("crash", "exit", "1", ready=["notify"], backoff_ms=(10, 10), burst=3),
              prefix=f"strace -D -o /run/trace -e trace=getrandom "
                     f"-e inject=getrandom:error=EAGAIN:when=1+2 {more}") as node:
        node.wait("crash", "failed")
        return node.file("/etc/machine-id"), node.log(), node.file("/run/trace")


with tap.case("entropy: where there is none yet PID 1 waits in a child, and not for ever"):
    # Of PID 1's own calls the first and the third are refused: is there some, and a seed for jitter.
    shown, log, calls = trace_entropy("")
    assert re.fullmatch(r"[0-9a-f]{32}\n", shown), shown
    assert "little entropy" not in log, log
    equal(len(re.findall(r"^getrandom.*INJECTED", calls, re.M)), 2, calls)
    shown, log, calls = trace_entropy("-f")  # and the child's
    assert re.fullmatch(r"[0-9a-f]{32}\n", shown), shown
    assert "machine-id: made of little entropy: " in log, log

with tap.case("restart limit: what waits for a service that failed says so, and comes when it does"), \
        Node(shell("base", "[ -e /run/good ] || exit 1; exec sleep 1000", restart="failure",
                   ready=[("command", "/bin/test", "-e", "/run/good")], burst=2,
                   backoff_ms=(10, 10)),
             service("web", "sleep", requires=["base"]),
             service("late", "sleep", requires=["web"])) as node:
    node.wait("base", "failed")
    for name, needs in (("web", "base"), ("late", "web")):
        entry = node.services_now()[name]
        assert entry["state"] in ("waiting", "down"), entry
        told = node.ctl("status", name).stdout
        assert needs in told, told
    equal(node.ctl("start", "--timeout", "10", "web").returncode, 1, "a start that cannot be")
    (node.root / "run/good").touch()
    node.done("start", "web")
    node.wait("late", "up")

tap.end()
