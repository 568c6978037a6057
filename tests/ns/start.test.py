#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starting: order, timeouts, failing steps."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, begin, equal, service  # noqa: E402

tap = begin()


def at(events, name, state):
    return next(ns for who, what, ns in events if (who, what) == (name, state))


with tap.case("a service starts when what it needs is up, oneshots when they are done"), Node(
        service("prepare", "pause", "0.2", "exit", "0", kind="oneshot"),
        service("base", "pause", "0.1", "notify", "READY=1", "sleep", ready=["notify"],
                requires=["prepare"]),
        service("top", "sleep", requires=["base"]),
        service("side", "sleep")) as node:
    node.wait("top", "up")
    events = node.events()
    assert at(events, "side", "up") < at(events, "prepare", "done"), "side waits for nobody"
    assert at(events, "prepare", "done") <= at(events, "base", "starting")
    assert at(events, "base", "up") <= at(events, "top", "starting")
    equal(node.state("prepare"), "done")
    equal(node.ctl("status").returncode, 0, "status of a node that is up")

with tap.case("what is merely wanted may fail, what comes after it starts all the same"), Node(
        service("broken", "exit", "3", kind="oneshot", restart="never"),
        service("soft", "sleep", wants=["broken"]),
        service("hard", "sleep", requires=["broken"])) as node:
    node.wait("soft", "up")
    node.wait("broken", "failed")
    hard = node.wait("hard", "waiting")
    equal(hard["waiting_for"], "broken")
    equal(node.ctl("status").returncode, 3, "status of a node that is not up")
    equal(node.ctl("start", "hard").returncode, 1, "start of what lacks a requirement")

with tap.case("too slow to start: stopped and tried again, then failed"), Node(
        service("slow", "sleep", ready=["notify"], start_ms=150, backoff_ms=(20, 20),
                burst=1)) as node:
    node.wait("slow", "failed")
    equal(node.services_now()["slow"]["starts"], 2)
    assert "not ready within 150 ms" in node.log(), node.log()

with tap.case("a program that is not there fails the start at step exec"), Node(
        service("absent", argv=["/no/such/program"], restart="never")) as node:
    absent = node.wait("absent", "failed")
    equal(absent["last_death"], "start failed at step exec: No such file or directory")

with tap.case("without cgroups a start fails at step cgroup, and PID 1 goes on"), Node(
        service("web", "sleep", restart="never"), cgroups=False) as node:
    death = node.wait("web", "failed")["last_death"]
    assert death.startswith("start failed at step cgroup: "), death
    assert "cgroup: /sys/fs/cgroup: no service can start" in node.log(), node.log()

with tap.case("a start by name pulls in what is required"), Node(
        service("base", "sleep", flags=2),
        service("top", "sleep", flags=2, requires=["base"])) as node:
    equal(node.state("base"), "down", "manual services are not started at boot")
    assert "also starts: base" in node.done("start", "top")
    equal(node.state("base"), "up")
    equal(node.state("top"), "up", "start waits until it is up")

tap.end()
