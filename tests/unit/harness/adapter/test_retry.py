import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import Origin, Request, Response, error_response
from proctor_harness.adapter.retry import Retry, RetryPolicy, retry_after_seconds
from tests.unit.harness.adapter.asking import Target, ask, question, reply, streamed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNREACHABLE = error_response(502, "upstream_error", "refused", origin=Origin.NOBODY)


class Sleeps:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def retrying(sleeps: Sleeps, draw: float = 1.0, **policy: Any) -> Retry:
    return Retry(RetryPolicy(**policy), sleeps, lambda: draw, lambda: NOW)


def busy(retry_after: str) -> Response:
    return Response(429, ((b"retry-after", retry_after.encode()),), Content(b""))


async def test_failures_of_infrastructure_are_asked_again_with_growing_waits() -> None:
    sleeps, target = Sleeps(), Target([503, UNREACHABLE, 429, reply()])
    response = await ask(retrying(sleeps, max_retries=5), question(), target)
    assert response.status == 200
    assert sleeps.seconds == [0.5, 1.0, 2.0]


async def test_waits_are_jittered() -> None:
    sleeps = Sleeps()
    await ask(retrying(sleeps, draw=0.0, max_retries=2), question(), Target([503]))
    assert sleeps.seconds == [0.25, 0.5]


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_other_answers_are_final(status: int) -> None:
    sleeps, target = Sleeps(), Target([status if status != 200 else reply()])
    assert (await ask(retrying(sleeps, max_retries=5), question(), target)).status == status
    assert len(target.requests) == 1


async def test_which_statuses_are_tried_again_can_be_chosen() -> None:
    sleeps, target = Sleeps(), Target([500, 503])
    response = await ask(
        retrying(sleeps, max_retries=5, statuses=frozenset({500})), question(), target
    )
    assert response.status == 503
    assert len(target.requests) == 2


async def test_the_last_answer_is_given_when_the_retries_are_spent() -> None:
    target = Target([503])
    assert (await ask(retrying(Sleeps(), max_retries=2), question(), target)).status == 503
    assert len(target.requests) == 3


async def test_the_server_says_when_to_come_back() -> None:
    sleeps = Sleeps()
    await ask(retrying(sleeps, max_retries=1), question(), Target([busy("7"), reply()]))
    assert sleeps.seconds == [7.0]


async def test_nobody_waits_for_tomorrow() -> None:
    sleeps, target = Sleeps(), Target([busy("86400")])
    assert (await ask(retrying(sleeps, max_retries=5), question(), target)).status == 429
    assert sleeps.seconds == []


async def test_a_wait_beyond_the_budget_is_not_begun() -> None:
    sleeps, target = Sleeps(), Target([busy("30")])
    response = await ask(retrying(sleeps, max_retries=5, total_seconds=10), question(), target)
    assert (response.status, sleeps.seconds) == (429, [])


async def test_the_budget_ends_an_attempt() -> None:
    async def hang(_: Request) -> Response:
        await asyncio.sleep(60)
        raise AssertionError

    response = await retrying(Sleeps(), total_seconds=0.05)(question(), hang)
    assert (response.status, response.origin) == (504, Origin.NOBODY)


async def test_a_stream_that_is_given_up_is_read_so_that_its_connection_is_kept() -> None:
    failed = await streamed(b"busy")
    target = Target([Response(503, (), failed.body), reply()])
    assert (await ask(retrying(Sleeps(), max_retries=1), question(), target)).status == 200
    assert not isinstance(failed.body, Content)
    assert [piece async for piece in failed.body] == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("1.5", 1.5),
        ((NOW + timedelta(seconds=20)).strftime("%a, %d %b %Y %H:%M:%S GMT"), 20.0),
        ((NOW - timedelta(seconds=20)).strftime("%a, %d %b %Y %H:%M:%S GMT"), 0.0),
        ("soon", 0.0),
        ("-3", 0.0),
        ("inf", 0.0),
        ("", 0.0),
    ],
)
def test_retry_after(value: str, seconds: float) -> None:
    assert retry_after_seconds(value.encode(), NOW) == seconds
