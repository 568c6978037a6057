#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Confinement: what a service is given and denied, as the kernel tells it, and failing steps."""

import os
import platform
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, Skip, begin, equal, logger, service  # noqa: E402

tap = begin()

MKDIR = ("83", "258") if platform.machine() == "x86_64" else ("34",)
EXECVE = "59" if platform.machine() == "x86_64" else "221"
OWN = int(next(line.split()[1] for line in open("/proc/self/status")
               if line.startswith("CapBnd:")), 16)
CHOWN, NET_BIND, NET_ADMIN, SYS_ADMIN = 1 << 0, 1 << 10, 1 << 12, 1 << 21
SHELL = {"environment": ["PATH=/usr/bin:/bin"]}


def policy(bounding, permitted, inheritable=0, ambient=0, nnp=1, deny=()):
    return tuple(hex(mask) for mask in (bounding, permitted, inheritable, ambient)) + (nnp, *deny)


def status_of(node, name):
    """/proc/PID/status of the main process, which is the only member of its group."""
    pid, = node.members(name)
    return dict(line.split(":\t", 1) for line in
                Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def strict(name="strict", **fields):
    return service(name, argv=["/bin/sleep", "1000"], **fields)


with tap.case("capabilities, no_new_privs and seccomp hold in the running daemon"), Node(
        strict(policy=policy(CHOWN | NET_ADMIN, CHOWN | NET_ADMIN, deny=MKDIR))) as node:
    node.wait("strict", "up")
    status = status_of(node, "strict")
    equal(int(status["CapBnd"], 16), CHOWN | NET_ADMIN)
    equal(int(status["CapEff"], 16), CHOWN | NET_ADMIN)
    equal(status["NoNewPrivs"].strip(), "1")
    equal(status["Seccomp"].strip(), "2")
    told = [line.split() for line in node.done("status", "-v", "strict").splitlines()]
    for line in ("bounding cap_chown cap_net_admin", "no_new_privs yes", "seccomp filter",
                 "policy test"):
        assert line.split() in told, told

with tap.case("the filter answers EPERM"), Node(
        service("denied", argv=["/bin/sh", "-c", "mkdir /run/made; echo $? >/run/result; "
                                "exec sleep 1000"],
                policy=policy(OWN, OWN, deny=MKDIR), **SHELL)) as node:
    node.until(lambda: node.file("/run/result"), "a result")
    equal(node.file("/run/result").strip(), "1")
    assert not (node.root / "run/made").exists()

with tap.case("without no_new_privs the filter is installed all the same, before ids change"), Node(
        strict(uid=65534, policy=policy(NET_BIND, NET_BIND, nnp=0, deny=MKDIR))) as node:
    node.wait("strict", "up")
    status = status_of(node, "strict")
    equal(status["NoNewPrivs"].strip(), "0")
    equal(status["Seccomp"].strip(), "2")
    equal(int(status["CapEff"], 16), 0, "an ordinary user without ambient capabilities")

with tap.case("ids and ambient capabilities"), Node(
        strict(uid=65534, policy=policy(NET_BIND, NET_BIND, NET_BIND, NET_BIND))) as node:
    node.wait("strict", "up")
    status = status_of(node, "strict")
    equal(status["Uid"].split(), ["65534"] * 4)
    equal(status["Gid"].split(), ["65534"] * 4)
    equal(status["Groups"].split(), [])
    equal(int(status["CapEff"], 16), NET_BIND)

# keep_caps, no_setuid_fixup, noroot and their locks: linux/securebits.h
for name, bits in (("kept and locked", 0x30), ("no fix-up, all locked", 0xac | 0x3)):
    with tap.case(f"ids change under securebits: {name}"), Node(
            strict(uid=65534, securebits=hex(bits),
                   policy=policy(NET_BIND, NET_BIND, NET_BIND, NET_BIND))) as node:
        node.wait("strict", "up")
        equal(int(status_of(node, "strict")["CapEff"], 16), NET_BIND)

with tap.case("no policy: everything that PID 1 has, and nothing of its signals and descriptors"), Node(
        service("plain", argv=["/bin/sleep", "1000"], nice=5, oom=500,
                umask="077", limit=(7, 100, 200))) as node:
    node.wait("plain", "up")
    status = status_of(node, "plain")
    equal(int(status["CapBnd"], 16), OWN)
    for mask in ("SigBlk", "SigIgn", "SigCgt"):
        equal(int(status[mask], 16), 0, mask)
    equal(status["Umask"].strip(), "0077")
    pid, = node.members("plain")
    equal(sorted(os.listdir(f"/proc/{pid}/fd")), ["0", "1", "2"])
    equal(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null")
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    equal(stat[16], "5", "nice")
    equal(Path(f"/proc/{pid}/oom_score_adj").read_text().strip(), "500")
    limits = Path(f"/proc/{pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    equal(line.split()[3:5], ["100", "200"])
    equal(os.getsid(int(pid)), int(pid), "its own session")

def open_files(pid):
    limits = Path(f"/proc/{pid}/limits").read_text()
    return next(line for line in limits.splitlines() if line.startswith("Max open files")).split()[3:5]


with tap.case("PID 1 has descriptors for every service, services the limit that was given"):
    given = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, given[1]))
    try:
        with Node(logger(), *(service(f"s{n}", argv=["/bin/sleep", "1000"],
                                      output=("log", f"/run/log/s{n}.log", 1 << 20, 1))
                              for n in range(80))) as node:
            for name in ("s79", "s40", "logger"):
                node.wait(name, "up")
            pid, = node.members("s79")
            equal(open_files(pid), ["64", str(given[1])])
            equal(open_files(node.pid), [str(given[1])] * 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, given)

with tap.case("a failing step fails the start and is named: directory"), Node(
        strict(directory="/no/such/directory", restart="never")) as node:
    equal(node.wait("strict", "failed")["last_death"],
          "start failed at step directory: No such file or directory")
    assert "service: strict: failed: start failed at step directory" in node.log(), node.log()

with tap.case("... exec, under a filter that denies execve"), Node(
        strict(policy=policy(OWN, OWN, deny=[EXECVE]), restart="never")) as node:
    equal(node.wait("strict", "failed")["last_death"],
          "start failed at step exec: Operation not permitted")

with tap.case("... oom, where the machine does not allow a lower score"), Node(
        strict(oom=-500, restart="never")) as node:
    if OWN >> 24 & 1:
        raise Skip("this machine allows it (CAP_SYS_RESOURCE)")
    equal(node.wait("strict", "failed")["last_death"],
          "start failed at step oom: Permission denied")

tap.end()
