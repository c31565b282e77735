"""Files: to read what a Python needs, to write nothing (landlock(7))."""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from proctor_harness.sandbox.kernel import syscall

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""The same on every machine."""
VERSION_FLAG = 1
PATH_BENEATH = 1
WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""By version, how many there are; each version has those of before."""
TCP = 0b11
SIGNALS_AND_SOCKETS = 0b11
READABLE = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom")
SINK = "/dev/null"


class _Attributes(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Of the kernel's Landlock; 0 where it has none."""
    try:
        return syscall("landlock", CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)
    except OSError:
        return 0


def confine(readable: Iterable[str]) -> None:
    """Deny this process every other file; OSError where the kernel cannot."""
    known = version()
    rights = (1 << FILE_RIGHTS[min(known, max(FILE_RIGHTS))]) - 1
    wanted = _Attributes(rights, TCP, SIGNALS_AND_SOCKETS)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    ruleset = syscall("landlock", CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), 0)
    for path in readable:
        _allow(ruleset, path, rights & (READ_FILE | READ_DIR))
    _allow(ruleset, SINK, rights & (READ_FILE | WRITE_FILE | TRUNCATE))
    syscall("landlock", RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def interpreter() -> set[str]:
    """What this Python reads when it imports."""
    return {path for path in (*READABLE, sys.prefix, sys.base_prefix) if Path(path).exists()}


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not Path(path).is_dir():
            rights &= ~READ_DIR
        rule = _Beneath(rights, descriptor)
        syscall("landlock", ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)
