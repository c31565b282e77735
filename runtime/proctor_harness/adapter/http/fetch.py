"""One request to a server other than the target."""

from dataclasses import replace
from urllib.parse import urlsplit

from proctor_harness.adapter.http.pool import Pool, Server
from proctor_harness.adapter.messages import Response, whole

TIMEOUT_SECONDS = 30.0


async def fetch(method: str, url: str, headers: dict[str, str], body: bytes) -> Response:
    """Ask once; raises ValueError, NoAnswerError, TimeoutError and OSError."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = tuple((name.lower().encode(), text.encode("latin-1")) for name, text in headers.items())
    pool = Pool(replace(Server.at(url), prefix=""))
    try:
        return await whole(await pool.send(method, target, lines, body, TIMEOUT_SECONDS))
    finally:
        await pool.close()
