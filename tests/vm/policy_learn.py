# SPDX-License-Identifier: Apache-2.0
"""What the kernel's own account says that services used and were denied (keelctl policy report)."""

import json
import subprocess
import time
from pathlib import Path

from harness.bundle import keelson
from harness.machine import scale
from harness.tap import contains, equal

# What the filter of containerd's policy denies to the pods that try it (guest/pod.c, guest/pod32.c).
TRIED = {("init_module", "x86-64"), ("kexec_load", "x86-64"), ("reboot", "x86-64"),
         ("reboot", "i386"), ("init_module", "i386"), ("kexec_load", "i386"), ("iopl", "i386")}


def report(node, service):
    return json.loads(node.out(f"keelctl policy report --json {service}", timeout=60))


def names(calls):
    return {(call["name"], call["kind"]) for call in calls}


def started(tap, node):
    with tap.case("policy learn: there is nothing to stop before it starts"):
        status, text = node.run("keelctl policy learn stop")
        equal(status, 1, "exit status")
        contains(text, "nothing is learned here", "output")
    with tap.case("policy learn: it starts once, and what it began stays"):
        equal(node.out("keelctl policy learn start", timeout=120), "", "output")
        status, text = node.run("keelctl policy learn start")
        equal(status, 1, "exit status of a second start")
        contains(text, "Operation already in progress", "output")


# What a busy node cannot help is told: the number's name, and the words.
DOUBTS = {"missed": "calls or checks of the node were not counted",
          "no_room": "groups of the node found no room",
          "beyond": "calls of the node had numbers that no kernel has"}


def learned(node, service):
    """What was learned of it. How sure that is people are told as well: the numbers only grow."""
    told = report(node, service)
    seen = told["learned"]
    equal((seen["goes_on"], seen["has_capabilities"], seen["has_filtered"], seen["missed_unknown"]),
          (True, True, True, False), f"what is counted of {service}")
    text = node.out(f"keelctl policy report {service}", timeout=60)
    after = report(node, service)["learned"]
    for doubt, words in DOUBTS.items():
        if seen[doubt] > 0:
            contains(text, words, doubt)
        elif after[doubt] == 0:
            assert words not in text, text
    return told, seen


def heard(node, service, call):
    """The report when PID 1 has heard that the filter answered to a call."""
    deadline = time.monotonic() + 60 * scale()
    while True:
        told = report(node, service)
        if call in {one["name"] for one in told["calls"]}:
            return told
        assert time.monotonic() < deadline, f"{call} was not heard of: {told}"
        time.sleep(0.3)


def of_a_service(tap, node):
    with tap.case("policy report: what a service used, also by a child that was gone at once, and of "
                  "32 bits; and nothing that PID 1's child did before its program began"):
        node.out("keelctl start learner", timeout=120)
        equal(node.service("learner")["state"], "done", "its state")
        told, seen = learned(node, "learner")
        used = names(seen["calls"])
        want = {("execve", "x86-64"), ("mkdir", "x86-64"), ("chroot", "x86-64"), ("reboot", "i386")}
        equal(want - used, set(), f"missing in {sorted(used)}")
        steps = {"capset", "setgroups", "setresuid", "setresgid", "setsid", "setpriority"}
        equal(steps & {name for name, _ in used}, set(), "steps before its program")
        equal(seen["is_runtime"], False, "whether it runs the pods")
    with tap.case("policy report: what its policy would deny, by PID 1's ear and by what was learned"):
        # The shell calls it itself and lives on; who is gone at once may be nobody's to the ear.
        told = heard(node, "learner", "umask")
        equal((told["mode"], told["not_heard"]), ("audit", ""), "mode, and why nothing is heard")
        equal({call["answer"] for call in told["calls"]}, {"would be denied"}, "answers")
        equal(names(seen["filtered"]),
              {("umask", "x86-64"), ("mkdir", "x86-64"), ("reboot", "i386")}, "calls")
    with tap.case("policy report: capabilities that it was asked for"):
        had = {one["name"] for one in seen["capabilities"] if one["had"] > 0}
        equal({"cap_chown", "cap_sys_chroot", "cap_sys_boot"} - had, set(), f"missing in {had}")
        assert not had & {"cap_net_raw", "cap_sys_module", "cap_setpcap", "cap_setgid"}, had


