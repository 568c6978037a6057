# SPDX-License-Identifier: Apache-2.0
"""What a confined service is and sees, as the kernel tells it from outside."""

import subprocess
from pathlib import Path

from nsnode import equal, service

OWN = int(next(line.split()[1] for line in open("/proc/self/status")
               if line.startswith("CapBnd:")), 16)

def policy(bounding, permitted, inheritable=0, ambient=0, nnp=1, deny=()):
    return tuple(hex(mask) for mask in (bounding, permitted, inheritable, ambient)) + (nnp, *deny)


def status_of(node, name):
    """/proc/PID/status of the main process, which is the only member of its group."""
    pid, = node.members(name)
    return dict(line.split(":\t", 1) for line in
                Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def strict(name="strict", **fields):
    return service(name, argv=["/bin/sleep", "1000"], **fields)


class View:
    """The files as the service sees them, by the kernel's own way into its namespace."""

    def __init__(self, node, name="strict"):
        node.done("start", name)
        node.wait(name, "up")
        self.pid, = node.members(name)
        self.root = Path(f"/proc/{self.pid}/root")

    def sh(self, command, user=None):
        """Exit status and output of a shell command in its mount namespace."""
        ids = ["-S", str(user), "-G", str(user)] if user else []
        done = subprocess.run(["nsenter", "-t", str(self.pid), "-p", "-m", *ids, "--", "/bin/sh", "-c",
                               command], text=True, capture_output=True)
        return done.returncode, done.stdout + done.stderr

    def refuses(self, command, why, user=None):
        status, output = self.sh(command, user)
        assert status != 0, f"{command} succeeded"
        assert why in output, output

    def out(self, command, user=None):
        status, output = self.sh(command, user)
        equal(status, 0, f"{command}: {output}")
        return output


def mounts(pid):
    """Mount point -> options, the topmost last."""
    lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    return [(line.split()[4], line.split()[5].split(",")) for line in lines]
