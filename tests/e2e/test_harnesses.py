"""Each harness in its own image, to scores that are those of its own report; and the sandbox."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from demo import cluster as demo
from tests.e2e import within
from tests.e2e.harness_runs import QUESTIONS, RUN_OF, RUNS, SCRIPTED, repositories, runs, served
from tests.e2e.mirror import manifests
from tests.e2e.mirror.answers import ESCAPES, HONEST, PROBLEMS, WRONG
from tests.e2e.reports import READERS, Own
from tests.kube import LONG_SECONDS, Kubectl, Manifest, eventually

pytestmark = pytest.mark.e2e
MD, ER = "modeldeployment", "evaluationrun"
SECRET = "sk-planted"
IMAGES = demo.images(*(f"harness-{name}" for name in READERS if name != "lm-eval"))
DENIALS = ("PermissionError", "OSError", "FileNotFoundError", "KeyError", "BlockingIOError")


@pytest.fixture(scope="module")
def applied(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """kubectl where all runs go on, and the scripted model says nothing yet."""
    demo.build_images(IMAGES)
    kubectl.apply(served(), *manifests.judge())
    kubectl("create", "secret", "generic", "planted", f"--from-literal=token={SECRET}")
    manifests.start(kubectl, repositories(), tmp_path_factory.mktemp("mirror"))
    kubectl.apply(*runs(manifests.url(kubectl)))
    yield kubectl
    kubectl("delete", MD, "harnesses", "judge", "--wait=false")


@pytest.fixture(scope="module")
def pod(applied: Kubectl) -> Manifest:
    """That of bigcode, before the model has answered."""

    def running() -> Manifest | None:
        found = applied.list("pods", f"proctor.dev/run={SCRIPTED},proctor.dev/evaluation=bigcode")
        return next((each for each in found if each["status"]["phase"] == "Running"), None)

    found: Manifest = eventually(running, LONG_SECONDS)
    return found


@pytest.fixture(scope="module")
def evaluated(applied: Kubectl) -> dict[str, Manifest]:
    """By its harness, what the status has of each evaluation once all have ended."""
    manifests.release(applied)
    ended = [eventually(partial(status_of_ended, applied, name), LONG_SECONDS) for name in RUNS]
    return {each["name"]: each for status in ended for each in status["evaluations"]}


def status_of_ended(kubectl: Kubectl, name: str) -> Manifest | None:
    status: Manifest = (kubectl.get(ER, name) or {}).get("status", {})
    return status if "completionTime" in status else None


@pytest.fixture(scope="module")
def artifacts(
    applied: Kubectl, evaluated: dict[str, Manifest], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What the harnesses left on the claim."""
    return manifests.fetch(applied, "artifacts", tmp_path_factory.mktemp("claim") / "artifacts")


# The sandbox, while bigcode waits for its first answer.


