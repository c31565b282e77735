"""A Hugging Face Hub as far as `datasets` and `transformers` ask it for files.

Point HF_ENDPOINT at it. It has one revision of each repository. What that holds is a test's to
make, in the real dataset's format.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.runtime.harness.model_server import listening

Rows = Sequence[Mapping[str, Any]]
Repositories = Mapping[str, Mapping[str, bytes]]
"""By name, the files by their paths."""
REVISION = "0123456789abcdef0123456789abcdef01234567"


def dataset(splits: Mapping[str, Rows], config: str = "default") -> dict[str, bytes]:
    """A repository of one configuration, one JSON lines file a split."""
    files = [{"split": split, "path": f"{split}.jsonl"} for split in splits]
    card = f"---\nconfigs: {json.dumps([{'config_name': config, 'data_files': files}])}\n---\n"
    lines = {f"{split}.jsonl": "\n".join(map(json.dumps, rows)) for split, rows in splits.items()}
    return {name: text.encode() for name, text in {"README.md": card, **lines}.items()}


@contextlib.contextmanager
def hub(repositories: Repositories) -> Iterator[str]:
    """Serve them; gives the address."""
    with listening(build(repositories)) as url:
        yield url


def build(repositories: Repositories) -> Starlette:
    """The routes."""

    def entry(path: str, content: bytes) -> dict[str, Any]:
        return {"type": "file", "path": path, "size": len(content), "oid": etag(content)}

    def name(request: Request) -> str:
        """The Hub knows its old repositories, which had no namespace, by both names."""
        asked: str = request.path_params["repo"]
        full = [name for name in repositories if name.endswith(f"/{asked}")]
        return full[0] if full else asked

    def files(request: Request) -> Mapping[str, bytes] | None:
        return repositories.get(name(request))

    async def info(request: Request) -> Response:
        found = files(request)
        if found is None:
            return missing("RepoNotFound")
        siblings = [{"rfilename": path} for path in found]
        return JSONResponse(
            {
                "id": name(request),
                "_id": "0" * 24,
                "sha": REVISION,
                "siblings": siblings,
                "tags": [],
            }
        )

    async def tree(request: Request) -> Response:
        found = files(request)
        if found is None:
            return missing("RepoNotFound")
        below = request.path_params.get("path", "")
        named = [entry(path, content) for path, content in found.items() if path.startswith(below)]
        return JSONResponse(named) if named else missing("EntryNotFound")

    async def paths(request: Request) -> Response:
        found = files(request) or {}
        body = await request.body()
        form = "form" in request.headers["content-type"]
        asked = (parse_qs(body.decode()) if form else json.loads(body))["paths"]
        return JSONResponse([entry(path, found[path]) for path in asked if path in found])

    async def resolve(request: Request) -> Response:
        found = files(request)
        if found is None:
            return missing("RepoNotFound")
        content = found.get(request.path_params["path"])
        if content is None:
            return missing("EntryNotFound")
        headers = {"X-Repo-Commit": REVISION, "ETag": f'"{etag(content)}"'}
        return Response(content, headers=headers, media_type="application/octet-stream")

    def below(api: str, files: str) -> list[Route]:
        return [
            Route(api + "/tree/{revision}", tree),
            Route(api + "/tree/{revision}/{path:path}", tree),
            Route(api + "/paths-info/{revision}", paths, methods=["POST"]),
            Route(api + "/revision/{revision}", info),
            Route(api, info),
            Route(files + "/resolve/{revision}/{path:path}", resolve),
        ]

    datasets = below("/api/datasets/{repo:path}", "/datasets/{repo:path}")
    return Starlette(routes=[*datasets, *below("/api/models/{repo:path}", "/{repo:path}")])


def etag(content: bytes) -> str:
    """A name for the content."""
    return hashlib.sha256(content).hexdigest()


def missing(code: str) -> Response:
    """What the Hub says of what it has not."""
    return Response(status_code=404, headers={"X-Error-Code": code, "X-Error-Message": code})
