#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=1200
"""The power fails at any write of an update, from the first boot to the blessing of the new image.

QEMU records every write and flush of a node that boots, is blessed, installs a bundle, is rebooted by
what plays kured, and is blessed in its other slot. Every disk that a cut may have left is judged by
the node's own code (choose.c); some are really booted, more of them with --all.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Agent, Disk, Machine, Tap, image, unmet  # noqa: E402
from harness.image import BUILD  # noqa: E402
from harness.log_writes import LogWrites, Replay, recorder, self_check  # noqa: E402
from harness.tap import Skip, contains, equal  # noqa: E402

ALL = bool(os.environ.get("KEELSON_TEST_ALL"))
SECTOR = 512
BLOCK = 4096
PIECE = 1 << 20

# kured, but for the cluster: it looks for the sentinel, and reboots by signal (docs/slots.md).
KURED = """
while ! [ -e /var/run/reboot-required ]; do sleep 0.2; done
echo "kured: $(cat /var/run/reboot-required.pkgs)" >/dev/kmsg
kill -39 1
"""


class Bench:
    def __init__(self, work):
        self.work = work
        self.made, self.following = image("power"), image("power-next")
        self.bundle = f"{work}/b.bundle"
        keelson = next(path for path in Path(BUILD).rglob("keelson")
                       if path.is_file() and os.access(path, os.X_OK))
        for made in (self.made, self.following):
            subprocess.run([keelson, "verify", made.directory], check=True,
                           stdout=subprocess.DEVNULL)
        subprocess.run([keelson, "bundle", self.following.directory, "-o", self.bundle, "-q"],
                       check=True, stdout=subprocess.DEVNULL)
        with open(self.bundle, "ab") as file:
            file.write(bytes(-os.path.getsize(self.bundle) % BLOCK))

    def boot(self, name, disk=None, first=(), **options):
        log = Path(f"build/test-log/power-{name}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        shelf = ("-drive", f"if=none,id=shelf,file={self.bundle},format=raw,readonly=on",
                 "-device", "virtio-blk-pci,drive=shelf")
        return Machine(self.made.kernel, self.made.initrd, disk, self.made.cmdline(),
                       memory="512M", log=log, extra=(*first, *shelf), **options)


def settle(machine, slot, since=0, agent=None):
    """Wait until this slot is blessed; `agent` is the one of an earlier boot of the machine."""
    machine.wait(f"slot {slot}: blessed at", timeout=120, since=since)
    return (agent or Agent(machine)).wait()


def off(machine, agent):
    agent.send("keelctl poweroff")
    machine.ended(60)


def record(tap, bench, disk, log):
    """The run whose every write is in `log`; false if it did not get to its end."""
    with bench.boot("record", first=recorder(disk.path, log)) as machine:
        with tap.case("the node boots, is blessed, and installs a bundle while all is recorded"):
            agent = settle(machine, "a")
            agent.out(f"cat >/run/kured <<'END'\n{KURED}END\n(sh /run/kured &) >/dev/null 2>&1")
            mark = machine.mark()
            agent.send("keelctl slot install /dev/vdb")
        with tap.case("what waits for the sentinel reboots the node by signal, into the new slot"):
            machine.wait("kured: power 2.0.0", timeout=180, since=mark)
            settle(machine, "b", mark, agent)
            equal(agent.out("cat /usr/share/next"), "the next image\n", "file of the image")
        with tap.case("the sentinel is gone, and the labels tell the new slot"):
            assert agent.run("ls /var/run/reboot-required")[0], "still there"
            labels = agent.out("cat /run/keelson/node-labels")
            for label in ("slot=b", "version=2.0.0", "blessed=true", "reboot-required=false"):
                contains(labels, f"node.keelson/{label}\n", "labels")
            off(machine, agent)
            return True
    return False


class Judge:
    """Which slot boots from a disk, and whether that is a whole image."""

    def __init__(self, bench, disk, replay):
        headers = [made.directory / "header.bin" for made in (bench.made, bench.following)]
        self.replay = replay
        self.process = subprocess.Popen(
            [f"{BUILD}/tests/vm-choose", disk.path, str(SECTOR), *headers], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.places = disk.partitions()
        self.images = {made.manifest["version"]: (made.root.read_bytes(),
                                                  (made.directory / "root.verity").read_bytes())
                       for made in (bench.made, bench.following)}
        self.whole = {}  # slot: version that was found to be whole, until it is written to
        self.disks = 0

    def wrote(self, entry):
        for slot in "ab":
            root, tree = self.places[f"root-{slot}"], self.places[f"root-{slot}-verity"]
            if any(entry.offset < part.offset_bytes + part.size_bytes and
                   entry.end > part.offset_bytes for part in (root, tree)):
                self.whole.pop(slot, None)

    def is_whole(self, slot, version):
        if self.whole.get(slot) == version:
            return True
        for part, content in zip((f"root-{slot}", f"root-{slot}-verity"), self.images[version]):
            at = self.places[part].offset_bytes
            if self.replay.bytes[at:at + len(content)] != content:
                return False
        self.whole[slot] = version
        return True

    def look(self, where):
        """The slot that boots from the disk as it is now; what must hold of every disk does."""
        self.disks += 1
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found = json.loads(self.process.stdout.readline())
        if not found["boot"]:
            raise AssertionError(f"{where}: nothing boots: {found}")
        if not found["slots"][found["boot"]]["sound"]:
            raise AssertionError(f"{where}: an unsound slot boots: {found}")
        for slot, state in found["slots"].items():
            if state["sound"] and not self.is_whole(slot, state["version"]):
                raise AssertionError(f"{where}: slot {slot} is half written: {found}")
        return found

    def close(self):
        self.process.stdin.close()
        if self.process.wait():
            raise AssertionError("vm-choose failed")


class Cuts:
    """Every disk of a log: what boots from each prefix, and of the others whether it may."""

    def __init__(self, log, replay, judge):
        self.log, self.replay, self.judge = log, replay, judge
        self.prefixes = []  # what was found after each entry
        self.kinds = {"whole": 0, "torn": 0, "lost": 0, "alone": 0}
        places = judge.places
        self.data = [(part.offset_bytes, part.offset_bytes + part.size_bytes)
                     for name, part in places.items() if not name.endswith("-header")]

    def apply(self, index, first=0, size=None):
        self.judge.wrote(self.log.entries[index])
        self.replay.apply(self.log.entries[index], first, size)

    def revert(self, *indices):
        self.replay.revert()
        for index in indices:
            self.judge.wrote(self.log.entries[index])

    def look(self, kind, where, allowed=None):
        found = self.judge.look(f"{kind}, {where}")
        self.kinds[kind] += 1
        if allowed and found["boot"] not in allowed:
            raise AssertionError(f"{kind}, {where}: {found}, where one of {allowed} boots")
        return found

    def tears(self, entry):
        """Where to tear a write: the table, headers and marks at each sector, the rest once."""
        if any(first <= entry.offset and entry.end <= last for first, last in self.data):
            return [entry.size // 2 // SECTOR * SECTOR]
        return range(SECTOR, entry.size, SECTOR)

    def window(self, first, end, before):
        """The writes between two flushes: in their order, torn, and each of them lost or alone."""
        writes = [index for index in range(first, end) if self.log.entries[index].writes]
        boots = {before["boot"]}
        torn = []
        for index in range(first, end):
            entry = self.log.entries[index]
            # Torn, on top of all before it.
            if entry.writes:
                self.replay.commit()
                for size in self.tears(entry):
                    if not size:
                        continue
                    self.apply(index, 0, size)
                    torn.append((index, self.look("torn", f"entry {index} at {size}")["boot"]))
                    self.revert(index)
            self.apply(index)
            self.replay.commit()
            found = self.look("whole", f"after entry {index}")
            self.prefixes.append(found)
            boots.add(found["boot"])
        for index, boot in torn:
            assert boot in boots, f"entry {index}, torn: {boot} boots, where one of {boots} does"
        return writes, boots

    def disorder(self, writes, boots, base):
        """`base` holds the bytes before the window; each of its writes lost, and each alone."""
        for chosen in writes if len(writes) > 1 else ():
            for kind in ("lost", "alone"):
                self.replay.commit()
                for at, content in base:
                    self.replay.put(at, content)
                for index in writes:
                    self.judge.wrote(self.log.entries[index])
                    if (index == chosen) == (kind == "alone"):
                        self.apply(index)
                self.look(kind, f"entry {chosen}", boots)
                self.revert(*writes)

    def run(self):
        found = self.look("whole", "before the first write")
        self.prefixes = []
        for first, end in self.log.windows():
            writes = [self.log.entries[i] for i in range(first, end) if self.log.entries[i].writes]
            base = [(entry.offset, self.replay.bytes[entry.offset:entry.end]) for entry in writes]
            indices, boots = self.window(first, end, found)
            self.disorder(indices, boots, base)
            found = self.prefixes[-1]


def extents(path):
    """The pieces of a sparse file that are not holes."""
    with open(path, "rb") as file:
        at, size = 0, os.fstat(file.fileno()).st_size
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA) // PIECE * PIECE
            except OSError:
                return  # a hole up to the end
            yield at
            at += PIECE


def judged(tap, bench, start, disk, log):
    """Judge every cut of the log. Returns what boots after each entry."""
    replayed = start.clone(f"{bench.work}/replayed.img")
    replay = Replay(log, replayed.path)
    judge = Judge(bench, replayed, replay)
    cuts = Cuts(log, replay, judge)
    with tap.case("from every disk that a cut of the power may leave, a sound and whole slot boots"):
        cuts.run()
    tap.note(f"{len(log.entries)} requests, {sum(entry.writes for entry in log.entries)} of them "
             f"writes of {sum(entry.size for entry in log.entries if entry.writes) >> 20} MiB, "
             f"{sum(entry.flushes for entry in log.entries)} flushes")
    tap.note(f"{judge.disks} disks: {cuts.kinds}")
    order = "".join(found["boot"] for found in cuts.prefixes)
    with tap.case("slot a boots until the installation is done, and slot b ever after"):
        assert order.rstrip("b").strip("a") == "" and order[0] == "a" and order[-1] == "b", order
        equal(len(order), len(log.entries), "prefixes")
    with tap.case("the whole log replayed is the disk that the machine left"):
        replay.bytes.flush()
        for at in {*extents(disk.path), *extents(replayed.path)}:
            equal(replayed.read(at, PIECE) == disk.read(at, PIECE), True, f"the MiB at {at}")
    judge.close()
    replay.close()
    os.unlink(replayed.path)
    return cuts.prefixes


def booted(tap, bench, start, log, prefixes):
    """Boot some of the disks; the slot that was foretold gets healthy."""
    switch = next(i for i, found in enumerate(prefixes) if found["boot"] == "b")
    begin = max(i for i in range(switch) if prefixes[i]["slots"]["b"]["sound"] and
                prefixes[i]["slots"]["b"]["version"] == "1.0.0") + 1
    sample = {(begin + switch) // 2: "half of the image is written",
              switch - 1: "the last write before the slot is armed is made",
              switch: "the slot is armed in one copy of the table"}
    if ALL:
        sample.update({len(prefixes) * part // 16: f"{part} sixteenths of all requests are made"
                       for part in range(16)})
        sample[begin] = "the old header is gone"
        sample[len(prefixes) - 1] = "all is done"
    disk = start.clone(f"{bench.work}/cut.img")
    replay = Replay(log, disk.path)
    done = 0
    for index in sorted(sample):
        for entry in log.entries[done:index + 1]:
            replay.apply(entry)
            replay.commit()
        done = index + 1
        slot = prefixes[index]["boot"]
        version = prefixes[index]["slots"][slot]["version"]
        with tap.case(f"cut when {sample[index]}: slot {slot} boots and gets healthy"):
            replay.bytes.flush()
            cut = disk.clone(f"{bench.work}/boot.img")
            with bench.boot(f"cut-{index}", cut.path, reboot=False) as machine:
                agent = settle(machine, slot)
                contains(agent.out("cat /run/keelson/node-labels"),
                         f"node.keelson/version={version}\n", "labels")
                off(machine, agent)
            cut.verify()
            assert cut.slots()[slot][2], "not successful"
    replay.close()


def others_agree(disk):
    """Other programs on the disk as a device with sectors of its size."""
    if os.getuid():
        raise Skip("a loop device needs root")
    loop = subprocess.run(["losetup", "--find", "--show", "--read-only", "--sector-size",
                           str(disk.sector), disk.path], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if loop.returncode:
        raise Skip(f"no loop device: {loop.stderr.strip()}")
    device = loop.stdout.strip()
    try:
        for command, good in ((["sgdisk", "-v", device], "No problems found"),
                              (["sfdisk", "--verify", device], "No errors")):
            tool = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
            contains(tool.stdout, good, f"output of {command[0]}")
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def large_sectors(tap, bench):
    """The same node on sectors of 4096 bytes. QEMU loads the kernel: nobody reads the ESP's FAT,
    which was made for sectors of 512 bytes."""
    disk = Disk(bench.made.disk).clone(f"{bench.work}/large.img")
    disk.to_sectors(4096)
    with bench.boot("sectors", disk.path,
                    device=",logical_block_size=4096,physical_block_size=4096") as machine:
        with tap.case("on sectors of 4096 bytes a node burns a try and is blessed"):
            machine.wait("slot a: chosen:", timeout=60)
            equal(disk.slots()["a"][1:], (2, False), "slot a")
            agent = settle(machine, "a")
            equal(agent.out("cat /sys/block/vda/queue/logical_block_size"), "4096\n")
            equal(disk.slots()["a"][1:], (3, True), "slot a")
        with tap.case("on sectors of 4096 bytes a bundle is installed, boots and is blessed"):
            mark = machine.mark()
            agent.out("keelctl slot install /dev/vdb", timeout=180)
            agent.send("keelctl reboot")
            settle(machine, "b", mark, agent)
            equal(agent.out("cat /usr/share/next"), "the next image\n", "file of the image")
            off(machine, agent)
            equal(disk.slots()["b"][1:], (3, True), "slot b")
    with tap.case("sgdisk and sfdisk find nothing wrong with what was written there"):
        others_agree(disk)


def main():
    tap = Tap()
    if unmet():
        tap.skip_all(unmet())
    with tempfile.TemporaryDirectory() as work:
        with tap.case("the reader of the log reads one that is made by the kernel's document"):
            self_check(work)
        bench = Bench(work)
        start = Disk(bench.made.disk)
        disk, log = start.clone(f"{work}/disk.img"), f"{work}/writes.log"
        if record(tap, bench, disk, log):
            log = LogWrites(log)
            prefixes = judged(tap, bench, start, disk, log)
            if prefixes and prefixes[-1]["boot"] == "b":
                booted(tap, bench, start, log, prefixes)
        large_sectors(tap, bench)
    tap.end()


if __name__ == "__main__":
    main()
