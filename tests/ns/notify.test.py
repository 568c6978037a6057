#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sd_notify(3): who is heard, what it changes, and what nobody can do with it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import KEELCTL, Node, Skip, begin, equal, service  # noqa: E402
from puppets import hold, puppet, tell  # noqa: E402

tap = begin()
MANUAL = 2
PATHS = {"environment": ["PATH=/usr/bin:/bin"]}


def descriptors(node):
    return sorted(os.readlink(f"/proc/{node.pid}/fd/{fd}").split(":")[0]
                  for fd in os.listdir(f"/proc/{node.pid}/fd"))


def frozen(node):
    """PID 1 sees nothing meanwhile, and everything afterwards."""
    class Frozen:
        def __enter__(self):
            os.kill(node.pid, signal.SIGSTOP)

        def __exit__(self, *_):
            os.kill(node.pid, signal.SIGCONT)

    return Frozen()


def still(node, name, state, why, for_s=0.15):
    time.sleep(for_s)
    equal(node.state(name), state, why)


notify = {"ready": ["notify"], "start_ms": 60000, "backoff_ms": (10, 10)}
with tap.case("only the main process is heard"), Node(
        puppet("main", **notify), puppet("other", ready=["notify"], start_ms=60000)) as node:
    tell(node, "main", "child(lambda: (say('READY=1'), barrier()))")
    tell(node, "other", "say('READY=1'); barrier()")
    still(node, "main", "starting", "a child of it, and another service, said READY=1")
    equal(node.state("other"), "up")
    node.run("python3", "-c", "import socket;socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)"
             ".sendto(b'READY=1','/run/keelson/notify')")
    still(node, "main", "starting", "somebody outside of any service said READY=1")
    # Forged: nobody, PID 1, somebody who does not exist.
    tell(node, "main", "say('READY=1', pid=1)")
    answer = tell(node, "main", "import errno\n"
                  "try: say('READY=1', pid=99999)\n"
                  "except OSError as error: answer = errno.errorcode[error.errno]")
    equal(answer, "ESRCH")
    still(node, "main", "starting", "PID 1 itself said READY=1")
    # sd_pid_notify(3): who may, speaks for somebody else.
    pid = node.services_now()["main"]["pid"]
    tell(node, "other", f"say('READY=1', pid={pid}); barrier()")
    node.wait("main", "up")

with tap.case("with notify: all every process of the cgroup is heard, and no other"), Node(
        puppet("first", ready=["exec", "notify"], start_ms=60000),
        puppet("all", notify="all", **notify),
        puppet("small", uid=65534, notify="all", **notify),
        puppet("shim", notify="all", kill="main", **{**notify, "restart": "failure"})) as node:
    (node.root / "run").chmod(0o777)
    tell(node, "first", "child(lambda: (say('READY=1'), barrier()))")
    tell(node, "all", "child(lambda: child(lambda: (say('STATUS=grandchild'), barrier())))")
    equal(node.services_now()["all"]["status"], "grandchild")
    tell(node, "all", "child(lambda: (say('READY=1'), barrier()))")
    node.wait("all", "up")
    equal(node.state("first"), "starting")
    # Without privileges nobody speaks for another one.
    pid = node.services_now()["first"]["pid"]
    answer = tell(node, "small", f"try: say('READY=1', pid={pid})\n"
                  "except PermissionError: answer = 'refused'")
    equal(answer, "refused")
    tell(node, "small", "child(lambda: (say('READY=1'), barrier()))")
    node.wait("small", "up")
    # What a service left behind when it ended speaks for nobody.
    tell(node, "shim", "say('READY=1'); barrier()")
    hold(node, "shim", "os.fork() and os._exit(0)")
    node.wait("shim", "down")
    tell(node, "shim", "say('STATUS=from the grave'); barrier()")
    equal(node.services_now()["shim"]["status"], "")

with tap.case("what was said is acted on when the barrier is answered"), Node(
        puppet("web", **notify)) as node:
    for n in range(20):
        tell(node, "web", f"say('STATUS=turn {n}'); barrier()")
        equal(node.services_now()["web"]["status"], f"turn {n}")
    # Beside anything else a barrier voids what it is said with.
    tell(node, "web", "r, w = os.pipe(); say('READY=1\\nBARRIER=1', [w]); os.close(w);"
         "answer = os.read(r, 1)")
    still(node, "web", "starting", "BARRIER=1 does not mix")
    tell(node, "web", "say('READY=1'); barrier()")
    equal(node.state("web"), "up")

