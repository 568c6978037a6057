#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a policy gives a service for itself and takes from it, beyond capabilities and the filter."""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, Skip, begin, equal, service  # noqa: E402
from nsview import OWN, View, mounts, policy, status_of, strict  # noqa: E402

tap = begin()

SHELL = {"environment": ["PATH=/usr/bin:/bin"]}
WITHOUT = f"{sys.executable} -S -E {Path(__file__).resolve().parent}/without.py"

NEWIPC, NEWUTS, NEWNET, NEWPID, NEWNS, NEWCGROUP = (
    0x08000000, 0x04000000, 0x40000000, 0x20000000, 0x00020000, 0x02000000)
KEYRING, LANDLOCK, IF_SUPPORTED, SHARED_MOUNTS, PRIVATE_DEV = 4, 16, 32, 64, 128  # PLAN_POLICY_*


def namespaces_of(pid):
    return {name: os.readlink(f"/proc/{pid}/ns/{name}")
            for name in ("ipc", "uts", "net", "pid", "mnt", "cgroup", "user", "time")}


with tap.case("namespaces: just those that the policy names are its own, lo is up in its network"), Node(
        strict(namespaces=hex(NEWIPC | NEWUTS | NEWNET | NEWCGROUP), bare_policy=""),
        strict("plain")) as node:
    node.wait("strict", "up")
    node.wait("plain", "up")
    of_pid1 = namespaces_of(node.pid)
    pid, = node.members("strict")
    own = {name for name, value in namespaces_of(pid).items() if value != of_pid1[name]}
    equal(own, {"ipc", "uts", "net", "cgroup"})
    seen = subprocess.run(["nsenter", "-t", pid, "-n", "cat", "/proc/net/dev"],
                          capture_output=True, text=True, check=True).stdout
    equal([line.split(":")[0].strip() for line in seen.splitlines()[2:]], ["lo"])
    subprocess.run(["nsenter", "-t", pid, "-n", sys.executable, "-c",
                    "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen();"
                    "socket.create_connection(s.getsockname(), 5)"], check=True)
    pid, = node.members("plain")
    equal(namespaces_of(pid), of_pid1)

with tap.case("namespaces: a command beside it is in those of the service"), Node(
        strict(namespaces=hex(NEWNET | NEWUTS), bare_policy="", environment=["PATH=/usr/bin:/bin"],
               reload_command=(5000, "/bin/sh", "-c", "readlink /proc/self/ns/net "
                               "/proc/self/ns/uts >/run/seen.new; mv /run/seen.new /run/seen"))) as node:
    node.wait("strict", "up")
    pid, = node.members("strict")
    node.done("reload", "strict")
    names = namespaces_of(pid)
    equal(node.file("/run/seen").split(), [names["net"], names["uts"]])

with tap.case("a pid namespace: it is the first process, sees nobody, is heard, and ends as a whole"), Node(
        service("strict", argv=["/bin/sh", "-c", "set -e; echo $$ >/run/pid; ls -d /proc/[0-9]* "
                                ">/run/seen; sleep 1000 & trap 'exit 0' TERM; wait"],
                environment=["PATH=/usr/bin:/bin"], namespaces=hex(NEWPID), bare_policy=""),
        service("heard", "notify", "READY=1", "sleep", ready=["notify"], namespaces=hex(NEWPID),
                bare_policy="")) as node:
    node.wait("heard", "up")
    node.wait("strict", "up")
    node.until(lambda: node.file("/run/seen"), "it looked around")
    equal(node.file("/run/pid"), "1\n")
    assert "/proc/1\n" in node.file("/run/seen") and len(node.file("/run/seen").split()) <= 2
    main = node.services_now()["strict"]["pid"]
    equal(os.readlink(f"{node.root}/proc/{main}/ns/pid") != namespaces_of(node.pid)["pid"], True)
    node.until(lambda: len(node.members("strict")) == 2, "its child runs")
    node.done("stop", "strict")
    death = node.wait("strict", "down")
    equal(node.members("strict"), [])

SESSION = ("import ctypes, sys; libc = ctypes.CDLL(None); open(sys.argv[1], 'w').write("
           "str(libc.syscall(250, 0, -3, 1))); import time; time.sleep(1000)")  # GET_KEYRING_ID
