#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Around a service's life: pre, post, conditions, timers, reload."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import KEELCTL, Node, begin, equal, service  # noqa: E402

tap = begin()
MS = 1_000_000
OPTIONAL = 1
NOT = 1
MANUAL = 2
PATHS = ["PATH=/usr/bin:/bin"]


def sh(script, timeout=5000, flags=0):
    return (timeout, flags, "/bin/sh", "-c", script)


def log_of(node, name):
    return node.file(f"/run/{name}").split()


with tap.case("pre and post run in order, around the main process"), Node(
        service("plain", argv=["/bin/sh", "-c", "echo main >>/run/plain; exec sleep 1000"],
                environment=PATHS,
                pre=[sh("echo one >>/run/plain"), sh("echo two >>/run/plain")],
                post=[sh("echo three >>/run/plain"), sh("echo four >>/run/plain")]),
        service("once", argv=["/bin/sh", "-c", "echo main >>/run/once"], kind="oneshot",
                pre=[sh("echo pre >>/run/once")], post=[sh("echo post >>/run/once")])) as node:
    node.wait("plain", "up")
    node.until(lambda: log_of(node, "plain") == ["one", "two", "main"], "pre, then main")
    node.done("stop", "plain")
    equal(log_of(node, "plain"), ["one", "two", "main", "three", "four"])
    node.wait("once", "done")
    equal(log_of(node, "once"), ["pre", "main", "post"])
    equal(node.services_now()["plain"]["starts"], 1, "a hook is no start")

with tap.case("a pre command that fails ends the service; post runs, the main process never"), Node(
        service("fails", "touch", "/run/ran", "sleep", restart="never",
                pre=[sh("echo one >>/run/fails; exit 3"), sh("echo two >>/run/fails")],
                post=[sh("echo post >>/run/fails")]),
        service("absent", "sleep", restart="never", pre=[(1000, 0, "/no/such/program")]),
        service("optional", "sleep",
                pre=[sh("exit 3", flags=OPTIONAL), (1000, OPTIONAL, "/no/such/program")]),
        service("slow", "sleep", restart="never", pre=[sh("exec sleep 1000", timeout=200)]),
        service("again", "sleep", backoff_ms=(20, 20),
                pre=[sh("[ -e /run/again ] || { touch /run/again; exit 1; }")])) as node:
    equal(node.wait("fails", "failed")["last_death"], "exited with status 3: a command of pre failed")
    equal(log_of(node, "fails"), ["one", "post"])
    assert not (node.root / "run/ran").exists()
    death = node.wait("absent", "failed")["last_death"]
    equal(death, "start failed at step exec: No such file or directory: a command of pre failed")
    node.wait("optional", "up")
    death = node.wait("slow", "failed")["last_death"]
    equal(death, "took too long and was killed: a command of pre failed")
    node.wait("again", "up")
    equal(node.members("slow"), [])

with tap.case("post runs however the service ended, and its failure changes nothing"), Node(
        service("crash", "wait", "/run/go", "kill", "9", restart="never",
                post=[sh("echo crash >>/run/crash; exit 1"), sh("echo second >>/run/crash")]),
        service("exec", argv=["/no/such/program"], restart="never",
                post=[sh("echo exec >>/run/exec")]),
        service("timeout", "ignore", "sleep", ready=["notify"], start_ms=300, stop_ms=100,
                restart="never", post=[sh("echo timeout >>/run/timeout")]),
        service("restarts", "wait", "/run/go", "exit", "1", backoff_ms=(20, 20),
                pre=[sh("echo pre >>/run/restarts")],
                post=[sh("echo post >>/run/restarts")], burst=1),
        service("group", "sleep", ready=["exec"], restart="never",
                post=[sh("echo group >>/run/group")])) as node:
    node.wait("crash", "up")
    node.run("touch", "/run/go")
    equal(node.wait("crash", "failed")["last_death"], "killed by SIGKILL")
    equal(log_of(node, "crash"), ["crash", "second"])
    node.wait("exec", "failed")
    equal(log_of(node, "exec"), ["exec"])
    node.wait("timeout", "failed")
    equal(log_of(node, "timeout"), ["timeout"])
    node.wait("restarts", "failed")
    equal(log_of(node, "restarts"), ["pre", "post"] * 2)
    # By somebody else, who does not tell PID 1 that nothing can be born into the group any more.
    node.wait("group", "up")
    (node.group / "group/cgroup.kill").write_text("1")
    node.wait("group", "failed")
    equal(log_of(node, "group"), ["group"])

