#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The control socket: who may, what nonsense does to it, and what keelctl makes of it."""

import json
import os
import pty
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import KEELCTL, Node, begin, equal, service, system  # noqa: E402

tap = begin()

VERSION, END, HAPPENED = 3, 6, 7
(STATUS, SERVICE, START, STOP, RESTART, TIMELINE, POWER, SLOTS, RELOAD, KILL, EVENTS,
 REEXEC) = range(1, 13)
NO_WAIT, FOLLOW = 1, 8
EVENT_BYTES = 112
EVENTS_KEPT = 512
FOLLOWERS = 6


def request(verb, name=b"", flags=0, argument=0, since=0, version=VERSION):
    return struct.pack("<IIIIQ64s", version, verb, flags, argument, since, name)


def connect(node):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(str(node.socket))  # waits while the queue is full
    client.settimeout(8)
    return client


def answer(client):
    """Packets until END: (type, payload) of each, and END's error."""
    packets = []
    while True:
        packet = client.recv(65536)
        if not packet:
            return packets, None
        _, kind, error, _ = struct.unpack("<IIiI", packet[:16])
        if kind == END:
            return packets, error
        packets.append((kind, packet[16:]))


def ask(node, packet):
    with connect(node) as client:
        client.send(packet)
        return answer(client)


WEB = service("web", "sleep")

with tap.case("only root: the mode of the socket, and the credentials of the peer"), Node(WEB) as node:
    mode = os.stat(node.socket).st_mode
    equal(mode & 0o777, 0o600)
    node.run("chmod", "666", "/run/keelson/control")
    node.run("chmod", "755", "/run/keelson")
    nobody = node.run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                      "python3", "-c", """
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect("/run/keelson/control")
try: s.send(b"x" * 88)
except BrokenPipeError: pass
print(int.from_bytes(s.recv(4096)[8:12], "little", signed=True))
""")
    equal(nobody.stdout.strip(), "-1", nobody.stderr)

with tap.case("root without one of PID 1's capabilities may look, and change nothing"), \
        Node(WEB) as node:
    fewer = ("setpriv", "--bounding-set=-sys_boot")
    equal(node.run(*fewer, KEELCTL, "status").returncode, 0)
    refused = node.run(*fewer, KEELCTL, "stop", "web")
    assert "only root with every capability of PID 1 may ask" in refused.stderr, refused.stderr
    node.wait("web", "up")
    # In a user namespace of its own it has them all, by name.
    refused = node.run(*fewer, "unshare", "--user", "--map-root-user", KEELCTL, "stop", "web")
    assert "only root with every capability of PID 1 may ask" in refused.stderr, refused.stderr
    node.wait("web", "up")

ASK = (f"for verb in status 'stop web' 'start --dry-run web' 'kill web' reexec poweroff; do "
       f"{KEELCTL} $verb >/dev/null 2>&1; echo $? >>/run/$0.new; done; mv /run/$0.new /run/$0; "
       "exec sleep 1000")
CONTROL = 8  # PLAN_POLICY_CONTROL
READS = "0 1 0 1 1 1".split()  # of these verbs the first, and what is dry

with tap.case("a confined service may ask, and commands only where its policy says so"), Node(
        WEB, service("confined", argv=["/bin/sh", "-c", ASK, "confined"], bare_policy="",
                     environment=["PATH=/usr/bin:/bin"], after=["web"]),
        service("commands", argv=["/bin/sh", "-c", f"{KEELCTL} stop web; echo $? >/run/commands; "
                                  "exec sleep 1000"], policy_flags=CONTROL, bare_policy="",
                environment=["PATH=/usr/bin:/bin"], flags=2)) as node:
    node.until(lambda: node.file("/run/confined"), "it asked")
    equal(node.file("/run/confined").split(), READS)
    equal(node.state("web"), "up")
    node.done("start", "commands")
    node.until(lambda: node.file("/run/commands"), "it commanded")
    equal(node.file("/run/commands"), "0\n")
    equal(node.state("web"), "down")

