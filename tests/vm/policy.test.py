#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=900
"""The curated policies, by what runs under them: real pods work, attacks fail (profile/policy.yaml).

    KEELSON_RECORD=1 tests/vm/policy.test.py    also write tests/policy/record/*.txt: which system
                                               calls and capabilities the services used

One boot. First the attack program (guest/attack.c) runs under each policy, and under none, and what
it could do is compared with policy_attacks.py. Then every kind of pod runs below the real containerd
and kubelet, and says itself what it could do (guest/pod.c, policy_pods.py).
"""

import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import policy_record as record  # noqa: E402
from harness import Agent, Disk, Machine, Tap, Timeout, image, scale, unmet  # noqa: E402
from harness.kubelet import Kubelet  # noqa: E402
from harness.tap import contains, equal  # noqa: E402
import policy_attacks as attacks  # noqa: E402
import policy_learn as learn  # noqa: E402
import policy_pods as pods  # noqa: E402

# What every line that tells a denial matches, in the logs of containerd and kubelet.
DENIED = re.compile(r"operation not permitted|permission denied|\bEPERM\b|\bEACCES\b", re.I)
POD_S = 120


def free_ports(count):
    """Ports of this host that nobody has; QEMU takes them a moment later."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def certificate(directory):
    """A certificate for kubelet's server, as a cluster's signer would make it."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj", "/CN=node",
                    "-keyout", directory / "kubelet.key", "-out", directory / "kubelet.crt"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return directory / "kubelet.crt"


def state(disk, work):
    """Make the state partition as the node would, with the pods and the attack on it."""
    tree = Path(work) / "state"
    own = tree / "lib/policy"
    (own / "shared").mkdir(parents=True)
    pods.write_manifests(own)
    (own / "pod.tar").write_bytes(pods.pod_image())
    (own / "attack").write_bytes(pods.program("vm-attack"))
    (own / "attack").chmod(0o755)
    trusted = certificate(own)
    part = disk.partitions()["state"]
    made = Path(work) / "state.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", "-d", str(tree), str(made),
                    f"{part.size_bytes // 1024}k"], check=True, stdout=subprocess.DEVNULL)
    disk.partition_write("state", 0, made.read_bytes())
    return trusted


class Node:
    """Questions to the node, and to its kubelet from outside."""

    def __init__(self, machine, kubelet):
        self.machine = machine
        self.kubelet = kubelet
        self.agent = Agent(machine)
        self.out = self.agent.out
        self.run = self.agent.run
        self.until = self.agent.until

    def service(self, name):
        status = json.loads(self.run("keelctl status --json")[1])
        return next(s for s in status["services"] if s["name"] == name)

    def pods_run(self, want, restarts=0):
        """Wait until these pods' containers run and are ready; {pod: {container: (...)}}."""
        deadline = time.monotonic() + POD_S * scale()
        states = {}
        while time.monotonic() < deadline:
            try:
                states = self.kubelet.states()
            except OSError:
                states = {}
            if {name for name, own in states.items() if own and
                    all(state == "running" and ready and count >= restarts
                        for state, ready, count in own.values())} >= want:
                return states
            time.sleep(1)
        raise Timeout(f"the pods are {states}; kubelet says\n{self.log('kubelet')[-4000:]}")

    def start_pod(self, name, restarts):
        """One after the other: a slow machine gets none done in time that begins with all."""
        self.out(f"mv /var/lib/policy/pods/{name}.json /var/lib/policy/manifests/")
        return self.pods_run({name}, restarts)

    def said(self, pod, container="c"):
        """What a pod's container found, once it has found everything."""
        deadline = time.monotonic() + 60 * scale()
        while True:
            text = self.kubelet.logs(pod, container)
            if re.search(r"^end ", text, re.M):
                return text
            if time.monotonic() > deadline:
                raise Timeout(f"{pod} says no end:\n{text}")
            time.sleep(0.5)

    def said_before(self, pod, container="c"):
        """What its run before said. That there was one kubelet knows a little after the restart."""
        deadline = time.monotonic() + 60 * scale()
        while True:
            try:
                return self.kubelet.logs(pod, container, previous=True)
            except RuntimeError as refusal:
                if "not found" not in str(refusal) or time.monotonic() > deadline:
                    last = self.kubelet.pods()[pod]["status"]
                    raise Timeout(f"{refusal}; kubelet has of {pod}: {last}") from None
            time.sleep(0.5)

    def log(self, service):
        return self.out(f"keelctl logs -n 100000 {service}", timeout=60)


KINDS = (
    ("ordinary", "an ordinary pod has what runc's default gives it, and its volumes"),
    ("bare", "a pod without any capability runs"),
    ("privileged", "a privileged pod mounts, uses bpf(2) and setns(2), makes a vxlan link; and does "
                   "not get at the kernel"),
    ("filtered", "RuntimeDefault is a second filter over the node's"),
    ("setuid", "no_new_privs does not leak: a setuid-root program and a file capability work in a "
               "pod"),
    ("no-gain", "and do not in a pod that forbids it"),
    ("program32", "a 32-bit program runs in a pod, and its entry is no way round the filter"),
    ("crash", "a container that crashed is started again"),
)


