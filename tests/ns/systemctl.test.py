#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""keelctl called as systemctl: the calls of provisioning scripts, with systemctl's exit statuses.

The calls are those of AKS's node provisioning (AgentBaker's cse_helpers.sh), of kubeadm
(initsystem) and of the maintainer scripts of packages; the statuses those of systemctl(1)."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import KEELCTL, Node, begin, equal, service  # noqa: E402

tap = begin()


class SystemctlNode(Node):
    def __enter__(self):
        super().__enter__()
        self.run("ln", "-s", KEELCTL, "/run/systemctl")
        return self

    def systemctl(self, *words):
        return self.run("/run/systemctl", *words)

    def expect(self, status, *words, out=None, err=None):
        """Run it; its exit status, its whole output and a part of its errors have to be these."""
        result = self.systemctl(*words)
        what = f"systemctl {' '.join(words)}"
        equal(result.returncode, status, f"{what}: {result.stdout}{result.stderr}")
        if out is not None:
            equal(result.stdout, out, what)
        if err is not None and err not in result.stderr:
            raise AssertionError(f"{what}: {result.stderr}")
        return result.stdout

    def shell(self, script):
        """A piece of a provisioning script, with systemctl in its path."""
        return self.run("bash", "-ec", f"PATH=/run:$PATH; {script}")


KUBELET = service("kubelet", "sleep", requires=["containerd"], reload_signal=1, backoff_ms=(50, 50))
NODE = (service("containerd", "sleep", kill="main"), KUBELET,
        service("sshd", "sleep", flags=2),
        service("setup", "exit", "0", kind="oneshot"),
        service("broken", "exit", "3", ready=["notify"], restart="never"),
        service("looping", "exit", "3", backoff_ms=(60000, 60000)),
        service("skipped", "sleep", condition=[("path", 0, "/nosuch")]),
        service("trim", "exit", "0", kind="timer", timer=(60000, 60000, 0)))


def settled(node):
    node.wait("kubelet", "up")
    node.wait("broken", "failed")
    node.wait("looping", "backoff")
    node.wait("setup", "done")
    node.wait("trim", "scheduled")


with tap.case("is-active, is-failed, is-enabled: words and exit statuses"), \
        SystemctlNode(*NODE) as node:
    settled(node)
    node.expect(0, "is-active", "kubelet", out="active\n")
    node.expect(0, "is-active", "kubelet.service", out="active\n")
    node.expect(0, "is-active", "--quiet", "kubelet", out="")
    node.expect(0, "is-active", "setup", out="active\n")
    node.expect(3, "is-active", "sshd", out="inactive\n")
    node.expect(3, "is-active", "skipped", out="inactive\n")
    node.expect(3, "is-active", "broken", out="failed\n")
    node.expect(3, "is-active", "looping", out="activating\n")
    node.expect(4, "is-active", "nosuch", out="inactive\n")
    node.expect(4, "is-active", "kubelet.socket", out="inactive\n")
    node.expect(0, "is-active", "sshd", "kubelet", out="inactive\nactive\n")
    node.expect(3, "is-active", "sshd", "nosuch", out="inactive\ninactive\n")
    node.expect(0, "is-active", "trim.timer", out="active\n")
    node.expect(3, "is-active", "trim.service", out="inactive\n")
    node.expect(0, "is-active", "kube*", out="active\n")
    node.expect(0, "is-failed", "broken", out="failed\n")
    node.expect(1, "is-failed", "kubelet", out="active\n")
    node.expect(0, "is-failed", "kubelet", "broken")
    node.expect(0, "is-enabled", "kubelet", out="enabled\n")
    node.expect(1, "is-enabled", "sshd", out="disabled\n")
    node.expect(0, "is-enabled", "sshd", "kubelet", out="disabled\nenabled\n")
    node.expect(0, "is-enabled", "--quiet", "kubelet.service", out="")
    node.expect(1, "is-enabled", "nosuch", out="",
                err="Failed to get unit file state for nosuch.service: No such file or directory")
    node.expect(1, "is-system-running", out="degraded\n")

