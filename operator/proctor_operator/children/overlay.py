"""The `pod` overlay: a strategic merge onto a pod template.

Objects merge by field, lists of named items by `name`, `mountPath` or `key`; any other list and
any scalar is replaced; null removes (Kubernetes' strategic merge patch, without directives).
"""

from typing import Any

MERGE_KEYS = ("name", "mountPath", "key")


def overlaid(base: Any, patch: Any) -> Any:
    """`base` with `patch` merged in; neither is changed."""
    if isinstance(base, dict) and isinstance(patch, dict):
        merged = {key: overlaid(base.get(key), value) for key, value in patch.items()}
        return {k: v for k, v in {**base, **merged}.items() if v is not None}
    if isinstance(base, list) and isinstance(patch, list):
        return merged_list(base, patch)
    return patch


def merged_list(base: list[Any], patch: list[Any]) -> list[Any]:
    """Items of `patch` merged into those of `base` with the same key, new ones appended."""
    key = merge_key(base + patch)
    if key is None:
        return patch
    patches = {item[key]: item for item in patch}
    kept = [overlaid(item, patches.pop(item[key], {})) for item in base]
    return kept + list(patches.values())


def merge_key(items: list[Any]) -> str | None:
    """The field that tells items apart, where every item has it."""
    for key in MERGE_KEYS:
        if items and all(isinstance(item, dict) and key in item for item in items):
            return key
    return None
