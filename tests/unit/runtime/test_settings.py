from pathlib import Path

import pytest

from proctor_runtime.settings import Addresses, parse

REQUIRED = ["serve", "--checkpoint=/m/c", "--tokenizer=/m/t", "--served-model-name=x"]


def test_defaults() -> None:
    settings = parse(REQUIRED)
    assert settings.checkpoint == Path("/m/c")
    assert (settings.transport, settings.dtype) == ("triton", "float32")
    assert (settings.tensor_parallel, settings.max_batch_size) == (1, 32)


def test_the_apis_options() -> None:
    assert parse(REQUIRED).api.tool_call_parser is None
    arguments = ["--tool-call-parser=hermes", "--reasoning-parser=think", "--max-body-bytes=9"]
    api = parse([*REQUIRED, *arguments]).api
    assert (api.tool_call_parser, api.reasoning_parser, api.max_body_bytes) == (
        "hermes",
        "think",
        9,
    )


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
    ],
)
def test_wrong_arguments_exit_as_usual(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([*REQUIRED, wrong])
    assert wrong.partition("=")[0] in capsys.readouterr().err
