#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boot an image to a milestone, say what happens meanwhile, and print the boot's timeline.

The last step of ci/boot. The exit status is 0 only if the milestone was reached.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Image, Machine, Timeout, unmet  # noqa: E402
from harness.machine import accelerator  # noqa: E402

BUILD = Path(os.environ.get("KEELSON_BUILD", "build/musl"))
START = int(os.environ.get("KEELSON_START", time.time()))
STAMP = re.compile(r"^\[ *(\d+\.\d+)\] (?:<\d>)?(keelson: .*)")
PANIC = re.compile(r"Kernel panic|Oops:")


def step(text):
    spent = int(time.time()) - START
    print(f"[{spent // 60:02d}:{spent % 60:02d}] {text}", flush=True)


def show(line):
    """What the node's PID 1 says, without the trace, and what the kernel dies of."""
    said = STAMP.match(line)
    if said and "keelson: trace:" not in line:
        step(f"{float(said[1]):7.2f} s  {said[2]}")
    elif PANIC.search(line):
        step(line)


def timeline(log):
    """keelctl analyze, from the trace lines of the console."""
    tool = next(BUILD.rglob("keelctl"), None)
    if tool:
        subprocess.run([tool, "analyze", "--trace", log], check=False)


def follow(image, args):
    """Boot, follow, stop at the milestone."""
    step(f"QEMU starts ({accelerator(image.kernel)}); everything the node says: {args.log}")
    started = time.monotonic()
    with Machine(image.kernel, image.initrd, image.disk, image.cmdline("keelson.trace"),
                 snapshot=True, reboot=False, on_line=show, log=args.log) as machine:
        try:
            machine.wait(f"keelson: milestone {args.until} at", timeout=args.timeout)
        except Timeout as why:
            step(f"FAILED: {args.until} was not reached: {why}")
            return 1
        spent = time.monotonic() - started
        try:
            machine.wait("keelson: trace: milestone ", timeout=5)
        except Timeout:
            pass  # the timeline will end before it
    step(f"{args.until}: reached {spent:.1f} s after power-on")
    timeline(args.log)
    return 0


def attach(image, args):
    """Hand the terminal to the node; the milestone is looked for in the log afterwards."""
    step("QEMU starts; the console is yours, Ctrl-A x ends it")
    machine = Machine(image.kernel, image.initrd, image.disk, image.cmdline("keelson.trace"),
                      snapshot=True, reboot=False, log=args.log, terminal=True)
    with machine:
        machine.process.wait()
    text = Path(args.log).read_text(encoding="utf-8", errors="replace")
    if f"keelson: milestone {args.until} at" not in text:
        step(f"FAILED: {args.until} was not reached")
        return 1
    timeline(args.log)
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", required=True)
    parser.add_argument("--until", required=True)
    parser.add_argument("--timeout", type=float, required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--console", action="store_true")
    args = parser.parse_args()
    why = unmet()
    if why:
        sys.exit(f"ci/boot: {why}")
    image = Image(args.image)
    sys.exit(attach(image, args) if args.console else follow(image, args))


if __name__ == "__main__":
    main()
