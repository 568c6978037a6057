#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What makes a kernel this node: its name and id, its loopback, PID 1's own descriptors."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import INIT, MAKE_PLAN, Node, begin, equal, service  # noqa: E402

tap = begin()

# Over the machine's own: nothing is written there.
FRESH = ("machine_id\n", "mount\ttmpfs\t/etc\t0\n", "mount\ttmpfs\t/var/lib\t0\n")
ETC, STATE = "/etc/machine-id", "/var/lib/keelson/machine-id"
GOOD = "0123456789abcdef0123456789abcdef"


def node_id(*lines):
    """The id shown and the id kept once the node is up."""
    with Node(*FRESH, *lines, service("web", "sleep")) as node:
        node.wait("web", "up")
        return node.file(ETC), node.file(STATE), node.log()


with tap.case("a node without an id makes a random one, and keeps it"):
    shown, kept, log = node_id()
    assert re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}\n", shown), shown
    equal(kept, shown)
    assert "machine-id" not in log, log
    other, _, _ = node_id()
    assert other != shown, "two nodes are two"

with tap.case("the id that was kept is shown again"):
    shown, kept, _ = node_id(f"file\t{STATE}\t{GOOD}\n")
    equal((shown, kept), (GOOD + "\n", GOOD + "\n"))

with tap.case("the image's id goes before the one that was kept"):
    shown, kept, _ = node_id(f"file\t{ETC}\t{GOOD}\n", f"file\t{STATE}\t{GOOD[::-1]}\n")
    equal((shown, kept), (GOOD + "\n", GOOD[::-1] + "\n"))

for what, bad in (("zeros", "0" * 32), ("a short one", GOOD[:-1]), ("a long one", GOOD + "0"),
                  ("capitals", GOOD.upper()), ("a word", "uninitialized")):
    with tap.case(f"{what} for an id: replaced by a good one in both places"):
        shown, kept, _ = node_id(f"file\t{ETC}\t{bad}\n", f"file\t{STATE}\t{bad}\n")
        assert re.fullmatch(r"[0-9a-f]{32}\n", shown) and shown != bad + "\n", shown
        equal(kept, shown)

CONNECT = """
import socket
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname(), 5)
"""

with tap.case("the node has its name and its loopback"), Node(service("web", "sleep")) as node:
    node.wait("web", "up")
    name = subprocess.run(["nsenter", "-t", str(node.pid), "-u", "uname", "-n"], text=True,
                          capture_output=True, check=True).stdout
    equal(name, "test\n")
    said = node.run(sys.executable, "-S", "-E", "-c", CONNECT)
    equal(said.returncode, 0, said.stderr)

with tap.case("started without standard descriptors it opens them, so that nothing else becomes one"):
    work = Path(tempfile.mkdtemp(prefix="keelson-bare-", dir="/var/tmp"))
    subprocess.run([MAKE_PLAN, work / "plan"], input=service("web", "sleep"), text=True, check=True)
    bare = subprocess.Popen(
        ["unshare", "--pid", "--mount", "--cgroup", "--uts", "--net", "--fork", "--kill-child",
         "--propagation", "private", "sh", "-ec",
         "mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /sys/fs/cgroup; exec \"$0\" --container \"--plan=$1\" <&- >&- 2>&-",
         INIT, work / "plan"])
    try:
        children = Path(f"/proc/{bare.pid}/task/{bare.pid}/children")
        Node.until(lambda: children.read_text(), "it runs")
        pid = children.read_text().split()[0]
        # Until then it is the shell, which sees the machine's own /run.
        Node.until(lambda: os.readlink(f"/proc/{pid}/exe") == os.path.realpath(INIT), "PID 1 runs")
        Node.until(lambda: Path(f"/proc/{pid}/root/run/keelson/control").exists(), "it is open")
        equal([os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)], ["/dev/null"] * 3)
    finally:
        subprocess.run(["kill", "-TERM", pid], check=False)
        equal(bare.wait(20), 0)
    shutil.rmtree(work)

tap.end()
