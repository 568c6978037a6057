#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Confinement: what a service is given and denied, as the kernel tells it, and failing steps."""

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from stat import S_IMODE

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, Skip, begin, equal, logger, service  # noqa: E402
from nsview import OWN, View, mounts, policy, status_of, strict  # noqa: E402

tap = begin()

MKDIR = ("83", "258") if platform.machine() == "x86_64" else ("34",)
EXECVE = "59" if platform.machine() == "x86_64" else "221"
CHOWN, NET_BIND, NET_ADMIN, SYS_ADMIN = 1 << 0, 1 << 10, 1 << 12, 1 << 21
SHELL = {"environment": ["PATH=/usr/bin:/bin"]}


with tap.case("capabilities, no_new_privs and seccomp hold in the running daemon"), Node(
        strict(policy=policy(CHOWN | NET_ADMIN, CHOWN | NET_ADMIN, deny=MKDIR))) as node:
    node.wait("strict", "up")
    status = status_of(node, "strict")
    equal(int(status["CapBnd"], 16), CHOWN | NET_ADMIN)
    equal(int(status["CapEff"], 16), CHOWN | NET_ADMIN)
    equal(status["NoNewPrivs"].strip(), "1")
    equal(status["Seccomp"].strip(), "2")
    told = [line.split() for line in node.done("status", "-v", "strict").splitlines()]
    for line in ("bounding cap_chown cap_net_admin", "no_new_privs yes", "seccomp filter",
                 "policy test"):
        assert line.split() in told, told

with tap.case("the filter answers EPERM"), Node(
        service("denied", argv=["/bin/sh", "-c", "mkdir /run/made; echo $? >/run/result; "
                                "exec sleep 1000"],
                policy=policy(OWN, OWN, deny=MKDIR), **SHELL)) as node:
    node.until(lambda: node.file("/run/result"), "a result")
    equal(node.file("/run/result").strip(), "1")
    assert not (node.root / "run/made").exists()

with tap.case("without no_new_privs the filter is installed all the same, before ids change"), Node(
        strict(uid=65534, policy=policy(NET_BIND, NET_BIND, nnp=0, deny=MKDIR))) as node:
    node.wait("strict", "up")
    status = status_of(node, "strict")
    equal(status["NoNewPrivs"].strip(), "0")
    equal(status["Seccomp"].strip(), "2")
    equal(int(status["CapEff"], 16), 0, "an ordinary user without ambient capabilities")

with tap.case("ids and ambient capabilities"), Node(
        strict(uid=65534, policy=policy(NET_BIND, NET_BIND, NET_BIND, NET_BIND))) as node:
    node.wait("strict", "up")
    status = status_of(node, "strict")
    equal(status["Uid"].split(), ["65534"] * 4)
    equal(status["Gid"].split(), ["65534"] * 4)
    equal(status["Groups"].split(), [])
    equal(int(status["CapEff"], 16), NET_BIND)

# keep_caps, no_setuid_fixup, noroot and their locks: linux/securebits.h
for name, bits in (("kept and locked", 0x30), ("no fix-up, all locked", 0xac | 0x3)):
    with tap.case(f"ids change under securebits: {name}"), Node(
            strict(uid=65534, securebits=hex(bits),
                   policy=policy(NET_BIND, NET_BIND, NET_BIND, NET_BIND))) as node:
        node.wait("strict", "up")
        equal(int(status_of(node, "strict")["CapEff"], 16), NET_BIND)

