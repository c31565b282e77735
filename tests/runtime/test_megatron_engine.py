"""The Megatron-Core engine with a tiny random model, against the plainest possible computation."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.protocol import (
    Completion,
    EngineDeadError,
    GenerateRequest,
    Sampling,
)
from proctor_runtime.engine.scheduling.step import RowResult, Step
from tests.runtime.batches import (
    PROMPTS,
    SAMPLINGS,
    assert_close,
    generation,
    ids,
    run,
    scoring,
)
from tests.runtime.conftest import TINY, VOCABULARY, quiet

# Megatron-Core warns of its own internal calls.
pytestmark = pytest.mark.filterwarnings("ignore:.*tp_group is None:DeprecationWarning")


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> Iterator[Any]:
    with quiet():
        from proctor_runtime.engine.megatron.engine import MegatronEngine
        from proctor_runtime.engine.megatron.source import ModelSource

        engine = MegatronEngine(ModelSource(checkpoint=checkpoint))
        yield engine
        engine.close()


def plain_log_softmax(engine: Any, tokens: Sequence[int]) -> torch.Tensor:
    """One sequence, no cache, no padding, Megatron-Core's own forward."""
    ids = torch.tensor([tokens])
    positions = torch.arange(len(tokens))[None]
    with torch.inference_mode():
        logits = engine._executor.forward.model(ids, positions, None, runtime_gather_output=True)
    plain: torch.Tensor = logits[0, :, :VOCABULARY].float().log_softmax(-1)
    return plain


def check_against_plain(engine: Any, request: GenerateRequest, completion: Completion) -> None:
    """Hold every reported number against a log-softmax of the finished sequence."""
    sequence = [*request.prompt, *ids(completion)]
    truth = plain_log_softmax(engine, sequence)
    reported = [*completion.prompt, *completion.tokens]
    start = len(sequence) - len(reported)
    for place, scored in enumerate(reported, start=start):
        assert scored.token == sequence[place]
        if place == 0:
            assert scored.logprob is None
            continue
        assert scored.logprob == pytest.approx(float(truth[place - 1, scored.token]), abs=1e-5)
        best = truth[place - 1].topk(3)
        assert [logprob for _, logprob in scored.top] == pytest.approx(
            best.values.tolist(), abs=1e-5
        )


def test_cached_generation_equals_the_uncached_model_for_ragged_prompts(engine: Any) -> None:
    requests = [generation(prompt) for prompt in PROMPTS]
    for request, completion in zip(requests, run(engine, requests), strict=True):
        truth = plain_log_softmax(engine, [*request.prompt, *ids(completion)])
        greedy = truth.argmax(-1)[len(request.prompt) - 1 : -1].tolist()
        assert ids(completion) == greedy
        check_against_plain(engine, request, completion)


def test_scores_have_no_padding_and_no_shift(engine: Any) -> None:
    requests = [scoring(prompt) for prompt in PROMPTS]
    for request, completion in zip(requests, run(engine, requests), strict=True):
        assert len(completion.prompt) + len(completion.tokens) == len(request.prompt) + 1
        check_against_plain(engine, request, completion)


def test_echo_with_generation_scores_the_prompt_too(engine: Any) -> None:
    requests = [generation(p, prompt_logprobs=i % 2 == 0) for i, p in enumerate(PROMPTS)]
    for request, completion in zip(requests, run(engine, requests), strict=True):
        assert bool(completion.prompt) == request.prompt_logprobs
        check_against_plain(engine, request, completion)


def test_a_greedy_token_equals_the_best_alternative_to_the_last_bit(engine: Any) -> None:
    (made,) = run(engine, [generation(PROMPTS[2], new=20)])
    assert all(scored.top[0] == (scored.token, scored.logprob) for scored in made.tokens)
    # And the same sequence scored as a prompt, as lm-eval decides `is_greedy`.
    (scored,) = run(engine, [scoring((*PROMPTS[2], *ids(made)))])
    continuation = scored.prompt[len(PROMPTS[2]) :]
    assert all(token.logprob == max(lp for _, lp in token.top) for token in continuation)


@pytest.mark.parametrize("make", [generation, scoring], ids=["generation", "scoring"])
def test_company_changes_nothing(engine: Any, make: Any) -> None:
    together = run(engine, [make(prompt) for prompt in PROMPTS])
    for prompt, completion in zip(PROMPTS, together, strict=True):
        assert_close(completion, run(engine, [make(prompt)])[0])


def test_a_seeded_request_samples_the_same_alone_and_in_company(engine: Any) -> None:
    requests = [
        generation(prompt, new=12, sampling=sampling)
        for prompt, sampling in zip(PROMPTS, SAMPLINGS, strict=True)
    ]
    together = run(engine, requests)
    for request, completion in zip(requests, together, strict=True):
        assert_close(completion, run(engine, [request])[0])
    other = replace(requests[0], sampling=Sampling(temperature=1.0, seed=99))
    assert ids(run(engine, [other])[0]) != ids(together[0])


def test_a_seeded_request_samples_the_same_among_64_others(engine: Any) -> None:
    request = generation(PROMPTS[3], new=12, sampling=Sampling(temperature=1.0, seed=11))
    others = [
        generation((n, n + 1), new=n % 9 + 1, sampling=SAMPLINGS[n % len(SAMPLINGS)])
        for n in range(64)
    ]
    together = run(engine, [*others[:32], request, *others[32:]], sequences=65)
    assert ids(together[32]) == ids(run(engine, [request])[0])


