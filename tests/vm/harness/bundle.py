# SPDX-License-Identifier: Apache-2.0
"""Bundles of images, made by `keelson bundle`."""

import os
import subprocess
from pathlib import Path

from .image import BUILD


def keelson():
    return next(path for path in Path(BUILD).rglob("keelson")
                if path.is_file() and os.access(path, os.X_OK))


def bundle(made, path):
    """The file `path`, padded to whole sectors so that it can be a disk."""
    subprocess.run([keelson(), "bundle", made.directory, "-o", path, "-q"], check=True,
                   stdout=subprocess.DEVNULL)
    os.truncate(path, -(-os.path.getsize(path) // 4096) * 4096)
    return path
