#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The end of a node: order, pods, budgets, who may ask and how often."""

import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, begin, equal, logger, service  # noqa: E402

tap = begin()

# A container runtime with a pod or two, each in a group of its own: one ends when it is asked, the
# other does not. The pipe that nobody writes to is there to sleep on without a child.
RUNTIME = ("mkfifo /run/never && exec 9<>/run/never; "
           "pod() { mkdir -p /sys/fs/cgroup/pods/$1; echo 0 >/sys/fs/cgroup/pods/$1/cgroup.procs; "
           "trap \"$2\" TERM; touch /run/pod-$1; while :; do read -t 0.05 <&9; done; }; "
           "pod one exit & %s trap 'exit 0' TERM; while :; do read -t 0.05 <&9; done")


def runtime(stubborn=False):
    script = RUNTIME % ("pod two '' &" if stubborn else "")
    return service("runtime", argv=["/bin/bash", "-c", script], kill="main",
                   environment=["PATH=/usr/bin:/bin"])


def client():
    return service("client", "sleep", kill="main", requires=["runtime"])


def stubborn(stop_ms):
    """Up when it ignores SIGTERM, not before."""
    return service("stubborn", "ignore", "notify", "READY=1", "sleep", ready=["notify"],
                   stop_ms=stop_ms)


def settings(pods_ms=3000, budget_ms=20000):
    return f"pods\tpods\t{pods_ms}\nshutdown_ms\t{budget_ms}\n"


def ended(node, seconds=8):
    """The exit status of PID 1 and how long it took."""
    began = time.monotonic()
    try:
        status = node.unshare.wait(seconds)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"not ended within {seconds} s") from None
    return status, time.monotonic() - began


def lines(node, *words):
    """Which of the words the log holds, in the order in which they appear."""
    log = node.log()
    for word in words:
        assert word in log, f"not in the log: {word}"
    return sorted(words, key=log.index)


def in_order(node, *words):
    equal(lines(node, *words), list(words), "the order in the log")


with tap.case("SIGTERM: services stop in reverse order, PID 1 exits with 0"), Node(
        service("base", "sleep"),
        service("middle", "sleep", requires=["base"]),
        service("top", "sleep", requires=["middle"])) as node:
    node.wait("top", "up")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    status, _ = ended(node)
    equal(status, 0)
    in_order(node, "shutdown: poweroff", "top: down", "middle: down", "base: down")

for number, meaning in ((signal.SIGINT, "reboot"), (37, "halt"), (38, "poweroff"), (39, "reboot")):
    with tap.case(f"signal {int(number)} means {meaning}"), Node(service("web", "sleep")) as node:
        subprocess.run(["kill", f"-{int(number)}", str(node.pid)], check=True)
        equal(ended(node)[0], 0)
        assert f"shutdown: {meaning} at" in node.log(), node.log()

with tap.case("keelctl poweroff"), Node(service("web", "sleep")) as node:
    node.wait("web", "up")
    node.ctl("poweroff")
    equal(ended(node)[0], 0)
    in_order(node, "shutdown: poweroff", "web: down", "shutdown: end")

with tap.case("pods end after what would start them anew and before their runtime"), Node(
        settings(), runtime(), client()) as node:
    node.wait("client", "up")
    node.until(lambda: (node.root / "run/pod-one").exists(), "the pod runs")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    equal(ended(node)[0], 0)
    in_order(node, "client: down", "of pods asked to end", "shutdown: stop runtime",
             "runtime: down")
    assert "kill pods" not in node.log(), "the pod ended by itself"

with tap.case("a pod that does not end is killed after the grace, and only then"), Node(
        settings(pods_ms=700), runtime(stubborn=True)) as node:
    node.until(lambda: (node.root / "run/pod-two").exists(), "the pods run")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    status, took = ended(node)
    equal(status, 0)
    assert 0.6 < took < 4, took
    in_order(node, "shutdown: stop pods", "shutdown: kill pods", "shutdown: stop runtime",
             "runtime: down")

with tap.case("what outlives its service with `kill: main` is killed before the end"), Node(
        service("runtime", "child", "sleep", kill="main", cgroup="runtime")) as node:
    node.wait("runtime", "up")
    node.until(lambda: len(node.members("runtime")) == 2, "it has a child")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    equal(ended(node)[0], 0)
    in_order(node, "runtime: down", "shutdown: kill leftovers", "shutdown: end")

