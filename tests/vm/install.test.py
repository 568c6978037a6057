#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=1800
"""keelctl slot install: bundles from a second disk into the other slot, there and back.

Two builds of one node: profile/slots.yaml runs, profile/slots-next.yaml is installed. The bundles,
whole ones and deltas, lie on a second disk, at multiples of 4096 bytes.
"""

import os
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, image, unmet  # noqa: E402
from harness.image import BUILD  # noqa: E402
from harness.tap import contains, equal  # noqa: E402

TRIES = 3
BLOCK = 4096
HEADER_BYTES = 2048
MACHINE_AT, EPOCH_AT, DATA_BLOCKS_AT, ROOT_HASH_AT = 20, 24, 240, 264  # slot_header.h, frozen
UNPACKED_AT, BASE_HASH_AT, CRC_AT = 32, 40, 12  # bundle.h
HEAD_BYTES = 2 * BLOCK
CUTS = 20
WHOLE = 1 if os.environ.get("KEELSON_TEST_ALL") else 5  # of so many cuts one is made good
BOOTED_CUTS = (4, 17)
MEMORY_KIB = 16 * 1024

# Exit statuses, init/slot_node.h.
ARCHITECTURE, OUTDATED, UNSIGNED, TOO_LARGE = 10, 11, 12, 13
ALREADY, REJECTED, DELTA, NO_BUNDLE, CUT_OFF, BUSY, ELSEWHERE = 15, 16, 17, 18, 19, 20, 21


def keelson():
    return next(path for path in Path(BUILD).rglob("keelson")
                if path.is_file() and os.access(path, os.X_OK))


def bundle(made, path, *options):
    subprocess.run([keelson(), "bundle", made.directory, "-o", path, "-q", *options], check=True,
                   stdout=subprocess.DEVNULL)
    return Path(path).read_bytes()


def frames(whole):
    """Where the frames of a bundle begin, and where the last one ends."""
    at, found = HEAD_BYTES, [HEAD_BYTES]
    while at < len(whole):
        packed, ranges = struct.unpack_from("<II", whole, at)
        at += 8 + 8 * ranges + packed
        found.append(at)
    equal(at, len(whole), "end of the last frame")
    return found


def sealed(head):
    struct.pack_into("<I", head, CRC_AT, 0)
    struct.pack_into("<I", head, CRC_AT, zlib.crc32(head))
    return bytes(head)


def changed(made, whole, at, form, value):
    """The start of a bundle with one field of its header changed, signed as the whole one is."""
    header = bytearray(whole[:HEADER_BYTES])
    struct.pack_into(form, header, at, value)
    start = bytes(header) + made.sign(bytes(header)).ljust(HEADER_BYTES, b"\0")
    head = bytearray(whole[BLOCK:2 * BLOCK])
    if at == DATA_BLOCKS_AT:
        hash_blocks = struct.unpack_from("<Q", header, DATA_BLOCKS_AT + 16)[0]
        struct.pack_into("<Q", head, UNPACKED_AT, (value + hash_blocks) * BLOCK)
    return start + sealed(head)


def other_base(delta):
    """The start of a delta that names another base."""
    head = bytearray(delta[BLOCK:HEAD_BYTES])
    head[BASE_HASH_AT] ^= 1
    return delta[:BLOCK] + sealed(head) + delta[HEAD_BYTES:]


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


class Shelf:
    """The second disk: pieces of bytes, each found by its name."""

    def __init__(self, path):
        self.path = path
        self.places = {}
        self.data = b""

    def put(self, name, data):
        self.places[name] = (len(self.data), len(data))
        self.data += data + bytes(-len(data) % BLOCK)

    def store(self):
        Path(self.path).write_bytes(self.data)

    def size(self, name):
        return self.places[name][1]

    def read(self, name, first=0, size=None):
        """A command of the guest that writes the piece, or some of it, to its output."""
        at, whole = self.places[name]
        size = whole - first if size is None else size
        return f"tail -c +{at + first + 1} /dev/vdb | head -c {size}"

    def options(self):
        return ("-drive", f"if=none,id=shelf,file={self.path},format=raw,readonly=on",
                "-device", "virtio-blk-pci,drive=shelf")


class Bench:
    def __init__(self, made, shelf, work):
        self.made = made
        self.shelf = shelf
        self.work = work
        self.places = []  # of the frames of "b"
        self.disk = Disk(made.disk).clone(f"{work}/disk.img")

    def boot(self, name, disk=None):
        log = Path(f"build/test-log/install-{name}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        return Machine(self.made.kernel, self.made.initrd, (disk or self.disk).path,
                       self.made.cmdline(),
                       memory="512M", log=log, extra=self.shelf.options())


