#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What services, clients and a machine that is short of everything do to PID 1: nothing. It goes on
answering, does not spin, and keeps no descriptor longer than it needs it."""

import contextlib
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import KEELCTL, Node, begin, equal, logger, service  # noqa: E402

tap = begin()
PYTHON = {"environment": ["PATH=/usr/bin:/bin"]}
ANSWER_S = 5  # a busy machine; one that hangs takes 20 and more


def python(name, code, **fields):
    line = f"exec(bytes.fromhex('{code.encode().hex()}'))"  # ns-plan reads lines
    return service(name, argv=[sys.executable, "-S", "-E", "-c", line], **PYTHON, **fields)


def descriptors(node):
    return sorted(os.readlink(f"/proc/{node.pid}/fd/{fd}").split(":")[0]
                  for fd in os.listdir(f"/proc/{node.pid}/fd"))


def cpu_s(node):
    fields = Path(f"/proc/{node.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answers(node, what):
    began = time.monotonic()
    node.ctl("status")
    took = time.monotonic() - began
    assert took < ANSWER_S, f"{what}: an answer took {took:.1f} s"


def while_frozen(node, done, dead=None):
    """Let services go on (/run/go) until they made the file `done`, and until process `dead` (of the
    node's numbers) is; PID 1 sees it all afterwards."""
    os.kill(node.pid, signal.SIGSTOP)
    try:
        (node.root / "run/go").touch()
        node.until((node.root / done).exists, done)
        if dead:
            node.until(lambda: ") Z " in node.file(f"/proc/{dead}/stat"), "it is dead")
    finally:
        os.kill(node.pid, signal.SIGCONT)


with tap.case("no life leaves a descriptor behind, however it ends"), Node(
        logger(),
        service("base", "notify", "READY=1", "sleep", ready=["notify"], backoff_ms=(10, 10),
                output=("log", "/run/log/base", 1 << 20, 1)),
        service("web", "http", "18080", "200", "sleep", ready=[("http", 18080, "/")],
                requires=["base"], backoff_ms=(10, 10)),
        service("never", "sleep", ready=["notify", ("socket", "/run/none")], start_ms=100, flags=2,
                restart="never"),
        service("absent", argv=["/no/such/program"], restart="never", flags=2),
        service("leaver", "child", "notify", "READY=1", "exit", "1", ready=["notify"],
                restart="never", flags=2)) as node:
    node.wait("web", "up")
    node.ctl("status")
    before = descriptors(node)
    for life in range(4):
        for name in ("absent", "never", "leaver"):
            node.ctl("start", name)
            node.wait(name, "failed")
        node.run("kill", "-9", str(node.wait("base", "up")["pid"]))
        node.until(lambda n=life: node.services_now()["base"]["starts"] == n + 2, "a new life")
        node.wait("web", "up")
        node.done("restart", "web")
    node.wait("web", "up")

    def same():
        return descriptors(node) == before

    try:
        node.until(same, "the same descriptors", 5)
    except AssertionError:
        equal(descriptors(node), before)

with tap.case("a main process that left its cgroup is killed all the same"), Node(
        service("mover", argv=["/bin/sh", "-c", "trap '' TERM; mkdir -p /sys/fs/cgroup/else; "
                               "echo $$ >/sys/fs/cgroup/else/cgroup.procs; touch /run/moved; "
                               "while :; do sleep 0.1; done"],
                stop_ms=200, **PYTHON)) as node:
    node.until((node.root / "run/moved").exists, "it moved")
    equal(node.members("mover"), [])
    before = cpu_s(node)
    node.ctl("--no-wait", "stop", "mover")
    node.wait("mover", "down", 8)
    assert cpu_s(node) - before < 1, "PID 1 spins"

with tap.case("a cgroup that somebody removed under a service does not make PID 1 spin"), Node(
        service("mover", argv=["/bin/sh", "-c", "while ! [ -e /run/go ]; do sleep 0.05; done; "
                               "mkdir -p /sys/fs/cgroup/else; "
                               "echo $$ >/sys/fs/cgroup/else/cgroup.procs; "
                               "rmdir /sys/fs/cgroup/mover; touch /run/moved; exec sleep 1000"],
                **PYTHON)) as node:
    node.wait("mover", "up")
    while_frozen(node, "run/moved")
    before = cpu_s(node)
    time.sleep(1)
    assert cpu_s(node) - before < 0.1, f"{cpu_s(node) - before} s of CPU in a second"
    node.done("stop", "mover")
    equal(node.state("mover"), "down")

NEST = """
import os
group = "/sys/fs/cgroup/" + open("/proc/self/cgroup").read().split("0::/")[1].strip()
at = os.open(group, os.O_RDONLY)
for depth in range(600):
    os.mkdir("below", dir_fd=at)
    below = os.open("below", os.O_RDONLY, dir_fd=at)
    os.close(at)
    at = below
for beside in range(800):
    os.mkdir(str(beside), dir_fd=at)
"""

with tap.case("groups nested deeper than a path is long hold up neither PID 1 nor the next life"), Node(
        python("nests", NEST, kind="oneshot")) as node:
    node.wait("nests", "done")
    before = cpu_s(node)
    node.ctl("--no-wait", "restart", "nests")
    answers(node, "groups in groups")
    node.until(lambda: node.services_now()["nests"]["starts"] == 2, "it runs again")
    node.wait("nests", "done")
    node.until(lambda: not (node.group / "nests").exists(), "nothing is left of it")
    assert cpu_s(node) - before < 5, f"{cpu_s(node) - before} s of CPU"

LINGER = """
import os, socket, struct, time
here = socket.create_server(("127.0.0.1", 0))
to = socket.create_connection(here.getsockname())
deaf, _ = here.accept()
to.setblocking(False)
try:
    while True: to.send(b"x" * 65536)
except BlockingIOError: pass
to.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
say = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
say.connect(os.environ["NOTIFY_SOCKET"])
open("/run/set", "w")
while not os.path.exists("/run/go"): time.sleep(0.01)
file = os.open("/etc/passwd", os.O_RDONLY)
socket.send_fds(say, [b"READY=1"], [to.fileno(), file, file])
os.close(to.detach())
open("/run/sent", "w")
time.sleep(1000)
"""

with tap.case("a socket that lingers, sent to the notify socket, holds nobody up"), Node(
        python("linger", LINGER, ready=["notify"])) as node:
    node.until((node.root / "run/set").exists, "the socket is full")
    while_frozen(node, "run/sent")
    node.wait("linger", "up", 10)
    answers(node, "after a lingering socket")
    before = descriptors(node)
    assert not any("passwd" in name for name in before), before

# The lingering socket lies in the queue of a socket that is sent, or is one of more than fit.
NESTED = LINGER.replace("socket.send_fds(say, [b\"READY=1\"], [to.fileno(), file, file])", """
inner, outer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
socket.send_fds(inner, [b"x"], [to.fileno()])
inner.close()
socket.send_fds(say, [b"READY=1"], [outer.fileno()])
outer.close()""")

with tap.case("a socket that lingers in the queue of another one holds nobody up"), Node(
        python("nested", NESTED, ready=["notify"])) as node:
    node.until((node.root / "run/set").exists, "the socket is full")
    while_frozen(node, "run/sent")
    node.wait("nested", "up", 10)
    answers(node, "after a nested lingering socket")

MANY = """
import os, socket, time
say = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
say.connect(os.environ["NOTIFY_SOCKET"])
file = os.open("/etc/passwd", os.O_RDONLY)
say.send(b"READY=1")
while True: socket.send_fds(say, [b"STATUS=descriptors"], [file] * 200)
"""

def open_files(pid):
    """What its descriptors are; one that is closed meanwhile is none."""
    names = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return names


with tap.case("a flood of descriptors: PID 1 never has one, and few children at once"), Node(
        python("many", MANY, ready=["notify"]),
        service("web", "notify", "READY=1", "sleep", ready=["notify"])) as node:
    node.wait("many", "up")
    node.wait("web", "up")
    most = 0
    for _ in range(100):
        answers(node, "in a flood of descriptors")
        names = open_files(node.pid)
        assert not any("passwd" in name for name in names), names
        children = Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()
        most = max(most, len(children))
    assert most <= 2 + 17, f"{most} children"
    node.done("restart", "web")
    node.done("stop", "many")

FEW = """
import os, socket, sys
held, free = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
say = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
say.connect(os.environ["NOTIFY_SOCKET"])
open("/run/set", "w")
while not os.path.exists("/run/go"): pass
socket.send_fds(say, [b"READY=1"], [held.fileno()])
held.close()
open("/run/sent", "w")
free.recv(1)
"""

with tap.case("no child can be made to drop what was sent: it is said once, and done when one can"), \
        Node(python("few", FEW, ready=["notify"], start_ms=60000),
             service("web", "sleep")) as node:
    node.until((node.root / "run/set").exists, "it is about to send")
    limit = ["prlimit", "--pid", str(node.pid)]
    open_now = {int(fd) for fd in os.listdir(f"/proc/{node.pid}/fd")}
    unused = next(fd for fd in range(1024) if fd not in open_now)
    subprocess.run([*limit, f"--nofile={unused}:"], check=True)
    while_frozen(node, "run/sent")
    node.until(lambda: "cannot be dropped" in node.log(), "it is said")
    before = cpu_s(node)
    time.sleep(1)
    spent = cpu_s(node) - before
    assert spent < 0.1, f"{spent} s of CPU in a second"
    subprocess.run([*limit, "--nofile=1024:"], check=True)
    node.wait("few", "up", 10)
    equal(node.log().count("cannot be dropped"), 1, node.log())

LARGE = """
import os, socket, time
say = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(10)]
for one in say:
    one.setsockopt(socket.SOL_SOCKET, 32, 1 << 20) # SO_SNDBUFFORCE
    one.connect(os.environ["NOTIFY_SOCKET"])
open("/run/set", "w")
while not os.path.exists("/run/go"): time.sleep(0.01)
for one in say: one.send(b"X_LARGE=" + b"x" * 300000)
after = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
after.connect(os.environ["NOTIFY_SOCKET"])
after.send(b"READY=1\\nSTATUS=last words")
open("/run/sent", "w")
os._exit(0)
"""

with tap.case("what was said before the death counts, however much was said before it"), Node(
        python("large", LARGE, kind="oneshot", ready=["notify"], restart="never")) as node:
    node.until((node.root / "run/set").exists, "it is about to speak")
    while_frozen(node, "run/sent", node.services_now()["large"]["pid"])
    node.wait("large", "done", 10)
    equal(node.services_now()["large"]["status"], "last words")

FLOOD = """
import os, socket
say = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
say.connect(os.environ["NOTIFY_SOCKET"])
while True: say.send(b"STATUS=flood")
"""

with tap.case("a flood of notifications starves neither clients nor timers"), Node(
        python("flood", FLOOD, ready=["notify"], start_ms=500, restart="never")) as node:
    answers(node, "in a flood")
    node.wait("flood", "failed", 10)

DEAF = """
import socket, time
full = socket.socket(socket.AF_UNIX); full.bind("/run/full"); full.listen(0)
stalled = socket.create_server(("127.0.0.1", 18082), backlog=0)
clients = []
for _ in range(8):
    client = socket.socket(socket.AF_UNIX); client.setblocking(False)
    try: client.connect("/run/full")
    except BlockingIOError: break
    clients.append(client)
time.sleep(1000)
"""

with tap.case("probes of a full queue and of a server that never answers wait for neither"), Node(
        python("deaf", DEAF, ready=[("socket", "/run/full"), ("http", 18082, "/")],
               start_ms=60000)) as node:
    for _ in range(5):
        answers(node, "while it probes")
        time.sleep(0.2)

STALL = """
import socket
server = socket.create_server(("127.0.0.1", 18083))
stalled, _ = server.accept()
while True:
    client, _ = server.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
    client.close()
"""

with tap.case("a probe that gets no answer is given up and made again"), Node(
        python("stall", STALL, ready=[("http", 18083, "/")], start_ms=60000)) as node:
    stall = node.wait("stall", "up")
    equal(stall["starts"], 1)

with tap.case("clients that wait leave room for one who asks"), Node(
        service("slow", "ignore", "notify", "READY=1", "sleep", ready=["notify"],
                stop_ms=60000)) as node:
    node.wait("slow", "up")
    stop = struct.pack("<IIIIQ64s", 3, 4, 0, 0, 0, b"slow")
    waiting = []
    for _ in range(20):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(str(node.socket))
        client.send(stop)
        waiting.append(client)
    answers(node, "twenty wait")
    equal(node.state("slow"), "stopping")
    waiting[19].settimeout(5)
    equal(struct.unpack("<IIiI", waiting[19].recv(4096)[:16])[2], -16, "the last one is told EBUSY")
    for client in waiting:
        client.close()

with tap.case("without descriptors PID 1 waits for better times, and says so once"), Node(
        service("one", "sleep", flags=2), service("two", "sleep")) as node:
    node.wait("two", "up")
    limit = ["prlimit", "--pid", str(node.pid)]
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(str(node.socket))
    time.sleep(0.2)
    open_now = {int(fd) for fd in os.listdir(f"/proc/{node.pid}/fd")}
    unused = next(fd for fd in range(1024) if fd not in open_now)
    subprocess.run([*limit, f"--nofile={unused + 1}:"], check=True)
    client.send(struct.pack("<IIIIQ64s", 3, 3, 1, 0, 0, b"one"))
    before = cpu_s(node)
    more = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(8)]
    for another in more:
        another.connect(str(node.socket))
    time.sleep(1.5)
    spent = cpu_s(node) - before
    assert spent < 0.1, f"{spent} s of CPU in 1.5 s"
    subprocess.run([*limit, "--nofile=1024:"], check=True)
    for another in more:
        another.close()
    node.wait("one", "up")
    equal(node.log().count("no room for a process"), 1, node.log())
    assert "start failed" not in node.log(), node.log()

