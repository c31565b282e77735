"""A framework.yml, what is asked of it, and the command that comes of both."""

from pathlib import Path
from typing import Any

import pytest

from proctor_crds.wire import HarnessParams, RunSpec
from proctor_harness.harnesses import container_preflight, eval_factory
from proctor_harness.harnesses.eval_factory import FrameworkError

URL = "http://127.0.0.1:9100/v1"
FRAMEWORK: dict[str, Any] = {
    "framework": {"name": "demo", "pkg_name": "demo"},
    "defaults": {
        "command": "run --model {{target.api_endpoint.model_id}} --task {{config.params.task}}"
        " --t {{config.params.temperature}}"
        "{% if config.params.limit_samples is not none %} -l {{config.params.limit_samples}}"
        "{% endif %}{% if config.params.extra.n is defined %} -n {{config.params.extra.n}}"
        "{% endif %}",
        "config": {
            "params": {"temperature": 0.6, "extra": {"judge": {"url": None, "model_id": None}}}
        },
        "target": {"api_endpoint": {"stream": False}},
    },
    "evaluations": [
        {
            "name": "easy",
            "defaults": {
                "config": {
                    "type": "easy",
                    "supported_endpoint_types": ["chat"],
                    "params": {"task": "e"},
                }
            },
        },
        {
            "name": "likely",
            "defaults": {
                "config": {
                    "type": "likely",
                    "supported_endpoint_types": ["completions_logprob"],
                    "params": {"task": "l", "temperature": None},
                }
            },
        },
    ],
}
TASKS = eval_factory.tasks(FRAMEWORK)


def asked(endpoint_type: Any = "chat", **params: Any) -> RunSpec:
    given = HarnessParams.model_validate(params)
    return RunSpec(
        harness="container", tasks=["easy"], model="m", endpoint_type=endpoint_type, params=given
    )


def configured(run: RunSpec, task: str = "easy", judge: str | None = None) -> dict[str, Any]:
    return eval_factory.configured(TASKS[task], run, URL, judge, Path("/out"))


def test_a_task_has_the_framework_s_defaults_below_its_own() -> None:
    assert TASKS["easy"]["config"]["params"]["temperature"] == 0.6
    # What is None in the task leaves what the framework has, as in NeMo Evaluator.
    assert TASKS["likely"]["config"]["params"]["temperature"] == 0.6


@pytest.mark.parametrize(
    ("params", "command"),
    [
        ({}, "run --model m --task e --t 0.6"),
        ({"temperature": "0"}, "run --model m --task e --t 0.0"),
        ({"limitSamples": 5}, "run --model m --task e --t 0.6 -l 5"),
        ({"extra": {"n": "3"}}, "run --model m --task e --t 0.6 -n 3"),
    ],
    ids=["defaults", "temperature", "limit", "extra"],
)
def test_what_is_asked_is_in_the_command(params: dict[str, Any], command: str) -> None:
    assert eval_factory.command(configured(asked(**params))) == command


def test_completions_with_log_probs_are_completions() -> None:
    run = asked("completions")
    assert eval_factory.problems(TASKS["likely"], run) == []
    endpoint = configured(run, "likely")["target"]["api_endpoint"]
    assert (endpoint["type"], endpoint["url"]) == ("completions_logprob", f"{URL}/completions")
    [problem] = eval_factory.problems(TASKS["easy"], run)
    assert str(problem) == "endpointType='completions': the task needs chat"


def test_the_framework_asks_our_adapter_without_another_between() -> None:
    [interceptor] = configured(asked())["target"]["api_endpoint"]["adapter_config"]["interceptors"]
    assert interceptor == {"name": "endpoint", "enabled": False}
    own = {"api_endpoint": {"adapter_config": {"interceptors": [{"name": "reasoning"}]}}}
    whole = eval_factory.configured(TASKS["easy"] | {"target": own}, asked(), URL, None, Path("/o"))
    assert (
        whole["target"]["api_endpoint"]["adapter_config"] == own["api_endpoint"]["adapter_config"]
    )


def test_a_judge_goes_where_the_framework_has_a_place_for_it() -> None:
    run = asked(extra={"judge.model_id": "other"}).model_copy(update={"judge_model": "guard"})
    extra = configured(run, judge="http://judge/v1")["config"]["params"]["extra"]
    assert extra["judge"] == {"url": "http://judge/v1", "model_id": "other"}


def test_extras_that_nothing_reads_are_refused() -> None:
    run = asked(extra={"judge.modelid": "x", "n": "1"})
    [problem] = eval_factory.problems(TASKS["easy"], run)
    assert "did you mean judge.model_id?" in str(problem)


def test_an_unknown_task_has_near_matches() -> None:
    assert "did you mean easy?" in eval_factory.unknown("easi", TASKS)
    assert "known are easy, likely" in eval_factory.unknown("x", TASKS)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{config.params.nonesuch}}", "nonesuch"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{% for i in range(10**9) %}x{% endfor %}", "Range too big"),
        ("{% broken", "cannot be rendered"),
        ("{{command}}x", "contains itself"),
    ],
    ids=["undefined", "escape", "endless", "syntax", "recursion"],
)
def test_a_template_can_do_no_harm(template: str, words: str) -> None:
    with pytest.raises(FrameworkError, match=words):
        eval_factory.command(configured(asked()) | {"command": template})


@pytest.mark.parametrize("config", [{}, {"params": None}, {"params": {"extra": None}}])
def test_a_framework_may_set_no_parameter(config: dict[str, Any]) -> None:
    task = {"name": "t", "defaults": {"config": {"type": "t", **config}}}
    framework = {"defaults": {"command": "run"}, "evaluations": [task]}
    found = eval_factory.tasks(framework)["t"]
    assert eval_factory.problems(found, asked()) == []
    whole = eval_factory.configured(found, asked(), URL, "http://judge/v1", Path("/out"))
    assert eval_factory.command(whole) == "run"


def test_a_parameter_that_is_null_is_there() -> None:
    params = {"extra": {"ratio": None}}
    task = {"name": "t", "defaults": {"config": {"type": "t"}}}
    command = "run{% if config.params.extra.ratio is not none %} --ratio{% endif %}"
    defaults = {"command": command, "config": {"params": params}}
    found = eval_factory.tasks({"defaults": defaults, "evaluations": [task]})["t"]
    whole = eval_factory.configured(found, asked(), URL, None, Path("/out"))
    assert eval_factory.command(whole) == "run"


WITHOUT_COMMAND = {"defaults": {}, "evaluations": [{"defaults": {"config": {"type": "t"}}}]}


@pytest.mark.parametrize(
    "framework", [None, [], {}, {"defaults": {}, "evaluations": [{}]}, WITHOUT_COMMAND]
)
def test_another_file_of_that_name_is_refused(framework: Any) -> None:
    with pytest.raises(FrameworkError, match="not as NeMo Evaluator has it"):
        eval_factory.tasks(framework)


def test_a_framework_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "000.yml").write_text("a: [")
    with pytest.raises(FrameworkError, match="no YAML"):
        container_preflight.frameworks(tmp_path)
