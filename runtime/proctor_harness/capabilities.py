"""What can be known before anything is asked: whether the target can do what the run wants."""

import re
from collections.abc import Iterator

from proctor_crds.wire import RunSpec
from proctor_harness.adapter.probe import Probed, Wanted, question
from proctor_harness.adapter.target_page import TargetSeen
from proctor_harness.harnesses.protocol import PreflightReport

SHOWN = 10
"""Names of models in a message."""


UNKNOWN = re.compile(
    r"not found|not exist|no such|no model|unknown|not available|not served|invalid model",
    re.IGNORECASE,
)
SHORT = re.compile(r"max_(completion_|output_)?tokens")
REFUSALS = (400, 404, 422, 501)
"""Statuses by which servers say that they cannot do what is asked."""


def wanted(run: RunSpec, seen: TargetSeen | None, report: PreflightReport) -> Wanted | None:
    """The question that shows what the list of models does not; none where it would show nothing.

    Of pods that share the questions, one asks it.
    """
    chat = run.endpoint_type == "chat"
    if run.shard or not (chat or report.logprobs or (seen and _unlisted(run, seen))):
        return None
    return Wanted(
        model=run.model,
        endpoint_type=run.endpoint_type,
        logprobs=report.logprobs and not chat,
        tools=report.tools and chat,
    )


def findings(
    run: RunSpec, seen: TargetSeen | None, asked: Wanted | None = None, probed: Probed | None = None
) -> list[str]:
    """Everything that makes the run fail for certain, with its remedy."""
    found = list(_room(run))
    if seen is not None:
        found += _key(seen)
    if asked and probed:
        found += [*_served(run, seen, probed), *_able(asked, probed)]
    # Whoever is let in nowhere has been told so, or which models there are.
    return found or (list(_let_in(asked, probed)) if asked and probed else [])


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


def _let_in(asked: Wanted, probed: Probed) -> Iterator[str]:
    said = f"(HTTP {probed.status}: {probed.words})"
    if probed.status in (401, 403):
        yield (
            f"the target refuses the key, or wants one {said}: correct"
            " target.endpoint.apiKeySecretRef and the Secret that it names"
        )
    elif probed.status == 404:
        path, _ = question(asked)
        yield (
            f"the target has no {path}, or no model {asked.model!r} there {said}: correct"
            " target.endpoint.url, target.endpoint.model or endpointType"
        )


def _unlisted(run: RunSpec, seen: TargetSeen) -> bool:
    return seen.status == 200 and bool(seen.models) and run.model not in seen.models


def _served(run: RunSpec, seen: TargetSeen | None, probed: Probed) -> Iterator[str]:
    # An alias need not be listed, and a list may have further pages: what counts is the answer.
    if not seen or not _unlisted(run, seen) or probed.status not in REFUSALS:
        return
    missing = _named(run.model).search(probed.words) and UNKNOWN.search(probed.words)
    if probed.status == 404 or missing or "model_not_found" in probed.words:
        served = ", ".join(seen.models[:SHOWN]) + (", ..." if seen.models[SHOWN:] else "")
        yield f"the target serves no model {run.model!r}: choose one of {served}"


def _named(model: str) -> re.Pattern[str]:
    """The model's name, and not one of which it is a part."""
    return re.compile(rf"(?<![\w-]){re.escape(model)}(?![\w-])")


def _able(asked: Wanted, probed: Probed) -> Iterator[str]:
    # A model may be called after tools, and a server may want more than one token.
    words = _named(asked.model).sub("", probed.words).lower()
    refused = words if probed.status in REFUSALS and not SHORT.search(words) else ""
    said = f"(HTTP {probed.status}: {probed.words})" if refused else "(its answer has none)"
    unscored = probed.status == 200 and not probed.logprobs
    if asked.logprobs and (unscored or "logprob" in refused or "echo" in refused):
        yield (
            f"the target gives no log-probabilities of prompts, which a task scores {said}:"
            " choose tasks that generate, or a server that takes echo with logprobs"
        )
    if asked.endpoint_type == "chat" and ("chat template" in refused or "chat_template" in refused):
        yield (
            f"the target's model has no chat template that fits {said}: set model.chatTemplate,"
            " or use endpointType completions"
        )
    if asked.tools and "tool" in refused:
        yield (
            f"the target calls no tools {said}: serve it with a tool call parser,"
            " or leave out params.extra.nativeCalling"
        )
