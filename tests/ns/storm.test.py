#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=900
"""A storm of faults: services and the logger are killed, PID 1 crashes, and strangers talk nonsense
to its sockets, all at random and at once. Afterwards nothing is lost and nothing has leaked.

Some hundred faults; 10,000 with KEELSON_TEST_ALL (ci/test --all). KEELSON_STORM=N: so many.
KEELSON_STORM_SEED=N repeats a storm's choices.
"""

import contextlib
import json
import os
import random
import re
import signal
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, begin, equal, logger, service  # noqa: E402

tap = begin()
FAULTS = int(os.environ.get("KEELSON_STORM") or
             (10000 if os.environ.get("KEELSON_TEST_ALL") else 400))
SEED = int(os.environ.get("KEELSON_STORM_SEED") or time.time_ns() & 0xffffffff)
FATAL = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE)
CONTROL_VERSION = 3
SLEEP = ["/bin/sleep", "1000000"]
CALM_S = 60
FLAT_KIB = 64  # what PID 1 may grow by between two looks at it

SERVICES = [f"s{n}" for n in range(16)]
VERBS = 12  # of control.h
(STATUS, SERVICE, START, STOP, RESTART, TIMELINE, POWER, SLOTS, RELOAD, KILL, EVENTS,
 REEXEC) = range(1, 13)
NO_WAIT, DRY_RUN, FOLLOW = 1, 2, 8

# A service that turns on PID 1 while /run/rage is there, ends when it is gone, and then tells by
# /run/quiet that it is itself again. What it says is believed: its own main process speaks.
TRAITOR = r"""
import array, os, random, socket, struct, time
lines = [b"READY=1", b"STOPPING=1", b"MAINPID=1", b"MAINPID=%d" % os.getpid(), b"WATCHDOG=trigger",
         b"RELOADING=1", b"ERRNO=-1", b"EXTEND_TIMEOUT_USEC=100000", b"WATCHDOG_USEC=1000",
         b"BARRIER=1", b"FDSTORE=1", b"=", b"\0", random.randbytes(40)]
raged = False
while True:
    if not os.path.exists("/run/rage"):
        if raged: os._exit(1)
        open("/run/quiet", "w").close()
        time.sleep(0.02)
        continue
    raged = True
    text = b"\n".join(random.choices(lines, k=random.randrange(1, 6)))
    if random.random() < 0.1: text = b"STATUS=" + b"x" * random.randrange(100000)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as to:
        inner, outer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            to.connect(os.environ["NOTIFY_SOCKET"])
            socket.send_fds(inner, [b"x"], [to.fileno()])
            with_it = [random.choice((0, outer.fileno()))] * random.choice((1, 3, 253))
            if random.random() < 0.3: socket.send_fds(to, [text], with_it)
            else: to.send(text)
        except OSError: pass
        inner.close(); outer.close()
    time.sleep(random.random() / 50)
"""


def plan():
    """Chains of three, leftovers in a group, output to the logger; started again almost at once."""
    again = {"backoff_ms": (1, 4), "burst": 0}
    yield logger()
    for n, name in enumerate(SERVICES):
        fields = dict(again, ready=["exec"])
        if n % 3:
            fields["requires"] = [SERVICES[n - 1]]
        if n % 4 == 0:
            fields["output"] = ("log", f"/run/{name}.log", 65536, 2)
        argv = SLEEP
        if n % 5 == 0:  # a process of its own that is left behind
            argv = ["/bin/sh", "-c", "sleep 1000000 & echo began; exec sleep 1000000"]
            fields["environment"] = ["PATH=/usr/bin:/bin"]
        yield service(name, argv=argv, **fields)
    line = f"exec(bytes.fromhex('{TRAITOR.encode().hex()}'))"  # ns-plan reads lines
    yield service("traitor", argv=[sys.executable, "-S", "-E", "-c", line], ready=["exec"],
                  notify="all", stop_ms=200, start_ms=1000, **again)


# ---- what is looked at ----

