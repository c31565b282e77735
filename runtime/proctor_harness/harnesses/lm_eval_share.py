"""Run in the harness's environment: lm-eval, which asks its share of questions and scores none.

Every prompt is built as it is without shards, since the examples in it are drawn in the order of
the samples; of what is then asked, only the questions of each n-th sample are.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.__main__ import cli_evaluate
from lm_eval.api.task import ConfigurableTask, Task
from lm_eval.models.openai_completions import LocalCompletionsAPI

from proctor_harness.harnesses.lm_eval_tasks import spare_the_index
from proctor_harness.harnesses.shares import AskedError

NOTHING: dict[str, Any] = {
    "loglikelihood": (0.0, False),
    "loglikelihood_rolling": 0.0,
    "generate_until": "",
}
"""What stands for an answer that another pod asks for; nobody scores it."""
Method = Callable[..., list[Any]]


def main() -> None:
    """``lm_eval_share SHARD SHARDS`` and then lm-eval's own arguments."""
    shard, shards = map(int, sys.argv[1:3])
    for name, nothing in NOTHING.items():
        ask = getattr(LocalCompletionsAPI, name)
        setattr(LocalCompletionsAPI, name, sharing(ask, nothing, shard, shards))
    for task in (Task, ConfigurableTask):
        task.apply_filters = stop
    spare_the_index()
    sys.argv = ["lm_eval", *sys.argv[3:]]
    try:
        cli_evaluate()
    except AskedError:
        return
    raise SystemExit("lm-eval ended without asking anything")


def sharing(ask: Method, nothing: Any, shard: int, shards: int) -> Method:
    """A way of asking that asks for the share alone."""

    def asked(model: Any, requests: Sequence[Any], *more: Any, **named: Any) -> list[Any]:
        own = [request for request in requests if request.doc_id % shards == shard]
        answers = iter(ask(model, own, *more, **named) if own else ())
        return [next(answers) if r.doc_id % shards == shard else nothing for r in requests]

    return asked


def stop(_task: Any) -> None:
    """In the place of lm-eval's first step of scoring."""
    raise AskedError


if __name__ == "__main__":
    main()
