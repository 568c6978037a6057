#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The end of a node: order, pods, budgets, who may ask and how often."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, Skip, begin, equal, logger, service  # noqa: E402

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


def may_reboot():
    """CAP_SYS_BOOT, by the kernel's account."""
    field = next(line for line in open("/proc/self/status") if line.startswith("CapEff"))
    return bool(int(field.split()[1], 16) >> 22 & 1)


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

# In a container nobody presses ctrl-alt-del: SIGINT is the Ctrl-C of who runs it. SIGRTMIN is 34.
for number, meaning in ((signal.SIGINT, "poweroff"), (signal.SIGPWR, "poweroff"),
                        (signal.SIGUSR1, "halt"), (signal.SIGUSR2, "poweroff"), (37, "halt"),
                        (38, "poweroff")):
    with tap.case(f"signal {int(number)} means {meaning}"), Node(service("web", "sleep")) as node:
        subprocess.run(["kill", f"-{int(number)}", str(node.pid)], check=True)
        equal(ended(node)[0], 0)
        assert f"shutdown: {meaning} at" in node.log(), node.log()

with tap.case("asked to reboot, a container's PID 1 ends as reboot(2) ends it, or says so by 133"), \
        Node(service("web", "sleep")) as node:
    node.wait("web", "up")
    subprocess.run(["kill", "-39", str(node.pid)], check=True)
    status, _ = ended(node)
    equal(status, -signal.SIGHUP if may_reboot() else 133)
    in_order(node, "shutdown: reboot at", "web: down")

with tap.case("kexec is refused before anything is stopped, by signal and by keelctl"), Node(
        service("web", "sleep")) as node:
    node.wait("web", "up")
    subprocess.run(["kill", "-40", str(node.pid)], check=True)
    node.until(lambda: "kexec asked by signal 40: refused" in node.log(), "it is refused")
    assert node.ctl("kexec").returncode != 0
    equal(node.services_now()["web"]["state"], "up")
    assert "web: down" not in node.log(), node.log()

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
    node.run("bash", "-c", "(trap '' TERM HUP; touch /run/stranger; while :; do sleep 1; done) "
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
    assert "asked again by signal 15: forced" in node.log()

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

# What ends the service, and the status that users of containers know it by.
for words, expected in ((("exit", "41"), 41), (("kill", "9"), 137)):
    with tap.case(f"a critical service's end by `{' '.join(words)}` is the node's status {expected}"), \
            Node(service("web", "sleep"),
                 service("vital", "wait", "/run/go", *words, flags=1, restart="never")) as node:
        node.wait("web", "up")
        node.run("touch", "/run/go")
        equal(ended(node)[0], expected)
        in_order(node, "vital: critical service failed", "shutdown: reboot", "web: down")

with tap.case("a critical service that ends well has not failed: the node goes on"), Node(
        service("web", "sleep"),
        service("vital", "wait", "/run/go", "exit", "0", flags=1, restart="never")) as node:
    node.wait("web", "up")
    node.run("touch", "/run/go")
    node.wait("vital", "down")
    equal(node.services_now()["web"]["state"], "up")
    assert "shutdown:" not in node.log(), node.log()

with tap.case("who is stopped is woken to hear that it has to go"), Node(
        service("web", "sleep")) as node:
    node.wait("web", "up")
    node.run("bash", "-c", "(trap 'echo heard >>/run/stranger; exit' TERM; echo here >/run/stranger; "
                           "kill -STOP $BASHPID; sleep 100) </dev/null >/dev/null 2>&1 &")
    node.until(lambda: "here" in node.file("/run/stranger"), "it runs")
    kept = open(node.root / "run/stranger")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    equal(ended(node)[0], 0)
    equal(kept.read(), "here\nheard\n", "what it had to say")
    assert "left behind" not in node.log(), node.log()
    assert "to all:" not in node.log(), node.log()

# Takes every process number there is, and does not end when it is asked to.
HOARD = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    os._exit(0)
os.dup2(0, 1), os.dup2(0, 2)  # nobody reads to its end
try:
    while os.fork():
        pass
except OSError:
    open("/run/full", "w").close()
while True:
    time.sleep(1000)
"""

with tap.case("processes that leave PID 1 no room for a child are killed by PID 1 itself"), Node(
        service("web", "sleep")) as node:
    node.wait("web", "up")
    # Of this pid namespace, since Linux 6.14; before that it is the machine's.
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 14):
        raise Skip("the kernel has one kernel.pid_max for all namespaces")
    equal(node.run("sh", "-c", "echo 330 >/proc/sys/kernel/pid_max").returncode, 0)
    node.run(sys.executable, "-S", "-E", "-c", HOARD, stdin=subprocess.DEVNULL)
    node.until(lambda: (node.root / "run/full").exists(), "there is no room")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    equal(ended(node)[0], 0)
    assert "signal 9 to all" not in node.log(), node.log()
    assert "left behind" not in node.log(), node.log()

with tap.case("PID 1 crashes in the middle of a shutdown: it goes on where it was"), Node(
        settings(budget_ms=60000),
        service("base", "sleep"),
        service("slow", "ignore", "notify", "READY=1", "sleep", ready=["notify"], stop_ms=1500,
                requires=["base"])) as node:
    node.wait("slow", "up")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    node.until(lambda: "shutdown: stop services" in node.log(), "the shutdown began")
    subprocess.run(["kill", "-SEGV", str(node.pid)], check=True)
    node.until(lambda: "execution 2" in node.log(), "it was executed anew")
    refused = node.ctl("start", "slow")
    status, took = ended(node)
    equal(status, 0)
    assert refused.returncode != 0, refused
    assert took < 4, took
    log = node.log()
    equal(log.count("shutdown: poweroff at"), 1, "how often it was asked for")
    equal(log.count("keelson: shutdown: stop services\n"), 1, "how often the stage began")
    in_order(node, "shutdown: stop services", "execution 2", "slow: down", "base: down",
             "shutdown: stop services: over", "shutdown: end")

with tap.case("a second request after such a crash still forces"), Node(
        settings(budget_ms=60000), stubborn(stop_ms=60000)) as node:
    node.wait("stubborn", "up")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    node.until(lambda: "shutdown: stop services" in node.log(), "the shutdown began")
    subprocess.run(["kill", "-SEGV", str(node.pid)], check=True)
    node.until(lambda: "execution 2" in node.log(), "it was executed anew")
    subprocess.run(["kill", "-TERM", str(node.pid)], check=True)
    status, took = ended(node)
    equal(status, 0)
    assert took < 4, took

tap.end()
