"""How messages are written to the log: readable, in bounds, and without credentials."""

from collections.abc import Collection

from proctor_harness.adapter.content import Content, Json
from proctor_harness.adapter.messages import Headers
from proctor_harness.adapter.redact import SECRET_CHARACTERS

CREDENTIALS = (
    b"auth",
    b"cookie",
    b"credential",
    b"key",
    b"password",
    b"secret",
    b"signature",
    b"token",
)
"""Parts of the names of headers whose values are nobody's business."""
REDACTED = "[redacted]"
BODY_CHARACTERS = 65536


def shown_headers(headers: Headers, secrets: Collection[bytes] = ()) -> dict[str, str]:
    """Headers, those that may hold credentials, or hold one of the secrets, without their value."""
    return {
        name.decode("latin-1"): REDACTED
        if is_credential(name) or holds(value, secrets)
        else value.decode("latin-1")
        for name, value in headers
    }


def is_credential(name: bytes) -> bool:
    """Whether a header's name says that its value may be a credential."""
    return any(part in name.lower() for part in CREDENTIALS)


def holds(value: bytes, secrets: Collection[bytes]) -> bool:
    """Whether a header's value is a secret, or has one in it that is no common word."""
    return any(
        secret == value or (len(secret) >= SECRET_CHARACTERS and secret in value)
        for secret in secrets
    )


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
