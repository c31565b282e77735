"""Several pods ask an evaluation's questions together, for real, and its scores are the same."""

from pathlib import Path

import pytest

from proctor_operator.cluster import Manifest
from tests.local.real_harness import Seen, cluster, outcome, run, write_tasks
from tests.runtime.harness.model_server import ModelServer, serving

SUMS, TEXTS = 10, 4
CASES = {
    # Examples in a prompt are drawn in the order of the samples.
    "with examples": ({"tasks": ["sum_mc", "sum_gen"]}, {"fewShot": 2}, SUMS * 4),
    "a group": ({"tasks": ["sums"]}, {}, SUMS * 3 + TEXTS),
}


@pytest.mark.parametrize(("fields", "params", "questions"), CASES.values(), ids=CASES)
async def test_sharded_scores_are_the_unsharded_and_no_question_is_asked_twice(
    fields: Manifest, params: Manifest, questions: int, tmp_path: Path
) -> None:
    write_tasks(tmp_path / "tasks", SUMS, TEXTS)
    (tmp_path / "artifacts").mkdir()
    volumes = {"tasks": tmp_path / "tasks", "artifacts": tmp_path / "artifacts"}
    given = fields | {"params": {"parallelism": 2, "temperature": "0"} | params}
    found = {}
    with serving(ModelServer()) as model:
        async with cluster(tmp_path, volumes) as local:
            for name, shards in (("whole", 1), ("shared", 3)):
                model.seen = Seen()
                await local.apply(run(name, model.url, **given, shards=shards))
                ended = await outcome(local, name)
                assert "failure" not in ended, ended["failure"]
                found[name] = ended
                asked = model.seen.questions()
                assert len(asked) == len(set(asked)) == questions
                assert ended["progress"] == {"done": questions, "total": questions}
    assert found["shared"]["results"] == found["whole"]["results"]
    shares = [
        (tmp_path / "artifacts/shared/sums/shards" / str(shard) / "requests.jsonl").read_text()
        for shard in range(3)
    ]
    assert all(len(share.splitlines()) > questions / 5 for share in shares)
