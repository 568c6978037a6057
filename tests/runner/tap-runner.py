#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The test runner must not be fooled: each case is a program, and what the runner makes of it."""

import json
import os
import subprocess
import sys
import tempfile
import time

RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../ci/tap-runner.py")

# name, shell program, last line expected, exit status expected
CASES = [
    ("a passing program passes",
     "echo 1..2; echo ok 1 - a; echo ok 2 - b", "2 passed, 0 failed", 0),
    ("a plan at the end is a plan",
     "echo ok 1; echo 1..1", "1 passed, 0 failed", 0),
    ("two groups with a plan each add up",
     "echo 1..1; echo ok 1; echo 1..1; echo ok 1", "2 passed, 0 failed", 0),
    ("a failing result fails",
     "echo 1..2; echo ok 1; echo not ok 2; exit 1", "1 passed, 1 failed", 1),
    ("a failing result fails even when the program exits with 0",
     "echo 1..1; echo not ok 1", "0 passed, 1 failed", 1),
    ("a failing result marked as to do still fails",
     "echo 1..1; echo not ok 1 '# TODO later'", "0 passed, 1 failed", 1),
    ("a skipped result is counted apart",
     "echo 1..2; echo ok 1; echo ok 2 '# SKIP not root'", "1 passed, 0 failed, 1 skipped", 0),
    ("a skipped result as cmocka prints it is not a failure",
     "echo 1..2; echo ok 1; echo not ok 2 '# SKIP name'", "1 passed, 0 failed, 1 skipped", 0),
    ("a failure whose name speaks of a skip is a failure",
     "echo 1..1; echo not ok 1 - parses '# SKIP'", "0 passed, 1 failed", 1),
    ("a run where everything was skipped is not a success",
     "echo 1..0 '# SKIP no kvm'", "0 passed, 0 failed, 1 skipped", 1),
    ("a crash fails",
     "echo 1..1; echo ok 1; kill -SEGV $$", "1 passed, 1 failed", 1),
    ("an exit status fails",
     "echo 1..1; echo ok 1; exit 3", "1 passed, 1 failed", 1),
    ("fewer results than planned fail",
     "echo 1..3; echo ok 1", "1 passed, 1 failed", 1),
    ("more results than planned fail",
     "echo 1..1; echo ok 1; echo ok 2", "2 passed, 1 failed", 1),
    ("no output fails", "true", "0 passed, 1 failed", 1),
    ("no plan fails", "echo ok 1", "1 passed, 1 failed", 1),
    ("a plan of nothing without a reason fails", "echo 1..0", "0 passed, 1 failed", 1),
    ("bailing out fails",
     "echo 1..1; echo ok 1; echo 'Bail out! no disk'", "1 passed, 1 failed", 1),
    ("results on standard error do not count",
     "echo 1..1; echo ok 1 >&2", "0 passed, 1 failed", 1),
    ("a hanging program fails when its time is over",
     "echo 1..1; echo ok 1; sleep 60", "1 passed, 1 failed", 1),
    ("a time in the script's header holds",
     "# keelson-test: timeout=1\necho 1..1; echo ok 1; sleep 60", "1 passed, 1 failed", 1),
    ("a child left behind holds nobody up",
     "echo 1..1; echo ok 1; setsid sleep 60 &", "1 passed, 0 failed", 0),
    ("a program for --all only does not run, and running none is a failure",
     "# keelson-test: tier=all\necho 1..1; echo ok 1", "0 passed, 0 failed", 1),
]


def run_case(program, patterns=()):
    """Run the runner on a tree that holds one program; its last line, status, output and time."""
    with tempfile.TemporaryDirectory() as tree:
        os.makedirs(os.path.join(tree, "tests/ns"))
        path = os.path.join(tree, "tests/ns/case.test.sh")
        with open(path, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n" + program + "\n")
        os.chmod(path, 0o755)
        timeout = [] if "keelson-test:" in program else ["--timeout", "2"]
        start = time.monotonic()
        done = subprocess.run([RUNNER, "--stage", "ns", "--log", os.path.join(tree, "log"),
                               *timeout, *patterns], cwd=tree, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        seconds = time.monotonic() - start
    return done.stdout.splitlines()[-1], done.returncode, done.stdout, seconds


def unit_case(settings):
    """The same for a unit program that sleeps for 2 s, with these settings in its source."""
    with tempfile.TemporaryDirectory() as tree:
        build = os.path.join(tree, "build")
        os.makedirs(os.path.join(build, "meson-info"))
        program, source = os.path.join(build, "unit-case"), os.path.join(tree, "case.c")
        with open(program, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\necho 1..1; sleep 2; echo ok 1\n")
        os.chmod(program, 0o755)
        with open(source, "w", encoding="utf-8") as f:
            f.write(f"/* SPDX-License-Identifier: Apache-2.0 */\n/* {settings} */\n")
        with open(os.path.join(build, "meson-info/intro-targets.json"), "w", encoding="utf-8") as f:
            json.dump([{"name": "unit-case", "type": "executable", "filename": [program],
                        "target_sources": [{"sources": [os.path.join(tree, "made.c"), source]}]}], f)
        done = subprocess.run([RUNNER, "--stage", "unit", "--build", build,
                               "--log", os.path.join(tree, "log")], cwd=tree, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout


def main():
    print(f"1..{len(CASES) + 5}", flush=True)
    number = wrong = 0

    def report(name, problem):
        nonlocal number, wrong
        number += 1
        wrong += bool(problem)
        print(f"{'not ok' if problem else 'ok'} {number} - {name}")
        for line in (problem or "").splitlines():
            print(f"# {line}")
        sys.stdout.flush()

    for name, program, want_line, want_status in CASES:
        line, status, output, seconds = run_case(program)
        problem = ""
        if (line, status) != (want_line, want_status):
            problem = f"got {line!r} and status {status}, not {want_line!r} and {want_status}\n{output}"
        elif seconds > 20:
            problem = f"took {seconds:.0f} s"
        report(name, problem)

    line, status, _, _ = run_case("echo 1..1; echo ok 1", ["no-such-test"])
    report("a name that matches no test is a failure", "" if status else line)
    _, _, output, _ = run_case("echo 1..1; echo not ok 1; echo the reason >&2")
    report("a failure shows what the program said", "" if "the reason" in output else output)
    _, _, output, _ = run_case("echo 1..1; echo ok 1; echo a detail >&2")
    report("a success is one line", output if "a detail" in output else "")
    output = unit_case("keelson-test: timeout=0.5")
    report("a time in the source of a unit program holds", "" if "ran out of time" in output else output)
    output = unit_case("no setting")
    report("a unit program without one has the stage's time",
           "" if "1 passed, 0 failed" in output else output)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