with tap.case("a stop interrupts pre; post that hangs is killed when its time is over"), Node(
        service("inpre", "sleep", pre=[sh("echo begun >/run/inpre; exec sleep 1000")],
                start_ms=60000, stop_ms=5000, post=[sh("echo post >/run/inpre-post")]),
        service("stubborn", "sleep", stop_ms=200,
                pre=[sh("trap '' TERM; echo begun >/run/stubborn; while :; do sleep 1; done",
                        timeout=60000)], environment=PATHS),
        service("hangs", "sleep", stop_ms=60000, environment=PATHS,
                post=[sh("trap '' TERM; sleep 1000", timeout=200), sh("echo next >/run/hangs")]),
        service("late", "sleep", stop_ms=300, environment=PATHS,
                post=[sh("sleep 1000", timeout=60000), sh("echo next >/run/late")])) as node:
    node.until(lambda: node.file("/run/inpre") and node.file("/run/stubborn"), "pre runs")
    node.done("stop", "inpre")
    equal(log_of(node, "inpre-post"), ["post"])
    assert "inpre: not stopped" not in node.log(), "it was asked before it was killed"
    node.done("stop", "stubborn")
    for name in ("hangs", "late"):
        node.wait(name, "up")
        node.done("stop", name)
        equal(log_of(node, name), ["next"])
    equal([node.members(name) for name in ("inpre", "stubborn", "hangs", "late")], [[]] * 4)

# Two lines: ids as the kernel knows them, and the group.
WHO = ("{ grep -E '^(Uid|Gid|Groups):' /proc/self/status; sed -n 's/^0:://p' /proc/self/cgroup; }"
       " | tr -s '[:space:]' ' '")

with tap.case("hooks are confined as the service: its group, user and environment"), Node(
        service("ids", argv=["/bin/sh", "-c", f"{WHO} >/tmp/main; exec sleep 1000"], uid=1234,
                cgroup="deep/ids", environment=[*PATHS, "WHO=me"], flags=MANUAL,
                pre=[sh(f"{WHO} >/tmp/pre"), sh("echo $WHO >/tmp/who")],
                post=[sh(f"{WHO} >/tmp/post; echo $MAINPID >/tmp/pid")])) as node:
    node.run("chmod", "1777", "/tmp")
    node.done("start", "ids")
    node.until(lambda: node.file("/tmp/main"), "the main process wrote")
    node.done("stop", "ids")
    ids = node.file("/tmp/pre")
    equal(ids, "Uid: 1234 1234 1234 1234 Gid: 1234 1234 1234 1234 Groups: /deep/ids ")
    equal(node.file("/tmp/post"), ids)
    equal(node.file("/tmp/main"), ids)
    equal(node.file("/tmp/who"), "me\n")
    equal(node.file("/tmp/pid"), "\n", "no main process any more")

with tap.case("what a hook left running is killed before the service begins"), Node(
        service("leaves", "sleep", environment=PATHS,
                pre=[sh("sleep 1000 & echo $! >/run/left")])) as node:
    node.wait("leaves", "up")
    node.until(lambda: len(node.members("leaves")) == 1, "only the main process lives in it")

