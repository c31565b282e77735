"""EleutherAI's lm-evaluation-harness, stock, through its command line.

Dictionaries go to it as JSON, the one syntax of its command line in which a value may hold commas
and equals signs.
"""

import json
import sys
from pathlib import Path
from typing import Any

from proctor_crds.wire import RunResult, RunSpec
from proctor_harness.harnesses import lm_eval_items, parameters
from proctor_harness.harnesses.lm_eval_report import newest_report, records
from proctor_harness.harnesses.protocol import Problem, Workspace

TOKENIZER_BACKENDS = ("remote", "huggingface", "tiktoken", "none")
INTEGERS = ("maxLength", "batchSize")
EXTRAS = ("tokenizer", "tokenizerBackend", "tokenizedRequests", "systemInstruction", *INTEGERS)
"""What `params.extra` may hold."""
NEVER_CUT = 2**31
"""Tokens. lm-eval drops the beginning of what is longer than 2048, unless it is told otherwise."""


def validate(run: RunSpec) -> list[Problem]:
    """Check the sampling parameters and the extras."""
    return [
        *parameters.sampling(run),
        *parameters.extras(run, "lm-eval", EXTRAS),
        *parameters.integers(run, INTEGERS),
        *parameters.flags(run, ["tokenizedRequests"]),
        *_tokenizer_problems(run),
    ]


def preflight(run: RunSpec, workspace: Workspace) -> list[str]:
    """Look for the tasks and count their requests, by lm-eval's own task manager."""
    module = "proctor_harness.harnesses.lm_eval_preflight"
    argv = [sys.executable, "-m", module, "--output-dir", str(workspace.output_dir)]
    if workspace.datasets:
        argv += ["--include-path", str(workspace.datasets)]
    if run.params.limit_samples is not None:
        argv += ["--limit", str(run.params.limit_samples)]
    argv += ["--shard", str(run.shard), "--shards", str(run.shards)] if run.shards > 1 else []
    return [*argv, "--endpoint-type", run.endpoint_type, "--", *run.tasks]


def commands(run: RunSpec, workspace: Workspace) -> list[list[str]]:
    """Evaluate, logging every sample."""
    chat = run.endpoint_type == "chat"
    argv = [*_program(run), "run"]
    argv += ["--model", "local-chat-completions" if chat else "local-completions"]
    argv += ["--model_args", _json(_chat(run, workspace) if chat else _completions(run, workspace))]
    argv += ["--tasks", *run.tasks, "--seed", str(run.first_seed)]
    argv += ["--output_path", str(workspace.output_dir), "--log_samples"]
    if workspace.datasets:
        argv += ["--include_path", str(workspace.datasets)]
    if chat:
        argv += ["--apply_chat_template"]
    return [argv + _options(run)]


def parse(_run: RunSpec, output_dir: Path) -> RunResult:
    """Read the newest report, and the intervals from its samples."""
    report = newest_report(output_dir)
    items = lm_eval_items.read(output_dir)
    return RunResult(results=lm_eval_items.with_intervals(records(report), report, items))


items = lm_eval_items.read


def _program(run: RunSpec) -> list[str]:
    if run.shards == 1:
        return [sys.executable, "-m", "proctor_harness.harnesses.lm_eval_tasks"]
    module = "proctor_harness.harnesses.lm_eval_share"
    return [sys.executable, "-m", module, str(run.shard), str(run.shards)]


def _options(run: RunSpec) -> list[str]:
    options: dict[str, object] = {
        "--num_fewshot": run.params.few_shot,
        "--limit": run.params.limit_samples,
        "--batch_size": run.params.extra.get("batchSize"),
        "--system_instruction": run.params.extra.get("systemInstruction"),
        "--gen_kwargs": _json(_generation(run)) if _generation(run) else None,
    }
    # One word each, because a value may begin with a dash.
    return [f"{name}={value}" for name, value in options.items() if value is not None]


def _generation(run: RunSpec) -> dict[str, float]:
    """What overrides the tasks' own generation settings."""
    params = run.params
    given = {
        "temperature": None if params.temperature is None else float(params.temperature),
        "top_p": None if params.top_p is None else float(params.top_p),
        "max_gen_toks": params.max_new_tokens,
    }
    return {key: value for key, value in given.items() if value is not None}


def _requests(run: RunSpec) -> dict[str, Any]:
    return {
        "model": run.model,
        "num_concurrent": run.params.parallelism,
        # lm-eval counts attempts where we count what follows the first.
        "max_retries": run.params.max_retries + 1,
        "timeout": run.params.request_timeout_seconds,
        "seed": run.seed,
    }


def _completions(run: RunSpec, workspace: Workspace) -> dict[str, Any]:
    extra = run.params.extra
    # Named, because `auto` would choose by what the server happens to offer.
    backend = extra.get("tokenizerBackend", "huggingface" if "tokenizer" in extra else "remote")
    arguments = {
        "base_url": f"{workspace.base_url}/completions",
        **_requests(run),
        "tokenizer_backend": backend,
        # Token ids say exactly where a continuation begins; text would be decoded and encoded anew.
        "tokenized_requests": parameters.flag(
            extra.get("tokenizedRequests", str(backend != "none"))
        ),
    }
    if "tokenizer" in extra:
        arguments["tokenizer"] = extra["tokenizer"]
    return arguments | _max_length(run)


def _chat(run: RunSpec, workspace: Workspace) -> dict[str, Any]:
    address = {"base_url": f"{workspace.base_url}/chat/completions"}
    # The server applies the template and tokenizes.
    return address | _requests(run) | {"tokenizer_backend": "none"} | _max_length(run)


def _max_length(run: RunSpec) -> dict[str, int]:
    # Where nobody knows how much the target takes, the target judges: loudly, with a refusal.
    given = run.params.extra.get("maxLength", run.context_length or NEVER_CUT)
    return {"max_length": int(given)}


def _tokenizer_problems(run: RunSpec) -> list[Problem]:
    extra = run.params.extra
    backend = extra.get("tokenizerBackend")
    if run.endpoint_type == "chat":
        remedy = "a chat endpoint tokenizes by itself; remove this, or use endpointType completions"
        keys = ("tokenizer", "tokenizerBackend", "tokenizedRequests")
        return [Problem(f"params.extra.{key}", extra[key], remedy) for key in keys if key in extra]
    if backend is not None and backend not in TOKENIZER_BACKENDS:
        choices = f"choose one of {', '.join(TOKENIZER_BACKENDS)}"
        return [Problem("params.extra.tokenizerBackend", backend, choices)]
    if "tokenizer" in extra and backend in {"remote", "none"}:
        remedy = f"remove it, or let tokenizerBackend be huggingface instead of {backend}"
        return [Problem("params.extra.tokenizer", extra["tokenizer"], remedy)]
    return []


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