def settle(machine, slot, since=0):
    machine.wait(f"slot {slot}: blessed at", timeout=120, since=since)


def install(agent, shelf, name, options="", size=None):
    return agent.run(f"{shelf.read(name, 0, size)} | keelctl slot install {options} -",
                     timeout=120)


def header(disk, slot):
    return disk.partition_read(f"root-{slot}-header", 0, BLOCK)


def refusals(tap, bench, agent):
    before = bench.disk.slots()
    signed = header(bench.disk, "b")
    assert any(signed)
    for name, status, word in (
            ("unsigned", UNSIGNED, "signature"), ("tampered", UNSIGNED, "signature"),
            ("foreign key", UNSIGNED, "does not trust"),
            ("architecture", ARCHITECTURE, "architecture"), ("large", TOO_LARGE, "fit"),
            ("outdated", OUTDATED, "epoch"), ("a", ALREADY, "runs already"),
            ("nothing", NO_BUNDLE, "no bundle"), ("short", CUT_OFF, "cut off")):
        with tap.case(f"refused before a byte is written: {name}"):
            found, told = install(agent, bench.shelf, name)
            equal(found, status, told)
            contains(told, word, "message")
            agent.out("sync")
            equal(bench.disk.slots(), before, "bits")
            assert header(bench.disk, "b") == signed, "the header of slot b was written"


def is_empty(bench, before):
    """Slot b cannot be booted, and slot a is as it was."""
    slots = bench.disk.slots()
    equal(slots["b"], (0, 0, False), "slot b")
    equal(slots["a"], before, "slot a")
    assert not any(header(bench.disk, "b")), "slot b has a header"


def damaged(tap, bench, agent):
    before = bench.disk.slots()["a"]
    with tap.case("a stream with a flipped bit is refused, and the slot is not bootable"):
        found, told = install(agent, bench.shelf, "flipped")
        equal(found, NO_BUNDLE, told)
        is_empty(bench, before)
    with tap.case("a stream that unpacks to other bytes is noticed when it is read back"):
        found, told = install(agent, bench.shelf, "other content")
        equal(found, NO_BUNDLE, told)
        contains(told, "read back", "message")
        is_empty(bench, before)
    with tap.case("an installer that is killed leaves a slot that is not bootable"):
        # The pipe stays open, so the installer waits for more; a second one is refused meanwhile.
        agent.out(f"mkfifo /run/f && {{ ({bench.shelf.read('b', 0, 4 << 20)}; sleep 600) >/run/f & }}"
                  " ; (exec keelctl slot install - </run/f >/run/told 2>&1) & echo $! >/run/pid")
        agent.until("grep % /run/told")
        found, told = install(agent, bench.shelf, "b")
        equal(found, BUSY, told)
        agent.out("kill -9 $(cat /run/pid); rm /run/f")
        is_empty(bench, before)


def is_armed(bench, before):
    slots = bench.disk.slots()
    equal(slots["b"], (before[0] + 1, TRIES, False), "slot b")
    equal(slots["a"], before, "slot a")
    assert any(header(bench.disk, "b")), "slot b has no header"


def boots_the_old_one(bench, name):
    """The disk as it is now, in a machine of its own, beside the other: it need not be fast."""
    disk = bench.disk.clone(f"{bench.work}/{name}.img")
    with bench.boot(name, disk) as machine:
        machine.wait("slot b: unsigned", timeout=120)
        machine.wait("slot a: chosen: best bootable", timeout=120)
        machine.wait("service: absent: ", timeout=120)  # of the root, which is mounted
    Path(disk.path).unlink()


def anew(bench, agent):
    """As if slot b had never been written."""
    device = bench.disk.partitions()["root-b-header"].number
    agent.out(f"head -c {BLOCK} /dev/zero >/dev/vda{device}; rm /run/reboot-required; sync")


def unheard(tap, bench, agent):
    before = bench.disk.slots()["a"]
    for what, how in (("whose reader goes away", "--json /dev/vdb | head -n 1"),
                      ("that was started without output", "/dev/vdb >&- 2>&-")):
        with tap.case(f"an install {what} is done all the same"):
            found, told = agent.run(f"set -o pipefail; keelctl slot install {how}", timeout=180)
            equal(found, 0, told)
            # The first file that it opened would have been its output.
            agent.out("test ! -s /run/keelson/install.lock")
            agent.out("sync")
            is_armed(bench, before)
            anew(bench, agent)