def least(tap, node, work):
    with tap.case("policy report: the least policy is one for the spec, and holds what was used"):
        text = node.out("keelctl policy report learner", timeout=60)
        policies = text.partition("the least that covers what was seen, for the spec:\n\n")[2]
        contains(policies, "learning-least:", "report")
        spec = Path(work) / "least.yaml"
        spec.write_text("keelson: 1\nname: least\nservices:\n"
                        "  learner: {exec: [/bin/x], policy: learning-least}\n"
                        + policies + "  learning: {mode: audit, seccomp: {deny: [mkdir, reboot]}}\n")
        done = subprocess.run([keelson(), "check", "--spec-only", spec], capture_output=True,
                              text=True, timeout=60 * scale())
        equal((done.returncode, done.stderr), (0, ""), "keelson check\n" + policies)
        for call, answer in (("mkdir", True), ("reboot", True), ("chroot", True),
                             ("init_module", False)):
            told = subprocess.run([keelson(), "policy", "explain", "learning-least", call, "--spec",
                                   spec], capture_output=True, text=True, timeout=60 * scale())
            equal(told.returncode, 0, told.stderr)
            equal("allow" in told.stdout.split("\n")[0], answer, told.stdout)


def workloads(tap, node):
    """Under curated policies pods of every kind ran, and learning saw it."""
    with tap.case("kubelet was denied nothing, by the kernel's own account"):
        told, seen = learned(node, "kubelet")
        equal(told["not_heard"], "", "why nothing is heard")
        equal(told["calls"], [], "calls")
        equal(seen["filtered"], [], "calls, also of processes that are gone")
        assert len(seen["calls"]) > 50, seen
    with tap.case("containerd was denied nothing, and its pods what they are to be denied"):
        told, seen = learned(node, "containerd")
        equal(told["not_heard"], "", "why nothing is heard")
        equal([call for call in told["calls"] if not call["pod"]], [], "calls of its own")
        equal(names(told["calls"]) - TRIED, set(), "calls of pods, as far as PID 1 saw whose they were")
        equal([call for call in seen["filtered"] if not call["elsewhere"]], [], "calls of its own")
        equal(names(seen["filtered"]), TRIED, "calls of pods")
    with tap.case("policy report: what shims, runc and pods used is the runtime's, and elsewhere"):
        equal(seen["is_runtime"], True, "whether it runs the pods")
        elsewhere = names(call for call in seen["calls"] if call["elsewhere"])
        # epoll_pwait: programs in Go, which shims and runc are, and no pod is.
        want = {("epoll_pwait", "x86-64"), ("mount", "x86-64"), ("pivot_root", "x86-64"),
                ("bpf", "x86-64"), ("fork", "i386")}
        equal(want - elsewhere, set(), f"missing in {sorted(elsewhere)}")
        text = node.out("keelctl policy report containerd", timeout=60)
        contains(text, "x86-64, in pods and elsewhere: [", "report")
        contains(text, "# This service runs the pods", "least policy")
        contains(text, "# DO NOT RELY ON IT: `containerd-logged` was in force", "least policy")
    for service in ("containerd", "kubelet"):
        seen = learned(node, service)[1]
        calls, caps = seen["calls"], seen["capabilities"]
        tap.note(f"{service}: {len(names(calls))} different calls; capabilities: " +
                 " ".join(sorted({one["name"] for one in caps if one["had"]})))


def stopped(tap, node):
    with tap.case("policy learn: it stops, what was learned stays, and a new start begins anew"):
        equal(node.out("keelctl policy learn stop"), "", "output")
        status, text = node.run("keelctl policy learn stop")
        equal(status, 1, "exit status of a second stop")
        contains(text, "nothing is learned here", "output")
        before = report(node, "learner")["learned"]
        equal(before["goes_on"], False, "whether it goes on")
        assert before["calls"], before
        node.run("keelctl start learner", timeout=120)
        equal(report(node, "learner")["learned"], before, "learned")
        both = node.out("keelctl policy learn start & first=$!; keelctl policy learn start; "
                        "second=$?; wait $first; echo statuses $? $second", timeout=120)
        equal(sorted(both.partition("statuses ")[2].split()), ["0", "1"], f"two starts: {both}")
        equal(report(node, "learner")["learned"]["calls"], [], "calls")
        node.out("keelctl policy learn stop")
