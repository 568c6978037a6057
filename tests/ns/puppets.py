# SPDX-License-Identifier: Apache-2.0
"""Services that do what the test tells them while they run (puppet.py)."""

import os
import sys

from nsnode import ROOT, service

# One that everybody may execute, if there is one.
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
# Its text, and not its path, which is not everybody's to read.
PUPPET = (ROOT / "tests/ns/puppet.py").read_text()


# For a puppet: mount() makes a file system at /run/hung whose daemon answers that it is there, and then nothing: whoever looks for something
# in it waits uninterruptibly (fuse(4)).
HUNG = """
import ctypes, struct, threading
fuse = os.open("/dev/fuse", os.O_RDWR)
os.makedirs("/run/hung", exist_ok=True)
libc = ctypes.CDLL(None, use_errno=True)
def mount():
    options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()
    if libc.mount(b"hung", b"/run/hung", b"fuse", 0, options) < 0:
        raise OSError(ctypes.get_errno(), "mount")
def serve():
    while True:
        request = os.read(fuse, 1 << 17)
        size, opcode, unique = struct.unpack_from("<IIQ", request)
        if opcode == 26: # FUSE_INIT
            answer = struct.pack("<IIIIHHIIHH32x", 7, 31, 0, 0, 1, 1, 4096, 1, 1, 0)
            os.write(fuse, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)
        else:
            open("/run/hangs", "w").close()
"""


def code(text):
    """Python as an argument without spaces and ends of lines."""
    return f"exec(bytes.fromhex('{text.encode().hex()}').decode())"


def puppet(name, first="", **fields):
    """A service; `first`: Python that it executes before it begins to obey."""
    return service(name, argv=[PYTHON, "-S", "-E", "-c", code(PUPPET), name,
                               *([code(first)] if first else [])], **fields)


def tell(node, name, words, patience_s=20):
    """Have it execute `words`; what it set `answer` to."""
    order = node.root / f"run/{name}.do"
    said = node.root / f"run/{name}.said"
    said.unlink(missing_ok=True)
    order.with_suffix(".new").write_text(words)
    order.with_suffix(".new").rename(order)
    node.until(lambda: not order.exists(), f"{name} does: {words}", patience_s)
    text = said.read_text()
    assert not text.startswith("Traceback"), text
    return text


def hold(node, name, words):
    """Have it begin with `words`, which may be the last that it does."""
    order = node.root / f"run/{name}.do"
    order.with_suffix(".new").write_text("os.unlink(DO)\n" + words)
    order.with_suffix(".new").rename(order)
