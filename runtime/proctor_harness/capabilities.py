"""What can be known before anything is asked: whether the target can do what the run wants."""

from collections.abc import Iterator

from proctor_crds.wire import RunSpec
from proctor_harness.adapter.target_page import TargetSeen

SHOWN = 10
"""Names of models in a message."""


def findings(run: RunSpec, seen: TargetSeen | None) -> list[str]:
    """Everything that makes the run fail for certain, with its remedy."""
    found = list(_room(run))
    if seen is not None:
        found += [*_key(seen), *_served(run, seen)]
    return found


def _room(run: RunSpec) -> Iterator[str]:
    context, asked = run.context_length, run.params.max_new_tokens
    if context is not None and asked is not None and asked >= context:
        yield (
            f"params.maxNewTokens={asked} leaves no room for a prompt in the target's"
            f" {context} tokens: lower it, or raise engine.maxSequenceLength"
        )


def _key(seen: TargetSeen) -> Iterator[str]:
    # A key that may ask may yet not list: that is a 403, and says nothing.
    if seen.status != 401:
        return
    # Without a key an interceptor may bring one, which this look does not use.
    if seen.keyed:
        yield (
            f"the target refuses the key (HTTP {seen.status}): correct the Secret that"
            " target.endpoint.apiKeySecretRef names"
        )


def _served(run: RunSpec, seen: TargetSeen) -> Iterator[str]:
    if seen.status == 200 and seen.models and run.model not in seen.models:
        served = ", ".join(seen.models[:SHOWN]) + (", ..." if seen.models[SHOWN:] else "")
        yield f"the target serves no model {run.model!r}: choose one of {served}"
