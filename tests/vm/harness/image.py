# SPDX-License-Identifier: Apache-2.0
"""Images for the tests: composed from a profile once, kept, never written to."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("KEELSON_BUILD") or ROOT / "build/musl")

# What QEMU's console and a test need; the image's own words come from its manifest. Lines of level
# notice and above reach the console.
CONSOLE = "console=ttyS0 loglevel=6 panic=1"


class Image:
    """A directory that `keelson build` filled."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.disk = self.directory / "disk.img"
        self.kernel = self.directory / "vmlinuz"
        self.initrd = self.directory / "initramfs.zst"
        self.manifest = json.loads((self.directory / "manifest.json").read_text())
        self.root = self.directory / f"root.{self.manifest['root']['type']}"

    def cmdline(self, *words):
        return " ".join([*self.manifest.get("cmdline", []), CONSOLE, *words])


def image(profile):
    """The image of a profile in tests/vm/profile or rootfs-spec/profiles, up to date."""
    spec = next(path for path in (ROOT / f"tests/vm/profile/{profile}.yaml",
                                  ROOT / f"rootfs-spec/profiles/{profile}.yaml") if path.exists())
    directory = ROOT / "build/image" / profile
    subprocess.run([ROOT / "ci/image", spec, directory], check=True, stdout=subprocess.DEVNULL)
    return Image(directory)
