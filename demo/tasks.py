"""The three lm-eval tasks, one of each kind of request that lm-eval makes, with their data."""

import json
from pathlib import Path
from random import Random
from typing import Any

import yaml

from demo.data import Problem, distractors, held_out_problems

SEED = 20240101
"""The questions stay the same whatever seed the model is trained with."""

DOCUMENTS = 200
"""Of each task."""

LINES = 4
"""Problems in each text of the perplexity task."""

COMMON = {"test_split": "test", "target_delimiter": "", "fewshot_delimiter": "\n"}

MULTIPLE_CHOICE: dict[str, Any] = {
    "task": "arithmetic_mc",
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": "choices",
    "doc_to_target": "answer",
    "metric_list": [
        {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
        {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True},
    ],
}

GENERATION: dict[str, Any] = {
    "task": "arithmetic_gen",
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 8, "do_sample": False},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}

PERPLEXITY: dict[str, Any] = {
    "task": "arithmetic_ppl",
    "output_type": "loglikelihood_rolling",
    "doc_to_text": "",
    "doc_to_target": "{{text}}",
    "metric_list": [
        {"metric": "byte_perplexity"},
        {"metric": "bits_per_byte"},
    ],
}


def save_tasks(folder: Path) -> None:
    """Write each task's YAML, and beside it the file that it reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for task, documents in task_documents().items():
        _save(folder, task, documents)


def task_documents() -> dict[str, list[dict[str, Any]]]:
    """Make every task's documents; no problem is asked in two of them."""
    random = Random(SEED)
    problems = iter(held_out_problems(random, DOCUMENTS * (2 + LINES)))
    return {
        "arithmetic_mc": [_choice_document(next(problems), random) for _ in range(DOCUMENTS)],
        "arithmetic_gen": [_generation_document(next(problems)) for _ in range(DOCUMENTS)],
        "arithmetic_ppl": [
            {"text": "\n".join(next(problems).text for _ in range(LINES))} for _ in range(DOCUMENTS)
        ],
    }


def _choice_document(problem: Problem, random: Random) -> dict[str, Any]:
    choices = [problem.value, *distractors(problem, random)]
    random.shuffle(choices)
    return {
        "question": problem.question,
        "choices": [str(choice) for choice in choices],
        "answer": choices.index(problem.value),
    }


def _generation_document(problem: Problem) -> dict[str, Any]:
    return {"question": problem.question, "answer": str(problem.value)}


def _save(folder: Path, task: str, documents: list[dict[str, Any]]) -> None:
    lines = [json.dumps(document) + "\n" for document in documents]
    (folder / f"{task}.jsonl").write_text("".join(lines))
    (folder / f"{task}.yaml").write_text(
        yaml.dump(_definition(task), Dumper=_Dumper, sort_keys=False)
    )


class _Dumper(yaml.SafeDumper):
    """Writes a line break as people do, escaped and within double quotes."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = '"' if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def _definition(task: str) -> dict[str, Any]:
    own = {one["task"]: one for one in (MULTIPLE_CHOICE, GENERATION, PERPLEXITY)}[task]
    dataset = {
        "dataset_path": "json",
        # Relative to the folder that lm-eval runs in, which is this one.
        "dataset_kwargs": {"data_files": {"test": f"{task}.jsonl"}},
    }
    return {"task": task, **dataset, **COMMON, **own, "metadata": {"version": 1.0}}
