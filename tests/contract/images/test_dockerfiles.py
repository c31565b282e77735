"""The Dockerfiles: what they install, what they copy, and as whom they run."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from proctor_operator.children.pod import USER

ROOT = Path(__file__).parents[3]
EXTRAS = {
    "operator": {"operator"},
    "runtime": {"runtime", "triton"},
    "harness-lm-eval": {"lm-eval"},
    "harness-simple-evals": {"simple-evals"},
    "harness-bigcode": {"bigcode"},
    "harness-garak": {"garak"},
    "harness-safety-harness": {"safety-harness"},
    "harness-container": {"container"},
    "harness-bfcl": {"bfcl"},
}
BASE = "python:3.11-slim"


def instructions(image: str) -> list[tuple[str, str]]:
    """Instruction and rest of each line, continuations joined, comments gone."""
    text = (ROOT / f"images/{image}/Dockerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found = [line.partition(" ") for line in text.splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in found]


def of(image: str, word: str) -> list[str]:
    return [rest for found, rest in instructions(image) if found == word]


def copied(image: str) -> list[str]:
    """Sources from the build context."""
    words = [shlex.split(rest) for rest in of(image, "COPY")]
    return [source for each in words for source in each[:-1] if not source.startswith("--")]


@pytest.mark.parametrize("image", EXTRAS)
def test_starts_from_the_slim_python(image: str) -> None:
    assert [rest.split()[0] for rest in of(image, "FROM")] == [BASE]


@pytest.mark.parametrize("image", EXTRAS)
def test_runs_as_the_numeric_user_of_the_manifests(image: str) -> None:
    assert of(image, "USER") == [f"{USER}:{USER}"]


@pytest.mark.parametrize("image", EXTRAS)
def test_imports_nothing_from_its_home(image: str) -> None:
    variables = " ".join(of(image, "ENV")).split()
    assert {"PYTHONNOUSERSITE=1", "HOME=/scratch"} <= set(variables)


OWN_LOCK = [image for image in EXTRAS if (ROOT / f"images/{image}/requirements.lock").exists()]
COMMON_LOCK = [image for image in EXTRAS if image not in OWN_LOCK]


def installs(image: str) -> list[str]:
    """What is installed, in order: dependencies, and last the project's code."""
    found = [rest.partition("uv pip install ")[2] for rest in of(image, "RUN") if "uv pip" in rest]
    assert [rest for rest in of(image, "RUN") if "pip install" in rest][-1].endswith("--no-deps .")
    return [rest.partition(" &&")[0].strip() for rest in found]


@pytest.mark.parametrize("image", COMMON_LOCK)
def test_installs_its_extras_by_the_common_lock(image: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [source for source in copied(image) if source.endswith(".lock")] == ["requirements.lock"]
    assert all("-c requirements.lock " in each for each in installs(image))
    extras = set(re.findall(r"--extra (\S+)", " ".join(installs(image))))
    assert extras == EXTRAS[image] <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("image", OWN_LOCK)
def test_installs_what_its_own_lock_has(image: str) -> None:
    """A change of the project's other lines makes no layer of dependencies anew."""
    assert installs(image)[-1] == "--require-hashes -r requirements.lock"
    assert f"images/{image}/requirements.lock" in copied(image)
    steps = [f"{word} {rest}" for word, rest in instructions(image)]
    last = max(i for i, step in enumerate(steps) if "--require-hashes" in step)
    assert "pyproject.toml" not in " ".join(steps[:last])


@pytest.mark.parametrize("image", EXTRAS)
def test_what_uv_fetches_outlives_a_build_and_is_in_no_layer(image: str) -> None:
    [cache] = [
        rest.partition("=")[2] for rest in of(image, "ARG") if rest.startswith("UV_CACHE_DIR")
    ]
    for rest in of(image, "RUN"):
        if "uv pip" in rest and "--no-cache" not in rest:
            assert rest.startswith(f"--mount=type=cache,target={cache} ")


def test_garaks_torch_is_the_runtimes_layer() -> None:
    """Layers are shared where all instructions up to them are the same."""
    layers = []
    for image in ("runtime", "harness-garak"):
        steps = [f"{word} {rest}" for word, rest in instructions(image)]
        torch = next(i for i, step in enumerate(steps) if " torch &&" in " ".join(step.split()))
        layers.append(steps[: torch + 1])
    assert layers[0] == layers[1]


@pytest.mark.parametrize("image", EXTRAS)
def test_uv_is_the_locked_one(image: str) -> None:
    locked = re.search(r"^uv==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked
    assert set(of(image, "ARG")) >= {f"UV_VERSION={locked[1]}"}


@pytest.mark.parametrize("image", EXTRAS)
def test_what_it_copies_exists_and_is_in_the_context(image: str) -> None:
    allowed = [w[1:] for w in (ROOT / ".dockerignore").read_text().split() if w.startswith("!")]
    for source in copied(image):
        assert (ROOT / source).exists()
        assert source in allowed


def test_the_context_holds_neither_tests_nor_demo_nor_history() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    tops = {rule[1:].split("/")[0] for rule in rules if rule.startswith("!")}
    assert not tops & {"tests", "demo", ".git", "docs", "bench", "cli"}


def test_torch_has_a_layer_of_its_own_before_the_project() -> None:
    steps = [f"{word} {rest}" for word, rest in instructions("runtime")]
    torch = next(i for i, step in enumerate(steps) if " torch &&" in " ".join(step.split()))
    before = " ".join(steps[:torch])
    assert "pyproject.toml" not in before
    assert "proctor_" not in before


@pytest.mark.parametrize("image", EXTRAS)
def test_the_projects_code_comes_after_its_dependencies(image: str) -> None:
    steps = [f"{word} {rest}" for word, rest in instructions(image)]
    code = [i for i, step in enumerate(steps) if step.startswith("COPY") and "proctor_" in step]
    dependencies = [i for i, step in enumerate(steps) if "uv pip install" in step]
    assert max(dependencies) < min(code)


@pytest.mark.parametrize("image", EXTRAS)
def test_is_labelled_with_the_projects_version(image: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"VERSION={project['version']}" in of(image, "ARG")
    (label,) = of(image, "LABEL")
    for name in ("title", "licenses", "version"):
        assert f"org.opencontainers.image.{name}=" in label


def test_garaks_lock_has_the_torch_of_the_common_one() -> None:
    """Else its image would hold a second one, in a layer above."""
    common, own = (
        pins(ROOT / path / "requirements.lock") for path in (".", "images/harness-garak")
    )
    of_torch = {name for name in own if name in {"torch", "triton"} or "nvidia-cu" in name}
    assert len(of_torch) > 5
    assert {name: own[name] for name in of_torch} == {name: common.get(name) for name in of_torch}


def pins(lock: Path) -> dict[str, str]:
    """A lock's versions, by package."""
    found = re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.MULTILINE)
    return dict(found)
