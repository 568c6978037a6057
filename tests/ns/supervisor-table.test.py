#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/supervisor.md and docs/slots.md name a test for each of their claims: they exist, by these names."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/vm/harness"))

from tap import Tap, equal  # noqa: E402

PAGE = (ROOT / "docs/supervisor.md").read_text()
SLOTS = (ROOT / "docs/slots.md").read_text()
WHOLE = ("edges", "exhaustion")  # files of which the page names every case

tap = Tap()


STRINGS = r'((?:f?"(?:[^"\\]|\\.)*"\s*)+)'  # one after the other


def joined(found):
    return re.sub(r'"\s*f?"', "", found.strip())


def exists(stage, name, title):
    """Does the test file have a case of that name?"""
    path = ROOT / "tests" / stage / (name + (".c" if stage == "unit" else ".test.py"))
    if not path.is_file():
        return False
    text = path.read_text()
    if stage == "unit":
        return title in re.findall(r"cmocka_unit_test\w*\(\s*(\w+)", text)
    begins = r"(?:tap\.case\(|refused\(tap, bench,)\s*"
    for case in map(joined, re.findall(begins + STRINGS, text)):
        # Blanks of a name that is filled in stand for anything.
        wanted = re.escape(case.lstrip("f")[1:-1])
        if case[0] == "f":
            wanted = re.sub(r"\\\{.*?\\\}", ".+", wanted)
        if re.fullmatch(wanted, title):
            return True
    return False


for page, text in (("supervisor", PAGE), ("slots", SLOTS)):
    with tap.case(f"every case that the page of the {page} names exists"):
        named = re.findall(r'`(ns|vm|unit)/([\w-]+)` "([^"]+)"', text)
        equal(len(named), text.count('` "'), "cases that can be read")
        missing = [f"{stage}/{name}: {title}" for stage, name, title in named
                   if not exists(stage, name, title)]
        equal(missing, [])

with tap.case("every row of its tables names one"):
    part = PAGE[PAGE.index("## Edge cases"):]
    rows = [line for line in part.splitlines() if line.startswith("| ") and "shown by" not in line]
    assert len(rows) >= 35, len(rows)
    equal([row.split("|")[1] for row in rows
           if not re.search(r'`(ns|vm|unit)/[\w-]+` "', row.split("|")[3])], [])

with tap.case("every row of what may happen to a slot names one"):
    part = SLOTS[SLOTS.index("## What happens when"):SLOTS.index("## Complaints")]
    rows = [line for line in part.splitlines() if line.startswith("| ") and "shown by" not in line]
    assert len(rows) >= 20, len(rows)
    equal([row.split("|")[1] for row in rows
           if not re.search(r'`(ns|vm|unit)/[\w-]+` "', row.split("|")[3])], [])

for name in WHOLE:
    with tap.case(f"every case of ns/{name} is on the page"):
        text = (ROOT / f"tests/ns/{name}.test.py").read_text()
        titles = re.findall(r'tap\.case\("([^"]+)"', text)
        assert titles
        equal([title for title in titles if f'`ns/{name}` "{title}"' not in PAGE], [])

tap.end()