with tap.case("status: the exit status, and what kubeadm reads in it"), SystemctlNode(*NODE) as node:
    settled(node)
    text = node.expect(0, "status", "kubelet", "--no-pager", "-l")
    assert text.startswith("● kubelet.service - ") and "Active: active (running) since " in text
    assert "Loaded: loaded (" in text and "Main PID: " in text, text
    node.expect(3, "status", "sshd")
    node.expect(3, "status", "broken.service")
    node.expect(3, "status", "looping")
    node.expect(4, "status", "nosuch", out="", err="Unit nosuch.service could not be found.")
    node.expect(4, "status", "kubelet", "nosuch", "sshd")
    node.expect(0, "status")
    assert "exited with status 3" in node.systemctl("status", "broken").stdout

with tap.case("start, stop, restart, and what has no such unit"), SystemctlNode(*NODE) as node:
    settled(node)
    first = node.services_now()["kubelet"]["pid"]
    node.expect(0, "restart", "kubelet", out="")
    assert node.services_now()["kubelet"]["pid"] != first
    node.expect(0, "stop", "containerd.service", out="")
    equal((node.state("containerd"), node.state("kubelet")), ("down", "waiting"))
    node.expect(0, "start", "kubelet", out="")
    node.expect(0, "start", "sshd", "containerd", out="")
    node.expect(0, "stop", "sshd")
    node.expect(0, "try-restart", "sshd")
    equal(node.state("sshd"), "down")
    node.expect(0, "start", "--no-block", "sshd")
    node.wait("sshd", "up")
    node.expect(1, "start", "broken", err="Job for broken.service failed.")
    node.expect(5, "start", "nosuch",
                err="Failed to start nosuch.service: Unit nosuch.service not found.")
    node.expect(5, "restart", "nosuch.service", err="not found")
    node.expect(5, "stop", "nosuch",
                err="Failed to stop nosuch.service: Unit nosuch.service not loaded.")
    node.expect(5, "start", "nosuch", "sshd")
    node.expect(5, "start", "network-online.target", err="network-online.target not found")
    node.expect(0, "reset-failed", "broken")
    node.expect(3, "is-active", "broken", out="inactive\n")
    node.expect(0, "reset-failed")
    node.expect(1, "reset-failed", "nosuch", err="not loaded")

with tap.case("reload: what has none is refused, or restarted where that is asked for"), \
        SystemctlNode(*NODE) as node:
    settled(node)
    node.expect(3, "reload", "containerd",
                err="Job type reload is not applicable for unit containerd.service.")
    node.expect(5, "reload", "nosuch", err="not found")
    before = node.services_now()["containerd"]["pid"]
    node.expect(0, "reload-or-restart", "containerd")
    assert node.services_now()["containerd"]["pid"] != before, "it has no reload: restarted"
    node.expect(0, "try-reload-or-restart", "sshd")
    equal(node.state("sshd"), "down")
    node.expect(0, "reload-or-restart", "sshd")
    equal(node.state("sshd"), "up")

with tap.case("kill: a signal by name, to all or to the main process"), SystemctlNode(
        service("family", "child", "sleep", backoff_ms=(20, 20))) as node:
    node.wait("family", "up")
    node.until(lambda: len(node.members("family")) == 2, "two processes")
    first = node.services_now()["family"]["pid"]
    node.expect(0, "kill", "-s", "KILL", "family.service", out="")
    node.until(lambda: node.services_now()["family"]["pid"] not in (0, first), "a new one")
    node.expect(0, "kill", "--kill-whom=main", "--signal=SIGKILL", "family")
    node.expect(1, "kill", "-s", "NOSUCH", "family", err="Failed to parse signal string")
    node.expect(1, "kill", "--kill-whom=control", "family")
    node.expect(1, "kill", "nosuch", err="not loaded")

with tap.case("enable and disable succeed where they change nothing, and say so where they would"), \
        SystemctlNode(*NODE) as node:
    settled(node)
    node.expect(0, "enable", "kubelet", out="")
    node.expect(0, "enable", "--now", "kubelet", "containerd")
    node.expect(0, "--quiet", "enable", "--now", "kubelet")
    node.expect(1, "enable", "sshd", err="the boot does not start it")
    node.expect(1, "enable", "--now", "sshd")
    equal(node.state("sshd"), "down", "what was refused is not started")
    node.expect(0, "disable", "sshd")
    node.expect(1, "disable", "--now", "kubelet", err="that is decided in the image's spec")
    equal(node.state("kubelet"), "up", "what was refused is not stopped")
    node.expect(1, "enable", "nosuch", err="Unit file nosuch.service does not exist.")
    node.expect(1, "disable", "nosuch")
    node.expect(0, "unmask", "kubelet", "nosuch")
    node.expect(1, "mask", "kubelet", err="that is decided in the image's spec")
    node.expect(0, "mask", "nosuch", err="does not exist, proceeding anyway")
    node.expect(0, "daemon-reload", out="")

