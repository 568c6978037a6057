#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A service that does what the test tells it, while it runs: puppet.py NAME executes the Python that
appears in /run/NAME.do, removes the file when it is done, and leaves what went wrong, or the value
of `answer`, in /run/NAME.said. The words below are there to be used."""

import array
import contextlib
import os
import signal
import socket
import sys
import time
import traceback

NAME = sys.argv[1]
DO, SAID = f"/run/{NAME}.do", f"/run/{NAME}.said"
keep = []


def datagrams(path=None):
    to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    to.connect(path or os.environ["NOTIFY_SOCKET"])
    return to


def say(text, fds=(), pid=None, to=None):
    """sd_notify(3); `pid`: in whose name."""
    parts = []
    if fds:
        parts.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds)))
    if pid is not None:
        parts.append((socket.SOL_SOCKET, socket.SCM_CREDENTIALS,
                      array.array("i", [pid, os.getuid(), os.getgid()])))
    with to or datagrams() as socket_:
        socket_.sendmsg([text.encode() if isinstance(text, str) else text], parts)


def barrier(timeout_s=20):
    """sd_notify_barrier(3)."""
    import select
    reader, writer = os.pipe()
    say("BARRIER=1", [writer])
    os.close(writer)
    told = select.select([reader], [], [], timeout_s)[0]
    os.close(reader)
    assert told, "the barrier was not answered"


def child(function, wait=True):
    """Run it in a child that ends then, and return its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
        finally:
            os._exit(0)
    if wait:
        os.waitpid(pid, 0)
    return pid


def forever():
    while True:
        signal.pause()


def microseconds():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def obey():
    scope = globals()
    while True:
        if not os.path.exists(DO):
            time.sleep(0.005)
            continue
        scope["answer"] = ""
        try:
            with open(DO) as file:
                exec(compile(file.read(), DO, "exec"), scope)
            said = str(scope["answer"])
        except Exception:
            said = traceback.format_exc()
        with open(SAID + ".new", "w") as file:
            file.write(said)
        os.rename(SAID + ".new", SAID)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(DO)


if len(sys.argv) > 2:
    exec(sys.argv[2])
obey()