def descriptors(node):
    """Of PID 1, how many of each kind."""
    kinds = {}
    for fd in os.listdir(f"/proc/{node.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            kind = re.sub(r"\[?\d+\]?", "", os.readlink(f"/proc/{node.pid}/fd/{fd}"))
            kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def members(node, name):
    """Pids in the group of a service, which comes and goes."""
    with contextlib.suppress(OSError):
        return (node.group / name / "cgroup.procs").read_text().split()
    return []


def zombies(node):
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            text = status.read_text()
            if "State:\tZ" in text and f"PPid:\t{node.pid}\n" in text:
                found.append(status.parent.name)
    return found


def groups(node):
    return sorted(str(path.relative_to(node.group)) for path in node.group.rglob("*")
                  if path.is_dir())


def pss_kib(node):
    text = Path(f"/proc/{node.pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])


def calm(node):
    """Everything is up, with the processes that it should have."""
    now = node.services_now()
    if any(now[name]["state"] != "up" for name in [*SERVICES, "logger", "traitor"]):
        return False
    if not (node.root / "run/quiet").exists():
        return False
    # The one that is beside the main process may have been killed.
    return len(members(node, "traitor")) == 1 and all(
        len(members(node, name)) in ((1, 2) if n % 5 == 0 else (1,))
        for n, name in enumerate(SERVICES)) and not zombies(node)


def look(node):
    for name in ("rage", "quiet"):
        (node.root / "run" / name).unlink(missing_ok=True)
    try:
        node.until(lambda: calm(node), "everything is up again", CALM_S)
    except AssertionError as error:
        states = {name: (entry["state"], members(node, name))
                  for name, entry in node.services_now().items()}
        raise AssertionError(f"{error}: {states}, zombies {zombies(node)}") from None
    return {"descriptors": descriptors(node), "groups": groups(node)}


# ---- faults: each returns whether one was injected ----

class Storm:
    def __init__(self, node):
        self.node, self.random = node, random.Random(SEED)
        self.held = []  # connections that are left open and say nothing
        self.crashes = 0
        self.log = open(node.work / "log")
        self.again = 0

    def supervised_again(self):
        self.again += self.log.read().count("supervised again after")
        return self.again

    def kill(self, name):
        pids = members(self.node, name)
        if not pids:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(self.random.choice(pids)), signal.SIGKILL)
            return True
        return False

    def kill_service(self):
        return self.kill(self.random.choice([*SERVICES, "traitor"]))

    def kill_logger(self):
        return self.kill("logger")

    def crash_pid1(self):
        """And kill services while it executes itself."""
        before = self.supervised_again()
        os.kill(self.node.pid, self.random.choice(FATAL))
        for _ in range(self.random.randrange(4)):
            self.kill_service()
        self.node.until(lambda: self.supervised_again() > before, "PID 1 goes on", CALM_S)
        self.crashes += 1
        return True

    def request(self):
        """A control request: of any verb but too short or too long, or of another version; or a right
        one that leaves every service as it is."""
        name = self.random.choice([b"s1", b"", b"nobody", b"s1\0junk", b"x" * 64])
        verb = self.random.randrange(VERBS + 2)
        packet = bytearray(struct.pack("=IIIIQ64s", CONTROL_VERSION, verb, 0, 0, 0, name))
        what = self.random.randrange(5)
        if what == 0:
            verb, flags, argument = self.random.choice([
                (STATUS, 0, 0), (SERVICE, 0, 0), (TIMELINE, 0, 0), (SLOTS, 0, 0),
                (START, NO_WAIT, 0), (START, 0, 0), (RESTART, NO_WAIT, 0), (RESTART, 0, 0),
                (STOP, DRY_RUN, 0), (RELOAD, 0, 0), (KILL, 0, 9), (KILL, 0, 77), (POWER, 0, 99),
                (EVENTS, FOLLOW, 0), (EVENTS, 0, 0)])
            return struct.pack("=IIIIQ64s", CONTROL_VERSION, verb, flags, argument,
                               self.random.choice((0, 5, 1 << 63)) if verb == EVENTS else 0, name)
        if what == 4:
            packet[self.random.randrange(4)] ^= 1 << self.random.randrange(8)
        elif what == 1:
            packet = packet[:self.random.randrange(len(packet))]
        elif what == 2:
            packet += bytes(self.random.randrange(1, 9000))
        else:
            packet = self.random.randbytes(self.random.randrange(1, 300))
        return bytes(packet)

    def hostile_control(self):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            client.connect(str(self.node.socket))
            if self.random.random() < 0.8:
                client.send(self.request())
        except OSError:  # the backlog is full, or the packet too long: as good
            client.close()
            return True
        if self.random.random() < 0.3:
            self.held.append(client)
        else:
            client.close()
        while len(self.held) > 12:
            self.held.pop(self.random.randrange(len(self.held))).close()
        return True

    def hostile_notify(self):
        lines = [b"READY=1", b"STOPPING=1", b"MAINPID=1", b"WATCHDOG=trigger", b"RELOADING=1",
                 b"ERRNO=-1", b"EXTEND_TIMEOUT_USEC=18446744073709551615", b"BARRIER=1",
                 b"FDSTORE=1", b"=", b"\0", self.random.randbytes(40)]
        text = b"\n".join(self.random.choices(lines, k=self.random.randrange(1, 6)))
        if self.random.random() < 0.1:
            text = b"STATUS=" + b"x" * self.random.randrange(100000)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as to:
            with contextlib.suppress(OSError):  # its queue is full
                to.connect(str(self.node.root / "run/keelson/notify"))
                if self.random.random() < 0.3:
                    socket.send_fds(to, [text], [0] * self.random.randrange(1, 5))
                else:
                    to.send(text)
        return True

    def rage(self, count):
        (self.node.root / "run/rage").touch()
        kinds = [self.kill_service, self.kill_logger, self.crash_pid1, self.hostile_control,
                 self.hostile_notify]
        done = 0
        while done < count:
            done += self.random.choices(kinds, weights=[50, 5, 5, 20, 20])[0]()
            if self.random.random() < 0.2:
                time.sleep(self.random.random() / 200)
        for client in self.held:
            client.close()
        self.held.clear()


with tap.case(f"{FAULTS} faults: nothing is lost, nothing leaks"), Node(
        *plan(), arguments="--crash-period=0") as node:
    print(f"# KEELSON_STORM_SEED={SEED}")
    began = time.monotonic()
    first = look(node)
    storm = Storm(node)
    parts, memory, left = 10, [], FAULTS
    for part in range(parts):
        storm.rage(FAULTS // parts)
        equal(look(node), first, f"after {FAULTS // parts * (part + 1)} faults")
        memory.append(pss_kib(node))
    took = time.monotonic() - began
    assert max(memory[1:]) <= memory[0] + FLAT_KIB, f"PID 1's memory grew: {memory} KiB"
    status = json.loads(node.ctl("--json", "status").stdout)
    equal(status["crashes"], storm.crashes)
    equal(status["executions"], storm.crashes + 1)
    print(f"# {FAULTS} faults, {storm.crashes} of them crashes of PID 1, in {took:.0f} s; "
          f"PID 1's PSS {memory[0]} to {memory[-1]} KiB")

tap.end()