with tap.case("a message of any size is heard to its end"), Node(puppet("web", **notify)) as node:
    for size in (4000, 4096, 8192, 100000):
        tell(node, "web", f"say('STATUS=' + '{size} ' + 'x' * {size} + '\\nERRNO=17'); barrier()")
        assert node.services_now()["web"]["status"].startswith(f"{size} xxx")
    shown = node.run("bash", "-c", f"exec -a systemctl {KEELCTL} show -p StatusErrno web")
    equal(shown.stdout.strip(), "StatusErrno=17")
    tell(node, "web", "say('STATUS=' + 'y' * 150000 + '\\nREADY=1\\nX_TAIL=' + 'z' * 20000)")
    node.wait("web", "up")

HOSTILE = """
import random, tempfile
random.seed(1)
files = [os.open("/etc/passwd", os.O_RDONLY), os.open("/dev/null", os.O_RDWR),
         os.memfd_create("x"), *os.pipe(), *(s.detach() for s in socket.socketpair())]
import select
files.append(select.epoll().fileno())
words = [b"READY=1", b"STATUS=", b"=", b"\\n", b"\\0", b"MAINPID=1", b"MAINPID=-1", b"MAINPID=",
         b"WATCHDOG_USEC=99999999999999999999", b"EXTEND_TIMEOUT_USEC=x", b"FDSTORE=1",
         b"BARRIER=1", b"\\xff\\xfe", b"RELOADING=1 ", b"STOPPING=11", b"ERRNO=-1"]
with datagrams() as to:
    for n in range(400):
        kind = n % 4
        text = (random.randbytes(random.choice((0, 1, 100, 4095, 4096, 4097, 9000)))
                if kind == 0 else b"\\n".join(random.choices(words[1:], k=random.randrange(40)))
                if kind == 1 else b"x" * random.choice((4096, 120000)) if kind == 2
                else b"STATUS=" + random.randbytes(70))
        fds = random.choices(files, k=random.choice((0, 0, 1, 2, 253)))
        parts = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        to.sendmsg([text], parts)
"""

def unix_sockets(node):
    """How many sockets PID 1 has but that of the audit records, which it has where the kernel lets it."""
    rows = Path(f"/proc/{node.pid}/net/netlink").read_text().splitlines()[1:]
    netlink = {f"socket:[{row.split()[-1]}]" for row in rows}
    names = [os.readlink(f"/proc/{node.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{node.pid}/fd")]
    sockets = [name for name in names if name.startswith("socket:")]
    assert len(netlink.intersection(sockets)) <= 1, names
    return len(set(sockets) - netlink)


with tap.case("garbage, rights and huge datagrams change nothing, and leave nothing behind"), Node(
        puppet("web", **notify), puppet("other", ready=["notify"])) as node:
    tell(node, "other", "say('READY=1'); barrier()")
    node.until(lambda: unix_sockets(node) == 2, "PID 1 has its two sockets, no client")
    before = descriptors(node)
    tell(node, "web", HOSTILE, 60)
    tell(node, "web", "barrier()")
    equal(node.state("web"), "starting")
    equal(node.services_now()["web"]["starts"], 1)
    equal(node.state("other"), "up")
    try:
        node.until(lambda: descriptors(node) == before, "no descriptor is left", 5)
    except AssertionError:
        equal(descriptors(node), before)
    tell(node, "web", "say('READY=1'); barrier()")
    equal(node.state("web"), "up")
    tell(node, "web", "for n in range(200): say('RELOADING=1'); say('READY=1')")
    tell(node, "web", "barrier()")
    assert node.log().count("MAINPID=") == 1, "what it says again and again is told once"
    assert node.log().count("ready again") < 100, "a flood of reloads is no flood of lines"

def outlives(node, name, deadline_ns):
    """It is in the same state when the deadline that it had is over."""
    state = node.state(name)
    while time.clock_gettime_ns(time.CLOCK_BOOTTIME) < deadline_ns + 200e6:
        time.sleep(0.05)
    equal(node.state(name), state, "it was given more time")


