#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much of the kernel containerd and kubelet reach, here and as others run them.

    tests/bench/policy/exposure.py [PLAN]

PLAN is the node plan of an image; by default the curated policies are compiled, as images have them.
keelson's filters are run for every system call (reach.c). What others do is data with its source:
others.json. A call is counted as reached if no filter refuses it; some of these the kernel then
refuses for want of a capability, which are counted beside them. Needs a build (ci/build).
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("KEELSON_BUILD", ROOT / "build/musl"))
NUMBERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
KERNEL_6_1 = 450  # its last call, set_mempolicy_home_node
CAPABILITIES = 41
# What nobody needs who does not replace, stop or debug a kernel.
SHARP = """kexec_load kexec_file_load reboot init_module finit_module delete_module swapon swapoff iopl
ioperm ptrace process_vm_writev bpf perf_event_open userfaultfd io_uring_setup open_by_handle_at add_key
keyctl setns unshare mount pivot_root""".split()


def calls_of_kernel():
    named = {name: int(number) for name, number in
             re.findall(r"#define __NR_(\w+) (\d+)", NUMBERS.read_text())}
    return {name: number for name, number in named.items() if number <= KERNEL_6_1}


SPEC = """keelson: 1
name: exposure
extends: policies
services:
  containerd: {exec: [/usr/bin/containerd], output: none, policy: containerd}
  kubelet: {exec: [/usr/bin/kubelet], output: none, policy: kubelet}
"""


def compiled(work):
    (work / "spec.yaml").write_text(SPEC)
    subprocess.run([BUILD / "rootfs-spec/keelson", "compile", work / "spec.yaml", "-o", work / "plan"],
                   check=True)
    return work / "plan"


def ours(plan, known):
    told = subprocess.run([BUILD / "tests/policy-reach", "node", plan], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    for policy in map(json.loads, told.splitlines()):
        reached = set(policy["calls"])
        yield (policy["policy"], "keelson", len(policy["capabilities"]),
               {name for name, number in known.items() if number in reached})


def others(known):
    for one in json.loads((Path(__file__).parent / "others.json").read_text())["systems"]:
        denied = set(one["calls_denied"])
        yield (one["service"], one["system"], CAPABILITIES - len(one["capabilities_dropped"]),
               set(known) - denied)


def main():
    known = calls_of_kernel()
    with tempfile.TemporaryDirectory() as work:
        plan = sys.argv[1] if len(sys.argv) > 1 else compiled(Path(work))
        rows = [*ours(plan, known), *others(known)]
    print(f"| service | as run by | system calls of {len(known)} | capabilities of {CAPABILITIES} | "
          f"of {len(SHARP)} sharp calls, refused |")
    print("|---|---|---|---|---|")
    for service in ("containerd", "kubelet"):
        for which, system, capabilities, reached in rows:
            if which == service:
                refused = sum(name not in reached for name in SHARP)
                print(f"| {service} | {system} | {len(reached)} | {capabilities} | {refused} |")


if __name__ == "__main__":
    main()
