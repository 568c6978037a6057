#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exhaustion: processes, descriptors, memory of the kernel's, disk, time to read what services say.
PID 1 goes on answering, waits for better times, and then everything is as it has to be."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import INIT, MAKE_PLAN, Node, Skip, begin, equal, logger, service  # noqa: E402

tap = begin()
PATHS = {"environment": ["PATH=/usr/bin:/bin"]}
STATUS, START, STOP, RESTART, KILL = 1, 3, 4, 5, 10  # svc/control.h
NO_WAIT = 1
NPROC = 6  # RLIMIT_NPROC
ANSWER_S = 5  # a busy machine; one that hangs takes 20 and more
SANITIZED = b"__asan_init" in Path(INIT).read_bytes()


def shell(name, script, **fields):
    return service(name, argv=["/bin/sh", "-c", script], **PATHS, **fields)


def python(name, code, **fields):
    line = f"exec(bytes.fromhex('{code.encode().hex()}'))"  # ns-plan reads lines
    return service(name, argv=[sys.executable, "-S", "-E", "-c", line], **PATHS, **fields)


def ask(node, verb, name="", flags=NO_WAIT, argument=0):
    """A request from out here: no process of the node is needed. The error of its END."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(ANSWER_S)
        client.connect(str(node.socket))
        client.send(struct.pack("<IIIIQ64s", 3, verb, 0 if verb == STATUS else flags, argument, 0,
                                name.encode()))
        while True:
            packet = client.recv(1 << 16)
            if not packet:
                raise AssertionError("the connection was closed without an answer")
            _, kind, error, _ = struct.unpack("<IIiI", packet[:16])
            if kind == 6:
                return error


def answers(node):
    """How long a status takes, at most ANSWER_S."""
    began = time.monotonic()
    equal(ask(node, STATUS), 0)
    return time.monotonic() - began


def outside(node, name):
    """The main process of a service, by its number out here."""
    pid = str(node.wait(name, "up")["pid"])
    for member in node.members():
        with contextlib.suppress(OSError):
            numbers = re.search(r"^NSpid:(.*)$", Path(f"/proc/{member}/status").read_text(), re.M)
            if numbers[1].split()[-1] == pid:
                return int(member)
    raise AssertionError(f"{name} has no process {pid}")


def cpu_s(node):
    fields = Path(f"/proc/{node.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(node):
    return len(os.listdir(f"/proc/{node.pid}/fd"))


def memory_kib(pid, field="VmHWM"):
    return int(re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def zombies(node):
    stats = (Path(f"/proc/{pid}/stat") for pid in
             Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split())
    found = 0
    for stat in stats:
        with contextlib.suppress(OSError):
            found += stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return found


def own_pid_max():
    """kernel.pid_max belongs to the pid namespace: Linux 6.14."""
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 14)


# ---- processes ----

BOMB = """
import os, time
while True:
    try: os.fork()
    except BlockingIOError: time.sleep(0.02)