with tap.case("keyring: a session keyring that nobody else has"), Node(
        *(service(name, argv=[sys.executable, "-S", "-E", "-c", SESSION, f"/run/{name}"], **fields)
          for name, fields in (("own", {"policy_flags": KEYRING, "bare_policy": ""}),
                               ("other", {"policy_flags": KEYRING, "bare_policy": ""}),
                               ("plain", {}), ("plain2", {})))) as node:
    keys = [node.until(lambda name=name: node.file(f"/run/{name}"), f"{name} knows its keyring")
            for name in ("own", "other", "plain", "plain2")]
    assert all(int(key) > 0 for key in keys[:2]), keys
    equal(len(set(keys[:2])), 2, keys)
    assert keys[2] not in keys[:2] and keys[3] not in keys[:2], keys

DEV = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/no-such-device")
with tap.case("a private /dev: the nodes that are named and that the node has, and nothing else"), Node(
        strict(devices=DEV, bare_policy="", flags=2)) as node:
    view = View(node)
    seen = set(view.out("ls /dev").split())
    equal(seen, {"null", "zero", "urandom", "pts", "shm", "fd", "stdin", "stdout", "stderr", "ptmx"})
    equal(view.out("head -c 3 /dev/zero | od -An -tx1").split(), ["00"] * 3)
    view.out("echo x >/dev/null; : >/dev/shm/x", user=65534)
    view.refuses("mknod /dev/mem c 1 1 && cat /dev/mem", "denied")
    assert not (node.root / "dev/shm/x").exists(), "seen outside"
    assert Path("/dev/tty").exists() == (node.root / "dev/tty").exists()

with tap.case("/proc of its own: others' processes are invisible, or there is nothing but processes"), Node(
        strict("own", proc="own", uid=65534, bare_policy="", flags=2),
        strict("processes", proc="processes", bare_policy="", flags=2)) as node:
    own, processes = View(node, "own"), View(node, "processes")
    own.refuses("cat /proc/1/status", "", user=65534)
    equal(own.out("cat /proc/self/comm", user=65534), "cat\n")
    own.out("test -e /proc/meminfo")
    processes.refuses("cat /proc/meminfo", "No such file")
    processes.refuses("cat /proc/sys/kernel/hostname", "No such file")
    assert "/proc/meminfo" not in node.run("sh", "-c", "test -e /proc/meminfo || echo /proc/meminfo").stdout

with tap.case("paths of a policy come before the service's own"), Node(
        strict(covered=[("tmp", 0, "/tmp", "")], sandbox=[("bind", 0, "/tmp/inner", "/usr")],
               bare_policy="", flags=2),
        strict("other", covered=[("hidden", 0, "/usr/share", ""), ("read-only", 0, "/run", "")],
               sandbox=[("bind", 0, "/run/kept", "/run/kept")], bare_policy="", flags=2)) as node:
    node.run("mkdir", "/run/kept")
    view = View(node, "other")
    equal(view.sh("ls /usr/share")[1], "")
    view.refuses("touch /run/x", "Read-only")
    view.out("touch /run/kept/x")
    node.ctl("start", "strict")
    death = node.wait("strict", "backoff")["last_death"]
    assert death.startswith("start failed at step sandbox: "), death

with tap.case("shared mounts: what it mounts reaches the node, what it is denied stays its own"), Node(
        strict(policy_flags=SHARED_MOUNTS, proc="own",
               covered=[("hidden", 0, "/proc/uptime", ""), ("hidden", 0, "/sys/kernel", ""),
                        ("hidden", 1, "/no/such", "")],
               bare_policy="", flags=2)) as node:
    node.run("sh", "-c", "mount --make-rshared / && mkdir /run/volumes && "
             "mount -t tmpfs volumes /run/volumes && mount --make-shared /run/volumes && "
             "mkdir /run/volumes/a /run/volumes/b")
    before = mounts(node.pid)
    view = View(node)
    assert namespaces_of(view.pid)["mnt"] != namespaces_of(node.pid)["mnt"]
    equal(mounts(node.pid), before, "covers reached the node")
    view.refuses("cat /proc/uptime", "denied", user=65534)
    equal(view.sh("ls /sys/kernel", user=65534)[0] != 0, True)
    view.out("mount -t tmpfs pod /run/volumes/a && touch /run/volumes/a/there")
    assert (node.root / "run/volumes/a/there").exists(), "the node does not see the volume"
    node.run("mount", "-t", "tmpfs", "later", "/run/volumes/b")
    node.run("touch", "/run/volumes/b/there")
    view.out("test -e /run/volumes/b/there")
    node.done("stop", "strict")
    node.wait("strict", "down")
    assert (node.root / "run/volumes/a/there").exists(), "the volume went with its maker"

ABI = int(subprocess.run([sys.executable, "-c", "import ctypes; print(ctypes.CDLL(None).syscall("
                          "444, None, 0, 1))"], capture_output=True, text=True).stdout)
