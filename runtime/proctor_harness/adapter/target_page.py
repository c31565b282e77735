"""``/target``: what the target says of itself, for a look ahead that costs no token.

It is asked without the chain, so that no interceptor takes it for the evaluation, and nothing of
its answer is repeated but the models' names.
"""

from pydantic import ConfigDict, ValidationError

from proctor_crds.base import Model
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import Endpoint, Request

PATH = "/v1/models"


class TargetSeen(Model):
    """The adapter's ``/target``."""

    status: int
    """HTTP status of the list of models; 502 or 504 where there was no answer."""
    keyed: bool = False
    """Whether it was asked with a key."""
    models: tuple[str, ...] = ()
    """Names of the models that it serves; empty where it does not say."""


async def look(upstream: Endpoint, *, keyed: bool) -> TargetSeen:
    """Ask for the list of models, once."""
    response = await upstream(Request("GET", PATH, (), Content(b"")))
    body = response.body
    raw = body.raw if isinstance(body, Content) else b"".join([piece async for piece in body])
    return TargetSeen(status=response.status, keyed=keyed, models=tuple(names(raw)))


def names(raw: bytes) -> list[str]:
    """The ids in an OpenAI list of models; nothing of anything else."""
    try:
        listing = Listing.model_validate_json(raw)
    except ValidationError:
        return []
    # Of a list with further pages, what is not on the first may be on another.
    return [] if listing.has_more else [entry.id for entry in listing.data]


class Entry(Model):
    """A model of the list."""

    model_config = ConfigDict(extra="ignore")
    id: str


class Listing(Model):
    """The list."""

    model_config = ConfigDict(extra="ignore")
    data: list[Entry]
    has_more: bool = False