def test_the_pod_is_what_the_documentation_says(pod: Manifest) -> None:
    containers = {c["name"]: c for c in pod["spec"]["initContainers"] + pod["spec"]["containers"]}
    sandbox = containers["sandbox"]
    assert sandbox["image"] == containers["harness"]["image"]
    assert [mount["mountPath"] for mount in sandbox["volumeMounts"]] == ["/tmp"]  # noqa: S108  the pod's, not ours
    assert not {"RUN_SPEC", "BASE_URL", "API_KEY", "HF_ENDPOINT"} & variables(sandbox)
    assert sandbox["resources"]["limits"]["memory"] == "3Gi"
    assert [name for name, c in containers.items() if "API_KEY" in variables(c)] == ["adapter"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    for each in containers.values():
        assert each["securityContext"]["readOnlyRootFilesystem"] is True
        assert each["securityContext"]["allowPrivilegeEscalation"] is False
        assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "kube-api-access" not in str(each["volumeMounts"])


def variables(container: Manifest) -> set[str]:
    return {variable["name"] for variable in container["env"]}


def test_the_sandboxs_container_has_nothing_of_the_run(applied: Kubectl, pod: Manifest) -> None:
    seen = {
        name: json.loads(python(applied, pod, name, within.SURROUNDINGS))
        for name in ("adapter", "harness", "sandbox")
    }
    of_run = {name: each["of_run"] for name, each in seen.items()}
    assert of_run == {"adapter": True, "harness": True, "sandbox": False}
    keys = {name: SECRET in each["variables"] for name, each in seen.items()}
    assert keys == {"adapter": True, "harness": False, "sandbox": False}
    for each in seen.values():
        assert (each["token"], each["root"], each["capabilities"]) == (False, "EROFS", 0)


def test_no_program_gets_out(applied: Kubectl, pod: Manifest) -> None:
    asked = json.dumps(ESCAPES)
    beside = json.loads(python(applied, pod, "harness", within.EXECUTED, asked))
    inside = json.loads(python(applied, pod, "harness", within.SANDBOXED, asked))
    # The harness's container can do all of it, but for the token that is nowhere in the pod.
    assert {name for name, error in beside.items() if error} == {"token"}
    assert inside.keys() == ESCAPES.keys()
    for name, (passed, result) in inside.items():
        assert not passed, name
        assert result.startswith(tuple(f"failed: {kind}" for kind in DENIALS)), (name, result)


def python(kubectl: Kubectl, pod: Manifest, container: str, code: str, *arguments: str) -> str:
    """What a program prints in one of the pod's containers."""
    command = ("exec", pod["metadata"]["name"], "--container", container)
    return kubectl(*command, "--", "python", "-c", code, *arguments)


# The scores.


@pytest.mark.parametrize("harness", READERS)
def test_the_status_says_what_the_harness_does(
    evaluated: dict[str, Manifest], artifacts: Path, harness: str
) -> None:
    found, own = evaluated[harness], own_scores(artifacts, harness)
    assert found.get("failure") is None
    assert own
    told = [Own(r["task"], r["metric"], float(r["value"]), r.get("n")) for r in found["results"]]
    assert sorted(told) == sorted(own)


def own_scores(artifacts: Path, harness: str) -> list[Own]:
    """What the harness's report says; simple-evals leaves out of how many questions."""
    found = READERS[harness](artifacts / RUN_OF[harness] / harness)
    return [each._replace(n=QUESTIONS) if harness == "simple-evals" else each for each in found]


def test_the_scores_are_those_of_these_answers(evaluated: dict[str, Manifest]) -> None:
    score = {
        (record["task"], record["metric"]): float(record["value"])
        for found in evaluated.values()
        for record in found.get("results", [])
    }
    assert score["humaneval", "pass@1"] == HONEST / PROBLEMS
    assert score["gpqa_diamond", "score"] == 0.5
    assert score["wildguard", "safety_rate"] == pytest.approx(4 / 6)
    # A model that knows of no tool calls none, and knows nothing of Riley.
    assert score["irrelevance", "accuracy"] == 1
    assert score["simple", "accuracy"] == 0
    assert score["goodside.WhoIsRiley", "pass_rate"] > 0
    assert score["arithmetic_mc", "acc"] > 0


def test_each_escape_was_denied_on_bigcodes_own_way(artifacts: Path) -> None:
    path = artifacts / SCRIPTED / "bigcode/bigcode/humaneval/verdicts.jsonl"
    verdicts = sorted(map(json.loads, path.read_text().splitlines()), key=lambda v: v["task_id"])
    results = [verdict["result"] for verdict in verdicts]
    assert results[:HONEST] == ["passed"] * HONEST
    denied = results[HONEST + WRONG :]
    assert len(denied) == len(ESCAPES)
    for result in denied:
        assert result.startswith(tuple(f"failed: {kind}" for kind in DENIALS))


def test_the_table(
    evaluated: dict[str, Manifest], artifacts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For a person; what it shows was compared above."""
    rows = ["harness | task | metric | in the status | in the report | n"]
    for harness in READERS:
        own = {(each.task, each.metric): each.value for each in own_scores(artifacts, harness)}
        for r in evaluated[harness].get("results", []):
            reported = own.get((r["task"], r["metric"]))
            cells = (harness, r["task"], r["metric"], r["value"], reported, r.get("n", ""))
            rows.append(" | ".join(map(str, cells)))
    with capsys.disabled():
        print("\n" + "\n".join(rows))
    assert len(rows) > len(READERS)