with tap.case("a process in a pod's group may not even ask, nor one that is in a group below"), Node(
        WEB, system("pods", "kubepods", 1000)) as node:
    node.wait("web", "up")
    for group in ("kubepods", "kubepods/burstable/pod1/container"):
        (node.group / group).mkdir(parents=True, exist_ok=True)
        said = node.run("sh", "-c", f"echo $$ >/sys/fs/cgroup/{group}/cgroup.procs && "
                        f"{KEELCTL} status; echo $?; {KEELCTL} stop web; echo $?")
        equal([word for word in said.stdout.split() if word.isdigit()], ["1", "1"], said)
        assert "no pod" in said.stderr, said
    equal(node.state("web"), "up")

with tap.case("garbage of any size is answered with an error, and harms nothing"), Node(WEB) as node:
    equal(ask(node, b"x")[1], -74)
    equal(ask(node, request(STATUS, version=7))[1], -71)
    equal(ask(node, request(99))[1], -74)
    equal(ask(node, request(STATUS)[:40])[1], -74, "half a message")
    equal(ask(node, request(STATUS) + b"more")[1], -74)
    equal(ask(node, request(START, b"a" * 64))[1], -74, "a name that does not end")
    equal(ask(node, request(START, b"../web"))[1], -74)
    equal(ask(node, request(START, b"web\0x"))[1], -74)
    equal(ask(node, request(START, b"nosuch"))[1], -2)
    equal(ask(node, request(POWER, argument=9))[1], -74)
    equal(ask(node, request(SLOTS))[1], -61, "a node without slots")
    dice = random.Random(1)
    for _ in range(300):
        with connect(node) as client:
            client.send(dice.randbytes(dice.randrange(1, 200)))
    node.wait("web", "up")

with tap.case("silent clients do not keep others out for ever"), Node(WEB) as node:
    silent = [connect(node) for _ in range(20)]
    began = time.monotonic()
    equal(node.ctl("status").returncode, 0, "keelctl is answered when the first ones are closed")
    assert 3 < time.monotonic() - began < 20
    for client in silent:
        client.close()
    node.wait("web", "up")

with tap.case("a client that does not read does not stop the node"), Node(
        *(service(f"s{n}", "sleep") for n in range(20))) as node:
    node.wait("s19", "up")
    deaf = []
    for _ in range(8):
        client = connect(node)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.send(request(STATUS))
        deaf.append(client)
    node.wait("s0", "up")
    for client in deaf:
        client.close()

with tap.case("many at once, each gets its whole answer"), Node(WEB) as node:
    node.wait("web", "up")
    failures = []

    def poll():
        for _ in range(50):
            try:
                packets, error = ask(node, request(STATUS))
                if error != 0 or len(packets) != 2:
                    failures.append((error, len(packets)))
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=poll) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(failures, [])

with tap.case("hanging up while waiting for a stop leaves the stop under way"), Node(
        service("slow", "ignore", "notify", "READY=1", "sleep", ready=["notify"],
                stop_ms=400)) as node:
    node.wait("slow", "up")
    with connect(node) as client:
        client.send(request(STOP, b"slow"))
        time.sleep(0.05)
        client.close()
    node.wait("slow", "down")

with tap.case("keelctl: words and exit statuses"), Node(WEB) as node:
    node.wait("web", "up")
    equal(node.ctl().returncode, 2)
    equal(node.ctl("statsu").returncode, 2)
    assert "did you mean `status`?" in node.ctl("statsu").stderr
    wrong = node.ctl("restart", "wbe")
    equal(wrong.returncode, 3)
    assert "no such service" in wrong.stderr and "did you mean `web`?" in wrong.stderr, wrong.stderr
    equal(node.ctl("status", "web").returncode, 0)
    node.done("stop", "web")
    equal(node.ctl("status", "web").returncode, 3)
    equal(node.ctl("slot", "status").returncode, 3)
    equal(node.ctl("slot").returncode, 3)
    equal(node.ctl("slot", "bless").returncode, 3)
    equal(node.ctl("slot", "nonsense").returncode, 2)
    equal(node.run(KEELCTL, "--socket", "/nowhere", "status").returncode, 1)
    assert "\033" not in node.ctl("status").stdout, "no colour but on a terminal"
    equal(node.ctl("--no-wait", "start", "web").returncode, 0)