with tap.case("a service's output is no command to the terminal that shows it"), Node(
        logger(), service("rude", "write", "\033[2Jgone\007", "sleep",
                          output=("log", "/run/log/rude", 1 << 20, 1))) as node:
    node.until(lambda: "gone" in node.file("/run/log/rude"), "it is logged")
    master, slave = pty.openpty()
    subprocess.run(["nsenter", "-t", str(node.pid), "-p", "-m", "-n", KEELCTL, "logs", "rude"],
                   stdout=slave, check=True, timeout=20)
    shown = os.read(master, 4096)
    assert b"?[2Jgone?" in shown and b"\033" not in shown, shown
    assert "\033[2Jgone" in node.done("logs", "rude"), "a program gets what was written"

with tap.case("a thousand orphans at once are reaped while clients are answered"), Node(
        service("herd", argv=["/bin/sh", "-c", "n=0; while [ $n -lt 1000 ]; do (sleep 1 & ); "
                              "n=$((n+1)); done; touch /run/born; exec sleep 1000"],
                **PYTHON)) as node:
    node.until((node.root / "run/born").exists, "all are born", 180)
    answers(node, "while they die")
    node.until(lambda: len(node.members("herd")) == 1, "all are reaped", 60)
    node.wait("herd", "up")

tap.end()