with tap.case("the logger goes last, by itself, with every line that was written"), Node(
        logger(),
        service("web", argv=["/bin/bash", "-c",
                             "mkfifo /run/never && exec 9<>/run/never; "
                             "trap 'for i in {1..2000}; do echo line $i; done; exit 0' TERM; "
                             "echo listens; while :; do read -t 0.05 <&9; done"],
                environment=["PATH=/usr/bin:/bin"],
                output=("log", "/run/log/web.log", 1 << 20, 1))) as node:
    node.wait("logger", "up")
    node.until(lambda: "listens" in node.file("/run/log/web.log"), "the service listens")
    kept = open(node.root / "run/log/web.log")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    equal(ended(node)[0], 0)
    in_order(node, "web: down", "shutdown: stop logger", "shutdown: end")
    assert "kill leftovers" not in node.log(), node.log()
    assert "logger: down: exited with status 0" in node.log(), node.log()
    assert kept.read().endswith("line 2000\n"), "the last line is there"

with tap.case("a service that does not stop costs its timeout"), Node(
        stubborn(stop_ms=600)) as node:
    node.wait("stubborn", "up")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    status, took = ended(node)
    equal(status, 0)
    assert 0.5 < took < 3, took

with tap.case("the budget ends what its own timeout would not"), Node(
        settings(pods_ms=0, budget_ms=800),
        stubborn(stop_ms=60000)) as node:
    node.wait("stubborn", "up")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    status, took = ended(node)
    equal(status, 0)
    assert 0.7 < took < 5, took

with tap.case("who is in nobody's group and ignores SIGTERM is killed at the end"), Node(
        service("web", "sleep")) as node:
    node.wait("web", "up")
    # Its parent ends, so that it is PID 1's.
    node.run("bash", "-c", "(trap '' TERM; touch /run/stranger; while :; do sleep 1; done) "
                           "</dev/null >/dev/null 2>&1 &")
    node.until(lambda: (node.root / "run/stranger").exists(), "it runs")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    status, took = ended(node)
    equal(status, 0)
    assert took < 3, took
    assert "left behind" not in node.log(), node.log()

with tap.case("asked a second time: what is left is killed at once"), Node(
        settings(budget_ms=60000),
        stubborn(stop_ms=60000)) as node:
    node.wait("stubborn", "up")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    node.until(lambda: "shutdown: stop services" in node.log(), "the shutdown began")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    status, took = ended(node)
    equal(status, 0)
    assert took < 3, took
    assert "asked again: forced" in node.log()

with tap.case("RTMIN+14 means at once"), Node(
        settings(budget_ms=60000),
        stubborn(stop_ms=60000)) as node:
    node.wait("stubborn", "up")
    subprocess.run(["kill", "-48", str(node.pid)], check=True)
    status, took = ended(node)
    equal(status, 0)
    assert took < 3, took

with tap.case("nothing is started any more once the shutdown began"), Node(
        service("crashing", "pause", "0.05", "exit", "1", backoff_ms=(10, 10)),
        stubborn(stop_ms=1000)) as node:
    node.wait("stubborn", "up")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    equal(ended(node)[0], 0)
    after = node.log().split("shutdown: stop services")[1]
    assert "crashing: up" not in after, after

with tap.case("a request to a service is refused once the shutdown began, whoever asked for the end"), Node(
        service("manual", "sleep", flags=2),
        stubborn(stop_ms=3000)) as node:
    node.wait("stubborn", "up")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    node.until(lambda: "shutdown: stop services" in node.log(), "the shutdown began")
    refused = node.ctl("start", "manual")
    assert "shutdown: end" not in node.log(), "it was asked too late"
    equal(ended(node)[0], 0)
    assert refused.returncode != 0, refused
    assert "manual: up" not in node.log(), node.log()

with tap.case("a node without services comes up, answers and ends"), Node() as node:
    node.until(lambda: "): 0 services" in node.log(), "it is up")
    equal(node.services_now(), {})
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    equal(ended(node)[0], 0)

with tap.case("a critical service that failed for good ends the node with status 2"), Node(
        service("web", "sleep"),
        service("vital", "wait", "/run/go", "exit", "1", flags=1, restart="never")) as node:
    node.wait("web", "up")
    node.run("touch", "/run/go")
    equal(ended(node)[0], 2)
    in_order(node, "vital: critical service failed", "shutdown: reboot", "web: down")

tap.end()
