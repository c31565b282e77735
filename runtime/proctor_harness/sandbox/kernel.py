"""The calls to the kernel that Python has no function for."""

import ctypes
import os
import platform
from dataclasses import dataclass

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True, slots=True)
class Architecture:
    """What differs between machines."""

    audit: int
    """As seccomp names it (linux/audit.h)."""
    capset: int
    """The call's number."""
    denied: dict[str, int]
    """Calls that no program may make, by number."""
    clone: int
    socketpair: int
    fcntl: int
    ioctl: int
    own_only: tuple[int, ...]
    """Calls whose first argument is a process, which must be itself: kill, tgkill, prlimit64,
    sched_setparam, sched_setscheduler, sched_setaffinity, sched_setattr, migrate_pages, move_pages.
    """


X86_64 = Architecture(
    audit=0xC000003E,
    capset=126,
    denied={
        "socket": 41,
        "fork": 57,
        "vfork": 58,
        "execve": 59,
        "execveat": 322,
        "tkill": 200,
        "rt_sigqueueinfo": 129,
        "rt_tgsigqueueinfo": 297,
        "pidfd_open": 434,
        "pidfd_send_signal": 424,
        "ptrace": 101,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "io_uring_setup": 425,
        "unshare": 272,
        "setns": 308,
        "mount": 165,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "bpf": 321,
        "userfaultfd": 323,
        "perf_event_open": 298,
        "shmget": 29,
        "semget": 64,
        "msgget": 68,
        "mq_open": 240,
        "memfd_create": 319,
        # Landlock knows none of these, and the oldest not truncate.
        "truncate": 76,
        "chmod": 90,
        "fchmod": 91,
        "fchmodat": 268,
        "fchmodat2": 452,
        "chown": 92,
        "fchown": 93,
        "lchown": 94,
        "fchownat": 260,
        "utime": 132,
        "utimes": 235,
        "futimesat": 261,
        "utimensat": 280,
        "setxattr": 188,
        "lsetxattr": 189,
        "fsetxattr": 190,
        "setxattrat": 463,
        "removexattr": 197,
        "lremovexattr": 198,
        "fremovexattr": 199,
        "removexattrat": 466,
        "shmat": 30,
        "shmctl": 31,
        "semop": 65,
        "semtimedop": 220,
        "semctl": 66,
        "msgsnd": 69,
        "msgrcv": 70,
        "msgctl": 71,
        "setpriority": 141,
        "ioprio_set": 251,
    },
    clone=56,
    socketpair=53,
    fcntl=72,
    ioctl=16,
    own_only=(62, 234, 302, 142, 144, 203, 314, 256, 279),
)
AARCH64 = Architecture(
    audit=0xC00000B7,
    capset=91,
    denied={
        "socket": 198,
        "execve": 221,
        "execveat": 281,
        "tkill": 130,
        "rt_sigqueueinfo": 138,
        "rt_tgsigqueueinfo": 240,
        "pidfd_open": 434,
        "pidfd_send_signal": 424,
        "ptrace": 117,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "io_uring_setup": 425,
        "unshare": 97,
        "setns": 268,
        "mount": 40,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "bpf": 280,
        "userfaultfd": 282,
        "perf_event_open": 241,
        "shmget": 194,
        "semget": 190,
        "msgget": 186,
        "mq_open": 180,
        "memfd_create": 279,
        "truncate": 45,
        "fchmod": 52,
        "fchmodat": 53,
        "fchmodat2": 452,
        "fchown": 55,
        "fchownat": 54,
        "utimensat": 88,
        "setxattr": 5,
        "lsetxattr": 6,
        "fsetxattr": 7,
        "setxattrat": 463,
        "removexattr": 14,
        "lremovexattr": 15,
        "fremovexattr": 16,
        "removexattrat": 466,
        "shmat": 196,
        "shmctl": 195,
        "semop": 193,
        "semtimedop": 192,
        "semctl": 191,
        "msgsnd": 189,
        "msgrcv": 188,
        "msgctl": 187,
        "setpriority": 140,
        "ioprio_set": 30,
    },
    clone=220,
    socketpair=199,
    fcntl=25,
    ioctl=29,
    own_only=(129, 131, 261, 118, 119, 122, 274, 238, 239),
)
ARCHITECTURES = {"x86_64": X86_64, "aarch64": AARCH64}
_libc = ctypes.CDLL(None, use_errno=True)


def architecture() -> Architecture:
    """This machine's; OSError where it is none of those that we know."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(f"the sandbox knows {', '.join(ARCHITECTURES)} and not {machine}")
    return ARCHITECTURES[machine]


def prctl(option: int, *arguments: int | ctypes.c_void_p) -> None:
    """Set what the manual page of that name tells; OSError as the kernel says."""
    rest = [*arguments, *[0] * (4 - len(arguments))]
    whole = [ctypes.c_ulong(word) if isinstance(word, int) else word for word in rest]
    _checked("prctl", _libc.prctl(option, *whole))


def syscall(name: str, number: int, *arguments: object) -> int:
    """The call of that number; OSError as the kernel says."""
    return _checked(name, _libc.syscall(ctypes.c_long(number), *arguments))


def _checked(name: str, result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def drop_capabilities() -> None:
    """Leave root what every other user may: nothing beyond its own files."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    syscall("capset", architecture().capset, ctypes.byref(header), ctypes.byref(nothing))
