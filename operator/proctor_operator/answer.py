"""What a pod answers over HTTP, of which nothing is trusted: not its length, not its shape.

Whoever may make a pod in any namespace may have it answer anything, and one operator hears all.
"""

import json
from collections.abc import AsyncIterator

from proctor_operator.cluster import Manifest

LONGEST = 64 << 10
"""Bytes. Ours say a few thousand; a thousand shards may answer at once."""
PLAIN = {"Accept-Encoding": "identity"}
"""Headers of each question: a few bytes could else become as many as memory has."""


async def json_object(body: AsyncIterator[bytes]) -> Manifest | None:
    """The JSON object in a body as it comes, which nothing may have decompressed.

    None where it is longer than `LONGEST`, and the rest is not read; or is anything else, a
    compressed one included.
    """
    content = bytearray()
    async for piece in body:
        content += piece
        if len(content) > LONGEST:
            return None
    return parsed(content)


def parsed(content: bytes | bytearray) -> Manifest | None:
    """The JSON object, where it is one and not nested beyond what Python can follow."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