with tap.case("show: properties by name, with and without their names"), SystemctlNode(*NODE) as node:
    settled(node)
    node.expect(0, "show", "-p", "ActiveState", "kubelet", out="ActiveState=active\n")
    node.expect(0, "show", "-p", "ActiveState", "--value", "kubelet", out="active\n")
    node.expect(0, "show", "--property=SubState", "--value", "kubelet.service", out="running\n")
    node.expect(0, "show", "-P", "SubState", "looping", out="auto-restart\n")
    node.expect(0, "show", "-p", "SubState,LoadState", "-p", "Id", "nosuch",
                out="Id=nosuch.service\nLoadState=not-found\nSubState=dead\n")
    node.expect(0, "show", "-p", "StatusText", "kubelet", out="StatusText=\n")
    node.expect(0, "show", "-p", "NoSuchProperty", "kubelet", out="")
    node.expect(0, "show", "-p", "Id", "kubelet", "sshd",
                out="Id=kubelet.service\n\nId=sshd.service\n")
    pid = node.services_now()["kubelet"]["pid"]
    node.expect(0, "show", "-p", "MainPID", "--value", "kubelet", out=f"{pid}\n")
    node.expect(0, "show", "-p", "ExecMainStatus,Result,NRestarts,ExecMainCode", "broken",
                out="Result=exit-code\nNRestarts=0\nExecMainCode=1\nExecMainStatus=3\n")
    node.expect(0, "show", "-p", "ConditionResult", "skipped", out="ConditionResult=no\n")
    everything = node.expect(0, "show", "kubelet")
    for line in ("Id=kubelet.service", "Names=kubelet.service", "Requires=containerd.service",
                 "LoadState=loaded", "UnitFileState=enabled", "FragmentPath=/usr/lib/keelson/plan",
                 "CanReload=yes", "NeedDaemonReload=no", "ControlGroup=/kubelet"):
        assert f"{line}\n" in everything, line
    assert "StatusText=" not in everything, "what is empty is left out"
    stamp = node.expect(0, "show", "kubelet", "-p", "ExecMainStartTimestamp", "--value")
    equal(subprocess.run(["date", "-d", stamp.strip()], capture_output=True).returncode, 0, stamp)
    assert node.expect(0, "show", "-p", "KernelTimestamp").startswith("KernelTimestamp=")

with tap.case("lists: units, unit files, timers, filtered"), SystemctlNode(*NODE) as node:
    settled(node)
    table = node.expect(0, "list-units", "--no-pager").splitlines()
    equal(table[0].split(), ["UNIT", "LOAD", "ACTIVE", "SUB", "DESCRIPTION"])
    assert not any("sshd" in line for line in table), "inactive ones only with --all"
    assert any(line.startswith("● broken.service") for line in table), table
    node.expect(0, "list-units", "--failed", "--no-legend", "--plain",
                out=f"{'broken.service':18} {'loaded':9} {'failed':12} {'failed':12} broken\n")
    equal(len(node.expect(0, "list-units", "--all", "--no-legend").splitlines()), 8)
    equal(len(node.expect(0, "list-units", "--type=timer", "--no-legend").splitlines()), 1)
    equal(node.expect(0, "list-units", "--state=failed", "--no-legend", "--plain").split()[0],
          "broken.service")
    equal(node.expect(0, "list-units", "kube*", "--no-legend", "--plain").split()[0],
          "kubelet.service")
    assert "kubelet.service" in node.expect(0, "list-unit-files")
    assert node.expect(0, "list-unit-files", "--no-pager", "--no-legend", "kubelet.service")
    node.expect(1, "list-unit-files", "nosuch.service")
    assert "trim.timer" in node.expect(0, "list-timers")
    equal(node.systemctl().stdout.splitlines()[0], table[0], "the default command")

