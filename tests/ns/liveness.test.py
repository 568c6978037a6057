#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Liveness: probes that are asked while a service is up, and the watchdog that it feeds itself."""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, begin, equal, service  # noqa: E402
from puppets import hold, puppet, tell  # noqa: E402

tap = begin()
PATHS = {"environment": ["PATH=/usr/bin:/bin"]}

HTTP = """
import threading
status, asked = ["200 OK"], []
def run(server):
    while True:
        client, _ = server.accept()
        client.recv(4096)
        asked.append(status[0])
        if status[0]:
            client.sendall(f"HTTP/1.1 {status[0]}\\r\\n\\r\\n".encode())
            client.close()
        else:
            keep.append(client)
def serve(port):
    server = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=run, args=[server], daemon=True).start()
    return server
def listen(path, accepts=True):
    if os.path.exists(path):
        os.unlink(path)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(8)
    def run():
        while True:
            server.accept()
    if accepts:
        threading.Thread(target=run, daemon=True).start()
    return server
"""


def asked(node, name):
    return int(tell(node, name, "answer = len(asked)"))


def more(node, name, count):
    before = asked(node, name)
    node.until(lambda: asked(node, name) >= before + count, f"{name} is asked {count} times")


def reborn(node, name, starts):
    """Its death, once it is up in its life number `starts`."""
    node.until(lambda: node.services_now()[name]["starts"] == starts, f"{name}: a new life")
    return node.wait(name, "up")


def said(node, text):
    node.until(lambda: text in node.log(), f"the log says: {text}")


told = {"ready": ["notify"], "start_ms": 60000}
quick = {"backoff_ms": (10, 10), "restart": "failure"}
with tap.case("http: so many failures in a row restart it, with the reason"), Node(
        puppet("web", HTTP + "serve(18090); say('READY=1')", **told,
               liveness=[(50, 500, 3, "http", 18090, "/live")],
               **quick)) as node:
    first = node.wait("web", "up")
    more(node, "web", 3)
    # Two in a row are not three.
    tell(node, "web", "status[0] = '503 Busy'")
    more(node, "web", 2)
    tell(node, "web", "status[0] = '200 OK'")
    more(node, "web", 2)
    equal(node.services_now()["web"]["pid"], first["pid"])
    said(node, "web: liveness: http 127.0.0.1:18090/live: status 503 (1 of 3)")
    said(node, "web: liveness: http 127.0.0.1:18090/live: well again")
    hold(node, "web", "status[0] = '500 Broken'")
    now = reborn(node, "web", 2)
    equal(now["death"]["reason"], "liveness")
    equal(now["death"]["signal"], "TERM")
    equal(now["restarts"], 1)
    assert "liveness" in now["last_death"] or "probe" in now["last_death"], now["last_death"]
    said(node, "web: liveness: http 127.0.0.1:18090/live: status 500 (3 of 3)")
    # No answer at all is none, either.
    hold(node, "web", "status[0] = ''")
    reborn(node, "web", 3)
    said(node, "no answer within 500 ms (3 of 3)")