"""

with tap.case("a fork bomb takes every process of the node: PID 1 answers, and stops it"), Node(
        service("victim", "sleep", backoff_ms=(50, 50), burst=1000),
        python("bomb", BOMB, flags=2, restart="never"),
        service("other", "sleep")) as node:
    if not own_pid_max():
        raise Skip("kernel.pid_max is the machine's: it would be the machine's bomb")
    other = outside(node, "other")
    node.run("sh", "-c", "echo 400 >/proc/sys/kernel/pid_max")
    equal(ask(node, START, "bomb"), 0)
    node.until(lambda: len(node.members("bomb")) > 250, "it takes what there is")

    def starved():
        """Its own end makes room for one process, which it may get before the bomb does.
        Nothing here may need a process of the node: there is none left."""
        if "victim: no room for a process" in node.log():
            return True
        for pid in node.members("victim"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        return False

    node.until(starved, "there is none for others", 60)
    slowest = max(answers(node) for _ in range(20))
    tap.note(f"slowest answer beside the bomb: {slowest * 1000:.0f} ms")
    equal(ask(node, STOP, "bomb"), 0)
    node.until(lambda: not (node.group / "bomb").exists(), "nothing of it is left", 60)
    node.wait("victim", "up")
    equal(node.wait("bomb", "down")["starts"], 1)
    equal(outside(node, "other"), other)
    node.until(lambda: zombies(node) == 0, "all of it is reaped")

with tap.case("a fork bomb under RLIMIT_NPROC is its own user's trouble"), Node(
        service("bomb", argv=["/usr/bin/perl", "-e",
                              "while (1) { defined(fork) or select(undef, undef, undef, 0.02) }"],
                uid=54321, limit=[(NPROC, 60, 60)], restart="never"),
        service("other", "sleep")) as node:
    node.run("chmod", "1777", "/run")
    node.until(lambda: len(node.members("bomb")) > 40, "it takes what it may")
    node.done("restart", "other")
    assert len(node.members("bomb")) <= 60, node.members("bomb")
    node.done("stop", "bomb")
    equal(node.members("bomb"), [])

HERD_SIZE = 2000 if SANITIZED else 10000  # what a death costs is not asked of a sanitizer
HERD = str(Path(MAKE_PLAN).with_name("ns-herd"))

with tap.case("ten thousand zombies at once: all are reaped, and clients answered meanwhile"), Node(
        service("herd", argv=[HERD, str(HERD_SIZE)], restart="never"), service("other", "sleep")) as node:
    most = int(Path("/proc/sys/kernel/pid_max").read_text())
    if most < HERD_SIZE + 5000:
        raise Skip(f"only {most} processes on this machine")
    node.until((node.root / "run/born").exists, f"{HERD_SIZE} have ended", 400)
    before = json.loads(node.done("--json", "status"))["reaped_orphans"]
    spent = cpu_s(node)
    began = time.monotonic()
    (node.root / "run/go").touch()
    slowest = 0.0
    reaped = 0
    while reaped < HERD_SIZE:
        slowest = max(slowest, answers(node))
        reaped = json.loads(node.done("--json", "status"))["reaped_orphans"] - before
        assert time.monotonic() - began < 60, f"{reaped} are reaped"
    took = time.monotonic() - began
    tap.note(f"{reaped} in {took:.2f} s, {(cpu_s(node) - spent) * 1e6 / reaped:.0f} us of PID 1 "
             f"each, slowest answer {slowest * 1000:.0f} ms")
    node.until(lambda: zombies(node) == 0, "nobody is left")
    equal(node.services_now()["other"]["starts"], 1)

# ---- what the kernel refuses ----

def trace(node, call, error):
    """strace that lets every `call` of PID 1 fail with `error` until it ends."""
    tracer = Path(f"/proc/{node.pid}/status")
    strace = subprocess.Popen(["strace", "-qq", "-e", f"trace={call}", "-e",
                               f"inject={call}:error={error}", "-o", node.work / "trace",
                               "-p", str(node.pid)], stderr=subprocess.PIPE, text=True)
    node.until(lambda: strace.poll() is not None or
               re.search(r"TracerPid:\t[1-9]", tracer.read_text()), "strace is attached")
    if strace.poll() is not None:
        raise Skip(f"strace: {strace.stderr.read().strip()}")
    return strace


REFUSED = {
    "clone3": ("EAGAIN", "ENOMEM", "ENOSPC"),
    "mkdirat": ("EAGAIN", "ENOMEM", "ENOSPC"),
    "pipe2": ("EMFILE", "ENFILE"),
    "openat": ("EMFILE", "ENFILE", "ENOMEM"),
    "epoll_ctl": ("ENOMEM", "ENOSPC"),
    "accept4": ("EMFILE", "ENFILE", "ENOMEM"),
    "recvmsg": ("ENOMEM",),
    "sendmsg": ("ENOBUFS", "ENOMEM"),
}

with tap.case("whatever the kernel refuses for a while is asked for again, and never remembered"), \
        Node(logger(),
             service("base", "notify", "READY=1", "sleep", ready=["notify"], backoff_ms=(20, 20),
                     burst=100000, stop_ms=60000, output=("log", "/run/log/base", 1 << 20, 1)),
             service("web", "http", "18090", "200", "sleep", ready=[("http", 18090, "/")],
                     requires=["base"], backoff_ms=(20, 20), burst=100000,
                     pre=[(5000, 0, "/bin/true")]),
             service("asks", "sleep", ready=[("command", "/bin/true")], backoff_ms=(20, 20),
                     burst=100000, start_ms=3000, stop_ms=60000),
             service("timer", argv=["/bin/true"], kind="timer", timer=(50, 100, 0), burst=100000,
                     backoff_ms=(20, 20))) as node:
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    for name in ("web", "asks"):
        node.wait(name, "up")
    time.sleep(0.3)
    before = descriptors(node)
    for call, errors in REFUSED.items():
        for error in errors:
            victims = [outside(node, name) for name in ("base", "asks")]
            strace = trace(node, call, error)
            try:
                for victim in victims:
                    os.kill(victim, signal.SIGKILL)
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                    with contextlib.suppress(OSError):
                        client.connect(str(node.socket))
                    node.until(lambda: "(INJECTED)" in (node.work / "trace").read_text(),
                               f"PID 1 makes a {call}")
                    time.sleep(0.3)
            finally:
                strace.terminate()
                strace.wait()
            refused = (node.work / "trace").read_text().count("(INJECTED)")
            assert refused > 0, f"{call} {error}"
            for name in ("logger", "base", "web", "asks"):
                try:
                    node.wait(name, "up")
                except AssertionError as failure:
                    raise AssertionError(f"after {refused} x {call} {error}: {failure}") from None
            runs = node.services_now()["timer"]["starts"]
            node.until(lambda r=runs: node.services_now()["timer"]["starts"] > r,
                       f"after {call} {error}: the timer runs")
            assert node.log().count("\n") < 5000, "the log is flooded"
    node.until(lambda: zombies(node) == 0, "nobody is left")
    # Of each group that was asked about there may be its events.
    node.until(lambda: descriptors(node) <= before + 4,
               f"{before} descriptors, not {descriptors(node)}")

# ---- descriptors ----

with tap.case("at every limit of descriptors: it heals when there is room, and loses none"), Node(
        logger(),
        service("base", "notify", "READY=1", "sleep", ready=["notify"], backoff_ms=(20, 20),
                burst=100000, output=("log", "/run/log/base", 1 << 20, 1)),
        service("fd", "ready-fd", "5", "x\\n", "sleep", ready=[("fd", 5)], backoff_ms=(20, 20),
                burst=100000),
        service("web", "http", "18091", "200", "sleep", ready=[("http", 18091, "/")],
                requires=["base"], backoff_ms=(20, 20), burst=100000)) as node:
    def all_up():
        for name in ("logger", "base", "fd", "web"):
            node.wait(name, "up")

    def limit(number):
        subprocess.run(["prlimit", "--pid", str(node.pid), f"--nofile={number}:"], check=True)

    all_up()
    time.sleep(0.2)
    before = descriptors(node)
    highest = max(int(fd) for fd in os.listdir(f"/proc/{node.pid}/fd"))
    for room in range(-3, 10):
        clients = []
        victims = [outside(node, name) for name in ("base", "fd")]
        limit(highest + 1 + room)
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        spent = cpu_s(node)
        for _ in range(4):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            client.setblocking(False)
            with contextlib.suppress(OSError):
                client.connect(str(node.socket))
            clients.append(client)
        time.sleep(0.3)
        spent = cpu_s(node) - spent
        assert spent < 0.2, f"room for {room}: {spent} s of CPU in 0.3 s"
        if room % 5 == 0:  # and to execute itself anew does not need more of them either
            os.kill(node.pid, signal.SIGSEGV)
            node.until(lambda: "supervised again" in node.log(), "it goes on")
        for client in clients:
            client.close()
        limit(1024)
        all_up()
    node.until(lambda: descriptors(node) <= before, f"{before} descriptors, not {descriptors(node)}")

# ---- disk ----

with tap.case("a full /run: services start, PID 1 answers and executes itself anew"), Node(
        logger(),
        service("base", "sleep", backoff_ms=(20, 20), output=("log", "/run/log/base", 1 << 20, 1)),
        service("web", "notify", "READY=1", "sleep", ready=["notify"], requires=["base"],
                backoff_ms=(20, 20))) as node:
    base = outside(node, "base")
    node.wait("web", "up")
    node.run("mount", "-o", "remount,size=16m", "/run")
    filled = node.run("sh", "-c", "dd if=/dev/zero of=/run/ballast bs=64k; : >/run/another")
    assert "No space left" in filled.stderr, filled.stderr
    os.kill(base, signal.SIGKILL)
    node.until(lambda: node.services_now()["base"]["starts"] == 2, "a new life")
    node.wait("web", "up")
    os.kill(node.pid, signal.SIGSEGV)
    node.until(lambda: "supervised again" in node.log(), "it goes on")
    node.done("restart", "base")
    node.wait("web", "up")
    node.run("rm", "/run/ballast")

# ---- output ----


def written(node, name):
    """Bytes that the processes of a service wrote so far."""
    total = 0
    for pid in node.members(name):
        with contextlib.suppress(OSError):
            total += int(re.search(r"^wchar: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.M)[1])
    return total


GUSH = """
import os
line = b"x" * 127 + b"\\n"
block = line * 8192
while True: os.write(1, block)
"""
TICK = """
import time
while True:
    os.write(1, b"tick\\n")
    time.sleep(0.05)