with tap.case("cat tells whether there is such a unit"), SystemctlNode(*NODE) as node:
    node.wait("kubelet", "up")
    node.expect(0, "cat", "kubelet")
    node.expect(1, "cat", "nosuch", out="", err="No files found for nosuch.service.")

with tap.case("what means nothing here says so and fails; so do mistakes"), \
        SystemctlNode(*NODE) as node:
    node.wait("kubelet", "up")
    for words in (["isolate", "rescue.target"], ["set-property", "kubelet", "CPUWeight=1"],
                  ["edit", "kubelet"], ["suspend"], ["set-default", "x"], ["--user", "status"],
                  ["-M", "x", "status"], ["--root=/x", "enable", "kubelet"],
                  ["reboot", "--dry-run"]):
        node.expect(1, *words, err="means nothing on a keelson node")
    node.expect(1, "frobnicate", err="Unknown command verb frobnicate.")
    node.expect(1, "restrat", "kubelet", err="Did you mean restart?")
    node.expect(1, "--frobnicate", err="unrecognized option")
    node.expect(1, "start", err="Too few arguments.")
    node.expect(1, "daemon-reload", "kubelet", err="Too many arguments.")
    node.expect(1, "start", "a/b", err="Invalid unit name")
    node.expect(0, "--version")
    equal(node.run("/run/systemctl", "--keelson-socket=/nowhere", "is-active", "x").returncode, 1)
    node.wait("kubelet", "up")

# As the scripts have them, with their retries and their ways to read an answer.
AKS = """
_systemctl_retry_svc_operation() {
    retries=$1; wait_sleep=$2; timeout=$3 operation=$4 svcname=$5
    for i in $(seq 1 $retries); do
        timeout $timeout systemctl daemon-reload
        timeout $timeout systemctl $operation $svcname && break || \\
        if [ $i -eq $retries ]; then return 1; else sleep $wait_sleep; fi
    done
}
state() { systemctl show -p ActiveState --value "$1"; }
"""

with tap.case("AKS's provisioning: enable and start, check, disable what is not there"), \
        SystemctlNode(*NODE) as node:
    settled(node)
    ran = node.shell(AKS + """
        _systemctl_retry_svc_operation 3 0.1 20 restart kubelet
        systemctl enable kubelet
        [ "$(state kubelet)" = active ]
        [ "$(state broken)" = failed ]
        [ "$(state nosuch)" = inactive ]
        ! systemctl cat nosuch.service >/dev/null 2>&1
        systemctl cat containerd.service >/dev/null 2>&1
        [ "$(systemctl is-active kubelet)" = active ]
        _systemctl_retry_svc_operation 3 0.1 20 'restart --no-block' kubelet
        ! _systemctl_retry_svc_operation 2 0.1 20 restart nosuch 2>/dev/null
        _systemctl_retry_svc_operation 2 0.1 20 stop sshd
        systemctl list-unit-files --no-pager --no-legend kubelet.service | grep -q kubelet.service
        systemctl kill -s HUP containerd.service
        systemctl show kubelet -p Slice | cut -d= -f2 | grep -q .
        systemctl show -p KernelTimestamp | sed -e 's/KernelTimestamp=//g' | date -f - +%s >/dev/null
        echo well
    """)
    equal(ran.stdout.splitlines()[-1:], ["well"], ran.stderr)

with tap.case("kubeadm: exists, is enabled, is active; a crash loop counts as active"), \
        SystemctlNode(*NODE) as node:
    settled(node)
    ran = node.shell("""
        systemctl daemon-reload
        systemctl start kubelet
        ! systemctl status kubelet | grep -q 'Loaded: not-found'
        systemctl is-enabled kubelet >/dev/null
        [ "$(systemctl is-active kubelet)" = active ]
        [ "$(systemctl is-active looping || true)" = activating ]
        systemctl stop kubelet
        [ "$(systemctl is-active kubelet || true)" = inactive ]
        echo well
    """)
    equal(ran.stdout, "well\n", ran.stderr)

with tap.case("systemctl poweroff ends the node, and may end with it"), SystemctlNode(*NODE) as node:
    node.wait("kubelet", "up")
    node.systemctl("poweroff", "--force", "--no-wall")
    node.unshare.wait(20)

tap.end()