with tap.case("a server that is gone, a socket that refuses, a command that fails"), Node(
        puppet("web", HTTP + "server = serve(18091); say('READY=1')", **told,
               liveness=[(50, 2000, 2, "http", 18091, "/")], **quick),
        puppet("socket", HTTP + "server = listen('/run/s.sock'); say('READY=1')", **told,
               liveness=[(50, 0, 2, "socket", "/run/s.sock")], **quick),
        puppet("full", HTTP + "server = listen('/run/f.sock', accepts=False); say('READY=1')", **told,
               liveness=[(50, 0, 2, "socket", "/run/f.sock")], **quick),
        service("command", "sleep", **quick, **PATHS,
                liveness=[(50, 5000, 2, "command", "/bin/sh", "-c", "! test -e /run/sick || exit 7")]),
        service("slow", "sleep", **quick, **PATHS,
                liveness=[(50, 1000, 2, "command", "/bin/sh", "-c",
                           "! test -e /run/slow || exec sleep 1000")]),
        service("two", "sleep", **quick, **PATHS, liveness=[
            (50, 5000, 1, "command", "/bin/true"),
            (50, 5000, 1, "command", "/bin/sh", "-c", "! test -e /run/two")]),
        service("once", "sleep", **{**quick, "restart": "never"}, **PATHS,
                liveness=[(50, 5000, 1, "command", "/bin/sh", "-c", "! test -e /run/once")])) as node:
    names = ("web", "socket", "command", "slow", "two", "once")
    for name in names:
        node.wait(name, "up")
    time.sleep(0.5)
    equal([node.services_now()[name]["starts"] for name in names], [1] * len(names), "all are well")
    tell(node, "web", "server.shutdown(socket.SHUT_RDWR); server.close()")
    reborn(node, "web", 2)
    said(node, "web: liveness: http 127.0.0.1:18091/: Connection refused (2 of 2)")
    tell(node, "socket", "server.shutdown(socket.SHUT_RDWR); server.close()")
    reborn(node, "socket", 2)
    said(node, "socket: liveness: socket /run/s.sock: Connection refused (2 of 2)")
    node.until(lambda: "its queue is full (2 of 2)" in node.log(), "nobody accepts")
    for name, cause, reason in (("command", "sick", "exited with status 7 (2 of 2)"),
                                ("slow", "slow", "no answer within 1000 ms (2 of 2)"),
                                ("two", "two", "exited with status 1 (1 of 1)")):
        starts = node.wait(name, "up")["starts"]
        (node.root / "run" / cause).touch()
        node.until(lambda n=name, s=starts: node.services_now()[n]["starts"] > s,
                   f"{name}: a new life")
        (node.root / "run" / cause).unlink()
        equal(node.wait(name, "up")["death"]["reason"], "liveness")
        said(node, reason)
    (node.root / "run/once").touch()
    once = node.wait("once", "failed")
    equal((once["starts"], once["death"]["reason"]), (1, "liveness"))
    node.until(lambda: not node.run("pgrep", "-f", "sleep 1000").stdout, "no command is left")

with tap.case("liveness waits while the service is not up, reloads or is stopped"), Node(
        puppet("web", HTTP + "serve(18092)", **told, reload_signal=1,
               stop_ms=60000, liveness=[(50, 2000, 2, "http", 18092, "/")], **quick)) as node:
    time.sleep(0.3)
    equal(asked(node, "web"), 0, "it is not up yet")
    tell(node, "web", "say('READY=1'); barrier()")
    more(node, "web", 2)
    tell(node, "web", "say('RELOADING=1'); barrier(); status[0] = '503 Busy'")
    before = asked(node, "web")
    time.sleep(0.5)
    assert asked(node, "web") <= before + 1, "it is asked while it reloads"
    tell(node, "web", "status[0] = '200 OK'; say('READY=1'); barrier()")
    more(node, "web", 3)
    equal(node.services_now()["web"]["starts"], 1)
    tell(node, "web", "signal.signal(signal.SIGTERM, lambda *_: keep.append(1))")
    node.ctl("--no-wait", "stop", "web")
    node.wait("web", "stopping")
    before = asked(node, "web")
    time.sleep(0.3)
    equal(asked(node, "web"), before, "it is asked while it stops")

with tap.case("what cannot be asked is no failure, and is told once"), Node(
        service("web", "sleep", liveness=[(50, 1000, 1, "command", "/no/such/program")],
                **quick)) as node:
    node.wait("web", "up")
    time.sleep(0.5)
    equal(node.services_now()["web"]["starts"], 1)
    text = "web: liveness: command /no/such/program: cannot be asked: start failed at step exec"
    equal(node.log().count(text), 1, node.log())

with tap.case("liveness goes on when PID 1 executes itself anew"), Node(
        puppet("web", HTTP + "serve(18093); say('READY=1')", **told,
               liveness=[(50, 2000, 2, "http", 18093, "/")], **quick),
        service("command", "sleep", **quick, **PATHS,
                liveness=[(20, 5000, 1, "command", "/bin/sh", "-c",
                           "sleep 0.05; ! test -e /run/sick")])) as node:
    node.wait("web", "up")
    for crash in (False, True):
        if crash:
            os.kill(node.pid, signal.SIGSEGV)
        else:
            node.done("reexec")
        more(node, "web", 3)
    equal([node.services_now()[name]["starts"] for name in ("web", "command")], [1, 1])
    hold(node, "web", "status[0] = '500 Broken'")
    equal(reborn(node, "web", 2)["death"]["reason"], "liveness")
    (node.root / "run/sick").touch()
    node.until(lambda: node.services_now()["command"]["starts"] > 1, "a new life")

