#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From the spec to the process: what keelson compiles, keelson-init does."""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import BUILD, Node, begin, equal  # noqa: E402

KEELSON = str(BUILD / "rootfs-spec/keelson")

tap = begin()
if not os.access(KEELSON, os.X_OK):
    sys.exit(f"{KEELSON} is not built")


class SpecNode(Node):
    """A node of a spec: JSON is YAML."""

    def __init__(self, services, **spec):
        super().__init__()
        for one in services.values():
            one.setdefault("output", "none")
            one.setdefault("backoff", {"min": "20ms", "max": "20ms"})
        self.spec = {"keelson": 1, "name": "test", "services": services, **spec}

    def _make_plan(self, plan):
        path = self.work / "spec.yaml"
        path.write_text(json.dumps(self.spec))
        subprocess.run([KEELSON, "compile", path, "-o", plan], check=True)


def sh(script):
    return ["/bin/sh", "-c", script]


def stay(script=":"):
    return sh(f"{script}; while :; do sleep 1000; done")


with tap.case("hooks, conditions, readiness and reload"), SpecNode({
        "hooks": {"exec": stay("echo main >>/run/hooks"),
                  "pre": [sh("echo one >>/run/hooks"),
                          {"command": sh("echo two >>/run/hooks; exit 1"), "optional": True}],
                  "post": [{"command": sh("echo post >>/run/hooks"), "timeout": "5s"}]},
        "slow": {"exec": stay(), "restart": "never",
                 "pre": [{"command": ["/bin/sleep", "1000"], "timeout": "50ms"}]},
        "skipped": {"exec": stay("touch /run/skipped"), "conditions": [
            {"path": "/bin/sh"}, {"kernel-word": "keelson.no-such-word"}]},
        "held": {"exec": stay("touch /run/held"), "conditions": [
            {"path": "/bin/sh"}, {"path": "/no/such", "not": True},
            {"kernel-word": "keelson.no-such-word", "not": True},
            {"architecture": os.uname().machine}]},
        "descriptor": {"exec": stay("sleep 0.1; echo >&7"), "ready": {"fd": 7}},
        "command": {"exec": stay("sleep 0.1; touch /run/ready"),
                    "ready": {"command": ["/usr/bin/test", "-e", "/run/ready"], "every": "20ms"}},
        "never": {"exec": stay(), "start-timeout": "300ms", "restart": "never",
                  "ready": {"command": ["/bin/sleep", "1000"], "timeout": "50ms"}},
        "signal": {"exec": sh("trap 'touch /run/reloaded-signal' HUP; echo >&3; "
                              "while :; do sleep 0.05; done"),
                   "reload": "HUP", "ready": {"fd": 3}},
        "program": {"exec": stay(), "reload": {"command": sh("touch /run/reloaded-program"),
                                               "timeout": "5s"}}}) as node:
    node.wait("hooks", "up")
    node.until(lambda: node.file("/run/hooks").split() == ["one", "two", "main"], "hooks ran")
    node.done("stop", "hooks")
    equal(node.file("/run/hooks").split(), ["one", "two", "main", "post"])
    equal(node.wait("slow", "failed")["death"]["reason"], "pre")
    node.wait("skipped", "done")
    assert not (node.root / "run/skipped").exists()
    node.wait("held", "up")
    node.wait("descriptor", "up")
    node.wait("command", "up")
    equal(node.wait("never", "failed")["death"]["reason"], "start timeout")
    node.wait("signal", "up")
    node.wait("program", "up")
    for name in ("signal", "program"):
        node.done("reload", name)
        node.until((node.root / f"run/reloaded-{name}").exists, f"{name} was reloaded")

with tap.case("liveness, watchdog, exit statuses and timers"), SpecNode({
        "alive": {"exec": stay(), "liveness": [
            {"command": ["/usr/bin/test", "!", "-e", "/run/sick"], "every": "30ms",
             "failures": 2}]},
        "fed": {"exec": stay(), "watchdog": "100ms"},
        "clean": {"exec": sh("exit 143"), "restart": {"on": "on-failure", "success": [143]}},
        "final": {"exec": sh("exit 78"), "restart": {"final": [78]}},
        "again": {"exec": sh("exit 77"), "restart": {"on": "on-failure", "final": [78]}},
        "often": {"exec": sh("echo run >>/run/often"), "kind": "timer",
                  "timer": {"every": "50ms", "jitter": "10ms"}},
        "later": {"exec": sh("touch /run/later"), "kind": "timer",
                  "timer": {"first": "1h", "every": "1h"}}}) as node:
    node.wait("alive", "up")
    (node.root / "run/sick").touch()
    node.until(lambda: node.services_now()["alive"]["starts"] > 1, "it was restarted")
    equal(node.services_now()["alive"]["death"]["reason"], "liveness")
    (node.root / "run/sick").unlink()
    node.until(lambda: node.services_now()["fed"]["starts"] > 1, "it was restarted")
    death = node.services_now()["fed"]["death"]
    equal((death["reason"], death["signal"]), ("watchdog", "ABRT"))
    equal(node.wait("clean", "down")["starts"], 1)
    equal(node.wait("final", "failed")["starts"], 1)
    node.until(lambda: node.services_now()["again"]["starts"] > 2, "it is restarted")
    node.until(lambda: node.file("/run/often").count("run") > 2, "the timer runs again and again")
    node.wait("later", "scheduled")
    assert not (node.root / "run/later").exists()
    node.done("start", "later")
    node.until((node.root / "run/later").exists, "a start by name runs it at once")

with tap.case("conflicts"), SpecNode({
        "one": {"exec": stay(), "conflicts": ["two"]},
        "two": {"exec": stay(), "manual": True}}) as node:
    node.wait("one", "up")
    node.done("start", "two")
    node.wait("two", "up")
    node.wait("one", "down")
    node.done("start", "one")
    node.wait("one", "up")
    node.wait("two", "down")

with tap.case("scheduling, and what a service sees"), SpecNode({
        "scheduled": {"exec": stay(), "scheduler": {"policy": "batch"}, "cpus": 0,
                      "io-priority": {"class": "idle"}, "nice": 5},
        "confined": {"exec": stay("touch /usr/keelson-test 2>/run/errors; "
                                  "ls /var >/run/hidden; echo seen >/run/shown"),
                     "read-only": ["/usr"], "hidden": ["/var"]},
        "bound": {"exec": stay("cat /run/to/file >/run/bound; echo >>/run/to/file 2>/dev/null || "
                               "echo refused >>/run/bound"),
                  # Its own `pre` is confined as it is: too late to make them.
                  "requires": ["paths"],
                  "bind": [{"from": "/run/from", "to": "/run/to", "read-only": True}]},
        "paths": {"kind": "oneshot", "exec": sh("mkdir -p /run/from /run/to; "
                                                 "echo text >/run/from/file")}}) as node:
    pid = node.wait("scheduled", "up")["pid"]
    status = node.file(f"/proc/{pid}/status")
    assert "Cpus_allowed_list:\t0\n" in status, status
    stat = node.file(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    equal((stat[16], stat[38]), ("5", "3"), "nice and SCHED_BATCH of /proc/PID/stat")
    equal(node.run("ionice", "-p", str(pid)).stdout.strip(), "idle")
    node.wait("confined", "up")
    node.until(lambda: node.file("/run/shown"), "it ran")
    assert "Read-only file system" in node.file("/run/errors"), node.file("/run/errors")
    equal(node.file("/run/hidden"), "")
    node.until(lambda: node.file("/run/bound").split() == ["text", "refused"], "it is read-only")

tap.end()
