"""The process of one program: ``confined ROOT VERDICT SECONDS``, the program on stdin.

It gives up what it may, for ever, and executes the program in its place. What became of it goes to
the descriptor VERDICT; a program that ends the process has none, and has not passed.
"""

import os
import resource
import signal
import sys

MEMORY_BYTES = 1 << 30
OPEN_FILES = 64
TASKS = 4096
MIB = 1 << 20
BEGUN = "\n"
"""Said before the program begins, for its time to count from there."""


def main() -> None:
    """Confine, execute, tell."""
    root, verdict, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    text = sys.stdin.read()
    sys.path.insert(0, root)  # an isolated Python has no path to this package
    confine(seconds)
    sys.path.remove(root)
    os.write(verdict, BEGUN.encode())
    os.write(verdict, execute(text).encode(errors="replace"))


def confine(seconds: int) -> None:
    """Limits, capabilities, files, then system calls, which takes the means for the others."""
    from proctor_harness.sandbox import kernel, landlock, seccomp  # noqa: PLC0415  found by `root`

    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CORE: 0,
        # Of all that this user runs on the machine, so far above what threads a program may need.
        resource.RLIMIT_NPROC: TASKS,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    # The first of the two is a signal that tells why, the second kills.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds + 1, seconds + 2))
    # Where what keeps its time ends, so does it.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.drop_capabilities()
    if landlock.version():
        landlock.confine(landlock.interpreter())
    seccomp.confine(os.getpid())


def execute(text: str) -> str:
    """The program as human-eval executes one: in an empty namespace."""
    try:
        exec(compile(text, "<program>", "exec"), {})  # noqa: S102  it is what this process is for
    except MemoryError:
        return f"failed: MemoryError: more than {MEMORY_BYTES // MIB} MiB"
    except BaseException as error:
        return f"failed: {type(error).__name__}: {error}"[:1000]
    return "passed"


if __name__ == "__main__":
    main()
