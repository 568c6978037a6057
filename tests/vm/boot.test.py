#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=900
"""One boot of the test profile, everything that a running node must show.

The cases build on each other in time: they look, then they hurt containerd, then they fill the
state partition, then they switch the node off and read its disk.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, Timeout, image, scale, unmet  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

CAPABILITIES = """chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap
linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module
sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time
sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog
wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore""".split()
ALL = (1 << len(CAPABILITIES)) - 1
TRIES = 3


def mask(*names):
    return sum(1 << CAPABILITIES.index(name) for name in names)


CONTAINERD = ALL & ~mask("sys_module", "sys_boot")
KUBELET = mask("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "net_admin",
               "net_raw", "sys_admin", "sys_resource", "syslog")


def told_mask(words):
    """What keelctl says of capabilities, as the kernel's mask."""
    names = [word.removeprefix("cap_") for word in words.split() if word.startswith("cap_")]
    return ALL & ~mask(*names) if words.startswith("all but") else mask(*names)


class Node:
    """Questions to the node, in its own words."""

    def __init__(self, machine):
        self.agent = Agent(machine)
        self.out = self.agent.out
        self.run = self.agent.run
        self.until = self.agent.until

    def status(self):
        """What keelctl says; its exit status only tells whether all is well."""
        return json.loads(self.run("keelctl status --json")[1])

    def not_up(self):
        """Services that are neither up nor done, with their state."""
        return {s["name"]: s["state"] for s in self.status()["services"]
                if s["state"] not in ("up", "done")}

    def all_up(self, timeout):
        deadline = time.monotonic() + timeout * scale()
        while self.not_up():
            if time.monotonic() > deadline:
                raise Timeout(f"neither up nor done: {self.not_up()}")
            time.sleep(0.5)

    def service(self, name):
        return next(s for s in self.status()["services"] if s["name"] == name)

    def pid(self, name):
        return self.service(name)["pid"]

    def process(self, pid):
        """/proc/PID/status as a dictionary."""
        lines = self.out(f"cat /proc/{pid}/status").splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def pod_pid(self):
        """The pod's container: a keelson-pause that was told to say something."""
        pids = self.out("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | "
                        "grep -q -- '^/keelson-pause --' && echo ${p#/proc/}; done 2>/dev/null; true").split()
        equal(len(pids), 1, "containers of the pod")
        return int(pids[0])


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    made = image("test")
    with tempfile.TemporaryDirectory() as work:
        disk = Disk.copy(made.disk, f"{work}/disk.img")
        before = disk.slots()
        log = Path("build/test-log/boot-console.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with Machine(made.kernel, made.initrd, disk.path, made.cmdline("keelson.trace"),
                     reboot=False, log=log) as machine:
            running(tap, machine, disk, before)
        after(tap, machine, disk, before, work)
        again(tap, made, disk)
    tap.end()


def running(tap, machine, disk, before):
    with tap.case("the pod runs, and the console says so"):
        machine.wait("keelson: milestone pod-hello at", timeout=180)
    node = Node(machine)
    node.agent.wait()

    with tap.case("every service is up or done"):
        node.all_up(60)

    timeline(tap, node)
    read_only_root(tap, node)
    confinement(tap, node)
    size_of_pid1(tap, node)
    survival(tap, machine, node)

    with tap.case("the slot is blessed once the health condition has held"):
        machine.wait("blessed", timeout=90)
    with tap.case("the blessing is in both copies of the table, and every try is back"):
        node.out("sync")
        slots = disk.slots()
        equal(slots["b"], before["b"], "the slot that was not booted")
        equal(slots["a"], (before["a"][0], TRIES, True), "the booted slot")
    with tap.case("keelctl tells the same of the slots"):
        contains(node.out("keelctl slot status"), "blessed", "slot status")

    modules_on_demand(tap, node)
    console(tap, machine)
    restart_of_containerd(tap, node)
    full_state_partition(tap, node)

    power_off(tap, machine, node)


