"""The look ahead at our own server: what it lacks is told in words, and nothing is counted."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from proctor_crds.wire import RunSpec
from proctor_harness.adapter.probe import Probed
from proctor_harness.adapter.target_page import TargetSeen
from proctor_harness.capabilities import findings, wanted
from proctor_harness.harnesses.protocol import PreflightReport
from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.fake import FakeEngine
from proctor_runtime.openai.tool_parsers import TOOL_PARSERS
from proctor_runtime.tokenizer import ChatTemplateError
from tests.runtime.characters import CharacterTokenizer
from tests.runtime.harness.processes import adapter
from tests.runtime.letters import letters
from tests.runtime.live import live

RUN = RunSpec(harness="bfcl", tasks=["t"], model="letters", endpoint_type="chat")
SCORING = RUN.model_copy(update={"endpoint_type": "completions"})


class Untemplated(CharacterTokenizer):
    """A tokenizer that has no chat template."""

    def render_chat(self, *_: Any, **__: Any) -> str:
        raise ChatTemplateError("the model's tokenizer has no chat template")


CASES: dict[str, Any] = {
    "a capable server": (
        RUN,
        PreflightReport(tools=True),
        {"tool_parser": TOOL_PARSERS["hermes"]},
        None,
    ),
    "no tool parser": (RUN, PreflightReport(tools=True), {}, "calls no tools (HTTP 400"),
    "no chat template": (
        RUN,
        PreflightReport(),
        {"tokenizer": Untemplated()},
        "has no chat template that fits (HTTP 400",
    ),
    "log-probabilities": (SCORING, PreflightReport(logprobs=True), {}, None),
    "another model": (
        SCORING.model_copy(update={"model": "digits"}),
        PreflightReport(),
        {},
        "serves no model 'digits': choose one of letters",
    ),
}


@pytest.mark.parametrize(("run", "report", "serves", "words"), CASES.values(), ids=CASES)
def test_what_our_server_can_is_known_before_anything_is_asked(
    run: RunSpec,
    report: PreflightReport,
    serves: Any,
    words: str | None,
    engine: FakeEngine,
    batcher: Batcher,
    tmp_path: Path,
) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    with (
        live(letters(engine, batcher, **serves)) as url,
        adapter(url.removesuffix("/v1"), artifacts, API_KEY="sk-canary-4f2a9c1e7b") as sidecar,
        httpx.Client(base_url=sidecar.url, timeout=30) as client,
    ):
        seen = TargetSeen.model_validate(client.get("/target").json())
        asked = wanted(run, seen, report)
        assert asked
        answer = client.post("/target", json=asked.model_dump(by_alias=True))
        probed = Probed.model_validate(answer.json())
        progress = sidecar.progress()
        sidecar.stop()
    found = findings(run, seen, asked, probed)
    assert [words in each for each in found if words] == [True] * (words is not None), found
    assert len(found) == (words is not None)
    assert (progress["done"], progress["failed"], progress["lastError"]) == (0, 0, None)
    assert sidecar.log() == []
    stored = artifacts / "cache/answers.jsonl"
    assert not stored.exists() or stored.read_bytes() == b""