def cuts(tap, bench, agent):
    before = bench.disk.slots()["a"]
    size = bench.shelf.size("b")
    for number in range(CUTS):
        cut = HEAD_BYTES + (size - HEAD_BYTES) * number // (CUTS - 1) - (number == CUTS - 1)
        with tap.case(f"cut off after {cut} of {size} bytes: not bootable, the other untouched"):
            found, told = install(agent, bench.shelf, "b", "", cut)
            equal(found, CUT_OFF, told)
            is_empty(bench, before)
            if number in BOOTED_CUTS:
                agent.out("sync")
                boots_the_old_one(bench, f"cut-{number}")
        if number % WHOLE != WHOLE - 1:
            continue
        with tap.case("... and the same bundle, given again, is installed"):
            found, told = install(agent, bench.shelf, "b")
            equal(found, 0, told)
            agent.out("sync")
            is_armed(bench, before)
            anew(bench, agent)


def goes_on(tap, bench, agent):
    before = bench.disk.slots()["a"]
    places = bench.places
    head = bench.shelf.read("b", 0, HEAD_BYTES)
    with tap.case("it goes on at the frame that was not whole, and says at which byte"):
        equal(agent.out(f"{head} | keelctl slot install --next -").strip(), str(places[0]), "anew")
        found, told = install(agent, bench.shelf, "b", "--json", places[2] + 1000)
        equal(found, CUT_OFF, told)
        contains(told, f'"offset": {places[2]}', "lines")
        equal(agent.out(f"{head} | keelctl slot install --next -").strip(), str(places[2]), "next")
        is_empty(bench, before)
    with tap.case("a pipe that begins at another byte is refused"):
        found, told = agent.run(f"({head}; {bench.shelf.read('b', places[1])}) | "
                                f"keelctl slot install --from {places[1]} -")
        equal(found, ELSEWHERE, told)
        contains(told, str(places[2]), "message")
    with tap.case("a pipe that begins at that byte is taken, cut off again, and goes on behind it"):
        found, told = agent.run(f"({head}; {bench.shelf.read('b', places[2], places[3] - places[2])})"
                                f" | keelctl slot install --from {places[2]} -", timeout=120)
        equal(found, CUT_OFF, told)
        contains(told, str(places[3]), "message")
        is_empty(bench, before)
    with tap.case("another bundle begins anew"):
        found, told = install(agent, bench.shelf, "delta b", "", HEAD_BYTES + 100)
        equal(found, CUT_OFF, told)
        equal(agent.out(f"{head} | keelctl slot install --next -").strip(), str(places[0]), "anew")


def measured(agent, shelf, name):
    """Install from a pipe; the peak of memory in KiB, asked for when all but a byte was read."""
    last = shelf.size(name) - 1
    status, told = agent.run(
        "mkfifo /run/f; (exec keelctl slot install - </run/f) & pid=$!; exec 3>/run/f;"
        f" {shelf.read(name, 0, last)} >&3; grep VmHWM /proc/$pid/status;"
        f" {shelf.read(name, last)} >&3; exec 3>&-; wait $pid; status=$?; rm /run/f;"
        " [ $status = 0 ]", timeout=180)
    equal(status, 0, told)
    memory = int(told.split("VmHWM:")[1].split()[0])
    print(f"# {name}: {memory} KiB at most")
    return memory


def there(tap, bench, agent):
    before = bench.disk.slots()["a"]
    with tap.case("an image is installed from a file, and boots next"):
        told = agent.out("keelctl slot install --json /dev/vdb", timeout=180)
        contains(told, '"event": "next"', "lines")
        contains(told, '"event": "installed"', "lines")
        contains(told, '"event": "written"', "lines")
        is_armed(bench, before)
    with tap.case("what waits for a reboot is told"):
        contains(agent.out("cat /run/reboot-required"), "restart required", "file")
        contains(agent.out("cat /run/reboot-required.pkgs"), "2.0.0", "file")
    with tap.case("an image that the slot holds already is refused"):
        found, told = agent.run("keelctl slot install /dev/vdb")
        equal(found, ALREADY, told)