with tap.case("no policy: everything that PID 1 has, and nothing of its signals and descriptors"), Node(
        service("plain", argv=["/bin/sleep", "1000"], nice=5, oom=500,
                umask="077", limit=(7, 100, 200))) as node:
    node.wait("plain", "up")
    status = status_of(node, "plain")
    equal(int(status["CapBnd"], 16), OWN)
    for mask in ("SigBlk", "SigIgn", "SigCgt"):
        equal(int(status[mask], 16), 0, mask)
    equal(status["Umask"].strip(), "0077")
    pid, = node.members("plain")
    equal(sorted(os.listdir(f"/proc/{pid}/fd")), ["0", "1", "2"])
    equal(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null")
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    equal(stat[16], "5", "nice")
    equal(Path(f"/proc/{pid}/oom_score_adj").read_text().strip(), "500")
    limits = Path(f"/proc/{pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    equal(line.split()[3:5], ["100", "200"])
    equal(os.getsid(int(pid)), int(pid), "its own session")

with tap.case("scheduler, CPUs and io priority are the service's own, and its children's"), Node(
        strict("fifo", scheduler=("fifo", 10), io_priority=("best-effort", 1)),
        strict("batch", scheduler=("batch", 0), nice=3, cpus=(0,), io_priority=("idle", 0)),
        strict("idle", scheduler=("idle", 0), cpus=tuple(sorted(os.sched_getaffinity(0)))[-1:]),
        strict("plain")) as node:
    for name in ("fifo", "batch", "idle", "plain"):
        node.wait(name, "up")
    pids = {name: int(node.members(name)[0]) for name in ("fifo", "batch", "idle", "plain")}
    for name, wanted in (("fifo", (os.SCHED_FIFO, 10)), ("batch", (os.SCHED_BATCH, 0)),
                         ("idle", (os.SCHED_IDLE, 0)), ("plain", (os.SCHED_OTHER, 0))):
        pid = pids[name]
        equal((os.sched_getscheduler(pid), os.sched_getparam(pid).sched_priority), wanted, name)
    equal(os.getpriority(os.PRIO_PROCESS, pids["batch"]), 3, "nice beside a policy")
    equal(os.sched_getaffinity(pids["batch"]), {0})
    equal(os.sched_getaffinity(pids["idle"]), {max(os.sched_getaffinity(0))})
    equal(os.sched_getaffinity(pids["plain"]), os.sched_getaffinity(0))
    for name, wanted in (("fifo", "best-effort: prio 1"), ("batch", "idle"),
                         ("plain", "none: prio 0")):
        told = subprocess.run(["ionice", "-p", str(pids[name])], capture_output=True, text=True,
                              check=True)
        equal(told.stdout.strip(), wanted, name)

with tap.case("environment, directory, group and supplementary groups are what the plan says"), Node(
        strict(environment=["A=1", "B=two words", "PATH=/bin"], directory="/usr/bin", uid=65534,
               gid=100, groups=(4, 24, 65533)),
        strict("bare")) as node:
    node.wait("strict", "up")
    pid, = node.members("strict")
    equal(Path(f"/proc/{pid}/environ").read_bytes(), b"A=1\0B=two words\0PATH=/bin\0")
    equal(os.readlink(f"/proc/{pid}/cwd"), os.path.realpath("/usr/bin"))
    status = status_of(node, "strict")
    equal(status["Gid"].split(), ["100"] * 4)
    equal(status["Groups"].split(), ["4", "24", "65533"])
    node.wait("bare", "up")
    pid, = node.members("bare")
    equal(Path(f"/proc/{pid}/environ").read_bytes(), b"", "PID 1's environment is not inherited")
    equal(os.readlink(f"/proc/{pid}/cwd"), "/")
    equal(status_of(node, "bare")["Groups"].split(), [], "PID 1's groups are not inherited")

def open_files(pid):
    limits = Path(f"/proc/{pid}/limits").read_text()
    return next(line for line in limits.splitlines() if line.startswith("Max open files")).split()[3:5]


with tap.case("PID 1 has descriptors for every service, services the limit that was given"):
    given = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, given[1]))
    try:
        with Node(logger(), *(service(f"s{n}", argv=["/bin/sleep", "1000"],
                                      output=("log", f"/run/log/s{n}.log", 1 << 20, 1))
                              for n in range(80))) as node:
            for name in ("s79", "s40", "logger"):
                node.wait(name, "up")
            pid, = node.members("s79")
            equal(open_files(pid), ["64", str(given[1])])
            equal(open_files(node.pid), [str(given[1])] * 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, given)

with tap.case("a command beside it is confined as the service is"), Node(
        strict(pre=[(5000, 0, "/bin/sh", "-c", "cat /proc/self/status >/tmp/it; ls -A /run/kept "
                     "/tmp >>/tmp/it; echo $PWD >>/tmp/it; exec cp /tmp/it /run/out/")],
               environment=["PATH=/usr/bin:/bin"], directory="/usr", nice=4, umask="027",
               uid=65534, sandbox=[("tmp", 0, "/tmp", ""), ("hidden", 0, "/run/kept", "")],
               policy=policy(NET_BIND, NET_BIND, NET_BIND, NET_BIND, deny=MKDIR), flags=2)) as node:
    node.run("mkdir", "-m", "777", "/run/out", "/run/kept")
    (node.root / "run/kept/x").touch()
    node.done("start", "strict")
    node.wait("strict", "up")
    told = node.file("/run/out/it")
    status = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)
    for field, wanted in (("Uid", "65534"), ("CapEff", f"{NET_BIND:016x}"), ("NoNewPrivs", "1"),
                          ("Seccomp", "2"), ("Umask", "0027")):
        equal(status[field].split()[0], wanted, field)
    assert told.endswith("/usr\n") and "\nx\n" not in told, told[-200:]

