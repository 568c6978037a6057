#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deaths: restart, backoff, burst, orphans."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, begin, equal, service, system  # noqa: E402

tap = begin()
MS = 1_000_000


def gaps(node, name):
    """How long each backoff of the service took, in ms."""
    events = [(state, ns) for who, state, ns in node.events() if who == name]
    return [(later[1] - sooner[1]) / MS for sooner, later in zip(events, events[1:])
            if sooner[0] == "backoff"]


with tap.case("the wait doubles up to its limit, then the burst is spent and it is failed"), Node(
        service("crasher", "exit", "7", ready=["notify"], backoff_ms=(50, 200), burst=4)) as node:
    crasher = node.wait("crasher", "failed")
    equal(crasher["starts"], 5)
    equal(crasher["last_death"], "exited with status 7")
    waits = gaps(node, "crasher")
    equal(len(waits), 4)
    for wait, nominal in zip(waits, (50, 100, 200, 200)):
        assert nominal * 7 / 8 - 1 <= wait <= nominal + 1000, f"waits of {waits} ms"
    equal(node.ctl("status", "crasher").returncode, 3)

with tap.case("up for the stable period: backoff and burst are forgotten"), Node(
        service("steady", "pause", "0.25", "exit", "1", ready=["exec"], stable_ms=100,
                backoff_ms=(20, 2000), burst=2)) as node:
    node.until(lambda: node.services_now()["steady"]["starts"] >= 5, "five lives")
    assert max(gaps(node, "steady")) < 1000, "each wait is the first one"

with tap.case("restart: failure ends with a clean exit, starts again after a crash"), Node(
        service("clean", "wait", "/run/go", "exit", "0", restart="failure"),
        service("dirty", "wait", "/run/go", "kill", "11", restart="failure",
                backoff_ms=(10000, 10000)),
        service("never", "wait", "/run/go", "exit", "1", restart="never")) as node:
    for name in ("clean", "dirty", "never"):
        node.wait(name, "up")
    node.run("touch", "/run/go")
    node.wait("clean", "down")
    death = node.wait("dirty", "backoff")["last_death"]
    equal(death, "killed by SIGSEGV")
    node.wait("never", "failed")

with tap.case("exit statuses: some are a good end, after some nobody starts it again"), Node(
        service("clean", "wait", "/run/go", "exit", "143", restart="failure", exits_clean=(143,)),
        service("final", "wait", "/run/go", "exit", "78", restart="always", exits_final=(77, 78)),
        service("other", "wait", "/run/go", "exit", "79", restart="failure", exits_clean=(143,),
                exits_final=(78,), backoff_ms=(60000, 60000)),
        service("once", "exit", "143", kind="oneshot", exits_clean=(143,))) as node:
    for name in ("clean", "final", "other"):
        node.wait(name, "up")
    node.run("touch", "/run/go")
    for name, state in (("clean", "down"), ("final", "failed"), ("other", "backoff"),
                        ("once", "done")):
        equal(node.wait(name, state)["starts"], 1)

with tap.case("a start by name cuts the wait short and forgives a failure"), Node(
        service("flaky", "exit", "1", ready=["notify"], backoff_ms=(60000, 60000)),
        service("broken", "exit", "1", ready=["notify"], restart="never")) as node:
    node.wait("flaky", "backoff")
    result = node.ctl("start", "flaky")
    equal(result.returncode, 1)
    assert "exited with status 1, now backoff" in result.stderr, result.stderr
    equal(node.services_now()["flaky"]["starts"], 2)
    node.wait("broken", "failed")
    equal(node.ctl("start", "broken").returncode, 1)
    equal(node.services_now()["broken"]["starts"], 2)

with tap.case("orphans are reaped"), Node(
        service("parent", *(["orphan"] * 20), "notify", "READY=1", "sleep",
                ready=["notify"])) as node:
    node.wait("parent", "up")

    def reaped():
        import json
        return json.loads(node.ctl("--json", "status").stdout)["reaped_orphans"] >= 20

    node.until(reaped, "twenty orphans are reaped")
    zombies = [pid for pid in node.members() if ") Z " in Path(f"/proc/{pid}/stat").read_text()]
    equal(zombies, [])

with tap.case("many deaths at once are all seen"), Node(
        *(service(f"s{n}", "sleep", backoff_ms=(20, 20)) for n in range(20))) as node:
    for n in range(20):
        node.wait(f"s{n}", "up")
    pids = [str(entry["pid"]) for entry in node.services_now().values()]
    node.run("kill", "-9", *pids)

    def all_again():
        now = node.services_now().values()
        return all(entry["state"] == "up" and entry["starts"] == 2 for entry in now)

    node.until(all_again, "all twenty are up again")

with tap.case("a critical service that fails takes the node's action"):
    for action in ("reboot", "poweroff", "halt"):
        with Node(system("on_critical", action),
                  service("vital", "exit", "1", ready=["notify"], flags=1, restart="never")) as node:
            node.unshare.wait(20)
            assert f"shutdown: {action} at" in node.log(), node.log()
            assert "vital: critical service failed" in node.log(), node.log()

tap.end()
