# SPDX-License-Identifier: Apache-2.0
"""TAP (testanything.org, version 13): one line per case, why it failed below it."""

import contextlib
import sys
import time
import traceback


class Tap:
    """Cases of one test file. A case is a `with` block; an exception in it is its failure.

        tap = Tap()
        with tap.case("the root is read-only"):
            assert ...
        tap.end()
    """

    def __init__(self):
        self.count = 0
        self.failed = 0
        self._start = time.monotonic()

    def _line(self, text):
        print(text, flush=True)

    def note(self, text):
        """Lines for people, told apart from results by '# '."""
        for line in str(text).splitlines() or [""]:
            self._line("# " + line)

    @contextlib.contextmanager
    def case(self, name):
        self.count += 1
        started = time.monotonic()
        try:
            yield
        except Skip as skip:
            self._line(f"ok {self.count} - {name} # SKIP {skip}")
        except Exception:  # noqa: BLE001 - any failure is the case's
            self.failed += 1
            self._line(f"not ok {self.count} - {name}")
            self.note(traceback.format_exc())
        else:
            self._line(f"ok {self.count} - {name}")
        spent = time.monotonic() - started
        if spent >= 1:
            self.note(f"{spent:.1f} s")

    def skip_all(self, reason):
        """Nothing here can run on this machine: say why and end the test."""
        self._line(f"1..0 # SKIP {reason}")
        sys.exit(0)

    def end(self):
        """Print the plan and leave with the test's exit status."""
        self._line(f"1..{self.count}")
        self.note(f"{time.monotonic() - self._start:.0f} s in all")
        sys.exit(1 if self.failed else 0)


class Skip(Exception):
    """Raised inside a case: this machine lacks what the case needs."""


def equal(got, want, what=""):
    """An assertion that tells both sides."""
    if got != want:
        raise AssertionError(f"{what or 'value'}: got {got!r}, want {want!r}")


def contains(text, part, what="text"):
    if part not in text:
        raise AssertionError(f"{part!r} is not in the {what}:\n{text}")