with tap.case("a thousand connections, half of them with half a request, leave nothing behind"), \
        Node(WEB) as node:
    node.wait("web", "up")
    descriptors = len(os.listdir(f"/proc/{node.pid}/fd"))
    for number in range(1000):
        with connect(node) as client:
            if number % 2:
                client.send(request(STATUS)[:number % 88])
    node.until(lambda: len(os.listdir(f"/proc/{node.pid}/fd")) == descriptors, "no descriptor kept")
    equal(node.ctl("status").returncode, 0)


def numbers(packets):
    """Of the events in HAPPENED packets."""
    return [struct.unpack_from("<Q", payload, at)[0] for kind, payload in packets
            for at in range(0, len(payload), EVENT_BYTES) if kind == HAPPENED]


def follow(node, since=0):
    client = connect(node)
    client.send(request(EVENTS, flags=FOLLOW, since=since))
    return client


with tap.case("events are numbered from the first one, told once, and from any number on"), \
        Node(WEB) as node:
    node.wait("web", "up")
    packets, error = ask(node, request(EVENTS))
    told = numbers(packets)
    equal((error, told), (0, list(range(len(told)))))
    assert len(told) >= 3, "it was wanted, it started, it came up"
    equal(numbers(ask(node, request(EVENTS, since=2))[0]), told[2:])
    equal(numbers(ask(node, request(EVENTS, since=2**64 - 1))[0]), [])
    equal(numbers(ask(node, request(EVENTS, since=9999))[0]), told, "numbers that never were")
    equal(ask(node, request(EVENTS, b"web"))[1], -74)

with tap.case("a follower that never reads holds nobody up, and finds out what it lost"), Node(
        service("fast", argv=["/bin/false"], backoff_ms=(1, 1), burst=0), WEB) as node:
    node.wait("web", "up")
    deaf = follow(node)

    def many():
        return json.loads(node.done("--json", "status", "web"))["events"] > 4 * EVENTS_KEPT

    node.until(many, "more happened than is kept", 60)
    assert node.ctl("status", "web").returncode == 0
    told, size = [], 0
    deaf.settimeout(2)
    while not told or told[-1] < 4 * EVENTS_KEPT:
        packet = deaf.recv(65536)
        told += numbers([(struct.unpack("<II", packet[:8])[1], packet[16:])])
    assert told == sorted(set(told)), "in order, none twice"
    assert told[0] == 0, "what it had room for was not taken back"
    gaps = [(a, b) for a, b in zip(told, told[1:]) if b != a + 1]
    assert gaps, "it lost some, and sees which"
    deaf.close()
    node.done("stop", "fast")

with tap.case("so many may listen, and somebody can always ask"), Node(WEB) as node:
    node.wait("web", "up")
    ends = len(numbers(ask(node, request(EVENTS))[0]))
    listening = [follow(node, ends) for _ in range(FOLLOWERS)]
    node.until(lambda: ask(node, request(EVENTS, flags=FOLLOW))[1] == -16, "one more is told EBUSY")
    equal(node.ctl("status", "web").returncode, 0)
    node.done("restart", "web")
    for client in listening:
        _, kind, _, count = struct.unpack("<IIiI", client.recv(65536)[:16])
        equal(kind, HAPPENED)
        assert count > 0
    listening.pop().close()
    node.until(lambda: follow(node, ends).recv(65536), "room again")
    for client in listening:
        client.close()

with tap.case("keelctl events -f goes on over a re-exec of PID 1, and misses nothing"), Node(
        WEB) as node:
    node.wait("web", "up")
    listener = subprocess.Popen(["nsenter", "-t", str(node.pid), "-p", "-m", "-n", KEELCTL, "events",
                                 "-f", "--since", "0"], stdout=subprocess.PIPE, text=True)
    lines = []

    def until_told(condition, what):
        began = time.monotonic()
        while not (lines and condition(lines[-1])):
            assert time.monotonic() - began < 20, f"{what}: {lines}"
            lines.append(json.loads(listener.stdout.readline()))

    until_told(lambda event: event["to"] == "up", "it came up")
    node.done("reexec")
    node.until(lambda: node.ctl("status", "web").returncode == 0, "it answers again")
    node.done("restart", "web")
    until_told(lambda event: event["kind"] == "reexec", "the re-exec is told")
    equal((lines[-1]["service"], lines[-1]["signal"]), (None, None))
    until_told(lambda event: event["to"] == "stopping", "it was stopped")
    equal(lines[-1]["reason"], "request")
    until_told(lambda event: event["to"] == "up", "and came up again")
    equal([event["number"] for event in lines], list(range(len(lines))))
    equal({len(event) for event in lines}, {15}, "every line has every key")
    listener.kill()
    listener.wait()

