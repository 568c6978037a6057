# SPDX-License-Identifier: Apache-2.0
"""What the vm tests stand on: a QEMU machine, an agent inside it, disks and TAP.

    machine.py  start QEMU, follow its console, reset it, cut its power; a deadline on every wait
    agent.py    run commands inside the guest over its second serial port
    disk.py     read and change a GPT disk: attributes of slots, bytes of partitions
    log_writes.py  what a guest wrote, write by write, and the disks that a power cut would leave
    esp.py      what a boot loader finds on the EFI system partition
    image.py    compose the image of a profile once and keep it
    tap.py      cases and their results

Only Python's standard library. A test is an executable file tests/vm/NAME.test.py that prints TAP.
"""

from .agent import Agent, AgentError
from .disk import Disk, Partition
from .image import Image, image
from .machine import Machine, Timeout, scale, unmet
from .tap import Tap

__all__ = ["Agent", "AgentError", "Disk", "Image", "Machine", "Partition", "Tap", "Timeout",
           "image", "scale", "unmet"]
