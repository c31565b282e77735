"""Reading ``config.json``, as transformers 4 and 5 write it; code that it names is never run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.rope import RopeScaling
from proctor_runtime.failure import RejectedError

Fields = Mapping[str, Any]


def read_fields(folder: Path) -> Fields:
    """Read a model folder's configuration."""
    path = folder / "config.json"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RejectedError(
            Reason.CHECKPOINT_NOT_FOUND, f"no Hugging Face model at {folder}: it has no config.json"
        ) from error
    except (OSError, ValueError) as error:
        raise RejectedError(Reason.CHECKPOINT_CORRUPT, f"{path} cannot be read: {error}") from error
    if not isinstance(fields, dict):
        raise RejectedError(Reason.CHECKPOINT_CORRUPT, f"{path} is no JSON object")
    return fields


def size(fields: Fields, *names: str) -> int:
    """Return a size, by the first of its names that is there."""
    for name in names:
        value = fields.get(name)
        if value is not None:
            if isinstance(value, int) and value >= 1:
                return value
            break
    raise RejectedError(
        Reason.CHECKPOINT_CORRUPT,
        f"config.json: {names[0]} is {fields.get(names[0])!r}, where a positive whole number is"
        " needed",
    )


def number(fields: Fields, name: str, default: float) -> float:
    """Return a number."""
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, int | float) and value > 0:
        return float(value)
    raise RejectedError(
        Reason.CHECKPOINT_CORRUPT, f"config.json: {name} is {value!r}, where a number is needed"
    )


def only(fields: Fields, name: str, *supported: Any) -> None:
    """Refuse any other value than those; absent is the first of them."""
    value = fields.get(name, supported[0])
    if value not in supported:
        listing = ", ".join(map(json.dumps, supported))
        raise RejectedError(
            Reason.CHECKPOINT_UNSUPPORTED,
            f"config.json: {name} is {json.dumps(value)}; supported: {listing}",
        )


def rope(fields: Fields, default_base: float) -> dict[str, Any]:
    """Return `ModelConfig`'s fields for rotary positions."""
    given = fields.get("rope_parameters") or fields.get("rope_scaling") or {}
    if any(isinstance(value, dict) for value in given.values()):
        raise unsupported_rope(f"one for each of {', '.join(given)}")
    base = number(given, "rope_theta", number(fields, "rope_theta", default_base))
    kind = given.get("rope_type") or given.get("type") or "default"
    only({**fields, **given}, "partial_rotary_factor", 1.0, None)
    match kind:
        case "default":
            return {"rotary_base": base}
        case "linear":
            return {"rotary_base": base, "rotary_interpolation": number(given, "factor", 1)}
        case "llama3":
            return {"rotary_base": base, "rope_scaling": llama3(given)}
    raise unsupported_rope(repr(kind))


def llama3(given: Fields) -> RopeScaling:
    """Read Llama 3.1's scaling."""
    return RopeScaling(
        factor=number(given, "factor", 8),
        low_frequency_factor=number(given, "low_freq_factor", 1),
        high_frequency_factor=number(given, "high_freq_factor", 4),
        original_context=size(given, "original_max_position_embeddings"),
    )


def unsupported_rope(what: str) -> RejectedError:
    """Make the error for rotary positions that this runtime does not compute."""
    return RejectedError(
        Reason.CHECKPOINT_UNSUPPORTED,
        f"config.json: the rope type is {what}; supported: default, linear, llama3",
    )


def window(fields: Fields) -> int | None:
    """Return how many tokens a token sees, if not all before it."""
    kinds = fields.get("layer_types") or []
    only({"layer_types": sorted({*kinds} - {"sliding_attention"})}, "layer_types", [], FULL)
    sliding = fields.get("use_sliding_window", True) and fields.get("sliding_window")
    if kinds and "sliding_attention" not in kinds:
        return None
    return size(fields, "sliding_window") if sliding else None


FULL = ["full_attention"]