with tap.case("keelctl says what it lost when it comes back too late"), Node(
        service("fast", argv=["/bin/false"], backoff_ms=(1, 1), burst=0)) as node:
    node.until(lambda: json.loads(node.ctl("--json", "status").stdout)["events"] > EVENTS_KEPT + 50,
               "more happened than is kept", 30)
    first = json.loads(node.done("events", "--since", "5").splitlines()[0])
    equal((first["kind"], first["number"]), ("lost", 5))
    second = json.loads(node.done("events", "--since", "5").splitlines()[1])
    assert second["number"] > 40, second
    assert "lost" not in node.done("events").splitlines()[0].split('"kind"')[1][:10]

with tap.case("a stop says before it waits what else it stops; a dry run does nothing"), Node(
        service("disk", "sleep"), service("base", "sleep", requires=["disk"]),
        service("web", "sleep", requires=["base"])) as node:
    node.wait("web", "up")
    equal(node.done("stop", "--dry-run", "disk").splitlines(),
          ["would also stop: base", "would also stop: web"])
    equal(node.state("disk"), "up")
    equal(node.done("restart", "--dry-run", "base"), "would also restart: web\n")
    equal(json.loads(node.done("--json", "stop", "base")),
          {"service": "base", "affected": [{"service": "web", "move": "stop"}], "error": 0})
    equal(node.done("stop", "disk"), "")
    equal(node.done("start", "base").splitlines(), ["also starts: disk"])
    node.wait("web", "up")
    tree = node.done("status", "--tree").splitlines()[2:]
    equal([line.lstrip("│└─|` -").split("  ")[0] for line in tree], ["web", "base", "disk"])

with tap.case("a signal goes to all processes of a service, or to the main one only"), Node(
        service("family", "child", "on-stop", "/run/told", "sleep", backoff_ms=(20, 20)),
        service("none", "sleep", flags=2)) as node:
    node.wait("family", "up")
    node.until(lambda: len(node.members("family")) == 2, "two processes")
    pids = sorted(map(int, node.members("family")))
    node.done("kill", "-s", "STOP", "family")

    def stopped(pid):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"

    node.until(lambda: all(stopped(pid) for pid in pids), "both are stopped")
    node.done("kill", "-s", "SIGCONT", "family")
    node.until(lambda: not any(stopped(pid) for pid in pids), "both go on")
    node.done("kill", "--main", "-s", "19", "family")
    node.until(lambda: sum(stopped(pid) for pid in pids) == 1, "the main one is stopped")
    node.done("kill", "-s", "KILL", "family")
    node.until(lambda: node.services_now()["family"]["starts"] == 2, "killed, and started again")
    status = node.services_now()["family"]
    equal((status["death"]["signal"], status["restarts"]), ("KILL", 1))
    equal(node.ctl("kill", "none").returncode, 1)
    equal(node.ctl("kill", "-s", "NOSUCH", "family").returncode, 2)
    equal(node.ctl("kill", "famly").returncode, 3)

with tap.case("a reload is over when the service says so, or its command ends"), Node(
        service("plain", "sleep"),
        service("fine", "sleep", reload_command=(5000, "/bin/true")),
        service("broken", "sleep", reload_command=(5000, "/bin/false")),
        service("stuck", "sleep", reload_command=(200, "/bin/sleep", "100")),
        service("manual", "sleep", flags=2, reload_command=(5000, "/bin/true"))) as node:
    node.wait("stuck", "up")
    equal(node.ctl("reload", "fine").returncode, 0)
    for name, meaning in (("plain", "its spec has no `reload`"), ("broken", "it failed"),
                          ("stuck", "not within the time"), ("manual", "it is not up")):
        refused = node.ctl("reload", name)
        equal(refused.returncode, 1, name)
        assert meaning in refused.stderr, refused.stderr
    equal(node.ctl("--no-wait", "reload", "stuck").returncode, 0)

