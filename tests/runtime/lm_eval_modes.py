"""Stock lm-eval in process, and against a server in every way that it can ask one.

``python -m tests.runtime.lm_eval_modes URL WEIGHTS OUTPUT``, in the folder of the demo's tasks;
a process of its own, for lm-eval warns and caches as it likes. WEIGHTS gets the model as Hugging
Face has it; OUTPUT gets, by mode and task, what
lm-eval kept of each answer: it writes a log-likelihood and its greedy flag as texts.
"""

import json
import sys
from pathlib import Path
from typing import Any

from demo import ARITHMETIC
from demo.scores import TASKS

DOCUMENTS = 25
"""Of each task."""

Answers = dict[str, dict[str, list[Any]]]

COMPLETIONS: dict[str, dict[str, Any]] = {
    "token ids, one at a time": {"num_concurrent": 1},
    "token ids, batched": {"num_concurrent": 1, "batch_size": 16},
    "texts, 8 at a time": {"num_concurrent": 8, "tokenized_requests": False},
    "texts, batched, 8 at a time": {
        "num_concurrent": 8,
        "batch_size": 8,
        "tokenized_requests": False,
    },
    "token ids, 64 at a time": {"num_concurrent": 64},
    "token ids, batched, 64 at a time": {"num_concurrent": 64, "batch_size": 4},
    "remote tokenizer": {"num_concurrent": 8, "tokenizer_backend": "remote"},
    "remote tokenizer, texts": {
        "num_concurrent": 64,
        "tokenizer_backend": "remote",
        "tokenized_requests": False,
    },
}
CHATS: dict[str, dict[str, Any]] = {
    "chat, one at a time": {"num_concurrent": 1},
    "chat, 64 at a time": {"num_concurrent": 64},
}
IN_PROCESS = "in process"
CHAT_IN_PROCESS = "chat in process"


def main(url: str, weights: str, output: Path) -> None:
    """Run everything."""
    from demo.to_hugging_face import convert

    convert(ARITHMETIC / "checkpoint", ARITHMETIC / "tokenizer", Path(weights))
    hugging_face = {"pretrained": weights, "dtype": "float32", "batch_size": 16}
    served = {"model": "tiny", "tokenizer": str(ARITHMETIC / "tokenizer")}
    answers: Answers = {IN_PROCESS: evaluate("hf", hugging_face, TASKS)}
    for mode, arguments in COMPLETIONS.items():
        where = {"base_url": f"{url}/v1/completions", "tokenizer_backend": "huggingface"}
        answers[mode] = evaluate("local-completions", {**served, **where, **arguments}, TASKS)
    answers[CHAT_IN_PROCESS] = evaluate("hf", hugging_face, ("arithmetic_gen",), chat=True)
    for mode, arguments in CHATS.items():
        where = {"base_url": f"{url}/v1/chat/completions", "tokenizer_backend": "huggingface"}
        given = {**served, **where, **arguments}
        answers[mode] = evaluate("local-chat-completions", given, ("arithmetic_gen",), chat=True)
    output.write_text(json.dumps(answers))


def evaluate(
    model: str, arguments: dict[str, Any], tasks: tuple[str, ...], *, chat: bool = False
) -> dict[str, list[Any]]:
    """Return each task's answers, in the order of its documents."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    batch_size = arguments.pop("batch_size", 1)
    report = simple_evaluate(
        model=model,
        model_args=arguments,
        tasks=list(tasks),
        task_manager=TaskManager(include_path=".", include_defaults=False),
        batch_size=batch_size,
        device="cpu",
        limit=DOCUMENTS,
        apply_chat_template=chat,
    )
    return {
        task: [sample["resps"] for sample in sorted(samples, key=lambda one: one["doc_id"])]
        for task, samples in report["samples"].items()
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