# ---- the group ----


def group_of(node, *parts):
    return node.group.joinpath(*parts)


with tap.case("a service's group lies where the plan says, and goes with it"), Node(
        strict(cgroup="a/b/c"), strict().replace("strict", "other")) as node:
    node.wait("strict", "up")
    equal(Path(f"/proc/{int(group_of(node, 'a/b/c/cgroup.procs').read_text())}/comm").read_text(),
          "sleep\n")
    node.done("stop", "strict")
    node.wait("strict", "down")
    assert not group_of(node, "a/b/c").exists() and group_of(node, "a/b").exists()
    group_of(node, "a/b").rmdir()
    node.done("start", "strict")
    node.wait("strict", "up")

with tap.case("what an earlier life left in the group is ended first, wherever below it lives"), Node(
        strict(flags=2)) as node:
    group_of(node, "strict/below").mkdir(parents=True)
    left = [subprocess.Popen(["sleep", "1000"]), subprocess.Popen(["sleep", "1000"])]
    try:
        for process, group in zip(left, ("strict", "strict/below")):
            group_of(node, group, "cgroup.procs").write_text(str(process.pid))
        node.ctl("start", "strict")
        node.wait("strict", "up")
        for process in left:
            equal(process.wait(5), -9)
    finally:
        for process in left:
            process.kill()
    pid, = node.members("strict")
    equal(Path(f"/proc/{pid}/cmdline").read_bytes(), b"/bin/sleep\x001000\0")
    assert not group_of(node, "strict/below").exists()

with tap.case("a setting that the node cannot do fails the start, unless it is optional"), Node(
        strict(setting=[("memory.no-such", "1", 0)], restart="never"),
        strict(setting=[("memory.no-such", "1", 1)]).replace("strict", "easy")) as node:
    death = node.wait("strict", "failed")["last_death"]
    assert death.startswith("start failed at step cgroup: "), death
    node.wait("easy", "up")
    for name in ("strict", "easy"):
        line = f"service: {name}: cgroup: memory.no-such: 1: this node has no such controller"
        equal(node.log().count(line), 1, node.log())