def timeline(tap, node):
    with tap.case("keelctl analyze tells the boot from the initramfs to the pod"):
        text = node.out("keelctl analyze")
        for word in ("containerd", "kubelet", "pod-hello"):
            contains(text, word, "analysis")
    with tap.case("the timeline is in order and without a gap at the switch of roots"):
        events = json.loads(node.out("keelctl analyze --json"))["events"]
        starts = [event["start_ns"] for event in events if event["kind"] == "phase"]
        equal(starts, sorted(starts), "starts of the phases")
        assert starts[0] > 0 and len(starts) >= 4, starts
        pod = next(e for e in events if e["kind"] == "milestone" and e["name"] == "pod-hello")
        kubelet = next(e for e in events if e["kind"] == "service" and e["name"] == "kubelet")
        assert kubelet["start_ns"] < pod["start_ns"], (kubelet, pod)


def read_only_root(tap, node):
    with tap.case("the root is the verity device, read-only"):
        root = next(line.split() for line in node.out("cat /proc/mounts").splitlines()
                    if line.split()[1] == "/")
        contains(root[0], "/dev/", "source of the root")
        equal(root[3].split(",")[0], "ro", "the root's first mount option")
        contains(node.out("cat /sys/block/dm-0/ro"), "1", "read-only flag of dm-0")
    for path in ("/x", "/usr/bin/x", "/etc/x"):
        with tap.case(f"{path} cannot be written"):
            status, output = node.run(f"touch {path}")
            assert status, "touch succeeded"
            contains(output, "Read-only file system", "message")
    with tap.case("the root cannot be mounted writable"):
        node.run("mount -o remount,rw /")
        status, _ = node.run("touch /usr/x")
        assert status, "writable after a remount"


def confinement(tap, node):
    for name, bounding, nnp in (("containerd", CONTAINERD, "0"), ("kubelet", KUBELET, "1")):
        with tap.case(f"{name} runs under its policy, by the kernel's account"):
            seen = node.process(node.pid(name))
            for field in ("CapBnd", "CapPrm", "CapEff"):
                equal(int(seen[field], 16), bounding, field)
            equal(seen["NoNewPrivs"], nnp, "NoNewPrivs")
            equal(seen["Seccomp"], "2", "Seccomp")
            equal(seen["Seccomp_filters"], "1", "Seccomp_filters")
        with tap.case(f"keelctl status -v agrees with the kernel about {name}"):
            told = node.out(f"keelctl status -v {name}")
            for field in ("bounding", "effective"):
                words = re.search(rf"^ +{field} +(.*)$", told, re.M)[1]
                equal(told_mask(words), bounding, words)
            contains(told, "seccomp", "status")
    with tap.case("the pod lives under containerd's filter and bounding set"):
        seen = node.process(node.pod_pid())
        assert int(seen["Seccomp_filters"]) >= 1, seen["Seccomp_filters"]
        equal(int(seen["CapBnd"], 16) & mask("sys_module", "sys_boot"), 0, "CapBnd")
    with tap.case("every service is in a cgroup of its own, PID 1 in a leaf"):
        groups = {name: node.out(f"cat /proc/{node.pid(name)}/cgroup").strip()
                  for name in ("containerd", "kubelet")}
        assert len(set(groups.values())) == 2 and "0::/" not in groups.values(), groups
        assert node.out("cat /proc/1/cgroup").strip() != "0::/"
    with tap.case("containerd has the limits and the oom score that pods inherit"):
        pid = node.pid("containerd")
        equal(node.out(f"cat /proc/{pid}/oom_score_adj").strip(), "-999", "oom_score_adj")
        limits = node.out(f"cat /proc/{pid}/limits")
        assert re.search(r"Max open files\s+\d+\s+1048576", limits), limits
        assert re.search(r"Max processes\s+unlimited\s+unlimited", limits), limits


def size_of_pid1(tap, node):
    with tap.case("PID 1 takes less than 500 KiB, pages that it shares counted in part"):
        rollup = node.out("cat /proc/1/smaps_rollup")
        rss = int(re.search(r"^Rss:\s+(\d+)", rollup, re.M)[1])
        pss = int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1])
        tap.note(f"RSS {rss} KiB, PSS {pss} KiB")
        assert pss < 500, rollup


def crash(machine, node):
    """SIGSEGV to PID 1; what it says when it supervises again."""
    mark = machine.mark()
    node.out("kill -SEGV 1")
    return machine.wait("supervised again after", timeout=30, since=mark)