"""


with tap.case("a service that writes as fast as it can: it waits for the logger, nobody else does"), \
        Node(logger(),
             python("gush", GUSH, output=("log", "/run/log/gush", 4 << 20, 1)),
             service("calm", "write", "calm", "wait", "/run/speak", "write", "spoken", "sleep",
                     output=("log", "/run/log/calm", 1 << 20, 1), backoff_ms=(20, 20)),
             service("other", "notify", "READY=1", "sleep", ready=["notify"])) as node:
    for name in ("gush", "calm", "other"):
        node.wait(name, "up")
    gush, log = outside(node, "gush"), outside(node, "logger")
    memory = memory_kib(node.pid)

    def rate(seconds):
        before, began = written(node, "gush"), time.monotonic()
        time.sleep(seconds)
        return (written(node, "gush") - before) / (time.monotonic() - began) / 1e6

    spent = cpu_s(node)
    fast = rate(2)
    spent = cpu_s(node) - spent
    slowest = max(answers(node) for _ in range(20))
    tap.note(f"{fast:.0f} MB/s into files, PID 1 used {spent * 1000:.0f} ms of CPU in 2 s, "
             f"slowest answer {slowest * 1000:.0f} ms, the logger {memory_kib(log)} KiB")
    assert fast > 1, "nothing is taken from the pipe"
    assert spent < 0.2, f"PID 1 used {spent} s"
    (node.root / "run/speak").touch()
    node.until(lambda: "spoken" in node.file("/run/log/calm"), "who is calm is heard beside it")
    node.done("restart", "other")
    assert memory_kib(log) < (65536 if SANITIZED else 4096), f"the logger: {memory_kib(log)} KiB"
    equal(memory_kib(node.pid), memory, "memory of PID 1")
    files = [path.stat().st_size for path in (node.root / "run/log").glob("gush*")]
    assert sum(files) < 3 * (4 << 20), f"files: {files}"
    # Without a logger it is held in its write; nothing is lost, and nothing grows.
    node.done("stop", "logger")
    node.until(lambda: rate(0.3) == 0, "it waits for a logger")
    answers(node)
    equal(outside(node, "gush"), gush, "the same process all the time")
    node.done("start", "logger")
    node.until(lambda: rate(0.3) > 1, "it goes on")
    node.done("stop", "gush")

with tap.case("... on a full disk it is not held: output is dropped, and counted in the file"), Node(
        shell("disk", "mkdir /run/full && mount -t tmpfs -o size=1m tmpfs /run/full && "
                      "head -c 1040000 /dev/zero >/run/full/ballast", kind="oneshot"),
        logger() + "requires\tdisk\n",
        python("gush", GUSH.replace("True", "not os.path.exists('/run/calm')") + TICK,
               requires=["disk"], output=("log", "/run/full/gush", 256 << 10, 1)),
        service("other", "sleep", output=("log", "/run/log/other", 1 << 20, 1))) as node:
    node.wait("gush", "up")
    node.until(lambda: written(node, "gush") > 20 << 20, "it writes far more than there is room for")
    log = outside(node, "logger")
    assert memory_kib(log) < (65536 if SANITIZED else 4096), f"the logger: {memory_kib(log)} KiB"
    answers(node)
    node.done("restart", "other")
    node.run("touch", "/run/calm")
    node.run("rm", "/run/full/ballast")
    node.until(lambda: "bytes dropped: No space left on device" in node.file("/run/full/gush"),
               "the marker")
    node.until(lambda: node.file("/run/full/gush").endswith("tick\n"), "later lines")

tap.end()
