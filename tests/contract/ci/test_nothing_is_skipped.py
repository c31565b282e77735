"""CI runs every test, and says so where it did not."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CI = (ROOT / ".ci/run").read_text()
OPTIONS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
SELECTING = {"-m", "-k", "--ignore", "--ignore-glob", "--deselect", "--collect-only", "-x"}

PASSES = "def test_passes():\n    pass\n"
SKIPPED = "import pytest\n\ndef test_skipped():\n    pytest.skip('no cluster here')\n"
LATER = "import pytest\n\n@pytest.mark.skip(reason='some day')\ndef test_later():\n    pass\n"
ABSENT = "import pytest\n\npytest.importorskip('no_such_module')\n"
GPU = "import pytest\n\n@pytest.mark.gpu\ndef test_cuda():\n    pytest.skip('no CUDA')\n"
FAILS = "def test_fails():\n    assert 1 == 2\n"


def session(folder: Path, *files: str, required: str = "1") -> tuple[int, str]:
    """Run these test files under the project's conftest; the exit status, and what was said."""
    folder = folder / "gpu"  # a folder of that name is no excuse
    folder.mkdir()
    for number, text in enumerate(files):
        (folder / f"test_{number}.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    gpu: needs a CUDA device\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "--strict-markers", folder],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PROCTOR_REQUIRE_CLUSTER": required},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (SKIPPED, "test_1.py::test_skipped: Skipped: no cluster here"),
        (LATER, "test_1.py::test_later: Skipped: some day"),
        (ABSENT, "test_1.py: Skipped: could not import 'no_such_module'"),
    ],
    ids=["in the test", "by a mark", "a whole file"],
)
def test_a_skip_fails_the_session_and_is_listed(tmp_path: Path, file: str, said: str) -> None:
    status, output = session(tmp_path, PASSES, file)
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "skipped, with PROCTOR_REQUIRE_CLUSTER=1" in output
    assert said in output


def test_a_test_that_needs_a_gpu_may_be_skipped(tmp_path: Path) -> None:
    status, output = session(tmp_path, PASSES, GPU)
    assert status == pytest.ExitCode.OK, output
    assert "1 passed, 1 skipped" in output


def test_on_any_other_machine_all_may_be_skipped(tmp_path: Path) -> None:
    assert session(tmp_path, PASSES, SKIPPED, LATER, required="")[0] == pytest.ExitCode.OK


def test_a_failure_is_still_a_failure(tmp_path: Path) -> None:
    assert session(tmp_path, FAILS, GPU)[0] == pytest.ExitCode.TESTS_FAILED


def test_ci_requires_every_tier_and_runs_every_test() -> None:
    required, targets = CI.index("export PROCTOR_REQUIRE_CLUSTER=1"), CI.index("\nmake ")
    assert required < targets
    assert {"verify", "check", "test"} <= set(CI[targets:].split())


def test_make_test_leaves_nothing_out() -> None:
    said = subprocess.run(
        ["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.replace("\\\n", "")
    pure, others = [
        line.split()[3:] for line in said.splitlines() if re.search(r"-m pytest\b", line)
    ]
    # The first runs what the second leaves out, each by its folder.
    assert {f"--ignore={word}" for word in pure if not word.startswith("-")} == set(others)
    assert not SELECTING & {word.partition("=")[0] for word in pure}
    assert "PROCTOR_REQUIRE_CLUSTER" not in (ROOT / "Makefile").read_text()
    assert OPTIONS["testpaths"] == ["tests"]
    assert not SELECTING & {word.partition("=")[0] for word in OPTIONS["addopts"].split()}