with tap.case("EXTEND_TIMEOUT_USEC moves the start and the stop timeout, and only these"), Node(
        puppet("web", ready=["notify"], start_ms=2000, stop_ms=2000, restart="never",
               first="signal.signal(signal.SIGTERM, lambda *_: keep.append(1))"),
        puppet("late", "say('EXTEND_TIMEOUT_USEC=2500000')", ready=["notify"], start_ms=1500,
               restart="never")) as node:
    before = node.services_now()["web"]["deadline_ns"]
    tell(node, "web", "say('EXTEND_TIMEOUT_USEC=1'); barrier()")
    equal(node.services_now()["web"]["deadline_ns"], before, "it never has less than the plan says")
    tell(node, "web", "say('EXTEND_TIMEOUT_USEC=60000000'); barrier()")
    assert node.services_now()["web"]["deadline_ns"] > before + 50e9
    outlives(node, "web", before)
    tell(node, "web", "say('READY=1'); barrier()")
    stable = node.services_now()["web"]["deadline_ns"]
    tell(node, "web", "say('EXTEND_TIMEOUT_USEC=1'); barrier()")
    equal(node.services_now()["web"]["deadline_ns"], stable)
    node.ctl("--no-wait", "stop", "web")
    before = node.wait("web", "stopping")["deadline_ns"]
    tell(node, "web", "say('EXTEND_TIMEOUT_USEC=60000000'); barrier()")
    outlives(node, "web", before)
    hold(node, "web", "say('EXTEND_TIMEOUT_USEC=1')")
    node.wait("web", "down")
    # What was given ends, too.
    node.wait("late", "failed")
    start, end = (next(ns for who, state, ns in node.events() if (who, state) == ("late", wanted))
                  for wanted in ("starting", "stopping"))
    assert end - start > 2.4e9, f"stopped after {(end - start) / 1e6} ms"
    assert "late: not ready within 1500 ms, stopping it: not met: notify" in node.log(), node.log()

with tap.case("STOPPING=1: it stops by itself, and its policy decides"), Node(
        puppet("web", stop_ms=60000, **notify),
        puppet("hung", ready=["notify"], stop_ms=300, start_ms=60000, restart="never")) as node:
    tell(node, "web", "say('READY=1'); say('STOPPING=1'); barrier()")
    equal(node.state("web"), "stopping")
    pid = node.services_now()["web"]["pid"]
    tell(node, "web", "say('READY=1'); barrier()")
    equal(node.state("web"), "stopping", "it cannot be taken back")
    hold(node, "web", "os._exit(0)")
    node.until(lambda: node.services_now()["web"]["pid"] not in (0, pid), "a new life")
    tell(node, "hung", "say('READY=1\\nSTATUS=x'); say('STOPPING=1')")
    node.wait("hung", "failed")
    equal(node.services_now()["hung"]["death"]["signal"], "KILL")

with tap.case("MAINPID names another process of the cgroup, and nobody else"), Node(
        puppet("web", **notify), puppet("other", ready=["exec"])) as node:
    first = node.services_now()["web"]["pid"]
    other = node.services_now()["other"]["pid"]
    for pid in (other, 1, 0, 99999, -5, "x"):
        tell(node, "web", f"say('MAINPID={pid}'); barrier()")
        equal(node.services_now()["web"]["pid"], first, f"MAINPID={pid}")
    # The same from somebody who is not the main process.
    child = tell(node, "web", "answer = child(lambda: forever(), wait=False)")
    tell(node, "web", f"child(lambda: (say('MAINPID={child}'), barrier()))")
    equal(node.services_now()["web"]["pid"], first)
    tell(node, "web", f"say('MAINPID={child}\\nREADY=1'); barrier()")
    now = node.wait("web", "up")
    equal(now["pid"], int(child))
    # It is the main process now: its end is the service's, and the first one is heard no more.
    tell(node, "web", "say('STATUS=old'); barrier()")
    equal(node.services_now()["web"]["status"], "")
    node.run("kill", "-9", child)
    node.until(lambda: node.services_now()["web"]["starts"] == 2, "a new life")

