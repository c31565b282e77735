"""HTTP, against a server that knows ranges, and one that does not."""

import hashlib
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from proctor_crds.wire import EXIT_REJECTED, EXIT_RETRYABLE
from tests.runtime.sources.conftest import LARGE, Fetch, contents
from tests.runtime.sources.servers import gate, serving

WORKERS = 8
TOKEN = "token of the test"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def site(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a list of its files, and an archive of it beside it."""
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(model, root / "tiny model")
    names = [p.relative_to(model) for p in sorted(model.rglob("*")) if p.is_file()]
    lines = [f"{sha256(model / name)}  ./{name}\n" for name in names]
    (root / "tiny model" / "SHA256SUMS").write_text("".join(lines))
    with tarfile.open(root / "tiny.tar.gz", "w:gz", compresslevel=0) as tar:
        tar.add(model, arcname=".")
    (root / "page.html").write_text("<html></html>")
    (root / "wrong").mkdir()
    (root / "wrong" / "config.json").write_text("{}")
    (root / "wrong" / "SHA256SUMS").write_text(f"{'0' * 64}  config.json\n")
    return root


class Demanding:
    """Wants the token for what is below /private."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        if headers.get(b"authorization") == f"Bearer {TOKEN}".encode():
            await self.app(scope, receive, send)
        else:
            await Response(status_code=403)(scope, receive, send)


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[str]:
    files = StaticFiles(directory=site)

    async def whole(request: Request) -> Response:
        return Response((site / request.path_params["path"]).read_bytes())

    routes = [
        Mount("/private", Demanding(files)),
        Route("/no-ranges/{path:path}", whole),
        Route("/broken/{path:path}", lambda _: Response(status_code=503)),
        Mount("/", files),
    ]
    with serving(Starlette(routes=routes)) as url:
        yield url


@pytest.fixture
def http(fetch: Callable[..., Fetch]) -> Callable[..., Fetch]:
    def begin(url: str, *more: str, **environment: str) -> Fetch:
        return fetch("--source=http", f"--location={url}", *more, **environment)

    return begin


@pytest.mark.parametrize(
    "path",
    [
        "tiny%20model/",
        "tiny%20model/SHA256SUMS",
        "tiny.tar.gz",
        "tiny.tar.gz?signature=x",
        "no-ranges/tiny%20model/SHA256SUMS",
        "no-ranges/tiny.tar.gz",
    ],
)
def test_lists_and_archives_become_the_model(
    http: Callable[..., Fetch], server: str, model: Path, path: str
) -> None:
    done = http(f"{server}/{path}")
    assert done.end() == 0, done.log
    expected = contents(model)
    found = contents(done.root)
    found.pop("SHA256SUMS", None)
    assert found == expected


@pytest.mark.parametrize("path", ["tiny%20model/", "tiny.tar.gz"])
def test_a_restarted_pod_asks_for_nothing_again(
    http: Callable[..., Fetch], server: str, path: str
) -> None:
    assert http(f"{server}/{path}").end() == 0
    with gate(server) as way:
        again = http(f"{way.url}/{path}")
        assert again.end() == 0
    assert way.passed < 20_000
    assert "is there already" in again.log


@pytest.mark.parametrize("path", ["tiny%20model/", "tiny.tar.gz"])
def test_a_killed_process_goes_on_where_it_was(
    http: Callable[..., Fetch], server: str, model: Path, path: str
) -> None:
    with gate(server, limit=LARGE // 2) as way:
        first = http(f"{way.url}/{path}")
        assert way.shut.wait(60)
        first.process.kill()
        first.end()
    with gate(server) as rest:
        done = http(f"{rest.url}/{path}")
        assert done.end() == 0, done.log
    assert contents(done.root) == contents(model)
    assert way.passed + rest.passed < LARGE + (WORKERS + 1 << 20)
    assert rest.passed < LARGE


def test_a_token_opens_what_is_closed(http: Callable[..., Fetch], server: str, model: Path) -> None:
    done = http(f"{server}/private/tiny.tar.gz", SOURCE_TOKEN=TOKEN)
    assert done.end() == 0, done.log
    assert contents(done.root) == contents(model)
    assert TOKEN not in done.log


def test_a_digest_is_compared(http: Callable[..., Fetch], server: str, site: Path) -> None:
    right = http(f"{server}/tiny.tar.gz", f"--sha256={sha256(site / 'tiny.tar.gz')}")
    assert right.end() == 0, right.log


@pytest.mark.parametrize(
    ("path", "more", "reason", "words"),
    [
        ("nowhere/", [], "CheckpointNotFound", "/nowhere/SHA256SUMS does not exist (404)"),
        ("nowhere.zip", [], "CheckpointNotFound", "does not exist (404)"),
        ("private/tiny.tar.gz", [], "SourceDenied", "another credential (403)"),
        ("page.html", [], "CheckpointUnsupported", "neither an archive (.tar, .tar.gz"),
        ("wrong/", [], "CheckpointCorrupt", "config.json: its sha256 is 44136f"),
        ("tiny.tar.gz", [f"--sha256={'0' * 64}"], "CheckpointCorrupt", "the source says 0000"),
        ("wrong/", [f"--sha256={'0' * 64}"], "CheckpointCorrupt", "and 0000"),
    ],
)
def test_what_is_wrong_is_told(
    http: Callable[..., Fetch], server: str, path: str, more: list[str], reason: str, words: str
) -> None:
    done = http(f"{server}/{path}", *more)
    assert done.end() == EXIT_REJECTED, done.log
    failure = done.failure()
    assert (failure.reason, words in failure.message) == (reason, True), failure
    assert contents(done.root) == {}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.zip", "{server}/broken/x.zip"])
def test_a_server_that_fails_is_worth_another_try(
    http: Callable[..., Fetch], server: str, url: str
) -> None:
    done = http(url.format(server=server))
    assert done.end() == EXIT_RETRYABLE, done.log
    assert done.failure().reason == "SourceUnreachable"
