#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: tier=all
# keelson-test: timeout=900
"""The node with a squashfs root: small enough, and it boots to a pod below verity."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, image, unmet  # noqa: E402
from harness.tap import contains  # noqa: E402


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    made = image("squashfs")
    with tempfile.TemporaryDirectory() as work:
        disk = Disk.copy(made.disk, f"{work}/disk.img")
        with Machine(made.kernel, made.initrd, disk.path, made.cmdline(), reboot=False) as machine:
            with tap.case("the pod runs"):
                machine.wait("keelson: milestone pod-hello at", timeout=300)
            with tap.case("the root is squashfs on the verity device"):
                contains(Agent(machine).wait().out("cat /proc/mounts"), "/ squashfs ro", "mounts")
    tap.end()


if __name__ == "__main__":
    main()
