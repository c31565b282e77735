"""How messages are written to the log: readable, in bounds, and without credentials."""

from proctor_harness.adapter.content import Content, Json
from proctor_harness.adapter.messages import Headers

CREDENTIALS = (b"authorization", b"api-key", b"cookie", b"token", b"secret")
"""Parts of the names of headers whose values are nobody's business."""
REDACTED = "[redacted]"
BODY_CHARACTERS = 65536


def shown_headers(headers: Headers) -> dict[str, str]:
    """Headers, those that may hold credentials without their value."""
    return {
        name.decode("latin-1"): REDACTED
        if any(part in name for part in CREDENTIALS)
        else value.decode("latin-1")
        for name, value in headers
    }


def shown_body(body: Content, most: int = BODY_CHARACTERS) -> str:
    """A body's beginning."""
    said = body.raw[: 4 * most].decode(errors="replace")
    return said if len(said) <= most else f"{said[:most]}... ({len(body.raw)} bytes)"


def readable(body: Content) -> Json:
    """A body as JSON where it is, else as text."""
    try:
        return body.json
    except ValueError:
        return body.raw.decode(errors="replace")
