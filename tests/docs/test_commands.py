"""Every command that the documentation tells a reader to type exists."""

import importlib.util
import itertools
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from proctor_cli.app import app
from proctor_crds.kinds import KINDS
from proctor_crds.reasons import ConditionType
from proctor_operator.settings import VERSION
from tests.docs.documents import DOCUMENTS, ROOT, Piece, inline_code, snippets

NOTES = ROOT / "charts/proctor/templates/NOTES.txt"
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
CLI: Any = typer.main.get_command(app)
RESOURCES = {name for kind in KINDS.values() for name in (kind.name, kind.plural, kind.short)}
RESOURCES |= {kind.name.lower() for kind in KINDS.values()} | {"crd", "deployment"}
VALUES = yaml.safe_load((ROOT / "charts/proctor/values.yaml").read_text())
IMAGES = [image for image in VALUES["images"].values() if isinstance(image, dict)]
LANGUAGES = {"sh", "yaml", "text", "mermaid"}
# Run by tests/runtime/test_server.py and tests/unit/harness/adapter/test_docs.py.
PYTHON_PAGES = {ROOT / "docs/triton.md", ROOT / "docs/adapter.md"}
WITH_VALUE = {"-n", "--namespace", "-o", "--timeout", "-f", "--for"}


def lines(text: str) -> Iterator[list[str]]:
    """A shell text's commands, as words."""
    for command in re.split(r"\n|\|", text.replace("\\\n", " ")):
        if words := shlex.split(command, comments=True):
            yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


def commands() -> Iterator[tuple[Piece, list[str]]]:
    """What the documentation shows in shell snippets, in backticks, and after an install."""
    for page in DOCUMENTS:
        for snippet in snippets(page, "sh"):
            yield from ((snippet, words) for words in lines(snippet.text))
        for code in inline_code(page):
            if code.text.split()[0] in CHECKS and " " in code.text:
                yield code, shlex.split(code.text)
    for number, text in enumerate(NOTES.read_text().splitlines(), 1):
        if text.strip().startswith("kubectl "):
            plain = re.sub(r"\{\{.*?\}\}", "NAME", text).split("   shows")[0].split("   says")[0]
            yield Piece(NOTES, number, plain), shlex.split(plain)


def check_make(words: list[str]) -> None:
    assert set(words[1:]) <= TARGETS, f"no make target {set(words[1:]) - TARGETS}"


def check_proctor(words: list[str]) -> None:
    command = CLI.commands.get(words[1])
    assert command, f"no `proctor {words[1]}`"
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    given = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert given <= known, f"`proctor {words[1]}` has no {given - known}"
    check_files(word for word in words if word.endswith(".yaml"))


def check_files(patterns: Iterable[str]) -> None:
    """A file that a reader has to bring is named without a folder."""
    for pattern in patterns:
        assert "/" not in pattern or any(ROOT.glob(pattern)), f"no file {pattern}"


def check_kubectl(words: list[str]) -> None:
    positional = list(without_options(words[1:]))
    for condition in (word for word in words if word.startswith("--for=condition=")):
        assert condition.rpartition("=")[2] in set(ConditionType)
    if positional[0] in ("get", "wait", "delete", "explain"):
        for name in ",".join(positional[1:2]).split(","):
            assert re.split(r"[/.]", name)[0] in {"", *RESOURCES}, f"kubectl knows no {name}"
    check_files(word for word in words if word.endswith(".yaml"))


def without_options(words: list[str]) -> Iterator[str]:
    """The words that are neither options nor their values."""
    before = ""
    for word in words:
        if not word.startswith("-") and before not in WITH_VALUE:
            yield word
        before = word


def check_helm(words: list[str]) -> None:
    for word in words:
        if word.startswith("charts/"):
            assert (ROOT / word / "Chart.yaml").is_file()
    for option, value in itertools.pairwise(words):
        if option == "--set":
            assert set(values_set(value)) <= set(paths(VALUES)), value


def values_set(value: str) -> list[str]:
    """Names that `--set` sets: `a.b=1,c={x,y}` sets a.b and c."""
    return re.findall(r"(?:^|,)([\w.]+)=", value)


def paths(values: dict[str, object], above: str = "") -> Iterator[str]:
    """Every path in the chart's values."""
    for name, value in values.items():
        yield f"{above}{name}"
        if isinstance(value, dict):
            yield from paths(value, f"{above}{name}.")


def check_docker(words: list[str]) -> None:
    options = dict(itertools.pairwise(words))
    assert (ROOT / options["-f"]).is_file()
    repository, _, tag = options["-t"].partition("/")[2].partition(":")
    assert (repository, tag) in {(image["repository"], VERSION) for image in IMAGES}


def check_python(words: list[str]) -> None:
    assert words[1] == "-m"
    assert importlib.util.find_spec(words[2]), f"no module {words[2]}"


CHECKS = {
    "make": check_make,
    "proctor": check_proctor,
    "kubectl": check_kubectl,
    "helm": check_helm,
    "docker": check_docker,
    "python": check_python,
}
COMMANDS = list(commands())


@pytest.mark.parametrize(("place", "words"), COMMANDS, ids=[str(place) for place, _ in COMMANDS])
def test_a_command_exists(place: Piece, words: list[str]) -> None:
    assert words[0] in CHECKS, f"{place}: say in this test how to check `{words[0]}`"
    CHECKS[words[0]](words)


def test_the_main_commands_are_documented() -> None:
    shown = {" ".join(words[:2]) for _, words in COMMANDS}
    assert {"make demo", "make test", "make cluster-demo", "proctor run"} <= shown
    assert {"helm install", "kubectl apply", "kubectl wait", "kubectl get"} <= shown


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_snippet_names_its_language(page: Path) -> None:
    """Else no test would know what to make of it."""
    known = LANGUAGES | ({"python"} if page in PYTHON_PAGES else set())
    for snippet in snippets(page):
        assert snippet.language in known, f"{snippet}: language {snippet.language!r}"


@pytest.mark.parametrize(
    "wrong",
    [
        "make cluster-dmo",
        "proctor run examples/arithmetics/*.yaml",
        "proctor runn x.yaml",
        "proctor run x.yaml --volumes a=b",
        "kubectl get modeldeploymnts",
        "kubectl wait --for=condition=Suceeded evaluationrun/x",
        "kubectl apply -f examples/arithmetic/modeldeploymnt.yaml",
        "helm install proctor charts/prctor",
        "helm install proctor charts/proctor --set watchNamespace=a",
        "docker build -f images/runtime/Dockerfile -t REGISTRY/proctor/serving:0.1.0 .",
        "python -m benchmarks",
    ],
)
def test_a_wrong_command_would_be_found(wrong: str) -> None:
    words = shlex.split(wrong)
    with pytest.raises(AssertionError):
        CHECKS[words[0]](words)
