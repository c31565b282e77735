"""Log-probabilities as the API writes them, and how many of them one request may ask for."""

import pytest

from proctor_runtime.engine.protocol import GenerateRequest
from proctor_runtime.openai.logprobs import MOST_NUMBERS, check_numbers
from proctor_runtime.openai.requests import InvalidRequestError


def asks(prompt: int, new: int, top: int, *, echo: bool = True) -> GenerateRequest:
    return GenerateRequest(
        prompt=(1,) * prompt, max_new_tokens=new, top_logprobs=top, prompt_logprobs=echo
    )


@pytest.mark.parametrize(
    "asked",
    [
        [asks(2048, 1, 1)] * 64,
        [asks(2048, 1, 20)] * 64,
        [asks(131_000, 64, 20, echo=False)] * 512,
        [asks(MOST_NUMBERS - 1, 1, 0)],
    ],
    ids=["lm-eval", "more alternatives", "long prompts that are not scored", "as many as may be"],
)
def test_what_evaluations_ask_for_is_served(asked: list[GenerateRequest]) -> None:
    check_numbers(asked)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ([asks(1000, 0, 100)] * 50, 5_050_000),
        ([asks(1, 2048, 20, echo=False)] * 128, 5_505_024),
        ([asks(MOST_NUMBERS, 1, 0)], MOST_NUMBERS + 1),
    ],
    ids=["scored prompts", "many choices", "one too many"],
)
def test_more_than_memory_has_room_for_is_refused(asked: list[GenerateRequest], count: int) -> None:
    with pytest.raises(InvalidRequestError, match=f" {count} log-prob.* 4194304 .*fewer altern"):
        check_numbers(asked)
