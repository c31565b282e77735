"""Run in the harness's environment: garak's command line, with an end to its patience.

garak asks a target that is broken for ever. And an error of the OpenAI client that leaves a worker
cannot be pickled, which blocks the pool of workers; so what is raised here is garak's own.
Further, garak asks for each of a prompt's answers with the same seed, which makes them one answer;
and which of a probe's prompts it draws depends on what was drawn before, which need not be the same
when a scan is resumed or shared.
"""

import functools
import os
import random
import sys
from collections.abc import Callable
from typing import Any

Ask = Callable[..., Any]


def bounded(ask: Ask, tries: int) -> Ask:
    """`ask`, at most so many times."""
    import backoff  # noqa: PLC0415  only in garak's environment
    import openai  # noqa: PLC0415
    from garak.exception import GarakException, GeneratorBackoffTrigger  # noqa: PLC0415

    broken = (
        openai.RateLimitError,
        openai.InternalServerError,
        openai.APIConnectionError,
        GeneratorBackoffTrigger,
    )
    patient = backoff.on_exception(backoff.fibo, broken, max_tries=tries, max_value=70)(ask)

    @functools.wraps(ask)
    def ask_or_fail(*arguments: Any, **named: Any) -> Any:
        try:
            return patient(*arguments, **named)
        except broken as error:
            raise GarakException(f"no answer after {tries} tries: {error}") from None

    return ask_or_fail


def seeded(ask: Ask) -> Ask:
    """`ask`, with a seed for each of a prompt's answers: the same ones in every run.

    garak seeds the generator's `_rng` before the first of them.
    """

    @functools.wraps(ask)
    def ask_with_seed(generator: Any, *arguments: Any, **named: Any) -> Any:
        first = generator.seed
        if first is not None:
            generator.seed = generator._rng.randint(0, 2**31 - 1)
        try:
            return ask(generator, *arguments, **named)
        finally:
            generator.seed = first

    return ask_with_seed


def drawn(load: Callable[..., Any], seed: Callable[[], int | None]) -> Callable[..., Any]:
    """A way of loading plugins in which each begins with the run's seed."""

    @functools.wraps(load)
    def loaded(*arguments: Any, **named: Any) -> Any:
        random.seed(seed())
        return load(*arguments, **named)

    return loaded


def main() -> None:
    """``garak_bounded TRIES ARGUMENT...``, the arguments being garak's."""
    from garak import _config, _plugins, cli  # noqa: PLC0415
    from garak.generators.openai import OpenAICompatible  # noqa: PLC0415

    # Its clients insist on a key. The true one is put in by the adapter.
    for name in ("OPENAICOMPATIBLE_API_KEY", "NIM_API_KEY"):
        os.environ.setdefault(name, "none")
    ask = OpenAICompatible._call_model.__wrapped__  # without garak's own patience
    OpenAICompatible._call_model = seeded(bounded(ask, int(sys.argv[1])))
    _plugins.load_plugin = drawn(_plugins.load_plugin, lambda: _config.run.seed)
    cli.main(sys.argv[2:])


if __name__ == "__main__":
    main()
