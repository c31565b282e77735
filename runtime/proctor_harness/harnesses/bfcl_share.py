"""Run in the harness's environment: bfcl, which asks its share of questions.

``bfcl_share SHARD SHARDS ARGUMENT...``, the arguments being bfcl's.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from proctor_harness.harnesses import bfcl_guarded
from proctor_harness.harnesses.shares import Share

Collect = Callable[..., list[dict[str, Any]]]


def main() -> None:
    """Be bfcl, with fewer questions."""
    import bfcl._llm_response_generation as generation  # noqa: PLC0415  only there

    share = Share(*map(int, sys.argv[1:3]))
    del sys.argv[1:3]
    generation.collect_test_cases = sharing(generation.collect_test_cases, share)
    bfcl_guarded.main()


def sharing(collect: Collect, share: Share) -> Collect:
    """A way of collecting the questions that leaves the others out; a conversation stays whole."""

    def collected(*arguments: Any) -> list[dict[str, Any]]:
        cases = collect(*arguments)
        return share.of_questions(cases, [question(case) for case in cases])

    return collected


def question(case: dict[str, Any]) -> str:
    """All of a case that the target sees."""
    return json.dumps({**case, "id": None}, sort_keys=True)


if __name__ == "__main__":
    main()
