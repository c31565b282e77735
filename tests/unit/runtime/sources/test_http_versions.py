"""HTTP, against a server whose file becomes another one while it is fetched."""

import re
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from proctor_runtime.sources import http
from proctor_runtime.sources.checksum import Checksum
from proctor_runtime.sources.download import download
from proctor_runtime.sources.protocol import RemoteFile, UnreachableError

SIZE = 5000
PART = 1000
EARLIER, LATER = b"A" * SIZE, b"B" * SIZE
TAG = {"ETag": '"1"'}
DATE = {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}


@dataclass
class Turning:
    """Has the earlier file for some requests, then the later; knows ranges, and no If-Range."""

    turns_after: int
    earlier: dict[str, str]
    later: dict[str, str]
    total: str = str(SIZE)
    length: int = SIZE
    shift: int = 0
    """Bytes by which a part begins elsewhere than asked for."""
    asked: int = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        turned = self.asked > self.turns_after
        data = LATER[: self.length] if turned else EARLIER
        headers = self.later if turned else self.earlier
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        if not wanted:
            return httpx.Response(200, headers=headers, stream=httpx.ByteStream(data))
        start, last = int(wanted[1]) + self.shift * turned, int(wanted[2])
        total = str(len(data)) if turned else self.total
        told = {"Content-Range": f"bytes {start}-{last}/{total}"}
        part = data[start : last + 1]
        told["Content-Length"] = str(len(part))
        return httpx.Response(206, headers=headers | told, stream=httpx.ByteStream(part))


class Site:
    """Opens a server's file, and fetches it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root = root
        self._patch = monkeypatch

    def opened(self, server: Turning, sha256: str | None = None) -> http.HttpSource:
        web = httpx.Client(transport=httpx.MockTransport(server.answer))
        self._patch.setattr(http, "client", lambda _: web)
        return http.HttpSource("http://site/m.tar?signature=secret", sha256, None)

    def fetch(self, server: Turning) -> tuple[RemoteFile, bytes]:
        source = self.opened(server)
        (file,) = source.files()
        got = download(source, [file], self._root, part_bytes=PART, sleep=lambda _: None)
        return file, got["m.tar"].read_bytes()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "told",
    [DATE, {"ETag": 'W/"1"'}, {"ETag": 'W/"1"'} | DATE, {"ETag": "1"}, {}],
    ids=["date", "weak tag", "weak tag and date", "no tag", "nothing"],
)
@pytest.mark.parametrize("turns_after", [1, 2, 3])
def test_what_tells_no_two_versions_apart_is_not_put_together_of_parts(
    site: Site, told: dict[str, str], turns_after: int
) -> None:
    _, got = site.fetch(Turning(turns_after, told, told))
    assert got in (EARLIER, LATER)


@pytest.mark.parametrize(
    "server",
    [
        Turning(3, TAG, {"ETag": '"2"'}),
        Turning(3, TAG | DATE, {"ETag": '"2"'} | DATE),
        Turning(3, TAG, TAG, length=SIZE - 1),
        Turning(3, TAG, TAG, shift=1),
    ],
    ids=["tag", "tag beside a date", "length", "another part"],
)
def test_a_part_of_another_version_is_refused_and_all_begun_anew(
    site: Site, server: Turning
) -> None:
    with pytest.raises(UnreachableError, match="has changed") as refused:
        site.fetch(server)
    assert "secret" not in str(refused.value)
    data = LATER[: server.length]
    server.turns_after, server.shift, server.later = 0, 0, {"ETag": '"3"'}
    assert site.fetch(server)[1] == data


def test_an_answer_to_if_range_may_leave_out_the_date(site: Site) -> None:
    file, got = site.fetch(Turning(1, TAG | DATE, TAG))
    assert (file.divisible, got) == (True, LATER)


def test_a_part_whose_whole_is_not_told_does_not_stand_for_it(site: Site) -> None:
    file, got = site.fetch(Turning(9, TAG, TAG, total="*"))
    assert (file.size, file.divisible, got) == (None, False, EARLIER)


def test_with_a_checksum_parts_need_no_tag(site: Site) -> None:
    server = Turning(99, DATE, DATE)
    (file,) = site.opened(server, "0" * 64).files()
    assert (file.divisible, file.checksum) == (True, Checksum("sha256", "0" * 64))
