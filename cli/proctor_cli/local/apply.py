"""Server-side apply for one field manager, as a pure function."""

from typing import Any


def applied(live: dict[str, Any], before: Any, desired: dict[str, Any]) -> dict[str, Any]:
    """`live` overlaid with `desired`, less what the manager gave `before` and no longer gives.

    Lists are replaced whole: nobody but the manager writes into the lists that it applies.
    """
    given = before if isinstance(before, dict) else {}
    result = {key: value for key, value in live.items() if key in desired or key not in given}
    for key in given.keys() & live.keys() - desired.keys():
        result |= _left(key, live[key], given[key])
    for key, value in desired.items():
        result[key] = _overlaid(live.get(key), given.get(key), value)
    return result


def without_nulls(value: Any) -> Any:
    """`value` without keys that are null: to the apiserver they were never given."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value


def _overlaid(live: Any, before: Any, desired: Any) -> Any:
    if isinstance(live, dict) and isinstance(desired, dict):
        return applied(live, before, desired)
    return desired


def _left(key: str, live: Any, before: Any) -> dict[str, Any]:
    """What others have put under `key`, once the manager's own fields are taken out."""
    if not (isinstance(live, dict) and isinstance(before, dict)):
        return {}
    rest = applied(live, before, {})
    return {key: rest} if rest else {}