def survival(tap, machine, node):
    names = ("containerd", "kubelet", "logger")
    with tap.case("PID 1 gets SIGSEGV, twice: the pod, kubelet and containerd never notice"):
        pod, pids = node.pod_pid(), {name: node.pid(name) for name in names}
        for world in ("the same world", "a fresh one"):
            tap.note(crash(machine, node))
            equal(node.pod_pid(), pod, f"the pod's process, {world}")
            equal({name: node.pid(name) for name in names}, pids, world)
            equal(node.not_up(), {}, f"neither up nor done, {world}")
        node.until("wget -q -O - http://127.0.0.1:10248/healthz", 30)
        status = node.status()
        equal((status["executions"], status["crashes"]), (3, 2), "executions and crashes")
        equal(node.out("cat /proc/1/comm").strip(), "init", "its name")
    with tap.case("what containerd writes after that is in its log"):
        equal(node.run("keelctl logs containerd | grep -q goroutine")[0], 1, "its stacks, not asked for")
        node.out("keelctl kill -s USR1 --main containerd")  # it answers with all its stacks
        node.until("keelctl logs containerd | grep -q goroutine", 60)
    with tap.case("an execution on purpose is no crash"):
        mark = machine.mark()
        node.out("keelctl reexec")
        machine.wait("supervised again after", timeout=30, since=mark)
        equal(node.status()["crashes"], 2)
        equal(node.pod_pid(), pod)


def modules_on_demand(tap, node):
    with tap.case("the kernel loads a module when somebody asks for its kind of link"):
        status, _ = node.run("grep -qE '^(dummy|vxlan|nf_tables) ' /proc/modules")
        assert status, "loaded at boot already"
        node.out("ip link add keelson0 type dummy")
        contains(node.out("cat /proc/modules"), "dummy ", "modules")
        status, _ = node.run("ip link show dummy0")
        assert status, "the module made a link that nobody asked for"
    with tap.case("it loads none that the spec does not list"):
        status, _ = node.run("ip link add keelson1 type bareudp")
        assert status, "bareudp was loaded"


def console(tap, machine):
    with tap.case("the debug profile has a shell on the console"):
        mark = machine.mark()
        machine.type("\necho sum $((20 + 22))\n")
        machine.wait("sum 42", timeout=20, since=mark)


def restart_of_containerd(tap, node):
    with tap.case("containerd is killed: it comes back, kubelet is healthy, the pod never noticed"):
        pod, old = node.pod_pid(), node.pid("containerd")
        node.out(f"kill -9 {old}")
        deadline = time.monotonic() + 20 * scale()
        while node.pid("containerd") == old and time.monotonic() < deadline:
            time.sleep(0.2)
        assert node.pid("containerd") != old, "still the old process"
        node.all_up(120)
        node.until("wget -q -O - http://127.0.0.1:10248/healthz", 30)
        equal(node.pod_pid(), pod, "the pod's process")
        equal(node.service("kubelet")["state"], "up")


def full_state_partition(tap, node):
    with tap.case("a full state partition costs no service"):
        node.run("dd if=/dev/zero of=/var/fill bs=1M", timeout=120)
        contains(node.run("sh -c 'echo x >/var/fill2'")[1], "No space left", "message")
        for _ in range(3):
            node.out("sleep 1")
            equal(node.not_up(), {}, "services that are neither up nor done")
        node.out("rm -f /var/fill /var/fill2")


# What the console says of the end, in this order.
END = (r"shutdown: poweroff at", r"shutdown: stop services$", r"kubelet: down",
       r"shutdown: stop services: over", r"shutdown: stop pods$",
       r"shutdown: [1-9]\d* processes of pods asked to end", r"shutdown: stop pods: over",
       r"shutdown: stop runtime$", r"containerd: down: exited with status 0",
       r"shutdown: stop runtime: over", r"shutdown: kill leftovers$",  # shims
       r"shutdown: kill leftovers: over", r"shutdown: stop logger$", r"logger: down",
       r"shutdown: end processes$", r"shutdown: flush$", r"shutdown: unmount$",
       r"shutdown: unmount: done", r"reboot: Power down")


