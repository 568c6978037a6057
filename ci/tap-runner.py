#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run test programs and judge what they print on standard output: TAP, https://testanything.org

A program passes when it exits with 0 and prints a plan (1..N) and exactly N results, none of them
`not ok`. One that dies, exits with another status, runs past its time, prints fewer results than
its plan (or more), or prints no plan, adds one failure to the results it did print. `1..0 # SKIP
why` skips the whole program. Several plans in one program add up: each cmocka group prints its own.

The last line is `N passed, N failed`, with `, N skipped` when some were skipped. The exit status is
0 only if something passed and nothing failed.

A script, or a source file of a program, may say in a comment within its first 20 lines:
  keelson-test: timeout=SECONDS   instead of the stage's time
  keelson-test: tier=all          run with --all only
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid

TIMEOUT_S = {"check": 600, "unit": 180, "ns": 300, "vm": 1800}
PARALLEL = {"check", "unit"}  # the others measure time or share the machine's one kernel
HEARTBEAT_S = 30

Test = collections.namedtuple("Test", "name stage argv timeout_s")
Outcome = collections.namedtuple("Outcome", "passed failed skipped problems")

# Marks every process of this run in its environment; a runner within a run extends the mark.
RUN_ID = os.environ.get("KEELSON_TEST_ID", "") + "/" + uuid.uuid4().hex
START = int(os.environ.get("KEELSON_START", time.time()))
print_lock = threading.Lock()


def say(text):
    elapsed = int(time.time()) - START
    with print_lock:
        print(f"[{elapsed // 60:02d}:{elapsed % 60:02d}] {text}", flush=True)


# --- judging -------------------------------------------------------------------------------------

RESULT = re.compile(r"(not )?ok\b\s*(\d+)?\s*(.*)")
PLAN = re.compile(r"1\.\.(\d+)\s*(?:#\s*(.*))?$")
SKIP = re.compile(r"#\s*skip\b", re.IGNORECASE)


def judge(output, status, timed_out):
    """What the output and the exit status of one program amount to."""
    passed = failed = skipped = planned = plans = 0
    skip_all = False
    problems = []
    for line in output.splitlines():
        if line.startswith("Bail out!"):
            problems.append(line)
            continue
        plan = PLAN.match(line)
        if plan:
            plans += 1
            planned += int(plan[1])
            skip_all |= plan[1] == "0" and (plan[2] or "").lower().startswith("skip")
            continue
        result = RESULT.match(line)
        if not result:
            continue
        # cmocka 1.1 prints a skipped test as `not ok N # SKIP name`: the directive comes at once.
        if result[1] and not SKIP.match(result[3]):
            failed += 1
        elif SKIP.search(result[3]):
            skipped += 1
        else:
            passed += 1

    results = passed + failed + skipped
    if timed_out:
        problems.append("ran out of time")
    elif status < 0:
        problems.append(f"died of {signal_name(-status)}")
    elif status > 0 and not failed:
        problems.append(f"exit status {status} though no result is `not ok`")
    if not plans:
        problems.append("printed no plan (1..N)")
    elif results != planned:
        problems.append(f"printed {results} results, planned {planned} (exit status {status})")
    elif not planned and not skip_all:
        problems.append("planned no test")
    if not problems and skip_all:
        skipped += 1
    if problems:
        failed += 1
    return Outcome(passed, failed, skipped, problems)


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# --- running -------------------------------------------------------------------------------------


def kill_leftovers(marker):
    """Kill whatever a program started and left behind, in whichever session or group it is."""
    for _ in range(5):
        found = False
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if marker.encode() in f.read() and int(pid) != os.getpid():
                        os.kill(int(pid), signal.SIGKILL)
                        found = True
            except OSError:
                pass
        if not found:
            return


def stop_on_signal(number, _frame):
    kill_leftovers("KEELSON_TEST_ID=" + RUN_ID)
    os._exit(128 + number)