with tap.case("status NAME says why it died, how often, and when it is tried next"), Node(
        service("bad", "exit", "3", backoff_ms=(60000, 60000)),
        service("last", "exit", "7", restart="never"),
        service("skipped", "sleep", condition=[("path", 0, "/nosuch")]),
        service("later", "exit", "0", kind="timer", timer=(60000, 60000, 0))) as node:
    node.wait("bad", "backoff")
    node.wait("last", "failed")
    text = node.ctl("status", "bad").stdout
    for part in ("exited with status 3", "next try", "restart", "retry in"):
        assert part in text, text
    assert "exited with status 7" in node.ctl("status", "last").stdout
    assert "skipped: path /nosuch" in node.ctl("status", "skipped").stdout
    assert "next run in" in node.ctl("status", "later").stdout
    equal(node.ctl("status", "last").returncode, 3)
    equal(node.ctl("status", "skipped").returncode, 0)

with tap.case("colour is for terminals, and NO_COLOR is honoured"), Node(WEB) as node:
    node.wait("web", "up")

    def on_terminal(environment):
        ours, theirs = pty.openpty()
        subprocess.run(["nsenter", "-t", str(node.pid), "-p", "-m", "-n", KEELCTL, "status"],
                       stdout=theirs, env={"PATH": os.environ["PATH"], **environment}, check=True)
        os.close(theirs)
        text = os.read(ours, 65536)
        os.close(ours)
        return text

    assert b"\033[32m" in on_terminal({"TERM": "xterm"})
    assert b"\033" not in on_terminal({"TERM": "xterm", "NO_COLOR": "1"})
    assert b"\033" not in on_terminal({"TERM": "dumb"})
    assert "\033" not in node.done("status")

with tap.case("options that a command does not have are refused"), Node(WEB) as node:
    node.wait("web", "up")
    for words in (["start", "--tree", "web"], ["reboot", "-f"], ["kill", "--force", "web"],
                  ["events", "--since", "yesterday"], ["stop", "--timeout", "x", "web"],
                  ["logs", "-n", "-1", "web"], ["status", "--nosuch"], ["kill"]):
        equal(node.ctl(*words).returncode, 2, " ".join(words))
    node.wait("web", "up")

with tap.case("waiting has an end for who asks for one; the stop goes on"), Node(
        service("slow", "ignore", "notify", "READY=1", "sleep", ready=["notify"],
                stop_ms=60000)) as node:
    node.wait("slow", "up")
    began = time.monotonic()
    late = node.ctl("stop", "--timeout", "1", "slow")
    equal(late.returncode, 1)
    assert "not within the time" in late.stderr and time.monotonic() - began < 15, late.stderr
    equal(node.state("slow"), "stopping")

with tap.case("a stop goes on being waited for over a re-exec of PID 1"), Node(
        service("slow", "ignore", "notify", "READY=1", "sleep", ready=["notify"],
                stop_ms=1500)) as node:
    node.wait("slow", "up")
    stopping = subprocess.Popen(["nsenter", "-t", str(node.pid), "-p", "-m", "-n", KEELCTL, "stop",
                                 "slow"], stderr=subprocess.PIPE, text=True)
    node.wait("slow", "stopping")
    node.done("reexec")
    _, said = stopping.communicate(timeout=20)
    equal(stopping.returncode, 0, said)
    equal(node.state("slow"), "down")

with tap.case("a restart over a re-exec of PID 1 is one restart"), Node(
        service("slow", "ignore", "notify", "READY=1", "sleep", ready=["notify"],
                stop_ms=1500)) as node:
    node.wait("slow", "up")
    restarting = subprocess.Popen(["nsenter", "-t", str(node.pid), "-p", "-m", "-n", KEELCTL,
                                   "restart", "slow"], stderr=subprocess.PIPE, text=True)
    node.wait("slow", "stopping")
    node.done("reexec")
    _, said = restarting.communicate(timeout=20)
    equal(restarting.returncode, 0, said)
    time.sleep(0.3)
    status = node.services_now()["slow"]
    equal((status["state"], status["starts"]), ("up", 2))