READ = 0b1101  # execute, read files, read directories
for name, flags in (("", 0), (", with no_new_privs", 1)):
    with tap.case(f"Landlock: nothing but what the rules give{name}"), Node(
            service("strict", argv=["/bin/sh", "-c", "cat /etc/hostname >/dev/null && echo yes "
                                    ">/run/allowed/a; echo no >/run/denied; exec sleep 1000"],
                    policy_flags=flags, landlock=hex(0x1fff), uid=65534,
                    landlock_rule=[(hex(READ), 0, "/usr"), (hex(READ), 1, "/lib64.none"),
                                   (hex(READ), 0, "/etc"), (hex(0x1fff), 0, "/run/allowed"),
                                   (hex(0b110), 0, "/dev/null"), (hex(READ), 0, "/proc")],
                    bare_policy="", flags=2, **SHELL)) as node:
        if ABI < 1:
            raise Skip("this kernel has no Landlock")
        node.run("sh", "-c", "mkdir -m 777 /run/allowed; chmod 1777 /run")
        node.done("start", "strict")
        node.until(lambda: node.file("/run/allowed/a"), "it wrote")
        assert not (node.root / "run/denied").exists()

with tap.case("Landlock: what this kernel cannot give fails the start, or is left out if that may be"), Node(
        strict(landlock=hex(0xffff), landlock_rule=[(hex(READ), 0, "/usr")], bare_policy="",
               restart="never"),
        strict("wrong", landlock=hex(0x1fff), landlock_rule=[(hex(READ), 0, "/no/such")],
               bare_policy="", restart="never"),
        strict("easy", policy_flags=IF_SUPPORTED, landlock=hex(0xffff),
               landlock_rule=[(hex(READ), 0, "/"),], bare_policy="")) as node:
    if ABI < 1:
        raise Skip("this kernel has no Landlock")
    node.wait("easy", "up")
    if ABI < 5:
        death = node.wait("strict", "failed")["last_death"]
        assert death.startswith("start failed at step landlock: "), death
    death = node.wait("wrong", "failed")["last_death"]
    assert death.startswith("start failed at step landlock: "), death
    assert "service: wrong: landlock: /no/such: " in node.log()

with tap.case("Landlock: a kernel without it refuses, or goes on as the policy says"), Node(
        strict(landlock=hex(0x1fff), landlock_rule=[(hex(READ), 0, "/usr")], bare_policy="",
               restart="never"),
        strict("easy", policy_flags=IF_SUPPORTED, landlock=hex(0x1fff),
               landlock_rule=[(hex(READ), 0, "/no/such")], bare_policy=""),
        prefix=f"{WITHOUT} 444") as node:
    node.wait("easy", "up")
    death = node.wait("strict", "failed")["last_death"]
    assert death.startswith("start failed at step landlock: "), death

LOOK = "if cat </dev/null; then echo may; else echo may not; fi >/run/$0; exec sleep 1000"
with tap.case("a device program decides for everybody in the group, or the start fails by name"), Node(
        *(service(name, argv=["/bin/sh", "-c", LOOK, name], kill=kill, device_program=program,
                  bare_policy="", restart="never", **SHELL)
          for name, program, kill in (("never", "deny", "main"), ("always", "allow", "cgroup")))) as node:
    reached = node.until(lambda: node.services_now()["always"]["state"] in ("up", "failed") and
                         node.services_now()["always"], "it started or not")
    if reached["state"] == "failed":
        assert reached["last_death"].startswith("start failed at step devices: "), reached
        raise Skip("this machine loads no device programs")
    for _ in range(3):
        for name, wanted in (("never", "may not\n"), ("always", "may\n")):
            node.until(lambda name=name: node.file(f"/run/{name}"), f"{name} looked")
            equal(node.file(f"/run/{name}"), wanted, name)
        node.run("rm", "/run/never", "/run/always")
        node.done("restart", "never", "always")
    # The group stays (`kill: main`), with the program of the execution before: it is replaced.
    node.ctl("reexec")
    node.until(lambda: "supervised again" in node.log(), "PID 1 goes on")
    node.run("rm", "-f", "/run/never")
    node.done("restart", "never")
    equal(node.until(lambda: node.file("/run/never"), "it looked"), "may not\n")
    told = json.loads(node.ctl("policy", "show", "never", "--plan", "/run/plan", "--json").stdout)
    equal([row["seen"] for row in told["rows"] if row["title"] == "devices"], ["1 program"])

with tap.case("a policy that only learns denies nothing of capabilities, Landlock and devices"), Node(
        strict(mode="audit", landlock=hex(0x1fff), device_program="deny",
               policy=policy(0, 0, nnp=0))) as node:
    node.wait("strict", "up")
    status = status_of(node, "strict")
    equal(int(status["CapBnd"], 16), OWN)
    equal(int(status["CapEff"], 16), OWN)