with tap.case("MAINPID names no command beside the service"), Node(
        puppet("web", notify="all", reload_command=(60000, "/bin/sleep", 1000), **notify)) as node:
    tell(node, "web", "say('READY=1'); barrier()")
    before = node.wait("web", "up")["pid"]
    node.ctl("reload", "--no-wait", "web")
    node.until(lambda: len(node.members("web")) == 2, "the command runs")
    command = tell(node, "web", "answer = next(pid for pid in open('/sys/fs/cgroup/web/cgroup.procs')"
                   ".read().split() if int(pid) != os.getpid())")
    for pid in (command, before):
        tell(node, "web", f"say('MAINPID={pid}'); barrier()")
        equal(node.services_now()["web"]["pid"], before)
    tell(node, "web", f"os.kill({command}, 9)")
    node.until(lambda: "already" not in node.ctl("reload", "--no-wait", "web").stderr,
               "the end of the command is heard")

with tap.case("the end of an earlier main process is not that of the one named since"), Node(
        puppet("web", notify="all", **notify)) as node:
    tell(node, "web", "first = child(forever, wait=False); say(f'READY=1\\nMAINPID={first}')")
    before = node.wait("web", "up")
    with frozen(node):
        # Its parent reaps it, so PID 1 has only the descriptor to tell from.
        hold(node, "web", "second = child(forever, wait=False); say(f'MAINPID={second}');"
             "os.kill(first, 9); os.waitpid(first, 0); open('/run/reaped', 'w')")
        node.until((node.root / "run/reaped").exists, "the first one is gone")
    node.until(lambda: node.services_now()["web"]["pid"] != before["pid"], "the second one is")
    equal(node.services_now()["web"]["starts"], 1)

HANDOVER = """
def successor():
    time.sleep(0.2)
    {word}
    forever()
# The first thing that PID 1 hears of is the end of an orphan.
child(lambda: child(lambda: time.sleep(0.02), wait=False))
time.sleep(0.1)
pid = child(successor, wait=False)
say(f'MAINPID={{pid}}\\nREADY=1')
os._exit(0)
"""

with tap.case("what a process said before it ended counts before its end does"), Node(
        puppet("web", flags=MANUAL, **notify)) as node:
    for life in range(3):
        node.ctl("--no-wait", "start", "web")
        node.wait("web", "starting")
        with frozen(node):
            hold(node, "web", HANDOVER.format(word="pass"))
            time.sleep(0.5)
        now = node.wait("web", "up")
        equal(now["starts"], life + 1, "the handover is no end")
        node.done("stop", "web")

with tap.case("RELOADING=1 and READY=1 are a reload, with or without being asked for"), Node(
        puppet("web", reload_signal=1, **notify),
        puppet("endless", ready=["notify"], start_ms=400)) as node:
    ready = "say('READY=1'); barrier()"
    tell(node, "web", ready)
    tell(node, "endless", "say('READY=1'); barrier()")
    tell(node, "web", "say(f'RELOADING=1\\nMONOTONIC_USEC={microseconds()}'); barrier()")
    assert node.services_now()["web"]["reloading"]
    equal(node.state("web"), "up")
    tell(node, "web", ready)
    assert not node.services_now()["web"]["reloading"]
    # Asked for: keelctl waits until it is done; a reload that began before does not count.
    tell(node, "web", "signal.signal(signal.SIGHUP, lambda *_: keep.append('HUP'))\n"
         "earlier = microseconds()")
    asked = subprocess.Popen(["nsenter", "-t", str(node.pid), "-p", "-m", "-n", KEELCTL, "reload",
                              "web"])
    node.until(lambda: tell(node, "web", "answer = keep") == "['HUP']", "it is told")
    tell(node, "web", "say(f'RELOADING=1\\nMONOTONIC_USEC={earlier}'); say('READY=1'); barrier()")
    time.sleep(0.2)
    equal(asked.poll(), None, "keelctl reload still waits")
    tell(node, "web", "say(f'RELOADING=1\\nMONOTONIC_USEC={microseconds()}'); barrier()")
    time.sleep(0.1)
    equal(asked.poll(), None, "keelctl reload still waits")
    tell(node, "web", ready)
    equal(asked.wait(10), 0)
    # One that is never done ends by itself.
    tell(node, "endless", "say('RELOADING=1'); barrier()")
    assert node.services_now()["endless"]["reloading"]
    node.until(lambda: not node.services_now()["endless"]["reloading"], "it is given up")
    equal(node.state("endless"), "up")

