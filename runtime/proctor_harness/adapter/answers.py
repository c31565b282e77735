"""The answer log: what the target answered, so that nothing is paid for twice.

One JSON line an answer, raw as it was sent, beside the harness's artifacts. A line without an
answer says that a stored one was given again in this session. The index in memory is a dictionary
of slots, about 150 bytes an answer; docs/adr/0012-an-answer-log.md has the alternatives.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.disk import Journal
from proctor_harness.adapter.messages import Headers, Origin, Response
from proctor_harness.adapter.turns import Slot, Turns

_LINE = re.compile(
    rb'(?P<lost>\x00*)\{"key":"(?P<key>[0-9a-f]{32})","turn":(?P<turn>\d+),"session":"(?P<session>[^"\\]*)"'
)


class Given(msgspec.Struct):
    """A line without an answer; `_LINE` reads its beginning without parsing the rest."""

    key: str
    turn: int
    session: str


class Stored(Given, omit_defaults=True):
    """A line with an answer."""

    status: int
    headers: list[tuple[str, str]]
    body: str | None = None
    base64: str | None = None
    """The body, where it is not UTF-8."""
    request: str | None = None
    """What was asked, where that is kept too."""

    def response(self) -> Response:
        """The answer, byte for byte."""
        headers: Headers = tuple(
            [(n.encode("latin-1"), v.encode("latin-1")) for n, v in self.headers]
        )
        raw = b64decode(self.base64) if self.base64 is not None else (self.body or "").encode()
        return Response(self.status, headers, Content(raw), Origin.CACHE)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Stored).decode


@dataclass(frozen=True, slots=True)
class Line:
    """What the index knows of a line."""

    slot: Slot
    session: str
    position: int
    length: int
    answered: bool


class Answers:
    """The log, and where in it each answer lies."""

    def __init__(self, journal: Journal, session: str, turns: Turns) -> None:
        self._journal = journal
        self._session = session
        self._places: dict[bytes, int] = {}
        for line in lines(journal.path):
            if line.answered:
                self._place(line.slot, line.position, line.length)
            # This process was started anew beside a harness that goes on, and remembers.
            if line.session == session:
                turns.use_up(line.slot)

    def __len__(self) -> int:
        return len(self._places)

    def get(self, slot: Slot) -> Response | None:
        """The stored answer, if there is one that can be read."""
        place = self._places.get(slot.packed)
        if place is None:
            return None
        stored = _parsed(self._journal.read(place >> 32, place & 0xFFFFFFFF))
        return stored.response() if stored else None

    def put(self, slot: Slot, response: Response, body: bytes, asked: bytes | None) -> None:
        """Store an answer, and what was asked if that is to be kept too."""
        line = _encode(
            Stored(
                slot.key.hex(),
                slot.turn,
                self._session,
                response.status,
                [
                    (name.decode("latin-1"), text.decode("latin-1"))
                    for name, text in response.headers
                ],
                **_body(body),
                request=None if asked is None else asked.decode(errors="replace"),
            )
        )
        self._place(slot, self._journal.append(line), len(line))

    def give(self, slot: Slot) -> None:
        """Note that a stored answer was given again."""
        self._journal.append(_encode(Given(slot.key.hex(), slot.turn, self._session)))

    def _place(self, slot: Slot, position: int, length: int) -> None:
        self._places[slot.packed] = position << 32 | length


def gather(path: Path, others: Sequence[Path]) -> None:
    """Add to a log the answers of others that it lacks; one that is interrupted is begun again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    known = {line.slot for line in lines(path) if line.answered}
    with path.open("ab") as whole:
        # Should the last line be half written.
        whole.write(b"\n")
        for other in filter(Path.exists, others):
            with other.open("rb") as part:
                for line in lines(other):
                    if line.answered and line.slot not in known:
                        known.add(line.slot)
                        part.seek(line.position)
                        whole.write(part.read(line.length) + b"\n")


def lines(path: Path) -> Iterator[Line]:
    """What lies in a log; half-written lines are passed over."""
    position = 0
    with path.open("rb") as file:
        for content in file:
            found = _LINE.match(content)
            if found and content.endswith(b"}\n"):
                slot = Slot(bytes.fromhex(found["key"].decode()), int(found["turn"]))
                answered = content[found.end() : found.end() + 1] == b","
                session = found["session"].decode()
                # Zeros stand where a node that crashed had not written yet.
                start = found.end("lost")
                yield Line(slot, session, position + start, len(content) - 1 - start, answered)
            position += len(content)


def pairs(path: Path) -> Iterator[Stored]:
    """The stored answers that have their question beside them."""
    with path.open("rb") as file:
        for content in file:
            if b'"request":' in content and (found := _parsed(content)) and found.request:
                yield found


def _body(raw: bytes) -> dict[str, str]:
    try:
        return {"body": raw.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(raw).decode()}


def _parsed(line: bytes) -> Stored | None:
    """The line's answer; nothing for one that is damaged: its question is asked again."""
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
