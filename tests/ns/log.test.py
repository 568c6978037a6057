#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Output: from a service's descriptors to its file, whatever happens to the logger."""

import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, begin, equal, logger, service  # noqa: E402

tap = begin()
STAMPED = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (.*)$")
BIG = 1 << 30
SHELL = {"environment": ["PATH=/usr/bin:/bin"]}


def texts(content):
    """Lines without their stamps; a line without one is an error."""
    found = [STAMPED.match(line) for line in content.splitlines()]
    assert all(found), content
    return [match.group(1) for match in found]


with tap.case("lines are stamped and written, keelctl shows them"), Node(
        logger(),
        service("talker", argv=["/bin/sh", "-c", "echo out; echo err >&2; printf half; sleep 0.2; "
                                "echo ' line'; exec sleep 1000"],
                output=("log", "/run/log/a/talker.log", 1 << 20, 2), **SHELL)) as node:
    node.until(lambda: "half line" in node.file("/run/log/a/talker.log"), "it is logged")
    equal(texts(node.file("/run/log/a/talker.log")), ["out", "err", "half line"])
    equal(texts(node.done("logs", "-n", "2", "talker")), ["err", "half line"])
    equal(node.ctl("logs", "logger").returncode, 1, "output that goes nowhere")

with tap.case("a logger that is killed over and over loses nothing"), Node(
        logger(),
        service("counter", argv=["/bin/sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo $i; "
                                 "i=$((i+1)); done; echo end; exec sleep 1000"],
                after=["logger"], output=("log", "/run/log/counter.log", BIG, 1), **SHELL)) as node:
    for _ in range(5):
        for pid in node.members("logger"):
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.03)
    node.until(lambda: "end" in node.file("/run/log/counter.log"), "all of it is logged")
    content = node.file("/run/log/counter.log")
    seen = {int(word) for word in re.findall(r"Z (\d+)$", content, re.M)}
    missing = set(range(3000)) - seen
    # A line that was cut by the kill is completed by its second writing.
    equal(sorted(missing), [])
    assert node.services_now()["logger"]["starts"] > 1

with tap.case("output from before the logger's first start, and while it is stopped, is kept"), Node(
        service("early", "write", "early", "wait", "/run/go", "write", "late", "sleep",
                output=("log", "/run/log/early.log", BIG, 1)),
        service("slowly", "pause", "0.3", "exit", "0", kind="oneshot"),
        logger() + "requires\tslowly\n") as node:
    node.until(lambda: "early" in node.file("/run/log/early.log"), "it is logged")
    node.done("stop", "logger")
    node.run("touch", "/run/go")
    node.run("sleep", "0.2")
    node.done("start", "logger")
    node.until(lambda: "late" in node.file("/run/log/early.log"), "it is logged")
    equal(texts(node.file("/run/log/early.log")), ["early", "late"])

with tap.case("files are rotated by size, so many are kept"), Node(
        logger(),
        service("chatty", argv=["/bin/sh", "-c", "i=0; while [ $i -lt 40 ]; do echo "
                                "$i-0123456789012345678901234567890123456789; i=$((i+1)); "
                                "sleep 0.005; done; echo end; exec sleep 1000"],
                output=("log", "/run/log/chatty.log", 400, 2), **SHELL)) as node:
    node.until(lambda: "end" in node.file("/run/log/chatty.log"), "all of it is logged")
    names = sorted(path.name for path in (node.root / "run/log").iterdir())
    equal(names, ["chatty.log", "chatty.log.1", "chatty.log.2"])
    assert (node.root / "run/log/chatty.log.1").stat().st_size >= 400

with tap.case("a full disk drops with a marker and blocks nobody"), Node(
        service("disk", argv=["/bin/sh", "-c", "mkdir /run/full && mount -t tmpfs -o size=64k "
                              "tmpfs /run/full && head -c 60000 /dev/zero >/run/full/ballast"],
                kind="oneshot", **SHELL),
        logger() + "requires\tdisk\n",
        service("flood", argv=["/bin/sh", "-c", "head -c 400000 /dev/zero | tr '\\0' 'x' | "
                               "fold -w 79; touch /run/flooded; while :; do echo tick; "
                               "sleep 0.05; done"],
                requires=["disk"], output=("log", "/run/full/flood.log", BIG, 1), **SHELL)) as node:
    node.until((node.root / "run/flooded").exists, "the writer was never blocked for long")
    node.run("rm", "/run/full/ballast")
    node.until(lambda: "bytes dropped: No space left on device" in node.file("/run/full/flood.log"),
               "the marker")
    node.until(lambda: node.file("/run/full/flood.log").endswith("tick\n"), "later lines")

# Lines of 128 bytes from when it is told to until it is told to stop; a last one when they are taken again.
TALK = """
import os, time
def wait(path):
    while not os.path.exists(path): time.sleep(0.01)
block, total = (b"x" * 127 + b"\\n") * 64, 4
wait("/run/talk")
while not os.path.exists("/run/calm"):
    total += os.write(1, block)
    open("/run/total-" + os.sys.argv[1], "w").write(str(total))
    time.sleep(0.001)
open("/run/ended-" + os.sys.argv[1], "w").close()
wait("/run/taken")
os.write(1, b"end\\n")
time.sleep(1000)
"""