def test_choices_are_scored_by_one_prefill_of_their_question(engine: Any) -> None:
    question = tuple(range(20, 70))
    asked = [scoring((*question, *choice)) for choice in ((1, 2), (1, 3), (4,), (5, 6, 7))]
    computed: list[int] = []

    class Counting:
        capacity = engine.capacity

        def execute(self, step: Step) -> list[RowResult]:
            computed.extend(len(row.tokens) for row in step.rows)
            results: list[RowResult] = engine.execute(step)
            return results

    completions = run(Counting(), asked)
    assert computed == [52, 2, 2, 4]
    for request, completion in zip(asked, completions, strict=True):
        check_against_plain(engine, request, completion)


def test_only_so_many_logits_exist_at_a_time(engine: Any) -> None:
    from proctor_runtime.engine.megatron.executor import Executor

    forward, store = engine._executor.forward, engine._executor.store
    rows: list[int] = []

    class Watched:
        config, device = forward.config, forward.device

        def __call__(self, *given: Any) -> Any:
            return forward(*given)

        def logits(self, hidden: torch.Tensor) -> torch.Tensor:
            rows.append(len(hidden))
            logits: torch.Tensor = forward.logits(hidden)
            return logits

    executor: Any = Executor(Watched(), store, logit_budget=5 * VOCABULARY)  # type: ignore[arg-type]
    executor.capacity = engine.capacity
    asked = [make(prompt) for prompt in PROMPTS for make in (scoring, generation)]
    for request, completion in zip(asked, run(executor, asked), strict=True):
        check_against_plain(engine, request, completion)
    assert max(rows) == 5


def test_top_k_one_is_greedy_and_top_k_bounds_the_choice(engine: Any) -> None:
    greedy, one, five = run(
        engine,
        [
            generation(PROMPTS[1], new=20),
            generation(PROMPTS[1], new=20, sampling=Sampling(temperature=3.0, top_k=1, seed=1)),
            generation(PROMPTS[1], new=20, sampling=Sampling(temperature=3.0, top_k=3, seed=1)),
        ],
    )
    assert ids(one) == ids(greedy)
    assert ids(five) != ids(greedy)
    assert all(scored.token in dict(scored.top) for scored in five.tokens)


def test_samples_follow_the_models_distribution(engine: Any) -> None:
    requests = [
        generation((7,), new=1, sampling=Sampling(temperature=1.0, seed=seed))
        for seed in range(2000)
    ]
    drawn = torch.zeros(VOCABULARY)
    for completion in run(engine, requests):
        drawn[ids(completion)[0]] += 1
    expected = plain_log_softmax(engine, [7])[0].exp()
    assert float((drawn / 2000 - expected).abs().sum()) / 2 < 0.12  # total variation


def test_requests_stop_by_themselves(engine: Any) -> None:
    first = ids(run(engine, [generation(PROMPTS[2], new=6)])[0])
    stopping = generation(PROMPTS[2], new=6, stop_ids=(first[1],))
    longer = generation(PROMPTS[3], new=10)
    stopped, whole = run(engine, [stopping, longer])
    assert (ids(stopped), stopped.finish) == (first[: first.index(first[1]) + 1], "stop")
    assert (len(whole.tokens), whole.finish) == (10, "length")


def test_padding_of_the_vocabulary_has_no_probability(engine: Any) -> None:
    (completion,) = run(engine, [GenerateRequest(prompt=(3,), max_new_tokens=1, top_logprobs=1000)])
    (token,) = completion.tokens
    assert len(token.top) == VOCABULARY
    total = torch.tensor([logprob for _, logprob in token.top]).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-5)


def test_the_batcher_serves_mixed_requests(engine: Any) -> None:
    batcher = Batcher(engine, decode=lambda tokens, **_: "".join(map(chr, tokens)))
    batcher.start()
    requests = [make(prompt) for prompt in PROMPTS for make in (generation, scoring)]
    futures = [batcher.submit(request) for request in requests]
    for request, future in zip(requests, futures, strict=True):
        check_against_plain(engine, request, future.result(30))
    # The engine is the fixture's to close.
    with batcher._changed:
        batcher._closing = True
        batcher._changed.notify()


@pytest.mark.parametrize(
    ("is_lost", "words"),
    [(True, "cuda:0 is lost to this process: CUDA error: unspecified"), (False, "out of memory")],
    ids=["lost", "still there"],
)
def test_an_engine_is_dead_whose_device_answers_no_more(
    engine: Any, monkeypatch: pytest.MonkeyPatch, is_lost: bool, words: str
) -> None:
    def fail(_: Step) -> None:
        raise RuntimeError("out of memory")

    def synchronize(_: torch.device) -> None:
        if is_lost:
            raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    forward = SimpleNamespace(device=torch.device("cuda:0"))
    monkeypatch.setattr(engine, "_executor", SimpleNamespace(forward=forward, execute=fail))
    with pytest.raises(RuntimeError, match=words) as failed:
        engine.execute(Step(rows=()))
    assert isinstance(failed.value, EngineDeadError) == is_lost


def test_info_is_of_the_checkpoint(engine: Any) -> None:
    assert engine.info.num_layers == TINY.num_layers
    assert engine.info.vocab_size == VOCABULARY
    assert engine.info.max_sequence_length == TINY.max_position_embeddings
