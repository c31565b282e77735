"""A repository of a Hugging Face hub, or of a mirror of one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import httpx
import httpx2
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoSibling

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.checksum import Checksum
from proctor_runtime.sources.download import WORKERS
from proctor_runtime.sources.protocol import RemoteFile, UnreachableError
from proctor_runtime.sources.settings import SMALLEST_PART
from proctor_runtime.sources.web import (
    CHUNK,
    DENIED,
    ONE_BYTE,
    answered,
    client,
    range_of,
    require_part,
    require_success,
)

OTHER_FRAMEWORKS = (
    "*.bin",
    "*.gguf",
    "*.h5",
    "*.msgpack",
    "*.onnx",
    "*.onnx_data",
    "*.ot",
    "*.pt",
    "*.pth",
    "*.tflite",
)
"""The same weights once more, as many repositories have them; safetensors are what is served."""


class HuggingFaceSource:
    """The files of one commit."""

    def __init__(
        self, repository: str, revision: str, endpoint: str | None, token: str | None, *, only: str
    ) -> None:
        self._repository = repository
        self._revision = revision
        # Without a token of ours, no other that lies about is to be found.
        self._api = HfApi(endpoint=endpoint, token=token or False)
        self._web = client(token)
        self._commit = revision
        self._ignored = OTHER_FRAMEWORKS if only == "hf" else ()

    def files(self) -> list[RemoteFile]:
        """List the files of what the revision stands for now."""
        try:
            model = self._api.model_info(
                self._repository, revision=self._revision, files_metadata=True
            )
        except (HfHubHTTPError, HFValidationError, httpx2.TransportError) as error:
            raise self._meaning(error) from error
        self._commit = model.sha or self._revision
        wanted = [s for s in model.siblings or () if not self._is_ignored(s.rfilename)]
        files = [described(each, self._commit) for each in wanted]
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(self._tried, files))

    def read(self, file: RemoteFile, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield a part of a file of that commit."""
        with answered(self._web, self._place(file.path), range_of(file, start, stop)) as answer:
            require_success(answer)
            require_part(answer, file, start)
            yield from answer.iter_raw(CHUNK)

    def arrange(self, fetched: dict[str, Path], _staging: Path) -> dict[str, Path]:
        """Leave the files as they are."""
        return fetched

    def _place(self, path: str) -> httpx.URL:
        commit, endpoint = self._commit, self._api.endpoint
        return httpx.URL(hf_hub_url(self._repository, path, revision=commit, endpoint=endpoint))

    def _tried(self, file: RemoteFile) -> RemoteFile:
        """Find out whether there are parts of a file that may be long enough to have some."""
        if file.size is None or file.size <= SMALLEST_PART:
            return file
        with answered(self._web, self._place(file.path), ONE_BYTE) as answer:
            require_success(answer)
            # The hub knows ranges; some mirrors give all of a file whatever is asked for.
            return replace(file, divisible=answer.status_code == 206)

    def _is_ignored(self, path: str) -> bool:
        return any(fnmatch(path, pattern) for pattern in self._ignored)

    def _meaning(self, error: Exception) -> Exception:
        """Tell what an error of the hub means for the model."""
        name = f"{self._repository} at {self._api.endpoint}"
        if isinstance(error, GatedRepoError):
            return RejectedError(
                Reason.SOURCE_DENIED,
                f"{name} is gated: ask for access on its page, and give a token in secretRef",
            )
        if isinstance(error, RevisionNotFoundError):
            return RejectedError(
                Reason.CHECKPOINT_NOT_FOUND, f"{name} has no revision {self._revision!r}"
            )
        if isinstance(error, RepositoryNotFoundError | HFValidationError):
            return RejectedError(
                Reason.CHECKPOINT_NOT_FOUND,
                f"{name} does not exist, or is private and wants a token in secretRef",
            )
        if isinstance(error, HfHubHTTPError) and error.response.status_code in DENIED:
            return RejectedError(
                Reason.SOURCE_DENIED, f"{name} refuses the token that secretRef names"
            )
        return UnreachableError(f"{name}: {error}")


def described(sibling: RepoSibling, commit: str) -> RemoteFile:
    """Describe a file: large ones are known by their SHA-256, the others as git knows them.

    Whether there are parts of it, the hub's list does not tell.
    """
    checksum = None
    if sibling.lfs:
        checksum = Checksum("sha256", sibling.lfs.sha256)
    elif sibling.blob_id:
        checksum = Checksum("git", sibling.blob_id)
    return RemoteFile(
        path=sibling.rfilename,
        size=sibling.size,
        version=checksum.digits if checksum else commit,
        checksum=checksum,
        divisible=False,
    )