def talker(name, *when_full):
    return service(name, argv=[sys.executable, "-S", "-E", "-c",
                               f"exec(bytes.fromhex('{TALK.encode().hex()}'))", name],
                   requires=["fifo"], output=("log", f"/run/log/{name}", 1 << 30, 1, *when_full))


with tap.case("the logger is held up: who may lose lines does not wait, who may not does, and loses none"), \
        Node(
        # Nobody reads there: who writes to it waits, as on a disk that hangs.
        service("fifo", argv=["/bin/sh", "-c", "mkdir -p /run/log && mkfifo /run/log/hung"],
                kind="oneshot", **SHELL),
        logger() + "requires\tfifo\n",
        service("hung", argv=["/bin/sh", "-c", "head -c 400000 /dev/zero | tr '\\0' 'x' | fold -w 79; "
                              "exec sleep 1000"],
                requires=["fifo"], output=("log", "/run/log/hung", BIG, 1), **SHELL),
        talker("loose", "drop"), talker("strict", "wait")) as node:
    def total(name):
        return int(node.file(f"/run/total-{name}") or 0)

    def stands(name):
        seen = total(name)
        time.sleep(0.5)
        return seen > 0 and total(name) == seen

    node.until((node.root / "run/log/hung").is_fifo, "the pipe")
    with open(os.open(node.root / "run/log/hung", os.O_RDONLY | os.O_NONBLOCK), "rb") as hung:
        node.until(lambda: struct.unpack("i", fcntl.ioctl(hung, termios.FIONREAD, b"    "))[0] > 60000,
                   "it is full, and the logger has more for it")
    node.run("touch", "/run/talk")
    node.until(lambda: total("loose") > 4 << 20, "it writes far more than there is room for")
    node.until(lambda: stands("strict"), "it is full, too")
    before = total("strict")
    assert before < 1 << 20, before
    node.until(lambda: total("loose") > 8 << 20, "and goes on")
    equal(total("strict"), before, "it waits")
    node.run("touch", "/run/calm")
    node.until((node.root / "run/ended-loose").exists, "it ends as it likes")
    reader = subprocess.Popen(["cat", node.root / "run/log/hung"], stdout=subprocess.DEVNULL)
    # Told without anything that comes after it.
    node.until(lambda: "bytes dropped" in node.file("/run/log/loose"), "the loss is told")
    node.until((node.root / "run/ended-strict").exists, "the logger takes again")
    node.run("touch", "/run/taken")
    for name in ("loose", "strict"):
        node.until(lambda n=name: node.file(f"/run/log/{n}").endswith("end\n"), f"all of {name}")
    reader.kill()
    reader.wait()
    marker = re.compile(r"keelson-log: (\d+) bytes dropped: the logger was held up")
    for name in ("loose", "strict"):
        lines = texts(node.file(f"/run/log/{name}"))
        lost = [int(marker.fullmatch(line)[1]) for line in lines if marker.fullmatch(line)]
        kept = sum(len(line) + 1 for line in lines if not marker.fullmatch(line))
        if name == "strict":
            equal((lost, kept), ([], total(name)), "what is in the file of who waits")
            continue
        tap.note(f"{sum(lost)} bytes of {total(name)} lost, told by {len(lost)} lines")
        assert sum(lost) > 4 << 20, lost
        # A line that is cut by a marker ends twice.
        assert 0 <= sum(lost) + kept - total(name) <= len(lost), (sum(lost), kept, total(name))

with tap.case("a directory that is not there yet: nothing is lost"), Node(
        logger(),
        service("link", argv=["/bin/ln", "-s", "/run/target", "/run/later"], kind="oneshot"),
        service("talker", "write", "patience", "sleep", requires=["link"],
                output=("log", "/run/later/x/talker.log", BIG, 1)),
        service("ready", argv=["/bin/sh", "-c", "sleep 0.6; mkdir /run/target"], kind="oneshot",
                requires=["talker"], **SHELL)) as node:
    node.until(lambda: "patience" in node.file("/run/target/x/talker.log"), "it is logged")

with tap.case("a terminal: standard input and output, and the controlling one"):
    master, slave = os.openpty()
    with Node(service("console", argv=["/bin/sh", "-c", "echo hello >/dev/tty; read line; "
                                       "echo got $line; exec sleep 1000"],
                      output=("tty", os.ttyname(slave)), **SHELL)) as node:
        seen = ""
        while "hello" not in seen:
            seen += os.read(master, 1024).decode()
        os.close(slave)  # not before the service has it: reading would be EIO
        os.write(master, b"words\n")
        while "got words" not in seen:
            seen += os.read(master, 1024).decode()
        node.done("stop", "console")
    os.close(master)

tap.end()
