"""Whatever the OpenAPI document allows: never an error of ours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error

from proctor_runtime.engine.fake import FakeEngine
from proctor_runtime.openai.reasoning_parsers import REASONING_PARSERS
from proctor_runtime.openai.tool_parsers import TOOL_PARSERS
from proctor_runtime.tokenizer import HuggingFaceTokenizer
from tests.runtime.conftest import VOCABULARY
from tests.runtime.letters import MODEL, batcher_of, letters, says

LONGEST = 64
ROUTES = {
    f"{method} {path}": (path, method)
    for path, methods in says("").app().openapi()["paths"].items()
    for method in methods
}


@pytest.fixture(scope="module")
def api(tokenizer_folder: Path) -> Iterator[Any]:
    """Read the document of a server with a real tokenizer, which has its own ideas of texts."""
    engine = FakeEngine(vocab_size=VOCABULARY, max_sequence_length=LONGEST)
    batcher = batcher_of(engine)
    server = letters(
        engine,
        batcher,
        tokenizer=HuggingFaceTokenizer(tokenizer_folder),
        tool_parser=TOOL_PARSERS["hermes"],
        reasoning_parser=REASONING_PARSERS["think"],
    )
    yield schemathesis.openapi.from_asgi("/openapi.json", server.app())
    batcher.close()


@pytest.mark.parametrize(("path", "method"), ROUTES.values(), ids=ROUTES.keys())
def test_no_request_breaks_the_server(api: Any, path: str, method: str) -> None:
    statuses: set[int] = set()

    @given(case=api[path][method].as_strategy())
    @settings(
        max_examples=100 if method == "post" else 5,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Case) -> None:
        # Otherwise next to every request is for some other model.
        if isinstance(case.body, dict) and "model" in case.body:
            case.body["model"] = MODEL
        answer = case.call_and_validate(checks=[not_a_server_error])
        statuses.add(answer.status_code)
        if answer.status_code >= 400:
            assert answer.json()["error"]["message"]

    ask()
    assert statuses & {200, 404}


def test_the_document_has_what_is_served() -> None:
    assert {path for path, _ in ROUTES.values()} >= {
        "/v1/completions",
        "/v1/chat/completions",
        "/v1/models",
        "/tokenize",
        "/metrics",
    }
