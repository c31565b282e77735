from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest

from proctor_crds.model_deployment import Api
from proctor_runtime.checkpoints.formats import FORMATS
from proctor_runtime.engine.megatron.parallelism import Parallelism
from proctor_runtime.engine.options import EngineOptions
from proctor_runtime.openai.reasoning_parsers import REASONING_PARSERS
from proctor_runtime.openai.tool_parsers import TOOL_PARSERS
from proctor_runtime.settings import Addresses, Settings, parse
from proctor_runtime.sources.settings import FetchSettings

REQUIRED = ["serve", "--checkpoint=/m/c", "--tokenizer=/m/t", "--served-model-name=x"]


def test_defaults() -> None:
    settings = parse(REQUIRED)
    assert isinstance(settings, Settings)
    assert settings.checkpoint == Path("/m/c")
    assert (settings.transport, settings.dtype) == ("triton", "float32")
    assert (settings.parallelism, settings.engine) == (Parallelism(), EngineOptions())


def test_a_split_along_every_axis() -> None:
    sizes = {"tensor": 2, "pipeline": 3, "context": 4, "expert": 8, "expert-tensor": 1}
    given = [f"--{axis}-parallel={size}" for axis, size in sizes.items()]
    settings = parse([*REQUIRED, *given, "--sequence-parallel"])
    assert isinstance(settings, Settings)
    assert settings.parallelism == Parallelism(
        tensor=2, pipeline=3, context=4, expert=8, expert_tensor=1, sequence=True
    )


def test_the_apis_options() -> None:
    assert parse(REQUIRED).api.tool_call_parser is None
    arguments = ["--tool-call-parser=hermes", "--reasoning-parser=think", "--max-body-bytes=9"]
    api = parse([*REQUIRED, *arguments]).api
    assert (api.tool_call_parser, api.reasoning_parser, api.max_body_bytes) == (
        "hermes",
        "think",
        9,
    )


def test_the_engines_options() -> None:
    arguments = ["--max-batch-size=4", "--kv-cache-gib=0.5", "--prefix-caching=false"]
    engine = parse([*REQUIRED, *arguments, "--cuda-graphs=true"]).engine
    assert engine == EngineOptions(max_batch_size=4, kv_cache_gib=0.5, prefix_caching=False)


def test_a_chat_template_from_the_environment_or_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert parse(REQUIRED).api.chat_template is None
    monkeypatch.setenv("CHAT_TEMPLATE", "{{ x }}")
    assert parse(REQUIRED).api.chat_template == "{{ x }}"
    (tmp_path / "t").write_text("é")
    assert parse([*REQUIRED, f"--chat-template={tmp_path / 't'}"]).api.chat_template == "é"


@pytest.mark.parametrize(
    ("field", "known"),
    [("tool_call_parser", TOOL_PARSERS), ("reasoning_parser", REASONING_PARSERS)],
)
def test_the_resources_parsers_are_those_that_there_are(field: str, known: Iterable[str]) -> None:
    names, _ = get_args(Api.model_fields[field].annotation)
    assert set(get_args(names)) == set(known)


def test_defaults_are_as_the_resource_documents_them() -> None:
    api = parse(REQUIRED).api
    assert (api.max_queued_requests, api.max_body_bytes) == (4096, 64 << 20)


def test_addresses_come_from_the_environment() -> None:
    environment = {"PORT_HTTP": "1", "PORT_TRITON_HTTP": "2", "BIND_ADDRESS": "0.0.0.0"}  # noqa: S104
    assert Addresses.from_environment(environment) == Addresses(
        bind="0.0.0.0",  # noqa: S104
        http=1,
        triton_http=2,
        triton_grpc=8001,
        triton_metrics=8002,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "--tensor-parallel=0",
        "--transport=pigeon",
        "--dtype=int3",
        "--max-batch=4",
        "--tool-call-parser=guess",
        "--max-queued-requests=0",
        "--kv-cache-gib=0",
        "--kv-cache-gib=inf",
        "--prefix-caching=yes",
        "--chat-template=/none",
    ],
)
def test_wrong_arguments_exit_as_usual(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([*REQUIRED, wrong])
    assert wrong.partition("=")[0] in capsys.readouterr().err


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_may_be_asked_for(format_: str) -> None:
    settings = parse([*REQUIRED, f"--checkpoint-format={format_}"])
    assert settings.checkpoint_format == format_


def test_fetching_takes_its_token_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_TOKEN", "t")
    given = ["--source=hf", "--location=acme/tiny", "--checkpoint-format=hf", "--to=/model"]
    assert parse(["fetch", *given]) == FetchSettings(
        source="hf",
        location="acme/tiny",
        endpoint=None,
        revision="main",
        sha256=None,
        checkpoint_format="hf",
        to=Path("/model"),
        part_mib=16,
        token="t",
    )


def test_a_source_that_is_unknown_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["fetch", "--source=ftp", "--location=x", "--to=/model"])
    assert "'ftp'" in capsys.readouterr().err
