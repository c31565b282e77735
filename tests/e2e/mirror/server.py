"""What the harnesses find beside them in the cluster: a mirror of the Hub, and a scripted model.

`server FOLDER`: the repositories lie in FOLDER/hub. The model says nothing before there is a file
FOLDER/release, so that its runs can be looked at while they go on.
"""

import asyncio
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.e2e.mirror.answers import answer
from tests.runtime.harness.packages import hub
from tests.runtime.harness.packages.scripted_api import answered, looks_ahead

PORT = 8080


def repositories(folder: Path) -> hub.Repositories:
    """`owner/name` and the files of each, as they lie in the folder."""
    named = {f"{path.parent.name}/{path.name}": path for path in folder.glob("*/*")}
    return {
        name: {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}
        for name, path in named.items()
    }


def application(folder: Path) -> Starlette:
    """The model's routes before the Hub's, which take any path."""

    async def model(request: Request) -> Response:
        body = await request.json()
        if looks_ahead(request):
            return JSONResponse({"choices": []})
        while not (folder / "release").exists():  # noqa: ASYNC110  another process makes it
            await asyncio.sleep(0.1)
        return answered(answer, body)

    paths = ("completions", "chat/completions")
    asked = [Route(f"/v1/{path}", model, methods=["POST"]) for path in paths]
    return Starlette(routes=[*asked, *hub.build(repositories(folder / "hub")).routes])


if __name__ == "__main__":
    uvicorn.run(application(Path(sys.argv[1])), host="0.0.0.0", port=PORT)  # noqa: S104  in a pod