with tap.case("conditions: nothing to do here is done, and up for whoever needs it"), Node(
        service("path", "sleep", condition=[("path", 0, "/run/wanted")]),
        service("no-path", "sleep", condition=[("path", NOT, "/run/wanted")]),
        service("both", "sleep", condition=[("path", 0, "/run"), ("path", 0, "/run/wanted")],
                post=[sh("touch /run/post")], pre=[sh("touch /run/pre")]),
        service("machine", "sleep", condition=[("architecture", 0, os.uname().machine)]),
        service("other", "sleep", condition=[("architecture", 0, "pdp11")], kind="oneshot"),
        service("word", "sleep", condition=[("kernel-word", 0, "keelson.no-such-word")]),
        service("container", "sleep", condition=[("virtualization", 0, "container"),
                                                 ("virtualization", NOT, "none")]),
        service("later-boot", "sleep", condition=[("first-boot", 0, "")]),
        service("needs", "sleep", requires=["path", "other"])) as node:
    node.wait("needs", "up")
    states = {name: entry["state"] for name, entry in node.services_now().items()}
    equal(states, {"path": "done", "no-path": "up", "both": "done", "machine": "up",
                   "other": "done", "word": "done", "container": "up", "later-boot": "done",
                   "needs": "up"})
    skipped = node.services_now()["path"]
    equal((skipped["starts"], skipped["pid"]), (0, 0))
    assert not (node.root / "run/pre").exists() and not (node.root / "run/post").exists()
    assert "both: nothing to do here: condition 2 does not hold" in node.log(), node.log()
    node.run("touch", "/run/wanted")
    node.done("restart", "path")
    node.wait("path", "up")
    equal(node.done("start", "needs"), "")

# A FUSE file system whose server never answers, and ends when it is killed.
HANG = ";".join((
    "import ctypes,os,signal", "fd=os.open('/dev/fuse',os.O_RDWR)", "os.makedirs('/run/hung')",
    "libc=ctypes.CDLL(None,use_errno=True)",
    "options=b'fd=%d,rootmode=40000,user_id=0,group_id=0'%fd",
    "libc.mount(b'hung',b'/run/hung',b'fuse',0,options) and exit(1)",
    "open('/run/mounted','w').close()", "signal.pause()"))

with tap.case("a condition on a file system that hangs holds up its service, and nobody else"), Node(
        service("hangs", argv=[sys.executable, "-c", HANG], restart="never"),
        service("stopped", "sleep", condition=[("path", 0, "/run/hung/a")], flags=MANUAL,
                start_ms=60000, pre=[sh("touch /run/never")], post=[sh("touch /run/never")]),
        service("late", "sleep", condition=[("path", NOT, "/run/no"), ("path", 0, "/run/hung/b")],
                flags=MANUAL, start_ms=200, restart="never"),
        service("other", "sleep", flags=MANUAL)) as node:
    node.until(lambda: (node.root / "run/mounted").exists() or node.state("hangs") == "failed",
               "there is a file system that hangs, or the machine has none")
    if node.state("hangs") == "up":
        for name in ("stopped", "late"):
            node.done("start", "--no-wait", name)
        node.wait("stopped", "starting")
        node.done("start", "other")
        node.done("stop", "stopped")
        death = node.wait("late", "failed")["last_death"]
        assert "it was not ready in time" in death, death
        assert not (node.root / "run/never").exists(), "neither pre nor post of what never began"
        node.done("stop", "hangs")