with tap.case("a PID 1 that answers nothing is given up"), Node(WEB) as node:
    node.wait("web", "up")
    os.kill(node.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        asked = subprocess.run([KEELCTL, "--socket", str(node.socket), "--timeout", "2", "status"],
                               capture_output=True, text=True, timeout=60)
        equal(asked.returncode, 1)
        assert "not within the time" in asked.stderr, asked.stderr
        assert time.monotonic() - began < 20
    finally:
        os.kill(node.pid, signal.SIGCONT)

with tap.case("an answer that cannot be written is no success, and reaches nobody else"), Node(
        WEB) as node:
    node.wait("web", "up")
    for words in ("status", "--json status", "status --tree", "events", "analyze"):
        for where in (">/dev/full", ">&-"):
            asked = node.run("sh", "-c", f"{KEELCTL} {words} {where}")
            equal(asked.returncode, 1, f"{words} {where}")
            assert "standard output" in asked.stderr, asked.stderr
    equal(node.run("sh", "-c", f"{KEELCTL} restart web <&- >&- 2>&-").returncode, 0)
    equal(node.run("bash", "-c", f"{KEELCTL} events | head -1 | wc -l").stdout, "1\n")

with tap.case("a mistyped option is answered with the nearest one"), Node(WEB) as node:
    for words, said in ((["status", "--josn"], "keelctl: no option --josn, did you mean `--json`?\n"),
                        (["status", "-x"], "keelctl: no option -x\n"),
                        (["status", "--tree=3"], "keelctl: no option --tree=3"),
                        (["--socket"], "keelctl: --socket needs a value\n"),
                        (["kill", "-s"], "keelctl: --signal needs a value\n"),
                        (["stop", "--json", "--tree", "web"], "keelctl: stop has no option --tree\n")):
        asked = node.ctl(*words)
        equal(asked.returncode, 2, str(words))
        assert asked.stderr.startswith(said), asked.stderr
    equal([line for line in node.ctl("status").stdout.splitlines() if line != line.rstrip()], [])
    assert "No such file" in node.ctl("last", "/nosuch").stderr

with tap.case("status tells of several services, and which there are not"), Node(
        WEB, service("base", "sleep"), service("off", "sleep", flags=2)) as node:
    node.wait("web", "up")
    node.wait("base", "up")
    both = node.done("status", "base", "web")
    equal([line.split()[0] for line in both.splitlines() if line[:1].isalpha()], ["base", "web"])
    equal([one["name"] for one in json.loads(node.done("--json", "status", "base", "web"))["services"]],
          ["web", "base"], "in the plan's order")
    asked = node.ctl("status", "web", "bse")
    equal((asked.returncode, asked.stdout.split()[0]), (3, "web"))
    assert "did you mean `base`?" in asked.stderr, asked.stderr
    equal(node.ctl("status", "web", "off").returncode, 3)
    equal(node.ctl("--json", "status", "nosuch").stdout, "")

with tap.case("called as shutdown it wants to know when"), Node(WEB) as node:
    node.wait("web", "up")
    for name in ("shutdown", "reboot"):
        node.run("ln", "-s", KEELCTL, f"/run/{name}")
    for words in (["/run/shutdown"], ["/run/shutdown", "-r", "+5"], ["/run/reboot", "--nosuch"]):
        equal(node.run(*words).returncode, 2, " ".join(words))
    node.wait("web", "up")
    equal(node.run("/run/shutdown", "-P", "now").returncode, 0)
    equal(node.unshare.wait(20), 0)

with tap.case("called as reboot it ends the node"), Node(WEB) as node:
    node.wait("web", "up")
    node.run("ln", "-s", KEELCTL, "/run/reboot")
    asked = node.run("/run/reboot", "--help")
    equal((asked.returncode, asked.stdout[:14]), (0, "usage: reboot "))
    equal(node.run("/run/reboot").returncode, 0)
    node.unshare.wait(20)

with tap.case("a second, forced request does not wait for what does not stop"), Node(
        service("slow", "ignore", "notify", "READY=1", "sleep", ready=["notify"],
                stop_ms=60000)) as node:
    node.wait("slow", "up")
    began = time.monotonic()
    node.ctl("poweroff", "--force")  # which may be killed with all the others
    node.unshare.wait(20)
    assert time.monotonic() - began < 15

tap.end()
