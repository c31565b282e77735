"""Programs that try to get out of the sandbox, each for real, through its server."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proctor_harness.sandbox import client, confined, execution
from tests.kube import eventually
from tests.runtime.harness.processes import free_port

WHOLE_FAILURE = "failed: "


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    found = free_port()
    environ = os.environ | {"PORT_SANDBOX": str(found), "PLANTED_SECRET": "sk-planted"}
    environ["TMPDIR"] = str(tmp_path_factory.mktemp("scratch"))
    argv = [sys.executable, "-m", "proctor_harness.sandbox"]
    with subprocess.Popen(argv, env=environ) as process:
        try:
            assert client.refusal(found) is None
            yield found
        finally:
            process.terminate()
            assert process.wait(30) == 143


@pytest.mark.parametrize(
    "program",
    [
        "assert sorted([2, 1]) == [1, 2]",
        "import json, re, math, itertools, collections, functools, random, datetime",
        "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()",
        "import asyncio\nasync def f(): return 1\nassert asyncio.run(f()) == 1",
        "print('a' * (1 << 20))",
    ],
    ids=["assert", "library", "threads", "asyncio", "output"],
)
def test_an_honest_program_passes(port: int, program: str) -> None:
    assert client.execute(port, program, 20) == (True, "passed")


@pytest.mark.parametrize(
    ("program", "result"),
    [
        ("assert 1 == 2, 'no'", "failed: AssertionError: no"),
        ("x = (", "failed: SyntaxError"),
        ("raise SystemExit(0)", "failed: SystemExit: 0"),
        ("import os; os._exit(0)", "failed: it ended its process (0)"),
        ("import os; os.kill(os.getpid(), 9)", "failed: it ended its process (-9)"),
        ("input()", "failed: EOFError"),
        ("", "passed"),
    ],
    ids=["wrong", "syntax", "exit", "hard-exit", "suicide", "input", "empty"],
)
def test_a_program_that_does_not_come_to_its_end_has_not_passed(
    port: int, program: str, result: str
) -> None:
    passed, said = client.execute(port, program, 20)
    assert said.startswith(result)
    assert passed == (result == "passed")


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('127.0.0.1', LISTENING), 5)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))",
        "socket.socket(socket.AF_INET6)",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.socketpair(socket.AF_INET)",
        "socket.socketpair(type=socket.SOCK_DGRAM)[0].sendto(b'x', '/dev/log')",
        "socket.socketpair(type=socket.SOCK_SEQPACKET)",
        "ctypes.CDLL(None).syscall(425, 8, ctypes.create_string_buffer(256)) + 1 or fail()",
    ],
    ids=["tcp", "udp", "ipv6", "unix", "netlink", "pair", "datagrams", "packets", "io_uring"],
)
def test_there_is_no_network(port: int, attempt: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        attempt = attempt.replace("LISTENING", str(listener.getsockname()[1]))
        refused(port, attempt)
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    "attempt",
    [
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "subprocess.run(['true'])",
        "os.execv('/bin/true', ['true'])",
        "multiprocessing.get_context('fork').Process(target=print).start()",
        "ctypes.CDLL(None, use_errno=True).fork() + 1 or fail()",
        "ctypes.CDLL(None, use_errno=True).vfork() + 1 or fail()",
    ],
    ids=["fork", "spawn", "subprocess", "exec", "multiprocessing", "c-fork", "c-vfork"],
)
def test_there_is_no_second_process(port: int, attempt: str) -> None:
    refused(port, attempt)


def test_a_fork_bomb_is_a_failure_like_any_other(port: int) -> None:
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: count = 1; raise"
    assert client.execute(port, bomb, 5)[1].startswith("failed: PermissionError")


def test_threads_have_an_end(port: int) -> None:
    bomb = (
        "import threading, time\n"
        "while True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    )
    passed, result = client.execute(port, bomb, 10)
    assert not passed
    assert "thread" in result or result == "timed out"


@pytest.mark.parametrize(
    "attempt",
    [
        "open('here', 'w')",
        "open('/tmp/there', 'w')",
        "open('/dev/shm/there', 'w')",
        "os.mkdir('here')",
        "os.symlink('/etc', 'here')",
        "os.unlink(SENTINEL)",
        "os.truncate(SENTINEL, 0)",
        "os.chmod(SENTINEL, 0o777)",
        "os.chown(SENTINEL, -1, os.getgid())",
        "os.utime(SENTINEL, (0, 0))",
        "os.setxattr(SENTINEL, 'user.mark', b'x')",
        "os.fchmod(os.open(os.__file__, os.O_RDONLY), 0o644)",
        "open(SENTINEL).read()",
        "open('/etc/passwd').read()",
        "open('/proc/self/environ').read()",
        "open(f'/proc/{os.getppid()}/environ').read()",
        "open(f'/proc/{os.getppid()}/mem', 'r+b')",
        "os.listdir('/root')",
        "os.listdir('/')",
        "ctypes.CDLL(None, use_errno=True).mount(b'x', b'/tmp', b'tmpfs', 0, None) + 1 or fail()",
        "ctypes.CDLL(None, use_errno=True).unshare(0x10000000) + 1 or fail()",
    ],
)
def test_files_are_out_of_reach(port: int, attempt: str, tmp_path: Path) -> None:
    sentinel = tmp_path / "sentinel"
    sentinel.write_text("kept")
    refused(port, attempt.replace("SENTINEL", repr(str(sentinel))))
    assert sentinel.read_text() == "kept"


def test_no_file_grows_where_the_kernel_has_no_landlock(tmp_path: Path) -> None:
    text = "import sys\nfrom proctor_harness.sandbox import confined, landlock\n"
    text += "landlock.version = lambda: 0\nconfined.confine(5)\n"
    text += "with open(sys.argv[1], 'w') as file: file.write('x')"
    argv = [sys.executable, "-c", text, str(tmp_path / "file")]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "File too large" in ended.stderr
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize(
    "attempt",
    [
        "os.kill(os.getppid(), 9)",
        "os.kill(-1, 9)",
        "os.killpg(os.getpgid(os.getppid()), 9)",
        "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
        "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 9)",
        "ctypes.CDLL(None, use_errno=True).ptrace(16, os.getppid(), 0, 0) + 1 or fail()",
        "fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getppid())",
        "fcntl.fcntl(os.pipe()[0], fcntl.F_SETSIG, 9)",
        "fcntl.ioctl(socket.socketpair()[0], 0x8901, pack('i', os.getppid()))",
        "os.sched_setaffinity(os.getppid(), {0})",
        "os.setpriority(os.PRIO_USER, os.getuid(), 19)",
        "ctypes.CDLL(None, use_errno=True).shmat(0, 0, 0o10000) + 1 or fail()",
        "ctypes.CDLL(None, use_errno=True).shmctl(-1, 0, 0) + 1 or fail()",
    ],
    ids=[
        *("kill", "kill-all", "group", "limits", "pidfd", "ptrace", "owner", "signal", "ioctl"),
        *("affinity", "priority", "shared-memory", "shared-memory-gone"),
    ],
)
def test_other_processes_are_out_of_reach(port: int, attempt: str) -> None:
    refused(port, attempt)
    assert client.execute(port, "", 20) == (True, "passed")


def test_secrets_are_out_of_reach(port: int) -> None:
    program = "import os\nassert not [v for v in os.environ.values() if 'planted' in v], 'found'"
    assert client.execute(port, program, 20) == (True, "passed")


@pytest.mark.parametrize(
    "program",
    [
        "x = bytearray(2 << 30)",
        "x = [0]\nwhile True: x += x",
        "import mmap; mmap.mmap(-1, 2 << 30)",
    ],
    ids=["at-once", "growing", "mapped"],
)
def test_memory_has_an_end(port: int, program: str) -> None:
    passed, result = client.execute(port, program, 20)
    assert not passed
    assert result.startswith(WHOLE_FAILURE)
    assert "Memory" in result or "memory" in result


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import time; time.sleep(1000)",
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\nwhile True: pass",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    ],
    ids=["loop", "sleep", "deaf", "stubborn"],
)
def test_time_has_an_end(port: int, program: str) -> None:
    began = time.monotonic()
    assert client.execute(port, program, 1) == (False, "timed out")
    assert time.monotonic() - began < 28


def test_no_program_has_more_than_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert execution.LONGEST_SECONDS == 30
    monkeypatch.setattr(execution, "LONGEST_SECONDS", 3)
    began = time.monotonic()
    assert execution.run("while True: pass", 10_000).result == "timed out"
    assert 2.5 < time.monotonic() - began < 25


@pytest.mark.parametrize(
    ("state", "used", "patience", "result"),
    [
        ("R", 0.0, 60, "passed"),
        ("D", 0.0, 60, "passed"),
        ("S", 0.0, 60, "timed out"),
        ("R", 1.0, 60, "timed out"),
        ("R", 0.0, 0.1, "it is too busy"),
    ],
    ids=["waits for its turn", "waits for a disk", "sleeps", "had its time", "starves"],
)
def test_the_time_that_others_take_is_not_the_programs(
    monkeypatch: pytest.MonkeyPatch, state: str, used: float, patience: float, result: str
) -> None:
    seen = iter([("R", 0.0)])
    monkeypatch.setattr(execution, "scheduled", lambda _: next(seen, (state, used)))
    monkeypatch.setattr(execution, "STARVED_SECONDS", patience)
    try:
        found = execution.run("import time; time.sleep(3)", 0.5).result
    except execution.ExecutionError as error:
        found = str(error)
    assert found.endswith(result)


def test_what_a_process_has_had_of_a_processor_is_seen() -> None:
    argv = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(argv) as process:
        eventually(lambda: execution.scheduled(process.pid)[1] > 0.2)
        assert execution.scheduled(process.pid)[0] == "R"
        process.kill()


def test_no_program_outlives_what_keeps_its_time() -> None:
    text = "from proctor_harness.sandbox import execution\n"
    text += "execution.run('import time; time.sleep(1000)', 30)"
    with subprocess.Popen([sys.executable, "-c", text]) as keeper:
        children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children")
        [child] = eventually(lambda: children.read_text().split())
        eventually(lambda: "Seccomp:\t2" in Path(f"/proc/{child}/status").read_text())
        keeper.kill()
    eventually(lambda: not Path(f"/proc/{child}").exists())


def test_programs_do_not_get_in_each_others_way(port: int) -> None:
    programs = [f"assert {n} % 3" for n in range(12)]
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda text: client.execute(port, text, 20)[0], programs))
    assert verdicts == [bool(n % 3) for n in range(12)]


def test_it_answers_to_the_loopback_alone(port: int) -> None:
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = {row[1] for row in listening if row[3] == "0A" and row[1].endswith(f":{port:04X}")}
    assert addresses == {f"0100007F:{port:04X}"}


def test_a_lost_sandbox_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([client.AbsentError("lost"), {"passed": True, "result": "passed"}])

    def ask(*_: object) -> object:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(client, "_ask", ask)
    assert client.execute(0, "", 1) == (True, "passed")


def test_without_a_sandbox_there_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSES", (0.1,))
    with pytest.raises(client.SandboxError, match="does not answer"):
        client.execute(free_port(), "", 1)


def test_a_program_that_cannot_begin_is_nobodys_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "__file__", "/nonexistent")
    with pytest.raises(execution.ExecutionError, match="did not begin"):
        execution.run("", 1)
    assert str(execution.refusal()).startswith("a program cannot be confined")


def refused(port: int, attempt: str) -> None:
    """The attempt raises OSError; `fail` is for those that only return -1."""
    imports = "import ctypes, fcntl, multiprocessing, os, resource, signal, socket, subprocess"
    imports += "\nfrom struct import pack"
    give_up = "def fail(): raise PermissionError(ctypes.get_errno())"
    program = f"{imports}\n{give_up}\n{attempt}"
    passed, result = client.execute(port, program, 20)
    assert not passed, json.dumps(attempt)
    kinds = ("PermissionError", "OSError", "BlockingIOError")
    assert result.startswith(tuple(WHOLE_FAILURE + kind for kind in kinds)), result
