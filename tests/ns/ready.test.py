#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Readiness: exec, notify, fd, socket, http, command, alone and together."""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, Skip, begin, equal, service  # noqa: E402
from puppets import HUNG, code, puppet, tell  # noqa: E402

tap = begin()
MANUAL = 2
PATHS = {"environment": ["PATH=/usr/bin:/bin"]}
ANSWER_S = 5  # a busy machine; one that hangs takes 20 and more


def still(node, name, state, why, for_s=0.15):
    time.sleep(for_s)
    equal(node.state(name), state, why)


def answers(node, what):
    began = time.monotonic()
    node.ctl("status")
    took = time.monotonic() - began
    assert took < ANSWER_S, f"{what}: an answer took {took:.1f} s"


HTTP = """
import threading
status, asked = ["503 Busy"], []
def serve(port):
    server = socket.create_server(("127.0.0.1", port))
    def run():
        while True:
            client, _ = server.accept()
            asked.append(client.recv(4096).split(b"\\r\\n")[0].decode())
            if status[0]:
                client.sendall(f"HTTP/1.1 {status[0]}\\r\\n\\r\\n".encode())
                client.close()
            else:
                keep.append(client)
    threading.Thread(target=run, daemon=True).start()
def listen(path, kind=socket.SOCK_STREAM):
    server = socket.socket(socket.AF_UNIX, kind)
    server.bind(path)
    if kind != socket.SOCK_DGRAM:
        server.listen(64)
    keep.append(server)
"""

start = {"start_ms": 60000, "backoff_ms": (10, 10)}
with tap.case("each kind of readiness is met by what it says, and by nothing else"), Node(
        puppet("plain", ready=["exec"], **start),
        puppet("fd", ready=[("fd", 5)], **start),
        puppet("high", ready=[("fd", 255)], **start),
        puppet("silent", ready=[("fd", 5)], **start),
        puppet("socket", HTTP, ready=[("socket", "/run/s.sock")], **start),
        puppet("packets", HTTP, ready=[("socket", "/run/p.sock")], **start),
        puppet("web", HTTP, ready=[("http", 18080, "/healthz")], **start),
        puppet("command", ready=[("command", "/usr/bin/test", "-e", "/run/go")],
               probe_ms=(20, 1000), **start)) as node:
    node.wait("plain", "up")
    # fd: s6's protocol. What comes before the newline does not matter, and then it is closed.
    tell(node, "fd", "os.write(5, b'almost')")
    still(node, "fd", "starting", "no newline yet")
    for other in ("high", "silent"):
        equal(node.state(other), "starting")
    tell(node, "fd", "os.write(5, b' there\\nmore')")
    node.wait("fd", "up")
    tell(node, "fd", "signal.signal(signal.SIGPIPE, signal.SIG_IGN)\n"
         "try: os.write(5, b'x')\nexcept BrokenPipeError: pass\nelse: raise Exception('still open')")
    tell(node, "high", "os.write(255, b'\\n')")
    node.wait("high", "up")
    tell(node, "silent", "os.close(5)")
    still(node, "silent", "starting", "an end of file is no newline")
    assert "silent: closed its readiness descriptor without a newline" in node.log(), node.log()
    # socket: what is bound but does not listen, or was left over, accepts nothing.
    tell(node, "socket", "stale = socket.socket(socket.AF_UNIX); stale.bind('/run/s.sock')")
    still(node, "socket", "starting", "it does not listen")
    tell(node, "socket", "stale.close()")
    still(node, "socket", "starting", "nobody listens any more")
    tell(node, "socket", "os.unlink('/run/s.sock'); listen('/run/s.sock')")
    node.wait("socket", "up")
    tell(node, "packets", "listen('/run/p.sock', socket.SOCK_SEQPACKET)")
    node.wait("packets", "up")
    # http: 200 is it.
    tell(node, "web", "serve(18080)")
    node.until(lambda: tell(node, "web", "answer = len(asked)") != "0", "it is asked")
    still(node, "web", "starting", "503 is not 200")
    tell(node, "web", "status[0] = '204 Nothing'")
    still(node, "web", "starting", "204 is not 200")
    tell(node, "web", "status[0] = '200 OK'")
    node.wait("web", "up")
    equal(tell(node, "web", "answer = asked[-1]"), "GET /healthz HTTP/1.0")
    before = tell(node, "web", "answer = len(asked)")
    # command: exit status 0, asked again and again.
    still(node, "command", "starting", "the command fails")
    (node.root / "run/go").touch()
    node.wait("command", "up")
    equal(tell(node, "web", "answer = len(asked)"), before, "what was met is not asked again")

with tap.case("probes combined: all have to be met, and none is asked before what is told"), Node(
        puppet("web", HTTP + "serve(18081); status[0] = '200 OK'",
               ready=["exec", "notify", ("fd", 4), ("http", 18081, "/")], **start),
        puppet("all", HTTP, probe_ms=(20, 1000), **start,
               ready=["notify", ("socket", "/run/a.sock"), ("command", "/usr/bin/test", "-e",
                                                            "/run/a")])) as node:
    tell(node, "web", "os.write(4, b'\\n')")
    still(node, "web", "starting", "notify is missing")
    equal(tell(node, "web", "answer = len(asked)"), "0")
    tell(node, "web", "say('READY=1')")
    node.wait("web", "up")
    tell(node, "all", "say('READY=1'); barrier(); listen('/run/a.sock')")
    still(node, "all", "starting", "the command fails")
    (node.root / "run/a").touch()
    node.wait("all", "up")

