"""Run in the harness's environment: simple-evals, which asks its share of questions, scoring none.

``simple_evals_share SHARD SHARDS ARGUMENT...``, the arguments being simple-evals'. A sample's seed
is that of its number, which it keeps.
"""

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn

from proctor_harness.harnesses.shares import AskedError, Share

Ask = Callable[[Any, int], Awaitable[Any]]


def main() -> None:
    """Be simple-evals until all is asked."""
    from simple_evals import __main__ as simple_evals  # noqa: PLC0415  only there
    from simple_evals import common  # noqa: PLC0415
    from simple_evals.simple_evals_types import SingleEvalResult  # noqa: PLC0415

    share = Share(*map(int, sys.argv[1:3]))
    del sys.argv[1:3]
    nothing = SingleEvalResult(score=None)
    common.map_with_progress = sharing(common.map_with_progress, share, nothing)
    try:
        simple_evals.main()
    except AskedError:
        return
    raise SystemExit("simple-evals ended without asking anything")


def sharing(ask_all: Callable[..., Awaitable[Any]], share: Share, nothing: Any) -> Any:
    """A way of asking all that asks the share, and then ends."""

    async def asked(ask: Ask, samples: Sequence[Any], *more: Any, **named: Any) -> NoReturn:
        own = set(share.of(range(len(samples))))

        async def ask_own(sample: Any, number: int) -> Any:
            return await ask(sample, number) if number in own else nothing

        await ask_all(ask_own, samples, *more, **named)
        raise AskedError

    return asked


if __name__ == "__main__":
    main()
