# SPDX-License-Identifier: Apache-2.0
"""without.py NUMBER PROGRAM...: run a program in a kernel that lacks a system call, so it seems: a
filter answers ENOSYS."""

import ctypes
import os
import struct
import sys

EQUAL, LOAD, RETURN = 0x15, 0x20, 0x06
code = b"".join(struct.pack("=HBBI", *step) for step in (
    (LOAD, 0, 0, 0), (EQUAL, 0, 1, int(sys.argv[1])), (RETURN, 0, 0, 0x00050026),
    (RETURN, 0, 0, 0x7fff0000)))
room = ctypes.create_string_buffer(code)
program = ctypes.create_string_buffer(struct.pack("=H6xQ", 4, ctypes.addressof(room)))
if ctypes.CDLL(None, use_errno=True).prctl(22, 2, program, 0, 0) != 0:  # PR_SET_SECCOMP
    sys.exit(f"without.py: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[2], sys.argv[2:])