COMMAND = ("echo \"$MAINPID $(sed -n 's/^0:://p' /proc/self/cgroup) $(id -u)\" >>/run/asked;"
           " test -e /run/hang && exec sleep 1000; test -e /run/go")
with tap.case("a command asks from within the service, and is killed when it takes too long"), Node(
        service("web", "sleep", ready=[("command", "/bin/sh", "-c", COMMAND)], uid=65534,
                argv=["/bin/sleep", "1000"], probe_ms=(20, 150), **start, **PATHS),
        service("gone", ready=[("command", "/bin/sh", "-c", "sleep 1001")], probe_ms=(20, 60000),
                argv=["/bin/sleep", "1000"], start_ms=300, restart="never", flags=MANUAL,
                **PATHS)) as node:
    (node.root / "run").chmod(0o777)
    node.until(lambda: node.file("/run/asked"), "it is asked")
    pid = node.services_now()["web"]["pid"]
    equal(node.file("/run/asked").splitlines()[-1], f"{pid} /web 65534")
    (node.root / "run/hang").touch()
    node.until(lambda: node.run("pgrep", "-f", "^sleep 1000").stdout.split(), "one hangs")
    count = len(node.file("/run/asked").splitlines())
    node.until(lambda: len(node.file("/run/asked").splitlines()) > count + 1, "it is asked again")
    (node.root / "run/go").touch()
    (node.root / "run/hang").unlink()
    node.wait("web", "up")
    node.until(lambda: len(node.members("web")) == 1, "no command is left")
    # A question that is under way does not outlive the service.
    node.ctl("start", "gone")
    node.wait("gone", "failed")
    assert "gone: not ready within 300 ms, stopping it: not met: command /bin/sh" in node.log()
    node.until(lambda: not node.run("pgrep", "-f", "sleep 1001").stdout, "it is killed")

with tap.case("readiness goes on when PID 1 executes itself anew"), Node(
        puppet("fd", HTTP, ready=["notify", ("fd", 5), ("socket", "/run/s.sock")], **start),
        puppet("slow", ready=[("fd", 5)], **start)) as node:
    tell(node, "fd", "say('READY=1'); barrier()")
    node.done("reexec")
    node.until(lambda: "slow" in node.services_now(), "it is back")
    pid = node.services_now()["fd"]["pid"]
    tell(node, "fd", "os.write(5, b'\\n')")
    still(node, "fd", "starting", "the socket is missing")
    os.kill(node.pid, 11)
    time.sleep(0.1)
    tell(node, "fd", "listen('/run/s.sock')")
    now = node.wait("fd", "up")
    equal((now["pid"], now["starts"]), (pid, 1))
    tell(node, "slow", "os.write(5, b'\\n')")
    node.wait("slow", "up")

with tap.case("a socket on a file system that hangs holds a child, and neither PID 1 nor anybody else"):
    if not os.path.exists("/dev/fuse"):
        raise Skip("no /dev/fuse")
    with Node(
            puppet("fuse", HUNG, ready=["exec"]),
            service("web", "sleep", ready=[("socket", "/run/hung/web.sock")], flags=MANUAL,
                    start_ms=2500, restart="never"),
            service("other", "socket", "/run/o.sock", "sleep", ready=[("socket", "/run/o.sock")],
                    flags=MANUAL)) as node:
        try:
            tell(node, "fuse", "mount(); threading.Thread(target=serve, daemon=True).start()")
        except AssertionError as error:
            raise Skip(f"no FUSE mount: {str(error).splitlines()[-1]}") from None
        node.ctl("--no-wait", "start", "web")
        node.until((node.root / "run/hangs").exists, "somebody waits for the file system")
        for _ in range(5):
            answers(node, "while a child hangs")
            time.sleep(0.1)
        node.done("start", "other")
        node.wait("web", "failed")
        answers(node, "afterwards")
        node.done("stop", "other")
        # It held nothing of PID 1's, and when the daemon is gone it is, too.
        node.done("stop", "fuse")
        node.until(lambda: node.run("pgrep", "-c", "-P", "1").stdout.strip() == "0",
                   "no child is left")

with tap.case("a socket where a private mount is goes by its path, also through links"), Node(
        puppet("web", HTTP + "os.mkdir('/run/real'); os.symlink('/run/real', '/run/link')",
               ready=[("socket", "/run/link/web.sock")], **start),
        puppet("far", HTTP, ready=[("socket", "/tmp/far.sock")], **start)) as node:
    still(node, "web", "starting", "it does not listen")
    tell(node, "web", "listen('/run/real/web.sock')")
    node.wait("web", "up")
    # Another file system than that of /run: a child asks.
    tell(node, "far", "listen('/tmp/far.sock')")
    node.wait("far", "up")

tap.end()
