"""Environments made by the real uv, from a distribution small enough to be made in a second."""

import asyncio
import sys
from pathlib import Path

import pytest

from proctor_cli.local import LocalCluster
from proctor_cli.local.environment_build import BuildFailed, Distribution, build
from proctor_cli.local.environments import Environments, ImageUnavailable
from tests.contract.cluster.manifests import container, pod, until, waiting
from tests.local.cluster.processes import written

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
"""

BACKEND = """
import zipfile
META = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\nProvides-Extra: lm-eval\\n"
def build_editable(directory, *_):
    with zipfile.ZipFile(f"{directory}/tiny-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "GREETING = 'hello'")
        wheel.writestr("tiny-1.dist-info/METADATA", META)
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return "tiny-1-py3-none-any.whl"
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Distribution:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "pyproject.toml").write_text(PYPROJECT)
    (checkout / "backend.py").write_text(BACKEND)
    (checkout / "requirements.lock").write_text("")
    return Distribution("1", checkout)


async def test_an_environment_is_made_once_for_all_who_ask(
    tiny: Distribution, tmp_path: Path
) -> None:
    told: list[str] = []
    made = [build("harness-lm-eval", tiny, tmp_path / "cache", told.append) for _ in range(2)]
    first, second = await asyncio.gather(*made)
    assert first == second
    assert sum("environment ready" in line for line in told) == 1
    asked = await asyncio.create_subprocess_exec(first, "-c", "import tiny; print(tiny.GREETING)")
    assert await asked.wait() == 0


async def test_what_was_interrupted_is_made_anew(tiny: Distribution, tmp_path: Path) -> None:
    python = await build("harness-lm-eval", tiny, tmp_path, lambda _: None)
    root = python.parents[1]
    (root / ".complete").unlink()
    (root / "leftover").touch()
    assert await build("harness-lm-eval", tiny, tmp_path, lambda _: None) == python
    assert not (root / "leftover").exists()


SLOW = """
import os, pathlib, time
pathlib.Path("building").write_text(str(os.getpid()))
while not pathlib.Path("go-on").exists():
    time.sleep(0.02)
"""

BUILD = """
import asyncio, sys
from pathlib import Path
from proctor_cli.local.environment_build import Distribution, build
checkout, cache = map(Path, sys.argv[1:])
asyncio.run(build("harness-lm-eval", Distribution("1", checkout), cache, print))
"""


async def test_who_was_killed_is_waited_for(tiny: Distribution, tmp_path: Path) -> None:
    """uv outlives a proctor that is killed, and must not write into what the next one makes."""
    assert tiny.checkout is not None
    (tiny.checkout / "backend.py").write_text(SLOW + BACKEND)
    command = (sys.executable, "-c", BUILD, tiny.checkout, tmp_path / "cache")
    killed = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    await written(tiny.checkout / "building")
    killed.kill()
    await killed.wait()
    told: list[str] = []
    making = asyncio.create_task(build("harness-lm-eval", tiny, tmp_path / "cache", told.append))
    async with asyncio.timeout(20):
        while not told:  # noqa: ASYNC110  progress is told, not awaited
            await asyncio.sleep(0.02)
    assert told == ["harness-lm-eval: waiting for another run that makes its environment"]
    (tiny.checkout / "go-on").touch()
    assert (await making).exists()


async def test_another_lock_is_another_environment(tiny: Distribution) -> None:
    before = tiny.fingerprint("harness-lm-eval")
    assert tiny.checkout is not None
    (tiny.checkout / "requirements.lock").write_text("numpy==1.26.4\n")
    assert tiny.fingerprint("harness-lm-eval") != before


async def test_a_component_with_a_lock_of_its_own_is_installed_by_it(tiny: Distribution) -> None:
    assert tiny.checkout is not None
    common = tiny.fingerprint("harness-bfcl")
    own = tiny.checkout / "images/harness-bfcl/requirements.lock"
    own.parent.mkdir(parents=True)
    own.write_text("numpy==1.26.4\n")
    assert tiny.fingerprint("harness-bfcl") != common
    assert str(own) in tiny.install_arguments("harness-bfcl")
    assert str(own) not in tiny.install_arguments("harness-lm-eval")


async def test_what_uv_says_is_told(tiny: Distribution, tmp_path: Path) -> None:
    assert tiny.checkout is not None
    (tiny.checkout / "backend.py").write_text("raise SystemExit('no backend today')")
    with pytest.raises(BuildFailed, match="no backend today"):
        await build("harness-lm-eval", tiny, tmp_path, lambda _: None)


def test_a_wheel_installs_its_own_version() -> None:
    assert Distribution("1.2", None).install_arguments("harness-lm-eval") == [
        "proctor[lm-eval]==1.2"
    ]


@pytest.mark.parametrize(
    "image", ["nginx", "proctor/nonesuch:0.1.0", "proctor/runtime:9.9", "other/runtime:0.1.0"]
)
async def test_an_unknown_image_lists_the_known_ones(image: str, tmp_path: Path) -> None:
    environments = Environments({"my/image": Path("python")}, tmp_path, lambda _: None)
    with pytest.raises(ImageUnavailable) as error:
        await environments.pull(image)
    assert f'"{image}": not found' in str(error.value)
    assert "my/image" in str(error.value)
    assert "proctor/runtime:0.1.0" in str(error.value)


async def test_an_interpreter_that_does_not_run_is_told(tmp_path: Path) -> None:
    images = {"proctor/runtime": tmp_path / "nonesuch"}
    async with LocalCluster(tmp_path / "state", images=images, gpus=0) as cluster:
        made = pod("default", container("proctor/runtime:1", "pass"))
        await cluster.apply(made)
        found = await until(cluster, made, lambda p: waiting(p, "ErrImagePull"))
        message = found["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
        assert "No such file" in message
