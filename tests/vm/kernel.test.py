#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=900
"""The slot's own kernel: a node whose update brings another kernel package.

Image A has Debian's cloud kernel (profile/kernel.yaml), image B its general one
(profile/watchdog.yaml). QEMU always starts the kernel that it was given, as a loader does whose
bootstrap is not replaced; the cases say which. What goes wrong with such a kernel: kexec.test.py.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, image, unmet  # noqa: E402
from harness import writes  # noqa: E402
from harness.bundle import bundle  # noqa: E402
from harness.esp import PREVIOUS, Esp, Loader  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

TRIES = 3

FOREIGN = "its kernel is not the one that runs"
GOES_ON = "goes on under its own kernel"
REPLACED = "bootstrap: replaced"


class Bench:
    def __init__(self, work):
        self.work = work
        self.a = image("kernel")
        self.b = image("watchdog")
        self.shelf = bundle(self.b, f"{work}/b.bundle")
        self.count = 0

    def boot(self, disk, bootstrap, *words, logged=None):
        """`logged`: a file that takes everything that is written to the disk."""
        self.count += 1
        log = Path(f"build/test-log/kernel-{self.count}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        extra = writes.options(disk.path, logged) if logged else ()
        return Machine(bootstrap.kernel, bootstrap.initrd, None if logged else disk.path,
                       bootstrap.cmdline(*words), memory="512M", log=log,
                       cpus=1,  # an emulated second CPU is not always there again after a kexec
                       extra=(*extra, "-drive",
                              f"if=none,id=shelf,file={self.shelf},format=raw,readonly=on",
                              "-device", "virtio-blk-pci,drive=shelf"))


def release(made):
    return made.manifest["kernel"]["release"]


def settle(machine, slot, since=0):
    machine.wait(f"slot {slot}: blessed at", timeout=120, since=since)


def power_off(machine, agent):
    agent.send("keelctl poweroff")
    machine.ended(60)


def power_cuts(tap, esp, log, part, before, after):
    """The power fails at any write to the ESP: everything that was flushed is there, and of what was
    not, all, none, all but one, or one alone. What the entry names is there, whole, one or the other."""
    tried = 0
    seen = set()

    def look():
        nonlocal tried
        tried += 1
        found = esp.entry()
        assert found, "no entry"
        which = [name for name, pair in (("before", before), ("after", after))
                 if found[:2] == pair]
        equal(len(which), 1, "pairs that the entry could name")
        seen.add(which[0])
        esp.entry(PREVIOUS)

    def put(file, write):
        file.seek(write.offset)
        old = file.read(len(write.data))
        file.seek(write.offset)
        file.write(write.data)
        return writes.Write(write.offset, old, False, False)

    def without(file, pending, left):
        """Look at the disk with the writes `left` of `pending` only, then as it was."""
        undo = [put(file, pending[i]) for i in left]
        look()
        for write in reversed(undo):
            put(file, write)

    with tap.case("the power may fail at any write to the ESP: an entry and its files are whole"):
        with open(esp.path, "r+b", buffering=0) as file:
            pending = []
            look()
            for write in writes.within(writes.read(log), part.offset_bytes, part.size_bytes):
                if write.flush and pending:
                    every = range(len(pending))
                    if len(pending) > 1:
                        # Large files are many writes, and which of them is missing tells nothing new.
                        for one in every if len(pending) <= 12 else (0, len(pending) - 1):
                            without(file, pending, [one])
                            without(file, pending, [i for i in every if i != one])
                    for one in pending:
                        put(file, one)
                    pending = []
                    look()
                if write.data:
                    pending.append(write)
            for one in pending:
                put(file, one)
            look()
        equal(seen, {"before", "after"}, "what was found")
        print(f"# {tried} disks")


def there(tap, bench, disk, log):
    """A runs, B is installed and boots under its kernel."""
    with bench.boot(disk, bench.a, "keelson.trace", logged=log) as machine:
        agent = Agent(machine)
        settle(machine, "a")
        agent.wait()
        with tap.case("a slot whose kernel the loader started needs no other"):
            equal(agent.out("uname -r").strip(), release(bench.a), "kernel")
            assert FOREIGN not in machine.text(), machine.text()
        with tap.case("an image with another kernel is installed"):
            agent.out("keelctl slot install /dev/vdb", timeout=180)
        mark = machine.mark()
        agent.send("keelctl reboot")
        with tap.case("its kernel is started, and the boot goes on with its slot"):
            machine.wait("slot b: chosen: best bootable", timeout=120, since=mark)
            line = machine.wait(FOREIGN, timeout=60, since=mark)
            contains(line, release(bench.a), "line")
            line = machine.wait(GOES_ON, timeout=120, since=mark)
            contains(line, "slot b", "line")
            contains(line, release(bench.a), "line")
        with tap.case("its try was burned once, by the first kernel"):
            equal(disk.slots()["b"][1:], (TRIES - 1, False), "slot b")
        with tap.case("it runs under its own kernel, with its modules, and is blessed"):
            settle(machine, "b", mark)
            agent.wait()
            equal(agent.out("uname -r").strip(), release(bench.b), "kernel")
            contains(agent.out("cat /proc/modules"), "ext4", "modules")
            equal(disk.slots()["b"][1:], (TRIES, True), "slot b")
            chosen = [line for line in machine.console[mark:] if ": chosen:" in line]
            equal(len(chosen), 1, "choices of this boot")
        with tap.case("what the loader said reached the second kernel, and nothing else did"):
            words = agent.out("cat /proc/cmdline").split()
            for word in ("console=ttyS0", "panic=1", "keelson.trace"):
                assert word in words, words
            equal(len(words), len(set(words)), "words")
            assert "kernel.old=1" not in words, "a word of the other image's"
        with tap.case("the timeline tells of the kexec, and how long it took to get there"):
            told = agent.out("keelctl analyze")
            contains(told, "kexec b after ", "what people see")
            contains(told, "before the kexec", "what people see")
            contains(machine.text(), "keelson: trace: slot ", "console")
            events = json.loads(agent.out("keelctl analyze --json"))["events"]
            first = [event["name"] for event in events if event["kind"] == "bootstrap"]
            equal((first[0], first[-1]), ("kernel", "root"), "phases of the first kernel")
            assert all(event["end_ns"] > event["start_ns"] for event in events
                       if event["kind"] == "bootstrap"), events
        with tap.case("after the blessing the bootstrap is replaced by the kernel that was blessed"):
            machine.wait(REPLACED, timeout=90, since=mark)
            contains(agent.out("keelctl slot bootstrap 2>&1"), "is that of this image", "again")
        with tap.case("how the boot before ended is told past the kexec"):
            contains(agent.out("keelctl last"), "orderly", "record")
        power_off(machine, agent)


def on_the_esp(tap, bench, disk, fresh, log):
    """What there() left on the ESP, and at every write on the way."""
    part = disk.partitions()["esp"]
    esp = Esp(disk.extract("esp", f"{bench.work}/esp-after.img"))
    pair_a = bench.a.kernel.read_bytes(), bench.a.initrd.read_bytes()
    pair_b = bench.b.kernel.read_bytes(), bench.b.initrd.read_bytes()
    with tap.case("the loader's entry names the kernel that was blessed, and one the pair before it"):
        kernel, initrd, options = esp.entry()
        assert (kernel, initrd) == pair_b, "other files"
        equal(options, [bench.b.manifest["kernel"]["cmdline"]], "options")
        assert esp.entry(PREVIOUS)[:2] == pair_a, "other files before"
        equal(len(esp.names()), 4, "files")
        check = subprocess.run(["fsck.vfat", "-n", esp.path], check=False, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        equal(check.returncode, 0, check.stdout)
    power_cuts(tap, Esp(fresh.extract("esp", f"{bench.work}/esp-cut.img")), log, part, pair_a,
               pair_b)


def steady(tap, bench, disk):
    """The loader starts what lies on the ESP now."""
    loader = Loader(disk, bench.work)
    with bench.boot(disk, loader) as machine:
        with tap.case("the steady state: what the loader starts now needs no kexec"):
            settle(machine, "b")
            agent = Agent(machine).wait()
            equal(agent.out("uname -r").strip(), release(bench.b), "kernel")
            assert FOREIGN not in machine.text(), machine.text()
            assert "bootstrap:" not in machine.text(), machine.text()
        power_off(machine, agent)
    return loader


def back(tap, bench, disk, loader):
    """B's kernel is the bootstrap now, and slot a is to be booted."""
    priority = disk.slots()["b"][0]
    disk.set_slot("a", priority + 1, TRIES, True)
    with bench.boot(disk, loader) as machine:
        agent = Agent(machine)
        with tap.case("and back: the other image is started from the new bootstrap"):
            machine.wait(f"slot a: {FOREIGN}, {release(bench.b)}", timeout=90)
            machine.wait(f"slot a: {GOES_ON}", timeout=90)
            equal(disk.slots()["a"], (priority + 1, TRIES - 1, True), "slot a")
            settle(machine, "a")
            agent.wait()
            equal(agent.out("uname -r").strip(), release(bench.a), "kernel")
        with tap.case("a reboot before a verdict gives back the try that the first kernel burned"):
            agent.out("echo a >/var/gate; sync")
            mark = machine.mark()
            agent.send("keelctl reboot")
            machine.wait(GOES_ON, timeout=120, since=mark)
            equal(disk.slots()["a"][1], TRIES - 1, "tries while it runs")
            agent.wait()
            agent.out("sync")
            mark = machine.mark()
            agent.send("keelctl reboot")
            machine.wait("slot a: chosen:", timeout=120, since=mark)
            equal(disk.slots()["a"][1], TRIES - 1, "tries: one back, one burned")
        machine.kill()


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(work)
        fresh = Disk(bench.a.disk)
        disk = fresh.clone(f"{work}/disk.img")
        log = f"{work}/writes"
        there(tap, bench, disk, log)
        on_the_esp(tap, bench, disk, fresh, log)
        back(tap, bench, disk, steady(tap, bench, disk))
    tap.end()


if __name__ == "__main__":
    main()
