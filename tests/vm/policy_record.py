# SPDX-License-Identifier: Apache-2.0
"""What the services of a node ask of the kernel, by the kernel's own account.

    KEELSON_RECORD=1 tests/vm/policy.test.py    writes tests/policy/record/*.txt

Histograms (Documentation/trace/histogram.rst) on the tracepoint of every system call, on those of
calls whose arguments a policy may judge, and on a kprobe of cap_capable(). A call that a filter denies
comes to no tracepoint (kernel/entry/common.c, syscall_trace_enter), so what is recorded was allowed,
and was enough for everything that the test asserts. A capability is recorded if it was asked for and
there; not where the kernel only wonders (CAP_OPT_NOAUDIT). A thread belongs to a policy by its name:
what both containerd and kubelet execute is held against both. tests/unit/policy_record.c compares the
records with the policies.
"""

import json
import os
import re
from pathlib import Path

WANTED = os.environ.get("KEELSON_RECORD")
ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "tests/policy/record"
TRACING = "/sys/kernel/tracing"
EVENTS = f"{TRACING}/events"

BOTH = ("xtables-nft*", "iptables*", "ip6tables*")
PROGRAMS = {
    "containerd": ("containerd*", "runc*", "exe", "[0-9]", "bridge", "portmap", "host-local",
                   "loopback", "pod*", "keelson-pause", *BOTH),  # runc executes /proc/self/exe, .../fd/6
    "kubelet": ("kubelet*", "mount", "umount", "find", "du", "nice", "blkid", "fsck*", "mkfs*", "mke2fs",
                "resize2fs", *BOTH),
    "logger": ("keelson-log",),
    "oneshot": ("ctr",),
    "strict": ("httpd",),
}
PROGRAM32 = "pod32"  # its numbers are those of i386

# Flags, commands and kinds that decide what a call does: (call, {argument's number: the field}).
ARGUMENTS = {
    "bpf": {0: "cmd"}, "clone": {0: "clone_flags"}, "ioctl": {1: "cmd"}, "keyctl": {0: "option"},
    "personality": {0: "personality"}, "prctl": {0: "option"}, "ptrace": {0: "request"},
    "seccomp": {0: "op"}, "setns": {1: "flags"}, "socket": {0: "family", 1: "type"},
    "unshare": {0: "unshare_flags"},
}
CALLS = f"{EVENTS}/raw_syscalls/sys_enter"
# cap_effective in struct cred of Linux 6.1.70 and newer (end() sees whether it is); arguments in registers:
# cred, namespace, cap, opts.
PROBE = "p:keelson/capable cap_capable has=+60(%di):x64 cap=%dx:u32 opts=%cx:u32"
CAPABLE = f"{EVENTS}/keelson/capable"
NOAUDIT = 2


def one_of(names):
    return " || ".join(f'comm ~ "{name}"' for name in names)


OTHERS = ("hist:keys=common_pid.execname:size=16384 if " + " && ".join(
    f'!(comm ~ "{name}")' for programs in PROGRAMS.values() for name in dict.fromkeys(programs)))


def histograms():
    """(event, trigger) of everything that is counted."""
    yield CALLS, OTHERS
    for programs in PROGRAMS.values():
        mine = f'({one_of(programs)}) && comm != "{PROGRAM32}"'
        yield CALLS, f"hist:keys=id.syscall:size=1024 if {mine}"
        yield CAPABLE, f"hist:keys=cap,opts,has.hex:size=4096 if {mine}"
        for call, arguments in ARGUMENTS.items():
            yield (f"{EVENTS}/syscalls/sys_enter_{call}",
                   f"hist:keys={','.join(name + '.hex' for name in arguments.values())}:size=1024 "
                   f"if {mine}")


def begin(node):
    """Count from now on, and let everything that is recorded begin anew."""
    node.out(f"echo '{PROBE}' >{TRACING}/kprobe_events")
    for event, trigger in histograms():
        node.out(f"echo '{trigger}' >>{event}/trigger")
    node.out("kill $(busybox pidof keelson-log)")
    node.run("keelctl restart containerd", timeout=240)
    node.run("keelctl restart pod-images", timeout=240)
    node.run("keelctl start web", timeout=60)
    node.until("wget -q -O - http://127.0.0.1:8123/os-release", 60)
    node.until("wget -q -O - http://127.0.0.1:10248/healthz", 240)


def entries(text, trigger):
    """The keys of each entry of one histogram: [{field: value}]."""
    mine = next(part for part in text.split("# event histogram")
                if f"{trigger.split(' if ')[1]} [" in part)
    mine = re.sub(r"\bid: \S+\s+\[\s*(\d+)\]", r"id: \1", mine)  # the kernel's name: newfstat, umount
    assert re.search(r"Dropped: 0\b", mine), f"{trigger} was too much: {mine[-200:]}"
    return [dict(re.findall(r"(\w+):\s+([^\s,]+)", keys))
            for keys in re.findall(r"^\{ (.*?) \}", mine, re.M)]


