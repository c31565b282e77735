"""What every harness must hold to, and the golden commands and reports of each.

A folder of `golden` holds, from a real run: `run.json`, what was asked; the harness's own files;
`records.json`, what they mean; and for each endpoint type `argv.<type>.json`, the commands.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import get_args

import pytest

from proctor_crds import catalogue, evaluation_run
from proctor_crds.reasons import Reason
from proctor_crds.results import ResultRecord
from proctor_crds.wire import LEFT_TO_THE_ADAPTER, HarnessParams, RunResult, RunSpec
from proctor_harness.failures import EXIT_CODES
from proctor_harness.harnesses import HARNESSES
from proctor_harness.harnesses.protocol import Workspace
from proctor_harness.items import Item
from proctor_harness.repeats import key

GOLDEN = Path(__file__).parent / "golden"
ARGVS = sorted(GOLDEN.glob("*/argv.*.json"))
JUDGE = "http://127.0.0.1:9101/v1"
WORKSPACE = Workspace("http://127.0.0.1:9100/v1", Path("/artifacts/out"), Path("/datasets"), JUDGE)

OURS = sorted(HARNESSES.keys() - {"container"})
"""Those whose tasks and settings are ours to know, and not an image's to tell."""


def golden(name: str) -> Path:
    return GOLDEN / name.replace("-", "_")


def asked(folder: Path) -> RunSpec:
    return RunSpec.model_validate_json((folder / "run.json").read_text())


EVERYTHING = HarnessParams(
    limit_samples=1, few_shot=1, temperature="0", top_p="1", max_new_tokens=1
)
HARNESSES_PAGE = (Path(__file__).parents[3] / "docs/harnesses.md").read_text()


def documented(column: int) -> dict[str, list[str]]:
    """The words in code of one column of the documentation's table of `params`."""
    table = HARNESSES_PAGE.split("| `params` |")[1].split("\n\n")[0].splitlines()[2:]
    cells = [line.split("|") for line in table]
    return {row[1].strip(" `"): re.findall(r"[\w-]+", row[column]) for row in cells}


def refused(name: str) -> set[str]:
    """What of `params` a harness has no setting for."""
    run = RunSpec(harness=name, tasks=["t"], model="m", params=EVERYTHING)
    problems = HARNESSES[name].validate(run)
    return {p.field.removeprefix("params.") for p in problems if "no such setting" in p.remedy}


def test_what_each_harness_refuses_of_params_is_documented() -> None:
    found = {name: refused(name) for name in HARNESSES}
    told = documented(4)
    assert told == {
        param: sorted(name for name, params in found.items() if param in params) for param in told
    }


def test_every_one_of_params_is_documented_with_its_default() -> None:
    fields = HarnessParams.model_fields
    defaults = {str(f.alias): f.default for name, f in fields.items() if name != "extra"}
    told = documented(2)
    assert told.keys() == defaults.keys()
    assert {p: words for p, words in told.items() if words[0].isdigit()} == {
        p: [str(value)] for p, value in defaults.items() if value is not None
    }


def test_the_api_offers_exactly_the_registered_harnesses() -> None:
    assert set(get_args(evaluation_run.Harness)) == set(HARNESSES)


@pytest.mark.parametrize("name", HARNESSES)
def test_a_golden_report_becomes_records(name: str) -> None:
    expected = RunResult.model_validate_json((golden(name) / "records.json").read_text())
    assert HARNESSES[name].parse(asked(golden(name)), golden(name)) == expected


@pytest.mark.parametrize("name", sorted(set(OURS) - {"lm-eval"}))
def test_the_items_of_a_golden_report_are_its_records(name: str) -> None:
    """Each mean of samples is that of its items; a pass@10 and the like is none."""
    expected = RunResult.model_validate_json((golden(name) / "records.json").read_text())
    items = HARNESSES[name].items(golden(name))
    compared = [record for record in expected.results if measured(items, record)]
    assert {record.task for record in compared} == {record.task for record in expected.results}
    assert len({(i.task, i.metric, i.filter, i.sample) for i in items}) == len(items)


def measured(items: Sequence[Item], record: ResultRecord) -> bool:
    """Hold a record against its items; false where it has none."""
    own = [i for i in items if (i.task, i.metric, i.filter) == key(record)]
    if own:
        assert fmean(item.value for item in own) == pytest.approx(float(record.value))
        assert len(own) == record.n
        assert sum(item.extraction_failure for item in own) == (record.extraction_failures or 0)
    return bool(own)


@pytest.mark.parametrize("name", OURS)
def test_every_record_has_a_known_metric(name: str) -> None:
    expected = RunResult.model_validate_json((golden(name) / "records.json").read_text())
    for record in expected.results:
        metric = catalogue.metrics()[name, record.metric]
        assert record.direction == metric.direction
        assert float(metric.low or "-inf") <= float(record.value) <= float(metric.high or "inf")


@pytest.mark.parametrize("path", ARGVS, ids=[f"{p.parent.name}-{p.stem}" for p in ARGVS])
def test_the_commands_are_the_golden_ones(path: Path) -> None:
    run = asked(path.parent).model_copy(update={"endpoint_type": path.stem.rpartition(".")[2]})
    # Without the interpreter's path, which is this machine's.
    commands = [argv[1:] for argv in HARNESSES[run.harness].commands(run, WORKSPACE)]
    assert commands == json.loads(path.read_text())


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("change", [{"max_retries": 77}, {"request_timeout_seconds": 7777}])
def test_a_harness_is_told_how_patient_to_be_or_the_adapter_is(
    name: str, change: dict[str, int]
) -> None:
    def commands(params: HarnessParams) -> list[list[str]]:
        return HARNESSES[name].commands(run.model_copy(update={"params": params}), WORKSPACE)

    run = asked(golden(name))
    told = commands(run.params) != commands(run.params.model_copy(update=change))
    assert told == (name not in LEFT_TO_THE_ADAPTER)


@pytest.mark.parametrize("name", HARNESSES)
def test_the_golden_run_is_valid(name: str) -> None:
    assert HARNESSES[name].validate(asked(golden(name))) == []


@pytest.mark.parametrize("name", sorted(catalogue.COMPLETE & HARNESSES.keys()))
def test_an_unknown_task_is_refused_with_its_neighbours(name: str) -> None:
    task = catalogue.tasks(name)[0].name
    run = asked(golden(name)).model_copy(update={"tasks": [f"{task}x"]})
    assert task in "".join(map(str, HARNESSES[name].validate(run)))


@pytest.mark.parametrize("name", OURS)
def test_an_unknown_extra_is_refused(name: str) -> None:
    run = asked(golden(name))
    params = run.params.model_copy(update={"extra": run.params.extra | {"nonesuch": "1"}})
    [problem] = HARNESSES[name].validate(run.model_copy(update={"params": params}))
    assert problem.field == "params.extra.nonesuch"


@pytest.mark.parametrize("name", HARNESSES)
def test_no_files_are_no_score(name: str, tmp_path: Path) -> None:
    from proctor_harness.harnesses.protocol import NoReportError

    try:
        found = HARNESSES[name].parse(asked(golden(name)), tmp_path)
    except NoReportError:
        return
    assert found.results == []
    assert {part.task for part in found.unscored} >= set(asked(golden(name)).tasks)


def test_every_failure_is_a_known_reason() -> None:
    assert set(EXIT_CODES) <= set(Reason)
