# SPDX-License-Identifier: Apache-2.0
"""Images for the tests: composed from a profile once, kept, never written to."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("KEELSON_BUILD") or ROOT / "build/musl")

CACHE = Path(os.environ.get("KEELSON_CACHE") or
             Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keelson")
DEVELOPMENT_KEY = CACHE / "keys/development.key"

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

    def boot_plan(self):
        return (self.directory / "boot.plan").read_bytes()

    def sign(self, data):
        """A signature with the development key that signed the image (openssl-dgst(1))."""
        made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", DEVELOPMENT_KEY],
                              input=data, stdout=subprocess.PIPE, check=True)
        return made.stdout

    def cmdline(self, *words):
        return " ".join([self.manifest["kernel"]["cmdline"], CONSOLE, *words])


def image(profile):
    """The image of a profile in tests/vm/profile or rootfs-spec/profiles, up to date."""
    spec = next(path for path in (ROOT / f"tests/vm/profile/{profile}.yaml",
                                  ROOT / f"rootfs-spec/profiles/{profile}.yaml") if path.exists())
    directory = ROOT / "build/image" / profile
    made = subprocess.run([ROOT / "ci/image", spec, directory], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode:
        raise RuntimeError(f"the image of {spec} cannot be made:\n{made.stdout}")
    return Image(directory)
