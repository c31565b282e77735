import json
from pathlib import Path
from typing import Any

import pytest

from proctor_crds.wire import RunSpec
from proctor_harness.harnesses import lm_eval
from proctor_harness.harnesses.protocol import Workspace


def spec(endpoint_type: str = "completions", **params: Any) -> RunSpec:
    base = {"harness": "lm-eval", "tasks": ["t"], "model": "m", "endpointType": endpoint_type}
    return RunSpec.model_validate(base | {"params": params})


def arguments(run: RunSpec) -> dict[str, Any]:
    return lm_eval._completions(run, Workspace("http://x/v1", Path("/o"), None))


@pytest.mark.parametrize(
    ("run", "field"),
    [
        (spec(temperature="-0.1"), "params.temperature"),
        (spec(topP="0"), "params.topP"),
        (spec(extra={"maxLength": "long"}), "params.extra.maxLength"),
        (spec(extra={"batchSize": "0"}), "params.extra.batchSize"),
        (spec(extra={"tokenizedRequests": "yes"}), "params.extra.tokenizedRequests"),
        (spec(extra={"tokenizerBackend": "hf"}), "params.extra.tokenizerBackend"),
        (
            spec(extra={"tokenizer": "a", "tokenizerBackend": "remote"}),
            "params.extra.tokenizer",
        ),
        (spec("chat", extra={"tokenizer": "a"}), "params.extra.tokenizer"),
        (spec(extra={"bogus": "a"}), "params.extra.bogus"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_parameters_are_named(run: RunSpec, field: str) -> None:
    assert [problem.field for problem in lm_eval.validate(run)] == [field]


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, ("remote", True, None)),
        ({"tokenizer": "org/name"}, ("huggingface", True, "org/name")),
        ({"tokenizerBackend": "none"}, ("none", False, None)),
        (
            {"tokenizer": "/t", "tokenizerBackend": "huggingface", "tokenizedRequests": "false"},
            ("huggingface", False, "/t"),
        ),
    ],
    ids=["default", "tokenizer", "none", "text requests"],
)
def test_the_tokenizer_is_always_named(
    extra: dict[str, str], expected: tuple[str, bool, str | None]
) -> None:
    got = arguments(spec(extra=extra))
    assert (got["tokenizer_backend"], got["tokenized_requests"], got.get("tokenizer")) == expected


def test_a_value_may_begin_with_a_dash() -> None:
    run = spec(extra={"systemInstruction": "--be brief"})
    workspace = Workspace("http://x/v1", Path("/o"), None)
    assert "--system_instruction=--be brief" in lm_eval.commands(run, workspace)[0]


@pytest.mark.parametrize(
    ("known", "extra", "passed"),
    [(None, {}, lm_eval.NEVER_CUT), (512, {}, 512), (512, {"maxLength": "64"}, 64)],
    ids=["unknown", "the target's", "asked for"],
)
@pytest.mark.parametrize("endpoint", ["completions", "chat"])
def test_no_prompt_is_cut_to_a_length_that_nobody_named(
    known: int | None, extra: dict[str, str], passed: int, endpoint: str
) -> None:
    run = spec(extra=extra).model_copy(update={"context_length": known, "endpoint_type": endpoint})
    [argv] = lm_eval.commands(run, Workspace("http://x/v1", Path("/o"), None))
    assert json.loads(argv[argv.index("--model_args") + 1])["max_length"] == passed
