#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=900
"""The cases of the other files once more, with a PID 1 under AddressSanitizer and UBSan."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = ("start", "stop", "crash", "hooks", "life", "notify", "ready", "control", "confine", "log",
         "hostile", "exhaustion", "edges", "pid1", "host", "shutdown", "survival")

build = os.environ.get("KEELSON_BUILD_ASAN", str(HERE.parents[1] / "build/glibc"))
init = Path(build) / "init/keelson-init"
if not os.access(init, os.X_OK):
    print(f"1..0 # SKIP {init} is not built")
    sys.exit(0)
# PID 1 is never left, so nothing it holds is a leak; its fault handlers are its own.
environment = dict(os.environ, KEELSON_TEST_INIT=str(init),
                   ASAN_OPTIONS="detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_abort=0:"
                                "handle_sigill=0:handle_sigfpe=0")
failed = [name for name in FILES
          if subprocess.run([sys.executable, HERE / f"{name}.test.py"], env=environment).returncode]
sys.exit(1 if failed else 0)