# ---- keelctl policy show ----

MKDIR = ("83", "258") if os.uname().machine == "x86_64" else ("34",)
FULL = dict(uid=65534, namespaces=hex(NEWIPC | NEWUTS), proc="own", devices=("/dev/null",),
            covered=[("hidden", 0, "/usr/share", ""), ("read-only", 0, "/etc", ""),
                     ("hidden", 1, "/no/such", "")], sandbox=[("tmp", 0, "/tmp", "")],
            securebits=hex(0x3), policy_flags=KEYRING)


def shown(node, name, *words):
    done = node.ctl("policy", "show", name, "--json", "--plan", "/run/plan", *words)
    assert done.returncode in (0, 1), done.stderr
    told = json.loads(done.stdout)
    equal(told["differs"], done.returncode == 1)
    return told, {row["title"]: row for row in told["rows"]}


with tap.case("policy show: what the kernel says is what the plan says, or is told not to be"), Node(
        strict(**FULL, policy=policy(0x1401, 0x1401, 0x1400, 0x400, deny=MKDIR)),
        strict("plain"),
        service("gives-up", argv=["/usr/bin/setpriv", "--no-new-privs", "--bounding-set=-chown",
                                  "sleep", "1000"], policy=policy(OWN, OWN, nnp=0), **SHELL)) as node:
    for name in ("strict", "plain", "gives-up"):
        node.wait(name, "up")
    told, rows = shown(node, "strict", "-v")
    equal([row for row in told["rows"] if row["verdict"] == "differs"], [])
    equal(rows["ambient"]["seen"], "cap_net_bind_service")
    equal(rows["bounding"]["seen"], "cap_chown cap_net_bind_service cap_net_admin")
    equal(rows["no_new_privs"]["seen"], "yes")
    equal(rows["namespaces"]["seen"], "mount ipc uts")
    equal(rows["hidden"]["seen"], "/usr/share")
    equal(rows["read-only"]["seen"], "/etc")
    equal(rows["dev"]["seen"], "private")
    equal(rows["securebits"]["verdict"], "unseen")
    assert rows["filters"]["seen"] in ("1, that of the plan, byte for byte",) or \
        rows["filters"]["seen"].startswith("1, bytes not readable"), rows["filters"]
    told, rows = shown(node, "plain")
    equal({row["verdict"] for row in told["rows"]}, {"same"})
    node.until(lambda: shown(node, "gives-up")[1]["bounding"]["verdict"] == "less", "it gave up")
    told, rows = shown(node, "gives-up")
    equal(rows["no_new_privs"]["verdict"], "less")
    equal(told["differs"], False)

with tap.case("policy show: what somebody took away afterwards is found"), Node(
        strict(covered=[("hidden", 0, "/usr/share", ""), ("read-only", 0, "/etc", "")],
               policy=policy(OWN, OWN, nnp=0), flags=2)) as node:
    view = View(node)
    equal(shown(node, "strict")[0]["differs"], False)
    view.out("umount /usr/share; mount -o remount,bind,rw /etc")
    told, rows = shown(node, "strict")
    equal({row["title"] for row in told["rows"] if row["verdict"] == "differs"},
          {"hidden", "read-only"})
    said = node.ctl("policy", "show", "strict", "--plan", "/run/plan")
    equal(said.returncode, 1)
    assert "! hidden" in said.stdout and "the plan says: hidden" in said.stdout, said.stdout

with tap.case("policy show and report: of what does not run, is not there, or is no plan"), Node(
        strict(flags=2)) as node:
    for words, status in ((("show", "strict"), 3), (("show", "nosuch"), 3), (("report", "nosuch"), 3),
                          (("shwo", "strict"), 2), (("report", "strict"), 0)):
        equal(node.ctl("policy", *words, *(("--plan", "/run/plan") if words[0] == "show" else ())
                       ).returncode, status, words)
    node.done("start", "strict")
    equal(node.ctl("policy", "show", "strict", "--plan", "/etc/hostname").returncode, 1)

with tap.case("policy learn: an image without keelson-learn says so, and what is one"), Node(
        strict()) as node:
    learn = node.ctl("policy", "learn", "start")
    equal((learn.returncode, learn.stderr),
          (1, "keelctl: policy learn: this image does not learn by itself: it is without "
              "/usr/lib/keelson/keelson-learn\n"))
    equal(json.loads(node.ctl("policy", "report", "strict", "--json").stdout)["learned"], None)

tap.end()
