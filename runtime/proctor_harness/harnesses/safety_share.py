"""Run in the harness's environment: the safety harness, which asks its share of questions.

``safety_share SHARD SHARDS TOGETHER ARGUMENT...``, the arguments being the safety harness's. It
ends before anything is judged. `TOGETHER` is how many questions it puts into one request at most:
of a chat 1; requests must be those that the pod that scores makes.
"""

import sys
from collections.abc import Callable
from typing import Any, NoReturn

from proctor_harness.harnesses.shares import AskedError, Share

Ask = Callable[..., Any]


def main() -> None:
    """Be the safety harness until all is asked."""
    from safety_eval import main as safety  # noqa: PLC0415  only there
    from safety_eval.aegis_v2 import handler as aegis  # noqa: PLC0415
    from safety_eval.compliance import handler as compliance  # noqa: PLC0415
    from safety_eval.wildguard import handler as wildguard  # noqa: PLC0415

    shard, shards, together = map(int, sys.argv[1:4])
    del sys.argv[1:4]
    for handler in (aegis, compliance, wildguard):
        handler.run_inference = sharing(handler.run_inference, Share(shard, shards), together)
    try:
        safety.evaluate()
    except AskedError:
        return
    raise SystemExit("the safety harness ended without asking anything")


def sharing(ask: Ask, share: Share, together: int) -> Ask:
    """A way of asking that asks the share, and then ends."""

    def asked(model: Any, questions: Any, output_file: str) -> NoReturn:
        if own := rows(len(questions), share, together):
            ask(model, questions.iloc[own].copy(), output_file)
        raise AskedError

    return asked


def rows(samples: int, share: Share, together: int) -> list[int]:
    """Each n-th group of questions that are asked together."""
    starts = share.of(range(0, samples, together))
    return [row for start in starts for row in range(start, min(start + together, samples))]


if __name__ == "__main__":
    main()
