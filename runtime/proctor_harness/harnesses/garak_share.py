"""Run in the harness's environment: garak, which asks its share of prompts and judges nothing.

``garak_share SHARD SHARDS TRIES ARGUMENT...``, the rest being `garak_bounded`'s. A probe that asks
by what it was answered is not asked here: the pod that scores leads its conversations.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from proctor_harness.harnesses import garak_bounded
from proctor_harness.harnesses.shares import Share

Method = Callable[..., Any]


def main() -> None:
    """Be garak, with fewer prompts."""
    from garak.harnesses.base import Harness  # noqa: PLC0415  only there
    from garak.probes.base import Probe  # noqa: PLC0415

    share = Share(*map(int, sys.argv[1:3]))
    del sys.argv[1:3]
    Harness.run = foreseeing(Harness.run, Probe)
    Probe._execute_all = sharing(Probe._execute_all, share)
    garak_bounded.main()


def foreseeing(run: Method, base: Any) -> Method:
    """A scan of the probes alone whose prompts are known before the first answer."""

    def scanned(harness: Any, model: Any, probes: Sequence[Any], *more: Any, **named: Any) -> Any:
        known = [probe for probe in probes if type(probe).probe is base.probe]
        return run(harness, model, known, *more, **named) if known else None

    return scanned


def sharing(ask_all: Method, share: Share) -> Method:
    """A way of asking all attempts that asks the share, and has nothing to judge."""

    def asked(probe: Any, attempts: Sequence[Any]) -> list[Any]:
        ask_all(probe, share.of(attempts))
        return []

    return asked


if __name__ == "__main__":
    main()
