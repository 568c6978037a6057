#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The control socket: who may, and what nonsense does to it."""

import os
import random
import socket
import struct
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import KEELCTL, Node, begin, equal, service  # noqa: E402

tap = begin()

VERSION, END = 1, 6
STATUS, SERVICE, START, STOP, RESTART, TIMELINE, POWER, SLOTS = range(1, 9)


def request(verb, name=b"", flags=0, argument=0, version=VERSION):
    return struct.pack("<IIII64s", version, verb, flags, argument, name)


def connect(node):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(str(node.socket))  # waits while the queue is full
    client.settimeout(8)
    return client


def answer(client):
    """Packets until END: (type, payload) of each, and END's error."""
    packets = []
    while True:
        packet = client.recv(65536)
        if not packet:
            return packets, None
        _, kind, error, _ = struct.unpack("<IIiI", packet[:16])
        if kind == END:
            return packets, error
        packets.append((kind, packet[16:]))


def ask(node, packet):
    with connect(node) as client:
        client.send(packet)
        return answer(client)


WEB = service("web", "sleep")

with tap.case("only root: the mode of the socket, and the credentials of the peer"), Node(WEB) as node:
    mode = os.stat(node.socket).st_mode
    equal(mode & 0o777, 0o600)
    node.run("chmod", "666", "/run/keelson/control")
    node.run("chmod", "755", "/run/keelson")
    nobody = node.run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                      "python3", "-c", """
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect("/run/keelson/control")
try: s.send(b"x" * 80)
except BrokenPipeError: pass
print(int.from_bytes(s.recv(4096)[8:12], "little", signed=True))
""")
    equal(nobody.stdout.strip(), "-1", nobody.stderr)

with tap.case("garbage of any size is answered with an error, and harms nothing"), Node(WEB) as node:
    equal(ask(node, b"x")[1], -74)
    equal(ask(node, request(STATUS, version=7))[1], -71)
    equal(ask(node, request(99))[1], -74)
    equal(ask(node, request(STATUS)[:40])[1], -74, "half a message")
    equal(ask(node, request(STATUS) + b"more")[1], -74)
    equal(ask(node, request(START, b"a" * 64))[1], -74, "a name that does not end")
    equal(ask(node, request(START, b"../web"))[1], -74)
    equal(ask(node, request(START, b"web\0x"))[1], -74)
    equal(ask(node, request(START, b"nosuch"))[1], -2)
    equal(ask(node, request(POWER, argument=9))[1], -74)
    equal(ask(node, request(SLOTS))[1], -61, "a node without slots")
    dice = random.Random(1)
    for _ in range(300):
        with connect(node) as client:
            client.send(dice.randbytes(dice.randrange(1, 200)))
    node.wait("web", "up")

with tap.case("silent clients do not keep others out for ever"), Node(WEB) as node:
    silent = [connect(node) for _ in range(20)]
    began = time.monotonic()
    equal(node.ctl("status").returncode, 0, "keelctl is answered when the first ones are closed")
    assert 3 < time.monotonic() - began < 20
    for client in silent:
        client.close()
    node.wait("web", "up")

with tap.case("a client that does not read does not stop the node"), Node(
        *(service(f"s{n}", "sleep") for n in range(20))) as node:
    node.wait("s19", "up")
    deaf = []
    for _ in range(8):
        client = connect(node)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.send(request(STATUS))
        deaf.append(client)
    node.wait("s0", "up")
    for client in deaf:
        client.close()

with tap.case("many at once, each gets its whole answer"), Node(WEB) as node:
    node.wait("web", "up")
    failures = []

    def poll():
        for _ in range(50):
            try:
                packets, error = ask(node, request(STATUS))
                if error != 0 or len(packets) != 2:
                    failures.append((error, len(packets)))
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=poll) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(failures, [])

with tap.case("hanging up while waiting for a stop leaves the stop under way"), Node(
        service("slow", "ignore", "notify", "READY=1", "sleep", ready=["notify"],
                stop_ms=400)) as node:
    node.wait("slow", "up")
    with connect(node) as client:
        client.send(request(STOP, b"slow"))
        time.sleep(0.05)
        client.close()
    node.wait("slow", "down")

with tap.case("keelctl: words and exit statuses"), Node(WEB) as node:
    node.wait("web", "up")
    equal(node.ctl().returncode, 2)
    equal(node.ctl("statsu").returncode, 2)
    assert "did you mean `status`?" in node.ctl("statsu").stderr
    wrong = node.ctl("restart", "wbe")
    equal(wrong.returncode, 3)
    assert "no such service" in wrong.stderr and "did you mean `web`?" in wrong.stderr, wrong.stderr
    equal(node.ctl("status", "web").returncode, 0)
    node.done("stop", "web")
    equal(node.ctl("status", "web").returncode, 3)
    equal(node.ctl("slot", "status").returncode, 3)
    equal(node.run(KEELCTL, "--socket", "/nowhere", "status").returncode, 1)
    assert "\033" not in node.ctl("status").stdout, "no colour but on a terminal"
    equal(node.ctl("--no-wait", "start", "web").returncode, 0)

with tap.case("called as reboot it ends the node"), Node(WEB) as node:
    node.wait("web", "up")
    node.run("ln", "-s", KEELCTL, "/run/reboot")
    asked = node.run("/run/reboot", "--help")
    equal((asked.returncode, asked.stdout[:14]), (0, "usage: keelctl"))
    equal(node.run("/run/reboot").returncode, 0)
    equal(node.unshare.wait(20), 0)

tap.end()
