"""A mirror of a Hugging Face hub, with the routes that the hub has for a model's files."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response

LARGE = 100_000
"""Bytes from which on a file is kept by its SHA-256, elsewhere."""


@dataclass
class Hub:
    """One repository in one commit. Large files are at another origin, as the hub has them."""

    repository: str
    folder: Path
    storage: str = ""
    token: str | None = None
    gated: bool = False
    commit: str = "c0ffee" + "0" * 34
    leaked: list[str] = field(default_factory=list)
    """Authorizations that the storage has seen."""

    def app(self) -> FastAPI:
        app = FastAPI()
        app.get(f"/api/models/{self.repository}/revision/{{revision}}")(self.info)
        app.get(f"/{self.repository}/resolve/{{revision}}/{{path:path}}")(self.resolve)
        app.get("/{anything:path}")(self.missing)
        return app

    def storage_app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/{digest}")
        def read(digest: str, request: Request) -> Response:
            self.leaked += request.headers.getlist("authorization")
            paths = [path for path in self.folder.rglob("*") if path.is_file()]
            return FileResponse(next(path for path in paths if sha256(path) == digest))

        return app

    def refusal(self, request: Request) -> Response | None:
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            if self.gated:
                return error(401, "GatedRepo", "Access to this model is restricted.")
            return error(401, "RepoNotFound", "Invalid username or password.")
        return None

    def missing(self) -> Response:
        return error(401, "RepoNotFound", "Invalid username or password.")

    def info(self, request: Request, revision: str, blobs: bool = False) -> Any:
        if refused := self.refusal(request):
            return refused
        if revision not in ("main", self.commit):
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        siblings = [self.sibling(path) if blobs else {} for path in paths]
        name = self.repository
        return {"_id": "1", "id": name, "modelId": name, "sha": self.commit, "siblings": siblings}

    def sibling(self, path: Path) -> dict[str, Any]:
        data, digest = path.read_bytes(), sha256(path)
        blob = data
        large = {}
        if len(data) >= LARGE:
            pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\n"
            blob = f"{pointer}size {len(data)}\n".encode()
            large = {"lfs": {"sha256": digest, "size": len(data), "pointerSize": len(blob)}}
        git = hashlib.sha1(b"blob %d\0" % len(blob) + blob, usedforsecurity=False)
        name = path.relative_to(self.folder).as_posix()
        return {"rfilename": name, "size": len(data), "blobId": git.hexdigest(), **large}

    def resolve(self, request: Request, revision: str, path: str) -> Response:
        if refused := self.refusal(request):
            return refused
        place = self.folder / path
        if revision != self.commit or not place.is_file():
            return error(404, "EntryNotFound", "Entry not found")
        if place.stat().st_size >= LARGE:
            return RedirectResponse(f"{self.storage}/{sha256(place)}", 302)
        return FileResponse(place)


def error(status: int, code: str, message: str) -> Response:
    headers = {"x-error-code": code, "x-error-message": message}
    return JSONResponse({"error": message}, status, headers=headers)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