def remove_scratch(path):
    """Remove a scratch directory, but never through a mount that a test left in it."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as f:
        mounts = [line.split()[4] for line in f]
    for mount in sorted(mounts, reverse=True):
        if mount.startswith(path + "/") or mount == path:
            if subprocess.run(["umount", "-l", mount], stderr=subprocess.DEVNULL).returncode:
                return
    shutil.rmtree(path, ignore_errors=True)


def last_line(path):
    with open(path, "rb") as f:
        f.seek(max(0, os.fstat(f.fileno()).st_size - 400))
        lines = f.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:70]


def run(test, log_dir, base_env):
    """Run one test program; print its progress line, and everything it said if it failed."""
    # A name of this run's own until it is judged: another run in the same tree may be at work.
    final = os.path.join(log_dir, test.name.replace("/", "-"))
    stem = f"{final}.{os.getpid()}"
    scratch = tempfile.mkdtemp(prefix="keelson-test-")
    test_id = f"{RUN_ID}/{uuid.uuid4().hex}"
    env = dict(base_env, TMPDIR=scratch, KEELSON_TEST_ID=test_id)
    start = time.monotonic()
    timed_out = False
    try:
        with open(stem + ".out", "wb") as out, open(stem + ".err", "wb") as err:
            process = subprocess.Popen(test.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                       env=env, start_new_session=True)
            while True:
                elapsed = time.monotonic() - start
                try:
                    process.wait(min(HEARTBEAT_S, max(0.01, test.timeout_s - elapsed)))
                    break
                except subprocess.TimeoutExpired:
                    elapsed = time.monotonic() - start
                    if elapsed >= test.timeout_s:
                        timed_out = True
                        os.killpg(process.pid, signal.SIGKILL)
                        process.wait()
                        break
                    say(f"...   {test.name} running for {elapsed:.0f} s: {last_line(stem + '.out')}")
            status = process.returncode
    except OSError as error:
        status = 127
        with open(stem + ".err", "ab") as err:
            err.write(f"cannot run {test.argv[0]}: {error}\n".encode())
    finally:
        kill_leftovers("KEELSON_TEST_ID=" + test_id)
        remove_scratch(scratch)

    texts = []
    for suffix in ".out", ".err":
        with open(stem + suffix, encoding="utf-8", errors="replace") as f:
            texts.append(f.read())
        os.replace(stem + suffix, final + suffix)
    outcome = judge(texts[0], status, timed_out)
    seconds = time.monotonic() - start
    word = "FAIL " if outcome.failed else "ok   " if outcome.passed else "skip "
    detail = f"{outcome.passed} passed"
    if outcome.failed:
        detail += f", {outcome.failed} failed"
    if outcome.skipped:
        detail += f", {outcome.skipped} skipped"
    text = f"{word} {test.name} ({detail}, {seconds:.1f} s)"
    if outcome.failed:
        for title, body in ("standard output", texts[0]), ("standard error", texts[1]):
            text += f"\n    --- {test.name}: {title}"
            text += "".join(f"\n    {line}" for line in body.splitlines())
        text += f"\n    --- {test.name}: end"
        for problem in outcome.problems:
            text += f"\n    {test.name}: {problem}"
    say(text)
    return outcome


# --- finding -------------------------------------------------------------------------------------


def header(path):
    """The `keelson-test:` settings of a file, from its first 20 lines."""
    settings = {}
    with open(path, "rb") as f:
        for line in f.read(4096).split(b"\n")[:20]:
            match = re.search(rb"keelson-test:\s*(.*)", line)
            for word in match[1].decode(errors="replace").split() if match else []:
                key, _, value = word.partition("=")
                settings[key] = value
    return settings


def unit_timeout_s(target):
    """The longest time that one of its sources asks for."""
    sources = [path for part in target.get("target_sources", ()) for path in part.get("sources", ())]
    return max((float(header(path).get("timeout", 0)) for path in sources if os.path.exists(path)),
               default=0) or TIMEOUT_S["unit"]


def find_unit(build_dirs):
    """The programs unit-* that meson was told to build: a stale file is not run, a missing one fails."""
    for build in build_dirs:
        try:
            with open(os.path.join(build, "meson-info/intro-targets.json"), encoding="utf-8") as f:
                targets = json.load(f)
        except FileNotFoundError:
            continue
        for target in sorted(targets, key=lambda t: t["name"]):
            if target["type"] == "executable" and target["name"].startswith("unit-"):
                name = f"{os.path.basename(build)}/{target['name']}"
                yield Test(name, "unit", [target["filename"][0]], unit_timeout_s(target))


def find_checks(paths, every):
    for path in paths:
        settings = header(path)
        name = f"check/{os.path.basename(path)}"
        if settings.get("tier") == "all" and not every:
            say(f"later {name} (runs with --all)")
            continue
        timeout_s = float(settings.get("timeout", TIMEOUT_S["check"]))
        yield Test(name, "check", [os.path.abspath(path)], timeout_s)


def find_scripts(stage, directory, every):
    if not os.path.isdir(directory):
        return
    for entry in sorted(os.listdir(directory)):
        path = os.path.abspath(os.path.join(directory, entry))
        if not fnmatch.fnmatch(entry, "*.test.*"):
            continue
        settings = header(path)
        if settings.get("tier") == "all" and not every:
            say(f"later {stage}/{entry} (runs with --all)")
            continue
        timeout_s = float(settings.get("timeout", TIMEOUT_S[stage]))
        yield Test(f"{stage}/{entry}", stage, [path], timeout_s)


def selected(test, patterns):
    return not patterns or any(p in test.name or fnmatch.fnmatch(test.name, p) for p in patterns)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", action="append", default=[], choices=list(TIMEOUT_S))
    parser.add_argument("--all", action="store_true", help="also tests of tier=all")
    parser.add_argument("--build", action="append", default=[], help="a meson build directory")
    parser.add_argument("--log", required=True, help="where each program's output is kept")
    parser.add_argument("--check", action="append", default=[], metavar="PROGRAM",
                        help="a program for the stage `check`")
    parser.add_argument("--timeout", type=float, help="one time for every program, in seconds")
    parser.add_argument("--list", action="store_true", help="print the names and run nothing")
    parser.add_argument("name", nargs="*", help="run only tests whose name contains or matches NAME")
    args = parser.parse_args()

    tests = []
    for stage in args.stage:
        if stage == "check":
            tests += find_checks(args.check, args.all)
        elif stage == "unit":
            tests += find_unit(args.build)
        else:
            tests += find_scripts(stage, os.path.join("tests", stage), args.all)
    tests = [t._replace(timeout_s=args.timeout or t.timeout_s)
             for t in tests if selected(t, args.name)]
    if args.list:
        print("\n".join(t.name for t in tests))
        return 0

    os.makedirs(args.log, exist_ok=True)
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", PYTHONDONTWRITEBYTECODE="1")
    if args.all:
        env["KEELSON_TEST_ALL"] = "1"
    env.setdefault("ASAN_OPTIONS", "detect_stack_use_after_return=1:strict_string_checks=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")

    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, stop_on_signal)
    outcomes = []
    for parallel in True, False:
        batch = [t for t in tests if (t.stage in PARALLEL) == parallel]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() if parallel else 1) as pool:
            outcomes += pool.map(lambda t: run(t, args.log, env), batch)

    passed, failed, skipped = (sum(column) for column in
                               zip(*[o[:3] for o in outcomes])) if outcomes else (0, 0, 0)
    if not passed and not failed:
        print("no test ran", file=sys.stderr)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
