"""``response_stats``: what the target's responses cost, in ``eval_factory_metrics.json``.

Stored answers are not counted again: they cost nothing. Each response is a line of a file too, from
which a restarted adapter counts on.
"""

import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from proctor_harness.adapter import sse
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.disk import Journal
from proctor_harness.adapter.figures import Figures
from proctor_harness.adapter.messages import Endpoint, Interceptor, Origin, Request, Response
from proctor_harness.adapter.openai import is_question
from proctor_harness.adapter.response_figures import Observed, ResponseFigures, Run, detailed
from proctor_harness.adapter.rewrite import watched
from proctor_harness.adapter.site import Site

INDIVIDUALS_FILE = "response_stats.jsonl"

logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Observed).decode


class Config(InterceptorConfig):
    """Fields of ``response_stats``."""

    collect_token_stats: bool = True
    """Count tokens."""
    collect_finish_reasons: bool = True
    """Count why answers ended."""
    collect_tool_calls: bool = True
    """Count calls of tools and functions."""
    stats_file_saving_interval: int | None = 100
    """Write the figures to the file after so many responses too, not only at the end."""
    save_individuals: bool = True
    """Write a line for each response, from which a restarted adapter counts on."""
    cache_dir: str = "response_stats_cache"
    """Directory of those lines, inside the artifacts."""
    logging_aggregated_stats_interval: int = 100
    """Log the figures after so many responses."""
    every: int | None = None
    """The same, under the name of the newer generation."""


def build(config: Config, site: Site) -> Interceptor:
    """Count on from where the last start left off."""
    path = site.path(config.cache_dir) / INDIVIDUALS_FILE
    figures = ResponseFigures()
    for seen in observed(path):
        figures.add(seen)
    run_id = max(figures.runs, default=-1) + 1
    figures.runs[run_id] = Run(start=time.time())
    journal = site.disk.journal(path) if config.save_individuals else None
    stats = ResponseStats(config, figures, run_id, journal, site.figures)
    site.figures.section("response_stats", figures.record)
    site.finishers.append(stats.finish)
    return stats


def observed(path: Path) -> list[Observed]:
    """The responses of earlier starts; half-written lines are passed over."""
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            found.append(_decode(line))
        except msgspec.MsgspecError:
            continue
    return found


class ResponseStats:
    """The interceptor."""

    def __init__(
        self,
        config: Config,
        figures: ResponseFigures,
        run_id: int,
        journal: Journal | None,
        file: Figures,
    ) -> None:
        self._config = config
        self._figures = figures
        self._run_id = run_id
        self._journal = journal
        self._file = file
        self._log_every = config.every or config.logging_aggregated_stats_interval
        self._detailed = partial(of_interest, config)

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Pass on, and count what comes back."""
        started = time.perf_counter()
        response = await call_next(request)
        if response.origin is Origin.CACHE or not is_question(request):
            return response
        return await watched(response, partial(self._see, started))

    def _see(self, started: float, response: Response, body: Content) -> None:
        answer = sse.answer(response.headers, body) if response.status == 200 else None
        seen = Observed(
            time.time(),
            self._run_id,
            response.status,
            round((time.perf_counter() - started) * 1000, 2),
            **(self._detailed(detailed(answer)) if answer else {}),
        )
        self._figures.add(seen)
        if self._journal:
            self._journal.append(_encode(seen))
        self._report()

    def _report(self) -> None:
        count, every = self._figures.count, self._config.stats_file_saving_interval
        if every and count % every == 0:
            self._file.touch()
        if count % max(self._log_every, 1) == 0:
            logger.info("%s", self._figures.record())

    async def finish(self) -> None:
        """Write the last figures."""
        if self._figures.count:
            self._file.touch()


Details = dict[str, Any]


def of_interest(config: Config, details: Details) -> Details:
    """What of an answer is to be counted."""
    left_out: set[str] = set()
    if not config.collect_token_stats:
        details = details | {"tokens": {}}
    if not config.collect_finish_reasons:
        left_out.add("finish_reason")
    if not config.collect_tool_calls:
        left_out |= {"tool_calls", "function_calls"}
    return {key: value for key, value in details.items() if key not in left_out}
