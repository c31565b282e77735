from pathlib import Path

import pytest

from proctor_crds.wire import EXIT_REJECTED, Failure
from proctor_harness.adapter.__main__ import main
from proctor_harness.adapter.beginning import beginning, failure
from proctor_harness.adapter.configuration import ConfigurationError
from proctor_harness.adapter.errors import InterceptorError

ARTIFACTS = Path("/artifacts")


def built(cause: Exception) -> Exception:
    error = InterceptorError("caching", cause)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (ConfigurationError(["x: unknown"]), "ParameterInvalid", "adapter: x: unknown"),
        (
            PermissionError(13, "Permission denied", "/artifacts/cache"),
            "ArtifactsRefused",
            (
                "artifacts: /artifacts/cache: Permission denied: make the claim writable for group"
                " 65532, or free it"
            ),
        ),
        (
            built(OSError(28, "No space left on device", Path("/artifacts/cache"))),
            "ArtifactsRefused",
            (
                "artifacts: /artifacts/cache: No space left on device: make the claim writable for"
                " group 65532, or free it"
            ),
        ),
        (
            built(KeyError("n")),
            "InterceptorFailed",
            "adapter: interceptor caching: KeyError: 'n'",
        ),
        (
            built(FileNotFoundError(2, "No such file or directory", "/etc/words")),
            "InterceptorFailed",
            (
                "adapter: interceptor caching: FileNotFoundError: [Errno 2] No such file or"
                " directory: '/etc/words'"
            ),
        ),
        (
            OSError(98, "address in use"),
            "ParameterInvalid",
            "adapter: cannot begin: OSError: [Errno 98] address in use",
        ),
    ],
    ids=["configuration", "right", "room", "an interceptor", "its file", "other"],
)
def test_it_says_why_it_cannot_begin(error: Exception, reason: str, words: str) -> None:
    found = failure(error, ARTIFACTS)
    assert (found.reason, found.message) == (reason, words)


def test_it_begins() -> None:
    with beginning(ARTIFACTS):
        pass


@pytest.mark.parametrize(
    ("config", "reason", "words"),
    [
        ("adapter_config: [endpoint]", "ParameterInvalid", "adapter_config: give a mapping"),
        ("{max_retries: 1, extra_headers: {X: 日本}}", "ParameterInvalid", "Latin-1"),
        ('{caching_dir: "a\\0b"}', "ParameterInvalid", "a path has no NUL character"),
        ("", "ArtifactsRefused", "make the claim writable for group 65532, or free it"),
    ],
)
def test_it_ends_so_that_it_is_not_started_again(
    config: str, reason: str, words: str, tmp_path: Path
) -> None:
    artifacts, said = tmp_path / "artifacts", tmp_path / "said"
    if not config:
        artifacts.write_text("")  # no directory can be made below it
    environ = {
        "UPSTREAM_URL": "http://model:8080",
        "MOUNT_ARTIFACTS": str(artifacts),
        "ADAPTER_CONFIG": config,
        "TERMINATION_MESSAGE_PATH": str(said),
    }
    assert main(environ) == EXIT_REJECTED
    found = Failure.model_validate_json(said.read_text())
    assert found.reason == reason
    assert words in found.message


def test_so_does_a_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor_harness.adapter.__main__.settings", lambda environ: environ[0])
    said = tmp_path / "said"
    assert main({"TERMINATION_MESSAGE_PATH": str(said)}) == EXIT_REJECTED
    found = Failure.model_validate_json(said.read_text())
    assert found.message == "adapter: cannot begin: KeyError: 0"