# ---- the watchdog ----

FED = """
import threading
feeding = [True]
def feed():
    while True:
        if feeding[0]:
            say("WATCHDOG=1")
        time.sleep(0.05)
threading.Thread(target=feed, daemon=True).start()
"""

with tap.case("the watchdog: who is fed lives, who is not gets SIGABRT"), Node(
        puppet("fed", FED, watchdog_ms=1000, **quick),
        puppet("slow", ready=["notify"], start_ms=60000, watchdog_ms=200, **quick),
        puppet("trigger", **quick, notify="all"),
        puppet("asks", FED, notify="all", **quick)) as node:
    fed = node.wait("fed", "up")
    equal(tell(node, "fed", "answer = os.environ['WATCHDOG_USEC']"), "1000000")
    # It begins with the service being up, and not before.
    time.sleep(0.8)
    equal(node.state("slow"), "starting")
    equal(node.services_now()["fed"]["pid"], fed["pid"])
    tell(node, "slow", "say('READY=1')")
    node.until(lambda: node.services_now()["slow"]["starts"] == 2, "a new life")
    death = node.services_now()["slow"]["death"]
    equal((death["reason"], death["signal"]), ("watchdog", "ABRT"))
    tell(node, "fed", "feeding[0] = False")
    death = reborn(node, "fed", 2)["death"]
    equal((death["reason"], death["signal"]), ("watchdog", "ABRT"))
    # A service that finds itself broken says so.
    hold(node, "trigger", "say('WATCHDOG=trigger')")
    equal(reborn(node, "trigger", 2)["death"]["reason"], "watchdog")
    # One may ask for it, or for another period, while it runs; 0: no more.
    tell(node, "asks", "say('WATCHDOG_USEC=1000000'); barrier()")
    equal(node.services_now()["asks"]["watchdog_ns"], 1_000_000_000)
    time.sleep(1.2)
    equal(node.services_now()["asks"]["starts"], 1)
    tell(node, "asks", "say('WATCHDOG_USEC=0'); feeding[0] = False; barrier()")
    time.sleep(1.2)
    equal(node.services_now()["asks"]["starts"], 1)
    tell(node, "asks", "say('WATCHDOG_USEC=1000000')")
    equal(reborn(node, "asks", 2)["death"]["reason"], "watchdog")

with tap.case("the watchdog forgives a reload, a re-exec, and a PID 1 that did not run itself"), Node(
        puppet("web", FED + "say('READY=1')", **told, watchdog_ms=1000, **quick)) as node:
    node.wait("web", "up")
    tell(node, "web", "say('RELOADING=1'); feeding[0] = False; barrier()")
    time.sleep(1.5)
    equal(node.services_now()["web"]["starts"], 1)
    tell(node, "web", "say('READY=1'); feeding[0] = True; barrier()")
    time.sleep(0.5)
    # PID 1 was stopped for a moment: what was said meanwhile is heard first.
    os.kill(node.pid, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(node.pid, signal.SIGCONT)
    time.sleep(0.2)
    equal(node.services_now()["web"]["starts"], 1, "the feed that waited counts")
    # ... for long, as when the machine slept: nobody could feed.
    pid = node.services_now()["web"]["pid"]
    inside = [int(one) for one in node.members("web")]
    os.kill(node.pid, signal.SIGSTOP)
    for one in inside:
        os.kill(one, signal.SIGSTOP)
    time.sleep(2.5)
    os.kill(node.pid, signal.SIGCONT)
    time.sleep(0.1)
    for one in inside:
        os.kill(one, signal.SIGCONT)
    time.sleep(0.5)
    now = node.services_now()["web"]
    equal((now["starts"], now["pid"]), (1, pid), "a machine that slept")
    node.done("reexec")
    time.sleep(1.2)
    equal(node.services_now()["web"]["starts"], 1, "fed after a re-exec")
    tell(node, "web", "feeding[0] = False")
    equal(reborn(node, "web", 2)["death"]["reason"], "watchdog", "and it still watches")

tap.end()
