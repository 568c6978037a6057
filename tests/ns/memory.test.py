#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PID 1 neither allocates nor blocks once services run, and stays small."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nsnode import Node, begin, equal, logger, service  # noqa: E402

RSS_MAX_KIB = 600

tap = begin()
if not shutil.which("strace"):
    tap.skip_all("strace is not installed")

NODE = (logger(),
        service("base", "notify", "READY=1", "sleep", ready=["notify"],
                output=("log", "/run/log/base.log", 1 << 20, 1)),
        service("web", "http", "18080", "200", "sleep", ready=["exec", ("http", 18080, "/")],
                requires=["base"], output=("log", "/run/log/web.log", 1 << 20, 1)),
        service("sock", "socket", "/run/s", "sleep", ready=[("socket", "/run/s")],
                requires=["web"]),
        service("broken", "exit", "1", ready=["notify"], backoff_ms=(10, 20), burst=20),
        service("parent", *(["orphan"] * 5), "sleep"))

with tap.case("no brk, mmap or mprotect by PID 1 after the start, whatever happens"), Node(*NODE) as node:
    node.wait("sock", "up")
    trace = node.work / "trace"
    strace = subprocess.Popen(["strace", "-qq", "-e", "trace=%memory", "-o", trace, "-p",
                               str(node.pid)], stderr=subprocess.PIPE, text=True)
    tracer = Path(f"/proc/{node.pid}/status")
    node.until(lambda: strace.poll() is not None or
               re.search(r"TracerPid:\t[1-9]", tracer.read_text()), "strace is attached")
    if strace.poll() is not None:
        raise AssertionError(strace.stderr.read())
    for _ in range(3):
        node.run("rm", "-f", "/run/s")
        node.done("restart", "base")
        node.run("rm", "-f", "/run/s")
        pid = node.services_now()["base"]["pid"]
        node.run("kill", "-9", str(pid))
        node.wait("sock", "up")
        node.ctl("start", "broken")
        node.done("restart", "logger")
        node.ctl("status", "-v")
        node.done("--json", "analyze")
    time.sleep(0.2)
    strace.terminate()
    strace.wait()
    equal(trace.read_text(), "")

with tap.case(f"PID 1 stays under {RSS_MAX_KIB} KiB"), Node(*NODE) as node:
    node.wait("sock", "up")
    fields = dict(re.findall(r"^(\w+):\s+(\d+) kB", Path(f"/proc/{node.pid}/smaps_rollup").read_text(),
                             re.M))
    tap.note(f"resident {fields['Rss']} KiB, proportional {fields['Pss']} KiB")
    assert int(fields["Rss"]) < RSS_MAX_KIB, fields

with tap.case("its program and its plan are in memory for good: the disk may go"), Node(*NODE) as node:
    node.wait("base", "up")
    smaps = Path(f"/proc/{node.pid}/smaps").read_text()
    found = set()
    for mapping in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", smaps, flags=re.M):
        name = re.search(r"/(keelson-init|run/plan)$", mapping, re.M)
        if not name:
            continue
        fields = dict(re.findall(r"^(\w+):\s+(\d+) kB", mapping, re.M))
        equal(fields["Rss"], fields["Size"], mapping)
        assert " lo " in mapping, mapping
        found.add((name[1], re.match(r"\S+ (\S+)", mapping)[1]))
    for wanted in ("keelson-init", "r-xp"), ("keelson-init", "rw-p"), ("run/plan", "r--p"):
        assert wanted in found, (found, smaps)

with tap.case("PID 1 is never chosen when memory runs out, or says that it may be"), Node(*NODE) as node:
    node.wait("base", "up")
    status = Path(f"/proc/{node.pid}/status").read_text()
    if int(re.search(r"^CapEff:\t(\w+)", status, re.M)[1], 16) >> 24 & 1:  # CAP_SYS_RESOURCE
        equal(Path(f"/proc/{node.pid}/oom_score_adj").read_text().strip(), "-1000")
        assert "PID 1 may be killed" not in node.log(), node.log()
    else:
        assert "memory: oom_score_adj: PID 1 may be killed" in node.log(), node.log()
    pid, = node.members("base")
    equal(Path(f"/proc/{pid}/oom_score_adj").read_text().strip(), "0", "of a service")

tap.end()