with tap.case("a timer runs, rests, runs again; a failed run is told and ends nothing"), Node(
        service("tick", argv=["/bin/sh", "-c", "echo x >>/run/tick; exit 5"], kind="timer",
                timer=(50, 100, 0)),
        service("rare", argv=["/bin/sh", "-c", "echo x >>/run/rare"], kind="timer",
                timer=(3600000, 3600000, 0)),
        service("skips", argv=["/bin/sh", "-c", "echo x >>/run/skips"], kind="timer",
                timer=(20, 50, 0), condition=[("path", 0, "/run/wanted")]),
        service("long", argv=["/bin/sh", "-c", "echo x >>/run/long; exec sleep 1000"],
                kind="timer", timer=(0, 50, 0), environment=PATHS, start_ms=200)) as node:
    node.until(lambda: len(log_of(node, "tick")) >= 4, "four runs")
    tick = node.wait("tick", "scheduled")
    equal(tick["last_death"], "exited with status 5")
    equal(node.state("rare"), "scheduled")
    node.done("start", "rare")
    node.until(lambda: log_of(node, "rare") == ["x"], "a start by name runs it at once")
    node.wait("rare", "scheduled")
    equal(log_of(node, "skips"), [])
    node.run("touch", "/run/wanted")
    node.until(lambda: len(log_of(node, "skips")) >= 2, "runs when its condition holds")
    node.until(lambda: len(log_of(node, "long")) >= 2, "a run that hangs is ended by its timeout")
    node.done("stop", "tick")
    runs = len(log_of(node, "tick"))
    node.run("sleep", "0.3")
    equal(len(log_of(node, "tick")), runs, "what was stopped stays stopped")
    starts = [ns for name, state, ns in node.events() if (name, state) == ("tick", "starting")]
    for sooner, later in zip(starts, starts[1:]):
        assert later - sooner >= 99 * MS, f"too soon: {starts}"

with tap.case("reload: by signal, by a service that says when it is done, by command"), Node(
        service("plain", "on-signal", "1", "/run/plain", "notify", "READY=1", "sleep",
                ready=["notify"], reload_signal=1),
        service("says", "reloads", "/run/go", "notify", "READY=1", "sleep", ready=["notify"],
                reload_signal=1),
        service("never", "reloads", "/run/no", "notify", "READY=1", "sleep", ready=["notify"],
                reload_signal=1, start_ms=3000),
        service("command", "sleep", reload_command=(5000, "/bin/sh", "-c",
                                                    "echo $MAINPID >/run/command")),
        service("fails", "sleep", reload_command=(5000, "/bin/false")),
        service("hangs", "sleep", reload_command=(200, "/bin/sleep", "1000")),
        service("none", "sleep"),
        service("down", "sleep", flags=MANUAL, reload_signal=1),
        service("dies", "sleep", reload_command=(60000, "/bin/sh", "-c",
                                                 "kill -9 $MAINPID; exec sleep 1000"),
                environment=PATHS, restart="never")) as node:
    for name in ("plain", "says", "never", "command", "fails", "hangs", "none", "dies"):
        node.wait(name, "up")
    node.done("reload", "plain")
    node.until(lambda: log_of(node, "plain") == ["1"], "it got the signal")
    enter = ["nsenter", "-t", str(node.pid), "-p", "-m", "-n", KEELCTL, "reload", "says"]
    asked = [subprocess.Popen(enter)]
    node.until(lambda: node.services_now()["says"]["reloading"], "it reloads")
    asked.append(subprocess.Popen(enter))  # what changed meanwhile is to be read, too
    node.run("sleep", "1")
    equal([client.poll() for client in asked], [None, None], "told before it was done")
    node.run("touch", "/run/go")
    equal([client.wait(20) for client in asked], [0, 0])
    equal(node.state("says"), "up")
    result = node.ctl("reload", "never")
    equal(result.returncode, 1, "RELOADING=1 without a READY=1 is a reload that is not done")
    equal(node.state("never"), "up")
    node.done("reload", "command")
    equal(node.file("/run/command"), f"{node.services_now()['command']['pid']}\n")
    for name in ("fails", "hangs", "none", "down"):
        equal(node.ctl("reload", name).returncode, 1, name)
    equal(node.ctl("reload", "dies").returncode, 1)
    node.wait("dies", "failed")
    equal([node.state(name) for name in ("fails", "hangs", "none", "down")],
          ["up", "up", "up", "down"])
    equal({entry["starts"] for entry in node.services_now().values() if entry["state"] == "up"},
          {1})
    equal(len(node.members("hangs")), 1, "the command that hung is gone")

tap.end()
