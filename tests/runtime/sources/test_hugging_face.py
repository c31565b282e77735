"""Hugging Face, against a mirror with the hub's routes and its storage at another origin."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fastapi import Request
from fastapi.responses import Response

from proctor_crds.wire import EXIT_REJECTED, EXIT_RETRYABLE
from tests.runtime.sources.conftest import LARGE, Fetch, contents
from tests.runtime.sources.hub import Hub
from tests.runtime.sources.servers import gate, serving

REPOSITORY = "acme/tiny"
TOKEN = "hf_token_of_the_test"
WORKERS = 8


class Mirror:
    """A hub that is served."""

    def __init__(self, hub: Hub, url: str) -> None:
        self.hub = hub
        self.url = url


@pytest.fixture
def mirror(model: Path) -> Iterator[Mirror]:
    with ExitStack() as stack:
        hub = Hub(REPOSITORY, model)
        hub.storage = stack.enter_context(serving(hub.storage_app()))
        yield Mirror(hub, stack.enter_context(serving(hub.app())))


@pytest.fixture
def hf(fetch: Callable[..., Fetch], mirror: Mirror) -> Callable[..., Fetch]:
    def begin(*more: str, location: str = REPOSITORY, **environment: str) -> Fetch:
        place = ("--source=hf", f"--location={location}")
        return fetch(*place, *more, **{"HF_ENDPOINT": mirror.url, **environment})

    return begin


def test_a_repository_becomes_the_model(hf: Callable[..., Fetch], model: Path) -> None:
    done = hf()
    assert done.end() == 0, done.log
    assert contents(done.root) == contents(model)


def test_the_endpoint_may_be_an_argument(
    hf: Callable[..., Fetch], mirror: Mirror, model: Path
) -> None:
    done = hf(f"--endpoint={mirror.url}", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.end() == 0, done.log
    assert contents(done.root) == contents(model)


def test_a_commit_may_be_named(hf: Callable[..., Fetch], mirror: Mirror) -> None:
    assert hf(f"--revision={mirror.hub.commit}").end() == 0


def test_weights_of_other_frameworks_are_left_out(
    hf: Callable[..., Fetch], mirror: Mirror, model: Path, tmp_path: Path
) -> None:
    mirror.hub.folder = tmp_path / "hub"
    mirror.hub.folder.mkdir()
    for name in ("config.json", "pytorch_model.bin", "common.pt"):
        (mirror.hub.folder / name).write_text(name)
    assert hf("--checkpoint-format=megatron").end() == 0
    done = hf("--checkpoint-format=hf")
    assert done.end() == 0
    assert "1 files" in done.log


def test_a_token_opens_what_is_closed_and_is_shown_to_nobody_else(
    hf: Callable[..., Fetch], mirror: Mirror, model: Path
) -> None:
    mirror.hub.token = TOKEN
    done = hf(SOURCE_TOKEN=TOKEN)
    assert done.end() == 0, done.log
    assert contents(done.root) == contents(model)
    assert mirror.hub.leaked == []
    assert TOKEN not in done.log


def test_a_token_that_lies_about_is_not_used(hf: Callable[..., Fetch], mirror: Mirror) -> None:
    mirror.hub.token = TOKEN
    assert hf(HF_TOKEN=TOKEN).end() == EXIT_REJECTED


def test_a_killed_process_goes_on_where_it_was(
    hf: Callable[..., Fetch], mirror: Mirror, model: Path
) -> None:
    storage = mirror.hub.storage
    with gate(storage, limit=LARGE // 2) as way:
        mirror.hub.storage = way.url
        first = hf()
        assert way.shut.wait(60)
        first.process.kill()
        first.end()
    with gate(storage) as rest:
        mirror.hub.storage = rest.url
        done = hf()
        assert done.end() == 0, done.log
    assert contents(done.root) == contents(model)
    assert way.passed + rest.passed < LARGE + (WORKERS + 1 << 20)
    assert rest.passed < LARGE


def test_a_mirror_that_knows_no_ranges_is_asked_for_whole_files(
    hf: Callable[..., Fetch], mirror: Mirror, model: Path
) -> None:
    def all_of_it(request: Request, revision: str, path: str) -> Response:
        return Response((model / path).read_bytes())

    mirror.hub.resolve = all_of_it  # type: ignore[method-assign]
    with serving(mirror.hub.app()) as url:
        done = hf(f"--endpoint={url}")
        assert done.end() == 0, done.log
    assert contents(done.root) == contents(model)
    assert "again in" not in done.log


def test_bytes_that_are_not_the_hubs_are_told(
    hf: Callable[..., Fetch], mirror: Mirror, tmp_path: Path
) -> None:
    mirror.hub.folder = tmp_path / "hub"
    mirror.hub.folder.mkdir()
    (mirror.hub.folder / "config.json").write_text("{}")
    described = mirror.hub.sibling(mirror.hub.folder / "config.json")
    mirror.hub.sibling = lambda _: described | {"blobId": "0" * 40}  # type: ignore[method-assign]
    done = hf()
    assert done.end() == EXIT_REJECTED
    failure = done.failure()
    assert (failure.reason, "config.json: its git is" in failure.message) == (
        "CheckpointCorrupt",
        True,
    )


@pytest.mark.parametrize(
    ("location", "revision", "words"),
    [
        ("acme/nothing", "main", "acme/nothing at http"),
        (REPOSITORY, "v9", "has no revision 'v9'"),
        ("a/b/c", "main", "does not exist, or is private"),
    ],
)
def test_what_is_not_there_is_told(
    hf: Callable[..., Fetch], location: str, revision: str, words: str
) -> None:
    done = hf(f"--revision={revision}", location=location)
    assert done.end() == EXIT_REJECTED, done.log
    failure = done.failure()
    assert (failure.reason, words in failure.message) == ("CheckpointNotFound", True), failure


def test_a_gated_repository_is_told(hf: Callable[..., Fetch], mirror: Mirror) -> None:
    mirror.hub.token, mirror.hub.gated = TOKEN, True
    done = hf(SOURCE_TOKEN="another")
    assert done.end() == EXIT_REJECTED, done.log
    failure = done.failure()
    assert (failure.reason, "is gated" in failure.message) == ("SourceDenied", True), failure


def test_a_hub_that_is_down_is_worth_another_try(hf: Callable[..., Fetch]) -> None:
    done = hf(HF_ENDPOINT="http://127.0.0.1:9")
    assert done.end() == EXIT_RETRYABLE, done.log
    assert done.failure().reason == "SourceUnreachable"