with tap.case("a message that waits while PID 1 executes itself anew is heard"), Node(
        puppet("web", **notify)) as node:
    with frozen(node):
        tell(node, "web", "say('STATUS=before\\nREADY=1')")
    node.done("reexec")
    node.until(lambda: node.wait("web", "up")["status"] == "before", "it is heard")
    with frozen(node):
        tell(node, "web", "say('STATUS=again')")
        os.kill(node.pid, signal.SIGSEGV)
    node.until(lambda: node.services_now()["web"]["status"] == "again", "it is heard")

# ---- Debian's own client ----

SYSTEMD_NOTIFY = shutil.which("systemd-notify")


def client(*words):
    return " ".join(["systemd-notify", *words])


def script(name, *lines, **fields):
    return service(name, argv=["/bin/sh", "-c", "; ".join([*lines, "exec sleep 1000"])],
                   **{**PATHS, **fields})


with tap.case("a main process that is nobody's child here is kept over a re-exec, and watched"), Node(
        puppet("web", notify="all", **notify)) as node:
    tell(node, "web", "def parent():\n"
         "    say(f'READY=1\\nMAINPID={child(forever, wait=False)}')\n"
         "    forever()\n"
         "child(parent, wait=False)")
    node.wait("web", "up")
    hold(node, "web", "os._exit(0)")
    node.until(lambda: len(node.members("web")) == 2, "PID 1's own child is gone")
    before = node.services_now()["web"]
    node.done("reexec")
    node.until(lambda: "execution 2" in node.log(), "PID 1 executes itself")
    now = node.services_now()["web"]
    equal((now["state"], now["pid"], now["starts"]), ("up", before["pid"], 1))
    node.run("kill", "-9", str(now["pid"]))
    node.until(lambda: node.services_now()["web"]["starts"] == 2, "a new life")

with tap.case("systemd-notify is understood"):
    if not SYSTEMD_NOTIFY:
        raise Skip("no systemd-notify: it is in Debian's package systemd")
    options = subprocess.run([SYSTEMD_NOTIFY, "--help"], capture_output=True, text=True).stdout
    reloading = "--reloading" if "--reloading" in options else "RELOADING=1"
    stopping = "--stopping" if "--stopping" in options else "STOPPING=1"
    with Node(
            script("ready", client("--ready", "'--status=all is well'"), **notify),
            script("fast", client("--ready", "--no-block"), **notify),
            script("pid", "sleep 1001 & " + client("--ready", "--pid=$!"), "wait", notify="all",
                   **notify),
            script("named", "sleep 1001 & " + client("--ready", "MAINPID=$!"), "wait", **notify),
            script("reload", client("--ready"), client(reloading), **notify),
            script("stops", client("--ready"), client(stopping), stop_ms=60000, **notify),
            script("extends", client("EXTEND_TIMEOUT_USEC=60000000"), "sleep 2.2",
                   client("--ready"), ready=["notify"], start_ms=2000),
            script("booted", client("--booted") + " && exit 3", client("--ready"), **notify),
            script("all", f"sh -c '{client('--ready')}; true'", notify="all", **notify),
            script("nobody", client("--ready"), uid=65534, notify="all", **notify)) as node:
        equal(node.wait("ready", "up")["status"], "all is well")
        node.wait("fast", "up")
        for name in ("pid", "named"):
            main = node.wait(name, "up")
            command = (node.root / f"proc/{main['pid']}/cmdline").read_bytes()
            assert command.startswith(b"sleep\x001001"), command
        node.until(lambda: node.services_now()["reload"]["reloading"], "it reloads")
        equal(node.state("reload"), "up")
        node.wait("stops", "stopping")
        node.wait("extends", "up")
        equal(node.wait("booted", "up")["starts"], 1, "systemd-notify --booted says no")
        node.wait("all", "up")
        node.wait("nobody", "up")

tap.end()
