"""A filter of system calls: no network, no other process, no new program (seccomp(2))."""

import ctypes
import errno
from collections.abc import Sequence

from proctor_harness.sandbox.kernel import PR_SET_SECCOMP, Architecture, architecture, prctl

Instruction = tuple[int, int, int, int]
"""Of classic BPF: code, jump if true, jump if false, operand."""
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, MACHINE, FIRST_ARGUMENT, SECOND_ARGUMENT = 0, 4, 16, 24
"""Offsets in seccomp_data; of an argument its lower half, which is all that these calls read."""
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
FILTER_MODE = 2
CLONE3 = 435
CLONE_THREAD = 0x00010000
AF_UNIX = 1
NOT_A_STREAM = 0xE
"""The bits of a socket's kind that SOCK_STREAM lacks; others can be sent to any address."""
F_SETSIG, F_SETOWN, F_SETOWN_EX = 10, 8, 15
FIOSETOWN, SIOCSPGRP = 0x8901, 0x8902
"""Have the kernel signal another process when a descriptor is ready."""
X32 = 0x40000000


class _Filter(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jt", ctypes.c_uint8),
        ("jf", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_uint16), ("filter", ctypes.POINTER(_Filter)))


def confine(pid: int) -> None:
    """Install the filter for this process, whose id is `pid`, and its threads; for ever."""
    found = program(architecture(), pid)
    instructions = (_Filter * len(found))(*(_Filter(*each) for each in found))
    whole = _Program(len(found), ctypes.cast(instructions, ctypes.POINTER(_Filter)))
    prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.cast(ctypes.byref(whole), ctypes.c_void_p))


def program(machine: Architecture, pid: int) -> list[Instruction]:
    """The filter."""
    return [
        (LOAD, 0, 0, MACHINE),
        (EQUAL, 1, 0, machine.audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        # The other calling convention of an x86 has other numbers.
        (AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, KILL),
        # As on a kernel without it: the C library falls back to clone, whose flags can be seen.
        *_refused(CLONE3, errno.ENOSYS),
        *(step for number in machine.denied.values() for step in _refused(number, errno.EPERM)),
        *_not_if(machine.socketpair, [(ANY_BIT, 0, 1, NOT_A_STREAM)]),
        *_not_if(
            machine.fcntl,
            [(EQUAL, 2, 0, F_SETSIG), (EQUAL, 1, 0, F_SETOWN), (EQUAL, 0, 1, F_SETOWN_EX)],
        ),
        *_not_if(machine.ioctl, [(EQUAL, 1, 0, FIOSETOWN), (EQUAL, 0, 1, SIOCSPGRP)]),
        *_only_if(machine.clone, [(ANY_BIT, 1, 0, CLONE_THREAD)]),
        *_only_if(machine.socketpair, [(EQUAL, 1, 0, AF_UNIX)]),
        # 0 stands for the caller or for its group, in which it is alone.
        *(
            step
            for number in machine.own_only
            for step in _only_if(number, [(EQUAL, 2, 0, pid), (EQUAL, 1, 0, 0)])
        ),
        (RETURN, 0, 0, ALLOW),
    ]


def _refused(number: int, error: int) -> list[Instruction]:
    return [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE | error)]


def _not_if(number: int, tests: Sequence[Instruction]) -> list[Instruction]:
    """Refuse the call whose second argument leads a test to the refusal, right after the last."""
    return [
        (EQUAL, 0, len(tests) + 3, number),
        (LOAD, 0, 0, SECOND_ARGUMENT),
        *tests,
        (RETURN, 0, 0, REFUSE | errno.EPERM),
        (LOAD, 0, 0, NUMBER),
    ]


def _only_if(number: int, tests: Sequence[Instruction]) -> list[Instruction]:
    """Refuse the call but for a first argument that one of the tests jumps on."""
    return [
        (EQUAL, 0, len(tests) + 3, number),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        *tests,
        (RETURN, 0, 0, REFUSE | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
