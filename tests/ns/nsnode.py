# SPDX-License-Identifier: Apache-2.0
"""A node in namespaces: keelson-init as PID 1 of fresh pid, mount, cgroup, net, uts and ipc
namespaces, over the machine's own root, with a plan of a few services.

    with Node(service("web", "sleep", ready=["exec"])) as node:
        node.wait("web", "up")
        node.ctl("stop", "web")
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/vm/harness"))

from tap import Skip, Tap, equal  # noqa: E402, F401

BUILD = Path(os.environ.get("KEELSON_BUILD", ROOT / "build/musl")).resolve()
INIT = os.environ.get("KEELSON_TEST_INIT", str(BUILD / "init/keelson-init"))
KEELCTL = str(BUILD / "svc/keelctl")
LOGGER = str(BUILD / "svc/keelson-log")
MAKE_PLAN = str(BUILD / "tests/ns-plan")
ACTOR = [sys.executable, "-S", "-E", str(ROOT / "tests/ns/actor.py")]
WAIT_S = 20  # a machine may be busy; only a failure takes that long


def cgroup2_mount():
    """Where this machine has the cgroup v2 tree: alone, or beside version 1."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return where
    return None


def unmet():
    """What this machine lacks for any of these tests; None: nothing."""
    if os.geteuid() != 0:
        return "namespaces of this kind need root"
    if not cgroup2_mount():
        return "no cgroup v2 tree is mounted"
    missing = [tool for tool in ("unshare", "nsenter", "mount") if not shutil.which(tool)]
    if missing:
        return f"missing: {', '.join(missing)}"
    tried = subprocess.run(["unshare", "--pid", "--mount", "--cgroup", "--net", "--uts", "--ipc",
                            "--fork", "--propagation", "private", "true"],
                           capture_output=True, text=True)
    return f"no namespaces: {tried.stderr.strip()}" if tried.returncode else None


def begin():
    """The TAP of a test file, or its skip."""
    tap = Tap()
    reason = unmet()
    if reason:
        tap.skip_all(reason)
    for path in (INIT, KEELCTL, LOGGER, MAKE_PLAN):
        if not os.access(path, os.X_OK):
            sys.exit(f"{path} is not built")
    return tap


def service(name, *words, argv=None, ready=(), output=None, **fields):
    """Lines of ns-plan: a service that runs actor.py with `words`, or `argv`.

    ready: "exec", "notify", ("socket", path), ("http", port, path), ("fd", number),
        ("command", program, words...); probe_ms=(every, timeout) of these, before them
    output: "null", "kmsg", or ("log", path, max_bytes, keep)
    requires, wants, after, conflicts: names of services before this one
    Other fields as ns-plan calls them: a tuple for the values of one line, a list of tuples for
    several lines (commands are absolute paths, times milliseconds):
        liveness=[(every, timeout, failures, "http", port, path)], ... "socket", path),
            ... "command", program, words...)
        pre, post=[(timeout, flags, program, words...)]; reload_command=(timeout, program, words...)
        condition=[(kind, flags, value)]; sandbox=[(kind, flags, path, source)]
        setting=[(file, value, flags)]; limit=[(resource, soft, hard)]
        timer=(first, every, jitter); watchdog_ms, notify="all", stop_signal, reload_signal
        exits_clean, exits_final, cpus=(numbers...); scheduler=("fifo", priority)
        io_priority=("best-effort", level); uid (and gid), gid, groups
    Of the node, each a line of its own beside the services: system("on_critical", "halt"),
    "controllers", "healthy" (for_ms, deadline_ms, names...), "pods", "shutdown_ms", ...
    """
    argv = argv or [*ACTOR, *words]
    lines = [["service", name, *argv]]
    if "probe_ms" in fields:
        lines.append(["probe_ms", *fields.pop("probe_ms")])
    for probe in ready:
        lines.append(["probe", *([probe] if isinstance(probe, str) else probe)])
    if output:
        lines.append(["output", *([output] if isinstance(output, str) else output)])
    for kind in ("requires", "wants", "after", "conflicts"):
        lines += [[kind, to] for to in fields.pop(kind, ())]
    for key, value in fields.items():
        if isinstance(value, list) and value and isinstance(value[0], (tuple, list)):
            lines += [[key, *values] for values in value]
        else:
            lines.append([key, *(value if isinstance(value, (tuple, list)) else [value])])
    return as_lines(lines)


def as_lines(lines):
    return "".join("\t".join(str(field) for field in line) + "\n" for line in lines)


def system(key, *values):
    """A line of ns-plan about the whole node."""
    return as_lines([[key, *values]])


def logger():
    return service("logger", argv=[LOGGER, "--plan", "/run/plan"], flags=4, backoff_ms=(20, 20))


def kept_directories():
    """The tree and the builds, without those that lie in another one."""
    wanted = {str(ROOT), str(BUILD), os.path.dirname(os.path.realpath(INIT))}
    return sorted(path for path in wanted
                  if not any(path.startswith(other + "/") for other in wanted))