def back(tap, bench, machine, agent):
    with tap.case("the installed image boots and is blessed"):
        mark = machine.mark()
        agent.send("keelctl reboot")
        machine.wait("slot b: chosen: best bootable", timeout=120, since=mark)
        settle(machine, "b", mark)
        agent.wait()
        equal(agent.out("cat /usr/share/next"), "the next image\n", "file of the image")
    with tap.case("a cut-off install empties the old slot, and the one that runs is untouched"):
        before = bench.disk.slots()["b"]
        found, told = install(agent, bench.shelf, "another", "", 4 << 20)
        equal(found, CUT_OFF, told)
        equal(bench.disk.slots(), {"a": (0, 0, False), "b": before}, "slots")
    with tap.case("a delta against another image than the one that runs is refused"):
        found, told = install(agent, bench.shelf, "delta a, other base")
        equal(found, DELTA, told)
    with tap.case("and back, by a delta from a pipe, in less than 16 MiB of memory"):
        memory = measured(agent, bench.shelf, "delta a")
        assert memory < MEMORY_KIB, f"{memory} KiB"
        mark = machine.mark()
        agent.send("keelctl reboot")
        settle(machine, "a", mark)
        agent.wait()
        assert agent.run("cat /usr/share/next")[0], "a file of the other image"
    with tap.case("there again, whole, in less than 16 MiB of memory"):
        device = bench.disk.partitions()["root-b-header"].number
        agent.out(f"head -c {BLOCK} /dev/zero >/dev/vda{device}; sync")
        memory = measured(agent, bench.shelf, "b")
        assert memory < MEMORY_KIB, f"{memory} KiB"
        mark = machine.mark()
        agent.send("keelctl reboot")
        settle(machine, "b", mark)
        agent.wait()
    with tap.case("a delta that is cut off goes on"):
        for part in (1, 2):
            found, told = install(agent, bench.shelf, "delta a", "",
                                  bench.shelf.size("delta a") * part // 3)
            equal(found, CUT_OFF, told)
        found, told = install(agent, bench.shelf, "delta a")
        equal(found, 0, told)
        mark = machine.mark()
        agent.send("keelctl reboot")
        settle(machine, "a", mark)
        agent.wait()


def rejected(tap, bench):
    """The disk as it is now: a runs, b holds the next image, blessed."""
    with bench.boot("reject") as machine:
        agent = Agent(machine)
        settle(machine, "a")
        agent.wait()
        agent.out("echo b >/var/gate; sync")
        agent.send("keelctl poweroff")
        machine.ended(60)
    bench.disk.set_slot("b", 15, 1, False)
    with bench.boot("rejected") as machine:
        agent = Agent(machine)
        settle(machine, "a")
        agent.wait()
        with tap.case("an image that was never healthy here is refused"):
            found, told = agent.run("keelctl slot install /dev/vdb")
            equal(found, REJECTED, told)
            contains(told, "--force", "message")
        with tap.case("--force installs it all the same"):
            agent.out("keelctl slot install --force /dev/vdb", timeout=180)
            priority, tries, _ = bench.disk.slots()["b"]
            equal((priority > bench.disk.slots()["a"][0], tries), (True, TRIES), "slot b")


def fill_shelf(shelf, made, following, work):
    whole = bundle(following, f"{work}/b.bundle")
    own = bundle(made, f"{work}/a.bundle")
    shelf.put("b", whole)
    shelf.put("a", own)
    shelf.put("unsigned", whole[:HEADER_BYTES] + bytes(HEADER_BYTES) + whole[BLOCK:2 * BLOCK])
    shelf.put("tampered", flipped(whole[:2 * BLOCK], EPOCH_AT))
    shelf.put("foreign key", flipped(whole[:2 * BLOCK], 192))
    shelf.put("architecture", changed(following, whole, MACHINE_AT, "<I", 8))
    shelf.put("outdated", changed(following, whole, EPOCH_AT, "<Q", 0))
    shelf.put("large", changed(following, whole, DATA_BLOCKS_AT, "<Q", 1 << 20))
    another = changed(following, whole, ROOT_HASH_AT, "<I", 0)
    shelf.put("another", another + whole[2 * BLOCK:])
    shelf.put("nothing", bytes(2 * BLOCK))
    shelf.put("short", whole[:BLOCK])
    shelf.put("flipped", flipped(whole, len(whole) // 2))
    delta = bundle(following, f"{work}/delta-b.bundle", "--delta-from", made.directory)
    shelf.put("delta b", delta)
    delta = bundle(made, f"{work}/delta-a.bundle", "--delta-from", following.directory)
    shelf.put("delta a", delta)
    shelf.put("delta a, other base", other_base(delta))
    print(f"# {len(whole)} bytes whole, {len(delta)} bytes of delta")
    # The header of one image and the content of the other, which is as large.
    shelf.put("other content", whole[:BLOCK] + own[BLOCK:])
    shelf.store()
    return frames(whole)


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    made, following = image("slots"), image("slots-next")
    with tempfile.TemporaryDirectory() as work:
        shelf = Shelf(f"{work}/shelf.img")
        places = fill_shelf(shelf, made, following, work)
        bench = Bench(made, shelf, work)
        bench.places = places
        with bench.boot("there") as machine:
            agent = Agent(machine)
            settle(machine, "a")
            agent.wait()
            refusals(tap, bench, agent)
            damaged(tap, bench, agent)
            cuts(tap, bench, agent)
            goes_on(tap, bench, agent)
            unheard(tap, bench, agent)
            there(tap, bench, agent)
            back(tap, bench, machine, agent)
            agent.send("keelctl poweroff")
            machine.ended(60)
        rejected(tap, bench)
    tap.end()


if __name__ == "__main__":
    main()
