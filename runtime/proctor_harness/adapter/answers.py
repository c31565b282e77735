"""The answer log: what the target answered, so that nothing is paid for twice.

One JSON line an answer, raw as it was sent, beside the harness's artifacts. A line without an
answer says that a stored one was given again in this session. The index in memory is a dictionary
of slots, about 150 bytes an answer; docs/adr/0010-answer-log.md has the alternatives.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from proctor_harness.adapter.content import Content, JsonObject, loads
from proctor_harness.adapter.disk import Journal
from proctor_harness.adapter.messages import Headers, Origin, Response
from proctor_harness.adapter.turns import Slot, Turns

_encode = msgspec.json.Encoder().encode
_LINE = re.compile(
    rb'(?P<lost>\x00*)\{"key":"(?P<key>[0-9a-f]{32})","turn":(?P<turn>\d+),"session":"(?P<session>[^"\\]*)"'
)


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
        return _response(self._journal.read(place >> 32, place & 0xFFFFFFFF))

    def put(self, slot: Slot, response: Response, body: bytes, asked: bytes | None) -> None:
        """Store an answer, and what was asked if that is to be kept too."""
        line = _encode(self._head(slot) | _stored(response, body, asked))
        self._place(slot, self._journal.append(line), len(line))

    def give(self, slot: Slot) -> None:
        """Note that a stored answer was given again."""
        self._journal.append(_encode(self._head(slot)))

    def _head(self, slot: Slot) -> JsonObject:
        return {"key": slot.key.hex(), "turn": slot.turn, "session": self._session}

    def _place(self, slot: Slot, position: int, length: int) -> None:
        self._places[slot.packed] = position << 32 | length


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


def pairs(path: Path) -> Iterator[JsonObject]:
    """The stored answers that have their question beside them, as the log's objects."""
    with path.open("rb") as file:
        for content in file:
            if b'"request":' in content and (found := _parsed(content)) and "request" in found:
                yield found


def _stored(response: Response, body: bytes, asked: bytes | None) -> JsonObject:
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers
    ]
    stored: JsonObject = {"status": response.status, "headers": headers}
    try:
        stored["body"] = body.decode()
    except UnicodeDecodeError:
        stored["base64"] = base64.b64encode(body).decode()
    if asked is not None:
        stored["request"] = asked.decode(errors="replace")
    return stored


def _response(line: bytes) -> Response | None:
    stored = _parsed(line)
    if stored is None:
        return None
    headers: Headers = tuple(
        (n.encode("latin-1"), v.encode("latin-1")) for n, v in stored["headers"]
    )
    raw = base64.b64decode(stored["base64"]) if "base64" in stored else stored["body"].encode()
    return Response(stored["status"], headers, Content(raw), Origin.CACHE)


def _parsed(line: bytes) -> JsonObject | None:
    """The line's object; nothing for one that is damaged: its question is asked again."""
    try:
        found = loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "status" in found else None