def power_off(tap, machine, node):
    node.out("echo 7 >/proc/sys/kernel/printk")  # the steps, too
    mark = machine.mark()
    with tap.case("keelctl poweroff stops everything and switches the machine off"):
        node.agent.send("keelctl poweroff")
        equal(machine.ended(60), 0, "exit status of QEMU")
        contains(machine.text(), "Power down", "console")
    lines = machine.console[mark:]
    with tap.case("the end goes in order: kubelet, pods by themselves, containerd, logger, processes, mounts"):
        found = [next((at for at, line in enumerate(lines) if re.search(pattern, line)), None)
                 for pattern in END]
        equal([pattern for pattern, at in zip(END, found) if at is None], [], "not on the console")
        equal(found, sorted(found), "the order of " + ", ".join(END))
    with tap.case("no pod and no service had to be killed for it, and nothing was left"):
        bad = [line for line in lines
               if re.search(r"kill pods|SIGKILL|signal 9|could not be ended|left behind", line)]
        equal(bad, [], "lines of the console")


def order_of_the_end(tap, node):
    """What the next boot knows of it."""
    with tap.case("the next boot tells the same order, and that each step ended before the next began"):
        record = json.loads(node.out("keelctl last --json"))
        equal((record["cause"], record["action"], record["by"]), ("orderly", "poweroff", "keelctl"))
        steps = record["steps"]
        equal([step["name"] for step in steps],
              ["stop services", "stop pods", "stop runtime", "kill leftovers", "stop logger",
               "end processes", "switch swapping off", "flush", "unmount", "flush the rest"])
        times = [step[key] for step in steps for key in ("start_ns", "end_ns")]
        equal(times, sorted(times), "starts and ends")
        equal([step for step in steps if step["errno"]], [], "steps that failed")


def after(tap, machine, disk, before, work):
    with tap.case("the state partition was left clean"):
        path = disk.extract("state", f"{work}/state.img")
        check = subprocess.run(["e2fsck", "-fn", path], text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False)
        equal(check.returncode, 0, check.stdout)
    with tap.case("another program finds no fault with the partition table"):
        disk.verify()
        equal(disk.slots()["a"], (before["a"][0], TRIES, True), "slot a")
    with tap.case("nothing went wrong that nobody asked for"):
        bad = [line for line in machine.console
               if re.search(r"keelson: .*(error|cannot|failed)|BUG:|WARNING:|Oops", line)
               and "containerd" not in line]
        equal(bad, [], "lines of the console")


def again(tap, made, disk):
    """What a first boot left behind must not disturb the next, not even after a power cut."""
    for how, left in (("a poweroff", TRIES - 1), ("a power cut", TRIES - 2)):
        # Words after `--` go to init: they do not make it a container's, nor end it.
        with Machine(made.kernel, made.initrd, disk.path,
                     made.cmdline("--", "--container", "--version"), reboot=False,
                     log=Path("build/test-log/boot-again.log")) as machine:
            with tap.case(f"the pod runs again after {how}"):
                machine.wait("keelson: milestone pod-hello at", timeout=180)
                machine.wait("keelson: slot a: blessed at", timeout=90)
                equal(Node(machine).not_up(), {}, "services that are neither up nor done")
                # A slot that was good before gets its tries back when it has run for a while.
                equal(disk.slots()["a"][1:], (left, True), "slot a")
            if how == "a poweroff":
                order_of_the_end(tap, Node(machine))
            if how == "a power cut":
                with tap.case("the third crash in a row reboots the machine"):
                    node = Node(machine)
                    crash(machine, node)
                    crash(machine, node)
                    node.agent.send("kill -SEGV 1")
                    equal(machine.ended(60), 0, "exit status of QEMU")
                    contains(machine.text(), "crash 3 in a row, giving up", "console")
    with tap.case("the power cut left nothing that e2fsck cannot mend by its journal"):
        with tempfile.TemporaryDirectory() as work:
            state = disk.extract("state", f"{work}/state.img")
            check = subprocess.run(["e2fsck", "-p", state], text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, check=False)
            assert check.returncode <= 1, check.stdout


if __name__ == "__main__":
    main()