def workloads(tap, node, ports):
    for name, what in KINDS:
        with tap.case(what):
            restarts = 1 if name == "crash" else 0
            states = node.start_pod(name, restarts)
            equal(states[name]["c"][2], restarts, "restarts")
            text = node.said(name)
            bad = [line for line in text.splitlines() if line.startswith("not ok")]
            equal(bad, [], f"what pod {name} found")
            assert re.search(r"^ok ", text, re.M), text
    tap.note(f"{time.monotonic() - node.machine.started:.0f} s after the power was switched on")
    with tap.case("the kernel loaded the module of the vxlan link by itself"):
        contains(node.out("cat /proc/modules"), "vxlan ", "modules")
    with tap.case("what a pod mounts below a Bidirectional volume is mounted on the node"):
        contains(node.out("cat /proc/mounts"), "/var/lib/policy/shared/inside", "mounts")
    with tap.case("the log of the run before is kept"):
        contains(node.said_before("crash"), "dying crash", "log")
    with tap.case("exec through the CRI: one call, and a stream"):
        contains(node.kubelet.run("ordinary", "c", "/pod", "who"), "user 0 ", "output")
        output, errors, status = node.kubelet.execute("setuid", "c", "/pod", "who")
        contains(output, "user 1000 effective 0", "output")
        equal(errors, "", "errors")
        contains(status, '"Success"', "status")
    with tap.case("a port of the node is mapped to the pod, from outside"):
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/", timeout=30 * scale()) as page:
            equal(page.read(), b"from the pod\n", "page")


def container_pids(node):
    """The processes of the pods' containers."""
    lines = node.out("for p in /proc/[0-9]*; do echo ${p#/proc/} $(tr '\\0' ' ' <$p/cmdline "
                     "2>/dev/null); done").splitlines()
    return sorted(line for line in lines if re.match(r"\d+ /pod", line))


def restart_of_containerd(tap, node, ports):
    with tap.case("containerd is killed under live pods: they never notice, and can be reached"):
        before, old = container_pids(node), node.service("containerd")["pid"]
        assert len(before) >= len(pods.pods()), before
        node.out(f"kill -9 {old}")
        deadline = time.monotonic() + 120 * scale()
        while True:
            seen = node.service("containerd")
            if seen["state"] == "up" and seen["pid"] != old:
                break
            if time.monotonic() > deadline:
                raise Timeout(f"containerd is {seen}")
            time.sleep(0.5)
        node.pods_run(set(pods.pods()))
        equal(container_pids(node), before, "processes of the pods")
        contains(node.kubelet.run("bare", "c", "/pod", "who"), "user 0 effective 0", "exec after it")
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/", timeout=30 * scale()) as page:
            equal(page.read(), b"from the pod\n", "page")


def denials(tap, node):
    for name in ("containerd", "kubelet"):
        with tap.case(f"{name} was denied nothing, by its own log, too"):
            equal([line for line in node.log(name).splitlines() if DENIED.search(line)], [], "lines")


def attack(tap, node, policy):
    """Run the attack program under a policy; {name: (result, capability that it lacks)}."""
    name = f"attack-{policy}"
    node.run(f"keelctl start {name}", timeout=120)
    deadline = time.monotonic() + 120 * scale()
    while "attack end" not in (text := node.log(name)):
        if time.monotonic() > deadline:
            raise Timeout(f"{name} is {node.service(name)} and says\n{text}")
        time.sleep(0.5)
    found = re.findall(r"attack (\S+) (\S+) lacks (\S+)", text)
    return {which: (result, lacks) for which, result, lacks in found}


def attack_all(tap, node):
    for policy in attacks.POLICIES:
        with tap.case(f"under the policy {policy} every attack ends as it must"
                      if policy != "none" else "without a policy the attacks work: they can attack"):
            found = attack(tap, node, policy)
            for which, (result, lacks) in found.items():
                who = "" if result == "works" else attacks.denier(which, result, lacks)
                tap.note(f"{policy:<11} {which:<22} {result:<8} {who}")
            wrong = attacks.differences(policy, found)
            equal(wrong, [], f"differences under {policy}")
    with tap.case("PID 1 lives after all that, as the process that it was"):
        equal(node.out("cat /proc/1/comm").strip(), "init", "its name")
        status = json.loads(node.run("keelctl status --json")[1])
        equal((status["executions"], status["crashes"]), (1, 0), "executions and crashes")


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    made = image("policy")
    with tempfile.TemporaryDirectory() as work:
        disk = Disk.copy(made.disk, f"{work}/disk.img")
        trusted = state(disk, work)
        ports = free_ports(2)
        network = (f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{ports[0]}-:10250,"
                   f"hostfwd=tcp:127.0.0.1:{ports[1]}-:{pods.HOST_PORT}")
        log = Path("build/test-log/policy-console.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with Machine(made.kernel, made.initrd, disk.path, made.cmdline(), reboot=False, log=log,
                     extra=["-nic", network]) as machine:
            node = Node(machine, Kubelet(ports[0], trusted))
            with tap.case("the node is up"):
                node.agent.wait(180)
            if tap.failed:
                tap.end()
            attack_all(tap, node)
            learn.started(tap, node)
            learn.of_a_service(tap, node)
            learn.least(tap, node, work)
            if record.WANTED:
                with tap.case("the kernel counts system calls and capabilities"):
                    record.begin(node)
            workloads(tap, node, ports)
            restart_of_containerd(tap, node, ports)
            denials(tap, node)
            learn.workloads(tap, node)
            learn.stopped(tap, node)
            if record.WANTED:
                with tap.case("what the services asked of the kernel is recorded"):
                    tap.note(f"in no record: {' '.join(record.end(node))}")
            with tap.case("the node is switched off in order"):
                node.agent.send("keelctl poweroff")
                equal(machine.ended(90), 0, "exit status of QEMU")
    tap.end()


if __name__ == "__main__":
    main()
