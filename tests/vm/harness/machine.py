# SPDX-License-Identifier: Apache-2.0
"""A QEMU machine with a followed console. Every wait has a deadline; nothing outlives the test.

The kernel and the initramfs are given to QEMU directly, so a reset boots them again, as a machine
whose loader always starts the same bootstrap would.
"""

import atexit
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

CACHE = Path(os.environ.get("KEELSON_CACHE") or
             Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keelson")


class Timeout(Exception):
    """A wait met its deadline; the text ends with the console's last lines."""


def scale():
    """Deadlines are multiplied by this on a slow machine (KEELSON_TIME_SCALE)."""
    return float(os.environ.get("KEELSON_TIME_SCALE", "1"))


def unmet():
    """Why no machine can be started here, or None."""
    if not shutil.which("qemu-system-x86_64"):
        return "qemu-system-x86_64 is missing (ci/deps vm)"
    return None


def accelerator(kernel):
    """kvm if a guest really runs under it, else tcg.

    A /dev/kvm that opens is no proof: on a nested host the first guest instruction may never
    return. So a kernel is started without a root and must reach its panic. The answer is kept for
    as long as the host is up.
    """
    forced = os.environ.get("KEELSON_ACCEL")
    if forced:
        return forced
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    kept = CACHE / "accelerator"
    try:
        host, answer = kept.read_text().split()
        if host == boot_id:
            return answer
    except (OSError, ValueError):
        pass
    probe = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "256", "-nodefaults",
             "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
             "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"]
    try:
        run = subprocess.run(probe, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, timeout=8, check=False)
        answer = "kvm" if b"Kernel panic" in run.stdout else "tcg"
    except subprocess.TimeoutExpired:
        answer = "tcg"
    CACHE.mkdir(parents=True, exist_ok=True)
    kept.write_text(f"{boot_id} {answer}\n")
    return answer


class Machine:
    """One virtual machine. Use it as a context manager; leaving it kills QEMU.

    `disk` is a path to a raw image, used in place (give it a copy), or None for a machine without
    one; with `snapshot` QEMU drops every write. `on_line` is called with each console line.
    `reboot=False` makes a reset end QEMU, so that a reboot can be told from a power-off by nothing
    but the console; with True the machine boots again and again until its power is cut. With
    `terminal` the caller's terminal is the console, and only `log` remembers it. `drive` and `device`
    are further properties of the disk (",throttling.iops-write=20", ",logical_block_size=4096").
    """

    def __init__(self, kernel, initrd, disk=None, cmdline="", memory="2048M", cpus=2, reboot=True,
                 snapshot=False, on_line=None, log=None, terminal=False, extra=(), drive="",
                 device=""):
        self.directory = Path(tempfile.mkdtemp(prefix="keelson-vm-"))
        self.console = []
        self.started = time.monotonic()
        self._on_line = on_line
        self._changed = threading.Condition()
        self._log = None
        self._reader = None
        self._qmp = None
        accel = accelerator(kernel)
        arguments = [
            "qemu-system-x86_64", "-machine", "pc", "-smp", str(cpus), "-m", memory,
            "-accel", "kvm" if accel == "kvm" else "tcg,thread=multi",
            "-cpu", "host" if accel == "kvm" else "qemu64,+rdrand,+ssse3",
            "-nodefaults", "-no-user-config", "-display", "none",
            "-kernel", str(kernel), "-initrd", str(initrd), "-append", cmdline,
            "-chardev", "stdio,id=console,signal=off"
            + (f",mux=on,logfile={log}" if terminal else ""),
            "-device", "isa-serial,chardev=console,index=0",
            "-chardev", f"socket,id=agent,path={self.directory}/agent,server=on,wait=off",
            "-device", "isa-serial,chardev=agent,index=1",
            "-qmp", f"unix:{self.directory}/qmp,server=on,wait=off",
        ]
        if not reboot:
            arguments += ["-no-reboot"]
        if disk:
            arguments += ["-drive", f"if=none,id=disk,file={disk},format=raw,cache=unsafe"
                          + (",snapshot=on" if snapshot else "") + drive,
                          "-device", "virtio-blk-pci,drive=disk" + device]
        arguments += list(extra)
        self.arguments = arguments
        atexit.register(self.kill)
        if terminal:
            self.process = subprocess.Popen(arguments)
            return
        if log:
            self._log = open(log, "w", encoding="utf-8")
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    # ---- the console ----

    def _read(self):
        for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if self._log:
                self._log.write(line + "\n")
                self._log.flush()
            with self._changed:
                self.console.append(line)
                self._changed.notify_all()
            if self._on_line:
                self._on_line(line)
        with self._changed:
            self._changed.notify_all()

    def text(self):
        with self._changed:
            return "\n".join(self.console)

    def tail(self, lines=30):
        with self._changed:
            return "\n".join("    " + line for line in self.console[-lines:])

    def mark(self):
        """A place in the console from which a later wait() looks on."""
        with self._changed:
            return len(self.console)

    def wait(self, *texts, timeout=60, since=0):
        """Wait for a console line that contains one of `texts`; returns that line."""
        deadline = time.monotonic() + timeout * scale()
        at = since
        with self._changed:
            while True:
                while at < len(self.console):
                    if any(text in self.console[at] for text in texts):
                        return self.console[at]
                    at += 1
                left = deadline - time.monotonic()
                ended = not self._reader.is_alive()
                if left <= 0 or ended:
                    break
                self._changed.wait(min(left, 1))
        why = "the machine ended" if ended else f"{timeout * scale():.0f} s passed"
        raise Timeout(f"{why} without {' or '.join(map(repr, texts))} on the console; "
                      f"last lines:\n{self.tail()}")

    def type(self, text):
        """Type on the console."""
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def connect(self, name):
        """A connection to one of QEMU's sockets, which may take a moment to be there."""
        deadline = time.monotonic() + 10 * scale()
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self.directory / name))
                return connection
            except OSError:
                connection.close()
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    # ---- power ----

    def _command(self, name, **arguments):
        """One QMP command (qemu-qmp-ref(7))."""
        if self._qmp is None:
            connection = self.connect("qmp")
            connection.settimeout(10 * scale())
            self._qmp = connection.makefile("rw")
            self._qmp.readline()
            self._command("qmp_capabilities")
        self._qmp.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self._qmp.flush()
        while True:
            answer = json.loads(self._qmp.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError(f"{name}: {answer['error']}")

    def reset(self):
        """The reset button: nothing is told to the guest."""
        self._command("system_reset")

    def press(self, *names):
        """Keys of the keyboard, all at once: "ctrl", "alt", "delete" (QKeyCode)."""
        self._command("send-key", keys=[{"type": "qcode", "data": name} for name in names])

    def powerdown(self):
        """The power button, pressed once: ACPI tells the guest."""
        self._command("system_powerdown")

    def ended(self, timeout=60):
        """Wait until the guest has switched the machine off; returns QEMU's exit status."""
        try:
            status = self.process.wait(timeout * scale())
        except subprocess.TimeoutExpired:
            raise Timeout(f"still on after {timeout * scale():.0f} s; last lines:\n"
                          f"{self.tail()}") from None
        self._reader.join(5)
        return status

    def kill(self):
        """Pull the plug; safe at any time, any number of times."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._reader:
            self._reader.join(5)
        if self._log:
            self._log.close()
            self._log = None
        shutil.rmtree(self.directory, ignore_errors=True)
