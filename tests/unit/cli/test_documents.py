"""What a person is told about a file that cannot be applied."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from proctor_cli.app import INVALID_INPUT, app
from proctor_cli.documents import Documents, DocumentsInvalidError, load

RUN = """
apiVersion: proctor.dev/v1alpha1
kind: EvaluationRun
metadata: {name: r}
spec:
  target: {endpoint: {url: "http://m", model: m}}
  evaluations:
    - {name: a, harness: lm-eval, tasks: [t]}
"""
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\n"
CLAIM = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c}\n"


def loaded(tmp_path: Path, text: str) -> Documents:
    """The documents of a file with this text."""
    path = tmp_path / "file.yaml"
    path.write_text(text)
    return load([path])


WRONG = {
    "metadata that is a word": (RUN.replace("{name: r}", "foo"), '.metadata: expected map, got "f'),
    "a version that is a number": (
        RUN.replace("proctor.dev/v1alpha1", "1"),
        ".apiVersion: expected string, got 1",
    ),
    "another version": (RUN.replace("v1alpha1", "v1"), "apiVersion proctor.dev/v1: this version"),
    "another group": (
        RUN.replace("proctor.dev", "proctor.io"),
        "apiVersion proctor.io/v1alpha1: this version knows proctor.dev/v1alpha1",
    ),
    "a group without a version": (RUN.replace("/v1alpha1", ""), "apiVersion proctor.dev: this "),
    "a field as Python has it": (
        RUN + "  gate: {rule_list: [{task: t, metric: m, min: '0'}]}\n",
        "spec.gate.rule_list: unknown field",
    ),
    "a timestamp that is none": (RUN + "x: !!timestamp q\n", "no attribute"),
    "very many brackets": ("[" * 3000, "recursion"),
    "a name that is a number": (RUN.replace(": r}", ": 5}"), ".metadata.name: expected string, g"),
    "no name": (RUN.replace("{name: r}", "{}"), "EvaluationRun: metadata.name is required"),
    "a kind that is a list": (
        RUN.replace("EvaluationRun", "[x]"),
        '.kind: expected string, got ["x"]',
    ),
    "an unknown kind": (RUN.replace("onRun", "onRnu"), "did you mean EvaluationRun"),
    "a document that is a list": ("[x]", "not a Kubernetes object"),
    "text that is no YAML": ("a: b: c", "mapping values are not allowed here"),
    "a value that JSON has not": (RUN + "  x: !!set {a, b}\n", "not JSON serializable"),
    "an unknown field beside the spec": (
        RUN + "sepc: 1\n",
        ".sepc: field not declared in schema; did you mean spec?",
    ),
    "a label that is a number": (
        RUN.replace("r}", "r, labels: {x: 1}}"),
        ".metadata.labels.x: expected string, got 1",
    ),
    "an annotation that is a truth": (
        RUN.replace("r}", "r, annotations: {x: yes}}"),
        ".metadata.annotations.x: expected string, got true",
    ),
    "a task given twice": (RUN.replace("[t]", "[t, t]"), 'tasks[1]: Duplicate value: "t"'),
    "an evaluation given twice": (
        RUN + "    - {name: a, harness: lm-eval, tasks: [u]}\n",
        'spec.evaluations[1]: Duplicate value: {"name": "a"}',
    ),
    "no spec": (RUN[: RUN.index("spec:")], "spec.target: Field required"),
    "a number as a secret": (
        SECRET + "stringData: {token: 123}\n",
        ".stringData.token: expected string, got 123",
    ),
    "a secret that is no base64": (
        SECRET + "data: {token: plain}\n",
        "data.token: illegal base64 data; give plain text in stringData",
    ),
    "a misspelt field of a claim": (
        CLAIM + "spec: {accesModes: [ReadWriteOnce]}\n",
        ".spec.accesModes: field not declared in schema; did you mean accessModes",
    ),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_wrong_file_ends_the_command_at_once(tmp_path: Path, case: str, command: str) -> None:
    text, words = WRONG[case]
    path = tmp_path / "file.yaml"
    path.write_text(f"{RUN}---\n{text}")
    ended = CliRunner().invoke(app, [command, str(path)])
    assert ended.exit_code == INVALID_INPUT
    assert ended.stderr.startswith(f"{path}: ")
    assert words in ended.stderr


def test_every_document_is_judged(tmp_path: Path) -> None:
    wrong = RUN.replace("[t]", "[]")
    with pytest.raises(DocumentsInvalidError) as error:
        loaded(tmp_path, f"{wrong}---\n{SECRET}data: {{a: '%'}}\n---\n{wrong}")
    assert len(str(error.value).splitlines()) == 3


def test_a_list_is_its_objects(tmp_path: Path) -> None:
    runs = [yaml.safe_load(RUN.replace("r}", f"{name}}}")) for name in "abc"]
    several = {"apiVersion": "v1", "kind": "List", "items": runs[:2]}
    found = loaded(tmp_path, yaml.safe_dump_all([several, runs[2]])).resources
    assert [run["metadata"]["name"] for run in found] == ["a", "b", "c"]


@pytest.mark.parametrize("annotation", ["2026-01-02", "2026-01-02T03:04:05Z", "'1'"])
def test_a_date_is_text(tmp_path: Path, annotation: str) -> None:
    text = RUN.replace("r}", f"r, annotations: {{x: {annotation}}}}}")
    [run] = loaded(tmp_path, text).resources
    assert run["metadata"]["annotations"]["x"] == annotation.strip("'")


def test_a_key_is_text(tmp_path: Path) -> None:
    [secret] = loaded(tmp_path, SECRET + "stringData: {2: a, yes: b}\n").others
    assert secret["stringData"] == {"2": "a", "true": "b"}


def test_a_null_is_a_field_not_given(tmp_path: Path) -> None:
    text = RUN.replace("r}", "r, labels: null}") + "  gate: null\nstatus: null\n"
    [run] = loaded(tmp_path, text).resources
    assert "labels" not in run["metadata"]
    assert "gate" not in run["spec"]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {backoffLimitPerIndex: 1}\n",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: 'a:b'}\n",
        "apiVersion: other.dev/v1\nkind: Secret\nmetadata: {name: s}\ndata: 1\n",
        "apiVersion: monitoring.coreos.com/v1\nkind: Probe\nmetadata: {name: p}\n",
    ],
    ids=["job", "role", "another Secret", "another Probe"],
)
def test_objects_that_no_resource_refers_to_are_for_the_apiserver_to_judge(
    tmp_path: Path, text: str
) -> None:
    assert len(loaded(tmp_path, text).others) == 1
