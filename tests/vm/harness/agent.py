# SPDX-License-Identifier: Apache-2.0
"""Commands inside the guest, over its second serial port.

The guest's side is tests/vm/profile/agent.sh. The host writes a line `ID COMMAND` with the command
in base64; the answer is `KEELSON ID STATUS OUTPUT` on one line, the output (stdout and stderr) in
base64. A reboot may leave half a line behind, which is why answers carry the number of the request.
"""

import base64
import itertools
import socket
import time

from .machine import Timeout, scale


class AgentError(Exception):
    """A command failed that should not have."""


class Agent:
    def __init__(self, machine):
        self.machine = machine
        self._numbers = itertools.count(1)
        self._buffer = b""
        self._socket = machine.connect("agent")

    def _line(self, deadline):
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except socket.timeout:
                return None
            if not data:
                raise Timeout(f"the machine ended; last lines:\n{self.machine.tail()}")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.strip()

    def _ask(self, command, timeout):
        number = str(next(self._numbers)).encode()
        self._socket.sendall(number + b" " + base64.b64encode(command.encode()) + b"\n")
        deadline = time.monotonic() + timeout
        while True:
            line = self._line(deadline)
            if line is None:
                return None
            words = line.split(b" ")
            if len(words) >= 3 and words[0] == b"KEELSON" and words[1] == number:
                output = base64.b64decode(words[3]) if len(words) > 3 else b""
                return int(words[2]), output.decode("utf-8", "replace")

    def wait(self, timeout=120):
        """Wait until the agent answers: the guest's services run."""
        deadline = time.monotonic() + timeout * scale()
        while time.monotonic() < deadline:
            if self._ask("true", 2 * scale()) is not None:
                return self
            if self.machine.process.poll() is not None:
                break
        raise Timeout(f"no answer from the guest's agent; last lines:\n{self.machine.tail()}")

    def run(self, command, timeout=30):
        """Run a shell command; returns (exit status, output)."""
        answer = self._ask(command, timeout * scale())
        if answer is None:
            raise Timeout(f"{command!r}: no answer within {timeout * scale():.0f} s; last lines "
                          f"of the console:\n{self.machine.tail()}")
        return answer

    def out(self, command, timeout=30):
        """The output of a command that must succeed."""
        status, output = self.run(command, timeout)
        if status:
            raise AgentError(f"{command!r} left with {status}:\n{output}")
        return output

    def until(self, command, timeout=60, every=0.3):
        """Repeat a command until it succeeds; returns its output."""
        deadline = time.monotonic() + timeout * scale()
        while True:
            status, output = self.run(command)
            if status == 0:
                return output
            if time.monotonic() >= deadline:
                raise Timeout(f"{command!r} still leaves with {status} after "
                              f"{timeout * scale():.0f} s:\n{output}")
            time.sleep(every)

    def send(self, command):
        """Start a command whose answer will not come, such as a power-off."""
        number = str(next(self._numbers)).encode()
        self._socket.sendall(number + b" " + base64.b64encode(command.encode()) + b"\n")
