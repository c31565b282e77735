"""The `pod` overlay: a strategic merge onto a pod template.

Objects merge by field, lists of keyed items by `mountPath`, `name` or `key`; any other list and
any scalar is replaced; null removes (Kubernetes' strategic merge patch, without directives). A
volume keeps only the fields that the overlay names, so that one kind can take the place of another:
a null would do it too, but `kubectl apply` drops nulls from lists when it changes an object.
"""

from typing import Any

MERGE_KEYS = ("mountPath", "name", "key")
"""The first that every item has: a volume mounted twice has one name and two paths."""
VOLUMES = "volumes"


def overlaid(base: Any, patch: Any) -> Any:
    """`base` with `patch` merged in; neither is changed."""
    if isinstance(patch, dict):
        under = base if isinstance(base, dict) else {}
        merged = {
            key: overlaid(retained(key, under.get(key), value), value)
            for key, value in patch.items()
        }
        return {k: v for k, v in {**under, **merged}.items() if v is not None}
    if isinstance(patch, list):
        return merged_list(base if isinstance(base, list) else [], patch)
    return patch


def retained(field: str, base: Any, patch: Any) -> Any:
    """`base`; of volumes that the patch names as well, only the fields that it names."""
    both = isinstance(base, list) and isinstance(patch, list)
    if field != VOLUMES or not both or merge_key(base + patch) != "name":
        return base
    named = {volume["name"]: volume for volume in patch}
    return [{k: v for k, v in item.items() if k in named.get(item["name"], item)} for item in base]


def merged_list(base: list[Any], patch: list[Any]) -> list[Any]:
    """Items of `patch` merged into those of `base` with the same key, new ones appended."""
    key = merge_key(base + patch) if base else None
    if key is None:
        return [overlaid(None, item) for item in patch]
    patches = {item[key]: item for item in patch}
    kept = [overlaid(item, patches.pop(item[key], {})) for item in base]
    return kept + [overlaid(None, item) for item in patches.values()]


def merge_key(items: list[Any]) -> str | None:
    """The field that tells items apart, where every item has it."""
    for key in MERGE_KEYS:
        if items and all(isinstance(item, dict) and key in item for item in items):
            return key
    return None