class Node:
    # The shell is PID 1 until it becomes keelson-init; the group it is in is the namespace's root.
    # Its arguments are the directories of the programs, which stay visible wherever they lie.
    BOOT = """
        mount -t proc proc /proc
        mount -t tmpfs tmpfs /run
        n=0; for d; do n=$((n + 1)); mkdir /run/keep$n; mount --bind "$d" /run/keep$n; done
        mount -t tmpfs tmpfs /tmp
        n=0; for d; do n=$((n + 1)); mkdir -p "$d"; mount --move /run/keep$n "$d"; done
        mount -t $KEELSON_CGROUP none /sys/fs/cgroup
        cat >/run/plan
        exec $KEELSON_PREFIX "$0" --container --plan=/run/plan $KEELSON_ARGUMENTS </dev/null
    """

    def __init__(self, *services, cgroups=True, stderr=None, prefix="", arguments=""):
        self.services = "".join(services)
        self.cgroups = cgroups
        self.stderr = stderr  # None: the log
        self.prefix = prefix  # a command that executes keelson-init
        self.arguments = arguments  # further ones of keelson-init

    def __enter__(self):
        self.work = Path(tempfile.mkdtemp(prefix="keelson-ns-"))
        plan = self.work / "plan"
        self._make_plan(plan)
        self.group = Path(cgroup2_mount()) / self.work.name
        self.group.mkdir()
        self.log_file = open(self.work / "log", "w")
        enter = f"echo $$ >{self.group}/cgroup.procs && exec \"$@\""
        self.unshare = subprocess.Popen(
            ["sh", "-c", enter, "sh", "unshare", "--pid", "--mount", "--cgroup", "--net", "--uts",
             "--ipc", "--fork", "--kill-child", "--propagation", "private",
             "sh", "-ec", self.BOOT, INIT, *kept_directories()],
            env=dict(os.environ, KEELSON_CGROUP="cgroup2" if self.cgroups else "tmpfs",
                     KEELSON_PREFIX=self.prefix, KEELSON_ARGUMENTS=self.arguments),
            stdin=open(plan), stdout=self.log_file, stderr=self.stderr or self.log_file,
            extra_groups=[65533])  # that a service may not inherit
        try:
            self.pid = self._find_pid1()
            self.root = Path(f"/proc/{self.pid}/root")
            self.socket = self.root / "run/keelson/control"
            self.until(self.socket.exists, "the control socket exists")
        except Exception:
            self.__exit__()
            raise
        return self

    def _make_plan(self, plan):
        subprocess.run([MAKE_PLAN, plan], input=self.services, text=True, check=True)

    def __exit__(self, *_):
        self.unshare.kill()
        self.unshare.wait()
        self.log_file.close()
        for _ in range(100):
            if not self._remove_group():
                time.sleep(0.02)
        if sys.exc_info()[0] is not None:
            print("".join(f"# {line}\n" for line in self.log().splitlines()[-40:]), end="")
        shutil.rmtree(self.work, ignore_errors=True)

    def _remove_group(self):
        for path, _, _ in os.walk(self.group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        return not self.group.exists()

    def _find_pid1(self):
        children = Path(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children")

        def became_init():
            for pid in children.read_text().split():
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(INIT):
                        return int(pid)
            if self.unshare.poll() is not None:
                raise AssertionError(f"the namespace ended: {self.log()}")
            return None

        return self.until(became_init, "keelson-init runs")

    @staticmethod
    def until(condition, what, seconds=WAIT_S):
        deadline = time.monotonic() + seconds
        while True:
            result = condition()
            if result:
                return result
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}")
            time.sleep(0.01)

    def log(self):
        return (self.work / "log").read_text()

    def file(self, path):
        """Text of a file of the node, "" if there is none."""
        try:
            return (self.root / path.lstrip("/")).read_text()
        except FileNotFoundError:
            return ""

    def run(self, *argv, **options):
        """A program within the node's namespaces."""
        return subprocess.run(
            ["nsenter", "-t", str(self.pid), "-p", "-m", "-n", *argv], text=True,
            capture_output=True, timeout=30, **options)

    def ctl(self, *words):
        return self.run(KEELCTL, *words)

    def done(self, *words):
        """keelctl, which has to succeed; its output."""
        result = self.ctl(*words)
        equal(result.returncode, 0, f"keelctl {' '.join(words)}: {result.stderr.strip()}")
        return result.stdout

    def services_now(self):
        result = self.ctl("--json", "status")
        if result.returncode == 1:
            raise AssertionError(result.stderr)
        return {entry["name"]: entry for entry in json.loads(result.stdout)["services"]}

    def state(self, name):
        return self.services_now()[name]["state"]

    def wait(self, name, state, seconds=WAIT_S):
        """The service as keelctl tells it, once it is in `state`."""
        last = {}

        def reached():
            last.update(self.services_now()[name])
            return last["state"] == state

        try:
            self.until(reached, f"{name} is {state}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last}") from None
        return last

    def events(self):
        """The timeline: (name, state) of services in order, and the time of each."""
        timeline = json.loads(self.done("--json", "analyze"))["events"]
        states = ("down waiting starting up stopping backoff failed done scheduled").split()
        return [(event["name"], states[event["state"]], event["start_ns"])
                for event in timeline if event["kind"] == "service"]

    def members(self, group=""):
        """Processes in one of the node's cgroups, of the groups below it too."""
        found = []
        for path, _, _ in os.walk(self.group / group):
            found += (Path(path) / "cgroup.procs").read_text().split()
        return found