def named(header, prefix):
    """{number: name} of a header of the kernel."""
    text = Path("/usr/include", header).read_text()
    return {int(value): name.lower()
            for name, value in re.findall(rf"^#define {prefix}(\w+)\s+(\d+)$", text, re.M)}


def names_of_calls(text, trigger):
    names = named("x86_64-linux-gnu/asm/unistd_64.h", "__NR_")
    return {names[int(entry["id"])] for entry in entries(text, trigger)}


def capabilities(text, trigger):
    names = named("linux/capability.h", "CAP_")
    return {names[cap] for cap, opts, has in asked(text, trigger) if has >> cap & 1 and not opts & NOAUDIT}


def asked(text, trigger):
    """(capability, options, what there was) of each check."""
    return [(int(entry["cap"]), int(entry["opts"]), int(entry["has"], 16))
            for entry in entries(text, trigger)]


def lines_of(counted, policy):
    """The record of a policy. `counted`: the text of each event's histograms."""
    calls, used, lines = set(), set(), []
    mine = f"if ({one_of(PROGRAMS[policy])}) "
    for event, trigger in histograms():
        if mine not in trigger:
            continue
        if event == CALLS:
            calls = names_of_calls(counted[event], trigger)
        elif event == CAPABLE:
            used = capabilities(counted[event], trigger)
        else:
            call = event.rsplit("sys_enter_", 1)[1]
            for entry in entries(counted[event], trigger):
                seen = [f"{which}=0x{int(entry[field], 16):x}"
                        for which, field in ARGUMENTS[call].items()]
                lines.append(f"call {call} {' '.join(seen)}")
    assert {line.split()[1] for line in lines} <= calls, (lines, calls)
    lines += [f"call {call}" for call in calls - set(ARGUMENTS)]
    return sorted(set(lines)) + [f"capability {name}" for name in sorted(used)]


def versions(node):
    def said(command, pattern):
        return re.search(pattern, node.out(command, timeout=60)).group(1)
    return (f"Linux {node.out('uname -r').strip()}, "
            f"containerd {said('containerd --version', r' ([0-9][^ ~]*)')}, "
            f"runc {said('runc --version', r'runc version ([0-9][^ +]*)')}, "
            f"kubelet {said('kubelet --version', r' v([0-9.]+)')}")


def check_offset(node, counted):
    """What the probe takes for the effective set of kubelet's threads is what /proc says of it."""
    trigger = next(trigger for event, trigger in histograms() if event == CAPABLE and "kubelet" in trigger)
    effective = node.out("grep CapEff /proc/$(busybox pidof kubelet)/status").split()[1]
    seen = {has for _, _, has in asked(counted[CAPABLE], trigger)}
    assert int(effective, 16) in seen, (effective, seen)


def runtime_default(node, about):
    """What containerd gives a pod that asks for RuntimeDefault, for tests/bench/policy/run."""
    path = node.out("grep -l '\"filtered\"' /run/containerd/io.containerd.runtime.v2.task/k8s.io/*/config.json")
    config = json.loads(node.out(f"cat {path.split()[0]}", timeout=60))
    assert config["process"]["args"][-1] == "filtered", config["process"]
    (ROOT / "tests/bench/policy/runtime-default.json").write_text(json.dumps(
        {"about": "SPDX-License-Identifier: Apache-2.0. The filter of a pod with seccompProfile RuntimeDefault; "
                  f"{about}. Made again by: KEELSON_RECORD=1 tests/vm/policy.test.py",
         "seccomp": config["linux"]["seccomp"]}) + "\n")


def end(node):
    """Write the records. Returns the names of threads that are in none."""
    node.out("wget -q -O - http://127.0.0.1:8123/os-release")
    about = versions(node)
    counted = {event: node.out(f"cat {event}/hist", timeout=240)
               for event in dict.fromkeys(event for event, _ in histograms())}
    check_offset(node, counted)
    runtime_default(node, about)
    RECORDS.mkdir(parents=True, exist_ok=True)
    for policy, programs in PROGRAMS.items():
        lines = lines_of(counted, policy)
        assert len(lines) > 10, (policy, lines)
        (RECORDS / f"{policy}.txt").write_text(
            "# SPDX-License-Identifier: Apache-2.0\n"
            f"# System calls made and capabilities used under the policy {policy} by the workloads of\n"
            f"# tests/vm/policy.test.py: {about}.\n"
            f"# Programs: {' '.join(programs)}.\n"
            "# Made again by: KEELSON_RECORD=1 tests/vm/policy.test.py\n" + "\n".join(lines) + "\n")
    return sorted({entry["common_pid"] for entry in entries(counted[CALLS], OTHERS)}, key=str.lower)