with tap.case("a delegated group is its user's, but for what limits it"), Node(
        strict(flags=8, uid=65534, gid=100),
        strict(flags=8).replace("strict", "of-root"),
        strict(uid=65534).replace("strict", "not")) as node:
    for name, uid, gid in (("strict", 65534, 100), ("of-root", 0, 0), ("not", 0, 0)):
        node.wait(name, "up")
        for file in (".", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"):
            seen = group_of(node, name, file).stat()
            equal((seen.st_uid, seen.st_gid), (uid, gid), f"{name} {file}")
        for file in ("cgroup.kill", "cgroup.max.descendants", "cgroup.freeze"):
            equal(group_of(node, name, file).stat().st_uid, 0, f"{name} {file}")

# ---- sandbox ----

MANUAL = 2  # PLAN_SERVICE_MANUAL: the test makes what the service needs, then starts it
OPTIONAL = 1


def sandboxed(*entries, **fields):
    return strict(sandbox=[(*entry, "")[:4] for entry in entries], flags=MANUAL, **fields)


with tap.case("private tmp: a tmpfs for everybody of its own, which nobody else sees"), Node(
        sandboxed(("tmp", 0, "/tmp"), ("tmp", 0, "/var/tmp"), uid=65534)) as node:
    (node.root / "tmp/of-the-node").touch()
    view = View(node)
    for directory in ("/tmp", "/var/tmp"):
        view.out(f"test -z \"$(ls -A {directory})\"")
        status = os.stat(f"{view.root}{directory}")
        equal(S_IMODE(status.st_mode), 0o1777, directory)
        view.out(f"touch {directory}/own", user=65534)
        assert not (node.root / directory[1:] / "own").exists(), "seen outside"
        options = next(options for where, options in mounts(view.pid)[::-1] if where == directory)
        assert {"nosuid", "nodev"} <= set(options), options
    small = os.statvfs(f"{view.root}/tmp")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory / 20 < small.f_blocks * small.f_frsize < memory / 5, small
    equal(sorted(os.listdir(f"/proc/{view.pid}/fd")), ["0", "1", "2"], "nothing was left open")
    assert (node.root / "tmp/of-the-node").exists()
    first = view.out("ls /tmp")
    node.done("restart", "strict")
    node.wait("strict", "up")
    equal((first, View(node).out("ls /tmp")), ("own\n", ""), "empty again in the next life")

with tap.case("read-only: with everything below, for the service only"), Node(
        sandboxed(("read-only", 0, "/run/data"))) as node:
    node.run("mkdir", "-p", "/run/data/sub", "/run/data/bound")
    node.run("mount", "-t", "tmpfs", "below", "/run/data/sub")
    before = mounts(node.pid)
    view = View(node)
    for place in ("/run/data", "/run/data/sub"):
        view.refuses(f"touch {place}/x", "Read-only file system")
        view.refuses(f"mount -o remount,bind,rw {place}/x 2>&1 || touch {place}/x", "Read-only")
        (node.root / place[1:] / "of-the-node").touch()
        view.out(f"test -e {place}/of-the-node")
    view.out("touch /run/elsewhere")
    equal(mounts(node.pid), before, "the node's mounts are as they were")

with tap.case("read-only: the whole tree, but what is bound into it"), Node(
        sandboxed(("read-only", 0, "/"), ("bind", 0, "/run/data", "/run/data"),
                  ("tmp", 0, "/tmp"))) as node:
    node.run("mkdir", "/run/data")
    view = View(node)
    view.refuses("touch /run/x", "Read-only file system")
    view.refuses("echo x >/proc/sys/kernel/hostname", "Read-only file system")
    view.out("touch /run/data/own /tmp/own && echo >/dev/null")
    assert (node.root / "run/data/own").exists()
    (node.root / "run/x").touch()

with tap.case("hidden: an empty directory, an unreadable file, and nobody can change that"), Node(
        sandboxed(("hidden", 0, "/run/secret"), ("hidden", 0, "/run/key"),
                  ("hidden", 0, "/run/deep/er"), ("hidden", 0, "/sys/fs/cgroup"))) as node:
    node.run("mkdir", "-p", "/run/secret/sub", "/run/deep/er/est")
    (node.root / "run/secret/file").write_text("secret")
    (node.root / "run/key").write_text("secret")
    view = View(node)
    for place in ("/run/secret", "/run/deep/er", "/sys/fs/cgroup"):
        equal(view.out(f"ls -A {place}"), "", place)
        equal(S_IMODE(os.stat(f"{view.root}{place}").st_mode), 0, place)
        view.refuses(f"ls {place}", "Permission denied", user=65534)
        view.refuses(f"touch {place}/x", "Read-only file system")
    equal(view.out("cat /run/key"), "", "what root reads")
    view.refuses("cat /run/key", "Permission denied", user=65534)
    view.refuses("echo x >/run/key", "Read-only file system")
    view.refuses("chmod 644 /run/key", "Read-only file system")
    equal((node.root / "run/key").read_text(), "secret")
    equal(mounts(view.pid)[0][0], "/", "nothing lies on the root")
    equal([where for where, _ in mounts(view.pid)].count("/"),
          [where for where, _ in mounts(node.pid)].count("/"), "mounts on the root")

with tap.case("bind: a directory or a file at another place too, and read-only"), Node(
        sandboxed(("bind", 0, "/run/there", "/run/here"),
                  ("bind-read-only", 0, "/run/fixed", "/run/here"),
                  ("bind-read-only", 0, "/run/file", "/etc/hostname"),
                  directory="/run/there/sub")) as node:
    node.run("mkdir", "-p", "/run/here/sub", "/run/there", "/run/fixed")
    node.run("mount", "-t", "tmpfs", "below", "/run/here/sub")
    (node.root / "run/file").touch()
    view = View(node)
    view.out("touch /run/there/a /run/there/sub/b")
    assert (node.root / "run/here/sub/b").exists(), "with what is mounted below"
    equal(view.out("ls /run/fixed /run/fixed/sub").split(),
          ["/run/fixed:", "a", "sub", "/run/fixed/sub:", "b"])
    view.refuses("touch /run/fixed/c", "Read-only file system")
    view.refuses("touch /run/fixed/sub/c", "Read-only file system")
    equal(view.out("cat /run/file"), Path("/etc/hostname").read_text())
    equal(os.listdir(node.root / "run/there"), [], "outside")

with tap.case("the namespace is a slave: the node's mounts come and go, none goes out"), Node(
        sandboxed(("tmp", 0, "/tmp"))) as node:
    node.run("mount", "--make-rshared", "/")
    node.run("mkdir", "/run/later", "/run/inner")
    view = View(node)
    node.run("mount", "-t", "tmpfs", "later", "/run/later")
    (node.root / "run/later/x").touch()
    view.out("test -e /run/later/x")
    node.run("umount", "/run/later")
    view.out("test ! -e /run/later/x")
    view.out("mount -t tmpfs inner /run/inner")
    assert "/run/inner" not in [where for where, _ in mounts(node.pid)]
    view.out("test -e /proc/1/status -a -e /sys/fs/cgroup/cgroup.procs")

with tap.case("optional: left out when the path or the source is not there"), Node(
        sandboxed(("hidden", OPTIONAL, "/no/such/path"), ("bind", OPTIONAL, "/run/here", "/no/such"),
                  ("bind", OPTIONAL, "/no/such", "/run/here"), ("tmp", OPTIONAL, "/tmp"),
                  ("read-only", OPTIONAL, "/etc/hostname/below-a-file"))) as node:
    node.run("mkdir", "/run/here")
    (node.root / "tmp/x").touch()
    View(node).out("test -d /run/here -a ! -e /tmp/x")

with tap.case("a service without a sandbox shares the node's namespace"), Node(
        strict(), sandboxed(("tmp", 0, "/tmp")).replace("strict", "other")) as node:
    node.wait("strict", "up")
    pid, = node.members("strict")
    equal(os.readlink(f"/proc/{pid}/ns/mnt"), os.readlink(f"/proc/{node.pid}/ns/mnt"))

with tap.case("no mount goes through a symbolic link"):
    for kind, path, source in (("hidden", "/run/link/x", ""), ("read-only", "/run/link", ""),
                               ("bind", "/run/link", "/run/real"),
                               ("bind", "/run/real", "/run/link")):
        with Node(sandboxed((kind, 0, path, source), restart="never")) as node:
            node.run("mkdir", "-p", "/run/real/x")
            node.run("ln", "-s", "/run/real", "/run/link")
            node.ctl("start", "strict")
            death = node.wait("strict", "failed")["last_death"]
            assert death in ("start failed at step sandbox: Symbolic link loop",  # musl
                             "start failed at step sandbox: Too many levels of symbolic links"
                             ), (kind, path, source, death)

with tap.case("a failing step fails the start and is named: directory"), Node(
        strict(directory="/no/such/directory", restart="never")) as node:
    equal(node.wait("strict", "failed")["last_death"],
          "start failed at step directory: No such file or directory")
    assert "service: strict: failed: start failed at step directory" in node.log(), node.log()

with tap.case("... exec, under a filter that denies execve"), Node(
        strict(policy=policy(OWN, OWN, deny=[EXECVE]), restart="never")) as node:
    equal(node.wait("strict", "failed")["last_death"],
          "start failed at step exec: Operation not permitted")

with tap.case("... oom, where the machine does not allow a lower score"), Node(
        strict(oom=-500, restart="never")) as node:
    if OWN >> 24 & 1:
        raise Skip("this machine allows it (CAP_SYS_RESOURCE)")
    equal(node.wait("strict", "failed")["last_death"],
          "start failed at step oom: Permission denied")

with tap.case("nice is as PID 1's where nothing else is asked and PID 1 may not change it"), Node(
        strict(), prefix="nice -n 7 setpriv --bounding-set=-sys_nice") as node:
    node.wait("strict", "up")
    equal(os.getpriority(os.PRIO_PROCESS, int(node.members("strict")[0])),
          os.getpriority(os.PRIO_PROCESS, node.pid))

with tap.case("... affinity, to a CPU that is not there"), Node(
        strict(cpus=(1000,), restart="never")) as node:
    equal(node.wait("strict", "failed")["last_death"],
          "start failed at step affinity: Invalid argument")

with tap.case("... sandbox, at a path that does not exist, or of another kind"):
    for entry, why in ((("read-only", 0, "/no/such/path"), "No such file or directory"),
                       (("bind", 0, "/run", "/no/such/path"), "No such file or directory"),
                       (("bind", 0, "/run", "/etc/hostname"), "Invalid argument")):
        with Node(strict(sandbox=[(*entry, "")[:4]], restart="never")) as node:
            equal(node.wait("strict", "failed")["last_death"],
                  f"start failed at step sandbox: {why}")
            assert f"service: strict: sandbox: {entry[2]}: {why}" in node.log(), node.log()

with tap.case("... scheduler and nice, where PID 1 may not itself"):
    for step, fields in (("scheduler", {"scheduler": ("rr", 5)}), ("nice", {"nice": -5})):
        with Node(strict(restart="never", **fields),
                  prefix="setpriv --bounding-set=-sys_nice") as node:
            death = node.wait("strict", "failed")["last_death"]
            assert death.startswith(f"start failed at step {step}: "), death

tap.end()
